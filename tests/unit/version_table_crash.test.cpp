// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory of this script a writer dies before, touch() tells readers of all
// that it had published, a value that it left torn is never taken for whole, its successor goes on, and whoever
// sleeps wakes. Not provable here: a death between two machine instructions of one access.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using weir::status;
using weir::version_table;
using weir::version_table_options;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t value_words = 3;
constexpr std::uint32_t spare = 1;  ///< the slot that is only published

/// A table, and beside it a value for its last slot.
struct shared_values {
  version_table_options options;
  guarded_span memory{version_table<>::bytes_required(options)};
  version_table<> table{version_table<>::format(memory.bytes(), options).value()};
  guarded_span value{4 * value_words};

  [[nodiscard]] auto last() const -> std::uint32_t { return options.slots - 1; }
  [[nodiscard]] auto crashing() const -> version_table<crash_memory> {
    return version_table<crash_memory>::attach(memory.bytes()).value();
  }
};

template <class Memory>
void write(weir::version_slot<Memory> slot, const guarded_span& value, std::uint32_t number) {
  const std::array<std::uint32_t, value_words> words{number, ~number, number * 0x9E37'79B9};
  slot.begin();
  Memory::copy_in_words(value.word(0), words.data(), sizeof words);
  slot.end();
}

/// Returns  the number of the value; 0: none was written yet; `torn_value`; or `no_value`.
constexpr std::uint32_t torn_value = 0xFFFF'FFFE;
constexpr std::uint32_t no_value = 0xFFFF'FFFF;
auto read(const shared_values& there) -> std::uint32_t {
  std::array<std::uint32_t, value_words> words{};
  auto slot = there.table.slot(there.last()).value();
  const auto outcome =
      slot.read(std::as_writable_bytes(std::span{words}), there.value.word(0), 3).status();
  if (outcome == status::torn) return torn_value;
  if (words == std::array<std::uint32_t, value_words>{}) return 0;
  const bool right = words[1] == ~words[0] && words[2] == words[0] * 0x9E37'79B9;
  return right ? words[0] : no_value;
}

/// What the writer does. `progress` 0, 2: publications and values certainly done; 1, 3: begun.
template <class Memory>
void write_all(const version_table<Memory>& table, const guarded_span& value,
               shared_progress& progress) {
  auto published = table.slot(spare).value();
  auto written = table.slot(table.slots() - 1).value();
  for (std::uint32_t number = 1; number < 4; ++number) {
    progress.set(1, number);
    published.publish();
    progress.set(0, number);
    progress.set(3, number);
    write(written, value, number);
    progress.set(2, number);
  }
}

struct death {
  bool happened = false;
  bool torn = false;
  bool untold = false;  ///< a publication that no reader would have found
  std::uint32_t wrong = 0;
};

auto die_at(std::uint32_t fatal, std::uint32_t slots, std::uint32_t start) -> death {
  death result;
  const auto expect = [&](bool right) { result.wrong += right ? 0U : 1U; };
  const shared_values there{
      {.slots = slots, .process_shared = true, .start_version = start, .start_counter = start}};
  shared_progress progress;
  std::vector<std::uint32_t> seen(version_table<>::seen_words(slots));
  auto reader = there.table.reader<weir::park>(seen).value();
  reader.mark_all_seen();
  child_process child{[&] {
    const auto crashing = there.crashing();
    crash_memory::die_before_access(fatal);
    write_all(crashing, there.value, progress);
    return 0;
  }};
  result.happened = child.wait() == child_process::killed;

  static_cast<void>(reader.changed([](auto, auto) {}));
  const auto told = reader.version(spare);
  const auto now = there.table.version(spare);
  expect(now == start + 2 * progress.get(0) || now == start + 2 * progress.get(1));
  result.untold = told != now;
  expect(told == now || told + 2 == now);
  there.table.slot(spare)->touch();
  there.table.slot(there.last())->touch();
  static_cast<void>(reader.changed([](auto, auto) {}));
  expect(reader.version(spare) == now);

  const auto version = there.table.version(there.last());
  const auto number = read(there);
  result.torn = number == torn_value;
  expect(result.torn == !weir::is_whole(version));
  expect(result.torn || number == progress.get(2) || number == progress.get(3));
  expect(result.torn || reader.version(there.last()) == version);

  write(there.table.slot(there.last()).value(), there.value, 77);
  expect(read(there) == 77);
  expect(reader.changed([&](std::uint32_t slot, std::uint32_t whole) {
    expect(slot == there.last() && weir::is_whole(whole) && whole != version);
  }) == 1);
  expect(there.memory.intact() && there.value.intact());
  return result;
}

}  // namespace

TEST_CASE("a_writer_of_versions_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  for (const std::uint32_t slots : {5U, 200U, 9000U}) {
    for (const std::uint32_t start : {0U, 0x7FFF'FFFEU, 0xFFFF'FFFCU}) {
      std::uint32_t deaths = 0;
      std::uint32_t wrong = 0;
      std::uint32_t torn = 0;
      std::uint32_t untold = 0;
      for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
        const auto done = die_at(fatal, slots, start);
        deaths += done.happened ? 1U : 0U;
        torn += done.torn ? 1U : 0U;
        untold += done.untold ? 1U : 0U;
        wrong += done.wrong;
      }
      CAPTURE(slots, start, deaths);
      CHECK(wrong == 0);
      CHECK(deaths > 30);
      // A value: its fence, its words, the load and the store of its end. The first publication: each
      // level; the others come below counters that have moved already.
      CHECK(torn == 3 * (3 + value_words));
      CHECK(untold == (slots == 5 ? 1U : slots == 200 ? 2U : 3U));
    }
  }
}

TEST_CASE("whoever_sleeps_is_not_left_asleep_by_a_publisher_that_dies") {
  // Before each access of a publication that finds a sleeper: version, counters, bit, statistics, wake.
  const weir::test::watchdog watchdog;
  for (const std::uint32_t slots : {4U, 200U}) {
    std::uint32_t deaths = 0;
    for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
      const shared_values there{{.slots = slots, .process_shared = true}};
      std::vector<std::uint32_t> seen(version_table<>::seen_words(slots));
      auto reader = there.table.reader<weir::park>(seen).value();
      reader.mark_all_seen();
      // As a sleeper does: the bit is set, and no publication has come yet.
      weir::detail::park_bell<weir::native_memory> root{
          there.memory.word(weir::layout::version_table::root), weir::wake_protocol::fenced, true};
      static_cast<void>(root.announce());
      child_process sleeper{[&] { return reader.wait_any() == status::ok ? 0 : 1; }};
      child_process child{[&] {
        const auto crashing = there.crashing();
        crash_memory::die_before_access(fatal);
        crashing.slot(3)->publish();
        return 0;
      }};
      deaths += child.wait() == child_process::killed ? 1U : 0U;
      // Once the root has moved, the sleeper needs nobody: it looks for itself now and then.
      if (there.table.statistics().publications == 0) there.table.slot(3)->touch();
      CHECK(sleeper.wait() == 0);
      CHECK(there.memory.intact());
    }
    CHECK(deaths == (slots == 4 ? 6U : 7U));
  }
}

TEST_CASE("a_table_whose_formatting_died_is_not_ready_or_whole") {
  const version_table_options options{.slots = 130};
  const guarded_span memory{version_table<>::bytes_required(options)};
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    REQUIRE(version_table<>::format(memory.bytes(), options));
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      return version_table<crash_memory>::format(memory.bytes(), {.slots = 130, .type_tag = 7}) ? 0
                                                                                                : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto outcome = version_table<>::attach(memory.bytes(), 7).status();
    const auto expected = end == 0     ? status::ok
                          : fatal == 1 ? status::bad_layout
                                       : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 300);
}
