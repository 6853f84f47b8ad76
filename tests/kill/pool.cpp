// SPDX-License-Identifier: MIT
/// A member of a buffer_pool dies. Its survivors reclaim what it held, and can have every buffer once.
#include "kill/scenario.hpp"
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/pattern.hpp"

#include <weir/buffer_pool.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace weir::test::kills {
namespace {

using pool_type = buffer_pool<>;
using member_type = pool_type::member_type;

constexpr std::array<pool_class, 2> classes{{{8, 3}, {40, 6}}};
constexpr std::uint32_t buffers = 9;
constexpr std::uint32_t large = 40;

struct pool_situation {
  const char* name;
  std::uint32_t taken = 0;  ///< large buffers that the survivor holds besides
  std::uint32_t generation = 0;
  bool retires = false;  ///< each buffer can be allocated once more
};
constexpr std::array<pool_situation, 5> situations{{
    {.name = "half", .taken = 2},
    {.name = "full", .taken = 7},
    {.name = "last_one", .taken = 6},
    {.name = "at_2^31", .generation = 0x7FFF'FFFF},
    {.name = "at_2^32", .generation = 0xFFFF'FFF0},
}};

/// What the survivor has given the one that is going to die.
struct gifts {
  pool_handle shared;
  pool_descriptor given;
};

/// `Operation`: run(pool, member, gifts, stage), in the child.
template <class Operation>
class member_dies : public scenario {
 public:
  explicit member_dies(const pool_situation& how)
      : pool_{pool_type::format(
                  memory_.bytes(),
                  {.classes = classes, .process_shared = true, .start_generation = how.generation})
                  .value()},
        survivor_{pool_.join().value()},
        shared_{survivor_.allocate(large).value()},
        gifts_{shared_.handle(), survivor_.allocate(large)->hand_over()} {
    fill_pattern(shared_.bytes(), 1);
    for (std::uint32_t index = 0; index < how.taken; ++index) {
      kept_.push_back(survivor_.allocate(1).value());
    }
    if constexpr (Operation::reclaims) {
      shared_progress progress;
      child_process dead{[&]() -> int {
        auto member = pool_.join().value();
        const auto joint = member.share(gifts_.shared);
        const auto own = member.allocate(1);
        progress.set(0, 1);
        sleep_until_killed();
      }};
      progress.await(0, 1);
      dead.kill_and_reap();
    }
  }

  void operate(stage& here) override {
    auto member = pool_.join().value();
    Operation::run(pool_, member, gifts_, here);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    const auto free = buffers - in_use();
    found.whole(allocatable(survivor_) <= free, "a buffer is given out twice");
    const bool passed_on = adopt_from_victim(here, found);
    const auto dead = pool_.reclaim();
    found.outcome(dead.things != 0 ? "held" : passed_on ? "passed on" : "held nothing");
    settle_gift(found);
    found.kept(shared_.references() == 1, "the survivor's share");
    found.whole(has_pattern(shared_.bytes(), 1), "the bytes of the survivor's buffer");
    const auto held = static_cast<std::uint32_t>(kept_.size()) + 1;
    found.kept(in_use() == held, "a buffer that nobody holds");
    found.kept(allocatable(survivor_) == buffers - held, "a free buffer cannot be had");
    found.moves(pool_.reclaim().things == 0, "a second reclaim finds more");
    auto next = pool_.join();
    if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
    found.kept(allocatable(*next) == buffers - held, "a new member cannot have what is free");
    found.whole(memory_.intact(), "bytes beside the pool");
  }

 private:
  [[nodiscard]] auto in_use() const -> std::uint32_t {
    return pool_.usage(0).in_use + pool_.usage(1).in_use;
  }

  /// Everything that can be had, given up again; more than there are if one came twice.
  static auto allocatable(member_type& member) -> std::uint32_t {
    std::vector<pool_type::buffer_type> all;
    std::set<std::uint32_t> distinct;
    while (all.size() <= buffers) {
      auto got = member.allocate(1);
      if (!got) break;
      distinct.insert(got->handle().index);
      all.push_back(std::move(got).value());
    }
    const auto count = static_cast<std::uint32_t>(all.size());
    return distinct.size() == all.size() ? count : 1000;
  }

  /// What the victim has handed over is good until somebody reclaims.
  auto adopt_from_victim(const stage& here, verdict& found) -> bool {
    if (here.must() == 0) return false;
    const pool_descriptor from{{here.noted(0), here.noted(1)}, here.noted(2)};
    auto adopted = survivor_.adopt(from);
    if (!found.kept(static_cast<bool>(adopted), "what the dead one handed over")) return false;
    found.whole(has_pattern(adopted->bytes(), 2), "the bytes that were handed over");
    found.moves(survivor_.adopt(from).status() == status::stale, "a second adoption");
    return true;
  }

  /// What was given to the victim is here still, or gone for good.
  void settle_gift(verdict& found) {
    const bool here = survivor_.free(gifts_.given.buffer) == status::ok;
    found.kept(here || Operation::takes_gift, "what was on its way to somebody");
    found.kept(here || pool_.references(gifts_.given.buffer) == 0, "the gift is held by the dead");
  }

  guarded_span memory_{pool_type::bytes_required({.classes = classes})};
  pool_type pool_;
  member_type survivor_;
  pool_type::buffer_type shared_;
  gifts gifts_;
  std::vector<pool_type::buffer_type> kept_;
};

struct operation {
  static constexpr bool takes_gift = false;
  static constexpr bool reclaims = false;
};

struct allocate_operation : operation {
  static void run(const pool_type&, member_type& member, const gifts&, stage& here) {
    here.begin();
    const auto got = member.allocate(large);
    here.end(got);
  }
};

struct free_operation : operation {
  static void run(const pool_type&, member_type& member, const gifts&, stage& here) {
    auto got = member.allocate(1);
    here.begin();
    if (got) static_cast<void>(got->free());
  }
};

struct share_operation : operation {
  static void run(const pool_type&, member_type& member, const gifts& given, stage& here) {
    here.begin();
    const auto got = member.share(given.shared);
    here.end(got);
  }
};

/// Gives up a share in what the survivor holds, too.
struct unshare_operation : operation {
  static void run(const pool_type&, member_type& member, const gifts& given, stage& here) {
    auto got = member.share(given.shared);
    here.begin();
    static_cast<void>(got->free());
  }
};

struct adopt_operation : operation {
  static constexpr bool takes_gift = true;
  static void run(const pool_type&, member_type& member, const gifts& given, stage& here) {
    here.begin();
    const auto got = member.adopt(given.given);
    here.end(got);
  }
};

struct discard_operation : operation {
  static constexpr bool takes_gift = true;
  static void run(const pool_type&, member_type& member, const gifts& given, stage& here) {
    here.begin();
    static_cast<void>(member.discard(given.given));
  }
};

/// Adopts, rewrites and hands over again.
struct transfer_operation : operation {
  static constexpr bool takes_gift = true;
  static void run(const pool_type&, member_type& member, const gifts& given, stage& here) {
    here.begin();
    auto got = member.adopt(given.given);
    got->begin_write();
    fill_pattern(got->bytes(), 2);
    got->end_write();
    const auto passed = got->hand_over();
    here.note(0, passed.buffer.index);
    here.note(1, passed.buffer.generation);
    here.note(2, passed.from);
    here.must_show(1);
  }
};

struct reclaim_operation : operation {
  static constexpr bool reclaims = true;
  static void run(const pool_type& pool, member_type&, const gifts&, stage& here) {
    here.begin();
    pool.reclaim();
  }
};

struct join_operation : operation {
  static void run(const pool_type& pool, member_type&, const gifts&, stage& here) {
    here.begin();
    {
      const auto second = pool.join();
    }
  }
};

template <class Operation>
void add_operation(catalog& all, const char* name, thoroughness thorough) {
  for (const auto& how : situations) {
    if (how.taken > 6 && Operation::reclaims) continue;  // nothing left for the first to die
    const auto usual = thorough.in(&how == &situations[0]);
    add<member_dies<Operation>>(all, usual, "pool", name, how.name, how);
  }
}

}  // namespace

void add_pool(catalog& all) {
  add_operation<allocate_operation>(all, "allocate", central);
  add_operation<free_operation>(all, "free", central);
  add_operation<share_operation>(all, "share", central);
  add_operation<unshare_operation>(all, "unshare", central);
  add_operation<adopt_operation>(all, "adopt", central);
  add_operation<discard_operation>(all, "discard", central);
  add_operation<transfer_operation>(all, "transfer", central);
  add_operation<reclaim_operation>(all, "reclaim", slow);
  add_operation<join_operation>(all, "join", slow);
}

}  // namespace weir::test::kills
