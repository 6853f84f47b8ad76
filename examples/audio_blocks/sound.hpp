// SPDX-License-Identifier: MIT
/// Sound in memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace audio_blocks {

struct sound {
  std::uint32_t rate = 0;  ///< frames per second
  std::uint32_t channels = 0;
  std::vector<float> samples;  ///< frame by frame, the channels of a frame side by side

  [[nodiscard]] auto frames() const -> std::uint64_t { return samples.size() / channels; }
};

/// A sample as it lies in files: little-endian.
[[nodiscard]] inline auto stored(float sample) -> std::array<std::uint8_t, 4> {
  const auto bits = std::bit_cast<std::uint32_t>(sample);
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(bits >> 8 * i);
  }
  return bytes;
}

/// CRC-32 of the stored samples, as gzip and zlib compute it.
[[nodiscard]] inline auto crc32(std::span<const float> samples) -> std::uint32_t {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    auto value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
    table[byte] = value;
  }
  std::uint32_t sum = 0xffffffff;
  for (const auto sample : samples) {
    for (const auto byte : stored(sample)) sum = sum >> 8 ^ table[(sum ^ byte) & 255];
  }
  return ~sum;
}

[[nodiscard]] inline auto peak(std::span<const float> samples) -> float {
  float highest = 0;
  for (const auto sample : samples) highest = std::max(highest, std::abs(sample));
  return highest;
}

}  // namespace audio_blocks
