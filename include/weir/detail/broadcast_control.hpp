// SPDX-License-Identifier: MIT
/// The control block of broadcast_ring: shared words by name, and the judge of its records.
///
/// A record is framed as in byte rings (record.hpp); its payload begins with its number, a u64.
#pragma once

#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// What stands before the application's bytes.
struct broadcast_head {
  std::uint32_t word = 0;
  std::uint32_t type = 0;
  std::uint32_t number_low = 0;
  std::uint32_t number_high = 0;

  [[nodiscard]] auto number() const noexcept -> std::uint64_t {
    return std::uint64_t{number_high} << 32 | number_low;
  }
  /// Bytes of the application's.
  [[nodiscard]] auto payload() const noexcept -> std::uint32_t {
    return record::payload_of(word) - number_size;
  }
  static constexpr std::uint32_t number_size = 8;
};
static_assert(sizeof(broadcast_head) == record::header_size + broadcast_head::number_size);

/// The largest record of a ring, framed, and without its frame. What a lapped reader goes on with is at most
/// capacity / 2 and two frames behind the newest position, and must still be there.
[[nodiscard]] constexpr auto broadcast_max_frame(std::uint32_t capacity) noexcept -> std::uint32_t {
  return capacity / 8;
}
[[nodiscard]] constexpr auto broadcast_max_record(std::uint32_t capacity) noexcept
    -> std::uint32_t {
  return broadcast_max_frame(capacity) - std::uint32_t{sizeof(broadcast_head)};
}

/// A private, immutable description of one ring, and addresses of its shared words.
template <class Memory>
class broadcast_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::base_;
  using block::fields_;
  using block::wide;

 public:
  broadcast_control() = default;
  /// `park`: the word that readers sleep on, if it is not the ring's own.
  broadcast_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : block{base, fields, layout::broadcast::data_park, park} {}

  [[nodiscard]] auto writer_entry() const noexcept -> owner_entry<Memory> {
    return {block::word(layout::broadcast::writer_owner),
            block::word(layout::broadcast::writer_start)};
  }
  /// What a sleeping reader asks besides its own condition: ok; peer_dead.
  [[nodiscard]] auto writer_status() const noexcept -> status {
    return block::status_of(writer_entry());
  }

  // --- the ring

  [[nodiscard]] auto offset_of(std::uint64_t position) const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(position) & (fields_.capacity - 1);
  }
  /// Where a record or padding begins. Needs  a multiple of 8.
  [[nodiscard]] auto record_at(std::uint64_t position) const noexcept -> std::uint32_t* {
    return word_at(base_, layout::broadcast::data + offset_of(position));
  }
  /// Where the application's bytes begin, inside the ring only if judge() said so.
  [[nodiscard]] auto payload_at(std::uint64_t position) const noexcept -> std::uint32_t* {
    return record_at(position) + sizeof(broadcast_head) / sizeof(std::uint32_t);
  }

  /// Whether a word found at a position is a record, or padding, that lies in the ring and ends at `end` or
  /// before. Padding runs exactly to the end of the data.
  [[nodiscard]] auto judge(std::uint32_t word, std::uint64_t position,
                           std::uint64_t end) const noexcept -> bool {
    const auto rest = fields_.capacity - offset_of(position);
    const auto size = record::size_of(word);
    if (size > end - position) return false;
    if (record::is_padding(word)) {
      return word == record::padding_word(rest) && rest != fields_.capacity;
    }
    // Wraps to a huge number for what is too small to be a record.
    const auto payload = record::payload_of(word) - broadcast_head::number_size;
    return payload <= fields_.max_record && size <= rest;
  }

  // --- positions

  /// Everything before it is published.
  [[nodiscard]] auto load_position() const noexcept -> std::uint64_t {
    // [P2] acquire <- [P1].
    return Memory::load64(wide(layout::broadcast::write_position), std::memory_order_acquire);
  }
  void store_position(std::uint64_t position) const noexcept {
    // [P1] release -> [P2]: the records before the position.
    Memory::store64(wide(layout::broadcast::write_position), position, std::memory_order_release);
  }

  /// Everything before it may be garbage; a record, or padding, begins there.
  [[nodiscard]] auto load_overwrite_end() const noexcept -> std::uint64_t {
    // [B2] acquire <- [B1].
    return Memory::load64(wide(layout::broadcast::overwrite_end), std::memory_order_acquire);
  }
  void store_overwrite_end(std::uint64_t position) const noexcept {
    // [B1] release -> [B2]: the write position, which is not before it.
    Memory::store64(wide(layout::broadcast::overwrite_end), position, std::memory_order_release);
    // [S1] fence(release): it is visible before any word that is overwritten; pairs with [S2].
    Memory::fence(std::memory_order_release);
  }
  /// After words were read: whether what stands at the position was being overwritten.
  [[nodiscard]] auto overwritten(std::uint64_t position) const noexcept -> bool {
    // [S2] fence(acquire): the words are read before the end of the garbage is; pairs with [S1].
    Memory::fence(std::memory_order_acquire);
    return load_overwrite_end() > position;
  }

  /// A record begins there; about half a ring may follow.
  [[nodiscard]] auto load_sync() const noexcept -> std::uint64_t {
    // [Y2] acquire <- [Y1].
    return Memory::load64(wide(layout::broadcast::sync_position), std::memory_order_acquire);
  }
  void store_sync(std::uint64_t position) const noexcept {
    // [Y1] release -> [Y2]: the write position, which is behind it.
    Memory::store64(wide(layout::broadcast::sync_position), position, std::memory_order_release);
  }

  // --- closing

  [[nodiscard]] auto load_closed() const noexcept -> bool {
    // [C2] acquire <- [C1].
    return Memory::load(block::word(layout::broadcast::closed), std::memory_order_acquire) != 0;
  }
  void close() const noexcept {
    // [C1] release -> [C2]: the last record.
    Memory::fetch_or(block::word(layout::broadcast::closed), layout::closed_by_producer,
                     std::memory_order_release);
  }
};

}  // namespace weir::detail
