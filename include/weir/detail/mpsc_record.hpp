// SPDX-License-Identifier: MIT
/// What stands in the headers, stamps and intents of mpsc_ring: pure arithmetic, no memory.
///
/// Byte rings. The header is record.hpp's, and its word one of
///
///   0                          not committed; in claimed and in free space alike
///   size | slack               a record
///   1 0 | size                 discarded: skip it (an aborted claim, the end that a claim gave up)
///   1 1 | slot | epoch         claimed by the producer in that slot; recoverable rings only
///
/// Typed rings. The slot of position p is published by the stamp 2 (p + 1), discarded by that plus 1.
/// Before it holds what the lap before left there: one of the two, less 2 capacity.
///
/// An intent says what a producer claims or is about to claim: position (35 bits), won (1 bit) and length
/// (28 bits), in units of 8 bytes or of slots. 0: nothing, because a length is never 0. Won: the claim was
/// made; it stands before a batch of slots is stamped, where no busy word can say so.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>

#include <cstdint>

namespace weir::detail {

/// The claim position's highest bit: the ring is closed.
inline constexpr std::uint64_t claim_closed = std::uint64_t{1} << 63;

inline constexpr std::uint32_t busy_bits = 0xC000'0000;
/// Producer slots that a busy word can name.
inline constexpr std::uint32_t max_producer_slots = 1024;
/// Frames stay below it, so that no record looks busy.
inline constexpr std::uint32_t max_mpsc_frame = 1U << 30;

[[nodiscard]] constexpr auto busy_word(std::uint32_t slot, std::uint32_t epoch) noexcept
    -> std::uint32_t {
  return busy_bits | slot << epoch_bits | epoch;
}
[[nodiscard]] constexpr auto is_busy(std::uint32_t word) noexcept -> bool {
  return (word & busy_bits) == busy_bits;
}
[[nodiscard]] constexpr auto busy_slot(std::uint32_t word) noexcept -> std::uint32_t {
  return (word & ~busy_bits) >> epoch_bits;
}
[[nodiscard]] constexpr auto busy_epoch(std::uint32_t word) noexcept -> std::uint32_t {
  return word & epoch_mask;
}
/// Needs  size: multiple of 8, below max_mpsc_frame.
[[nodiscard]] constexpr auto discard_word(std::uint32_t size) noexcept -> std::uint32_t {
  return record::padding_word(size);
}
[[nodiscard]] constexpr auto is_discard(std::uint32_t word) noexcept -> bool {
  return (word & busy_bits) == record::padding_bit;
}

/// The stamp that publishes the slot of a position; with discard_bit it says that nothing is there.
[[nodiscard]] constexpr auto mpsc_stamp_of(std::uint64_t position) noexcept -> std::uint32_t {
  return static_cast<std::uint32_t>(position + 1) << 1;
}
inline constexpr std::uint32_t discard_bit = 1;

/// A claim that a producer makes or holds.
struct claim_intent {
  static constexpr std::uint32_t length_bits = 29;
  static constexpr std::uint64_t position_mask = (std::uint64_t{1} << (64 - length_bits)) - 1;
  static constexpr std::uint64_t won_bit = std::uint64_t{1} << (length_bits - 1);
  static constexpr std::uint64_t length_mask = won_bit - 1;

  std::uint64_t word = 0;

  /// Needs  1 <= length < 2^28.
  [[nodiscard]] static constexpr auto of(std::uint64_t position, std::uint32_t length) noexcept
      -> claim_intent {
    return {position << length_bits | length};
  }
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return word != 0; }
  [[nodiscard]] constexpr auto as_won() const noexcept -> claim_intent { return {word | won_bit}; }
  [[nodiscard]] constexpr auto is_won() const noexcept -> bool { return (word & won_bit) != 0; }
  [[nodiscard]] constexpr auto length() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(word & length_mask);
  }
  /// Units from `position` on to the intent's; huge if the intent lies behind it.
  [[nodiscard]] constexpr auto ahead_of(std::uint64_t position) const noexcept -> std::uint64_t {
    return ((word >> length_bits) - position) & position_mask;
  }
  /// True if the claim ends at or before `position`. Needs  it was made fewer than 2^34 units before.
  [[nodiscard]] constexpr auto ends_before(std::uint64_t position) const noexcept -> bool {
    return ((position - (word >> length_bits) - length()) & position_mask) <= position_mask / 2;
  }
};

/// Where a byte ring for many producers keeps its records, in private memory.
struct mpsc_byte_area {
  std::byte* data = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t max_record = 0;

  [[nodiscard]] auto max_frame() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(record::frame_size(max_record));
  }
  [[nodiscard]] auto offset_of(std::uint64_t position) const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(position) & (capacity - 1);
  }
  [[nodiscard]] auto header_at(std::uint64_t position) const noexcept -> std::uint32_t* {
    return reinterpret_cast<std::uint32_t*>(data + offset_of(position));
  }
  [[nodiscard]] auto type_at(std::uint64_t position) const noexcept -> std::uint32_t* {
    return header_at(position) + 1;
  }
  [[nodiscard]] auto payload_at(std::uint64_t position) const noexcept -> std::byte* {
    return data + offset_of(position) + record::header_size;
  }
};

}  // namespace weir::detail
