// SPDX-License-Identifier: MIT
/// Wait policies for the model: without looks in vain and lingering, which say nothing there.
#pragma once

#include <weir/wait.hpp>

#include <cstdint>

namespace weir::model {

/// Sleeps at once.
struct park_now : park_after<0> {
  static constexpr std::uint32_t linger = 0;
};

}  // namespace weir::model
