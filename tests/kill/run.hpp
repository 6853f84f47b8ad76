// SPDX-License-Identifier: MIT
/// Which deaths are died, and what is printed of them.
#pragma once

#include "kill/scenario.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace weir::test::kills {

struct plan {
  std::string program;
  std::string only;  ///< a part of a scenario's name; empty: all of them
  bool every_point = false;
  bool list = false;
  std::optional<std::uint64_t> at;
};

/// Prints a line for each scenario and the sums last. Returns  false: something is torn, stuck or lost, or
/// nothing ran.
auto run(const catalog& all, const plan& what) -> bool;

}  // namespace weir::test::kills
