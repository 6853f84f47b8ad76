// SPDX-License-Identifier: MIT
// Random operations on a typed ring and on a queue of numbers, which must agree step by step.
#include "support/both_sides.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <vector>

using weir::status;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t steps = weir::test::scaled(1'000'000) / 3;

/// Its stride is not its size.
using value_type = std::array<std::uint32_t, 5>;

auto value_of(std::uint32_t number) -> value_type {
  return {number, ~number, number * 3, number ^ 0x5555'5555, 7};
}

class typed_run {
 public:
  typed_run(std::uint32_t capacity, std::uint32_t start, std::uint64_t seed)
      : ring_{{.capacity = capacity, .start_position = start}},
        capacity_{capacity},
        random_{seed} {}

  /// Returns  steps in which ring and model disagreed.
  auto run() -> std::uint32_t {
    std::uint32_t wrong = 0;
    for (std::uint32_t step = 0; step < steps; ++step) wrong += agrees() ? 0U : 1U;
    return wrong + (ring_.intact() ? 0U : 1U);
  }

 private:
  auto agrees() -> bool {
    switch (random_.below(10)) {
      case 0:
      case 1:
        return write();
      case 2:
        return claim(false);
      case 3:
        return claim(true);
      case 4:
        return batch();
      case 5:
        return peek();
      case 6:
      case 7:
        return read();
      case 8:
        return drain();
      default:
        return flush();
    }
  }

  /// Slots in use if the consumer has let go of everything, or only of what it surely has.
  [[nodiscard]] auto least_used() const -> std::uint32_t { return next_ - read_; }
  [[nodiscard]] auto most_used() const -> std::uint32_t { return next_ - released_; }

  auto is_right(status outcome) -> bool {
    if (outcome == status::ok) return least_used() < capacity_;
    published_ = next_;  // a full ring shows what was withheld
    return outcome == status::full && most_used() >= capacity_;
  }

  auto write() -> bool {
    const auto outcome = ring_.producer.try_write(value_of(next_));
    const bool right = is_right(outcome);
    if (outcome == status::ok) published_ = ++next_;
    return right;
  }

  auto claim(bool later) -> bool {
    auto claim = ring_.producer.try_claim();
    if (!is_right(claim.status())) return false;
    if (!claim || random_.once_in(4)) return true;
    const auto done = later ? claim.commit_later(value_of(next_)) : claim.commit(value_of(next_));
    ++next_;
    if (!later) published_ = next_;
    return done.outcome == status::ok;
  }

  auto batch() -> bool {
    std::vector<value_type> values;
    for (auto count = random_.below(12); count != 0; --count) {
      values.push_back(value_of(next_ + static_cast<std::uint32_t>(values.size())));
    }
    const auto most = capacity_ - least_used();
    const auto least = most_used() < capacity_ ? capacity_ - most_used() : 0;
    const auto written = ring_.producer.try_write_batch(values);
    next_ += static_cast<std::uint32_t>(written);
    if (written != 0 || !values.empty()) published_ = next_;
    return written <= most && (written == values.size() || written >= least);
  }

  [[nodiscard]] auto is_next(const value_type& value) const -> bool {
    return read_ != published_ && value == value_of(read_);
  }

  auto nothing_there(status outcome) -> bool {
    released_ = read_;
    return outcome == status::empty && read_ == published_;
  }

  auto peek() -> bool {
    auto peeked = ring_.consumer.try_peek();
    if (!peeked) return nothing_there(peeked.status());
    const bool right = is_next(peeked.value());
    if (random_.once_in(2)) {
      peeked.release();
      ++read_;
    }
    return right;
  }

  auto read() -> bool {
    value_type value{};
    const auto outcome = ring_.consumer.try_read(value);
    if (outcome != status::ok) return nothing_there(outcome);
    const bool right = is_next(value);
    ++read_;
    return right;
  }

  auto drain() -> bool {
    const auto limit = random_.once_in(2) ? weir::no_limit : random_.below(8);
    bool right = true;
    std::uint32_t shown = 0;
    const auto done = ring_.consumer.drain(
        [&](const value_type& value) {
          right = right && is_next(value);
          ++read_;
          ++shown;
        },
        limit);
    right = right && done.records == shown && shown <= limit;
    if (done.outcome != status::ok) return right && nothing_there(done.outcome);
    released_ = read_;
    return right;
  }

  auto flush() -> bool {
    if (random_.once_in(2)) {
      ring_.producer.flush();
      published_ = next_;
    } else {
      ring_.consumer.flush();
      released_ = read_;
    }
    return true;
  }

  weir::test::both_sides<value_type> ring_;
  std::uint32_t capacity_;
  seeded_random random_;
  // Values are numbered; these are the numbers of the next one to be ...
  std::uint32_t next_ = 0;       // written
  std::uint32_t published_ = 0;  // published
  std::uint32_t read_ = 0;       // read
  std::uint32_t released_ = 0;   // let go of, at least
};

}  // namespace

TEST_CASE("a_typed_ring_does_what_a_queue_does") {
  const auto seed = weir::test::fresh_seed("typed model");
  std::uint64_t which = 0;
  for (const std::uint32_t capacity : {2U, 16U, 256U}) {
    for (const auto start : {0U, 0x8000'0000U - 100'000, 0U - 100'000}) {
      CAPTURE(capacity, start);
      CHECK(typed_run{capacity, start, seed + which++}.run() == 0);
    }
  }
}
