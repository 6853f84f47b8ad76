// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory a writer dies before, readers that survive deliver no torn
// record and count every published one, and a successor goes on with the next number. Not provable here: a
// death between two machine instructions of one access; no access depends on one.
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/watchdog.hpp"

#include <weir/broadcast_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <span>

using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;
using weir::test::pattern_size;
using weir::test::shared_progress;

namespace {

using ring_type = weir::broadcast_ring<>;
using crashing_ring = weir::broadcast_ring<weir::bytes, crash_memory>;

constexpr std::uint32_t capacity = 256;
constexpr std::uint32_t most = 16;

template <class Writer>
auto write(Writer& writer, std::uint32_t number) -> bool {
  std::array<std::byte, most> bytes;
  const auto record = std::span{bytes}.first(pattern_size(number, most));
  fill_pattern(record, number);
  return writer.write(record) == status::ok;
}

/// Reads all there is. Returns  the number of the next record; what is torn or out of order is `wrong`.
template <class Reader>
auto read_on(Reader& reader, std::uint64_t next, std::uint32_t& wrong) -> std::uint64_t {
  std::array<std::byte, most> out;
  for (;;) {
    const auto done = reader.read(out);
    if (done.outcome == status::lost) {
      next += done.lost;
      wrong += done.number == next ? 0U : 1U;
    } else if (done.outcome == status::ok) {
      const auto number = static_cast<std::uint32_t>(next);
      const bool right = done.number == next && done.size == pattern_size(number, most) &&
                         has_pattern(std::span{out}.first(done.size), number);
      wrong += right ? 0U : 1U;
      ++next;
    } else {
      wrong += done.outcome == status::empty ? 0U : 1U;
      return next;
    }
  }
}

}  // namespace

TEST_CASE("a_writer_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{ring_type::bytes_required(capacity)};
  for (const std::uint64_t start : {0ULL, (1ULL << 32) - 64}) {
    std::uint32_t wrong = 0;
    std::uint32_t deaths = 0;
    for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
      const auto ring =
          ring_type::format(memory.bytes(),
                            {.capacity = capacity, .process_shared = true, .start_position = start})
              .value();
      auto first = ring.reader().value();
      shared_progress progress;  // 0: records certainly written; 1: begun
      child_process child{[&] {
        const auto crashing = crashing_ring::attach(memory.bytes()).value();
        crash_memory::die_before_access(fatal);
        auto writer = crashing.writer().value();
        for (std::uint32_t number = 0; number < 30; ++number) {
          progress.set(1, number + 1);
          if (!write(writer, number)) return 1;
          progress.set(0, number + 1);
        }
        return 0;
      }};
      if (child.wait() == child_process::killed) ++deaths;

      auto late = ring.reader().value();
      const auto next = read_on(first, 0, wrong);
      wrong += progress.get(0) <= next && next <= progress.get(1) ? 0U : 1U;
      auto successor = ring.writer();
      if (!successor || successor.value().number() != next) {
        ++wrong;
        continue;
      }
      auto number = static_cast<std::uint32_t>(next);
      for (std::uint32_t more = 0; more < 20; ++more) {
        wrong += write(successor.value(), number++) ? 0U : 1U;
        if (more % 3 == 0)
          wrong += read_on(first, number - 1 - (more == 0 ? 0 : 2), wrong) == number ? 0U : 1U;
      }
      wrong += read_on(first, number - 1, wrong) == number ? 0U : 1U;
      std::array<std::byte, most> out;
      const auto oldest = late.read(out);
      wrong += oldest.outcome == status::ok || oldest.outcome == status::lost ? 0U : 1U;
      wrong +=
          read_on(late, oldest.number + (oldest.outcome == status::ok ? 1 : 0), wrong) == number
              ? 0U
              : 1U;
    }
    CAPTURE(start, deaths);
    CHECK(wrong == 0);
    CHECK(deaths > 200);
    CHECK(memory.intact());
  }
}

TEST_CASE("successors_that_die_at_the_same_access_again_and_again_lose_nothing_published") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{ring_type::bytes_required(capacity)};
  std::uint32_t wrong = 0;
  std::uint32_t published = 0;
  for (std::uint32_t fatal = 8; fatal < 60; ++fatal) {
    const auto ring =
        ring_type::format(memory.bytes(), {.capacity = capacity, .process_shared = true}).value();
    auto reader = ring.reader().value();
    shared_progress progress;
    std::uint64_t next = 0;
    for (int round = 0; round < 12; ++round) {
      progress.set(0, static_cast<std::uint32_t>(next));
      child_process child{[&] {
        const auto crashing = crashing_ring::attach(memory.bytes()).value();
        crash_memory::die_before_access(fatal);
        auto taken = crashing.writer();
        if (!taken) return 1;
        std::array<std::byte, most> bytes;
        for (;;) {
          // Records of one size: the largest, for which room is scarcest.
          const auto number = static_cast<std::uint32_t>(taken.value().number());
          fill_pattern(bytes, number);
          if (taken.value().write(bytes) != status::ok) return 1;
          progress.set(0, number + 1);
        }
        return 0;
      }};
      wrong += child.wait() == child_process::killed ? 0U : 1U;
      std::array<std::byte, most> out;
      for (bool more = true; more;) {
        const auto done = reader.read(out);
        if (done.outcome == status::lost) next += done.lost;
        if (done.outcome == status::ok) {
          wrong +=
              done.number == next && has_pattern(out, static_cast<std::uint32_t>(next)) ? 0U : 1U;
          ++next;
        }
        more = done.outcome == status::ok || done.outcome == status::lost;
        wrong += more || done.outcome == status::empty ? 0U : 1U;
      }
      wrong += next == progress.get(0) || next == progress.get(0) + 1 ? 0U : 1U;
    }
    published += static_cast<std::uint32_t>(next);
  }
  CHECK(wrong == 0);
  CHECK(published > 100);
  CHECK(memory.intact());
}

TEST_CASE("a_reader_that_sleeps_is_told_that_the_writer_died") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{ring_type::bytes_required(capacity)};
  const auto ring =
      ring_type::format(memory.bytes(), {.capacity = capacity, .process_shared = true}).value();
  shared_progress progress;
  child_process child{[&] {
    auto writer = ring.writer().value();
    progress.set(0, 1);
    weir::test::sleep_until_killed();
    return 0;
  }};
  progress.await(0, 1);
  child.kill_and_reap();
  CHECK(ring.writer_owner() == weir::owner_state::dead);
  CHECK(ring.reader<weir::park>().value().wait() == status::peer_dead);
}

TEST_CASE("a_ring_whose_formatting_died_is_not_ready_or_whole") {
  const guarded_span memory{ring_type::bytes_required(capacity)};
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    REQUIRE(ring_type::format(memory.bytes()));  // an old one, which must not reappear
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      return crashing_ring::format(memory.bytes(), {.type_tag = 7}) ? 0 : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto outcome = ring_type::attach(memory.bytes(), 7).status();
    const auto expected = end == 0     ? status::ok
                          : fatal == 1 ? status::bad_layout
                                       : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 100);
}
