// SPDX-License-Identifier: MIT
// Proved, as far as these executions go: every record that a thread publishes arrives once, whole, and in the
// order of its thread, with every wait policy and wake protocol, recoverable and not, in rings that are
// almost always full or empty. Not provable: that no other execution does otherwise.
#include "stress/labels.hpp"
#include "support/memories.hpp"
#include "support/mpsc_sides.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <sched.h>

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

using weir::mpsc_options;
using weir::status;
using weir::wait_for_space;
using weir::wake_protocol;
using weir::test::fresh_seed;
using weir::test::label;
using weir::test::labeled_bytes;
using weir::test::labeled_values;
using weir::test::mpsc_test_ring;
using weir::test::scaled;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t most_writers = 4;

/// What one thread has done; asserted on by the main thread.
struct account {
  std::uint32_t next = 0;
  std::uint32_t wrong = 0;
  status ended = status::ok;
};

/// Writes `count` records, in every way there is.
template <class Kind, class Producer>
void produce(Producer& producer, std::uint32_t owner, std::uint32_t count, std::uint64_t seed,
             account& account) noexcept {
  seeded_random random{seed};
  while (account.next < count) {
    const label what{owner, account.next};
    if (account.next + 3 <= count && random.once_in(4)) {
      account.next += Kind::write_batch(producer, what);
      continue;
    }
    auto claim = Kind::claim(producer, what);
    if (!claim) {
      account.ended = claim.status();
      if (account.ended != status::full) return;
      sched_yield();
      continue;
    }
    if (random.once_in(16)) continue;  // destruction aborts
    account.wrong += Kind::commit(claim, what) == status::ok ? 0U : 1U;
    ++account.next;
    if (random.once_in(32)) producer.flush();
  }
  account.ended = status::ok;
}

/// Reads until a wait ends otherwise than with a record.
template <class Kind, class Consumer>
void consume(Consumer& consumer, seeded_random& random, std::array<account, most_writers>& read,
             account& all) noexcept {
  const auto check = [&](const auto& record) {
    label seen{};
    const bool whole = Kind::label_of(record, seen) && seen.owner < most_writers;
    ++all.next;
    if (!whole) {
      ++all.wrong;
      return;
    }
    auto& writer = read[seen.owner];
    writer.wrong += seen.number == writer.next ? 0U : 1U;
    writer.next = seen.number + 1;
  };
  for (;;) {
    all.ended = consumer.wait();
    if (all.ended == status::empty) sched_yield();
    if (all.ended == status::empty) continue;
    if (all.ended != status::ok) return;
    if (random.once_in(4)) {
      auto peeked = consumer.try_peek();
      if (random.once_in(4)) continue;
      if constexpr (requires { peeked.type(); }) {
        check(weir::record_view{peeked.bytes(), peeked.type(), peeked.sequence()});
      } else {
        check(peeked.value());
      }
      peeked.release();
      continue;
    }
    const auto done =
        consumer.drain(check, random.once_in(2) ? weir::no_limit : 1 + random.below(5));
    if (done.outcome == status::corrupt) ++all.wrong;
  }
}

template <class Kind, class Memory, class Backpressure, class Wait>
void pass_on(const mpsc_options& options, std::uint32_t writers, std::uint32_t count,
             std::uint64_t seed) {
  const mpsc_test_ring<typename Kind::record_type, Memory> there{options};
  if constexpr (requires { Kind::most; }) {
    Kind::most = std::min(Kind::largest, there.ring.max_record() - 8);
  }
  weir::test::chaos_watch::seed = seed;
  std::array<account, most_writers> written{};
  std::array<account, most_writers> read{};
  account all;
  {
    auto consumer = there.ring.template consumer<Wait>().value();
    std::vector<std::thread> threads;
    for (std::uint32_t owner = 0; owner < writers; ++owner) {
      threads.emplace_back([&, owner] {
        auto taken = there.ring.producer(Backpressure{});
        if (!taken) {
          written[owner].ended = taken.status();
          return;
        }
        produce<Kind>(*taken, owner, count, seed + owner, written[owner]);
      });
    }
    std::thread closer{[&] {
      for (auto& thread : threads) thread.join();
      there.ring.producer().value().close();
    }};
    seeded_random random{seed};
    consume<Kind>(consumer, random, read, all);
    closer.join();
  }
  CAPTURE(options.capacity, options.recoverable, writers, name(all.ended));
  CHECK(all.ended == status::closed);
  CHECK(all.wrong == 0);
  CHECK(all.next == writers * count);
  std::uint32_t late = there.ring.statistics().consumer.late_wakes;
  for (std::uint32_t owner = 0; owner < writers; ++owner) {
    CHECK(written[owner].next == count);
    CHECK(written[owner].wrong == 0);
    CHECK(written[owner].ended == status::ok);
    CHECK(read[owner].next == count);
    CHECK(read[owner].wrong == 0);
  }
  for (std::uint32_t slot = 0; slot < there.ring.producers(); ++slot) {
    late += there.ring.statistics(slot).late_wakes;
  }
  CHECK((options.wake == wake_protocol::at_flush || late == 0));
  CHECK(there.ring.statistics().consumer.records == writers * count);
  CHECK(there.memory.intact());
  if constexpr (std::is_same_v<Kind, labeled_bytes>) CHECK(is_clean(there.ring, there.memory));
}

template <class Kind, class Memory, class Backpressure, class Wait>
void pass_on_everything(std::uint64_t seed, std::uint32_t count) {
  constexpr bool frames = std::is_same_v<Kind, labeled_bytes>;
  constexpr auto small = frames ? 64U : 2U;
  constexpr auto large = frames ? 16384U : 1024U;
  for (const auto capacity : {small, large}) {
    for (const bool recoverable : {false, true}) {
      for (std::uint32_t writers = 1; writers <= most_writers; ++writers) {
        for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
          pass_on<Kind, Memory, Backpressure, Wait>({.capacity = capacity,
                                                     .producers = most_writers + 1,
                                                     .recoverable = recoverable,
                                                     .wake = protocol,
                                                     .start_position = 0x8'0000'0000 - 8192},
                                                    writers, count / writers, seed++);
        }
      }
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every_record_of_every_thread_arrives_once_in_order_and_whole", "",
                   labeled_bytes, labeled_values) {
  const weir::test::watchdog watchdog;
  const auto seed = fresh_seed("many threads");
  using memory = weir::native_memory;
  const auto count = scaled(60'000);
  pass_on_everything<TestType, memory, weir::reject, weir::poll>(seed, count);
  pass_on_everything<TestType, memory, wait_for_space<weir::backoff>, weir::backoff>(seed, count);
  pass_on_everything<TestType, memory, wait_for_space<weir::park>, weir::park>(seed, count);
}

TEMPLATE_TEST_CASE("the_same_where_every_access_may_be_delayed", "", labeled_bytes,
                   labeled_values) {
  const weir::test::watchdog watchdog;
  const auto seed = fresh_seed("many threads, chaos");
  using memory = weir::test::chaos_memory;
  const auto count = scaled(20'000);
  pass_on_everything<TestType, memory, weir::reject, weir::poll>(seed, count);
  pass_on_everything<TestType, memory, wait_for_space<weir::park>, weir::park>(seed, count);
}

TEST_CASE("no_wake_up_is_lost_where_only_a_flush_rings") {
  const weir::test::watchdog watchdog;
  const auto seed = fresh_seed("flushes");
  pass_on<labeled_values, weir::test::chaos_memory, weir::reject, weir::park>(
      {.capacity = 16, .wake = wake_protocol::at_flush}, 3, scaled(5'000), seed);
}
