// SPDX-License-Identifier: MIT
/// A ring for many producers in guarded memory, with its roles taken, in one thread.
#pragma once

#include "support/guarded_span.hpp"
#include "support/pattern.hpp"

#include <weir/mpsc_ring.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace weir::test {

/// A ring and the span that it lies in. `options.capacity` must be given.
template <class T, class Memory = native_memory, class Statistics = counted>
struct mpsc_test_ring {
  using ring_type = mpsc_ring<T, Memory, Statistics>;

  explicit mpsc_test_ring(const mpsc_options& options)
      : memory{ring_type::bytes_required(options)},
        ring{ring_type::format(memory.bytes(), options).value()} {}

  guarded_span memory;
  ring_type ring;
};

/// The same, with the consumer and `count` producers.
template <class T, class Memory = native_memory, class Backpressure = reject, class Wait = poll,
          class Statistics = counted>
struct mpsc_sides {
  using ring_type = mpsc_ring<T, Memory, Statistics>;

  mpsc_test_ring<T, Memory, Statistics> there;
  std::deque<typename ring_type::template producer_type<Backpressure>> producers;
  typename ring_type::template consumer_type<Wait> consumer =
      there.ring.template consumer<Wait>().value();

  explicit mpsc_sides(const mpsc_options& options, std::uint32_t count = 2,
                      const Backpressure& policy = {})
      : there{options} {
    for (; count != 0; --count) producers.push_back(there.ring.producer(policy).value());
  }

  [[nodiscard]] auto word(std::uint32_t offset) const noexcept -> std::uint32_t& {
    return *there.memory.word(offset);
  }
  [[nodiscard]] auto wide(std::uint32_t offset) const noexcept -> std::uint64_t {
    return std::uint64_t{word(offset + 4)} << 32 | word(offset);
  }
  [[nodiscard]] auto intact() const noexcept -> bool { return there.memory.intact(); }
};

/// The data of a byte ring, without the room behind it.
template <class Ring>
[[nodiscard]] auto mpsc_data(const Ring& ring, const guarded_span& memory) noexcept
    -> std::span<std::byte> {
  const auto offset = layout::mpsc::producer_slots + ring.producers() * layout::mpsc::slot_size;
  return memory.bytes().subspan(offset, ring.capacity());
}

/// True if every byte of a byte ring's data and behind it is 0, as it is once everything was read and
/// released.
template <class Ring>
[[nodiscard]] auto is_clean(const Ring& ring, const guarded_span& memory) noexcept -> bool {
  const auto data = mpsc_data(ring, memory);
  const auto length = memory.bytes().data() + memory.bytes().size() - data.data();
  return std::ranges::all_of(std::span{data.data(), static_cast<std::size_t>(length)},
                             [](std::byte byte) { return byte == std::byte{0}; });
}

/// Where positions are likely to go wrong: where 31 and 32 bits end, in bytes and in units of 8, far on.
inline constexpr std::array<std::uint64_t, 6> notable_wide_starts{0,
                                                                  0x8000'0000 - 64,
                                                                  0x1'0000'0000 - 64,
                                                                  0x4'0000'0000 - 64,
                                                                  0x8'0000'0000 - 64,
                                                                  0x100'0000'0000 - 64};

/// One kind of ring: how its records are numbered, written and read.
struct mpsc_byte_kind {
  static constexpr bool frames = true;
  template <class Memory>
  using ring = mpsc_ring<bytes, Memory>;

  static auto size_of(std::uint32_t number) -> std::uint32_t { return number * 5 % 30; }

  template <class Producer>
  static auto claim(Producer& producer, std::uint32_t number) {
    return producer.try_claim(size_of(number));
  }
  template <class Claim>
  static auto commit(Claim& claim, std::uint32_t number) -> status {
    fill_pattern(claim.bytes(), number);
    return claim.commit(number).outcome;
  }
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t number) -> status {
    auto claim = producer.try_claim(size_of(number));
    return claim ? commit(claim, number) : claim.status();
  }
  /// Three records, from `number` on. Returns  how many were written.
  template <class Producer>
  static auto write_batch(Producer& producer, std::uint32_t number) -> std::uint32_t {
    std::array<std::array<std::byte, 32>, 3> content;
    std::array<std::span<const std::byte>, 3> records;
    // One type for all: the number of the first; the others follow from their sizes.
    for (std::uint32_t index = 0; index < 3; ++index) {
      const std::span bytes{content[index].data(), size_of(number + index)};
      fill_pattern(bytes, number + index);
      records[index] = bytes;
    }
    return static_cast<std::uint32_t>(producer.try_write_batch(records, number));
  }
  /// The number of a record that is what it should be; else a number that none has.
  static auto number_of(const record_view& view) -> std::uint32_t {
    for (std::uint32_t number = view.type; number < view.type + 3; ++number) {
      if (view.bytes.size() == size_of(number) && has_pattern(view.bytes, number)) return number;
    }
    return 0xFFFF'FFFF;
  }
};

struct mpsc_typed_kind {
  static constexpr bool frames = false;
  template <class Memory>
  using ring = mpsc_ring<std::uint64_t, Memory>;

  static auto value_of(std::uint32_t number) -> std::uint64_t {
    return std::uint64_t{number} << 32 | (number ^ 0x5A5A'5A5A);
  }
  template <class Producer>
  static auto claim(Producer& producer, std::uint32_t) {
    return producer.try_claim();
  }
  template <class Claim>
  static auto commit(Claim& claim, std::uint32_t number) -> status {
    return claim.commit(value_of(number)).outcome;
  }
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t number) -> status {
    return producer.try_write(value_of(number));
  }
  template <class Producer>
  static auto write_batch(Producer& producer, std::uint32_t number) -> std::uint32_t {
    const std::array values{value_of(number), value_of(number + 1), value_of(number + 2)};
    return static_cast<std::uint32_t>(producer.try_write_batch(values));
  }
  static auto number_of(const std::uint64_t& value) -> std::uint32_t {
    const auto number = static_cast<std::uint32_t>(value >> 32);
    return value == value_of(number) ? number : 0xFFFF'FFFF;
  }
};

}  // namespace weir::test
