// SPDX-License-Identifier: MIT
/// Pictures of one size, in files and in memory: rows of RGBA, 8 bits each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>
#include <stb/stb_image_write.h>

namespace shared_image {

inline constexpr std::uint32_t picture_width = 1920;
inline constexpr std::uint32_t picture_height = 1080;
inline constexpr std::uint32_t channels = 4;
inline constexpr std::uint32_t row_bytes = picture_width * channels;
inline constexpr std::uint32_t picture_bytes = row_bytes * picture_height;

using pixels = std::vector<std::uint8_t>;
using row = std::span<const std::uint8_t>;

[[nodiscard]] inline auto row_of(const pixels& picture, std::uint32_t y) -> row {
  return row{picture}.subspan(std::size_t{y} * row_bytes, row_bytes);
}
[[nodiscard]] inline auto row_of(pixels& picture, std::uint32_t y) -> std::span<std::uint8_t> {
  return std::span{picture}.subspan(std::size_t{y} * row_bytes, row_bytes);
}

/// Reads a file that stb_image knows (PNG, JPEG, BMP, PPM and others), and scales it.
[[nodiscard]] inline auto load_picture(const std::string& path) -> pixels {
  constexpr int largest_side = 1 << 14;  // a gigabyte of RGBA
  int width = 0;
  int height = 0;
  const auto refuse = [&](const char* why) { throw std::runtime_error{path + ": " + why}; };
  if (!std::ifstream{path}) refuse("cannot be read");
  if (stbi_info(path.c_str(), &width, &height, nullptr) == 0) refuse(stbi_failure_reason());
  if (width > largest_side || height > largest_side) refuse("is too large");
  const std::unique_ptr<stbi_uc, decltype(&std::free)> found{
      stbi_load(path.c_str(), &width, &height, nullptr, int{channels}), &std::free};
  if (!found) refuse(stbi_failure_reason());
  if (width == int{picture_width} && height == int{picture_height}) {
    return {found.get(), found.get() + picture_bytes};
  }
  pixels scaled(picture_bytes);
  if (stbir_resize_uint8(found.get(), width, height, 0, scaled.data(), int{picture_width},
                         int{picture_height}, 0, int{channels}) == 0) {
    refuse("cannot be scaled");
  }
  return scaled;
}

[[nodiscard]] inline auto is_ppm(std::string_view path) -> bool { return path.ends_with(".ppm"); }

[[nodiscard]] inline auto as_ppm(const pixels& picture) -> std::string {
  auto file =
      "P6\n" + std::to_string(picture_width) + " " + std::to_string(picture_height) + "\n255\n";
  for (std::size_t i = 0; i < picture.size(); i += channels) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      file += static_cast<char>(picture[i + channel]);
    }
  }
  return file;
}

[[nodiscard]] inline auto as_png(const pixels& picture) -> std::string {
  std::string file;
  const auto append = [](void* to, void* bytes, int size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(bytes),
                                          static_cast<std::size_t>(size));
  };
  if (stbi_write_png_to_func(append, &file, int{picture_width}, int{picture_height}, int{channels},
                             picture.data(), int{row_bytes}) == 0) {
    throw std::runtime_error{"the picture cannot be packed"};
  }
  return file;
}

/// Writes a PNG, or a PPM, which has no alpha, if the path says so.
inline void save_picture(const std::string& path, const pixels& picture) {
  const auto bytes = is_ppm(path) ? as_ppm(picture) : as_png(picture);
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error{path + ": cannot be written"};
}

}  // namespace shared_image
