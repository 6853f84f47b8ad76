// SPDX-License-Identifier: MIT
/// Records of a byte ring for many producers: filling claims in, and publishing them.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/mpsc_claims.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::detail {

template <class Memory>
class mpsc_byte_writer {
  using record_list = std::span<const std::span<const std::byte>>;

 public:
  mpsc_byte_writer(const mpsc_control<Memory>& control, std::uint32_t slot,
                   std::uint32_t epoch) noexcept
      : control_{control},
        claims_{control, slot},
        area_{control.data(), control.fields().capacity, control.fields().max_record},
        busy_{busy_word(slot, epoch)} {}

  [[nodiscard]] auto resume() noexcept -> status { return claims_.resume(); }
  [[nodiscard]] auto claims() noexcept -> mpsc_claims<Memory>& { return claims_; }
  [[nodiscard]] auto claims() const noexcept -> const mpsc_claims<Memory>& { return claims_; }
  [[nodiscard]] auto area() const noexcept -> const mpsc_byte_area& { return area_; }
  [[nodiscard]] auto payload() const noexcept -> std::byte* {
    return area_.payload_at(claims_.position());
  }
  /// Names the record of `size` bytes in the open claim.
  [[nodiscard]] auto describe(std::uint32_t size) const noexcept -> descriptor {
    const auto position = claims_.position();
    return {control_.payload_offset(area_.offset_of(position)), size,
            static_cast<std::uint32_t>(position / record::alignment)};
  }
  /// Bytes of ring that this writer's records took; wraps.
  [[nodiscard]] auto bytes() const noexcept -> std::uint32_t { return bytes_; }
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return records_; }

  /// The largest payload that would have fitted, as last seen.
  [[nodiscard]] auto free_bytes() const noexcept -> std::uint32_t {
    const auto room = claims_.room();
    return room < record::header_size ? 0 : smaller(room - record::header_size, area_.max_record);
  }

  /// Claims one record. Returns  ok, full, too_large, closed, corrupt.
  [[nodiscard, gnu::always_inline]] inline auto claim(std::uint32_t size) noexcept -> status {
    if (size > area_.max_record) [[unlikely]]
      return status::too_large;
    return claim_frames(static_cast<std::uint32_t>(record::frame_size(size)));
  }

  /// Claims a stretch for several records.
  [[nodiscard, gnu::always_inline]] inline auto claim_frames(std::uint32_t length) noexcept
      -> status {
    if (const auto outcome = claims_.claim(length); outcome != status::ok) return outcome;
    claimed_ = length;
    if (claims_.recoverable()) {
      // relaxed: before publication [P2]
      Memory::store(area_.header_at(claims_.position()), busy_, std::memory_order_relaxed);
      Memory::
          light_fence();  // whoever dies has marked the header before it wrote a byte of payload
    }
    if (claims_.end() >= prefetch_at_) [[unlikely]]
      prefetch();
    return status::ok;
  }

  /// Publishes the open claim as one record; what it gave up becomes a discarded one behind it.
  /// Returns  ok; stale: recover() has skipped the claim.
  [[nodiscard, gnu::always_inline]] inline auto publish(std::uint32_t size,
                                                        std::uint32_t type) noexcept -> status {
    const auto position = claims_.position();
    const auto word = record::commit_word(size);
    const auto frame = record::size_of(word);
    if (frame != claimed_) [[unlikely]]
      give_up_end(position, frame);
    put_type(position, type);
    bytes_ += claimed_;
    ++records_;
    return commit(position, word);
  }

  /// Publishes that nothing is there: one discarded record.
  void abandon() noexcept {
    bytes_ += claimed_;
    static_cast<void>(commit(claims_.position(), discard_word(claimed_)));
  }

  /// Where record `index` of a batch of records of `size` bytes has its payload.
  [[nodiscard]] auto payload_of(std::uint32_t index, std::uint32_t size) const noexcept
      -> std::byte* {
    return area_.payload_at(record_of(index, size));
  }

  /// Claims a batch. Returns  ok, full, too_large (more than the ring holds), closed, corrupt.
  [[nodiscard]] auto claim_batch(std::uint32_t count, std::uint32_t size) noexcept -> status {
    const auto length = count * record::frame_size(size);
    if (length > area_.capacity) return status::too_large;
    return claim_frames(static_cast<std::uint32_t>(length));
  }

  /// Publishes a batch by the word of its first record: nobody looks past that before.
  [[nodiscard]] auto publish_batch(std::uint32_t count, std::uint32_t size,
                                   std::uint32_t type) noexcept -> status {
    const auto word = record::commit_word(size);
    for (std::uint32_t i = 1; i < count; ++i) put(record_of(i, size), word, type);
    put_type(claims_.position(), type);
    bytes_ += claimed_;
    records_ += count;
    return commit(claims_.position(), word);
  }

  /// Publishes that nothing is there, record by record: together they may be more than one word says.
  void abandon_batch(std::uint32_t size) noexcept {
    const auto frame = static_cast<std::uint32_t>(record::frame_size(size));
    for (auto at = frame; at < claimed_; at += frame) {
      put(claims_.position() + at, discard_word(frame), 0);
    }
    bytes_ += claimed_;
    static_cast<void>(commit(claims_.position(), discard_word(frame)));
  }

  /// Claims as many of the records, from the first on, as fit into `room`. Returns  how many; why it is
  /// none: full, too_large, closed, corrupt.
  [[nodiscard]] auto claim_prefix(record_list records, std::uint32_t room, status& why) noexcept
      -> std::size_t {
    std::uint64_t length = 0;
    std::size_t count = 0;
    for (; count < records.size() && records[count].size() <= area_.max_record; ++count) {
      const auto frame = record::frame_size(records[count].size());
      if (length + frame > room) break;
      length += frame;
    }
    if (count == 0) {
      why = records[0].size() > area_.max_record ? status::too_large : status::full;
    } else {
      why = claim_frames(static_cast<std::uint32_t>(length));
    }
    return why == status::ok ? count : 0;
  }

  /// Fills the claim with these records, and publishes it.
  [[nodiscard]] auto publish_prefix(record_list records, std::uint32_t type) noexcept -> status {
    auto position = claims_.position();
    for (const auto bytes : records) {
      const auto word = record::commit_word(static_cast<std::uint32_t>(bytes.size()));
      Memory::copy_in(area_.payload_at(position), bytes.data(), bytes.size());
      if (position != claims_.position()) put(position, word, type);
      position += record::size_of(word);
    }
    put_type(claims_.position(), type);
    bytes_ += claimed_;
    records_ += static_cast<std::uint32_t>(records.size());
    return commit(claims_.position(),
                  record::commit_word(static_cast<std::uint32_t>(records[0].size())));
  }

 private:
  /// What the record does not need of its claim becomes a discarded one. What the claim had beyond the
  /// data is cleared here: the consumer will see neither of the two run on that far.
  [[gnu::noinline]] void give_up_end(std::uint64_t position, std::uint32_t frame) const noexcept {
    const auto offset = area_.offset_of(position);
    const auto kept = larger(offset + frame, area_.capacity);
    if (offset + claimed_ > kept) Memory::clear(area_.data + kept, offset + claimed_ - kept);
    // relaxed: before publication [P2]
    Memory::store(area_.header_at(position + frame), discard_word(claimed_ - frame),
                  std::memory_order_relaxed);
  }

  [[nodiscard]] auto record_of(std::uint32_t index, std::uint32_t size) const noexcept
      -> std::uint64_t {
    return claims_.position() + index * record::frame_size(size);
  }

  /// A record of a batch, not the first: invisible until that is published.
  void put(std::uint64_t position, std::uint32_t word, std::uint32_t type) const noexcept {
    put_type(position, type);
    // relaxed: before publication [P2]
    Memory::store(area_.header_at(position), word, std::memory_order_relaxed);
  }
  void put_type(std::uint64_t position, std::uint32_t type) const noexcept {
    // relaxed: before publication [P2]
    Memory::store(area_.type_at(position), type, std::memory_order_relaxed);
  }

  [[nodiscard, gnu::always_inline]] inline auto commit(std::uint64_t position,
                                                       std::uint32_t word) noexcept -> status {
    auto* const header = area_.header_at(position);
    if (!claims_.recoverable()) [[likely]] {
      // [P2] release -> [C1] [C4] [C5] [R6]: the record's bytes, its type, and the later ones of a batch.
      Memory::store(header, word, std::memory_order_release);
      return status::ok;
    }
    auto expected = busy_;
    // [P3] release -> [C1] [C4] [C5] [R3] [R5] [R6] [R7]: the same, unless recover() has skipped the claim.
    const bool committed =
        Memory::compare_exchange(header, expected, word, std::memory_order_release,
                                 // relaxed: failed CAS, nothing read
                                 std::memory_order_relaxed);
    claims_.done();
    return committed ? status::ok : status::stale;
  }

  /// Once per event step: asks for the lines behind the claim, which the next claims will probably get.
  [[gnu::noinline]] void prefetch() noexcept {
    const auto end = claims_.end();
    prefetch_at_ = end + claim_event;
    const auto offset = area_.offset_of(end);
    const auto window = smaller(claim_event + prefetch_window, claims_.room());
    prefetched_.template advance<Memory, true>(area_.data, offset,
                                               smaller(offset + window, area_.capacity));
  }

  mpsc_control<Memory> control_;
  mpsc_claims<Memory> claims_;
  mpsc_byte_area area_;
  std::uint32_t busy_;         ///< what a claimed header holds in a recoverable ring
  std::uint32_t claimed_ = 0;  ///< bytes of the open claim
  std::uint32_t bytes_ = 0;
  std::uint32_t records_ = 0;
  std::uint64_t prefetch_at_ = 0;  ///< a claim that ends here or beyond asks for more lines
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
