// SPDX-License-Identifier: MIT
/// Content oracle: bytes that say which record they belong to, and where in it they stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace weir::test {

/// The word of record `number` at `index`; neighbors in either direction differ in most bits.
[[nodiscard]] constexpr auto pattern_word(std::uint32_t number, std::uint32_t index) noexcept
    -> std::uint64_t {
  auto mixed = (std::uint64_t{number} << 32 | index) * 0x9E37'79B9'7F4A'7C15;
  mixed ^= mixed >> 29;
  return mixed * 0xBF58'476D'1CE4'E5B9;
}

inline void fill_pattern(std::span<std::byte> bytes, std::uint32_t number) noexcept {
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const auto word = pattern_word(number, static_cast<std::uint32_t>(at));
    const auto left = bytes.size() - at;
    std::memcpy(bytes.data() + at, &word, left < 8 ? left : 8);
  }
}

[[nodiscard]] inline auto has_pattern(std::span<const std::byte> bytes,
                                      std::uint32_t number) noexcept -> bool {
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const auto word = pattern_word(number, static_cast<std::uint32_t>(at));
    const auto left = bytes.size() - at;
    if (std::memcmp(bytes.data() + at, &word, left < 8 ? left : 8) != 0) return false;
  }
  return true;
}

/// The size of record `number`: every record of a run knows it without being told.
[[nodiscard]] constexpr auto pattern_size(std::uint32_t number, std::uint32_t most) noexcept
    -> std::uint32_t {
  const auto mixed = pattern_word(number, 0xFFFF'FFFF) >> 20;
  const auto shift = static_cast<std::uint32_t>(mixed >> 32) % 4;  // small records more often
  return static_cast<std::uint32_t>(mixed % (std::uint64_t{most >> (shift * 2)} + 1));
}

}  // namespace weir::test
