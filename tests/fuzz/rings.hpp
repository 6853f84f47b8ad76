// SPDX-License-Identifier: MIT
/// The rings that fuzzers run, by what differs between them.
#pragma once

#include "fuzz/fuzz_memory.hpp"

#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::fuzz {

/// A value of typed rings: 20 bytes in slots of 24.
using slot_value = std::array<std::uint32_t, 5>;

/// One ring as an input wants it, formatted in the arena.
struct ring_shape {
  std::uint32_t capacity = 0;  ///< bytes, or slots
  std::uint32_t slots = 0;     ///< producers of an mpsc_ring
  std::size_t data = 0;        ///< offset of the first byte of data
  std::size_t data_end = 0;
  bool recoverable = false;
  std::uint32_t units = 0;  ///< most records that there can be
};

template <class Record, bool Framed>
struct spsc_kind {
  using ring = spsc_ring<Record, fuzz_memory>;
  static constexpr bool framed = Framed;
  static constexpr bool many = false;
  static constexpr std::uint32_t unit = Framed ? 8 : 1;
  /// Sequences wrap there: positions are u32.
  static constexpr std::uint32_t sequence_mask = 0xFFFF'FFFF / unit;
  static constexpr std::size_t read_position = layout::spsc::read_position;

  /// A position in units, as sequences count them.
  [[nodiscard]] static auto units_of(std::uint64_t position) -> std::uint32_t {
    return static_cast<std::uint32_t>(position / unit) & sequence_mask;
  }

  static auto format(arena& memory, input& bytes, ring_shape& shape) -> ring {
    shape.capacity = Framed ? 64U << bytes.below(3) : 2U << bytes.below(5);
    shape.units = shape.capacity / unit;
    shape.data = layout::spsc::data;
    shape.data_end = static_cast<std::size_t>(ring::bytes_required(shape.capacity));
    const auto span = memory.begin(bytes, shape.data_end);
    const auto options = bytes.byte();
    here.heavy_fences = (options & 8) == 0;
    return ring::format(span, {.capacity = shape.capacity,
                               .wake = static_cast<wake_protocol>(options & 3),
                               .process_shared = (options & 4) != 0,
                               .start_position = bytes.start_position(unit)})
        .value();
  }
};

template <class Record, bool Framed>
struct mpsc_kind {
  using ring = mpsc_ring<Record, fuzz_memory>;
  static constexpr bool framed = Framed;
  static constexpr bool many = true;
  static constexpr std::uint32_t unit = Framed ? 8 : 1;
  static constexpr std::uint32_t sequence_mask = 0xFFFF'FFFF;
  static constexpr std::size_t read_position = layout::mpsc::read_position;

  /// A position in units, as sequences count them.
  [[nodiscard]] static auto units_of(std::uint64_t position) -> std::uint32_t {
    return static_cast<std::uint32_t>(position / unit) & sequence_mask;
  }

  static auto format(arena& memory, input& bytes, ring_shape& shape) -> ring {
    const auto options = bytes.byte();
    mpsc_options wanted{.capacity = Framed ? 64U << bytes.below(3) : 2U << bytes.below(5),
                        .producers = 1 + (options >> 6),
                        .recoverable = (options & 16) != 0,
                        .wake = static_cast<wake_protocol>(options & 3),
                        .process_shared = (options & 4) != 0};
    if (Framed && (options & 32) != 0) wanted.max_record = 1 + bytes.below(wanted.capacity / 2 - 8);
    wanted.start_position = std::uint64_t{options & 32} << 26 | bytes.start_position(unit);
    shape.capacity = wanted.capacity;
    shape.slots = wanted.producers;
    shape.recoverable = wanted.recoverable;
    shape.units = shape.capacity / unit;
    shape.data = layout::mpsc::producer_slots + shape.slots * layout::mpsc::slot_size;
    shape.data_end = static_cast<std::size_t>(ring::bytes_required(wanted));
    const auto span = memory.begin(bytes, shape.data_end);
    here.heavy_fences = (options & 8) == 0;
    return ring::format(span, wanted).value();
  }
};

using spsc_bytes = spsc_kind<bytes, true>;
using spsc_slots = spsc_kind<slot_value, false>;
using mpsc_bytes = mpsc_kind<bytes, true>;
using mpsc_slots = mpsc_kind<slot_value, false>;

/// Accesses that a call may make in a ring of `units` records: some for each record, and for each of the
/// table's slots.
[[nodiscard]] constexpr auto most_accesses(const ring_shape& shape) -> std::uint64_t {
  return 128 + 24 * std::uint64_t{shape.slots} + 24 * std::uint64_t{shape.units};
}

/// Writes one record as an honest producer would. Returns  what it was told.
template <class Kind, class Producer>
auto honest_write(Producer& producer, input& bytes) -> status {
  if constexpr (Kind::framed) {
    static constexpr std::array<std::byte, 128> payload{};
    const auto size = bytes.below(producer.max_record() < 128 ? producer.max_record() + 1 : 129);
    return producer.try_write(std::span{payload}.first(size), bytes.byte());
  } else {
    return producer.try_write({bytes.byte()});
  }
}

}  // namespace weir::fuzz
