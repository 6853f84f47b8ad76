// SPDX-License-Identifier: MIT
/// The control block of spsc_ring: shared words by name, and what both kinds of ring do with them.
#pragma once

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
class spsc_control {
 public:
  using memory = Memory;

  spsc_control() = default;
  /// `park`: the word that the consumer sleeps on, if it is not the ring's own.
  spsc_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : base_{base},
        data_park_{park != nullptr ? park : word_at(base, layout::spsc::data_park)},
        fields_{fields} {}

  [[nodiscard]] auto fields() const noexcept -> const header& { return fields_; }
  [[nodiscard]] auto data() const noexcept -> std::byte* { return base_ + layout::spsc::data; }
  [[nodiscard]] auto word(std::uint32_t offset) const noexcept -> std::uint32_t* {
    return word_at(base_, offset);
  }
  /// Where the payload of a record or slot begins, from the span's first byte.
  [[nodiscard]] auto payload_offset(std::uint32_t offset) const noexcept -> std::uint32_t {
    const auto before = fields_.stride == 0 ? record::header_size : fields_.alignment;
    return layout::spsc::data + offset + before;
  }
  [[nodiscard]] auto protocol() const noexcept -> wake_protocol {
    return static_cast<wake_protocol>(fields_.wake_protocol);
  }
  [[nodiscard]] auto process_shared() const noexcept -> bool {
    return (fields_.flags & layout::flag_process_shared) != 0;
  }

  /// The bell that the consumer sleeps on.
  [[nodiscard]] auto data_bell() const noexcept -> park_bell<Memory> {
    return {data_park_, protocol(), process_shared()};
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
    return status_of(producer_entry());
  }
  [[nodiscard]] auto consumer_status() const noexcept -> status {
    return status_of(consumer_entry());
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

  /// Whether a side that sleeps, or wakes sleepers, can keep this ring's wake protocol.
  [[nodiscard]] auto supports(bool parks) const noexcept -> bool {
    return can_keep<Memory>(protocol(), process_shared(), parks);
  }

 private:
  [[nodiscard]] auto status_of(const owner_entry<Memory>& peer) const noexcept -> status {
    if (!process_shared()) return status::ok;
    return peer.state() == owner_state::dead ? status::peer_dead : status::ok;
  }

  std::byte* base_ = nullptr;
  std::uint32_t* data_park_ = nullptr;
  header fields_;
};

}  // namespace weir::detail
