// SPDX-License-Identifier: MIT
/// Every primitive once, in a few lines each, in memory that the program owns.
#include <weir/weir.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>

namespace {

struct price {
  std::uint32_t cents;
  std::uint32_t volume;
};

/// A part of the program's memory for each primitive.
auto part(std::size_t index) -> std::span<std::byte> {
  constexpr std::size_t size = 16 * 1024;
  alignas(weir::cache_line) static std::array<std::byte, 5 * size> memory;
  return std::span{memory}.subspan(index * size, size);
}

auto text(std::string_view line) -> std::span<const std::byte> {
  return std::as_bytes(std::span{line.data(), line.size()});
}

void print(const weir::record_view& record) {
  std::printf("%.*s\n", static_cast<int>(record.bytes.size()),
              reinterpret_cast<const char*>(record.bytes.data()));
}

void print(const char* what, std::uint32_t value) { std::printf("%s %u\n", what, value); }

}  // namespace

auto main() -> int {
  using weir::status;
  const price newest{9950, 10};
  std::array<std::byte, 64> copy{};
  bool good = true;
  // clang-format off
  // snippet-begin
  // Many producers, one consumer, in the order of their claims.
  auto log = weir::mpsc_ring<weir::bytes>::format(part(0), {.recoverable = true}).value();
  auto logger = log.producer().value();                 // one for each thread or process
  auto collector = log.consumer().value();
  good &= logger.try_write(text("started")) == status::ok;
  good &= collector.drain([](const weir::record_view& line) { print(line); }).records == 1;
  good &= collector.recover().claims == 0;              // skips what dead producers left open

  // The same without an order among the producers: each has a ring of its own.
  auto lanes = weir::lanes<price>::format(part(1), {.lanes = 4}).value();
  auto lane = lanes.producer().value();
  auto reader = lanes.consumer().value();
  good &= lane.try_write(newest) == status::ok;
  good &= reader.drain([](const price& p) { print("lane", p.cents); }).records == 1;

  // One writer that never waits, many readers; a slow one is told what it lost.
  auto feed = weir::broadcast_ring<weir::bytes>::format(part(2)).value();
  auto writer = feed.writer().value();
  auto late = feed.reader(weir::from::oldest).value();
  good &= writer.write(text("tick")) == status::ok;
  good &= late.read(copy).outcome == status::ok;        // or lost, and how many

  // Only the newest value, whole, and readable after its writer's death.
  auto quote = weir::latest<price>::format(part(3)).value();
  auto quoting = quote.writer().value();
  auto watching = quote.reader().value();
  good &= quoting.write(newest) == status::ok;
  print("latest", watching.read().value().cents);

  // The newest value of each key, beside a ring: a burst costs one record per key.
  auto moves = weir::coalesce<price>::format(part(4), {.keys = 3}).value();
  auto moving = moves.producer().value();
  auto applying = moves.consumer().value();
  for (std::uint32_t i = 0; i < 1000; ++i) good &= moving.update(i % 3, {i, 1}) == status::ok;
  good &= applying.drain([](const auto& m) { print("key", m.key); }).records == 3;
  // snippet-end
  // clang-format on
  return good ? 0 : 1;
}
