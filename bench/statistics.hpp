// SPDX-License-Identifier: MIT
/// Order statistics of a handful of runs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace bench {

/// The value below which `share` of the sample lies, interpolated. Needs  0 <= share <= 1.
[[nodiscard]] inline auto quantile(std::vector<double> sample, double share) -> double {
  if (sample.empty()) return std::nan("");
  std::sort(sample.begin(), sample.end());
  const auto place = share * static_cast<double>(sample.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, sample.size() - 1);
  return sample[below] + (place - std::floor(place)) * (sample[above] - sample[below]);
}

[[nodiscard]] inline auto median(std::vector<double> sample) -> double {
  return quantile(std::move(sample), 0.5);
}

}  // namespace bench
