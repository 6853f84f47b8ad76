// SPDX-License-Identifier: MIT
/// One buffer of a buffer_pool: its state word, its mark, and how they change.
#pragma once

#include <weir/detail/header.hpp>
#include <weir/detail/version_word.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir::detail {

/// The state word of a buffer: which allocation it is, and who holds it. Arithmetic only.
struct pool_state {
  static constexpr std::uint32_t last_generation = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t word;

  [[nodiscard]] static constexpr auto of(std::uint32_t generation, std::uint32_t holders) noexcept
      -> pool_state {
    return {std::uint64_t{generation} << 32 | holders};
  }
  [[nodiscard]] constexpr auto generation() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(word >> 32);
  }
  /// A bit for each place.
  [[nodiscard]] constexpr auto holders() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(word);
  }
  /// Nobody holds it, and it will not be given out again.
  [[nodiscard]] constexpr auto is_retired() const noexcept -> bool {
    return holders() == 0 && generation() == last_generation;
  }
  [[nodiscard]] constexpr auto is_free() const noexcept -> bool {
    return holders() == 0 && generation() != last_generation;
  }
  /// True for a handle of that generation, as long as anybody holds the buffer.
  [[nodiscard]] constexpr auto is_allocation(std::uint32_t wanted) const noexcept -> bool {
    return holders() != 0 && generation() == wanted;
  }
  /// Needs  place < 32.
  [[nodiscard]] constexpr auto held_by(std::uint32_t place) const noexcept -> bool {
    return (holders() >> place & 1) != 0;
  }
  [[nodiscard]] constexpr auto with(std::uint32_t place) const noexcept -> pool_state {
    return of(generation(), holders() | 1U << place);
  }
  /// Whoever gives up the last holding ends the generation. The last generation stays.
  [[nodiscard]] constexpr auto without(std::uint32_t place) const noexcept -> pool_state {
    const auto left = holders() & ~(1U << place);
    const bool next = left == 0 && generation() != last_generation;
    return of(generation() + (next ? 1 : 0), left);
  }
};

/// Exchanges that a call tries. Honest members get in each other's way a few times at most.
inline constexpr std::uint32_t pool_attempts = 1U << 16;

/// Addresses of one buffer's shared words, and of its bytes.
template <class Memory>
struct pool_slot {
  std::byte* entry = nullptr;
  std::byte* data = nullptr;
  std::uint32_t* marks = nullptr;
  std::uint32_t mark = 0;  ///< its bit in *marks
  std::uint32_t capacity = 0;

  // --- holders

  [[nodiscard]] auto state() const noexcept -> pool_state {
    // [S1] acquire <- [S2].
    return {Memory::load64(state_word(), std::memory_order_acquire)};
  }

  /// Makes a free buffer the place's. Returns  the generation; full: it is not free.
  [[nodiscard]] auto take(std::uint32_t place) const noexcept -> result<std::uint32_t> {
    auto seen = state();
    for (auto left = pool_attempts; left != 0 && seen.is_free(); --left) {
      if (replace(seen, seen.with(place))) return seen.generation();
    }
    return status::full;
  }

  /// Makes the place one more holder. Returns  ok; stale; busy: it is one; corrupt: the state never rests.
  [[nodiscard]] auto share(std::uint32_t generation, std::uint32_t place) const noexcept -> status {
    auto seen = state();
    for (auto left = pool_attempts; left != 0; --left) {
      if (!seen.is_allocation(generation)) return status::stale;
      if (seen.held_by(place)) return status::busy;
      if (replace(seen, seen.with(place))) return status::ok;
    }
    return status::corrupt;
  }

  /// Makes the place a holder instead of `from`. Returns  as share().
  [[nodiscard]] auto move(std::uint32_t generation, std::uint32_t from,
                          std::uint32_t place) const noexcept -> status {
    auto seen = state();
    for (auto left = pool_attempts; left != 0; --left) {
      if (!seen.is_allocation(generation) || !seen.held_by(from)) return status::stale;
      if (from != place && seen.held_by(place)) return status::busy;
      const auto moved = pool_state::of(generation, seen.holders() & ~(1U << from));
      if (replace(seen, moved.with(place))) return status::ok;
    }
    return status::corrupt;
  }

  /// Makes the place no holder. The last one's leaving frees the buffer. Returns  ok; stale;
  /// corrupt: the state never rests, and the place holds the buffer still.
  [[nodiscard]] auto give_back(std::uint32_t generation, std::uint32_t place) const noexcept
      -> status {
    auto seen = state();
    for (auto left = pool_attempts; left != 0; --left) {
      if (!seen.is_allocation(generation) || !seen.held_by(place)) return status::stale;
      const auto without = seen.without(place);
      if (!replace(seen, without)) continue;
      if (without.is_free()) set_mark();
      return status::ok;
    }
    return status::corrupt;
  }

  // --- the mark: a hint that the buffer is free

  void set_mark() const noexcept { set_marks(marks, mark); }
  static void set_marks(std::uint32_t* word, std::uint32_t bits) noexcept {
    // [S3] release -> [S4]: that the states say free.
    Memory::fetch_or(word, bits, std::memory_order_release);
  }
  /// For whoever has found that the buffer is not free. A mark that stays costs somebody a look.
  void clear_mark() const noexcept {
    // relaxed: re-checked by [S4]
    auto seen = Memory::load(marks, std::memory_order_relaxed);
    for (auto left = pool_attempts; left != 0 && (seen & mark) != 0; --left) {
      // [S4] acquire <- [S3].
      const bool cleared =
          Memory::compare_exchange(marks, seen, seen & ~mark, std::memory_order_acquire,
                                   // relaxed: failed CAS, nothing read
                                   std::memory_order_relaxed);
      if (!cleared) continue;
      if (state().is_free()) set_mark();
      return;
    }
  }

  // --- what belongs to the allocation

  [[nodiscard]] auto version() const noexcept -> version_word<Memory> {
    return {word_at(entry, layout::pool::entry_version)};
  }
  /// Bytes asked for. A peer's lie stays within the buffer.
  [[nodiscard]] auto used() const noexcept -> std::uint32_t {
    // relaxed: single writer
    const auto size =
        Memory::load(word_at(entry, layout::pool::entry_used), std::memory_order_relaxed);
    return size <= capacity ? size : capacity;
  }
  /// Needs  index < metadata_words.
  [[nodiscard]] auto metadata(std::uint32_t index) const noexcept -> std::uint32_t {
    // relaxed: single writer
    return Memory::load(metadata_word(index), std::memory_order_relaxed);
  }
  void set_metadata(std::uint32_t index, std::uint32_t value) const noexcept {
    // relaxed: single writer
    Memory::store(metadata_word(index), value, std::memory_order_relaxed);
  }
  /// A new allocation: of `size` bytes, nothing said about them, nobody writing.
  void begin_life(std::uint32_t size) const noexcept {
    // relaxed: single writer
    Memory::store(word_at(entry, layout::pool::entry_used), size, std::memory_order_relaxed);
    for (std::uint32_t index = 0; index < layout::pool::metadata_words; ++index) {
      set_metadata(index, 0);
    }
    if (const auto left = version().load(); !is_whole(left)) version().end_as(left + 1);
  }

 private:
  [[nodiscard]] auto state_word() const noexcept -> std::uint64_t* {
    return wide_at(entry, layout::pool::entry_state);
  }
  [[nodiscard]] auto metadata_word(std::uint32_t index) const noexcept -> std::uint32_t* {
    return word_at(entry, layout::pool::entry_metadata + 4 * index);
  }
  /// False, and `seen` is what it is now, if the state is not `seen` any more.
  [[nodiscard]] auto replace(pool_state& seen, pool_state by) const noexcept -> bool {
    // [S2] acq_rel -> [S1] [S2] <- [S2]: what the holder did with the buffer. Every change of the state is
    // such an exchange, so that the next holder sees what all before it did, in whatever order they left.
    return Memory::cas64(state_word(), seen.word, by.word, std::memory_order_acq_rel,
                         // relaxed: failed CAS, nothing read
                         std::memory_order_relaxed);
  }
};

}  // namespace weir::detail
