// SPDX-License-Identifier: MIT
// The table of those who take part: joining, leaving, dying, and taking back what the gone held.
//
// A holding is a word of its own that names its place, as regions and pools have them: only the place's
// member makes it, and reclaim() takes it back.
//
// Proved   a place has one member at a time, is given on only when nothing is held under it, and a holding is
//          taken back once; a joiner, a member or a reclaimer may be killed before any step.
// Bounds   one or two places; two threads: every execution; three: three preemptions.
#include "model/scenario.hpp"

#include <weir/detail/owner_table.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace {

using namespace weir;
using model::model_memory;
using table_type = detail::owner_table<model_memory>;
using member = detail::membership<model_memory>;
using word = std::uint32_t;

/// Two places at most, a holding for each, and bytes that only a member touches.
struct house {
  explicit house(model::run& run, std::uint32_t places)
      : table{run.bytes(places * layout::place::size).data(), places},
        held{&run.object<word>(), &run.object<word>()},
        room{&run.object<word>(), &run.object<word>()} {}

  [[nodiscard]] auto join() const {
    return table.join([this](std::uint32_t place) { return !holds(place); });
  }
  [[nodiscard]] auto reclaim(reclaim_from whose) const -> reclaimed {
    return table.reclaim(whose, model_memory::alive,
                         [this](std::uint32_t place) { return give_back(place); });
  }
  [[nodiscard]] auto holds(std::uint32_t place) const -> bool {
    return model_memory::load(held[place], std::memory_order_acquire) != 0;
  }
  /// In the name of the place's member.
  void hold(std::uint32_t place) const {
    model_memory::store(held[place], 1, std::memory_order_release);
  }
  auto give_back(std::uint32_t place) const -> std::uint32_t {
    return model_memory::exchange(held[place], 0, std::memory_order_acq_rel);
  }
  /// Plain bytes: two members at once race.
  void live_in(std::uint32_t place, word name) const {
    word seen = 0;
    model_memory::copy_in(room[place], &name, sizeof name);
    model_memory::copy_out(&seen, room[place], sizeof seen);
  }

  table_type table;
  std::array<word*, 2> held;
  std::array<word*, 2> room;
};

/// Two want the only place, and live in it one after the other.
void one_place(model::run& run) {
  const house there{run, 1};
  const auto live = [&](word name) {
    for (;;) {
      auto joined = there.join();
      if (joined) {
        run.check(joined->place == 0, "there is one place");
        return there.live_in(0, name);
      }
      run.check(joined.status() == status::full, "it is taken");
      model_memory::pause();
    }
  };
  run.thread("one", [&] { live(1); });
  run.thread("two", [&] { live(2); });
  static_cast<void>(run.go());
}

/// Two join: each has a place of its own.
void two_places(model::run& run) {
  const house there{run, 2};
  std::array<std::optional<member>, 2> joined;
  const auto join = [&](std::size_t who) {
    auto found = there.join();
    run.check(found.status() == status::ok || found.status() == status::full,
              "full may be for a moment");
    if (found) {
      joined[who].emplace(std::move(*found));
      there.live_in(joined[who]->place, 1);
    }
  };
  run.thread("one", [&] { join(0); });
  run.thread("two", [&] { join(1); });
  if (!run.go()) return;
  run.check(joined[0] && joined[1], "nobody is sent away while a place is free");
  run.check(joined[0]->place != joined[1]->place, "each has its own");
}

/// A member holds something, and dies anywhere; another one reclaims and joins.
template <bool Leaves>
void member_dies(model::run& run) {
  const house there{run, 1};
  std::uint32_t things = 0;
  run.thread("member", [&] {
    auto joined = there.join();
    if (!joined) return;
    there.live_in(joined->place, 1);
    there.hold(joined->place);
    if (!Leaves) there.give_back(joined->place);
  });
  run.thread("heir", [&] {
    things +=
        there.reclaim(Leaves ? reclaim_from::all_who_are_gone : reclaim_from::the_dead).things;
    auto joined = there.join();
    if (!joined) return;
    run.check(!there.holds(joined->place), "a place is given on when nothing is held under it");
    there.live_in(joined->place, 2);
  });
  if (!run.go()) return;
  const auto last = there.reclaim(reclaim_from::all_who_are_gone);
  run.check(things + last.things <= 1, "a holding is taken back once");
  run.check(!there.holds(0), "and none is forgotten");
  run.check(there.join().status() == status::ok, "the place can be taken again");
}

/// A member left something behind; two take it back at once, of whom one may die over it.
void two_reclaim(model::run& run) {
  const house there{run, 1};
  run.as(1, [&] {
    const auto joined = there.join().value();
    there.hold(joined.place);
  });
  std::array<reclaimed, 2> took{};
  const auto take_back = [&](std::size_t who) {
    took[who] = there.reclaim(reclaim_from::all_who_are_gone);
  };
  run.thread("one", [&] { take_back(0); });
  run.thread("two", [&] { take_back(1); });
  if (!run.go()) return;
  const auto last = there.reclaim(reclaim_from::all_who_are_gone);
  const auto things = took[0].things + took[1].things + last.things;
  run.check(things <= 1, "a holding is taken back once");
  run.check(run.was_killed(1) || run.was_killed(2) || things == 1, "and counted");
  run.check(!there.holds(0) && there.join().status() == status::ok, "the place is free");
}

/// Something is held under the free place, and is taken back while another one joins.
void join_against_reclaim(model::run& run) {
  const house there{run, 1};
  run.as(1, [&] {
    const auto joined = there.join().value();
    there.hold(joined.place);
  });
  run.thread("joiner", [&] {
    auto joined = there.join();
    if (!joined) return run.check(joined.status() == status::full, "full until it is given back");
    run.check(!there.holds(joined->place), "nothing is held under a new member's place");
    there.live_in(joined->place, 1);
    there.hold(joined->place);
    run.check(there.give_back(joined->place) == 1, "and what it holds is not taken from it");
  });
  run.thread("reclaimer", [&] {
    run.check(there.reclaim(reclaim_from::all_who_are_gone).members == 0, "nobody is dead");
  });
  if (!run.go()) return;
  static_cast<void>(there.reclaim(reclaim_from::all_who_are_gone));
  run.check(!there.holds(0) && there.join().status() == status::ok, "the place is free in the end");
}

/// A member lives in the place and holds, while somebody reclaims from all who are gone.
void the_living_keep(model::run& run) {
  const house there{run, 1};
  run.thread("member", [&] {
    auto joined = there.join();
    if (!joined) return;
    there.live_in(0, 1);
    there.hold(0);
    run.check(there.give_back(0) == 1, "what the living hold is theirs");
  });
  run.thread("reclaimer", [&] {
    const auto took = there.reclaim(reclaim_from::all_who_are_gone);
    run.check(took.members == 0 && took.things == 0, "nobody is gone");
  });
  static_cast<void>(run.go());
}

/// Two join and hold, a third one reclaims; one of them may die.
void three_at_once(model::run& run) {
  const house there{run, 1};
  const auto live = [&] {
    auto joined = there.join();
    if (!joined) return;
    run.check(!there.holds(0), "nothing is held under a new member's place");
    there.live_in(0, 1);
    there.hold(0);
  };
  std::uint32_t things = 0;
  run.thread("one", live);
  run.thread("two", live);
  run.thread("reclaimer", [&] { things = there.reclaim(reclaim_from::all_who_are_gone).things; });
  if (!run.go()) return;
  things += there.reclaim(reclaim_from::all_who_are_gone).things;
  run.check(things <= 2 && !there.holds(0), "what is held is taken back");
  run.check(there.join().status() == status::ok, "the place can be taken again");
}

constexpr model::bounds one_dies{.kills = 1};
constexpr model::bounds three_threads{.preemptions = 3, .kills = 1};

constexpr model::scenario scenarios[] = {
    {"owner table: two live in one place, one after the other", one_place},
    {"owner table: a place of the dead waits for its reclaim",
     member_dies<false>,
     {.kills = 1, .killable = 1U << 1}},
    {"owner table: what a member leaves behind keeps its place", member_dies<true>, one_dies},
    {"owner table: two who join have a place each", two_places},
    {"owner table: a holding is taken back once", two_reclaim, one_dies},
    {"owner table: who joins holds what it holds", join_against_reclaim},
    {"owner table: who joins or reclaims may die", join_against_reclaim, one_dies},
    {"owner table: the living keep what they hold", the_living_keep},
    {"owner table: two join, a third reclaims, one dies", three_at_once, three_threads},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
