// SPDX-License-Identifier: MIT
/// The workers, each in a thread or in a process of its own, and how they end.
#pragma once

#include "../child_process.hpp"
#include "canvas.hpp"
#include "worker.hpp"

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace shared_image {

/// Runs `body` in a thread. What it throws is kept for whoever asks.
class guarded_thread {
 public:
  template <class Body>
  explicit guarded_thread(Body body)
      : thread_{[this, body] {
          try {
            body();
          } catch (...) {
            failure_ = std::current_exception();
          }
          ended_.store(true, std::memory_order_release);
        }} {}
  guarded_thread(const guarded_thread&) = delete;
  auto operator=(const guarded_thread&) -> guarded_thread& = delete;
  ~guarded_thread() {
    if (thread_.joinable()) thread_.join();
  }

  /// Throws  what the thread has thrown.
  void check() const {
    if (ended_.load(std::memory_order_acquire) && failure_) std::rethrow_exception(failure_);
  }
  void join() {
    if (thread_.joinable()) thread_.join();
    check();
  }

 private:
  std::exception_ptr failure_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

/// Needs  the jobs are closed before it goes.
class crew {
 public:
  /// Needs  one thread in this process, if the workers are to be processes.
  crew(const canvas_memory& memory, const canvas& shared, const options& chosen) {
    for (std::uint32_t number = 1; number <= chosen.active_workers(); ++number) {
      if (chosen.processes) {
        processes_.emplace_back(program_name, [&memory, number] {
          const canvas own{memory};
          worker{own, number}.run();
          return 0;
        });
      } else {
        threads_.push_back(
            std::make_unique<guarded_thread>([&shared, number] { worker{shared, number}.run(); }));
      }
    }
  }

  /// Sees who has ended: that a process was killed is no reason to stop while there are others.
  /// Returns  true if one has been since the last call. Throws  if one has failed, or there is nobody left.
  auto look_after() -> bool {
    for (const auto& one : threads_) one->check();
    for (auto& one : processes_) note_end(one, false);
    if (!processes_.empty() && killed_ == processes_.size()) {
      throw std::runtime_error{"every worker was killed"};
    }
    return std::exchange(killed_seen_, killed_) != killed_;
  }

  /// A process. Workers count from 1.
  void kill(std::uint32_t worker) {
    processes_[worker - 1].kill();
    note_end(processes_[worker - 1], true);
  }

  /// Needs  the jobs are closed.
  void finish() {
    for (auto& one : threads_) one->join();
    for (auto& one : processes_) note_end(one, true);
  }

  [[nodiscard]] auto killed() const -> std::uint32_t { return killed_; }

 private:
  void note_end(example::child_process& one, bool wait) {
    if (!one.runs()) return;
    const auto how = one.end(wait);
    if (!how) return;
    if (!example::was_killed(*how)) {
      example::require_success(*how, "a worker");
    } else {
      ++killed_;
    }
  }

  std::vector<std::unique_ptr<guarded_thread>> threads_;
  std::vector<example::child_process> processes_;
  std::uint32_t killed_ = 0;
  std::uint32_t killed_seen_ = 0;  ///< by look_after()
};

}  // namespace shared_image
