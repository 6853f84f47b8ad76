// SPDX-License-Identifier: MIT
// expect-error: no matching (member )?function
#include <weir/weir.hpp>

struct not_a_wait_policy {};

void consume(weir::spsc_ring<weir::bytes> ring) {
  [[maybe_unused]] auto consumer = ring.consumer<not_a_wait_policy>();
}
