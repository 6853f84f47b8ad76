// SPDX-License-Identifier: MIT
/// Runs a child for a given number of machine instructions, by ptrace, then kills it.
#pragma once

#include "kill/scenario.hpp"
#include "kill/stage.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace weir::test::kills {

/// Asks whether this process may trace a child. Returns  0, or the errno that says why not.
[[nodiscard]] auto ptrace_error() noexcept -> int;

/// The instructions of an operation, in the order in which one child executed them, and how to get to one
/// of them faster than by single steps: run to a breakpoint near it.
class route {
 public:
  /// Where a breakpoint stops after few vain stops.
  struct landmark {
    std::uint64_t index = 0;  ///< 0: there is none, step
    std::uint64_t address = 0;
    std::uint64_t passes = 0;  ///< how often it is passed before
  };

  void append(std::uint64_t address);
  [[nodiscard]] auto length() const noexcept -> std::uint64_t { return addresses_.size(); }
  [[nodiscard]] auto towards(std::uint64_t point) const -> landmark {
    return point < best_.size() ? best_[point] : landmark{};
  }

 private:
  std::vector<std::uint64_t> addresses_;
  std::vector<landmark> best_;
  std::unordered_map<std::uint64_t, std::uint64_t> passes_;
};

/// Forks a child that operates, steps through the operation to its end, or until it sleeps in the kernel
/// and nobody wakes it, and kills it there.
[[nodiscard]] auto walk(scenario& what, stage& here, route& found) -> death;

/// Forks a child that operates, lets it execute `point` instructions of the operation, kills it with
/// SIGKILL and reaps it.
[[nodiscard]] auto die_at(scenario& what, stage& here, const route& known, std::uint64_t point)
    -> death;

}  // namespace weir::test::kills
