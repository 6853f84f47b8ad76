// SPDX-License-Identifier: MIT
/// Fences: the ordinary one, and the asymmetric pair.
///
/// A thread that announces that it will sleep, and a thread that publishes, must each see the other's
/// store or be seen: store, full fence, load on both sides (wait.hpp has the table). A full fence per
/// publication costs ten times the publication itself. The asymmetric pair moves both costs to the
/// sleeper: the publisher runs `light_fence` (a compiler barrier), the sleeper runs `heavy_fence`, which
/// makes the kernel execute a full fence on every core that runs a registered process.
///
/// Source  membarrier(2); the same split is in folly's AsymmetricThreadFence and liburcu's sys_membarrier.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#error \
    "weir: no membarrier here; format rings with wake_protocol::fenced once this platform is ported"
#endif

#if defined(__SANITIZE_THREAD__)
#define WEIR_DETAIL_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_DETAIL_THREAD_SANITIZER 1
#endif
#endif

namespace weir::detail {

#if defined(WEIR_DETAIL_THREAD_SANITIZER)
/// ThreadSanitizer has no model of fences: a read-modify-write of one common word is one it does model.
inline std::uint32_t fence_word = 0;
[[gnu::always_inline]] inline void thread_fence(std::memory_order) noexcept {
  __atomic_fetch_add(&fence_word, 0U, __ATOMIC_SEQ_CST);
}
#else
[[gnu::always_inline]] inline void thread_fence(std::memory_order order) noexcept {
  std::atomic_thread_fence(order);
}
#endif

/// The publisher's half: the compiler may not move the load before the store. Free at run time.
[[gnu::always_inline]] inline void light_fence() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

[[nodiscard]] inline auto membarrier(int command) noexcept -> bool {
  return syscall(SYS_membarrier, command, 0U, 0) == 0;
}

/// Makes this process one that a heavy fence reaches. Needed once per process, cheap when repeated.
/// Returns  false where the kernel has no membarrier, or forbids it.
[[nodiscard]] inline auto register_for_heavy_fence(bool across_processes) noexcept -> bool {
  return membarrier(across_processes ? MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED
                                     : MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

/// The sleeper's half: a full fence in every thread of the registered processes. About 8 us inside one
/// process and 17 us across processes, so it stands only where a thread is about to sleep anyway.
inline void heavy_fence(bool across_processes) noexcept {
  thread_fence(std::memory_order_seq_cst);
  static_cast<void>(membarrier(across_processes ? MEMBARRIER_CMD_GLOBAL_EXPEDITED
                                                : MEMBARRIER_CMD_PRIVATE_EXPEDITED));
}

}  // namespace weir::detail
