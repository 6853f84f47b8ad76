// SPDX-License-Identifier: MIT
/// Child processes that end with their parent, on Linux.
#pragma once

#include "command_line.hpp"
#include "shared_memory.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace example {

/// One child. Killed and buried when it goes, if it still runs.
class child_process {
 public:
  /// Needs  one thread in this process. `body` (-> exit status) runs in the child, which complains in the
  ///        name of `program`.
  template <class Body>
  child_process(const char* program, Body body) {
    const auto parent = getpid();
    id_ = fork();
    if (id_ < 0) fail("fork");
    if (id_ != 0) return;
    // Nothing of the parent's may be destroyed twice, nor its buffers be flushed twice: _exit.
    _exit(guarded(program, [&] {
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

  /// False once end() has said how it ended.
  [[nodiscard]] auto runs() const noexcept -> bool { return id_ > 0; }

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

}  // namespace example
