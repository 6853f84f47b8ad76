// SPDX-License-Identifier: MIT
// Proved: who gets which place, when, and what reclaim() takes back, also where two do it at once and where
// one dies in the middle. Not here: what is held under a place, which regions, pools and images test.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/detail/owner_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using weir::owner_state;
using weir::reclaim_from;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using membership = weir::detail::membership<weir::native_memory>;

namespace {

constexpr std::uint32_t places = 5;

const auto nothing = [](std::uint32_t) { return true; };
const auto none_back = [](std::uint32_t) { return 0U; };

struct test_table {
  weir::test::guarded_span memory{places * weir::layout::place::size};

  template <class Memory = weir::native_memory>
  [[nodiscard]] auto table() const -> weir::detail::owner_table<Memory> {
    return {memory.bytes().data(), places};
  }
  [[nodiscard]] auto state(std::uint32_t place) const -> owner_state {
    return table().entry(place).state();
  }
  /// Leaves a dead member in the first free place.
  void die_here() const {
    weir::test::shared_progress progress;
    child_process child{[&] {
      auto member = table().join(nothing).value();
      progress.set(0, 1);
      weir::test::sleep_until_killed();
      return 0;
    }};
    progress.await(0, 1);
    child.kill_and_reap();
  }
};

}  // namespace

TEST_CASE("places_are_given_from_the_first_on_until_there_are_none") {
  const test_table there;
  CHECK(there.table().count() == places);
  std::vector<membership> members;
  for (std::uint32_t place = 0; place < places; ++place) {
    CHECK(there.state(place) == owner_state::free);
    members.push_back(there.table().join(nothing).value());
    CHECK(members.back().place == place);
    CHECK(there.state(place) == owner_state::alive);
  }
  CHECK(there.table().join(nothing).status() == status::full);
  {
    const auto leaving = std::move(members[2]);
  }
  CHECK(there.state(2) == owner_state::free);
  CHECK(there.table().join(nothing)->place == 2);
  CHECK(there.memory.intact());
}

TEST_CASE("a_place_under_which_something_is_held_is_passed_over") {
  const test_table there;
  const auto held_by_0_and_2 = [](std::uint32_t place) { return place != 0 && place != 2; };
  const auto first = there.table().join(held_by_0_and_2).value();
  CHECK(first.place == 1);
  CHECK(there.table().join(held_by_0_and_2)->place == 3);
  CHECK(there.table().join([](std::uint32_t) { return false; }).status() == status::full);
}

TEST_CASE("a_place_that_somebody_takes_after_it_was_found_empty_is_his") {
  const test_table there;
  std::optional<membership> quicker;
  const auto late = there.table().join([&](std::uint32_t place) {
    if (place == 0) quicker.emplace(there.table().join(nothing).value());
    return true;
  });
  CHECK(quicker->place == 0);
  REQUIRE(late.status() == status::ok);
  CHECK(there.state(0) == owner_state::alive);
  CHECK(there.state(1) == owner_state::alive);
  CHECK(there.state(2) == owner_state::free);
}

TEST_CASE("a_place_that_was_taken_and_left_since_is_not_taken_on_an_old_answer") {
  const test_table there;
  std::uint32_t looks = 0;
  const auto late = there.table().join([&](std::uint32_t) {
    ++looks;
    // Another was here, and may have left something behind.
    if (looks == 1) static_cast<void>(there.table().join(nothing).value());
    return true;
  });
  REQUIRE(late.status() == status::ok);
  CHECK(looks == 3);  // at the first place, and twice at the one that it takes
  CHECK(there.state(0) == owner_state::free);
  CHECK(there.state(1) == owner_state::alive);
}

TEST_CASE("what_was_left_during_as_many_takings_as_an_epoch_counts_is_seen") {
  const test_table there;
  bool left = false;
  auto late = there.table().join([&](std::uint32_t place) {
    if (place != 0) return true;
    if (left) return false;
    for (int taking = 0; taking < 1024; ++taking) {
      static_cast<void>(there.table().join([](std::uint32_t any) { return any == 0; }).value());
    }
    left = true;  // by the last of them
    return true;
  });
  REQUIRE(late.status() == status::ok);
  CHECK(late->place == 1);
  CHECK(there.state(0) == owner_state::free);
}

TEST_CASE("a_dead_members_place_is_nobodys_until_it_is_reclaimed") {
  const test_table there;
  there.die_here();
  CHECK(there.state(0) == owner_state::dead);
  CHECK(there.table().join(nothing)->place == 1);
  std::vector<std::uint32_t> given;
  const auto done = there.table().reclaim(reclaim_from::the_dead, weir::native_memory::alive,
                                          [&](std::uint32_t place) {
                                            CHECK(there.state(place) == owner_state::alive);
                                            given.push_back(place);
                                            return 7U;
                                          });
  CHECK(given == std::vector<std::uint32_t>{0});
  CHECK(done.members == 1);
  CHECK(done.things == 7);
  CHECK(there.state(0) == owner_state::free);
  CHECK(there.table().join(nothing)->place == 0);
}

TEST_CASE("reclaiming_from_all_who_are_gone_visits_free_places_and_dead_ones_never_the_living") {
  const test_table there;
  there.die_here();
  const auto living = there.table().join(nothing).value();
  REQUIRE(living.place == 1);
  std::vector<std::uint32_t> given;
  const auto done = there.table().reclaim(reclaim_from::all_who_are_gone,
                                          weir::native_memory::alive, [&](std::uint32_t place) {
                                            given.push_back(place);
                                            return 1U;
                                          });
  CHECK(given == std::vector<std::uint32_t>{0, 2, 3, 4});
  CHECK(done.members == 1);
  CHECK(done.things == 4);
  CHECK(there.state(1) == owner_state::alive);
}

TEST_CASE("a_proof_of_death_given_by_the_caller_is_believed") {
  const test_table there;
  const auto member = there.table().join(nothing).value();
  std::uint32_t asked_for = 0;
  const auto done = there.table().reclaim(
      reclaim_from::the_dead,
      [&](std::uint32_t id, std::uint32_t) {
        asked_for = id;
        return false;
      },
      none_back);
  CHECK(asked_for == weir::native_memory::self());
  CHECK(done.members == 1);
  CHECK(there.state(member.place) == owner_state::free);
}

TEST_CASE("whoever_dies_while_reclaiming_leaves_a_dead_members_place_again") {
  const test_table there;
  there.die_here();
  child_process reclaimer{[&] {
    there.table().reclaim(reclaim_from::the_dead, weir::native_memory::alive,
                          [](std::uint32_t) -> std::uint32_t {
                            kill(getpid(), SIGKILL);
                            return 0;
                          });
    return 0;
  }};
  CHECK(reclaimer.wait() == child_process::killed);
  CHECK(there.state(0) == owner_state::dead);
  const auto done =
      there.table().reclaim(reclaim_from::the_dead, weir::native_memory::alive, none_back);
  CHECK(done.members == 1);
  CHECK(there.state(0) == owner_state::free);
}

TEST_CASE("a_member_may_die_before_any_access_to_the_table") {
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    const test_table there;
    there.die_here();
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      const auto table = there.table<crash_memory>();
      {
        const auto member = table.join(nothing);
      }
      table.reclaim(reclaim_from::all_who_are_gone, crash_memory::alive, none_back);
      return 0;
    }};
    if (child.wait() == child_process::killed) ++deaths;
    there.table().reclaim(reclaim_from::the_dead, weir::native_memory::alive, none_back);
    std::vector<membership> members;
    while (auto joined = there.table().join(nothing)) {
      members.push_back(std::move(joined).value());
    }
    if (members.size() != places) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 20);
}

TEST_CASE("threads_that_join_and_leave_at_once_never_have_the_same_place") {
  const weir::test::watchdog watchdog;
  const test_table there;
  std::array<std::atomic<std::uint32_t>, places> members{};
  std::atomic<std::uint32_t> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (std::uint32_t round = 0; round < 2'000; ++round) {
        auto joined = there.table<weir::test::chaos_memory>().join(nothing);
        if (!joined) continue;
        if (members[joined->place].fetch_add(1) != 0) ++wrong;
        members[joined->place].fetch_sub(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong.load() == 0);
  for (std::uint32_t place = 0; place < places; ++place) {
    CHECK(there.state(place) == owner_state::free);
  }
}
