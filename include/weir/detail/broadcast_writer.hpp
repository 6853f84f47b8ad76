// SPDX-License-Identifier: MIT
/// The writing role of broadcast_ring.
#pragma once

#include <weir/detail/broadcast_control.hpp>
#include <weir/layout.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// What the writer of a broadcast_ring counts. All wrap: observers take differences.
struct broadcast_statistics {
  std::uint32_t records = 0;  ///< published
  std::uint32_t bytes = 0;    ///< of ring used: frames and padding
};

/// Writes records over the oldest ones. One per ring; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
template <class Memory, class Statistics>
class broadcast_writer {
 public:
  broadcast_writer(const detail::broadcast_control<Memory>& control,
                   detail::held_role<Memory> role) noexcept
      : control_{control},
        bell_{control.data_bell()},
        rings_{bell_.protocol() > wake_protocol::at_flush},
        role_{std::move(role)} {}
  broadcast_writer(broadcast_writer&&) noexcept = default;
  auto operator=(broadcast_writer&&) -> broadcast_writer& = delete;
  ~broadcast_writer() {
    if (role_ && resumed_) flush();
  }

  /// Second half of taking the role. Walks the records of half a ring. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    closed_ = control_.load_closed();
    position_ = control_.load_position();
    overwrite_end_ = control_.load_overwrite_end();
    sync_ = control_.load_sync();
    counters_ = detail::load_statistics<Memory, broadcast_statistics>(statistics_words());
    const bool possible = (position_ | overwrite_end_ | sync_) % record::alignment == 0 &&
                          position_ - overwrite_end_ <= capacity() &&
                          position_ - sync_ <= capacity();
    if (!possible || !find_number()) return status::corrupt;
    // Not news, but this thread's fence: what it writes below the end was given up by another one.
    control_.store_overwrite_end(overwrite_end_);
    resumed_ = true;
    return status::ok;
  }

  /// Writes a record, over the oldest ones where they are in its way, and wakes readers that wait.
  ///
  /// Returns  ok; too_large: more than max_record() bytes; unsupported: a reserved type; closed.
  /// Thread   writer.   Progress  wait-free: work in proportion to the size.
  [[nodiscard]] auto write(std::span<const std::byte> payload, std::uint32_t type = 0) noexcept
      -> status {
    if (closed_) return status::closed;
    if (payload.size() > max_record()) return status::too_large;
    if (type >= record_type::reserved) return status::unsupported;
    const auto size = static_cast<std::uint32_t>(payload.size());
    const auto word = record::commit_word(size + detail::broadcast_head::number_size);
    const auto frame = record::size_of(word);
    const auto rest = capacity() - control_.offset_of(position_);
    const auto padding = frame > rest ? rest : 0;
    const auto start = position_ + padding;
    make_way(start + frame);
    if (padding != 0) {
      const auto skip = record::padding_word(padding);
      Memory::copy_in_words(control_.record_at(position_), &skip, sizeof skip);
    }
    const detail::broadcast_head head{word, type, static_cast<std::uint32_t>(number_),
                                      static_cast<std::uint32_t>(number_ >> 32)};
    Memory::copy_in_words(control_.record_at(start), &head, sizeof head);
    Memory::copy_in_words(control_.payload_at(start), payload.data(), size);
    publish(start, start + frame);
    return status::ok;
  }

  /// Wakes sleeping readers where the protocol is at_flush.
  void flush() noexcept {
    if (bell_.protocol() != wake_protocol::none) bell_.ring_if_awaited();
  }

  /// Says that nothing more will come. Readers read what is left and then get `closed`.
  void close() noexcept {
    control_.close();
    closed_ = true;
    bell_.ring();
  }

  /// Number of the next record: how many were written so far.
  [[nodiscard]] auto number() const noexcept -> std::uint64_t { return number_; }
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return control_.fields().capacity;
  }
  /// The largest payload of one record, in bytes.
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return control_.fields().max_record;
  }

 private:
  /// Gives up the oldest records that lie where positions up to `end` will. Where somebody has scribbled
  /// over them, all of them.
  void make_way(std::uint64_t end) noexcept {
    if (end - overwrite_end_ <= capacity()) return;
    while (end - overwrite_end_ > capacity()) {
      std::uint32_t word = 0;
      Memory::copy_out_words(&word, control_.record_at(overwrite_end_), sizeof word);
      if (!control_.judge(word, overwrite_end_, position_)) {
        overwrite_end_ = position_;
        break;
      }
      overwrite_end_ += record::size_of(word);
    }
    control_.store_overwrite_end(overwrite_end_);
  }

  void publish(std::uint64_t start, std::uint64_t end) noexcept {
    const auto used = static_cast<std::uint32_t>(end - position_);
    control_.store_position(end);
    position_ = end;
    ++number_;
    advance_sync(start);
    if constexpr (Statistics::enabled) {
      ++counters_.records;
      counters_.bytes += used;
      detail::store_statistics<Memory>(statistics_words(), counters_);
    }
    if (rings_) bell_.ring_if_awaited();
  }

  /// The first record of each half of a lap is where lapped readers go on.
  void advance_sync(std::uint64_t start) noexcept {
    if (((start ^ sync_) & ~(std::uint64_t{capacity() / 2} - 1)) == 0) return;
    sync_ = start;
    control_.store_sync(start);
  }

  /// The number of the next record follows from those that are there. Returns  false: they are damaged.
  [[nodiscard]] auto find_number() noexcept -> bool {
    auto newest = sync_;
    number_ = 0;
    for (auto at = sync_; at != position_;) {
      detail::broadcast_head head;
      auto* const there = control_.record_at(at);
      Memory::copy_out_words(&head, there, record::header_size);
      if (!control_.judge(head.word, at, position_)) return false;
      if (!record::is_padding(head.word)) {
        // Only what was not judged: a word that is loaded again may be another.
        Memory::copy_out_words(&head.number_low, there + record::header_size / sizeof(*there),
                               detail::broadcast_head::number_size);
        number_ = head.number() + 1;
        newest = at;
      }
      at += record::size_of(head.word);
    }
    advance_sync(newest);  // the last writer may have died before it did
    return true;
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.word(layout::broadcast::writer_statistics);
  }

  detail::broadcast_control<Memory> control_;
  detail::park_bell<Memory> bell_;
  bool rings_;
  bool closed_ = false;
  bool resumed_ = false;
  std::uint64_t position_ = 0;
  std::uint64_t overwrite_end_ = 0;
  std::uint64_t sync_ = 0;
  std::uint64_t number_ = 0;
  broadcast_statistics counters_;
  detail::held_role<Memory> role_;
};

}  // namespace weir
