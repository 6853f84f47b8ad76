// SPDX-License-Identifier: MIT
/// Slots of a typed ring: a stamp and a value.
///
///   byte  0          4 or 8                                  stride
///         +----------+-----+-----------------------------+---+
///         | stamp    |     | value                       |   |
///         +----------+-----+-----------------------------+---+
///
/// The slot of position p is published by the stamp p + 1. Before that it holds p + 1 - capacity, the
/// stamp of the lap before (format() writes it for the first lap), so no lap has to be cleared, and
/// anything else is damage. A stamp comes back only after 2^32 slots, and every lap overwrites it.
///
/// Source  Vyukov's bounded queue (a sequence per slot); differs in that only producers write stamps.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/header.hpp>
#include <weir/record.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace weir {

/// What a typed ring may hold: bytes mean the same on both sides, and every pattern of them is a value.
/// Specialize for a type with padding, or with members like bool, that may travel all the same: then a
/// hostile peer can make one that is no value. `long double` differs between architectures.
template <class T>
inline constexpr bool may_travel = (std::has_unique_object_representations_v<T> &&
                                    !std::is_same_v<T, bool> && !std::is_pointer_v<T>) ||
                                   std::is_same_v<T, float> || std::is_same_v<T, double>;

namespace detail {

template <class T>
struct slot_shape {
  static_assert(std::is_trivially_copyable_v<T>,
                "weir: a typed ring copies bytes; its type must be trivially copyable");
  static_assert(alignof(T) <= record::alignment,
                "weir: payloads are 8-aligned; a type that needs more cannot travel");
  static_assert(may_travel<T>,
                "weir: this type has padding or several representations of one value; specialize "
                "weir::may_travel<T> to true if that is all right");

  /// The largest power of two that divides the size, within [4, 8]: at least alignof(T), and the same
  /// where a u64 is 4-aligned (i386).
  static constexpr std::uint32_t value_offset = sizeof(T) % 8 == 0 ? 8 : 4;
  static constexpr std::uint32_t stride =
      align_up(value_offset + static_cast<std::uint32_t>(sizeof(T)), value_offset);
};

/// Where a typed ring keeps its slots, in private memory.
template <class T>
struct slot_area {
  using shape = slot_shape<T>;

  std::byte* data = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t mask = 0;  ///< capacity - 1

  [[nodiscard]] auto offset_of(std::uint32_t position) const noexcept -> std::uint32_t {
    return (position & mask) * shape::stride;
  }
  [[nodiscard]] auto stamp_at(std::uint32_t position) const noexcept -> std::uint32_t* {
    return word_at(data, offset_of(position));
  }
  [[nodiscard]] auto value_at(std::uint32_t position) const noexcept -> std::byte* {
    return data + offset_of(position) + shape::value_offset;
  }

  /// Slots between two events of one side.
  [[nodiscard]] auto event_step() const noexcept -> std::uint32_t {
    return larger(1, smaller(event_bytes / shape::stride, release_step()));
  }
  /// Read slots that are let go of together while more follows.
  [[nodiscard]] auto release_step() const noexcept -> std::uint32_t {
    return larger(1, capacity / 8);
  }

  static constexpr std::uint32_t event_bytes = 1024;
};

/// The stamp that publishes the slot of a position.
[[nodiscard]] constexpr auto stamp_of(std::uint32_t position) noexcept -> std::uint32_t {
  return position + 1;
}

}  // namespace detail
}  // namespace weir
