// SPDX-License-Identifier: MIT
/// The consuming roles of all lanes as one: taking turns, waiting, ending.
///
/// A lane that has records keeps its turn for at most `lane_slice` of them. An idle lane costs one load
/// of shared memory, of the word in which its next record will appear. A lane whose bytes are damaged is
/// reported once, closed, and left out from then on; the others go on.
///
/// `Core` is the consuming role of one ring (consumer_core.hpp).
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/consumer_core.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/doorbell.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace weir {

/// What the consumer of all lanes counts; the rest stands in each lane. Both wrap.
struct lanes_statistics {
  std::uint32_t waits = 0;       ///< sleeps
  std::uint32_t late_wakes = 0;  ///< sleeps that ended by time although records were there
};

namespace detail {

/// Most records of one lane in a row while others may have some.
inline constexpr std::uint32_t lane_slice = 256;

template <class Core, std::uint32_t MaxLanes>
class lanes_core {
 public:
  using memory = typename Core::memory;

  /// `statistics`: two shared words. Needs  adopt() for each lane before anything else.
  lanes_core(const doorbell<memory>& bell, std::uint32_t* statistics) noexcept
      : bell_{bell.park_word(), bell.protocol(), bell.process_shared()},
        statistics_{statistics},
        counters_{load_statistics<memory, lanes_statistics>(statistics)} {}

  /// Adds the next lane's role. Needs  fewer than MaxLanes so far.
  void adopt(Core core) noexcept { cores_[lanes_++].emplace(std::move(core)); }

  [[nodiscard]] auto lanes() const noexcept -> std::uint32_t { return lanes_; }
  /// The lane of the newest find.
  [[nodiscard]] auto found_in() const noexcept -> std::uint32_t { return found_in_; }
  [[nodiscard]] auto found() noexcept -> Core& { return *cores_[found_in_]; }

  /// Asks the lanes in turn with `attempt(core)` (-> ok, empty, corrupt) until one is not empty.
  /// Returns  ok; empty; closed: every lane is closed and read; corrupt: a lane turned out damaged.
  template <class Wait, class Attempt>
  [[nodiscard, gnu::always_inline]] inline auto find(Attempt&& attempt) noexcept -> status {
    if (turn().reader().records() - turn_began_ >= lane_slice) [[unlikely]]
      pass_on();
    for (bool last = false;;) {
      for (std::uint32_t idle = 0; idle != lanes_; ++idle) {
        const auto outcome = attempt(turn());
        if (outcome == status::ok) [[likely]] {
          found_in_ = cursor_;
          ++records_;
          return status::ok;
        }
        if (outcome == status::corrupt && give_up()) return status::corrupt;
        turn().let_go();
        pass_on();
      }
      if (linger<Wait>()) continue;
      const auto outcome = last ? status::empty : end();
      if (outcome != status::ok) return outcome;
      last = true;  // something came meanwhile
    }
  }

  /// Shows records of all lanes in turn, with `show(record, lane)`: at most `limit`, and of each lane no
  /// more than it can hold, and two slices.
  template <class Wait, class Show>
  [[nodiscard, gnu::always_inline]] inline auto drain(Show&& show, std::uint32_t limit) noexcept
      -> drained {
    std::uint32_t total = 0;
    auto outcome = status::ok;
    auto turns = turns_per_drain();
    for (std::uint32_t idle = 0;;) {
      for (; idle != lanes_ && turns != 0 && total != limit; --turns) {
        const auto lane = cursor_;
        std::uint32_t shown = 0;
        outcome = turn().reader().drain([&](const auto& record) { show(record, lane); },
                                        smaller(lane_slice, limit - total), shown);
        total += shown;
        records_ += shown;
        if (shown != 0) found_in_ = lane;
        idle = outcome == status::ok ? 0 : idle + 1;
        if (outcome != status::ok && settle(outcome)) return finish(status::corrupt, total);
        pass_on();
      }
      if (idle != lanes_) return finish(status::ok, total);  // the limit
      idle = 0;
      if (turns != 0 && linger<Wait>()) continue;
      outcome = end();
      if (outcome != status::ok || turns == 0) return {outcome, total};
    }
  }

  template <wait_policy Wait, class Look>
  [[nodiscard]] auto await_record(Look look, deadline until, const stop_word* stop) noexcept
      -> status {
    struct condition {
      Look& find;
      auto look() noexcept -> status { return find(); }
      auto peer() noexcept -> status { return status::ok; }
    } record{look};
    wait_counters counters;
    const auto outcome =
        await<Wait>(wait_request<memory, condition>{bell_, record, until, stop, counters});
    if (counters.waits != 0) {
      counters_.waits += counters.waits;
      counters_.late_wakes += counters.late_wakes;
      store_statistics<memory>(statistics_, counters_);
    }
    return outcome;
  }

  void flush() noexcept {
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) cores_[lane]->flush();
  }
  void close() noexcept {
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) cores_[lane]->close();
  }

 private:
  [[nodiscard]] auto turn() noexcept -> Core& { return *cores_[cursor_]; }

  void pass_on() noexcept {
    cursor_ = cursor_ + 1 == lanes_ ? 0 : cursor_ + 1;
    turn_began_ = turn().reader().records();
  }

  /// Turns in which every lane can be shown as often as it holds records, and once more.
  [[nodiscard]] auto turns_per_drain() noexcept -> std::uint64_t {
    return std::uint64_t{lanes_} * (turn().reader().most_records() / lane_slice + 2);
  }

  /// The lane whose turn it is has nothing more. Returns  true: it is newly found damaged.
  [[nodiscard]] auto settle(status outcome) noexcept -> bool {
    if (outcome == status::corrupt && give_up()) return true;
    turn().let_go();
    return false;
  }

  /// Closes the damaged lane whose turn it is. Returns  true the first time.
  [[nodiscard]] auto give_up() noexcept -> bool {
    if (std::exchange(damaged_[cursor_], true)) return false;
    found_in_ = cursor_;
    turn().close();
    pass_on();
    return true;
  }

  /// Not every lane was seen empty: some may not have let go of what was shown.
  [[nodiscard]] auto finish(status outcome, std::uint32_t total) noexcept -> drained {
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) cores_[lane]->let_go();
    return {outcome, total};
  }

  /// Every lane was empty. The first one that is open says that there is no end yet; lanes never open
  /// again, so one look is enough. Returns  empty; closed; corrupt; ok: something has come meanwhile.
  [[nodiscard, gnu::noinline]] auto end() noexcept -> status {
    for (; closed_ != lanes_; ++closed_) {
      auto& core = *cores_[closed_];
      if (core.control().load_closed() == 0) return status::empty;
      const auto outcome = look(core);  // whatever was published before that is visible now
      if (outcome == status::corrupt && !damaged_[closed_]) {
        cursor_ = closed_;
        static_cast<void>(give_up());
        return outcome;
      }
      if (outcome == status::ok) return outcome;
    }
    return status::closed;
  }

  [[nodiscard]] static auto look(Core& core) noexcept -> status {
    if constexpr (requires { core.reader().peek(); }) {
      return core.reader().peek();
    } else {
      record_view view{{}, 0, 0};
      std::uint32_t frame = 0;
      return core.reader().peek(view, frame);
    }
  }

  /// As consumer_core's, once for all lanes. Returns  true: look again.
  template <class Wait>
  [[nodiscard]] auto linger() noexcept -> bool {
    if constexpr (Wait::linger == 0 || !memory::can_wait) {
      return false;
    } else {
      const auto run = records_ - std::exchange(empty_at_, records_);
      if (run < linger_run) return false;
      linger_while<memory>([this] { return progress(); }, Wait::linger,
                           turn().control().data_bytes());
      return true;
    }
  }

  /// Changes while the producers get on; wraps.
  [[nodiscard]] auto progress() const noexcept -> std::uint32_t {
    std::uint32_t sum = 0;
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) sum += cores_[lane]->reader().hint();
    return sum;
  }

  std::array<std::optional<Core>, MaxLanes> cores_;
  std::array<bool, MaxLanes> damaged_{};
  park_bell<memory> bell_;
  std::uint32_t* statistics_;
  lanes_statistics counters_;
  std::uint32_t lanes_ = 0;
  std::uint32_t cursor_ = 0;      ///< the lane whose turn it is
  std::uint32_t turn_began_ = 0;  ///< its records when its turn began; wraps
  std::uint32_t found_in_ = 0;
  std::uint32_t closed_ = 0;    ///< lanes below it are closed, or damaged
  std::uint32_t records_ = 0;   ///< found in all lanes; wraps
  std::uint32_t empty_at_ = 0;  ///< records_ when all lanes were last found empty; wraps
};

}  // namespace detail
}  // namespace weir
