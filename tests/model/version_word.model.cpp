// SPDX-License-Identifier: MIT
// Versions: a copy taken under one is whole, or torn; what two writers wrote is never taken for one value.
// Bounds: values of two words, one writer of two values or two of one, one reader, one death.
#include "model/version_sides.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace {

using namespace weir;
using namespace weir::model;

struct copied_value {
  word* words;

  /// Two words that say which version they belong to.
  void write(table_slot& slot) const {
    const auto before = slot.version();
    const auto mine = is_whole(before) ? before + 2 : before + 3;
    slot.begin();
    const std::array<word, 2> parts{mine, ~mine};
    model_memory::copy_in_words(words, parts.data(), sizeof parts);
    slot.end();
  }
  /// Returns  the version of a whole copy; `torn`.
  static constexpr word torn = 1;
  auto read(run& run, const table_slot& slot, word attempts) const -> word {
    std::array<word, 2> parts{};
    auto seen = slot.read(std::as_writable_bytes(std::span{parts}), words, attempts);
    if (seen) {
      run.check(parts[0] == *seen && parts[1] == ~*seen, "a copy is whole, and its version's");
    } else {
      run.check(seen.status() == status::torn, "or it is torn");
    }
    return seen ? *seen : torn;
  }
};
auto make_value(run& run) -> copied_value { return {&run.object<std::array<word, 2>>()[0]}; }

void copy(run& run, word start, int writes, word attempts) {
  const auto there = make(run, {.slots = 1, .start_version = start});
  const auto value = make_value(run);
  auto mine = there.slot(0).value();
  const auto theirs = mine;
  run.as(1, [&] { value.write(mine); });
  run.thread("writer", [&] {
    for (int i = 0; i < writes; ++i) value.write(mine);
  });
  run.thread("reader", [&] {
    auto before = start + 2;
    for (int i = 0; i < 2; ++i) {
      const auto seen = value.read(run, theirs, attempts);
      if (seen == copied_value::torn) continue;
      run.check(has_reached(seen, before), "a reader never goes back");
      before = seen;
    }
  });
  if (!run.go()) return;
  const auto last = start + 2 + 2 * static_cast<word>(writes);
  run.check(value.read(run, theirs, 1) == last, "the last value is there");
}
void copied(run& run) { copy(run, 0, 2, 1); }
void copied_2_31(run& run) { copy(run, below_2_31 - 2, 2, 1); }
void copied_2_32(run& run) { copy(run, below_2_32 - 2, 2, 1); }
void copied_again(run& run) { copy(run, 0, 1, 3); }

void take_over(run& run, word start, int reads) {
  const auto there = make(run, {.slots = 1, .start_version = start});
  const auto value = make_value(run);
  auto mine = there.slot(0).value();
  auto theirs = mine;
  auto& ended = run.object<word>();
  run.as(1, [&] { value.write(mine); });
  run.thread("writer", [&] {
    value.write(mine);
    model_memory::store(&ended, 1, std::memory_order_release);
  });
  run.thread("successor", [&] {
    await_end(ended);
    value.write(theirs);
  });
  run.thread("reader", [&] {
    for (int i = 0; i < reads; ++i) static_cast<void>(value.read(run, theirs, 1));
  });
  if (!run.go()) return;
  run.check(value.read(run, theirs, 1) != copied_value::torn, "the successor's value is whole");
}
void taken_over(run& run) { take_over(run, 0, 1); }
void taken_over_2_32(run& run) { take_over(run, below_2_32 - 2, 1); }

/// A death leaves an even version with its value, or an odd one that nobody copies under.
void die_alone(run& run) {
  const auto there = make(run, {.slots = 1});
  const auto value = make_value(run);
  auto mine = there.slot(0).value();
  const auto theirs = mine;
  run.as(1, [&] { value.write(mine); });
  run.thread("writer", [&] { value.write(mine); });
  run.thread("reader", [&] { static_cast<void>(value.read(run, theirs, 2)); });
  if (!run.go()) return;
  const bool whole = value.read(run, theirs, 1) != copied_value::torn;
  run.check(whole == is_whole(theirs.version()), "whole, if the version is even");
  run.check(whole || run.was_killed(1), "odd only after a death");
}

constexpr bounds one_death{.kills = 1, .killable = 1U << 1};
constexpr bounds death_of_three{.preemptions = 3, .kills = 1, .killable = 1U << 1};

constexpr scenario scenarios[] = {
    {"versions: a copy is whole or torn", copied},
    {"versions: a copy is whole or torn, versions pass 2^31", copied_2_31},
    {"versions: a copy is whole or torn, versions wrap", copied_2_32},
    {"versions: the last of the copies is whole or torn", copied_again},
    {"versions: an odd version taken over stays odd", taken_over, death_of_three},
    {"versions: an odd version taken over stays odd, versions wrap", taken_over_2_32,
     death_of_three},
    {"versions: a death leaves a whole value or an odd version", die_alone, one_death},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
