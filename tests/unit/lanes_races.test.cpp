// SPDX-License-Identifier: MIT
// Proved: what the consumer of all lanes says when a producer publishes, closes or damages a lane between two of
// its accesses, at the places where that decides the answer; what a damaged lane means for who wants one.
// Not provable here: that these interleavings are all there are.
#include "support/guarded_span.hpp"
#include "support/script.hpp"
#include "support/test_ring.hpp"

#include <weir/lanes.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <vector>

namespace layout = weir::layout;
using weir::lanes;
using weir::lanes_options;
using weir::status;
using weir::test::access_kind;
using weir::test::access_to;
using weir::test::guarded_span;
using weir::test::once;
using weir::test::script_memory;
using weir::test::scripted;

namespace {

/// Lanes, and the same ones as a consumer sees them between whose accesses somebody acts.
template <class T>
struct watched_lanes {
  using type = lanes<T>;
  using scripted_type = lanes<T, script_memory>;

  guarded_span memory;
  type view;
  scripted_type watched = scripted_type::attach(memory.bytes()).value();

  explicit watched_lanes(const lanes_options& options)
      : memory{type::bytes_required(options.lanes, options.capacity)},
        view{type::format(memory.bytes(), options).value()} {}

  [[nodiscard]] auto lane_at(std::uint32_t lane) const -> std::uint32_t {
    const auto size = (memory.bytes().size() - layout::lanes::first_lane) / view.lane_count();
    return layout::lanes::first_lane + lane * static_cast<std::uint32_t>(size);
  }
  [[nodiscard]] auto word(std::uint32_t lane, std::uint32_t offset) const -> std::uint32_t* {
    return memory.word(lane_at(lane) + offset);
  }
};
using word_lanes = watched_lanes<std::uint64_t>;

}  // namespace

TEST_CASE("reads_one_by_one_leave_a_lane_that_never_ends_after_a_slice") {
  constexpr auto slice = weir::detail::lane_slice;
  const word_lanes here{{.lanes = 2, .capacity = 2 * slice}};
  auto busy = here.view.producer().value();
  auto quiet = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  for (std::uint32_t count = 0; count < 2 * slice; ++count) {
    REQUIRE(busy.try_write(0) == status::ok);
  }
  REQUIRE(quiet.try_write(1) == status::ok);
  std::uint64_t value = 0;
  std::uint32_t before = 0;
  while (consumer.try_read(value) == status::ok && value == 0) ++before;
  CHECK(value == 1);
  CHECK(before == slice);
  while (consumer.try_read(value) == status::ok) ++before;
  CHECK(before == 2 * slice);
}

TEST_CASE("after_a_run_of_records_the_consumer_lingers_for_those_that_come_at_once") {
  for (const bool by_drain : {false, true}) {
    const word_lanes here{{.lanes = 2, .capacity = 64}};
    auto producer = here.view.producer().value();
    auto consumer = here.watched.consumer<weir::backoff>().value();
    std::uint64_t value = 0;
    const auto read = [&] {
      if (!by_drain) return consumer.try_read(value);
      const auto done = consumer.drain([&](std::uint64_t shown) { value = shown; });
      return done.records != 0 ? status::ok : done.outcome;
    };
    for (std::uint64_t number = 0; number < weir::detail::linger_run; ++number) {
      REQUIRE(producer.try_write(number) == status::ok);
      if (!by_drain) REQUIRE(read() == status::ok);
    }
    auto late = status::empty;
    {
      const scripted race{once(
          1, [](const auto& now) { return now.kind == access_kind::pause; },
          [&] { late = producer.try_write(99); })};
      CHECK(read() == status::ok);
    }
    CHECK(late == status::ok);
    CHECK(value == 99);
    CHECK(read() == status::empty);
  }
}

TEST_CASE("bytes_published_just_before_their_lane_closes_are_found_before_closed_is_said") {
  const watched_lanes<weir::bytes> here{{.lanes = 1, .capacity = 256}};
  auto producer = here.view.producer().value();
  auto consumer = here.watched.consumer().value();
  auto wrote = status::empty;
  const scripted race{
      once(1, access_to(access_kind::load, here.word(0, layout::spsc::closed)), [&] {
        wrote = weir::test::write_pattern(producer, 7, 8);
        producer.close();
      })};
  CHECK(weir::test::read_pattern(consumer, 7, 8));
  CHECK(wrote == status::ok);
  CHECK(consumer.try_peek().status() == status::closed);
}

TEST_CASE("a_record_published_just_before_its_lane_closes_is_found_before_closed_is_said") {
  for (const bool by_drain : {false, true}) {
    const word_lanes here{{.lanes = 1, .capacity = 4}};
    auto producer = here.view.producer().value();
    auto consumer = here.watched.consumer().value();
    std::vector<std::uint64_t> seen;
    auto wrote = status::empty;
    const scripted race{
        once(1, access_to(access_kind::load, here.word(0, layout::spsc::closed)), [&] {
          wrote = producer.try_write(7);
          producer.close();
        })};
    auto outcome = status::ok;
    if (by_drain) {
      outcome = consumer.drain([&](std::uint64_t value) { seen.push_back(value); }).outcome;
    } else {
      std::uint64_t value = 0;
      outcome = consumer.try_read(value);
      seen.push_back(value);
      CHECK(outcome == status::ok);
      outcome = consumer.try_read(value);
    }
    CHECK(wrote == status::ok);
    CHECK(seen == std::vector<std::uint64_t>{7});
    CHECK(outcome == status::closed);
  }
}

TEST_CASE("a_drain_that_has_used_its_turns_leaves_what_came_meanwhile_to_the_next_one") {
  constexpr std::uint64_t slice = weir::detail::lane_slice;
  const word_lanes here{{.lanes = 1, .capacity = 4}};
  auto producer = here.view.producer().value();
  auto consumer = here.watched.consumer().value();
  REQUIRE(producer.try_write(1) == status::ok);
  std::uint32_t refused = 0;
  {
    // The first of two turns ends with its slice, the second finds nothing.
    const scripted race{
        once(1, access_to(access_kind::load, here.word(0, layout::spsc::closed)), [&] {
          refused += producer.try_write(0) == status::ok ? 0U : 1U;
          producer.close();
        })};
    const auto done = consumer.drain([&](std::uint64_t value) {
      if (value == slice) return;
      refused += producer.try_write(value + 1) == status::ok ? 0U : 1U;
    });
    CHECK(done.outcome == status::ok);
    CHECK(done.records == slice);
  }
  CHECK(refused == 0);
  const auto rest = consumer.drain([](std::uint64_t) {});
  CHECK(rest.outcome == status::closed);
  CHECK(rest.records == 1);
}

TEST_CASE("a_record_that_is_there_and_gone_again_does_not_hold_a_read") {
  const word_lanes here{{.lanes = 1, .capacity = 4}};
  auto producer = here.view.producer().value();
  auto consumer = here.watched.consumer().value();
  auto* const stamp = here.word(0, layout::spsc::data);
  const auto none = *stamp;
  std::uint64_t value = 0;
  std::uint32_t looks = 0;
  const scripted enemy{[&](const auto& now) {
    if (now.is(access_kind::load, here.word(0, layout::spsc::closed)) && looks == 0) {
      looks = 1;
      static_cast<void>(producer.try_write(7));
      producer.close();
    } else if (now.is(access_kind::load, stamp) && looks != 0 && ++looks == 3) {
      *stamp = none;  // after the look that found it
    }
  }};
  CHECK(consumer.try_read(value) == status::empty);
}

TEST_CASE("damage_that_comes_when_all_lanes_were_seen_empty_is_corrupt_not_closed") {
  const word_lanes here{{.lanes = 2, .capacity = 4}};
  auto first = here.view.producer().value();
  auto second = here.view.producer().value();
  auto consumer = here.watched.consumer().value();
  std::uint64_t value = 0;
  {
    const scripted race{
        once(1, access_to(access_kind::load, here.word(0, layout::spsc::closed)), [&] {
          first.close();
          *here.word(0, layout::spsc::data) = 0x1234'5678;
        })};
    CHECK(consumer.try_read(value) == status::corrupt);
  }
  CHECK(consumer.lane() == 0);
  REQUIRE(second.try_write(2) == status::ok);
  CHECK(consumer.try_read(value) == status::ok);
  CHECK(value == 2);
  second.close();
  CHECK(consumer.try_read(value) == status::closed);  // the damaged lane is said once
}

TEST_CASE("who_wants_a_lane_passes_over_damaged_ones_and_is_told_if_nothing_else_is_left") {
  using byte_lanes = watched_lanes<weir::bytes>;
  const auto damage = [](const byte_lanes& here, std::uint32_t lane) {
    *here.word(lane, layout::spsc::read_position) = 4;  // no record begins there
  };
  {
    const byte_lanes here{{.lanes = 3, .capacity = 256}};
    damage(here, 0);
    damage(here, 2);
    auto producer = here.view.producer().value();
    REQUIRE(weir::test::write_pattern(producer, 1, 8) == status::ok);
    producer.flush();
    CHECK(here.view.statistics(1).producer.records == 1);
    CHECK(here.view.producer().status() == status::full);  // that one may come free again
    producer.close();
    CHECK(here.view.producer().status() == status::corrupt);
  }
  const byte_lanes here{{.lanes = 3, .capacity = 256}};
  damage(here, 0);
  *here.word(1, layout::magic) = 1;
  *here.word(2, layout::magic) = 1;
  CHECK(here.view.producer().status() == status::corrupt);
  CHECK(here.memory.intact());
}

TEST_CASE("a_lane_that_somebody_formats_anew_with_another_capacity_is_corrupt") {
  using ring_type = weir::spsc_ring<std::uint64_t>;
  const word_lanes here{{.lanes = 2, .capacity = 16}};
  const auto span = here.memory.bytes().subspan(here.lane_at(1), ring_type::bytes_required(16));
  REQUIRE(ring_type::format(span, {.capacity = 8, .wake = here.view.wake()}, here.view.bell()));
  CHECK(here.view.lane(0).status() == status::ok);
  CHECK(here.view.lane(1).status() == status::corrupt);
}

TEST_CASE("lanes_that_cannot_be_are_refused_before_anything_is_written") {
  const guarded_span memory{8192};
  CHECK(lanes<std::uint64_t>::format(memory.bytes(), {.lanes = 0}).status() == status::bad_layout);
  CHECK(lanes<weir::bytes>::format(memory.bytes(), {.lanes = 1, .start_position = 4}).status() ==
        status::bad_layout);
  CHECK(lanes<std::uint64_t>::attach(memory.bytes()).status() == status::not_ready);
}
