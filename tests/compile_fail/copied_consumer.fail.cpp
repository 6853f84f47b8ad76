// SPDX-License-Identifier: MIT
// expect-error: use of deleted function|implicitly-deleted copy constructor
#include <weir/weir.hpp>

void copy(weir::spsc_ring<weir::bytes> ring) {
  auto consumer = ring.consumer().value();
  [[maybe_unused]] auto second = consumer;
}
