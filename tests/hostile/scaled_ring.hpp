// SPDX-License-Identifier: MIT
/// Rings so small that every state can be tried, with control words set by hand, and what one process of
/// trying them all counts.
#pragma once

#include "support/guarded_span.hpp"
#include "support/scale.hpp"

#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/record.hpp>

#include <array>
#include <cstdint>
#include <cstring>

namespace weir::test {

/// Where 31 and 32 bits end, and where nothing does: the position of a lap's first byte.
inline constexpr std::array<std::uint32_t, 3> scaled_laps{0, 0x8000'0000, 0U - 0x100};

/// Every word in a plain build, one in a few where a sanitizer makes each attempt slower.
inline constexpr std::uint32_t scaled_step = WEIR_TEST_SLOWDOWN == 1 ? 1 : WEIR_TEST_SLOWDOWN + 1;

/// Calls `attempt` with every word of 16 bits, with each bit of the other half alone, and with all of them.
template <class Attempt>
void for_each_word(Attempt&& attempt) {
  for (std::uint32_t low = 0; low < 0x1'0000; low += scaled_step) attempt(low);
  for (std::uint32_t bit = 16; bit < 32; ++bit) {
    for (std::uint32_t low = 0; low < 0x1'0000; low += bit < 28 ? 31 : scaled_step)
      attempt(low | 1U << bit);
  }
  for (std::uint32_t low = 0; low < 0x1'0000; low += scaled_step) attempt(low | 0xFFFF'0000);
}

/// A byte ring for one producer: the header's constants and the span they stand for.
struct scaled_spsc {
  explicit scaled_spsc(std::uint32_t bytes)
      : capacity{bytes}, memory{layout::spsc::data + std::uint64_t{bytes}} {}

  [[nodiscard]] auto fields() const noexcept -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::spsc_bytes),
            .total_size = layout::spsc::data + capacity,
            .capacity = capacity,
            .data_offset = layout::spsc::data,
            .alignment = record::alignment,
            .max_record = record::max_payload(capacity)};
  }
  [[nodiscard]] auto word(std::uint32_t offset) const noexcept -> std::uint32_t& {
    return *memory.word(offset);
  }
  [[nodiscard]] auto data(std::uint32_t offset) const noexcept -> std::uint32_t& {
    return word(layout::spsc::data + offset);
  }
  void clear() const noexcept {
    std::memset(memory.bytes().data() + layout::spsc::data, 0, capacity);
  }

  std::uint32_t capacity;
  guarded_span memory;
};

/// A byte ring for many producers, with one slot.
struct scaled_mpsc {
  static constexpr std::uint32_t data_offset =
      layout::mpsc::producer_slots + layout::mpsc::slot_size;

  scaled_mpsc(std::uint32_t bytes, std::uint32_t most)
      : capacity{bytes},
        max_record{most},
        memory{data_offset + std::uint64_t{bytes} + record::frame_size(most)} {}

  [[nodiscard]] auto fields() const noexcept -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::mpsc_bytes),
            .total_size = static_cast<std::uint32_t>(memory.bytes().size()),
            .capacity = capacity,
            .data_offset = data_offset,
            .alignment = record::alignment,
            .max_record = max_record,
            .slots = 1};
  }
  [[nodiscard]] auto wide(std::uint32_t offset) const noexcept -> std::uint64_t& {
    return *reinterpret_cast<std::uint64_t*>(memory.word(offset));
  }
  [[nodiscard]] auto data(std::uint64_t position) const noexcept -> std::uint32_t& {
    return *memory.word(data_offset + static_cast<std::uint32_t>(position % capacity));
  }
  void clear() const noexcept {
    const auto bytes = memory.bytes().subspan(data_offset);
    std::memset(bytes.data(), 0, bytes.size());
  }

  std::uint32_t capacity;
  std::uint32_t max_record;
  guarded_span memory;
};

}  // namespace weir::test
