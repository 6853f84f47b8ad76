// SPDX-License-Identifier: MIT
/// A member of a set of regions dies. Reclaimed, its regions can be had, and it says which are torn.
#include "kill/scenario.hpp"
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"

#include <weir/region.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace weir::test::kills {
namespace {

using set_type = regions<std::uint32_t>;

constexpr std::uint32_t count = 6;
constexpr regions_options options{.shape = geometry_of<std::uint32_t>(4, count),
                                  .cut = bands(count),
                                  .members = 3,
                                  .process_shared = true};
/// The survivor holds one region all along, and hands another one over to the victim.
constexpr std::uint32_t kept = 5;
constexpr std::uint32_t given = 4;

struct spans {
  guarded_span control{set_type::bytes_required(options)};
  guarded_span buffer{options.shape.bytes()};
};

struct region_state {
  const char* name;
  std::uint32_t others = 0;  ///< further regions that the survivor holds
};
constexpr std::array<region_state, 3> states{
    {{.name = "free"}, {.name = "half", .others = 2}, {.name = "one_left", .others = 3}}};

template <class Operation>
class holder_dies : public scenario {
 public:
  explicit holder_dies(const region_state& how) {
    if constexpr (Operation::reclaims) leave_a_dead_holder();
    for (std::uint32_t index = 0; index < how.others; ++index) {
      others_[index].emplace(survivor_.claim(index + (Operation::reclaims ? 1 : 0)).value());
    }
  }

  void operate(stage& here) override {
    const auto member = set_.join().value();
    Operation::run(set_, member, gift_, here);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    std::uint32_t torn = 0;
    std::uint32_t dead = 0;
    for (std::uint32_t index = 0; index < count; ++index) {
      torn += set_.versions().version(index) % 2;
      if (set_.owner(index) != owner_state::dead) continue;
      ++dead;
      found.whole(survivor_.claim(index).status() == status::busy, "a dead one's region is free");
    }
    found.outcome(torn != 0 ? "torn" : dead != 0 ? "held" : "not held");
    if (here.must() != 0) adopt_from_victim(here, found);
    static_cast<void>(set_.reclaim());
    found.moves(set_.reclaim().things == 0, "a second reclaim finds more");
    auto back = survivor_.adopt(gift_);
    found.kept(back || Operation::takes_gift, "what was on its way to somebody");
    if (back) found.moves(back->give_back() == status::ok, "the gift cannot be given back");
    for (auto& other : others_) {
      if (other) found.kept(other->give_back() == status::ok, "the survivor's region");
    }
    for (auto& other : others_) other.reset();
    found.kept(held_->give_back() == status::ok, "the survivor's region");
    go_on(found);
    found.whole(memory_.control.intact() && memory_.buffer.intact(), "bytes beside the span");
  }

 private:
  void leave_a_dead_holder() {
    shared_progress progress;
    child_process dead{[&]() -> int {
      const auto member = set_.join().value();
      const auto one = member.claim(0).value();
      progress.set(0, 1);
      sleep_until_killed();
    }};
    progress.await(0, 1);
    dead.kill_and_reap();
  }

  void adopt_from_victim(const stage& here, verdict& found) {
    const region_descriptor from{.index = here.noted(0), .word = here.noted(1)};
    auto adopted = survivor_.adopt(from);
    if (!found.kept(static_cast<bool>(adopted), "what the dead one handed over")) return;
    found.whole(adopted->version() % 2 == 0, "what was handed over is torn");
    found.moves(adopted->give_back() == status::ok, "it cannot be given back");
  }

  /// Each region can be had and written, by three members.
  void go_on(verdict& found) {
    auto second = set_.join();
    auto third = set_.join();
    if (!found.moves(second && third, "no place for another member")) return;
    for (std::uint32_t index = 0; index < count; ++index) {
      auto& who = index % 2 == 0 ? *second : *third;
      auto got = who.claim(index);
      if (!found.kept(static_cast<bool>(got), "a region that nobody holds")) return;
      got->begin_write();
      for (auto& element : got->row(0)) element = index;
      found.whole(got->end_write() % 2 == 0, "an odd version behind end_write()");
      found.moves(got->give_back() == status::ok, "a region cannot be given back");
    }
  }

  spans memory_;
  set_type set_{set_type::format(memory_.control.bytes(), memory_.buffer.bytes(), options).value()};
  set_type::member_type survivor_{set_.join().value()};
  std::optional<region<std::uint32_t, native_memory>> held_{survivor_.claim(kept).value()};
  region_descriptor gift_{survivor_.claim(given).value().hand_over()};
  std::array<std::optional<region<std::uint32_t, native_memory>>, 3> others_;
};

struct operation {
  static constexpr bool takes_gift = false;
  static constexpr bool reclaims = false;
};
using member_type = set_type::member_type;

struct claim_operation : operation {
  static void run(const set_type&, const member_type& member, region_descriptor, stage& here) {
    here.begin();
    const auto got = member.claim_next();
    here.end(got);
  }
};

struct write_operation : operation {
  static void run(const set_type&, const member_type& member, region_descriptor, stage& here) {
    auto got = member.claim_next();
    here.begin();
    got->begin_write();
    for (auto& element : got->row(0)) element = 77;
    got->end_write();
  }
};

struct give_back_operation : operation {
  static void run(const set_type&, const member_type& member, region_descriptor, stage& here) {
    auto got = member.claim_next();
    here.begin();
    static_cast<void>(got->give_back());
  }
};

/// Adopts, writes, hands over again.
struct transfer_operation : operation {
  static constexpr bool takes_gift = true;
  static void run(const set_type&, const member_type& member, region_descriptor gift, stage& here) {
    here.begin();
    auto got = member.adopt(gift);
    got->begin_write();
    for (auto& element : got->row(0)) element = 78;
    got->end_write();
    const auto passed = got->hand_over();
    here.note(0, passed.index);
    here.note(1, passed.word);
    here.must_show(1);
  }
};

struct reclaim_operation : operation {
  static constexpr bool reclaims = true;
  static void run(const set_type& set, const member_type&, region_descriptor, stage& here) {
    here.begin();
    set.reclaim();
  }
};

struct join_operation : operation {
  static void run(const set_type& set, const member_type&, region_descriptor, stage& here) {
    here.begin();
    {
      const auto second = set.join();
    }
  }
};

template <class Operation>
void add_operation(catalog& all, const char* name, thoroughness how) {
  add_states<holder_dies<Operation>>(all, how, "regions", name, states);
}

}  // namespace

void add_regions(catalog& all) {
  add_operation<claim_operation>(all, "claim", central);
  add_operation<write_operation>(all, "write", central);
  add_operation<give_back_operation>(all, "give_back", central);
  add_operation<transfer_operation>(all, "transfer", central);
  add_operation<reclaim_operation>(all, "reclaim", slow);
  add_operation<join_operation>(all, "join", slow);
}

}  // namespace weir::test::kills
