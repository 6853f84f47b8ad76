// SPDX-License-Identifier: MIT
// Proved: what either side does when the other, or somebody hostile, changes a key's state between its look and
// its exchange; what a successor owes. Not provable here: that these interleavings are all there are.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/coalesce.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace layout = weir::layout;
using weir::coalesce;
using weir::coalesced;
using weir::status;
using weir::wake_protocol;
using weir::test::access_kind;
using weir::test::access_to;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::once;
using weir::test::script_memory;
using weir::test::scripted;

namespace {

using key_state = weir::detail::key_state;
using values = coalesce<std::uint64_t>;
using scripted_values = coalesce<std::uint64_t, script_memory>;
constexpr std::uint32_t keys = 2;

struct two_keys {
  guarded_span memory{values::bytes_required(keys)};
  values view;
  scripted_values watched = scripted_values::attach(memory.bytes()).value();

  explicit two_keys(bool process_shared = false)
      : view{values::format(memory.bytes(), {.keys = keys, .process_shared = process_shared})
                 .value()} {}

  [[nodiscard]] auto state(std::uint32_t key) const -> std::uint32_t* {
    constexpr weir::detail::coalesce_shape shape{keys, sizeof(std::uint64_t)};
    return memory.word(shape.data_offset() + key * static_cast<std::uint32_t>(shape.key_stride()));
  }
};

template <class Consumer>
auto drain_all(Consumer& consumer) -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> seen;
  static_cast<void>(
      consumer.drain([&](const coalesced<std::uint64_t>& value) { seen.push_back(value.value); }));
  return seen;
}

}  // namespace

TEST_CASE("an_update_that_the_consumer_comes_before_succeeds_at_the_second_attempt") {
  two_keys there;
  auto producer = there.watched.producer().value();
  auto consumer = there.view.consumer().value();
  REQUIRE(producer.update(1, std::uint64_t{10}) == status::ok);
  std::vector<std::uint64_t> before;
  {
    const scripted race{once(1, access_to(access_kind::modify, there.state(1)),
                             [&] { before = drain_all(consumer); })};
    CHECK(producer.update(1, std::uint64_t{11}) == status::ok);
  }
  CHECK(before == std::vector<std::uint64_t>{10});
  CHECK(drain_all(consumer) == std::vector<std::uint64_t>{11});
  CHECK(drain_all(consumer).empty());
}

TEST_CASE("a_state_that_no_consumer_can_have_left_is_corrupt_for_the_producer_and_stops_it") {
  const auto taken = key_state::taken_bit;
  const std::uint32_t not_a_state = 0xF;
  const std::uint32_t other_buffers = key_state::of(2, 1).word;  // the producer's would be buffer 0
  for (const auto wrong : {not_a_state, other_buffers}) {
    two_keys there;
    auto producer = there.watched.producer().value();
    {
      const scripted race{once(1, access_to(access_kind::modify, there.state(1)),
                               [&] { *there.state(1) = wrong; })};
      CHECK(producer.update(1, std::uint64_t{10}) == status::corrupt);
    }
    CHECK(producer.update(0, std::uint64_t{1}) == status::corrupt);
  }
  // A word that keeps changing, each time to what a consumer could have left.
  two_keys there;
  auto producer = there.watched.producer().value();
  {
    const scripted race{[&](const auto& now) {
      if (now.is(access_kind::modify, there.state(1))) *there.state(1) ^= taken;
    }};
    CHECK(producer.update(1, std::uint64_t{10}) == status::corrupt);
  }
  CHECK(there.memory.intact());
}

TEST_CASE("a_state_that_no_producer_can_have_left_is_corrupt_for_the_consumer") {
  for (const std::uint32_t wrong : {0xFU, key_state::of(2, 0).word | key_state::taken_bit}) {
    two_keys there;
    auto producer = there.view.producer().value();
    auto consumer = there.watched.consumer().value();
    REQUIRE(producer.update(1, std::uint64_t{10}) == status::ok);
    {
      const scripted race{once(1, access_to(access_kind::modify, there.state(1)),
                               [&] { *there.state(1) = wrong; })};
      CHECK(consumer.drain([](const auto&) {}).outcome == status::corrupt);
    }
    CHECK(consumer.wait() == status::corrupt);
  }
}

TEST_CASE("what_a_dead_consumer_took_and_did_not_show_is_news_for_its_successor") {
  const weir::test::watchdog watchdog;
  two_keys there{true};
  auto producer = there.view.producer().value();
  REQUIRE(producer.update(1, std::uint64_t{10}) == status::ok);
  child_process child{[&] {
    auto consumer = there.view.consumer().value();
    static_cast<void>(consumer.drain([](const auto&) { weir::test::sleep_until_killed(); }));
    return 1;
  }};
  while ((__atomic_load_n(there.state(1), __ATOMIC_ACQUIRE) & key_state::taken_bit) == 0) {
    sched_yield();
  }
  CHECK(there.view.consumer_owner() == weir::owner_state::alive);
  child.kill_only();
  CHECK(there.view.consumer_owner() == weir::owner_state::dead);
  auto consumer = there.view.consumer().value();
  CHECK(consumer.wait() == status::ok);
  CHECK(drain_all(consumer) == std::vector<std::uint64_t>{10});
  CHECK(consumer.wait() == status::empty);
}

TEST_CASE("a_consumer_that_sleeps_is_told_of_its_producers_death_and_not_before") {
  using namespace std::chrono_literals;
  const weir::test::watchdog watchdog;
  const auto longer = weir::park::longest_sleep + 50ms;
  const two_keys there{true};
  auto consumer = there.view.consumer<weir::park>().value();
  weir::test::shared_progress progress;
  child_process child{[&] {
    auto producer = there.view.producer().value();
    progress.set(0, 1);
    weir::test::sleep_until_killed();
    return 1;
  }};
  progress.await(0, 1);
  CHECK(consumer.wait(std::chrono::steady_clock::now() + longer) == status::timed_out);
  child.kill_only();
  CHECK(consumer.wait() == status::peer_dead);
  // Within one process nobody is asked: a thread's death proves nothing.
  const two_keys alone;
  auto waiting = alone.view.consumer<weir::park>().value();
  CHECK(waiting.wait(std::chrono::steady_clock::now() + longer) == status::timed_out);
}

TEST_CASE("where_nobody_may_sleep_no_update_looks_for_a_sleeper") {
  const guarded_span memory{values::bytes_required(keys)};
  using counting = coalesce<std::uint64_t, weir::test::count_memory>;
  const auto view =
      counting::format(memory.bytes(), {.keys = keys, .wake = wake_protocol::none}).value();
  const auto cost = weir::test::count_memory::cost_of([&] {
    auto producer = view.producer().value();
    static_cast<void>(producer.update(0, std::uint64_t{1}));
    producer.flush();
  });
  CHECK(cost.fences + cost.light_fences + cost.wakes == 0);
}
