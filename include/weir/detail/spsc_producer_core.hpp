// SPDX-License-Identifier: MIT
/// The producing role, whatever its records are: taking and leaving it, publishing, waking, waiting.
#pragma once

#include <weir/detail/spsc_control.hpp>
#include <weir/owner.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstdint>
#include <utility>

namespace weir::detail {

template <class Memory, class Statistics, class Writer>
class spsc_producer_core {
 public:
  using memory = Memory;

  spsc_producer_core(const spsc_control<Memory>& control, held_role<Memory> role) noexcept
      : control_{control},
        writer_{control},
        data_bell_{control.data_bell()},
        usual_duty_{duty_of(data_bell_.protocol())},
        duty_{usual_duty_},
        role_{std::move(role)} {}

  spsc_producer_core(spsc_producer_core&&) noexcept = default;
  auto operator=(spsc_producer_core&&) -> spsc_producer_core& = delete;
  ~spsc_producer_core() {
    if (role_ && resumed_) flush();
  }

  /// Second half of taking the role. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    counters_ = load_statistics<Memory, producer_statistics>(statistics_words());
    if (const auto outcome = writer_.resume(); outcome != status::ok) return outcome;
    bytes_before_ = counters_.bytes - writer_.position();
    records_before_ = counters_.records - writer_.records();
    high_water_before_ = counters_.high_water;
    resumed_ = true;
    return status::ok;
  }

  /// Makes room for one record. Returns  ok, full, too_large, closed, corrupt, busy.
  [[nodiscard, gnu::always_inline]] inline auto reserve(std::uint32_t size) noexcept -> status {
    if (writer_.fits(size)) [[likely]]
      return status::ok;
    return make_room(size);
  }

  static constexpr bool withholds = true;

  /// While a claim is open nothing else fits.
  void open_claim() noexcept { writer_.hold(); }
  void end_claim() noexcept {
    writer_.let_go();
    if (over_ != status::ok) writer_.stop();
  }

  /// Nothing of a claim is visible: to forget it is to abort it.
  void abort_claim() noexcept { end_claim(); }

  /// ok; closed: this side has closed; corrupt: it has seen damage. Then no claim succeeds any more.
  [[nodiscard]] auto over() const noexcept -> status { return over_; }

  /// Publishes one record. Arguments as the writer's. Needs  reserve() was ok.  Returns  ok.
  template <class... Record>
  [[gnu::always_inline]] inline auto publish(Record... what) noexcept -> status {
    writer_.publish(what...);
    if (duty_ == duty::look) [[likely]] {
      data_bell_.ring_if_awaited_asymmetric();
    } else if (duty_ != duty::none) {
      attend();
    }
    return status::ok;
  }

  /// Withholds one record until the next flush or publication.
  template <class... Record>
  void withhold(Record... what) noexcept {
    writer_.withhold(what...);
    duty_ = duty::batch;
  }

  /// Publishes what is withheld, as one commit would have.
  void end_batch() noexcept {
    if (control_.protocol() == wake_protocol::at_flush) return flush();
    attend();
  }

  /// Publishes what is withheld, wakes a sleeping consumer, refreshes the hint and the statistics.
  void flush() noexcept {
    publish_batch();
    control_.store_write_position(writer_.position());
    if (control_.protocol() != wake_protocol::none) data_bell_.ring_if_awaited();
    store_counters();
  }

  /// Flushes, then says that nothing more will come. The next claim gets `closed`, or `corrupt` as before.
  void close() noexcept {
    flush();
    control_.close(layout::closed_by_producer);
    if (over_ != status::corrupt) end(status::closed);
    data_bell_.ring();
  }

  [[nodiscard]] auto acknowledge(std::uint32_t read_position) noexcept -> status {
    if ((read_position - writer_.read_position()) >> 31 != 0) return status::stale;
    const auto outcome = writer_.accept(read_position);
    if (outcome == status::corrupt) end(outcome);
    return outcome;
  }

  /// Waits until a record of `size` bytes fits. Returns  ok, and the outcomes of reserve() and of waits.
  template <wait_policy Wait>
  [[nodiscard]] auto await_room(std::uint32_t size, deadline until, const stop_word* stop) noexcept
      -> status {
    struct condition {
      spsc_producer_core& core;
      std::uint32_t size;
      auto look() noexcept -> status { return core.look_closer(size); }
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

  /// A look at the consumer's position. Returns  ok, closed, corrupt; `room`: bytes (slots) free.
  [[nodiscard]] auto look_for_room(std::uint32_t& room) noexcept -> status {
    if (over_ != status::ok) return over_;
    if (control_.load_closed() != 0) return status::closed;
    const auto outcome = writer_.look();
    if (outcome == status::corrupt) end(outcome);
    room = writer_.room();
    return outcome;
  }

  void count_drop() noexcept {
    ++counters_.drops;
    store_counters();
  }
  [[nodiscard]] auto dropped() const noexcept -> std::uint32_t { return counters_.drops; }
  [[nodiscard]] auto writer() const noexcept -> const Writer& { return writer_; }

 private:
  /// Seven words per event would cost a tenth of the throughput of large records (bench/README.md).
  static constexpr std::uint32_t events_per_store = 16;

  /// What a publication owes besides its own store.
  enum class duty : std::uint32_t {
    none,
    look,   ///< look for a sleeper; the sleeper paid for the fence
    fence,  ///< the same, behind a fence
    batch,  ///< publish what is withheld, then the usual
  };

  [[nodiscard]] static auto duty_of(wake_protocol protocol) noexcept -> duty {
    if (protocol == wake_protocol::asymmetric) return duty::look;
    return protocol == wake_protocol::fenced ? duty::fence : duty::none;
  }

  /// No claim succeeds any more: this side has closed, or has seen damage.
  void end(status why) noexcept {
    over_ = why;
    writer_.stop();
  }

  [[nodiscard, gnu::noinline]] auto make_room(std::uint32_t size) noexcept -> status {
    const auto outcome = look_closer(size);
    if (outcome == status::full) {
      ++counters_.full;
      flush();  // the consumer cannot make room for what it cannot see
    } else if (++events_ % events_per_store == 0) {
      store_counters();
    }
    return outcome;
  }

  [[nodiscard]] auto look_closer(std::uint32_t size) noexcept -> status {
    if (over_ != status::ok) return over_;
    if (writer_.is_held()) return status::busy;
    const auto outcome = writer_.make_room(size);
    if (outcome == status::corrupt) end(outcome);
    return outcome;
  }

  [[gnu::noinline]] void attend() noexcept {
    publish_batch();
    if (duty_ != duty::none) data_bell_.ring_if_awaited();
  }

  void publish_batch() noexcept {
    writer_.publish_batch();
    duty_ = usual_duty_;
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.word(layout::spsc::producer_statistics);
  }

  void store_counters() noexcept {
    if constexpr (Statistics::enabled) {
      counters_.bytes = bytes_before_ + writer_.position();
      counters_.records = records_before_ + writer_.records();
      counters_.high_water = larger(high_water_before_, writer_.high_water());
      store_statistics<Memory>(statistics_words(), counters_);
    }
  }

  spsc_control<Memory> control_;
  Writer writer_;
  park_bell<Memory> data_bell_;
  duty usual_duty_;
  duty duty_;
  std::uint32_t events_ = 0;
  bool resumed_ = false;
  status over_ = status::ok;
  producer_statistics counters_;
  std::uint32_t bytes_before_ = 0;
  std::uint32_t records_before_ = 0;
  std::uint32_t high_water_before_ = 0;
  held_role<Memory> role_;
};

}  // namespace weir::detail
