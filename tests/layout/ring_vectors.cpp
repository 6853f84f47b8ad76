// SPDX-License-Identifier: MIT
// Golden vectors of the rings for one and for many producers.
#include "layout/vectors.hpp"
#include "support/guarded_span.hpp"

#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace {

using weir::wake_protocol;
using weir::test::content;
using weir::test::content_of;
using weir::test::fixed_process;
using weir::test::sample;

template <class Memory>
auto byte_ring() -> content {
  using ring_type = weir::spsc_ring<weir::bytes, Memory>;
  constexpr std::uint32_t capacity = 256;
  const weir::test::guarded_span memory{ring_type::bytes_required(capacity)};
  auto ring = ring_type::format(memory.bytes(), {.capacity = capacity,
                                                 .wake = wake_protocol::fenced,
                                                 .process_shared = true,
                                                 .type_tag = 0x0123'4567,
                                                 .start_position = 0U - 64})
                  .value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  std::array<std::byte, 100> bytes;
  for (std::size_t index = 0; index < bytes.size(); ++index) bytes[index] = std::byte(index + 1);
  const auto write = [&](std::uint32_t size, std::uint32_t type, bool later) {
    auto claim = producer.try_claim(size);
    std::copy_n(bytes.begin(), size, claim.bytes().begin());
    static_cast<void>(later ? claim.commit_later(type) : claim.commit(type));
  };
  write(5, 1, false);
  write(0, 2, false);
  write(40, 3, false);  // behind padding, at the start of the data
  write(8, 4, true);
  write(13, 5, true);
  producer.flush();
  for (int count = 0; count < 2; ++count) consumer.try_peek().release();
  consumer.flush();
  write(17, 6, true);
  write(1, 7, false);
  // What is stored between two flushes is a matter of speed; what a flush leaves is the format's.
  producer.flush();
  return content_of(memory);
}

template <class Memory>
auto slot_ring() -> content {
  using ring_type = weir::spsc_ring<sample, Memory>;
  constexpr std::uint32_t capacity = 8;
  const weir::test::guarded_span memory{ring_type::bytes_required(capacity)};
  auto ring = ring_type::format(memory.bytes(), {.capacity = capacity,
                                                 .wake = wake_protocol::at_flush,
                                                 .type_tag = 7,
                                                 .start_position = 0U - 3})
                  .value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  const auto value_of = [](std::uint32_t number) -> sample {
    return {number, number * number, 0xC0DE'C0DE};
  };
  for (std::uint32_t number = 1; number <= 6; ++number) {
    static_cast<void>(producer.try_write(value_of(number)));
  }
  producer.flush();
  for (int count = 0; count < 2; ++count) consumer.try_peek().release();
  consumer.flush();
  for (std::uint32_t number = 7; number <= 9; ++number) {
    static_cast<void>(producer.try_claim().commit_later(value_of(number)));
  }
  producer.flush();
  return content_of(memory);
}

template <class Memory>
auto shared_byte_ring() -> content {
  using ring_type = weir::mpsc_ring<weir::bytes, Memory>;
  constexpr weir::mpsc_options options{.capacity = 256,
                                       .producers = 3,
                                       .max_record = 100,
                                       .recoverable = true,
                                       .wake = wake_protocol::fenced,
                                       .process_shared = true,
                                       .type_tag = 0x0123'4567,
                                       .start_position = 0x8'0000'0000 - 64};
  const weir::test::guarded_span memory{ring_type::bytes_required(options)};
  auto ring = ring_type::format(memory.bytes(), options).value();
  auto first = ring.producer().value();
  auto second = ring.producer().value();
  auto consumer = ring.consumer().value();
  std::array<std::byte, 100> bytes;
  for (std::size_t index = 0; index < bytes.size(); ++index) bytes[index] = std::byte(index + 1);
  const auto write = [&](auto& producer, std::uint32_t size, std::uint32_t type) {
    auto claim = producer.try_claim(size + 8);
    std::copy_n(bytes.begin(), size, claim.bytes().begin());
    static_cast<void>(claim.shrink(size));
    static_cast<void>(claim.commit(type));
  };
  write(first, 5, 1);
  write(second, 0, 2);
  write(first, 40, 3);  // runs over the end
  {
    const auto aborted = second.try_claim(9);
  }
  for (int count = 0; count < 2; ++count) consumer.try_peek().release();
  consumer.flush();
  write(second, 17, 4);
  first.flush();
  second.flush();
  {
    const auto open = first.try_claim(33);  // as a dead producer would leave it
    return content_of(memory);
  }
}

template <class Memory>
auto shared_slot_ring() -> content {
  using ring_type = weir::mpsc_ring<sample, Memory>;
  constexpr weir::mpsc_options options{.capacity = 8,
                                       .producers = 2,
                                       .wake = wake_protocol::at_flush,
                                       .type_tag = 7,
                                       .start_position = 0x1'0000'0000 - 3};
  const weir::test::guarded_span memory{ring_type::bytes_required(options)};
  auto ring = ring_type::format(memory.bytes(), options).value();
  auto first = ring.producer().value();
  auto second = ring.producer().value();
  auto consumer = ring.consumer().value();
  const auto value_of = [](std::uint32_t number) -> sample {
    return {number, number * number, 0xC0DE'C0DE};
  };
  for (std::uint32_t number = 1; number <= 6; ++number) {
    static_cast<void>((number % 2 != 0 ? first : second).try_write(value_of(number)));
  }
  {
    const auto aborted = first.try_claim();
  }
  for (int count = 0; count < 2; ++count) consumer.try_peek().release();
  consumer.flush();
  static_cast<void>(second.try_write_batch(std::array{value_of(7), value_of(8)}));
  first.flush();
  second.flush();
  consumer.flush();
  return content_of(memory);
}

}  // namespace

auto weir::test::ring_vectors() -> std::vector<golden_vector> {
  return {
      {"spsc_bytes.bin", byte_ring<fixed_process>(), byte_ring<plain_memory>()},
      {"spsc_slots.bin", slot_ring<fixed_process>(), slot_ring<plain_memory>()},
      {"mpsc_bytes.bin", shared_byte_ring<fixed_process>(), shared_byte_ring<plain_memory>()},
      {"mpsc_slots.bin", shared_slot_ring<fixed_process>(), shared_slot_ring<plain_memory>()},
  };
}
