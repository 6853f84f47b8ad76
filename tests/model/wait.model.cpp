// SPDX-License-Identifier: MIT
// Sleepers and bells (wait.hpp).
//
// Proved, for every execution of C++20 memory without seq_cst accesses and load buffering: no wake-up is
// lost, for both wake protocols, up to two sleepers and two that ring, tickets that wrap, two sleeps that
// end for no reason, a publisher that dies at any step; a stop is seen and carries what preceded it; a
// deadline ends a wait and hides nothing.
// Bounds: each sleeper waits for one or two publications. Not here: more than 64 failing exchanges in ring().
#include <weir/wait.hpp>

#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <cstdint>

namespace {

using namespace weir;
using model::model_memory;
using model::park_now;

using word = std::uint32_t;
using bell_type = detail::park_bell<model_memory>;

constexpr deadline one_second{std::chrono::seconds{1}};

/// What one sleeper waits for: that `flag` has reached `wanted`. The publisher may be asked after.
struct reaches {
  const word& flag;
  word wanted = 1;
  word publisher = 0;  ///< its process; 0: nobody asks whether it lives

  auto look() noexcept -> status {
    const bool there = model_memory::load(&flag, std::memory_order_acquire) >= wanted;
    return there ? status::ok : status::empty;
  }
  auto peer() noexcept -> status {
    return publisher == 0 || model_memory::alive(publisher, 1) ? status::ok : status::peer_dead;
  }
};

struct waited {
  status outcome;
  detail::wait_counters counters;
};

template <wait_policy Wait = park_now>
auto await(const bell_type& bell, reaches condition, deadline until = no_deadline,
           const stop_word* stop = nullptr) -> waited {
  auto own = bell;
  waited result{};
  result.outcome = detail::await<Wait>(
      detail::wait_request<model_memory, reaches>{own, condition, until, stop, result.counters});
  return result;
}

/// A park word whose next ticket is `ticket`.
auto bell_at(model::run& run, wake_protocol wake, word ticket = 0) -> bell_type {
  auto& park = run.object<word>();
  park = ticket << 1;
  return {&park, wake, true};
}

void publish(const bell_type& bell, word& flag, word value) {
  model_memory::store(&flag, value, std::memory_order_release);
  auto own = bell;
  own.ring_if_awaited();
}

// --- one sleeper

void one_sleeper(model::run& run, wake_protocol wake, word ticket, word times) {
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
void woken_fenced(model::run& run) { one_sleeper(run, wake_protocol::fenced, 0, 1); }
void woken_asymmetric(model::run& run) { one_sleeper(run, wake_protocol::asymmetric, 0, 1); }
void woken_again_fenced(model::run& run) {
  one_sleeper(run, wake_protocol::fenced, 0x3FFF'FFFF, 2);
}
void woken_again_asymmetric(model::run& run) {
  one_sleeper(run, wake_protocol::asymmetric, 0x7FFF'FFFE, 2);
}
void woken_thrice(model::run& run) { one_sleeper(run, wake_protocol::asymmetric, 0x7FFF'FFFF, 3); }

/// at_flush: one ring of the bell for all that was published before.
void woken_at_flush(model::run& run) {
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
void looks_on(model::run& run) {
  const auto bell = bell_at(run, wake_protocol::none);
  auto& flag = run.object<word>();
  run.thread("publisher", [&] { model_memory::store(&flag, 1, std::memory_order_release); });
  run.thread("watcher", [&] {
    run.check(await<Wait>(bell, {flag}).outcome == status::ok, "a look finds it");
  });
  static_cast<void>(run.go());
}

/// The two sides must agree who pays for the fence; format() and attach() see to it.
void protocols_mixed(model::run& run) {
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
void payers_mixed(model::run& run) {
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
void rung_unasked(model::run& run) {
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
void rung_by_two(model::run& run) {
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

void stopped_by(model::run& run, bool sleeps) {
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
void stopped_asleep(model::run& run) { stopped_by(run, true); }
void stopped_awake(model::run& run) { stopped_by(run, false); }

/// A publication that the sleeper can see comes before the stop.
void stop_after_news(model::run& run) {
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

// --- two sleepers

void two_sleepers(model::run& run, wake_protocol wake) {
  const auto bell = bell_at(run, wake, 0x7FFF'FFFF);
  auto& flag = run.object<word>();
  run.thread("publisher", [&] { publish(bell, flag, 1); });
  for (const char* name : {"one", "two"}) {
    run.thread(name,
               [&] { run.check(await(bell, {flag}).outcome == status::ok, "each sleeper wakes"); });
  }
  static_cast<void>(run.go());
}
void two_sleepers_fenced(model::run& run) { two_sleepers(run, wake_protocol::fenced); }
void two_sleepers_asymmetric(model::run& run) { two_sleepers(run, wake_protocol::asymmetric); }

/// The ring that is for one clears the other's announcement: it has to announce itself again.
void each_for_his_own(model::run& run, wake_protocol wake) {
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
void each_fenced(model::run& run) { each_for_his_own(run, wake_protocol::fenced); }
void each_asymmetric(model::run& run) { each_for_his_own(run, wake_protocol::asymmetric); }

void two_publishers(model::run& run, wake_protocol wake) {
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
void two_publishers_fenced(model::run& run) { two_publishers(run, wake_protocol::fenced); }
void two_publishers_asymmetric(model::run& run) { two_publishers(run, wake_protocol::asymmetric); }

// --- time and death

/// Time passes only where nobody can go on: no sleep may end by it.
void in_time(model::run& run) {
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
void too_late(model::run& run) {
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
void without_ring(model::run& run) {
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
void publisher_dies(model::run& run, wake_protocol wake) {
  const auto bell = bell_at(run, wake);
  auto& flag = run.object<word>();
  waited result{};
  run.thread("publisher", [&] { publish(bell, flag, 1); });
  run.thread("sleeper", [&] { result = await(bell, {flag, 1, model::first_process + 1}); });
  if (!run.go()) return;
  if (result.outcome == status::peer_dead) {
    run.check(run.was_killed(1) && flag == 0, "its death is told only where it published nothing");
  } else {
    run.check(result.outcome == status::ok, "what it published is found");
  }
}
void publisher_dies_fenced(model::run& run) { publisher_dies(run, wake_protocol::fenced); }
void publisher_dies_asymmetric(model::run& run) { publisher_dies(run, wake_protocol::asymmetric); }

/// A sleeper that dies takes nobody's wake-up with it.
void sleeper_dies(model::run& run) { two_sleepers(run, wake_protocol::fenced); }

constexpr model::bounds startled{.spurious_wakes = 1};
constexpr model::bounds startled_twice{.spurious_wakes = 2};
constexpr model::bounds four_switches{.preemptions = 4};
constexpr model::bounds timed{.time_passes = true};
constexpr model::bounds deadly{.kills = 1, .killable = 1U << 1, .time_passes = true};
constexpr model::bounds sleeper_mortal{.kills = 1, .killable = 1U << 2};

constexpr model::scenario scenarios[] = {
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

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
