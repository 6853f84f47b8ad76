// SPDX-License-Identifier: MIT
// Proved of the inputs run: whatever a producer writes into a ring, between the consumer's calls and during
// them, each call ends with a status that is documented for it, within a bound, inside the span; what it shows
// lies in the data, comes once, and is never more than the capacity before space is given back; corrupt stays.
// Not provable here: other inputs; orders of memory (one thread).
#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/rings.hpp"
#include "fuzz/shared_consumers.hpp"

#include <weir/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace weir::fuzz {
namespace {

arena memory;

template <class Kind, class Wait>
class consumer_run final : watcher {
  using ring_type = typename Kind::ring;
  using consumer_type = typename ring_type::template consumer_type<Wait>;
  using producer_type = typename ring_type::template producer_type<>;

 public:
  explicit consumer_run(input& bytes) : bytes_{bytes}, ring_{Kind::format(memory, bytes, shape_)} {
    here.told = this;
    honestly([&] { take_producer(); });
    here.lie_in = bytes_.byte();
    take();
  }
  consumer_run(const consumer_run&) = delete;
  auto operator=(const consumer_run&) -> consumer_run& = delete;
  ~consumer_run() {
    bounded("consumer's end", bound(), [&] { consumer_.reset(); });
    honestly([&] { producer_.reset(); });
    here.told = nullptr;
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      attack();
      if (consumer_) {
        operate();
      } else {
        take();
      }
    }
  }

 private:
  [[nodiscard]] auto bound() const -> std::uint64_t { return most_accesses(shape_); }

  template <class Act>
  void honestly(Act&& act) {
    const quiet truth;
    honest_ = true;
    bounded("an honest producer", 4 * bound(), act);
    honest_ = false;
  }

  // --- what the policy tells

  void loaded(std::size_t offset, std::uint64_t shown) override {
    if (honest_) return;
    if (taking_ && offset == Kind::read_position) released_ = Kind::units_of(shown);
    if (offset >= shape_.data) last_look_ = offset & ~std::size_t{3};
  }
  void stores(std::size_t offset, std::size_t, std::uint64_t stored) override {
    if (!honest_ && offset == Kind::read_position) released_ = Kind::units_of(stored);
  }
  [[nodiscard]] static auto ahead(std::uint32_t of, std::uint32_t from) -> std::uint32_t {
    return (of - from) & Kind::sequence_mask;
  }

  // --- the other side

  void take_producer() {
    auto taken = ring_.producer();
    if (taken) producer_.emplace(std::move(taken).value());
  }

  /// A commit word at the edge of what is possible, where the consumer looked last.
  void plant() {
    const auto left = static_cast<std::uint32_t>(shape_.data_end - last_look_);
    const auto most = ring_.max_record();
    const auto near = 8 * bytes_.below(4);
    switch (bytes_.byte() & 3) {
      case 0:
        return arena::put(last_look_, record::commit_word(left - near));
      case 1:
        return arena::put(last_look_, record::commit_word(most + 8 - near));
      case 2:
        return arena::put(last_look_, record::padding_word((left + 8 - near) & ~7U));
      default:
        return arena::put(last_look_, record::commit_word(most) + bytes_.below(9));
    }
  }

  void attack() {
    switch (bytes_.byte() & 15) {
      case 1:
        return memory.scribble(shape_.data, shape_.data_end);
      case 2:
        return memory.scribble(layout::header_size, shape_.data);
      case 3:
        return memory.scribble_word(last_look_);
      case 13:
      case 14:
        if (Kind::framed && last_look_ >= shape_.data) plant();
        return;
      case 4:
        return honestly([&] {
          if (producer_) producer_->close();
        });
      case 5:
        return honestly([&] {
          producer_.reset();
          take_producer();
        });
      case 6:
        here.dead = bytes_.byte();
        return;
      case 7:
      case 8:
      case 9:
      case 10:
      case 11:
      case 12:
        return honestly([&] {
          if (producer_) static_cast<void>(honest_write<Kind>(*producer_, bytes_));
        });
      default:
        return;
    }
  }

  // --- this side

  void take() {
    bounded("consumer()", 2 * bound(), [&] {
      consumer_.reset();
      taking_ = true;
      auto taken = ring_.template consumer<Wait>();
      taking_ = false;
      require(
          taken || is_one_of(taken.status(), status::busy, status::unsupported, status::corrupt),
          "consumer(): a status that is not documented");
      if (taken) consumer_.emplace(std::move(taken).value());
    });
    corrupt_ = false;
    next_ = released_;
  }

  void operate() {
    switch (bytes_.byte() % 10) {
      case 0:
      case 1:
        return bounded("try_peek()", bound(), [&] { peek(); });
      case 2:
      case 3:
        return bounded("try_read()", bound(), [&] { read(); });
      case 4:
      case 5:
        return bounded("drain()", 2 * bound(), [&] { drain(); });
      case 6:
        return bounded("wait()", most_looks * bound(), [&] { wait(); });
      case 7:
        return bounded("redeem()", 2 * bound(), [&] { redeem(); });
      case 8:
        return bounded("flush() or close()", bound(), [&] {
          if (bytes_.byte() < 0xF0) return static_cast<void>(consumer_->read_position());
          consumer_->close();
        });
      default:
        if (bytes_.byte() < 0x80) take();
    }
  }

  /// A call that looked for a record says so.
  void judge(status outcome) {
    require(!corrupt_ || outcome == status::corrupt, "corrupt did not stay");
    if (outcome == status::corrupt) corrupt_ = true;
  }
  void judge_look(status outcome) {
    judge(outcome);
    require(is_one_of(outcome, status::ok, status::empty, status::closed, status::corrupt),
            "a look at the ring: a status that is not documented");
  }

  void check(std::span<const std::byte> shown, std::uint32_t sequence) {
    std::uint32_t units = 1;
    require(lies_in(shown, shape_.data, shape_.data_end), "a record outside the data");
    if constexpr (Kind::framed) {
      require(reinterpret_cast<std::uintptr_t>(shown.data()) % 8 == 0,
              "a record that is not aligned");
      require(shown.size() <= ring_.max_record(), "a record above the limit");
      units = static_cast<std::uint32_t>(record::frame_size(shown.size()) / Kind::unit);
    }
    require(ahead(sequence, next_) <= Kind::sequence_mask / 2, "a record came twice");
    require(ahead(sequence, released_) + units <= shape_.units, "more than the ring can hold");
    end_ = sequence + units;
  }

  void peek() {
    auto record = consumer_->try_peek();
    judge_look(record.status());
    if (!record) return;
    check(record.bytes(), record.sequence());
    if constexpr (!Kind::framed) static_cast<void>(record.value());
    if (bytes_.flag()) return;
    record.release();
    next_ = end_;
  }

  void read() {
    std::array<std::byte, 64> out;
    if constexpr (Kind::framed) {
      const auto room = bytes_.below(65);
      const auto found = consumer_->try_read(std::span{out}.first(room));
      judge(found.outcome);
      require(is_one_of(found.outcome, status::ok, status::empty, status::closed, status::corrupt,
                        status::too_large),
              "try_read(): a status that is not documented");
      require(found.outcome != status::ok || found.size <= room,
              "more bytes than there is room for");
      require(found.outcome != status::too_large || found.size > room, "too_large, yet it fits");
    } else {
      slot_value found{};
      judge_look(consumer_->try_read(found));
    }
  }

  void drain() {
    const auto limit = bytes_.flag() ? no_limit : bytes_.below(8);
    std::uint32_t shown = 0;
    const auto did = consumer_->drain(
        [&](const auto& record) {
          ++shown;
          if constexpr (Kind::framed) {
            check(record.bytes, record.sequence);
            next_ = end_;
          }
        },
        limit);
    if (limit != 0) judge_look(did.outcome);  // else nobody looked
    require(did.records == shown, "drain() miscounted");
    require(shown <= limit && shown <= shape_.units, "drain() showed more than there can be");
  }

  void wait() {
    stop_word stop;
    here.own_word = &stop;
    if (bytes_.byte() > 0xF0) stop.request<fuzz_memory>();
    const auto outcome = consumer_->wait(soon(), &stop);
    here.own_word = nullptr;
    if (!is_one_of(outcome, status::stopped, status::timed_out)) judge(outcome);
    require(is_one_of(outcome, status::ok, status::closed, status::corrupt, status::stopped) ||
                outcome == (Wait::parks ? status::timed_out : status::empty) ||
                (Wait::parks && outcome == status::peer_dead && ring_.process_shared()),
            "wait(): a status that is not documented");
  }

  void redeem() {
    descriptor named{.sequence = (next_ + bytes_.below(8)) & Kind::sequence_mask};
    const auto at = named.sequence & (shape_.units - 1);
    named.offset =
        static_cast<std::uint32_t>(shape_.data) + (Kind::framed ? at * 8 + 8 : at * 24 + 4);
    named.size = Kind::framed ? bytes_.below(64) : static_cast<std::uint32_t>(sizeof(slot_value));
    if (bytes_.byte() > 0xE0) named.sequence = bytes_.nasty(named.sequence);
    if (bytes_.byte() > 0xE0) named.offset = bytes_.nasty(named.offset);
    auto record = consumer_->redeem(named);
    require(is_one_of(record.status(), status::ok, status::stale, status::empty, status::corrupt),
            "redeem(): a status that is not documented");
    require(!corrupt_ || record.status() == status::corrupt, "corrupt did not stay");
    if (!record) return;
    require(record.sequence() == (named.sequence & Kind::sequence_mask) &&
                record.bytes().size() == named.size,
            "redeem() found another record");
    check(record.bytes(), record.sequence());
    next_ = record.sequence();
    if (bytes_.flag()) return;
    record.release();
    next_ = end_;
  }

  input& bytes_;
  ring_shape shape_;
  ring_type ring_;
  std::optional<producer_type> producer_;
  std::optional<consumer_type> consumer_;
  std::uint32_t released_ = 0;  ///< what producers may take to be read, in units; wraps
  std::uint32_t next_ = 0;      ///< no record before it comes any more
  std::uint32_t end_ = 0;       ///< of the record checked last
  std::size_t last_look_ = layout::header_size;
  bool honest_ = false;
  bool taking_ = false;
  bool corrupt_ = false;
};

template <class Kind>
void run_ring(input& bytes) {
  if (bytes.flag()) {
    consumer_run<Kind, short_park>{bytes}.run();
  } else {
    consumer_run<Kind, poll>{bytes}.run();
  }
}

}  // namespace
}  // namespace weir::fuzz

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  using namespace weir::fuzz;
  input bytes{{data, size}};
  switch (bytes.byte() % 6) {
    case 0:
      run_ring<spsc_bytes>(bytes);
      break;
    case 1:
      run_ring<spsc_slots>(bytes);
      break;
    case 2:
      run_ring<mpsc_bytes>(bytes);
      break;
    case 3:
      run_ring<mpsc_slots>(bytes);
      break;
    case 4:
      lanes_run{memory, bytes}.run();
      break;
    default:
      coalesce_run{memory, bytes}.run();
  }
  return 0;
}
