// SPDX-License-Identifier: MIT
#include "support/both_sides.hpp"
#include "support/random.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstring>
#include <vector>

namespace spsc = weir::layout::spsc;
using weir::descriptor;
using weir::status;
using weir::test::read_pattern;
using byte_sides = weir::test::byte_sides;
using word_sides = weir::test::both_sides<std::uint64_t>;

namespace {

auto publish(byte_sides& ring, std::uint32_t number, std::uint32_t size) -> descriptor {
  auto claim = ring.producer.try_claim(size);
  REQUIRE(claim);
  weir::test::fill_pattern(claim.bytes(), number);
  return claim.commit(number).record;
}

}  // namespace

TEST_CASE("a_descriptor_names_the_bytes_of_its_record") {
  for (const auto start : weir::test::notable_starts) {
    byte_sides ring{{.capacity = 256, .start_position = start}};
    for (std::uint32_t number = 0; number < 200; ++number) {
      const auto named = publish(ring, number, number % 60);
      const auto span = ring.there.memory.bytes().subspan(named.offset, named.size);
      if (!weir::test::has_pattern(span, number)) FAIL("record " << number);
      const auto record = ring.consumer.try_peek();
      const bool same = record.bytes().data() == span.data() &&
                        record.bytes().size() == named.size && record.sequence() == named.sequence;
      if (!same) FAIL("record " << number);
      REQUIRE(read_pattern(ring.consumer, number, number % 60));
      REQUIRE(ring.consumer.try_peek().status() == status::empty);
    }
  }
}

TEST_CASE("redeeming_finds_the_record_and_skips_what_precedes_it") {
  for (const auto start : weir::test::notable_starts) {
    for (std::uint32_t wanted = 0; wanted < 6; ++wanted) {
      byte_sides ring{{.capacity = 512, .start_position = start}};
      std::vector<descriptor> named;
      for (std::uint32_t number = 0; number < 6; ++number) {
        named.push_back(publish(ring, number, 10 + number));
      }
      auto record = ring.consumer.redeem(named[wanted]);
      REQUIRE(record);
      CHECK(record.type() == wanted);
      CHECK(record.sequence() == named[wanted].sequence);
      CHECK(weir::test::has_pattern(record.bytes(), wanted));
      record.release();
      for (std::uint32_t number = wanted + 1; number < 6; ++number) {
        CHECK(read_pattern(ring.consumer, number, 10 + number));
      }
      CHECK(ring.consumer.try_peek().status() == status::empty);
    }
  }
}

TEST_CASE("redeeming_what_was_read_already_is_stale") {
  byte_sides ring{{.capacity = 256}};
  const auto first = publish(ring, 0, 8);
  const auto second = publish(ring, 1, 8);
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.consumer.redeem(first).status() == status::stale);
  CHECK(ring.consumer.redeem(second));
  auto again = ring.consumer.redeem(second);  // not released yet
  CHECK(again);
  again.release();
  CHECK(ring.consumer.redeem(second).status() == status::stale);
}

TEST_CASE("redeeming_what_is_not_published_yet_is_empty_and_skips_nothing") {
  byte_sides ring{{.capacity = 256}};
  publish(ring, 0, 8);
  auto claim = ring.producer.try_claim(8);
  weir::test::fill_pattern(claim.bytes(), 1);
  const auto withheld = claim.commit_later(1).record;
  const auto second_withheld = ring.producer.try_claim(8).commit_later(2).record;
  CHECK(ring.consumer.redeem(withheld).status() == status::empty);
  CHECK(ring.consumer.redeem(second_withheld).status() == status::empty);
  CHECK(read_pattern(ring.consumer, 0, 8));
  CHECK(ring.consumer.redeem(second_withheld).status() == status::empty);
  ring.producer.flush();
  CHECK(ring.consumer.redeem(second_withheld).type() == 2);
  CHECK(ring.consumer.redeem(withheld).status() == status::stale);
}

TEST_CASE("a_forged_descriptor_is_refused_and_skips_nothing") {
  weir::test::seeded_random random{weir::test::fresh_seed("forged descriptors")};
  byte_sides ring{{.capacity = 256, .start_position = 0U - 128}};
  std::vector<descriptor> named;
  for (std::uint32_t number = 0; number < 5; ++number) {
    named.push_back(publish(ring, number, 8 * number));
  }
  const auto is_true = [&](const descriptor& one) {
    for (const auto& each : named) {
      if (each.offset == one.offset && each.size == one.size && each.sequence == one.sequence) {
        return true;
      }
    }
    return false;
  };
  std::uint32_t wrong = 0;
  for (int round = 0; round < 200'000; ++round) {
    auto forged = named[random.below(5)];
    for (auto* const field : {&forged.offset, &forged.size, &forged.sequence}) {
      if (random.once_in(2)) continue;
      *field = random.once_in(4) ? random.next() : *field + 8 * random.below(32) - 128;
    }
    if (is_true(forged)) continue;
    const auto outcome = ring.consumer.redeem(forged).status();
    const bool refused =
        outcome == status::corrupt || outcome == status::stale || outcome == status::empty;
    wrong += refused && ring.consumer.try_peek().type() == 0 ? 0U : 1U;
  }
  CHECK(wrong == 0);
  for (std::uint32_t number = 0; number < 5; ++number) {
    CHECK(read_pattern(ring.consumer, number, 8 * number));
  }
  CHECK(ring.intact());
}

TEST_CASE("a_descriptor_that_points_into_a_record_is_no_record") {
  byte_sides ring{{.capacity = 256}};
  auto claim = ring.producer.try_claim(40);
  for (auto& byte : claim.bytes()) byte = std::byte{0};
  // A commit word of the attacker's, inside the payload.
  const auto inside = weir::record::commit_word(8);
  std::memcpy(claim.bytes().data() + 8, &inside, sizeof inside);
  const auto outer = claim.commit().record;
  const descriptor forged{outer.offset + 16, 8, outer.sequence + 2};
  CHECK(ring.consumer.redeem(forged).status() == status::corrupt);
  CHECK(ring.consumer.redeem(outer));
}

TEST_CASE("a_typed_descriptor_is_redeemed_like_any_other") {
  for (const auto start : weir::test::notable_starts) {
    word_sides ring{{.capacity = 8, .start_position = start}};
    std::vector<descriptor> named;
    for (std::uint64_t value = 0; value < 8; ++value) {
      named.push_back(ring.producer.try_claim().commit(value).record);
    }
    CHECK(named[0].sequence == start);
    CHECK(named[3].size == 8);
    std::uint64_t seen = 0;
    std::memcpy(&seen, ring.there.memory.bytes().data() + named[3].offset, sizeof seen);
    CHECK(seen == 3);
    CHECK(ring.consumer.redeem(named[3]).value() == 3);
    CHECK(ring.consumer.redeem(named[2]).status() == status::stale);
    auto record = ring.consumer.redeem(named[5]);
    CHECK(record.value() == 5);
    CHECK(record.sequence() == start + 5);
    record.release();
    CHECK(ring.consumer.redeem(named[5]).status() == status::stale);
    std::uint64_t value = 0;
    CHECK(ring.consumer.try_read(value) == status::ok);
    CHECK(value == 6);
  }
}

TEST_CASE("a_typed_descriptor_that_is_forged_or_early_is_refused_and_skips_nothing") {
  word_sides ring{{.capacity = 8}};
  REQUIRE(ring.producer.try_write(1) == status::ok);
  REQUIRE(ring.producer.try_write(2) == status::ok);
  const auto withheld = ring.producer.try_claim().commit_later(3).record;
  const auto second_withheld = ring.producer.try_claim().commit_later(4).record;
  CHECK(ring.consumer.redeem(withheld).status() == status::empty);
  CHECK(ring.consumer.redeem(second_withheld).status() == status::empty);
  for (const descriptor forged :
       {descriptor{withheld.offset + 8, 8, 2}, descriptor{withheld.offset, 4, 2},
        descriptor{withheld.offset, 8, 2 + 8}, descriptor{withheld.offset, 8, 0x8000'0002},
        descriptor{0, 0, 0}, descriptor{0xFFFF'FFFF, 0xFFFF'FFFF, 0xFFFF'FFFF}}) {
    CHECK_FALSE(ring.consumer.redeem(forged));
  }
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 1);
  ring.producer.flush();
  CHECK(ring.consumer.redeem(second_withheld).value() == 4);
}

TEST_CASE("a_read_position_can_travel_in_a_message") {
  byte_sides ring{{.capacity = 256}};
  publish(ring, 0, 112);
  publish(ring, 1, 100);
  CHECK(ring.producer.try_claim(100).status() == status::full);
  CHECK(read_pattern(ring.consumer, 0, 112));
  const auto position = ring.consumer.read_position();
  CHECK(position == 120);
  CHECK(ring.word(spsc::read_position) == position);
  CHECK(ring.producer.acknowledge(position) == status::ok);
  CHECK(ring.producer.try_claim(100));
}

TEST_CASE("a_read_position_older_than_the_known_one_is_stale_and_does_no_harm") {
  for (const auto start : weir::test::notable_starts) {
    byte_sides ring{{.capacity = 256, .start_position = start}};
    publish(ring, 0, 8);
    publish(ring, 1, 8);
    CHECK(ring.producer.acknowledge(start) == status::ok);
    CHECK(ring.producer.acknowledge(start + 16) == status::ok);
    CHECK(ring.producer.acknowledge(start) == status::stale);
    CHECK(ring.producer.try_claim(8));
  }
}

TEST_CASE("a_read_position_that_nobody_can_have_reached_is_corrupt_for_good") {
  for (const std::uint32_t forged : {40U, 4U, 12U, 0x7FFF'FFF8U}) {
    byte_sides ring{{.capacity = 256}};
    publish(ring, 0, 8);
    publish(ring, 1, 8);
    CHECK(ring.producer.acknowledge(forged) == status::corrupt);
    CHECK(ring.producer.try_claim(8).status() == status::corrupt);
    CHECK(ring.producer.try_write({}) == status::corrupt);
    CHECK(ring.producer.try_claim(8).status() == status::corrupt);
    CHECK(read_pattern(ring.consumer, 0, 8));
    CHECK(read_pattern(ring.consumer, 1, 8));
  }
}

TEST_CASE("a_typed_read_position_travels_too") {
  word_sides ring{{.capacity = 2}};
  REQUIRE(ring.producer.try_write(1) == status::ok);
  REQUIRE(ring.producer.try_write(2) == status::ok);
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(ring.producer.acknowledge(ring.consumer.read_position()) == status::ok);
  CHECK(ring.producer.acknowledge(0) == status::stale);
  CHECK(ring.producer.try_write(3) == status::ok);
  CHECK(ring.producer.acknowledge(9) == status::corrupt);
  CHECK(ring.producer.try_write(4) == status::corrupt);
}

TEST_CASE("damage_on_the_way_to_a_descriptor_is_corrupt_for_good") {
  byte_sides ring{{.capacity = 256}};
  publish(ring, 0, 8);
  publish(ring, 1, 8);
  const auto named = publish(ring, 2, 8);
  auto& header = ring.word(spsc::data + 16);
  const auto whole = header;
  header = 7;
  CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  header = whole;
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
  CHECK(ring.consumer.redeem(named).status() == status::corrupt);

  word_sides typed{{.capacity = 8}};
  for (std::uint64_t value = 0; value < 3; ++value) {
    REQUIRE(typed.producer.try_write(value) == status::ok);
  }
  auto& stamp = typed.word(spsc::data + 16);
  stamp = 7;
  const descriptor third{spsc::data + 2 * 16 + 8, 8, 2};
  CHECK(typed.consumer.redeem(third).status() == status::corrupt);
  stamp = 2;
  CHECK(typed.consumer.try_peek().status() == status::corrupt);
  CHECK(typed.consumer.redeem(third).status() == status::corrupt);
}

TEST_CASE("a_typed_descriptor_a_lap_ahead_is_corrupt_and_one_within_it_empty") {
  word_sides ring{{.capacity = 8}};
  const auto redeem = [&](std::uint32_t sequence) {
    const auto offset = spsc::data + sequence % 8 * 16 + 8;
    return ring.consumer.redeem({offset, 8, sequence}).status();
  };
  CHECK(redeem(0) == status::empty);
  CHECK(redeem(7) == status::empty);
  CHECK(redeem(8) == status::corrupt);
  CHECK(redeem(0x7FFF'FFF8) == status::corrupt);
  CHECK(redeem(0x8000'0000) == status::stale);
  CHECK(redeem(0xFFFF'FFFF) == status::stale);
}

TEST_CASE("what_is_redeemed_is_let_go_of_at_once_with_all_that_precedes_it") {
  byte_sides ring{{.capacity = 4096}};
  publish(ring, 0, 8);
  const auto named = publish(ring, 1, 8);
  publish(ring, 2, 8);
  ring.consumer.redeem(named).release();
  CHECK(ring.word(spsc::read_position) == 32);

  word_sides typed{{.capacity = 64}};
  for (std::uint64_t value = 0; value < 3; ++value) {
    REQUIRE(typed.producer.try_write(value) == status::ok);
  }
  typed.consumer.redeem({spsc::data + 16 + 8, 8, 1}).release();
  CHECK(typed.word(spsc::read_position) == 2);
}

TEST_CASE("nothing_is_stale_or_empty_once_a_ring_is_corrupt") {
  byte_sides ring{{.capacity = 256}};
  const auto first = publish(ring, 1, 8);
  const auto second = publish(ring, 2, 8);
  const auto later = descriptor{second.offset + 16, 8, second.sequence + 2};
  ring.consumer.redeem(first).release();
  CHECK(ring.consumer.redeem(first).status() == status::stale);
  CHECK(ring.consumer.redeem(later).status() == status::empty);
  ring.word(second.offset - 8) = 7;
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
  ring.word(second.offset - 8) = weir::record::commit_word(8);
  for (const auto& named : {first, second, later}) {
    CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  }

  word_sides typed{{.capacity = 8}};
  const auto value = typed.producer.try_claim().commit(0).record;
  const auto next = typed.producer.try_claim().commit(1).record;
  const auto none = descriptor{next.offset + 16, 8, 2};
  typed.consumer.redeem(value).release();
  typed.word(next.offset - 8) = 0x1235;
  CHECK(typed.consumer.try_peek().status() == status::corrupt);
  typed.word(next.offset - 8) = 2;
  for (const auto& named : {value, next, none}) {
    CHECK(typed.consumer.redeem(named).status() == status::corrupt);
  }
}

TEST_CASE("a_forged_descriptor_of_a_value_is_refused_and_skips_nothing") {
  word_sides ring{{.capacity = 8}};
  REQUIRE(ring.producer.try_write(0) == status::ok);
  const auto named = ring.producer.try_claim().commit(1).record;
  for (const std::uint32_t wrong : {1U, 8U, 16U, 0U - 16, 0x8000'0000U}) {
    auto forged = named;
    forged.offset += wrong;
    CHECK(ring.consumer.redeem(forged).status() == status::corrupt);
    forged = named;
    forged.size += wrong;
    CHECK(ring.consumer.redeem(forged).status() == status::corrupt);
  }
  CHECK(ring.consumer.redeem({named.offset, 0, named.sequence}).status() == status::corrupt);
  std::uint64_t value = 9;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 0);
  CHECK(ring.consumer.redeem(named));
}
