// SPDX-License-Identifier: MIT
/// The header that every primitive begins with: written once, validated by whoever attaches.
///
/// Edges        F1 -> F2  everything that format() wrote
/// Progress     wait-free
///
/// attach() loads each word once, into a private copy, and compares it with what the primitive would
/// have written for that capacity; afterwards nothing geometric is read from shared memory again.
#pragma once

#include <weir/cache_line.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::detail {

/// The constants of one primitive, in private memory. Fields as in layout.hpp.
struct header {
  std::uint32_t kind = 0;
  std::uint32_t flags = 0;
  std::uint32_t total_size = 0;
  std::uint32_t capacity = 0;
  std::uint32_t data_offset = 0;
  std::uint32_t stride = 0;
  std::uint32_t alignment = 0;
  std::uint32_t max_record = 0;
  std::uint32_t type_tag = 0;
  std::uint32_t wake_protocol = 0;
  std::uint32_t slots = 0;

  [[nodiscard]] auto operator==(const header&) const noexcept -> bool = default;
};

[[nodiscard]] inline auto word_at(std::byte* base, std::uint32_t offset) noexcept
    -> std::uint32_t* {
  return reinterpret_cast<std::uint32_t*>(base + offset);
}

/// Needs  a multiple of 8 as the offset.
[[nodiscard]] inline auto wide_at(std::byte* base, std::uint32_t offset) noexcept
    -> std::uint64_t* {
  return reinterpret_cast<std::uint64_t*>(base + offset);
}

/// True if a primitive may begin at the span's first byte.
[[nodiscard]] inline auto is_aligned(std::span<std::byte> span) noexcept -> bool {
  return reinterpret_cast<std::uintptr_t>(span.data()) % cache_line == 0;
}

/// First step of format(): from here until publish_header nobody can attach.
/// Thread  the only one that touches the span.
template <class Memory>
void retract_header(std::byte* base) noexcept {
  // relaxed: before publication [F1]
  Memory::store(word_at(base, layout::magic), 0, std::memory_order_relaxed);
}

/// Second step of format(): everything from the end of the known header words up to `end` is 0.
template <class Memory>
void clear_control(std::byte* base, std::uint32_t end) noexcept {
  for (auto offset = layout::slots + 4; offset < end; offset += 4) {
    // relaxed: before publication [F1]
    Memory::store(word_at(base, offset), 0, std::memory_order_relaxed);
  }
}

/// Last step of format().
/// Thread  the only one that touches the span.
template <class Memory>
void publish_header(std::byte* base, const header& fields) noexcept {
  const auto put = [base](std::uint32_t offset, std::uint32_t value) {
    // relaxed: before publication [F1]
    Memory::store(word_at(base, offset), value, std::memory_order_relaxed);
  };
  put(layout::version, wire_format_version);
  put(layout::kind_word, fields.kind);
  put(layout::flags, fields.flags);
  put(layout::total_size, fields.total_size);
  put(layout::capacity, fields.capacity);
  put(layout::data_offset, fields.data_offset);
  put(layout::stride, fields.stride);
  put(layout::alignment, fields.alignment);
  put(layout::max_record, fields.max_record);
  put(layout::type_tag, fields.type_tag);
  put(layout::wake_protocol_word, fields.wake_protocol);
  put(layout::slots, fields.slots);
  // [F1] release -> [F2]: the header, and all that format() wrote behind it.
  Memory::store(word_at(base, layout::magic), layout::magic_value, std::memory_order_release);
}

/// The header as it stands in the span. Only what holds for every primitive is checked here.
/// Returns  bad_layout; not_ready while nobody has formatted the span.
template <class Memory>
[[nodiscard]] auto load_header(std::span<std::byte> span) noexcept -> result<header> {
  if (span.size() < layout::header_size || !is_aligned(span)) return status::bad_layout;
  // [F2] acquire <- [F1].
  const auto magic = Memory::load(word_at(span.data(), layout::magic), std::memory_order_acquire);
  if (magic == 0) return status::not_ready;
  const auto get = [base = span.data()](std::uint32_t offset) {
    // relaxed: before publication [F1]
    return Memory::load(word_at(base, offset), std::memory_order_relaxed);
  };
  if (magic != layout::magic_value || get(layout::version) != wire_format_version) {
    return status::bad_layout;
  }
  const header fields{.kind = get(layout::kind_word),
                      .flags = get(layout::flags),
                      .total_size = get(layout::total_size),
                      .capacity = get(layout::capacity),
                      .data_offset = get(layout::data_offset),
                      .stride = get(layout::stride),
                      .alignment = get(layout::alignment),
                      .max_record = get(layout::max_record),
                      .type_tag = get(layout::type_tag),
                      .wake_protocol = get(layout::wake_protocol_word),
                      .slots = get(layout::slots)};
  const bool possible =
      (fields.flags & ~layout::known_flags) == 0 && fields.total_size <= span.size() &&
      fields.wake_protocol <= static_cast<std::uint32_t>(weir::wake_protocol::asymmetric);
  if (!possible) return status::bad_layout;
  return fields;
}

}  // namespace weir::detail
