// SPDX-License-Identifier: MIT
// Taking and leaving roles, closing, counting, dropping, the inline mode.
#include "support/child_process.hpp"
#include "support/mpsc_sides.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

using weir::mpsc_options;
using weir::owner_state;
using weir::status;
using weir::stop_word;
using weir::wait_for_space;
using weir::wake_protocol;
using weir::test::child_process;
using weir::test::mpsc_byte_kind;
using weir::test::mpsc_sides;
using weir::test::mpsc_test_ring;
using weir::test::mpsc_typed_kind;

namespace {

template <class Kind>
using element = std::conditional_t<Kind::frames, weir::bytes, std::uint64_t>;

constexpr mpsc_options options{.capacity = 256, .producers = 3};

}  // namespace

TEMPLATE_TEST_CASE("a_table_of_producers_fills_and_a_dropped_slot_is_taken_again", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  mpsc_test_ring<element<TestType>> there{options};
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    CHECK(there.ring.producer_owner(slot) == owner_state::free);
  }
  auto first = there.ring.producer().value();
  auto second = std::optional{there.ring.producer().value()};
  auto third = there.ring.producer().value();
  CHECK(there.ring.producer().status() == status::full);
  CHECK(there.ring.producer_owner(1) == owner_state::alive);
  second.reset();
  CHECK(there.ring.producer_owner(1) == owner_state::free);
  for (std::uint32_t round = 0; round < 3000; ++round) {  // epochs wrap
    if (!there.ring.producer()) FAIL(round);
  }
  auto moved = std::move(first);
  CHECK(TestType::write(moved, 1) == status::ok);
  CHECK(there.ring.producer_owner(0) == owner_state::alive);
}

TEMPLATE_TEST_CASE("there_is_one_consumer_at_a_time", "", mpsc_byte_kind, mpsc_typed_kind) {
  mpsc_test_ring<element<TestType>> there{options};
  auto producer = there.ring.producer().value();
  for (std::uint32_t number = 0; number < 20; ++number) {
    auto consumer = there.ring.consumer();
    REQUIRE(consumer);
    CHECK(there.ring.consumer_owner() == owner_state::alive);
    CHECK(there.ring.consumer().status() == status::busy);
    REQUIRE(TestType::write(producer, number) == status::ok);
    std::uint32_t seen = 99;
    const auto done =
        consumer->drain([&](const auto& record) { seen = TestType::number_of(record); });
    CHECK(done.records == 1);
    CHECK(seen == number);
  }
  CHECK(there.ring.consumer_owner() == owner_state::free);
}

TEMPLATE_TEST_CASE("a_role_that_cannot_keep_the_wake_protocol_is_unsupported", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_test_ring<element<TestType>> there{{.capacity = 256, .wake = wake_protocol::none}};
  CHECK(there.ring.template consumer<weir::park>().status() == status::unsupported);
  CHECK(there.ring.template consumer<weir::backoff>());
  CHECK(there.ring.producer(wait_for_space<>{}).status() == status::unsupported);
  CHECK(there.ring.producer(wait_for_space<weir::backoff>{}));
  CHECK(there.ring.producer(weir::drop_newest{.low_water = 129}).status() == status::too_large);
  CHECK(there.ring.producer(weir::drop_newest{.low_water = 128}));
}

TEMPLATE_TEST_CASE("a_forks_copies_of_handles_do_nothing", "", mpsc_byte_kind, mpsc_typed_kind) {
  auto there = options;
  there.process_shared = true;
  mpsc_sides<element<TestType>> ring{there, 1};
  REQUIRE(TestType::write(ring.producers[0], 1) == status::ok);
  const auto bytes = ring.there.memory.bytes();
  const std::vector<std::byte> before{bytes.begin(), bytes.end()};
  child_process child{[&] {
    ring.producers.clear();
    {
      auto gone = std::move(ring.consumer);
    }
    return 0;
  }};
  CHECK(child.wait() == 0);
  CHECK(std::ranges::equal(bytes, before));
  CHECK(ring.there.ring.producer_owner(0) == owner_state::alive);
  CHECK(ring.there.ring.consumer_owner() == owner_state::alive);
}

TEMPLATE_TEST_CASE("after_a_producer_closed_the_rest_is_read_and_then_closed", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  for (const bool recoverable : {false, true}) {
    auto there = options;
    there.recoverable = recoverable;
    mpsc_sides<element<TestType>> ring{there, 2};
    REQUIRE(TestType::write(ring.producers[0], 1) == status::ok);
    auto open = TestType::claim(ring.producers[1], 2);
    CHECK_FALSE(ring.there.ring.closed());
    ring.producers[0].close();
    ring.producers[0].close();
    CHECK(ring.there.ring.closed());
    CHECK(TestType::write(ring.producers[0], 3) == status::closed);
    CHECK(TestType::claim(ring.producers[0], 3).status() == status::closed);
    CHECK(TestType::write_batch(ring.producers[0], 3) == 0);
    CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
    // What was claimed before the close can still be committed, and is delivered.
    CHECK(ring.consumer.try_peek().status() == status::empty);
    CHECK(TestType::commit(open, 2) == status::ok);
    CHECK(TestType::write(ring.producers[1], 3) == status::closed);
    std::uint32_t seen = 0;
    const auto done =
        ring.consumer.drain([&](const auto& record) { seen = TestType::number_of(record); });
    CHECK(seen == 2);
    CHECK(done.outcome == status::closed);
    CHECK(ring.consumer.try_peek().status() == status::closed);
    CHECK(ring.consumer.wait() == status::closed);
    CHECK(ring.there.ring.statistics().discarded == 0);
  }
}

TEMPLATE_TEST_CASE("a_producer_that_only_leaves_does_not_close", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{options, 2};
  ring.producers.clear();
  CHECK_FALSE(ring.there.ring.closed());
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEMPLATE_TEST_CASE("a_consumer_that_closes_counts_what_it_leaves", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_test_ring<element<TestType>> there{options};
  auto producer = there.ring.producer().value();
  auto other = there.ring.producer().value();
  auto open = [&] {
    auto consumer = there.ring.consumer().value();
    for (std::uint32_t number = 0; number < 4; ++number) {
      REQUIRE(TestType::write(producer, number) == status::ok);
    }
    REQUIRE(consumer.drain([](const auto&) {}, 1).records == 1);
    auto claim = TestType::claim(other, 9);
    consumer.close();
    CHECK(TestType::write(producer, 5) == status::closed);
    CHECK(consumer.drain([](const auto&) {}, 1).records == 1);  // it may still read
    return claim;
  }();
  CHECK(there.ring.statistics().discarded == 2);
  CHECK(TestType::commit(open, 9) == status::ok);
  {
    auto successor = there.ring.consumer().value();
  }
  CHECK(there.ring.statistics().discarded == 3);
  auto last = there.ring.consumer().value();
  CHECK(last.try_peek().status() == status::closed);
}

TEST_CASE("the_statistics_of_slots_and_of_the_ring_are_exact_after_a_flush") {
  mpsc_sides<weir::bytes> ring{options, 2};
  auto& view = ring.there.ring;
  CHECK(ring.producers[0].try_write(std::array<std::byte, 10>{}) == status::ok);
  CHECK(ring.producers[0].try_write({}) == status::ok);
  {
    const auto aborted = ring.producers[0].try_claim(3);
  }
  CHECK(ring.producers[1].try_write({}) == status::ok);
  while (ring.producers[1].try_write(std::array<std::byte, 32>{}) == status::ok) {
  }
  for (auto& each : ring.producers) each.flush();
  CHECK(view.statistics(0).records == 2);
  CHECK(view.statistics(0).bytes == 24 + 8 + 16);
  CHECK(view.statistics(0).full == 0);
  CHECK(view.statistics(1).records == 1 + 5);
  CHECK(view.statistics(1).bytes == 8 + 5 * 40);
  CHECK(view.statistics(1).full == 1);
  CHECK(view.statistics(1).high_water == 256);
  CHECK(view.statistics(2).records == 0);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 8);
  CHECK(view.statistics().consumer.records == 8);
  CHECK(view.statistics().consumer.bytes == 256);
  // Slots and roles go on counting where their last owners stopped.
  ring.producers.clear();
  auto next = view.producer().value();
  CHECK(next.try_write({}) == status::ok);
  next.flush();
  CHECK(view.statistics(0).records == 3);
  CHECK(view.statistics(0).bytes == 56);
}

TEST_CASE("uncounted_rings_count_nothing") {
  mpsc_sides<weir::bytes, weir::native_memory, weir::reject, weir::poll, weir::uncounted> ring{
      options, 1};
  CHECK(ring.producers[0].try_write({}) == status::ok);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
  ring.producers[0].flush();
  ring.consumer.flush();
  CHECK(ring.there.ring.statistics(0).records == 0);
  CHECK(ring.there.ring.statistics().consumer.records == 0);
}

TEMPLATE_TEST_CASE("drop_newest_drops_runs_and_counts_them", "", mpsc_byte_kind, mpsc_typed_kind) {
  auto there = options;
  there.capacity = TestType::frames ? 256 : 8;
  mpsc_sides<element<TestType>, weir::native_memory, weir::drop_newest> ring{
      there, 2, weir::drop_newest{.low_water = there.capacity / 2}};
  auto& producer = ring.producers[0];
  std::uint32_t written = 0;
  while (TestType::write(producer, 4) == status::ok) ++written;
  CHECK(producer.dropped() == 1);
  CHECK(TestType::write(producer, 4) == status::full);
  CHECK(producer.dropped() == 2);
  CHECK(ring.consumer.drain([](const auto&) {}, 1).records == 1);
  ring.consumer.flush();
  CHECK(TestType::write(producer, 4) == status::full);         // below the mark
  CHECK(TestType::write(ring.producers[1], 4) == status::ok);  // another producer's affair
  CHECK(ring.consumer.drain([](const auto&) {}).records == written);
  CHECK(TestType::write(producer, 4) == status::ok);
  CHECK(producer.dropped() == 3);
  producer.flush();
  CHECK(ring.there.ring.statistics(0).drops == 3);
  CHECK(ring.there.ring.statistics(1).drops == 0);
}

TEMPLATE_TEST_CASE("a_ring_for_many_that_closes_while_a_producer_drops_is_closed", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  mpsc_sides<element<TestType>, weir::native_memory, weir::drop_newest> ring{options, 1};
  auto& producer = ring.producers[0];
  while (TestType::write(producer, 4) == status::ok) {
  }
  ring.consumer.close();
  CHECK(TestType::write(producer, 4) == status::closed);
  CHECK(producer.dropped() == 1);
}

TEST_CASE("a_batch_that_begins_with_what_is_too_large_is_not_dropped_for_want_of_room") {
  mpsc_sides<weir::bytes, weir::native_memory, weir::drop_newest> ring{options, 1};
  auto& producer = ring.producers[0];
  const std::vector<std::byte> large(producer.max_record() + 1);
  const std::array<std::span<const std::byte>, 1> records{large};
  CHECK(producer.try_write_batch(records) == 0);
  CHECK(producer.dropped() == 0);
  CHECK(producer.try_write({}) == status::ok);
}

TEMPLATE_TEST_CASE("either_side_of_a_ring_for_many_says_for_itself_that_it_closed", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{options, 1};
  ring.producers[0].close();
  ring.consumer.close();
  CHECK(ring.word(weir::layout::mpsc::closed) ==
        (weir::layout::closed_by_producer | weir::layout::closed_by_consumer));
}

TEST_CASE("drop_newest_reports_in_band_how_many_were_dropped") {
  mpsc_sides<weir::bytes, weir::native_memory, weir::drop_newest> ring{
      {.capacity = 256, .recoverable = true}, 1, weir::drop_newest{.report = true}};
  auto& producer = ring.producers[0];
  for (int count = 0; count < 32 + 5; ++count) static_cast<void>(producer.try_write({}, 7));
  CHECK(ring.consumer.drain([](const auto&) {}).records == 32);
  CHECK(producer.try_write({}, 8) == status::ok);
  auto report = ring.consumer.try_peek();
  CHECK(report.type() == weir::record_type::dropped);
  REQUIRE(report.bytes().size() == 8);
  CHECK(report.bytes()[0] == std::byte{5});
  report.release();
  CHECK(ring.consumer.try_peek().type() == 8);
}

TEMPLATE_TEST_CASE("the_inline_mode_is_the_same_and_never_blocks", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  for (const bool recoverable : {false, true}) {
    auto there = options;
    there.recoverable = recoverable;
    mpsc_sides<element<TestType>, weir::plain_memory, wait_for_space<>, weir::park> ring{there, 2};
    CHECK(ring.consumer.wait() == status::would_block);
    for (std::uint32_t number = 0; number < 500; ++number) {
      auto open = TestType::claim(ring.producers[0], number);
      if (TestType::write(ring.producers[1], number + 1) != status::ok) FAIL(number);
      if (TestType::commit(open, number) != status::ok) FAIL(number);
      if (ring.consumer.wait() != status::ok) FAIL(number);
      std::uint32_t next = number;
      const auto done = ring.consumer.drain(
          [&](const auto& record) { next += TestType::number_of(record) == next ? 1 : 9; });
      if (done.records != 2 || next != number + 2) FAIL(number);
    }
    while (TestType::write(ring.producers[0], 3) == status::ok) {
    }
    const auto waited = [&] {
      if constexpr (TestType::frames)
        return ring.producers[0].claim(40).status();
      else
        return ring.producers[0].claim().status();
    }();
    CHECK(waited == status::would_block);
    CHECK(ring.intact());
  }
}
