// SPDX-License-Identifier: MIT
/// The control block of mpsc_ring: shared words by name, and what both kinds of ring do with them.
#pragma once

#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/mpsc_record.hpp>
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
class mpsc_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::base_;
  using block::fields_;
  using block::wide;

 public:
  using block::process_shared;
  using block::protocol;
  using block::word;

  mpsc_control() = default;
  /// `park`: the word that the consumer sleeps on, if it is not the ring's own.
  mpsc_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : block{base, fields, layout::mpsc::data_park, park} {}

  [[nodiscard]] auto data() const noexcept -> std::byte* { return base_ + fields_.data_offset; }
  /// Where the payload of a record or slot begins, from the span's first byte.
  [[nodiscard]] auto payload_offset(std::uint32_t offset) const noexcept -> std::uint32_t {
    return block::payload_behind(offset, record::header_size);
  }
  [[nodiscard]] auto recoverable() const noexcept -> bool {
    return (fields_.flags & layout::flag_recoverable) != 0;
  }
  /// Bytes (slots) of one unit of an intent.
  [[nodiscard]] auto unit() const noexcept -> std::uint32_t {
    return fields_.stride == 0 ? record::alignment : 1;
  }
  [[nodiscard]] auto slots() const noexcept -> std::uint32_t { return fields_.slots; }

  [[nodiscard]] auto space_bell() const noexcept -> park_bell<Memory> {
    return {word(layout::mpsc::space_park), protocol(), process_shared()};
  }
  [[nodiscard]] auto consumer_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::mpsc::consumer_owner), word(layout::mpsc::consumer_start)};
  }
  [[nodiscard]] auto producer_entry(std::uint32_t slot) const noexcept -> owner_entry<Memory> {
    return {slot_word(slot, layout::mpsc::slot_owner), slot_word(slot, layout::mpsc::slot_start)};
  }
  [[nodiscard]] auto producer_statistics_words(std::uint32_t slot) const noexcept
      -> std::uint32_t* {
    return slot_word(slot, layout::mpsc::slot_statistics);
  }
  [[nodiscard]] auto consumer_statistics_words() const noexcept -> std::uint32_t* {
    return word(layout::mpsc::consumer_statistics);
  }
  /// What a sleeping producer asks. Returns  ok, peer_dead.
  [[nodiscard]] auto consumer_status() const noexcept -> status {
    return block::status_of(consumer_entry());
  }

  /// Moves the claim position from `expected` to `desired`, or sets `expected` to where it stands.
  [[nodiscard, gnu::always_inline]] inline auto try_claim(std::uint64_t& expected,
                                                          std::uint64_t desired) const noexcept
      -> bool {
    // [P4] release -> [R1] [P5]: the intent that says what is claimed.
    return Memory::cas64(wide(layout::mpsc::claim_position), expected, desired,
                         std::memory_order_release,
                         // relaxed: failed CAS, nothing read
                         std::memory_order_relaxed);
  }
  /// Where the claim position stands, with the closed bit: for a first guess, and for an estimate.
  [[nodiscard]] auto guess_claim_position() const noexcept -> std::uint64_t {
    // relaxed: re-checked by [P4]
    return Memory::load64(wide(layout::mpsc::claim_position), std::memory_order_relaxed);
  }
  /// The claim position without the closed bit. Whatever was claimed before it has left its intent.
  [[nodiscard]] auto load_claim_position() const noexcept -> std::uint64_t {
    // [R1] acquire <- [P4] [P5].
    return Memory::load64(wide(layout::mpsc::claim_position), std::memory_order_acquire) &
           ~claim_closed;
  }
  /// Before the ring is published.
  void start_at(std::uint64_t position) const noexcept {
    // relaxed: before publication [F1]
    Memory::store64(wide(layout::mpsc::claim_position), position, std::memory_order_relaxed);
    store_hint(position);
    store_consumed(position);
    store_read_position(position);
  }

  /// Position up to which everything was claimed at some moment: how far the consumer may prefetch.
  [[nodiscard]] auto load_hint() const noexcept -> std::uint32_t {
    // relaxed: statistics
    return Memory::load(word(layout::mpsc::hint), std::memory_order_relaxed);
  }
  void store_hint(std::uint64_t position) const noexcept {
    // relaxed: statistics
    Memory::store(word(layout::mpsc::hint), static_cast<std::uint32_t>(position),
                  std::memory_order_relaxed);
  }

  [[nodiscard]] auto load_read_position() const noexcept -> std::uint64_t {
    // [P1] acquire <- [C2].
    return Memory::load64(wide(layout::mpsc::read_position), std::memory_order_acquire);
  }
  void store_read_position(std::uint64_t position) const noexcept {
    // [C2] release -> [P1]: the consumer's last access to what lies before the position.
    Memory::store64(wide(layout::mpsc::read_position), position, std::memory_order_release);
  }
  [[nodiscard]] auto load_consumed() const noexcept -> std::uint64_t {
    // [C7] acquire <- [C6].
    return Memory::load64(wide(layout::mpsc::consumed_position), std::memory_order_acquire);
  }
  void store_consumed(std::uint64_t position) const noexcept {
    // [C6] release -> [C7]: the records before the position were shown, and no byte of them is needed.
    Memory::store64(wide(layout::mpsc::consumed_position), position, std::memory_order_release);
  }

  /// Release each time: what the producer did for its last claim must be seen by whoever sees the next.
  void store_intent(std::uint32_t slot, claim_intent intent) const noexcept {
    // [P6] release -> [R2] [R4]: the commit word of the claim before.
    Memory::store64(wide_slot(slot), intent.word, std::memory_order_release);
  }
  [[nodiscard]] auto load_intent(std::uint32_t slot) const noexcept -> claim_intent {
    // [R2] acquire <- [P6].
    return {Memory::load64(wide_slot(slot), std::memory_order_acquire)};
  }
  /// Takes back what a dead producer intended, unless the slot has a new owner with an intent of its own.
  void clear_intent(std::uint32_t slot, claim_intent intent) const noexcept {
    // [R4] acquire <- [P6].
    static_cast<void>(Memory::cas64(wide_slot(slot), intent.word, 0, std::memory_order_acquire,
                                    // relaxed: failed CAS, nothing read
                                    std::memory_order_relaxed));
  }

  [[nodiscard]] auto load_closed() const noexcept -> std::uint32_t {
    // [C3] acquire <- [P7].
    return Memory::load(word(layout::mpsc::closed), std::memory_order_acquire);
  }
  /// Says that the ring ends, then ends it. Whoever dies in between leaves the rest to the consumer.
  void close(std::uint32_t by) const noexcept {
    // [P7] release -> [C3]: what the closing side did.
    Memory::fetch_or(word(layout::mpsc::closed), by, std::memory_order_release);
    static_cast<void>(seal());
  }
  /// From here on no claim succeeds. Returns  where the claims end, and whether they did before (its bit).
  [[nodiscard]] auto seal() const noexcept -> std::uint64_t {
    // [P5] acq_rel -> [R1] [P5] <- [P4] [P5]: the claims before the end; the end.
    return Memory::fetch_or64(wide(layout::mpsc::claim_position), claim_closed,
                              std::memory_order_acq_rel);
  }

  void add_statistic(std::uint32_t offset, std::uint32_t count) const noexcept {
    // relaxed: statistics
    const auto before = Memory::load(word(offset), std::memory_order_relaxed);
    // relaxed: statistics
    Memory::store(word(offset), before + count, std::memory_order_relaxed);
  }
  [[nodiscard]] auto load_statistic(std::uint32_t offset) const noexcept -> std::uint32_t {
    // relaxed: statistics
    return Memory::load(word(offset), std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] static constexpr auto slot_base(std::uint32_t slot) noexcept -> std::uint32_t {
    return layout::mpsc::producer_slots + slot * layout::mpsc::slot_size;
  }
  [[nodiscard]] auto slot_word(std::uint32_t slot, std::uint32_t offset) const noexcept
      -> std::uint32_t* {
    return word(slot_base(slot) + offset);
  }
  [[nodiscard]] auto wide_slot(std::uint32_t slot) const noexcept -> std::uint64_t* {
    return wide(slot_base(slot) + layout::mpsc::slot_intent);
  }
};

}  // namespace weir::detail
