// SPDX-License-Identifier: MIT
/// What is to be done with the picture, and when: lines of "<milliseconds> <word> <arguments>".
///
///   brightness B   from -100 to 100
///   contrast C     from 0 to 300 percent
///   blur3 N        N times over 3x3 pixels, from 0 to 8
///   blur9 N        N times over 9x9 pixels, from 0 to 8
///   crop X Y W H   everything else is black; crop off: nothing is
///
/// Lines that begin with # are comments. What a picture looks like follows from the last value of each.
#pragma once

#include "picture.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace shared_image {

struct rectangle {
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t width = picture_width;
  std::uint32_t height = picture_height;

  [[nodiscard]] auto operator==(const rectangle&) const -> bool = default;
};

/// What the picture is computed from. It travels: no padding, one representation of each value.
struct parameters {
  std::int32_t brightness = 0;
  std::int32_t contrast = 100;
  std::int32_t blur3 = 0;
  std::int32_t blur9 = 0;
  rectangle crop;

  [[nodiscard]] auto operator==(const parameters&) const -> bool = default;
};

/// The changes that fall into one frame of the screen become one dispatch.
struct dispatch {
  std::uint64_t frame;
  parameters wanted;
};

struct plan {
  std::uint32_t changes = 0;
  std::vector<dispatch> dispatches;  ///< at least one: the picture as it is at first
};

/// Reads a script line by line.
class script_reader {
 public:
  /// Of script time.
  static constexpr std::uint64_t frame_milliseconds = 16;

  explicit script_reader(std::string path) : path_{std::move(path)} {}

  [[nodiscard]] auto read() -> plan {
    std::ifstream file{path_};
    if (!file) throw std::runtime_error{path_ + ": cannot be read"};
    for (std::string line; std::getline(file, line);) {
      ++line_;
      words_ = std::istringstream{line};
      std::string first;
      if (words_ >> first && !first.starts_with('#')) take(first);
    }
    if (file.bad() || line_ == 0) refuse("cannot be read, or is empty");
    dispatch_if_changed();
    return std::move(found_);
  }

 private:
  void take(const std::string& time) {
    const auto milliseconds = number<std::uint64_t>(time, "a time", 0, 1'000'000'000);
    if (milliseconds < last_time_) refuse("earlier than the line before");
    last_time_ = milliseconds;
    const auto frame = milliseconds / frame_milliseconds;
    if (frame != frame_) dispatch_if_changed();
    frame_ = frame;
    apply(next_word("a word"));
    ++found_.changes;
    if (std::string rest; words_ >> rest) refuse("too much: " + rest);
  }

  void apply(const std::string& word) {
    if (word == "brightness") {
      now_.brightness = argument<std::int32_t>(-100, 100);
    } else if (word == "contrast") {
      now_.contrast = argument<std::int32_t>(0, 300);
    } else if (word == "blur3") {
      now_.blur3 = argument<std::int32_t>(0, 8);
    } else if (word == "blur9") {
      now_.blur9 = argument<std::int32_t>(0, 8);
    } else if (word == "crop") {
      now_.crop = crop();
    } else {
      refuse("unknown: " + word);
    }
  }

  [[nodiscard]] auto crop() -> rectangle {
    const auto first = next_word("off, or four numbers");
    if (first == "off") return {};
    rectangle cut;
    cut.x = number<std::uint32_t>(first, "a number", 0, picture_width - 1);
    cut.y = argument<std::uint32_t>(0, picture_height - 1);
    cut.width = argument<std::uint32_t>(1, picture_width - cut.x);
    cut.height = argument<std::uint32_t>(1, picture_height - cut.y);
    return cut;
  }

  void dispatch_if_changed() {
    const bool first = found_.dispatches.empty();
    if (!first && found_.dispatches.back().wanted == now_) return;
    found_.dispatches.push_back({frame_, now_});
  }

  template <class Number>
  [[nodiscard]] auto argument(Number least, Number most) -> Number {
    return number(next_word("a number"), "a number", least, most);
  }

  [[nodiscard]] auto next_word(const char* what) -> std::string {
    std::string word;
    if (!(words_ >> word)) refuse(std::string{"missing: "} + what);
    return word;
  }

  template <class Number>
  [[nodiscard]] auto number(const std::string& word, const char* what, Number least, Number most)
      -> Number {
    Number value{};
    const auto* end = word.data() + word.size();
    const auto parsed = std::from_chars(word.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end || value < least || value > most) {
      refuse("not " + std::string{what} + " from " + std::to_string(least) + " to " +
             std::to_string(most) + ": " + word);
    }
    return value;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw std::runtime_error{path_ + ":" + std::to_string(line_) + ": " + why};
  }

  std::string path_;
  std::istringstream words_;
  std::uint32_t line_ = 0;
  std::uint64_t last_time_ = 0;
  std::uint64_t frame_ = 0;
  parameters now_;
  plan found_;
};

}  // namespace shared_image
