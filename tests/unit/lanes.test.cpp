// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/lanes.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace layout = weir::layout;
using weir::lanes;
using weir::lanes_options;
using weir::status;
using weir::wake_protocol;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::read_pattern;
using weir::test::write_pattern;
using byte_lanes = lanes<weir::bytes>;
using word_lanes = lanes<std::uint64_t>;

namespace {

template <class T, class Memory = weir::native_memory>
struct there {
  using lanes_type = lanes<T, Memory>;
  explicit there(const lanes_options& options)
      : memory{lanes_type::bytes_required(options.lanes, options.capacity)},
        view{lanes_type::format(memory.bytes(), options).value()} {}
  guarded_span memory;
  lanes_type view;
};

using shown = std::vector<std::pair<std::uint32_t, std::uint64_t>>;

/// Everything there is: lane and value.
template <class Consumer>
auto drain_all(Consumer& consumer, status& ended) -> shown {
  shown seen;
  ended = consumer
              .drain([&](const std::uint64_t& value, std::uint32_t lane) {
                seen.emplace_back(lane, value);
              })
              .outcome;
  return seen;
}

}  // namespace

TEST_CASE("each_record_comes_out_once_in_its_producers_order_with_its_lane") {
  for (const auto start : weir::test::notable_starts) {
    const there<std::uint64_t> here{{.lanes = 3, .capacity = 8, .start_position = start}};
    auto first = here.view.producer().value();
    auto second = here.view.producer().value();
    auto consumer = here.view.consumer().value();
    for (std::uint64_t value = 0; value < 4; ++value) {
      REQUIRE(first.try_write(value) == status::ok);
      REQUIRE(second.try_write(100 + value) == status::ok);
    }
    auto ended = status::ok;
    CHECK(drain_all(consumer, ended) ==
          shown{{0, 0}, {0, 1}, {0, 2}, {0, 3}, {1, 100}, {1, 101}, {1, 102}, {1, 103}});
    CHECK(ended == status::empty);
    CHECK(consumer.lane() == 1);
    CHECK(consumer.drain([](std::uint64_t) {}).records == 0);
    CHECK(here.memory.intact());
  }
}

TEST_CASE("records_of_bytes_come_out_by_peek_read_and_drain") {
  for (const auto start : weir::test::notable_starts) {
    const there<weir::bytes> here{{.lanes = 2, .capacity = 512, .start_position = start}};
    auto first = here.view.producer().value();
    auto second = here.view.producer().value();
    auto consumer = here.view.consumer().value();
    REQUIRE(write_pattern(second, 7, 30) == status::ok);
    CHECK(consumer.try_peek().bytes().size() == 30);
    CHECK(consumer.try_peek().type() == 7);  // not released: it stays
    CHECK(read_pattern(consumer, 7, 30));
    CHECK(consumer.lane() == 1);
    REQUIRE(write_pattern(first, 8, 16) == status::ok);
    std::array<std::byte, 64> out{};
    CHECK(consumer.try_read(std::span{out}.first(15)).outcome == status::too_large);
    const auto done = consumer.try_read(out);
    CHECK((done.outcome == status::ok && done.size == 16 && done.type == 8));
    CHECK(weir::test::has_pattern(std::span{out}.first(16), 8));
    CHECK(consumer.try_read(out).outcome == status::empty);
    REQUIRE(write_pattern(first, 9, 8) == status::ok);
    REQUIRE(write_pattern(second, 10, 8) == status::ok);
    std::vector<std::uint32_t> types;
    const auto drained =
        consumer.drain([&](const weir::record_view& view) { types.push_back(view.type); });
    CHECK(drained.records == 2);
    CHECK(types.size() == 2);
    CHECK(here.memory.intact());
  }
}

TEST_CASE("an_unreleased_record_stays_the_answer_whatever_other_lanes_hold") {
  const there<std::uint64_t> here{{.lanes = 3, .capacity = 8}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  REQUIRE(second.try_write(2) == status::ok);
  CHECK(consumer.try_peek().value() == 2);
  REQUIRE(first.try_write(1) == status::ok);
  CHECK(consumer.try_peek().value() == 2);
  consumer.try_peek().release();
  CHECK(consumer.try_peek().value() == 1);
  std::uint64_t value = 0;
  CHECK(consumer.try_read(value) == status::ok);
  CHECK(value == 1);
  CHECK(consumer.try_read(value) == status::empty);
}

TEST_CASE("a_lane_that_never_ends_keeps_the_others_waiting_for_one_slice_at_most") {
  constexpr auto slice = weir::detail::lane_slice;
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 4 * slice}};
  auto busy = here.view.producer().value();
  auto quiet = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  for (std::uint32_t count = 0; count < 4 * slice; ++count) {
    REQUIRE(busy.try_write(0) == status::ok);
  }
  REQUIRE(quiet.try_write(1) == status::ok);
  std::uint32_t before = 0;
  std::uint32_t seen = 0;
  const auto done = consumer.drain([&](std::uint64_t value) {
    if (value == 1) before = seen;
    ++seen;
  });
  CHECK(done.records == 4 * slice + 1);
  CHECK(before == slice);
  for (std::uint32_t count = 0; count < 2 * slice; ++count) {
    REQUIRE(busy.try_write(0) == status::ok);
  }
  REQUIRE(quiet.try_write(1) == status::ok);
  std::uint64_t value = 0;
  for (before = 0; consumer.try_read(value) == status::ok && value == 0;) ++before;
  CHECK(value == 1);
  CHECK(before <= slice);
}

TEST_CASE("space_comes_back_to_every_lane_when_a_call_finds_it_empty") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 16}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  for (std::uint64_t round = 0; round < 20; ++round) {
    for (std::uint64_t value = 0; value < 16; ++value) {
      REQUIRE(first.try_write(value) == status::ok);
      REQUIRE(second.try_write(value) == status::ok);
    }
    CHECK(first.try_write(16) == status::full);
    std::uint64_t value = 0;
    std::uint32_t count = 0;
    while (consumer.try_read(value) == status::ok) ++count;
    CHECK(count == 32);
  }
}

TEST_CASE("drain_shows_no_more_than_its_limit_and_goes_on_with_the_next_lane") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 8}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  for (std::uint64_t value = 0; value < 4; ++value) {
    REQUIRE(first.try_write(value) == status::ok);
    REQUIRE(second.try_write(10 + value) == status::ok);
  }
  std::vector<std::uint64_t> seen;
  const auto keep = [&](std::uint64_t value) { seen.push_back(value); };
  CHECK(consumer.drain(keep, 0).outcome == status::ok);
  for (int call = 0; call < 4; ++call) {
    const auto done = consumer.drain(keep, 2);
    CHECK((done.outcome == status::ok && done.records == 2));
  }
  CHECK(seen == std::vector<std::uint64_t>{0, 1, 10, 11, 2, 3, 12, 13});
  CHECK(consumer.drain(keep, 2).outcome == status::empty);
}

TEST_CASE("a_producer_that_writes_from_within_a_drain_does_not_keep_it_for_ever") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 4}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  REQUIRE(producer.try_write(0) == status::ok);
  std::uint32_t seen = 0;
  const auto done = consumer.drain([&](std::uint64_t value) {
    ++seen;
    static_cast<void>(producer.try_write(value + 1));
  });
  CHECK(done.records == seen);
  CHECK(seen <= 2 * (weir::detail::lane_slice + 4));
}

TEST_CASE("a_lane_has_one_producer_at_a_time_and_another_one_after_it") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 8}};
  auto consumer = here.view.consumer().value();
  std::optional first{here.view.producer().value()};
  auto second = here.view.producer().value();
  CHECK(here.view.producer().status() == status::full);
  REQUIRE(first->try_write(1) == status::ok);
  first.reset();
  auto third = here.view.producer().value();
  REQUIRE(third.try_write(2) == status::ok);
  CHECK(here.view.producer().status() == status::full);
  auto ended = status::ok;
  CHECK(drain_all(consumer, ended) == shown{{0, 1}, {0, 2}});
  CHECK(ended == status::empty);
  third.flush();
  CHECK(here.view.statistics(0).producer.records == 2);
  CHECK(here.view.statistics(0).consumer.records == 2);
  CHECK(here.view.statistics(1).producer.records == 0);
}

TEST_CASE("the_consuming_role_of_all_lanes_is_one") {
  const there<std::uint64_t> here{{.lanes = 3, .capacity = 8}};
  {
    auto middle = here.view.lane(1)->consumer().value();
    CHECK(here.view.consumer().status() == status::busy);
    CHECK(here.view.lane(0)->consumer_owner() == weir::owner_state::free);
  }
  auto consumer = here.view.consumer().value();
  CHECK(here.view.consumer().status() == status::busy);
  const auto moved = std::move(consumer);
  CHECK(here.view.lane(2)->consumer_owner() == weir::owner_state::alive);
  CHECK(moved.lanes() == 3);
}

TEST_CASE("more_lanes_than_the_handle_has_room_for_are_too_large") {
  const there<std::uint64_t> here{{.lanes = 5, .capacity = 2}};
  CHECK(here.view.consumer<weir::poll, 4>().status() == status::too_large);
  CHECK(here.view.consumer<weir::poll, 5>());
  CHECK(here.view.lane(5).status() == status::too_large);
}

TEST_CASE("nobody_may_sleep_where_nobody_is_woken") {
  const there<std::uint64_t> here{{.lanes = 1, .capacity = 2, .wake = wake_protocol::none}};
  CHECK(here.view.consumer<weir::park>().status() == status::unsupported);
  CHECK(here.view.consumer());
}

TEST_CASE("closed_is_said_when_every_producer_has_closed_and_all_is_read") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 8}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  REQUIRE(first.try_write(1) == status::ok);
  first.close();
  auto ended = status::ok;
  CHECK(drain_all(consumer, ended) == shown{{0, 1}});
  CHECK(ended == status::empty);
  REQUIRE(second.try_write(2) == status::ok);
  CHECK_FALSE(here.view.closed());
  second.close();
  CHECK(here.view.closed());
  CHECK(drain_all(consumer, ended) == shown{{1, 2}});
  CHECK(ended == status::closed);
  CHECK(consumer.try_peek().status() == status::closed);
  CHECK(consumer.wait() == status::closed);
  CHECK(here.view.producer().status() == status::closed);
}

TEST_CASE("a_lane_that_its_producer_closed_is_never_taken_again") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 8}};
  here.view.producer().value().close();
  auto second = here.view.producer().value();
  REQUIRE(second.try_write(1) == status::ok);
  CHECK(here.view.lane(1)->statistics().producer.records == 0);
  second.flush();
  CHECK(here.view.statistics(1).producer.records == 1);
  CHECK(here.view.producer().status() == status::full);
}

TEST_CASE("close_ends_every_lane_at_once_and_what_was_published_is_read") {
  for (const bool by_consumer : {false, true}) {
    const there<std::uint64_t> here{{.lanes = 3, .capacity = 8}};
    auto producer = here.view.producer().value();
    auto consumer = here.view.consumer().value();
    REQUIRE(producer.try_write(1) == status::ok);
    if (by_consumer) {
      consumer.close();
    } else {
      here.view.close();
    }
    CHECK(here.view.closed());
    auto ended = status::ok;
    CHECK(drain_all(consumer, ended) == shown{{0, 1}});
    CHECK(ended == status::closed);
    auto outcome = status::ok;
    for (int tries = 0; tries < 8 && outcome == status::ok; ++tries)
      outcome = producer.try_write(2);
    CHECK(outcome == status::closed);
    CHECK(here.view.producer().status() == status::closed);
  }
}

TEST_CASE("damage_in_one_lane_is_said_once_and_the_others_go_on") {
  for (const bool by_drain : {false, true}) {
    const there<std::uint64_t> here{{.lanes = 3, .capacity = 8}};
    auto first = here.view.producer().value();
    auto second = here.view.producer().value();
    auto consumer = here.view.consumer().value();
    const auto damaged = layout::lanes::first_lane + layout::spsc::data;
    *here.memory.word(damaged) = 0x1234'5678;
    REQUIRE(second.try_write(2) == status::ok);
    std::uint64_t value = 0;
    auto ended = status::ok;
    if (by_drain) {
      CHECK(drain_all(consumer, ended).empty());
    } else {
      ended = consumer.try_read(value);
    }
    CHECK(ended == status::corrupt);
    CHECK(consumer.lane() == 0);
    CHECK(consumer.try_read(value) == status::ok);
    CHECK(value == 2);
    REQUIRE(second.try_write(3) == status::ok);
    CHECK(drain_all(consumer, ended) == shown{{1, 3}});
    CHECK(ended == status::empty);
    CHECK(here.view.lane(0)->closed());
    second.close();
    CHECK(consumer.try_read(value) == status::empty);
    here.view.producer().value().close();
    CHECK(consumer.try_read(value) == status::closed);
    CHECK(here.memory.intact());
  }
}

TEST_CASE("a_sleeping_consumer_is_woken_by_any_lane_a_close_and_a_stop") {
  using namespace std::chrono_literals;
  const weir::test::watchdog watchdog;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    const there<std::uint64_t> here{{.lanes = 3, .capacity = 8, .wake = protocol}};
    std::vector<weir::lanes<std::uint64_t>::producer_type<>> producers;
    for (int lane = 0; lane < 3; ++lane) producers.push_back(here.view.producer().value());
    auto consumer = here.view.consumer<weir::park>().value();
    CHECK(consumer.wait(std::chrono::steady_clock::now() + 1ms) == status::timed_out);
    const auto sleeper = [&] {
      while ((__atomic_load_n(here.view.bell().park_word(), __ATOMIC_ACQUIRE) & 1) == 0) {
        std::this_thread::yield();
      }
    };
    for (std::uint32_t lane = 0; lane < 3; ++lane) {
      status wrote = status::full;
      std::thread writer{[&] {
        sleeper();
        wrote = producers[lane].try_write(lane);
      }};
      const auto outcome = consumer.wait();
      writer.join();
      CHECK(wrote == status::ok);
      CHECK(outcome == status::ok);
      std::uint64_t value = 99;
      CHECK(consumer.try_read(value) == status::ok);
      CHECK((value == lane && consumer.lane() == lane));
    }
    weir::stop_word stop;
    std::thread stopper{[&] {
      sleeper();
      here.view.request_stop(stop);
    }};
    CHECK(consumer.wait(weir::no_deadline, &stop) == status::stopped);
    stopper.join();
    std::thread closer{[&] {
      sleeper();
      here.view.close();
    }};
    CHECK(consumer.wait() == status::closed);
    closer.join();
    CHECK(here.view.statistics().waits > 0);
    CHECK(here.view.statistics().late_wakes == 0);
  }
}

TEST_CASE("a_producer_that_waits_for_space_in_its_lane_is_woken") {
  const weir::test::watchdog watchdog;
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 4}};
  constexpr std::uint64_t count = 1000;
  status failed = status::ok;
  std::thread writer{[&] {
    auto producer = here.view.producer(weir::wait_for_space<>{}).value();
    for (std::uint64_t value = 0; value < count; ++value) {
      if (const auto outcome = producer.write(value); outcome != status::ok) failed = outcome;
    }
  }};
  auto consumer = here.view.consumer<weir::park>().value();
  std::uint64_t next = 0;
  std::uint32_t wrong = 0;
  while (next < count) {
    if (consumer.wait() != status::ok) break;
    static_cast<void>(
        consumer.drain([&](std::uint64_t value) { wrong += value == next++ ? 0U : 1U; }));
  }
  writer.join();
  CHECK((failed == status::ok && wrong == 0 && next == count));
}

TEST_CASE("a_value_read_from_a_lane_makes_room_at_once_where_its_producer_waits") {
  const there<std::uint64_t> here{{.lanes = 1, .capacity = 256}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  while (producer.try_write(0) == status::ok) {
  }
  std::uint64_t value = 0;
  REQUIRE(consumer.try_read(value) == status::ok);
  CHECK(producer.try_write(1) == status::full);
  *here.memory.word(layout::lanes::first_lane + layout::spsc::space_park) = 1;
  REQUIRE(consumer.try_read(value) == status::ok);
  CHECK(producer.try_write(1) == status::ok);
}

TEST_CASE("a_dead_producers_lane_is_free_and_what_it_published_is_read") {
  const there<std::uint64_t> here{{.lanes = 1, .capacity = 16, .process_shared = true}};
  auto consumer = here.view.consumer<weir::park>().value();
  for (std::uint64_t round = 0; round < 3; ++round) {
    child_process child{[&] {
      auto producer = here.view.producer().value();
      if (producer.try_write(round) != status::ok) return 1;
      if (producer.try_claim().commit_later(99).outcome != status::ok) return 1;
      weir::test::sleep_until_killed();
    }};
    std::uint64_t value = 99;
    CHECK(consumer.wait() == status::ok);
    CHECK(here.view.producer().status() == status::full);
    child.kill_only();
    CHECK(consumer.try_read(value) == status::ok);
    CHECK(value == round);
  }
  auto producer = here.view.producer().value();
  REQUIRE(producer.try_write(5) == status::ok);
  auto ended = status::ok;
  CHECK(drain_all(consumer, ended) == shown{{0, 5}});
}

TEST_CASE("a_dead_consumer_of_all_lanes_has_a_successor") {
  const there<std::uint64_t> here{{.lanes = 3, .capacity = 8, .process_shared = true}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  for (std::uint64_t value = 0; value < 3; ++value) {
    REQUIRE(first.try_write(value) == status::ok);
    REQUIRE(second.try_write(10 + value) == status::ok);
  }
  weir::test::shared_progress progress;
  child_process child{[&] {
    auto consumer = here.view.consumer().value();
    std::uint64_t value = 0;
    if (consumer.try_read(value) != status::ok) return 1;
    consumer.flush();
    progress.set(0, 1);
    weir::test::sleep_until_killed();
  }};
  progress.await(0, 1);
  CHECK(here.view.consumer().status() == status::busy);
  child.kill_only();
  auto consumer = here.view.consumer().value();
  auto ended = status::ok;
  CHECK(drain_all(consumer, ended) == shown{{0, 1}, {0, 2}, {1, 10}, {1, 11}, {1, 12}});
}

TEST_CASE("an_idle_lane_costs_one_load_and_an_empty_drain_one_more") {
  const there<std::uint64_t, weir::test::count_memory> here{{.lanes = 8, .capacity = 8}};
  auto consumer = here.view.consumer().value();
  static_cast<void>(consumer.drain([](std::uint64_t) {}));
  const auto cost = weir::test::count_memory::cost_of(
      [&] { static_cast<void>(consumer.drain([](std::uint64_t) {})); });
  CHECK(cost.steps() == 8 + 1);  // the closed word of the first lane
}

TEST_CASE("the_inline_mode_has_lanes_too") {
  const there<std::uint64_t, weir::plain_memory> here{{.lanes = 2, .capacity = 4}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer<weir::park>().value();
  CHECK(consumer.wait() == status::would_block);
  REQUIRE(producer.try_write(1) == status::ok);
  CHECK(consumer.wait() == status::ok);
  std::uint64_t value = 0;
  CHECK(consumer.try_read(value) == status::ok);
}

TEST_CASE("the_limit_of_a_drain_is_one_for_all_lanes_and_the_space_comes_back") {
  const there<std::uint64_t> here{{.lanes = 2, .capacity = 64}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  for (std::uint64_t value = 0; value < 2; ++value) {
    REQUIRE(first.try_write(value) == status::ok);
    REQUIRE(second.try_write(10 + value) == status::ok);
  }
  std::uint32_t shown_now = 0;
  const auto count = [&](std::uint64_t) { ++shown_now; };
  CHECK(consumer.drain(count, 3).records == 3);
  CHECK(shown_now == 3);
  while (first.try_write(2) == status::ok) {
  }
  CHECK(consumer.drain(count, 4).records == 4);
  CHECK(first.try_write(2) == status::ok);
}
