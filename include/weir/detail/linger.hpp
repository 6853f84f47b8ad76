// SPDX-License-Identifier: MIT
/// Patience at the end of a drain.
///
/// A consumer that catches up with its producer and looks again at once takes away the very line that is
/// being written, and slows both. After a run of records it pays to wait a moment for the next few. After
/// a lone message it does not: latency comes first. bench/README.md has what it is worth.
#pragma once

#include <cstdint>

namespace weir::detail {

/// Records that must have come since the last pause before there is another.
inline constexpr std::uint32_t linger_run = 8;

template <class Memory, std::uint32_t Hints>
class linger {
 public:
  /// Called when nothing more is there after `count` records. Returns  true: look again.
  [[nodiscard]] auto again(std::uint32_t count) noexcept -> bool {
    if constexpr (Hints == 0 || !Memory::can_wait) return false;
    if (count - last_count_ < linger_run) return false;
    last_count_ = count;
    for (std::uint32_t hint = 0; hint < Hints; ++hint) Memory::pause();
    return true;
  }

 private:
  std::uint32_t last_count_ = 0;
};

}  // namespace weir::detail
