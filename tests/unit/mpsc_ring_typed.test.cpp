// SPDX-License-Identifier: MIT
#include "support/mpsc_sides.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace mpsc = weir::layout::mpsc;
using weir::status;
using weir::test::mpsc_sides;

namespace {

using sides = mpsc_sides<std::uint64_t>;
using wide = std::array<std::uint32_t, 21>;

auto value_of(std::uint32_t number) -> wide {
  wide value{};
  for (std::uint32_t index = 0; index < value.size(); ++index) value[index] = number * 31 + index;
  return value;
}

}  // namespace

TEST_CASE("values_of_all_producers_come_out_in_the_order_of_their_claims") {
  for (const bool recoverable : {false, true}) {
    for (const auto start : weir::test::notable_wide_starts) {
      sides ring{{.capacity = 8, .recoverable = recoverable, .start_position = start}, 3};
      std::uint32_t wrong = 0;
      for (std::uint64_t lap = 0; lap < 100; ++lap) {
        auto first = ring.producers[0].try_claim();
        auto second = ring.producers[1].try_claim();
        wrong += ring.producers[2].try_write(lap + 2) == status::ok ? 0U : 1U;
        wrong += ring.consumer.try_peek().status() == status::empty ? 0U : 1U;
        wrong += second.commit(lap + 1).outcome == status::ok ? 0U : 1U;
        wrong += ring.consumer.try_peek().status() == status::empty ? 0U : 1U;
        wrong += first.commit(lap).outcome == status::ok ? 0U : 1U;
        for (std::uint64_t number = lap; number < lap + 3; ++number) {
          std::uint64_t value = 0;
          wrong += ring.consumer.try_read(value) == status::ok && value == number ? 0U : 1U;
        }
      }
      CAPTURE(start, recoverable);
      CHECK(wrong == 0);
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("values_longer_than_a_cache_line_come_out_whole") {
  for (const std::uint32_t capacity : {2U, 4U, 64U}) {
    mpsc_sides<wide> ring{{.capacity = capacity, .start_position = 0x1'0000'0000 - 17}, 2};
    std::uint32_t next = 0;
    std::uint32_t wrong = 0;
    for (std::uint32_t number = 0; number < 1000; ++number) {
      if (ring.producers[number % 2].try_write(value_of(number)) != status::ok) FAIL(number);
      if (number % 2 != 0) {
        static_cast<void>(ring.consumer.drain(
            [&](const wide& value) { wrong += value == value_of(next++) ? 0U : 1U; }));
      }
    }
    CHECK(next == 1000);
    CHECK(wrong == 0);
    CHECK(ring.intact());
  }
}

TEST_CASE("a_ring_of_values_holds_its_capacity") {
  sides ring{{.capacity = 16}, 2};
  for (std::uint64_t number = 0; number < 16; ++number) {
    REQUIRE(ring.producers[number % 2].try_write(number) == status::ok);
  }
  CHECK(ring.producers[0].try_write(0) == status::full);
  CHECK(ring.producers[1].try_claim().status() == status::full);
  CHECK(ring.producers[0].free_slots() == 0);
  std::uint64_t next = 0;
  const auto done = ring.consumer.drain([&](std::uint64_t value) { next += value == next; });
  CHECK(done.records == 16);
  CHECK(next == 16);
  CHECK(ring.producers[0].try_write(16) == status::ok);
}

TEST_CASE("an_aborted_slot_is_skipped_and_a_ring_full_of_them_is_empty") {
  for (const bool recoverable : {false, true}) {
    sides ring{{.capacity = 8, .recoverable = recoverable}, 2};
    for (std::uint64_t lap = 0; lap < 5; ++lap) {
      while (ring.producers[0].try_claim()) {
      }
      CHECK(ring.consumer.try_peek().status() == status::empty);
      CHECK(ring.producers[1].try_write(lap) == status::ok);
      {
        const auto aborted = ring.producers[0].try_claim();
      }
      CHECK(ring.producers[1].try_write(lap + 1) == status::ok);
      std::uint64_t value = 0;
      CHECK(ring.consumer.try_read(value) == status::ok);
      CHECK(value == lap);
      CHECK(ring.consumer.try_read(value) == status::ok);
      CHECK(value == lap + 1);
      CHECK(ring.consumer.try_read(value) == status::empty);
    }
  }
}

TEST_CASE("a_slot_is_built_in_place_committed_once_and_only_one_is_open") {
  sides ring{{.capacity = 8}, 1};
  auto claim = ring.producers[0].try_claim();
  CHECK(ring.producers[0].try_claim().status() == status::busy);
  CHECK(ring.producers[0].try_write(1) == status::busy);
  CHECK(ring.producers[0].try_write_batch(std::array<std::uint64_t, 1>{1}) == 0);
  REQUIRE(claim.bytes().size() == 8);
  CHECK(reinterpret_cast<std::uintptr_t>(claim.bytes().data()) % 8 == 0);
  const std::uint64_t value = 77;
  std::memcpy(claim.bytes().data(), &value, 8);
  auto moved = std::move(claim);
  CHECK(claim.status() == status::stale);
  CHECK(moved.commit().outcome == status::ok);
  CHECK(moved.commit().outcome == status::stale);
  auto peeked = ring.consumer.try_peek();
  CHECK(peeked.value() == 77);
  CHECK(peeked.bytes().size() == 8);
  peeked.release();
  peeked.release();
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEST_CASE("try_write_batch_writes_as_many_values_as_fit_over_the_end_too") {
  for (const bool recoverable : {false, true}) {
    sides ring{{.capacity = 8, .recoverable = recoverable}, 2};
    const std::array<std::uint64_t, 6> values{1, 2, 3, 4, 5, 6};
    auto& producer = ring.producers[0];
    CHECK(producer.try_write_batch({}) == 0);
    for (std::uint32_t lap = 0; lap < 50; ++lap) {
      REQUIRE(producer.try_write_batch(values) == 6);
      REQUIRE(producer.try_write_batch(values) == 2);
      REQUIRE(producer.try_write_batch(values) == 0);
      std::vector<std::uint64_t> read;
      static_cast<void>(ring.consumer.drain([&](std::uint64_t value) { read.push_back(value); }));
      REQUIRE(read == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 1, 2});
      REQUIRE(ring.producers[1].try_write(9) == status::ok);
      REQUIRE(ring.consumer.drain([](auto) {}).records == 1);
    }
  }
}

TEST_CASE("a_batch_of_values_stays_hidden_behind_an_open_claim") {
  sides ring{{.capacity = 8}, 2};
  auto open = ring.producers[1].try_claim();
  const std::array<std::uint64_t, 3> values{1, 2, 3};
  CHECK(ring.producers[0].try_write_batch(values) == 3);
  CHECK(ring.consumer.drain([](auto) {}).records == 0);
  CHECK(open.commit(0).outcome == status::ok);
  CHECK(ring.consumer.drain([](auto) {}).records == 4);
}

TEST_CASE("a_drain_of_values_ends_although_more_keep_coming") {
  sides ring{{.capacity = 16}, 1};
  REQUIRE(ring.producers[0].try_write(0) == status::ok);
  const auto write_two = [&](auto) {
    static_cast<void>(ring.producers[0].try_write(1));
    static_cast<void>(ring.producers[0].try_write(2));
  };
  CHECK(ring.consumer.drain(write_two, 0).records == 0);
  CHECK(ring.consumer.drain(write_two, 3).records == 3);
  const auto done = ring.consumer.drain(write_two);
  CHECK(done.outcome == status::ok);
  CHECK(done.records == 16);
}

TEST_CASE("a_producer_of_values_with_an_old_guess_claims_where_the_ring_stands") {
  // 2^32 slots later the lower half of the position, and every stamp, are the same again.
  for (const bool recoverable : {false, true}) {
    const weir::mpsc_options options{.capacity = 8, .recoverable = recoverable};
    weir::test::mpsc_test_ring<std::uint64_t> there{options};
    auto old = there.ring.producer().value();
    REQUIRE(old.try_write(1) == status::ok);  // it will expect position 1 next
    *there.memory.word(mpsc::claim_position + 4) = 1;
    *there.memory.word(mpsc::read_position) = 1;
    *there.memory.word(mpsc::read_position + 4) = 1;
    auto consumer = there.ring.consumer().value();
    auto other = there.ring.producer().value();
    REQUIRE(other.try_write(2) == status::ok);
    CHECK(old.try_write(3) == status::ok);
    CHECK(*there.memory.word(mpsc::claim_position) == 3);
    std::vector<std::uint64_t> read;
    static_cast<void>(consumer.drain([&](std::uint64_t value) { read.push_back(value); }));
    CHECK(read == std::vector<std::uint64_t>{2, 3});
  }
}

TEST_CASE("slots_come_back_by_the_quarter_of_the_ring_however_they_are_read") {
  for (const std::uint32_t way : {0U, 1U, 2U}) {
    sides ring{{.capacity = 64}};
    for (std::uint64_t value = 0; value < 64; ++value) {
      REQUIRE(ring.producers[0].try_write(value) == status::ok);
    }
    std::uint32_t most = 0;
    std::uint32_t shown = 0;
    const auto note = [&](const std::uint64_t&) {
      const auto kept_back = shown++ - ring.word(mpsc::read_position);
      most = kept_back > most ? kept_back : most;
    };
    std::uint64_t value = 0;
    if (way == 0) static_cast<void>(ring.consumer.drain(note));
    for (std::uint32_t left = 64; way == 1 && left != 0; --left) {
      REQUIRE(ring.consumer.try_read(value) == status::ok);
      note(value);
    }
    for (std::uint32_t left = 64; way == 2 && left != 0; --left) {
      auto peeked = ring.consumer.try_peek();
      note(peeked.value());
      peeked.release();
    }
    CAPTURE(way);
    CHECK(shown == 64);
    CHECK(most <= 64 / 4);
  }
}
