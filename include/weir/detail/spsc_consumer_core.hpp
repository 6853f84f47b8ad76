// SPDX-License-Identifier: MIT
/// The consuming role, whatever its records are: leaving it, waiting, closing, counting.
#pragma once

#include <weir/detail/spsc_control.hpp>
#include <weir/detail/spsc_producer_core.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstdint>
#include <limits>
#include <utility>

namespace weir {

/// No limit but the library's own: as many records as the ring can hold.
inline constexpr std::uint32_t no_limit = std::numeric_limits<std::uint32_t>::max();

/// What a drain did.
struct drained {
  status outcome;         ///< why it ended: ok (the limit), empty, closed, corrupt
  std::uint32_t records;  ///< shown
};

namespace detail {

/// Records in one run, from empty to empty, after which a consumer lingers.
inline constexpr std::uint32_t linger_run = 8;
/// In a small ring it lingers less: the ring must not fill meanwhile (bench/README.md).
inline constexpr std::uint32_t bytes_per_linger_hint = 256;

template <class Memory, class Statistics, class Reader>
class spsc_consumer_core {
 public:
  spsc_consumer_core(const spsc_control<Memory>& control, held_role<Memory> role) noexcept
      : control_{control}, reader_{control}, role_{std::move(role)} {}

  spsc_consumer_core(spsc_consumer_core&&) noexcept = default;
  auto operator=(spsc_consumer_core&&) -> spsc_consumer_core& = delete;
  ~spsc_consumer_core() {
    if (role_ && resumed_) flush();
  }

  /// Second half of taking the role. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    counters_ = load_statistics<Memory, consumer_statistics>(statistics_words());
    const auto outcome = reader_.resume();
    bytes_before_ = counters_.bytes - reader_.position();
    records_before_ = counters_.records - reader_.records();
    empty_at_ = stored_at_ = reader_.records();
    closed_ = (control_.load_closed() & layout::spsc::closed_by_consumer) != 0;
    resumed_ = outcome == status::ok;
    return outcome;
  }

  [[nodiscard]] auto reader() noexcept -> Reader& { return reader_; }
  [[nodiscard]] auto reader() const noexcept -> const Reader& { return reader_; }

  /// Runs `attempt` (-> ok, empty, corrupt); where it finds nothing: lingers after a run of records, lets
  /// go of all space and, if the producer has closed, tries once more: whatever it published before it
  /// closed is visible then.
  template <class Wait, class Attempt>
  [[nodiscard, gnu::always_inline]] inline auto read(Attempt&& attempt) noexcept -> status {
    for (bool last = false;;) {
      const auto outcome = attempt();
      if (outcome != status::empty) [[likely]]
        return outcome;
      if (linger<Wait>()) continue;
      let_go();
      if (last || closed_) return status::closed;
      if ((control_.load_closed() & layout::spsc::closed_by_producer) == 0) return status::empty;
      last = true;
    }
  }

  /// After one record was read: lets go at once if the producer waits, or where that costs nothing. To do
  /// so whenever nothing follows would take a look at the next header, and with it the line that the
  /// producer writes next: a third of a round trip (bench/README.md).
  [[gnu::always_inline]] inline void let_go_if_awaited() noexcept {
    if (!Memory::can_wait || reader_.space_is_awaited()) [[unlikely]]
      reader_.release();
  }

  /// After one record in place: also where an eighth of the ring has gathered, or `at_once`.
  void let_go_after_one(bool at_once) noexcept {
    if (at_once || reader_.release_is_due()) {
      reader_.release();
    } else {
      let_go_if_awaited();
    }
  }

  /// Lets go of everything that was read; refreshes the statistics where there is news.
  void let_go() noexcept {
    reader_.release();
    if (stored_at_ != reader_.records()) store_counters();
  }

  /// Lets go of everything that was read, and refreshes the statistics in any case.
  void flush() noexcept {
    reader_.release();
    store_counters();
  }

  /// Ends the stream from this side: the producer's claims get `closed`. What is still in the ring can
  /// be read.
  void close() noexcept {
    flush();
    control_.close(layout::spsc::closed_by_consumer);
    closed_ = true;
    control_.space_bell().ring();
  }

  /// Waits until `look` (-> ok, empty, closed, corrupt) finds something.
  template <wait_policy Wait, class Look>
  [[nodiscard]] auto await_record(Look look, deadline until, const stop_word* stop) noexcept
      -> status {
    struct condition {
      spsc_consumer_core& core;
      Look& find;
      auto look() noexcept -> status { return find(); }
      auto peer() noexcept -> status {
        return peer_status(core.control_, core.control_.producer_entry());
      }
    } record{*this, look};
    auto bell = control_.data_bell();
    wait_counters counters;
    const auto outcome =
        await<Wait>(wait_request<Memory, condition>{bell, record, until, stop, counters});
    counters_.waits += counters.waits;
    counters_.late_wakes += counters.late_wakes;
    if (counters.waits != 0) store_counters();
    return outcome;
  }

 private:
  /// A consumer that catches up with its producer and looks again at once takes away the very line that
  /// is being written, and slows both. After a run of records it pays to wait a moment for the next few;
  /// after a lone message latency comes first (bench/README.md). Returns  true: look again.
  template <class Wait>
  [[nodiscard]] auto linger() noexcept -> bool {
    if constexpr (Wait::linger == 0 || !Memory::can_wait) {
      return false;
    } else {
      const auto run = reader_.records() - empty_at_;
      empty_at_ = reader_.records();
      if (run < linger_run) return false;
      const auto data_bytes = control_.fields().total_size - control_.fields().data_offset;
      const auto hints = smaller(Wait::linger, data_bytes / bytes_per_linger_hint);
      for (std::uint32_t hint = 0; hint < hints; ++hint) Memory::pause();
      return true;
    }
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.word(layout::spsc::consumer_statistics);
  }

  void store_counters() noexcept {
    if constexpr (Statistics::enabled) {
      counters_.bytes = bytes_before_ + reader_.position();
      counters_.records = records_before_ + reader_.records();
      stored_at_ = reader_.records();
      store_statistics<Memory>(statistics_words(), counters_);
    }
  }

  spsc_control<Memory> control_;
  Reader reader_;
  bool resumed_ = false;
  bool closed_ = false;
  consumer_statistics counters_;
  std::uint32_t empty_at_ = 0;   ///< reader's records when a read last found nothing; wraps
  std::uint32_t stored_at_ = 0;  ///< reader's records when they were last stored; wraps
  std::uint32_t bytes_before_ = 0;
  std::uint32_t records_before_ = 0;
  held_role<Memory> role_;
};

}  // namespace detail
}  // namespace weir
