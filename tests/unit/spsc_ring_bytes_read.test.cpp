// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace spsc = weir::layout::spsc;
using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;
using byte_ring = weir::test::test_ring<weir::bytes>;

namespace {

struct sides : weir::test::byte_sides {
  using both_sides::both_sides;

  /// Writes records of `size` bytes, numbered from 0, until there are `count`.
  void fill(std::uint32_t count, std::uint32_t size) {
    for (std::uint32_t number = 0; number < count; ++number) {
      REQUIRE(write_pattern(producer, number, size) == status::ok);
    }
  }
  [[nodiscard]] auto shared_read_position() const -> std::uint32_t {
    return word(spsc::read_position);
  }
};

}  // namespace

TEST_CASE("a_record_that_is_not_released_stays_the_oldest") {
  sides ring{{.capacity = 256}};
  ring.fill(2, 8);
  for (int time = 0; time < 3; ++time) CHECK(ring.consumer.try_peek().type() == 0);
  ring.consumer.try_peek().release();
  CHECK(ring.consumer.try_peek().type() == 1);
}

TEST_CASE("a_record_that_is_released_twice_moves_on_once") {
  sides ring{{.capacity = 256}};
  ring.fill(3, 8);
  auto record = ring.consumer.try_peek();
  record.release();
  CHECK(record.status() == status::stale);
  record.release();
  CHECK(read_pattern(ring.consumer, 1, 8));

  auto moved_from = ring.consumer.try_peek();
  auto moved_to = std::move(moved_from);
  moved_from.release();
  CHECK(moved_from.status() == status::stale);
  CHECK(moved_to.type() == 2);
  moved_to.release();
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEST_CASE("a_buffer_that_is_too_small_learns_the_size_and_the_record_stays") {
  sides ring{{.capacity = 256}};
  ring.fill(1, 20);
  std::array<std::byte, 20> buffer{};
  for (std::size_t size = 0; size < 20; ++size) {
    const auto read = ring.consumer.try_read(std::span{buffer}.first(size));
    CHECK(read.outcome == status::too_large);
    CHECK(read.size == 20);
    CHECK(read.type == 0);
  }
  CHECK(ring.consumer.try_read(buffer).outcome == status::ok);
  CHECK(weir::test::has_pattern(buffer, 0));
}

TEST_CASE("drain_shows_everything_in_order_and_says_that_it_is_empty") {
  for (const std::uint32_t count : {0U, 1U, 7U, 8U, 9U, 100U}) {
    sides ring{{.capacity = 4096}};
    ring.fill(count, 10);
    std::uint32_t next = 0;
    std::uint32_t wrong = 0;
    const auto done = ring.consumer.drain([&](const weir::record_view& view) {
      const bool right =
          view.type == next && view.bytes.size() == 10 && weir::test::has_pattern(view.bytes, next);
      wrong += right ? 0U : 1U;
      ++next;
    });
    CHECK(done.outcome == status::empty);
    CHECK(done.records == count);
    CHECK(next == count);
    CHECK(wrong == 0);
  }
}

TEST_CASE("drain_stops_at_its_limit_and_goes_on_there") {
  sides ring{{.capacity = 4096}};
  ring.fill(30, 10);
  std::uint32_t shown = 0;
  const auto count = [&](const weir::record_view& view) { shown += view.type == shown ? 1 : 100; };
  CHECK(ring.consumer.drain(count, 0).records == 0);
  for (const std::uint32_t limit : {1U, 4U, 20U}) {
    const auto done = ring.consumer.drain(count, limit);
    CHECK(done.outcome == status::ok);
    CHECK(done.records == limit);
  }
  const auto rest = ring.consumer.drain(count, 10);
  CHECK(rest.outcome == status::empty);
  CHECK(rest.records == 5);
  CHECK(shown == 30);
}

TEST_CASE("a_producer_that_writes_as_fast_as_drain_reads_cannot_hold_it_for_ever") {
  for (const std::uint32_t size : {0U, 8U, 40U, 112U}) {
    sides ring{{.capacity = 256}};
    std::uint32_t written = 0;
    const auto fill = [&] {
      while (write_pattern(ring.producer, written, size) == status::ok) ++written;
    };
    fill();
    std::uint32_t read = 0;
    std::uint32_t wrong = 0;
    const auto done = ring.consumer.drain([&](const weir::record_view& view) {
      wrong += view.type == read++ ? 0U : 1U;
      fill();
    });
    CHECK(done.records == read);
    CHECK(read <= 256 / 8);
    CHECK(wrong == 0);
    CHECK(ring.intact());
  }
}

TEST_CASE("drain_lets_go_of_everything_once_at_its_end") {
  sides ring{{.capacity = 4096}};
  ring.fill(3, 8);
  auto before = ring.shared_read_position();
  std::uint32_t changes = 0;
  const auto done = ring.consumer.drain([&](const auto&) {
    changes += ring.shared_read_position() == before ? 0U : 1U;
    before = ring.shared_read_position();
  });
  CHECK(done.records == 3);
  CHECK(changes == 0);
  CHECK(ring.shared_read_position() == 3 * 16);
}

TEST_CASE("space_comes_back_by_the_eighth_of_the_ring_while_there_is_more_to_read") {
  sides ring{{.capacity = 4096}};
  ring.fill(200, 8);
  for (std::uint32_t number = 0; number < 200; ++number) {
    REQUIRE(read_pattern(ring.consumer, number, 8));
    const auto kept_back = (number + 1) * 16 - ring.shared_read_position();
    if (kept_back > 4096 / 4 + 16) FAIL("record " << number << " keeps back " << kept_back);
  }
}

TEST_CASE("space_comes_back_when_nothing_more_is_found_or_the_reader_says_so") {
  sides ring{{.capacity = 4096}};
  ring.fill(3, 8);
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.shared_read_position() == 0);
  ring.consumer.flush();
  CHECK(ring.shared_read_position() == 16);
  CHECK(read_pattern(ring.consumer, 1, 8));
  CHECK(ring.shared_read_position() == 16);
  CHECK(read_pattern(ring.consumer, 2, 8));
  CHECK(ring.shared_read_position() == 16);
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(ring.shared_read_position() == 48);
}

TEST_CASE("space_comes_back_with_a_record_of_an_eighth_of_the_ring") {
  sides ring{{.capacity = 256}};
  ring.fill(1, 24);
  CHECK(read_pattern(ring.consumer, 0, 24));
  CHECK(ring.shared_read_position() == 32);
}

TEST_CASE("space_of_a_redeemed_record_comes_back_with_its_release") {
  sides ring{{.capacity = 4096}};
  auto claim = ring.producer.try_claim(8);
  const auto named = claim.commit().record;
  ring.fill(1, 8);
  ring.consumer.redeem(named).release();
  CHECK(ring.shared_read_position() == 16);
}

TEST_CASE("space_comes_back_with_every_record_while_the_producer_waits_for_it") {
  sides ring{{.capacity = 4096, .wake = weir::wake_protocol::fenced}};
  ring.fill(10, 8);
  ring.word(spsc::space_park) |= 1;
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.shared_read_position() == 16);
  CHECK(ring.word(spsc::space_park) == 2);
  CHECK(read_pattern(ring.consumer, 1, 8));
  CHECK(ring.shared_read_position() == 16);
}

TEST_CASE("space_comes_back_when_the_role_is_let_go_of") {
  const byte_ring there{{.capacity = 256}};
  auto producer = there.ring.producer().value();
  REQUIRE(write_pattern(producer, 0, 8) == status::ok);
  REQUIRE(write_pattern(producer, 1, 8) == status::ok);
  {
    auto consumer = there.ring.consumer().value();
    CHECK(read_pattern(consumer, 0, 8));
  }
  CHECK(*there.memory.word(spsc::read_position) == 16);
  auto consumer = there.ring.consumer().value();
  CHECK(read_pattern(consumer, 1, 8));
}

TEST_CASE("reading_changes_no_byte_of_what_was_read") {
  sides ring{{.capacity = 4096}};
  for (std::uint32_t round = 0; round < 5; ++round) {
    std::uint32_t written = 0;
    while (write_pattern(ring.producer, written, written % 200) == status::ok) ++written;
    const auto bytes = ring.there.memory.bytes().subspan(spsc::data);
    const std::vector<std::byte> before{bytes.begin(), bytes.end()};
    for (std::uint32_t number = 0; number < written; ++number) {
      if (!read_pattern(ring.consumer, number, number % 200)) FAIL("record " << number);
    }
    ring.consumer.flush();
    CHECK(std::equal(before.begin(), before.end(), bytes.begin()));
  }
}

TEST_CASE("space_comes_back_by_the_quarter_of_the_ring_while_a_drain_goes_on") {
  sides ring{{.capacity = 4096}};
  ring.fill(200, 8);
  std::uint32_t most = 0;
  std::uint32_t shown = 0;
  const auto done = ring.consumer.drain([&](const weir::record_view&) {
    most = std::max(most, 16 * shown++ - ring.shared_read_position());
  });
  CHECK(done.records == 200);
  CHECK(most <= 4096 / 4);
}

TEST_CASE("a_drain_that_ends_at_its_limit_lets_go_of_what_it_has_shown") {
  sides ring{{.capacity = 4096}};
  ring.fill(5, 8);
  CHECK(ring.consumer.drain([](const auto&) {}, 3).records == 3);
  CHECK(ring.shared_read_position() == 48);
}

TEST_CASE("only_the_oldest_record_can_be_released_and_only_once") {
  sides ring{{.capacity = 4096}};
  ring.consumer.try_peek().release();  // there was none
  ring.consumer.flush();
  CHECK(ring.there.ring.statistics().consumer.records == 0);
  ring.fill(3, 8);
  auto first = ring.consumer.try_peek();
  auto moved = std::move(first);
  first.release();
  CHECK(ring.consumer.try_peek().sequence() == 0);
  CHECK(read_pattern(ring.consumer, 0, 8));
  moved.release();  // it was read by other means
  CHECK(ring.consumer.try_peek().sequence() == 2);
  auto second = ring.consumer.try_peek();
  second.release();
  second.release();
  CHECK(ring.consumer.try_peek().sequence() == 4);
  ring.consumer.flush();
  CHECK(ring.there.ring.statistics().consumer.records == 2);
}
