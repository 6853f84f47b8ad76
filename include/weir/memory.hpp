// SPDX-License-Identifier: MIT
/// How shared words are touched.
///
/// Every algorithm takes its memory through one stateless policy of static functions over addresses.
/// `native_memory` is threads and processes; `plain_memory` is the inline mode: the same code, one
/// thread, a plain buffer. Tests bring further policies with the same members (model, chaos, adversary).
///
/// Orders are written as literals where a function is called, so that a tool can weaken each one.
/// Source  the shape follows Boehm's and C++20's atomic_ref; std::atomic_ref itself is missing from the
///         standard libraries of two supported toolchains, hence the compiler's own builtins.
#pragma once

#include <weir/detail/fence.hpp>
#include <weir/detail/futex.hpp>
#include <weir/detail/liveness.hpp>
#include <weir/detail/pause.hpp>
#include <weir/detail/relaxed_copy.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {

/// What the members of a memory policy are called and take. `native_memory` is the reference.
template <class Memory>
concept memory_policy = requires(std::uint32_t* word, std::uint32_t value, std::memory_order order,
                                 std::uint64_t* wide, std::uint64_t wide_value, void* to,
                                 const void* from, std::size_t size, deadline until) {
  { Memory::load(word, order) } noexcept -> std::same_as<std::uint32_t>;
  { Memory::store(word, value, order) } noexcept;
  { Memory::exchange(word, value, order) } noexcept -> std::same_as<std::uint32_t>;
  { Memory::fetch_add(word, value, order) } noexcept -> std::same_as<std::uint32_t>;
  { Memory::fetch_or(word, value, order) } noexcept -> std::same_as<std::uint32_t>;
  { Memory::compare_exchange(word, value, value, order, order) } noexcept -> std::same_as<bool>;
  { Memory::load64(wide, order) } noexcept -> std::same_as<std::uint64_t>;
  { Memory::store64(wide, wide_value, order) } noexcept;
  { Memory::fetch_or64(wide, wide_value, order) } noexcept -> std::same_as<std::uint64_t>;
  { Memory::cas64(wide, wide_value, wide_value, order, order) } noexcept -> std::same_as<bool>;
  { Memory::fence(order) } noexcept;
  { Memory::light_fence() } noexcept;
  { Memory::heavy_fence(true) } noexcept;
  { Memory::register_for_heavy_fence(true) } noexcept -> std::same_as<bool>;
  { Memory::copy_in(to, from, size) } noexcept;
  { Memory::copy_out(to, from, size) } noexcept;
  { Memory::clear(to, size) } noexcept;
  { Memory::copy_in_words(word, from, size) } noexcept;
  { Memory::copy_out_words(to, word, size) } noexcept;
  { Memory::pause() } noexcept;
  { Memory::yield() } noexcept;
  { Memory::wait(word, value, until) } noexcept -> std::same_as<wait_result>;
  { Memory::wake(word) } noexcept;
  { Memory::now() } noexcept -> std::same_as<deadline>;
  { Memory::self() } noexcept -> std::same_as<std::uint32_t>;
  { Memory::start_of(value) } noexcept -> std::same_as<std::uint32_t>;
  { Memory::alive(value, value) } noexcept -> std::same_as<bool>;
  { Memory::can_wait } -> std::convertible_to<bool>;
  { Memory::prefetches } -> std::convertible_to<bool>;
};

static_assert(static_cast<int>(std::memory_order_relaxed) == __ATOMIC_RELAXED &&
              static_cast<int>(std::memory_order_acquire) == __ATOMIC_ACQUIRE &&
              static_cast<int>(std::memory_order_release) == __ATOMIC_RELEASE &&
              static_cast<int>(std::memory_order_acq_rel) == __ATOMIC_ACQ_REL &&
              static_cast<int>(std::memory_order_seq_cst) == __ATOMIC_SEQ_CST);

/// Threads and processes of this machine.
struct native_memory {
  static constexpr bool can_wait = true;
  static constexpr bool prefetches = true;

  [[gnu::always_inline]] static inline auto load(const std::uint32_t* word,
                                                 std::memory_order order) noexcept
      -> std::uint32_t {
    return __atomic_load_n(word, static_cast<int>(order));
  }
  [[gnu::always_inline]] static inline void store(std::uint32_t* word, std::uint32_t value,
                                                  std::memory_order order) noexcept {
    __atomic_store_n(word, value, static_cast<int>(order));
  }
  [[gnu::always_inline]] static inline auto exchange(std::uint32_t* word, std::uint32_t value,
                                                     std::memory_order order) noexcept
      -> std::uint32_t {
    return __atomic_exchange_n(word, value, static_cast<int>(order));
  }
  [[gnu::always_inline]] static inline auto fetch_add(std::uint32_t* word, std::uint32_t value,
                                                      std::memory_order order) noexcept
      -> std::uint32_t {
    return __atomic_fetch_add(word, value, static_cast<int>(order));
  }
  [[gnu::always_inline]] static inline auto fetch_or(std::uint32_t* word, std::uint32_t value,
                                                     std::memory_order order) noexcept
      -> std::uint32_t {
    return __atomic_fetch_or(word, value, static_cast<int>(order));
  }
  /// On failure `expected` becomes what the word held.
  [[gnu::always_inline]] static inline auto compare_exchange(
      std::uint32_t* word, std::uint32_t& expected, std::uint32_t desired,
      std::memory_order success, std::memory_order failure) noexcept -> bool {
    return __atomic_compare_exchange_n(word, &expected, desired, false, static_cast<int>(success),
                                       static_cast<int>(failure));
  }

  /// Words of 64 bits: 8-aligned, on i386 too, and always touched whole.
  [[gnu::always_inline]] static inline auto load64(const std::uint64_t* word,
                                                   std::memory_order order) noexcept
      -> std::uint64_t {
    return __atomic_load_n(static_cast<const aligned_u64*>(word), static_cast<int>(order));
  }
  [[gnu::always_inline]] static inline void store64(std::uint64_t* word, std::uint64_t value,
                                                    std::memory_order order) noexcept {
    __atomic_store_n(static_cast<aligned_u64*>(word), value, static_cast<int>(order));
  }
  [[gnu::always_inline]] static inline auto fetch_or64(std::uint64_t* word, std::uint64_t value,
                                                       std::memory_order order) noexcept
      -> std::uint64_t {
    return __atomic_fetch_or(static_cast<aligned_u64*>(word), value, static_cast<int>(order));
  }
  /// On failure `expected` becomes what the word held.
  [[gnu::always_inline]] static inline auto cas64(std::uint64_t* word, std::uint64_t& expected,
                                                  std::uint64_t desired, std::memory_order success,
                                                  std::memory_order failure) noexcept -> bool {
    return __atomic_compare_exchange_n(static_cast<aligned_u64*>(word), &expected, desired, false,
                                       static_cast<int>(success), static_cast<int>(failure));
  }

  [[gnu::always_inline]] static inline void fence(std::memory_order order) noexcept {
    detail::thread_fence(order);
  }
  [[gnu::always_inline]] static inline void light_fence() noexcept { detail::light_fence(); }
  static void heavy_fence(bool across_processes) noexcept { detail::heavy_fence(across_processes); }
  [[nodiscard]] static auto register_for_heavy_fence(bool across_processes) noexcept -> bool {
    return detail::register_for_heavy_fence(across_processes);
  }

  /// Bytes that the protocol gives to this side alone: no other thread touches them meanwhile.
  [[gnu::always_inline]] static inline void copy_in(void* shared, const void* from,
                                                    std::size_t size) noexcept {
    if (size != 0) std::memcpy(shared, from, size);  // an empty span has no address
  }
  [[gnu::always_inline]] static inline void copy_out(void* to, const void* shared,
                                                     std::size_t size) noexcept {
    if (size != 0) std::memcpy(to, shared, size);
  }
  [[gnu::always_inline]] static inline void clear(void* shared, std::size_t size) noexcept {
    if (size != 0) std::memset(shared, 0, size);
  }

  /// Bytes that another thread may be touching too: relaxed words, the last one in part. What was read
  /// means something only once the protocol has found that nobody wrote meanwhile.
  [[gnu::always_inline]] static inline void copy_in_words(std::uint32_t* shared, const void* from,
                                                          std::size_t size) noexcept {
    detail::copy_in_words(shared, from, size);
  }
  [[gnu::always_inline]] static inline void copy_out_words(void* to, const std::uint32_t* shared,
                                                           std::size_t size) noexcept {
    detail::copy_out_words(to, shared, size);
  }

  [[gnu::always_inline]] static inline void pause() noexcept { detail::cpu_pause(); }
  static void yield() noexcept { detail::yield_thread(); }
  static auto wait(const std::uint32_t* word, std::uint32_t expected, deadline until) noexcept
      -> wait_result {
    return detail::wait_until_different(word, expected, until);
  }
  static void wake(const std::uint32_t* word) noexcept { detail::wake_all(word); }
  [[nodiscard]] static auto now() noexcept -> deadline { return std::chrono::steady_clock::now(); }

  [[nodiscard]] static auto self() noexcept -> std::uint32_t { return detail::current_process(); }
  [[nodiscard]] static auto start_of(std::uint32_t id) noexcept -> std::uint32_t {
    return detail::process_start(id);
  }
  [[nodiscard]] static auto alive(std::uint32_t id, std::uint32_t start) noexcept -> bool {
    return detail::process_alive(id, start);
  }

 private:
  using aligned_u64 [[gnu::aligned(8)]] = std::uint64_t;
  static_assert(__atomic_always_lock_free(sizeof(aligned_u64), nullptr),
                "weir: the claim words of several producers need 64-bit atomics without a lock");
};

/// One thread, a plain buffer: the inline mode. Nothing blocks, nothing is fenced, nobody dies.
struct plain_memory {
  static constexpr bool can_wait = false;
  static constexpr bool prefetches = false;

  static auto load(const std::uint32_t* word, std::memory_order) noexcept -> std::uint32_t {
    return *word;
  }
  static void store(std::uint32_t* word, std::uint32_t value, std::memory_order) noexcept {
    *word = value;
  }
  static auto exchange(std::uint32_t* word, std::uint32_t value, std::memory_order) noexcept
      -> std::uint32_t {
    const auto before = *word;
    *word = value;
    return before;
  }
  static auto fetch_add(std::uint32_t* word, std::uint32_t value, std::memory_order order) noexcept
      -> std::uint32_t {
    return exchange(word, *word + value, order);
  }
  static auto fetch_or(std::uint32_t* word, std::uint32_t value, std::memory_order order) noexcept
      -> std::uint32_t {
    return exchange(word, *word | value, order);
  }
  static auto compare_exchange(std::uint32_t* word, std::uint32_t& expected, std::uint32_t desired,
                               std::memory_order, std::memory_order) noexcept -> bool {
    const bool equal = *word == expected;
    expected = *word;
    if (equal) *word = desired;
    return equal;
  }
  static auto load64(const std::uint64_t* word, std::memory_order) noexcept -> std::uint64_t {
    return *word;
  }
  static void store64(std::uint64_t* word, std::uint64_t value, std::memory_order) noexcept {
    *word = value;
  }
  static auto fetch_or64(std::uint64_t* word, std::uint64_t value, std::memory_order) noexcept
      -> std::uint64_t {
    const auto before = *word;
    *word = before | value;
    return before;
  }
  static auto cas64(std::uint64_t* word, std::uint64_t& expected, std::uint64_t desired,
                    std::memory_order, std::memory_order) noexcept -> bool {
    const bool equal = *word == expected;
    expected = *word;
    if (equal) *word = desired;
    return equal;
  }

  static void fence(std::memory_order) noexcept {}
  static void light_fence() noexcept {}
  static void heavy_fence(bool) noexcept {}
  [[nodiscard]] static auto register_for_heavy_fence(bool) noexcept -> bool { return true; }

  static void copy_in(void* shared, const void* from, std::size_t size) noexcept {
    if (size != 0) std::memcpy(shared, from, size);  // an empty span has no address
  }
  static void copy_out(void* to, const void* shared, std::size_t size) noexcept {
    if (size != 0) std::memcpy(to, shared, size);
  }
  static void clear(void* shared, std::size_t size) noexcept {
    if (size != 0) std::memset(shared, 0, size);
  }
  static void copy_in_words(std::uint32_t* shared, const void* from, std::size_t size) noexcept {
    copy_in(shared, from, size);
  }
  static void copy_out_words(void* to, const std::uint32_t* shared, std::size_t size) noexcept {
    copy_out(to, shared, size);
  }

  static void pause() noexcept {}
  static void yield() noexcept {}
  static auto wait(const std::uint32_t*, std::uint32_t, deadline) noexcept -> wait_result {
    return wait_result::would_block;
  }
  static void wake(const std::uint32_t*) noexcept {}
  [[nodiscard]] static auto now() noexcept -> deadline { return std::chrono::steady_clock::now(); }

  [[nodiscard]] static auto self() noexcept -> std::uint32_t { return 1; }
  [[nodiscard]] static auto start_of(std::uint32_t) noexcept -> std::uint32_t { return 1; }
  [[nodiscard]] static auto alive(std::uint32_t, std::uint32_t) noexcept -> bool { return true; }
};

static_assert(memory_policy<native_memory>);
static_assert(memory_policy<plain_memory>);

}  // namespace weir
