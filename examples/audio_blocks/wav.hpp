// SPDX-License-Identifier: MIT
/// WAV files: reads PCM of 8, 16, 24 and 32 bits and float of 32 bits, one or two channels, with the plain
/// or the extensible header; writes float of 32 bits.
#pragma once

#include "sound.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace audio_blocks {

/// What a file is that cannot be read, without its name.
struct bad_wav : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace wav {

inline constexpr std::uint32_t pcm = 1;
inline constexpr std::uint32_t ieee_float = 3;
inline constexpr std::uint32_t extensible = 0xfffe;
inline constexpr std::uint32_t largest_rate = 768'000;
inline constexpr std::uintmax_t largest_file = 1U << 28;

struct sample_format {
  std::uint32_t kind;  ///< pcm or ieee_float
  std::uint32_t channels;
  std::uint32_t rate;
  std::uint32_t bits;  ///< of one sample as it lies in the file
};

/// Takes a file apart from its beginning. Throws  bad_wav where it ends too early.
class scanner {
 public:
  explicit scanner(std::span<const std::uint8_t> bytes) : left_{bytes} {}

  [[nodiscard]] auto left() const -> std::size_t { return left_.size(); }

  auto take(std::size_t size) -> std::span<const std::uint8_t> {
    if (size > left_.size()) throw bad_wav{"is cut short"};
    const auto taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  [[nodiscard]] auto number(std::size_t size) -> std::uint32_t {
    std::uint32_t value = 0;
    std::uint32_t shift = 0;
    for (const auto byte : take(size)) {
      value |= std::uint32_t{byte} << shift;
      shift += 8;
    }
    return value;
  }

  /// True if these four letters come next; then they are taken.
  [[nodiscard]] auto has(std::string_view letters) -> bool {
    if (left_.size() < letters.size()) return false;
    if (!std::ranges::equal(left_.first(letters.size()), letters)) return false;
    static_cast<void>(take(letters.size()));
    return true;
  }

 private:
  std::span<const std::uint8_t> left_;
};

/// The kind that an extensible header names: the first number of a GUID that ends like all of them.
[[nodiscard]] inline auto extended_kind(scanner& chunk) -> std::uint32_t {
  constexpr std::array<std::uint8_t, 14> ending{0,    0, 0,    0,    0x10, 0,    0x80,
                                                0x00, 0, 0xaa, 0x00, 0x38, 0x9b, 0x71};
  constexpr std::size_t before_guid = 2 + 2 + 4;  // size of the extension, valid bits, speakers
  if (chunk.left() < before_guid + 2 + ending.size()) throw bad_wav{"has a damaged format chunk"};
  static_cast<void>(chunk.take(before_guid));
  const auto kind = chunk.number(2);
  return std::ranges::equal(chunk.take(ending.size()), ending) ? kind : 0;
}

/// Throws  bad_wav unless it is a format that can be read.
[[nodiscard]] inline auto read_format(scanner chunk) -> sample_format {
  if (chunk.left() < 16) throw bad_wav{"has a damaged format chunk"};
  sample_format found{};
  found.kind = chunk.number(2);
  found.channels = chunk.number(2);
  found.rate = chunk.number(4);
  static_cast<void>(chunk.number(4));  // bytes per second, which follow from the rest
  const auto frame_size = chunk.number(2);
  found.bits = chunk.number(2);
  if (found.kind == extensible) found.kind = extended_kind(chunk);

  const bool whole_bytes = found.bits % 8 == 0 && found.bits >= 8 && found.bits <= 32;
  const bool known =
      (found.kind == pcm && whole_bytes) || (found.kind == ieee_float && found.bits == 32);
  if (!known) {
    throw bad_wav{"has samples of kind " + std::to_string(found.kind) + " with " +
                  std::to_string(found.bits) + " bits, not PCM of 8 to 32 or float of 32"};
  }
  if (found.channels != 1 && found.channels != 2) {
    throw bad_wav{"has " + std::to_string(found.channels) + " channels, not 1 or 2"};
  }
  if (found.rate == 0 || found.rate > largest_rate) {
    throw bad_wav{"has a rate of " + std::to_string(found.rate)};
  }
  if (frame_size != found.channels * found.bits / 8) throw bad_wav{"has a damaged format chunk"};
  return found;
}

/// One sample. A number of fewer than 32 bits becomes the upper end of one of 32: that is exact.
[[nodiscard]] inline auto sample_of(std::span<const std::uint8_t> bytes,
                                    const sample_format& format) -> float {
  std::uint32_t value = 0;
  for (const auto byte : bytes) value = value >> 8 | std::uint32_t{byte} << 24;
  if (format.kind == ieee_float) return std::bit_cast<float>(value);
  if (format.bits == 8) value ^= 0x8000'0000;  // the only unsigned one
  return static_cast<float>(static_cast<std::int32_t>(value)) * 0x1p-31F;
}

/// The frames of a data chunk. Bytes behind the last whole frame are left out.
[[nodiscard]] inline auto read_samples(std::span<const std::uint8_t> data,
                                       const sample_format& format) -> sound {
  const std::size_t size = format.bits / 8;
  const std::size_t frames = data.size() / (size * format.channels);
  sound found{format.rate, format.channels, std::vector<float>(frames * format.channels)};
  for (std::size_t i = 0; i < found.samples.size(); ++i) {
    found.samples[i] = sample_of(data.subspan(i * size, size), format);
    if (!std::isfinite(found.samples[i])) {
      throw bad_wav{"has a sample that is no number, sample " + std::to_string(i)};
    }
  }
  if (found.samples.empty()) throw bad_wav{"has no samples"};
  return found;
}

[[nodiscard]] inline auto read(std::span<const std::uint8_t> bytes) -> sound {
  // What a program writes that does not know the size yet and cannot go back.
  constexpr auto until_the_end = std::numeric_limits<std::uint32_t>::max();
  scanner file{bytes};
  if (!file.has("RIFF") || file.left() < 8) throw bad_wav{"is no WAV file"};
  static_cast<void>(file.number(4));  // of all chunks together: each says its own size
  if (!file.has("WAVE")) throw bad_wav{"is no WAV file"};
  std::optional<sample_format> format;
  while (file.left() != 0) {
    const bool is_format = file.has("fmt ");
    const bool is_data = !is_format && file.has("data");
    if (!is_format && !is_data) static_cast<void>(file.take(4));
    const auto size = file.number(4);
    if (is_data) {
      if (!format) throw bad_wav{"has samples of an unknown format"};
      return read_samples(file.take(size == until_the_end ? file.left() : size), *format);
    }
    const auto chunk = file.take(size);
    if (is_format) format = read_format(scanner{chunk});
    if (size % 2 != 0 && file.left() != 0) static_cast<void>(file.take(1));
  }
  throw bad_wav{"has no samples"};
}

}  // namespace wav

/// Throws  one line that names the file.
[[nodiscard]] inline auto read_wav(const std::filesystem::path& path) -> sound {
  try {
    std::error_code problem;
    const auto size = std::filesystem::file_size(path, problem);
    if (problem) throw bad_wav{problem.message()};
    if (size > wav::largest_file) throw bad_wav{"is larger than 256 MiB"};
    std::ifstream file{path, std::ios::binary};
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!file) throw bad_wav{"cannot be read"};
    return wav::read(bytes);
  } catch (const bad_wav& problem) {
    throw std::runtime_error{path.string() + ": " + problem.what()};
  }
}

/// A file that is there from the start, so that one that cannot be written is not found out at the end.
class wav_writer {
 public:
  explicit wav_writer(const std::filesystem::path& path)
      : path_{path}, file_{path, std::ios::binary} {
    check();
  }

  void write(const sound& all) {
    constexpr std::uint32_t format_size = 18;
    constexpr std::uint32_t fact_size = 4;
    constexpr std::uint32_t overhead = 4 + 8 + format_size + 8 + fact_size + 8;
    constexpr std::uint32_t sample_size = sizeof(float);
    const auto size = std::uint64_t{all.samples.size()} * sample_size;
    if (size > std::numeric_limits<std::uint32_t>::max() - overhead) {
      throw std::runtime_error{path_.string() + ": is too much for a WAV file"};
    }
    const auto data_size = static_cast<std::uint32_t>(size);
    text("RIFF").number(overhead + data_size, 4).text("WAVE");
    text("fmt ").number(format_size, 4).number(wav::ieee_float, 2).number(all.channels, 2);
    number(all.rate, 4).number(all.rate * all.channels * sample_size, 4);
    number(all.channels * sample_size, 2).number(sample_size * 8, 2).number(0, 2);
    text("fact").number(fact_size, 4).number(static_cast<std::uint32_t>(all.frames()), 4);
    text("data").number(data_size, 4);
    for (const auto sample : all.samples) {
      for (const auto byte : stored(sample)) file_.put(static_cast<char>(byte));
    }
    file_.close();
    check();
  }

 private:
  auto text(std::string_view letters) -> wav_writer& {
    file_ << letters;
    return *this;
  }
  auto number(std::uint32_t value, int size) -> wav_writer& {
    for (int i = 0; i < size; ++i) file_.put(static_cast<char>(value >> 8 * i & 255));
    return *this;
  }
  void check() const {
    if (!file_) throw std::runtime_error{path_.string() + ": cannot be written"};
  }

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace audio_blocks
