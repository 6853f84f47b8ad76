// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/backpressure.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstring>
#include <vector>

using weir::drop_newest;
using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;

namespace {

using dropping = weir::test::both_sides<weir::bytes, weir::native_memory, drop_newest>;
using dropping_words = weir::test::both_sides<std::uint64_t, weir::native_memory, drop_newest>;

/// Fills the ring with records of `size` bytes; the last attempt was dropped.
auto fill(dropping& ring, std::uint32_t size) -> std::uint32_t {
  std::uint32_t written = 0;
  while (write_pattern(ring.producer, written, size) == status::ok) ++written;
  return written;
}

/// Reads `count` records and lets go of them.
void take(dropping& ring, std::uint32_t count) {
  for (; count != 0; --count) ring.consumer.try_peek().release();
  ring.consumer.flush();
}

/// The count in a record about drops.
auto reported(const weir::record_view& view) -> std::uint64_t {
  std::uint64_t count = 0;
  if (view.bytes.size() == sizeof count) std::memcpy(&count, view.bytes.data(), sizeof count);
  return count;
}

}  // namespace

TEST_CASE("reject_says_full_and_takes_the_next_record_that_fits") {
  weir::test::byte_sides ring{{.capacity = 64}};
  REQUIRE(write_pattern(ring.producer, 0, 16) == status::ok);
  REQUIRE(write_pattern(ring.producer, 1, 16) == status::ok);
  CHECK(write_pattern(ring.producer, 2, 16) == status::full);
  CHECK(write_pattern(ring.producer, 2, 0) == status::ok);
  CHECK(ring.producer.dropped() == 0);
}

TEST_CASE("wait_for_space_rejects_in_its_try_functions") {
  weir::test::both_sides<weir::bytes, weir::native_memory, weir::wait_for_space<>> ring{
      {.capacity = 64}};
  REQUIRE(write_pattern(ring.producer, 0, 16) == status::ok);
  REQUIRE(write_pattern(ring.producer, 1, 16) == status::ok);
  CHECK(write_pattern(ring.producer, 2, 16) == status::full);
}

TEST_CASE("dropping_is_sticky_even_for_a_record_that_would_fit") {
  dropping ring{{.capacity = 256}, drop_newest{.low_water = 64}};
  const auto written = fill(ring, 40);
  CHECK(ring.producer.dropped() == 1);
  CHECK(write_pattern(ring.producer, 90, 0) == status::full);  // room for it there would be
  CHECK(write_pattern(ring.producer, 91, 40) == status::full);
  CHECK(ring.producer.dropped() == 3);
  take(ring, written);
  CHECK(write_pattern(ring.producer, 7, 40) == status::ok);
  CHECK(ring.producer.dropped() == 3);
  CHECK(read_pattern(ring.consumer, 7, 40));
}

TEST_CASE("without_a_mark_whatever_fits_ends_the_dropping") {
  dropping ring{{.capacity = 256}};
  fill(ring, 40);
  take(ring, 1);
  CHECK(write_pattern(ring.producer, 7, 20) == status::ok);
}

TEST_CASE("dropping_lasts_until_the_low_water_mark_is_free") {
  dropping ring{{.capacity = 256}, drop_newest{.low_water = 128}};
  const auto written = fill(ring, 24);
  REQUIRE(written >= 7);
  std::uint32_t read = 0;
  for (; read < written; ++read) {
    // 32 bytes come back with each record; 8 of the ring's are always a header.
    const auto free = 256 - 8 - (written - read) * 32;
    const auto outcome = write_pattern(ring.producer, 99, 0);
    if (outcome != (free >= 128 ? status::ok : status::full)) FAIL("free " << free);
    if (outcome == status::ok) break;
    take(ring, 1);
  }
  CHECK(read >= 3);
  CHECK(ring.producer.dropped() == read + 1);
}

TEST_CASE("what_is_too_large_is_told_so_and_starts_no_dropping") {
  dropping ring{{.capacity = 256}};
  CHECK(write_pattern(ring.producer, 0, 113) == status::too_large);
  CHECK(write_pattern(ring.producer, 0, 8) == status::ok);
  CHECK(ring.producer.dropped() == 0);
  fill(ring, 40);
  CHECK(write_pattern(ring.producer, 0, 113) == status::too_large);
  CHECK(ring.producer.dropped() == 1);
}

TEST_CASE("a_closed_ring_is_closed_while_dropping_too") {
  dropping ring{{.capacity = 256}};
  fill(ring, 40);
  ring.consumer.close();
  CHECK(write_pattern(ring.producer, 0, 8) == status::closed);
  CHECK(ring.producer.dropped() == 1);
}

TEST_CASE("a_claim_counts_as_an_attempt_like_a_write") {
  dropping ring{{.capacity = 64}};
  fill(ring, 16);
  CHECK(ring.producer.try_claim(16).status() == status::full);
  CHECK(ring.producer.try_claim(8).status() == status::full);
  CHECK(ring.producer.dropped() == 3);
  CHECK(ring.producer.try_write({}) == status::ok);
}

TEST_CASE("the_number_of_drops_is_reported_in_band_before_the_next_record") {
  for (const auto start : weir::test::notable_starts) {
    dropping ring{{.capacity = 256, .start_position = start}, drop_newest{.report = true}};
    const auto written = fill(ring, 40);
    for (int more = 0; more < 4; ++more) {
      CHECK(write_pattern(ring.producer, 0, 40) == status::full);
    }
    for (std::uint32_t number = 0; number < written; ++number) {
      CHECK(read_pattern(ring.consumer, number, 40));
    }
    ring.consumer.flush();
    CHECK(write_pattern(ring.producer, 50, 40) == status::ok);
    std::vector<std::uint32_t> types;
    std::uint64_t drops = 0;
    const auto done = ring.consumer.drain([&](const weir::record_view& view) {
      types.push_back(view.type);
      if (view.type == weir::record_type::dropped) drops += reported(view);
    });
    CHECK(done.records == 2);
    CHECK(types == std::vector<std::uint32_t>{weir::record_type::dropped, 50});
    CHECK(drops == 5);
    CHECK(ring.producer.dropped() == 5);
  }
}

TEST_CASE("a_report_is_written_only_with_the_record_behind_it") {
  dropping ring{{.capacity = 256}, drop_newest{.report = true}};
  while (write_pattern(ring.producer, 0, 32) == status::ok) {
  }
  take(ring, 1);
  CHECK(write_pattern(ring.producer, 0, 32) == status::full);
  take(ring, 1);
  CHECK(write_pattern(ring.producer, 7, 32) == status::ok);
  std::vector<std::uint32_t> types;
  std::uint64_t drops = 0;
  const auto done = ring.consumer.drain([&](const weir::record_view& view) {
    types.push_back(view.type);
    if (view.type == weir::record_type::dropped) drops += reported(view);
  });
  CHECK(done.outcome == status::empty);
  CHECK(types == std::vector<std::uint32_t>{0, 0, 0, 0, weir::record_type::dropped, 7});
  CHECK(drops == 2);
}

TEST_CASE("nothing_is_reported_where_nothing_was_dropped") {
  dropping ring{{.capacity = 256}, drop_newest{.report = true}};
  for (std::uint32_t number = 0; number < 100; ++number) {
    REQUIRE(write_pattern(ring.producer, number, 20) == status::ok);
    REQUIRE(read_pattern(ring.consumer, number, 20));
    REQUIRE(ring.consumer.try_peek().status() == status::empty);
  }
}

TEST_CASE("what_was_written_is_what_was_read_and_what_was_reported_as_dropped") {
  for (const auto low_water : {0U, 64U, 256U}) {
    for (const auto start : weir::test::notable_starts) {
      dropping ring{{.capacity = 512, .start_position = start},
                    drop_newest{.low_water = low_water, .report = true}};
      std::uint32_t next = 0;  // the number that the reader expects
      std::uint32_t wrong = 0;
      const auto read = [&](const weir::record_view& view) {
        if (view.type == weir::record_type::dropped) {
          next += static_cast<std::uint32_t>(reported(view));
        } else {
          wrong += view.type == next++ ? 0U : 1U;
        }
      };
      std::uint32_t attempts = 0;
      for (; attempts < 20'000; ++attempts) {
        const auto outcome = write_pattern(ring.producer, attempts, attempts * 7 % 200);
        wrong += outcome == status::ok || outcome == status::full ? 0U : 1U;
        if (attempts % 13 == 0)
          wrong += ring.consumer.drain(read).outcome == status::empty ? 0U : 1U;
      }
      while (write_pattern(ring.producer, attempts, 0) != status::ok) {
        ++attempts;
        wrong += ring.consumer.drain(read).outcome == status::empty ? 0U : 1U;
      }
      CHECK(ring.consumer.drain(read).outcome == status::empty);
      CHECK(wrong == 0);
      CHECK(next == attempts + 1);
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("a_typed_ring_drops_until_its_low_water_mark_is_free") {
  dropping_words ring{{.capacity = 8}, drop_newest{.low_water = 4}};
  for (std::uint64_t value = 0; value < 8; ++value)
    REQUIRE(ring.producer.try_write(value) == status::ok);
  CHECK(ring.producer.try_write(8) == status::full);
  for (std::uint32_t read = 1; read <= 4; ++read) {
    CHECK(ring.producer.try_write(9) == status::full);
    ring.consumer.try_peek().release();
    ring.consumer.flush();
  }
  CHECK(ring.producer.try_write(10) == status::ok);
  CHECK(ring.producer.dropped() == 5);
}

TEST_CASE("every_policy_says_whether_it_fits_a_ring") {
  STATIC_REQUIRE(weir::reject{}.fits(64, true) == status::ok);
  STATIC_REQUIRE(weir::wait_for_space<>{}.fits(64, false) == status::ok);
  STATIC_REQUIRE(drop_newest{}.fits(2, false) == status::ok);
  STATIC_REQUIRE(drop_newest{.low_water = 32}.fits(64, true) == status::ok);
  STATIC_REQUIRE(drop_newest{.low_water = 33}.fits(64, true) == status::too_large);
  STATIC_REQUIRE(drop_newest{.report = true}.fits(64, true) == status::ok);
  STATIC_REQUIRE(drop_newest{.report = true}.fits(64, false) == status::unsupported);
  STATIC_REQUIRE(weir::backpressure_policy<weir::reject>);
  STATIC_REQUIRE(weir::backpressure_policy<drop_newest>);
  STATIC_REQUIRE(weir::backpressure_policy<weir::wait_for_space<weir::spin>>);
  STATIC_REQUIRE_FALSE(weir::backpressure_policy<int>);
}
