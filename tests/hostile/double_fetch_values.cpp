// SPDX-License-Identifier: MIT
// What readers and writers of values that are overwritten load: no word twice, but where the protocol looks
// again behind a copy.
#include "hostile/double_fetch.hpp"

#include <weir/weir.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace weir::test {
namespace {

constexpr std::array<std::byte, 24> content{};

void expect(bool holds) {
  if (!holds) std::abort();
}

constexpr loaded_again news{
    layout::broadcast::write_position, 2,
    "asked whether there is news; the second look is the one that is judged"};
constexpr loaded_again overwritten{
    layout::broadcast::overwrite_end, 2,
    "behind the copy of the head, and behind that of the payload [S2]"};

void broadcast(fetch_report& report) {
  using type = broadcast_ring<>;
  const guarded_span memory{type::bytes_required(256)};
  auto ring = type::format(memory.bytes(), {.capacity = 256}).value();
  std::optional writer{ring.writer().value()};
  auto reader = ring.reader().value();
  std::array<std::byte, 24> out;
  const auto payload = std::span{content}.first(12);
  report.check("broadcast read: empty", memory,
               [&] { expect(reader.read(out).outcome == status::empty); });
  expect(writer->write(payload) == status::ok);
  report.check(
      "broadcast read", memory, [&] { expect(reader.read(out).outcome == status::ok); }, news,
      overwritten);
  for (int index = 0; index < 20; ++index) expect(writer->write(payload) == status::ok);
  report.check(
      "broadcast read: lapped", memory, [&] { expect(reader.read(out).outcome == status::lost); },
      loaded_again{news.offset, 4, "as above, for each of two attempts"},
      loaded_again{overwritten.offset, 3, "as above, and to find where to go on"});
  report.check("broadcast write: makes way", memory,
               [&] { expect(writer->write(payload) == status::ok); });
  writer.reset();
  report.check("broadcast writer(): walks", memory, [&] { expect(bool{ring.writer()}); });
  auto late = ring.reader().value();
  report.check(
      "broadcast reader()", memory, [&] { late = ring.reader().value(); }, news,
      loaded_again{overwritten.offset, 2, "where to begin, and behind the copy of the head"});
}

void latest_value(fetch_report& report) {
  const guarded_span memory{latest_bytes::bytes_required({.size = 24})};
  auto value = latest_bytes::format(memory.bytes(), {.size = 24}).value();
  auto writer = value.writer().value();
  auto reader = value.reader().value();
  std::array<std::byte, 24> out;
  report.check("latest read: empty", memory, [&] { expect(reader.read(out) == status::empty); });
  expect(writer.write(content) == status::ok);
  report.check("latest read", memory, [&] { expect(reader.read(out) == status::ok); });
  expect(writer.write(content) == status::ok);
  report.check(
      "latest read: news", memory, [&] { expect(reader.try_read_new(out) == status::ok); },
      loaded_again{layout::latest::version, 2, "asked whether there is news, then used"});
  report.check("latest write", memory, [&] { expect(writer.write(content) == status::ok); });
}

void coalesced_values(fetch_report& report) {
  using type = coalesce<bytes>;
  const guarded_span memory{type::bytes_required(40, 24)};
  auto table = type::format(memory.bytes(), {.keys = 40, .max_value = 24}).value();
  const auto keys_at = *memory.word(layout::data_offset);
  auto producer = table.producer().value();
  auto consumer = table.consumer().value();
  report.check("coalesce update", memory,
               [&] { expect(producer.update(3, content) == status::ok); });
  report.check("coalesce update again", memory,
               [&] { expect(producer.update(3, content) == status::ok); });
  const auto state = static_cast<std::uint32_t>(memory.bytes().size() -
                                                (40 - 3) * (memory.bytes().size() - keys_at) / 40);
  report.check(
      "coalesce drain", memory, [&] { expect(consumer.drain([](const auto&) {}).records == 1); },
      loaded_again{state, 2, "the exchange begins with a load of its own; it decides"});
  const auto buffers = memory.bytes().subspan(layout::coalesce::roots);
  std::ranges::fill(buffers, std::byte{0xFF});
  report.check("coalesce drain: damage", memory,
               [&] { expect(consumer.drain([](const auto&) {}).outcome == status::corrupt); });
}

void versions(fetch_report& report) {
  using type = version_table<>;
  const guarded_span memory{type::bytes_required({.slots = 300}) + 64};
  auto table = type::format(memory.bytes(), {.slots = 300}).value();
  auto slot = table.slot(7).value();
  static std::array<std::uint32_t, type::seen_words(300)> seen;
  auto reader = table.reader(seen).value();
  const auto version = static_cast<std::uint32_t>(type::bytes_required({.slots = 300}) - 300 * 4);
  std::array<std::byte, 24> out;
  const auto* const words = memory.word(version + 300 * 4);
  report.check(
      "version read", memory, [&] { expect(bool{slot.read(out, words)}); },
      loaded_again{version + 28, 2, "before the copy, and behind it [V3]"});
  static_cast<void>(slot.publish());
  report.check("version changed", memory, [&] { expect(reader.changed([](auto, auto) {}) != 0); });
  report.check("version publish", memory, [&] { static_cast<void>(slot.publish()); });
}

}  // namespace

void fetch_values(fetch_report& report) {
  broadcast(report);
  latest_value(report);
  coalesced_values(report);
  versions(report);
}

}  // namespace weir::test
