// SPDX-License-Identifier: MIT
/// Memory policies for tests: each is native_memory with something before every access.
#pragma once

#include "support/random.hpp"

#include <weir/memory.hpp>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::test {

/// What a watching policy is told of.
enum class access_kind {
  load,
  store,
  modify,
  fence,
  light_fence,
  heavy_fence,
  copy,
  pause,
  wait,
  wake
};

/// native_memory, with `Watch::before(kind, address)` in front, and loads that pass through
/// `Watch::loaded(address, value)`, of 32 and of 64 bits.
template <class Watch>
struct watched_memory : native_memory {
  static auto load(const std::uint32_t* word, std::memory_order order) noexcept -> std::uint32_t {
    Watch::before(access_kind::load, word);
    return Watch::loaded(word, native_memory::load(word, order));
  }
  static void store(std::uint32_t* word, std::uint32_t value, std::memory_order order) noexcept {
    Watch::before(access_kind::store, word);
    native_memory::store(word, value, order);
  }
  static auto exchange(std::uint32_t* word, std::uint32_t value, std::memory_order order) noexcept
      -> std::uint32_t {
    Watch::before(access_kind::modify, word);
    return native_memory::exchange(word, value, order);
  }
  static auto fetch_add(std::uint32_t* word, std::uint32_t value, std::memory_order order) noexcept
      -> std::uint32_t {
    Watch::before(access_kind::modify, word);
    return native_memory::fetch_add(word, value, order);
  }
  static auto fetch_or(std::uint32_t* word, std::uint32_t value, std::memory_order order) noexcept
      -> std::uint32_t {
    Watch::before(access_kind::modify, word);
    return native_memory::fetch_or(word, value, order);
  }
  static auto compare_exchange(std::uint32_t* word, std::uint32_t& expected, std::uint32_t desired,
                               std::memory_order success, std::memory_order failure) noexcept
      -> bool {
    Watch::before(access_kind::modify, word);
    return native_memory::compare_exchange(word, expected, desired, success, failure);
  }
  static auto load64(const std::uint64_t* word, std::memory_order order) noexcept -> std::uint64_t {
    Watch::before(access_kind::load, word);
    return Watch::loaded(word, native_memory::load64(word, order));
  }
  static void store64(std::uint64_t* word, std::uint64_t value, std::memory_order order) noexcept {
    Watch::before(access_kind::store, word);
    native_memory::store64(word, value, order);
  }
  static auto fetch_or64(std::uint64_t* word, std::uint64_t value, std::memory_order order) noexcept
      -> std::uint64_t {
    Watch::before(access_kind::modify, word);
    return native_memory::fetch_or64(word, value, order);
  }
  static auto cas64(std::uint64_t* word, std::uint64_t& expected, std::uint64_t desired,
                    std::memory_order success, std::memory_order failure) noexcept -> bool {
    Watch::before(access_kind::modify, word);
    return native_memory::cas64(word, expected, desired, success, failure);
  }
  static void fence(std::memory_order order) noexcept {
    Watch::before(access_kind::fence, nullptr);
    native_memory::fence(order);
  }
  static void light_fence() noexcept {
    Watch::before(access_kind::light_fence, nullptr);
    native_memory::light_fence();
  }
  static void heavy_fence(bool across_processes) noexcept {
    Watch::before(access_kind::heavy_fence, nullptr);
    native_memory::heavy_fence(across_processes);
  }
  static void copy_in(void* shared, const void* from, std::size_t size) noexcept {
    Watch::before(access_kind::copy, shared);
    native_memory::copy_in(shared, from, size);
  }
  static void copy_out(void* to, const void* shared, std::size_t size) noexcept {
    Watch::before(access_kind::copy, shared);
    native_memory::copy_out(to, shared, size);
  }
  static void clear(void* shared, std::size_t size) noexcept {
    Watch::before(access_kind::copy, shared);
    native_memory::clear(shared, size);
  }
  /// Each word is an access of its own: a watch may stop, or kill, between two of them.
  static void copy_in_words(std::uint32_t* shared, const void* from, std::size_t size) noexcept {
    for (const auto* source = static_cast<const std::byte*>(from); size != 0;) {
      std::uint32_t word = 0;
      const auto part = std::min(size, sizeof word);
      std::memcpy(&word, source, part);
      store(shared++, word, std::memory_order_relaxed);
      source += part;
      size -= part;
    }
  }
  static void copy_out_words(void* to, const std::uint32_t* shared, std::size_t size) noexcept {
    for (auto* target = static_cast<std::byte*>(to); size != 0;) {
      const auto word = load(shared++, std::memory_order_relaxed);
      const auto part = std::min(size, sizeof word);
      std::memcpy(target, &word, part);
      target += part;
      size -= part;
    }
  }
  static void pause() noexcept {
    Watch::before(access_kind::pause, nullptr);
    native_memory::pause();
  }
  static auto wait(const std::uint32_t* word, std::uint32_t expected, deadline until) noexcept
      -> wait_result {
    Watch::before(access_kind::wait, word);
    return native_memory::wait(word, expected, until);
  }
  static void wake(const std::uint32_t* word) noexcept {
    Watch::before(access_kind::wake, word);
    native_memory::wake(word);
  }
};

/// How often each kind of access happened in this thread.
struct access_counts {
  std::uint32_t loads = 0;
  std::uint32_t stores = 0;
  std::uint32_t modifies = 0;
  std::uint32_t fences = 0;
  std::uint32_t light_fences = 0;
  std::uint32_t heavy_fences = 0;
  std::uint32_t copies = 0;
  std::uint32_t pauses = 0;
  std::uint32_t waits = 0;
  std::uint32_t wakes = 0;

  [[nodiscard]] auto operator==(const access_counts&) const noexcept -> bool = default;
  [[nodiscard]] auto steps() const noexcept -> std::uint32_t { return loads + stores + modifies; }
};

struct counting_watch {
  static inline thread_local access_counts counts;

  static void before(access_kind what, const void*) noexcept {
    std::uint32_t* const each[] = {&counts.loads,  &counts.stores,       &counts.modifies,
                                   &counts.fences, &counts.light_fences, &counts.heavy_fences,
                                   &counts.copies, &counts.pauses,       &counts.waits,
                                   &counts.wakes};
    ++*each[static_cast<std::size_t>(what)];
  }
  static auto loaded(const void*, auto value) noexcept { return value; }
};

/// Counts the cost of an operation, in this thread.
struct count_memory : watched_memory<counting_watch> {
  template <class Operation>
  static auto cost_of(Operation&& operation) -> access_counts {
    counting_watch::counts = {};
    operation();
    return counting_watch::counts;
  }
};

/// Gives the core away, or dawdles, at random places.
struct chaos_watch {
  static inline std::atomic<std::uint64_t> seed{1};

  static void before(access_kind, const void*) noexcept {
    thread_local seeded_random random{seed.fetch_add(0x1234'5678'9ABC'DEF1)};
    const auto throw_of = random.next();
    if (throw_of % 1024 == 0) {
      detail::yield_thread();
    } else if (throw_of % 64 == 0) {
      for (auto hints = throw_of >> 26; hints != 0; --hints) detail::cpu_pause();
    }
  }
  static auto loaded(const void*, auto value) noexcept { return value; }
};
struct chaos_memory : watched_memory<chaos_watch> {};

/// Loads show what an attacker wants: `lie` sees every load and answers in its place.
struct lying_watch {
  static inline thread_local auto (*lie)(const std::uint32_t* word, std::uint32_t value) noexcept
      -> std::uint32_t = nullptr;

  static void before(access_kind, const void*) noexcept {}
  static auto loaded(const std::uint32_t* word, std::uint32_t value) noexcept -> std::uint32_t {
    return lie != nullptr ? lie(word, value) : value;
  }
  /// Both halves of a wide word are lied about.
  static auto loaded(const std::uint64_t* word, std::uint64_t value) noexcept -> std::uint64_t {
    const auto* const halves = reinterpret_cast<const std::uint32_t*>(word);
    const auto low = loaded(halves, static_cast<std::uint32_t>(value));
    const auto high = loaded(halves + 1, static_cast<std::uint32_t>(value >> 32));
    return std::uint64_t{high} << 32 | low;
  }
};
struct adversary_memory : watched_memory<lying_watch> {};

/// Kills the process before one chosen access.
struct crashing_watch {
  static constexpr std::uint32_t never = 0;
  static inline std::uint32_t left = never;  ///< accesses to go; 1: the next one is fatal

  static void before(access_kind, const void*) noexcept {
    if (left != never && --left == 0) kill(getpid(), SIGKILL);
  }
  static auto loaded(const void*, auto value) noexcept { return value; }
};
struct crash_memory : watched_memory<crashing_watch> {
  static void die_before_access(std::uint32_t number) noexcept { crashing_watch::left = number; }
};

static_assert(memory_policy<count_memory> && memory_policy<chaos_memory> &&
              memory_policy<adversary_memory> && memory_policy<crash_memory>);

}  // namespace weir::test
