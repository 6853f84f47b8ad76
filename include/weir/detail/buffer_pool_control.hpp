// SPDX-License-Identifier: MIT
/// The control block of buffer_pool: its shape, the search for a free buffer, and what the dead left.
#pragma once

#include <weir/detail/buffer_pool_shape.hpp>
#include <weir/detail/buffer_pool_slot.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/owner_table.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir::detail {

/// Where a member looks next, in each class: an index within the class.
using pool_cursors = std::array<std::uint32_t, layout::pool::max_classes>;

/// A private, immutable description of one pool, and addresses of its shared words.
template <class Memory>
class pool_control {
 public:
  using slot_type = pool_slot<Memory>;

  struct allocation {
    slot_type slot;
    std::uint32_t index;
    std::uint32_t generation;
  };

  /// The header of such a pool. attach() accepts nothing else.
  [[nodiscard]] static auto expected(const pool_shape& shape, std::uint32_t flags,
                                     std::uint32_t type_tag) noexcept -> header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::buffer_pool),
            .flags = flags,
            .total_size = shape.total(),
            .capacity = layout::pool::max_places,
            .data_offset = shape.data_offset(),
            .stride = layout::pool::entry_size,
            .alignment = shape.alignment(),
            .max_record = shape.largest(),
            .type_tag = type_tag,
            .wake_protocol = static_cast<std::uint32_t>(wake_protocol::none),
            .slots = shape.buffers()};
  }

  /// True if a pool with buffers so aligned may begin at the span's first byte.
  [[nodiscard]] static auto fits(std::span<std::byte> span, std::uint32_t alignment) noexcept
      -> bool {
    return is_aligned(span) && reinterpret_cast<std::uintptr_t>(span.data()) % alignment == 0;
  }

  pool_control(std::byte* base, const header& fields, const pool_shape& shape) noexcept
      : base_{base}, fields_{fields}, shape_{shape} {}

  /// Everything but the header. Thread  the only one that touches the span.
  void lay_out(std::span<const pool_class> classes, std::uint32_t generation) const noexcept {
    clear_control<Memory>(base_, fields_.data_offset);
    const auto put = [this](std::uint32_t offset, std::uint32_t value) {
      // relaxed: before publication [F1]
      Memory::store(word_at(base_, offset), value, std::memory_order_relaxed);
    };
    auto at = layout::pool::classes;
    for (const auto& each : classes) {
      put(at + layout::pool::class_size, each.size);
      put(at + layout::pool::class_count, each.count);
      at += layout::pool::class_stride;
    }
    for (const auto& section : shape_.sections()) {
      for (std::uint32_t word = 0; word < section.mark_words(); ++word) {
        put(section.marks + 4 * word, section.real_marks(word));
      }
    }
    for (std::uint32_t index = 0; generation != 0 && index < shape_.buffers(); ++index) {
      // relaxed: before publication [F1]
      Memory::store64(wide_at(base_, shape_.entry_of(index) + layout::pool::entry_state),
                      pool_state::of(generation, 0).word, std::memory_order_relaxed);
    }
  }

  /// The shape that the span says its pool has. Needs  load_header().
  [[nodiscard]] static auto load_shape(std::span<std::byte> span, std::uint32_t alignment) noexcept
      -> result<pool_shape> {
    if (span.size() < layout::pool::marks) return status::bad_layout;
    std::array<pool_class, layout::pool::max_classes> classes{};
    std::size_t count = 0;
    bool ended = false;
    for (std::uint32_t index = 0; index < layout::pool::max_classes; ++index) {
      const auto get = [base = span.data(), index](std::uint32_t offset) {
        // relaxed: before publication [F1]
        return Memory::load(
            word_at(base, layout::pool::classes + index * layout::pool::class_stride + offset),
            std::memory_order_relaxed);
      };
      const pool_class found{get(layout::pool::class_size), get(layout::pool::class_count)};
      if (ended && found != pool_class{}) return status::bad_layout;
      ended = found == pool_class{};
      if (!ended) classes[count++] = found;
    }
    return pool_shape::make(std::span{classes}.first(count), alignment);
  }

  [[nodiscard]] auto fields() const noexcept -> const header& { return fields_; }
  [[nodiscard]] auto shape() const noexcept -> const pool_shape& { return shape_; }
  [[nodiscard]] auto places() const noexcept -> owner_table<Memory> {
    return {base_ + layout::pool::places, layout::pool::max_places};
  }

  /// Needs  index < the number of buffers.
  [[nodiscard]] auto slot(std::uint32_t index) const noexcept -> slot_type {
    return slot_in(shape_.section_of(index), index);
  }

  // --- allocation

  /// Takes a buffer of the smallest class that holds `size` and has one. Returns  too_large; full.
  [[nodiscard]] auto allocate(std::uint64_t size, std::uint32_t place,
                              pool_cursors& cursors) const noexcept -> result<allocation> {
    if (size > shape_.largest()) return status::too_large;
    std::size_t at = 0;
    for (const auto& section : shape_.sections()) {
      auto& cursor = cursors[at++];
      if (section.size < size) continue;
      auto found = search(section, place, cursor);
      if (!found) continue;
      found->slot.begin_life(static_cast<std::uint32_t>(size));
      return found;
    }
    return status::full;
  }

  // --- what members left behind

  /// True if the place holds no buffer.
  [[nodiscard]] auto holds_nothing(std::uint32_t place) const noexcept -> bool {
    for (std::uint32_t index = 0; index < shape_.buffers(); ++index) {
      if (slot(index).state().held_by(place)) return false;
    }
    return true;
  }

  template <class Alive>
  auto reclaim(reclaim_from whose, Alive&& alive) const noexcept -> reclaimed {
    const auto sum = places().reclaim(whose, alive, [this](std::uint32_t place) {
      std::uint32_t given_back = 0;
      for (std::uint32_t index = 0; index < shape_.buffers(); ++index) {
        const auto there = slot(index);
        const auto generation = there.state().generation();
        if (there.give_back(generation, place) == status::ok) ++given_back;
      }
      return given_back;
    });
    for (const auto& section : shape_.sections()) mark_free(section);
    return sum;
  }

 private:
  /// Needs  the buffer lies in the section.
  [[nodiscard]] auto slot_in(const pool_section& section, std::uint32_t index) const noexcept
      -> slot_type {
    const auto within = index - section.first;
    return {.entry = base_ + shape_.entry_of(index),
            .data = base_ + section.data + std::size_t{within} * section.stride,
            .marks = marks_of(section, within / bits_per_mark_word),
            .mark = 1U << within % bits_per_mark_word,
            .capacity = section.size};
  }
  [[nodiscard]] auto marks_of(const pool_section& section, std::uint32_t word) const noexcept
      -> std::uint32_t* {
    return word_at(base_, section.marks + 4 * word);
  }

  /// Tries each buffer that is marked, once round from the cursor on, and leaves that there.
  [[nodiscard]] auto search(const pool_section& section, std::uint32_t place,
                            std::uint32_t& cursor) const noexcept -> result<allocation> {
    const auto words = section.mark_words();
    const auto first = cursor / bits_per_mark_word;
    const auto ahead = ~0U << cursor % bits_per_mark_word;
    for (std::uint32_t step = 0; step <= words; ++step) {
      const auto word = first + step < words ? first + step : first + step - words;
      auto candidates = section.real_marks(word);
      if (step == 0) candidates &= ahead;
      if (step == words) candidates &= ~ahead;
      // relaxed: re-checked by [S2]
      candidates &= Memory::load(marks_of(section, word), std::memory_order_relaxed);
      for (; candidates != 0; candidates &= candidates - 1) {
        const auto within =
            word * bits_per_mark_word + static_cast<std::uint32_t>(std::countr_zero(candidates));
        const auto there = slot_in(section, section.first + within);
        auto taken = there.take(place);
        there.clear_mark();
        if (!taken) continue;
        cursor = within;
        return allocation{there, section.first + within, *taken};
      }
    }
    return status::full;
  }

  /// Marks every buffer that is free: one whose last holder died before it could.
  void mark_free(const pool_section& section) const noexcept {
    for (std::uint32_t word = 0; word < section.mark_words(); ++word) {
      std::uint32_t free = 0;
      for (auto left = section.real_marks(word); left != 0; left &= left - 1) {
        const auto within =
            word * bits_per_mark_word + static_cast<std::uint32_t>(std::countr_zero(left));
        const auto there = slot_in(section, section.first + within);
        if (there.state().is_free()) free |= there.mark;
      }
      if (free != 0) slot_type::set_marks(marks_of(section, word), free);
    }
  }

  std::byte* base_;
  header fields_;
  pool_shape shape_;
};

}  // namespace weir::detail
