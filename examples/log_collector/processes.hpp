// SPDX-License-Identifier: MIT
/// Child processes that end with their parent, and a way for the parent to wait without a thread.
#pragma once

#include "../command_line.hpp"
#include "shared_log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// One child. Killed and buried when it goes, if it still runs.
class child_process {
 public:
  /// Needs  one thread in this process. `body` (-> exit status) runs in the child.
  template <class Body>
  explicit child_process(Body body) {
    const auto parent = getpid();
    id_ = fork();
    if (id_ < 0) fail("fork");
    if (id_ != 0) return;
    // Nothing of the parent's may be destroyed twice, nor its buffers be flushed twice: _exit.
    _exit(example::guarded(program_name, [&] {
      if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("prctl");
      return getppid() == parent ? body() : 1;
    }));
  }
  child_process(child_process&& other) noexcept : id_{std::exchange(other.id_, 0)} {}
  auto operator=(child_process&& other) noexcept -> child_process& {
    std::swap(id_, other.id_);
    return *this;
  }
  ~child_process() {
    if (id_ <= 0) return;
    kill();
    static_cast<void>(waitpid(id_, nullptr, 0));
  }

  void kill() const noexcept {
    if (id_ > 0) ::kill(id_, SIGKILL);
  }

  /// Returns  how it ended, as waitpid says it; nothing if it has not and `wait` is false.
  [[nodiscard]] auto end(bool wait) -> std::optional<int> {
    int how = 0;
    for (;;) {
      const auto found = waitpid(id_, &how, wait ? 0 : WNOHANG);
      if (found == 0) return std::nullopt;
      if (found == id_) break;
      if (errno != EINTR) fail("waitpid");
    }
    id_ = 0;
    return how;
  }

 private:
  pid_t id_ = 0;
};

[[nodiscard]] inline auto was_killed(int how) -> bool {
  return WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL;
}

/// A child has failed, and has said why itself.
struct child_failure {};

/// Throws  unless it ended well.
inline void require_success(int how, const std::string& who) {
  if (WIFSIGNALED(how)) throw std::runtime_error{who + " died: " + strsignal(WTERMSIG(how))};
  if (WEXITSTATUS(how) != 0) throw child_failure{};
}

}  // namespace log_collector
