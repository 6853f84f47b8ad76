// SPDX-License-Identifier: MIT
// Built three times: with the platform's futex, and with each fallback forced.
#include "support/child_process.hpp"
#include "support/watchdog.hpp"

#include <weir/detail/futex.hpp>

#include <catch2/catch.hpp>

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

using weir::wait_result;
using weir::detail::wait_until_different;
using weir::detail::wake_all;
using namespace std::chrono_literals;

namespace {

auto after(std::chrono::nanoseconds time) -> weir::deadline {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace

TEST_CASE("a_word_that_differs_already_ends_the_wait_at_once") {
  const weir::test::watchdog watchdog;
  std::uint32_t word = 1;
  CHECK(wait_until_different(&word, 0, weir::no_deadline) != wait_result::timed_out);
  CHECK(wait_until_different(&word, 0, after(1h)) != wait_result::timed_out);
}

TEST_CASE("nobody_changes_the_word_and_the_deadline_ends_the_wait_not_too_early") {
  const weir::test::watchdog watchdog;
  std::uint32_t word = 1;
  for (const auto time : {0ns, 1ns, 999'999ns, 20'000'000ns}) {
    const auto until = after(time);
    auto result = wait_result::woken;
    while (result == wait_result::woken) result = wait_until_different(&word, 1, until);
    CHECK(result == wait_result::timed_out);
    CHECK(std::chrono::steady_clock::now() >= until);
  }
}

TEST_CASE("a_deadline_in_the_past_does_not_sleep") {
  const weir::test::watchdog watchdog;
  std::uint32_t word = 1;
  CHECK(wait_until_different(&word, 1, after(-1h)) == wait_result::timed_out);
  CHECK(wait_until_different(&word, 1, weir::deadline::min()) == wait_result::timed_out);
}

namespace {

/// Sleeps on `word` while it is 0; true if it never slept to the end of its time.
auto sleep_while_zero(const std::uint32_t* word, weir::deadline until) -> bool {
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0) {
    if (wait_until_different(word, 0, until) == wait_result::timed_out) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a_store_and_a_wake_end_every_sleep") {
  const weir::test::watchdog watchdog;
  for (const bool with_deadline : {false, true}) {
    for (int round = 0; round < 200; ++round) {
      std::uint32_t word = 0;
      const auto until = with_deadline ? after(1h) : weir::no_deadline;
      bool first_woken = false;
      bool second_woken = false;
      std::thread first{[&] { first_woken = sleep_while_zero(&word, until); }};
      std::thread second{[&] { second_woken = sleep_while_zero(&word, until); }};
      for (int yields = 0; yields < round % 20; ++yields) std::this_thread::yield();
      __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
      wake_all(&word);
      first.join();
      second.join();
      if (!first_woken || !second_woken) FAIL("round " << round);
    }
  }
}

TEST_CASE("a_wake_that_nobody_waits_for_does_nothing") {
  const std::uint32_t word = 1;
  wake_all(&word);
  CHECK(word == 1);
}

#if !defined(WEIR_FORCE_STD_ATOMIC_WAIT) && !defined(WEIR_FORCE_SLEEP_POLL_WAIT)

TEST_CASE("a_futex_tells_a_changed_word_from_a_wake_up") {
  const std::uint32_t word = 1;
  CHECK(wait_until_different(&word, 0, weir::no_deadline) == wait_result::not_equal);
}

TEST_CASE("a_signal_ends_a_sleep_like_a_wake_up") {
  const weir::test::watchdog watchdog;
  struct sigaction interrupting{};  // without SA_RESTART
  struct sigaction before{};
  interrupting.sa_handler = [](int) {};
  REQUIRE(sigaction(SIGUSR1, &interrupting, &before) == 0);
  const std::uint32_t word = 1;
  auto result = wait_result::would_block;
  std::atomic<bool> over{false};
  std::thread sleeper{[&] {
    result = wait_until_different(&word, 1, after(1h));
    over = true;
  }};
  while (!over) {
    pthread_kill(sleeper.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  sleeper.join();
  CHECK(result == wait_result::woken);
  REQUIRE(sigaction(SIGUSR1, &before, nullptr) == 0);
}

TEST_CASE("a_futex_wakes_a_sleeper_in_another_process") {
  const weir::test::watchdog watchdog;
  weir::test::shared_progress memory;
  const weir::test::guarded_span words{64};
  weir::test::child_process child{[&] {
    memory.set(0, 1);
    return sleep_while_zero(words.word(0), after(1h)) ? 0 : 1;
  }};
  memory.await(0, 1);
  for (int yields = 0; yields < 100; ++yields) std::this_thread::yield();
  __atomic_store_n(words.word(0), 1, __ATOMIC_RELEASE);
  wake_all(words.word(0));
  CHECK(child.wait() == 0);
}

#endif
