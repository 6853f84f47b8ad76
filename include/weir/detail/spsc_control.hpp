// SPDX-License-Identifier: MIT
/// The control block of spsc_ring: shared words by name, and what both kinds of ring do with them.
#pragma once

#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// A private, immutable description of one ring, and addresses of its shared words.
template <class Memory>
class spsc_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::base_;

 public:
  using block::process_shared;
  using block::protocol;
  using block::word;

  spsc_control() = default;
  /// `park`: the word that the consumer sleeps on, if it is not the ring's own.
  spsc_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : block{base, fields, layout::spsc::data_park, park} {}

  [[nodiscard]] auto data() const noexcept -> std::byte* { return base_ + layout::spsc::data; }
  /// Where the payload of a record or slot begins, from the span's first byte.
  [[nodiscard]] auto payload_offset(std::uint32_t offset) const noexcept -> std::uint32_t {
    return block::payload_behind(offset, record::header_size);
  }

  /// The bell that the producer sleeps on.
  [[nodiscard]] auto space_bell() const noexcept -> park_bell<Memory> {
    return {word(layout::spsc::space_park), protocol(), process_shared()};
  }
  [[nodiscard]] auto producer_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::spsc::producer_owner), word(layout::spsc::producer_start)};
  }
  [[nodiscard]] auto consumer_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::spsc::consumer_owner), word(layout::spsc::consumer_start)};
  }

  /// What a sleeper asks besides its own condition: ok; peer_dead.
  [[nodiscard]] auto producer_status() const noexcept -> status {
    return block::status_of(producer_entry());
  }
  [[nodiscard]] auto consumer_status() const noexcept -> status {
    return block::status_of(consumer_entry());
  }
  [[nodiscard]] auto consumer_statistics_words() const noexcept -> std::uint32_t* {
    return word(layout::spsc::consumer_statistics);
  }

  /// Position below which the consumer has read and let go of everything.
  [[nodiscard]] auto load_read_position() const noexcept -> std::uint32_t {
    // [P1] acquire <- [C2].
    return Memory::load(word(layout::spsc::read_position), std::memory_order_acquire);
  }
  void store_read_position(std::uint32_t position) const noexcept {
    // [C2] release -> [P1]: the consumer's last access to the bytes before the position.
    Memory::store(word(layout::spsc::read_position), position, std::memory_order_release);
  }

  /// Some position up to which everything is published: where a new producer begins to look for the end.
  [[nodiscard]] auto load_write_position() const noexcept -> std::uint32_t {
    // [P7] acquire <- [P6].
    return Memory::load(word(layout::spsc::write_position), std::memory_order_acquire);
  }
  /// The same word, for the consumer: how far it may prefetch.
  [[nodiscard]] auto load_hint() const noexcept -> std::uint32_t {
    // relaxed: re-checked by [C1]
    return Memory::load(word(layout::spsc::write_position), std::memory_order_relaxed);
  }
  void store_write_position(std::uint32_t position) const noexcept {
    // [P6] release -> [P7]: the commit words before the position.
    Memory::store(word(layout::spsc::write_position), position, std::memory_order_release);
  }

  [[nodiscard]] auto load_closed() const noexcept -> std::uint32_t {
    // [C3] acquire <- [P4].
    return Memory::load(word(layout::spsc::closed), std::memory_order_acquire);
  }
  void close(std::uint32_t by) const noexcept {
    // [P4] release -> [C3]: everything that the closing side published.
    Memory::fetch_or(word(layout::spsc::closed), by, std::memory_order_release);
  }
};

}  // namespace weir::detail
