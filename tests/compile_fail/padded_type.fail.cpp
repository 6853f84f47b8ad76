// SPDX-License-Identifier: MIT
// expect-error: has padding
#include <weir/weir.hpp>

struct padded {
  unsigned char kind;
  unsigned value;
};

template class weir::spsc_ring<padded>;
