// SPDX-License-Identifier: MIT
// Proved: in these runs, with a producer that drops what finds no room, every record that was accepted comes
// out once, in order and whole, and every gap is reported in its place with its exact length. Not provable
// by running: that no execution at all loses count.
#include "stress/traffic.hpp"
#include "support/memories.hpp"
#include "support/scale.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <sched.h>

#include <cstdint>
#include <cstring>
#include <thread>

using weir::drop_newest;
using weir::status;
using weir::wake_protocol;
using weir::test::account;
using weir::test::byte_traffic;
using weir::test::chaos_memory;
using weir::test::fresh_seed;
using weir::test::numbered;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::test_ring;
using weir::test::value_of;
using weir::test::watchdog;

namespace {

/// Tries each record once; the last one again and again, until it is accepted.
template <class Write>
void offer(std::uint32_t count, seeded_random& random, account& account, Write&& write) {
  for (std::uint32_t number = 0; number < count; ++number) {
    const bool last = number + 1 == count;
    for (;;) {
      const auto outcome = write(number);
      account.wrong += outcome == status::ok || outcome == status::full ? 0U : 1U;
      if (outcome == status::ok) ++account.next;
      if (outcome == status::ok || !last) break;
      sched_yield();
    }
    if (random.once_in(64)) sched_yield();
  }
}

auto reported(std::span<const std::byte> bytes) -> std::uint32_t {
  std::uint64_t count = 0;
  if (bytes.size() != sizeof count) return 0xFFFF'FFFF;
  std::memcpy(&count, bytes.data(), sizeof count);
  return static_cast<std::uint32_t>(count);
}

}  // namespace

TEST_CASE("what_was_offered_is_what_was_read_and_what_was_reported_as_dropped") {
  const watchdog hang;
  const auto seed = fresh_seed("drops of bytes");
  const auto count = scaled(1'000'000);
  for (const auto low_water : {0U, 512U}) {
    for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
      const test_ring<weir::bytes, chaos_memory> there{
          {.capacity = 1024, .wake = protocol, .start_position = 0U - 8192}};
      const byte_traffic traffic{there.ring.max_record()};
      account offered;
      account read;
      std::uint64_t drops = 0;
      std::thread reading{[&] {
        seeded_random random{seed + 1};
        auto consumer = there.ring.consumer<weir::park>().value();
        // The number of a repeated last record does not go up: its drops are counted apart.
        const auto show = [&](const weir::record_view& view) {
          if (view.type == weir::record_type::dropped) {
            drops += reported(view.bytes);
            return;
          }
          while (read.next < count && !traffic.is(view, read.next)) ++read.next;
          read.wrong += read.next < count ? 0U : 1U;
          ++read.next;
        };
        while (consumer.wait() == status::ok) {
          if (consumer.drain(show, 1 + random.below(20)).outcome == status::corrupt) ++read.wrong;
          for (auto naps = random.once_in(4) ? random.below(4) : 0; naps != 0; --naps)
            sched_yield();
        }
      }};
      std::uint32_t dropped = 0;
      {
        seeded_random random{seed};
        auto producer =
            there.ring.producer(drop_newest{.low_water = low_water, .report = true}).value();
        offer(count, random, offered, [&](std::uint32_t number) {
          auto claim = traffic.claim(producer, number);
          if (!claim) return claim.status();
          return traffic.commit(claim, number, number % 5 == 0);
        });
        dropped = producer.dropped();
        producer.close();
      }
      reading.join();
      CAPTURE(low_water, offered.next, dropped);
      CHECK(offered.wrong == 0);
      CHECK(read.wrong == 0);
      CHECK(read.next == count);
      CHECK(drops == dropped);
      CHECK(dropped > 0);
      CHECK(there.ring.statistics().consumer.late_wakes == 0);
      CHECK(there.ring.statistics().producer.drops == dropped);
      CHECK(there.memory.intact());
    }
  }
}

TEST_CASE("a_typed_ring_drops_and_counts_too") {
  const watchdog hang;
  const auto seed = fresh_seed("drops of values");
  const auto count = scaled(1'000'000);
  const test_ring<numbered, chaos_memory> there{{.capacity = 64, .start_position = 0U - 1000}};
  account offered;
  account read;
  std::thread reading{[&] {
    auto consumer = there.ring.consumer<weir::backoff>().value();
    const auto show = [&](const numbered& value) {
      const bool right = value == value_of(value[0]) && value[0] >= read.next;
      read.wrong += right ? 0U : 1U;
      read.next = value[0] + 1;
    };
    while (consumer.wait() == status::ok) {
      if (consumer.drain(show).outcome == status::corrupt) ++read.wrong;
      sched_yield();
    }
  }};
  std::uint32_t dropped = 0;
  std::uint32_t attempts = 0;
  {
    seeded_random random{seed};
    auto producer = there.ring.producer(drop_newest{.low_water = 16}).value();
    offer(count, random, offered, [&](std::uint32_t number) {
      ++attempts;
      return producer.try_write(value_of(number));
    });
    dropped = producer.dropped();
    producer.close();
  }
  reading.join();
  CHECK(offered.wrong == 0);
  CHECK(read.wrong == 0);
  CHECK(read.next == count);
  CHECK(offered.next + dropped == attempts);
  CHECK(there.ring.statistics().consumer.records == offered.next);
  CHECK(there.memory.intact());
}
