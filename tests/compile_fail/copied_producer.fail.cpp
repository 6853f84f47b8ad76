// SPDX-License-Identifier: MIT
// expect-error: use of deleted function|implicitly-deleted copy constructor
#include <weir/weir.hpp>

void copy(weir::spsc_ring<weir::bytes> ring) {
  auto producer = ring.producer().value();
  [[maybe_unused]] auto second = producer;
}
