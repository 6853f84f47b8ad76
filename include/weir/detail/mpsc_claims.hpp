// SPDX-License-Identifier: MIT
/// Claiming a stretch of mpsc_ring: the part of a producer that bytes and slots have in common.
///
/// A claim is optimistic: it begins with the end of this producer's own last claim, without a look at
/// where the claim position stands. A look would make two coherence transactions out of one; a failed
/// exchange tells the position anyway (bench/README.md has what it is worth).
///
/// Invariants   A1  guess <= claim position: both only grow
///              A2  limit = a read position of some moment + capacity: what ends at or below it is free
///              A3  at most one claim, or batch, is open
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/status.hpp>

#include <bit>
#include <cstdint>

namespace weir::detail {

/// Claimed bytes between two hints: a shared line, written by whoever crosses a step.
inline constexpr std::uint32_t hint_bytes = 2048;
/// Bytes between two rounds of a producer's prefetching.
inline constexpr std::uint32_t claim_event = 512;

template <class Memory>
class mpsc_claims {
 public:
  mpsc_claims(const mpsc_control<Memory>& control, std::uint32_t slot) noexcept
      : control_{control},
        capacity_{control.fields().capacity},
        unit_{control.unit()},
        slot_{slot},
        hint_step_{control.fields().stride == 0
                       ? hint_bytes
                       : larger(1, std::bit_floor(hint_bytes / control.fields().stride))},
        recoverable_{control.recoverable()} {}

  /// Begins where the ring stands. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    control_.store_intent(slot_, {});
    return look() == status::corrupt ? status::corrupt : status::ok;
  }

  /// Claims `length` bytes (slots). Returns  ok, full, closed, corrupt.
  [[nodiscard, gnu::always_inline]] inline auto claim(std::uint32_t length) noexcept -> status {
    auto at = guess_;  // locals: behind an atomic operation every member is loaded again
    for (;;) {
      if (at + length > limit_) [[unlikely]] {
        if (const auto outcome = find_room(at, length); outcome != status::ok) return outcome;
      }
      if (recoverable_) control_.store_intent(slot_, claim_intent::of(at / unit_, length / unit_));
      if (control_.try_claim(at, at + length)) [[likely]]
        break;
      if (at % unit_ != 0) return give_up();  // a closed ring has no room: it is said above
    }
    position_ = at;
    guess_ = at + length;
    if (((at ^ (at + length)) & ~std::uint64_t{hint_step_ - 1}) != 0) control_.store_hint(at);
    return status::ok;
  }

  /// Says that the open claim of `length` slots is this producer's, before more than its first is written.
  void keep(std::uint32_t length) noexcept {
    if (!recoverable_) return;
    control_.store_intent(slot_, claim_intent::of(position_ / unit_, length / unit_).as_won());
    Memory::light_fence();  // whoever dies has said so before it stamped a slot
  }

  /// What was claimed is committed, or given up as a whole: nobody needs to know whose it was.
  [[gnu::always_inline]] inline void done() noexcept {
    if (recoverable_) control_.store_intent(slot_, {});
  }

  /// A look at both positions. Returns  ok, closed, corrupt: sticky.
  [[nodiscard]] auto look() noexcept -> status {
    const auto read = control_.load_read_position();
    const auto claimed = control_.guess_claim_position();
    if (corrupt_) return status::corrupt;
    if (claimed >= claim_closed) return status::closed;
    if (read % unit_ != 0 || claimed % unit_ != 0 || read > claimed) {
      return give_up();
    }
    guess_ = claimed;
    limit_ = read + capacity_;
    return status::ok;
  }

  /// Takes a read position that came from outside. Returns  ok; stale; corrupt.
  [[nodiscard]] auto accept(std::uint32_t read_position) noexcept -> status {
    if (corrupt_) return status::corrupt;
    const auto known = limit_ - capacity_;
    const auto news = read_position - static_cast<std::uint32_t>(known);
    if (news >> 31 != 0) return status::stale;
    const auto claimed = control_.guess_claim_position() & ~claim_closed;
    if (known + news > claimed || news % unit_ != 0) return give_up();
    limit_ = known + news + capacity_;
    return status::ok;
  }

  /// Position of the open claim.
  [[nodiscard]] auto position() const noexcept -> std::uint64_t { return position_; }
  /// End of the last claim, of this producer's that is.
  [[nodiscard]] auto end() const noexcept -> std::uint64_t { return guess_; }
  /// Bytes (slots) free, as last seen. Other producers may have taken some of them.
  [[nodiscard]] auto room() const noexcept -> std::uint32_t {
    return limit_ > guess_ ? static_cast<std::uint32_t>(limit_ - guess_) : 0;
  }
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t { return capacity_; }
  [[nodiscard]] auto recoverable() const noexcept -> bool { return recoverable_; }
  [[nodiscard]] auto slot() const noexcept -> std::uint32_t { return slot_; }
  [[nodiscard]] auto high_water() const noexcept -> std::uint32_t { return high_water_; }

  /// From now on everything is `corrupt`.
  auto give_up() noexcept -> status {
    corrupt_ = true;
    limit_ = capacity_;
    guess_ = claim_closed - 1;  // beyond every limit: each claim comes to find_room()
    return status::corrupt;
  }

 private:
  /// The known room does not do: looks for more. A read position beyond `at` shows that `at` is an old
  /// guess; then the true one follows.
  [[nodiscard, gnu::noinline]] auto find_room(std::uint64_t& at, std::uint32_t length) noexcept
      -> status {
    if (corrupt_) return status::corrupt;
    if (at < claim_closed) {
      if (const auto outcome = look(); outcome != status::ok) return no_room(outcome);
      at = guess_;
      high_water_ = larger(high_water_, capacity_ - smaller(room(), capacity_));
      if (at + length <= limit_) return status::ok;
    }
    return no_room(at >= claim_closed ? status::closed : status::full);
  }

  /// An attempt that failed leaves no intent behind.
  auto no_room(status why) noexcept -> status {
    done();
    return why;
  }

  mpsc_control<Memory> control_;
  std::uint64_t guess_ = 0;     ///< end of the last claim that this producer made or saw
  std::uint64_t limit_ = 0;     ///< a claim that ends at or below it needs no look at the reader
  std::uint64_t position_ = 0;  ///< of the open claim
  std::uint32_t capacity_;
  std::uint32_t unit_;
  std::uint32_t slot_;
  std::uint32_t high_water_ = 0;
  std::uint32_t hint_step_;  ///< bytes (slots), a power of two
  bool recoverable_;
  bool corrupt_ = false;
};

}  // namespace weir::detail
