// SPDX-License-Identifier: MIT
/// The bytes of one input, read as decisions: the same for a fuzzer and for a replay.
#pragma once

#include <weir/layout.hpp>
#include <weir/record.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::fuzz {

class input {
 public:
  explicit input(std::span<const std::uint8_t> bytes) noexcept : bytes_{bytes} {}

  /// False once all is read; then every decision is 0, which is the harmless one.
  [[nodiscard]] auto more() const noexcept -> bool { return !bytes_.empty(); }

  auto byte() noexcept -> std::uint32_t {
    if (bytes_.empty()) return 0;
    const std::uint32_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  auto word() noexcept -> std::uint32_t {
    std::uint32_t value = 0;
    for (std::uint32_t shift = 0; shift < 32; shift += 8) value |= byte() << shift;
    return value;
  }
  /// Needs  0 < limit.
  auto below(std::uint32_t limit) noexcept -> std::uint32_t {
    return limit <= 0x100 ? byte() % limit : (byte() | byte() << 8) % limit;
  }
  auto flag() noexcept -> bool { return (byte() & 1) != 0; }

  /// A position near where it wraps, or anywhere; a multiple of `step`, a power of two.
  auto start_position(std::uint32_t step) noexcept -> std::uint32_t {
    constexpr std::uint32_t starts[] = {0, 0x7FFF'FF80, 0xFFFF'FF80};
    const auto which = byte() & 3;
    return (which < 3 ? starts[which] : word()) & ~(step - 1);
  }
  auto wake() noexcept -> wake_protocol { return static_cast<wake_protocol>(byte() & 3); }

  /// What an attacker would put in the place of `real`.
  auto nasty(std::uint32_t real) noexcept -> std::uint32_t {
    const auto kind = byte();
    switch (kind & 15) {
      case 0:
        return real;
      case 1:
        return word();
      case 2:
        return byte();
      case 3:
        return real + byte();
      case 4:
        return real - byte();
      case 5:
        return real + 8 * byte();
      case 6:
        return real - 8 * byte();
      case 7:
        return real ^ 1U << (byte() & 31);
      case 8:
        return (1U << (kind >> 4 << 1)) - (byte() & 15);
      case 9:
        return record::commit_word(byte());
      case 10:
        return record::commit_word(byte() * 64);
      case 11:
        return record::padding_word(8 * byte());
      case 12:
        return 0xC000'0000 | (kind >> 4) << 10 | byte();  // busy, as in mpsc_ring
      case 13:
        return ~byte();
      case 14:
        return byte() << 24;
      default:
        return 0;
    }
  }
  auto nasty(std::uint64_t real) noexcept -> std::uint64_t {
    const auto low = nasty(static_cast<std::uint32_t>(real));
    auto high = static_cast<std::uint32_t>(real >> 32);
    if ((byte() & 3) == 3) high = nasty(high);
    return std::uint64_t{high} << 32 | low;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace weir::fuzz
