// SPDX-License-Identifier: MIT
/// Slots of a typed ring for many producers: filling claims in, and publishing them.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/mpsc_claims.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/detail/mpsc_slots.hpp>
#include <weir/detail/prefetch.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::detail {

template <class T, class Memory>
class mpsc_slot_writer {
 public:
  mpsc_slot_writer(const mpsc_control<Memory>& control, std::uint32_t slot,
                   std::uint32_t /*epoch*/) noexcept
      : control_{control},
        claims_{control, slot},
        area_{control.data(), control.fields().capacity} {}

  [[nodiscard]] auto resume() noexcept -> status { return claims_.resume(); }
  [[nodiscard]] auto claims() noexcept -> mpsc_claims<Memory>& { return claims_; }
  [[nodiscard]] auto claims() const noexcept -> const mpsc_claims<Memory>& { return claims_; }
  [[nodiscard]] auto area() const noexcept -> const mpsc_slot_area<T>& { return area_; }
  [[nodiscard]] auto payload() const noexcept -> std::byte* {
    return area_.value_at(claims_.position());
  }
  /// Names the slot of the open claim.
  [[nodiscard]] auto describe() const noexcept -> descriptor {
    const auto position = claims_.position();
    return {control_.payload_offset(area_.offset_of(position)),
            static_cast<std::uint32_t>(sizeof(T)), static_cast<std::uint32_t>(position)};
  }
  /// Slots that this writer took; wraps.
  [[nodiscard]] auto bytes() const noexcept -> std::uint32_t { return slots_; }
  [[nodiscard]] auto records() const noexcept -> std::uint32_t { return records_; }
  [[nodiscard]] auto room() const noexcept -> std::uint32_t { return claims_.room(); }

  /// Claims one slot. Returns  ok, full, closed, corrupt.
  [[nodiscard, gnu::always_inline]] inline auto claim(std::uint32_t /*size*/) noexcept -> status {
    return claim_slots(1);
  }

  [[nodiscard, gnu::always_inline]] inline auto claim_slots(std::uint32_t count) noexcept
      -> status {
    if (const auto outcome = claims_.claim(count); outcome != status::ok) return outcome;
    claimed_ = count;
    if (claims_.end() >= prefetch_at_) [[unlikely]]
      prefetch();
    return status::ok;
  }

  /// Publishes the slot. Returns  ok; stale: recover() has skipped the claim.
  [[nodiscard, gnu::always_inline]] inline auto publish() noexcept -> status {
    ++slots_;
    ++records_;
    return commit(mpsc_stamp_of(claims_.position()));
  }

  /// Publishes that nothing is there.
  void abandon() noexcept {
    ++slots_;
    static_cast<void>(commit(mpsc_stamp_of(claims_.position()) | discard_bit));
  }

  /// Claims slots for as many of the values as fit into `room`. Returns  how many; why it is none: full,
  /// closed, corrupt.
  [[nodiscard]] auto claim_prefix(std::span<const T> values, std::uint32_t room,
                                  status& why) noexcept -> std::size_t {
    const auto count = values.size() < room ? static_cast<std::uint32_t>(values.size()) : room;
    why = count == 0 ? status::full : claim_slots(count);
    return why == status::ok ? count : 0;
  }

  /// Fills the claim with these values, and publishes it by the stamp of the first slot.
  [[nodiscard]] auto publish_prefix(std::span<const T> values) noexcept -> status {
    const auto area = area_;  // a local: behind an atomic store every member is loaded again
    const auto end = area.capacity * slot_shape<T>::stride;
    const auto position = claims_.position();
    auto stamp = mpsc_stamp_of(position);
    auto offset = area.offset_of(position);
    Memory::copy_in(area.data + offset + slot_shape<T>::value_offset, &values[0], sizeof(T));
    if (claimed_ > 1) claims_.keep(claimed_);
    for (const T& value : values.subspan(1)) {
      offset += slot_shape<T>::stride;
      if (offset == end) offset = 0;
      stamp += 2;
      Memory::copy_in(area.data + offset + slot_shape<T>::value_offset, &value, sizeof(T));
      // relaxed: before publication [P2]
      Memory::store(word_at(area.data, offset), stamp, std::memory_order_relaxed);
    }
    slots_ += claimed_;
    records_ += claimed_;
    return commit(mpsc_stamp_of(position));
  }

 private:
  [[nodiscard, gnu::always_inline]] inline auto commit(std::uint32_t stamp) noexcept -> status {
    const auto position = claims_.position();
    auto* const word = area_.stamp_at(position);
    if (!claims_.recoverable()) [[likely]] {
      // [P2] release -> [C1] [C4] [C5] [C8]: the value, and the later ones of a batch.
      Memory::store(word, stamp, std::memory_order_release);
      return status::ok;
    }
    // relaxed: re-checked by [P3]
    auto expected = Memory::load(word, std::memory_order_relaxed);
    // [P3] release -> [C1] [C4] [C5] [C8] [R3] [R7]: the same, unless recover() has skipped the claim.
    const bool committed =
        area_.is_free(expected, position) &&
        Memory::compare_exchange(word, expected, stamp, std::memory_order_release,
                                 // relaxed: failed CAS, nothing read
                                 std::memory_order_relaxed);
    claims_.done();
    return committed ? status::ok : status::stale;
  }

  /// Once per event step: asks for the lines behind the claim, which the next claims will probably get.
  [[gnu::noinline]] void prefetch() noexcept {
    constexpr auto stride = slot_shape<T>::stride;
    constexpr auto step = larger(1, claim_event / stride);
    const auto end = claims_.end();
    prefetch_at_ = end + step;
    const auto offset = area_.offset_of(end);
    const auto window = smaller(step + prefetch_window / stride, claims_.room()) * stride;
    prefetched_.template advance<Memory, true>(area_.data, offset,
                                               smaller(offset + window, area_.capacity * stride));
  }

  mpsc_control<Memory> control_;
  mpsc_claims<Memory> claims_;
  mpsc_slot_area<T> area_;
  std::uint32_t claimed_ = 0;  ///< slots of the open claim
  std::uint32_t slots_ = 0;
  std::uint32_t records_ = 0;
  std::uint64_t prefetch_at_ = 0;  ///< a claim that ends here or beyond asks for more lines
  prefetch_cursor prefetched_;
};

}  // namespace weir::detail
