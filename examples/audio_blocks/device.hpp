// SPDX-License-Identifier: MIT
/// In place of a sound card: calls the callback for every period and keeps what it plays. Its clock is the
/// computer's, or a virtual one, which waits for the others, so that every run plays the same.
#pragma once

#include "callback.hpp"
#include "links.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace audio_blocks {

/// Waits for a first block. The device's matter, not the callback's: nothing is played yet.
inline void await_input(audio_callback& called) {
  while (!called.has_input()) std::this_thread::yield();
}

/// Stands still until a period's parameters are there, and its block, unless the feeder rests.
class virtual_clock {
 public:
  virtual_clock(const links& shared, const rest& resting)
      : settings_{required(shared.settings.reader<weir::park>(), "a reader of the parameters")},
        resting_{resting} {}

  void await(std::uint64_t period, audio_callback& called) {
    while (until_ <= period && settings_.wait() != weir::status::closed) {
      auto newest = settings_.read();
      if (newest) until_ = newest->until;
    }
    if (!resting_.covers(period)) await_input(called);
  }

  [[nodiscard]] static auto lateness() -> std::chrono::nanoseconds { return {}; }

 private:
  parameter_value::reader_type<weir::park> settings_;
  rest resting_;
  std::uint64_t until_ = 0;
};

/// Goes on, come what may.
class real_clock {
 public:
  real_clock(std::uint32_t block_frames, std::uint32_t rate) : frames_{block_frames}, rate_{rate} {}

  void await(std::uint64_t period, audio_callback& called) {
    if (period == 0) {
      await_input(called);
      begin_ = clock::now();
    }
    const auto due = begin_ + std::chrono::nanoseconds{1'000'000'000 * frames_ * period / rate_};
    std::this_thread::sleep_until(due);
    late_ = std::max<std::chrono::nanoseconds>(late_, clock::now() - due);
  }

  /// The worst.
  [[nodiscard]] auto lateness() const -> std::chrono::nanoseconds { return late_; }

 private:
  using clock = std::chrono::steady_clock;

  std::uint64_t frames_;
  std::uint64_t rate_;
  clock::time_point begin_;
  std::chrono::nanoseconds late_{};
};

template <class Clock>
class device {
 public:
  /// Plays at most `most_periods`.
  device(const links& shared, std::size_t block_samples, std::uint64_t most_periods, Clock timing,
         audio_callback& called)
      : played_{required(shared.played.writer(), "the periods played")},
        block_samples_{block_samples},
        recorded_(static_cast<std::size_t>(block_samples * most_periods)),
        clock_{std::move(timing)},
        called_{called} {}

  /// Plays until the stream ends, and lets the others know, whatever happens.
  void run() {
    struct ending {
      device& over;
      ~ending() {
        over.called_.end();
        over.played_.close();
      }
    } const always{*this};
    bool more = true;
    for (std::uint64_t period = 0; more; ++period) {
      const auto place = static_cast<std::size_t>(period) * block_samples_;
      if (place == recorded_.size()) throw std::runtime_error{"underruns without an end"};
      clock_.await(period, called_);
      more = called_.process(std::span{recorded_}.subspan(place, block_samples_));
      require_ok(played_.write(period + 1), "the periods played");
      size_ = place + block_samples_;
    }
  }

  /// Everything that was played. Needs  run() has returned.
  [[nodiscard]] auto take_recorded() -> std::vector<float> {
    recorded_.resize(size_);
    return std::move(recorded_);
  }
  [[nodiscard]] auto lateness() const -> std::chrono::nanoseconds { return clock_.lateness(); }

 private:
  played_value::writer_type played_;
  std::size_t block_samples_;
  std::vector<float> recorded_;
  std::size_t size_ = 0;
  Clock clock_;
  audio_callback& called_;
};

}  // namespace audio_blocks
