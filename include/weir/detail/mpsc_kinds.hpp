// SPDX-License-Identifier: MIT
/// What differs between a ring of byte records and a ring of values for many producers.
#pragma once

#include <weir/detail/byte_consumer.hpp>
#include <weir/detail/byte_producer.hpp>
#include <weir/detail/consumer_core.hpp>
#include <weir/detail/mpsc_byte_reader.hpp>
#include <weir/detail/mpsc_byte_writer.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_producer_core.hpp>
#include <weir/detail/mpsc_slot_reader.hpp>
#include <weir/detail/mpsc_slot_writer.hpp>
#include <weir/detail/mpsc_slots.hpp>
#include <weir/detail/slot_consumer.hpp>
#include <weir/detail/slot_producer.hpp>
#include <weir/layout.hpp>
#include <weir/record.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class T>
struct mpsc_kind {
  static constexpr auto number = layout::kind::mpsc_slots;
  static constexpr bool frames = false;
  static constexpr std::uint32_t stride = slot_shape<T>::stride;
  static constexpr std::uint32_t alignment = slot_shape<T>::value_offset;
  static constexpr std::uint32_t position_step = 1;  ///< positions are multiples of it
  static constexpr std::uint32_t min_capacity = 2;
  static constexpr std::uint32_t max_capacity = max_mpsc_slots;

  /// What format() makes of a caller's wish; 0: impossible.
  [[nodiscard]] static constexpr auto max_record(std::uint32_t /*capacity*/,
                                                 std::uint32_t wish) noexcept -> std::uint32_t {
    constexpr auto size = static_cast<std::uint32_t>(sizeof(T));
    return wish == 0 || wish == size ? size : 0;
  }
  [[nodiscard]] static constexpr auto data_bytes(std::uint32_t capacity,
                                                 std::uint32_t /*max_record*/) noexcept
      -> std::uint64_t {
    return std::uint64_t{capacity} * stride;
  }

  template <class Memory, class Statistics>
  using producer_core = mpsc_producer_core<Memory, Statistics, mpsc_slot_writer<T, Memory>>;
  template <class Memory, class Statistics>
  using consumer_core =
      detail::consumer_core<mpsc_control<Memory>, Statistics, mpsc_slot_reader<T, Memory>>;
  template <class Memory, class Statistics, class Backpressure>
  using producer = slot_producer<T, producer_core<Memory, Statistics>, Backpressure>;
  template <class Memory, class Statistics, class Wait>
  using consumer = slot_consumer<T, consumer_core<Memory, Statistics>, Wait>;

  /// Stamps every slot as the lap before the first one would have left it.
  template <class Memory>
  static void prepare(const mpsc_control<Memory>& control, std::uint64_t start) noexcept {
    const mpsc_slot_area<T> area{control.data(), control.fields().capacity};
    for (std::uint64_t position = start; position != start + area.capacity; ++position) {
      // relaxed: before publication [F1]
      Memory::store(area.stamp_at(position), mpsc_stamp_of(position) - 2 * area.capacity,
                    std::memory_order_relaxed);
    }
  }
};

template <>
struct mpsc_kind<bytes> {
  static constexpr auto number = layout::kind::mpsc_bytes;
  static constexpr bool frames = true;
  static constexpr std::uint32_t stride = 0;
  static constexpr std::uint32_t alignment = record::alignment;
  static constexpr std::uint32_t position_step = record::alignment;
  static constexpr std::uint32_t min_capacity = record::min_capacity;
  /// Frames and discarded stretches stay below max_mpsc_frame.
  static constexpr std::uint32_t max_capacity = max_mpsc_frame / 2;

  /// By default an eighth of the ring, at most half of it; the header word of each record comes on top.
  [[nodiscard]] static constexpr auto max_record(std::uint32_t capacity,
                                                 std::uint32_t wish) noexcept -> std::uint32_t {
    if (wish == 0) return capacity / 8 + record::header_size;
    return record::frame_size(wish) <= capacity / 2 ? wish : 0;
  }
  /// Behind the data there is room for one largest record: the last one of a lap runs on into it.
  [[nodiscard]] static constexpr auto data_bytes(std::uint32_t capacity,
                                                 std::uint32_t max_record) noexcept
      -> std::uint64_t {
    return capacity + record::frame_size(max_record);
  }

  template <class Memory, class Statistics>
  using producer_core = mpsc_producer_core<Memory, Statistics, mpsc_byte_writer<Memory>>;
  template <class Memory, class Statistics>
  using consumer_core =
      detail::consumer_core<mpsc_control<Memory>, Statistics, mpsc_byte_reader<Memory>>;
  template <class Memory, class Statistics, class Backpressure>
  using producer = byte_producer<producer_core<Memory, Statistics>, Backpressure>;
  template <class Memory, class Statistics, class Wait>
  using consumer = byte_consumer<consumer_core<Memory, Statistics>, Wait>;

  /// Whatever is not claimed is 0.
  template <class Memory>
  static void prepare(const mpsc_control<Memory>& control, std::uint64_t /*start*/) noexcept {
    const auto& fields = control.fields();
    Memory::clear(control.data(), fields.total_size - fields.data_offset);
  }
};

}  // namespace weir::detail
