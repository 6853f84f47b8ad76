// SPDX-License-Identifier: MIT
// Proved: what a reader says when the writer writes, laps or closes between two of its accesses, at the places
// where that decides the answer. Not provable here: that these interleavings are all there are.
#include "support/guarded_span.hpp"
#include "support/pattern.hpp"
#include "support/script.hpp"

#include <weir/broadcast_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace layout = weir::layout;
using weir::from;
using weir::status;
using weir::test::access_event;
using weir::test::access_kind;
using weir::test::access_to;
using weir::test::guarded_span;
using weir::test::once;
using weir::test::script_memory;
using weir::test::scripted;

namespace {

constexpr std::uint32_t capacity = 512;
/// Every record: 8 bytes of header, 8 of number, and these.
using record_bytes = std::array<std::byte, 16>;
constexpr std::uint32_t payload = 16;
constexpr std::uint32_t frame = 32;

/// A ring, its writer, and a reader between whose accesses the writer can act.
struct test_ring {
  using type = weir::broadcast_ring<weir::bytes>;
  using scripted_type = weir::broadcast_ring<weir::bytes, script_memory>;

  guarded_span memory{type::bytes_required(capacity)};
  type ring = type::format(memory.bytes(), {.capacity = capacity}).value();
  scripted_type seen = scripted_type::attach(memory.bytes()).value();
  type::writer_type writer = ring.writer().value();

  auto write(std::uint32_t number) -> status {
    record_bytes record{};
    weir::test::fill_pattern(record, number);
    return writer.write(record, number);
  }
  [[nodiscard]] auto position() const -> const void* {
    return memory.word(layout::broadcast::write_position);
  }
  [[nodiscard]] auto closed() const -> const void* {
    return memory.word(layout::broadcast::closed);
  }
};

}  // namespace

TEST_CASE("a_record_written_just_before_the_closing_is_read_before_closed_is_said") {
  test_ring there;
  auto reader = there.seen.reader().value();
  auto wrote = status::empty;
  record_bytes out{};
  {
    const scripted race{once(1, access_to(access_kind::load, there.closed()), [&] {
      wrote = there.write(5);
      there.writer.close();
    })};
    CHECK(reader.wait() == status::ok);
  }
  CHECK(wrote == status::ok);
  const auto done = reader.read(out);
  CHECK((done.outcome == status::ok && done.type == 5 && weir::test::has_pattern(out, 5)));
  CHECK(reader.read(out).outcome == status::closed);
}

TEST_CASE("a_reader_that_is_lapped_again_and_again_says_torn_and_then_goes_on") {
  // Before each look at the position; or until one step is left, and then in the middle of the copy.
  constexpr std::uint32_t for_ever = 1000;
  constexpr std::uint32_t all_but_one = 2 * 15;  // two loads a step
  for (const std::uint32_t most : {for_ever, all_but_one}) {
    test_ring there;
    std::uint32_t next = 0;
    while (next < 2) REQUIRE(there.write(next++) == status::ok);
    auto reader =
        there.seen.reader(from::newest).value();  // who knows no number yet, and so misses none
    REQUIRE(there.write(next++) == status::ok);
    std::uint32_t refused = 0;
    std::uint32_t looks = 0;
    std::uint32_t copies = 0;
    record_bytes out{};
    {
      const scripted race{[&](const access_event& now) {
        if (now.kind != access_kind::load) return;
        const bool looks_at_position = now.address == there.position();
        const auto offset = static_cast<const std::byte*>(now.address) -
                            there.memory.bytes().subspan(layout::broadcast::data).data();
        const bool copies_payload = offset >= 0 && offset % frame == payload;
        looks += looks_at_position ? 1U : 0U;
        copies += copies_payload ? 1U : 0U;
        if (!(looks_at_position && looks <= most) && !copies_payload) return;
        for (std::uint32_t more = 0; more < capacity / frame; ++more) {
          refused += there.write(next++) == status::ok ? 0U : 1U;
        }
      }};
      CHECK(reader.read(out).outcome == status::torn);
    }
    CHECK(refused == 0);
    CHECK(copies == (most == for_ever ? 0 : 1));
    const auto first = reader.read(out);
    CHECK((first.outcome == status::ok || first.outcome == status::lost));
    std::uint64_t records = 0;
    for (auto done = reader.read(out); done.outcome != status::empty; done = reader.read(out)) {
      REQUIRE(done.outcome == status::ok);
      CHECK(weir::test::has_pattern(out, static_cast<std::uint32_t>(done.number)));
      ++records;
    }
    CHECK(records > 0);
    CHECK(there.memory.intact());
  }
}

TEST_CASE("who_joins_while_every_old_record_is_being_given_up_begins_with_the_next_one") {
  test_ring there;
  for (std::uint32_t number = 0; number < 4; ++number) REQUIRE(there.write(number) == status::ok);
  // As a writer leaves it that is about to write over all of them.
  for (const std::uint32_t half : {0U, 4U}) {
    *there.memory.word(layout::broadcast::overwrite_end + half) =
        *there.memory.word(layout::broadcast::write_position + half);
  }
  auto late = there.ring.reader(from::oldest).value();
  record_bytes out{};
  CHECK(late.read(out).outcome == status::empty);
  REQUIRE(there.write(4) == status::ok);
  const auto done = late.read(out);
  CHECK((done.outcome == status::ok && done.number == 4));
  CHECK(late.statistics().lost == 0);  // it never knew a number before
}

TEST_CASE("who_joins_an_ended_ring_that_was_never_written_is_told_closed") {
  test_ring there;
  there.writer.close();
  auto late = there.ring.reader(from::oldest).value();
  record_bytes out{};
  CHECK(late.read(out).outcome == status::closed);
}

TEST_CASE("the_capacity_that_is_not_asked_for_is_the_largest_that_there_can_be") {
  const guarded_span memory{test_ring::type::bytes_required(capacity)};
  // Only the control block is written: no memory is needed behind it.
  const std::span<std::byte> huge{memory.bytes().data(), 0xC000'0000};
  const auto ring = test_ring::type::format(huge).value();
  CHECK(ring.capacity() == weir::record::max_capacity);
  CHECK(test_ring::type::format(memory.bytes(), {.wake = weir::wake_protocol::at_flush})->wake() ==
        weir::wake_protocol::at_flush);
  CHECK(memory.intact());
}
