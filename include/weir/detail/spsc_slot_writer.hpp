// SPDX-License-Identifier: MIT
/// Position keeping of a typed ring's producer: the byte writer's scheme, with a stamp in each slot.
///
/// Invariants   W1  position <= limit <= free_end <= read_position + capacity   (mod 2^32)
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/detail/spsc_slots.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class T, class Memory>
class spsc_slot_writer {
 public:
  explicit spsc_slot_writer(const spsc_control<Memory>& control) noexcept
      : control_{control},
        area_{control.data(), control.fields().capacity, control.fields().capacity - 1} {}

  /// Finds the first slot that is not published and goes on from there.
  /// Returns  ok; corrupt: the shared positions cannot be those of a ring.
  [[nodiscard]] auto resume() noexcept -> status {
    read_position_ = control_.load_read_position();
    position_ = control_.load_write_position();
    if (!within(position_, read_position_, area_.capacity)) position_ = read_position_;
    while (position_ - read_position_ != area_.capacity) {
      // [C4] acquire <- [P2] [P3].
      const auto stamp = Memory::load(area_.stamp_at(position_), std::memory_order_acquire);
      if (stamp != stamp_of(position_)) break;
      ++position_;
    }
    limit_ = free_end_ = position_;
    unstamp_withheld();
    return status::ok;
  }

  [[nodiscard]] auto position() const noexcept -> std::uint32_t { return position_; }
  [[nodiscard]] auto area() const noexcept -> const slot_area<T>& { return area_; }
  /// Names the slot at the position.
  [[nodiscard]] auto describe() const noexcept -> descriptor {
    return {control_.payload_offset(area_.offset_of(position_)),
            static_cast<std::uint32_t>(sizeof(T)), position_};
  }
  [[nodiscard]] auto payload() const noexcept -> std::byte* { return area_.value_at(position_); }

  /// True if the slot at the position needs no bookkeeping.
  [[nodiscard, gnu::always_inline]] inline auto fits(std::uint32_t /*size*/) const noexcept
      -> bool {
    return position_ != limit_;
  }

  /// The event: once per event step, or when the known free slots are used up.
  /// Returns  ok, full, closed, corrupt.
  [[nodiscard]] auto make_room(std::uint32_t /*size*/) noexcept -> status {
    control_.store_write_position(published_position());
    if (control_.load_closed() != 0) return status::closed;
    if (position_ == free_end_) {
      if (const auto outcome = look(); outcome != status::ok) return outcome;
      high_water_ = larger(high_water_, area_.capacity - room());
      free_end_ = read_position_ + area_.capacity;
      if (room() == 0) return status::full;
    }
    const auto known_free = free_end_ - position_;
    limit_ = position_ + smaller(area_.event_step(), known_free);
    const auto first = area_.offset_of(position_);
    const auto to_end = area_.capacity * slot_shape<T>::stride - first;
    prefetched_.template advance<Memory, true>(area_.data, first,
                                               first + smaller(window(known_free), to_end));
    return status::ok;
  }

  /// Publishes the slot at the position. Needs  room for it.
  [[gnu::always_inline]] inline void publish() noexcept {
    const auto position =
        position_;  // a local: behind an atomic store every member is loaded again
    position_ = position + 1;
    // [P2] release -> [C1] [C4] [C5] [C6] [C7]: the value in the slot.
    Memory::store(area_.stamp_at(position), stamp_of(position), std::memory_order_release);
  }

  /// Values published or withheld, up to a constant.
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return position_; }

  /// Keeps the slot at the position invisible until publish_batch(). Needs  room for it.
  void withhold() noexcept {
    if (has_batch_) {
      // relaxed: before publication [P3]
      Memory::store(area_.stamp_at(position_), stamp_of(position_), std::memory_order_relaxed);
    } else {
      has_batch_ = true;
      batch_position_ = position_;
    }
    ++position_;
  }

  /// Publishes all that was withheld, with one store: nobody looks past the batch's first slot before.
  void publish_batch() noexcept {
    if (!has_batch_) return;
    // [P3] release -> [C1] [C4] [C5] [C6] [C7]: the values and the later stamps of the batch.
    Memory::store(area_.stamp_at(batch_position_), stamp_of(batch_position_),
                  std::memory_order_release);
    has_batch_ = false;
  }

  /// Everything before it is published.
  [[nodiscard]] auto published_position() const noexcept -> std::uint32_t {
    return has_batch_ ? batch_position_ : position_;
  }

  /// From now on nothing fits without make_room(): the caller decides there.
  void stop() noexcept { limit_ = position_; }

  /// A claim is open: nothing else fits until let_go(). Folded into the limit, so that the common path
  /// stays one comparison.
  void hold() noexcept {
    held_ = true;
    held_limit_ = limit_;
    stop();
  }
  void let_go() noexcept {
    held_ = false;
    limit_ = held_limit_;
  }
  [[nodiscard]] auto is_held() const noexcept -> bool { return held_; }

  /// Slots free in the ring, as last seen.
  [[nodiscard]] auto room() const noexcept -> std::uint32_t {
    return area_.capacity - (position_ - read_position_);
  }

  /// The consumer's read position, as last seen.
  [[nodiscard]] auto read_position() const noexcept -> std::uint32_t { return read_position_; }

  /// Loads the read position. Returns  ok, corrupt.
  [[nodiscard]] auto look() noexcept -> status { return accept(control_.load_read_position()); }

  /// Takes a read position that came from outside, if it is one that the consumer may have.
  [[nodiscard]] auto accept(std::uint32_t read_position) noexcept -> status {
    if (!within(read_position, read_position_, published_position() - read_position_))
      return status::corrupt;
    read_position_ = read_position;
    return status::ok;
  }

  [[nodiscard]] auto high_water() const noexcept -> std::uint32_t { return high_water_; }

 private:
  /// A predecessor that died with a batch withheld has stamped its later slots: takes those stamps back,
  /// so that nothing of it appears once the slot in front of them is published.
  void unstamp_withheld() noexcept {
    for (auto at = position_; at - read_position_ != area_.capacity; ++at) {
      // relaxed: before publication [P2]
      Memory::store(area_.stamp_at(at), stamp_of(at) - area_.capacity, std::memory_order_relaxed);
    }
  }

  /// Bytes to keep prefetched, out of `slots` that are known to be ours.
  [[nodiscard]] auto window(std::uint32_t slots) const noexcept -> std::uint32_t {
    constexpr auto most = slot_area<T>::event_bytes + prefetch_window;
    return slots > most / slot_shape<T>::stride ? most : slots * slot_shape<T>::stride;
  }

  spsc_control<Memory> control_;
  slot_area<T> area_;
  std::uint32_t position_ = 0;        ///< of the next slot; wraps
  std::uint32_t limit_ = 0;           ///< slots before it need no bookkeeping
  std::uint32_t free_end_ = 0;        ///< slots before it are known to be free
  std::uint32_t read_position_ = 0;   ///< the consumer's, as last seen and found possible
  std::uint32_t batch_position_ = 0;  ///< of the first withheld slot, while there is a batch
  std::uint32_t high_water_ = 0;
  std::uint32_t held_limit_ = 0;  ///< limit_, while a claim is open
  bool held_ = false;
  bool has_batch_ = false;
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
