// SPDX-License-Identifier: MIT
// Several rings, one sleep: doorbell.hpp and lanes.hpp.
//
// Proved, for every execution within the bounds: whoever writes to any of the rings wakes the one sleeper,
// for both wake protocols; the records of each lane arrive whole and in order; a producer that joins, leaves
// or dies at any step loses nothing it published, and its lane serves the next; the end is told once every
// lane has ended and was read.
// Bounds: two lanes of 2 slots or 64 bytes, one or two records each, two producers, one death.
#include "model/spsc_sides.hpp"

#include <weir/doorbell.hpp>
#include <weir/lanes.hpp>

#include <array>
#include <cstdint>
#include <utility>

namespace {

using namespace weir;
using namespace weir::model;

using word = std::uint32_t;
using bell_type = doorbell<model_memory>;
using ring_type = spsc_ring<word, model_memory>;
using lanes_type = lanes<word, model_memory>;

// --- doorbell

/// Two rings and a ring of the bell by hand: whoever waits for all of them misses none.
void one_sleep(run& run, wake_protocol wake) {
  const auto bell =
      bell_type::format(run.bytes(bell_type::bytes_required()), {.wake = wake}).value();
  const auto make = [&] {
    return ring_type::format(run.bytes(ring_type::bytes_required(2)), {.capacity = 2}, bell)
        .value();
  };
  const std::array rings{make(), make()};
  auto first = run.as(1, [&] { return rings[0].producer().value(); });
  auto second = run.as(2, [&] { return rings[1].producer().value(); });
  auto one = run.as(3, [&] { return rings[0].consumer().value(); });
  auto two = run.as(3, [&] { return rings[1].consumer().value(); });
  run.thread("first", [&] { run.check(first.try_write(1) == status::ok, "there is room"); });
  run.thread("second", [&] { run.check(second.try_write(2) == status::ok, "there is room"); });
  run.thread("consumer", [&] {
    word sum = 0;
    const auto look = [&] {
      word value = 0;
      if (one.try_read(value) == status::ok) return sum += value, status::ok;
      if (two.try_read(value) == status::ok) return sum += value, status::ok;
      return status::empty;
    };
    for (int i = 0; i < 2; ++i) run.check(bell.wait<park_now>(look) == status::ok, "it wakes");
    run.check(sum == 3, "one from each");
  });
  static_cast<void>(run.go());
}
void one_sleep_fenced(run& run) { one_sleep(run, wake_protocol::fenced); }
void one_sleep_asymmetric(run& run) { one_sleep(run, wake_protocol::asymmetric); }

void rung_by_hand(run& run) {
  const auto bell =
      bell_type::format(run.bytes(bell_type::bytes_required()), {.wake = wake_protocol::asymmetric})
          .value();
  auto& flag = run.object<word>();
  auto& stop = run.object<stop_word>();
  run.thread("ringer", [&] {
    model_memory::store(&flag, 1, std::memory_order_relaxed);
    bell.ring();
    bell.request_stop(stop);
  });
  run.thread("sleeper", [&] {
    const auto look = [&] {
      return model_memory::load(&flag, std::memory_order_relaxed) != 0 ? status::ok : status::empty;
    };
    run.check(bell.wait<park_now>(look) == status::ok, "a ring carries what preceded it");
    const auto nothing = [] { return status::empty; };
    run.check(bell.wait<park_now>(nothing, no_deadline, &stop) == status::stopped, "and a stop");
  });
  static_cast<void>(run.go());
}

// --- lanes

auto make_lanes(run& run, wake_protocol wake, bool process_shared = false) -> lanes_type {
  return lanes_type::format(run.bytes(lanes_type::bytes_required(2, 2)),
                            {.lanes = 2,
                             .capacity = 2,
                             .wake = wake,
                             .process_shared = process_shared,
                             .start_position = 0xFFFF'FFFF})
      .value();
}

/// What the consumer found: per lane how many, and that they were in order.
struct tally {
  run& one;
  std::array<word, 2> newest{};
  word records = 0;

  void add(word value) {
    const auto writer = value / 100 - 1;
    one.check(value % 100 == ++newest[writer], "records of one producer arrive in order");
    ++records;
  }
};

/// Two producers, each with its lane; one consumer that sleeps.
void two_lanes(run& run, wake_protocol wake, word each) {
  const auto view = make_lanes(run, wake);
  auto first = run.as(1, [&] { return view.producer().value(); });
  auto second = run.as(2, [&] { return view.producer().value(); });
  auto consumer = run.as(3, [&] { return view.consumer<park_now, 2>().value(); });
  const auto write = [&run, each](auto& producer, word base) {
    for (word i = 1; i <= each; ++i) {
      run.check(producer.try_write(base + i) == status::ok, "there is room");
    }
  };
  run.thread("first", [&] { write(first, 100); });
  run.thread("second", [&] { write(second, 200); });
  run.thread("consumer", [&] {
    tally got{run};
    while (got.records < 2 * each) {
      run.check(consumer.wait() == status::ok, "a wait ends with a record");
      word value = 0;
      run.check(consumer.try_read(value) == status::ok, "and it is there");
      got.add(value);
    }
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
void two_lanes_fenced(run& run) { two_lanes(run, wake_protocol::fenced, 1); }
void two_lanes_asymmetric(run& run) { two_lanes(run, wake_protocol::asymmetric, 1); }

/// Each producer closes its lane behind its record: the end comes after both.
void closed_lanes(run& run) {
  const auto view = make_lanes(run, wake_protocol::fenced);
  auto first = run.as(1, [&] { return view.producer().value(); });
  auto second = run.as(2, [&] { return view.producer().value(); });
  auto consumer = run.as(3, [&] { return view.consumer<park_now, 2>().value(); });
  const auto write = [&run](auto& producer, word value) {
    run.check(producer.try_write(value) == status::ok, "there is room");
    producer.close();
  };
  run.thread("first", [&] { write(first, 101); });
  run.thread("second", [&] { write(second, 201); });
  run.thread("consumer", [&] {
    tally got{run};
    while (consumer.wait() == status::ok) {
      word value = 0;
      run.check(consumer.try_read(value) == status::ok, "what woke it is there");
      got.add(value);
    }
    run.check(got.records == 2, "everything is read before the end");
    run.check(consumer.wait() == status::closed, "the end stays");
  });
  static_cast<void>(run.go());
}

/// Two producers for one free lane: each gets a lane, one after the other where there is only one.
void joined(run& run, word lanes) {
  const auto view =
      lanes_type::format(
          run.bytes(lanes_type::bytes_required(lanes, 2)),
          {.lanes = lanes, .capacity = 2, .wake = wake_protocol::none, .process_shared = true})
          .value();
  auto consumer = run.as(3, [&] { return view.consumer().value(); });
  const auto member = [&run, view](word value) {
    for (;;) {
      auto producer = view.producer();
      if (producer) {
        return run.check(producer->try_write(value) == status::ok, "there is room");
      }
      run.check(producer.status() == status::full, "full while others hold all lanes");
      model_memory::pause();
    }
  };
  run.thread("first", [&, member] { member(101); });
  run.thread("second", [&, member] { member(201); });
  if (!run.go()) return;
  tally got{run};
  word value = 0;
  while (consumer.try_read(value) == status::ok) got.add(value);
  for (word i = 0; i < 2; ++i) {
    const bool arrived = got.newest[i] == 1;
    run.check(arrived || run.was_killed(static_cast<int>(i) + 1), "the survivors' records arrive");
  }
}
void joined_one_lane(run& run) { joined(run, 1); }
void joined_two_lanes(run& run) { joined(run, 2); }

/// A producer dies at any step: what it published is read, and the other's wake-ups are not lost.
void lane_of_the_dead(run& run) {
  const auto view = make_lanes(run, wake_protocol::asymmetric, true);
  auto first = run.as(1, [&] { return view.producer().value(); });
  auto second = run.as(2, [&] { return view.producer().value(); });
  auto consumer = run.as(3, [&] { return view.consumer<park_now, 2>().value(); });
  run.thread("first", [&] { static_cast<void>(first.try_write(101)); });
  run.thread("second", [&] {
    run.check(second.try_write(201) == status::ok, "there is room");
    second.close();
  });
  tally got{run};
  run.thread("consumer", [&] {
    word value = 0;
    while (got.newest[1] == 0) {
      run.check(consumer.wait() == status::ok, "a wait ends with a record");
      run.check(consumer.try_read(value) == status::ok, "and it is there");
      got.add(value);
    }
  });
  if (!run.go()) return;
  word value = 0;
  while (consumer.try_read(value) == status::ok) got.add(value);
  run.check(got.newest[0] == 1 || run.was_killed(1), "whoever lives is read");
  if (!run.was_killed(1)) return;
  auto heir = view.producer();
  run.check(heir && heir->try_write(101 + got.newest[0]) == status::ok, "the lane is free again");
  run.check(consumer.try_read(value) == status::ok && value == 101 + got.newest[0],
            "its next record arrives");
}

constexpr bounds one{.preemptions = 1};
constexpr bounds three{.preemptions = 3};
constexpr bounds one_dies{.preemptions = 1, .kills = 1};
constexpr bounds first_dies{.preemptions = 2, .kills = 1, .killable = 1U << 1, .time_passes = true};

constexpr scenario scenarios[] = {
    {"doorbell: two rings and one sleep, fenced", one_sleep_fenced, three},
    {"doorbell: two rings and one sleep, asymmetric", one_sleep_asymmetric, three},
    {"doorbell: a ring by hand carries what preceded it, a stop too", rung_by_hand},
    {"lanes: two producers wake one consumer, fenced", two_lanes_fenced, three},
    {"lanes: two producers wake one consumer, asymmetric", two_lanes_asymmetric, three},
    {"lanes: the end comes when each lane has ended and was read", closed_lanes, one},
    {"lanes: two share one lane by turns, and either may die", joined_one_lane, one_dies},
    {"lanes: two join two lanes at once, and either may die", joined_two_lanes, one_dies},
    {"lanes: a dead producer's lane is read and serves the next", lane_of_the_dead, first_dies},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
