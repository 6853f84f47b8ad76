// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory a writer dies before, a reader that survives gets the last whole
// value, or with one buffer `torn`, in a bounded number of steps, and a successor goes on. Not provable
// here: a death between two machine instructions of one access; no access depends on one.
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/watchdog.hpp"

#include <weir/latest.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <span>

using weir::latest_options;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;
using weir::test::shared_progress;

namespace {

using value_type = weir::latest_bytes;
using crashing_type = weir::latest<weir::bytes, crash_memory>;

constexpr std::uint32_t size = 13;
using value_bytes = std::array<std::byte, size>;

template <class Writer>
auto write(Writer& writer, std::uint32_t number) -> bool {
  value_bytes bytes{};
  fill_pattern(bytes, number);
  return writer.write(bytes) == status::ok;
}

/// One writer that dies before access `fatal` while it writes values from 1 on; then its survivors.
struct death {
  bool happened = false;
  std::uint32_t wrong = 0;
  std::uint32_t torn = 0;
};

auto die_at(std::uint32_t fatal, const latest_options& options) -> death {
  death result;
  const guarded_span memory{value_type::bytes_required(options)};
  const auto value = value_type::format(memory.bytes(), options).value();
  shared_progress progress;  // 0: values certainly written; 1: begun
  child_process child{[&] {
    const auto crashing = crashing_type::attach(memory.bytes()).value();
    crash_memory::die_before_access(fatal);
    auto writer = crashing.writer().value();
    for (std::uint32_t number = 1; number < 7; ++number) {
      progress.set(1, number);
      write(writer, number);
      progress.set(0, number);
    }
    return 0;
  }};
  result.happened = child.wait() == child_process::killed;

  auto reader = value.reader().value();
  value_bytes out{};
  const auto outcome = reader.read(out, 10);
  const auto is_value = [&](std::uint32_t number) { return has_pattern(out, number); };
  if (outcome == status::empty) {
    result.wrong += progress.get(0) == 0 ? 0U : 1U;
  } else if (outcome == status::torn) {
    ++result.torn;
    result.wrong += options.buffers == 1 ? 0U : 1U;
  } else {
    const bool newest = is_value(progress.get(0)) || is_value(progress.get(1));
    result.wrong += outcome == status::ok && newest ? 0U : 1U;
  }

  auto successor = value.writer();
  if (!successor) {
    ++result.wrong;
    return result;
  }
  for (std::uint32_t number = 20; number < 25; ++number) {
    const bool read = write(successor.value(), number) &&
                      reader.try_read_new(out, 1) == status::ok && is_value(number);
    result.wrong += read ? 0U : 1U;
  }
  result.wrong += memory.intact() ? 0U : 1U;
  return result;
}

}  // namespace

TEST_CASE("a_writer_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  for (const std::uint32_t buffers : {1U, 2U, 3U}) {
    for (const bool wide : {false, true}) {
      for (const std::uint64_t start : {0ULL, (1ULL << 31) - 3}) {
        std::uint32_t wrong = 0;
        std::uint32_t deaths = 0;
        std::uint32_t torn = 0;
        for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
          const auto done = die_at(fatal, {.size = size,
                                           .buffers = buffers,
                                           .wide_version = wide,
                                           .process_shared = true,
                                           .start_version = start});
          deaths += done.happened ? 1U : 0U;
          wrong += done.wrong;
          torn += done.torn;
        }
        CAPTURE(buffers, wide, start);
        CHECK(wrong == 0);
        CHECK(deaths > 50);
        CHECK((torn != 0) == (buffers == 1));
      }
    }
  }
}

TEST_CASE("a_successor_that_dies_too_leaves_an_odd_sequence_odd") {
  // The first word of the next buffer's sequence after one, two, three deaths in the middle of a value.
  for (const std::uint32_t buffers : {1U, 2U}) {
    const latest_options options{.size = size, .buffers = buffers, .process_shared = true};
    const guarded_span memory{value_type::bytes_required(options)};
    const auto value = value_type::format(memory.bytes(), options).value();
    {
      auto writer = value.writer().value();
      REQUIRE(write(writer, 1));
    }
    const auto next = weir::layout::latest::data + 2 % buffers * 128;
    for (int round = 0; round < 3; ++round) {
      child_process child{[&] {
        auto writer = crashing_type::attach(memory.bytes()).value().writer().value();
        crash_memory::die_before_access(5);  // between two words of the value
        write(writer, 2);
        return 0;
      }};
      CHECK(child.wait() == child_process::killed);
      CHECK(value.writer_owner() == weir::owner_state::dead);
      CHECK(*memory.word(next) == 3);
      CHECK(value.version() == 1);
      value_bytes out{};
      auto reader = value.reader().value();
      CHECK(reader.read(out, 3) == (buffers == 1 ? status::torn : status::ok));
    }
    auto writer = value.writer().value();
    REQUIRE(write(writer, 3));
    CHECK(*memory.word(next) == 4);
    CHECK(value.version() == 2);
  }
}

TEST_CASE("a_reader_that_sleeps_is_told_that_the_writer_died") {
  const weir::test::watchdog watchdog;
  const latest_options options{.size = size, .process_shared = true};
  const guarded_span memory{value_type::bytes_required(options)};
  const auto value = value_type::format(memory.bytes(), options).value();
  shared_progress progress;
  child_process child{[&] {
    auto writer = value.writer().value();
    progress.set(0, 1);
    weir::test::sleep_until_killed();
    return 0;
  }};
  progress.await(0, 1);
  child.kill_and_reap();
  auto reader = value.reader<weir::park>().value();
  CHECK(reader.wait() == status::peer_dead);
}

TEST_CASE("a_value_whose_formatting_died_is_not_ready_or_whole") {
  const latest_options options{.size = size};
  const guarded_span memory{value_type::bytes_required(options)};
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    REQUIRE(value_type::format(memory.bytes(), options));  // an old one, which must not reappear
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      return crashing_type::format(memory.bytes(), {.size = size, .type_tag = 7}) ? 0 : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto outcome = value_type::attach(memory.bytes(), 7).status();
    const auto expected = end == 0     ? status::ok
                          : fatal == 1 ? status::bad_layout
                                       : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 150);
}
