// SPDX-License-Identifier: MIT
/// What each pass does with a row. The workers and the reference share the arithmetic, and nothing else.
///
/// A pass reads one picture and writes another. First brightness and contrast, then the boxes of 3x3, then
/// those of 9x9, then the crop, if there is one.
#pragma once

#include "picture.hpp"
#include "script.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace shared_image {

[[nodiscard]] inline auto is_cropped(const parameters& wanted) -> bool {
  return wanted.crop != rectangle{};
}

[[nodiscard]] inline auto pass_count(const parameters& wanted) -> std::uint32_t {
  return 1 + static_cast<std::uint32_t>(wanted.blur3 + wanted.blur9) +
         (is_cropped(wanted) ? 1U : 0U);
}

/// The new value for each old one: contrast around the middle, then brightness. Rounds down.
class tone {
 public:
  explicit tone(const parameters& wanted) {
    for (std::int32_t old = 0; old < 256; ++old) {
      // Never negative before it is divided, so that the division rounds down.
      const auto hundredfold =
          (old - 128) * wanted.contrast + 12800 + 255 * wanted.brightness + offset * 100;
      const auto value = hundredfold / 100 - offset;
      table_[static_cast<std::size_t>(old)] =
          static_cast<std::uint8_t>(std::clamp(value, std::int32_t{0}, std::int32_t{255}));
    }
  }

  void apply(std::span<std::uint8_t> out, row in) const {
    for (std::size_t i = 0; i < out.size(); i += channels) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        out[i + channel] = table_[in[i + channel]];
      }
      out[i + 3] = in[i + 3];
    }
  }

 private:
  static constexpr std::int32_t offset = 1000;

  std::array<std::uint8_t, 256> table_;
};

/// The mean of the pixels around each, rounded to the nearest. Beyond the edges the picture goes on with
/// the pixels of the edge.
template <std::uint32_t Radius>
class box {
 public:
  static constexpr std::uint32_t side = 2 * Radius + 1;

  /// rows(y) -> row.
  template <class Rows>
  void apply(std::span<std::uint8_t> out, std::uint32_t y, Rows&& rows) {
    std::ranges::fill(columns_, std::uint16_t{0});
    for (std::uint32_t step = 0; step < side; ++step) {
      const auto below_top = std::max(y + step, Radius) - Radius;
      const row from = rows(std::min(below_top, picture_height - 1));
      for (std::size_t i = 0; i < row_bytes; ++i) {
        columns_[i] = static_cast<std::uint16_t>(columns_[i] + from[i]);
      }
    }
    for (std::uint32_t channel = 0; channel < channels; ++channel) slide(out, channel);
  }

 private:
  /// From left to right: one column enters the sum, one leaves it.
  void slide(std::span<std::uint8_t> out, std::uint32_t channel) const {
    constexpr std::uint32_t area = side * side;
    const auto column = [&](std::uint32_t x) -> std::uint32_t {
      return columns_[std::min(x, picture_width - 1) * channels + channel];
    };
    std::uint32_t sum = column(0) * Radius;
    for (std::uint32_t x = 0; x <= Radius; ++x) sum += column(x);
    for (std::uint32_t x = 0; x < picture_width; ++x) {
      out[x * channels + channel] = static_cast<std::uint8_t>((sum + area / 2) / area);
      sum += column(x + Radius + 1);
      sum -= column(std::max(x, Radius) - Radius);
    }
  }

  static_assert(side * 255 <= 0xffff);
  std::vector<std::uint16_t> columns_ = std::vector<std::uint16_t>(row_bytes);
};

inline void crop_row(std::span<std::uint8_t> out, row in, std::uint32_t y, const rectangle& kept) {
  constexpr std::array<std::uint8_t, channels> black{0, 0, 0, 255};
  const bool inside = y >= kept.y && y - kept.y < kept.height;
  for (std::uint32_t x = 0; x < picture_width; ++x) {
    const bool keep = inside && x >= kept.x && x - kept.x < kept.width;
    for (std::uint32_t channel = 0; channel < channels; ++channel) {
      const auto i = x * channels + channel;
      out[i] = keep ? in[i] : black[channel];
    }
  }
}

/// One pass. Thread  one at a time.
class filter {
 public:
  /// Needs  number < pass_count(wanted).
  filter(const parameters& wanted, std::uint32_t number)
      : kind_{kind_of(wanted, number)}, tone_{wanted}, kept_{wanted.crop} {}

  /// Rows above and below its own that a row is computed from.
  [[nodiscard]] auto margin() const -> std::uint32_t {
    return kind_ == kind::box3 ? 1 : kind_ == kind::box9 ? 4 : 0;
  }

  /// Writes row y. rows(y) -> row: the picture that the pass reads, at most margin() rows away.
  template <class Rows>
  void apply(std::span<std::uint8_t> out, std::uint32_t y, Rows&& rows) {
    switch (kind_) {
      case kind::tone:
        return tone_.apply(out, rows(y));
      case kind::box3:
        return box3_.apply(out, y, rows);
      case kind::box9:
        return box9_.apply(out, y, rows);
      case kind::crop:
        return crop_row(out, rows(y), y, kept_);
    }
  }

 private:
  enum class kind { tone, box3, box9, crop };

  static auto kind_of(const parameters& wanted, std::uint32_t number) -> kind {
    const auto last3 = static_cast<std::uint32_t>(wanted.blur3);
    const auto last9 = last3 + static_cast<std::uint32_t>(wanted.blur9);
    if (number == 0) return kind::tone;
    if (number <= last3) return kind::box3;
    return number <= last9 ? kind::box9 : kind::crop;
  }

  kind kind_;
  tone tone_;
  box<1> box3_;
  box<4> box9_;
  rectangle kept_;
};

}  // namespace shared_image
