// SPDX-License-Identifier: MIT
/// Arithmetic on sizes and on positions that wrap.
///
/// Positions are u32 and wrap mod 2^32, so they are never compared with < or >: only their unsigned
/// difference means something, and only while it stays below 2^31 or is checked against a capacity.
#pragma once

#include <cstdint>

namespace weir::detail {

[[nodiscard]] constexpr auto is_power_of_two(std::uint32_t value) noexcept -> bool {
  return value != 0 && (value & (value - 1)) == 0;
}

/// The next multiple of `alignment` (a power of two) at or above `value`; wraps like any u32.
[[nodiscard]] constexpr auto align_up(std::uint32_t value, std::uint32_t alignment) noexcept
    -> std::uint32_t {
  return (value + alignment - 1) & ~(alignment - 1);
}

/// True if `position` lies in the closed range [first, first + length] mod 2^32.
[[nodiscard]] constexpr auto within(std::uint32_t position, std::uint32_t first,
                                    std::uint32_t length) noexcept -> bool {
  return position - first <= length;
}

[[nodiscard]] constexpr auto smaller(std::uint32_t a, std::uint32_t b) noexcept -> std::uint32_t {
  return a < b ? a : b;
}

[[nodiscard]] constexpr auto larger(std::uint32_t a, std::uint32_t b) noexcept -> std::uint32_t {
  return a < b ? b : a;
}

}  // namespace weir::detail
