// SPDX-License-Identifier: MIT
/// A way for a parent to wait for its children without a thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>

namespace log_collector {

/// Keeps SIGINT, SIGTERM and SIGCHLD for next(). A child inherits the blocking: an interrupt from the
/// terminal reaches the parent alone, which ends the others in order.
class signal_queue {
 public:
  signal_queue() {
    sigemptyset(&awaited_);
    for (const int one : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&awaited_, one);
    std::signal(SIGCHLD, SIG_DFL);  // inherited as ignored, it would bury the children itself
    sigprocmask(SIG_BLOCK, &awaited_, &before_);
  }
  signal_queue(const signal_queue&) = delete;
  auto operator=(const signal_queue&) -> signal_queue& = delete;
  ~signal_queue() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

  /// Waits for one of them. Returns  its number; 0 when the time is over.
  [[nodiscard]] auto next(std::chrono::steady_clock::time_point until) const -> int {
    using namespace std::chrono;
    const auto left = std::max(nanoseconds{until - steady_clock::now()}, nanoseconds{0});
    const timespec time{.tv_sec = duration_cast<seconds>(left).count(),
                        .tv_nsec = (left % seconds{1}).count()};
    const int found = sigtimedwait(&awaited_, nullptr, &time);
    return found < 0 ? 0 : found;
  }

 private:
  sigset_t awaited_{};
  sigset_t before_{};
};

}  // namespace log_collector
