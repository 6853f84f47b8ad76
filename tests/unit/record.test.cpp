// SPDX-License-Identifier: MIT
#include <weir/record.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

namespace record = weir::record;

TEST_CASE("a_frame_is_header_and_payload_rounded_up_to_eight") {
  for (std::uint64_t payload = 0; payload < 5'000; ++payload) {
    const auto frame = record::frame_size(payload);
    const bool right = frame % 8 == 0 && frame >= payload + 8 && frame - payload - 8 < 8;
    if (!right) FAIL("payload " << payload << " takes " << frame);
  }
}

TEST_CASE("a_commit_word_gives_back_the_size_and_the_payload") {
  constexpr std::uint32_t largest = 0x8000'0000U - 16;
  const auto round_trip = [](std::uint32_t payload) {
    const auto word = record::commit_word(payload);
    return word != 0 && !record::is_padding(word) &&
           record::size_of(word) == record::frame_size(payload) &&
           record::payload_of(word) == payload;
  };
  for (std::uint32_t payload = 0; payload < 70'000; ++payload) {
    if (!round_trip(payload)) FAIL("payload " << payload);
  }
  for (std::uint32_t less = 0; less < 70'000; ++less) {
    if (!round_trip(largest - less)) FAIL("payload " << largest - less);
  }
}

TEST_CASE("a_huge_size_does_not_overflow_its_frame") {
  STATIC_REQUIRE(record::frame_size(0xFFFF'FFFF) == 0x1'0000'0008);
  STATIC_REQUIRE(record::frame_size(0x8000'0000) == 0x8000'0008);
}

TEST_CASE("padding_is_told_from_every_record_and_keeps_its_size") {
  for (std::uint32_t size = 8; size < 70'000; size += 8) {
    const auto word = record::padding_word(size);
    const bool right = record::is_padding(word) && record::size_of(word) == size;
    if (!right) FAIL("size " << size);
  }
  CHECK(record::size_of(record::padding_word(0x7FFF'FFF8)) == 0x7FFF'FFF8);
}

TEST_CASE("nothing_padding_and_an_impossible_slack_are_larger_than_any_record") {
  constexpr auto limit = record::max_payload(record::max_capacity);
  CHECK(record::payload_of(0) > limit);
  for (std::uint32_t slack = 1; slack < 8; ++slack) {
    CHECK(record::payload_of(slack) > limit);
    CHECK(record::payload_of(8 | slack) > limit);
  }
  for (std::uint32_t size = 0; size < 70'000; ++size) {
    if (record::payload_of(record::padding_bit | size) <= limit) FAIL("padding " << size);
  }
}

TEST_CASE("the_largest_record_leaves_room_for_padding_and_the_next_header_wherever_it_starts") {
  for (std::uint32_t capacity = record::min_capacity; capacity <= 4'096; capacity *= 2) {
    const auto frame = record::frame_size(record::max_payload(capacity));
    for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
      const auto tail = capacity - offset;
      const bool before_the_end = frame + 8 <= tail;
      const bool behind_padding = tail + frame + 8 <= capacity;
      if (!before_the_end && !behind_padding) FAIL(capacity << " at " << offset);
    }
  }
}

TEST_CASE("the_smallest_ring_holds_two_records_of_sixteen_bytes") {
  STATIC_REQUIRE(record::max_payload(record::min_capacity) == 16);
  STATIC_REQUIRE(2 * record::frame_size(16) + record::header_size <= record::min_capacity);
}

TEST_CASE("the_types_of_the_library_lie_above_those_of_the_application") {
  STATIC_REQUIRE(weir::record_type::reserved == 0x8000'0000);
  STATIC_REQUIRE(weir::record_type::dropped == 0x8000'0001);
}
