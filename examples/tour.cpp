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
  alignas(weir::cache_line) static std::array<std::byte, 8 * size> memory;
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
  const weir::geometry shape{.width = 64, .height = 48};
  std::array<std::byte, 64 * 48> pixels{};
  std::array<std::uint32_t, weir::version_table<>::seen_words(4)> seen{};
  constexpr std::array<weir::pool_class, 2> sizes{{{.size = 256, .count = 8}, {4096, 2}}};
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

  // Parts of one buffer, each held by one member at a time, and a version for each of them.
  auto parts = weir::regions<std::uint8_t>::format(part(5), pixels, {shape, weir::bands(4)}).value();
  auto viewer = parts.versions().reader(seen).value();
  viewer.mark_all_seen();
  auto worker = parts.join().value();                   // one for each thread or process
  auto band = worker.claim_next().value();              // nobody else has it now
  band.begin_write();
  band.row(0)[0] = 255;
  band.end_write();
  good &= viewer.changed([](std::uint32_t number, auto) { print("band", number); }) == 1;

  // The same in two buffers: bands of the next frame are made from the frame before.
  auto image = weir::image<std::uint8_t>::format(part(6), {shape, weir::bands(4)}).value();
  auto painter = image.join().value();
  auto director = image.director().value();
  while (auto next = painter.claim_next()) {
    next->row(0)[0] = next->before(1).row(next->part().y)[1];  // up to one element around the band
    good &= next->commit() == status::ok;
  }
  good &= director.flip() == status::ok;                // or pending: not all are written
  print("frame", painter.view().value().frame());

  // Buffers with handles: shared by count, or handed over through any ring.
  auto pool = weir::buffer_pool<>::format(part(7), {.classes = sizes}).value();
  auto owner = pool.join().value();
  auto other = pool.join().value();
  auto blob = owner.allocate(1000).value();
  good &= blob.write(text("pixels")) == status::ok;
  auto moved = other.adopt(blob.hand_over()).value();
  good &= owner.free(moved.handle()) == status::stale;  // it is the other's now
  // snippet-end
  // clang-format on
  return good ? 0 : 1;
}
