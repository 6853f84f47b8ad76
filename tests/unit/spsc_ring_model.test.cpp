// SPDX-License-Identifier: MIT
// Random operations on a ring and on a std::deque, which must agree step by step. What fits is computed
// here a second time, from the framing alone.
#include "support/both_sides.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <deque>

namespace record = weir::record;
using weir::status;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t steps = weir::test::scaled(1'000'000) / 3;

struct entry {
  std::uint32_t number;
  std::uint32_t size;
  std::uint32_t start = 0;  ///< position
};

/// What a byte ring holds, and where.
class byte_model {
 public:
  byte_model(std::uint32_t capacity, std::uint32_t start)
      : capacity_{capacity}, write_{start}, read_{start}, released_{start} {}

  /// True if a record of `size` bytes fits where everything before `read` may be overwritten.
  [[nodiscard]] auto fits(std::uint32_t size, std::uint32_t read) const -> bool {
    return write_ + needed(size) - read <= capacity_ - record::header_size;
  }
  [[nodiscard]] auto certainly_fits(std::uint32_t size) const -> bool {
    return fits(size, released_);
  }
  /// The consumer may have gone over padding in front of the next record.
  [[nodiscard]] auto possibly_fits(std::uint32_t size) const -> bool {
    return fits(size, !seen_.empty()     ? seen_.front().start
                      : !hidden_.empty() ? hidden_.front().start
                                         : write_);
  }

  /// A claim goes behind its padding even if it is not committed.
  void claim(std::uint32_t size) { write_ += needed(size) - frame(size); }
  void commit(const entry& one, bool later) {
    hidden_.push_back({one.number, one.size, write_});
    write_ += frame(one.size);
    if (!later) flush();
  }
  void flush() {
    seen_.insert(seen_.end(), hidden_.begin(), hidden_.end());
    hidden_.clear();
  }

  [[nodiscard]] auto oldest() const -> const entry* {
    return seen_.empty() ? nullptr : &seen_.front();
  }
  void pop() {
    read_ = seen_.front().start + frame(seen_.front().size);
    seen_.pop_front();
  }
  /// The consumer has let go of all that it has read.
  void release() { released_ = read_; }

 private:
  [[nodiscard]] static auto frame(std::uint32_t size) -> std::uint32_t {
    return static_cast<std::uint32_t>(record::frame_size(size));
  }
  /// Bytes that the record takes, padding before it included.
  [[nodiscard]] auto needed(std::uint32_t size) const -> std::uint32_t {
    const auto offset = write_ & (capacity_ - 1);
    const auto before_end = offset + frame(size) + record::header_size <= capacity_;
    return frame(size) + (before_end ? 0 : capacity_ - offset);
  }

  std::uint32_t capacity_;
  std::uint32_t write_;
  std::uint32_t read_;
  std::uint32_t released_;
  std::deque<entry> seen_;
  std::deque<entry> hidden_;
};

class byte_run {
 public:
  byte_run(std::uint32_t capacity, std::uint32_t start, std::uint64_t seed)
      : ring_{{.capacity = capacity, .start_position = start}},
        model_{capacity, start},
        random_{seed} {}

  /// Returns  steps in which ring and model disagreed.
  auto run() -> std::uint32_t {
    std::uint32_t wrong = 0;
    for (std::uint32_t step = 0; step < steps; ++step) wrong += agrees() ? 0U : 1U;
    return wrong + (ring_.intact() ? 0U : 1U);
  }

 private:
  auto agrees() -> bool {
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
        return write(false);
      case 3:
      case 4:
        return write(true);
      case 5:
        return abandon();
      case 6:
      case 7:
        return peek();
      case 8:
        return read();
      case 9:
        return drain();
      case 10:
        ring_.producer.flush();
        model_.flush();
        return true;
      default:
        ring_.consumer.flush();
        model_.release();
        return true;
    }
  }

  auto size() -> std::uint32_t {
    const auto most = ring_.producer.max_record();
    return random_.once_in(10) ? most - random_.below(3)
                               : random_.below(most / (1 + random_.below(8)));
  }

  /// What a refused or granted claim must be.
  auto is_right(status outcome, std::uint32_t size) -> bool {
    if (outcome == status::full) model_.flush();  // a full ring shows what was withheld
    const bool right = outcome == status::ok
                           ? model_.possibly_fits(size)
                           : outcome == status::full && !model_.certainly_fits(size);
    if (outcome == status::ok) model_.claim(size);
    return right;
  }

  auto write(bool later) -> bool {
    const entry one{next_, size()};
    auto claim = ring_.producer.try_claim(one.size);
    if (!is_right(claim.status(), one.size)) return false;
    if (!claim) return true;
    ++next_;
    weir::test::fill_pattern(claim.bytes(), one.number);
    const auto done = later ? claim.commit_later(one.number) : claim.commit(one.number);
    model_.commit(one, later);
    return done.outcome == status::ok && done.record.size == one.size;
  }

  auto abandon() -> bool {
    const auto wanted = size();
    const auto claim = ring_.producer.try_claim(wanted);
    weir::test::fill_pattern(claim.bytes(), 0xAAAA);
    return is_right(claim.status(), wanted);
  }

  template <class View>
  auto is_oldest(const View& type, std::span<const std::byte> bytes) -> bool {
    const auto* const oldest = model_.oldest();
    return oldest != nullptr && type == oldest->number && bytes.size() == oldest->size &&
           weir::test::has_pattern(bytes, type);
  }

  auto peek() -> bool {
    auto peeked = ring_.consumer.try_peek();
    if (!peeked) {
      const bool right = peeked.status() == status::empty && model_.oldest() == nullptr;
      model_.release();
      return right;
    }
    const bool right = is_oldest(peeked.type(), peeked.bytes());
    if (random_.once_in(3)) return right;
    peeked.release();
    model_.pop();
    return right;
  }

  auto read() -> bool {
    std::array<std::byte, 2048> out;
    const auto limit = random_.once_in(4) ? random_.below(64) : 2048;
    const auto done = ring_.consumer.try_read(std::span{out}.first(limit));
    if (done.outcome == status::empty) {
      const bool right = model_.oldest() == nullptr;
      model_.release();
      return right;
    }
    if (done.outcome == status::too_large) {
      return model_.oldest() != nullptr && done.size == model_.oldest()->size && done.size > limit;
    }
    const bool right = done.outcome == status::ok && done.size <= limit &&
                       is_oldest(done.type, std::span{out}.first(done.size));
    model_.pop();
    return right;
  }

  auto drain() -> bool {
    const auto limit = random_.once_in(2) ? weir::no_limit : random_.below(8);
    bool right = true;
    std::uint32_t shown = 0;
    const auto done = ring_.consumer.drain(
        [&](const weir::record_view& view) {
          right = right && is_oldest(view.type, view.bytes);
          if (model_.oldest() != nullptr) model_.pop();
          ++shown;
        },
        limit);
    right = right && done.records == shown && shown <= limit;
    if (done.outcome == status::empty) {
      right = right && model_.oldest() == nullptr;
      model_.release();
    } else {
      right = right && done.outcome == status::ok;
      model_.release();
    }
    return right;
  }

  weir::test::byte_sides ring_;
  byte_model model_;
  seeded_random random_;
  std::uint32_t next_ = 0;
};

}  // namespace

TEST_CASE("a_byte_ring_does_what_a_deque_does") {
  const auto seed = weir::test::fresh_seed("byte model");
  std::uint64_t which = 0;
  for (const std::uint32_t capacity : {64U, 512U, 4096U}) {
    for (const auto start : {0U, 0x8000'0000U - 8 * 1024, 0U - 8 * 1024}) {
      CAPTURE(capacity, start);
      CHECK(byte_run{capacity, start, seed + which++}.run() == 0);
    }
  }
}
