// SPDX-License-Identifier: MIT
#include "support/mpsc_sides.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mpsc = weir::layout::mpsc;
namespace record = weir::record;
using weir::status;
using weir::test::fill_pattern;
using weir::test::has_pattern;
using weir::test::is_clean;
using weir::test::mpsc_sides;

namespace {

using sides = mpsc_sides<weir::bytes>;

template <class Producer>
auto write(Producer& producer, std::uint32_t number, std::uint32_t size) -> status {
  auto claim = producer.try_claim(size);
  if (!claim) return claim.status();
  fill_pattern(claim.bytes(), number);
  return claim.commit(number).outcome;
}

/// True if the oldest record is number `number`, of `size` bytes. Releases it.
template <class Consumer>
auto read(Consumer& consumer, std::uint32_t number, std::uint32_t size) -> bool {
  auto peeked = consumer.try_peek();
  if (!peeked) return false;
  const bool same = peeked.type() == number && peeked.bytes().size() == size &&
                    has_pattern(peeked.bytes(), number);
  peeked.release();
  return same;
}

}  // namespace

TEST_CASE("records_of_all_producers_come_out_in_the_order_of_their_claims") {
  for (const bool recoverable : {false, true}) {
    sides ring{{.capacity = 1024, .recoverable = recoverable}, 3};
    auto first = ring.producers[0].try_claim(10);
    auto second = ring.producers[1].try_claim(20);
    CHECK(write(ring.producers[2], 3, 30) == status::ok);
    CHECK(ring.consumer.try_peek().status() == status::empty);
    fill_pattern(second.bytes(), 2);
    CHECK(second.commit(2).outcome == status::ok);
    CHECK(ring.consumer.try_peek().status() == status::empty);
    fill_pattern(first.bytes(), 1);
    CHECK(first.commit(1).outcome == status::ok);
    CHECK(read(ring.consumer, 1, 10));
    CHECK(read(ring.consumer, 2, 20));
    CHECK(read(ring.consumer, 3, 30));
    CHECK(ring.consumer.try_peek().status() == status::empty);
    CHECK(is_clean(ring.there.ring, ring.there.memory));
    CHECK(ring.intact());
  }
}

TEST_CASE("every_size_fits_at_every_offset_and_nothing_is_written_beside_the_span") {
  constexpr std::uint32_t capacity = 128;
  constexpr std::uint32_t most = capacity / 2 - 8;
  for (const bool recoverable : {false, true}) {
    for (const auto start : weir::test::notable_wide_starts) {
      std::uint32_t wrong = 0;
      for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
        sides ring{{.capacity = capacity,
                    .max_record = most,
                    .recoverable = recoverable,
                    .start_position = start + offset},
                   1};
        for (std::uint32_t size = 0; size <= most; ++size) {
          auto claim = ring.producers[0].try_claim(size);
          const bool aligned = reinterpret_cast<std::uintptr_t>(claim.bytes().data()) % 8 == 0;
          wrong += claim.bytes().size() == size && aligned ? 0U : 1U;
          fill_pattern(claim.bytes(), size);
          wrong += claim.commit(size).outcome == status::ok ? 0U : 1U;
          wrong += read(ring.consumer, size, size) ? 0U : 1U;
        }
        wrong += ring.producers[0].try_claim(most + 1).status() == status::too_large ? 0U : 1U;
        ring.consumer.flush();
        wrong += is_clean(ring.there.ring, ring.there.memory) && ring.intact() ? 0U : 1U;
      }
      CAPTURE(start, recoverable);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("a_ring_holds_its_capacity_and_not_a_byte_more") {
  sides ring{{.capacity = 256}, 2};
  std::uint32_t written = 0;
  while (write(ring.producers[written % 2], written, 8) == status::ok) ++written;
  CHECK(written == 16);
  CHECK(ring.producers[0].try_claim(0).status() == status::full);
  CHECK(ring.producers[0].free_bytes() == 0);
  for (std::uint32_t number = 0; number < written; ++number) CHECK(read(ring.consumer, number, 8));
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(write(ring.producers[1], 99, 40) == status::ok);
  CHECK(read(ring.consumer, 99, 40));
}

TEST_CASE("a_ring_full_of_aborted_claims_is_empty") {
  for (const bool recoverable : {false, true}) {
    for (const auto start : weir::test::notable_wide_starts) {
      for (const std::uint32_t size : {0U, 8U, 24U}) {
        sides ring{{.capacity = 128, .recoverable = recoverable, .start_position = start}, 2};
        for (std::uint32_t lap = 0; lap < 3; ++lap) {
          while (ring.producers[0].try_claim(size)) {
          }
          CAPTURE(start, size, lap);
          CHECK(ring.consumer.try_peek().status() == status::empty);
          CHECK(write(ring.producers[1], lap, 10) == status::ok);
          CHECK(read(ring.consumer, lap, 10));
          CHECK(ring.consumer.try_peek().status() == status::empty);
          CHECK(is_clean(ring.there.ring, ring.there.memory));
        }
      }
    }
  }
}

TEST_CASE("a_ring_with_one_record_among_aborted_claims_shows_just_that") {
  for (std::uint32_t which = 0; which < 16; ++which) {
    sides ring{{.capacity = 128, .start_position = 64}, 1};
    for (std::uint32_t number = 0; number < 16; ++number) {
      auto claim = ring.producers[0].try_claim(0);
      if (number == which) CHECK(claim.commit(which).outcome == status::ok);
    }
    std::uint32_t shown = 0;
    const auto done = ring.consumer.drain([&](const auto& view) { shown += view.type + 1; });
    CHECK(done.outcome == status::empty);
    CHECK(shown == which + 1);
    CHECK(is_clean(ring.there.ring, ring.there.memory));
  }
}

TEST_CASE("a_claim_can_shrink_and_what_it_gives_up_is_skipped") {
  for (const bool recoverable : {false, true}) {
    for (std::uint32_t offset = 0; offset < 256; offset += 8) {
      sides ring{{.capacity = 256, .recoverable = recoverable, .start_position = offset}, 2};
      for (std::uint32_t size = 0; size <= 40; ++size) {
        auto claim = ring.producers[0].try_claim(40);
        fill_pattern(claim.bytes(), 0xAAAA);
        REQUIRE(claim.shrink(41) == status::too_large);
        REQUIRE(claim.shrink(size) == status::ok);
        fill_pattern(claim.bytes(), size);
        const auto done = claim.commit(size);
        if (done.outcome != status::ok || done.record.size != size) FAIL("commit " << size);
        if (write(ring.producers[1], 77, 3) != status::ok) FAIL("size " << size);
        if (!read(ring.consumer, size, size)) FAIL("size " << size);
        if (!read(ring.consumer, 77, 3)) FAIL("size " << size);
      }
      ring.consumer.flush();
      CHECK(is_clean(ring.there.ring, ring.there.memory));
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("what_a_shrunk_claim_had_behind_the_data_is_cleared") {
  for (const bool recoverable : {false, true}) {
    sides ring{{.capacity = 256, .recoverable = recoverable, .start_position = 216}, 1};
    auto claim = ring.producers[0].try_claim(40);  // 8 bytes of it lie behind the end
    fill_pattern(claim.bytes(), 0xAAAA);
    REQUIRE(claim.shrink(32) == status::ok);
    fill_pattern(claim.bytes(), 32);
    REQUIRE(claim.commit(32).outcome == status::ok);
    CHECK(read(ring.consumer, 32, 32));
    ring.consumer.flush();  // up to the end
    CHECK(ring.consumer.try_peek().status() == status::empty);
    ring.consumer.flush();
    CHECK(is_clean(ring.there.ring, ring.there.memory));
  }
}

TEST_CASE("a_claim_is_committed_once_and_only_one_is_open") {
  sides ring{{.capacity = 256}, 2};
  auto claim = ring.producers[0].try_claim(8);
  CHECK(claim.status() == status::ok);
  CHECK(ring.producers[0].try_claim(8).status() == status::busy);
  CHECK(ring.producers[0].try_write({}) == status::busy);
  CHECK(ring.producers[0].try_claim_batch(1, 8).status() == status::busy);
  CHECK(ring.producers[1].try_claim(8));
  CHECK(claim.commit(weir::record_type::reserved).outcome == status::unsupported);
  CHECK(claim.commit(weir::record_type::reserved - 1).outcome == status::ok);
  CHECK(claim.commit().outcome == status::stale);
  CHECK(claim.shrink(0) == status::stale);
  CHECK(claim.bytes().empty());
  CHECK(ring.producers[0].try_claim(8));
}

TEST_CASE("a_moved_claim_is_the_claim") {
  sides ring{{.capacity = 256}, 1};
  auto claim = ring.producers[0].try_claim(8);
  auto moved = std::move(claim);
  CHECK(claim.status() == status::stale);
  fill_pattern(moved.bytes(), 5);
  CHECK(moved.commit(5).outcome == status::ok);
  CHECK(read(ring.consumer, 5, 8));
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEST_CASE("a_producer_that_goes_with_a_claim_open_aborts_it") {
  sides ring{{.capacity = 256, .recoverable = true}, 2};
  {
    auto open = ring.producers[0].try_claim(8);
    auto moved = std::move(open);
    CHECK(write(ring.producers[1], 1, 8) == status::ok);
  }
  ring.producers.pop_front();
  CHECK(read(ring.consumer, 1, 8));
}

TEST_CASE("try_read_copies_and_leaves_what_is_too_large_for_the_buffer") {
  sides ring{{.capacity = 512}, 1};
  REQUIRE(write(ring.producers[0], 4, 20) == status::ok);
  std::array<std::byte, 32> out{};
  const auto small = ring.consumer.try_read(std::span{out}.first(19));
  CHECK(small.outcome == status::too_large);
  CHECK(small.size == 20);
  CHECK(small.type == 4);
  const auto done = ring.consumer.try_read(out);
  CHECK(done.outcome == status::ok);
  CHECK(has_pattern(std::span{out}.first(done.size), 4));
  CHECK(ring.consumer.try_read(out).outcome == status::empty);
}

TEST_CASE("a_record_stays_the_oldest_until_it_is_released") {
  sides ring{{.capacity = 512}, 1};
  REQUIRE(write(ring.producers[0], 1, 20) == status::ok);
  REQUIRE(write(ring.producers[0], 2, 20) == status::ok);
  CHECK(ring.consumer.try_peek().type() == 1);
  auto peeked = ring.consumer.try_peek();
  CHECK(peeked.type() == 1);
  peeked.release();
  peeked.release();
  CHECK(peeked.status() == status::stale);
  CHECK(read(ring.consumer, 2, 20));
}

TEST_CASE("drain_shows_at_most_its_limit_and_at_most_what_the_ring_holds") {
  sides ring{{.capacity = 128}, 1};
  for (std::uint32_t number = 0; number < 10; ++number) {
    REQUIRE(ring.producers[0].try_write({}, number) == status::ok);
  }
  std::uint32_t next = 0;
  std::uint32_t wrong = 0;
  const auto check = [&](const auto& view) { wrong += view.type == next++ ? 0U : 1U; };
  CHECK(ring.consumer.drain(check, 0).records == 0);
  const auto some = ring.consumer.drain(check, 3);
  CHECK(some.outcome == status::ok);
  CHECK(some.records == 3);
  const auto rest = ring.consumer.drain(check);
  CHECK(rest.outcome == status::empty);
  CHECK(rest.records == 7);
  // A producer that keeps writing cannot keep it.
  const auto endless = ring.consumer.drain([&](const auto&) {
    static_cast<void>(ring.producers[0].try_write({}));
    static_cast<void>(ring.producers[0].try_write({}));
  });
  CHECK(endless.records == 0);
  REQUIRE(ring.producers[0].try_write({}) == status::ok);
  const auto bounded = ring.consumer.drain([&](const auto&) {
    static_cast<void>(ring.producers[0].try_write({}));
    static_cast<void>(ring.producers[0].try_write({}));
  });
  CHECK(bounded.outcome == status::ok);
  CHECK(bounded.records == 16);
  CHECK(wrong == 0);
}

TEST_CASE("a_batch_appears_whole_or_not_at_all") {
  for (const bool recoverable : {false, true}) {
    for (std::uint32_t offset = 0; offset < 256; offset += 8) {
      sides ring{{.capacity = 256, .recoverable = recoverable, .start_position = offset}, 2};
      auto batch = ring.producers[0].try_claim_batch(4, 20);
      REQUIRE(batch.size() == 4);
      for (std::uint32_t index = 0; index < 4; ++index) fill_pattern(batch[index], 9);
      REQUIRE(write(ring.producers[1], 1, 16) == status::ok);
      CHECK(ring.consumer.try_peek().status() == status::empty);
      CHECK(batch.commit(weir::record_type::reserved) == status::unsupported);
      CHECK(batch.commit(9) == status::ok);
      CHECK(batch.commit(9) == status::stale);
      CHECK(batch.size() == 0);
      for (int index = 0; index < 4; ++index) CHECK(read(ring.consumer, 9, 20));
      CHECK(read(ring.consumer, 1, 16));
      CHECK(ring.consumer.try_peek().status() == status::empty);
      {
        const auto aborted = ring.producers[0].try_claim_batch(8, 24);  // the whole ring
        REQUIRE(aborted);
        for (std::uint32_t index = 0; index < 8; ++index) fill_pattern(aborted[index], 0xDEAD);
        CHECK(ring.producers[1].try_claim(0).status() == status::full);
      }
      CHECK(ring.consumer.try_peek().status() == status::empty);
      CHECK(is_clean(ring.there.ring, ring.there.memory));
      CHECK(write(ring.producers[1], 2, 16) == status::ok);
      CHECK(read(ring.consumer, 2, 16));
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("a_batch_that_no_ring_could_hold_is_too_large") {
  sides ring{{.capacity = 256}, 1};
  CHECK(ring.producers[0].try_claim_batch(0, 8).status() == status::too_large);
  CHECK(ring.producers[0].try_claim_batch(1, 41).status() == status::too_large);
  CHECK(ring.producers[0].try_claim_batch(33, 0).status() == status::too_large);
  CHECK(ring.producers[0].try_claim_batch(0xFFFF'FFFF, 40).status() == status::too_large);
  CHECK(ring.producers[0].try_claim_batch(0x2000'0000, 0).status() == status::too_large);
  CHECK(ring.producers[0].try_claim_batch(32, 0));
}

TEST_CASE("try_write_batch_writes_as_many_as_fit_and_says_how_many") {
  for (const bool recoverable : {false, true}) {
    sides ring{{.capacity = 128, .recoverable = recoverable}, 1};
    std::array<std::byte, 32> content{};
    fill_pattern(std::span{content}.first(16), 3);
    const std::array<std::span<const std::byte>, 6> records{
        std::span{content}.first(16), std::span{content}.first(16), std::span{content}.first(16),
        std::span{content}.first(16), std::span{content}.first(16), std::span{content}.first(16)};
    auto& producer = ring.producers[0];
    CHECK(producer.free_bytes() == producer.max_record());
    CHECK(producer.try_write_batch({}, 3) == 0);
    CHECK(producer.try_write_batch(records, weir::record_type::reserved) == 0);
    for (std::uint32_t lap = 0; lap < 50; ++lap) {
      REQUIRE(producer.try_write_batch(records, 3) == 5);
      REQUIRE(producer.try_write_batch(records, 3) == 0);
      for (int index = 0; index < 5; ++index) REQUIRE(read(ring.consumer, 3, 16));
      REQUIRE(ring.consumer.try_peek().status() == status::empty);
      if (lap % 3 == 0) {
        REQUIRE(write(producer, 1, 0) == status::ok);
        REQUIRE(read(ring.consumer, 1, 0));
        REQUIRE(ring.consumer.try_peek().status() == status::empty);
      }
    }
    const std::array<std::span<const std::byte>, 2> second_too_large{std::span{content}.first(16),
                                                                     std::span{content}.first(25)};
    CHECK(producer.try_write_batch(second_too_large, 3) == 1);
    CHECK(read(ring.consumer, 3, 16));
  }
}

TEST_CASE("a_producer_with_an_old_guess_claims_where_the_ring_stands") {
  // After exactly 2^32 bytes a 32-bit position would be the same again. The ring's is not: what the producer
  // expects is 2^32 less than what is there, and its exchange fails.
  for (const std::uint32_t laps : {1U, 2U, 0x100U}) {
    for (const bool recoverable : {false, true}) {
      const weir::mpsc_options options{.capacity = 256, .recoverable = recoverable};
      weir::test::mpsc_test_ring<weir::bytes> there{options};
      auto old = there.ring.producer().value();
      REQUIRE(write(old, 1, 16) == status::ok);  // it will expect position 24 next
      // Others write and read 2^32 bytes, a few times over.
      *there.memory.word(mpsc::claim_position + 4) = laps;
      *there.memory.word(mpsc::read_position) = 24;
      *there.memory.word(mpsc::read_position + 4) = laps;
      *there.memory.word(mpsc::consumed_position) = 24;
      *there.memory.word(mpsc::consumed_position + 4) = laps;
      std::ranges::fill(mpsc_data(there.ring, there.memory), std::byte{0});
      auto consumer = there.ring.consumer().value();
      auto other = there.ring.producer().value();
      REQUIRE(write(other, 2, 16) == status::ok);
      CHECK(write(old, 3, 16) == status::ok);
      CHECK(*there.memory.word(mpsc::claim_position) == 72);
      CHECK(*there.memory.word(mpsc::claim_position + 4) == laps);
      CHECK(read(consumer, 2, 16));
      CHECK(read(consumer, 3, 16));
      CHECK(consumer.try_peek().status() == status::empty);
    }
  }
}

TEST_CASE("space_comes_back_by_the_quarter_of_the_ring_however_it_is_read") {
  for (const bool drains : {false, true}) {
    sides ring{{.capacity = 4096}};
    for (std::uint32_t number = 0; number < 200; ++number) {
      REQUIRE(write(ring.producers[0], number, 8) == status::ok);
    }
    std::uint32_t most = 0;
    std::uint32_t shown = 0;
    const auto note = [&] {
      const auto kept_back = 16 * shown++ - ring.word(mpsc::read_position);
      most = kept_back > most ? kept_back : most;
    };
    if (drains) static_cast<void>(ring.consumer.drain([&](const weir::record_view&) { note(); }));
    while (!drains && shown != 200) {
      auto peeked = ring.consumer.try_peek();
      note();
      peeked.release();
    }
    CAPTURE(drains);
    CHECK(shown == 200);
    CHECK(most <= 4096 / 4);
  }
}

TEST_CASE("what_a_record_leaves_behind_the_capacity_is_cleared_when_it_was_read") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256}, 1};
  const auto data = mpsc_data(ring.there.ring, ring.there.memory);
  const auto behind = std::span{data.data() + data.size(), ring.there.memory.bytes().data() +
                                                               ring.there.memory.bytes().size()};
  const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
  std::array<std::byte, 37> record;
  record.fill(std::byte{0xFF});
  std::uint32_t used = 0;
  for (int round = 0; round < 50; ++round) {
    REQUIRE(ring.producers[0].try_write(record) == status::ok);
    used += std::ranges::all_of(behind, is_zero) ? 0U : 1U;
    std::array<std::byte, 37> out{};
    REQUIRE(ring.consumer.try_read(out).outcome == status::ok);
    ring.consumer.flush();
    REQUIRE(std::ranges::all_of(behind, is_zero));
  }
  CHECK(used > 5);
}
