// SPDX-License-Identifier: MIT
// Rings of byte records: closing, stopping, waiting for space, dropping.
//
// Proved, for every execution: what was published before a close is read before `closed` is said, by sleepers
// too; either side's close wakes the other; a producer that waits for space gets it, whoever sleeps; what is
// dropped is counted, and what is not arrives in order.
// Bounds: rings of 64 bytes, at most five records.
#include "model/spsc_sides.hpp"

#include <cstdint>

namespace {

using namespace weir;
using namespace weir::model;

using patient = wait_for_space<park_now>;

auto fill_up(run& run, auto& producer) {
  for (std::uint64_t value = 1; value <= records_that_fit; ++value) {
    run.check(put(producer, value) == status::ok, "the ring fills");
  }
}

// --- closing

/// A producer that closes behind its records: the consumer reads them all, awake or asleep.
template <wait_policy Wait>
void closed_behind(run& run, wake_protocol wake, bool later) {
  const auto ring = make_byte_ring(run, {.wake = wake});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<Wait>().value(); });
  run.thread("producer", [&] {
    const auto outcome = later ? put_later(producer, 1) : put(producer, 1);
    run.check(outcome == status::ok, "there is room");
    producer.close();
    run.check(put(producer, 2) == status::closed, "and no more after the end");
  });
  run.thread("consumer", [&] {
    std::uint64_t value = 0;
    if constexpr (Wait::parks) {
      run.check(wait_and_take(consumer) == 1, "what preceded the end is read");
      run.check(consumer.wait() == status::closed, "then the end");
    } else {
      run.check(take_at_last(consumer) == 1, "what preceded the end is read");
      run.check(take_at_last(consumer) == 0, "then nothing more");
    }
    run.check(take(consumer, value) == status::closed, "the end stays");
  });
  static_cast<void>(run.go());
}
void closed_unfenced(run& run) { closed_behind<poll>(run, wake_protocol::none, false); }
void closed_batch_unfenced(run& run) { closed_behind<poll>(run, wake_protocol::none, true); }
void closed_fenced(run& run) { closed_behind<park_now>(run, wake_protocol::fenced, false); }
void closed_asymmetric(run& run) { closed_behind<park_now>(run, wake_protocol::asymmetric, false); }
void closed_batch(run& run) { closed_behind<park_now>(run, wake_protocol::asymmetric, true); }
void closed_at_flush(run& run) { closed_behind<park_now>(run, wake_protocol::at_flush, true); }

/// A consumer that closes: the producer is told, asleep too; what it still published can be read.
void closed_by_consumer(run& run, wake_protocol wake) {
  const auto ring = make_byte_ring(run, {.wake = wake});
  auto producer = run.as(1, [&] { return ring.producer<patient>().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  fill_up(run, producer);
  std::uint64_t written = records_that_fit;
  run.thread("producer", [&] {
    const auto outcome = fill(producer.claim(8), written + 1).outcome;
    if (outcome == status::ok) ++written;
    run.check(outcome == status::ok || outcome == status::closed, "room, or the end");
  });
  run.thread("consumer", [&] {
    std::uint64_t value = 0;
    run.check(take(consumer, value) == status::ok && value == 1, "one is read");
    consumer.close();
  });
  if (!run.go()) return;
  std::uint64_t value = 0;
  for (std::uint64_t next = 2; next <= written; ++next) {
    run.check(take(consumer, value) == status::ok && value == next, "the others can be read");
  }
  run.check(take(consumer, value) == status::closed, "then the end");
}
void closed_against_fenced(run& run) { closed_by_consumer(run, wake_protocol::fenced); }
void closed_against_asymmetric(run& run) { closed_by_consumer(run, wake_protocol::asymmetric); }

/// Both at once, both asleep before: nobody sleeps on.
void closed_by_both(run& run) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::asymmetric});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<park_now>().value(); });
  run.thread("producer", [&] {
    const auto outcome = put(producer, 1);
    run.check(outcome == status::ok || outcome == status::closed, "room, or the end");
    producer.close();
  });
  run.thread("consumer", [&] {
    consumer.close();
    const auto outcome = consumer.wait();
    run.check(outcome == status::ok || outcome == status::closed, "a record, or the end");
  });
  static_cast<void>(run.go());
}

/// A third asks both to stop while they sleep.
void stopped(run& run) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::fenced});
  auto& stop = run.object<stop_word>();
  auto producer = run.as(1, [&] { return ring.producer<patient>().value(); });
  fill_up(run, producer);
  run.thread("producer", [&] {
    run.check(producer.claim(8, no_deadline, &stop).status() == status::stopped, "it stops");
  });
  run.thread("director", [&] { ring.request_stop(stop); });
  static_cast<void>(run.go());
}
void stopped_empty(run& run) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::asymmetric});
  auto& stop = run.object<stop_word>();
  auto consumer = run.as(1, [&] { return ring.consumer<park_now>().value(); });
  run.thread("consumer",
             [&] { run.check(consumer.wait(no_deadline, &stop) == status::stopped, "it stops"); });
  run.thread("director", [&] { ring.request_stop(stop); });
  static_cast<void>(run.go());
}

// --- waiting for space

/// A full ring, and a producer that sleeps until the consumer lets go.
template <wait_policy Wait>
void space_awaited(run& run, wake_protocol wake, std::uint32_t start, bool process_shared) {
  const auto ring = make_byte_ring(
      run, {.wake = wake, .process_shared = process_shared, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer<patient>().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<Wait>().value(); });
  fill_up(run, producer);
  run.thread("producer", [&] {
    run.check(fill(producer.claim(8), 4).outcome == status::ok, "there is room at last");
  });
  run.thread("consumer", [&] {
    for (std::uint64_t value = 1; value <= 4; ++value) {
      const auto got = Wait::parks ? wait_and_take(consumer) : take_at_last(consumer);
      run.check(got == value, "records arrive in order");
    }
  });
  static_cast<void>(run.go());
}
void space_fenced(run& run) { space_awaited<poll>(run, wake_protocol::fenced, 40, false); }
void space_asymmetric(run& run) {
  space_awaited<poll>(run, wake_protocol::asymmetric, 0U - 24, false);
}
void space_and_records(run& run) {
  space_awaited<park_now>(run, wake_protocol::asymmetric, 0x8000'0000 - 24, false);
}

/// The consumer dies instead: the sleeping producer is told.
void space_of_the_dead(run& run) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::fenced, .process_shared = true});
  auto producer = run.as(1, [&] { return ring.producer<patient>().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  fill_up(run, producer);
  run.thread("producer", [&] {
    const auto outcome = fill(producer.claim(8), 4).outcome;
    run.check(outcome == status::ok || outcome == status::peer_dead, "room, or nobody");
    run.check(outcome == status::ok || run.was_killed(2), "nobody only where it died");
  });
  run.thread("consumer", [&] {
    std::uint64_t value = 0;
    for (int i = 0; i < 3; ++i) run.check(take(consumer, value) == status::ok, "read");
  });
  static_cast<void>(run.go());
}

// --- dropping

/// A full ring that drops: what arrives and what was dropped make up what was written.
void dropped(run& run, drop_newest policy, std::uint64_t attempts) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::none, .start_position = 40});
  auto producer = run.as(1, [&] { return ring.producer(policy).value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  fill_up(run, producer);
  std::uint64_t accepted = 0, newest = 0, read = 0, reported = 0;
  run.thread("producer", [&] {
    for (std::uint64_t i = 1; i <= attempts; ++i) {
      const auto outcome = put(producer, records_that_fit + i);
      run.check(outcome == status::ok || outcome == status::full, "written, or dropped");
      if (outcome == status::ok) ++accepted;
    }
  });
  const auto drain = [&] {
    static_cast<void>(consumer.drain([&](const record_view& record) {
      const auto value = value_of(record.bytes);
      if (record.type == record_type::dropped) return static_cast<void>(reported += value);
      run.check(value > newest, "records arrive in order");
      run.check(!policy.report || value == newest + 1 + reported, "a gap is reported before");
      newest = value, ++read;
      reported = policy.report ? 0 : reported;
    }));
  };
  run.thread("consumer", [&] { drain(), drain(); });
  if (!run.go()) return;
  drain();
  run.check(read == records_that_fit + accepted, "what was written arrives");
  run.check(producer.dropped() == attempts - accepted, "what was not is counted");
}
void dropped_plainly(run& run) { dropped(run, {}, 2); }
void dropped_to_the_mark(run& run) { dropped(run, {.low_water = 32}, 2); }
void dropped_with_report(run& run) { dropped(run, {.report = true}, 2); }

constexpr bounds few{.preemptions = 3};
constexpr bounds consumer_dies{
    .preemptions = 2, .kills = 1, .killable = 1U << 2, .time_passes = true};

constexpr scenario scenarios[] = {
    {"spsc bytes: what preceded a close is read, no bell", closed_unfenced},
    {"spsc bytes: a batch before a close is read, no bell", closed_batch_unfenced},
    {"spsc bytes: what preceded a close is read asleep, fenced", closed_fenced, few},
    {"spsc bytes: what preceded a close is read asleep, asymmetric", closed_asymmetric, few},
    {"spsc bytes: a batch before a close is read asleep, asymmetric", closed_batch},
    {"spsc bytes: a batch before a close is read asleep, at flush", closed_at_flush},
    {"spsc bytes: a consumer's close wakes the producer, fenced", closed_against_fenced},
    {"spsc bytes: a consumer's close wakes the producer, asymmetric", closed_against_asymmetric},
    {"spsc bytes: both close and nobody sleeps on", closed_by_both},
    {"spsc bytes: a stop wakes a producer that waits for space", stopped},
    {"spsc bytes: a stop wakes a consumer", stopped_empty},
    {"spsc bytes: space wakes a producer, fenced", space_fenced, few},
    {"spsc bytes: space wakes a producer, asymmetric, before 2^32", space_asymmetric, few},
    {"spsc bytes: space and records wake both, asymmetric, before 2^31", space_and_records, few},
    {"spsc bytes: a dead consumer ends the wait for space", space_of_the_dead, consumer_dies},
    {"spsc bytes: what is dropped is counted", dropped_plainly, few},
    {"spsc bytes: what is dropped is counted, with a low-water mark", dropped_to_the_mark, few},
    {"spsc bytes: what is dropped is reported where it is missing", dropped_with_report, few},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
