// SPDX-License-Identifier: MIT
/// The consuming role, whatever the ring and its records are: leaving it, waiting, closing, counting.
///
/// `Control` names the ring's shared words, `Reader` keeps the position; see spsc_control.hpp and
/// spsc_byte_reader.hpp for what they offer.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/layout.hpp>
#include <weir/owner.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstdint>
#include <utility>

namespace weir::detail {

/// Records in one run, from empty to empty, after which a consumer lingers.
inline constexpr std::uint32_t linger_run = 8;
/// Rounds of lingering, as long as the producers get on. Measured: where a cache line takes 500 ns from
/// core to core four are three times as fast as one; where it takes 100 ns they are alike
/// (bench/README.md).
inline constexpr std::uint32_t linger_rounds = 4;
/// In a small ring it lingers less: the ring must not fill meanwhile (bench/README.md).
inline constexpr std::uint32_t bytes_per_linger_hint = 256;

/// Lets the producers of a ring of `data_bytes` get ahead: at most `hints` spin hints a round, and another
/// round while `progress()` changes.
template <class Memory, class Progress>
void linger_while(Progress&& progress, std::uint32_t hints, std::uint32_t data_bytes) noexcept {
  hints = smaller(hints, data_bytes / bytes_per_linger_hint);
  for (std::uint32_t round = 0; round < linger_rounds; ++round) {
    const auto before = progress();
    for (std::uint32_t hint = 0; hint < hints; ++hint) Memory::pause();
    if (progress() == before) break;
  }
}

template <class Control, class Statistics, class Reader>
class consumer_core {
 public:
  using memory = typename Control::memory;

  /// Producers may die with a claim open, and the reader can tell.
  static constexpr bool recovers = requires(Reader reader) { reader.recover(memory::alive); };

  consumer_core(const Control& control, held_role<memory> role) noexcept
      : control_{control}, reader_{control}, role_{std::move(role)} {}

  consumer_core(consumer_core&&) noexcept = default;
  auto operator=(consumer_core&&) -> consumer_core& = delete;
  ~consumer_core() {
    if (!role_ || !resumed_) return;
    if constexpr (requires { reader_.abandon_rest(); }) {
      if (closed_) reader_.abandon_rest();
    }
    flush();
  }

  /// Second half of taking the role. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    counters_ = load_statistics<memory, consumer_statistics>(control_.consumer_statistics_words());
    const auto outcome = reader_.resume();
    bytes_before_ = counters_.bytes - static_cast<std::uint32_t>(reader_.position());
    records_before_ = counters_.records - reader_.records();
    empty_at_ = stored_at_ = reader_.records();
    closed_ = (control_.load_closed() & layout::closed_by_consumer) != 0;
    resumed_ = outcome == status::ok;
    return outcome;
  }

  [[nodiscard]] auto control() const noexcept -> const Control& { return control_; }
  [[nodiscard]] auto reader() noexcept -> Reader& { return reader_; }
  [[nodiscard]] auto reader() const noexcept -> const Reader& { return reader_; }

  /// Runs `attempt` (-> ok, empty, corrupt); where it finds nothing: lingers after a run of records, lets
  /// go of all space and, if the ring is closed, tries once more: whatever was published before that is
  /// visible then.
  template <class Wait, class Attempt>
  [[nodiscard, gnu::always_inline]] inline auto read(Attempt&& attempt) noexcept -> status {
    for (bool last = false;;) {
      const auto outcome = attempt();
      if (outcome != status::empty) [[likely]]
        return outcome;
      if (linger<Wait>()) continue;
      let_go();
      if (last || closed_) return reader_.at_end() ? status::closed : status::empty;
      if (control_.load_closed() == 0) return status::empty;
      last = true;
    }
  }

  /// After one record was read: lets go at once if the producer waits, or where that costs nothing. To do
  /// so whenever nothing follows would take a look at the next header, and with it the line that the
  /// producer writes next: a third of a round trip (bench/README.md).
  [[gnu::always_inline]] inline void let_go_if_awaited() noexcept {
    if (!memory::can_wait || reader_.space_is_awaited()) [[unlikely]]
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

  /// Ends the stream from this side: claims get `closed`. What is still in the ring can be read.
  void close() noexcept {
    flush();
    control_.close(layout::closed_by_consumer);
    closed_ = true;
    control_.space_bell().ring();
  }

  /// Waits until `look` (-> ok, empty, closed, corrupt) finds something.
  template <wait_policy Wait, class Look>
  [[nodiscard]] auto await_record(Look look, deadline until, const stop_word* stop) noexcept
      -> status {
    struct condition {
      consumer_core& core;
      Look& find;
      auto look() noexcept -> status { return find(); }
      auto peer() noexcept -> status { return core.reader_.peer_status(); }
    } record{*this, look};
    auto bell = control_.data_bell();
    wait_counters counters;
    const auto outcome =
        await<Wait>(wait_request<memory, condition>{bell, record, until, stop, counters});
    counters_.waits += counters.waits;
    counters_.late_wakes += counters.late_wakes;
    if (counters.waits != 0) store_counters();
    return outcome;
  }

 private:
  /// A consumer that catches up with its producer and looks again at once takes away the very line that
  /// is being written, and slows both. After a run of records it pays to wait a moment for the next few,
  /// and again while the producers get on; after a lone message latency comes first (bench/README.md).
  /// Returns  true: look again.
  template <class Wait>
  [[nodiscard]] auto linger() noexcept -> bool {
    if constexpr (Wait::linger == 0 || !memory::can_wait) {
      return false;
    } else {
      const auto run = reader_.records() - empty_at_;
      empty_at_ = reader_.records();
      if (run < linger_run) return false;
      linger_while<memory>([this] { return reader_.hint(); }, Wait::linger, control_.data_bytes());
      return true;
    }
  }

  void store_counters() noexcept {
    if constexpr (Statistics::enabled) {
      counters_.bytes = bytes_before_ + static_cast<std::uint32_t>(reader_.position());
      counters_.records = records_before_ + reader_.records();
      stored_at_ = reader_.records();
      store_statistics<memory>(control_.consumer_statistics_words(), counters_);
    }
  }

  Control control_;
  Reader reader_;
  bool resumed_ = false;
  bool closed_ = false;
  consumer_statistics counters_;
  std::uint32_t empty_at_ = 0;   ///< reader's records when a read last found nothing; wraps
  std::uint32_t stored_at_ = 0;  ///< reader's records when they were last stored; wraps
  std::uint32_t bytes_before_ = 0;
  std::uint32_t records_before_ = 0;
  held_role<memory> role_;
};

}  // namespace weir::detail
