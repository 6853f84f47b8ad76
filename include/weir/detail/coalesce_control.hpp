// SPDX-License-Identifier: MIT
/// The control block of coalesce: shared words by name, and the state of one key.
#pragma once

#include <weir/cache_line.hpp>
#include <weir/detail/bits.hpp>
#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Who has which of a key's three buffers. Arithmetic only.
struct key_state {
  static constexpr std::uint32_t taken_bit = 1U << 4;
  std::uint32_t word;

  [[nodiscard]] static constexpr auto of(std::uint32_t newest, std::uint32_t other) noexcept
      -> key_state {
    return {newest | other << 2};
  }
  [[nodiscard]] constexpr auto newest() const noexcept -> std::uint32_t { return word & 3; }
  [[nodiscard]] constexpr auto other() const noexcept -> std::uint32_t { return word >> 2 & 3; }
  [[nodiscard]] constexpr auto taken() const noexcept -> bool { return (word & taken_bit) != 0; }
  /// False for what only damage can write.
  [[nodiscard]] constexpr auto valid() const noexcept -> bool {
    return word < 2 * taken_bit && newest() < 3 && other() < 3 && newest() != other();
  }
  /// The producer's buffer. Needs  valid().
  [[nodiscard]] constexpr auto producers() const noexcept -> std::uint32_t {
    return 3 - newest() - other();
  }
  /// The consumer's buffer. Needs  valid().
  [[nodiscard]] constexpr auto consumers() const noexcept -> std::uint32_t {
    return taken() ? newest() : other();
  }
  /// After the producer's buffer became the newest: the consumer keeps what it has.
  [[nodiscard]] constexpr auto published() const noexcept -> key_state {
    return of(producers(), consumers());
  }
};

/// Nothing written, nothing to show: the producer has buffer 2.
inline constexpr key_state first_key_state{key_state::of(0, 1).word | key_state::taken_bit};

inline constexpr std::uint32_t bits_per_mark = 32;

/// Where everything lies for so many keys of so many bytes. 64 bits: nothing overflows.
struct coalesce_shape {
  std::uint32_t keys;
  std::uint32_t max_value;

  [[nodiscard]] constexpr auto roots() const noexcept -> std::uint32_t {
    return (leaves() + bits_per_mark - 1) / bits_per_mark;
  }
  [[nodiscard]] constexpr auto leaves() const noexcept -> std::uint32_t {
    return (keys + bits_per_mark - 1) / bits_per_mark;
  }
  [[nodiscard]] constexpr auto leaf_offset() const noexcept -> std::uint32_t {
    return align_up(layout::coalesce::roots + 4 * roots(), layout::coalesce::span);
  }
  [[nodiscard]] constexpr auto data_offset() const noexcept -> std::uint32_t {
    return align_up(leaf_offset() + 4 * leaves(), layout::coalesce::span);
  }
  [[nodiscard]] constexpr auto buffer_stride() const noexcept -> std::uint64_t {
    return layout::coalesce::buffer_value + ((std::uint64_t{max_value} + 7) & ~std::uint64_t{7});
  }
  [[nodiscard]] constexpr auto key_stride() const noexcept -> std::uint64_t {
    const auto size = layout::coalesce::key_buffers + 3 * buffer_stride();
    return (size + cache_line - 1) & ~std::uint64_t{cache_line - 1};
  }
  [[nodiscard]] constexpr auto total() const noexcept -> std::uint64_t {
    return data_offset() + keys * key_stride();
  }
  [[nodiscard]] constexpr auto possible() const noexcept -> bool {
    return keys != 0 && keys <= layout::coalesce::max_keys && total() <= layout::max_total_size;
  }
};

/// A private, immutable description of one coalesce, and addresses of its shared words.
template <class Memory>
class coalesce_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::base_;

 public:
  using block::word;

  /// `park`: the word that the consumer sleeps on, if it is not coalesce's own.
  coalesce_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : block{base, fields, layout::coalesce::data_park, park},
        shape_{fields.slots, fields.max_record} {}

  [[nodiscard]] auto shape() const noexcept -> const coalesce_shape& { return shape_; }
  [[nodiscard]] auto producer_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::coalesce::producer_owner), word(layout::coalesce::producer_start)};
  }
  [[nodiscard]] auto consumer_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::coalesce::consumer_owner), word(layout::coalesce::consumer_start)};
  }

  /// A key's state word. Needs  key < keys.
  [[nodiscard]] auto state_of(std::uint32_t key) const noexcept -> std::uint32_t* {
    return word_at(key_at(key), layout::coalesce::key_state);
  }
  /// One of its buffers. Needs  also index < 3.
  [[nodiscard]] auto buffer_of(std::uint32_t key, std::uint32_t index) const noexcept
      -> std::byte* {
    return key_at(key) + layout::coalesce::key_buffers +
           static_cast<std::size_t>(shape_.buffer_stride()) * index;
  }
  [[nodiscard]] auto root(std::uint32_t index) const noexcept -> std::uint32_t* {
    return word(layout::coalesce::roots + 4 * index);
  }
  [[nodiscard]] auto leaf(std::uint32_t index) const noexcept -> std::uint32_t* {
    return word(shape_.leaf_offset() + 4 * index);
  }

  /// Marks a key as changed. The root bit is set where a consumer has cleared it, or never saw it.
  void mark(std::uint32_t key) const noexcept {
    const auto index = key / bits_per_mark;
    // [P3] acq_rel -> [C4] <- [C4]: the key's state; after a consumer's look, that it cleared the root.
    Memory::fetch_or(leaf(index), 1U << key % bits_per_mark, std::memory_order_acq_rel);
    mark_leaf(index);
  }
  void mark_leaf(std::uint32_t index) const noexcept {
    auto* const above = root(index / bits_per_mark);
    const auto bit = 1U << index % bits_per_mark;
    // relaxed: re-checked by [C4], which follows whenever the bit that is seen here gets cleared
    if ((Memory::load(above, std::memory_order_relaxed) & bit) != 0) return;
    // [P5] release -> [C3] [C5]: the leaf bit.
    Memory::fetch_or(above, bit, std::memory_order_release);
  }

  /// What a dead predecessor of either side may have left half done: values without a mark, leaf bits
  /// without their root bit. Returns  ok; corrupt.
  [[nodiscard]] auto repair() const noexcept -> status {
    for (std::uint32_t key = 0; key < shape_.keys; ++key) {
      // [P4] acquire <- [P2] [C2].
      const key_state state{Memory::load(state_of(key), std::memory_order_acquire)};
      if (!state.valid()) return status::corrupt;
      if (!state.taken()) mark(key);
    }
    for (std::uint32_t index = 0; index < shape_.leaves(); ++index) {
      // relaxed: re-checked by [C4]
      if (Memory::load(leaf(index), std::memory_order_relaxed) != 0) mark_leaf(index);
    }
    return status::ok;
  }

  [[nodiscard]] auto load_closed() const noexcept -> std::uint32_t {
    // [C6] acquire <- [P6].
    return Memory::load(word(layout::coalesce::closed), std::memory_order_acquire);
  }
  void close(std::uint32_t by) const noexcept {
    // [P6] release -> [C6]: everything that the closing side published.
    Memory::fetch_or(word(layout::coalesce::closed), by, std::memory_order_release);
  }

 private:
  [[nodiscard]] auto key_at(std::uint32_t key) const noexcept -> std::byte* {
    return base_ + shape_.data_offset() + static_cast<std::size_t>(shape_.key_stride()) * key;
  }

  coalesce_shape shape_;
};

}  // namespace weir::detail
