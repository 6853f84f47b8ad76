// SPDX-License-Identifier: MIT
// expect-error: ignoring return value
#include <weir/weir.hpp>

void write(weir::spsc_ring<unsigned> ring) {
  auto producer = ring.producer().value();
  producer.try_write(1U);
}
