// SPDX-License-Identifier: MIT
/// A sleeper and a bell, without a ring around them.
#pragma once

#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/wait.hpp>

#include <cstdint>

namespace weir::model {

using word = std::uint32_t;
using bell_type = weir::detail::park_bell<model_memory>;

inline constexpr deadline one_second{std::chrono::seconds{1}};

/// What one sleeper waits for: that `flag` has reached `wanted`. The publisher may be asked after.
struct reaches {
  const word& flag;
  word wanted = 1;
  word publisher = 0;  ///< its process; 0: nobody asks whether it lives

  auto look() noexcept -> status {
    const bool there = model_memory::load(&flag, std::memory_order_acquire) >= wanted;
    return there ? status::ok : status::empty;
  }
  auto peer() noexcept -> status {
    return publisher == 0 || model_memory::alive(publisher, 1) ? status::ok : status::peer_dead;
  }
};

struct waited {
  status outcome;
  weir::detail::wait_counters counters;
};

template <wait_policy Wait = park_now>
[[nodiscard]] auto await(const bell_type& bell, reaches condition, deadline until = no_deadline,
                         const stop_word* stop = nullptr) -> waited {
  auto own = bell;
  waited result{};
  result.outcome = weir::detail::await<Wait>(weir::detail::wait_request<model_memory, reaches>{
      own, condition, until, stop, result.counters});
  return result;
}

/// A park word whose next ticket is `ticket`.
[[nodiscard]] inline auto bell_at(run& run, wake_protocol wake, word ticket = 0) -> bell_type {
  auto& park = run.object<word>();
  park = ticket << 1;
  return {&park, wake, true};
}

inline void publish(const bell_type& bell, word& flag, word value) {
  model_memory::store(&flag, value, std::memory_order_release);
  auto own = bell;
  own.ring_if_awaited();
}

}  // namespace weir::model
