// SPDX-License-Identifier: MIT
/// Position keeping of a byte ring's producer.
///
/// All bookkeeping is folded into one limit: a claim that ends at or below it costs one comparison.
/// Beyond it, at most every event step, the producer refreshes its hint and its view of free space,
/// wraps, prefetches. Positions are kept as an offset into the data and the lap's first position.
///
/// Invariants   W1  offset <= limit <= free_end <= capacity - 8
///              W2  the header at offset holds 0, unless a batch withholds an earlier one
///              W3  position - read_position <= capacity - 8: one header always fits
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/detail/spsc_byte_walk.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

template <class Memory, class Statistics>
class spsc_byte_writer {
 public:
  explicit spsc_byte_writer(const spsc_control<Memory>& control) noexcept
      : control_{control},
        area_{control.data(), control.fields().capacity, control.fields().max_record} {}

  /// Finds the end of what is published and goes on from there, after a clean drop or a death.
  /// Returns  ok; corrupt: the shared positions cannot be those of a ring.
  [[nodiscard]] auto resume() noexcept -> status {
    read_position_ = control_.load_read_position();
    auto from = control_.load_write_position();
    if (read_position_ % record::alignment != 0 || from % record::alignment != 0) {
      return status::corrupt;
    }
    if (!within(from, read_position_, area_.capacity)) from = read_position_;
    byte_walk<Memory> walk{area_, from};
    auto outcome = status::ok;
    while (outcome == status::ok && within(walk.position(), read_position_, area_.last_end())) {
      outcome = walk.step();
    }
    if (outcome != status::empty) return status::corrupt;
    offset_ = area_.offset_of(walk.position());
    lap_ = walk.position() - offset_;
    limit_ = free_end_ = offset_;
    return status::ok;
  }

  [[nodiscard]] auto position() const noexcept -> std::uint32_t { return lap_ + offset_; }
  /// Everything before it is published: the position, or that of the batch's first record.
  [[nodiscard]] auto published_position() const noexcept -> std::uint32_t {
    if (batch_word_ == 0) return position();
    return (batch_offset_ <= offset_ ? lap_ : lap_ - area_.capacity) + batch_offset_;
  }
  [[nodiscard]] auto area() const noexcept -> const byte_area& { return area_; }
  /// Names the record of `size` bytes at the position.
  [[nodiscard]] auto describe(std::uint32_t size) const noexcept -> descriptor {
    return {control_.payload_offset(offset_), size, position() / record::alignment};
  }
  [[nodiscard]] auto payload() const noexcept -> std::byte* { return area_.payload_at(offset_); }

  /// True if a record of `size` bytes needs no bookkeeping.
  [[nodiscard, gnu::always_inline]] inline auto fits(std::uint32_t size) const noexcept -> bool {
    return !held_ && record::frame_size(size) <= limit_ - offset_;
  }

  /// The event: makes room for one record at the offset. Once per event step, or when there is no room
  /// before the known end of free space. Returns  ok, full, too_large, closed, corrupt.
  [[nodiscard]] auto make_room(std::uint32_t size) noexcept -> status {
    if (size > area_.max_record) return status::too_large;
    const auto frame = static_cast<std::uint32_t>(record::frame_size(size));
    control_.store_write_position(published_position());
    if (control_.load_closed() != 0) return status::closed;
    if (free_end_ - offset_ < frame) {
      if (const auto outcome = find_room(frame); outcome != status::ok) return outcome;
    }
    limit_ = smaller(free_end_, offset_ + larger(frame, area_.event_step()));
    prefetched_.template advance<Memory, true>(area_.data, offset_,
                                               smaller(limit_ + prefetch_window, free_end_));
    return status::ok;
  }

  /// Publishes the record at the offset; if a batch is withheld, behind that. Needs  room for it.
  [[gnu::always_inline]] inline void publish(std::uint32_t size, std::uint32_t type) noexcept {
    const auto offset = offset_;  // locals: behind an atomic store every member is loaded again
    auto* const header = area_.header_at(offset);
    const auto word = prepare(offset, size, type);
    offset_ = offset + record::size_of(word);
    if constexpr (Statistics::enabled) ++records_;
    // [P2] release -> [C1] [C4] [C5]: the record's bytes, its type, and the zero that follows it.
    Memory::store(header, word, std::memory_order_release);
  }

  /// Keeps the record at the offset invisible until publish_batch(). Needs  room for it.
  void withhold(std::uint32_t size, std::uint32_t type) noexcept {
    const auto word = prepare(offset_, size, type);
    put_in_batch(word);
    offset_ += record::size_of(word);
    if constexpr (Statistics::enabled) ++records_;
  }

  /// Records published or withheld by this writer.
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return records_; }

  /// Publishes all that was withheld, with one store.
  void publish_batch() noexcept {
    if (batch_word_ == 0) return;
    // [P3] release -> [C1] [C4] [C5]: every record of the batch, the headers of its later ones included.
    Memory::store(area_.header_at(batch_offset_), batch_word_, std::memory_order_release);
    batch_word_ = 0;
  }

  /// From now on nothing fits without make_room(): the caller decides there.
  void stop() noexcept { limit_ = offset_; }

  /// A claim is open: nothing else fits until let_go().
  void hold() noexcept { held_ = true; }
  void let_go() noexcept { held_ = false; }
  [[nodiscard]] auto is_held() const noexcept -> bool { return held_; }

  /// Bytes free in the whole ring, as last seen.
  [[nodiscard]] auto room() const noexcept -> std::uint32_t {
    return area_.last_end() - (position() - read_position_);
  }

  /// The largest payload that certainly fits now without another look at the consumer.
  [[nodiscard]] auto free_bytes() const noexcept -> std::uint32_t {
    const auto usable = room();
    const auto at_end = smaller(usable, area_.last_end() - offset_);
    const auto tail = area_.capacity - offset_;
    const auto at_start = usable > tail ? usable - tail : 0;
    const auto frame = larger(at_end, at_start);
    return frame < record::header_size ? 0 : smaller(frame - record::header_size, area_.max_record);
  }

  /// The consumer's read position, as last seen.
  [[nodiscard]] auto read_position() const noexcept -> std::uint32_t { return read_position_; }

  /// Loads the read position. Returns  ok, corrupt.
  [[nodiscard]] auto look() noexcept -> status { return accept(control_.load_read_position()); }

  /// Takes a read position that came from outside, if it is one that the consumer may have.
  /// Returns  ok, corrupt: behind the last one or ahead of what was written.
  [[nodiscard]] auto accept(std::uint32_t read_position) noexcept -> status {
    const bool possible =
        within(read_position, read_position_, published_position() - read_position_);
    if (!possible || read_position % record::alignment != 0) return status::corrupt;
    read_position_ = read_position;
    return status::ok;
  }

  /// Most bytes that were in use when this side last looked for space.
  [[nodiscard]] auto high_water() const noexcept -> std::uint32_t { return high_water_; }

 private:
  /// Fills in everything of the record but its word.
  [[nodiscard, gnu::always_inline]] inline auto prepare(std::uint32_t offset, std::uint32_t size,
                                                        std::uint32_t type) const noexcept
      -> std::uint32_t {
    const auto word = record::commit_word(size);
    auto* const next_word = area_.header_at(offset + record::size_of(word));
    auto* const type_word = area_.type_at(offset);
    // relaxed: before publication [P2]
    Memory::store(next_word, 0, std::memory_order_relaxed);
    // relaxed: before publication [P2]
    Memory::store(type_word, type, std::memory_order_relaxed);
    return word;
  }

  /// The batch's first word stays private; the later ones are hidden behind its zero.
  void put_in_batch(std::uint32_t word) noexcept {
    if (batch_word_ == 0) {
      batch_word_ = word;
      batch_offset_ = offset_;
    } else {
      // relaxed: before publication [P3]
      Memory::store(area_.header_at(offset_), word, std::memory_order_relaxed);
    }
  }

  [[nodiscard]] auto find_room(std::uint32_t frame) noexcept -> status {
    if (const auto outcome = look(); outcome != status::ok) return outcome;
    const auto usable = room();
    high_water_ = larger(high_water_, area_.last_end() - usable);
    const auto tail = area_.capacity - offset_;
    if (frame + record::header_size <= tail) {
      free_end_ = offset_ + smaller(usable, tail - record::header_size);
      return frame <= free_end_ - offset_ ? status::ok : status::full;
    }
    if (usable < tail + frame) return status::full;
    wrap(tail);
    free_end_ = smaller(usable - tail, area_.last_end());
    return status::ok;
  }

  /// Goes on at the start of the data, behind padding over the `tail` bytes that are left.
  void wrap(std::uint32_t tail) noexcept {
    // relaxed: before publication [P5]
    Memory::store(area_.header_at(0), 0, std::memory_order_relaxed);
    if (batch_word_ != 0) {
      put_in_batch(record::padding_word(tail));
    } else {
      // [P5] release -> [C1] [C4] [C5]: the zero at the start of the data.
      Memory::store(area_.header_at(offset_), record::padding_word(tail),
                    std::memory_order_release);
    }
    lap_ += area_.capacity;
    offset_ = 0;
  }

  spsc_control<Memory> control_;
  byte_area area_;
  std::uint32_t offset_ = 0;         ///< of the next record, from the start of the data
  std::uint32_t limit_ = 0;          ///< a claim that ends at or below it needs no bookkeeping
  std::uint32_t free_end_ = 0;       ///< bytes up to here are known to be free
  std::uint32_t lap_ = 0;            ///< position of data[0] in this lap; wraps
  std::uint32_t read_position_ = 0;  ///< the consumer's, as last seen and found possible
  std::uint32_t batch_word_ = 0;     ///< word of the first withheld record; 0: no batch
  std::uint32_t batch_offset_ = 0;   ///< its offset
  std::uint32_t high_water_ = 0;
  std::uint32_t records_ = 0;
  bool held_ = false;
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
