// SPDX-License-Identifier: MIT
// Proved of the inputs run: whatever peers write into a version_table, a latest or a broadcast_ring, readers and
// writers end every call with a status that is documented for it, within a bound, inside the span. Among honest
// peers a reader finds every change and nothing else, values and records are those that were written, in order,
// and what was lost is counted.
// Not provable here: other inputs; orders of memory (one thread).
#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/value_readers.hpp"

#include <weir/status.hpp>
#include <weir/version_table.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weir::fuzz {
namespace {

arena memory;

class table_run {
  using type = version_table<fuzz_memory>;
  using reader_type = type::reader_type<short_park>;
  static constexpr std::size_t value_size = 12;

 public:
  table_run(input& bytes, bool hostile)
      : bytes_{bytes}, hostile_{hostile}, table_{format()}, truth_(table_.slots()) {
    std::ranges::fill(truth_, table_.version(0));
    reported_.assign(table_.slots(), 1);
    seen_.resize(type::seen_words(table_.slots()));
    bounded("reader()", bound(), [&] {
      auto made = table_.reader<short_park>(seen_);
      if (made) reader_.emplace(std::move(made).value());
    });
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0)
        memory.scribble(layout::header_size, here.shared.size());
      if ((what & 1) == 0) {
        bounded("a publisher's call", bound(), [&] { write(what >> 1 & 7); });
      } else if (reader_) {
        bounded("a reader's call", most_looks * bound(), [&] { look(what >> 1 & 7); });
      }
    }
  }

 private:
  [[nodiscard]] auto format() -> type {
    const auto flags = bytes_.byte();
    const version_table_options options{
        .slots = flags != 0xFF ? 1 + bytes_.below(300) : 4090 + bytes_.below(32),
        .padded = flags < 8,
        .wake = (flags & 3) == 2 ? wake_protocol::none : wake_protocol::fenced,
        .process_shared = (flags & 4) != 0,
        .start_version = bytes_.start_position(2),
        .start_counter = bytes_.start_position(2)};
    const auto size = type::bytes_required(options);
    value_at_ = static_cast<std::size_t>((size + 3) / 4 * 4);
    const auto shared = memory.begin(bytes_, value_at_ + 16);
    return type::format(shared.first(static_cast<std::size_t>(size)), options).value();
  }
  [[nodiscard]] auto bound() const -> std::uint64_t { return 512 + 4 * truth_.size(); }

  void write(std::uint32_t what) {
    const auto number = bytes_.below(table_.slots());
    auto slot = table_.slot(number).value();
    auto& truth = truth_[number];
    switch (what) {
      case 0:
      case 1:
        if (truth % 2 != 0) return;  // somebody is between begin() and end()
        truth += 2;
        return same(slot.publish(), truth);
      case 2:
        slot.begin();
        truth += truth % 2 == 0 ? 1 : 2;
        return;
      case 3:
        if (truth % 2 == 0) return;
        return same(slot.end(), ++truth);
      case 4:
        return slot.touch();
      case 5:
        return read(slot, truth);
      case 6: {
        stop_word stop;
        here.own_word = &stop;
        table_.request_stop(stop);
        here.own_word = nullptr;
        return;
      }
      default:
        return same(slot.version(), truth);
    }
  }
  void same(std::uint32_t shown, std::uint32_t truth) const {
    require(hostile_ || shown == truth, "another version than was published");
  }

  void read(const version_slot<fuzz_memory>& slot, std::uint32_t truth) {
    std::array<std::byte, value_size> out;
    const auto* const from = reinterpret_cast<const std::uint32_t*>(here.shared.data() + value_at_);
    auto done = slot.read(out, from, bytes_.below(8));
    require(done || done.status() == status::torn, "read(): a status that is not documented");
    if (done) require(*done % 2 == 0 && (hostile_ || *done == truth), "read(): another version");
  }

  void look(std::uint32_t what) {
    switch (what) {
      case 0:
        std::ranges::fill(reported_, 1);
        return reader_->forget();
      case 1:
        std::ranges::copy(truth_, reported_.begin());
        return reader_->mark_all_seen();
      case 2:
        return wait_any();
      case 3:
        return wait_for_slots();
      default:
        return changed();
    }
  }

  void changed() {
    std::uint32_t found = 0;
    const auto count = reader_->changed([&](std::uint32_t slot, std::uint32_t version) {
      require(slot < truth_.size() && version % 2 == 0, "a version that is none");
      ++found;
      if (hostile_) return;
      require(version == truth_[slot] && version != reported_[slot], "not a change");
      reported_[slot] = version;
    });
    require(found == count && count <= truth_.size(), "changed() miscounted");
    for (std::size_t slot = 0; slot < truth_.size() && !hostile_; ++slot) {
      require(truth_[slot] % 2 != 0 || truth_[slot] == reported_[slot], "a change was overlooked");
    }
  }

  void wait_any() {
    const bool news = reader_->has_news();
    const auto outcome = reader_->wait_any(soon());
    require(is_one_of(outcome, status::ok, status::timed_out), "wait_any(): not documented");
    require(hostile_ || (outcome == status::ok) == news, "wait_any() does not say what there is");
  }

  void wait_for_slots() {
    const auto slot = bytes_.below(table_.slots() + 1);
    const auto seen = slot < truth_.size() ? truth_[slot] - 2 * (bytes_.byte() & 1) : 0;
    const auto one = reader_->wait(slot, seen, soon());
    require(slot < truth_.size() ? is_one_of(one, status::ok, status::timed_out)
                                 : one == status::bad_layout,
            "wait(): not documented");
    const bool there = slot < truth_.size() && truth_[slot] % 2 == 0 && truth_[slot] != seen;
    require(hostile_ || (one == status::ok) == there, "wait() does not say what there is");
    const auto all = reader_->wait_all(truth_[0], soon());
    require(is_one_of(all, status::ok, status::timed_out), "wait_all(): not documented");
  }

  input& bytes_;
  bool hostile_;
  std::size_t value_at_ = 0;
  type table_;
  std::vector<std::uint32_t> truth_;
  std::vector<std::uint32_t> reported_;  ///< by changed(); odd: nothing
  std::vector<std::uint32_t> seen_;
  std::optional<reader_type> reader_;
};

}  // namespace
}  // namespace weir::fuzz

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  using namespace weir::fuzz;
  input bytes{{data, size}};
  const auto how = bytes.byte();
  const bool hostile = (how & 0x80) != 0;
  switch (how % 4) {
    case 0:
    case 1:
      table_run{bytes, hostile}.run();
      break;
    case 2:
      latest_run{memory, bytes, hostile}.run();
      break;
    default:
      broadcast_run{memory, bytes, hostile}.run();
  }
  return 0;
}
