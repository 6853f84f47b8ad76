// SPDX-License-Identifier: MIT
/// Record framing of the byte rings: pure arithmetic, no memory.
///
///   byte  0          4          8                                   size
///         +----------+----------+----------------------------+------+
///         | word     | type     | payload                    | slack|    size is a multiple of 8
///         +----------+----------+----------------------------+------+
///
/// word = size | slack (0 to 7). 0: not committed yet. Bit 31: padding up to the end of the data, to be
/// skipped. The store of `word` is what publishes a record. Keeping the whole size in it, rather than
/// the payload's, leaves one addition between a record and the next.
///
/// Source  Agrona's RecordDescriptor (a word that publishes, a type, 8-byte alignment); differs in the
///         slack, and in zero rather than a negative length for what is not committed.
#pragma once

#include <weir/detail/bits.hpp>

#include <cstdint>

namespace weir {

/// Tag: records of variable length, as in spsc_ring<bytes>.
struct bytes;

/// Record types are the application's own, below `reserved`; above it they are Weir's.
namespace record_type {
inline constexpr std::uint32_t reserved = 0x8000'0000;
/// Payload: u64, little-endian: how many records a drop_newest producer dropped just before this one.
inline constexpr std::uint32_t dropped = reserved + 1;
}  // namespace record_type

/// Names a record out of band, in a message beside the ring. All u32, so that it can travel anywhere.
struct descriptor {
  std::uint32_t offset = 0;    ///< of the payload's first byte, from the span's first byte
  std::uint32_t size = 0;      ///< of the payload, in bytes
  std::uint32_t sequence = 0;  ///< byte rings: start position / 8; typed rings: slot position
};

namespace record {

/// Alignment of records and of their payloads, in bytes.
inline constexpr std::uint32_t alignment = 8;
/// Bytes before the payload: the word and the type.
inline constexpr std::uint32_t header_size = 8;
inline constexpr std::uint32_t type_offset = 4;
inline constexpr std::uint32_t slack_mask = alignment - 1;
inline constexpr std::uint32_t padding_bit = 0x8000'0000;

/// Bytes of ring that a payload takes. 64 bits: no size overflows.
[[nodiscard]] constexpr auto frame_size(std::uint64_t payload) noexcept -> std::uint64_t {
  return (payload + header_size + slack_mask) & ~std::uint64_t{slack_mask};
}

/// Needs  payload <= 2^31 - 16.
[[nodiscard]] constexpr auto commit_word(std::uint32_t payload) noexcept -> std::uint32_t {
  const auto size = static_cast<std::uint32_t>(frame_size(payload));
  return size | (size - header_size - payload);
}

/// Needs  size: multiple of 8, below 2^31.
[[nodiscard]] constexpr auto padding_word(std::uint32_t size) noexcept -> std::uint32_t {
  return size | padding_bit;
}

[[nodiscard]] constexpr auto is_padding(std::uint32_t word) noexcept -> bool {
  return (word & padding_bit) != 0;
}

/// Bytes of ring, padding bit and slack left out.
[[nodiscard]] constexpr auto size_of(std::uint32_t word) noexcept -> std::uint32_t {
  return word & ~(padding_bit | slack_mask);
}

/// Bytes of payload. Wraps to a huge number for 0, for padding and for a slack larger than the record,
/// so that one comparison with the record limit refuses all three.
[[nodiscard]] constexpr auto payload_of(std::uint32_t word) noexcept -> std::uint32_t {
  return (word & ~slack_mask) - header_size - (word & slack_mask);
}

/// The largest payload of a ring of `capacity` bytes. A record that does not fit before the end goes to
/// the start, behind padding: in an empty ring padding, record and the next header must fit, wherever
/// the positions stand. The end is never reached: a header always follows.
[[nodiscard]] constexpr auto max_payload(std::uint32_t capacity) noexcept -> std::uint32_t {
  return capacity / 2 - 2 * header_size;
}

/// The smallest ring, in bytes: one whose largest record is 16 bytes.
inline constexpr std::uint32_t min_capacity = 64;
inline constexpr std::uint32_t max_capacity = 0x8000'0000;

}  // namespace record
}  // namespace weir
