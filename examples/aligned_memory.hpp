// SPDX-License-Identifier: MIT
/// Memory of one process, aligned as Weir wants it.
#pragma once

#include <weir/cache_line.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace example {

class aligned_memory {
 public:
  explicit aligned_memory(std::uint64_t size)
      : lines_(static_cast<std::size_t>((size + sizeof(line) - 1) / sizeof(line))) {}
  aligned_memory(const aligned_memory&) = delete;
  auto operator=(const aligned_memory&) -> aligned_memory& = delete;
  ~aligned_memory() = default;

  [[nodiscard]] auto bytes() -> std::span<std::byte> {
    return std::as_writable_bytes(std::span{lines_});
  }

 private:
  struct alignas(weir::cache_line) line {
    std::array<std::byte, weir::cache_line> bytes;
  };

  std::vector<line> lines_;
};

}  // namespace example
