// SPDX-License-Identifier: MIT
/// The control block of latest: shared words by name, and the arithmetic of versions.
///
/// Values are numbered. The version word of value n is 2n + 1, a buffer's sequence word is 2n while it
/// holds value n whole and 2n - 1 while value n is being written; all of them wrap mod 2^32, or 2^64.
/// A version word that is even says that nobody has written yet.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir::detail {

/// A private, immutable description of one latest, and addresses of its shared words.
template <class Memory>
class latest_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::base_;
  using block::fields_;

 public:
  using block::word;

  /// One place for a value.
  struct buffer {
    std::byte* base = nullptr;
    [[nodiscard]] auto value() const noexcept -> std::uint32_t* {
      return word_at(base, layout::latest::buffer_value);
    }
  };

  latest_control() = default;
  /// `park`: the word that readers sleep on, if it is not the value's own.
  latest_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : block{base, fields, layout::latest::data_park, park} {}

  [[nodiscard]] auto wide() const noexcept -> bool {
    return (fields_.flags & layout::flag_wide_version) != 0;
  }
  [[nodiscard]] auto writer_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::latest::writer_owner), word(layout::latest::writer_start)};
  }
  /// What a sleeping reader asks besides its own condition: ok; peer_dead.
  [[nodiscard]] auto writer_status() const noexcept -> status {
    return block::status_of(writer_entry());
  }

  // --- versions

  [[nodiscard]] static constexpr auto has_value(std::uint64_t version) noexcept -> bool {
    return (version & 1) != 0;
  }
  [[nodiscard]] static constexpr auto number_of(std::uint64_t version) noexcept -> std::uint64_t {
    return version >> 1;
  }
  /// The version word of a memory that nobody has written to, whose first value will be number + 1.
  [[nodiscard]] auto unwritten(std::uint64_t number) const noexcept -> std::uint64_t {
    return (number << 1) & mask();
  }
  [[nodiscard]] auto next_of(std::uint64_t version) const noexcept -> std::uint64_t {
    return ((version | 1) + 2) & mask();
  }
  [[nodiscard]] auto buffer_of(std::uint64_t version) const noexcept -> buffer {
    const auto count = fields_.slots;
    const auto number = number_of(version);
    const auto index = is_power_of_two(count) ? number & (count - 1) : number % count;
    return {base_ + layout::latest::data + static_cast<std::size_t>(index) * fields_.stride};
  }

  [[nodiscard]] auto load_version() const noexcept -> std::uint64_t {
    if (wide()) {
      // [V4] acquire <- [V2].
      return Memory::load64(wide_at(base_, layout::latest::version), std::memory_order_acquire);
    }
    // [V3] acquire <- [V1].
    return Memory::load(word(layout::latest::version), std::memory_order_acquire);
  }
  void store_version(std::uint64_t version) const noexcept {
    if (wide()) {
      // [V2] release -> [V4]: the value, and the sequence of its buffer.
      Memory::store64(wide_at(base_, layout::latest::version), version, std::memory_order_release);
    } else {
      // [V1] release -> [V3]: the value, and the sequence of its buffer.
      Memory::store(word(layout::latest::version), static_cast<std::uint32_t>(version),
                    std::memory_order_release);
    }
  }

  // --- one buffer

  /// From here until end() no reader accepts what the buffer holds. A dead writer's odd sequence stays.
  void begin(const buffer& into, std::uint64_t version) const noexcept {
    if (wide()) {
      // relaxed: single writer
      Memory::store64(wide_at(into.base, 0), version - 2, std::memory_order_relaxed);
    } else {
      // relaxed: single writer
      Memory::store(word_at(into.base, 0), static_cast<std::uint32_t>(version - 2),
                    std::memory_order_relaxed);
    }
    // [S1] fence(release): the odd sequence is visible before any word of the value; pairs with [S2].
    Memory::fence(std::memory_order_release);
  }
  void end(const buffer& into, std::uint64_t version) const noexcept {
    if (wide()) {
      // relaxed: before publication [V2]
      Memory::store64(wide_at(into.base, 0), version - 1, std::memory_order_relaxed);
    } else {
      // relaxed: before publication [V1]
      Memory::store(word_at(into.base, 0), static_cast<std::uint32_t>(version - 1),
                    std::memory_order_relaxed);
    }
  }
  /// After the words were read: whether all of them were the value of that version.
  [[nodiscard]] auto held(const buffer& from, std::uint64_t version) const noexcept -> bool {
    // [S2] fence(acquire): the words are read before the sequence is; pairs with [S1].
    Memory::fence(std::memory_order_acquire);
    if (wide()) {
      // relaxed: single writer; behind the words by [S2]
      return Memory::load64(wide_at(from.base, 0), std::memory_order_relaxed) == version - 1;
    }
    // relaxed: single writer; behind the words by [S2]
    return Memory::load(word_at(from.base, 0), std::memory_order_relaxed) == version - 1;
  }

  // --- closing

  [[nodiscard]] auto load_closed() const noexcept -> bool {
    // [V6] acquire <- [V5].
    return Memory::load(word(layout::latest::closed), std::memory_order_acquire) != 0;
  }
  void close() const noexcept {
    // [V5] release -> [V6]: the last version.
    Memory::fetch_or(word(layout::latest::closed), layout::closed_by_producer,
                     std::memory_order_release);
  }

 private:
  [[nodiscard]] auto mask() const noexcept -> std::uint64_t {
    return wide() ? std::numeric_limits<std::uint64_t>::max()
                  : std::numeric_limits<std::uint32_t>::max();
  }
};

}  // namespace weir::detail
