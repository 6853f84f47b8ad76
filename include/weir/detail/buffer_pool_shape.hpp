// SPDX-License-Identifier: MIT
/// Where everything in a buffer_pool lies: arithmetic on its options, no memory.
#pragma once

#include <weir/cache_line.hpp>
#include <weir/detail/bits.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/status.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace weir {

/// Buffers of one size.
struct pool_class {
  std::uint32_t size = 0;  ///< bytes that each holds
  std::uint32_t count = 0;

  [[nodiscard]] auto operator==(const pool_class&) const noexcept -> bool = default;
};

namespace detail {

inline constexpr std::uint32_t bits_per_mark_word = 32;

/// One class of a pool that is laid out. Offsets from the span's first byte.
struct pool_section {
  std::uint32_t size = 0;
  std::uint32_t count = 0;
  std::uint32_t first = 0;   ///< index of its first buffer
  std::uint32_t marks = 0;   ///< offset of its first mark word
  std::uint32_t stride = 0;  ///< bytes from a buffer to the next
  std::uint32_t data = 0;    ///< offset of its first buffer

  [[nodiscard]] constexpr auto mark_words() const noexcept -> std::uint32_t {
    return (count + bits_per_mark_word - 1) / bits_per_mark_word;
  }
  /// The bits of one mark word behind which there is a buffer. Needs  word < mark_words().
  [[nodiscard]] constexpr auto real_marks(std::uint32_t word) const noexcept -> std::uint32_t {
    const auto here = count - word * bits_per_mark_word;
    return here >= bits_per_mark_word ? ~0U : (1U << here) - 1;
  }
};

class pool_shape {
 public:
  /// Returns  a shape; bad_layout: there is no such pool.
  [[nodiscard]] static constexpr auto make(std::span<const pool_class> classes,
                                           std::uint32_t alignment) noexcept -> result<pool_shape> {
    if (classes.empty() || classes.size() > layout::pool::max_classes ||
        !is_power_of_two(alignment) || alignment < min_alignment || alignment > max_alignment) {
      return status::bad_layout;
    }
    pool_shape made;
    made.alignment_ = alignment;
    auto marks = layout::pool::marks;
    for (const auto& each : classes) {
      const auto before = made.classes_ == 0 ? 0 : made.sections_[made.classes_ - 1].size;
      if (each.size <= before || each.count == 0 ||
          each.count > layout::pool::max_buffers - made.buffers_) {
        return status::bad_layout;
      }
      auto& section = made.sections_[made.classes_++];
      section = {.size = each.size, .count = each.count, .first = made.buffers_, .marks = marks};
      made.buffers_ += each.count;
      marks += 4 * section.mark_words();
    }
    made.entries_ = align_up(marks, static_cast<std::uint32_t>(cache_line));
    return made.lay_out_data() ? result<pool_shape>{made} : status::bad_layout;
  }

  [[nodiscard]] constexpr auto alignment() const noexcept -> std::uint32_t { return alignment_; }
  [[nodiscard]] constexpr auto buffers() const noexcept -> std::uint32_t { return buffers_; }
  [[nodiscard]] constexpr auto data_offset() const noexcept -> std::uint32_t {
    return sections_[0].data;
  }
  [[nodiscard]] constexpr auto total() const noexcept -> std::uint32_t { return total_; }
  [[nodiscard]] constexpr auto largest() const noexcept -> std::uint32_t {
    return sections_[classes_ - 1].size;
  }
  [[nodiscard]] constexpr auto sections() const noexcept -> std::span<const pool_section> {
    return std::span{sections_}.first(classes_);
  }
  /// The section in which a buffer lies. Needs  index < buffers().
  [[nodiscard]] constexpr auto section_of(std::uint32_t index) const noexcept
      -> const pool_section& {
    std::uint32_t at = 0;
    while (index - sections_[at].first >= sections_[at].count) ++at;
    return sections_[at];
  }
  [[nodiscard]] constexpr auto entry_of(std::uint32_t index) const noexcept -> std::uint32_t {
    return entries_ + index * layout::pool::entry_size;
  }

 private:
  /// A whole u64, so that a buffer's last word belongs to it alone.
  static constexpr std::uint32_t min_alignment = 8;
  static constexpr std::uint32_t max_alignment = 4096;

  constexpr pool_shape() noexcept = default;

  /// Returns  false if it takes more bytes than a primitive may have. 64 bits: nothing overflows.
  constexpr auto lay_out_data() noexcept -> bool {
    std::uint64_t end = align_up(entry_of(buffers_), larger(alignment_, layout::pool::span));
    for (std::uint32_t at = 0; at < classes_; ++at) {
      auto& section = sections_[at];
      const auto stride = (section.size + std::uint64_t{alignment_} - 1) / alignment_ * alignment_;
      if (end + section.count * stride > layout::max_total_size) return false;
      section.stride = static_cast<std::uint32_t>(stride);
      section.data = static_cast<std::uint32_t>(end);
      end += section.count * stride;
    }
    total_ = static_cast<std::uint32_t>(end);
    return true;
  }

  std::uint32_t alignment_ = 0;
  std::uint32_t classes_ = 0;
  std::uint32_t buffers_ = 0;
  std::uint32_t entries_ = 0;
  std::uint32_t total_ = 0;
  std::array<pool_section, layout::pool::max_classes> sections_{};
};

}  // namespace detail
}  // namespace weir
