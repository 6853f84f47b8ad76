// SPDX-License-Identifier: MIT
// The judge of commit words, tried with far more words than a ring can hold: every low half, with high
// halves that have each bit alone, none and all, at every offset of the smallest rings.
#include "support/guarded_span.hpp"

#include <weir/detail/spsc_byte_walk.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

using weir::status;
using weir::detail::byte_area;
using walk_type = weir::detail::byte_walk<weir::native_memory>;
namespace record = weir::record;

namespace {

auto area_of(std::byte* data, std::uint32_t capacity) -> byte_area {
  return {data, capacity, record::max_payload(capacity)};
}

/// The rules of the framing, in 64 bits and in other words than the header's.
auto expected_verdict(std::uint32_t word, std::uint32_t offset, std::uint32_t capacity) -> status {
  if (word == 0) return status::empty;
  const std::uint64_t size = word & 0x7FFF'FFF8U;
  const std::uint64_t slack = word & 7U;
  if ((word & 0x8000'0000U) != 0) {
    return slack == 0 && size == capacity - offset && offset != 0 ? status::ok : status::corrupt;
  }
  const bool holds_its_slack = size >= 8 + slack;
  const bool within_limit = size <= 8 + slack + capacity / 2 - 16;
  const bool header_follows = offset + size + 8 <= capacity;
  return holds_its_slack && within_limit && header_follows ? status::ok : status::corrupt;
}

}  // namespace

TEST_CASE("every_word_is_judged_as_the_framing_says") {
  for (const std::uint32_t capacity : {64U, 256U}) {
    const auto area = area_of(nullptr, capacity);
    std::uint32_t wrong = 0;
    const auto try_high_half = [&](std::uint32_t high) {
      for (std::uint32_t low = 0; low < 0x1'0000; ++low) {
        for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
          const auto word = high << 16 | low;
          wrong += area.judge(word, offset) == expected_verdict(word, offset, capacity) ? 0U : 1U;
        }
      }
    };
    for (std::uint32_t bit = 0; bit < 16; ++bit) try_high_half(1U << bit);
    try_high_half(0);
    try_high_half(0xFFFF);
    CHECK(wrong == 0);
  }
}

TEST_CASE("the_largest_ring_is_judged_without_overflow") {
  constexpr std::uint32_t capacity = record::max_capacity;
  const auto area = area_of(nullptr, capacity);
  const std::array<std::uint32_t, 6> offsets{
      0, 8, capacity / 2 - 8, capacity / 2, capacity - 16, capacity - 8};
  std::uint32_t wrong = 0;
  for (const auto offset : offsets) {
    for (std::uint64_t word = 0; word < 0x1'0000'0000; word += 0xFFF1) {
      const auto low = static_cast<std::uint32_t>(word);
      for (const auto near : {low, low & ~7U, low | 0x8000'0000U}) {
        wrong += area.judge(near, offset) == expected_verdict(near, offset, capacity) ? 0U : 1U;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(area.judge(record::commit_word(area.max_record), 0) == status::ok);
  CHECK(area.judge(record::padding_word(8), capacity - 8) == status::ok);
}

TEST_CASE("what_is_judged_ok_ends_inside_the_ring_with_a_header_behind_it") {
  const auto area = area_of(nullptr, 128);
  for (std::uint32_t offset = 0; offset < 128; offset += 8) {
    for (std::uint32_t word = 1; word < 0x400; ++word) {
      if (area.judge(word, offset) != status::ok) continue;
      const bool inside = offset + record::size_of(word) <= 120 &&
                          record::payload_of(word) <= record::size_of(word) - 8;
      if (!inside) FAIL(word << " at " << offset);
    }
  }
}

TEST_CASE("a_walk_goes_from_record_to_record_over_padding_to_the_end_of_what_is_there") {
  const weir::test::guarded_span memory{64};
  const auto area = area_of(memory.bytes().data(), 64);
  *memory.word(32) = record::commit_word(5);
  *memory.word(48) = record::padding_word(16);
  *memory.word(0) = record::commit_word(0);

  walk_type walk{area, 0xFFFF'FFE0};
  CHECK(walk.step() == status::ok);
  CHECK(walk.last_payload() == 5);
  CHECK(walk.position() == 0xFFFF'FFF0);
  CHECK(walk.step() == status::ok);
  CHECK(walk.last_payload() > area.max_record);
  CHECK(walk.position() == 0);
  CHECK(walk.step() == status::ok);
  CHECK(walk.last_payload() == 0);
  CHECK(walk.step() == status::empty);
  CHECK(walk.position() == 8);
  *memory.word(8) = 3;
  CHECK(walk.step() == status::corrupt);
  CHECK(walk.position() == 8);
}

TEST_CASE("the_steps_of_both_sides_follow_the_capacity") {
  for (std::uint32_t capacity = 64; capacity != 0; capacity *= 2) {
    const auto area = area_of(nullptr, capacity);
    CHECK(area.release_step() == capacity / 8);
    CHECK(area.event_step() <= area.release_step());
    CHECK(area.event_step() <= weir::detail::event_bytes);
    CHECK(area.last_end() == capacity - 8);
    CHECK(area.offset_of(capacity - 8) == capacity - 8);
    CHECK(area.offset_of(capacity) == 0);
  }
}
