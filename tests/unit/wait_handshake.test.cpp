// SPDX-License-Identifier: MIT
// Proved: in the given number of handshakes, with both threads dawdling at random between their steps, no
// sleeper is left asleep. Not provable by running: that no execution loses a wake-up; that needs a model.
// Built three times: with the platform's futex, and with each fallback forced.
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/wait.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <thread>

using weir::native_memory;
using weir::wake_protocol;
using weir::detail::park_bell;
using weir::test::seeded_random;

namespace {

#if defined(WEIR_FORCE_SLEEP_POLL_WAIT)
constexpr std::uint32_t handshakes = weir::test::scaled(4'000);  // its sleepers look by themselves
#else
constexpr std::uint32_t handshakes = weir::test::scaled(100'000);
#endif

/// One direction: a number that only grows, and the bell for it.
struct alignas(256) direction {
  std::uint32_t number = 0;
  alignas(128) std::uint32_t park_word = 0;
};

void dawdle(seeded_random& random) {
  for (auto hints = random.once_in(4) ? random.below(200) : 0; hints != 0; --hints) {
    native_memory::pause();
  }
}

class side {
 public:
  side(direction& out, direction& in, wake_protocol protocol, bool across, std::uint64_t seed)
      : out_{out},
        in_{in},
        out_bell_{&out.park_word, protocol, across},
        in_bell_{&in.park_word, protocol, across},
        random_{seed} {}

  void publish(std::uint32_t number) {
    dawdle(random_);
    native_memory::store(&out_.number, number, std::memory_order_release);
    out_bell_.ring_if_awaited();
  }

  /// Waits for `number`. Returns  false: nobody woke this thread although it was there.
  auto receive(std::uint32_t number) -> bool {
    for (;;) {
      dawdle(random_);
      const auto ticket = in_bell_.announce();
      if (there(number)) return true;
      const auto result = in_bell_.sleep(ticket, until());
      if (result == weir::wait_result::timed_out) return !there(number);
    }
  }

 private:
  [[nodiscard]] auto there(std::uint32_t number) const -> bool {
    return native_memory::load(&in_.number, std::memory_order_acquire) == number;
  }

  static auto until() -> weir::deadline {
#if defined(WEIR_FORCE_STD_ATOMIC_WAIT)
    return weir::no_deadline;  // with a deadline it would not use std::atomic::wait
#else
    return native_memory::now() + std::chrono::seconds{30};
#endif
  }

  direction& out_;
  direction& in_;
  park_bell<native_memory> out_bell_;
  park_bell<native_memory> in_bell_;
  seeded_random random_;
};

/// Two threads that answer each other; each answer is a handshake. Returns  wake-ups lost.
auto lost_in_ping_pong(wake_protocol protocol, bool across, std::uint64_t seed) -> std::uint32_t {
  direction there;
  direction back;
  std::array<std::uint32_t, 2> lost{};
  std::thread answering{[&] {
    side mine{back, there, protocol, across, seed + 1};
    for (std::uint32_t round = 1; round <= handshakes / 2; ++round) {
      if (!mine.receive(round)) ++lost[0];
      mine.publish(round);
    }
  }};
  side mine{there, back, protocol, across, seed};
  for (std::uint32_t round = 1; round <= handshakes / 2; ++round) {
    mine.publish(round);
    if (!mine.receive(round)) ++lost[1];
  }
  answering.join();
  return lost[0] + lost[1];
}

}  // namespace

TEST_CASE("no_wake_up_is_lost_where_the_publisher_fences") {
  const weir::test::watchdog watchdog;
  const auto seed = weir::test::fresh_seed("fenced handshakes");
  CHECK(lost_in_ping_pong(wake_protocol::fenced, false, seed) == 0);
}

TEST_CASE("no_wake_up_is_lost_where_the_sleeper_pays_for_both") {
  const weir::test::watchdog watchdog;
  const auto seed = weir::test::fresh_seed("asymmetric handshakes");
  REQUIRE(native_memory::register_for_heavy_fence(false));
  CHECK(lost_in_ping_pong(wake_protocol::asymmetric, false, seed) == 0);
}

TEST_CASE("no_wake_up_is_lost_where_the_sleeper_pays_across_processes") {
  const weir::test::watchdog watchdog;
  const auto seed = weir::test::fresh_seed("asymmetric handshakes across processes");
  REQUIRE(native_memory::register_for_heavy_fence(true));
  CHECK(lost_in_ping_pong(wake_protocol::asymmetric, true, seed) == 0);
}

TEST_CASE("no_wake_up_is_lost_where_the_flush_rings") {
  const weir::test::watchdog watchdog;
  const auto seed = weir::test::fresh_seed("flush handshakes");
  CHECK(lost_in_ping_pong(wake_protocol::at_flush, false, seed) == 0);
}
