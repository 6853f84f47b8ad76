// SPDX-License-Identifier: MIT
/// Starts the others, kills producers at random, replaces them, and ends it all.
#pragma once

#include "../child_process.hpp"
#include "collector.hpp"
#include "processes.hpp"
#include "producer.hpp"
#include "shared_log.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace log_collector {

using example::child_process;
using example::require_success;
using example::was_killed;

/// What is known of a producer that has ended.
struct producer_record {
  std::uint64_t committed;
  bool killed;
};

struct outcome {
  std::vector<std::vector<producer_record>> producers;  ///< by seat, then by generation
  std::uint32_t recovered = 0;
};

class supervisor {
 public:
  explicit supervisor(const options& chosen)
      : chosen_{chosen},
        memory_{chosen},
        log_{shared_log::create(memory_)},
        collector_{program_name, [this] { return collect(memory_, chosen_); }},
        random_{chosen.seed} {
    ended_.producers.resize(chosen.producers);
    for (std::uint32_t seat = 0; seat < chosen.producers; ++seat) {
      seats_.push_back({start_producer(seat)});
    }
  }

  /// Returns  when the time is over, or a signal asks for the end.
  void run() {
    next_kill_ = begin_ + time_to_next_kill();
    const auto end = begin_ + std::chrono::seconds{chosen_.seconds};
    for (auto now = begin_; now < end; now = clock::now()) {
      if (now >= next_kill_) kill_somebody();
      show(now);
      const int signal = signals_.next(std::min({end, next_kill_, now + show_period}));
      if (signal == SIGINT || signal == SIGTERM) return;
      bury();
    }
  }

  /// Tells the producers to stop, and lets the collector write what they leave.
  [[nodiscard]] auto finish() -> outcome {
    log_.ring().request_stop(log_.control().stop);
    for (std::uint32_t seat = 0; seat < seats_.size(); ++seat) {
      note_end(seat, *seats_[seat].process.end(true));
    }
    close();
    require_success(*collector_.end(true), "the collector");
    ended_.recovered = log_.ring().statistics().recovered;
    if (shown_) std::fputs("\r\033[K", stderr);
    return std::move(ended_);
  }

 private:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds show_period{100};

  struct seat_state {
    child_process process;
    bool doomed = false;  ///< was sent SIGKILL
  };

  [[nodiscard]] auto start_producer(std::uint32_t seat) -> child_process {
    const auto generation = static_cast<std::uint32_t>(ended_.producers[seat].size());
    log_.control().committed[seat].reset();
    return child_process{program_name,
                         [=, this] { return produce(memory_, seat, generation, chosen_.seed); }};
  }

  /// Kills are independent of each other: a Poisson process.
  [[nodiscard]] auto time_to_next_kill() -> clock::duration {
    if (chosen_.kill_rate == 0) return std::chrono::hours{24};
    std::exponential_distribution<double> pause{static_cast<double>(chosen_.kill_rate)};
    return std::chrono::duration_cast<clock::duration>(
        std::chrono::duration<double>{pause(random_)});
  }

  void kill_somebody() {
    next_kill_ += time_to_next_kill();
    auto& chosen = seats_[random_() % seats_.size()];
    chosen.process.kill();
    chosen.doomed = true;
  }

  /// Replaces the producers that were killed. Throws  if something else has ended.
  void bury() {
    require_collector();
    for (std::uint32_t seat = 0; seat < seats_.size(); ++seat) {
      const auto how = seats_[seat].process.end(false);
      if (!how) continue;
      note_end(seat, *how);
      if (!was_killed(*how)) {
        require_collector();  // a producer may have noticed first
        throw std::runtime_error{"a producer ended before it was told to"};
      }
      seats_[seat] = {start_producer(seat)};
    }
  }

  void require_collector() {
    const auto how = collector_.end(false);
    if (!how) return;
    require_success(*how, "the collector");
    throw std::runtime_error{"the collector ended before the others"};
  }

  void note_end(std::uint32_t seat, int how) {
    const bool killed = was_killed(how) && seats_[seat].doomed;
    if (!killed) require_success(how, "a producer");
    const auto committed = log_.control().committed[seat].load();
    ended_.producers[seat].push_back({committed, killed});
    committed_ += committed;
    if (killed) ++killed_;
  }

  /// Ends the stream. No producer is left, so the supervisor becomes one for it. If there is no collector
  /// either, nobody needs to know.
  void close() {
    if (auto last = log_.producer<weir::reject>()) last->close();
  }

  void show(clock::time_point now) {
    if (!shown_ || now < next_show_) return;
    next_show_ = now + show_period;
    auto committed = committed_;
    for (std::uint32_t seat = 0; seat < seats_.size(); ++seat) {
      committed += log_.control().committed[seat].load();
    }
    const std::chrono::duration<double> passed = now - begin_;
    std::fprintf(stderr, "\rlog_collector: %.1f of %u s, %llu lines, %u producers killed\033[K",
                 passed.count(), chosen_.seconds, static_cast<unsigned long long>(committed),
                 killed_);
  }

  const options& chosen_;
  signal_queue signals_;
  log_memory memory_;
  shared_log log_;
  child_process collector_;
  std::vector<seat_state> seats_;
  outcome ended_;
  std::mt19937_64 random_;
  clock::time_point begin_ = clock::now();
  clock::time_point next_kill_;
  clock::time_point next_show_ = begin_;
  bool shown_ = isatty(STDERR_FILENO) != 0;
  std::uint64_t committed_ = 0;  ///< by those who have ended
  std::uint32_t killed_ = 0;
};

}  // namespace log_collector
