// SPDX-License-Identifier: MIT
/// What is done to the sound, and when it changes.
#pragma once

#include "sound.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

namespace audio_blocks {

/// How the callback is set. Made for it to use without a computation.
struct parameters {
  float gain = 1;
  /// Of each sample that leaves the low-pass filter, how much is new: 1 is everything.
  float fresh = 1;
  /// Number of the first period for which there are others.
  std::uint64_t until = std::numeric_limits<std::uint64_t>::max();
};

struct change {
  std::uint64_t period;  ///< the first one with these parameters
  parameters value;
};

/// A gain and a low-pass filter of one pole. A new gain is reached at the end of a block: a jump clicks.
class effects {
 public:
  static constexpr std::uint32_t most_channels = 2;

  effects(std::uint32_t channels, const parameters& first) noexcept
      : channels_{channels}, gain_{first.gain}, wanted_{first} {}

  void set(const parameters& wanted) noexcept { wanted_ = wanted; }

  /// Not inlined: where a processor can multiply and add in one step, the compiler may do so in one place
  /// and not in another, and the reference would differ in the last bit.
  [[gnu::noinline]] void process(std::span<float> samples) noexcept {
    const auto frames = samples.size() / channels_;
    const auto step = (wanted_.gain - gain_) / static_cast<float>(frames);
    const auto kept = 1 - wanted_.fresh;
    for (std::size_t i = 0; i < samples.size(); i += channels_) {
      gain_ += step;
      for (std::size_t channel = 0; channel < channels_; ++channel) {
        auto& state = filtered_[channel];
        state = wanted_.fresh * samples[i + channel] + kept * state;
        samples[i + channel] = gain_ * state;
      }
    }
    gain_ = wanted_.gain;
  }

 private:
  std::uint32_t channels_;
  float gain_;
  parameters wanted_;
  std::array<float, most_channels> filtered_{};
};

/// The filter wanders between dull and bright, and the last seconds fade out.
/// Needs  periods of `length` seconds; `rate`: changes per second, 0: the gain alone, which stays.
[[nodiscard]] inline auto make_schedule(std::uint64_t periods, double length, std::uint32_t rate,
                                        float gain, std::uint32_t sample_rate)
    -> std::vector<change> {
  constexpr double middle = 1800;   // Hz
  constexpr double octaves = 2;     // up and down from there
  constexpr double swing = 8;       // seconds there and back
  constexpr double fade_out = 2.5;  // seconds
  if (rate == 0) return {{0, {.gain = gain}}};
  const auto apart = std::max(std::uint64_t{1}, static_cast<std::uint64_t>(1 / (rate * length)));
  std::vector<change> all;
  for (std::uint64_t period = 0; period < periods; period += apart) {
    const auto time = static_cast<double>(period) * length;
    const auto left = static_cast<double>(periods - period) * length;
    const auto turn = 2 * std::numbers::pi;
    const auto cut_off = middle * std::exp2(octaves * std::sin(turn * time / swing));
    change next{period, {}};
    next.value.gain = gain * static_cast<float>(std::min(1.0, left / fade_out));
    next.value.fresh = static_cast<float>(1 - std::exp(-turn * cut_off / sample_rate));
    if (!all.empty()) all.back().value.until = period;
    all.push_back(next);
  }
  return all;
}

}  // namespace audio_blocks
