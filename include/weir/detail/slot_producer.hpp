// SPDX-License-Identifier: MIT
/// A producer of a typed ring, and its claims. `Core` is the role behind the handle.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/detail/producer_handle.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// One slot of the ring, reserved for one value. Move-only; destruction aborts.
/// Needs  its producer outlives it and stays where it is.
template <class T, class Core>
class slot_claim {
  using memory = typename Core::memory;

 public:
  slot_claim(Core& core, status outcome) noexcept : core_{&core}, status_{outcome} {
    if (*this) core.open_claim();
  }
  slot_claim(slot_claim&& other) noexcept
      : core_{other.core_}, status_{std::exchange(other.status_, status::stale)} {}
  auto operator=(slot_claim&&) -> slot_claim& = delete;
  ~slot_claim() {
    if (*this) core_->abort_claim();
  }

  /// True while the slot may be written.
  [[nodiscard]] explicit operator bool() const noexcept { return status_ == status::ok; }
  /// ok; why there is no claim; stale once it is committed or moved from.
  [[nodiscard]] auto status() const noexcept -> weir::status { return status_; }

  /// The slot's bytes, to build the value in place; aligned for T. Empty unless the claim holds.
  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> {
    return *this ? std::span{core_->writer().payload(), sizeof(T)} : std::span<std::byte>{};
  }

  /// Publishes what bytes() holds. Thread  producer.   Progress  wait-free.
  auto commit() noexcept -> committed { return finish<true>(); }
  /// Publishes `value`.
  auto commit(const T& value) noexcept -> committed {
    if (*this) memory::copy_in(core_->writer().payload(), &value, sizeof(T));
    return finish<true>();
  }
  /// Ends the slot, and leaves its publication to flush(), the next commit, a full ring or the end of
  /// the role.
  auto commit_later(const T& value) noexcept -> committed
    requires(Core::withholds)
  {
    if (*this) memory::copy_in(core_->writer().payload(), &value, sizeof(T));
    return finish<false>();
  }

 private:
  template <bool Publish>
  auto finish() noexcept -> committed {
    if (!*this) return {status_, {}};
    if (core_->over() != status::ok) return {core_->over(), {}};
    const auto named = core_->writer().describe();
    auto outcome = status::ok;
    if constexpr (Publish) {
      outcome = core_->publish();
    } else {
      core_->withhold();
    }
    core_->end_claim();
    status_ = status::stale;
    return {outcome, named};
  }

  Core* core_;
  weir::status status_;
};

/// Writes values of type T. One per ring, in mpsc_ring one per slot of its table; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
/// Closing is noticed in mpsc_ring by the next claim; in a ring for one producer at the next event (at
/// most 1 KiB of slots later), when the ring is full, and while waiting.
template <class T, class Core, backpressure_policy Backpressure>
class slot_producer : public detail::producer_handle<Core, Backpressure> {
  using handle = detail::producer_handle<Core, Backpressure>;
  using handle::core_;
  using handle::gate_;
  using memory = typename Core::memory;
  static constexpr auto value_size = static_cast<std::uint32_t>(sizeof(T));

 public:
  using claim_type = slot_claim<T, Core>;

  slot_producer(Core state, const Backpressure& policy) noexcept
      : handle{std::move(state), policy} {}

  /// Reserves one slot.
  ///
  /// Returns  a claim, or full, closed, corrupt; busy while another claim is open.
  /// Effect   none visible to the consumer until commit(); destruction aborts.
  /// Thread   producer.   Progress  wait-free; in mpsc_ring lock-free.   Cost  one comparison; once per
  ///          event, two shared loads; in mpsc_ring an exchange.
  [[nodiscard]] auto try_claim() noexcept -> claim_type { return {core_, admit()}; }

  /// As try_claim, and waits for room as the policy says.
  /// Returns  also timed_out, stopped, would_block (inline mode), peer_dead (park, in a ring that
  ///          processes share).
  [[nodiscard]] auto claim(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> claim_type
    requires(Backpressure::waits)
  {
    return {core_, handle::await_room(*this, value_size, until, stop)};
  }

  /// Publishes one value. Returns  ok, full, closed, corrupt; busy while a claim is open; in a recoverable
  ///          ring also stale: recover() has skipped the claim.
  /// Thread   producer.   Progress  wait-free; in mpsc_ring lock-free.
  [[nodiscard, gnu::always_inline]] inline auto try_write(const T& value) noexcept -> status {
    if (const auto outcome = admit(); outcome != status::ok) [[unlikely]]
      return outcome;
    memory::copy_in(core_.writer().payload(), &value, sizeof(T));
    return core_.publish();
  }

  /// As try_write, and waits for room as the policy says.
  [[nodiscard]] auto write(const T& value, deadline until = no_deadline,
                           const stop_word* stop = nullptr) noexcept -> status
    requires(Backpressure::waits)
  {
    const auto outcome = handle::await_room(*this, value_size, until, stop);
    if (outcome != status::ok) return outcome;
    memory::copy_in(core_.writer().payload(), &value, sizeof(T));
    return core_.publish();
  }

  /// Publishes as many of the values, in order, as there is room for, with one publication.
  /// Returns  how many. Fewer than all: full, closed, corrupt or busy, as the next try_write() will say.
  [[nodiscard]] auto try_write_batch(std::span<const T> values) noexcept -> std::size_t {
    if constexpr (Core::withholds) {
      std::size_t written = 0;
      for (const T& value : values) {
        if (admit() != status::ok) break;
        memory::copy_in(core_.writer().payload(), &value, sizeof(T));
        core_.withhold();
        ++written;
      }
      if (written != 0) core_.end_batch();
      return written;
    } else {
      if (values.empty() || gate_.admit(*this, value_size) != status::ok) return 0;
      status why{};
      const auto written = core_.write_batch(values, why);
      if (why == status::full) gate_.refused(*this);
      return written;
    }
  }

  /// Slots free, as seen by the producer: there may be more.
  [[nodiscard]] auto free_slots() const noexcept -> std::uint32_t { return core_.writer().room(); }

  // What a backpressure gate needs. Not for callers.
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t { return value_size; }
  [[nodiscard]] auto room_for(std::uint32_t /*size*/) const noexcept -> std::uint32_t { return 1; }

 private:
  [[nodiscard, gnu::always_inline]] inline auto admit() noexcept -> status {
    return handle::admit(*this, value_size);
  }
};

}  // namespace weir
