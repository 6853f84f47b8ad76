// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory of these scripts a member, or a reclaimer, dies before, a survivor
// reclaims exactly what the dead held, and then every region and every place can be had again; what the living
// hold stays theirs. Not provable here: a death between two machine instructions of one access; none
// depends on one.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/region.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

using weir::owner_state;
using weir::reclaim_from;
using weir::region_descriptor;
using weir::regions_options;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;
using weir::test::shared_progress;

namespace {

template <class Memory>
using set_of = weir::regions<std::uint32_t, Memory>;
using survivors = set_of<weir::native_memory>;

constexpr std::uint32_t count = 6;
constexpr std::uint32_t members = 3;
constexpr regions_options options{.shape = weir::geometry_of<std::uint32_t>(4, count),
                                  .cut = weir::bands(count),
                                  .members = members,
                                  .process_shared = true};
// Who has what: the survivor holds one region all along, and hands another one over to the victim; the
// victim hands one over in its turn.
constexpr std::uint32_t kept = 5;
constexpr std::uint32_t given = 4;

struct spans {
  guarded_span control{survivors::bytes_required(options)};
  guarded_span buffer{options.shape.bytes()};

  [[nodiscard]] auto format() const -> survivors {
    return survivors::format(control.bytes(), buffer.bytes(), options).value();
  }
  template <class Memory>
  [[nodiscard]] auto attach() const -> set_of<Memory> {
    return set_of<Memory>::attach(control.bytes(), buffer.bytes()).value();
  }
  [[nodiscard]] auto intact() const -> bool { return control.intact() && buffer.intact(); }
};

/// Words of the progress: the descriptor that the victim hands over, and whether it is there.
constexpr std::uint32_t index_word = 1;
constexpr std::uint32_t word_word = 2;
constexpr std::uint32_t handed_over = 3;

/// What a member does in its life: every function once, with others of its regions held meanwhile.
template <class Set>
void live(const Set& set, const region_descriptor& from_survivor, shared_progress& progress) {
  const auto member = set.join().value();
  auto first = member.claim(0).value();
  first.begin_write();
  first.row(0)[0] = 1;
  first.end_write();
  static_cast<void>(member.claim(kept));
  auto adopted = member.adopt(from_survivor);
  auto next = member.claim_next(1).value();
  next.begin_write();
  first.give_back();
  auto sent = member.claim_next_if([](std::uint32_t index) { return index == 3; }).value();
  sent.begin_write();
  sent.end_write();
  const auto descriptor = sent.hand_over();
  progress.set(index_word, descriptor.index);
  progress.set(word_word, descriptor.word);
  progress.set(handed_over, 1);
  auto last = member.claim(0).value();
  next.end_write();
}

/// True if every region but `kept` can be claimed and written, and nothing is odd afterwards.
auto all_can_be_had(const survivors& set) -> bool {
  auto member = set.join();
  if (!member) return false;
  bool fine = true;
  for (std::uint32_t index = 0; index < count; ++index) {
    if (index == kept) continue;
    auto part = member->claim(index);
    if (!part) return false;
    const auto before = part->version();
    part->begin_write();
    fine = fine && part->version() % 2 == 1 && part->version() != before;
    fine = fine && part->end_write() % 2 == 0 && part->give_back() == status::ok;
  }
  return fine;
}

/// True if as many can join as were asked for, of whom one has been there all the time.
auto all_can_join(const survivors& set) -> bool {
  std::vector<survivors::member_type> joined;
  while (auto member = set.join()) joined.push_back(std::move(*member));
  return joined.size() == members - 1;
}

struct toll {
  std::uint32_t deaths = 0;
  std::uint32_t wrong = 0;
  std::uint32_t torn = 0;
  std::uint32_t taken_back = 0;  ///< descriptors that the victim had not adopted
  std::uint32_t adopted = 0;     ///< descriptors that the victim left behind

  void expect(bool fine) noexcept { wrong += fine ? 0U : 1U; }
};

/// One death before access `fatal`, and what comes after.
/// Returns  false once the victim lives to the end.
auto die_at(std::uint32_t fatal, bool adopts, toll& sum) -> bool {
  const spans there;
  const auto set = there.format();
  std::vector<std::uint32_t> seen(set.versions().seen_words(count));
  auto reader = set.versions().reader(seen).value();
  reader.mark_all_seen();
  const auto survivor = set.join().value();
  auto held = survivor.claim(kept).value();
  const auto for_victim = survivor.claim(given).value().hand_over();
  shared_progress progress;
  child_process child{[&] {
    const auto crashing = there.attach<crash_memory>();
    crash_memory::die_before_access(fatal);
    live(crashing, for_victim, progress);
    return 0;
  }};
  const bool died = child.wait() == child_process::killed;
  sum.deaths += died ? 1U : 0U;

  std::uint32_t dead = 0;
  for (std::uint32_t index = 0; index < count; ++index) {
    if (set.versions().version(index) % 2 == 1) ++sum.torn;
    if (set.owner(index) != owner_state::dead) continue;
    ++dead;
    sum.expect(survivor.claim(index).status() == status::busy);
  }
  const region_descriptor from_victim{.index = progress.get(index_word),
                                      .word = progress.get(word_word)};
  std::optional<survivors::region_type> got;
  if (progress.get(handed_over) == 1 && adopts) {
    // On its way when the victim died: it is good until somebody reclaims.
    auto adopted = survivor.adopt(from_victim);
    sum.expect(static_cast<bool>(adopted));
    if (adopted) got.emplace(std::move(*adopted));
    if (died) --dead;
    ++sum.adopted;
  }
  const auto done = set.reclaim();
  sum.expect(done.things == dead);
  sum.expect(done.members <= 1 && (dead == 0 || done.members == 1));
  sum.expect(set.reclaim().members == 0);
  if (!died && !adopts) {  // it left in order, but for what is on its way
    sum.expect(set.reclaim(reclaim_from::all_who_are_gone).things == 1);
  }
  if (progress.get(handed_over) == 1) {
    sum.expect(survivor.adopt(from_victim).status() == status::stale);
  }
  got.reset();

  std::uint32_t told = 0;
  static_cast<void>(
      reader.changed([&](std::uint32_t index, std::uint32_t) { told |= 1U << index; }));
  for (std::uint32_t index = 0; index < count; ++index) {
    const auto version = set.versions().version(index);
    sum.expect(version == 0 || version % 2 == 1 || (told >> index & 1) == 1);
  }

  auto returned = survivor.adopt(for_victim);
  if (returned) ++sum.taken_back;
  sum.expect(returned || returned.status() == status::stale);
  if (returned) sum.expect(returned->give_back() == status::ok);
  sum.expect(all_can_be_had(set));
  sum.expect(held.give_back() == status::ok);
  sum.expect(all_can_join(set));
  sum.expect(there.intact());
  return died;
}

}  // namespace

TEST_CASE("a_member_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  for (const bool adopts : {false, true}) {
    toll sum;
    for (std::uint32_t fatal = 1; die_at(fatal, adopts, sum); ++fatal) {
      if (sum.wrong != 0) FAIL("died before access " << fatal);
    }
    CHECK(sum.wrong == 0);
    CHECK(sum.deaths > 40);
    CHECK(sum.torn > 10);
    CHECK(sum.taken_back > 5);
    CHECK((sum.adopted > 3) == adopts);
  }
}

TEST_CASE("a_reclaimer_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  std::uint32_t deaths = 0;
  std::uint32_t wrong = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    const spans there;
    const auto set = there.format();
    const auto survivor = set.join().value();
    auto held = survivor.claim(kept).value();
    shared_progress progress;
    child_process victim{[&] {
      const auto member = set.join().value();
      const auto one = member.claim(1).value();
      const auto other = member.claim(3).value();
      progress.set(0, 1);
      weir::test::sleep_until_killed();
      return 0;
    }};
    progress.await(0, 1);
    victim.kill_and_reap();
    child_process reclaimer{[&] {
      const auto crashing = there.attach<crash_memory>();
      crash_memory::die_before_access(fatal);
      return crashing.reclaim().things == 2 ? 0 : 1;
    }};
    const auto end = reclaimer.wait();
    if (end == child_process::killed) ++deaths;
    wrong += end == child_process::killed || end == 0 ? 0U : 1U;
    static_cast<void>(set.reclaim());
    const bool fine = all_can_be_had(set) && held.give_back() == status::ok && all_can_join(set) &&
                      there.intact();
    wrong += fine ? 0U : 1U;
  }
  CHECK(wrong == 0);
  CHECK(deaths > 10);
}

TEST_CASE("regions_whose_formatting_died_are_not_ready_or_whole") {
  const spans there;
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    static_cast<void>(there.format());  // old ones, which must not reappear
    child_process child{[&] {
      auto tagged = options;
      tagged.type_tag = 7;
      crash_memory::die_before_access(fatal);
      return set_of<crash_memory>::format(there.control.bytes(), there.buffer.bytes(), tagged) ? 0
                                                                                               : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto outcome = survivors::attach(there.control.bytes(), there.buffer.bytes(), 7).status();
    const auto expected = end == 0     ? status::ok
                          : fatal == 1 ? status::bad_layout
                                       : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 100);
}

TEST_CASE("a_word_that_names_no_place_does_not_name_a_dead_holder") {
  const spans there;
  const auto set = there.format();
  shared_progress progress;
  child_process child{[&] {
    const auto member = set.join().value();
    progress.set(0, 1);
    weir::test::sleep_until_killed();
    return 1;
  }};
  progress.await(0, 1);
  child.kill_only();
  // Behind the last place lie the words of the regions: what the dead wrote, as if there were one more.
  const auto words = weir::layout::regions::places + members * weir::layout::place::size;
  for (const std::uint32_t offset : {weir::layout::place::owner, weir::layout::place::start}) {
    *there.control.word(words + offset) =
        *there.control.word(weir::layout::regions::places + offset);
  }
  auto& word = *there.control.word(words + 5 * 4);
  word = 1;  // the place of the dead
  CHECK(set.owner(5) == owner_state::dead);
  word = 1 + members;
  CHECK(set.owner(5) == owner_state::alive);
}
