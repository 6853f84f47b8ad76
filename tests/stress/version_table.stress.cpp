// SPDX-License-Identifier: MIT
// Proved: in these runs no reader missed the last version of a slot, saw one go backwards or took a torn copy
// for whole, whatever the writers did meanwhile and however they were killed; and nobody who slept was woken
// by time. Not provable by running, least of all on x86: that each memory order is needed.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/doorbell.hpp>
#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

using weir::status;
using weir::version_table;
using weir::version_table_options;
using weir::wake_protocol;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t value_words = 6;

/// A table, and a value for each slot: words that all follow from the first one.
template <class Memory>
struct values {
  using table_type = version_table<Memory>;

  version_table_options options;
  guarded_span memory{table_type::bytes_required(options)};
  guarded_span bell_memory{weir::doorbell<Memory>::bytes_required()};
  bool with_bell = false;
  weir::doorbell<Memory> bell{
      with_bell ? weir::doorbell<Memory>::format(bell_memory.bytes(),
                                                 {.process_shared = options.process_shared})
                      .value()
                : weir::doorbell<Memory>{}};
  table_type table{table_type::format(memory.bytes(), options, bell).value()};
  guarded_span words{std::uint64_t{options.slots} * value_words * 4};

  [[nodiscard]] auto at(std::uint32_t slot) const -> std::uint32_t* {
    return words.word(slot * value_words * 4);
  }
  void write(weir::version_slot<Memory> slot, std::uint32_t index, std::uint32_t number) {
    std::array<std::uint32_t, value_words> value;
    for (std::uint32_t word = 0; word < value_words; ++word) value[word] = number * (2 * word + 1);
    slot.begin();
    Memory::copy_in_words(at(index), value.data(), sizeof value);
    slot.end();
  }
};

struct tally {
  std::uint64_t found = 0;
  std::uint32_t backwards = 0;
  std::uint32_t torn = 0;    ///< calls that said so
  std::uint32_t wrong = 0;   ///< copies that are in pieces, or not of their version
  std::uint32_t missed = 0;  ///< last versions that were never found
  std::uint32_t failed = 0;  ///< waits that said neither ok nor stopped
  std::uint32_t late = 0;    ///< sleeps that ended by time although there was something

  void add(const tally& other) {
    found += other.found;
    backwards += other.backwards;
    torn += other.torn;
    wrong += other.wrong;
    missed += other.missed;
    failed += other.failed;
    late += other.late;
  }
};

/// True if `value` is in one piece, and of the version given.
auto is_of(const std::array<std::uint32_t, value_words>& value, std::uint32_t version,
           std::uint32_t start) -> bool {
  for (std::uint32_t word = 0; word < value_words; ++word) {
    if (value[word] != value[0] * (2 * word + 1)) return false;
  }
  return value[0] * 2 == version - start;
}

/// Sleeps, and copies what has changed, until `last` (of each slot) has been found.
template <class Memory>
void follow(const values<Memory>& there, std::span<const std::uint32_t> last,
            std::uint32_t values_end, tally& tally) {
  const auto slots = there.options.slots;
  std::vector<std::uint32_t> seen(version_table<Memory>::seen_words(slots));
  std::vector<std::uint32_t> newest(slots, there.options.start_version);
  auto reader = there.table.template reader<weir::park>(seen).value();
  std::uint32_t behind = slots;
  for (std::uint32_t slot = 0; slot < slots; ++slot) behind -= newest[slot] == last[slot] ? 1 : 0;
  const auto look = [&](std::uint32_t slot, std::uint32_t version) {
    if (!weir::has_reached(version, newest[slot])) ++tally.backwards;
    if (version == last[slot] && newest[slot] != version) --behind;
    newest[slot] = version;
    if (slot >= values_end) return;
    std::array<std::uint32_t, value_words> value;
    auto copied =
        there.table.slot(slot)->read(std::as_writable_bytes(std::span{value}), there.at(slot));
    if (!copied) {
      ++tally.torn;
    } else if (!weir::has_reached(*copied, version) ||
               !is_of(value, *copied, there.options.start_version)) {
      ++tally.wrong;
    }
  };
  while (behind != 0) {
    const auto found = reader.changed(look);
    tally.found += found;
    if (behind == 0 || found != 0) continue;
    if (reader.wait_any() != status::ok) ++tally.failed;
  }
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    tally.missed += newest[slot] == last[slot] ? 0U : 1U;
  }
  tally.late += reader.statistics().late_wakes;
}

/// Two writers with values of their own, which also publish a slot in common; two readers that follow, and
/// one thread that waits for all.
template <class Memory>
auto run(const version_table_options& options, bool with_bell, std::uint32_t steps,
         std::uint64_t seed) -> tally {
  values<Memory> there{.options = options, .with_bell = with_bell};
  constexpr std::uint32_t writers = 2;
  const auto common = options.slots - 1;
  const auto values_end = common;
  std::vector<std::uint32_t> last(options.slots, options.start_version);
  last[common] += 2 * writers * steps;
  std::array<std::vector<std::uint32_t>, writers> script;
  for (std::uint32_t writer = 0; writer < writers; ++writer) {
    seeded_random random{seed + writer};
    for (std::uint32_t step = 0; step < steps; ++step) {
      const auto slot = values_end / writers * writer + random.below(values_end / writers);
      script[writer].push_back(slot);
      last[slot] += 2;
    }
  }
  std::array<tally, 3> tallies;
  std::vector<std::thread> threads;
  for (std::uint32_t reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&, reader] { follow(there, last, values_end, tallies[reader]); });
  }
  threads.emplace_back([&] {
    std::vector<std::uint32_t> seen(version_table<Memory>::seen_words(options.slots));
    auto reader = there.table.template reader<weir::park>(seen).value();
    if (reader.wait_all(last) != status::ok) ++tallies[2].failed;
    for (std::uint32_t slot = 0; slot < options.slots; ++slot) {
      tallies[2].missed += there.table.version(slot) == last[slot] ? 0U : 1U;
    }
    tallies[2].late += reader.statistics().late_wakes;
  });
  for (std::uint32_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      seeded_random random{seed + 100 + writer};
      std::vector<std::uint32_t> numbers(options.slots);
      auto together = there.table.slot(common).value();
      for (const auto index : script[writer]) {
        there.write(there.table.slot(index).value(), index, ++numbers[index]);
        together.publish();
        // Now and then the readers catch up, and sleep.
        if (random.once_in(200)) {
          for (auto hints = random.below(30'000); hints != 0; --hints) Memory::pause();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  tally sum;
  for (const auto& each : tallies) sum.add(each);
  const bool right = there.memory.intact() && there.words.intact() && there.bell_memory.intact();
  sum.wrong += right ? 0U : 1U;
  return sum;
}

}  // namespace

TEST_CASE("readers_that_sleep_miss_no_version_and_take_no_torn_copy") {
  const weir::test::watchdog hang;
  const auto seed = weir::test::fresh_seed("version table");
  weir::test::chaos_watch::seed = seed;
  std::uint64_t found = 0;
  std::uint64_t torn = 0;
  for (const std::uint32_t slots : {3U, 129U, 5000U}) {
    for (const bool with_bell : {false, true}) {
      for (const bool chaos : {false, true}) {
        const version_table_options options{.slots = slots,
                                            .padded = slots == 129,
                                            .start_version = 0xFFFF'FF00,
                                            .start_counter = 0x7FFF'FF00};
        const auto sum = chaos ? run<chaos_memory>(options, with_bell, scaled(20'000), seed)
                               : run<weir::native_memory>(options, with_bell, scaled(60'000), seed);
        CAPTURE(slots, with_bell, chaos);
        CHECK(sum.backwards == 0);
        CHECK(sum.wrong == 0);
        CHECK(sum.missed == 0);
        CHECK(sum.failed == 0);
        CHECK(sum.late == 0);
        found += sum.found;
        torn += sum.torn;
      }
    }
  }
  WARN(found << " versions found, " << torn << " copies given up");
}

TEST_CASE("every_publication_wakes_all_who_wait_for_it") {
  // Each is made only once everybody has answered the one before: a wake-up that is lost stops all.
  const weir::test::watchdog hang;
  weir::test::chaos_watch::seed = weir::test::fresh_seed("version table sleepers");
  constexpr std::uint32_t rounds = scaled(3'000);
  for (const std::uint32_t slots : {4U, 3000U}) {
    values<chaos_memory> there{.options = {.slots = slots, .start_counter = 0xFFFF'F000}};
    values<chaos_memory> answers{.options = {.slots = 3}};
    std::array<tally, 3> tallies;
    std::array<std::thread, 3> waiting;
    for (std::uint32_t index = 0; index < 3; ++index) {
      waiting[index] = std::thread{[&, index] {
        std::vector<std::uint32_t> seen(version_table<chaos_memory>::seen_words(slots));
        auto reader = there.table.reader<weir::park>(seen).value();
        std::vector<std::uint32_t> targets(slots);
        for (std::uint32_t round = 1; round <= rounds; ++round) {
          auto outcome = status::ok;
          if (index == 0) {
            while (there.table.version(0) < 2 * round && outcome == status::ok) {
              outcome = reader.wait_any();
              static_cast<void>(reader.changed([](auto, auto) {}));
            }
          } else if (index == 1) {
            outcome = reader.wait(0, 2 * (round - 1));
          } else {
            targets[0] = 2 * round;
            outcome = reader.wait_all(targets);
          }
          tallies[index].failed += outcome == status::ok ? 0U : 1U;
          answers.table.slot(index)->publish();
        }
        tallies[index].late += reader.statistics().late_wakes;
      }};
    }
    std::vector<std::uint32_t> seen(version_table<chaos_memory>::seen_words(3));
    auto reader = answers.table.reader<weir::park>(seen).value();
    std::uint32_t failed = 0;
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      there.table.slot(0)->publish();
      failed += reader.wait_all(2 * round) == status::ok ? 0U : 1U;
    }
    for (auto& thread : waiting) thread.join();
    tally sum;
    for (const auto& each : tallies) sum.add(each);
    CHECK(failed + sum.failed == 0);
    CHECK(sum.late + reader.statistics().late_wakes == 0);
  }
}

TEST_CASE("writers_that_are_killed_at_any_moment_leave_versions_that_tell") {
  const weir::test::watchdog hang;
  const auto seed = weir::test::fresh_seed("killed writers of versions");
  seeded_random random{seed};
  for (const std::uint32_t slots : {8U, 3000U}) {
    values<weir::native_memory> there{.options = {.slots = slots, .process_shared = true}};
    std::vector<std::uint32_t> seen(version_table<>::seen_words(slots));
    auto reader = there.table.reader(seen).value();
    std::vector<std::uint32_t> versions(slots);  // as found last
    std::uint32_t torn = 0;
    std::uint32_t kills = 0;
    for (; kills < scaled(300); ++kills) {
      shared_progress progress;  // 0: steps certainly done
      child_process child{[&] {
        seeded_random mine{seed + kills};
        for (std::uint32_t step = 1;; ++step) {
          const auto index = mine.below(slots - 1);
          auto slot = there.table.slot(index).value();
          slot.begin();
          std::array<std::uint32_t, value_words> value;
          for (std::uint32_t word = 0; word < value_words; ++word)
            value[word] = step * (2 * word + 1);
          weir::native_memory::copy_in_words(there.at(index), value.data(), sizeof value);
          slot.end();
          there.table.slot(slots - 1)->publish();
          progress.set(0, step);
        }
        return 0;
      }};
      while (progress.get(0) <= random.below(50)) weir::native_memory::yield();
      for (auto hints = random.below(2000); hints != 0; --hints) weir::native_memory::pause();
      // While it lives, and after its death, whole copies are whole.
      const auto look = [&](std::uint32_t slot, std::uint32_t version) {
        if (!weir::has_reached(version, versions[slot])) FAIL("backwards");
        versions[slot] = version;
        std::array<std::uint32_t, value_words> value;
        const auto copied =
            there.table.slot(slot)->read(std::as_writable_bytes(std::span{value}), there.at(slot));
        for (std::uint32_t word = 0; copied && word < value_words; ++word) {
          if (value[word] != value[0] * (2 * word + 1)) FAIL("torn");
        }
      };
      static_cast<void>(reader.changed(look));
      child.kill_and_reap();
      for (std::uint32_t slot = 0; slot < slots; ++slot) there.table.slot(slot)->touch();
      static_cast<void>(reader.changed(look));
      std::uint32_t odd = 0;
      for (std::uint32_t slot = 0; slot < slots; ++slot) {
        const auto version = there.table.version(slot);
        if (!weir::is_whole(version)) {
          ++odd;
        } else if (versions[slot] != version) {
          FAIL("missed slot " << slot << " after " << kills << " kills");
        }
      }
      // One more at most with each death; the next writer of that slot makes it whole.
      if (odd > kills + 1) FAIL(odd << " odd versions");
      torn = odd > torn ? odd : torn;
    }
    WARN(kills << " killed, at most " << torn << " values torn at a time");
    CHECK(there.memory.intact());
    CHECK(there.words.intact());
  }
}
