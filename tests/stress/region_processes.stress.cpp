// SPDX-License-Identifier: MIT
// Proved, as far as random kills go: whenever members are killed, no region ever has two holders of whom both
// run, nothing that the living hold is taken from them, and after reclaim() every region and every place can be
// had again; what was left half written is odd, and elements that are not odd are whole. Not provable: that no
// moment is missed; and no thread sanitizer sees across processes.
#include "stress/region_rings.hpp"
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/region.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <vector>

using weir::owner_state;
using weir::reclaim_from;
using weir::region_descriptor;
using weir::regions_options;
using weir::status;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::fresh_seed;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t workers = 3;
constexpr std::uint32_t count = 10;
constexpr std::uint32_t members = 2 * workers + count;
constexpr regions_options options{.shape = weir::geometry_of<std::uint32_t>(16, 20),
                                  .cut = weir::bands(count),
                                  .members = members,
                                  .process_shared = true};

/// What the processes share: regions, rings in a circle, and beside them who is where.
template <class Memory>
struct workshop : weir::test::regions_and_rings<Memory, workers> {
  guarded_span occupants{count * 4};  ///< for each region who is in it: generation | worker
  guarded_span generations{workers * 4};
  guarded_span faults{64};

  workshop() : weir::test::regions_and_rings<Memory, workers>{options} {}
  [[nodiscard]] auto generation(std::uint32_t worker) const noexcept -> std::uint32_t {
    return __atomic_load_n(generations.word(worker * 4), __ATOMIC_SEQ_CST);
  }
  void next_generation(std::uint32_t worker) const noexcept {
    __atomic_fetch_add(generations.word(worker * 4), 1, __ATOMIC_SEQ_CST);
  }
  void fault(std::uint32_t kind) const noexcept {
    __atomic_fetch_add(faults.word(kind * 4), 1, __ATOMIC_SEQ_CST);
  }
  /// Enters a region; whoever is still in there must be dead.
  void enter(std::uint32_t index, std::uint32_t self) const noexcept {
    const auto before = __atomic_exchange_n(occupants.word(index * 4), self, __ATOMIC_SEQ_CST);
    if (before != 0 && before >> 4 >= generation(before % 16)) fault(0);
  }
  /// Leaves it; nobody may have come in.
  void leave(std::uint32_t index, std::uint32_t self) const noexcept {
    auto expected = self;
    if (!__atomic_compare_exchange_n(occupants.word(index * 4), &expected, 0, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
      fault(1);
    }
  }
};

constexpr std::array<const char*, 5> fault_names{
    "entered a region that somebody was in", "somebody entered a region that was held",
    "a region that was not odd was torn", "a region that was held was taken away", "odd outcome"};

/// Rewrites a region: every element becomes the number of writes. Of what is odd nothing is known.
template <class Memory, class Region>
void rewrite(const workshop<Memory>& there, Region& part, std::uint32_t self,
             seeded_random& random) noexcept {
  there.enter(part.index(), self);
  const bool whole = part.version() % 2 == 0;
  const auto number = part.row(0)[0];
  part.begin_write();
  for (std::uint32_t y = 0; y < part.rows(); ++y) {
    for (auto& element : part.row(y)) {
      if (whole && element != number) there.fault(2);
      Memory::copy_in_words(&element, &self, sizeof self);
    }
  }
  for (auto hints = random.below(300); hints != 0; --hints) weir::detail::cpu_pause();
  for (std::uint32_t y = 0; y < part.rows(); ++y) {
    for (auto& element : part.row(y)) {
      const auto next = number + 1;
      Memory::copy_in_words(&element, &next, sizeof next);
    }
  }
  part.end_write();
  there.leave(part.index(), self);
}

template <class Memory>
auto work_until_killed(const workshop<Memory>& there, std::uint32_t number, std::uint64_t seed)
    -> int {
  weir::test::chaos_watch::seed = seed;
  seeded_random random{seed};
  const auto self = there.generation(number) << 4 | number;
  static_cast<void>(there.set.reclaim());  // or the dead might have all places
  auto member = there.set.join();
  auto to = there.rings[number].producer();
  auto from = there.rings[(number + 1) % workers].consumer();
  if (!member || !to || !from) {
    there.fault(4);
    return 1;
  }
  for (;;) {
    auto part = random.once_in(2) ? member->claim(random.below(count))
                                  : member->claim_next(random.below(count));
    if (part) {
      rewrite(there, *part, self, random);
      if (random.once_in(3)) {
        const auto descriptor = part->hand_over();
        if (to->try_write(descriptor) != status::ok) {
          auto own = member->adopt(descriptor);
          if (!own || own->give_back() != status::ok) there.fault(3);
        }
      } else if (part->give_back() != status::ok) {
        there.fault(3);
      }
    } else if (part.status() != status::busy) {
      there.fault(4);
    }
    static_cast<void>(from->drain([&](const region_descriptor& descriptor) {
      auto adopted = member->adopt(descriptor);
      if (!adopted) {  // reclaimed, since its giver died; or shown to a consumer that died
        if (adopted.status() != status::stale) there.fault(4);
        return;
      }
      rewrite(there, *adopted, self, random);
      if (adopted->give_back() != status::ok) there.fault(3);
    }));
    if (random.once_in(200)) static_cast<void>(there.set.reclaim());
  }
}

template <class Memory>
void rage(const char* what) {
  const weir::test::watchdog watchdog;
  const auto seed = fresh_seed(what);
  seeded_random random{seed};
  const workshop<Memory> there;
  std::array<std::optional<child_process>, workers> processes;
  std::uint32_t kills = 0;
  std::uint32_t reclaimed = 0;
  std::uint32_t torn = 0;
  const auto spawn = [&](std::uint32_t worker) {
    processes[worker].reset();
    there.next_generation(worker);
    const auto next = seed + kills * 16 + worker;
    processes[worker].emplace([&] { return work_until_killed(there, worker, next); });
  };
  for (std::uint32_t worker = 0; worker < workers; ++worker) spawn(worker);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{scaled(5000)};
  while (std::chrono::steady_clock::now() < end) {
    for (auto hints = random.below(200'000); hints != 0; --hints) weir::detail::cpu_pause();
    const auto worker = random.below(workers);
    there.next_generation(worker);  // from here on it counts as dead
    processes[worker]->kill_and_reap();
    ++kills;
    if (random.once_in(2)) reclaimed += there.set.reclaim().things;
    spawn(worker);
  }
  for (std::uint32_t worker = 0; worker < workers; ++worker) {
    there.next_generation(worker);
    processes[worker]->kill_and_reap();
  }
  reclaimed += there.set.reclaim().things;

  for (std::uint32_t kind = 0; kind < fault_names.size(); ++kind) {
    CAPTURE(fault_names[kind]);
    CHECK(*there.faults.word(kind * 4) == 0);
  }
  {
    const auto member = there.set.join().value();
    for (std::uint32_t index = 0; index < count; ++index) {
      CHECK(there.set.owner(index) == owner_state::free);
      auto part = member.claim(index);
      REQUIRE(part);
      torn += part->version() % 2;
      rewrite(there, *part, 1U << 30, random);
      CHECK(part->version() % 2 == 0);
    }
  }
  std::vector<typename workshop<Memory>::set_type::member_type> all;
  while (auto member = there.set.join()) all.push_back(std::move(*member));
  CHECK(all.size() == members);
  CHECK(*there.faults.word(0) == 0);
  CHECK(there.control.intact());
  CHECK(there.buffer.intact());
  CHECK(kills > 20);
  std::fprintf(stderr, "%s: %u killed, %u regions reclaimed by the survivor, %u torn at the end\n",
               what, kills, reclaimed, torn);
}

}  // namespace

TEST_CASE("regions_of_killed_processes_are_reclaimed_and_never_have_two_holders") {
  rage<weir::native_memory>("killed holders");
  rage<chaos_memory>("killed holders, chaos");
}
