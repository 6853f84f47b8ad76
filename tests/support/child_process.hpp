// SPDX-License-Identifier: MIT
/// A forked process for one test, and words that it shares with its parent.
#pragma once

#include "support/guarded_span.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace weir::test {

class child_process {
 public:
  static constexpr int killed = 1000;  ///< what wait() returns for a process that was killed

  /// Forks; the child runs `body` and exits with the int that it returns. It dies with its parent.
  template <class Body>
  explicit child_process(Body&& body) : id_{fork()} {
    if (id_ < 0) std::abort();
    if (id_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      _exit(body());
    }
  }
  child_process(const child_process&) = delete;
  auto operator=(const child_process&) -> child_process& = delete;
  ~child_process() { kill_and_reap(); }

  [[nodiscard]] auto id() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(id_);
  }

  /// Kills it and waits until it is a zombie: dead, but its id still taken.
  void kill_only() noexcept {
    ::kill(id_, SIGKILL);
    become_zombie();
  }

  /// Waits until it is a zombie.
  void become_zombie() noexcept {
    siginfo_t information{};
    waitid(P_PID, static_cast<id_t>(id_), &information, WEXITED | WNOWAIT);
  }

  void kill_and_reap() noexcept {
    if (id_ == 0) return;
    ::kill(id_, SIGKILL);
    static_cast<void>(wait());
  }

  /// Waits for its end and reaps it. Returns  its exit code, or `killed`.
  auto wait() noexcept -> int {
    int state = 0;
    waitpid(id_, &state, 0);
    id_ = 0;
    return WIFEXITED(state) ? WEXITSTATUS(state) : killed;
  }

 private:
  pid_t id_;
};

/// How far the other process has come: words in memory of their own, beside what is tested.
class shared_progress {
 public:
  void set(std::uint32_t index, std::uint32_t value) noexcept {
    __atomic_store_n(words_.word(index * 4), value, __ATOMIC_RELEASE);
  }
  [[nodiscard]] auto get(std::uint32_t index) const noexcept -> std::uint32_t {
    return __atomic_load_n(words_.word(index * 4), __ATOMIC_ACQUIRE);
  }
  void await(std::uint32_t index, std::uint32_t value) const noexcept {
    while (get(index) != value) sched_yield();
  }

 private:
  guarded_span words_{256};
};

/// For a child that is to be killed: it never returns.
[[noreturn]] inline void sleep_until_killed() noexcept {
  for (;;) pause();
}

}  // namespace weir::test
