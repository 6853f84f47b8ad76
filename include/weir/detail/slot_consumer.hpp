// SPDX-License-Identifier: MIT
/// The consumer of a typed ring. `Core` is the role behind the handle.
#pragma once

#include <weir/detail/consumer_handle.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// The oldest slot of a typed ring. Move-only; without release() it stays the oldest.
/// Needs  its consumer outlives it and stays where it is; nothing else is read meanwhile.
template <class T, class Core>
class slot_record {
 public:
  slot_record(Core& core, status outcome) noexcept
      : core_{&core}, position_{core.reader().sequence()}, status_{outcome} {}
  slot_record(slot_record&& other) noexcept
      : core_{other.core_},
        position_{other.position_},
        redeemed_{other.redeemed_},
        status_{std::exchange(other.status_, status::stale)} {}
  auto operator=(slot_record&&) -> slot_record& = delete;

  [[nodiscard]] explicit operator bool() const noexcept { return status_ == status::ok; }
  /// ok; why there is no slot; stale once it is released or moved from.
  [[nodiscard]] auto status() const noexcept -> weir::status { return status_; }

  /// A copy of the value. Needs  *this is true.
  [[nodiscard]] auto value() const noexcept -> T { return core_->reader().value(); }
  /// The value's bytes where they lie. Needs  *this is true.
  [[nodiscard]] auto bytes() const noexcept -> std::span<const std::byte> {
    const auto& reader = core_->reader();
    return {reader.area().value_at(position_), sizeof(T)};
  }
  /// The slot's position. Needs  *this is true.
  [[nodiscard]] auto sequence() const noexcept -> std::uint32_t { return position_; }

  /// Done with the slot: moves on to the next. Released twice, it does nothing.
  void release() noexcept {
    if (!*this) return;
    status_ = status::stale;
    // Not if something else was read meanwhile: then this slot is no longer the oldest.
    if (core_->reader().sequence() != position_) return;
    core_->reader().skip();
    core_->let_go_after_one(redeemed_);
  }

  /// release() lets go of the slot at once: whoever is told of each value does not look for more.
  [[nodiscard]] auto as_redeemed() && noexcept -> slot_record {
    redeemed_ = true;
    return std::move(*this);
  }

 private:
  Core* core_;
  std::uint32_t position_;
  bool redeemed_ = false;
  weir::status status_;
};

/// Reads values in the order in which they were written. One per ring; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
/// Slots that were read go back to the producer by the eighth of the ring, when the producer waits for
/// them, and at the latest when a call finds the ring empty. Before turning away from a ring that is not empty, call flush().
template <class T, class Core, wait_policy Wait>
class slot_consumer : public detail::consumer_handle<Core, Wait> {
  using handle = detail::consumer_handle<Core, Wait>;
  using handle::core_;

 public:
  using peeked_type = slot_record<T, Core>;

  explicit slot_consumer(Core state) noexcept : handle{std::move(state)} {}

  /// The oldest value, in place.
  /// Returns  a slot, or empty, closed (and nothing is left), corrupt, for good.
  /// Thread   consumer.   Progress  wait-free.
  [[nodiscard]] auto try_peek() noexcept -> peeked_type { return {core_, look()}; }

  /// Copies the oldest value out and releases its slot. Returns  ok, empty, closed, corrupt.
  /// Thread   consumer.   Progress  wait-free.
  [[nodiscard, gnu::always_inline]] inline auto try_read(T& value) noexcept -> status {
    const auto outcome = core_.template read<Wait>([&] { return core_.reader().take(value); });
    if (outcome != status::ok) [[unlikely]]
      return outcome;
    core_.let_go_if_awaited();
    return status::ok;
  }

  /// Waits until there is something to read, as the policy says. Returns  as for byte rings.
  [[nodiscard]] auto wait(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status {
    return core_.template await_record<Wait>([this] { return look(); }, until, stop);
  }

  /// The slot that a descriptor names, past everything before it.
  /// Returns  the slot; stale: it was read already; empty: not published yet; corrupt: there is no such
  ///          slot. Unless it is found, nothing is skipped.
  /// Its release() lets go of the slot at once.
  [[nodiscard]] auto redeem(const descriptor& named) noexcept -> peeked_type {
    auto& reader = core_.reader();
    if (const auto outcome = reader.find(named); outcome != status::ok) return {core_, outcome};
    reader.seek_to(named.sequence);
    auto found = try_peek();
    if (!found) return {core_, reader.give_up()};  // it was there a moment ago
    return std::move(found).as_redeemed();
  }

 private:
  [[nodiscard, gnu::always_inline]] inline auto look() noexcept -> status {
    return core_.template read<Wait>([this] { return core_.reader().peek(); });
  }
};

}  // namespace weir
