// SPDX-License-Identifier: MIT
/// The blocking seam: sleep while a word holds a value, wake everybody who sleeps on it.
///
/// Returning says nothing about the word: wake-ups may be spurious or belong to an earlier value, so
/// every caller loops on its own condition.
///
/// Linux        futex without the PRIVATE flag, so that it works in memory that processes share.
/// Elsewhere    std::atomic::wait where no deadline is asked for, else sleeping in slices. Both are
///              built and tested on Linux through the macros of config.hpp. Inside one process only:
///              libstdc++ keeps its count of waiters in the process, so its notify skips the system call
///              that would wake another one.
#pragma once

#include <weir/config.hpp>

#include <chrono>
#include <cstdint>

#if defined(WEIR_FORCE_STD_ATOMIC_WAIT) || defined(WEIR_FORCE_SLEEP_POLL_WAIT)
#include <time.h>
#include <atomic>
#elif defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <climits>
#else
#error "weir: no futex here; define WEIR_FORCE_STD_ATOMIC_WAIT or WEIR_FORCE_SLEEP_POLL_WAIT"
#endif

namespace weir {

/// A point on the local monotonic clock; never stored in shared memory.
using deadline = std::chrono::steady_clock::time_point;

/// Wait as long as it takes.
inline constexpr deadline no_deadline = deadline::max();

/// Why a sleep ended. Everything but would_block is a reason to look again.
enum class wait_result : std::uint32_t {
  woken,        ///< somebody woke this thread, or nobody did: look again
  not_equal,    ///< the word held another value already
  timed_out,    ///< the deadline passed
  would_block,  ///< this memory policy never sleeps
};

namespace detail {

#if defined(WEIR_FORCE_STD_ATOMIC_WAIT) || defined(WEIR_FORCE_SLEEP_POLL_WAIT)

/// Longest a fallback sleeps between two looks: bounds the latency of a wake-up that it cannot hear.
inline constexpr std::chrono::nanoseconds longest_slice = std::chrono::milliseconds{1};

inline auto sleep_polling(const std::uint32_t* word, std::uint32_t expected,
                          deadline until) noexcept -> wait_result {
  std::chrono::nanoseconds slice = std::chrono::microseconds{10};
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == expected) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= until) return wait_result::timed_out;
    const auto left = until - now;
    const auto pause = slice < left ? slice : std::chrono::nanoseconds{left};
    const timespec request{0, static_cast<long>(pause.count())};
    nanosleep(&request, nullptr);
    slice = slice * 2 < longest_slice ? slice * 2 : longest_slice;
  }
  return wait_result::woken;
}
#endif

#if defined(WEIR_FORCE_SLEEP_POLL_WAIT)

inline auto wait_until_different(const std::uint32_t* word, std::uint32_t expected,
                                 deadline until) noexcept -> wait_result {
  return sleep_polling(word, expected, until);
}

/// The sleepers look by themselves.
inline void wake_all(const std::uint32_t*) noexcept {}

#elif defined(WEIR_FORCE_STD_ATOMIC_WAIT)

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
              std::atomic<std::uint32_t>::is_always_lock_free);

/// std::atomic_ref would say it better; libc++ had none before version 19.
inline auto as_atomic(const std::uint32_t* word) noexcept -> std::atomic<std::uint32_t>& {
  return *reinterpret_cast<std::atomic<std::uint32_t>*>(const_cast<std::uint32_t*>(word));
}

inline auto wait_until_different(const std::uint32_t* word, std::uint32_t expected,
                                 deadline until) noexcept -> wait_result {
  if (until != no_deadline) return sleep_polling(word, expected, until);
  as_atomic(word).wait(expected, std::memory_order_relaxed);
  return wait_result::woken;
}

inline void wake_all(const std::uint32_t* word) noexcept { as_atomic(word).notify_all(); }

#else

/// The kernel's own timespec for this call: two longs, whatever the C library calls time_t.
struct kernel_timespec {
  long seconds;
  long nanoseconds;
};

inline auto wait_until_different(const std::uint32_t* word, std::uint32_t expected,
                                 deadline until) noexcept -> wait_result {
  kernel_timespec absolute{};
  const kernel_timespec* limit = nullptr;
  if (until != no_deadline) {
    const auto since_boot = until.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    if (seconds.count() < 0) return wait_result::timed_out;
    absolute = {static_cast<long>(seconds.count()),
                static_cast<long>(std::chrono::nanoseconds{since_boot - seconds}.count())};
    limit = &absolute;
  }
  // FUTEX_WAIT_BITSET, because it alone takes an absolute time on the monotonic clock.
  const long done =
      syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, limit, nullptr, FUTEX_BITSET_MATCH_ANY);
  if (done == 0 || errno == EINTR) return wait_result::woken;
  return errno == ETIMEDOUT ? wait_result::timed_out : wait_result::not_equal;
}

inline void wake_all(const std::uint32_t* word) noexcept {
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

#endif

}  // namespace detail
}  // namespace weir
