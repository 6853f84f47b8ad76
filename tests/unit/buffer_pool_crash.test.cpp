// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory a member dies before, in any operation, the others go on; after
// reclaim() every buffer that no survivor holds can be allocated, each once, and no handle of the dead one
// is accepted. Not provable here: a death between two machine instructions of one access; no access depends
// on one.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/buffer_pool.hpp>

#include <catch2/catch.hpp>

#include <sched.h>

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

using weir::pool_class;
using weir::pool_descriptor;
using weir::pool_handle;
using weir::pool_options;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;

namespace {

using pool_type = weir::buffer_pool<>;
using crashing_type = weir::buffer_pool<crash_memory>;

constexpr std::array<pool_class, 2> classes{{{8, 3}, {40, 6}}};
constexpr std::uint32_t buffers = 9;
constexpr pool_options shared{.classes = classes, .process_shared = true};

struct test_pool {
  guarded_span memory{pool_type::bytes_required(shared)};
  pool_type view{pool_type::format(memory.bytes(), shared).value()};

  [[nodiscard]] auto in_use() const -> std::uint32_t {
    return view.usage(0).in_use + view.usage(1).in_use;
  }
};

/// Everything that can be allocated, given up again. Each buffer once, or the answer is no number of buffers.
auto allocatable(weir::pool_member<weir::native_memory>& member) -> std::uint32_t {
  std::vector<weir::buffer<weir::native_memory>> all;
  std::set<std::uint32_t> distinct;
  while (auto got = member.allocate(1)) {
    distinct.insert(got->handle().index);
    all.push_back(std::move(got).value());
  }
  return distinct.size() == all.size() ? static_cast<std::uint32_t>(all.size()) : 1000;
}

/// What the survivor gives the one that is going to die.
struct gifts {
  pool_handle shared;
  pool_descriptor kept;
  pool_descriptor unwanted;
};

/// All that a member can do. It dies somewhere in here.
void live_and_die(const crashing_type& pool, const gifts& given, std::uint32_t fatal) {
  crash_memory::die_before_access(fatal);
  auto joined = pool.join();
  if (!joined) return;
  auto& member = *joined;
  auto first = member.allocate(8);
  auto second = member.allocate(8);
  static_cast<void>(first->free());
  auto sharing = member.share(given.shared);
  auto adopted = member.adopt(given.kept);
  static_cast<void>(member.discard(given.unwanted));
  const auto lost = second->hand_over();
  second = member.adopt(lost);
  second->begin_write();
  second->set_metadata(0, 1);
  second->end_write();
  const auto name = second->detach();
  static_cast<void>(member.held(name)->free());
  {
    std::vector<weir::buffer<crash_memory>> all;  // and every mark in vain
    while (auto got = member.allocate(1)) all.push_back(std::move(got).value());
  }
  pool.reclaim();
  static_cast<void>(sharing->free());
  if (adopted) static_cast<void>(adopted->hand_over());
}

struct death {
  bool happened = false;
  std::uint32_t wrong = 0;   ///< survivors' findings that must not be
  std::uint32_t hidden = 0;  ///< free buffers that were not found before reclaim()
};

auto die_at(std::uint32_t fatal) -> death {
  death result;
  const test_pool there;
  const auto& pool = there.view;
  const auto expect = [&](bool right) { result.wrong += right ? 0U : 1U; };
  const auto crashing = crashing_type::attach(there.memory.bytes()).value();
  child_process earlier{[&] {  // whose holding the next one is to reclaim
    auto member = pool.join().value();
    static_cast<void>(member.allocate(40)->detach());
    weir::test::sleep_until_killed();
    return 0;
  }};
  while (there.in_use() == 0) sched_yield();
  earlier.kill_and_reap();

  auto survivor = pool.join().value();
  auto shared_one = survivor.allocate(40).value();
  const gifts given{shared_one.handle(), survivor.allocate(40)->hand_over(),
                    survivor.allocate(40)->hand_over()};
  *there.memory.word(weir::detail::pool_shape::make(classes, 64)->sections()[1].marks) = 0x3F;
  child_process child{[&] {
    live_and_die(crashing, given, fatal);
    return 0;
  }};
  result.happened = child.wait() == child_process::killed;

  // Before anybody reclaims: what is found is no more than what is free.
  const auto free = buffers - there.in_use();
  const auto found = allocatable(survivor);
  expect(found <= free);
  result.hidden = free - found;

  const auto dead = pool.reclaim();
  expect(dead.members <= 2);
  expect(shared_one.references() == 1);
  std::uint32_t held = 1;
  for (const auto& gift : {given.kept, given.unwanted}) {
    const bool still_here = survivor.free(gift.buffer) == status::ok;
    expect(still_here || pool.references(gift.buffer) == 0 || !result.happened);
    held += !still_here && pool.references(gift.buffer) != 0 ? 1U : 0U;  // handed over at the end
  }
  expect(there.in_use() == held);
  expect(allocatable(survivor) == buffers - held);
  expect(pool.reclaim().things == 0);
  expect(pool.reclaim(weir::reclaim_from::all_who_are_gone).things == held - 1);
  expect(allocatable(survivor) == buffers - 1);

  std::vector<weir::pool_member<weir::native_memory>> members;
  while (auto joined = pool.join()) members.push_back(std::move(joined).value());
  expect(members.size() == pool_type::max_members - 1);
  expect(there.memory.intact());
  return result;
}

}  // namespace

TEST_CASE("a_member_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  std::uint32_t deaths = 0;
  std::uint32_t hidden = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    const auto done = die_at(fatal);
    deaths += done.happened ? 1U : 0U;
    hidden += done.hidden;
    if (done.wrong != 0) FAIL("died before access " << fatal << ": " << done.wrong << " wrong");
  }
  CHECK(deaths > 200);
  CHECK(hidden != 0);  // a death between an exchange and its mark was among them
}

TEST_CASE("a_descriptor_whose_giver_died_can_be_adopted_until_it_is_reclaimed") {
  for (const bool reclaimed_first : {false, true}) {
    const test_pool there;
    auto survivor = there.view.join().value();
    child_process giver{[&] {
      auto member = there.view.join().value();
      static_cast<void>(member.allocate(8)->hand_over());
      weir::test::sleep_until_killed();
      return 0;
    }};
    while (there.in_use() == 0) sched_yield();
    giver.kill_and_reap();
    pool_descriptor way;
    there.view.for_each_held([&](const weir::pool_entry& entry) {
      way = {entry.handle, static_cast<std::uint32_t>(std::countr_zero(entry.holders))};
      CHECK(entry.dead == entry.holders);
      CHECK(entry.left == 0);
    });
    if (reclaimed_first) CHECK(there.view.reclaim().things == 1);
    auto adopted = survivor.adopt(way);
    CHECK(adopted.status() == (reclaimed_first ? status::stale : status::ok));
    if (!reclaimed_first) {
      const auto done = there.view.reclaim();
      CHECK(done.things == 0);
      CHECK(done.members == 1);
      CHECK(adopted->references() == 1);
    }
  }
}

TEST_CASE("what_a_dead_writer_had_begun_is_torn_until_it_is_written_again") {
  const test_pool there;
  auto survivor = there.view.join().value();
  auto kept = survivor.allocate(16).value();
  std::array<std::byte, 16> bytes{};
  REQUIRE(kept.write(bytes) == status::ok);
  for (std::uint32_t round = 0; round < 3; ++round) {
    child_process writer{[&] {
      auto member = crashing_type::attach(there.memory.bytes())->join().value();
      auto sharing = member.share(kept.handle()).value();
      crash_memory::die_before_access(5);  // between two words
      static_cast<void>(sharing.write(bytes));
      return 0;
    }};
    CHECK(writer.wait() == child_process::killed);
    CHECK(kept.read(bytes, 3).status() == status::torn);
    CHECK(kept.references() == 2);
    const auto done = there.view.reclaim();
    CHECK(done.members == 1);
    CHECK(done.things == 1);
    CHECK(kept.references() == 1);
    CHECK(kept.read(bytes, 3).status() == status::torn);
  }
  REQUIRE(kept.write(bytes) == status::ok);
  CHECK(kept.read(bytes));
}

TEST_CASE("the_proof_of_death_is_the_callers_to_give") {
  const test_pool there;
  auto member = there.view.join().value();
  auto other = there.view.join().value();
  auto held = other.allocate(8).value();
  const auto nobody_dies = [](std::uint32_t, std::uint32_t) { return true; };
  CHECK(there.view.reclaim(weir::reclaim_from::the_dead, nobody_dies).things == 0);
  const auto all_die = [](std::uint32_t, std::uint32_t) { return false; };
  const auto done = there.view.reclaim(weir::reclaim_from::the_dead, all_die);
  CHECK(done.members == 2);
  CHECK(done.things == 1);
  CHECK(held.free() == status::stale);
}

TEST_CASE("a_pool_whose_formatting_died_is_not_ready_or_whole") {
  constexpr pool_options small{.classes = std::span{classes}.first(1), .type_tag = 7};
  const guarded_span memory{pool_type::bytes_required(small)};
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    // An old one, which must not reappear.
    REQUIRE(pool_type::format(memory.bytes(), {.classes = small.classes}));
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      return crashing_type::format(memory.bytes(), small) ? 0 : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto outcome = pool_type::attach(memory.bytes(), 7).status();
    const auto expected = end == 0     ? status::ok
                          : fatal == 1 ? status::bad_layout
                                       : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 150);
}
