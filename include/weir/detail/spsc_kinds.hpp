// SPDX-License-Identifier: MIT
/// What differs between a ring of byte records and a ring of values: sizes, numbers, handle types.
#pragma once

#include <weir/detail/byte_consumer.hpp>
#include <weir/detail/byte_producer.hpp>
#include <weir/detail/consumer_core.hpp>
#include <weir/detail/slot_consumer.hpp>
#include <weir/detail/slot_producer.hpp>
#include <weir/detail/spsc_byte_reader.hpp>
#include <weir/detail/spsc_byte_writer.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/detail/spsc_producer_core.hpp>
#include <weir/detail/spsc_slot_reader.hpp>
#include <weir/detail/spsc_slot_writer.hpp>
#include <weir/detail/spsc_slots.hpp>
#include <weir/layout.hpp>
#include <weir/record.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class T>
struct spsc_kind {
  static constexpr auto number = layout::kind::spsc_slots;
  static constexpr bool frames = false;
  static constexpr std::uint32_t stride = slot_shape<T>::stride;
  static constexpr std::uint32_t alignment = slot_shape<T>::value_offset;
  static constexpr std::uint32_t unit = stride;      ///< bytes of span per unit of capacity
  static constexpr std::uint32_t position_step = 1;  ///< positions are multiples of it
  static constexpr std::uint32_t min_capacity = 2;
  [[nodiscard]] static constexpr auto max_record(std::uint32_t) noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(sizeof(T));
  }

  template <class Memory, class Statistics>
  using producer_core = spsc_producer_core<Memory, Statistics, spsc_slot_writer<T, Memory>>;
  template <class Memory, class Statistics>
  using consumer_core =
      detail::consumer_core<spsc_control<Memory>, Statistics, spsc_slot_reader<T, Memory>>;
  template <class Memory, class Statistics, class Backpressure>
  using producer = slot_producer<T, producer_core<Memory, Statistics>, Backpressure>;
  template <class Memory, class Statistics, class Wait>
  using consumer = slot_consumer<T, consumer_core<Memory, Statistics>, Wait>;

  /// Stamps every slot as the lap before the first one would have left it.
  template <class Memory>
  static void prepare(std::byte* data, std::uint32_t capacity, std::uint32_t start) noexcept {
    const slot_area<T> area{data, capacity, capacity - 1};
    for (std::uint32_t ahead = 0; ahead < capacity; ++ahead) {
      const auto position = start + ahead;
      // relaxed: before publication [F1]
      Memory::store(area.stamp_at(position), stamp_of(position) - capacity,
                    std::memory_order_relaxed);
    }
  }
};

template <>
struct spsc_kind<bytes> {
  static constexpr auto number = layout::kind::spsc_bytes;
  static constexpr bool frames = true;
  static constexpr std::uint32_t stride = 0;
  static constexpr std::uint32_t alignment = record::alignment;
  static constexpr std::uint32_t unit = 1;
  static constexpr std::uint32_t position_step = record::alignment;
  static constexpr std::uint32_t min_capacity = record::min_capacity;
  [[nodiscard]] static constexpr auto max_record(std::uint32_t capacity) noexcept -> std::uint32_t {
    return record::max_payload(capacity);
  }

  template <class Memory, class Statistics>
  using producer_core =
      spsc_producer_core<Memory, Statistics, spsc_byte_writer<Memory, Statistics>>;
  template <class Memory, class Statistics>
  using consumer_core =
      detail::consumer_core<spsc_control<Memory>, Statistics, spsc_byte_reader<Memory>>;
  template <class Memory, class Statistics, class Backpressure>
  using producer = byte_producer<producer_core<Memory, Statistics>, Backpressure>;
  template <class Memory, class Statistics, class Wait>
  using consumer = byte_consumer<consumer_core<Memory, Statistics>, Wait>;

  /// An empty ring is one header that holds 0, where the first record will go.
  template <class Memory>
  static void prepare(std::byte* data, std::uint32_t capacity, std::uint32_t start) noexcept {
    const byte_area area{data, capacity, record::max_payload(capacity)};
    // relaxed: before publication [F1]
    Memory::store(area.header_at(area.offset_of(start)), 0, std::memory_order_relaxed);
  }
};

}  // namespace weir::detail
