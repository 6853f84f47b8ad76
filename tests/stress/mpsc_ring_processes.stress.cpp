// SPDX-License-Identifier: MIT
// Proved, as far as random kills go: producers that are killed at any moment lose nothing that they had
// published, leave nothing unpublished behind, and never stop the others; their slots are taken again. Not
// provable: that no moment is missed; and no thread sanitizer sees across processes.
#include "stress/labels.hpp"
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/mpsc_sides.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>

using weir::status;
using weir::wait_for_space;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::fresh_seed;
using weir::test::label;
using weir::test::labeled_bytes;
using weir::test::labeled_values;
using weir::test::mpsc_test_ring;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t writers = 3;

/// The words of one writer in the shared progress: what is certainly published, what was begun.
auto published(std::uint32_t writer) -> std::uint32_t { return 2 * writer; }
auto begun(std::uint32_t writer) -> std::uint32_t { return 2 * writer + 1; }

template <class Kind, class Ring>
auto write_until_killed(const Ring& ring, shared_progress& progress, std::uint32_t writer,
                        std::uint32_t generation, std::uint64_t seed) -> int {
  weir::test::chaos_watch::seed = seed;
  seeded_random random{seed};
  auto producer = ring.producer(wait_for_space<>{}).value();
  for (label next{writer | generation << 4, 0};;) {  // writer: 4 bits
    if (random.once_in(8)) {
      const auto aborted = Kind::claim(producer, next);
      continue;
    }
    if (random.once_in(3)) {
      progress.set(begun(writer), next.number + 3);
      next.number += Kind::write_batch(producer, next);
    } else {
      progress.set(begun(writer), next.number + 1);
      auto claim = Kind::claim(producer, next);
      for (auto hints = random.below(500); hints != 0; --hints) weir::detail::cpu_pause();
      if (!claim || Kind::commit(claim, next) != status::ok) return 1;
      ++next.number;
    }
    progress.set(published(writer), next.number);
  }
}

/// One writer, as its reader sees it.
struct account {
  std::uint32_t generation = 0;
  std::uint32_t next = 0;  ///< number of the next record
  std::optional<child_process> process;
};

template <class Kind, class Memory>
class massacre {
 public:
  static constexpr std::uint32_t capacity = std::is_same_v<Kind, labeled_bytes> ? 2048 : 64;

  explicit massacre(std::uint64_t seed)
      : there_{{.capacity = capacity,
                .producers = 16,
                .recoverable = true,
                .process_shared = true,
                .start_position = 0x8'0000'0000 - 8192}},
        seed_{seed},
        random_{seed} {}

  void run(std::chrono::milliseconds time) {
    for (std::uint32_t writer = 0; writer < writers; ++writer) spawn(writer);
    const auto end = std::chrono::steady_clock::now() + time;
    while (wrong == 0 && std::chrono::steady_clock::now() < end) {
      for (auto rounds = random_.below(40); rounds != 0; --rounds) read(1 + random_.below(100));
      kill(random_.below(writers));
      if (random_.once_in(10)) {
        consumer_.reset();
        consumer_.emplace(there_.ring.consumer().value());
      }
    }
    for (std::uint32_t writer = 0; writer < writers; ++writer) {
      accounts_[writer].process->kill_and_reap();
    }
    while (read(weir::no_limit)) {
    }
    for (std::uint32_t writer = 0; writer < writers; ++writer) settle(writer);
    ended = consumer_->recover().outcome;
    recovered = there_.ring.statistics().recovered;
  }

  /// True if a new producer can write, and the consumer read it.
  auto works() -> bool {
    auto producer = there_.ring.producer(wait_for_space<>{}).value();
    for (label what{15, 0}; what.number < 1000; ++what.number) {
      auto claim = Kind::claim(producer, what);
      if (Kind::commit(claim, what) != status::ok) return false;
      label seen{};
      bool right = false;
      static_cast<void>(consumer_->drain(
          [&](const auto& record) { right = Kind::label_of(record, seen) && seen.owner == 15; }));
      if (!right || seen.number != what.number) return false;
    }
    consumer_->flush();
    return there_.memory.intact();
  }

  auto clean() -> bool { return is_clean(there_.ring, there_.memory); }

  std::uint32_t wrong = 0;   ///< records that were not what must come next
  std::uint32_t lost = 0;    ///< published, and not read
  std::uint32_t excess = 0;  ///< read, and never begun
  std::uint32_t kills = 0;
  std::uint64_t records = 0;
  std::uint32_t recovered = 0;
  status ended = status::ok;

 private:
  void spawn(std::uint32_t writer) {
    auto& account = accounts_[writer];
    account.next = 0;
    ++account.generation;
    progress_.set(published(writer), 0);
    progress_.set(begun(writer), 0);
    account.process.emplace([&] {
      return write_until_killed<Kind>(there_.ring, progress_, writer, account.generation,
                                      seed_ + account.generation * 16 + writer);
    });
  }

  void kill(std::uint32_t writer) {
    accounts_[writer].process->kill_and_reap();
    ++kills;
    // Behind its claims the others go on; all that is there is read before the successor begins.
    const auto victim = accounts_[writer].generation;
    for (auto rounds = 1 + random_.below(4); rounds != 0; --rounds) read(weir::no_limit);
    while (accounts_[writer].generation == victim) {
      const auto target = claim_position();
      while (read_position() < target) read(weir::no_limit);
      settle(writer);
      accounts_[writer].process.reset();
      spawn(writer);
    }
  }

  [[nodiscard]] auto word(std::uint32_t offset) const -> std::uint64_t {
    return weir::native_memory::load64(reinterpret_cast<std::uint64_t*>(there_.memory.word(offset)),
                                       std::memory_order_acquire);
  }
  [[nodiscard]] auto claim_position() const -> std::uint64_t {
    return word(weir::layout::mpsc::claim_position);
  }
  [[nodiscard]] auto read_position() -> std::uint64_t {
    consumer_->flush();
    return word(weir::layout::mpsc::read_position);
  }

  /// The dead writer's account: everything published was read.
  void settle(std::uint32_t writer) {
    const auto read = accounts_[writer].next;
    if (read < progress_.get(published(writer))) ++lost;
    if (read > progress_.get(begun(writer))) ++excess;
  }

  /// Returns  true if there was anything.
  auto read(std::uint32_t limit) -> bool {
    const auto done = consumer_->drain(
        [&](const auto& record) {
          label seen{};
          ++records;
          const bool whole = Kind::label_of(record, seen);
          auto& account = accounts_[seen.owner % 16 % writers];
          const bool next =
              whole && seen.owner >> 4 == account.generation && seen.number == account.next;
          wrong += next ? 0U : 1U;
          if (!next && wrong == 1) {
            std::fprintf(stderr, "whole %d writer %u generation %u number %u, expected %u %u\n",
                         whole, seen.owner % 16, seen.owner >> 4, seen.number, account.generation,
                         account.next);
          }
          account.next = seen.number + 1;
        },
        limit);
    if (done.outcome == status::corrupt) ++wrong;
    if (done.outcome != status::empty) return true;
    const auto skipped = consumer_->recover();
    if (skipped.outcome == status::corrupt) ++wrong;
    if (skipped.outcome == status::pending) sched_yield();
    return done.records != 0 || skipped.claims != 0 || skipped.outcome == status::ok;
  }

  mpsc_test_ring<typename Kind::record_type, Memory> there_;
  std::uint64_t seed_;
  seeded_random random_;
  shared_progress progress_;
  std::array<account, writers> accounts_;
  std::optional<typename Kind::template ring<Memory>::template consumer_type<>> consumer_{
      there_.ring.consumer().value()};
};

template <class Kind, class Memory>
void rage(const char* what) {
  const weir::test::watchdog watchdog;
  massacre<Kind, Memory> there{fresh_seed(what)};
  there.run(std::chrono::milliseconds{scaled(7500)});
  CHECK(there.wrong == 0);
  CHECK(there.lost == 0);
  CHECK(there.excess == 0);
  CHECK(there.ended == status::empty);
  CHECK(there.recovered <= there.kills + writers);
  CHECK(there.works());
  if constexpr (std::is_same_v<Kind, labeled_bytes>) CHECK(there.clean());
  std::fprintf(stderr, "%s: %u killed, %u claims skipped, %llu records\n", what, there.kills,
               there.recovered, static_cast<unsigned long long>(there.records));
}

}  // namespace

TEST_CASE("producers_of_bytes_that_are_killed_at_any_moment_lose_nothing_that_they_published") {
  rage<labeled_bytes, weir::native_memory>("killed byte producers");
  rage<labeled_bytes, chaos_memory>("killed byte producers, chaos");
}

TEST_CASE("producers_of_values_that_are_killed_at_any_moment_lose_nothing_that_they_published") {
  rage<labeled_values, weir::native_memory>("killed typed producers");
  rage<labeled_values, chaos_memory>("killed typed producers, chaos");
}
