// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace spsc = weir::layout::spsc;
using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;
using byte_sides = weir::test::byte_sides;
using word_sides = weir::test::both_sides<std::uint64_t>;

TEST_CASE("what_was_written_before_the_producer_closed_is_read_and_then_the_ring_is_closed") {
  for (const std::uint32_t count : {0U, 1U, 5U}) {
    byte_sides ring{{.capacity = 512}};
    for (std::uint32_t number = 0; number < count; ++number) {
      REQUIRE(write_pattern(ring.producer, number, 20) == status::ok);
    }
    CHECK_FALSE(ring.there.ring.closed());
    ring.producer.close();
    CHECK(ring.there.ring.closed());
    for (std::uint32_t number = 0; number < count; ++number) {
      CHECK(read_pattern(ring.consumer, number, 20));
    }
    std::array<std::byte, 8> buffer{};
    CHECK(ring.consumer.try_peek().status() == status::closed);
    CHECK(ring.consumer.try_read(buffer).outcome == status::closed);
    CHECK(ring.consumer.drain([](const auto&) {}).outcome == status::closed);
    CHECK(ring.consumer.wait() == status::closed);
    CHECK(ring.consumer.try_peek().status() == status::closed);
  }
}

TEST_CASE("a_drain_of_a_closed_ring_shows_the_rest_and_says_closed_at_once") {
  byte_sides ring{{.capacity = 512}};
  REQUIRE(write_pattern(ring.producer, 0, 20) == status::ok);
  REQUIRE(write_pattern(ring.producer, 1, 20) == status::ok);
  ring.producer.close();
  const auto done = ring.consumer.drain([](const auto&) {});
  CHECK(done.outcome == status::closed);
  CHECK(done.records == 2);
}

TEST_CASE("a_producer_that_has_closed_writes_nothing_more") {
  byte_sides ring{{.capacity = 512}};
  ring.producer.close();
  CHECK(ring.producer.try_claim(8).status() == status::closed);
  CHECK(ring.producer.try_write({}) == status::closed);
  ring.producer.flush();
  ring.producer.close();
  CHECK(ring.consumer.try_peek().status() == status::closed);
}

TEST_CASE("nobody_writes_into_a_ring_that_was_closed_before") {
  const weir::test::test_ring<weir::bytes> there{{.capacity = 256}};
  there.ring.producer().value().close();
  auto successor = there.ring.producer().value();
  CHECK(successor.try_claim(8).status() == status::closed);
  auto consumer = there.ring.consumer().value();
  CHECK(consumer.try_peek().status() == status::closed);
}

TEST_CASE("a_consumer_that_closes_is_noticed_at_the_next_event") {
  for (const std::uint32_t capacity : {256U, 4096U, 65536U}) {
    byte_sides ring{{.capacity = capacity}};
    for (std::uint32_t number = 0; number < 5; ++number) {
      REQUIRE(write_pattern(ring.producer, number, 8) == status::ok);
    }
    ring.consumer.close();
    CHECK(ring.there.ring.closed());
    std::uint32_t written = 0;
    auto outcome = status::ok;
    while ((outcome = write_pattern(ring.producer, written, 8)) == status::ok) written += 16;
    CHECK(outcome == status::closed);
    CHECK(written <= std::min(capacity / 8, 1024U));
    CHECK(ring.producer.try_write({}) == status::closed);
  }
}

TEST_CASE("what_was_written_before_the_consumer_closed_can_still_be_read") {
  byte_sides ring{{.capacity = 256}};
  REQUIRE(write_pattern(ring.producer, 0, 8) == status::ok);
  ring.consumer.close();
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.consumer.try_peek().status() == status::closed);
}

TEST_CASE("the_successor_of_a_consumer_that_closed_sees_a_closed_ring") {
  const weir::test::test_ring<weir::bytes> there{{.capacity = 256}};
  there.ring.consumer().value().close();
  auto successor = there.ring.consumer<weir::park>().value();
  CHECK(successor.try_peek().status() == status::closed);
  CHECK(successor.wait() == status::closed);
}

TEST_CASE("closing_is_one_bit_for_each_side_and_stays") {
  byte_sides ring{{.capacity = 256}};
  ring.consumer.close();
  CHECK(ring.word(spsc::closed) == weir::layout::closed_by_consumer);
  ring.producer.close();
  CHECK(ring.word(spsc::closed) ==
        (weir::layout::closed_by_consumer | weir::layout::closed_by_producer));
}

TEST_CASE("closing_rings_the_bell_of_the_other_side_whoever_announced_itself") {
  for (const auto protocol : {weir::wake_protocol::none, weir::wake_protocol::at_flush,
                              weir::wake_protocol::fenced, weir::wake_protocol::asymmetric}) {
    byte_sides ring{{.capacity = 256, .wake = protocol}};
    ring.producer.close();
    CHECK(ring.word(spsc::data_park) == 2);
    ring.consumer.close();
    CHECK(ring.word(spsc::space_park) == 2);
  }
}

TEST_CASE("a_typed_ring_closes_like_any_other") {
  word_sides ring{{.capacity = 8}};
  REQUIRE(ring.producer.try_write(1) == status::ok);
  REQUIRE(ring.producer.try_claim().commit_later(2).outcome == status::ok);
  ring.producer.close();
  CHECK(ring.producer.try_write(3) == status::closed);
  CHECK(ring.producer.try_write_batch(std::array<std::uint64_t, 1>{3}) == 0);
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  const auto done = ring.consumer.drain([](const auto&) {});
  CHECK(done.outcome == status::closed);
  CHECK(done.records == 1);
  CHECK(ring.consumer.try_read(value) == status::closed);
  CHECK(ring.consumer.wait() == status::closed);
  CHECK(value == 1);
}

TEST_CASE("a_typed_producer_notices_a_closing_consumer_at_the_next_event") {
  word_sides ring{{.capacity = 1024}};
  REQUIRE(ring.producer.try_write(0) == status::ok);
  ring.consumer.close();
  std::uint32_t written = 0;
  while (ring.producer.try_write(1) == status::ok) ++written;
  CHECK(ring.producer.try_write(1) == status::closed);
  CHECK(written * weir::detail::slot_shape<std::uint64_t>::stride <= 1024);
}

TEST_CASE("a_claim_that_outlives_the_closing_makes_no_room") {
  weir::test::byte_sides ring{{.capacity = 256}};
  REQUIRE(ring.producer.try_write({}) == status::ok);
  {
    const auto open = ring.producer.try_claim(8);
    ring.producer.close();
  }
  CHECK(ring.producer.try_write({}) == status::closed);

  weir::test::both_sides<std::uint64_t> typed{{.capacity = 64}};
  REQUIRE(typed.producer.try_write(1) == status::ok);
  {
    const auto open = typed.producer.try_claim();
    typed.producer.close();
  }
  CHECK(typed.producer.try_write(2) == status::closed);
}

TEST_CASE("a_claim_that_is_open_when_its_ring_of_bytes_ends_publishes_nothing") {
  weir::test::byte_sides ring{{.capacity = 256}};
  auto claim = ring.producer.try_claim(8);
  REQUIRE(claim);
  ring.producer.close();
  CHECK(claim.commit().outcome == weir::status::closed);
  CHECK(ring.consumer.try_peek().status() == weir::status::closed);
}

TEST_CASE("a_claim_that_is_open_when_its_ring_of_values_ends_publishes_nothing") {
  weir::test::both_sides<std::uint64_t> ring{{.capacity = 8}};
  auto claim = ring.producer.try_claim();
  REQUIRE(claim);
  ring.producer.close();
  CHECK(claim.commit(5).outcome == weir::status::closed);
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == weir::status::closed);
  CHECK(value == 0);
}
