// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

namespace record = weir::record;
namespace spsc = weir::layout::spsc;
using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;
using both_sides = weir::test::byte_sides;

TEST_CASE("a_record_never_crosses_the_end") {
  constexpr std::uint32_t capacity = 256;
  for (std::uint32_t start = 0; start < capacity; start += 8) {
    for (std::uint32_t size = 0; size <= capacity / 2 - 16; ++size) {
      both_sides ring{{.capacity = capacity, .start_position = start}};
      const auto done = ring.producer.try_claim(size).commit();
      REQUIRE(done.outcome == status::ok);
      const auto offset = done.record.offset - spsc::data - record::header_size;
      const auto frame = record::frame_size(size);
      const bool inside = offset + frame + record::header_size <= capacity;
      const bool where_it_should = offset == (start + frame + 8 <= capacity ? start : 0);
      if (!inside || !where_it_should) FAIL("start " << start << " size " << size);
    }
  }
}

TEST_CASE("the_gap_before_the_end_is_one_padding_that_reaches_exactly_to_it") {
  constexpr std::uint32_t capacity = 256;
  for (std::uint32_t start = 8; start < capacity; start += 8) {
    both_sides ring{{.capacity = capacity, .start_position = start}};
    const auto size = ring.producer.max_record();
    const auto wraps = start + record::frame_size(size) + 8 > capacity;
    REQUIRE(write_pattern(ring.producer, 1, size) == status::ok);
    const auto word = ring.word(spsc::data + start);
    CHECK(word == (wraps ? record::padding_word(capacity - start) : record::commit_word(size)));
    CHECK(read_pattern(ring.consumer, 1, size));
  }
}

TEST_CASE("the_header_behind_the_newest_record_is_zero_before_the_record_is_seen") {
  for (const auto start : weir::test::notable_starts) {
    both_sides ring{{.capacity = 256, .start_position = start}};
    std::uint32_t read = 0;
    for (std::uint32_t number = 0; number < 500; ++number) {
      const auto size = number * 7 % 60;
      if (!ring.producer.try_claim(size)) {
        for (; read < number; ++read) REQUIRE(read_pattern(ring.consumer, read, read * 7 % 60));
        ring.consumer.flush();
      }
      auto claim = ring.producer.try_claim(size);
      REQUIRE(claim);
      weir::test::fill_pattern(claim.bytes(), number);
      const auto done = claim.commit(number);
      const auto next = done.record.offset - 8 + record::frame_size(size);
      if (ring.word(static_cast<std::uint32_t>(next)) != 0) FAIL("record " << number);
    }
    CHECK(ring.intact());
  }
}

TEST_CASE("records_of_every_size_cross_the_end_at_every_offset_whole") {
  constexpr std::uint32_t capacity = 128;
  for (const auto base : {0U, 0x8000'0000U, 0U - capacity}) {
    for (std::uint32_t start = 0; start < capacity; start += 8) {
      both_sides ring{{.capacity = capacity, .start_position = base + start}};
      for (std::uint32_t number = 0; number < 200; ++number) {
        const auto size = (number * 13 + start) % (capacity / 2 - 15);
        const bool whole = write_pattern(ring.producer, number, size) == status::ok &&
                           read_pattern(ring.consumer, number, size) &&
                           ring.consumer.try_peek().status() == status::empty;
        if (!whole) FAIL("base " << base << " start " << start << " record " << number);
      }
      REQUIRE(ring.intact());
    }
  }
}

TEST_CASE("positions_pass_two_to_the_31st_and_two_to_the_32nd_like_any_other") {
  for (const std::uint32_t turn : {0x8000'0000U, 0U}) {
    for (std::uint32_t before = 0; before <= 512; before += 8) {
      both_sides ring{{.capacity = 256, .start_position = turn - before}};
      std::uint32_t written = 0;
      std::uint32_t read = 0;
      while (read < 60) {
        while (write_pattern(ring.producer, written, written % 50) == status::ok) ++written;
        while (read < written) {
          if (!read_pattern(ring.consumer, read, read % 50)) {
            FAIL("turn " << turn << " before " << before << " record " << read);
          }
          ++read;
        }
        REQUIRE(ring.consumer.try_peek().status() == status::empty);
      }
    }
  }
}

TEST_CASE("a_ring_that_is_never_more_than_one_header_short_of_full_keeps_every_record") {
  both_sides ring{{.capacity = 64, .start_position = 0U - 1024}};
  std::uint32_t written = 0;
  for (std::uint32_t read = 0; read < 5'000; ++read) {
    while (write_pattern(ring.producer, written, written % 3 * 8) == status::ok) ++written;
    if (!read_pattern(ring.consumer, read, read % 3 * 8)) FAIL("record " << read);
    ring.consumer.flush();
  }
  CHECK(ring.intact());
}

TEST_CASE("padding_that_nothing_follows_is_skipped_without_showing_anything") {
  both_sides ring{{.capacity = 256, .start_position = 224}};
  {
    const auto dropped = ring.producer.try_claim(112);  // writes padding, then is dropped
    REQUIRE(dropped);
  }
  CHECK(ring.consumer.try_peek().status() == status::empty);
  ring.consumer.flush();
  CHECK(ring.word(spsc::read_position) == 256);
  CHECK(write_pattern(ring.producer, 1, 112) == status::ok);
  CHECK(read_pattern(ring.consumer, 1, 112));
}
