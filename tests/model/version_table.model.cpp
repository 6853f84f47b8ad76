// SPDX-License-Identifier: MIT
// version_table: changed() finds every publication that happened before it, and each one once; touch() tells
// of what a dead publisher could not.
// Bounds: one or two publishers of one or two publications, one reader, one death; tables without a level of
// counters, with one and with two.
#include "model/version_sides.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace {

using namespace weir;
using namespace weir::model;

/// What changed() reported, slot by slot.
struct report {
  std::span<const word> slots;
  std::array<word, 2> last{};
  word start = 0;

  template <class Reader>
  void ask(run& run, Reader& reader) {
    const auto count = reader.changed([&](word slot, word version) {
      const auto at = std::ranges::find(slots, slot) - slots.begin();
      if (at == std::ssize(slots)) return run.check(version == start, "the others stand still");
      auto& before = last[static_cast<std::size_t>(at)];
      run.check(is_whole(version) && version != before && has_reached(version, before),
                "each version is reported once, in order");
      before = version;
    });
    static_cast<void>(count);
  }
};

struct plan {
  word slots = 2;
  std::array<word, 2> published{0, 1};
  bool rewritten = false;  ///< by begin() and end(), else published
  bool snapshot = false;   ///< the reader begins with mark_all_seen(), while others publish
  word start = 0;
  int times = 1;
  int looks = 2;
};

void publish(table_slot& slot, bool rewritten) {
  if (!rewritten) return static_cast<void>(slot.publish());
  slot.begin();
  static_cast<void>(slot.end());
}

void find(run& run, const plan& plan) {
  const auto there =
      make(run, {.slots = plan.slots, .start_version = plan.start, .start_counter = plan.start});
  std::array<word, 4400> seen{};
  auto reader = there.reader(seen).value();
  report told{plan.published, {plan.start, plan.start}, plan.start};
  reader.mark_all_seen();
  run.check(!reader.has_news(), "after a snapshot nothing is new");
  std::array<word*, 2> flags{&run.object<word>(), &run.object<word>()};
  const auto last = plan.start + 2 * static_cast<word>(plan.times);
  const bool alone = plan.published[0] == plan.published[1];
  for (std::size_t i = 0; i < (alone ? 1 : 2); ++i) {
    run.thread("publisher", [&, i] {
      auto slot = there.slot(plan.published[i]).value();
      for (int n = 0; n < plan.times; ++n) publish(slot, plan.rewritten);
      model_memory::store(flags[i], 1, std::memory_order_release);
    });
  }
  run.thread("reader", [&] {
    if (plan.snapshot) reader.mark_all_seen();
    for (int look = 0; look < plan.looks; ++look) {
      std::array<bool, 2> known{};
      for (std::size_t i = 0; i < 2; ++i) {
        known[i] = model_memory::load(flags[i], std::memory_order_acquire) != 0;
      }
      told.ask(run, reader);
      for (std::size_t i = 0; i < 2; ++i) {
        run.check(!known[i] || reader.version(plan.published[i]) == last,
                  "what happened before the look is found");
      }
    }
  });
  if (!run.go()) return;
  told.ask(run, reader);
  for (const auto slot : plan.published) {
    run.check(reader.version(slot) == last, "nothing is missed in the end");
  }
  run.check(!reader.has_news() && reader.changed([](word, word) {}) == 0, "and nothing is new");
}
void two_slots(run& run) { find(run, {}); }
void two_slots_2_31(run& run) { find(run, {.start = below_2_31}); }
void two_slots_2_32(run& run) { find(run, {.start = below_2_32}); }
void rewritten_slots(run& run) { find(run, {.rewritten = true, .looks = 1}); }
void rewritten_twice(run& run) {
  find(run, {.published = {1, 1}, .rewritten = true, .times = 2, .looks = 2});
}
void snapshot(run& run) { find(run, {.snapshot = true, .start = below_2_32, .looks = 1}); }
void one_counter(run& run) { find(run, {.slots = 129, .published = {0, 31}, .looks = 1}); }
void two_counters(run& run) {
  find(run, {.slots = 129, .published = {31, 128}, .start = below_2_32, .looks = 1});
}
void tree_again(run& run) {
  find(run, {.slots = 129, .published = {40, 40}, .times = 2, .looks = 2});
}
void tree_snapshot(run& run) {
  find(run, {.slots = 129, .published = {40, 40}, .snapshot = true, .times = 2, .looks = 1});
}
void two_levels(run& run) {
  find(run, {.slots = 4097, .published = {4096, 4096}, .start = below_2_31, .looks = 1});
}

/// Two threads publish the same version.
void same_slot(run& run) {
  const auto there = make(run, {.slots = 1, .start_version = below_2_32});
  std::array<word, 2> seen{};
  auto reader = there.reader(seen).value();
  std::array<word, 1> numbers{0};
  report told{numbers, {below_2_32, 0}, below_2_32};
  reader.mark_all_seen();
  std::array<word, 2> got{};
  for (auto& version : got) {
    run.thread("publisher", [&] {
      auto slot = there.slot(0).value();
      version = slot.publish();
    });
  }
  run.thread("reader", [&] {
    told.ask(run, reader);
    told.ask(run, reader);
  });
  if (!run.go()) return;
  run.check(got[0] + got[1] == 2 && got[0] != got[1], "each publication has a version of its own");
  told.ask(run, reader);
  run.check(told.last[0] == 2, "the last one is found");
}

/// What is visible to whoever has loaded a published version: all before it.
void publish_stands_for(run& run, bool by_reader) {
  const auto there = make(run, {.slots = 1});
  auto& payload = run.object<word>();
  std::array<word, 2> seen{};
  auto reader = there.reader(seen).value();
  reader.mark_all_seen();
  run.thread("publisher", [&] {
    const word what = 9;
    model_memory::copy_in(&payload, &what, sizeof what);
    auto slot = there.slot(0).value();
    slot.publish();
  });
  run.thread("reader", [&] {
    const auto found = by_reader ? reader.changed([](word, word) {}) : there.version(0);
    if (found == 0) return;
    word what = 0;
    model_memory::copy_out(&what, &payload, sizeof what);
    run.check(what == 9, "what was published is visible");
  });
  static_cast<void>(run.go());
}
void version_stands_for(run& run) { publish_stands_for(run, false); }
void change_stands_for(run& run) { publish_stands_for(run, true); }

/// A publisher dies at any step; touch() tells, afterwards or by another thread that learns of it.
void touch(run& run, word slots, bool at_once) {
  const auto there = make(run, {.slots = slots});
  const auto number = slots - 1;
  std::array<word, 200> seen{};
  auto reader = there.reader(seen).value();
  std::array<word, 1> numbers{number};
  report told{numbers};
  reader.mark_all_seen();
  auto& ended = run.object<word>();
  run.thread("publisher", [&] {
    auto slot = there.slot(number).value();
    slot.publish();
    slot.begin();
    slot.end();
    model_memory::store(&ended, 1, std::memory_order_release);
  });
  run.thread("reader", [&] { told.ask(run, reader); });
  const auto tell = [&] { there.slot(number).value().touch(); };
  if (at_once) {
    run.thread("who repairs", [&] {
      await_end(ended);
      tell();
    });
  }
  if (!run.go()) return;
  if (!at_once) tell();
  told.ask(run, reader);
  const auto version = there.version(number);
  run.check(!is_whole(version) || told.last[0] == version, "what the dead changed is found");
  run.check(run.was_killed(1) || version == 4, "a version is odd only after a death");
}
void touched_later(run& run) { touch(run, 1, false); }
void touched_at_once(run& run) { touch(run, 1, true); }
void touched_in_a_tree(run& run) { touch(run, 129, false); }

constexpr bounds few_switches{.preemptions = 3};
constexpr bounds one_death{.kills = 1, .killable = 1U << 1};
constexpr bounds death_of_three{.preemptions = 3, .kills = 1, .killable = 1U << 1};

constexpr scenario scenarios[] = {
    {"versions: whoever sees a version sees what it stands for", version_stands_for},
    {"versions: whoever is told of a change sees what it stands for", change_stands_for},
    {"versions: changes of two slots are found", two_slots, few_switches},
    {"versions: changes of two slots are found, counters pass 2^31", two_slots_2_31, few_switches},
    {"versions: changes of two slots are found, counters wrap", two_slots_2_32, few_switches},
    {"versions: two publishers of one slot are found", same_slot, few_switches},
    {"versions: rewritten slots are found", rewritten_slots, few_switches},
    {"versions: an odd version is left for later", rewritten_twice},
    {"versions: a snapshot hides nothing that comes after it", snapshot, few_switches},
    {"versions: changes below one counter are found", one_counter, few_switches},
    {"versions: changes below two counters are found, they wrap", two_counters, few_switches},
    {"versions: changes below a counter are found again", tree_again},
    {"versions: a snapshot of a tree hides nothing that comes after it", tree_snapshot},
    {"versions: changes below two levels of counters are found", two_levels},
    {"versions: a touch tells what the dead could not", touched_later, one_death},
    {"versions: a touch tells what the dead could not, while others look", touched_at_once,
     death_of_three},
    {"versions: a touch tells in a tree what the dead could not", touched_in_a_tree, one_death},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
