// SPDX-License-Identifier: MIT
/// Slots of a typed ring for many producers: where they lie. What their stamps say: mpsc_record.hpp.
///
/// No lap has to be cleared: a slot is free while it holds a stamp of the lap before. A stamp comes back
/// only after 2^31 slots, and every lap overwrites it.
#pragma once

#include <weir/detail/mpsc_record.hpp>
#include <weir/detail/spsc_slots.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Where a typed ring keeps its slots, in private memory.
template <class T>
struct mpsc_slot_area {
  using shape = slot_shape<T>;

  std::byte* data = nullptr;
  std::uint32_t capacity = 0;

  [[nodiscard]] auto offset_of(std::uint64_t position) const noexcept -> std::uint32_t {
    return (static_cast<std::uint32_t>(position) & (capacity - 1)) * shape::stride;
  }
  [[nodiscard]] auto stamp_at(std::uint64_t position) const noexcept -> std::uint32_t* {
    return reinterpret_cast<std::uint32_t*>(data + offset_of(position));
  }
  [[nodiscard]] auto value_at(std::uint64_t position) const noexcept -> std::byte* {
    return data + offset_of(position) + shape::value_offset;
  }
  /// True for what the lap before left in the slot of `position`, published or discarded.
  [[nodiscard]] auto is_free(std::uint32_t stamp, std::uint64_t position) const noexcept -> bool {
    return (stamp & ~discard_bit) == mpsc_stamp_of(position) - 2 * capacity;
  }

  /// Slots between two events of the consumer.
  [[nodiscard]] auto event_step() const noexcept -> std::uint32_t {
    return larger(1, smaller(slot_area<T>::event_bytes / shape::stride, release_step()));
  }
  /// Read slots that are let go of together while more follows.
  [[nodiscard]] auto release_step() const noexcept -> std::uint32_t {
    return larger(1, capacity / 8);
  }
};

/// The largest capacity in slots: a claim of all of them fits an intent.
inline constexpr std::uint32_t max_mpsc_slots = 1U << 27;

}  // namespace weir::detail
