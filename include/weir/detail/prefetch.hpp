// SPDX-License-Identifier: MIT
/// Moving cache lines between a writer and a reader before they are needed.
///
/// Ahead of a walk both sides prefetch: the producer the lines that it will write, the consumer those
/// that it will read, only as far as they are known to be theirs. Behind it, the consumer hands lines
/// back in a state in which the producer can take them. What each is worth: bench/README.md.
#pragma once

#include <weir/cache_line.hpp>
#include <weir/memory.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Bytes that a side keeps prefetched beyond its next event. Measured: 256 B is too short, 1 to 2 KiB
/// right, 4 KiB no better (bench/README.md).
inline constexpr std::uint32_t prefetch_window = 2048;

inline constexpr std::uint32_t prefetch_step = static_cast<std::uint32_t>(cache_line);

/// The x86 instruction by name: compilers turn __builtin_prefetch(p, 1) into a read prefetch unless they
/// are told that the processor has this one, which every x86-64 processor since 2014 does.
[[gnu::always_inline]] inline void prefetch_for_write(const std::byte* at) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*at));
#else
  __builtin_prefetch(at, 1, 3);
#endif
}

[[gnu::always_inline]] inline void prefetch_for_read(const std::byte* at) noexcept {
  __builtin_prefetch(at, 0, 3);
}

/// How far ahead of a side's offset the lines have been asked for.
class prefetch_cursor {
 public:
  /// Prefetches up to `end`, beginning where the last call ended, or at `begin` if that is further or
  /// the walk has begun a new lap.
  /// Needs  data[begin, end) lies in the ring.
  template <class Memory, bool ForWrite>
  void advance(const std::byte* data, std::uint32_t begin, std::uint32_t end) noexcept {
    if constexpr (Memory::prefetches) {
      if (offset_ < begin || offset_ >= end + prefetch_step) offset_ = begin;
      for (; offset_ < end; offset_ += prefetch_step) {
        if constexpr (ForWrite) {
          prefetch_for_write(data + offset_);
        } else {
          prefetch_for_read(data + offset_);
        }
      }
    }
  }

 private:
  std::uint32_t offset_ = 0;
};

/// Lines that a reader has left behind and leaves modified.
///
/// A line that was only read stays shared between two caches, and the next store to it has to wait until
/// the other copy is invalidated; a line that is modified in one cache simply moves to the other. So the
/// consumer stores one word of each line back before it releases the line, with the value it has: what
/// is read again after its death is unchanged. Worth a factor of 3 to 8 on AMD Zen 4 (bench/README.md).
class returned_lines {
 public:
  /// The walk goes on at `offset`, with nothing to hand back before it.
  void restart(std::uint32_t offset) noexcept { offset_ = offset & ~(prefetch_step - 1); }

  /// Hands back every line that ends at or before `end`.
  /// Needs  the last word of each of them was read and is not released yet.
  template <class Memory>
  void advance(std::byte* data, std::uint32_t end) noexcept {
    if constexpr (Memory::prefetches) {
      for (; offset_ + prefetch_step <= end; offset_ += prefetch_step) {
        auto* const word = reinterpret_cast<std::uint32_t*>(data + offset_ + prefetch_step) - 1;
        // relaxed: single writer
        const auto value = Memory::load(word, std::memory_order_relaxed);
        // relaxed: single writer
        Memory::store(word, value, std::memory_order_relaxed);
      }
    }
  }

 private:
  std::uint32_t offset_ = 0;
};

/// The same for a slot of `Stride` bytes at `offset`: one word is stored back in each line in which the
/// slot ends and the next does not. Needs  the slot was read and is not released yet.
template <class Memory, std::uint32_t Stride, std::uint32_t ValueOffset>
[[gnu::always_inline]] inline void give_line_back(std::byte* data, std::uint32_t offset) noexcept {
  if constexpr (Memory::prefetches) {
    const auto end = offset + Stride;
    if constexpr (Stride < prefetch_step) {
      if ((((end - 4) ^ (end - 4 + Stride)) & ~(prefetch_step - 1)) == 0) return;
    }
    for (std::uint32_t back = 4; back + ValueOffset <= Stride; back += prefetch_step) {
      auto* const word = reinterpret_cast<std::uint32_t*>(data + end - back);
      // relaxed: single writer
      const auto value = Memory::load(word, std::memory_order_relaxed);
      // relaxed: single writer
      Memory::store(word, value, std::memory_order_relaxed);
    }
  }
}

}  // namespace weir::detail
