// SPDX-License-Identifier: MIT
// Rings of values for one producer and one consumer.
//
// Proved, for every execution: values arrive whole, in order, once, awake or asleep, for both wake protocols,
// from positions 0 and before 2^31 and 2^32; stamps of the lap before are not taken for values; a batch
// appears whole; a slot is used again only once it was read; dead sides have successors that miss nothing.
// Bounds: rings of 2 and 4 slots, two to four values, one death of either side, or one of each.
#include "model/spsc_sides.hpp"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

using namespace weir;
using namespace weir::model;

using value_type = std::uint64_t;
using slot_ring = spsc_ring<value_type, model_memory>;
using patient = wait_for_space<park_now>;

auto make_ring(run& run, const spsc_options& options) -> slot_ring {
  return slot_ring::format(run.bytes(slot_ring::bytes_required(options.capacity)), options).value();
}

void write_at_last(auto& producer, value_type value) {
  while (producer.try_write(value) == status::full) model_memory::pause();
}
auto read_at_last(auto& consumer) -> value_type {
  value_type value = 0;
  status outcome;
  while ((outcome = consumer.try_read(value)) == status::empty) model_memory::pause();
  return outcome == status::ok ? value : 0;
}
auto peek_at_last(auto& consumer) -> value_type {
  for (;;) {
    if (auto slot = consumer.try_peek()) {
      const auto value = slot.value();
      slot.release();
      return value;
    }
    model_memory::pause();
  }
}
auto wait_and_read(auto& consumer) -> value_type {
  value_type value = 0;
  if (consumer.wait() != status::ok) return 0;
  return consumer.try_read(value) == status::ok ? value : 0;
}

/// A lap of values before the threads.
void go_round_slots(auto& producer, auto& consumer, std::uint32_t slots) {
  value_type value = 0;
  for (std::uint32_t i = 0; i < slots; ++i) {
    static_cast<void>(producer.try_write(100 + i));
    static_cast<void>(consumer.try_read(value));
  }
  consumer.flush();
}

/// Values through a small ring, whose slots are used again.
template <wait_policy Wait>
void through_the_ring(run& run, const spsc_options& options, value_type values) {
  const auto ring = make_ring(run, options);
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<Wait>().value(); });
  go_round_slots(producer, consumer, options.capacity);
  run.thread("producer", [&] {
    for (value_type value = 1; value <= values; ++value) write_at_last(producer, value);
  });
  run.thread("consumer", [&] {
    for (value_type value = 1; value <= values; ++value) {
      const auto got = Wait::parks ? wait_and_read(consumer) : read_at_last(consumer);
      run.check(got == value, "values arrive whole and in order");
    }
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
/// The same, looked at where they lie.
void peeked(run& run) {
  const auto ring = make_ring(run, {.capacity = 2, .wake = wake_protocol::none});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round_slots(producer, consumer, 2);
  run.thread("producer", [&] {
    for (value_type value = 1; value <= 3; ++value) write_at_last(producer, value);
  });
  run.thread("consumer", [&] {
    for (value_type value = 1; value <= 3; ++value) {
      run.check(peek_at_last(consumer) == value, "values arrive whole and in order");
    }
  });
  static_cast<void>(run.go());
}
void watched(run& run) {
  through_the_ring<poll>(run, {.capacity = 2, .wake = wake_protocol::none}, 3);
}
void watched_half(run& run) {
  through_the_ring<poll>(
      run, {.capacity = 2, .wake = wake_protocol::none, .start_position = 0x7FFF'FFFC}, 3);
}
void watched_wrapping(run& run) {
  through_the_ring<poll>(
      run, {.capacity = 2, .wake = wake_protocol::none, .start_position = 0xFFFF'FFFC}, 3);
}
void asleep_fenced(run& run) {
  through_the_ring<park_now>(run, {.capacity = 2, .wake = wake_protocol::fenced}, 2);
}
void asleep_asymmetric(run& run) {
  through_the_ring<park_now>(
      run, {.capacity = 2, .wake = wake_protocol::asymmetric, .start_position = 0xFFFF'FFFD}, 2);
}

/// Drained instead, in runs of whatever is there.
void drained_ring(run& run) {
  const auto ring =
      make_ring(run, {.capacity = 2, .wake = wake_protocol::none, .start_position = 0xFFFF'FFFD});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round_slots(producer, consumer, 2);
  run.thread("producer", [&] {
    for (value_type value = 1; value <= 3; ++value) write_at_last(producer, value);
  });
  run.thread("consumer", [&] {
    for (value_type next = 1; next <= 3;) {
      const auto shown = consumer.drain([&](const value_type& value) {
        run.check(value == next++, "values arrive whole and in order");
      });
      if (shown.records == 0) model_memory::pause();
    }
  });
  static_cast<void>(run.go());
}

/// Withheld values appear together.
template <wait_policy Wait>
void batch(run& run, wake_protocol wake, std::uint32_t start, bool by_commit) {
  const auto ring = make_ring(run, {.capacity = 4, .wake = wake, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<Wait>().value(); });
  go_round_slots(producer, consumer, 4);
  run.thread("producer", [&] {
    if (!by_commit) {
      static constexpr std::array<value_type, 3> values{1, 2, 3};
      return run.check(producer.try_write_batch(values) == 3, "there is room");
    }
    static_cast<void>(producer.try_claim().commit_later(1));
    static_cast<void>(producer.try_claim().commit_later(2));
    run.check(producer.try_write(3) == status::ok, "there is room");
  });
  run.thread("consumer", [&] {
    value_type next = 1;
    if (Wait::parks) run.check(consumer.wait() == status::ok, "a batch wakes");
    while (next == 1) {
      static_cast<void>(consumer.drain([&](const value_type& value) {
        run.check(value == next++, "values arrive whole and in order");
      }));
      run.check(next == 1 || next > (by_commit ? 2 : 3), "a batch appears whole");
      if (next == 1) model_memory::pause();
    }
    while (next <= 3) run.check(read_at_last(consumer) == next++, "then the next");
  });
  static_cast<void>(run.go());
}
void batch_written(run& run) { batch<poll>(run, wake_protocol::none, 0, false); }
void batch_written_asleep(run& run) {
  batch<park_now>(run, wake_protocol::asymmetric, 0x7FFF'FFFA, false);
}
void batch_committed(run& run) { batch<park_now>(run, wake_protocol::fenced, 0xFFFF'FFFA, true); }

void closed(run& run) {
  const auto ring = make_ring(run, {.capacity = 2, .wake = wake_protocol::none});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  run.thread("producer", [&] {
    static_cast<void>(producer.try_claim().commit_later(1));
    producer.close();
  });
  run.thread("consumer", [&] {
    run.check(read_at_last(consumer) == 1, "what preceded the end is read");
    run.check(read_at_last(consumer) == 0, "then nothing more");
  });
  static_cast<void>(run.go());
}

void space_awaited(run& run, wake_protocol wake) {
  const auto ring = make_ring(run, {.capacity = 2, .wake = wake, .start_position = 0xFFFF'FFFF});
  auto producer = run.as(1, [&] { return ring.producer<patient>().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<park_now>().value(); });
  for (value_type value = 1; value <= 2; ++value) static_cast<void>(producer.try_write(value));
  run.thread("producer", [&] { run.check(producer.write(3) == status::ok, "room at last"); });
  run.thread("consumer", [&] {
    for (value_type value = 1; value <= 3; ++value) {
      run.check(wait_and_read(consumer) == value, "values arrive in order");
    }
  });
  static_cast<void>(run.go());
}
void space_fenced(run& run) { space_awaited(run, wake_protocol::fenced); }
void space_asymmetric(run& run) { space_awaited(run, wake_protocol::asymmetric); }

/// A descriptor that overtakes its value, which comes alone or as the second of a batch.
void redeemed(run& run, bool in_a_batch) {
  const auto ring = make_ring(run, {.capacity = 4, .wake = wake_protocol::none});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round_slots(producer, consumer, 4);
  const descriptor named{layout::spsc::data + 16 + 8, sizeof(value_type), 5};
  run.thread("producer", [&] {
    static constexpr std::array<value_type, 2> values{1, 2};
    if (in_a_batch) return run.check(producer.try_write_batch(values) == 2, "there is room");
    static_cast<void>(producer.try_write(1));
    const auto done = producer.try_claim().commit(2);
    run.check(done.record.offset == named.offset && done.record.sequence == named.sequence,
              "it is named by its place");
  });
  run.thread("consumer", [&] {
    for (;;) {
      auto found = consumer.redeem(named);
      run.check(found || found.status() == status::empty, "the value, or not yet");
      if (found) {
        run.check(found.value() == 2, "the value that was named");
        return found.release();
      }
      model_memory::pause();
    }
  });
  static_cast<void>(run.go());
}

void redeemed_alone(run& run) { redeemed(run, false); }
void redeemed_in_a_batch(run& run) { redeemed(run, true); }

/// Either side dies at any step, or both: others take over. A dead producer's withheld values are gone.
void both_die(run& run, bool in_a_batch) {
  const auto ring = make_ring(run, {.capacity = 4,
                                    .wake = wake_protocol::none,
                                    .process_shared = true,
                                    .start_position = 0xFFFF'FFFD});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round_slots(producer, consumer, 4);
  value_type got = 0;
  run.thread("producer", [&] {
    auto mine = std::move(producer);
    static constexpr std::array<value_type, 2> values{1, 2};
    if (in_a_batch) return static_cast<void>(mine.try_write_batch(values));
    for (const auto value : values) static_cast<void>(mine.try_write(value));
  });
  run.thread("consumer", [&] {
    auto mine = std::move(consumer);
    value_type value = 0;
    for (int looks = 0; looks < 3; ++looks) {
      if (mine.try_read(value) == status::ok) run.check(value == ++got, "in order");
    }
  });
  if (!run.go()) return;
  auto heir = ring.producer();
  run.check(heir && heir->try_write(50) == status::ok, "the producing role can be taken");
  auto next_consumer = ring.consumer();
  run.check(static_cast<bool>(next_consumer), "and the other");
  if (!next_consumer) return;
  std::vector<value_type> rest;
  static_cast<void>(next_consumer->drain([&](const value_type& value) { rest.push_back(value); }));
  run.check(!rest.empty() && rest.back() == 50, "the heir's value is the last");
  auto next = rest.front() == 50 ? got + 1 : rest.front();
  run.check(next <= got + 1, "nothing is missed");
  for (std::size_t i = 0; i + 1 < rest.size(); ++i) run.check(rest[i] == next++, "in order");
  run.check(run.was_killed(1) || next == 3, "all that was written");
  run.check(!in_a_batch || next != 2, "a batch appears whole or not at all");
}
void both_die_singly(run& run) { both_die(run, false); }
void both_die_in_a_batch(run& run) { both_die(run, true); }

constexpr bounds few{.preemptions = 3};
constexpr bounds either_dies{.kills = 2};

constexpr scenario scenarios[] = {
    {"spsc slots: slots are used again, and values arrive", watched, few},
    {"spsc slots: slots are used again, and values are found where they lie", peeked, few},
    {"spsc slots: slots are used again, and values arrive, before 2^31", watched_half, few},
    {"spsc slots: slots are used again, and values arrive, before 2^32", watched_wrapping, few},
    {"spsc slots: a sleeping consumer gets every value, fenced", asleep_fenced, few},
    {"spsc slots: a sleeping consumer gets every value, asymmetric, before 2^32", asleep_asymmetric,
     few},
    {"spsc slots: drained values arrive, before 2^32", drained_ring, few},
    {"spsc slots: a written batch appears whole", batch_written},
    {"spsc slots: a written batch appears whole and wakes, asymmetric, before 2^31",
     batch_written_asleep},
    {"spsc slots: a commit publishes the batch before it, fenced, before 2^32", batch_committed},
    {"spsc slots: what preceded a close is read", closed},
    {"spsc slots: space wakes a producer, fenced, before 2^32", space_fenced, few},
    {"spsc slots: space wakes a producer, asymmetric, before 2^32", space_asymmetric, few},
    {"spsc slots: a descriptor that overtakes its value waits for it", redeemed_alone},
    {"spsc slots: a descriptor that overtakes its batch waits for it", redeemed_in_a_batch},
    {"spsc slots: either side dies, or both, and the ring goes on", both_die_singly, either_dies},
    {"spsc slots: either side dies, or both, around a batch", both_die_in_a_batch, either_dies},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
