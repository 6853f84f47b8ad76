// SPDX-License-Identifier: MIT
// Regions, with two or three members, one or two regions: one holder at a time, who sees what the last one
// did; versions tell readers; what the dead held comes back. Two threads: every execution.
#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/region.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace {

using namespace weir;
using model::model_memory;
using model::park_now;
using word = std::uint32_t;
using regions_type = regions<word, model_memory>;
using member = regions_type::member_type;
using region_type = regions_type::region_type;

/// A buffer of one element per row, each row a region.
struct test_regions {
  test_regions(model::run& run, word count, wake_protocol wake = wake_protocol::fenced)
      : options{.shape = {.width = 1, .height = count, .element_size = 4},
                .cut = bands(count),
                .members = 4,
                .wake = wake,
                .process_shared = true},
        control{run.bytes(regions_type::bytes_required(options))},
        buffer{run.bytes(4 * count)},
        view{regions_type::format(control, buffer, options).value()},
        note{run.object<region_descriptor>()} {}

  [[nodiscard]] auto join(model::run& run, model::thread_id thread) const -> member {
    return run.as(thread, [this] { return view.join().value(); });
  }
  [[nodiscard]] auto all_are_free(const member& who) const -> bool {
    std::array<std::optional<region_type>, 2> held;
    for (word index = 0; index < view.count(); ++index) {
      auto found = who.claim(index);
      if (!found) return false;
      held[index].emplace(std::move(found).value());
    }
    return true;
  }

  regions_options options;
  std::span<std::byte> control, buffer;
  regions_type view;
  region_descriptor& note;
};

void put(const region_type& held, word value) {
  model_memory::copy_in(held.row(0).data(), &value, sizeof value);
}
[[nodiscard]] auto get(const region_type& held) -> word {
  word value = 0;
  model_memory::copy_out(&value, held.row(0).data(), sizeof value);
  return value;
}

/// Each member adds one to what it finds, once it has the region. A lost update or a race would show.
template <word Members>
void add_one_each(model::run& run) {
  test_regions there{run, 1};
  std::array<std::optional<member>, Members> members;
  for (word i = 0; i < Members; ++i) members[i].emplace(there.join(run, i + 1));
  for (word i = 0; i < Members; ++i) {
    run.thread("member", [&, i] {
      for (;;) {
        auto held = members[i]->claim(0);
        if (held) {
          put(*held, get(*held) + 1);
          return run.check(held->give_back() == status::ok, "what is held can be given back");
        }
        run.check(held.status() == status::busy, "held, or free");
        model_memory::pause();
      }
    });
  }
  if (!run.go()) return;
  auto held = members[0]->claim(0).value();
  run.check(get(held) == Members, "nobody else writes what is held");
}

/// Two members share two regions out among themselves.
void share_out(model::run& run) {
  test_regions there{run, 2};
  std::array members{there.join(run, 1), there.join(run, 2)};
  std::array<word, 2> taken{9, 9};
  for (word i = 0; i < 2; ++i) {
    run.thread("member", [&, i] {
      auto held = members[i].claim_next(0);
      if (!held) return run.check(held.status() == status::busy, "none is free");
      taken[i] = held->index();
      put(*held, get(*held) + 1);
      // A region that stays held until the end: whoever comes second takes the other one.
      static_cast<void>(held->hand_over());
    });
  }
  if (!run.go()) return;
  run.check(taken[0] != taken[1], "no two hold the same");
  run.check(taken[0] + taken[1] == 1, "and both find one");
}

/// What is handed over has one holder all the time, and its bytes go along.
void hand_over(model::run& run, bool travels_well) {
  test_regions there{run, 1};
  auto giver = there.join(run, 1);
  auto taker = there.join(run, 2);
  auto given = run.as(1, [&] { return giver.claim(0).value(); });
  run.thread("giver", [&] {
    put(given, 7);
    const auto descriptor = given.hand_over();
    model_memory::store(&there.note.word, descriptor.word,
                        travels_well ? std::memory_order_release : std::memory_order_relaxed);
  });
  run.thread("taker", [&] {
    region_descriptor descriptor{};
    while ((descriptor.word = model_memory::load(&there.note.word, std::memory_order_acquire)) ==
           0) {
      run.check(taker.claim(0).status() == status::busy, "what is on its way is not free");
      model_memory::pause();
    }
    auto held = taker.adopt(descriptor);
    run.check(held.status() == status::ok && get(*held) == 7, "the bytes come along");
    run.check(taker.adopt(descriptor).status() == status::stale, "once");
    put(*held, 8);
  });
  static_cast<void>(run.go());
}
void hand_over_released(model::run& run) { hand_over(run, true); }
void hand_over_relaxed(model::run& run) { hand_over(run, false); }

/// The giver takes back what somebody else adopts at the same time.
void take_back(model::run& run) {
  test_regions there{run, 1};
  auto giver = there.join(run, 1);
  auto taker = there.join(run, 2);
  const auto descriptor = run.as(1, [&] { return giver.claim(0).value().hand_over(); });
  word holders = 0;
  run.thread("giver", [&] {
    auto held = giver.take_back(0);
    if (!held) return run.check(held.status() == status::stale, "adopted");
    ++holders;
    put(*held, 1);
    static_cast<void>(held->hand_over());
  });
  run.thread("taker", [&] {
    auto held = taker.adopt(descriptor);
    if (!held) return run.check(held.status() == status::stale, "taken back");
    ++holders;
    put(*held, 2);
    static_cast<void>(held->hand_over());
  });
  if (run.go()) run.check(holders == 1, "one of the two has it");
}

/// A reader that waits for a version sees what the holder wrote before it.
template <wake_protocol Wake>
void wait_for_version(model::run& run) {
  test_regions there{run, 1, Wake};
  auto writer = there.join(run, 1);
  auto held = run.as(1, [&] { return writer.claim(0).value(); });
  std::array<word, 16> seen{};
  auto reader = there.view.versions().reader<park_now>(seen).value();
  run.thread("writer", [&] {
    held.begin_write();
    put(held, 7);
    held.end_write();
  });
  run.thread("reader", [&] {
    run.check(reader.wait_all(2) == status::ok, "a wait ends with the version");
    word value = 0;
    model_memory::copy_out(&value, there.buffer.data(), sizeof value);
    run.check(value == 7, "what belongs to a version is there with it");
  });
  static_cast<void>(run.go());
}

/// A member dies anywhere; the survivor goes on, and afterwards everything comes back.
void death(model::run& run) {
  test_regions there{run, 1};
  std::array members{there.join(run, 1), there.join(run, 2)};
  for (word i = 0; i < 2; ++i) {
    run.thread("member", [&, i] {
      auto held = members[i].claim(0);
      if (!held) {
        static_cast<void>(there.view.reclaim());
        return;
      }
      held->begin_write();
      put(*held, get(*held) + 1);
      held->end_write();
      run.check(held->give_back() == status::ok, "what the living hold is not taken away");
    });
  }
  if (!run.go()) return;
  auto last = there.join(run, 3);
  static_cast<void>(there.view.reclaim());
  run.check(there.all_are_free(last), "after reclaim() every region can be claimed");
}

/// What a dead holder wrote is there for whoever claims after a third party's reclaim().
void inheritance(model::run& run) {
  test_regions there{run, 1};
  auto mortal = there.join(run, 1);
  auto heir = there.join(run, 3);
  auto given = run.as(1, [&] { return mortal.claim(0).value(); });
  run.thread("mortal", [&] {
    put(given, 7);
    model_memory::store(&there.note.index, 1, std::memory_order_relaxed);
    static_cast<void>(given.hand_over());
  });
  run.thread("reclaimer", [&] { static_cast<void>(there.view.reclaim()); });
  run.thread("heir", [&] {
    auto held = heir.claim(0);
    if (!held) return run.check(held.status() == status::busy, "not reclaimed yet");
    const auto left = get(*held);
    run.check(left == 7 || left == 0, "what the dead wrote is whole");
    put(*held, 9);
  });
  if (!run.go()) return;
  run.check(run.was_killed(1) || there.view.owner(0) == owner_state::alive,
            "what the living handed over stays theirs");
}

/// Who sees that a region is held sees the member that holds it, not a dead one that had its place.
void owner_is_seen(model::run& run) {
  test_regions there{run, 1};
  const auto mortal = there.join(run, 1);
  std::optional<member> kept;
  run.thread("mortal",
             [&] { model_memory::store(&there.note.index, 1, std::memory_order_relaxed); });
  run.thread("holder", [&] {
    static_cast<void>(there.view.reclaim());
    auto holder = there.view.join();
    auto held = holder->claim(0);
    run.check(held.status() == status::ok, "nobody else claims it");
    static_cast<void>(held->hand_over());
    kept.emplace(std::move(holder).value());
  });
  run.thread("observer", [&] {
    run.check(there.view.owner(0) != owner_state::dead, "the holder of what is held is alive");
  });
  static_cast<void>(run.go());
}

/// A reclaimer dies too; the next one finishes.
void death_of_the_reclaimer(model::run& run) {
  test_regions there{run, 1};
  auto first = there.join(run, 1);
  run.thread("member", [&] {
    auto held = first.claim(0);
    if (!held) return;
    held->begin_write();
    put(*held, 1);
    held->end_write();
    static_cast<void>(held->give_back());
  });
  for (word i = 0; i < 2; ++i) {
    run.thread("reclaimer", [&] { static_cast<void>(there.view.reclaim()); });
  }
  if (!run.go()) return;
  auto last = there.join(run, 4);
  static_cast<void>(there.view.reclaim());
  run.check(there.all_are_free(last), "after reclaim() every region can be claimed");
}

constexpr model::scenario scenarios[] = {
    {"region: two members add to one region", add_one_each<2>},
    {"region: three members add to one region", add_one_each<3>, {.preemptions = 3}},
    {"region: two members find one each", share_out},
    {"region: what is handed over comes whole", hand_over_released},
    {"region: and needs a way that synchronizes", hand_over_relaxed, {}, "data race"},
    {"region: taken back or adopted", take_back},
    {"region: a version brings its bytes, fenced", wait_for_version<wake_protocol::fenced>},
    {"region: a version brings its bytes, asymmetric", wait_for_version<wake_protocol::asymmetric>},
    {"region: whichever step a member dies before, it comes back", death, {.kills = 1}},
    {"region: the heir finds what the dead wrote", inheritance, {.kills = 1, .killable = 1U << 1}},
    {"region: a holder is seen with its region",
     owner_is_seen,
     {.preemptions = 3, .kills = 1, .killable = 1U << 1}},
    {"region: so if the reclaimer dies too",
     death_of_the_reclaimer,
     {.preemptions = 3, .kills = 2}},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
