// SPDX-License-Identifier: MIT
/// A version: a word that says how often a value was written, and is odd while it is being written.
///
/// Edges        V1, V5 -> V4  the value      V2 <-> V3  overwriting (table below)
/// Wrap, ABA    a torn copy passes for whole only if exactly 2^31 writes fall into one read.
/// Dead peers   a writer that dies between begin() and end() leaves the version odd; the next begin() keeps it
///              odd and makes it another, so that no reader takes what two writers wrote for one value.
/// Source       sequence locks (Lameter 2005; race-free form: Boehm 2012).
///
///   writer                                 reader
///   version = odd                          version is even           [V4]
///   fence(release)             [V2]        value
///   value                                  fence(acquire)            [V3]
///   version = even             [V1]        version is the same
///   forbidden: the reader has read a part of the new value and finds the old version.
#pragma once

#include <weir/memory.hpp>
#include <weir/status.hpp>

#include <atomic>
#include <cstdint>

namespace weir {

/// True for the version of a value that nobody is writing.
[[nodiscard]] constexpr auto is_whole(std::uint32_t version) noexcept -> bool {
  return (version & 1) == 0;
}

/// True if `version` is `target` or later. Versions wrap: the two must be less than 2^31 apart.
[[nodiscard]] constexpr auto has_reached(std::uint32_t version, std::uint32_t target) noexcept
    -> bool {
  return version - target < 0x8000'0000U;
}

namespace detail {

/// Copies that a consistent read makes before it gives up, if the caller does not say how many.
inline constexpr std::uint32_t default_read_attempts = 64;

template <class Memory>
struct version_word {
  std::uint32_t* word;

  /// Thread  the value's writer, until end().
  void begin() noexcept {
    // relaxed: single writer
    const auto before = Memory::load(word, std::memory_order_relaxed);
    // relaxed: single writer
    Memory::store(word, is_whole(before) ? before + 1 : before + 2, std::memory_order_relaxed);
    // [V2] fence(release): the version is odd before a word of the value changes; pairs with [V3].
    Memory::fence(std::memory_order_release);
  }

  /// Needs   begin(). Thread  the value's writer. Returns  the value's version.
  auto end() noexcept -> std::uint32_t {
    // relaxed: single writer
    const auto whole = Memory::load(word, std::memory_order_relaxed) + 1;
    end_as(whole);
    return whole;
  }

  /// Needs   begin(); an even version that no reader takes for the one before.
  void end_as(std::uint32_t whole) noexcept {
    // [V1] release -> [V4]: the value.
    Memory::store(word, whole, std::memory_order_release);
  }

  /// The next version in one step, for what no reader copies under it.
  /// Needs   nobody between begin() and end(). Thread  any. Returns  the version.
  auto advance() noexcept -> std::uint32_t {
    // [V5] release -> [V4]: what the version stands for.
    return Memory::fetch_add(word, 2, std::memory_order_release) + 2;
  }

  /// What was written before a version that is even was, is visible to whoever has loaded it.
  [[nodiscard]] auto load() const noexcept -> std::uint32_t {
    // [V4] acquire <- [V1] [V5].
    return Memory::load(word, std::memory_order_acquire);
  }

  /// After a copy of the value: true if nobody began to write since load() said `seen`, which is even.
  [[nodiscard]] auto still(std::uint32_t seen) const noexcept -> bool {
    // [V3] fence(acquire): the copy before the second look; pairs with [V2].
    Memory::fence(std::memory_order_acquire);
    // relaxed: single writer; behind the value by [V3]
    return Memory::load(word, std::memory_order_relaxed) == seen;
  }

  /// Calls copy(), which copies the value, until nobody wrote meanwhile.
  /// Returns  the version of what was copied; torn: it was being written on each of `attempts` looks.
  template <class Copy>
  [[nodiscard]] auto read(Copy&& copy, std::uint32_t attempts) const noexcept
      -> result<std::uint32_t> {
    for (std::uint32_t attempt = 0; attempt < attempts; ++attempt) {
      const auto seen = load();
      if (is_whole(seen)) {
        copy();
        if (still(seen)) return seen;
      }
      Memory::pause();
    }
    return status::torn;
  }
};

}  // namespace detail
}  // namespace weir
