// SPDX-License-Identifier: MIT
/// How far a copy has come: a count, and a line on the terminal for whoever watches.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

namespace ring_cat {

/// Bytes that a regular file still has; nothing for what has no size.
[[nodiscard]] inline auto bytes_left(int file) -> std::optional<std::uint64_t> {
  struct stat facts{};
  if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  const auto position = lseek(file, 0, SEEK_CUR);
  if (position < 0 || position >= facts.st_size) return std::nullopt;
  return static_cast<std::uint64_t>(facts.st_size - position);
}

class progress {
 public:
  /// Shows a line only if standard error is a terminal, and the output is not on it too.
  explicit progress(std::optional<std::uint64_t> expected)
      : expected_{expected}, shown_{isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) == 0} {}

  void advance(std::uint64_t bytes) {
    bytes_ += bytes;
    if (shown_) refresh();
  }

  /// Takes the line away again.
  void clear() const {
    if (shown_ && next_ != begin_) std::fputs("\r\033[K", stderr);
  }

  [[nodiscard]] auto bytes() const -> std::uint64_t { return bytes_; }
  [[nodiscard]] auto seconds() const -> double {
    return std::chrono::duration<double>(clock::now() - begin_).count();
  }
  [[nodiscard]] auto megabytes_per_second() const -> double {
    return megabytes(bytes_) / seconds();
  }

 private:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds period{100};

  [[nodiscard]] static auto megabytes(std::uint64_t bytes) -> double {
    return static_cast<double>(bytes) / 1e6;
  }

  void refresh() {
    const auto now = clock::now();
    if (now < next_) return;
    next_ = now + period;
    std::fprintf(stderr, "\rring_cat: %.1f MB", megabytes(bytes_));
    if (expected_) {
      std::fprintf(stderr, " of %.1f MB, %.0f %%", megabytes(*expected_),
                   100 * megabytes(bytes_) / megabytes(*expected_));
    }
    std::fprintf(stderr, ", %.1f MB/s\033[K", megabytes_per_second());
  }

  std::optional<std::uint64_t> expected_;
  bool shown_;
  std::uint64_t bytes_ = 0;
  clock::time_point begin_ = clock::now();
  clock::time_point next_ = begin_;
};

}  // namespace ring_cat
