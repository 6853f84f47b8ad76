// SPDX-License-Identifier: MIT
// Golden vectors of what overwrites, of lanes, and of the doorbell.
#include "layout/vectors.hpp"
#include "support/guarded_span.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/coalesce.hpp>
#include <weir/doorbell.hpp>
#include <weir/lanes.hpp>
#include <weir/latest.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using weir::wake_protocol;
using weir::test::content;
using weir::test::content_of;
using weir::test::fixed_process;
using weir::test::guarded_span;
using weir::test::sample;

auto text(std::uint32_t size) -> std::vector<std::byte> {
  std::vector<std::byte> bytes(size);
  for (std::size_t index = 0; index < size; ++index) bytes[index] = std::byte(index + 1);
  return bytes;
}

auto value_of(std::uint32_t number) -> sample { return {number, number * number, 0xC0DE'C0DE}; }

template <class Memory>
auto lossy_ring() -> content {
  using ring_type = weir::broadcast_ring<weir::bytes, Memory>;
  constexpr weir::broadcast_options options{.capacity = 256,
                                            .wake = wake_protocol::fenced,
                                            .process_shared = true,
                                            .type_tag = 0x0123'4567,
                                            .start_position = 0x1'0000'0000 - 64};
  const guarded_span memory{ring_type::bytes_required(options.capacity)};
  auto ring = ring_type::format(memory.bytes(), options).value();
  auto writer = ring.writer().value();
  for (const std::uint32_t size : {5U, 0U, 16U, 13U, 15U, 1U, 7U, 16U, 9U, 3U, 16U, 12U}) {
    static_cast<void>(writer.write(text(size), size + 1));  // laps the ring
  }
  writer.flush();
  return content_of(memory);
}

template <class Memory>
auto newest_value() -> content {
  using value_type = weir::latest<weir::bytes, Memory>;
  constexpr weir::latest_options options{.size = 13,
                                         .buffers = 3,
                                         .wide_version = true,
                                         .wake = wake_protocol::fenced,
                                         .type_tag = 7,
                                         .start_version = 0x8000'0000 - 2};
  const guarded_span memory{value_type::bytes_required(options)};
  auto value = value_type::format(memory.bytes(), options).value();
  auto writer = value.writer().value();
  for (const std::uint32_t size : {13U, 12U, 1U, 0U}) {
    static_cast<void>(writer.write(text(size)));
  }
  writer.flush();
  return content_of(memory);
}

template <class Memory>
auto bundle() -> content {
  using lanes_type = weir::lanes<sample, Memory>;
  constexpr weir::lanes_options options{
      .lanes = 2, .capacity = 4, .wake = wake_protocol::at_flush, .type_tag = 7};
  const guarded_span memory{lanes_type::bytes_required(options.lanes, options.capacity)};
  auto lanes = lanes_type::format(memory.bytes(), options).value();
  auto first = lanes.producer().value();
  auto second = lanes.producer().value();
  for (std::uint32_t number = 1; number <= 3; ++number) {
    static_cast<void>((number % 2 != 0 ? first : second).try_write(value_of(number)));
  }
  first.flush();
  second.flush();
  return content_of(memory);
}

template <class Memory>
auto newest_of_each_key() -> content {
  using keyed_type = weir::coalesce<sample, Memory>;
  constexpr weir::coalesce_options options{
      .keys = 35, .wake = wake_protocol::fenced, .process_shared = true, .type_tag = 7};
  const guarded_span memory{keyed_type::bytes_required(options.keys)};
  auto keyed = keyed_type::format(memory.bytes(), options).value();
  auto producer = keyed.producer().value();
  auto consumer = keyed.consumer().value();
  for (std::uint32_t number = 1; number <= 5; ++number) {
    static_cast<void>(producer.update(34 * (number % 2), value_of(number), number));
  }
  static_cast<void>(consumer.drain([](const auto&) {}));
  static_cast<void>(producer.update(3, value_of(6)));
  producer.flush();
  return content_of(memory);
}

template <class Memory>
auto bell() -> content {
  using bell_type = weir::doorbell<Memory>;
  const guarded_span memory{bell_type::bytes_required()};
  auto bell = bell_type::format(memory.bytes(), {.wake = wake_protocol::fenced}).value();
  bell.ring();
  return content_of(memory);
}

}  // namespace

auto weir::test::value_vectors() -> std::vector<golden_vector> {
  return {
      {"broadcast.bin", lossy_ring<fixed_process>(), lossy_ring<plain_memory>()},
      {"latest.bin", newest_value<fixed_process>(), newest_value<plain_memory>()},
      {"lanes.bin", bundle<fixed_process>(), bundle<plain_memory>()},
      {"coalesce.bin", newest_of_each_key<fixed_process>(), newest_of_each_key<plain_memory>()},
      {"doorbell.bin", bell<fixed_process>(), bell<plain_memory>()},
  };
}
