// SPDX-License-Identifier: MIT
// expect-error: must be trivially copyable
#include <weir/weir.hpp>

#include <string>

template class weir::spsc_ring<std::string>;
