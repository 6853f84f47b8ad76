// SPDX-License-Identifier: MIT
#include "support/mpsc_sides.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace mpsc = weir::layout::mpsc;
using weir::descriptor;
using weir::status;
using weir::test::fill_pattern;
using weir::test::has_pattern;
using weir::test::mpsc_sides;

namespace {

using sides = mpsc_sides<weir::bytes>;

template <class Producer>
auto write(Producer& producer, std::uint32_t number, std::uint32_t size) -> descriptor {
  auto claim = producer.try_claim(size);
  fill_pattern(claim.bytes(), number);
  return claim.commit(number).record;
}

}  // namespace

TEST_CASE("a_descriptor_names_its_record_wherever_positions_stand") {
  for (const auto start : weir::test::notable_wide_starts) {
    sides ring{{.capacity = 256, .start_position = start}, 2};
    for (std::uint32_t number = 0; number < 100; ++number) {
      const auto named = write(ring.producers[number % 2], number, number % 40);
      CHECK(named.size == number % 40);
      auto record = ring.consumer.redeem(named);
      if (!record) FAIL("start " << start << " record " << number << name(record.status()));
      CHECK(record.bytes().data() == ring.there.memory.bytes().data() + named.offset);
      CHECK(record.type() == number);
      CHECK(has_pattern(record.bytes(), number));
      record.release();
      CHECK(ring.consumer.redeem(named).status() == status::stale);
    }
  }
}

TEST_CASE("redeeming_skips_what_was_committed_or_aborted_before") {
  sides ring{{.capacity = 512}, 2};
  const auto first = write(ring.producers[0], 1, 10);
  {
    const auto aborted = ring.producers[1].try_claim(20);
  }
  const auto third = write(ring.producers[1], 3, 30);
  const auto fourth = write(ring.producers[0], 4, 8);
  ring.consumer.redeem(third).release();
  CHECK(ring.consumer.redeem(first).status() == status::stale);
  CHECK(ring.consumer.redeem(fourth).type() == 4);
}

TEST_CASE("a_record_behind_an_open_claim_is_empty_and_nothing_is_skipped") {
  sides ring{{.capacity = 512, .recoverable = true}, 2};
  const auto first = write(ring.producers[0], 1, 10);
  auto open = ring.producers[0].try_claim(10);
  const auto third = write(ring.producers[1], 3, 10);
  CHECK(ring.consumer.redeem(third).status() == status::empty);
  fill_pattern(open.bytes(), 2);
  const auto second = open.commit(2).record;
  CHECK(ring.consumer.redeem(first).type() == 1);
  CHECK(ring.consumer.redeem(second).type() == 2);
  CHECK(ring.consumer.redeem(third).type() == 3);
}

TEST_CASE("a_descriptor_of_no_record_is_refused_and_nothing_is_skipped") {
  sides ring{{.capacity = 512}, 2};
  const auto first = write(ring.producers[0], 1, 40);
  const auto second = write(ring.producers[1], 2, 10);
  const auto changed = [&](std::uint32_t offset, std::uint32_t size, std::uint32_t sequence) {
    return ring.consumer
        .redeem({second.offset + offset, second.size + size, second.sequence + sequence})
        .status();
  };
  CHECK(changed(8, 0, 0) == status::corrupt);
  CHECK(changed(0, 1, 0) == status::corrupt);
  CHECK(changed(0U - 8, 0, 0U - 1) == status::corrupt);  // inside the first
  CHECK(changed(0, 0, 64) == status::corrupt);           // a lap ahead
  CHECK(changed(24, 0, 3) == status::empty);             // the next that will be
  CHECK(changed(0, 0, 0x8000'0000) == status::stale);
  CHECK(ring.consumer.redeem(first).type() == 1);
  CHECK(ring.consumer.redeem(second).type() == 2);
}

TEST_CASE("a_descriptor_of_a_value_is_redeemed_the_same_way") {
  for (const auto start : weir::test::notable_wide_starts) {
    mpsc_sides<std::uint64_t> ring{{.capacity = 8, .start_position = start}, 2};
    for (std::uint64_t number = 0; number < 50; ++number) {
      {
        const auto aborted = ring.producers[1].try_claim();
      }
      const auto named = ring.producers[0].try_claim().commit(number).record;
      auto later = ring.producers[1].try_claim();
      CHECK(ring.consumer.redeem({named.offset + 8, named.size, named.sequence}).status() ==
            status::corrupt);
      CHECK(ring.consumer.redeem({named.offset, 4, named.sequence}).status() == status::corrupt);
      auto slot = ring.consumer.redeem(named);
      if (!slot || slot.value() != number) FAIL("start " << start << " value " << number);
      slot.release();
      CHECK(ring.consumer.redeem(named).status() == status::stale);
      const auto next = later.commit(0).record;
      CHECK(ring.consumer.redeem(next).sequence() == next.sequence);
      ring.consumer.redeem(next).release();
    }
  }
}

TEMPLATE_TEST_CASE("an_acknowledged_position_gives_room_and_a_wrong_one_is_refused", "",
                   weir::bytes, std::uint64_t) {
  constexpr bool frames = std::is_same_v<TestType, weir::bytes>;
  constexpr std::uint32_t unit = frames ? 8 : 1;
  for (const auto start : weir::test::notable_wide_starts) {
    mpsc_sides<TestType> ring{{.capacity = frames ? 64U : 8U, .start_position = start}, 2};
    auto& producer = ring.producers[0];
    const auto write_one = [&] { return producer.try_write({}) == status::ok; };
    const auto room = [&] {
      if constexpr (frames)
        return producer.free_bytes();
      else
        return producer.free_slots();
    };
    while (write_one()) {
    }
    CHECK(room() == 0);
    static_cast<void>(ring.consumer.drain([](const auto&) {}));
    const auto position = ring.consumer.read_position();
    CHECK(position == static_cast<std::uint32_t>(start) + 8 * unit);
    CHECK(producer.acknowledge(position - unit) == status::ok);
    CHECK(producer.acknowledge(position) == status::ok);
    CHECK(producer.acknowledge(position) == status::ok);
    CHECK(room() != 0);
    CHECK(producer.acknowledge(position - unit) == status::stale);
    CHECK(write_one());
    CHECK(producer.acknowledge(position + 2 * unit) == status::corrupt);
    CHECK(producer.acknowledge(position) == status::corrupt);
    CHECK_FALSE(write_one());
    CHECK(producer.try_write({}) == status::corrupt);
    CHECK(ring.producers[1].try_write({}) == status::ok);
  }
}

TEST_CASE("an_acknowledged_position_inside_a_header_is_corrupt") {
  mpsc_sides<weir::bytes> ring{{.capacity = 64}, 1};
  REQUIRE(ring.producers[0].try_write({}) == status::ok);
  CHECK(ring.producers[0].acknowledge(4) == status::corrupt);
}

TEST_CASE("a_descriptor_of_a_value_a_lap_ahead_or_aborted_is_corrupt") {
  mpsc_sides<std::uint64_t> ring{{.capacity = 8}, 1};
  const auto data = ring.producers[0].try_claim().commit(0).record.offset - 8;
  std::uint64_t value = 0;
  REQUIRE(ring.consumer.try_read(value) == status::ok);
  {
    const auto aborted = ring.producers[0].try_claim();
  }
  const auto redeem = [&](std::uint32_t sequence) {
    return ring.consumer.redeem({data + sequence % 8 * 16 + 8, 8, sequence}).status();
  };
  CHECK(redeem(0) == status::stale);
  CHECK(redeem(1) == status::corrupt);  // aborted
  CHECK(redeem(2) == status::empty);
  CHECK(redeem(8) == status::empty);
  CHECK(redeem(9) == status::corrupt);  // a lap ahead
  CHECK(redeem(2) == status::empty);    // and none of this has done any harm
}

TEST_CASE("nothing_is_stale_or_empty_once_a_ring_for_many_is_corrupt") {
  sides ring{{.capacity = 512}, 1};
  const auto first = write(ring.producers[0], 1, 8);
  const auto second = write(ring.producers[0], 2, 8);
  const auto later = descriptor{second.offset + 16, 8, second.sequence + 2};
  ring.consumer.redeem(first).release();
  CHECK(ring.consumer.redeem(first).status() == status::stale);
  CHECK(ring.consumer.redeem(later).status() == status::empty);
  ring.word(second.offset - 8) = 0x7FFF'FFF9;
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
  ring.word(second.offset - 8) = weir::record::commit_word(8);
  for (const auto& named : {first, second, later}) {
    CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  }

  mpsc_sides<std::uint64_t> typed{{.capacity = 8}, 1};
  const auto value = typed.producers[0].try_claim().commit(0).record;
  const auto next = typed.producers[0].try_claim().commit(1).record;
  const auto none = descriptor{next.offset + 16, 8, 2};
  typed.consumer.redeem(value).release();
  CHECK(typed.consumer.redeem(value).status() == status::stale);
  CHECK(typed.consumer.redeem(none).status() == status::empty);
  auto& stamp = typed.word(next.offset - 8);
  const auto whole = stamp;
  stamp = 0x1235;
  CHECK(typed.consumer.try_peek().status() == status::corrupt);
  stamp = whole;
  for (const auto& named : {value, next, none}) {
    CHECK(typed.consumer.redeem(named).status() == status::corrupt);
  }
}

TEST_CASE("damage_before_a_named_record_ends_the_search_and_the_ring") {
  for (const std::uint32_t damage : {7U, 0x8000'0000U, 0x8000'0001U, 0x4000'0001U}) {
    sides ring{{.capacity = 512}, 1};
    const auto first = write(ring.producers[0], 1, 8);
    const auto second = write(ring.producers[0], 2, 8);
    ring.word(first.offset - 8) = damage;
    CHECK(ring.consumer.redeem(second).status() == status::corrupt);
    ring.word(first.offset - 8) = weir::record::commit_word(8);
    CHECK(ring.consumer.try_peek().status() == status::corrupt);
  }
  mpsc_sides<std::uint64_t> typed{{.capacity = 8}, 1};
  const auto before = typed.producers[0].try_claim().commit(1).record;
  const auto named = typed.producers[0].try_claim().commit(2).record;
  auto& stamp = typed.word(before.offset - 8);
  const auto whole = std::exchange(stamp, 0x1235);
  CHECK(typed.consumer.redeem(named).status() == status::corrupt);
  stamp = whole;
  CHECK(typed.consumer.try_peek().status() == status::corrupt);
}
