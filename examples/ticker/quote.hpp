// SPDX-License-Identifier: MIT
/// Quotes, and the random walk that makes them up: the same for everybody who knows the seed.
#pragma once

#include <chrono>
#include <cstdint>

namespace ticker {

struct quote {
  std::uint64_t number;
  std::uint64_t sent;  ///< when, in nanoseconds of the steady clock
  std::int64_t price;  ///< in hundredths
  std::uint32_t bid_size;
  std::uint32_t ask_size;
};

[[nodiscard]] inline auto now() -> std::uint64_t {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{since}.count());
}

class walk {
 public:
  explicit walk(std::uint64_t seed) : seed_{seed} {}

  /// The next quote, but for the time.
  [[nodiscard]] auto next() -> quote {
    const auto dice = mix(seed_ + number_);
    price_ += static_cast<std::int64_t>(dice % 5) - 2;
    return {.number = number_++,
            .sent = 0,
            .price = price_,
            .bid_size = static_cast<std::uint32_t>(dice >> 8 & 1023) + 1,
            .ask_size = static_cast<std::uint32_t>(dice >> 18 & 1023) + 1};
  }

  /// The quote of that number. Needs  none of a higher one was asked for.
  [[nodiscard]] auto at(std::uint64_t number) -> quote {
    while (number_ < number) static_cast<void>(next());
    return next();
  }

 private:
  /// splitmix64 (Steele, Lea and Flood 2014): a seed's random number.
  [[nodiscard]] static auto mix(std::uint64_t value) -> std::uint64_t {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
  }

  std::uint64_t seed_;
  std::uint64_t number_ = 0;
  std::int64_t price_ = 100'00;
};

}  // namespace ticker
