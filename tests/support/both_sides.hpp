// SPDX-License-Identifier: MIT
/// A ring with both of its roles taken, in one thread.
#pragma once

#include "support/test_ring.hpp"

#include <weir/spsc_ring.hpp>

#include <cstdint>

namespace weir::test {

template <class T, class Memory = native_memory, class Backpressure = reject, class Wait = poll,
          class Statistics = counted>
struct both_sides {
  using ring_type = spsc_ring<T, Memory, Statistics>;

  test_ring<T, Memory, Statistics> there;
  typename ring_type::template producer_type<Backpressure> producer;
  typename ring_type::template consumer_type<Wait> consumer =
      there.ring.template consumer<Wait>().value();

  explicit both_sides(const spsc_options& options, const Backpressure& policy = {})
      : there{options}, producer{there.ring.producer(policy).value()} {}

  [[nodiscard]] auto word(std::uint32_t offset) const noexcept -> std::uint32_t& {
    return *there.memory.word(offset);
  }
  [[nodiscard]] auto intact() const noexcept -> bool { return there.memory.intact(); }
};

using byte_sides = both_sides<bytes>;

}  // namespace weir::test
