// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;
using both_sides = weir::test::byte_sides;

TEST_CASE("a_committed_record_is_read_as_it_was_written") {
  both_sides ring{{.capacity = 256}};
  auto claim = ring.producer.try_claim(5);
  REQUIRE(claim);
  REQUIRE(claim.bytes().size() == 5);
  weir::test::fill_pattern(claim.bytes(), 1);
  const auto done = claim.commit(77);
  CHECK(done.outcome == status::ok);
  CHECK(done.record.size == 5);
  CHECK(done.record.sequence == 0);
  CHECK(done.record.offset == 768 + 8);

  auto record = ring.consumer.try_peek();
  REQUIRE(record);
  CHECK(record.type() == 77);
  CHECK(record.sequence() == 0);
  CHECK(record.bytes().size() == 5);
  CHECK(weir::test::has_pattern(record.bytes(), 1));
  CHECK(ring.intact());
}

TEST_CASE("what_is_claimed_but_not_committed_is_invisible") {
  both_sides ring{{.capacity = 256}};
  auto claim = ring.producer.try_claim(16);
  weir::test::fill_pattern(claim.bytes(), 1);
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(ring.there.ring.statistics().producer.records == 0);
}

TEST_CASE("a_claim_that_is_dropped_leaves_nothing_behind") {
  both_sides ring{{.capacity = 256}};
  for (std::uint32_t round = 0; round < 1'000; ++round) {
    auto dropped = ring.producer.try_claim(round % 100);
    weir::test::fill_pattern(dropped.bytes(), round + 1);
  }
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(write_pattern(ring.producer, 1, 100) == status::ok);
  CHECK(read_pattern(ring.consumer, 1, 100));
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEST_CASE("a_claim_that_shrinks_publishes_the_smaller_record") {
  both_sides ring{{.capacity = 256}};
  auto claim = ring.producer.try_claim(100);
  CHECK(claim.shrink(101) == status::too_large);
  CHECK(claim.bytes().size() == 100);
  CHECK(claim.shrink(100) == status::ok);
  CHECK(claim.shrink(3) == status::ok);
  CHECK(claim.bytes().size() == 3);
  CHECK(claim.shrink(4) == status::too_large);
  weir::test::fill_pattern(claim.bytes(), 5);
  CHECK(claim.commit(5).record.size == 3);
  CHECK(claim.shrink(0) == status::stale);
  CHECK(write_pattern(ring.producer, 6, 9) == status::ok);
  CHECK(read_pattern(ring.consumer, 5, 3));
  CHECK(read_pattern(ring.consumer, 6, 9));
}

TEST_CASE("a_claim_shrunk_to_nothing_is_a_record_of_no_bytes") {
  both_sides ring{{.capacity = 64}};
  auto claim = ring.producer.try_claim(16);
  CHECK(claim.shrink(0) == status::ok);
  CHECK(claim.bytes().empty());
  CHECK(claim.commit().outcome == status::ok);
  CHECK(ring.consumer.try_peek().bytes().empty());
}

TEST_CASE("a_second_commit_is_stale_and_publishes_nothing") {
  both_sides ring{{.capacity = 256}};
  auto claim = ring.producer.try_claim(8);
  CHECK(claim.commit().outcome == status::ok);
  CHECK_FALSE(claim);
  CHECK(claim.status() == status::stale);
  CHECK(claim.bytes().empty());
  CHECK(claim.commit().outcome == status::stale);
  CHECK(claim.commit_later().outcome == status::stale);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
}

TEST_CASE("a_claim_moves_and_only_its_new_place_commits") {
  both_sides ring{{.capacity = 256}};
  auto first = ring.producer.try_claim(8);
  auto second = std::move(first);
  CHECK(first.status() == status::stale);
  CHECK(first.bytes().empty());
  CHECK(first.commit().outcome == status::stale);
  REQUIRE(second);
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(second.commit().outcome == status::ok);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
}

TEST_CASE("a_second_claim_is_busy_while_the_first_is_open") {
  both_sides ring{{.capacity = 256}};
  {
    auto open = ring.producer.try_claim(8);
    CHECK(ring.producer.try_claim(8).status() == status::busy);
    CHECK(ring.producer.try_write({}) == status::busy);
    CHECK(open.commit().outcome == status::ok);
  }
  CHECK(ring.producer.try_claim(8));
  {
    const auto open = ring.producer.try_claim(8);
    CHECK(ring.producer.try_claim(200).status() == status::busy);
  }
  CHECK(ring.producer.try_claim(8));
}

TEST_CASE("the_largest_record_fits_an_empty_ring_at_every_offset_and_one_byte_more_never_does") {
  for (const std::uint32_t capacity : {64U, 256U, 4096U}) {
    for (std::uint32_t start = 0; start < capacity; start += 8) {
      both_sides ring{{.capacity = capacity, .start_position = 0U - start}};
      const auto most = ring.producer.max_record();
      REQUIRE(most == capacity / 2 - 16);
      CHECK(ring.producer.try_claim(most + 1).status() == status::too_large);
      CHECK(ring.producer.try_claim(0xFFFF'FFFF).status() == status::too_large);
      const bool whole = write_pattern(ring.producer, 1, most) == status::ok &&
                         read_pattern(ring.consumer, 1, most);
      if (!whole) FAIL("capacity " << capacity << " start " << start);
      REQUIRE(ring.intact());
    }
  }
}

TEST_CASE("records_of_no_bytes_are_records") {
  both_sides ring{{.capacity = 64}};
  for (std::uint32_t number = 0; number < 100; ++number) {
    std::uint32_t written = 0;
    while (write_pattern(ring.producer, written, 0) == status::ok) ++written;
    CHECK(written >= 6);
    CHECK(written <= 7);
    for (std::uint32_t next = 0; next < written; ++next) {
      if (!read_pattern(ring.consumer, next, 0)) FAIL("record " << next);
    }
    REQUIRE(ring.consumer.try_peek().status() == status::empty);
    ring.consumer.flush();
  }
  CHECK(ring.intact());
}

TEST_CASE("sequences_are_start_positions_in_eighths_and_count_the_padding") {
  both_sides ring{{.capacity = 256, .start_position = 0U - 16}};
  CHECK(ring.producer.try_claim(0).commit().record.sequence == 0x1FFF'FFFE);
  CHECK(ring.producer.try_claim(8).commit().record.sequence == 0);  // 8 bytes of padding before it
  CHECK(ring.producer.try_claim(1).commit().record.sequence == 2);
  std::vector<std::uint32_t> sequences;
  const auto done = ring.consumer.drain(
      [&](const weir::record_view& view) { sequences.push_back(view.sequence); });
  CHECK(done.records == 3);
  CHECK(sequences == std::vector<std::uint32_t>{0x1FFF'FFFE, 0, 2});
}

TEST_CASE("types_below_the_reserved_ones_travel_and_the_others_are_refused") {
  both_sides ring{{.capacity = 256}};
  for (const std::uint32_t type : {0U, 1U, 0x7FFF'FFFFU}) {
    CHECK(ring.producer.try_write({}, type) == status::ok);
    CHECK(ring.consumer.try_peek().type() == type);
    ring.consumer.try_peek().release();
  }
  for (const std::uint32_t type : {0x8000'0000U, weir::record_type::dropped, 0xFFFF'FFFFU}) {
    CHECK(ring.producer.try_write({}, type) == status::unsupported);
    auto claim = ring.producer.try_claim(8);
    CHECK(claim.commit(type).outcome == status::unsupported);
    CHECK(claim.commit_later(type).outcome == status::unsupported);
    CHECK(claim);
    CHECK(claim.commit(3).outcome == status::ok);
    ring.consumer.try_peek().release();
  }
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEST_CASE("a_full_ring_says_what_would_fit_and_that_much_does") {
  for (std::uint32_t first = 0; first <= 112; ++first) {
    for (std::uint32_t start = 0; start < 256; start += 24) {
      both_sides ring{{.capacity = 256, .start_position = start & ~7U}};
      REQUIRE(write_pattern(ring.producer, 0, first) == status::ok);
      while (write_pattern(ring.producer, 0, 40) == status::ok) {
      }
      const auto refused = ring.producer.try_claim(112);
      REQUIRE(refused.status() == status::full);
      const auto fits = refused.free_bytes();
      const bool exact = fits == 0 || (ring.producer.try_claim(fits).status() == status::ok &&
                                       ring.producer.try_claim(fits + 1).status() != status::ok);
      if (!exact) FAIL("first " << first << " start " << start << " said " << fits);
    }
  }
}

TEST_CASE("a_full_ring_has_room_again_as_soon_as_its_reader_lets_go") {
  both_sides ring{{.capacity = 64}};
  CHECK(write_pattern(ring.producer, 0, 16) == status::ok);
  CHECK(write_pattern(ring.producer, 1, 16) == status::ok);
  CHECK(write_pattern(ring.producer, 2, 16) == status::full);
  CHECK(write_pattern(ring.producer, 2, 16) == status::full);
  CHECK(read_pattern(ring.consumer, 0, 16));
  CHECK(read_pattern(ring.consumer, 1, 16));
  ring.consumer.flush();
  CHECK(write_pattern(ring.producer, 2, 16) == status::ok);
  CHECK(read_pattern(ring.consumer, 2, 16));
}

TEST_CASE("try_write_copies_and_try_read_copies_back") {
  both_sides ring{{.capacity = 256}};
  std::array<std::byte, 112> from{};
  std::array<std::byte, 112> to{};
  for (std::uint32_t size = 0; size <= 112; ++size) {
    weir::test::fill_pattern(from, size);
    REQUIRE(ring.producer.try_write(std::span{from}.first(size), size) == status::ok);
    const auto read = ring.consumer.try_read(to);
    const bool same = read.outcome == status::ok && read.size == size && read.type == size &&
                      weir::test::has_pattern(std::span{to}.first(size / 8 * 8), size);
    if (!same) FAIL("size " << size);
    REQUIRE(ring.consumer.try_read(to).outcome == status::empty);
  }
}

TEST_CASE("claims_and_records_lie_at_eight") {
  both_sides ring{{.capacity = 256}};
  for (std::uint32_t size = 0; size < 50; ++size) {
    auto claim = ring.producer.try_claim(size);
    REQUIRE(reinterpret_cast<std::uintptr_t>(claim.bytes().data()) % 8 == 0);
    REQUIRE(claim.commit().outcome == status::ok);
    auto record = ring.consumer.try_peek();
    REQUIRE(reinterpret_cast<std::uintptr_t>(record.bytes().data()) % 8 == 0);
    record.release();
  }
}

TEST_CASE("bytes_beyond_4_gib_are_too_large_and_not_what_is_left_of_their_number") {
  using waiting = weir::wait_for_space<weir::spin>;
  weir::test::both_sides<weir::bytes, weir::native_memory, waiting> ring{{.capacity = 256}};
  const std::array<std::byte, 8> few{};
  const auto size = static_cast<std::size_t>((std::uint64_t{1} << 32) | few.size());
  if (size == few.size()) return;  // 32 bits have no such number
  const std::span<const std::byte> many{few.data(), size};
  CHECK(ring.producer.try_write(many) == status::too_large);
  CHECK(ring.producer.write(many) == status::too_large);
  const std::array<std::span<const std::byte>, 2> records{few, many};
  CHECK(ring.producer.try_write_batch(records) == 1);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
}

TEST_CASE("free_bytes_are_what_the_next_record_can_hold") {
  both_sides ring{{.capacity = 256}};
  CHECK(ring.producer.free_bytes() == 112);
  std::uint32_t size = 40;
  for (auto outcome = status::ok; size != 0 || outcome == status::ok;) {
    const auto held = ring.producer.free_bytes();
    outcome = write_pattern(ring.producer, 0, size);
    if (outcome == status::ok && held < size) FAIL("more than " << held << ": " << size);
    if (outcome != status::ok) size = size == 0 ? 0 : size - 8;
  }
  CHECK(ring.producer.free_bytes() == 0);
  CHECK(ring.intact());
}
