// SPDX-License-Identifier: MIT
/// Reads the files back, and compares what is there with what was committed.
#pragma once

#include "collector.hpp"
#include "log_line.hpp"
#include "supervisor.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace log_collector {

struct verdict {
  std::uint64_t written = 0;  ///< lines on disk
  std::uint64_t lost = 0;     ///< lines that were committed and are not on disk
  std::string problem;        ///< the first thing that is not as it should be
};

/// The file of one seat: line by line, and in the end generation by generation.
class seat_check {
 public:
  seat_check(const std::filesystem::path& folder, std::uint32_t seat,
             const std::vector<producer_record>& committed, verdict& found)
      : path_{file_of(folder, seat)},
        seat_{seat},
        committed_{committed},
        present_(committed.size()),
        found_{found} {}

  void run() {
    std::ifstream file{path_, std::ios::binary};
    std::vector<char> buffer(1U << 18);
    file.rdbuf()->pubsetbuf(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (!file) throw std::runtime_error{path_.string() + ": cannot be read"};
    for (std::string line; std::getline(file, line);) {
      ++found_.written;
      ++lines_;
      if (file.eof()) complain("a line without an end");
      look_at(line);
    }
    for (std::size_t generation = 0; generation < committed_.size(); ++generation) {
      compare(generation);
    }
  }

 private:
  void look_at(const std::string& line) {
    const auto name = parse_line(line);
    if (!name) return complain("a damaged line");
    if (name->seat != seat_) return complain("a line of another producer");
    if (name->generation >= present_.size()) return complain("a line of a producer never started");
    if (name->generation < generation_) return complain("a line of a producer that is gone");
    generation_ = name->generation;
    if (name->sequence != present_[generation_]) complain("a line out of order");
    ++present_[generation_];
  }

  /// One line more may be there than was counted: its producer was killed between the two.
  void compare(std::size_t generation) {
    const auto present = present_[generation];
    const auto [committed, killed] = committed_[generation];
    if (present < committed) found_.lost += committed - present;
    if (present < committed || present > committed + (killed ? 1 : 0)) {
      complain("of producer " + std::to_string(generation) + " " + std::to_string(present) +
               " lines instead of " + std::to_string(committed));
    }
  }

  void complain(const std::string& what) {
    if (!found_.problem.empty()) return;
    found_.problem = path_.string() + ":" + std::to_string(lines_) + ": " + what;
  }

  std::filesystem::path path_;
  std::uint32_t seat_;
  const std::vector<producer_record>& committed_;
  std::vector<std::uint64_t> present_;  ///< lines found, by generation
  verdict& found_;
  std::uint64_t lines_ = 0;
  std::uint32_t generation_ = 0;
};

[[nodiscard]] inline auto check(const std::filesystem::path& folder, const outcome& expected)
    -> verdict {
  verdict found;
  for (std::uint32_t seat = 0; seat < expected.producers.size(); ++seat) {
    seat_check{folder, seat, expected.producers[seat], found}.run();
  }
  return found;
}

}  // namespace log_collector
