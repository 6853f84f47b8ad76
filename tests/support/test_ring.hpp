// SPDX-License-Identifier: MIT
/// A ring in guarded memory, and what almost every test of a ring does with one.
#pragma once

#include "support/guarded_span.hpp"
#include "support/pattern.hpp"

#include <weir/spsc_ring.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::test {

/// A ring and the span that it lies in. `options.capacity` must be given.
template <class T, class Memory = native_memory, class Statistics = counted>
struct test_ring {
  using ring_type = spsc_ring<T, Memory, Statistics>;

  explicit test_ring(const spsc_options& options)
      : memory{ring_type::bytes_required(options.capacity)},
        ring{ring_type::format(memory.bytes(), options).value()} {}

  guarded_span memory;
  ring_type ring;
};

/// Publishes record `number`, of `size` bytes and type `number`, or says why not.
template <class Producer>
[[nodiscard]] auto write_pattern(Producer& producer, std::uint32_t number, std::uint32_t size)
    -> status {
  auto claim = producer.try_claim(size);
  if (!claim) return claim.status();
  fill_pattern(claim.bytes(), number);
  return claim.commit(number).outcome;
}

/// True if the oldest record is number `number`, of `size` bytes. Releases it.
template <class Consumer>
[[nodiscard]] auto read_pattern(Consumer& consumer, std::uint32_t number, std::uint32_t size)
    -> bool {
  auto record = consumer.try_peek();
  if (!record) return false;
  const bool same = record.type() == number && record.bytes().size() == size &&
                    has_pattern(record.bytes(), number);
  record.release();
  return same;
}

/// Where positions are likely to go wrong: at 0, below 2^31, below 2^32.
inline constexpr std::array<std::uint32_t, 3> notable_starts{0, 0x8000'0000U - 64, 0U - 64};

}  // namespace weir::test
