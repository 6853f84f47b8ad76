// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory of these scripts a process dies before, the others go on: no
// record that was published is lost, torn or read twice (a successor of a dead consumer may show again what
// was not released), nothing unpublished appears, and every slot can be taken again. Not provable here: a
// death between two machine instructions of one access, or inside a copy; no access depends on one.
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/mpsc_sides.hpp"
#include "support/watchdog.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

using weir::owner_state;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;
using weir::test::is_clean;
using weir::test::mpsc_byte_kind;
using weir::test::mpsc_typed_kind;
using weir::test::shared_progress;

namespace {

/// Numbers of the dead, of the survivor that wrote before it, of the one that writes after it.
constexpr std::uint32_t before = 1000;
constexpr std::uint32_t after = 2000;

template <class Kind>
auto format(const guarded_span& memory, std::uint64_t start) {
  return Kind::template ring<weir::native_memory>::format(memory.bytes(),
                                                          {.capacity = Kind::frames ? 256 : 16,
                                                           .producers = 3,
                                                           .recoverable = true,
                                                           .process_shared = true,
                                                           .start_position = start})
      .value();
}

template <class Kind>
auto bytes_required() -> std::uint64_t {
  return Kind::template ring<weir::native_memory>::bytes_required(
      {.capacity = Kind::frames ? 256 : 16, .producers = 3});
}

/// Writes in every way there is. `progress` 0: how many records are certainly published; 1: how many were
/// begun; 2: it was about to close.
template <class Kind, class Ring>
void produce(const Ring& ring, shared_progress& progress, bool close) {
  auto producer = ring.producer().value();
  std::uint32_t number = 0;
  const auto write = [&] {
    progress.set(1, number + 1);
    if (Kind::write(producer, number) != status::ok) return false;
    progress.set(0, ++number);
    return true;
  };
  write();
  {
    const auto aborted = Kind::claim(producer, 7);
    if constexpr (Kind::frames) weir::test::fill_pattern(aborted.bytes(), 9999);
  }
  progress.set(1, number + 3);
  number += Kind::write_batch(producer, number);
  progress.set(0, number);
  if constexpr (Kind::frames) {
    const auto aborted = producer.try_claim_batch(2, 10);
    auto claim = producer.try_claim(8);  // busy
  }
  if constexpr (Kind::frames) {
    progress.set(1, number + 1);
    auto claim = producer.try_claim(Kind::size_of(number) + 9);
    if (claim.shrink(Kind::size_of(number)) == status::ok &&
        Kind::commit(claim, number) == status::ok) {
      progress.set(0, ++number);
    }
  }
  write();
  producer.flush();
  if (close) {
    progress.set(2, 1);
    producer.close();
    return;
  }
  while (write()) {
  }
}

/// The records of the three writers, each of which must be whole and follow the one before.
struct order {
  std::array<std::uint32_t, 3> next{0, before, after};
  std::uint32_t wrong = 0;

  void take(std::uint32_t number) {
    auto& expected = next[number >= after ? 2 : number >= before ? 1 : 0];
    wrong += number == expected ? 0U : 1U;
    ++expected;
  }
};

/// Reads and recovers until nothing is left. Returns  the last outcome.
template <class Kind, class Consumer>
auto read_all(Consumer& consumer, order& seen) -> status {
  for (;;) {
    const auto done =
        consumer.drain([&](const auto& record) { seen.take(Kind::number_of(record)); });
    if (done.outcome == status::ok) continue;
    if (done.outcome != status::empty) return done.outcome;
    const auto recovered = consumer.recover();
    if (recovered.claims == 0 && recovered.outcome != status::ok) {
      return recovered.outcome == status::pending ? status::pending : done.outcome;
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a_producer_may_die_before_any_access_in_a_ring_for_many", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  const weir::test::watchdog watchdog;
  using crashing_ring = typename TestType::template ring<crash_memory>;
  const guarded_span memory{bytes_required<TestType>()};
  for (const auto start : {std::uint64_t{0}, std::uint64_t{0x1'0000'0000} - 64}) {
    for (const bool close : {false, true}) {
      std::uint32_t wrong = 0;
      std::uint32_t deaths = 0;
      for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
        const auto ring = format<TestType>(memory, start);
        shared_progress progress;
        auto survivor = ring.producer().value();
        auto consumer = ring.consumer().value();
        wrong += TestType::write(survivor, before) == status::ok ? 0U : 1U;
        child_process child{[&] {
          const auto crashing = crashing_ring::attach(memory.bytes()).value();
          crash_memory::die_before_access(fatal);
          produce<TestType>(crashing, progress, close);
          return 0;
        }};
        if (child.wait() == child_process::killed) ++deaths;

        // The survivor writes behind what is left of it, if there is room.
        const auto first = TestType::write(survivor, after);
        order seen;
        auto outcome = read_all<TestType>(consumer, seen);
        const bool closed = progress.get(2) != 0;
        const bool ended = outcome == status::empty || (closed && outcome == status::closed);
        const bool read = progress.get(0) <= seen.next[0] && seen.next[0] <= progress.get(1) &&
                          seen.next[1] == before + 1 &&
                          seen.next[2] == after + (first == status::ok ? 1 : 0);
        wrong += ended && read ? 0U : 1U;
        if (!closed) {
          // Everybody can write again: the survivor, and successors in both other slots.
          auto second = ring.producer();
          auto third = ring.producer();
          wrong += second && third && ring.producer().status() == status::full ? 0U : 1U;
          for (std::uint32_t count = 0; second && third && count < 100; ++count) {
            auto& writer = count % 3 == 0 ? survivor : count % 3 == 1 ? *second : *third;
            wrong += TestType::write(writer, seen.next[2]) == status::ok ? 0U : 1U;
            wrong += read_all<TestType>(consumer, seen) == status::empty ? 0U : 1U;
          }
        }
        consumer.flush();
        if constexpr (TestType::frames) wrong += is_clean(ring, memory) ? 0U : 1U;
        wrong += seen.wrong;
        if (wrong != 0) {
          FAIL("died before access " << fatal << ": " << name(outcome) << ", read " << seen.next[0]
                                     << " of " << progress.get(0) << " to " << progress.get(1)
                                     << ", wrong " << seen.wrong << ", close " << close);
        }
      }
      CHECK(deaths > 50);
      CHECK(memory.intact());
    }
  }
}

TEMPLATE_TEST_CASE("two_producers_may_die_before_any_access_one_behind_the_other", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  const weir::test::watchdog watchdog;
  using crashing_ring = typename TestType::template ring<crash_memory>;
  const guarded_span memory{bytes_required<TestType>()};
  // Takes a role and writes record 0. Returns true if that ended before the fatal access.
  const auto write_and_die = [&](std::uint32_t fatal, std::uint32_t& published) {
    shared_progress progress;
    child_process child{[&] {
      const auto crashing = crashing_ring::attach(memory.bytes()).value();
      crash_memory::die_before_access(fatal);
      auto producer = crashing.producer().value();
      if (TestType::write(producer, 0) == status::ok) progress.set(0, 1);
      return 0;
    }};
    const bool survived = child.wait() != child_process::killed;
    published += progress.get(0);
    return survived;
  };
  std::uint32_t harmless = 1;
  for (std::uint32_t published = 0;; ++harmless) {
    static_cast<void>(format<TestType>(memory, 0));
    if (write_and_die(harmless, published)) break;
  }
  CHECK(harmless > 20);
  // From where the role is taken on; counting the walk over the table, which is longer for the second.
  for (std::uint32_t first = harmless - 20; first <= harmless; ++first) {
    for (std::uint32_t second = harmless - 20; second <= harmless + 10; ++second) {
      const auto ring = format<TestType>(memory, 0);
      auto survivor = ring.producer().value();
      auto consumer = ring.consumer().value();
      std::uint32_t certain = 0;
      for (const auto fatal : {first, second}) static_cast<void>(write_and_die(fatal, certain));
      const bool wrote = TestType::write(survivor, after) == status::ok;
      std::uint32_t read = 0;
      std::uint32_t wrong = 0;
      bool last = false;
      for (;;) {
        const auto done = consumer.drain([&](const auto& record) {
          const auto number = TestType::number_of(record);
          wrong += last || (number != 0 && number != after) ? 1U : 0U;
          last = number == after;
          read += number == 0 ? 1U : 0U;
        });
        const auto recovered = consumer.recover();
        if (done.records == 0 && recovered.claims == 0) break;
      }
      const bool right = wrote && last && wrong == 0 && certain <= read && read <= 2 &&
                         consumer.recover().outcome == status::empty && ring.producer();
      if (!right) FAIL("died before " << first << " and " << second << ": " << read << certain);
    }
  }
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("a_dead_batch_appears_whole_or_not_at_all_behind_a_claim_that_died_trying", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  const weir::test::watchdog watchdog;
  using crashing_ring = typename TestType::template ring<crash_memory>;
  const guarded_span memory{bytes_required<TestType>()};
  const auto die = [&](std::uint32_t fatal, bool batch) {
    child_process child{[&] {
      const auto crashing = crashing_ring::attach(memory.bytes()).value();
      auto producer = crashing.producer().value();
      crash_memory::die_before_access(fatal);
      static_cast<void>(batch ? TestType::write_batch(producer, 0)
                              : static_cast<std::uint32_t>(TestType::write(producer, 7)));
      kill(getpid(), SIGKILL);
      return 0;
    }};
    static_cast<void>(child.wait());
  };
  std::uint32_t wrong = 0;
  for (std::uint32_t first = 1; first <= 12; ++first) {
    for (std::uint32_t second = 1; second <= 24; ++second) {
      const auto ring = format<TestType>(memory, 0);
      auto consumer = ring.consumer().value();
      die(first, false);
      die(second, true);
      std::uint32_t of_batch = 0;
      for (;;) {
        const auto done = consumer.drain(
            [&](const auto& record) { of_batch += TestType::number_of(record) < 3 ? 1U : 0U; });
        if (consumer.recover().claims == 0 && done.records == 0) break;
      }
      wrong += of_batch % 3 == 0 ? 0U : 1U;
    }
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("a_consumer_may_die_before_any_access_in_a_ring_for_many", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  const weir::test::watchdog watchdog;
  using crashing_ring = typename TestType::template ring<crash_memory>;
  const guarded_span memory{bytes_required<TestType>()};
  for (const auto start : {std::uint64_t{0}, std::uint64_t{0x1'0000'0000} - 64}) {
    std::uint32_t wrong = 0;
    std::uint32_t deaths = 0;
    for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
      const auto ring = format<TestType>(memory, start);
      shared_progress
          progress;  // 0: number after the last record that it was shown, or may have been
      auto producer = ring.producer().value();
      std::uint32_t written = 0;
      for (; written < 3; ++written) static_cast<void>(TestType::write(producer, written));
      child_process dead{[&] {  // leaves a claim, for the consumer to skip
        auto dying = ring.producer().value();
        auto claim = TestType::claim(dying, 1);
        if constexpr (TestType::frames) weir::test::fill_pattern(claim.bytes(), 0xDEAD);
        kill(getpid(), SIGKILL);
        return 0;
      }};
      static_cast<void>(dead.wait());
      for (; written < 6; ++written) static_cast<void>(TestType::write(producer, written));
      child_process child{[&] {
        const auto crashing = crashing_ring::attach(memory.bytes()).value();
        crash_memory::die_before_access(fatal);
        auto consumer = crashing.consumer().value();
        progress.set(0, 1);
        consumer.try_peek().release();
        const auto count = [&](const auto&) { progress.set(0, progress.get(0) + 1); };
        static_cast<void>(consumer.drain(count, 1));
        consumer.flush();
        static_cast<void>(consumer.drain(count));
        static_cast<void>(consumer.recover());
        static_cast<void>(consumer.drain(count));
        return 0;
      }};
      if (child.wait() == child_process::killed) ++deaths;

      auto taken = ring.consumer();
      if (!taken) FAIL("died before access " << fatal << ": " << name(taken.status()));
      auto& consumer = *taken;
      bool any = false;
      std::uint32_t next = 0;
      const auto check = [&](const auto& record) {
        const auto number = TestType::number_of(record);
        // What the dead one had not let go of comes again.
        wrong += any ? number != next : number > progress.get(0) ? 1U : 0U;
        any = true;
        next = number + 1;
      };
      const auto read_on = [&] {
        for (;;) {
          if (consumer.drain(check).records != 0) continue;
          if (consumer.recover().claims == 0) return;
        }
      };
      read_on();
      wrong += !any || next == 6 ? 0U : 1U;
      wrong += any || progress.get(0) >= 6 ? 0U : 1U;
      wrong += consumer.recover().outcome == status::empty ? 0U : 1U;
      for (std::uint32_t count = 0; count < 100; ++count, ++written) {
        wrong += TestType::write(producer, written) == status::ok ? 0U : 1U;
        read_on();
      }
      wrong += next == written ? 0U : 1U;
      wrong += ring.producer() ? 0U : 1U;
      consumer.flush();
      if constexpr (TestType::frames) wrong += is_clean(ring, memory) ? 0U : 1U;
      if (wrong != 0) FAIL("died before access " << fatal << ", next " << next);
    }
    CHECK(deaths > 30);
    CHECK(memory.intact());
  }
}

TEMPLATE_TEST_CASE("a_ring_whose_formatting_died_is_not_ready_or_whole_in_a_ring_for_many", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  using crashing_ring = typename TestType::template ring<crash_memory>;
  using ring = typename TestType::template ring<weir::native_memory>;
  const weir::mpsc_options options{.capacity = 64, .producers = 2};
  const guarded_span memory{ring::bytes_required(options)};
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    REQUIRE(ring::format(memory.bytes(), options));  // an old ring, which must not reappear
    child_process child{[&] {
      auto tagged = options;
      tagged.type_tag = 7;
      crash_memory::die_before_access(fatal);
      return crashing_ring::format(memory.bytes(), tagged) ? 0 : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto before_anything = fatal == 1;
    const auto outcome = ring::attach(memory.bytes(), 7).status();
    const auto expected = end == 0          ? status::ok
                          : before_anything ? status::bad_layout
                                            : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 20);
}
