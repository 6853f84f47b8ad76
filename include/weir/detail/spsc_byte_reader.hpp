// SPDX-License-Identifier: MIT
/// Position keeping of a byte ring's consumer.
///
/// The commit word in front of each record is the only truth about what is published. A record costs one
/// load and two comparisons; everything else (validation of what looks odd, padding, release of space,
/// prefetch) happens where a comparison fails. Whatever the peer writes: each word is loaded once, and
/// nothing outside the data is touched.
///
/// Invariants   C1  offset <= capacity - 8; a delivered record ends at or below event_end
///              C2  position - released <= capacity / 4 + one record: space comes back in time
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/detail/spsc_byte_walk.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class Memory>
class spsc_byte_reader {
 public:
  explicit spsc_byte_reader(const spsc_control<Memory>& control) noexcept
      : control_{control},
        area_{control.data(), control.fields().capacity, control.fields().max_record} {}

  /// Goes on where the last consumer let go. What it had read and not let go of comes again.
  /// Returns  ok; corrupt: not a position of a ring.
  [[nodiscard]] auto resume() noexcept -> status {
    released_ = control_.load_read_position();
    if (released_ % record::alignment != 0) return status::corrupt;
    seek(released_);
    return status::ok;
  }

  [[nodiscard]] auto position() const noexcept -> std::uint32_t { return lap_ + offset_; }
  [[nodiscard]] auto sequence() const noexcept -> std::uint32_t {
    return position() / record::alignment;
  }
  [[nodiscard]] auto area() const noexcept -> const byte_area& { return area_; }

  /// The record at the position. Returns  ok, with the bytes of ring it takes; empty; corrupt, for good.
  [[nodiscard, gnu::always_inline]] inline auto peek(record_view& view,
                                                     std::uint32_t& frame) noexcept -> status {
    for (;;) {
      // [C1] acquire <- [P2] [P3] [P5].
      const auto word = Memory::load(area_.header_at(offset_), std::memory_order_acquire);
      if (!is_plain(word, offset_)) [[unlikely]] {
        const auto outcome = look_closer(word);
        if (outcome == status::pending) continue;
        if (outcome != status::ok) return outcome;
      }
      view = view_of(word, offset_);
      frame = record::size_of(word);
      return status::ok;
    }
  }

  /// Moves behind the record that peek() showed.
  [[gnu::always_inline]] inline void skip(std::uint32_t frame) noexcept {
    offset_ += frame;
    ++records_;
  }

  /// Records skipped or drained by this reader.
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return records_; }

  /// Most records that the ring can hold.
  [[nodiscard]] auto most_records() const noexcept -> std::uint32_t {
    return area_.capacity / record::header_size;
  }

  /// Shows records to `read` until `limit`, or the end of what is there.
  /// Returns  why it ended: ok, empty, corrupt; `count` is how many were shown.
  template <class Read>
  [[nodiscard, gnu::always_inline]] inline auto drain(Read&& read, std::uint32_t limit,
                                                      std::uint32_t& count) noexcept -> status {
    auto offset = offset_;  // a local: the callback's stores could be to any member
    auto outcome = status::ok;
    for (count = 0; count != limit;) {
      // [C5] acquire <- [P2] [P3] [P5].
      const auto word = Memory::load(area_.header_at(offset), std::memory_order_acquire);
      if (!is_plain(word, offset)) [[unlikely]] {
        offset_ = offset;
        outcome = look_closer(word);
        offset = offset_;
        if (outcome == status::pending) continue;
        if (outcome != status::ok) break;
      }
      read(view_of(word, offset));
      offset += record::size_of(word);
      ++count;
    }
    offset_ = offset;
    records_ += count;
    return outcome == status::pending ? status::ok : outcome;
  }

  /// Lets the producer have everything before the position, and wakes it if it sleeps.
  void release() noexcept {
    const auto now = position();
    if (now == released_) return;
    returned_.template advance<Memory>(area_.data, offset_);
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

  /// Finds the record that a descriptor names. The ring stays as it is.
  /// Returns  ok; stale: behind us; empty: not published yet; corrupt: no such record starts there.
  [[nodiscard]] auto find(const descriptor& named) noexcept -> status {
    const auto target = named.sequence * record::alignment;
    if (corrupt_ || named.offset != control_.payload_offset(area_.offset_of(target))) {
      return status::corrupt;
    }
    const auto ahead = target - position();
    if (ahead > area_.capacity) return ahead >> 31 != 0 ? status::stale : status::corrupt;
    byte_walk<Memory> walk{area_, position()};
    while (within(walk.position(), position(), ahead)) {
      const auto from = walk.position();
      const auto outcome = walk.step();
      if (outcome == status::corrupt) return give_up();
      if (outcome != status::ok) return outcome;
      if (from == target) return walk.last_payload() == named.size ? status::ok : status::corrupt;
    }
    return status::corrupt;
  }

  /// From now on everything is `corrupt`.
  auto give_up() noexcept -> status {
    corrupt_ = true;
    event_end_ = offset_;
    return status::corrupt;
  }

  /// Moves to a record that find() found.
  void seek_to(std::uint32_t sequence) noexcept { seek(sequence * record::alignment); }

  /// For the consumer's lingering: whether the producer gets on.
  [[nodiscard]] auto hint() const noexcept -> std::uint32_t { return control_.load_hint(); }

  /// Nothing more can come: a producer that has closed has published all.
  [[nodiscard]] auto at_end() const noexcept -> bool { return true; }

  /// What a sleeping consumer asks. Returns  ok, peer_dead.
  [[nodiscard]] auto peer_status() const noexcept -> status { return control_.producer_status(); }

 private:
  void seek(std::uint32_t position) noexcept {
    offset_ = area_.offset_of(position);
    lap_ = position - offset_;
    event_end_ = offset_;
    returned_.restart(offset_);
  }

  /// True for a record that lies in the ring and ends before the next event: nothing else to do.
  [[nodiscard, gnu::always_inline]] inline auto is_plain(std::uint32_t word,
                                                         std::uint32_t offset) const noexcept
      -> bool {
    return record::payload_of(word) <= area_.max_record &&
           record::size_of(word) <= event_end_ - offset;
  }

  [[nodiscard, gnu::always_inline]] inline auto view_of(std::uint32_t word,
                                                        std::uint32_t offset) const noexcept
      -> record_view {
    // relaxed: re-checked by [C1]
    const auto type = Memory::load(area_.type_at(offset), std::memory_order_relaxed);
    return {{area_.payload_at(offset), record::payload_of(word)},
            type,
            (lap_ + offset) / record::alignment};
  }

  /// What the common path did not like: nothing there, padding, the end of an event, or damage.
  /// Returns  ok: deliver it; pending: padding skipped, look again; empty; corrupt.
  [[nodiscard, gnu::noinline]] auto look_closer(std::uint32_t word) noexcept -> status {
    if (corrupt_) return status::corrupt;
    const auto verdict = area_.judge(word, offset_);
    if (verdict == status::corrupt) return give_up();
    if (verdict != status::ok) return verdict;
    if (record::is_padding(word)) {
      returned_.template advance<Memory>(area_.data, area_.capacity);
      returned_.restart(0);
      lap_ += area_.capacity;
      offset_ = 0;
    }
    event(record::is_padding(word) ? 0 : record::size_of(word));
    return record::is_padding(word) ? status::pending : status::ok;
  }

  /// Once per event step: lets go of space, prefetches, sets the next event behind `frame`.
  void event(std::uint32_t frame) noexcept {
    returned_.template advance<Memory>(area_.data, offset_);
    if (release_is_due()) release();
    event_end_ = smaller(offset_ + larger(frame, area_.event_step()), area_.last_end());
    prefetched_.template advance<Memory, false>(
        area_.data, offset_, smaller(event_end_ + prefetch_window, offset_ + known_ahead()));
  }

  /// Bytes from the offset, in this lap, that the producer is known to have published. The hint is asked
  /// again only where that is too little: its line is the producer's.
  [[nodiscard]] auto known_ahead() noexcept -> std::uint32_t {
    const auto wanted = area_.event_step() + prefetch_window;
    auto ahead = hint_ - position();
    if (ahead < wanted || ahead > area_.capacity) {
      hint_ = control_.load_hint();
      ahead = hint_ - position();
    }
    return ahead > area_.capacity ? 0 : smaller(ahead, area_.capacity - offset_);
  }

  spsc_control<Memory> control_;
  park_bell<Memory> space_bell_ = control_.space_bell();
  byte_area area_;
  std::uint32_t offset_ = 0;     ///< of the next record, from the start of the data
  std::uint32_t event_end_ = 0;  ///< a record that ends at or below it needs no bookkeeping
  std::uint32_t lap_ = 0;        ///< position of data[0] in this lap; wraps
  std::uint32_t released_ = 0;   ///< what the producer knows as our position
  std::uint32_t hint_ = 0;       ///< a position up to which everything is published, or nonsense
  std::uint32_t records_ = 0;
  bool corrupt_ = false;
  prefetch_cursor prefetched_;
  returned_lines returned_;
};

}  // namespace weir::detail
