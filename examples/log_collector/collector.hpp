// SPDX-License-Identifier: MIT
/// The collector: writes the ring's lines to disk, one file per seat, and clears away what the dead left.
#pragma once

#include "shared_log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace log_collector {

[[nodiscard]] inline auto file_of(const std::filesystem::path& folder, std::uint32_t seat)
    -> std::filesystem::path {
  char name[32];
  std::snprintf(name, sizeof name, "producer-%03u.log", seat);
  return folder / name;
}

/// A file that grows at its end, by the block. What goes wrong is said by check().
class line_file {
 public:
  explicit line_file(const std::filesystem::path& path)
      : path_{path}, file_{open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)} {
    if (file_.number() < 0) fail(path_.c_str());
    waiting_.reserve(block_size);
  }

  /// Called by the ring, which does not know exceptions: nothing is allocated, nothing is thrown.
  void append(std::span<const std::byte> line) noexcept {
    if (waiting_.size() + line.size() > block_size) flush();
    waiting_.insert(waiting_.end(), line.begin(), line.end());
  }

  void flush() noexcept {
    std::span<const std::byte> rest{waiting_};
    while (!rest.empty() && error_ == 0) {
      const auto written = write(file_.number(), rest.data(), rest.size());
      if (written >= 0) {
        rest = rest.subspan(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        error_ = errno;
      }
    }
    waiting_.clear();
  }

  /// Throws  if something could not be written.
  void check() const {
    if (error_ != 0) throw std::system_error{error_, std::generic_category(), path_};
  }

 private:
  static constexpr std::size_t block_size = 64 * 1024;
  static_assert(block_size >= line_format::longest);

  std::string path_;
  example::descriptor_handle file_;
  std::vector<std::byte> waiting_;
  int error_ = 0;
};

/// Keeps the files below their bound: a share of it for each moment of the run.
class pacer {
 public:
  explicit pacer(const options& chosen)
      : bytes_per_second_{1e6 * chosen.megabytes / chosen.seconds} {}

  void add(std::size_t bytes) noexcept { bytes_ += bytes; }

  /// Sleeps while more is written than may be by now, unless all shall end. Meanwhile the ring fills, and
  /// the producers wait.
  void wait(const weir::stop_word& stop) const {
    while (!stop.requested()) {
      const std::chrono::duration<double> due{static_cast<double>(bytes_) / bytes_per_second_};
      const auto early = due - (clock::now() - begin_);
      if (early.count() <= 0) return;
      std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(early, longest_));
    }
  }

 private:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::duration<double> longest_{0.01};

  double bytes_per_second_;
  clock::time_point begin_ = clock::now();
  std::size_t bytes_ = 0;
};

/// Returns  the exit status, when the ring is closed and all of it is written.
inline auto collect(const log_memory& memory, const options& chosen) -> int {
  /// How long a claim may stand in the way before the collector asks whose it is.
  constexpr std::chrono::milliseconds patience{5};
  const auto log = shared_log::attach(memory);
  std::vector<line_file> files;
  for (std::uint32_t seat = 0; seat < chosen.producers; ++seat) {
    files.emplace_back(file_of(chosen.out, seat));
  }
  auto consumer = example::required(log.ring().consumer<weir::park>(), "the ring's consumer");
  pacer pace{chosen};
  // The more at a time, the longer the producers run side by side before they wait again.
  const auto ring_of_lines =
      chosen.ring_size / static_cast<std::uint32_t>(line_format::longest) + 1;
  bool stray = false;
  for (;;) {
    const auto outcome = consumer.wait(std::chrono::steady_clock::now() + patience);
    if (outcome == weir::status::closed) break;
    if (outcome == weir::status::timed_out || outcome == weir::status::peer_dead) {
      const auto found = consumer.recover().outcome;
      // empty: nothing is claimed; pending: by somebody who lives.
      if (found != weir::status::empty && found != weir::status::pending) {
        example::require_ok(found, "recovery of the ring");
      }
      continue;
    }
    example::require_ok(outcome, "the ring");
    const auto drained = consumer.drain(
        [&](const weir::record_view& line) {
          stray = stray || line.type >= files.size();
          if (stray) return;
          files[line.type].append(line.bytes);
          pace.add(line.bytes.size());
        },
        ring_of_lines);
    if (stray) throw std::runtime_error{"the ring: a line of no producer"};
    for (const auto& file : files) file.check();
    if (drained.outcome == weir::status::corrupt) example::require_ok(drained.outcome, "the ring");
    pace.wait(log.control().stop);
  }
  for (auto& file : files) {
    file.flush();
    file.check();
  }
  return 0;
}

}  // namespace log_collector
