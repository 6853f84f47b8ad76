// SPDX-License-Identifier: MIT
// expect-error: payloads are 8-aligned
#include <weir/weir.hpp>

struct alignas(4096) page {
  unsigned char bytes[4096];
};

template class weir::spsc_ring<page>;
