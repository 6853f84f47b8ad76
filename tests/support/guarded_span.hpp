// SPDX-License-Identifier: MIT
/// Memory for a test: a span between two canaries, which nobody may touch.
///
/// The bytes are a shared mapping, so that a forked child sees them too. Outside the canaries lie pages
/// that cannot be accessed; under the address sanitizer the canaries cannot be accessed either.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_TEST_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_TEST_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(WEIR_TEST_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

namespace weir::test {

class guarded_span {
 public:
  explicit guarded_span(std::uint64_t size)
      : size_{static_cast<std::size_t>(size)},
        mapped_{(size_ + canary_size + page - 1) / page * page + canary_size + 2 * page} {
    void* const at = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
      std::perror("mmap");
      std::abort();
    }
    base_ = static_cast<std::byte*>(at);
    mprotect(base_, page, PROT_NONE);
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    std::ranges::fill(before(), canary);
    std::ranges::fill(after(), canary);
    set_guard(true);
  }
  guarded_span(const guarded_span&) = delete;
  auto operator=(const guarded_span&) -> guarded_span& = delete;
  ~guarded_span() {
    set_guard(false);
    munmap(base_, mapped_);
  }

  /// 64-aligned; zeros at first.
  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> {
    return {base_ + page + canary_size, size_};
  }

  /// A word of the span, for the part of the peer that writes what it likes.
  [[nodiscard]] auto word(std::uint32_t offset) const noexcept -> std::uint32_t* {
    return reinterpret_cast<std::uint32_t*>(bytes().data() + offset);
  }

  /// True while nobody has written beside the span.
  [[nodiscard]] auto intact() const noexcept -> bool {
    set_guard(false);
    const auto whole = [](std::byte byte) { return byte == canary; };
    const bool untouched =
        std::ranges::all_of(before(), whole) && std::ranges::all_of(after(), whole);
    set_guard(true);
    return untouched;
  }

 private:
  static constexpr std::size_t page = 4096;
  static constexpr std::size_t canary_size = 4096;
  static constexpr std::byte canary{0xA5};

  [[nodiscard]] auto before() const noexcept -> std::span<std::byte> {
    return {base_ + page, canary_size};
  }
  [[nodiscard]] auto after() const noexcept -> std::span<std::byte> {
    return {bytes().data() + size_, canary_size};
  }

  void set_guard([[maybe_unused]] bool on) const noexcept {
#if defined(WEIR_TEST_ADDRESS_SANITIZER)
    for (const auto part : {before(), after()}) {
      if (on) {
        __asan_poison_memory_region(part.data(), part.size());
      } else {
        __asan_unpoison_memory_region(part.data(), part.size());
      }
    }
#endif
  }

  std::size_t size_;
  std::size_t mapped_;
  std::byte* base_ = nullptr;
};

}  // namespace weir::test
