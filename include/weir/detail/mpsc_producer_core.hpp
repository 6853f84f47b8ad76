// SPDX-License-Identifier: MIT
/// One of the producing roles of mpsc_ring, whatever its records are: a slot in the ring's table.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/owner.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstdint>
#include <utility>

namespace weir::detail {

template <class Memory, class Statistics, class Writer>
class mpsc_producer_core {
 public:
  using memory = Memory;

  /// A claim is visible to everybody from its first moment: nothing can be withheld behind it.
  static constexpr bool withholds = false;

  mpsc_producer_core(const mpsc_control<Memory>& control, held_role<Memory> role,
                     std::uint32_t slot) noexcept
      : control_{control},
        writer_{control, slot, role.epoch()},
        data_bell_{control.data_bell()},
        protocol_{control.protocol()},
        role_{std::move(role)} {}

  mpsc_producer_core(mpsc_producer_core&&) noexcept = default;
  auto operator=(mpsc_producer_core&&) -> mpsc_producer_core& = delete;
  ~mpsc_producer_core() {
    if (!role_ || !resumed_) return;
    if (held_) abort_claim();
    flush();
  }

  /// Second half of taking the role. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    counters_ = load_statistics<Memory, producer_statistics>(statistics_words());
    before_ = counters_;
    const auto outcome = writer_.resume();
    resumed_ = outcome == status::ok;
    return outcome;
  }

  /// Claims one record of `size` bytes. Returns  ok, full, too_large, closed, corrupt, busy.
  [[nodiscard, gnu::always_inline]] inline auto reserve(std::uint32_t size) noexcept -> status {
    if (held_) [[unlikely]]
      return status::busy;
    const auto outcome = writer_.claim(size);
    if (outcome == status::full) [[unlikely]]
      count_full();
    return outcome;
  }

  /// While a claim is open nothing else can be claimed.
  void open_claim() noexcept { held_ = true; }
  void end_claim() noexcept { held_ = false; }

  /// Gives the open claim up: the consumer skips it.
  void abort_claim() noexcept {
    held_ = false;
    writer_.abandon();
    ring();
  }
  /// The same for a batch of records of `size` bytes.
  void abort_batch(std::uint32_t size) noexcept {
    held_ = false;
    writer_.abandon_batch(size);
    ring();
  }

  /// Nothing stands in the way of a commit: a claim that succeeded may always be published.
  [[nodiscard]] static constexpr auto over() noexcept -> status { return status::ok; }

  /// Publishes the open claim. Arguments as the writer's. Returns  ok, stale.
  template <class... Record>
  [[nodiscard, gnu::always_inline]] inline auto publish(Record... what) noexcept -> status {
    const auto outcome = writer_.publish(what...);
    after_publication();
    return outcome;
  }

  /// Claims several records of one size. Returns  as reserve(); too_large: more than the ring holds.
  [[nodiscard]] auto reserve_batch(std::uint32_t count, std::uint32_t size) noexcept -> status {
    if (held_) return status::busy;
    const auto outcome = writer_.claim_batch(count, size);
    if (outcome == status::full) count_full();
    return outcome;
  }

  /// Publishes them. Returns  ok, stale.
  [[nodiscard]] auto publish_batch(std::uint32_t count, std::uint32_t size,
                                   std::uint32_t type) noexcept -> status {
    const auto outcome = writer_.publish_batch(count, size, type);
    after_publication();
    return outcome;
  }

  /// Claims, fills and publishes as many of the records, or values, as fit. Returns  how many; `why`
  /// there are no more: ok, full, too_large, closed, corrupt, busy, stale.
  template <class Records, class... Type>
  [[nodiscard]] auto write_batch(const Records& records, status& why, Type... type) noexcept
      -> std::size_t {
    why = held_ ? status::busy : status::ok;
    if (held_) return 0;
    auto count = writer_.claim_prefix(records, writer_.claims().capacity(), why);
    const bool short_of_room = why == status::full;
    if (short_of_room) {
      count_full();
      count = writer_.claim_prefix(records, writer_.claims().room(), why);
    }
    if (count == 0) return 0;
    const auto outcome = writer_.publish_prefix(records.first(count), type...);
    after_publication();
    why = short_of_room ? status::full : outcome;
    return outcome == status::ok ? count : 0;
  }

  /// Wakes a sleeping consumer, refreshes the statistics.
  void flush() noexcept {
    if (protocol_ != wake_protocol::none) data_bell_.ring_if_awaited();
    store_counters();
  }

  /// Says, for every producer, that nothing more will come.
  void close() noexcept {
    flush();
    control_.close(layout::closed_by_producer);
    data_bell_.ring();
    control_.space_bell().ring();
  }

  [[nodiscard]] auto acknowledge(std::uint32_t read_position) noexcept -> status {
    return writer_.claims().accept(read_position);
  }

  /// Waits until a record of `size` bytes is claimed. Returns  ok, and the outcomes of reserve() and of
  /// waits.
  template <wait_policy Wait>
  [[nodiscard]] auto await_room(std::uint32_t size, deadline until, const stop_word* stop) noexcept
      -> status {
    struct condition {
      mpsc_producer_core& core;
      std::uint32_t size;
      auto look() noexcept -> status { return core.reserve(size); }
      auto peer() noexcept -> status { return core.control_.consumer_status(); }
    } room{*this, size};
    auto bell = control_.space_bell();
    wait_counters counters;
    const auto outcome =
        await<Wait>(wait_request<Memory, condition>{bell, room, until, stop, counters});
    counters_.waits += counters.waits;
    counters_.late_wakes += counters.late_wakes;
    return outcome;
  }

  /// A look at both positions. Returns  ok, closed, corrupt; `room`: bytes (slots) free.
  [[nodiscard]] auto look_for_room(std::uint32_t& room) noexcept -> status {
    const auto outcome = writer_.claims().look();
    room = writer_.claims().room();
    return outcome;
  }

  void count_full() noexcept {
    ++counters_.full;
    flush();
  }
  void count_drop() noexcept {
    ++counters_.drops;
    store_counters();
  }
  [[nodiscard]] auto dropped() const noexcept -> std::uint32_t { return counters_.drops; }
  [[nodiscard]] auto writer() noexcept -> Writer& { return writer_; }
  [[nodiscard]] auto writer() const noexcept -> const Writer& { return writer_; }

 private:
  /// Publications between two refreshments of the statistics.
  static constexpr std::uint32_t records_per_store = 64;

  [[gnu::always_inline]] inline void after_publication() noexcept {
    ring();
    if constexpr (Statistics::enabled) {
      if (++publications_ % records_per_store == 0) [[unlikely]]
        store_counters();
    }
  }

  [[gnu::always_inline]] inline void ring() noexcept {
    if (protocol_ == wake_protocol::asymmetric) {
      data_bell_.ring_if_awaited_asymmetric();
    } else if (protocol_ == wake_protocol::fenced) {
      data_bell_.ring_if_awaited();
    }
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.producer_statistics_words(writer_.claims().slot());
  }

  void store_counters() noexcept {
    if constexpr (Statistics::enabled) {
      counters_.bytes = before_.bytes + writer_.bytes();
      counters_.records = before_.records + writer_.records();
      counters_.high_water = larger(before_.high_water, writer_.claims().high_water());
      store_statistics<Memory>(statistics_words(), counters_);
    }
  }

  mpsc_control<Memory> control_;
  Writer writer_;
  park_bell<Memory> data_bell_;
  wake_protocol protocol_;
  bool held_ = false;
  bool resumed_ = false;
  std::uint32_t publications_ = 0;
  producer_statistics counters_;
  producer_statistics before_;  ///< as the slot's last owner left them
  held_role<Memory> role_;
};

}  // namespace weir::detail
