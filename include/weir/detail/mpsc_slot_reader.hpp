// SPDX-License-Identifier: MIT
/// Position keeping of the consumer of a typed ring for many producers.
///
/// A slot costs one load and two comparisons. A stamp that is neither of this lap nor of the one before
/// is damage; the consumer says so and goes no further.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/detail/mpsc_recovery.hpp>
#include <weir/detail/mpsc_slots.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class T, class Memory>
class mpsc_slot_reader {
 public:
  explicit mpsc_slot_reader(const mpsc_control<Memory>& control) noexcept
      : control_{control}, area_{control.data(), control.fields().capacity} {}

  /// Goes on where the last consumer let go. What it had read and not let go of comes again.
  [[nodiscard]] auto resume() noexcept -> status {
    event_ = position_ = released_ = control_.load_read_position();
    if (released_ >= claim_closed) return give_up();
    wake_producers();  // the bell that the last consumer did not live to ring
    return status::ok;
  }

  [[nodiscard]] auto position() const noexcept -> std::uint64_t { return position_; }
  [[nodiscard]] auto sequence() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(position_);
  }
  [[nodiscard]] auto area() const noexcept -> const mpsc_slot_area<T>& { return area_; }
  /// Values skipped, taken or drained.
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return records_; }
  /// Most values that the ring can hold.
  [[nodiscard]] auto most_records() const noexcept -> std::uint32_t { return area_.capacity; }

  /// The slot at the position. Returns  ok, empty, corrupt (for good).
  [[nodiscard, gnu::always_inline]] inline auto peek() noexcept -> status {
    for (;;) {
      // [C1] acquire <- [P2] [P3].
      const auto stamp = Memory::load(area_.stamp_at(position_), std::memory_order_acquire);
      if (stamp == mpsc_stamp_of(position_) && position_ != event_) [[likely]]
        return status::ok;
      const auto outcome = look_closer(stamp);
      if (outcome != status::pending) return outcome;
    }
  }

  /// Copies the value that peek() found.
  [[nodiscard, gnu::always_inline]] inline auto value() const noexcept -> T {
    return value_at(area_, position_);
  }

  /// Moves behind the slot that peek() found, and hands back the cache lines that end with it.
  [[gnu::always_inline]] inline void skip() noexcept {
    hand_back(area_, position_++);
    ++records_;
  }

  /// peek(), value() and skip() in one. Returns  ok, empty, corrupt (for good).
  [[nodiscard, gnu::always_inline]] inline auto take(T& value) noexcept -> status {
    const auto position = position_;  // locals: behind an atomic load every member is loaded again
    const auto area = area_;
    // [C8] acquire <- [P2] [P3].
    const auto stamp = Memory::load(area.stamp_at(position), std::memory_order_acquire);
    if (stamp != mpsc_stamp_of(position) || position == event_) [[unlikely]] {
      if (const auto outcome = peek(); outcome != status::ok) return outcome;
      value = this->value();
      skip();
      return status::ok;
    }
    value = value_at(area, position);
    hand_back(area, position);
    position_ = position + 1;
    ++records_;
    return status::ok;
  }

  /// Shows values to `read` until `limit`, or the end of what is there.
  /// Returns  why it ended: ok, empty, corrupt; `count` is how many were shown.
  template <class Read>
  [[nodiscard, gnu::always_inline]] inline auto drain(Read&& read, std::uint32_t limit,
                                                      std::uint32_t& count) noexcept -> status {
    auto position = position_;  // a local: behind an atomic load every member is loaded again
    const auto area = area_;
    auto outcome = status::ok;
    for (count = 0; count != limit;) {
      // [C5] acquire <- [P2] [P3].
      const auto stamp = Memory::load(area.stamp_at(position), std::memory_order_acquire);
      if (stamp != mpsc_stamp_of(position) || position == event_) [[unlikely]] {
        position_ = position;
        outcome = look_closer(stamp);
        position = position_;
        if (outcome == status::pending) continue;
        if (outcome != status::ok) break;
      }
      read(value_at(area, position));
      hand_back(area, position++);
      ++count;
    }
    position_ = position;
    records_ += count;
    return outcome;
  }

  /// Lets the producers have everything before the position, and wakes those that sleep.
  void release() noexcept {
    if (position_ == released_) return;
    control_.store_read_position(position_);
    released_ = position_;
    wake_producers();
  }

  /// True once so much is unreleased that letting go of it is worth a store.
  [[nodiscard]] auto release_is_due() const noexcept -> bool {
    return position_ - released_ >= area_.release_step();
  }

  /// True if a producer has announced that it waits for space.
  [[nodiscard]] auto space_is_awaited() const noexcept -> bool { return space_bell_.is_awaited(); }

  /// Finds the slot that a descriptor names.
  /// Returns  ok; stale: behind us; empty: not published yet; corrupt: no producer could be there.
  [[nodiscard]] auto find(const descriptor& named) noexcept -> status {
    if (corrupt_) return status::corrupt;
    const auto ahead = named.sequence - sequence();
    if ((ahead >> 31) != 0) return status::stale;
    const auto target = position_ + ahead;
    const auto offset = control_.payload_offset(area_.offset_of(target));
    const bool possible = ahead < area_.capacity && named.offset == offset;
    if (!possible || named.size != sizeof(T)) return status::corrupt;
    for (auto at = position_;; ++at) {
      // [C4] acquire <- [P2] [P3].
      const auto stamp = Memory::load(area_.stamp_at(at), std::memory_order_acquire);
      if (area_.is_free(stamp, at)) return status::empty;
      if ((stamp & ~discard_bit) != mpsc_stamp_of(at)) return give_up();
      if (at == target) return stamp == mpsc_stamp_of(at) ? status::ok : status::corrupt;
    }
  }

  /// Moves to a slot that find() found.
  void seek_to(std::uint32_t target) noexcept {
    position_ += target - sequence();
    event_ = position_;
  }

  /// From now on everything is `corrupt`.
  auto give_up() noexcept -> status {
    corrupt_ = true;
    event_ = position_;
    return status::corrupt;
  }

  /// For the consumer's lingering: whether the producers get on.
  [[nodiscard]] auto hint() const noexcept -> std::uint32_t { return control_.load_hint(); }

  /// True if the position is where a closed ring ends. Ends it, if whoever closed died over that.
  [[nodiscard]] auto at_end() const noexcept -> bool {
    const auto end = control_.seal();
    if (end < claim_closed) control_.space_bell().ring();
    return (end & ~claim_closed) == position_;
  }

  /// What a sleeping consumer asks. Returns  ok; peer_dead: recover() has something to skip.
  [[nodiscard]] auto peer_status() noexcept -> status {
    if (!control_.process_shared() || !control_.recoverable()) return status::ok;
    std::uint32_t dead = 0;
    return diagnose(dead, Memory::alive) == status::peer_dead ? status::peer_dead : status::ok;
  }

  /// Skips the claims of dead producers that stand in the way. See slot_consumer::recover().
  template <class Alive>
  [[nodiscard]] auto recover(Alive&& alive) noexcept -> recovered {
    if (!control_.recoverable()) return {status::unsupported};
    recovered done;
    for (std::uint32_t dead = 0, races = 0;;) {
      done.outcome = diagnose(dead, alive);
      if (done.outcome != status::peer_dead) break;
      // The first slot last: were it discarded before the others, a successor could show those.
      for (auto later = dead - 1; later != 0; --later) discard_later(position_ + later);
      Memory::light_fence();
      if (!make_stale(position_)) {
        if (++races <= recovery_races) continue;
        done.outcome = give_up();
        break;
      }
      position_ += dead;
      event_ = position_;
      ++done.claims;
    }
    control_.add_statistic(layout::mpsc::recovered, done.claims);
    release();
    forget_dead_intents(control_, position_, alive);
    return done;
  }

  /// What is committed and will not be read, because the consumer that has closed the ring leaves it.
  void abandon_rest() noexcept {
    std::uint32_t count = 0;
    for (; count < most_records() && peek() == status::ok; ++count) ++position_;
    control_.add_statistic(layout::mpsc::discarded, count);
  }

 private:
  void wake_producers() noexcept {
    if (control_.protocol() != wake_protocol::none) space_bell_.ring_if_awaited();
  }

  [[nodiscard, gnu::always_inline]] static inline auto value_at(const mpsc_slot_area<T>& area,
                                                                std::uint64_t position) noexcept
      -> T {
    std::array<std::byte, sizeof(T)> bytes;
    Memory::copy_out(bytes.data(), area.value_at(position), sizeof(T));
    return std::bit_cast<T>(bytes);
  }

  /// See returned_lines: one word is stored back in each line in which a slot ends and the next does not.
  [[gnu::always_inline]] static inline void hand_back(const mpsc_slot_area<T>& area,
                                                      std::uint64_t position) noexcept {
    give_line_back<Memory, slot_shape<T>::stride, slot_shape<T>::value_offset>(
        area.data, area.offset_of(position));
  }

  /// What the common path did not like: nothing there, a discarded slot, the end of an event, damage.
  /// Returns  ok: deliver it; pending: skipped, look again; empty; corrupt.
  [[nodiscard, gnu::noinline]] auto look_closer(std::uint32_t stamp) noexcept -> status {
    if (corrupt_) return status::corrupt;
    if (area_.is_free(stamp, position_)) return status::empty;
    if ((stamp & ~discard_bit) != mpsc_stamp_of(position_)) return give_up();
    if (position_ - released_ >= area_.capacity) return give_up();
    if (stamp != mpsc_stamp_of(position_)) {
      event_ = ++position_;
      return status::pending;
    }
    event();
    return status::ok;
  }

  /// Once per event step: lets go of slots, prefetches, sets the next event.
  void event() noexcept {
    if (release_is_due()) release();
    event_ = position_ + area_.event_step();
    constexpr auto stride = slot_shape<T>::stride;
    const auto first = area_.offset_of(position_);
    prefetched_.template advance<Memory, true>(
        area_.data, first, smaller(first + known_ahead() * stride, area_.capacity * stride));
  }

  /// Slots from the position, as far as prefetching goes, that are known to be claimed. The hint is asked
  /// again only where that is too little: its line is the producers'.
  [[nodiscard]] auto known_ahead() noexcept -> std::uint32_t {
    constexpr auto wanted = (slot_area<T>::event_bytes + prefetch_window) / slot_shape<T>::stride;
    auto ahead = hint_ - sequence();
    if (ahead < wanted || ahead > area_.capacity) {
      hint_ = control_.load_hint();
      ahead = hint_ - sequence();
    }
    return ahead > area_.capacity ? 0 : smaller(ahead, wanted);
  }

  /// Returns  ok: the slot can be read; peer_dead: `dead` slots are a dead producer's; pending; empty;
  /// corrupt.
  template <class Alive>
  [[nodiscard]] auto diagnose(std::uint32_t& dead, Alive&& alive) noexcept -> status {
    if (corrupt_) return status::corrupt;
    const auto found = survey(control_, position_, alive);
    if (found.claimed == 0) return status::empty;
    if (found.claimed > released_ + area_.capacity - position_) return give_up();
    // [R3] acquire <- [P3].
    const auto stamp = Memory::load(area_.stamp_at(position_), std::memory_order_acquire);
    if (!area_.is_free(stamp, position_)) return status::ok;
    if (found.live_here) return status::pending;
    const auto length = larger(1, found.shortest_dead);
    dead = smaller(length, static_cast<std::uint32_t>(found.boundary));
    return status::peer_dead;
  }

  /// From here on the commit of a dead claim fails. Returns  false: it has succeeded meanwhile.
  [[nodiscard]] auto make_stale(std::uint64_t position) noexcept -> bool {
    auto* const word = area_.stamp_at(position);
    // relaxed: re-checked by [R7]
    auto expected = Memory::load(word, std::memory_order_relaxed);
    if (!area_.is_free(expected, position)) return false;
    // [R7] acquire <- [P3].
    return Memory::compare_exchange(word, expected, mpsc_stamp_of(position) | discard_bit,
                                    std::memory_order_acquire,
                                    // relaxed: failed CAS, nothing read
                                    std::memory_order_relaxed);
  }

  /// A later slot of a dead batch: perhaps stamped already, behind a first one that never was.
  void discard_later(std::uint64_t position) noexcept {
    // relaxed: single writer
    Memory::store(area_.stamp_at(position), mpsc_stamp_of(position) | discard_bit,
                  std::memory_order_relaxed);
  }

  mpsc_control<Memory> control_;
  park_bell<Memory> space_bell_ = control_.space_bell();
  mpsc_slot_area<T> area_;
  std::uint64_t position_ = 0;  ///< of the next slot
  std::uint64_t event_ = 0;     ///< position of the next event
  std::uint64_t released_ = 0;  ///< what the producers know as our position
  std::uint32_t hint_ = 0;
  std::uint32_t records_ = 0;
  bool corrupt_ = false;
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
