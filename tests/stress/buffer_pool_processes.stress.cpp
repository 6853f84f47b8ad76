// SPDX-License-Identifier: MIT
// Proved, as far as random kills go: members that are killed at any moment, while they allocate, share, hand
// over, free or reclaim, take nothing with them: after reclaim() no holding of a dead one is left, all
// buffers can be allocated, and what the living hold was never anybody else's. Not provable: that no moment
// is missed; and no thread sanitizer sees across processes.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/buffer_pool.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>
#include <vector>

using weir::pool_class;
using weir::pool_descriptor;
using weir::pool_handle;
using weir::status;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t processes = 3;
constexpr std::array<pool_class, 2> classes{{{24, 20}, {100, 36}}};
constexpr std::uint32_t buffers = 56;
constexpr weir::pool_options options{
    .classes = classes, .process_shared = true, .start_generation = 0x7FFF'F000};

/// Words beside the pool that all processes see.
class blackboard {
 public:
  /// Where handles and descriptors are left for whoever comes. 0: nothing.
  static constexpr std::uint32_t places = 16;

  void put(std::uint32_t place, pool_descriptor what) const {
    const auto word = std::uint64_t{what.buffer.generation} << 32 |
                      std::uint64_t{what.buffer.index} << 8 | (what.from + 1);
    weir::native_memory::store64(at(place), word, std::memory_order_release);
  }
  [[nodiscard]] auto get(std::uint32_t place) const -> std::optional<pool_descriptor> {
    return unpacked(weir::native_memory::load64(at(place), std::memory_order_acquire));
  }
  /// The same, for one only.
  [[nodiscard]] auto take(std::uint32_t place) const -> std::optional<pool_descriptor> {
    auto word = weir::native_memory::load64(at(place), std::memory_order_acquire);
    while (!weir::native_memory::cas64(at(place), word, 0, std::memory_order_acquire,
                                       std::memory_order_acquire)) {
    }
    return unpacked(word);
  }
  /// The generation of a buffer that was seen last, and what it becomes.
  auto advance(pool_handle handle) const -> bool {
    const auto before = weir::native_memory::exchange(words_.word(512 + 4 * handle.index),
                                                      handle.generation, std::memory_order_acq_rel);
    return before == 0 || static_cast<std::int32_t>(handle.generation - before) > 0;
  }

 private:
  static auto unpacked(std::uint64_t word) -> std::optional<pool_descriptor> {
    if (word == 0) return std::nullopt;
    const auto low = static_cast<std::uint32_t>(word);
    return pool_descriptor{{low >> 8, static_cast<std::uint32_t>(word >> 32)}, (low & 0xFF) - 1};
  }
  [[nodiscard]] auto at(std::uint32_t place) const -> std::uint64_t* {
    return reinterpret_cast<std::uint64_t*>(words_.word(place * 8));
  }
  guarded_span words_{1024};
};

auto content_of(pool_handle handle) -> std::uint32_t {
  return handle.generation * 64 + handle.index;
}

/// One process that lives until it is killed.
template <class Memory>
class life {
 public:
  life(const weir::buffer_pool<Memory>& pool, const blackboard& board, shared_progress& progress,
       std::uint32_t number, std::uint64_t seed)
      : pool_{pool},
        board_{board},
        progress_{progress},
        number_{number},
        random_{seed},
        member_{pool.join().value()} {}

  auto live() -> int {
    for (;;) {
      step();
      progress_.set(processes + number_, ++steps_);
    }
  }

 private:
  void step() {
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return allocate();
      case 4:
      case 5:
      case 6:
        return give_up_one();
      case 7:
      case 8:
        return hand_over();
      case 9:
      case 10:
      case 11:
        return adopt();
      case 12:
        return publish();
      case 13:
        return share();
      default:
        if (!random_.once_in(64)) return;
        pool_.reclaim();
    }
  }

  void expect(bool right) {
    if (!right) progress_.set(number_, ++wrong_);
  }
  void check(const weir::buffer<Memory>& buffer) {
    expect(weir::test::has_pattern(buffer.bytes(), content_of(buffer.handle())));
  }
  void keep(weir::result<weir::buffer<Memory>>& got) {
    held_.push_back(std::move(got).value());
    if (held_.size() > 12) give_up_one();
  }

  void allocate() {
    auto got = member_.allocate(random_.below(101));
    expect(got.status() == status::ok || got.status() == status::full);
    if (!got) return give_up_one();
    expect(board_.advance(got->handle()));
    expect(got->references() == 1);
    weir::test::fill_pattern(got->bytes(), content_of(got->handle()));
    keep(got);
  }
  void give_up_one() {
    if (held_.empty()) return;
    const auto at = some_held();
    check(held_[at]);
    const auto handle = held_[at].handle();
    expect(held_[at].free() == status::ok);
    expect(member_.free(handle) == status::stale);
    forget(at);
  }
  void hand_over() {
    if (held_.empty()) return;
    const auto at = some_held();
    check(held_[at]);
    const auto place = random_.below(blackboard::places / 2);
    const auto sent = held_[at].hand_over();
    // In a place that is taken it is lost: what its giver does not free by name stays until it dies.
    board_.put(place, sent);
    forget(at);
    if (random_.once_in(4)) {
      static_cast<void>(member_.free(sent.buffer));
    } else {
      on_its_way_.push_back(sent.buffer);
    }
    if (on_its_way_.size() > 6) {
      static_cast<void>(member_.free(on_its_way_[random_.below(6)]));
      on_its_way_.clear();
    }
  }
  void adopt() {
    const auto found = board_.take(random_.below(blackboard::places / 2));
    if (!found) return;
    auto got = member_.adopt(*found);
    if (!got) return expect(got.status() == status::stale || got.status() == status::busy);
    check(*got);
    std::erase(on_its_way_, found->buffer);
    keep(got);
  }
  void publish() {
    if (held_.empty()) return;
    const auto place = blackboard::places / 2 + random_.below(blackboard::places / 2);
    board_.put(place, {held_[some_held()].handle(), 0});
  }
  void share() {
    const auto found = board_.get(blackboard::places / 2 + random_.below(blackboard::places / 2));
    if (!found) return;
    auto got = member_.share(found->buffer);
    if (!got) return expect(got.status() == status::stale || got.status() == status::busy);
    check(*got);
    // For a moment only, in which a descriptor may be good once more that was taken back.
    const auto outcome = got->free();
    expect(outcome == status::ok || outcome == status::stale);
  }

  void forget(std::size_t at) {
    std::swap(held_[at], held_.back());
    held_.pop_back();
  }
  auto some_held() -> std::size_t {
    return random_.below(static_cast<std::uint32_t>(held_.size()));
  }

  weir::buffer_pool<Memory> pool_;
  const blackboard& board_;
  shared_progress& progress_;
  std::uint32_t number_;
  seeded_random random_;
  weir::pool_member<Memory> member_;
  std::vector<weir::buffer<Memory>> held_;
  std::vector<pool_handle> on_its_way_;
  std::uint32_t wrong_ = 0;
  std::uint32_t steps_ = 0;
};

template <class Memory>
class massacre {
 public:
  explicit massacre(std::uint64_t seed) : seed_{seed}, random_{seed} {}

  void run(std::chrono::milliseconds time) {
    for (std::uint32_t number = 0; number < processes; ++number) spawn(number);
    const auto end = std::chrono::steady_clock::now() + time;
    while (wrong == 0 && std::chrono::steady_clock::now() < end) {
      for (auto hints = random_.below(100'000); hints != 0; --hints) weir::native_memory::pause();
      const auto victim = random_.below(processes);
      while (progress_.get(processes + victim) == 0) weir::native_memory::yield();
      kill(victim);
      spawn(victim);
    }
    for (std::uint32_t number = 0; number < processes; ++number) kill(number);
  }

  /// After the death of all: true if the pool is as it was at first.
  auto whole() -> bool {
    if (pool_.for_each_held([](const auto&) {}) != 0) return false;
    std::vector<weir::pool_member<Memory>> members;
    while (auto joined = pool_.join()) members.push_back(std::move(joined).value());
    if (members.size() != weir::buffer_pool<Memory>::max_members) return false;
    std::vector<weir::buffer<Memory>> all;
    std::set<std::uint32_t> distinct;
    while (auto got = members[7].allocate(1)) {
      distinct.insert(got->handle().index);
      all.push_back(std::move(got).value());
    }
    return distinct.size() == buffers && all.size() == buffers && memory_.intact();
  }

  std::uint32_t wrong =
      0;  ///< what a process found that must not be, or a dead holding that stayed
  std::uint32_t kills = 0;
  std::uint32_t holdings = 0;  ///< of dead members, in the reports
  std::uint64_t steps = 0;

 private:
  void spawn(std::uint32_t number) {
    progress_.set(number, 0);
    progress_.set(processes + number, 0);
    const auto seed = seed_ + ++spawned_;
    children_[number].emplace([&, seed] {
      weir::test::chaos_watch::seed = seed;
      return life<Memory>{pool_, board_, progress_, number, seed}.live();
    });
  }

  void kill(std::uint32_t number) {
    children_[number]->kill_and_reap();
    children_[number].reset();
    ++kills;
    wrong += progress_.get(number);
    steps += progress_.get(processes + number);
    pool_.for_each_held([this](const weir::pool_entry& entry) { holdings += entry.dead != 0; });
    pool_.reclaim();
    // Nobody dies but by this process.
    pool_.for_each_held([this](const weir::pool_entry& entry) { wrong += entry.dead != 0; });
  }

  guarded_span memory_{weir::buffer_pool<Memory>::bytes_required(options)};
  weir::buffer_pool<Memory> pool_{
      weir::buffer_pool<Memory>::format(memory_.bytes(), options).value()};
  blackboard board_;
  shared_progress progress_;  // for each process: findings; then for each: steps
  std::uint64_t seed_;
  std::uint32_t spawned_ = 0;
  seeded_random random_;
  std::array<std::optional<child_process>, processes> children_;
};

template <class Memory>
void rage(const char* what) {
  const weir::test::watchdog watchdog;
  massacre<Memory> there{weir::test::fresh_seed(what)};
  there.run(std::chrono::milliseconds{scaled(7500)});
  CHECK(there.wrong == 0);
  CHECK(there.whole());
  CHECK(there.kills > 10);
  CHECK(there.holdings != 0);
  std::fprintf(stderr, "%s: %u killed, %u of their buffers in the reports, %llu steps\n", what,
               there.kills, there.holdings, static_cast<unsigned long long>(there.steps));
}

}  // namespace

TEST_CASE("members_that_are_killed_at_any_moment_take_no_buffer_with_them") {
  rage<weir::native_memory>("killed pool members");
}

TEST_CASE("members_that_are_killed_between_any_two_accesses_take_no_buffer_with_them") {
  rage<weir::test::chaos_memory>("killed pool members, chaos");
}
