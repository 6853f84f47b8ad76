// SPDX-License-Identifier: MIT
/// Walking the headers of a byte ring: the one place that judges a commit word.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/header.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Bytes between two events of one side, at most. Measured: 512 to 1024 is best (bench/README.md).
inline constexpr std::uint32_t event_bytes = 1024;

/// Where a byte ring keeps its records, in private memory.
struct byte_area {
  std::byte* data = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t max_record = 0;

  /// No record ends beyond this offset: a header always follows.
  [[nodiscard]] auto last_end() const noexcept -> std::uint32_t {
    return capacity - record::header_size;
  }
  /// Bytes between two events: never more than a record may have, nor than is released at once.
  [[nodiscard]] auto event_step() const noexcept -> std::uint32_t {
    return smaller(event_bytes, release_step());
  }
  /// Read bytes that are let go of together while more follows. Measured: capacity / 8 to / 32 are
  /// alike, every record is slower by up to 2.3x (bench/README.md).
  [[nodiscard]] auto release_step() const noexcept -> std::uint32_t { return capacity / 8; }
  [[nodiscard]] auto offset_of(std::uint32_t position) const noexcept -> std::uint32_t {
    return position & (capacity - 1);
  }
  [[nodiscard]] auto header_at(std::uint32_t offset) const noexcept -> std::uint32_t* {
    return word_at(data, offset);
  }
  [[nodiscard]] auto type_at(std::uint32_t offset) const noexcept -> std::uint32_t* {
    return word_at(data, offset + record::type_offset);
  }
  [[nodiscard]] auto payload_at(std::uint32_t offset) const noexcept -> std::byte* {
    return data + offset + record::header_size;
  }

  /// Judges a word found at `offset`: ok (a record or padding that lies in the ring), empty, corrupt.
  /// Padding runs exactly to the end, and never begins at the start, so it cannot come twice in a row.
  [[nodiscard]] auto judge(std::uint32_t word, std::uint32_t offset) const noexcept -> status {
    if (word == 0) return status::empty;
    const auto size = record::size_of(word);
    if (record::is_padding(word)) {
      const bool exact = word == record::padding_word(capacity - offset) && offset != 0;
      return exact ? status::ok : status::corrupt;
    }
    const bool whole = record::payload_of(word) <= max_record && size <= last_end() - offset;
    return whole ? status::ok : status::corrupt;
  }
};

/// A walk over published records that reads nothing but their commit words.
template <class Memory>
class byte_walk {
 public:
  byte_walk(const byte_area& area, std::uint32_t position) noexcept
      : area_{area}, position_{position} {}

  [[nodiscard]] auto position() const noexcept -> std::uint32_t { return position_; }

  /// Payload of the record that the last step went over; a huge number for padding.
  [[nodiscard]] auto last_payload() const noexcept -> std::uint32_t {
    return record::payload_of(word_);
  }

  /// Moves behind the record, or the padding, at the position. Returns  ok, empty, corrupt.
  [[nodiscard]] auto step() noexcept -> status {
    const auto offset = area_.offset_of(position_);
    // [C4] acquire <- [P2] [P3] [P5].
    word_ = Memory::load(area_.header_at(offset), std::memory_order_acquire);
    const auto verdict = area_.judge(word_, offset);
    if (verdict == status::ok) position_ += record::size_of(word_);
    return verdict;
  }

 private:
  byte_area area_;
  std::uint32_t position_;
  std::uint32_t word_ = 0;
};

}  // namespace weir::detail
