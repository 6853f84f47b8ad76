// SPDX-License-Identifier: MIT
/// Two threads on two cores: pinned, started together, real-time for the length of a run where permitted.
///
/// A run is worth nothing without its circumstances. Each one records how often the kernel preempted it,
/// and how long a cache line takes to bounce between the two threads just before and just after it: a
/// hypervisor moves virtual cores while we measure, and everything below changes tenfold with the
/// distance between them.
#pragma once

#include <weir/cache_line.hpp>
#include <weir/memory.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

namespace bench {

using clock = std::chrono::steady_clock;

[[nodiscard]] inline auto nanoseconds(clock::duration span) -> double {
  return std::chrono::duration<double, std::nano>(span).count();
}

/// What a thread does between two looks. Which one is faster depends on the processor and the queue, so
/// both are measured.
struct with_pause {
  [[gnu::always_inline]] static inline void idle() noexcept { weir::native_memory::pause(); }
};
struct without_pause {
  [[gnu::always_inline]] static inline void idle() noexcept { asm volatile("" ::: "memory"); }
};

/// One cache line per direction. Both counts start at 0.
class bare_lines {
 public:
  template <class Idle = without_pause>
  void serve(std::uint32_t rounds) noexcept {
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      there_.value.store(round, std::memory_order_release);
      while (back_.value.load(std::memory_order_acquire) != round) Idle::idle();
    }
  }
  template <class Idle = without_pause>
  void answer(std::uint32_t rounds) noexcept {
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      while (there_.value.load(std::memory_order_acquire) != round) Idle::idle();
      back_.value.store(round, std::memory_order_release);
    }
  }

 private:
  struct alignas(weir::false_sharing_span) line {
    std::atomic<std::uint32_t> value{0};
  };
  line there_;
  line back_;
};

/// Under which circumstances a run was made.
struct circumstances {
  double bounce_before = 0;  ///< ns for a line to go there and back
  double bounce_after = 0;
  long preemptions = 0;
};

/// A further thread of a run: shares the core of one of the two sides.
struct helper {
  int side;
  std::function<void()> work;
};

class thread_pair {
 public:
  thread_pair(std::array<int, 2> cores, bool realtime) : cores_{cores}, realtime_{realtime} {}

  /// Runs both functions at the same time, each on its core; then rests, to leave the cores to others.
  ///
  /// Helpers start when the two do. Threads that share a core must yield while they wait for another
  /// one, because real-time threads do not preempt each other. A yield counts as a preemption, so runs
  /// with helpers are not asked for those.
  /// Returns  ns from the common start to the end of the last one.
  template <class First, class Second>
  auto run(First&& first, Second&& second, const std::vector<helper>& helpers = {}) -> double {
    state_.emplace(static_cast<int>(helpers.size()));
    const auto begin = clock::now();
    std::list<std::thread> others;
    for (const auto& each : helpers) others.emplace_back([&] { help(each); });
    // Not later: a thread that is not real-time yet gets no turn from one that only yields.
    while (state_->waiting.load() != state_->helpers) sched_yield();
    std::thread other{[&] { side<1>(second); }};
    std::thread one{[&] { side<0>(first); }};
    one.join();
    other.join();
    for (auto& each : others) each.join();
    last_ = {state_->bounce[0], state_->bounce[1], state_->preemptions.load()};
    // Real-time threads that never rest would be throttled by the kernel, in the middle of a run.
    std::this_thread::sleep_for((clock::now() - begin) * 7 / 10);
    const auto start = std::min(state_->start[0], state_->start[1]);
    return nanoseconds(std::max(state_->end[0], state_->end[1]) - start);
  }

  /// How far apart the two cores are now: ns for a line to go there and back.
  [[nodiscard]] auto bounce() -> double {
    run([] {}, [] {});
    return last_.bounce_before;
  }

  [[nodiscard]] auto last() const -> const circumstances& { return last_; }
  [[nodiscard]] auto cores() const -> const std::array<int, 2>& { return cores_; }
  [[nodiscard]] auto realtime() const -> bool { return realtime_; }

 private:
  /// On one core every bounce costs two turns of the scheduler.
  [[nodiscard]] auto bounces() const -> std::uint32_t { return cores_[0] == cores_[1] ? 1 : 500; }

  /// Everything that the two threads of one run share.
  struct run_state {
    explicit run_state(int helping) : helpers{helping}, running{helping} {
      pthread_barrier_init(&barrier, nullptr, 2);
      pthread_barrier_init(&gate, nullptr, static_cast<unsigned>(helping) + 1);
    }
    ~run_state() {
      pthread_barrier_destroy(&gate);
      pthread_barrier_destroy(&barrier);
    }
    run_state(const run_state&) = delete;
    auto operator=(const run_state&) -> run_state& = delete;

    pthread_barrier_t barrier;
    pthread_barrier_t gate;  ///< helpers sleep here until the start
    int helpers;
    std::atomic<int> waiting{0};  ///< helpers that are at the gate, or about to be
    std::atomic<int> running;     ///< helpers that are not done
    bare_lines before;
    bare_lines after;
    std::atomic<int> ready{0};
    std::atomic<int> done{0};
    std::atomic<long> preemptions{0};
    std::array<double, 2> bounce{};
    std::array<clock::time_point, 2> start{};
    std::array<clock::time_point, 2> end{};
  };

  template <int Side, class Work>
  void side(Work& work) {
    auto& state = *state_;
    settle_on(cores_[Side]);
    const auto preempted = preemptions_so_far();
    pthread_barrier_wait(&state.barrier);
    bounce<Side>(state.before, state.bounce[0]);
    meet(state.ready);
    state.start[Side] = clock::now();
    if (Side == 0 && state.helpers != 0) pthread_barrier_wait(&state.gate);
    work();
    while (state.running.load() != 0) sched_yield();
    state.end[Side] = clock::now();
    meet(state.done);
    bounce<Side>(state.after, state.bounce[1]);
    if (state.helpers == 0) state.preemptions += preemptions_so_far() - preempted;
  }

  void help(const helper& which) {
    auto& state = *state_;
    settle_on(cores_[static_cast<std::size_t>(which.side)]);
    ++state.waiting;
    pthread_barrier_wait(&state.gate);
    which.work();
    --state.running;
  }

  static void meet(std::atomic<int>& arrived) {
    arrived.fetch_add(1);
    while (arrived.load() != 2) {
    }
  }

  template <int Side>
  void bounce(bare_lines& lines, double& result) const {
    if constexpr (Side == 1) return lines.answer(bounces());
    const auto begin = clock::now();
    lines.serve(bounces());
    result = nanoseconds(clock::now() - begin) / bounces();
  }

  void settle_on(int core) const {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (!realtime_) return;
    sched_param priority{};
    priority.sched_priority = 10;
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority);
  }

  static auto preemptions_so_far() -> long {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
  }

  std::array<int, 2> cores_;
  bool realtime_;
  circumstances last_;
  std::optional<run_state> state_;
};

/// Two cores that this process may use, of different physical cores where there is a choice.
/// Returns  the same core twice if there is only one.
[[nodiscard]] inline auto choose_cores() -> std::array<int, 2> {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<std::pair<int, std::string>> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    std::ifstream file{"/sys/devices/system/cpu/cpu" + std::to_string(core) +
                       "/topology/thread_siblings_list"};
    std::string siblings = std::to_string(core);
    std::getline(file, siblings);
    cores.emplace_back(core, siblings);
  }
  for (const auto& [core, siblings] : cores) {
    if (siblings != cores.front().second) return {cores.front().first, core};
  }
  return {cores.front().first, cores.back().first};
}

/// True if a thread of this process may become a real-time thread.
[[nodiscard]] inline auto may_run_realtime() -> bool {
  bool permitted = false;
  std::thread{[&] {
    sched_param priority{};
    priority.sched_priority = 10;
    permitted = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
  }}.join();
  return permitted;
}

}  // namespace bench
