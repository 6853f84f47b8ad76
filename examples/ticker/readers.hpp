// SPDX-License-Identifier: MIT
/// Who reads the quotes: one that wants them all, one that is too slow for that, one that wants the newest.
#pragma once

#include "../required.hpp"
#include "quote.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ticker {

using example::require_ok;
using example::required;
using quote_ring = weir::broadcast_ring<weir::bytes>;
using quote_value = weir::latest<quote>;

struct report {
  std::uint64_t received = 0;
  std::uint64_t lost = 0;           ///< as the ring says, or as the numbers of what was read say
  std::uint64_t gaps = 0;           ///< how many times something was lost
  std::vector<std::uint64_t> ages;  ///< of the quotes when they were read, in nanoseconds
};

/// Compares quotes with what the walk says they must be.
class expectation {
 public:
  explicit expectation(std::uint64_t seed) : walk_{seed} {}

  /// Throws  unless it is the quote of that number, which is higher than those before.
  void require(const quote& found, std::uint64_t number) {
    if (number < next_) throw std::runtime_error{"a quote came again"};
    const auto expected = walk_.at(number);
    next_ = number + 1;
    const bool same = found.number == number && found.price == expected.price &&
                      found.bid_size == expected.bid_size && found.ask_size == expected.ask_size;
    if (!same) throw std::runtime_error{"a quote is not what was sent"};
  }

  /// Number of the quote behind the last one.
  [[nodiscard]] auto next() const -> std::uint64_t { return next_; }

 private:
  walk walk_;
  std::uint64_t next_ = 0;
};

/// Reads quotes until the ring is closed, and rests after each.
class ring_reader {
 public:
  /// Begins with the first quote. Needs  nothing is written yet.
  ring_reader(const quote_ring& ring, std::uint64_t seed, std::chrono::microseconds rest)
      : reader_{required(ring.reader<weir::park>(), "a reader of the ring")},
        expected_{seed},
        rest_{rest} {}

  void run() {
    for (;;) {
      quote one{};
      const auto got = reader_.read(std::as_writable_bytes(std::span{&one, 1}));
      if (got.outcome == weir::status::ok) {
        take(one, got);
      } else if (got.outcome == weir::status::lost) {
        ++report_.gaps;
        report_.lost += got.lost;
      } else if (got.outcome == weir::status::empty) {
        static_cast<void>(reader_.wait());  // what for, the next read says
      } else if (got.outcome == weir::status::closed) {
        return;
      } else if (got.outcome != weir::status::torn) {
        require_ok(got.outcome, "the ring");
      }
    }
  }

  [[nodiscard]] auto result() -> report& { return report_; }

 private:
  void take(const quote& one, const weir::broadcast_result& got) {
    if (got.size != sizeof one) throw std::runtime_error{"a quote of another size"};
    expected_.require(one, got.number);
    ++report_.received;
    report_.ages.push_back(now() - one.sent);
    if (rest_.count() != 0) std::this_thread::sleep_for(rest_);
  }

  quote_ring::reader_type<weir::park> reader_;
  expectation expected_;
  std::chrono::microseconds rest_;
  report report_;
};

/// Reads the newest quote once per frame, until there will be no newer one.
class screen {
 public:
  screen(const quote_value& newest, std::uint64_t seed, std::chrono::microseconds frame)
      : reader_{required(newest.reader<weir::park>(), "a reader of the newest quote")},
        expected_{seed},
        frame_{frame} {}

  void run() {
    for (;;) {
      const auto outcome = reader_.wait();
      if (outcome == weir::status::closed) return;
      require_ok(outcome, "the newest quote");
      const auto found = reader_.read();
      if (found.status() == weir::status::torn) continue;
      show(required(found, "the newest quote"));
      std::this_thread::sleep_for(frame_);
    }
  }

  [[nodiscard]] auto result() -> report& { return report_; }

 private:
  /// A quote that was replaced before anybody looked is lost to the screen, and should be.
  void show(const quote& one) {
    const auto skipped = one.number - expected_.next();
    expected_.require(one, one.number);
    report_.lost += skipped;
    report_.gaps += skipped != 0 ? 1 : 0;
    ++report_.received;
    report_.ages.push_back(now() - one.sent);
  }

  quote_value::reader_type<weir::park> reader_;
  expectation expected_;
  std::chrono::microseconds frame_;
  report report_;
};

}  // namespace ticker
