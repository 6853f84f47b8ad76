// SPDX-License-Identifier: MIT
/// Copies of bytes that another thread may be writing or reading: word by word, each word relaxed.
///
/// A plain copy that races is undefined, even if its result is thrown away afterwards; relaxed words are
/// not. The last word is shared in part: its other bytes are written as 0, and read and dropped, so the
/// shared side is a whole number of words.
///
/// Source  Boehm 2012 (HPL-2012-68): what a sequence lock reads must be atomic. Differs from the copy in
///         xenium's seqlock, which loses the bytes behind the last whole word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::detail {

inline constexpr std::size_t word_size = sizeof(std::uint32_t);

/// Needs  `shared` has room for `size` bytes, rounded up to whole words.
[[gnu::always_inline]] inline void copy_in_words(std::uint32_t* shared, const void* from,
                                                 std::size_t size) noexcept {
  const auto* source = static_cast<const std::byte*>(from);
  for (; size >= word_size; size -= word_size, source += word_size) {
    std::uint32_t word;
    std::memcpy(&word, source, word_size);
    __atomic_store_n(shared++, word, __ATOMIC_RELAXED);
  }
  if (size != 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, source, size);
    __atomic_store_n(shared, word, __ATOMIC_RELAXED);
  }
}

/// Needs  `shared` holds `size` bytes, rounded up to whole words.
[[gnu::always_inline]] inline void copy_out_words(void* to, const std::uint32_t* shared,
                                                  std::size_t size) noexcept {
  auto* target = static_cast<std::byte*>(to);
  for (; size >= word_size; size -= word_size, target += word_size) {
    const auto word = __atomic_load_n(shared++, __ATOMIC_RELAXED);
    std::memcpy(target, &word, word_size);
  }
  if (size != 0) {
    const auto word = __atomic_load_n(shared, __ATOMIC_RELAXED);
    std::memcpy(target, &word, size);
  }
}

}  // namespace weir::detail
