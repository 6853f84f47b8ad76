// SPDX-License-Identifier: MIT
/// Turns a hang into a failure. It is no limit on speed: its time is far beyond what any run needs.
#pragma once

#include <unistd.h>
#include <csignal>
#include <cstdlib>

namespace weir::test {

class watchdog {
 public:
  explicit watchdog(unsigned seconds = 240) noexcept {
    std::signal(SIGALRM, [](int) {
      static constexpr char message[] = "watchdog: the test hangs\n";
      static_cast<void>(!write(STDERR_FILENO, message, sizeof message - 1));
      std::abort();
    });
    alarm(seconds);
  }
  watchdog(const watchdog&) = delete;
  auto operator=(const watchdog&) -> watchdog& = delete;
  ~watchdog() { alarm(0); }
};

}  // namespace weir::test
