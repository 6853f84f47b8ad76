// SPDX-License-Identifier: MIT
/// Counters that anybody who maps the memory may read, after the death of their writer too.
///
/// Each side counts privately and stores its counters now and then (every few KiB, on every empty or
/// full, on flush, close and drop) into its own line. All are u32 and wrap: observers take differences.
#pragma once

#include <weir/memory.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir {

/// Statistics policy: keep them (the reference), or compile them away.
struct counted {
  static constexpr bool enabled = true;
};
struct uncounted {
  static constexpr bool enabled = false;
};

template <class Statistics>
concept statistics_policy = requires {
  { Statistics::enabled } -> std::convertible_to<bool>;
};

/// What a producer counts, in the order of its words in the control block.
struct producer_statistics {
  std::uint32_t records = 0;  ///< published
  std::uint32_t bytes = 0;    ///< of ring used: frames and padding (typed rings: slots)
  std::uint32_t drops = 0;    ///< records that drop_newest dropped
  std::uint32_t full = 0;     ///< attempts that found no room
  std::uint32_t waits = 0;    ///< sleeps
  std::uint32_t late_wakes =
      0;  ///< sleeps that ended by time although there was room: should stay 0
  std::uint32_t high_water = 0;  ///< most bytes (slots) in use, as seen when looking for space
};

/// What a consumer counts, likewise.
struct consumer_statistics {
  std::uint32_t records = 0;     ///< read
  std::uint32_t bytes = 0;       ///< of ring walked: frames and padding (typed rings: slots)
  std::uint32_t waits = 0;       ///< sleeps
  std::uint32_t late_wakes = 0;  ///< sleeps that ended by time although records were there
};

struct spsc_statistics {
  producer_statistics producer;
  consumer_statistics consumer;
};

namespace detail {

template <class Counters>
using counter_words = std::array<std::uint32_t, sizeof(Counters) / sizeof(std::uint32_t)>;

/// Thread  the counters' only writer.
template <class Memory, class Counters>
void store_statistics(std::uint32_t* words, const Counters& counters) noexcept {
  for (const auto value : std::bit_cast<counter_words<Counters>>(counters)) {
    // relaxed: statistics
    Memory::store(words++, value, std::memory_order_relaxed);
  }
}

/// Thread  any. Each counter is whole; together they may be of different moments.
template <class Memory, class Counters>
[[nodiscard]] auto load_statistics(const std::uint32_t* words) noexcept -> Counters {
  counter_words<Counters> values{};
  for (auto& value : values) {
    // relaxed: statistics
    value = Memory::load(words++, std::memory_order_relaxed);
  }
  return std::bit_cast<Counters>(values);
}

}  // namespace detail
}  // namespace weir
