// SPDX-License-Identifier: MIT
/// A producer of a byte ring, and its claims. `Core` is the role behind the handle.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/detail/byte_batch.hpp>
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

/// Contiguous bytes inside the ring, reserved for one record. Move-only; destruction aborts.
/// Needs  its producer outlives it and stays where it is.
template <class Core>
class byte_claim {
 public:
  byte_claim(Core& core, std::uint32_t size) noexcept : core_{&core}, size_{size} {
    core.open_claim();
  }
  byte_claim(Core& core, status why) noexcept : core_{&core}, status_{why} {}
  byte_claim(byte_claim&& other) noexcept
      : core_{other.core_},
        size_{std::exchange(other.size_, 0)},
        status_{std::exchange(other.status_, status::stale)} {}
  auto operator=(byte_claim&&) -> byte_claim& = delete;
  ~byte_claim() {
    if (*this) core_->abort_claim();
  }

  /// True while the bytes may be written.
  [[nodiscard]] explicit operator bool() const noexcept { return status_ == status::ok; }
  /// ok; why there is no claim; stale once it is committed or moved from.
  [[nodiscard]] auto status() const noexcept -> weir::status { return status_; }

  /// 8-aligned. Empty unless the claim holds.
  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> {
    return *this ? std::span{core_->writer().payload(), size_} : std::span<std::byte>{};
  }

  /// The largest record that would have fitted, as this side last saw it: the remedy for `full`.
  [[nodiscard]] auto free_bytes() const noexcept -> std::uint32_t {
    return core_->writer().free_bytes();
  }

  /// Gives up the end of the claim. Returns  ok; too_large: a claim does not grow; stale.
  [[nodiscard]] auto shrink(std::uint32_t size) noexcept -> weir::status {
    if (!*this) return status_;
    if (size > size_) return status::too_large;
    size_ = size;
    return status::ok;
  }

  /// Publishes the record: the consumer sees all of it or nothing. A type of record_type::reserved or
  /// more is `unsupported`, and the claim stays open. In a recoverable ring also `stale`: recover() has
  /// skipped the claim.
  /// Thread  producer.   Progress  wait-free.
  auto commit(std::uint32_t type = 0) noexcept -> committed { return finish<true>(type); }

  /// Ends the record, and leaves its publication to flush(), the next commit, a full ring or the end of
  /// the role. Several records, one publication.
  auto commit_later(std::uint32_t type = 0) noexcept -> committed
    requires(Core::withholds)
  {
    return finish<false>(type);
  }

 private:
  template <bool Publish>
  [[gnu::always_inline]] inline auto finish(std::uint32_t type) noexcept -> committed {
    if (!*this) return {status_, {}};
    if (core_->over() != status::ok) return {core_->over(), {}};
    if (type >= record_type::reserved) return {status::unsupported, {}};
    const auto named = core_->writer().describe(size_);
    auto outcome = status::ok;
    if constexpr (Publish) {
      outcome = core_->publish(size_, type);
    } else {
      core_->withhold(size_, type);
    }
    core_->end_claim();
    status_ = status::stale;
    return {outcome, named};
  }

  Core* core_;
  std::uint32_t size_ = 0;
  weir::status status_ = status::ok;
};

/// Writes records of any length up to max_record(). One per ring, in mpsc_ring one per slot; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
/// Closing is noticed in mpsc_ring by the next claim; in a ring for one producer at the next event
/// (capacity / 8, at most 1 KiB later), when the ring is full, and while waiting.
template <class Core, backpressure_policy Backpressure>
class byte_producer : public detail::producer_handle<Core, Backpressure> {
  using handle = detail::producer_handle<Core, Backpressure>;
  using handle::core_;
  using handle::gate_;
  using memory = typename Core::memory;

 public:
  using claim_type = byte_claim<Core>;

  byte_producer(Core state, const Backpressure& policy) noexcept
      : handle{std::move(state), policy} {}

  /// Reserves `size` contiguous bytes for one record.
  ///
  /// Returns  a claim, or full (with the bytes that would fit), too_large, closed, corrupt; busy while
  ///          another claim is open.
  /// Effect   none visible to the consumer until commit(); destruction aborts.
  /// Thread   producer.   Progress  wait-free; in mpsc_ring lock-free.   Cost  one comparison; once per
  ///          event, two shared loads; in mpsc_ring an exchange.
  /// Stays    "full" may stop being true at once; a granted claim cannot be revoked.
  [[nodiscard, gnu::always_inline]] inline auto try_claim(std::uint32_t size) noexcept
      -> claim_type {
    if (const auto outcome = handle::admit(*this, size); outcome != status::ok)
      return {core_, outcome};
    return {core_, size};
  }

  /// As try_claim, and waits for room as the policy says.
  /// Returns  also timed_out, stopped, would_block (inline mode), peer_dead (park, in a ring that
  ///          processes share).
  [[nodiscard]] auto claim(std::uint32_t size, deadline until = no_deadline,
                           const stop_word* stop = nullptr) noexcept -> claim_type
    requires(Backpressure::waits)
  {
    if (const auto outcome = handle::await_room(*this, size, until, stop); outcome != status::ok) {
      return {core_, outcome};
    }
    return {core_, size};
  }

  /// Copies one record in and publishes it. Returns  as try_claim, and unsupported for a reserved type.
  [[nodiscard, gnu::always_inline]] inline auto try_write(std::span<const std::byte> bytes,
                                                          std::uint32_t type = 0) noexcept
      -> status {
    if (bytes.size() > max_record()) return status::too_large;
    return fill(try_claim(static_cast<std::uint32_t>(bytes.size())), bytes, type);
  }

  /// As try_write, and waits for room as the policy says.
  [[nodiscard]] auto write(std::span<const std::byte> bytes, std::uint32_t type = 0,
                           deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status
    requires(Backpressure::waits)
  {
    if (bytes.size() > max_record()) return status::too_large;
    return fill(claim(static_cast<std::uint32_t>(bytes.size()), until, stop), bytes, type);
  }

  /// Publishes as many of the records, in order, as there is room for, with one publication.
  /// Returns  how many. Fewer than all: as the next try_write() will say.
  [[nodiscard]] auto try_write_batch(std::span<const std::span<const std::byte>> records,
                                     std::uint32_t type = 0) noexcept -> std::size_t {
    if (records.empty() || type >= record_type::reserved) return 0;
    if constexpr (Core::withholds) {
      std::size_t written = 0;
      for (const auto bytes : records) {
        if (bytes.size() > max_record()) break;
        auto claim = try_claim(static_cast<std::uint32_t>(bytes.size()));
        if (!claim) break;
        memory::copy_in(claim.bytes().data(), bytes.data(), bytes.size());
        static_cast<void>(claim.commit_later(type));
        ++written;
      }
      if (written != 0) core_.end_batch();
      return written;
    } else {
      const auto first = static_cast<std::uint32_t>(records[0].size());
      if (gate_.admit(*this, first) != status::ok) return 0;
      status why{};
      const auto written = core_.write_batch(records, why, type);
      if (why == status::full) gate_.refused(*this);
      return written;
    }
  }

  /// Reserves room for `count` records of `size` bytes each, with one claim.
  /// Returns  a batch, or full, too_large (more than the ring holds), closed, corrupt, busy.
  /// Thread   producer.   Progress  lock-free.
  [[nodiscard]] auto try_claim_batch(std::uint32_t count, std::uint32_t size) noexcept
      -> byte_batch<Core>
    requires(!Core::withholds)
  {
    if (size > max_record() || count == 0) return {core_, status::too_large};
    auto outcome = gate_.admit(*this, size);
    if (outcome == status::ok) outcome = core_.reserve_batch(count, size);
    if (outcome == status::full) gate_.refused(*this);
    if (outcome != status::ok) return {core_, outcome};
    return {core_, count, size};
  }

  /// The largest record that certainly fits now, as seen by the producer: it may be more.
  [[nodiscard]] auto free_bytes() const noexcept -> std::uint32_t {
    return core_.writer().free_bytes();
  }
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return core_.writer().area().max_record;
  }

  // What a backpressure gate needs. Not for callers.
  [[nodiscard]] auto room_for(std::uint32_t size) const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(record::frame_size(size));
  }
  [[nodiscard]] auto write_reserved(std::span<const std::byte> bytes, std::uint32_t type) noexcept
      -> status {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    if (const auto outcome = core_.reserve(size); outcome != status::ok) return outcome;
    memory::copy_in(core_.writer().payload(), bytes.data(), bytes.size());
    return core_.publish(size, type);
  }

 private:
  [[nodiscard, gnu::always_inline]] inline auto fill(claim_type claim,
                                                     std::span<const std::byte> bytes,
                                                     std::uint32_t type) noexcept -> status {
    if (!claim) return claim.status();
    memory::copy_in(claim.bytes().data(), bytes.data(), bytes.size());
    return claim.commit(type).outcome;
  }
};

}  // namespace weir
