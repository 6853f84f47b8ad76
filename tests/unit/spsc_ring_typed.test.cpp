// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace spsc = weir::layout::spsc;
using weir::status;
using word_sides = weir::test::both_sides<std::uint64_t>;

namespace {

/// A value of any size that knows its number.
template <std::size_t Size>
struct sized {
  std::array<std::uint8_t, Size> bytes{};
  static auto make(std::uint32_t number) -> sized {
    sized value;
    weir::test::fill_pattern(std::as_writable_bytes(std::span{value.bytes}), number);
    return value;
  }
  auto operator==(const sized&) const -> bool = default;
};

struct mixed {
  std::uint64_t first;
  std::uint16_t second;
  std::uint16_t third;
  std::uint32_t fourth;
  static auto make(std::uint32_t number) -> mixed {
    return {weir::test::pattern_word(number, 0), static_cast<std::uint16_t>(number), 7, number};
  }
  auto operator==(const mixed&) const -> bool = default;
};

/// Has padding, and says that it does not matter.
struct padded {
  std::uint32_t first;
  std::uint8_t second;
};

}  // namespace

template <>
inline constexpr bool weir::may_travel<padded> = true;
static_assert(weir::may_travel<std::uint64_t> && weir::may_travel<double>);
static_assert(!weir::may_travel<bool> && !weir::may_travel<int*> && !weir::may_travel<const char*>);

TEMPLATE_TEST_CASE("values_of_every_shape_come_out_as_they_went_in", "", sized<1>, sized<2>,
                   sized<3>, sized<4>, sized<5>, sized<8>, sized<60>, sized<61>, sized<64>,
                   sized<124>, sized<200>, sized<5000>, mixed) {
  for (const auto start : weir::test::notable_starts) {
    for (const std::uint32_t capacity : {2U, 4U, 64U}) {
      weir::test::both_sides<TestType> ring{{.capacity = capacity, .start_position = start}};
      std::uint32_t written = 0;
      std::uint32_t wrong = 0;
      for (std::uint32_t read = 0; read < 300; ++read) {
        while (ring.producer.try_write(TestType::make(written)) == status::ok) ++written;
        if (read % 7 == 0) {
          auto record = ring.consumer.try_peek();
          wrong += record && record.value() == TestType::make(read) ? 0U : 1U;
          record.release();
        } else {
          TestType value{};
          const auto outcome = ring.consumer.try_read(value);
          wrong += outcome == status::ok && value == TestType::make(read) ? 0U : 1U;
        }
        if (read % 3 == 0) ring.consumer.flush();
        if (written == read + 1 && ring.consumer.try_peek().status() != status::empty) ++wrong;
      }
      CHECK(wrong == 0);
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("a_ring_of_n_slots_holds_n_values") {
  for (const std::uint32_t capacity : {2U, 4U, 16U, 1024U}) {
    word_sides ring{{.capacity = capacity}};
    std::uint32_t written = 0;
    while (ring.producer.try_write(written) == status::ok) ++written;
    CHECK(written == capacity);
    CHECK(ring.producer.try_write(0) == status::full);
    CHECK(ring.producer.free_slots() == 0);
  }
}

TEST_CASE("a_slot_is_claimed_built_in_place_and_committed") {
  word_sides ring{{.capacity = 8}};
  auto claim = ring.producer.try_claim();
  REQUIRE(claim);
  REQUIRE(claim.bytes().size() == 8);
  CHECK(reinterpret_cast<std::uintptr_t>(claim.bytes().data()) % alignof(std::uint64_t) == 0);
  CHECK(ring.consumer.try_peek().status() == status::empty);
  const std::uint64_t value = 42;
  std::memcpy(claim.bytes().data(), &value, sizeof value);
  CHECK(claim.commit().outcome == status::ok);
  CHECK(claim.commit().outcome == status::stale);
  CHECK(claim.bytes().empty());

  auto record = ring.consumer.try_peek();
  REQUIRE(record);
  CHECK(record.value() == 42);
  CHECK(record.bytes().size() == 8);
  CHECK(record.sequence() == 0);
  CHECK(std::memcmp(record.bytes().data(), &value, sizeof value) == 0);
  record.release();
  CHECK(record.status() == status::stale);
  record.release();
  CHECK(ring.consumer.try_peek().status() == status::empty);
}

TEST_CASE("a_dropped_or_moved_slot_claim_behaves_like_any_claim") {
  word_sides ring{{.capacity = 8}};
  {
    auto first = ring.producer.try_claim();
    CHECK(ring.producer.try_claim().status() == status::busy);
    CHECK(ring.producer.try_write(1) == status::busy);
    CHECK(ring.producer.try_write_batch(std::array<std::uint64_t, 1>{1}) == 0);
    auto second = std::move(first);
    CHECK(first.commit(1).outcome == status::stale);
    CHECK(second);
  }
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(ring.producer.try_write(2) == status::ok);
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 2);
}

TEST_CASE("withheld_values_appear_together") {
  for (const auto start : weir::test::notable_starts) {
    word_sides ring{{.capacity = 8, .start_position = start}};
    for (std::uint64_t round = 0; round < 50; ++round) {
      for (std::uint64_t value = 0; value < 5; ++value) {
        REQUIRE(ring.producer.try_claim().commit_later(round * 5 + value).outcome == status::ok);
        REQUIRE(ring.consumer.try_peek().status() == status::empty);
      }
      if (round % 2 == 0) {
        ring.producer.flush();
      } else {
        REQUIRE(ring.producer.try_write(0) == status::ok);
      }
      std::uint64_t next = round * 5;
      std::uint32_t wrong = 0;
      const auto done = ring.consumer.drain(
          [&](const std::uint64_t& value) { wrong += value == next++ || value == 0 ? 0U : 1U; });
      CHECK(done.records == 5 + round % 2);
      CHECK(wrong == 0);
    }
    CHECK(ring.intact());
  }
}

TEST_CASE("a_full_ring_shows_what_was_withheld") {
  word_sides ring{{.capacity = 4}};
  for (std::uint64_t value = 0; value < 4; ++value) {
    REQUIRE(ring.producer.try_claim().commit_later(value).outcome == status::ok);
  }
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(ring.producer.try_claim().status() == status::full);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 4);
}

TEST_CASE("a_batch_writes_what_fits_in_order") {
  for (const auto start : weir::test::notable_starts) {
    word_sides ring{{.capacity = 8, .start_position = start}};
    std::vector<std::uint64_t> values(20);
    for (std::size_t index = 0; index < values.size(); ++index) values[index] = index;
    CHECK(ring.producer.try_write_batch({}) == 0);
    CHECK(ring.producer.try_write_batch(std::span{values}.first(5)) == 5);
    CHECK(ring.producer.try_write_batch(std::span{values}.subspan(5)) == 3);
    CHECK(ring.producer.try_write_batch(values) == 0);
    std::uint64_t next = 0;
    std::uint32_t wrong = 0;
    const auto done = ring.consumer.drain(
        [&](const std::uint64_t& value) { wrong += value == next++ ? 0U : 1U; });
    CHECK(done.records == 8);
    CHECK(wrong == 0);
  }
}

TEST_CASE("a_typed_drain_keeps_its_limit_and_never_shows_more_than_the_ring_holds") {
  word_sides ring{{.capacity = 16}};
  std::uint64_t written = 0;
  const auto fill = [&] {
    while (ring.producer.try_write(written) == status::ok) ++written;
  };
  fill();
  CHECK(ring.consumer.drain([](const auto&) {}, 0).records == 0);
  const auto some = ring.consumer.drain([](const auto&) {}, 5);
  CHECK(some.outcome == status::ok);
  CHECK(some.records == 5);
  CHECK(ring.word(spsc::read_position) == 5);
  const auto lap = ring.consumer.drain([&](const auto&) { fill(); });
  CHECK(lap.records <= 16);
  while (ring.consumer.drain([](const auto&) {}).outcome != status::empty) {
  }
  const auto none = ring.consumer.drain([](const auto&) {});
  CHECK(none.outcome == status::empty);
  CHECK(none.records == 0);
}

TEST_CASE("slots_come_back_by_the_eighth_of_the_ring_or_when_it_is_found_empty") {
  word_sides ring{{.capacity = 64}};
  for (std::uint64_t value = 0; value < 64; ++value)
    REQUIRE(ring.producer.try_write(value) == status::ok);
  std::uint64_t value = 0;
  for (std::uint32_t read = 1; read <= 64; ++read) {
    REQUIRE(ring.consumer.try_read(value) == status::ok);
    if (read - ring.word(spsc::read_position) > 2 * 64 / 8 + 1) FAIL("read " << read);
  }
  CHECK(ring.consumer.try_read(value) == status::empty);
  CHECK(ring.word(spsc::read_position) == 64);
}

TEST_CASE("a_float_travels_and_so_does_a_type_that_is_allowed_to") {
  weir::test::both_sides<double> ring{{.capacity = 4}};
  CHECK(ring.producer.try_write(0.5) == status::ok);
  double value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 0.5);

  weir::test::both_sides<padded> other{{.capacity = 4}};
  CHECK(other.producer.try_write({1, 2}) == status::ok);
  CHECK(other.consumer.try_peek().value().second == 2);
}

TEST_CASE("slots_come_back_by_the_quarter_of_the_ring_while_a_drain_goes_on") {
  word_sides ring{{.capacity = 64}};
  for (std::uint64_t value = 0; value < 64; ++value) {
    REQUIRE(ring.producer.try_write(value) == status::ok);
  }
  std::uint32_t most = 0;
  std::uint32_t shown = 0;
  const auto done = ring.consumer.drain([&](const std::uint64_t&) {
    const auto kept_back = shown++ - ring.word(spsc::read_position);
    most = kept_back > most ? kept_back : most;
  });
  CHECK(done.records == 64);
  CHECK(most <= 64 / 4);
}

TEST_CASE("a_claim_that_is_over_writes_nothing") {
  word_sides ring{{.capacity = 2}};
  auto claim = ring.producer.try_claim();
  CHECK(claim.commit(1).outcome == status::ok);
  REQUIRE(ring.producer.try_write(2) == status::ok);
  CHECK(claim.commit(9).outcome == status::stale);
  CHECK(claim.commit_later(9).outcome == status::stale);
  std::uint64_t value = 0;
  REQUIRE(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 1);
  REQUIRE(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 2);
}

TEST_CASE("only_the_oldest_slot_can_be_released_and_only_once") {
  word_sides ring{{.capacity = 8}};
  ring.consumer.try_peek().release();  // there was none
  for (std::uint64_t value = 0; value < 3; ++value) {
    REQUIRE(ring.producer.try_write(value) == status::ok);
  }
  auto first = ring.consumer.try_peek();
  auto moved = std::move(first);
  first.release();
  CHECK(ring.consumer.try_peek().value() == 0);
  std::uint64_t value = 9;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 0);
  moved.release();  // it was read by other means
  CHECK(ring.consumer.try_peek().value() == 1);
  auto second = ring.consumer.try_peek();
  second.release();
  second.release();
  CHECK(ring.consumer.try_peek().value() == 2);
}
