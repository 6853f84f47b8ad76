// SPDX-License-Identifier: MIT
/// A reader of version_table: it remembers, in words of its caller's, what it has seen.
#pragma once

#include <weir/contract.hpp>
#include <weir/detail/version_control.hpp>
#include <weir/detail/version_word.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

namespace weir {

/// What a reader counts, privately.
struct version_reader_statistics {
  std::uint32_t changes = 0;  ///< versions reported
  std::uint32_t waits = 0;    ///< sleeps
  /// Sleeps that ended by time although there was something: a publisher stood still, or died, between the
  /// version and the counter.
  std::uint32_t late_wakes = 0;
};

/// Finds out which versions have changed, and waits for them. As many as there are threads.
///
/// Thread  one at a time. Move-only: what it has seen is there once.
template <class Memory, wait_policy Wait>
class version_reader {
 public:
  /// Needs  version_table::seen_words() words, which outlive the reader and which nobody else touches.
  version_reader(const detail::version_control<Memory>& control, std::uint32_t* seen) noexcept
      : control_{control}, seen_{seen} {
    forget();
  }
  version_reader(version_reader&&) noexcept = default;
  auto operator=(version_reader&&) noexcept -> version_reader& = default;

  // --- what has changed

  /// Calls found(slot, version) for each slot that has a whole version which this reader has not seen.
  ///
  /// Returns  how many. A version that is odd is left for a later call, as end() brings it back; of
  ///          several that follow each other the last one is reported. Nothing is missed.
  /// Progress wait-free: one load where nothing has changed; else up to 128 counters, and 32 words for
  ///          each counter that has moved.
  template <class Found>
  auto changed(Found&& found) noexcept -> std::uint32_t {
    const auto now = control_.load(control_.root());
    if (now == seen_[0]) return 0;
    seen_[0] = now;  // read before what it stands for, as every counter is: never newer than that
    const auto before = counters_.changes;
    look_below(control_.shape().levels, 0, found);
    return counters_.changes - before;
  }

  /// True if changed() would look for something: perhaps in vain, after touch(), a stop or a begun write.
  [[nodiscard]] auto has_news() const noexcept -> bool {
    return control_.load(control_.root()) != seen_[0];
  }

  /// Everything is new again.
  void forget() noexcept { std::fill_n(seen_, words(), unseen); }

  /// Nothing is new.
  void mark_all_seen() noexcept {
    const auto& shape = control_.shape();
    seen_[0] = control_.load(control_.root());
    for (std::uint32_t index = 0; index < shape.counters; ++index) {  // from the highest level down
      seen_[1 + index] = control_.load(control_.counter(index));
    }
    for (std::uint32_t slot = 0; slot < shape.slots; ++slot) {
      const auto version = control_.version(slot).load();
      *seen_version(slot) = is_whole(version) ? version : unseen;
    }
  }

  /// The version that changed() reported last; odd: none so far.
  /// Needs  slot < slots().
  [[nodiscard]] auto version(std::uint32_t slot) const noexcept -> std::uint32_t {
    WEIR_EXPECTS(slot < control_.shape().slots);
    return *seen_version(slot);
  }
  [[nodiscard]] auto slots() const noexcept -> std::uint32_t { return control_.shape().slots; }

  // --- waiting, as the policy says: until `until`, or until the stop word is set

  /// Waits until there is something that changed() has not looked at.
  ///
  /// Returns  ok (as has_news()); timed_out; stopped; empty (poll); would_block (inline mode).
  [[nodiscard]] auto wait_any(deadline until = no_deadline,
                              const stop_word* stop = nullptr) noexcept -> status {
    struct condition {
      const version_reader& reader;
      auto look() noexcept -> status { return reader.has_news() ? status::ok : status::empty; }
      auto peer() noexcept -> status { return status::ok; }
    } news{*this};
    return await(control_.data_bell(), news, until, stop);
  }

  /// Waits until a slot has a whole version other than the one given. Its publisher may not have told
  /// changed() of it yet.
  /// Returns  as wait_any(); bad_layout: there is no such slot.
  [[nodiscard]] auto wait(std::uint32_t slot, std::uint32_t seen, deadline until = no_deadline,
                          const stop_word* stop = nullptr) noexcept -> status {
    if (slot >= slots()) return status::bad_layout;
    return wait_for(slot, [seen](std::uint32_t version) { return version != seen; }, until, stop);
  }

  /// Waits until every slot has had a whole version that has_reached() the target; goes from one to the
  /// next, and does not come back.
  /// Returns  as wait_any().
  [[nodiscard]] auto wait_all(std::uint32_t target, deadline until = no_deadline,
                              const stop_word* stop = nullptr) noexcept -> status {
    return wait_each([target](std::uint32_t) { return target; }, until, stop);
  }

  /// As above, with a target for each slot.
  /// Returns  as wait_any(); bad_layout: not as many targets as slots.
  [[nodiscard]] auto wait_all(std::span<const std::uint32_t> targets, deadline until = no_deadline,
                              const stop_word* stop = nullptr) noexcept -> status {
    if (targets.size() != slots()) return status::bad_layout;
    return wait_each([targets](std::uint32_t slot) { return targets[slot]; }, until, stop);
  }

  [[nodiscard]] auto statistics() const noexcept -> const version_reader_statistics& {
    return counters_;
  }

 private:
  /// No whole version and no counter without its lowest bit is equal to it.
  static constexpr std::uint32_t unseen = 1;

  [[nodiscard]] auto words() const noexcept -> std::size_t {
    return std::size_t{1} + control_.shape().counters + control_.shape().slots;
  }
  [[nodiscard]] auto seen_version(std::uint32_t slot) const noexcept -> std::uint32_t* {
    return seen_ + 1 + control_.shape().counters + slot;
  }

  /// Looks at what a counter that has moved stands for: counters of the level below its own, or versions.
  /// `level`: its own, or, for the root, the number of levels.
  template <class Found>
  void look_below(std::uint32_t level, std::uint32_t index, Found& found) noexcept {
    const auto& shape = control_.shape();
    const auto all = level == 0 ? shape.slots : shape.count[level - 1];
    const bool is_root = level == shape.levels;
    const auto first = is_root ? 0 : index * detail::version_shape::fan_out;
    const auto end = is_root ? all : detail::smaller(all, first + detail::version_shape::fan_out);
    for (auto below = first; below < end; ++below) {
      if (level == 0) {
        look_at(below, found);
      } else {
        const auto counter = shape.first[level - 1] + below;
        const auto now = control_.load(control_.counter(counter));
        if (now == seen_[1 + counter]) continue;
        seen_[1 + counter] = now;
        look_below(level - 1, below, found);
      }
    }
  }
  template <class Found>
  void look_at(std::uint32_t slot, Found& found) noexcept {
    const auto version = control_.version(slot).load();
    if (!is_whole(version) || version == *seen_version(slot)) return;
    *seen_version(slot) = version;
    ++counters_.changes;
    found(slot, version);
  }

  /// Waits until the slot's version is whole and as `wanted` says.
  template <class Wanted>
  [[nodiscard]] auto wait_for(std::uint32_t slot, Wanted wanted, deadline until,
                              const stop_word* stop) noexcept -> status {
    struct condition {
      detail::version_word<Memory> word;
      Wanted wanted;
      auto look() noexcept -> status {
        const auto version = word.load();
        return is_whole(version) && wanted(version) ? status::ok : status::empty;
      }
      auto peer() noexcept -> status { return status::ok; }
    } wait{control_.version(slot), wanted};
    return await(control_.bell_of(control_.lowest(slot)), wait, until, stop);
  }
  template <class Targets>
  [[nodiscard]] auto wait_each(Targets target_of, deadline until, const stop_word* stop) noexcept
      -> status {
    for (std::uint32_t slot = 0; slot < slots(); ++slot) {
      const auto reached = [target = target_of(slot)](std::uint32_t version) {
        return has_reached(version, target);
      };
      if (const auto outcome = wait_for(slot, reached, until, stop); outcome != status::ok) {
        return outcome;
      }
    }
    return status::ok;
  }
  template <class Condition>
  [[nodiscard]] auto await(detail::park_bell<Memory> bell, Condition& condition, deadline until,
                           const stop_word* stop) noexcept -> status {
    detail::wait_counters counters;
    const auto outcome = detail::await<Wait>(
        detail::wait_request<Memory, Condition>{bell, condition, until, stop, counters});
    counters_.waits += counters.waits;
    counters_.late_wakes += counters.late_wakes;
    return outcome;
  }

  detail::version_control<Memory> control_;
  /// The root, then the counters as they lie in the table, then the versions.
  std::uint32_t* seen_;
  version_reader_statistics counters_;
};

}  // namespace weir
