// SPDX-License-Identifier: MIT
/// The control block of version_table: the tree of counters, and shared words by name.
///
/// Edges        T1, T3 -> T2  versions, and the counters below
///
///   publisher                              sleeper
///   version += 2               [V1] [V5]   counter |= 1, ticket = counter           W1 of wait.hpp
///   counter += 2, it was odd?  [T1]        version is the one seen?                 [V4]
///                                          sleep while counter == ticket
///   forbidden: it was even, the version is the one seen, and the counter stays the ticket.
///
/// Both touch the counter by read-modify-writes, so that one of the two comes first. If the announcement
/// does, the publisher finds the counter odd; if the publication does, the announcement reads what it
/// wrote, or what a later read-modify-write did, and so the sleeper sees the version. No fence is needed.
/// A publisher that wakes clears the bit without a new ticket: by then its own publication has moved the
/// counter on from every ticket given out before, and it comes back only after 2^31 more.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/version_word.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/wait.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// How many counters there are for so many versions, and where they lie. Level 0 is the lowest.
struct version_shape {
  static constexpr std::uint32_t fan_out = layout::version_table::fan_out;
  /// Enough for any u32; max_slots has four.
  static constexpr std::uint32_t max_levels = 5;

  std::uint32_t slots = 0;
  std::uint32_t levels = 0;
  std::uint32_t counters = 0;                     ///< on all levels; the root is not one of them
  std::array<std::uint32_t, max_levels> count{};  ///< of each level
  std::array<std::uint32_t, max_levels>
      first{};  ///< index of each level's first, among all counters

  [[nodiscard]] static constexpr auto of(std::uint32_t slots) noexcept -> version_shape {
    version_shape shape;
    shape.slots = slots;
    for (auto below = slots; below > layout::version_table::widest_top;) {
      below = (below - 1) / fan_out + 1;
      shape.count[shape.levels++] = below;
    }
    for (auto level = shape.levels; level-- > 0;) {
      shape.first[level] = shape.counters;
      shape.counters += shape.count[level];
    }
    return shape;
  }

  [[nodiscard]] constexpr auto data_offset() const noexcept -> std::uint32_t {
    return align_up(layout::version_table::counters + 4 * counters, layout::version_table::span);
  }
};

/// A private, immutable description of one version_table, and addresses of its shared words.
template <class Memory>
class version_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::fields_;

 public:
  using block::word;

  version_control() = default;
  /// `park`: the word that wait_any() sleeps on, if it is not the root.
  version_control(std::byte* base, const header& fields, std::uint32_t* park) noexcept
      : block{base, fields, layout::version_table::root, park},
        shape_{version_shape::of(fields.slots)} {}

  [[nodiscard]] auto shape() const noexcept -> const version_shape& { return shape_; }
  [[nodiscard]] auto has_doorbell() const noexcept -> bool {
    return (fields_.flags & layout::flag_doorbell) != 0;
  }
  /// False if nobody may sleep, so that a publication need not look for sleepers.
  [[nodiscard]] auto wakes() const noexcept -> bool {
    return block::protocol() != wake_protocol::none;
  }

  // --- addresses

  [[nodiscard]] auto root() const noexcept -> std::uint32_t* {
    return word(layout::version_table::root);
  }
  /// Needs  index < shape().counters.
  [[nodiscard]] auto counter(std::uint32_t index) const noexcept -> std::uint32_t* {
    return word(layout::version_table::counters + 4 * index);
  }
  /// The lowest counter that stands for a version: where one sleeps who waits for it.
  [[nodiscard]] auto lowest(std::uint32_t slot) const noexcept -> std::uint32_t* {
    return shape_.levels == 0 ? root() : counter(shape_.first[0] + slot / version_shape::fan_out);
  }
  /// Needs  slot < shape().slots.
  [[nodiscard]] auto version(std::uint32_t slot) const noexcept -> version_word<Memory> {
    return {word(fields_.data_offset + slot * fields_.stride)};
  }

  // --- counters

  /// How often something below was published, times 2: equal as long as nothing was.
  [[nodiscard]] auto load(const std::uint32_t* of) const noexcept -> std::uint32_t {
    // [T2] acquire <- [T1] [T3].
    return Memory::load(of, std::memory_order_acquire) & ~park_waiting;
  }

  /// After a version, or a counter below, has changed: the counter does, and its sleepers wake.
  void advance(std::uint32_t* of) const noexcept {
    // [T1] release -> [T2]: the version, and the counters below.
    const auto before = Memory::fetch_add(of, 2, std::memory_order_release);
    if ((before & park_waiting) != 0 && wakes()) [[unlikely]]
      wake_sleepers(of);
  }

  /// What everything begins with. Needs  nobody has attached yet.
  void start(std::uint32_t version, std::uint32_t counter_value) const noexcept {
    const auto put = [](std::uint32_t* at, std::uint32_t value) {
      // relaxed: before publication [F1]
      Memory::store(at, value, std::memory_order_relaxed);
    };
    put(root(), counter_value);
    for (std::uint32_t index = 0; index < shape_.counters; ++index) {
      put(counter(index), counter_value);
    }
    for (std::uint32_t slot = 0; slot < shape_.slots; ++slot) {
      put(this->version(slot).word, version);
    }
  }
  [[nodiscard]] auto load_wakes() const noexcept -> std::uint32_t {
    // relaxed: statistics
    return Memory::load(word(layout::version_table::wakes), std::memory_order_relaxed);
  }

  /// The word to sleep on of a counter. Its announcements are read-modify-writes of the word that
  /// publications change, so that its protocol's fence is needed for stop words only.
  [[nodiscard]] auto bell_of(std::uint32_t* of) const noexcept -> park_bell<Memory> {
    return {of, wake_protocol::fenced, block::process_shared()};
  }

  /// After a stop word was set: wakes whoever sleeps, on whatever counter.
  void ring_everywhere() const noexcept {
    if (!wakes()) return;
    bell_of(root()).ring_if_awaited();
    for (std::uint32_t index = 0; index < shape_.counters; ++index) {
      bell_of(counter(index)).ring_if_awaited();
    }
    if (has_doorbell()) block::data_bell().ring();
  }

 private:
  /// Clears the announcement, and wakes those who made it and those who have joined them since. Bounded:
  /// whoever keeps changing the counter finds it odd and wakes them too.
  [[gnu::noinline]] void wake_sleepers(std::uint32_t* of) const noexcept {
    // relaxed: re-checked by [T3]
    auto seen = Memory::load(of, std::memory_order_relaxed);
    for (std::uint32_t attempt = 0; attempt < ring_attempts && (seen & park_waiting) != 0;
         ++attempt) {
      // [T3] release -> [T2]: as the publication that found the announcement.
      if (Memory::compare_exchange(of, seen, seen & ~park_waiting, std::memory_order_release,
                                   // relaxed: failed CAS, nothing read
                                   std::memory_order_relaxed)) {
        break;
      }
    }
    // relaxed: statistics
    Memory::fetch_add(word(layout::version_table::wakes), 1, std::memory_order_relaxed);
    Memory::wake(of);
  }

  version_shape shape_;
};

}  // namespace weir::detail
