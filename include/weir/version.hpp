// SPDX-License-Identifier: MIT
/// The library's version. The wire format has a number of its own (layout.hpp).
#pragma once

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

namespace weir {

/// One comparable integer: major * 1'000'000 + minor * 1'000 + patch.
inline constexpr long version =
    WEIR_VERSION_MAJOR * 1'000'000L + WEIR_VERSION_MINOR * 1'000L + WEIR_VERSION_PATCH;

}  // namespace weir
