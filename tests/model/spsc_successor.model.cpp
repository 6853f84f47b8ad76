// SPDX-License-Identifier: MIT
// Rings of byte records whose sides die or leave at any step, and those that come after them.
//
// Proved, for every execution and every step at which a side may die: what a producer published is read,
// what it withheld or had only claimed never appears, its successor goes on behind it, over padding too; the
// successor of a consumer begins at the last position let go of, misses nothing and finds nothing overwritten.
// Bounds: rings of 64 bytes, at most four records, one death of either side, or one of each.
#include "model/spsc_sides.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace {

using namespace weir;
using namespace weir::model;

constexpr std::uint64_t heirs_value = 50;

auto options(wake_protocol wake, std::uint32_t start) -> spsc_options {
  return {.wake = wake, .process_shared = true, .start_position = start};
}

// --- dead producers

enum class how : std::uint8_t { singly, batch };

void write_two(auto& producer, how way) {
  if (way == how::singly) {
    for (std::uint64_t value = 1; value <= 2; ++value) static_cast<void>(put(producer, value));
  } else {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      static_cast<void>(put_later(producer, value));
    }
    producer.flush();
  }
}

/// Sleeps for records until there are none and the producer is dead. Returns  how many, in order from 1 on.
auto read_until_dead(run& run, auto& consumer, std::uint64_t most) -> std::uint64_t {
  std::uint64_t got = 0;
  while (got < most) {
    const auto outcome = consumer.wait();
    if (outcome == status::peer_dead) break;
    run.check(outcome == status::ok, "a record, or a death");
    std::uint64_t value = 0;
    run.check(take(consumer, value) == status::ok && value == ++got, "records arrive in order");
  }
  return got;
}

/// The producer dies; the consumer is told once it has read all. Then a successor writes.
void producer_dies(run& run, how way, std::uint32_t start, std::uint32_t before) {
  const auto ring = make_byte_ring(run, options(wake_protocol::fenced, start));
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<park_now>().value(); });
  go_round(producer, consumer, before);
  std::uint64_t got = 0;
  run.thread("producer", [&] { write_two(producer, way); });
  run.thread("consumer", [&] { got = read_until_dead(run, consumer, 2); });
  if (!run.go()) return;
  run.check(got == 2 || run.was_killed(1), "whoever lives is read");
  run.check(way == how::singly || got != 1, "a batch appears whole or not at all");
  if (!run.was_killed(1)) return;
  auto heir = ring.producer();
  run.check(static_cast<bool>(heir), "a dead producer's role can be taken");
  if (!heir) return;
  run.check(put(*heir, heirs_value) == status::ok, "there is room");
  std::uint64_t value = 0;
  run.check(take(consumer, value) == status::ok && value == heirs_value, "its record is the next");
  run.check(take(consumer, value) == status::empty, "and the last");
}
void dies_singly(run& run) { producer_dies(run, how::singly, 0, 0); }
void dies_singly_in_second_lap(run& run) { producer_dies(run, how::singly, 0, 3); }
void dies_over_the_end(run& run) { producer_dies(run, how::singly, 0x8000'0000 - 64, 2); }
void dies_in_a_batch(run& run) { producer_dies(run, how::batch, 0U - 64, 3); }
void dies_in_a_batch_over_the_end(run& run) { producer_dies(run, how::batch, 0U - 64, 2); }

/// The producer leaves or dies while its successor waits for the role.
void succeeded(run& run, std::uint32_t start, std::uint32_t before) {
  const auto ring = make_byte_ring(run, options(wake_protocol::none, start));
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.consumer().value(); });
  go_round(producer, consumer, before);
  run.thread("producer", [&] {
    auto mine = std::move(producer);
    static_cast<void>(put(mine, 1));
  });
  run.thread("heir", [&] {
    for (;;) {
      auto heir = ring.producer();
      if (heir) return run.check(put(*heir, heirs_value) == status::ok, "there is room");
      run.check(heir.status() == status::busy, "busy while it lives");
      model_memory::pause();
    }
  });
  if (!run.go()) return;
  run.check(run.has_ended(2), "the heir is done");
  std::uint64_t value = 0;
  run.check(take(consumer, value) == status::ok, "there is a record");
  run.check(value == 1 || (value == heirs_value && run.was_killed(1)),
            "the first one's, if it lives");
  if (value == 1) {
    run.check(take(consumer, value) == status::ok && value == heirs_value, "then the heir's");
  }
  run.check(take(consumer, value) == status::empty, "and nothing else");
}
void succeeded_in_second_lap(run& run) { succeeded(run, 0, 3); }
void succeeded_over_the_end(run& run) { succeeded(run, 0U - 64, 2); }

// --- dead consumers

/// The consumer dies at any step; its successor reads on, and the producer needs its space.
void consumer_dies(run& run, std::uint32_t start, std::uint64_t further) {
  const auto ring = make_byte_ring(run, options(wake_protocol::none, start));
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  const auto records = records_that_fit + further;
  for (std::uint64_t value = 1; value <= records_that_fit; ++value) {
    run.check(put(producer, value) == status::ok, "the ring fills");
  }
  std::uint64_t got = 0;
  std::vector<std::uint64_t> again;
  run.thread("producer", [&] {
    for (std::uint64_t value = records_that_fit + 1; value <= records; ++value) {
      put_at_last(producer, value);
    }
  });
  run.thread("consumer", [&] {
    auto mine = std::move(consumer);
    for (int i = 0; i < 2; ++i) {
      const auto value = take_at_last(mine);
      run.check(value == ++got, "records arrive in order");
    }
  });
  run.thread("heir", [&] {
    for (;;) {
      auto heir = ring.consumer();
      if (!heir) {
        run.check(heir.status() == status::busy, "busy while it lives");
        model_memory::pause();
        continue;
      }
      while (again.empty() || again.back() != records) again.push_back(take_at_last(*heir));
      return;
    }
  });
  if (!run.go()) return;
  run.check(!again.empty() && again.back() == records, "the heir reads to the end");
  run.check(again.front() <= got + 1, "nothing is missed");
  run.check(run.was_killed(2) || again.front() == got + 1, "whoever leaves has let go");
  for (std::size_t i = 1; i < again.size(); ++i) {
    run.check(again[i] == again[i - 1] + 1, "records arrive in order");
  }
}
void reader_dies(run& run) { consumer_dies(run, 0, 0); }
void reader_dies_full(run& run) { consumer_dies(run, 40, 1); }
void reader_dies_full_wrapping(run& run) { consumer_dies(run, 0U - 24, 1); }

/// Each side may die at any step: what is left can be taken over by others.
void both_die(run& run, how way) {
  const auto ring = make_byte_ring(run, options(wake_protocol::none, 0U - 64));
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round(producer, consumer, 2);
  std::uint64_t got = 0;
  run.thread("producer", [&] {
    auto mine = std::move(producer);
    write_two(mine, way);
  });
  run.thread("consumer", [&] {
    auto mine = std::move(consumer);
    std::uint64_t value = 0;
    for (int looks = 0; looks < 3; ++looks) {
      if (take(mine, value) == status::ok) run.check(value == ++got, "in order");
    }
  });
  if (!run.go()) return;
  const auto rest = rest_of(ring);
  auto next = rest.empty() ? got + 1 : rest.front();
  run.check(next <= got + 1, "nothing is missed");
  for (const auto value : rest) run.check(value == next++, "records arrive in order");
  run.check(run.was_killed(1) || next == 3, "all that was written");
  run.check(way == how::singly || next != 2, "a batch appears whole or not at all");
  auto heir = ring.producer();
  run.check(heir && put(*heir, heirs_value) == status::ok, "the producing role can be taken");
  run.check(rest_of(ring) == std::vector{heirs_value}, "and then the other");
}
void both_die_singly(run& run) { both_die(run, how::singly); }
void both_die_in_a_batch(run& run) { both_die(run, how::batch); }

constexpr bounds first_dies{.kills = 1, .killable = 1U << 1, .time_passes = true};
constexpr bounds first_seldom_dies{
    .preemptions = 2, .kills = 1, .killable = 1U << 1, .time_passes = true};
constexpr bounds second_of_three{.preemptions = 1, .kills = 1, .killable = 1U << 2};
constexpr bounds either_dies{.kills = 2};

constexpr scenario scenarios[] = {
    {"spsc bytes: what a dead producer published is read", dies_singly, first_dies},
    {"spsc bytes: what a dead producer published is read, second lap", dies_singly_in_second_lap,
     first_seldom_dies},
    {"spsc bytes: what a dead producer published is read, over the end, before 2^31",
     dies_over_the_end, first_seldom_dies},
    {"spsc bytes: a dead producer's batch is whole or gone, before 2^32", dies_in_a_batch,
     first_dies},
    {"spsc bytes: a dead producer's batch is whole or gone, over the end",
     dies_in_a_batch_over_the_end, first_dies},
    {"spsc bytes: a producer's successor goes on behind it", succeeded_in_second_lap, first_dies},
    {"spsc bytes: a producer's successor goes on behind it, over the end, before 2^32",
     succeeded_over_the_end, first_dies},
    {"spsc bytes: a consumer's successor misses nothing", reader_dies, second_of_three},
    {"spsc bytes: a consumer's successor finds nothing overwritten", reader_dies_full,
     second_of_three},
    {"spsc bytes: a consumer's successor finds nothing overwritten, before 2^32",
     reader_dies_full_wrapping, second_of_three},
    {"spsc bytes: either side dies, or both, and the ring goes on", both_die_singly, either_dies},
    {"spsc bytes: either side dies, or both, around a batch", both_die_in_a_batch, either_dies},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
