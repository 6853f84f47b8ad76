// SPDX-License-Identifier: MIT
// One sleeper and its bell (wait.hpp).
//
// Proved, for every execution: no wake-up is lost, for both wake protocols, tickets that wrap, two that ring,
// sleeps that end for no reason; a stop is seen, hides nothing and carries what preceded it.
// Bounds: one to three publications. Not here: more than 64 failing exchanges in ring().
#include "model/wait_sides.hpp"

#include <weir/wait.hpp>

#include <cstdint>

namespace {

using namespace weir;
using namespace weir::model;

// --- one sleeper

void one_sleeper(run& run, wake_protocol wake, word ticket, word times) {
  const auto bell = bell_at(run, wake, ticket);
  auto& flag = run.object<word>();
  auto& data = run.object<word>();
  run.thread("publisher", [&] {
    const word sent = 42;
    model_memory::copy_in(&data, &sent, sizeof sent);
    for (word value = 1; value <= times; ++value) publish(bell, flag, value);
  });
  run.thread("sleeper", [&] {
    for (word value = 1; value <= times; ++value) {
      run.check(await(bell, {flag, value}).outcome == status::ok, "a wait ends with its cause");
    }
    word got = 0;
    model_memory::copy_out(&got, &data, sizeof got);
    run.check(got == 42, "what was published is seen");
  });
  static_cast<void>(run.go());
}
void woken_fenced(run& run) { one_sleeper(run, wake_protocol::fenced, 0, 1); }
void woken_asymmetric(run& run) { one_sleeper(run, wake_protocol::asymmetric, 0, 1); }
void woken_again_fenced(run& run) { one_sleeper(run, wake_protocol::fenced, 0x3FFF'FFFF, 2); }
void woken_again_asymmetric(run& run) {
  one_sleeper(run, wake_protocol::asymmetric, 0x7FFF'FFFE, 2);
}
void woken_thrice(run& run) { one_sleeper(run, wake_protocol::asymmetric, 0x7FFF'FFFF, 3); }

/// at_flush: one ring of the bell for all that was published before.
void woken_at_flush(run& run) {
  auto bell = bell_at(run, wake_protocol::at_flush, 0x7FFF'FFFF);
  auto& flag = run.object<word>();
  run.thread("publisher", [&] {
    for (word value = 1; value <= 3; ++value) {
      model_memory::store(&flag, value, std::memory_order_release);
    }
    bell.ring_if_awaited();
  });
  run.thread("sleeper",
             [&] { run.check(await(bell, {flag, 3}).outcome == status::ok, "a flush wakes"); });
  static_cast<void>(run.go());
}

/// Who does not sleep needs no bell.
template <wait_policy Wait>
void looks_on(run& run) {
  const auto bell = bell_at(run, wake_protocol::none);
  auto& flag = run.object<word>();
  run.thread("publisher", [&] { model_memory::store(&flag, 1, std::memory_order_release); });
  run.thread("watcher", [&] {
    run.check(await<Wait>(bell, {flag}).outcome == status::ok, "a look finds it");
  });
  static_cast<void>(run.go());
}

/// The two sides must agree who pays for the fence; format() and attach() see to it.
void protocols_mixed(run& run) {
  const auto bell = bell_at(run, wake_protocol::fenced);
  auto light = bell_type{bell};
  auto& flag = run.object<word>();
  run.thread("publisher", [&] {
    model_memory::store(&flag, 1, std::memory_order_release);
    light.ring_if_awaited_asymmetric();
  });
  run.thread("sleeper", [&] { static_cast<void>(await(bell, {flag})); });
  static_cast<void>(run.go());
}
/// The other way round both run a full fence.
void payers_mixed(run& run) {
  auto& park = run.object<word>();
  auto& flag = run.object<word>();
  run.thread("publisher", [&] { publish({&park, wake_protocol::fenced, true}, flag, 1); });
  run.thread("sleeper", [&] {
    const auto outcome = await({&park, wake_protocol::asymmetric, true}, {flag}).outcome;
    run.check(outcome == status::ok, "the sleeper wakes");
  });
  static_cast<void>(run.go());
}

// --- bells without a look

/// ring() alone: the exchange, in whatever order with the announcement, carries what preceded it.
void rung_unasked(run& run) {
  auto bell = bell_at(run, wake_protocol::none, 0x7FFF'FFFF);
  auto& flag = run.object<word>();
  run.thread("ringer", [&] {
    model_memory::store(&flag, 1, std::memory_order_relaxed);
    bell.ring();
  });
  run.thread("sleeper",
             [&] { run.check(await(bell, {flag}).outcome == status::ok, "the sleeper wakes"); });
  static_cast<void>(run.go());
}

/// Two at once: one exchange may fail, and neither wake-up is lost.
void rung_by_two(run& run) {
  const auto bell = bell_at(run, wake_protocol::none, 0x7FFF'FFFE);
  auto& flag = run.object<word>();
  auto& other = run.object<word>();
  const auto set = [bell](word& which) {
    model_memory::store(&which, 1, std::memory_order_relaxed);
    auto own = bell;
    own.ring();
  };
  run.thread("ringer", [&] { set(flag); });
  run.thread("ringer", [&] { set(other); });
  run.thread("sleeper", [&] {
    run.check(await(bell, {flag}).outcome == status::ok, "the first is seen");
    run.check(await(bell, {other}).outcome == status::ok, "the second is seen");
  });
  static_cast<void>(run.go());
}

// --- stops

void stopped_by(run& run, bool sleeps) {
  auto bell = bell_at(run, wake_protocol::fenced, 0x7FFF'FFFF);
  auto& flag = run.object<word>();
  auto& stop = run.object<stop_word>();
  auto& data = run.object<word>();
  run.thread("stopper", [&] {
    const word left = 7;
    model_memory::copy_in(&data, &left, sizeof left);
    stop.request<model_memory>();
    bell.ring();
  });
  run.thread("sleeper", [&] {
    const auto result = sleeps ? await<park_now>(bell, {flag}, no_deadline, &stop)
                               : await<spin>(bell, {flag}, no_deadline, &stop);
    run.check(result.outcome == status::stopped, "a stop ends the wait");
    word got = 0;
    model_memory::copy_out(&got, &data, sizeof got);
    run.check(got == 7, "what preceded the request is seen");
  });
  static_cast<void>(run.go());
}
void stopped_asleep(run& run) { stopped_by(run, true); }
void stopped_awake(run& run) { stopped_by(run, false); }

/// A publication that the sleeper can see comes before the stop.
void stop_after_news(run& run) {
  auto bell = bell_at(run, wake_protocol::fenced);
  auto& flag = run.object<word>();
  auto& stop = run.object<stop_word>();
  run.thread("publisher", [&] {
    publish(bell, flag, 1);
    stop.request<model_memory>();
    bell.ring();
  });
  run.thread("sleeper", [&] {
    const auto first = await(bell, {flag}, no_deadline, &stop).outcome;
    run.check(first == status::ok || first == status::stopped, "one or the other");
    if (first == status::stopped) {
      const auto then = await<poll>(bell, {flag}, no_deadline, &stop).outcome;
      run.check(then == status::ok, "what preceded the stop is there");
    }
    const auto last = await(bell, {flag, 2}, no_deadline, &stop).outcome;
    run.check(last == status::stopped, "then the stop");
  });
  static_cast<void>(run.go());
}

constexpr bounds startled{.spurious_wakes = 1};
constexpr bounds startled_twice{.spurious_wakes = 2};
constexpr bounds four_switches{.preemptions = 4};

constexpr scenario scenarios[] = {
    {"wait: a publication wakes its sleeper, fenced", woken_fenced},
    {"wait: a publication wakes its sleeper, asymmetric", woken_asymmetric},
    {"wait: each of two publications does, fenced, ticket 2^30", woken_again_fenced},
    {"wait: each of two publications does, asymmetric, ticket 2^31 - 2", woken_again_asymmetric},
    {"wait: each of three does, asymmetric, the ticket wraps", woken_thrice, four_switches},
    {"wait: sleeps that end for no reason go on, fenced", woken_again_fenced, startled},
    {"wait: sleeps that end for no reason go on, asymmetric", woken_again_asymmetric, startled},
    {"wait: one ring of the bell after three publications is enough", woken_at_flush},
    {"wait: whoever spins sees it", looks_on<spin>},
    {"wait: whoever backs off sees it", looks_on<backoff>},
    {"wait: a light fence against a full one loses a wake-up", protocols_mixed, {}, "deadlock"},
    {"wait: a full fence against a heavy one loses none", payers_mixed},
    {"wait: a bell rung unasked carries what preceded it", rung_unasked},
    {"wait: two who ring at once are both heard", rung_by_two},
    {"wait: a stop ends a sleep and carries what preceded it", stopped_asleep},
    {"wait: a stop ends a sleep, also behind one that ends for no reason", stopped_asleep,
     startled_twice},
    {"wait: a stop ends a spin and carries what preceded it", stopped_awake},
    {"wait: what was published before a stop is not hidden by it", stop_after_news},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
