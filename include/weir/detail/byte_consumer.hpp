// SPDX-License-Identifier: MIT
/// The consumer of a byte ring. `Core` is the role behind the handle.
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

/// The oldest record of a byte ring, where it lies. Move-only; without release() it stays the oldest.
/// Needs  its consumer outlives it and stays where it is; nothing else is read meanwhile.
template <class Core>
class byte_record {
 public:
  byte_record(Core& core, const record_view& view, std::uint32_t frame) noexcept
      : core_{&core}, view_{view}, frame_{frame} {}
  byte_record(Core& core, status why) noexcept : core_{&core}, view_{{}, 0, 0}, status_{why} {}
  byte_record(byte_record&& other) noexcept
      : core_{other.core_},
        view_{other.view_},
        frame_{other.frame_},
        redeemed_{other.redeemed_},
        status_{std::exchange(other.status_, status::stale)} {}
  auto operator=(byte_record&&) -> byte_record& = delete;

  [[nodiscard]] explicit operator bool() const noexcept { return status_ == status::ok; }
  /// ok; why there is no record; stale once it is released or moved from.
  [[nodiscard]] auto status() const noexcept -> weir::status { return status_; }

  /// 8-aligned, inside the ring. A hostile producer can still change them: copy before you trust.
  [[nodiscard]] auto bytes() const noexcept -> std::span<const std::byte> { return view_.bytes; }
  [[nodiscard]] auto type() const noexcept -> std::uint32_t { return view_.type; }
  [[nodiscard]] auto sequence() const noexcept -> std::uint32_t { return view_.sequence; }

  /// Done with the bytes: moves on to the next record. Released twice, it does nothing.
  void release() noexcept {
    if (!*this) return;
    status_ = status::stale;
    // Not if something else was read meanwhile: then this record is no longer the oldest.
    if (core_->reader().sequence() != view_.sequence) return;
    core_->reader().skip(frame_);
    core_->let_go_after_one(redeemed_);
  }

  /// release() lets go of the space at once: whoever is told of each record does not look for more.
  [[nodiscard]] auto as_redeemed() && noexcept -> byte_record {
    redeemed_ = true;
    return std::move(*this);
  }

 private:
  Core* core_;
  record_view view_;
  std::uint32_t frame_ = 0;
  bool redeemed_ = false;
  weir::status status_ = status::ok;
};

/// Reads records in the order in which they were written. One per ring; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
/// Space that was read goes back to the producer by the eighth of the ring, when the producer waits for
/// it, and at the latest when a call finds the ring empty. Before turning away from a ring that is not empty, call flush().
template <class Core, wait_policy Wait>
class byte_consumer : public detail::consumer_handle<Core, Wait> {
  using handle = detail::consumer_handle<Core, Wait>;
  using handle::core_;
  using memory = typename Core::memory;

 public:
  using peeked_type = byte_record<Core>;

  explicit byte_consumer(Core state) noexcept : handle{std::move(state)} {}

  /// The oldest record, in place.
  ///
  /// Returns  a record, or empty, closed (and nothing is left), corrupt, for good.
  /// Thread   consumer.   Progress  wait-free.
  [[nodiscard]] auto try_peek() noexcept -> peeked_type {
    record_view view{{}, 0, 0};
    std::uint32_t frame = 0;
    const auto outcome =
        core_.template read<Wait>([&] { return core_.reader().peek(view, frame); });
    if (outcome != status::ok) return {core_, outcome};
    return {core_, view, frame};
  }

  /// Copies the oldest record out and releases it. What is copied can no longer be changed by anybody.
  [[nodiscard]] auto try_read(std::span<std::byte> out) noexcept -> read_result {
    auto record = try_peek();
    if (!record) return {record.status()};
    const auto size = static_cast<std::uint32_t>(record.bytes().size());
    if (size > out.size()) return {status::too_large, size, record.type()};
    memory::copy_out(out.data(), record.bytes().data(), size);
    const auto type = record.type();
    record.release();
    return {status::ok, size, type};
  }

  /// Waits until there is something to read, as the policy says.
  ///
  /// Returns  ok; closed; corrupt; timed_out; stopped; empty (poll); would_block (inline mode);
  ///          peer_dead: policy park, the ring is shared by processes, empty, and the producer died; in
  ///          mpsc_ring: a dead producer's claim stands in the way, so call recover().
  /// Thread   consumer.
  [[nodiscard]] auto wait(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status {
    return core_.template await_record<Wait>([this] { return try_peek().status(); }, until, stop);
  }

  /// The record that a descriptor names, past everything before it.
  ///
  /// Returns  the record; stale: it was read already; empty: not published yet; corrupt: there is no such
  ///          record. Unless it is found, nothing is skipped.
  /// Its release() lets go of the space at once.
  [[nodiscard]] auto redeem(const descriptor& named) noexcept -> peeked_type {
    auto& reader = core_.reader();
    if (const auto outcome = reader.find(named); outcome != status::ok) return {core_, outcome};
    reader.seek_to(named.sequence);
    auto found = try_peek();
    const bool same =
        found && found.sequence() == named.sequence && found.bytes().size() == named.size;
    if (!same) return {core_, reader.give_up()};  // it was there a moment ago
    return std::move(found).as_redeemed();
  }

  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return core_.reader().area().max_record;
  }
};

}  // namespace weir
