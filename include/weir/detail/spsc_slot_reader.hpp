// SPDX-License-Identifier: MIT
/// Position keeping of a typed ring's consumer.
///
/// A slot costs one load and two comparisons. A stamp that is neither of this lap nor of the one before
/// is damage; the consumer says so and goes no further.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/detail/spsc_slots.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class T, class Memory>
class spsc_slot_reader {
 public:
  explicit spsc_slot_reader(const spsc_control<Memory>& control) noexcept
      : control_{control},
        area_{control.data(), control.fields().capacity, control.fields().capacity - 1} {}

  /// Goes on where the last consumer let go. What it had read and not let go of comes again.
  [[nodiscard]] auto resume() noexcept -> status {
    released_ = control_.load_read_position();
    seek(released_);
    return status::ok;
  }

  [[nodiscard]] auto position() const noexcept -> std::uint32_t { return position_; }
  [[nodiscard]] auto sequence() const noexcept -> std::uint32_t { return position_; }
  [[nodiscard]] auto area() const noexcept -> const slot_area<T>& { return area_; }

  /// The slot at the position. Returns  ok, empty, corrupt (for good).
  [[nodiscard, gnu::always_inline]] inline auto peek() noexcept -> status {
    // [C1] acquire <- [P2] [P3].
    const auto stamp = Memory::load(area_.stamp_at(position_), std::memory_order_acquire);
    if (stamp == stamp_of(position_) && position_ != event_) [[likely]]
      return status::ok;
    return look_closer(stamp);
  }

  /// Copies the value that peek() found.
  [[nodiscard, gnu::always_inline]] inline auto value() const noexcept -> T {
    return value_at(area_, position_);
  }

  /// Moves behind the slot that peek() found, and hands back the cache lines that end with it.
  [[gnu::always_inline]] inline void skip() noexcept { hand_back(area_, position_++); }

  /// peek(), value() and skip() in one. Returns  ok, empty, corrupt (for good).
  [[nodiscard, gnu::always_inline]] inline auto take(T& value) noexcept -> status {
    const auto position = position_;  // locals: behind an atomic load every member is loaded again
    const auto area = area_;
    // [C7] acquire <- [P2] [P3].
    const auto stamp = Memory::load(area.stamp_at(position), std::memory_order_acquire);
    if (stamp != stamp_of(position) || position == event_) [[unlikely]] {
      if (const auto outcome = look_closer(stamp); outcome != status::ok) return outcome;
    }
    value = value_at(area, position);
    hand_back(area, position);
    position_ = position + 1;
    return status::ok;
  }

  /// Values skipped, taken or drained, up to a constant.
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return position_ - sought_; }

  /// Most values that the ring can hold.
  [[nodiscard]] auto most_records() const noexcept -> std::uint32_t { return area_.capacity; }

  /// Shows values to `read` until `limit`, or the end of what is there.
  /// Returns  why it ended: ok, empty, corrupt; `count` is how many were shown.
  template <class Read>
  [[nodiscard, gnu::always_inline]] inline auto drain(Read&& read, std::uint32_t limit,
                                                      std::uint32_t& count) noexcept -> status {
    auto position = position_;  // a local: behind an atomic load every member is loaded again
    const auto area = area_;
    for (count = 0; count != limit; ++count) {
      // [C6] acquire <- [P2] [P3].
      const auto stamp = Memory::load(area.stamp_at(position), std::memory_order_acquire);
      if (stamp != stamp_of(position) || position == event_) [[unlikely]] {
        position_ = position;
        if (const auto outcome = look_closer(stamp); outcome != status::ok) return outcome;
      }
      read(value_at(area, position));
      hand_back(area, position++);
    }
    position_ = position;
    return status::ok;
  }

  /// Lets the producer have everything before the position, and wakes it if it sleeps.
  void release() noexcept {
    const auto now = position();
    if (now == released_) return;
    control_.store_read_position(now);
    released_ = now;
    if (control_.protocol() != wake_protocol::none) space_bell_.ring_if_awaited();
  }

  /// True once so much is unreleased that letting go of it is worth a store.
  [[nodiscard]] auto release_is_due() const noexcept -> bool {
    return position() - released_ >= area_.release_step();
  }

  /// True if the producer has announced that it waits for space.
  [[nodiscard]] auto space_is_awaited() const noexcept -> bool { return space_bell_.is_awaited(); }

  /// Finds the slot that a descriptor names.
  /// Returns  ok; stale: behind us; empty: not published yet; corrupt: no producer could be there.
  [[nodiscard]] auto find(const descriptor& named) noexcept -> status {
    const auto target = named.sequence;
    const auto offset = control_.payload_offset(area_.offset_of(target));
    if (corrupt_ || named.offset != offset || named.size != sizeof(T)) return status::corrupt;
    const auto ahead = target - position_;
    if (ahead >= area_.capacity) return ahead >> 31 != 0 ? status::stale : status::corrupt;
    for (auto at = position_;; ++at) {
      // [C5] acquire <- [P2] [P3].
      const auto stamp = Memory::load(area_.stamp_at(at), std::memory_order_acquire);
      if (stamp == stamp_of(at) - area_.capacity) return status::empty;
      if (stamp != stamp_of(at)) return give_up();
      if (at == target) return status::ok;
    }
  }

  /// From now on everything is `corrupt`.
  auto give_up() noexcept -> status {
    corrupt_ = true;
    event_ = position_;
    return status::corrupt;
  }

  /// Moves to a slot that find() found.
  void seek_to(std::uint32_t sequence) noexcept { seek(sequence); }

  /// For the consumer's lingering: whether the producer gets on.
  [[nodiscard]] auto hint() const noexcept -> std::uint32_t { return control_.load_hint(); }

  /// Nothing more can come: a producer that has closed has published all.
  [[nodiscard]] auto at_end() const noexcept -> bool { return true; }

  /// What a sleeping consumer asks. Returns  ok, peer_dead.
  [[nodiscard]] auto peer_status() const noexcept -> status { return control_.producer_status(); }

 private:
  void seek(std::uint32_t position) noexcept {
    sought_ += position - position_;
    event_ = position_ = position;
  }

  [[nodiscard, gnu::always_inline]] static inline auto value_at(const slot_area<T>& area,
                                                                std::uint32_t position) noexcept
      -> T {
    std::array<std::byte, sizeof(T)> bytes;
    Memory::copy_out(bytes.data(), area.value_at(position), sizeof(T));
    return std::bit_cast<T>(bytes);
  }

  /// See returned_lines: one word is stored back in each line in which a slot ends and the next does not.
  [[gnu::always_inline]] static inline void hand_back(const slot_area<T>& area,
                                                      std::uint32_t position) noexcept {
    give_line_back<Memory, slot_shape<T>::stride, slot_shape<T>::value_offset>(
        area.data, area.offset_of(position));
  }

  /// What the common path did not like: nothing there, the end of an event, or damage.
  [[nodiscard, gnu::noinline]] auto look_closer(std::uint32_t stamp) noexcept -> status {
    if (corrupt_) return status::corrupt;
    if (stamp == stamp_of(position_) - area_.capacity) return status::empty;
    if (stamp != stamp_of(position_)) return give_up();
    event();
    return status::ok;
  }

  /// Once per event step: lets go of slots, prefetches, sets the next event.
  void event() noexcept {
    if (release_is_due()) release();
    event_ = position_ + area_.event_step();
    constexpr auto stride = slot_shape<T>::stride;
    const auto first = area_.offset_of(position_);
    prefetched_.template advance<Memory, false>(
        area_.data, first, smaller(first + known_ahead() * stride, area_.capacity * stride));
  }

  /// Slots from the position, as far as prefetching goes, that the producer is known to have published.
  /// The hint is asked again only where that is too little: its line is the producer's.
  [[nodiscard]] auto known_ahead() noexcept -> std::uint32_t {
    constexpr auto wanted = (slot_area<T>::event_bytes + prefetch_window) / slot_shape<T>::stride;
    auto ahead = hint_ - position_;
    if (ahead < wanted || ahead > area_.capacity) {
      hint_ = control_.load_hint();
      ahead = hint_ - position_;
    }
    return ahead > area_.capacity ? 0 : smaller(ahead, wanted);
  }

  spsc_control<Memory> control_;
  park_bell<Memory> space_bell_ = control_.space_bell();
  slot_area<T> area_;
  std::uint32_t position_ = 0;  ///< of the next slot; wraps
  std::uint32_t event_ = 0;     ///< position of the next event
  std::uint32_t released_ = 0;  ///< what the producer knows as our position
  std::uint32_t hint_ = 0;      ///< a position up to which everything is published, or nonsense
  std::uint32_t sought_ = 0;    ///< slots that seek() went over
  bool corrupt_ = false;
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
