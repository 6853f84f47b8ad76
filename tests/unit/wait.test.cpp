// SPDX-License-Identifier: MIT
// Built three times: with the platform's futex, and with each fallback forced.
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/wait.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

using weir::native_memory;
using weir::plain_memory;
using weir::status;
using weir::stop_word;
using weir::wake_protocol;
using weir::detail::park_bell;
using weir::detail::wait_counters;
using namespace std::chrono_literals;

namespace {

/// A condition that answers what it is told to, from any thread.
struct told {
  std::atomic<status> answer{status::empty};
  std::atomic<std::uint32_t> looks{0};
  std::atomic<status> peer_is{status::ok};

  auto look() noexcept -> status {
    const auto seen = answer.load();
    ++looks;  // whoever sees the count knows that this look is over
    return seen;
  }
  auto peer() noexcept -> status { return peer_is; }
};

/// Everything that one wait needs.
template <class Memory = native_memory>
struct waiting {
  std::uint32_t park_word = 0;
  park_bell<Memory> bell{&park_word, wake_protocol::fenced, false};
  told condition;
  wait_counters counters;

  template <class Wait>
  auto run(weir::deadline until = weir::no_deadline, const stop_word* stop = nullptr) -> status {
    return weir::detail::await<Wait>(
        weir::detail::wait_request<Memory, told>{bell, condition, until, stop, counters});
  }
};

auto after(std::chrono::nanoseconds time) -> weir::deadline { return native_memory::now() + time; }

}  // namespace

TEMPLATE_TEST_CASE("what_is_there_ends_a_wait_at_once", "", weir::poll, weir::spin, weir::backoff,
                   weir::park) {
  const weir::test::watchdog watchdog;
  for (const auto answer : {status::ok, status::closed, status::corrupt, status::too_large}) {
    waiting there;
    there.condition.answer = answer;
    CHECK(there.run<TestType>() == answer);
    CHECK(there.condition.looks == 1);
    CHECK(there.counters.waits == 0);
    CHECK(there.park_word == 0);
  }
}

TEST_CASE("poll_looks_once_and_says_what_it_saw") {
  waiting there;
  CHECK(there.run<weir::poll>() == status::empty);
  there.condition.answer = status::full;
  CHECK(there.run<weir::poll>(after(1h)) == status::full);
  CHECK(there.condition.looks == 2);
}

TEMPLATE_TEST_CASE("a_deadline_ends_a_wait_and_never_too_early", "", weir::spin, weir::backoff,
                   weir::park) {
  const weir::test::watchdog watchdog;
  waiting there;
  for (const auto time : {-1'000'000ns, 0ns, 1'000ns, 3'000'000ns}) {
    const auto until = after(time);
    CHECK(there.run<TestType>(until) == status::timed_out);
    CHECK(native_memory::now() >= until);
  }
  CHECK(there.counters.late_wakes == 0);
}

TEMPLATE_TEST_CASE("what_is_there_counts_more_than_a_deadline_or_a_stop", "", weir::spin,
                   weir::backoff, weir::park) {
  waiting there;
  there.condition.answer = status::ok;
  stop_word stop;
  stop.request();
  CHECK(there.run<TestType>(after(-1h), &stop) == status::ok);
}

TEMPLATE_TEST_CASE("a_stop_asked_for_before_the_wait_ends_it", "", weir::poll, weir::spin,
                   weir::backoff, weir::park) {
  waiting there;
  stop_word stop;
  stop.request();
  CHECK(stop.requested());
  CHECK(there.run<TestType>(weir::no_deadline, &stop) == status::stopped);
}

TEMPLATE_TEST_CASE("a_stop_asked_for_during_the_wait_ends_it", "", weir::spin, weir::backoff,
                   weir::park) {
  const weir::test::watchdog watchdog;
  for (const bool let_it_sleep : {false, true}) {
    waiting there;
    stop_word stop;
    auto outcome = status::ok;
    std::thread waiter{[&] { outcome = there.run<TestType>(weir::no_deadline, &stop); }};
    const std::uint32_t looks = let_it_sleep ? weir::park::looks_before_sleep + 1 : 1;
    while (there.condition.looks < looks) std::this_thread::yield();
    stop.request();
    there.bell.ring();
    waiter.join();
    CHECK(outcome == status::stopped);
  }
}

TEMPLATE_TEST_CASE("what_comes_during_the_wait_ends_it", "", weir::spin, weir::backoff,
                   weir::park) {
  const weir::test::watchdog watchdog;
  for (const std::uint32_t looks : {1U, weir::park::looks_before_sleep + 1}) {
    waiting there;
    auto outcome = status::empty;
    std::thread waiter{[&] { outcome = there.run<TestType>(after(1h)); }};
    while (there.condition.looks < looks) std::this_thread::yield();
    there.condition.answer = status::ok;
    there.bell.ring_if_awaited();
    waiter.join();
    CHECK(outcome == status::ok);
    CHECK(there.counters.late_wakes == 0);
  }
}

TEMPLATE_TEST_CASE("the_inline_mode_never_waits_but_sees_what_is_there", "", weir::spin,
                   weir::backoff, weir::park) {
  waiting<plain_memory> there;
  CHECK(there.run<TestType>() == status::would_block);
  CHECK(there.run<TestType>(after(1h)) == status::would_block);
  there.condition.answer = status::ok;
  CHECK(there.run<TestType>() == status::ok);
  there.condition.answer = status::full;
  CHECK(there.run<weir::poll>() == status::full);
  stop_word stop;
  stop.request<plain_memory>();
  CHECK(there.run<TestType>(weir::no_deadline, &stop) == status::stopped);
}

TEST_CASE("a_sleeper_that_nobody_wakes_looks_by_itself_and_counts_it") {
  const weir::test::watchdog watchdog;
  waiting there;
  auto outcome = status::empty;
  std::thread waiter{[&] { outcome = there.run<weir::park>(after(1h)); }};
  while (there.condition.looks < weir::park::looks_before_sleep + 1) std::this_thread::yield();
  there.condition.answer = status::ok;  // and no bell
  waiter.join();
  CHECK(outcome == status::ok);
  CHECK(there.counters.waits >= 1);
  CHECK(there.counters.late_wakes == 1);
}

TEST_CASE("a_sleeper_asks_after_its_peer_and_looks_once_more_when_it_is_dead") {
  const weir::test::watchdog watchdog;
  waiting there;
  there.condition.peer_is = status::peer_dead;
  CHECK(there.run<weir::park>() == status::peer_dead);
  CHECK(there.counters.waits == 1);
  CHECK(there.condition.looks >= weir::park::looks_before_sleep + 3);
}

namespace {

/// A peer that publishes, and dies before it is asked after.
struct published_and_died {
  status answer = status::empty;
  auto look() noexcept -> status { return answer; }
  auto peer() noexcept -> status {
    answer = status::ok;
    return status::peer_dead;
  }
};

}  // namespace

TEST_CASE("what_a_peer_published_just_before_it_died_counts_more_than_its_death") {
  const weir::test::watchdog watchdog;
  waiting there;
  published_and_died condition;
  using request = weir::detail::wait_request<native_memory, published_and_died>;
  CHECK(weir::detail::await<weir::park_after<1>>(request{there.bell, condition, weir::no_deadline,
                                                         nullptr, there.counters}) == status::ok);
  CHECK(there.counters.late_wakes == 0);
}

namespace {

/// Comes while the waiter sleeps, and can be had once, as room for a claim. The bell for it may be late.
struct had_once {
  park_bell<native_memory>& bell;
  bool rings;
  std::uint32_t looks = 0;

  auto look() noexcept -> status {
    if (++looks < 3) return status::empty;
    if (rings) bell.ring();
    return looks == 3 ? status::ok : status::corrupt;
  }
  auto peer() noexcept -> status { return status::ok; }
};

}  // namespace

TEST_CASE("what_a_look_behind_a_sleep_finds_is_not_looked_for_again") {
  const weir::test::watchdog watchdog;
  for (const bool rings : {false, true}) {
    waiting there;
    had_once condition{there.bell, rings};
    using request = weir::detail::wait_request<native_memory, had_once>;
    CHECK(weir::detail::await<weir::park_after<1>>(request{there.bell, condition, weir::no_deadline,
                                                           nullptr, there.counters}) == status::ok);
    CHECK(condition.looks == 3);
    if (rings) CHECK(there.counters.late_wakes == 0);  // somebody did ring, between sleep and look
  }
}

TEST_CASE("what_outlasts_a_wait_is_empty_and_full_alone") {
  for (std::uint32_t number = 0; number < 18; ++number) {
    const auto outcome = static_cast<status>(number);
    CHECK(weir::is_pending(outcome) == (outcome == status::empty || outcome == status::full));
  }
}

TEST_CASE("a_stop_word_is_not_set_until_somebody_asks") {
  stop_word stop;
  CHECK_FALSE(stop.requested());
  CHECK_FALSE(stop.requested<plain_memory>());
  stop.request();
  CHECK(stop.requested());
  CHECK(stop.requested<plain_memory>());
}
