// SPDX-License-Identifier: MIT
/// Interleaved comparison of queues between two threads.
///
///   case         one queue doing one job; a run of it yields one number, or a sample of many
///   group        the cases that are compared: same job, same unit, one of them the reference
///   round        every case of a group once, in an order that alternates from round to round
///   comparison   of a case with the reference: the median over the rounds of that round's ratio (or
///                difference), so that what drifts during the minutes of a measurement drifts out of it
///
/// Source files register their cases with a static `bench::registration`; main.cpp runs them all. A
/// source file outside this repository that is linked in can add cases to a group in the same way.
#pragma once

#include "statistics.hpp"
#include "thread_pair.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

/// What a case is given to run with.
struct context {
  thread_pair& pair;
  bool smoke;

  /// How many operations to make of `count`: all of them, or a few in a smoke run.
  [[nodiscard]] auto operations(std::uint64_t count) const -> std::uint64_t {
    return smoke ? count / 256 + 64 : count;
  }
};

/// A wrong result is no result.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench: wrong result: %s\n", what);
  std::exit(1);
}

struct run_record {
  double value;
  circumstances under;
  bool settled;  ///< not preempted, and at the usual distance before and after
};

struct bench_case {
  std::string name;
  std::function<std::vector<double>(context&)> job;
  std::vector<run_record> runs = {};  ///< one per round
  std::vector<double> sample = {};    ///< of all runs, where a run yields more than one number
  int repeated = 0;                   ///< runs thrown away

  /// The values that count: of the settled runs, or of all where there are none.
  [[nodiscard]] auto values() const -> std::vector<double> {
    std::vector<double> settled;
    std::vector<double> all;
    for (const auto& one : runs) {
      all.push_back(one.value);
      if (one.settled) settled.push_back(one.value);
    }
    return settled.empty() ? all : settled;
  }
  [[nodiscard]] auto unsettled() const -> int {
    int count = 0;
    for (const auto& one : runs) count += one.settled ? 0 : 1;
    return count;
  }
};

/// How the cases of a group are compared. Differences are for costs that may be nothing.
enum class comparison { ratio, difference };

struct group {
  std::string name;
  std::string unit = {};
  comparison compare = comparison::ratio;
  std::vector<bench_case> cases = {};  ///< the first one is the reference

  /// Of the cases with these names, the one with the lowest median.
  [[nodiscard]] auto best_of(const std::vector<std::string>& names) const -> const bench_case* {
    const bench_case* best = nullptr;
    for (const auto& candidate : cases) {
      if (std::find(names.begin(), names.end(), candidate.name) == names.end()) continue;
      if (best == nullptr || median(candidate.values()) < median(best->values())) best = &candidate;
    }
    return best;
  }
};

/// The median over the rounds. Nothing if no round has a settled run of both.
[[nodiscard]] inline auto compare(comparison how, const bench_case& one, const bench_case& other)
    -> std::optional<double> {
  std::vector<double> results;
  for (std::size_t round = 0; round < std::min(one.runs.size(), other.runs.size()); ++round) {
    const auto& left = one.runs[round];
    const auto& right = other.runs[round];
    if (!left.settled || !right.settled) continue;
    results.push_back(how == comparison::ratio ? left.value / right.value
                                               : left.value - right.value);
  }
  if (results.empty()) return std::nullopt;
  return median(results);
}

/// A sentence of the documentation, and the cases of a group that it compares: of each side the one with
/// the lowest median, so that a queue is judged by the way to use it that suits it best.
struct claim {
  std::string text;
  std::string group;
  std::vector<std::string> ones;
  std::vector<std::string> others;
  std::optional<double> at_least = {};
  std::optional<double> at_most = {};
};

struct run_settings {
  int rounds = 9;
  bool smoke = false;
  std::string filter = {};
};

class suite {
 public:
  /// Groups are run and shown in the order in which they are first named.
  void describe(const std::string& name, const std::string& unit,
                comparison how = comparison::ratio) {
    auto& described = at(name);
    described.unit = unit;
    described.compare = how;
  }
  /// The first case of a group is its reference.
  template <class Job>
  void add(const std::string& group_name, const std::string& case_name, Job job) {
    at(group_name).cases.push_back({case_name, std::move(job)});
  }
  void add(claim sentence) { claims_.push_back(std::move(sentence)); }

  /// Runs what the filter selects.
  void run(thread_pair& pair, const run_settings& settings);

  [[nodiscard]] auto groups() const -> const std::vector<group>& { return groups_; }
  [[nodiscard]] auto claims() const -> const std::vector<claim>& { return claims_; }
  [[nodiscard]] auto usual_bounce() const -> double { return usual_bounce_; }

 private:
  static constexpr int most_attempts = 10;
  static constexpr unsigned watchdog_seconds = 60;

  auto at(const std::string& name) -> group&;
  void run_group(context& with, group& target, int rounds);
  auto run_once(context& with, bench_case& what) -> run_record;
  [[nodiscard]] auto is_settled(const circumstances& under) const -> bool;

  std::vector<group> groups_;
  std::vector<claim> claims_;
  double usual_bounce_ = 0;
};

/// Registration before main(): one static object per source file.
class registration {
 public:
  using function = void (*)(suite&);
  explicit registration(function add_cases) { all().push_back(add_cases); }
  static auto all() -> std::vector<function>& {
    static std::vector<function> functions;
    return functions;
  }
};

}  // namespace bench
