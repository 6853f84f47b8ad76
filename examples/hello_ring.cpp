// SPDX-License-Identifier: MIT
/// The smallest program: one record through a ring, in memory that the program owns.
#include <weir/weir.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <span>

namespace {

void use(std::span<const std::byte> bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace

auto main() -> int {
  // clang-format off
  // snippet-begin
  alignas(weir::cache_line) std::array<std::byte, weir::spsc_ring<weir::bytes>::bytes_required(64 * 1024)> memory;
  auto ring = weir::spsc_ring<weir::bytes>::format(memory).value();
  auto producer = ring.producer().value();      // move-only: one per ring
  auto consumer = ring.consumer().value();
  if (auto claim = producer.try_claim(5)) {     // bytes inside the ring, not a copy
    std::ranges::copy(std::as_bytes(std::span{"hello", 5}), claim.bytes().begin());
    claim.commit();
  }
  if (auto record = consumer.try_peek()) { use(record.bytes()); record.release(); }
  // snippet-end
  // clang-format on
}
