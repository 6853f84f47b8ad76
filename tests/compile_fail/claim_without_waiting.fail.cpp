// SPDX-License-Identifier: MIT
// expect-error: no matching function|constraints not satisfied
#include <weir/weir.hpp>

void claim(weir::spsc_ring<weir::bytes> ring) {
  auto producer = ring.producer(weir::reject{}).value();
  [[maybe_unused]] auto claim = producer.claim(8);
}
