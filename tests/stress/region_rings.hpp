// SPDX-License-Identifier: MIT
/// Regions, and a ring from each worker to the next, through which they hand them over.
#pragma once

#include "support/guarded_span.hpp"

#include <weir/region.hpp>
#include <weir/spsc_ring.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::test {

template <class Memory, std::uint32_t Workers>
struct regions_and_rings {
  using set_type = regions<std::uint32_t, Memory>;
  using ring_type = spsc_ring<region_descriptor, Memory>;

  guarded_span control;
  guarded_span buffer;
  set_type set;
  std::array<std::unique_ptr<guarded_span>, Workers> ring_spans;
  std::vector<ring_type> rings;

  explicit regions_and_rings(const regions_options& options)
      : control{set_type::bytes_required(options)},
        buffer{options.shape.bytes()},
        set{set_type::format(control.bytes(), buffer.bytes(), options).value()} {
    for (auto& span : ring_spans) {
      span = std::make_unique<guarded_span>(ring_type::bytes_required(4));
      rings.push_back(ring_type::format(span->bytes(),
                                        {.capacity = 4, .process_shared = options.process_shared})
                          .value());
    }
  }
};

}  // namespace weir::test
