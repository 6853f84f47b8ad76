// SPDX-License-Identifier: MIT
// A prefetch cannot be observed, its cursor can: it holds one word, the offset of the next line to ask for.
// Not testable: that the processor does what it is asked; bench/ shows what it is worth.
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"

#include <weir/detail/prefetch.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cstdint>

using weir::detail::prefetch_cursor;
using weir::detail::prefetch_step;
using weir::detail::returned_lines;

namespace {

template <class Cursor>
auto offset_of(const Cursor& cursor) -> std::uint32_t {
  return std::bit_cast<std::uint32_t>(cursor);
}

}  // namespace

TEST_CASE("a_prefetch_cursor_asks_once_for_each_line_from_begin_to_end") {
  const weir::test::guarded_span memory{4096};
  prefetch_cursor cursor;
  cursor.advance<weir::native_memory, false>(memory.bytes().data(), 64, 256);
  CHECK(offset_of(cursor) == 256);
  cursor.advance<weir::native_memory, true>(memory.bytes().data(), 128, 320);
  CHECK(offset_of(cursor) == 320);
  cursor.advance<weir::native_memory, true>(memory.bytes().data(), 128, 320);
  CHECK(offset_of(cursor) == 320);
}

TEST_CASE("a_prefetch_cursor_never_leaves_its_range_whatever_the_walk_does") {
  weir::test::seeded_random random{weir::test::fresh_seed("prefetch")};
  constexpr std::uint32_t size = 16 * 1024;
  const weir::test::guarded_span memory{size};
  prefetch_cursor cursor;
  std::uint32_t outside = 0;
  for (int step = 0; step < 100'000; ++step) {
    const auto begin = random.below(size + 1);
    const auto end =
        random.once_in(10) ? random.below(size + 1) : begin + random.below(size + 1 - begin);
    cursor.advance<weir::native_memory, true>(memory.bytes().data(), begin, end);
    const auto at = offset_of(cursor);
    const bool inside =
        begin < end ? at >= end && at < end + prefetch_step : at < size + prefetch_step;
    outside += inside ? 0U : 1U;
  }
  CHECK(outside == 0);
  CHECK(memory.intact());
}

TEST_CASE("the_inline_mode_does_not_prefetch") {
  prefetch_cursor cursor;
  cursor.advance<weir::plain_memory, true>(nullptr, 64, 4096);
  CHECK(offset_of(cursor) == 0);
}

TEST_CASE("lines_are_handed_back_whole_once_and_with_the_bytes_they_had") {
  using weir::test::count_memory;
  const weir::test::guarded_span memory{512};
  for (std::uint32_t offset = 0; offset < 512; offset += 4) *memory.word(offset) = offset;
  returned_lines lines;
  lines.restart(72);
  CHECK(offset_of(lines) == 64);
  const auto stores_until = [&](std::uint32_t end) {
    return count_memory::cost_of([&] { lines.advance<count_memory>(memory.bytes().data(), end); })
        .stores;
  };
  CHECK(stores_until(127) == 0);
  CHECK(stores_until(128) == 1);
  CHECK(stores_until(128) == 0);
  CHECK(stores_until(512) == 6);
  for (std::uint32_t offset = 0; offset < 512; offset += 4) CHECK(*memory.word(offset) == offset);
  CHECK(memory.intact());
}

TEST_CASE("the_inline_mode_hands_nothing_back") {
  returned_lines lines;
  lines.advance<weir::plain_memory>(nullptr, 4096);
  CHECK(offset_of(lines) == 0);
}
