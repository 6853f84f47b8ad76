// SPDX-License-Identifier: MIT
/// What travels: events, patches, and the messages that name them. The bytes of all three are plain
/// little-endian words, so that JavaScript could write and read them.
///
///   event ring   one record per event:   pointer_event, its record type says which kind
///   patch ring   one record per patch:   patch_header, then operations
///   message      one per record:         where the record is, and how far its sender has read in the
///                                        other ring
#pragma once

#include <weir/weir.hpp>

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <type_traits>

namespace adapter {

/// Nanoseconds on the clock that page and workers share.
[[nodiscard]] inline auto now() -> std::uint64_t {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                    std::chrono::nanoseconds{1});
}

/// Record types of the event ring.
enum class event_type : std::uint32_t {
  hover = 1,
  press,
  drag,
  lift,
  leave,  ///< the page goes away; the last event
};

struct pointer_event {
  std::uint64_t written;  ///< when the page wrote it
  std::uint32_t number;   ///< of the event, from 0
  std::uint32_t time;     ///< of the recording, in milliseconds
  std::uint32_t tool;     ///< which pen
  float x;
  float y;
  float pressure;  ///< 0 to 1
};

enum class operation_kind : std::uint32_t {
  move_to = 1,
  line_to,
  gap,  ///< `number` events were dropped here
};

/// One step of drawing.
struct operation {
  std::uint64_t written;  ///< when the page wrote the event that asked for it
  operation_kind kind;
  std::uint32_t number;  ///< of that event
  float x;
  float y;
  float width;
  std::uint32_t color;  ///< 0xRRGGBB

  [[nodiscard]] auto operator==(const operation&) const -> bool = default;
};

struct patch_header {
  std::uint64_t drawn;  ///< when the frame worker finished it
  std::uint32_t frame;  ///< number of the frame, from 0
  std::uint32_t operations;
};

struct message {
  weir::descriptor record;
  std::uint32_t read_position;  ///< the sender's, in the ring that it reads
};

/// Values go into and out of rings as bytes, whatever lies beside them.
template <class T>
  requires std::is_trivially_copyable_v<T>
void encode(std::span<std::byte> bytes, const T& value) {
  std::memcpy(bytes.first(sizeof(T)).data(), &value, sizeof(T));
}

template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] auto decode(std::span<const std::byte> bytes) -> T {
  if (bytes.size() < sizeof(T)) throw std::runtime_error{"a record is too short"};
  std::array<std::byte, sizeof(T)> copy{};
  std::memcpy(copy.data(), bytes.data(), sizeof(T));
  return std::bit_cast<T>(copy);
}

/// The whole user interface: a pen draws, more heavily the harder it is pressed.
[[nodiscard]] inline auto draw(event_type type, const pointer_event& event) -> operation {
  constexpr float thinnest = 0.5F;
  constexpr float thickest = 12.0F;
  constexpr std::array<std::uint32_t, 4> colors{0x1b4f72, 0x922b21, 0x196f3d, 0x7d6608};
  const bool draws = type == event_type::drag || type == event_type::lift;
  return {.written = event.written,
          .kind = draws ? operation_kind::line_to : operation_kind::move_to,
          .number = event.number,
          .x = event.x,
          .y = event.y,
          .width = thinnest + (thickest - thinnest) * event.pressure,
          .color = colors[event.tool % colors.size()]};
}

}  // namespace adapter
