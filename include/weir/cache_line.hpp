// SPDX-License-Identifier: MIT
/// Distances between words that different threads write. Part of the wire format: fixed numbers, never
/// `std::hardware_destructive_interference_size`, which differs between compilers and flags.
#pragma once

#include <cstddef>

namespace weir {

/// Alignment that every span must have, in bytes: the line size of x86-64 and of most Arm cores.
inline constexpr std::size_t cache_line = 64;

/// Bytes between words of different writers: x86 prefetches lines in pairs, Apple cores have lines of
/// this size. Sources: Intel 64 Optimization Reference Manual (spatial prefetcher); crossbeam-utils,
/// cache_padded.rs, which lists the sizes per architecture.
inline constexpr std::size_t false_sharing_span = 128;

}  // namespace weir
