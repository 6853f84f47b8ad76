// SPDX-License-Identifier: MIT
// version_table: who waits for a version, for all of them or for any change is woken by the publication,
// whatever counter or doorbell it sleeps on, by a stop, and by touch() if the publisher has died.
// Bounds: one or two publishers of one or two publications, one or two sleepers, one death, one sleep that
// ends for no reason; tables without a level of counters and with one.
#include "model/version_sides.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <span>

namespace {

using namespace weir;
using namespace weir::model;
using table_reader = table::reader_type<park_now>;

/// 129 versions are the fewest with counters below the root; the last one is alone below its own.
constexpr word tree = 129;
constexpr version_table_options one_slot{.slots = 1, .wake = wake_protocol::fenced};

struct sleeper {
  std::array<word, 140> seen{};
  table_reader reader;

  explicit sleeper(const table& there) : reader{there.reader<park_now>(seen).value()} {
    reader.mark_all_seen();
  }
};

void publish(const table& there, word number, int times = 1) {
  auto slot = there.slot(number).value();
  for (int i = 0; i < times; ++i) slot.publish();
}
void rewrite(const table& there, word number) {
  auto slot = there.slot(number).value();
  slot.begin();
  slot.end();
}

/// An announcement is answered by at most one wake-up of each counter.
void count_wakes(run& run, const table& there, word announcements) {
  run.check(there.statistics().wakes <= announcements, "nobody is woken who did not ask for it");
}

// --- one sleeper

void wait_any(run& run, const version_table_options& options, word number, int times) {
  const auto there = make(run, options);
  sleeper asleep{there};
  const auto last = options.start_version + 2 * static_cast<word>(times);
  run.thread("publisher", [&] { publish(there, number, times); });
  run.thread("sleeper", [&] {
    while (asleep.reader.version(number) != last) {
      run.check(asleep.reader.wait_any() == status::ok, "a wait ends with news");
      run.check(asleep.reader.changed([](word, word) {}) <= 1, "one version changes");
    }
  });
  if (!run.go()) return;
  run.check(there.statistics().publications == ((options.start_counter + 2 * times) / 2),
            "each publication is counted");
}
void any(run& run) { wait_any(run, one_slot, 0, 1); }
void any_twice(run& run) { wait_any(run, one_slot, 0, 2); }
void any_2_31(run& run) {
  auto options = one_slot;
  options.start_version = options.start_counter = below_2_31;
  wait_any(run, options, 0, 2);
}
void any_2_32(run& run) {
  auto options = one_slot;
  options.start_version = options.start_counter = below_2_32;
  wait_any(run, options, 0, 2);
}
void any_in_a_tree(run& run) {
  wait_any(run, {.slots = tree, .wake = wake_protocol::fenced}, tree - 1, 2);
}

/// Waits for a version; it is published, or rewritten.
void wait_one(run& run, word slots, word start, bool rewritten) {
  const auto there = make(run, {.slots = slots,
                                .wake = wake_protocol::fenced,
                                .start_version = start,
                                .start_counter = start});
  const auto number = slots - 1;
  sleeper asleep{there};
  run.thread("publisher", [&] { rewritten ? rewrite(there, number) : publish(there, number); });
  run.thread("sleeper", [&] {
    run.check(asleep.reader.wait(number, start) == status::ok, "the version is awaited");
    run.check(there.version(number) == start + 2, "and there");
  });
  if (!run.go()) return;
  publish(there, number, 3);
  count_wakes(run, there, asleep.reader.statistics().waits + 1);
}
void one(run& run) { wait_one(run, 1, 0, false); }
void one_rewritten(run& run) { wait_one(run, 1, below_2_32, true); }
void one_in_a_tree(run& run) { wait_one(run, tree, below_2_31, false); }
void one_rewritten_in_a_tree(run& run) { wait_one(run, tree, below_2_32, true); }

/// One sleeper, two publishers of neighbors.
void wait_all(run& run, word start) {
  const auto there = make(
      run,
      {.slots = 2, .wake = wake_protocol::fenced, .start_version = start, .start_counter = start});
  sleeper asleep{there};
  run.thread("publisher", [&] { publish(there, 0); });
  run.thread("publisher", [&] { rewrite(there, 1); });
  run.thread("sleeper", [&] {
    run.check(asleep.reader.wait_all(start + 2) == status::ok, "all versions are awaited");
    run.check(there.version(0) == start + 2 && there.version(1) == start + 2, "and there");
  });
  static_cast<void>(run.go());
}
void all(run& run) { wait_all(run, 0); }
void all_2_32(run& run) { wait_all(run, below_2_32); }

void two_publishers(run& run) {
  const auto there = make(run, {.slots = 2, .wake = wake_protocol::fenced});
  sleeper asleep{there};
  run.thread("publisher", [&] { publish(there, 0); });
  run.thread("publisher", [&] { publish(there, 1); });
  run.thread("sleeper", [&] {
    while (asleep.reader.version(0) != 2 || asleep.reader.version(1) != 2) {
      run.check(asleep.reader.wait_any() == status::ok, "a wait ends with news");
      asleep.reader.changed([](word, word) {});
    }
  });
  static_cast<void>(run.go());
}

/// The application's own question, asked again after each publication.
void own_question(run& run) {
  const auto there = make(run, one_slot);
  auto& answer = run.object<word>();
  run.thread("publisher", [&] {
    const word given = 4;
    model_memory::store(&answer, given, std::memory_order_relaxed);
    publish(there, 0);
  });
  run.thread("sleeper", [&] {
    const auto look = [&] {
      const auto now = model_memory::load(&answer, std::memory_order_relaxed);
      return now == 4 ? status::ok : status::empty;
    };
    run.check(there.wait<park_now>(look) == status::ok, "the answer is seen");
  });
  static_cast<void>(run.go());
}

// --- two sleepers

void two_sleepers(run& run, word slots) {
  const auto there = make(run, {.slots = slots, .wake = wake_protocol::fenced});
  const auto number = slots - 1;
  sleeper first{there}, second{there};
  run.thread("publisher", [&] { publish(there, number); });
  run.thread("sleeper", [&] {
    run.check(first.reader.wait(number, 0) == status::ok, "the version is awaited");
  });
  run.thread("sleeper", [&] {
    run.check(second.reader.wait_any() == status::ok, "so is any change");
    run.check(second.reader.changed([](word, word) {}) == 1, "and found");
  });
  if (!run.go()) return;
  count_wakes(run, there, first.reader.statistics().waits + second.reader.statistics().waits + 2);
}
void two_at_the_root(run& run) { two_sleepers(run, 1); }
void two_in_a_tree(run& run) { two_sleepers(run, tree); }

/// One sleeps on the doorbell, the other on the counter.
void with_doorbell(run& run, wake_protocol wake, bool both) {
  const auto bell = doorbell<model_memory>::format(
                        run.bytes(doorbell<model_memory>::bytes_required()), {.wake = wake})
                        .value();
  const auto there =
      table::format(run.bytes(table::bytes_required({.slots = 1})), {.slots = 1}, bell).value();
  sleeper first{there}, second{there};
  run.thread("publisher", [&] { publish(there, 0); });
  run.thread("sleeper",
             [&] { run.check(first.reader.wait_any() == status::ok, "the doorbell rings"); });
  if (both) {
    run.thread("sleeper",
               [&] { run.check(second.reader.wait(0, 0) == status::ok, "the counter wakes too"); });
  }
  static_cast<void>(run.go());
}
void doorbell_fenced(run& run) { with_doorbell(run, wake_protocol::fenced, false); }
void doorbell_asymmetric(run& run) { with_doorbell(run, wake_protocol::asymmetric, false); }
void doorbell_and_counter(run& run) { with_doorbell(run, wake_protocol::asymmetric, true); }

// --- stops

void stop_where(run& run, word slots, bool any_change) {
  const auto there = make(run, {.slots = slots, .wake = wake_protocol::fenced});
  sleeper asleep{there};
  auto& stop = run.object<stop_word>();
  run.thread("who stops", [&] { there.request_stop(stop); });
  run.thread("sleeper", [&] {
    const auto wait = [&] {
      return any_change ? asleep.reader.wait_any(no_deadline, &stop)
                        : asleep.reader.wait(slots - 1, 0, no_deadline, &stop);
    };
    auto outcome = wait();
    if (any_change && outcome == status::ok) {  // the stop moved the counter on
      run.check(asleep.reader.changed([](word, word) {}) == 0, "no version changes");
      outcome = wait();
    }
    run.check(outcome == status::stopped, "a stop ends the wait");
  });
  static_cast<void>(run.go());
}
void stop_at_the_root(run& run) { stop_where(run, 1, true); }
void stop_in_a_tree(run& run) { stop_where(run, tree, false); }
void stop_at_a_doorbell(run& run) {
  const auto bell =
      doorbell<model_memory>::format(run.bytes(doorbell<model_memory>::bytes_required()),
                                     {.wake = wake_protocol::fenced})
          .value();
  const auto there =
      table::format(run.bytes(table::bytes_required({.slots = 1})), {.slots = 1}, bell).value();
  sleeper asleep{there};
  auto& stop = run.object<stop_word>();
  run.thread("who stops", [&] { there.request_stop(stop); });
  run.thread("sleeper", [&] {
    run.check(asleep.reader.wait_any(no_deadline, &stop) == status::stopped,
              "a stop ends the wait");
  });
  static_cast<void>(run.go());
}

// --- dead publishers

/// The publisher dies anywhere; another one that learns of it touches the slot. Before the version there is
/// nothing to tell: then the wait ends by its deadline.
void touched(run& run, word slots, bool any_change) {
  const auto there = make(run, {.slots = slots, .wake = wake_protocol::fenced});
  const auto number = slots - 1;
  sleeper asleep{there};
  auto& ended = run.object<word>();
  run.thread("publisher", [&] {
    publish(there, number);
    model_memory::store(&ended, 1, std::memory_order_release);
  });
  run.thread("who repairs", [&] {
    await_end(ended);
    there.slot(number).value().touch();
  });
  run.thread("sleeper", [&] {
    const auto outcome = any_change
                             ? asleep.reader.wait_any()
                             : asleep.reader.wait(number, 0, deadline{} + std::chrono::seconds{5});
    const bool published = there.version(number) == 2;
    run.check(outcome == status::ok ||
                  (!any_change && outcome == status::timed_out && !published && run.was_killed(1)),
              "a wait ends with what was published");
  });
  if (!run.go()) return;
  asleep.reader.changed([](word, word) {});
  run.check(asleep.reader.version(number) == there.version(number),
            "what the dead changed is found");
}
void touch_wakes_any(run& run) { touched(run, 1, true); }
void touch_wakes_one(run& run) { touched(run, tree, false); }

/// Nobody repairs: time ends the wait, or a late look does, of the dead alone.
void look_for_yourself(run& run) {
  const auto there = make(run, one_slot);
  sleeper asleep{there};
  run.thread("publisher", [&] { publish(there, 0); });
  run.thread("sleeper", [&] {
    const auto outcome = asleep.reader.wait(0, 0, deadline{} + std::chrono::milliseconds{500});
    const bool late = asleep.reader.statistics().late_wakes != 0;
    run.check(outcome == status::ok ? there.version(0) == 2 : outcome == status::timed_out,
              "a wait ends with the truth");
    run.check(run.was_killed(1) || (outcome == status::ok && !late),
              "time wakes after a death only");
  });
  static_cast<void>(run.go());
}

constexpr bounds spurious{.spurious_wakes = 1};
constexpr bounds few_switches{.preemptions = 3};
constexpr bounds death_and_time{.kills = 1, .killable = 1U << 1, .time_passes = true};
constexpr bounds death_of_three{
    .preemptions = 3, .kills = 1, .killable = 1U << 1, .time_passes = true};

constexpr scenario scenarios[] = {
    {"versions: a publication wakes who waits for any", any, spurious},
    {"versions: two publications wake who waits for both", any_twice},
    {"versions: two publications wake, counters pass 2^31", any_2_31},
    {"versions: two publications wake, counters wrap", any_2_32},
    {"versions: two publications wake who waits for any in a tree", any_in_a_tree, few_switches},
    {"versions: a publication wakes who waits for it", one, spurious},
    {"versions: an end of writing wakes who waits for it", one_rewritten, spurious},
    {"versions: a publication wakes in a tree", one_in_a_tree, spurious},
    {"versions: an end of writing wakes in a tree", one_rewritten_in_a_tree, spurious},
    {"versions: the last of two publishers wakes who waits for all", all, few_switches},
    {"versions: the last of two publishers wakes, versions wrap", all_2_32, few_switches},
    {"versions: each of two publishers wakes who waits for any", two_publishers, few_switches},
    {"versions: a publication has a question asked again", own_question, spurious},
    {"versions: a publication wakes two sleepers at the root", two_at_the_root, few_switches},
    {"versions: a publication wakes two sleepers in a tree", two_in_a_tree, few_switches},
    {"versions: a publication rings the doorbell, fenced", doorbell_fenced, spurious},
    {"versions: a publication rings the doorbell, asymmetric", doorbell_asymmetric, spurious},
    {"versions: a publication wakes at doorbell and counter", doorbell_and_counter, few_switches},
    {"versions: a stop wakes at the root", stop_at_the_root},
    {"versions: a stop wakes in a tree", stop_in_a_tree},
    {"versions: a stop wakes at the doorbell", stop_at_a_doorbell},
    {"versions: a touch for the dead wakes who waits for any", touch_wakes_any, death_of_three},
    {"versions: a touch for the dead wakes who waits in a tree", touch_wakes_one, death_of_three},
    {"versions: only after a death is it time that ends a wait", look_for_yourself, death_and_time},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
