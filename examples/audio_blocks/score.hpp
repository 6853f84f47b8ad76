// SPDX-License-Identifier: MIT
/// Music as text, and what it sounds like.
///
///   tempo 120        quarter notes per minute
///   voice 0.5 -0.3   begins a voice at the beginning of the piece: level, and place from -1 (left) to 1
///   F#4:1.5 R:0.5    notes and rests of so many quarters; bars may be marked with |
///   # from here to the end of the line it is a comment
#pragma once

#include "sound.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace audio_blocks {

struct note {
  double start;  ///< in seconds
  double length;
  double frequency;
};

struct voice {
  double level;
  double place;
  double length;  ///< in seconds
  std::vector<note> notes;
};

using score = std::vector<voice>;

namespace music {

inline constexpr double longest_piece = 300;  ///< in seconds
inline constexpr double most_quarters = 64;

/// The number that is the whole of the text and in range.
[[nodiscard]] inline auto number_in(std::string_view text, double least, double most)
    -> std::optional<double> {
  double value = 0;
  const auto* begin = text.data();
  const auto* end = begin + text.size();
  const auto parsed = std::from_chars(begin, end, value);
  const bool good =
      parsed.ec == std::errc{} && parsed.ptr == end && value >= least && value <= most;
  return good ? std::optional{value} : std::nullopt;
}

/// In Hz; 0: a rest.
[[nodiscard]] inline auto frequency_of(std::string_view name) -> std::optional<double> {
  constexpr std::string_view letters = "C D EF G A B";  // a half tone apart
  constexpr int octave_size = 12;
  constexpr int a4 = 4 * octave_size + 9;
  if (name == "R") return 0.0;
  const auto letter = letters.find(name.substr(0, 1));
  if (name.empty() || name[0] == ' ' || letter == std::string_view::npos) return std::nullopt;
  auto half_tones = static_cast<int>(letter);
  name.remove_prefix(1);
  if (name.starts_with('#') || name.starts_with('b')) {
    half_tones += name[0] == '#' ? 1 : -1;
    name.remove_prefix(1);
  }
  if (name.size() != 1 || name[0] < '0' || name[0] > '8') return std::nullopt;
  half_tones += (name[0] - '0') * octave_size;
  return 440 * std::exp2(static_cast<double>(half_tones - a4) / octave_size);
}

/// Reads a score word by word.
class reader {
 public:
  /// Throws  what is wrong, without the place.
  void line(const std::string& text) {
    std::istringstream words{text};
    for (std::string word; words >> word && word[0] != '#';) {
      if (word == "tempo") {
        quarter_ = 60 / argument(words, 20, 400);
      } else if (word == "voice") {
        const auto level = argument(words, 0, 1);
        voices_.push_back({level, argument(words, -1, 1), 0, {}});
      } else if (word != "|") {
        add(word);
      }
    }
  }

  [[nodiscard]] auto result() && -> score { return std::move(voices_); }

 private:
  [[nodiscard]] static auto argument(std::istringstream& words, double least, double most)
      -> double {
    std::string word;
    words >> word;
    const auto value = number_in(word, least, most);
    if (!value) throw std::runtime_error{"what is '" + word + "'?"};
    return *value;
  }

  void add(const std::string& word) {
    const auto colon = std::min(word.find(':'), word.size());
    const auto frequency = frequency_of(std::string_view{word}.substr(0, colon));
    const auto quarters = number_in(std::string_view{word}.substr(std::min(colon + 1, word.size())),
                                    0, most_quarters);
    if (!frequency || !quarters || *quarters == 0) {
      throw std::runtime_error{"what is '" + word + "'?"};
    }
    if (voices_.empty()) throw std::runtime_error{"a note before the first voice"};
    auto& last = voices_.back();
    const auto length = *quarters * quarter_;
    if (*frequency != 0) last.notes.push_back({last.length, length, *frequency});
    last.length += length;
    if (last.length > longest_piece) throw std::runtime_error{"is longer than 300 s"};
  }

  double quarter_ = 0.5;  ///< in seconds
  score voices_;
};

/// A plucked string, roughly: overtones, a short attack, a decay, and a release where the note ends.
[[nodiscard]] inline auto tone(const note& one, double time, double rate) -> double {
  constexpr std::array overtones{1.0, 0.5, 0.25, 0.12, 0.06};
  constexpr double together = 1.93;
  constexpr double attack = 0.008;
  constexpr double release = 0.04;
  constexpr double decay = 1.6;
  double value = 0;
  double frequency = 0;
  for (const auto strength : overtones) {
    frequency += one.frequency;
    if (frequency >= rate / 2) break;
    value += strength * std::sin(2 * std::numbers::pi * frequency * time);
  }
  const auto shape = std::min({time / attack, (one.length - time) / release, 1.0});
  return value / together * std::exp(-decay * time) * shape;
}

}  // namespace music

/// Throws  one line that names the file and the line in it.
[[nodiscard]] inline auto read_score(const std::filesystem::path& path) -> score {
  std::ifstream file;
  if (std::filesystem::is_regular_file(path)) file.open(path);  // others may have no end
  music::reader found;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    try {
      found.line(line);
    } catch (const std::runtime_error& problem) {
      throw std::runtime_error{path.string() + ":" + std::to_string(number) + ": " +
                               problem.what()};
    }
  }
  if (!file.eof()) throw std::runtime_error{path.string() + ": cannot be read"};
  auto voices = std::move(found).result();
  if (std::ranges::all_of(voices, [](const voice& one) { return one.notes.empty(); })) {
    throw std::runtime_error{path.string() + ": has no notes"};
  }
  return voices;
}

/// The piece, in stereo.
[[nodiscard]] inline auto render(const score& voices, std::uint32_t rate) -> sound {
  double length = 0;
  for (const auto& one : voices) length = std::max(length, one.length);
  const auto frames = static_cast<std::size_t>(std::ceil(length * rate));
  sound piece{rate, 2, std::vector<float>(2 * frames)};
  for (const auto& one : voices) {
    const auto left = one.level * std::min(1.0, 1 - one.place);
    const auto right = one.level * std::min(1.0, 1 + one.place);
    for (const auto& played : one.notes) {
      auto frame = static_cast<std::size_t>(std::ceil(played.start * rate));
      for (; frame < frames; ++frame) {
        const auto time = static_cast<double>(frame) / rate - played.start;
        if (time >= played.length) break;
        const auto value = music::tone(played, time, rate);
        piece.samples[2 * frame] += static_cast<float>(left * value);
        piece.samples[2 * frame + 1] += static_cast<float>(right * value);
      }
    }
  }
  return piece;
}

}  // namespace audio_blocks
