// SPDX-License-Identifier: MIT
/// Events without end from half a minute of recorded drawing.
///
/// The recording is played again and again; each time its curves are turned, mirrored and moved, as the
/// seed says. Event n is the same in every run, and can be asked for in any order: whoever applies the
/// last of a hundred thousand events can still say what it must have been.
#pragma once

#include "messages.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace adapter {

struct traced_event {
  event_type type;
  pointer_event event;  ///< not written yet
};

class trace {
 public:
  /// Throws  if the file is not a recording of at least two events.
  trace(const std::string& path, std::uint64_t seed) : seed_{seed} {
    std::ifstream file{path};
    if (!file) throw std::runtime_error{path + ": cannot be read"};
    for (std::string line; std::getline(file, line);) {
      if (line.empty() || line.front() == '#') continue;
      std::istringstream fields{line};
      sample one{};
      fields >> one.time >> one.x >> one.y >> one.pressure;
      const bool in_order = samples_.empty() || one.time > samples_.back().time;
      if (!fields || !in_order) throw std::runtime_error{path + ": bad line: " + line};
      samples_.push_back(one);
    }
    if (samples_.size() < 2) throw std::runtime_error{path + ": no recording"};
    const auto pause = samples_[1].time - samples_[0].time;
    duration_ = samples_.back().time - samples_.front().time + pause;
  }

  [[nodiscard]] auto at(std::uint32_t number) const -> traced_event {
    const auto index = number % samples_.size();
    const auto round = number / samples_.size();
    const auto& one = samples_[index];
    const bool down = one.pressure > 0;
    const bool was_down = index != 0 && samples_[index - 1].pressure > 0;
    const auto type = down ? (was_down ? event_type::drag : event_type::press)
                           : (was_down ? event_type::lift : event_type::hover);
    pointer_event event{.written = 0,
                        .number = number,
                        .time = static_cast<std::uint32_t>(time_of(number).count()),
                        .tool = static_cast<std::uint32_t>(round),
                        .x = one.x - center_x,
                        .y = one.y - center_y,
                        .pressure = one.pressure};
    place(event, mix(seed_ + round));
    return {type, event};
  }

  /// When the event happens, in the time of the recording.
  [[nodiscard]] auto time_of(std::uint32_t number) const -> std::chrono::milliseconds {
    const auto round = number / samples_.size();
    const auto within = samples_[number % samples_.size()].time - samples_.front().time;
    return std::chrono::milliseconds{static_cast<std::int64_t>(round) * duration_ + within};
  }

 private:
  struct sample {
    std::int64_t time;
    float x;
    float y;
    float pressure;
  };

  /// The middle of the recording's sheet.
  static constexpr float center_x = 480;
  static constexpr float center_y = 330;

  /// Turns by a multiple of 90 degrees, mirrors, moves by at most 64 in each direction.
  static void place(pointer_event& event, std::uint64_t dice) {
    if ((dice & 1) != 0) event.x = -event.x;
    if ((dice & 2) != 0) event.y = -event.y;
    if ((dice & 4) != 0) std::swap(event.x, event.y);
    event.x += center_x + static_cast<float>(dice >> 3 & 127) - 64;
    event.y += center_y + static_cast<float>(dice >> 10 & 127) - 64;
  }

  /// splitmix64 (Steele, Lea and Flood 2014): a seed's random number.
  [[nodiscard]] static auto mix(std::uint64_t value) -> std::uint64_t {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
  }

  std::vector<sample> samples_;
  std::int64_t duration_ = 0;  ///< of one round, in milliseconds
  std::uint64_t seed_;
};

}  // namespace adapter
