// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/watchdog.hpp"

#include <weir/owner.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

using weir::owner_state;
using weir::status;
using weir::test::child_process;
using entry_type = weir::detail::owner_entry<weir::native_memory>;

namespace {

constexpr auto epoch_mask = weir::detail::epoch_mask;
constexpr auto epoch_bits = weir::detail::epoch_bits;

/// The two words of an owner, where other processes see them too.
struct owned_thing {
  weir::test::guarded_span memory{64};
  [[nodiscard]] auto owner() const -> std::uint32_t& { return *memory.word(0); }
  [[nodiscard]] auto start() const -> std::uint32_t& { return *memory.word(4); }
  [[nodiscard]] auto entry() const -> entry_type { return {&owner(), &start()}; }
};

}  // namespace

TEST_CASE("what_nobody_holds_can_be_taken_once") {
  const owned_thing thing;
  auto entry = thing.entry();
  CHECK(entry.state() == owner_state::free);
  const auto token = entry.take();
  REQUIRE(token);
  CHECK(entry.state() == owner_state::alive);
  CHECK(thing.entry().take().status() == status::busy);
}

TEST_CASE("what_is_dropped_is_free_and_the_next_taking_has_the_next_epoch") {
  const owned_thing thing;
  auto entry = thing.entry();
  for (std::uint32_t round = 1; round <= 2 * epoch_mask + 2; ++round) {
    auto token = entry.take();
    if (!token || (*token & epoch_mask) != (round & epoch_mask)) FAIL("round " << round);
    if ((thing.start() & epoch_mask) != (*token & epoch_mask)) FAIL("round " << round);
    entry.drop(*token);
    if (entry.state() != owner_state::free) FAIL("round " << round);
  }
}

TEST_CASE("an_old_token_drops_nothing") {
  const owned_thing thing;
  auto entry = thing.entry();
  auto first = entry.take();
  entry.drop(*first);
  auto second = entry.take();
  entry.drop(*first);
  CHECK(entry.state() == owner_state::alive);
  entry.drop(*second);
  CHECK(entry.state() == owner_state::free);
}

TEST_CASE("a_token_keeps_the_holder_and_the_start_of_it") {
  const owned_thing thing;
  auto token = thing.entry().take();
  CHECK(thing.owner() == *token);
  CHECK(thing.owner() >> epoch_bits == weir::native_memory::self());
  CHECK(thing.start() >> epoch_bits == weir::native_memory::start_of(weir::native_memory::self()));
}

TEST_CASE("what_a_live_process_holds_is_busy_and_what_a_dead_one_held_can_be_taken") {
  const weir::test::watchdog watchdog;
  const owned_thing thing;
  weir::test::shared_progress progress;
  child_process child{[&]() -> int {
    if (!thing.entry().take()) return 1;
    progress.set(0, 1);
    weir::test::sleep_until_killed();
  }};
  progress.await(0, 1);
  auto entry = thing.entry();
  CHECK(entry.state() == owner_state::alive);
  CHECK(entry.take().status() == status::busy);

  SECTION("while it is a zombie") { child.kill_only(); }
  SECTION("after it is reaped") { child.kill_and_reap(); }
  CHECK(entry.state() == owner_state::dead);
  CHECK(entry.take());
  CHECK(entry.state() == owner_state::alive);
  CHECK(entry.take().status() == status::busy);
}

TEST_CASE("a_process_that_ends_without_dropping_is_dead") {
  const owned_thing thing;
  child_process child{[&] { return thing.entry().take() ? 0 : 1; }};
  REQUIRE(child.wait() == 0);
  CHECK(thing.entry().state() == owner_state::dead);
  CHECK(thing.entry().take());
}

TEST_CASE("a_forks_copy_of_a_token_is_not_the_childs") {
  const owned_thing thing;
  auto token = thing.entry().take();
  CHECK(entry_type::taken_by_this_process(*token));
  child_process child{[&] {
    const bool dead = !entry_type::taken_by_this_process(*token);
    return dead && thing.entry().take().status() == status::busy ? 0 : 1;
  }};
  CHECK(child.wait() == 0);
  CHECK(thing.entry().state() == owner_state::alive);
}

TEST_CASE("a_holder_that_lets_go_while_it_is_asked_after_is_no_dead_one") {
  const owned_thing thing;
  auto token = thing.entry().take();
  const auto seen = thing.entry().look([&](std::uint32_t, std::uint32_t) {
    thing.entry().drop(*token);
    return false;
  });
  CHECK(seen.state == owner_state::alive);
  CHECK(thing.entry().state() == owner_state::free);
}

TEST_CASE("the_same_id_with_another_start_is_dead") {
  const owned_thing thing;
  REQUIRE(thing.entry().take());
  thing.start() += 1U << epoch_bits;
  CHECK(thing.entry().state() == owner_state::dead);
  CHECK(thing.entry().take());
}

TEST_CASE("a_start_of_another_epoch_is_unknown_and_the_id_alone_decides") {
  const owned_thing thing;
  auto token = thing.entry().take();
  thing.start() = (thing.start() + (1U << epoch_bits)) ^ 1;  // wrong start, other epoch
  CHECK(thing.entry().state() == owner_state::alive);
  CHECK(thing.entry().take().status() == status::busy);

  child_process child{[] { return 0; }};
  const auto id = child.id();
  child.kill_and_reap();
  thing.owner() = id << epoch_bits | (*token & epoch_mask);
  CHECK(thing.entry().state() == owner_state::dead);
}

TEST_CASE("of_many_that_take_at_once_one_succeeds") {
  const weir::test::watchdog watchdog;
  const owned_thing thing;
  std::atomic<std::uint32_t> taken{0};
  std::atomic<std::uint32_t> ready{0};
  std::uint32_t rounds_with_one = 0;
  constexpr std::uint32_t rounds = 300;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    taken = ready = 0;
    const auto contender = [&] {
      ++ready;
      while (ready < 3) std::this_thread::yield();
      if (thing.entry().take()) ++taken;
    };
    std::thread first{contender};
    std::thread second{contender};
    contender();
    first.join();
    second.join();
    rounds_with_one += taken == 1 ? 1U : 0U;
    thing.entry().drop(thing.owner());
  }
  CHECK(rounds_with_one == rounds);
}
