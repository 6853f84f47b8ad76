// SPDX-License-Identifier: MIT
/// How far a search goes, what it finds, and what a thread does in it.
#pragma once

#include "model/weak_memory.hpp"

#include <cstdint>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

namespace weir::model {

inline constexpr int unlimited = -1;

/// How far to search, and what may happen besides the threads' own steps.
struct bounds {
  int preemptions = unlimited;   ///< switches away from a thread that could go on
  int kills = 0;                 ///< threads that end before one of their steps
  std::uint32_t killable = ~0U;  ///< bit t: thread t, counted from 1, may be killed
  int spurious_wakes = 0;        ///< sleeps that end for no reason
  bool time_passes = false;      ///< deadlines pass, once nobody can go on
  bool hostile = false;          ///< plain bytes may race: a peer writes where it should not
  bool may_block = false;        ///< threads that wait for ever are an outcome, not a failure
  std::uint32_t steps = 3000;    ///< of one execution; more is a failure: no end in sight
  std::uint64_t executions = 20'000'000;
};

/// What a search found.
struct findings {
  std::uint64_t executions = 0, killed = 0;
  bool complete = false;  ///< no choice is left, within the bounds
  std::optional<std::string> failure;
  std::vector<std::string> trace;  ///< the failing execution, step by step
};

enum class thread_state : std::uint8_t { ready, pausing, sleeping, woken, timed_out, done, killed };
enum class step_kind : std::uint8_t { load, write, fence, light_fence, heavy_fence, last, any };
struct step {
  step_kind kind = step_kind::any;
  word_id word = no_word;
};
using place = std::source_location;

/// True if it makes no difference which of the two steps comes first.
[[nodiscard]] constexpr auto independent(const step& a, const step& b) -> bool {
  using enum step_kind;
  if (a.kind == any || b.kind == any) return false;
  if (a.kind == last || b.kind == last) return true;
  const bool a_orders = a.kind >= fence, b_orders = b.kind >= fence;
  if (a_orders != b_orders) return true;
  if (!a_orders) return a.word != b.word || (a.kind == load && b.kind == load);
  return (a.kind == light_fence || b.kind == light_fence) && a.kind != heavy_fence &&
         b.kind != heavy_fence;
}

}  // namespace weir::model
