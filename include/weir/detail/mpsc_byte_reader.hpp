// SPDX-License-Identifier: MIT
/// Position keeping of the consumer of a byte ring for many producers.
///
/// As in spsc_ring a record costs one load and two comparisons, and everything else happens where one of
/// them fails. What was read is cleared in chunks, because a claimed header must hold 0 until its
/// producer publishes it: `consumed` is stored first, then the bytes are cleared, then they are released.
///
/// Invariants   C1  cleared <= position: everything in [read_position, cleared) is 0 again
///              C2  position - read_position <= capacity / 8 + one event, or one record
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/mpsc_byte_recovery.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/detail/mpsc_recovery.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class Memory>
class mpsc_byte_reader {
 public:
  explicit mpsc_byte_reader(const mpsc_control<Memory>& control) noexcept
      : control_{control},
        area_{control.data(), control.fields().capacity, control.fields().max_record} {}

  /// Goes on where the last consumer had read to, and clears what it had not cleared.
  /// Returns  ok; corrupt: not the positions of a ring.
  [[nodiscard]] auto resume() noexcept -> status {
    released_ = control_.load_read_position();
    const auto consumed = control_.load_consumed();
    const bool possible = released_ % record::alignment == 0 && consumed % record::alignment == 0 &&
                          consumed - released_ <= area_.capacity && consumed < claim_closed;
    if (!possible) return status::corrupt;
    cleared_ = released_;
    event_ = position_ = consumed;
    release();
    wake_producers();  // the bell that the last consumer did not live to ring
    return status::ok;
  }

  [[nodiscard]] auto position() const noexcept -> std::uint64_t { return position_; }
  [[nodiscard]] auto sequence() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(position_ / record::alignment);
  }
  [[nodiscard]] auto area() const noexcept -> const mpsc_byte_area& { return area_; }
  /// Records skipped or drained by this reader.
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return records_; }
  /// Most records that the ring can hold.
  [[nodiscard]] auto most_records() const noexcept -> std::uint32_t {
    return area_.capacity / record::header_size;
  }

  /// The record at the position. Returns  ok, with the bytes of ring it takes; empty; corrupt, for good.
  [[nodiscard, gnu::always_inline]] inline auto peek(record_view& view,
                                                     std::uint32_t& frame) noexcept -> status {
    for (;;) {
      // [C1] acquire <- [P2] [P3].
      const auto word = Memory::load(area_.header_at(position_), std::memory_order_acquire);
      if (!is_plain(word, position_)) [[unlikely]] {
        const auto outcome = look_closer(word);
        if (outcome == status::pending) continue;
        if (outcome != status::ok) return outcome;
      }
      view = view_of(word, position_);
      frame = record::size_of(word);
      return status::ok;
    }
  }

  /// Moves behind the record that peek() showed.
  [[gnu::always_inline]] inline void skip(std::uint32_t frame) noexcept {
    position_ += frame;
    ++records_;
  }

  /// Shows records to `read` until `limit`, or the end of what is there.
  /// Returns  why it ended: ok, empty, corrupt; `count` is how many were shown.
  template <class Read>
  [[nodiscard, gnu::always_inline]] inline auto drain(Read&& read, std::uint32_t limit,
                                                      std::uint32_t& count) noexcept -> status {
    auto position = position_;  // a local: the callback's stores could be to any member
    auto outcome = status::ok;
    for (count = 0; count != limit;) {
      // [C5] acquire <- [P2] [P3].
      const auto word = Memory::load(area_.header_at(position), std::memory_order_acquire);
      if (!is_plain(word, position)) [[unlikely]] {
        position_ = position;
        outcome = look_closer(word);
        position = position_;
        if (outcome == status::pending) continue;
        if (outcome != status::ok) break;
      }
      read(view_of(word, position));
      position += record::size_of(word);
      ++count;
    }
    position_ = position;
    records_ += count;
    return outcome;
  }

  /// Clears what was read, lets the producers have it, and wakes those that sleep.
  void release() noexcept {
    if (position_ == released_) return;
    clear_behind();
    control_.store_read_position(position_);
    released_ = position_;
    wake_producers();
  }

  /// True once so much is unreleased that letting go of it is worth a store.
  [[nodiscard]] auto release_is_due() const noexcept -> bool {
    return position_ - released_ >= area_.capacity / 8;
  }

  /// True if a producer has announced that it waits for space.
  [[nodiscard]] auto space_is_awaited() const noexcept -> bool { return space_bell_.is_awaited(); }

  /// Finds the record that a descriptor names. The ring stays as it is.
  /// Returns  ok; stale: behind us; empty: not published yet; corrupt: no such record starts there.
  [[nodiscard]] auto find(const descriptor& named) noexcept -> status {
    if (corrupt_) return status::corrupt;
    const auto units = named.sequence - sequence();
    if ((units >> 31) != 0) return status::stale;
    const auto target = position_ + std::uint64_t{units} * record::alignment;
    const auto offset = control_.payload_offset(area_.offset_of(target));
    if (target >= released_ + area_.capacity || named.offset != offset) return status::corrupt;
    for (auto at = position_; at <= target;) {
      // [C4] acquire <- [P2] [P3].
      const auto word = Memory::load(area_.header_at(at), std::memory_order_acquire);
      if (word == 0 || is_busy(word)) return status::empty;
      if (!is_whole(word)) return give_up();
      if (at == target) {
        return record::payload_of(word) == named.size ? status::ok : status::corrupt;
      }
      at += record::size_of(word);
    }
    return status::corrupt;
  }

  /// Moves to a record that find() found.
  void seek_to(std::uint32_t target) noexcept {
    position_ += std::uint64_t{target - sequence()} * record::alignment;
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
    const auto outcome = diagnose(Memory::alive).outcome;
    return outcome == status::peer_dead ? outcome : status::ok;
  }

  /// Skips the claims of dead producers that stand in the way. See byte_consumer::recover().
  template <class Alive>
  [[nodiscard]] auto recover(Alive&& alive) noexcept -> recovered {
    if (!control_.recoverable()) return {status::unsupported};
    recovered done;
    for (std::uint32_t races = 0;;) {
      const auto found = diagnose(alive);
      done.outcome = found.outcome;
      if (found.outcome != status::peer_dead) break;
      if (!recovery_.make_stale(position_, found)) {
        if (++races <= recovery_races) continue;
        done.outcome = give_up();
        break;
      }
      position_ += found.length;
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
    record_view view{{}, 0, 0};
    std::uint32_t count = 0;
    for (std::uint32_t frame = 0; count < most_records() && peek(view, frame) == status::ok;
         ++count) {
      position_ += frame;
    }
    control_.add_statistic(layout::mpsc::discarded, count);
  }

 private:
  void wake_producers() noexcept {
    if (control_.protocol() != wake_protocol::none) space_bell_.ring_if_awaited();
  }

  /// True for a record that ends before the next event: nothing else to do.
  [[nodiscard, gnu::always_inline]] inline auto is_plain(std::uint32_t word,
                                                         std::uint64_t position) const noexcept
      -> bool {
    return record::payload_of(word) <= area_.max_record &&
           position + record::size_of(word) <= event_;
  }

  /// True for a record or a discarded one that no producer would be ashamed of.
  [[nodiscard]] auto is_whole(std::uint32_t word) const noexcept -> bool {
    if (!is_discard(word)) return record::payload_of(word) <= area_.max_record;
    const auto size = record::size_of(word);
    return word == discard_word(size) && size != 0;
  }

  [[nodiscard, gnu::always_inline]] inline auto view_of(std::uint32_t word,
                                                        std::uint64_t position) const noexcept
      -> record_view {
    // relaxed: re-checked by [C1]
    const auto type = Memory::load(area_.type_at(position), std::memory_order_relaxed);
    return {{area_.payload_at(position), record::payload_of(word)},
            type,
            static_cast<std::uint32_t>(position / record::alignment)};
  }

  /// What the common path did not like: nothing there, a discarded record, the end of an event, damage.
  /// Returns  ok: deliver it; pending: skipped, look again; empty; corrupt.
  [[nodiscard, gnu::noinline]] auto look_closer(std::uint32_t word) noexcept -> status {
    if (corrupt_) return status::corrupt;
    if (word == 0 || is_busy(word)) return status::empty;
    const auto end = position_ + record::size_of(word);
    if (!is_whole(word) || end > released_ + area_.capacity) return give_up();
    if (is_discard(word)) {
      event_ = position_ = end;
      if (release_is_due()) clear_behind();  // a ring full of them ends in front of a 0
      return status::pending;
    }
    event(record::size_of(word));
    return status::ok;
  }

  /// Once per event step: clears, lets go of space, prefetches, sets the next event behind `frame`.
  void event(std::uint32_t frame) noexcept {
    if (release_is_due()) {
      release();
    } else {
      clear_behind();
    }
    event_ = position_ + larger(frame, event_step());
    const auto offset = area_.offset_of(position_);
    const auto window = smaller(known_ahead(), event_step() + prefetch_window);
    prefetched_.template advance<Memory, true>(area_.data, offset,
                                               smaller(offset + window, area_.capacity));
  }

  [[nodiscard]] auto event_step() const noexcept -> std::uint32_t {
    return smaller(1024, area_.capacity / 8);
  }

  /// Bytes from the position that are known to be claimed. The hint is asked again only where that is too
  /// little: its line is the producers'.
  [[nodiscard]] auto known_ahead() noexcept -> std::uint32_t {
    auto ahead = hint_ - static_cast<std::uint32_t>(position_);
    if (ahead < event_step() + prefetch_window || ahead > area_.capacity) {
      hint_ = control_.load_hint();
      ahead = hint_ - static_cast<std::uint32_t>(position_);
    }
    return ahead > area_.capacity ? 0 : ahead;
  }

  /// Zeroes what was read since the last time. A record that runs over the end is cleared there too: it
  /// ends in front of the first record of the new lap.
  void clear_behind() noexcept {
    if (cleared_ == position_) return;
    control_.store_consumed(position_);
    const auto from = area_.offset_of(cleared_);
    const auto length = static_cast<std::uint32_t>(position_ - cleared_);
    const auto to_end = area_.capacity - from;
    if (length <= to_end) {
      Memory::clear(area_.data + from, length);
    } else {
      const auto beyond = length - to_end;
      Memory::clear(area_.data + from, to_end + smaller(beyond, area_.max_frame()));
      Memory::clear(area_.data, beyond);
    }
    cleared_ = position_;
  }

  template <class Alive>
  [[nodiscard]] auto diagnose(Alive&& alive) noexcept -> claim_diagnosis {
    if (corrupt_) return {status::corrupt};
    const auto found = recovery_.diagnose(
        position_, static_cast<std::uint32_t>(released_ + area_.capacity - position_), alive);
    if (found.outcome == status::corrupt) give_up();
    return found;
  }

  mpsc_control<Memory> control_;
  park_bell<Memory> space_bell_ = control_.space_bell();
  mpsc_byte_area area_;
  mpsc_byte_recovery<Memory> recovery_{control_, area_};
  std::uint64_t position_ = 0;  ///< of the next record
  std::uint64_t event_ = 0;     ///< a record that ends at or below it needs no bookkeeping
  std::uint64_t released_ = 0;  ///< what the producers know as our position
  std::uint64_t cleared_ = 0;   ///< read, and 0 again, up to here
  std::uint32_t hint_ = 0;
  std::uint32_t records_ = 0;
  bool corrupt_ = false;
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
