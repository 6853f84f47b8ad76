// SPDX-License-Identifier: MIT
/// The golden vectors: what a fixed sequence of operations leaves in memory.
#pragma once

#include "support/guarded_span.hpp"

#include <weir/memory.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::test {

/// native_memory, as a process that always has the same id and the same start.
struct fixed_process : weir::native_memory {
  static auto self() noexcept -> std::uint32_t { return 1; }
  static auto start_of(std::uint32_t) noexcept -> std::uint32_t { return 1; }
  static auto alive(std::uint32_t, std::uint32_t) noexcept -> bool { return true; }
};

/// Means the same in every program: no word of it is wider than 32 bits.
struct sample {
  std::uint32_t number;
  std::uint32_t square;
  std::uint32_t constant;
};

using content = std::vector<char>;

inline auto content_of(const guarded_span& memory) -> content {
  const auto bytes = memory.bytes();
  content copy(bytes.size());
  std::ranges::transform(bytes, copy.begin(),
                         [](std::byte byte) { return static_cast<char>(byte); });
  return copy;
}

/// One file in golden/, and what two memories made of the same operations.
struct golden_vector {
  const char* name;
  content native;
  content plain;
};

auto ring_vectors() -> std::vector<golden_vector>;
auto value_vectors() -> std::vector<golden_vector>;
auto buffer_vectors() -> std::vector<golden_vector>;

}  // namespace weir::test
