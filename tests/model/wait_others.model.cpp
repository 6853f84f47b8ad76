// SPDX-License-Identifier: MIT
// Several sleepers, several publishers, deadlines and deaths at one bell (wait.hpp).
//
// Proved, for every execution within the bounds: one ring wakes every sleeper, and a ring for one leaves the
// other's wake-up; two publishers are both heard; a deadline ends a wait and hides nothing; what a dead
// publisher published is found before its death is told.
// Bounds: two sleepers or two publishers, one publication for each, one death.
#include "model/wait_sides.hpp"

#include <weir/wait.hpp>

#include <cstdint>

namespace {

using namespace weir;
using namespace weir::model;

// --- two sleepers

void two_sleepers(run& run, wake_protocol wake) {
  const auto bell = bell_at(run, wake, 0x7FFF'FFFF);
  auto& flag = run.object<word>();
  run.thread("publisher", [&] { publish(bell, flag, 1); });
  for (const char* name : {"one", "two"}) {
    run.thread(name,
               [&] { run.check(await(bell, {flag}).outcome == status::ok, "each sleeper wakes"); });
  }
  static_cast<void>(run.go());
}
void two_sleepers_fenced(run& run) { two_sleepers(run, wake_protocol::fenced); }
void two_sleepers_asymmetric(run& run) { two_sleepers(run, wake_protocol::asymmetric); }

/// The ring that is for one clears the other's announcement: it has to announce itself again.
void each_for_his_own(run& run, wake_protocol wake) {
  const auto bell = bell_at(run, wake);
  auto& first = run.object<word>();
  auto& second = run.object<word>();
  run.thread("publisher", [&] {
    publish(bell, first, 1);
    publish(bell, second, 1);
  });
  const auto sleeper = [&](word& flag) {
    run.check(await(bell, {flag}).outcome == status::ok, "each sleeper wakes");
  };
  run.thread("one", [&, sleeper] { sleeper(first); });
  run.thread("two", [&, sleeper] { sleeper(second); });
  static_cast<void>(run.go());
}
void each_fenced(run& run) { each_for_his_own(run, wake_protocol::fenced); }
void each_asymmetric(run& run) { each_for_his_own(run, wake_protocol::asymmetric); }

void two_publishers(run& run, wake_protocol wake) {
  const auto bell = bell_at(run, wake);
  auto& first = run.object<word>();
  auto& second = run.object<word>();
  run.thread("one", [&] { publish(bell, first, 1); });
  run.thread("two", [&] { publish(bell, second, 1); });
  run.thread("sleeper", [&] {
    run.check(await(bell, {first}).outcome == status::ok, "the first is seen");
    run.check(await(bell, {second}).outcome == status::ok, "the second is seen");
  });
  static_cast<void>(run.go());
}
void two_publishers_fenced(run& run) { two_publishers(run, wake_protocol::fenced); }
void two_publishers_asymmetric(run& run) { two_publishers(run, wake_protocol::asymmetric); }

// --- time and death

/// Time passes only where nobody can go on: no sleep may end by it.
void in_time(run& run) {
  const auto bell = bell_at(run, wake_protocol::asymmetric);
  auto& flag = run.object<word>();
  run.thread("publisher", [&] { publish(bell, flag, 1); });
  run.thread("sleeper", [&] {
    const auto result = await(bell, {flag}, one_second);
    run.check(result.outcome == status::ok, "the publication ends the wait");
    run.check(result.counters.late_wakes == 0, "the ring wakes, not the time");
  });
  static_cast<void>(run.go());
}
void too_late(run& run) {
  auto bell = bell_at(run, wake_protocol::fenced);
  auto& flag = run.object<word>();
  run.thread("ringer", [&] { bell.ring(); });
  run.thread("sleeper", [&] {
    const auto result = await(bell, {flag}, one_second);
    run.check(result.outcome == status::timed_out, "the deadline ends the wait");
    run.check(result.counters.late_wakes == 0, "nothing came too late");
    run.check(model_memory::now() >= one_second, "not before its time");
  });
  static_cast<void>(run.go());
}

/// Published without a ring: found when a sleep ends by time, and counted, or not before the deadline.
void without_ring(run& run) {
  const auto bell = bell_at(run, wake_protocol::fenced);
  auto& flag = run.object<word>();
  waited result{};
  run.thread("publisher", [&] { model_memory::store(&flag, 1, std::memory_order_release); });
  run.thread("sleeper", [&] { result = await(bell, {flag}, one_second); });
  if (!run.go()) return;
  const bool found = result.outcome == status::ok;
  run.check(found || result.outcome == status::timed_out, "found, or too late");
  run.check(result.counters.late_wakes <= (found ? 1U : 0U), "what came too late is counted once");
}

/// A publisher that dies at any step: what it published is found, and then its death.
void publisher_dies(run& run, wake_protocol wake) {
  const auto bell = bell_at(run, wake);
  auto& flag = run.object<word>();
  waited result{};
  run.thread("publisher", [&] { publish(bell, flag, 1); });
  run.thread("sleeper", [&] { result = await(bell, {flag, 1, first_process + 1}); });
  if (!run.go()) return;
  if (result.outcome == status::peer_dead) {
    run.check(run.was_killed(1) && flag == 0, "its death is told only where it published nothing");
  } else {
    run.check(result.outcome == status::ok, "what it published is found");
  }
}
void publisher_dies_fenced(run& run) { publisher_dies(run, wake_protocol::fenced); }
void publisher_dies_asymmetric(run& run) { publisher_dies(run, wake_protocol::asymmetric); }

/// A sleeper that dies takes nobody's wake-up with it.
void sleeper_dies(run& run) { two_sleepers(run, wake_protocol::fenced); }

constexpr bounds four_switches{.preemptions = 4};
constexpr bounds timed{.time_passes = true};
constexpr bounds deadly{.kills = 1, .killable = 1U << 1, .time_passes = true};
constexpr bounds sleeper_mortal{.kills = 1, .killable = 1U << 2};

constexpr scenario scenarios[] = {
    {"wait: one ring wakes two sleepers, fenced", two_sleepers_fenced},
    {"wait: one ring wakes two sleepers, asymmetric", two_sleepers_asymmetric},
    {"wait: a ring for one leaves the other's wake-up, fenced", each_fenced, four_switches},
    {"wait: a ring for one leaves the other's wake-up, asymmetric", each_asymmetric, four_switches},
    {"wait: two publishers wake one sleeper, fenced", two_publishers_fenced},
    {"wait: two publishers wake one sleeper, asymmetric", two_publishers_asymmetric},
    {"wait: no sleep ends by time where the bell was rung", in_time, timed},
    {"wait: a deadline ends a wait in vain", too_late, timed},
    {"wait: a publication without a ring is found late or not", without_ring, timed},
    {"wait: a dead publisher's news come before its death, fenced", publisher_dies_fenced, deadly},
    {"wait: a dead publisher's news come before its death, asymmetric", publisher_dies_asymmetric,
     deadly},
    {"wait: a sleeper that dies leaves the other its wake-up", sleeper_dies, sleeper_mortal},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
