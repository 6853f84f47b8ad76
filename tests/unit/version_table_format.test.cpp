// SPDX-License-Identifier: MIT
#include "support/attacker.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"

#include <weir/doorbell.hpp>
#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace layout = weir::layout;
using weir::doorbell;
using weir::status;
using weir::version_table;
using weir::version_table_options;
using weir::wake_protocol;
using weir::test::adversary_memory;
using weir::test::guarded_span;

namespace {

constexpr std::uint32_t tag = 0x1234;

/// What is there, from the description of the format alone.
auto bytes_of(std::uint32_t slots, bool padded) -> std::uint64_t {
  std::uint32_t counters = 0;
  for (auto below = slots; below > 128;) counters += below = (below + 31) / 32;
  const std::uint64_t offset = (256 + 4ULL * counters + 127) / 128 * 128;
  return offset + (padded ? 64ULL : 4ULL) * slots;
}

}  // namespace

TEST_CASE("a_table_takes_the_room_that_its_format_says") {
  for (const std::uint32_t slots :
       {1U, 31U, 32U, 33U, 128U, 129U, 4096U, 4097U, 100'000U, 131'073U, 1U << 24}) {
    for (const bool padded : {false, true}) {
      CHECK(version_table<>::bytes_required({.slots = slots, .padded = padded}) ==
            bytes_of(slots, padded));
    }
  }
  static_assert(version_table<>::bytes_required({.slots = 128}) == 256 + 512);
  static_assert(version_table<>::seen_words(128) == 129);
  static_assert(version_table<>::seen_words(100'000) == 1 + 98 + 3125 + 100'000);
}

TEST_CASE("a_table_that_is_formatted_can_be_attached_to") {
  for (const std::uint32_t slots : {1U, 128U, 129U, 5000U}) {
    for (const bool padded : {false, true}) {
      for (const bool process_shared : {false, true}) {
        for (const auto protocol :
             {wake_protocol::none, wake_protocol::fenced, wake_protocol::asymmetric}) {
          const version_table_options options{.slots = slots,
                                              .padded = padded,
                                              .wake = protocol,
                                              .process_shared = process_shared,
                                              .type_tag = tag,
                                              .start_version = 10};
          const guarded_span memory{version_table<>::bytes_required(options)};
          auto made = version_table<>::format(memory.bytes(), options);
          REQUIRE(made);
          auto found = version_table<>::attach(memory.bytes(), tag);
          REQUIRE(found);
          for (const auto& table : {*made, *found}) {
            CHECK(table.slots() == slots);
            CHECK(table.padded() == padded);
            CHECK(table.process_shared() == process_shared);
            CHECK(table.version(slots - 1) == 10);
            CHECK((table.wake() == wake_protocol::none) == (protocol == wake_protocol::none));
          }
          std::vector<std::uint32_t> seen(version_table<>::seen_words(slots));
          CHECK(found->reader(seen));
          CHECK(found->reader<weir::park>(seen).status() ==
                (protocol == wake_protocol::none ? status::unsupported : status::ok));
          CHECK(version_table<>::attach(memory.bytes(), tag + 1).status() == status::bad_layout);
          CHECK(memory.intact());
        }
      }
    }
  }
}

TEST_CASE("a_span_or_options_that_make_no_table_are_refused") {
  const version_table_options options{.slots = 200};
  const auto needed = static_cast<std::size_t>(version_table<>::bytes_required(options));
  const guarded_span memory{needed + 64};
  const auto whole = memory.bytes();
  const auto format = [](std::span<std::byte> span, const version_table_options& asked) {
    return version_table<>::format(span, asked).status();
  };
  CHECK(format(whole.first(needed), options) == status::ok);
  CHECK(format(whole.subspan(64), options) == status::ok);
  CHECK(format(whole.subspan(32), options) == status::bad_layout);
  CHECK(format(whole.first(needed - 1), options) == status::bad_layout);
  CHECK(format(std::span<std::byte>{}, options) == status::bad_layout);
  for (const auto slots : {0U, (1U << 24) + 1, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CHECK(format(whole, {.slots = slots}) == status::bad_layout);
    CHECK(format(whole, {.slots = slots, .padded = true}) == status::bad_layout);
  }
  CHECK(format(whole, {.slots = 200, .padded = true}) == status::bad_layout);
  CHECK(format(whole, {.slots = 200, .wake = wake_protocol::at_flush}) == status::bad_layout);
  CHECK(format(whole, {.slots = 200, .start_version = 1}) == status::bad_layout);
  CHECK(format(whole, {.slots = 200, .start_counter = 1}) == status::bad_layout);
  CHECK(memory.intact());
}

TEST_CASE("a_table_goes_with_the_doorbell_that_it_was_formatted_with") {
  const guarded_span bell_memory{doorbell<>::bytes_required()};
  const guarded_span memory{version_table<>::bytes_required({.slots = 5})};
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    const auto bell = doorbell<>::format(bell_memory.bytes(), {.wake = protocol}).value();
    const auto made = version_table<>::format(memory.bytes(), {.slots = 5}, bell).status();
    if (protocol == wake_protocol::at_flush) {
      CHECK(made == status::bad_layout);
      continue;
    }
    REQUIRE(made == status::ok);
    CHECK(version_table<>::attach(memory.bytes()).status() == status::bad_layout);
    auto found = version_table<>::attach(memory.bytes(), 0, bell);
    REQUIRE(found);
    CHECK(found->wake() == protocol);
    CHECK(found->slot(4));
    const version_table_options other{.slots = 5, .process_shared = true};
    CHECK(version_table<>::format(memory.bytes(), other, bell).status() == status::bad_layout);
  }
}

TEST_CASE("a_table_header_with_one_wrong_bit_is_refused") {
  for (const bool padded : {false, true}) {
    const version_table_options options{.slots = 200, .padded = padded, .type_tag = tag};
    const guarded_span memory{2 * version_table<>::bytes_required(options)};
    REQUIRE(version_table<>::format(memory.bytes(), options));
    std::uint32_t accepted = 0;
    for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
      for (std::uint32_t bit = 0; bit < 32; ++bit) {
        *memory.word(offset) ^= 1U << bit;
        const auto outcome = version_table<>::attach(memory.bytes(), tag).status();
        *memory.word(offset) ^= 1U << bit;
        const bool meaningful = (offset == layout::flags && bit == 0) ||
                                (offset == layout::wake_protocol_word && bit == 1);
        const auto expected = meaningful ? status::ok : status::bad_layout;
        if (outcome != expected) {
          FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
        }
        accepted += outcome == status::ok ? 1U : 0U;
      }
    }
    CHECK(accepted == 2);
    *memory.word(layout::magic) = 0;
    CHECK(version_table<>::attach(memory.bytes(), tag).status() == status::not_ready);
  }
}

TEST_CASE("any_header_leads_to_a_table_inside_its_span_or_to_a_status") {
  weir::test::seeded_random random{weir::test::fresh_seed("version table headers")};
  const version_table_options options{.slots = 129, .type_tag = tag};
  const guarded_span memory{version_table<>::bytes_required(options)};
  for (int round = 0; round < 100'000; ++round) {
    if (round % 8 == 0) REQUIRE(version_table<>::format(memory.bytes(), options));
    auto* const word = memory.word(8 + 4 * random.below(11));
    *word = random.once_in(2) ? random.below(600) : 1U << random.below(32);
    const auto table = version_table<>::attach(memory.bytes(), tag);
    if (!table) continue;
    auto copy = table;
    copy->slot(copy->slots() - 1)->publish();
    if (version_table<>::bytes_required({.slots = copy->slots(), .padded = copy->padded()}) >
        memory.bytes().size()) {
      FAIL("outside");
    }
  }
  CHECK(memory.intact());
}

TEST_CASE("any_bytes_in_a_table_lead_to_a_bounded_number_of_steps_inside_it") {
  using hostile_table = version_table<adversary_memory>;
  for (const std::uint32_t slots : {5U, 129U, 4200U}) {
    const version_table_options options{.slots = slots};
    const guarded_span memory{hostile_table::bytes_required(options)};
    weir::test::attacker enemy{memory, slots, weir::test::fresh_seed("version table bytes")};
    auto& random = enemy.random();
    const auto table = hostile_table::format(memory.bytes(), options).value();
    std::vector<std::uint32_t> seen(hostile_table::seen_words(slots) + 2, 0xA5A5'A5A5);
    auto reader = table.reader(std::span{seen}.subspan(1, seen.size() - 2)).value();
    const auto all = static_cast<std::uint32_t>(hostile_table::seen_words(slots));
    enemy.lie_once_in(5);
    std::uint32_t most = 0;
    std::uint32_t beyond = 0;
    for (int round = 0; round < 20'000; ++round) {
      enemy.scribble(layout::header_size);
      auto slot = table.slot(random.below(slots)).value();
      switch (random.below(5)) {
        case 0:
          slot.publish();
          break;
        case 1:
          slot.begin();
          slot.end();
          break;
        case 2: {
          std::array<std::uint32_t, 2> value{};
          std::array<std::byte, 7> out{};
          static_cast<void>(slot.read(out, value.data(), 5));
          break;
        }
        case 3:
          static_cast<void>(reader.wait_any());
          static_cast<void>(reader.wait(random.below(slots), random.next()));
          break;
        default:
          const auto loads = enemy.loads_of([&] {
            static_cast<void>(reader.changed(
                [&](std::uint32_t number, std::uint32_t) { beyond += number < slots ? 0U : 1U; }));
          });
          most = loads > most ? loads : most;
      }
    }
    weir::stop_word stop;
    table.request_stop(stop);
    CHECK(most <= all);
    CHECK(most > 1);
    CHECK(beyond == 0);
    CHECK(seen.front() == 0xA5A5'A5A5);
    CHECK(seen.back() == 0xA5A5'A5A5);
    CHECK(memory.intact());
  }
}

TEST_CASE("a_header_that_agrees_with_itself_about_an_impossible_number_of_slots_is_refused") {
  const guarded_span memory{4096};
  // As long as can be said, so that only the number is wrong: attaching looks at the header alone.
  const std::span<std::byte> span{memory.bytes().data(), 0xFFFF'FFFF};
  for (const std::uint32_t slots : {0U, 1U, 129U, 1U << 24, (1U << 24) + 1, 1U << 25}) {
    const auto data_offset = weir::detail::version_shape::of(slots).data_offset();
    weir::detail::publish_header<weir::native_memory>(
        memory.bytes().data(), {.kind = static_cast<std::uint32_t>(layout::kind::version_table),
                                .total_size = data_offset + slots * 4,
                                .data_offset = data_offset,
                                .stride = 4,
                                .wake_protocol = 2,
                                .slots = slots});
    const bool possible = slots != 0 && slots <= 1U << 24;
    CAPTURE(slots);
    CHECK(version_table<>::attach(span).status() == (possible ? status::ok : status::bad_layout));
    if (!possible)
      CHECK(version_table<>::format(span, {.slots = slots}).status() == status::bad_layout);
  }
}

TEST_CASE("a_slot_beyond_the_last_is_refused") {
  const guarded_span memory{version_table<>::bytes_required({.slots = 5})};
  const auto table = version_table<>::format(memory.bytes(), {.slots = 5}).value();
  CHECK(table.slot(4));
  CHECK(table.slot(5).status() == status::bad_layout);
  CHECK(table.slot(6).status() == status::bad_layout);
  CHECK(table.slot(0xFFFF'FFFF).status() == status::bad_layout);
}
