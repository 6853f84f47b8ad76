// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>

using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;
using byte_sides = weir::test::byte_sides;
using word_sides = weir::test::both_sides<std::uint64_t>;

TEST_CASE("a_flush_shows_what_both_sides_have_counted") {
  for (const auto start : {0U, 0x7FFF'FF00U, 0xFFFF'FF00U}) {
    byte_sides ring{{.capacity = 256, .start_position = start}};
    for (std::uint32_t number = 0; number < 4; ++number) {
      REQUIRE(write_pattern(ring.producer, number, 8 * number) == status::ok);
    }
    ring.producer.flush();
    CHECK(read_pattern(ring.consumer, 0, 0));
    CHECK(read_pattern(ring.consumer, 1, 8));
    ring.consumer.flush();
    const auto [producer, consumer] = ring.there.ring.statistics();
    CHECK(producer.records == 4);
    CHECK(producer.bytes == 8 + 16 + 24 + 32);
    CHECK(producer.full == 0);
    CHECK(producer.drops == 0);
    CHECK(consumer.records == 2);
    CHECK(consumer.bytes == 8 + 16);
  }
}

TEST_CASE("padding_counts_as_bytes_and_not_as_a_record") {
  byte_sides ring{{.capacity = 256, .start_position = 224}};
  REQUIRE(write_pattern(ring.producer, 0, 40) == status::ok);
  ring.producer.flush();
  CHECK(read_pattern(ring.consumer, 0, 40));
  ring.consumer.flush();
  const auto [producer, consumer] = ring.there.ring.statistics();
  CHECK(producer.records == 1);
  CHECK(producer.bytes == 32 + 48);
  CHECK(consumer.records == 1);
  CHECK(consumer.bytes == 32 + 48);
}

TEST_CASE("each_attempt_that_finds_no_room_is_counted_and_the_most_that_was_in_use") {
  byte_sides ring{{.capacity = 64}};
  REQUIRE(write_pattern(ring.producer, 0, 16) == status::ok);
  REQUIRE(write_pattern(ring.producer, 1, 16) == status::ok);
  for (int attempt = 0; attempt < 3; ++attempt) {
    REQUIRE(write_pattern(ring.producer, 2, 16) == status::full);
  }
  CHECK(ring.producer.try_claim(17).status() == status::too_large);
  ring.producer.flush();
  const auto producer = ring.there.ring.statistics().producer;
  CHECK(producer.records == 2);
  CHECK(producer.full == 3);
  CHECK(producer.high_water == 48);
}

TEST_CASE("withheld_records_and_what_a_drain_shows_are_counted_once") {
  byte_sides ring{{.capacity = 256}};
  for (int count = 0; count < 3; ++count) {
    REQUIRE(ring.producer.try_claim(8).commit_later().outcome == status::ok);
  }
  ring.producer.flush();
  {
    const auto dropped = ring.producer.try_claim(8);
  }
  CHECK(ring.consumer.drain([](const auto&) {}, 2).records == 2);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
  const auto [producer, consumer] = ring.there.ring.statistics();
  CHECK(producer.records == 3);
  CHECK(consumer.records == 3);
}

TEST_CASE("counting_goes_on_with_the_next_holder_of_the_role") {
  const weir::test::test_ring<weir::bytes> there{{.capacity = 256}};
  for (std::uint32_t number = 0; number < 10; ++number) {
    auto producer = there.ring.producer().value();
    auto consumer = there.ring.consumer().value();
    REQUIRE(write_pattern(producer, number, 8) == status::ok);
    REQUIRE(read_pattern(consumer, number, 8));
  }
  const auto [producer, consumer] = there.ring.statistics();
  CHECK(producer.records == 10);
  CHECK(producer.bytes == 160);
  CHECK(consumer.records == 10);
  CHECK(consumer.bytes == 160);
}

TEST_CASE("a_sleep_is_counted_when_it_is_over") {
  using namespace std::chrono_literals;
  weir::test::both_sides<weir::bytes, weir::native_memory, weir::wait_for_space<>, weir::park> ring{
      {.capacity = 64}};
  const auto soon = [] { return std::chrono::steady_clock::now() + 2ms; };
  CHECK(ring.consumer.wait(soon()) == status::timed_out);
  CHECK(ring.there.ring.statistics().consumer.waits == 1);
  CHECK(ring.there.ring.statistics().consumer.late_wakes == 0);
  REQUIRE(ring.producer.claim(16).commit().outcome == status::ok);
  REQUIRE(ring.producer.claim(16).commit().outcome == status::ok);
  CHECK(ring.producer.claim(16, soon()).status() == status::timed_out);
  ring.producer.flush();
  CHECK(ring.there.ring.statistics().producer.waits == 1);
  CHECK(ring.there.ring.statistics().producer.full == 1);
}

TEST_CASE("a_typed_ring_counts_slots") {
  for (const auto start : weir::test::notable_starts) {
    word_sides ring{{.capacity = 4, .start_position = start}};
    for (std::uint64_t value = 0; value < 4; ++value) {
      REQUIRE(ring.producer.try_write(value) == status::ok);
    }
    CHECK(ring.producer.try_write(9) == status::full);
    std::uint64_t value = 0;
    CHECK(ring.consumer.try_read(value) == status::ok);
    ring.producer.flush();
    ring.consumer.flush();
    const auto [producer, consumer] = ring.there.ring.statistics();
    CHECK(producer.records == 4);
    CHECK(producer.bytes == 4);
    CHECK(producer.full == 1);
    CHECK(producer.high_water == 4);
    CHECK(consumer.records == 1);
    CHECK(consumer.bytes == 1);
  }
}

TEST_CASE("a_ring_that_does_not_count_leaves_its_statistics_at_zero") {
  weir::test::both_sides<weir::bytes, weir::native_memory, weir::reject, weir::poll,
                         weir::uncounted>
      ring{{.capacity = 64}};
  for (std::uint32_t number = 0; number < 1'000; ++number) {
    if (write_pattern(ring.producer, number, 8) != status::ok) FAIL("record " << number);
    if (!read_pattern(ring.consumer, number, 8)) FAIL("record " << number);
    if (ring.consumer.try_peek().status() != status::empty) FAIL("record " << number);
  }
  ring.producer.close();
  ring.consumer.close();
  const auto [producer, consumer] = ring.there.ring.statistics();
  CHECK(producer.records + producer.bytes + producer.full + producer.high_water == 0);
  CHECK(consumer.records + consumer.bytes == 0);
}

TEST_CASE("drops_are_told_to_the_producer_even_where_nothing_is_counted") {
  weir::test::both_sides<weir::bytes, weir::native_memory, weir::drop_newest, weir::poll,
                         weir::uncounted>
      ring{{.capacity = 64}};
  while (write_pattern(ring.producer, 0, 16) == status::ok) {
  }
  CHECK(write_pattern(ring.producer, 0, 16) == status::full);
  CHECK(ring.producer.dropped() == 2);
  CHECK(ring.there.ring.statistics().producer.drops == 0);
}
