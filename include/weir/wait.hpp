// SPDX-License-Identifier: MIT
/// How a thread waits: wait policies, the park word, stop words.
///
/// Memory       one park word per direction, on a line of its own:
///                bit 0       somebody is about to sleep, or sleeps
///                bits 1..31  ticket; every ring of the bell moves on to the next one
/// Edges        W1, W2 <-> K1, K2  sleeper and bell (table below)     K3 -> W3  a stop
/// Progress     poll: wait-free. spin, backoff, park: until the condition, the deadline, stop or close.
/// Wrap, ABA    a sleeper misses a ring of the bell only if exactly 2^31 of them pass between its
///              announcement and its sleep; each is a system call, so that is over ten minutes.
///
/// The handshake. A sleeper announces itself and looks once more; a publisher publishes and looks for an
/// announcement. One of them must see the other:
///
///   publisher                          sleeper
///   commit word = size        [P…]     park |= 1              [W1]
///   fence                     [K1]     fence                  [W2]
///   park & 1 ?                         commit word != 0 ?     [C…]
///   forbidden: the publisher reads 0 and the sleeper reads 0 (a lost wake-up).
///
/// `fenced` runs a full fence at [K1] and [W2]; `asymmetric` runs a compiler barrier at [K1] and has the
/// kernel fence every core at [W2]. A read-modify-write in place of the fences is not enough.
///
/// Source       eventcounts (Reed and Kanodia 1979); the asymmetric split as in detail/fence.hpp.
#pragma once

#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>

namespace weir {

/// A caller's word that ends waits early. It may lie anywhere, in shared memory too, and must outlive
/// the waits it is given to. Set it through the ring that is waited on: ring.request_stop(word).
class stop_word {
 public:
  /// Thread  any.   Progress  wait-free.
  template <class Memory = native_memory>
  [[nodiscard]] auto requested() const noexcept -> bool {
    // [W3] acquire <- [K3].
    return Memory::load(&word_, std::memory_order_acquire) != 0;
  }

  /// Sets the word and wakes nobody. Thread  any.   Progress  wait-free.
  template <class Memory = native_memory>
  void request() noexcept {
    // [K3] release -> [W3]: whatever the requester did before it asked for the stop.
    Memory::store(&word_, 1, std::memory_order_release);
  }

 private:
  std::uint32_t word_ = 0;
};

/// A wake protocol, or none that was asked for. (An empty std::optional that is copied makes g++ 12 warn
/// of what it does not hold.)
class wake_choice {
 public:
  constexpr wake_choice() = default;
  constexpr wake_choice(wake_protocol asked) noexcept : asked_{asked}, any_{false} {}

  /// True if one was asked for.
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return !any_; }
  /// Needs  *this is true.
  [[nodiscard]] constexpr auto operator*() const noexcept -> wake_protocol { return asked_; }
  [[nodiscard]] auto operator==(const wake_choice&) const noexcept -> bool = default;

 private:
  wake_protocol asked_ = wake_protocol::none;
  bool any_ = true;
};

/// True for the outcomes that a wait is there to outlast.
[[nodiscard]] constexpr auto is_pending(status outcome) noexcept -> bool {
  return outcome == status::empty || outcome == status::full;
}

namespace detail {

inline constexpr std::uint32_t park_waiting = 1;
inline constexpr std::uint32_t ring_attempts = 64;

/// The protocol that was asked for, or, without one, the best of this platform.
template <class Memory>
[[nodiscard]] auto chosen_wake(wake_choice asked, bool across_processes) noexcept -> wake_protocol {
  if (asked) return *asked;
  return Memory::register_for_heavy_fence(across_processes) ? wake_protocol::asymmetric
                                                            : wake_protocol::fenced;
}

/// Whether a side that sleeps, or wakes sleepers, can keep a wake protocol in this process.
template <class Memory>
[[nodiscard]] auto can_keep(wake_protocol protocol, bool across_processes, bool sleeps) noexcept
    -> bool {
  if (sleeps && protocol == wake_protocol::none) return false;
  return protocol != wake_protocol::asymmetric ||
         Memory::register_for_heavy_fence(across_processes);
}

/// What a side counted while it waited.
struct wait_counters {
  std::uint32_t waits = 0;
  std::uint32_t late_wakes = 0;
};

/// One park word, seen from either side.
template <class Memory>
class park_bell {
 public:
  park_bell() = default;
  park_bell(std::uint32_t* word, wake_protocol protocol, bool across_processes) noexcept
      : word_{word}, protocol_{protocol}, across_processes_{across_processes} {}

  [[nodiscard]] auto protocol() const noexcept -> wake_protocol { return protocol_; }

  /// Announces a sleeper. The caller looks once more before it sleeps on the value returned.
  [[nodiscard]] auto announce() noexcept -> std::uint32_t {
    // [W1] acq_rel -> [K2] <- [K2]: the announcement; after a ring of the bell, all that preceded it.
    const auto before = Memory::fetch_or(word_, park_waiting, std::memory_order_acq_rel);
    if (protocol_ == wake_protocol::asymmetric) {
      Memory::heavy_fence(across_processes_);
    } else {
      // [W2] fence(seq_cst): the announcement is visible before the second look; pairs with [K1].
      Memory::fence(std::memory_order_seq_cst);
    }
    return before | park_waiting;
  }

  /// Needs  `ticket` came from announce().
  auto sleep(std::uint32_t ticket, deadline until) noexcept -> wait_result {
    return Memory::wait(word_, ticket, until);
  }

  /// True if nobody rang since `ticket` was given out.
  [[nodiscard]] auto unchanged(std::uint32_t ticket) const noexcept -> bool {
    // relaxed: statistics
    return Memory::load(word_, std::memory_order_relaxed) == ticket;
  }

  /// After a publication (at_flush: after the last one): wakes whoever announced itself.
  void ring_if_awaited() noexcept {
    if (protocol_ == wake_protocol::asymmetric) return ring_if_awaited_asymmetric();
    // [K1] fence(seq_cst): the publication is visible before the look; pairs with [W2].
    Memory::fence(std::memory_order_seq_cst);
    if (is_awaited()) [[unlikely]]
      ring();
  }

  /// The same. Needs  the asymmetric protocol.
  [[gnu::always_inline]] inline void ring_if_awaited_asymmetric() noexcept {
    Memory::light_fence();
    if (is_awaited()) [[unlikely]]
      ring();
  }

  /// True if somebody has announced itself since the last ring; without a fence, perhaps not yet seen.
  [[nodiscard, gnu::always_inline]] inline auto is_awaited() const noexcept -> bool {
    // relaxed: re-checked by [K2]
    return (Memory::load(word_, std::memory_order_relaxed) & park_waiting) != 0;
  }

  /// Moves on to the next ticket and wakes everybody, announced or not. Bounded: whoever keeps changing
  /// the word against us keeps everybody awake by that alone.
  [[gnu::noinline]] void ring() noexcept {
    // relaxed: re-checked by [K2]
    auto seen = Memory::load(word_, std::memory_order_relaxed);
    for (std::uint32_t attempt = 0; attempt < ring_attempts; ++attempt) {
      // [K2] acq_rel -> [W1] <- [W1]: all that preceded the bell.
      if (Memory::compare_exchange(word_, seen, (seen | park_waiting) + 1,
                                   std::memory_order_acq_rel,
                                   // relaxed: failed CAS, nothing read
                                   std::memory_order_relaxed)) {
        break;
      }
    }
    Memory::wake(word_);
  }

 private:
  std::uint32_t* word_ = nullptr;
  wake_protocol protocol_ = wake_protocol::none;
  bool across_processes_ = false;
};

/// One wait: what for, on which bell, until when.
template <class Memory, class Condition>
struct wait_request {
  park_bell<Memory>& bell;
  /// look() -> status: pending (empty, full) or the answer. peer() -> status: ok, or peer_dead.
  Condition& condition;
  deadline until;
  const stop_word* stop;
  wait_counters& counters;

  /// One look, in the order in which the answers count.
  [[nodiscard]] auto look() noexcept -> status {
    const auto outcome = condition.look();
    if (!is_pending(outcome)) return outcome;
    const bool stopped = stop != nullptr && stop->template requested<Memory>();
    return stopped ? status::stopped : outcome;
  }

  [[nodiscard]] auto expired() const noexcept -> bool {
    return until != no_deadline && Memory::now() >= until;
  }
};

/// Spin hints that a read may linger where throughput comes before latency: 5 to 13 us. Measured: the
/// longer the better up to here, in rings that do not fill meanwhile (bench/README.md).
inline constexpr std::uint32_t linger_hints = 512;

/// Looks between which a spinning thread asks for the time: a clock read costs about 20 looks.
inline constexpr std::uint32_t looks_per_clock_read = 64;

}  // namespace detail

/// Never waits: one look. For the page's main thread, audio callbacks, event loops. The reference.
struct poll {
  static constexpr bool parks = false;
  static constexpr bool blocks = false;
  static constexpr std::uint32_t linger = 0;

  template <class Memory, class Condition>
  static auto await(detail::wait_request<Memory, Condition> request) noexcept -> status {
    return request.look();
  }
};

/// Looks again and again, with a spin hint in between, and keeps the core. Lowest latency.
struct spin {
  static constexpr bool parks = false;
  static constexpr bool blocks = true;
  static constexpr std::uint32_t linger = 0;

  template <class Memory, class Condition>
  static auto await(detail::wait_request<Memory, Condition> request) noexcept -> status {
    for (std::uint32_t looks = 1;; ++looks) {
      const auto outcome = request.look();
      if (!is_pending(outcome)) return outcome;
      if (looks % detail::looks_per_clock_read == 0 && request.expired()) return status::timed_out;
      Memory::pause();
    }
  }
};

/// Spins in growing steps, then gives the core away between looks. Needs no help from the other side.
struct backoff {
  static constexpr bool parks = false;
  static constexpr bool blocks = true;
  static constexpr std::uint32_t linger = detail::linger_hints;
  /// Spin hints in the longest step: a few hundred ns, about the price of one yield.
  static constexpr std::uint32_t longest_step = 32;

  template <class Memory, class Condition>
  static auto await(detail::wait_request<Memory, Condition> request) noexcept -> status {
    for (std::uint32_t step = 1;;) {
      const auto outcome = request.look();
      if (!is_pending(outcome)) return outcome;
      if (step <= longest_step) {
        for (std::uint32_t hints = 0; hints < step; ++hints) Memory::pause();
        step *= 2;
      } else {
        if (request.expired()) return status::timed_out;
        Memory::yield();
      }
    }
  }
};

/// Spins for `Looks` looks, then sleeps in the kernel until the other side rings. No wake-up is lost.
template <std::uint32_t Looks>
struct park_after {
  static constexpr bool parks = true;
  static constexpr bool blocks = true;
  static constexpr std::uint32_t linger = detail::linger_hints;
  /// Looks before the first sleep, a spin hint apart.
  static constexpr std::uint32_t looks_before_sleep = Looks;
  /// Longest sleep: how often a sleeper asks whether its peer is still alive.
  static constexpr std::chrono::milliseconds longest_sleep{250};

  template <class Memory, class Condition>
  static auto await(detail::wait_request<Memory, Condition> request) noexcept -> status {
    for (std::uint32_t looks = 0; looks < looks_before_sleep; ++looks) {
      const auto outcome = request.look();
      if (!is_pending(outcome)) return outcome;
      Memory::pause();
    }
    for (;;) {
      const auto ticket = request.bell.announce();
      const auto outcome = request.look();
      if (!is_pending(outcome)) return outcome;
      if (request.expired()) return status::timed_out;
      ++request.counters.waits;
      const auto until = std::min(request.until, Memory::now() + longest_sleep);
      if (request.bell.sleep(ticket, until) != wait_result::timed_out) continue;
      const auto late = request.look();
      if (late == status::ok && request.bell.unchanged(ticket)) ++request.counters.late_wakes;
      if (!is_pending(late)) return late;
      if (const auto peer = request.condition.peer(); peer != status::ok) {
        const auto last = request.look();  // what the peer published before it died
        return is_pending(last) ? peer : last;
      }
    }
  }
};

/// 1000 looks are some ten us, where a sleep and its wake-up cost 60 us between two virtual cores
/// (bench/README.md).
using park = park_after<1000>;

/// What every wait policy offers; `poll` is the reference. `parks`: sleeps on the bell, so the ring's
/// wake protocol must ring it. `blocks`: may take longer than one look. `linger`: spin hints that a read
/// may spend, after a run of records, before it says that there are no more.
template <class Wait>
concept wait_policy = requires {
  { Wait::parks } -> std::convertible_to<bool>;
  { Wait::blocks } -> std::convertible_to<bool>;
  { Wait::linger } -> std::convertible_to<std::uint32_t>;
};

namespace detail {

/// Waits as the policy says; where the memory cannot wait (inline mode), looks once and says so.
template <wait_policy Wait, class Memory, class Condition>
[[nodiscard]] auto await(wait_request<Memory, Condition> request) noexcept -> status {
  if constexpr (Memory::can_wait || !Wait::blocks) {
    return Wait::await(request);
  } else {
    const auto outcome = request.look();
    return is_pending(outcome) ? status::would_block : outcome;
  }
}

}  // namespace detail

}  // namespace weir
