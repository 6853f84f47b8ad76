// SPDX-License-Identifier: MIT
// Proved: what spsc_ring.stress.cpp proves, between two processes that share the memory, and that a producer
// or a consumer that is killed at any moment has a successor that loses nothing. Not provable: as there; and
// no thread sanitizer sees across processes.
#include "stress/traffic.hpp"
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/scale.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

using weir::status;
using weir::wait_for_space;
using weir::wake_protocol;
using weir::test::account;
using weir::test::byte_traffic;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::fresh_seed;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::shared_progress;
using weir::test::test_ring;
using weir::test::typed_traffic;
using weir::test::watchdog;

namespace {

constexpr std::uint32_t endless = 0xFFFF'FFFF;

/// The child writes, this process reads. Both wait as `Wait` says.
template <class Traffic, class Wait>
void pass_on(wake_protocol protocol, std::uint32_t capacity, std::uint64_t seed) {
  const auto count = scaled(100'000);
  const test_ring<typename Traffic::element, chaos_memory> there{
      {.capacity = capacity,
       .wake = protocol,
       .process_shared = true,
       .start_position = 0U - 2 * capacity}};
  const Traffic traffic{there.ring.max_record()};
  child_process writer{[&] {
    weir::test::chaos_watch::seed = seed + 7;
    seeded_random random{seed};
    account written;
    auto producer = there.ring.producer(wait_for_space<Wait>{}).value();
    weir::test::produce(traffic, producer, count, random, written);
    producer.close();
    return written == account{count, 0, status::ok} ? 0 : 1;
  }};
  seeded_random random{seed + 1};
  account read;
  auto consumer = there.ring.template consumer<Wait>().value();
  weir::test::consume(traffic, consumer, endless, random, read);
  CAPTURE(static_cast<int>(protocol), name(read.ended));
  CHECK(writer.wait() == 0);
  CHECK(read == account{count, 0, status::closed});
  const auto [by_writer, by_reader] = there.ring.statistics();
  // Where only a flush rings, a sleeper may well find a record before that.
  CHECK((protocol == wake_protocol::at_flush || by_writer.late_wakes + by_reader.late_wakes == 0));
  CHECK(there.memory.intact());
}

}  // namespace

TEMPLATE_TEST_CASE("every_record_of_another_process_arrives_once_in_order_and_whole", "",
                   weir::poll, weir::backoff, weir::park) {
  const watchdog hang;
  const auto seed = fresh_seed("two processes");
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    if (TestType::parks && protocol == wake_protocol::none) continue;
    pass_on<byte_traffic, TestType>(protocol, 1024, seed);
    pass_on<typed_traffic, TestType>(protocol, 16, seed);
  }
}

TEST_CASE("writers_that_are_killed_at_any_moment_lose_nothing_that_they_published") {
  const watchdog hang;
  const auto seed = fresh_seed("killed writers");
  seeded_random random{seed};
  const test_ring<weir::bytes, chaos_memory> there{
      {.capacity = 1024, .process_shared = true, .start_position = 0U - 8192}};
  const byte_traffic traffic{there.ring.max_record()};
  auto consumer = there.ring.consumer<weir::park>().value();
  account read;
  for (std::uint32_t round = 0; round < scaled(400); ++round) {
    shared_progress progress;  // 0: ready; 1: number after the last one certainly published
    child_process writer{[&] {
      auto producer = there.ring.producer(wait_for_space<>{}).value();
      progress.set(1, read.next);
      progress.set(0, 1);
      for (auto number = read.next;; ++number) {
        auto claim = traffic.claim(producer, number);
        if (!claim || traffic.commit(claim, number, false) != status::ok) return 1;
        progress.set(1, number + 1);
      }
    }};
    progress.await(0, 1);
    seeded_random own{seed + round};
    weir::test::consume(traffic, consumer, read.next + random.below(30), own, read);
    writer.kill_and_reap();
    const auto published = progress.get(1);
    while (consumer.try_peek()) weir::test::consume(traffic, consumer, read.next + 1, own, read);
    const bool right = read.wrong == 0 && read.next >= published && read.next <= published + 1;
    if (!right) FAIL("round " << round << ": read " << read.next << " of " << published);
  }
  CHECK(there.memory.intact());
}

TEST_CASE("readers_that_are_killed_at_any_moment_have_successors_that_miss_nothing") {
  const watchdog hang;
  const auto seed = fresh_seed("killed readers");
  seeded_random random{seed};
  const test_ring<weir::test::numbered, chaos_memory> there{
      {.capacity = 64, .process_shared = true, .start_position = 0U - 1000}};
  auto producer = there.ring.producer(wait_for_space<weir::backoff>{}).value();
  std::uint32_t written = 0;
  shared_progress
      progress;  // 0: rounds begun; 1: number after the last one seen; 2: something wrong
  for (std::uint32_t round = 1; round <= scaled(400); ++round) {
    child_process reader{[&] {
      auto consumer = there.ring.consumer<weir::backoff>().value();
      bool first = true;
      progress.set(0, round);
      while (consumer.wait() == status::ok) {
        const auto done = consumer.drain([&](const weir::test::numbered& value) {
          // The first may be an old one that comes again; then there is no gap.
          const auto expected = progress.get(1);
          const bool right = value == weir::test::value_of(value[0]) &&
                             (first ? value[0] <= expected : value[0] == expected);
          if (!right) progress.set(2, 1);
          first = false;
          progress.set(1, value[0] + 1);
        });
        if (done.outcome == status::corrupt) progress.set(2, 1);
      }
      return 1;
    }};
    progress.await(0, round);
    for (auto more = 1 + random.below(100); more != 0; --more) {
      if (producer.write(weir::test::value_of(written)) == status::ok) ++written;
    }
    reader.kill_and_reap();
    if (progress.get(2) != 0) FAIL("round " << round);
  }
  auto consumer = there.ring.consumer<weir::backoff>().value();
  std::uint32_t expected = 0;
  std::uint32_t wrong = 0;
  bool first = true;
  auto outcome = status::ok;
  while (outcome == status::ok) {
    outcome = consumer
                  .drain([&](const weir::test::numbered& value) {
                    if (first) expected = value[0];
                    first = false;
                    wrong += value == weir::test::value_of(expected++) ? 0U : 1U;
                  })
                  .outcome;
  }
  CHECK(outcome == status::empty);
  CHECK(wrong == 0);
  CHECK((first || expected == written));
  CHECK(there.memory.intact());
}
