// SPDX-License-Identifier: MIT
/// A doorbell as a file descriptor, for event loops (epoll, poll, select). Linux only; not part of weir.hpp.
///
/// The kernel has no descriptor that follows a futex, so a thread of the caller's sleeps on the doorbell in
/// the loop's place: it runs forward(). Nobody else needs to know: producers ring the doorbell as ever.
///
/// One cycle    forward: announce a sleeper; signal the descriptor; sleep until the bell rings; wait until
///              the loop has acknowledged the last signal
///              loop: woken by the descriptor, acknowledge(), then read what is there
/// Nothing lost a publication before the announcement is seen by the look that its signal asks for; one
///              after it rings the bell, and so there is another cycle (the handshake of wait.hpp)
/// Cost         per cycle a wake-up of the forwarding thread, two system calls there and one for
///              acknowledge(); a producer pays for one wake-up per cycle, so a busy loop is not rung for
///              oftener than it turns. A cycle may end in a look that finds nothing.
/// Dead peers   a publisher that dies after its publication and before it rings wakes nobody. Where that may
///              happen, give the loop's wait a time-out, and look; parked consumers look every 250 ms.
/// Progress     forward() as wait(); everything else wait-free
#pragma once

#include <weir/doorbell.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace weir {

/// Owns an eventfd. Move-only; must not move while a thread forwards.
class eventfd_bridge {
 public:
  /// Returns  a bridge; unsupported: the kernel gives out no descriptor.
  [[nodiscard]] static auto make() noexcept -> result<eventfd_bridge> {
    const int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0) return status::unsupported;
    return eventfd_bridge{made};
  }

  eventfd_bridge(eventfd_bridge&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  auto operator=(eventfd_bridge&&) -> eventfd_bridge& = delete;
  ~eventfd_bridge() {
    if (fd_ >= 0) close(fd_);
  }

  /// Readable (EPOLLIN, level- or edge-triggered) when it is time to look. Stays the bridge's.
  [[nodiscard]] auto fd() const noexcept -> int { return fd_; }

  /// The loop was woken. Call it before looking for records: a signal that follows wakes the loop again.
  /// Thread  the loop's.   Progress  wait-free.
  void acknowledge() const noexcept {
    std::uint64_t count = 0;
    static_cast<void>(!read(fd_, &count, sizeof count));
  }

  /// Passes every ring of the bell on to the descriptor, and signals once at the beginning.
  ///
  /// Returns  stopped (request it through the doorbell); timed_out; unsupported: the doorbell's protocol is
  ///          none, or this process cannot keep it.
  /// Thread   any one, for as long as the loop runs; not the loop's own. A stop is seen at once, or, while
  ///          the loop leaves a signal unacknowledged, after at most 50 ms.
  template <memory_policy Memory>
  [[nodiscard]] auto forward(const doorbell<Memory>& bell, const stop_word* stop,
                             deadline until = no_deadline) const noexcept -> status {
    static_assert(Memory::can_wait, "weir: in the inline mode nobody else rings the bell");
    if (!detail::can_keep<Memory>(bell.protocol(), bell.process_shared(), true)) {
      return status::unsupported;
    }
    detail::park_bell<Memory> sleeper{bell.park_word(), bell.protocol(), bell.process_shared()};
    const auto over = [&] {
      if (stop != nullptr && stop->requested<Memory>()) return status::stopped;
      return until != no_deadline && Memory::now() >= until ? status::timed_out : status::ok;
    };
    for (;;) {
      const auto ticket = sleeper.announce();
      if (const auto outcome = over(); outcome != status::ok) return outcome;
      signal();
      while (sleeper.unchanged(ticket)) {
        if (const auto outcome = over(); outcome != status::ok) return outcome;
        static_cast<void>(sleeper.sleep(ticket, until));
      }
      while (!acknowledged()) {
        if (const auto outcome = over(); outcome != status::ok) return outcome;
      }
    }
  }

 private:
  /// An eventfd that holds so much takes no more until it is read (eventfd(2)).
  static constexpr std::uint64_t full_count = 0xFFFF'FFFF'FFFF'FFFE;
  static constexpr int longest_poll_ms = 50;

  explicit eventfd_bridge(int fd) noexcept : fd_{fd} {}

  void signal() const noexcept { static_cast<void>(!write(fd_, &full_count, sizeof full_count)); }

  /// Waits for a moment until the descriptor was read.
  [[nodiscard]] auto acknowledged() const noexcept -> bool {
    pollfd writable{fd_, POLLOUT, 0};
    return ::poll(&writable, 1, longest_poll_ms) > 0;
  }

  int fd_;
};

}  // namespace weir
