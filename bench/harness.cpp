// SPDX-License-Identifier: MIT
#include "harness.hpp"

#include <chrono>
#include <thread>

#include <unistd.h>

namespace bench {

/// The usual distance of the two cores is measured first: the median of some looks spread over a while.
void suite::run(thread_pair& pair, const run_settings& settings) {
  context with{pair, settings.smoke};
  std::vector<double> bounces;
  for (int look = 0; look < (settings.smoke ? 3 : 60); ++look) {
    bounces.push_back(pair.bounce());
    std::this_thread::sleep_for(std::chrono::milliseconds{settings.smoke ? 0 : 20});
  }
  usual_bounce_ = median(bounces);

  std::erase_if(groups_, [&](const group& candidate) {
    return candidate.name.find(settings.filter) == std::string::npos;
  });
  for (auto& selected : groups_) run_group(with, selected, settings.rounds);
}

auto suite::at(const std::string& name) -> group& {
  for (auto& known : groups_) {
    if (known.name == name) return known;
  }
  return groups_.emplace_back(group{.name = name});
}

void suite::run_group(context& with, group& target, int rounds) {
  auto& cases = target.cases;
  std::fprintf(stderr, "%s: %zu cases\n", target.name.c_str(), cases.size());
  if (!with.smoke) {
    for (auto& warm_up : cases) warm_up.job(with);
  }
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < cases.size(); ++turn) {
      auto& next = cases[round % 2 == 0 ? turn : cases.size() - 1 - turn];
      next.runs.push_back(run_once(with, next));
    }
  }
}

/// Repeats a run that was preempted or whose cores were moved. The last attempt counts as it is.
auto suite::run_once(context& with, bench_case& what) -> run_record {
  for (int attempt = 1;; ++attempt) {
    alarm(watchdog_seconds);
    const auto sample = what.job(with);
    alarm(0);
    const auto settled = is_settled(with.pair.last());
    if (settled || with.smoke || attempt == most_attempts) {
      if (sample.size() > 1) what.sample.insert(what.sample.end(), sample.begin(), sample.end());
      return {median(sample), with.pair.last(), settled};
    }
    ++what.repeated;
    std::this_thread::sleep_for(std::chrono::milliseconds{20} * attempt);
  }
}

/// 1.6: wider than what the bounce varies by itself, narrower than the step to the next distance (2 to
/// 5 between hyperthreads of a core, cores of a die, and dies).
auto suite::is_settled(const circumstances& under) const -> bool {
  const auto usual = [&](double bounce) {
    return bounce < usual_bounce_ * 1.6 && bounce > usual_bounce_ / 1.6;
  };
  return under.preemptions == 0 && usual(under.bounce_before) && usual(under.bounce_after);
}

}  // namespace bench
