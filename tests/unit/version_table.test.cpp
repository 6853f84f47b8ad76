// SPDX-License-Identifier: MIT
// Proved: readers of tables of every shape find exactly the whole versions that a model says have changed, in
// random scripts, over the wrap of versions and counters, and at the price that is promised. Not provable
// here, in one thread: anything about memory orders.
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/script.hpp"

#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

using weir::status;
using weir::version_table;
using weir::version_table_options;
using weir::test::count_memory;
using weir::test::guarded_span;

namespace {

constexpr std::array<std::uint32_t, 14> sizes{1,   2,    31,   32,   33,   127,  128,
                                              129, 1000, 4096, 4097, 4129, 9000, 100'000};

template <class Memory = weir::native_memory>
struct table_of {
  using type = version_table<Memory>;
  guarded_span memory;
  type table;
  std::vector<std::uint32_t> seen;

  explicit table_of(const version_table_options& options)
      : memory{type::bytes_required(options)},
        table{type::format(memory.bytes(), options).value()},
        seen(type::seen_words(options.slots)) {}

  auto reader() { return table.reader(seen).value(); }
  auto slot(std::uint32_t number) { return table.slot(number).value(); }
};

using found_versions = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

template <class Reader>
auto changes_of(Reader& reader) -> found_versions {
  found_versions found;
  const auto count = reader.changed(
      [&](std::uint32_t slot, std::uint32_t version) { found.emplace_back(slot, version); });
  if (count != found.size()) FAIL("counted " << count << " of " << found.size());
  return found;
}

}  // namespace

TEST_CASE("a_version_grows_by_two_with_each_value_and_is_odd_in_between") {
  table_of<> there{{.slots = 3}};
  auto slot = there.slot(1);
  CHECK(slot.version() == 0);
  CHECK(slot.publish() == 2);
  slot.begin();
  CHECK(slot.version() == 3);
  CHECK(slot.end() == 4);
  slot.begin();
  slot.end_as(100);
  CHECK(there.table.version(1) == 100);
  slot.touch();
  CHECK(slot.version() == 100);
  CHECK(there.table.version(0) == 0);
  CHECK(there.table.version(2) == 0);
  CHECK(there.table.statistics().publications == 4);
  CHECK(there.table.statistics().wakes == 0);
  CHECK(there.table.slot(3).status() == status::bad_layout);
  CHECK(there.memory.intact());
}

TEST_CASE("everything_is_new_to_a_new_reader_and_again_after_it_forgets") {
  table_of<> there{{.slots = 300}};
  auto reader = there.reader();
  CHECK(reader.slots() == 300);
  CHECK((reader.version(7) & 1) == 1);
  CHECK(changes_of(reader).size() == 300);
  CHECK(reader.version(7) == 0);
  CHECK_FALSE(reader.has_news());
  CHECK(changes_of(reader).empty());
  reader.forget();
  CHECK(reader.has_news());
  CHECK(changes_of(reader).size() == 300);
  there.slot(299).publish();
  reader.mark_all_seen();
  CHECK_FALSE(reader.has_news());
  CHECK(changes_of(reader).empty());
  CHECK(reader.version(299) == 2);
  CHECK(reader.statistics().changes == 600);
}

TEST_CASE("a_version_that_is_being_written_is_left_for_later") {
  for (const std::uint32_t slots : {4U, 400U}) {
    table_of<> there{{.slots = slots}};
    auto reader = there.reader();
    reader.mark_all_seen();
    auto slot = there.slot(2);
    slot.begin();
    there.slot(3).publish();
    CHECK(changes_of(reader) == found_versions{{3, 2}});
    slot.end();
    CHECK(changes_of(reader) == found_versions{{2, 2}});
    // So is one that was being written when everything was marked as seen.
    slot.begin();
    reader.mark_all_seen();
    slot.end();
    CHECK(changes_of(reader) == found_versions{{2, 4}});
  }
}

TEST_CASE("of_several_publications_the_last_one_is_reported_once") {
  table_of<> there{{.slots = 129}};
  auto reader = there.reader();
  reader.mark_all_seen();
  for (int time = 0; time < 5; ++time) there.slot(128).publish();
  there.slot(0).publish();
  CHECK(changes_of(reader) == found_versions{{0, 2}, {128, 10}});
  there.slot(0).touch();
  CHECK(reader.has_news());
  CHECK(changes_of(reader).empty());
}

TEST_CASE("readers_do_not_know_of_each_other") {
  table_of<> there{{.slots = 40}};
  std::vector<std::uint32_t> words(there.seen.size());
  auto first = there.reader();
  auto second = there.table.reader(words).value();
  first.mark_all_seen();
  second.mark_all_seen();
  there.slot(39).publish();
  CHECK(changes_of(first).size() == 1);
  auto moved = std::move(second);
  CHECK(changes_of(moved) == found_versions{{39, 2}});
}

TEST_CASE("a_reader_needs_room_for_what_it_has_seen") {
  for (const auto slots : sizes) {
    table_of<> there{{.slots = slots}};
    const std::span seen{there.seen};
    CHECK(there.table.reader(seen).status() == status::ok);
    CHECK(there.table.reader(seen.first(seen.size() - 1)).status() == status::bad_layout);
  }
}

TEST_CASE("a_copy_is_refused_while_its_value_is_written_and_repeated_when_it_was") {
  table_of<> there{{.slots = 1}};
  auto slot = there.slot(0);
  std::array<std::uint32_t, 3> value{1, 2, 3};
  std::array<std::byte, 11> out{};
  CHECK(slot.read(out, value.data()).value() == 0);
  CHECK(std::to_integer<int>(out[8]) == 3);
  slot.begin();
  CHECK(slot.read(out, value.data(), 3).status() == status::torn);
  slot.end();
  int copies = 0;
  const auto write_during = [&](int times) {
    return [&, times] {
      if (++copies > times) return;
      slot.begin();
      slot.end();
    };
  };
  CHECK(slot.read(write_during(2), 3).value() == 6);
  CHECK(copies == 3);
  copies = 0;
  CHECK(slot.read(write_during(3), 3).status() == status::torn);
  CHECK(copies == 3);
  CHECK(slot.read([] {}, 0).status() == status::torn);
}

TEST_CASE("a_version_that_a_dead_writer_left_odd_stays_odd_until_it_is_whole_again") {
  table_of<> there{{.slots = 1, .start_version = 0xFFFF'FFFE}};
  auto slot = there.slot(0);
  slot.begin();
  CHECK(slot.version() == 0xFFFF'FFFF);
  slot.begin();  // the successor's
  CHECK(slot.version() == 1);
  CHECK(slot.end() == 2);
}

TEST_CASE("what_is_half_the_numbers_ahead_is_not_reached") {
  for (const std::uint32_t target : {0U, 0x7FFF'FFFEU, 0x8000'0000U, 0xFFFF'FFFEU}) {
    CHECK(weir::has_reached(target, target));
    CHECK(weir::has_reached(target + 0x7FFF'FFFEU, target));
    CHECK_FALSE(weir::has_reached(target + 0x8000'0000U, target));
    CHECK_FALSE(weir::has_reached(target - 2, target));
  }
}

TEST_CASE("a_target_is_reached_by_whole_versions_only") {
  for (const std::uint32_t start : {0U, 0x7FFF'FFFCU, 0xFFFF'FFFCU}) {
    table_of<> there{{.slots = 200, .start_version = start}};
    auto reader = there.reader();
    CHECK(reader.wait_all(start) == status::ok);
    CHECK(reader.wait_all(start - 6) == status::ok);
    CHECK(reader.wait_all(start + 2) == status::empty);
    for (std::uint32_t slot = 0; slot < 199; ++slot) there.slot(slot).publish();
    CHECK(reader.wait_all(start + 2) == status::empty);
    there.slot(199).begin();
    CHECK(reader.wait_all(start + 2) == status::empty);
    CHECK(reader.wait(199, start) == status::empty);
    there.slot(199).end();
    CHECK(reader.wait_all(start + 2) == status::ok);
    CHECK(reader.wait(199, start) == status::ok);
    CHECK(reader.wait(199, start + 2) == status::empty);
    CHECK(reader.wait(200, start) == status::bad_layout);

    std::vector<std::uint32_t> targets(200, start);
    CHECK(reader.wait_all(targets) == status::ok);
    targets[150] = start + 4;
    CHECK(reader.wait_all(targets) == status::empty);
    there.slot(150).publish();
    CHECK(reader.wait_all(targets) == status::ok);
    CHECK(reader.wait_all(std::span{targets}.first(199)) == status::bad_layout);
  }
}

TEST_CASE("a_publication_costs_an_exchange_for_each_level_and_a_look_at_nothing_new_one_load") {
  const auto levels_of = [](std::uint32_t slots) {
    std::uint32_t levels = 0;
    for (; slots > 128; slots = (slots + 31) / 32) ++levels;
    return levels;
  };
  for (const auto slots : sizes) {
    table_of<count_memory> there{{.slots = slots}};
    auto reader = there.reader();
    reader.mark_all_seen();
    auto slot = there.slot(slots - 1);
    const auto publishing = count_memory::cost_of([&] { slot.publish(); });
    CHECK(publishing.modifies == levels_of(slots) + 2);
    CHECK(publishing.steps() + publishing.fences + publishing.wakes == publishing.modifies);
    // A look: the highest counters, and for each level below one counter's 32.
    const auto looking = count_memory::cost_of([&] { CHECK(changes_of(reader).size() == 1); });
    CHECK(looking.loads <= 1 + 128 + 32 * levels_of(slots));
    CHECK(looking.steps() == looking.loads);
    const auto nothing = count_memory::cost_of([&] { CHECK(changes_of(reader).empty()); });
    CHECK(nothing.loads == 1);
    CHECK(nothing.steps() == 1);
  }
}

TEMPLATE_TEST_CASE("what_a_reader_finds_is_what_a_model_says", "", weir::native_memory,
                   weir::plain_memory) {
  weir::test::seeded_random random{weir::test::fresh_seed("version table model")};
  for (const auto slots : sizes) {
    for (const bool padded : {false, true}) {
      for (const std::uint32_t start : {0U, 0x7FFF'FFF0U, 0xFFFF'FFF0U}) {
        table_of<TestType> there{{.slots = slots,
                                  .padded = padded,
                                  .start_version = start,
                                  .start_counter = 0U - start}};
        auto reader = there.reader();
        CHECK(changes_of(reader).size() == slots);
        std::vector<std::uint32_t> versions(slots, start);
        std::map<std::uint32_t, std::uint32_t> news;  // whole, and not found yet
        for (int step = 0; step < 3000; ++step) {
          const auto number = random.once_in(3) ? random.below(slots) : slots - 1;
          auto slot = there.slot(number);
          auto& version = versions[number];
          const auto what = random.below(16);
          if (what < 6 && version % 2 == 0) {
            news[number] = version += 2;
            if (slot.publish() != version) FAIL("published");
          } else if (what < 10) {
            version += version % 2 + 1;
            if (version % 2 == 0) ++version;
            news.erase(number);
            slot.begin();
          } else if (what < 13 && version % 2 == 1) {
            news[number] = ++version;
            if (slot.end() != version) FAIL("ended");
          } else if (what == 13) {
            slot.touch();
          } else if (what == 14 && random.once_in(20)) {
            reader.mark_all_seen();
            news.clear();
          } else if (what == 15) {
            if (changes_of(reader) != found_versions(news.begin(), news.end())) {
              FAIL(slots << " slots, step " << step);
            }
            news.clear();
          }
          if (slot.version() != version) FAIL("version");
        }
        REQUIRE(there.memory.intact());
      }
    }
  }
}

TEST_CASE("a_table_may_lie_inside_something_else") {
  const version_table_options options{.slots = 500, .padded = true};
  const auto size = static_cast<std::size_t>(version_table<>::bytes_required(options));
  const guarded_span memory{1024 + size + 256};
  std::ranges::fill(memory.bytes(), std::byte{0x5A});
  const auto part = memory.bytes().subspan(1024, size);
  auto table = version_table<>::format(part, options).value();
  auto again = version_table<>::attach(memory.bytes().subspan(1024)).value();
  again.slot(499)->publish();
  CHECK(table.version(499) == 2);
  CHECK(again.padded());
  const auto untouched = [](std::byte byte) { return byte == std::byte{0x5A}; };
  CHECK(std::ranges::all_of(memory.bytes().first(1024), untouched));
  CHECK(std::ranges::all_of(memory.bytes().last(256), untouched));
}

TEST_CASE("a_publication_at_any_step_of_a_look_is_found_by_it_or_by_the_next") {
  using weir::test::script_memory;
  for (const std::uint32_t slots : {3U, 200U, 5000U}) {
    for (std::uint32_t step = 1, last = 0; last == 0; ++step) {
      table_of<script_memory> there{{.slots = slots}};
      auto reader = there.reader();
      reader.mark_all_seen();
      there.slot(0).publish();
      std::uint32_t found = 0;
      std::uint32_t published = 0;
      const auto note = [&](std::uint32_t slot, std::uint32_t) { found += slot == 2 ? 1U : 0U; };
      {
        const weir::test::scripted race{weir::test::once(
            step, [](const auto&) { return true; }, [&] { published = there.slot(2).publish(); })};
        reader.changed(note);
      }
      last = published == 0 ? 1 : 0;
      reader.changed(note);
      if (found != (last == 0 ? 1U : 0U)) FAIL("slots " << slots << " step " << step);
    }
  }
}

TEST_CASE("a_look_at_any_step_of_a_publication_loses_nothing") {
  using weir::test::script_memory;
  for (const std::uint32_t slots : {3U, 200U, 5000U}) {
    for (std::uint32_t step = 1, last = 0; last == 0; ++step) {
      table_of<script_memory> there{{.slots = slots}};
      auto reader = there.reader();
      reader.mark_all_seen();
      std::uint32_t found = 0;
      bool looked = false;
      const auto note = [&](std::uint32_t, std::uint32_t) { ++found; };
      auto slot = there.slot(2);
      {
        const weir::test::scripted race{weir::test::once(
            step, [](const auto&) { return true; },
            [&] {
              looked = true;
              reader.changed(note);
            })};
        slot.publish();
      }
      last = looked ? 0 : 1;
      reader.changed(note);
      if (found != 1) FAIL("slots " << slots << " step " << step);
    }
  }
}

TEST_CASE("what_lies_behind_the_last_version_is_no_version") {
  const weir::version_table_options options{.slots = 200};
  const auto size = static_cast<std::size_t>(weir::version_table<>::bytes_required(options));
  const weir::test::guarded_span memory{size + 256};
  const auto table = weir::version_table<>::format(memory.bytes().first(size), options).value();
  for (std::uint32_t at = 0; at < 256; at += 4) {
    *memory.word(static_cast<std::uint32_t>(size) + at) = 2;
  }
  std::vector<std::uint32_t> seen(weir::version_table<>::seen_words(200) + 64);
  auto reader = table.reader(seen).value();
  std::uint32_t beyond = 0;
  table.slot(199)->publish();
  reader.changed([&](std::uint32_t slot, std::uint32_t) { beyond += slot >= 200 ? 1U : 0U; });
  CHECK(beyond == 0);
}
