// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace spsc = weir::layout::spsc;
using weir::status;
using weir::test::read_pattern;
using weir::test::write_pattern;

namespace {

struct sides : weir::test::byte_sides {
  using both_sides::both_sides;

  [[nodiscard]] auto withhold(std::uint32_t number, std::uint32_t size) -> status {
    auto claim = producer.try_claim(size);
    if (!claim) return claim.status();
    weir::test::fill_pattern(claim.bytes(), number);
    return claim.commit_later(number).outcome;
  }
  [[nodiscard]] auto is_empty() -> bool { return consumer.try_peek().status() == status::empty; }
};

}  // namespace

TEST_CASE("what_is_committed_for_later_is_invisible_until_the_flush") {
  sides ring{{.capacity = 256}};
  for (std::uint32_t number = 0; number < 5; ++number) {
    REQUIRE(ring.withhold(number, number) == status::ok);
    CHECK(ring.is_empty());
  }
  ring.producer.flush();
  for (std::uint32_t number = 0; number < 5; ++number) {
    CHECK(read_pattern(ring.consumer, number, number));
  }
  CHECK(ring.is_empty());
}

TEST_CASE("a_flush_with_nothing_withheld_publishes_nothing") {
  sides ring{{.capacity = 256}};
  ring.producer.flush();
  CHECK(ring.is_empty());
  REQUIRE(ring.withhold(0, 8) == status::ok);
  ring.producer.flush();
  ring.producer.flush();
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.is_empty());
}

TEST_CASE("a_plain_commit_publishes_what_was_withheld_before_it") {
  sides ring{{.capacity = 256}};
  REQUIRE(ring.withhold(0, 8) == status::ok);
  REQUIRE(ring.withhold(1, 9) == status::ok);
  REQUIRE(write_pattern(ring.producer, 2, 10) == status::ok);
  for (std::uint32_t number = 0; number < 3; ++number) {
    CHECK(read_pattern(ring.consumer, number, 8 + number));
  }
  CHECK(ring.is_empty());
}

TEST_CASE("a_batch_crosses_the_end_unseen_and_whole_wherever_it_starts") {
  for (const auto base : {0U, 0x8000'0000U, 0U - 256U}) {
    for (std::uint32_t start = 0; start < 256; start += 8) {
      for (const std::uint32_t size : {0U, 8U, 24U, 56U, 100U}) {
        sides ring{{.capacity = 256, .start_position = base + start}};
        std::uint32_t count = 0;
        for (; count < 3 && ring.withhold(count, size) == status::ok; ++count) {
          if (!ring.is_empty()) FAIL("seen early: start " << start << " size " << size);
        }
        ring.producer.flush();
        for (std::uint32_t number = 0; number < count; ++number) {
          if (!read_pattern(ring.consumer, number, size)) {
            FAIL("start " << start << " size " << size << " record " << number);
          }
        }
        REQUIRE(ring.is_empty());
        REQUIRE(ring.intact());
      }
    }
  }
}

TEST_CASE("a_batch_that_fills_the_ring_becomes_visible_so_that_space_can_come_back") {
  sides ring{{.capacity = 256, .start_position = 128}};
  std::uint32_t count = 0;
  while (ring.withhold(count, 16) == status::ok) ++count;
  CHECK(count >= 9);
  for (std::uint32_t number = 0; number < count; ++number) {
    CHECK(read_pattern(ring.consumer, number, 16));
  }
  CHECK(ring.is_empty());
  CHECK(ring.withhold(count, 16) == status::ok);
  ring.producer.flush();
  CHECK(read_pattern(ring.consumer, count, 16));
}

TEST_CASE("a_batch_becomes_visible_when_the_producer_closes") {
  sides ring{{.capacity = 256}};
  REQUIRE(ring.withhold(0, 8) == status::ok);
  ring.producer.close();
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.consumer.try_peek().status() == status::closed);
}

TEST_CASE("a_batch_becomes_visible_when_the_producer_leaves") {
  const weir::test::test_ring<weir::bytes> there{{.capacity = 256}};
  auto consumer = there.ring.consumer().value();
  {
    auto producer = there.ring.producer().value();
    CHECK(producer.try_claim(8).commit_later(1).outcome == status::ok);
    CHECK(producer.try_claim(8).commit_later(2).outcome == status::ok);
    CHECK(consumer.try_peek().status() == status::empty);
  }
  CHECK(consumer.drain([](const auto&) {}).records == 2);
}

TEST_CASE("a_dropped_claim_in_a_batch_leaves_the_batch_as_it_is") {
  sides ring{{.capacity = 256}};
  REQUIRE(ring.withhold(0, 8) == status::ok);
  {
    const auto dropped = ring.producer.try_claim(40);
  }
  CHECK(ring.is_empty());
  REQUIRE(ring.withhold(1, 8) == status::ok);
  ring.producer.flush();
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(read_pattern(ring.consumer, 1, 8));
  CHECK(ring.is_empty());
}

TEST_CASE("batches_and_plain_commits_mix_over_many_laps") {
  for (const auto start : weir::test::notable_starts) {
    sides ring{{.capacity = 512, .start_position = start}};
    std::uint32_t written = 0;
    std::uint32_t read = 0;
    std::uint32_t wrong = 0;
    const auto size_of = [](std::uint32_t number) { return number * 11 % 90; };
    for (std::uint32_t round = 0; round < 20'000; ++round) {
      auto outcome = round % 5 == 0 ? write_pattern(ring.producer, written, size_of(written))
                                    : ring.withhold(written, size_of(written));
      if (outcome == status::ok) ++written;
      if (round % 7 == 0) ring.producer.flush();
      if (round % 3 != 0) continue;
      const auto done = ring.consumer.drain([&](const weir::record_view& view) {
        const bool right = view.type == read && view.bytes.size() == size_of(read) &&
                           weir::test::has_pattern(view.bytes, read);
        wrong += right ? 0U : 1U;
        ++read;
      });
      wrong += done.outcome == status::empty ? 0U : 1U;
    }
    ring.producer.flush();
    read += ring.consumer.drain([](const auto&) {}).records;
    CHECK(wrong == 0);
    CHECK(read == written);
    CHECK(ring.intact());
  }
}

TEST_CASE("the_hint_never_passes_a_withheld_record") {
  sides ring{{.capacity = 512}};
  std::uint32_t published = 0;
  for (std::uint32_t round = 0; round < 2'000; ++round) {
    if (round % 10 == 9) {
      ring.producer.flush();
      published = ring.word(spsc::write_position);
      if (ring.consumer.drain([](const auto&) {}).outcome != status::empty) FAIL("drain");
    }
    if (ring.withhold(round, 30) != status::ok) FAIL("round " << round);
    if (ring.word(spsc::write_position) != published) FAIL("round " << round);
  }
}

TEST_CASE("a_batch_of_records_is_written_in_order_as_far_as_there_is_room") {
  sides ring{{.capacity = 256}};
  std::array<std::array<std::byte, 24>, 10> content;
  std::array<std::span<const std::byte>, 10> records;
  for (std::uint32_t number = 0; number < records.size(); ++number) {
    weir::test::fill_pattern(content[number], number);
    records[number] = content[number];
  }
  CHECK(ring.producer.try_write_batch(std::span{records}.first(3), 7) == 3);
  CHECK(ring.producer.try_write_batch(std::span{records}.subspan(3), 7) ==
        4);  // 32 bytes each, and a header
  CHECK(ring.producer.try_write_batch(std::span{records}.subspan(7), 7) == 0);
  std::uint32_t next = 0;
  const auto drained = ring.consumer.drain([&](const weir::record_view& view) {
    if (view.type != 7 || !weir::test::has_pattern(view.bytes, next++)) FAIL(next);
  });
  CHECK(drained.records == 7);
  CHECK(ring.intact());
}
