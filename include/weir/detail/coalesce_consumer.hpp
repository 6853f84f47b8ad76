// SPDX-License-Identifier: MIT
/// The consumer of coalesce.
#pragma once

#include <weir/detail/coalesce_control.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/layout.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace weir {

/// What a consumer of coalesce counts. All wrap.
struct coalesce_consumer_statistics {
  std::uint32_t shown = 0;       ///< values
  std::uint32_t waits = 0;       ///< sleeps
  std::uint32_t late_wakes = 0;  ///< sleeps that ended by time although a value was there
};

/// A key's newest value, as drain() shows it.
template <class T>
struct coalesced {
  std::uint32_t key;
  T value;
  std::uint32_t after;    ///< what the producer passed in with this value
  std::uint32_t updates;  ///< of this key since the last value shown, this one included; wraps
};
/// The same for bytes, which stay what they are until the key is shown the next time.
template <>
struct coalesced<bytes> {
  std::uint32_t key;
  std::span<const std::byte> value;  ///< 8-aligned; a hostile producer can still change them
  std::uint32_t after;
  std::uint32_t updates;
};

/// Sees, of every key that has changed, the newest value. One per coalesce; move-only.
/// Thread  one at a time; hand it over only through something that synchronizes.
template <class T, class Memory, class Statistics, wait_policy Wait>
class coalesce_consumer {
  static constexpr bool frames = std::same_as<T, bytes>;

 public:
  coalesce_consumer(const detail::coalesce_control<Memory>& control,
                    detail::held_role<Memory> role) noexcept
      : control_{control}, role_{std::move(role)} {}
  coalesce_consumer(coalesce_consumer&&) noexcept = default;
  auto operator=(coalesce_consumer&&) -> coalesce_consumer& = delete;
  ~coalesce_consumer() {
    if (role_ && resumed_) store_counters();
  }

  /// Second half of taking the role. Not for callers. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    counters_ = detail::load_statistics<Memory, coalesce_consumer_statistics>(statistics_words());
    if (const auto outcome = control_.repair(); outcome != status::ok) return outcome;
    // relaxed: single writer. Behind the look at the states: what was taken has its word here.
    const auto showing = Memory::load(showing_word(), std::memory_order_relaxed);
    if (showing > keys()) return status::corrupt;
    again_ = showing;
    resumed_ = true;
    return status::ok;
  }

  /// Shows `show(const coalesced<T>&)` each key that has changed since it was last shown: once, with the
  /// newest value, in the order of the keys. What changes meanwhile may wait for the next drain.
  ///
  /// Returns  how many were shown, and empty; closed: nothing more will come; corrupt, for good.
  /// Thread   consumer; `show` must not use this consumer, nor throw.   Progress  wait-free but for `show`.
  /// Cost     a load per 1024 keys, and what has changed.
  template <class Show>
  [[nodiscard]] auto drain(Show&& show) noexcept -> drained {
    const bool closed = control_.load_closed() != 0;
    std::uint32_t shown = 0;
    if (again_ != 0) show_again(show, shown);
    for (std::uint32_t root = 0; root < control_.shape().roots() && !corrupt_; ++root) {
      drain_root(root, show, shown);
    }
    if (shown != 0) {
      set_showing(0);
      counters_.shown += shown;
      store_counters();
    }
    if (corrupt_) return {status::corrupt, shown};
    return {closed ? status::closed : status::empty, shown};
  }

  /// Waits until a key has changed, as the policy says.
  ///
  /// Returns  ok; closed; corrupt; timed_out; stopped; empty (poll); would_block (inline mode);
  ///          peer_dead: policy park, shared by processes, nothing new, and the producer died.
  /// Thread   consumer.
  [[nodiscard]] auto wait(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status {
    struct condition {
      coalesce_consumer& self;
      auto look() noexcept -> status { return self.look(); }
      auto peer() noexcept -> status {
        if (!self.control_.process_shared()) return status::ok;
        const auto state = self.control_.producer_entry().state();
        return state == owner_state::dead ? status::peer_dead : status::ok;
      }
    } news{*this};
    auto bell = control_.data_bell();
    detail::wait_counters counters;
    const auto outcome = detail::await<Wait>(
        detail::wait_request<Memory, condition>{bell, news, until, stop, counters});
    if (counters.waits != 0) {
      counters_.waits += counters.waits;
      counters_.late_wakes += counters.late_wakes;
      store_counters();
    }
    return outcome;
  }

  /// Ends the stream from this side: updates get `closed`. What has changed can still be shown.
  void close() noexcept { control_.close(layout::closed_by_consumer); }

  [[nodiscard]] auto keys() const noexcept -> std::uint32_t { return control_.shape().keys; }
  /// The largest value, in bytes.
  [[nodiscard]] auto max_value() const noexcept -> std::uint32_t {
    return control_.shape().max_value;
  }

 private:
  [[nodiscard]] auto look() noexcept -> status {
    if (corrupt_) return status::corrupt;
    const bool closed = control_.load_closed() != 0;
    if (again_ != 0) return status::ok;
    for (std::uint32_t root = 0; root < control_.shape().roots(); ++root) {
      // [C5] acquire <- [P5].
      if (Memory::load(control_.root(root), std::memory_order_acquire) != 0) return status::ok;
    }
    return closed ? status::closed : status::empty;
  }

  template <class Show>
  void drain_root(std::uint32_t root, Show& show, std::uint32_t& shown) noexcept {
    // relaxed: re-checked by [C3]
    if (Memory::load(control_.root(root), std::memory_order_relaxed) == 0) return;
    // [C3] acquire <- [P5].
    auto bits = Memory::exchange(control_.root(root), 0, std::memory_order_acquire);
    for (; bits != 0 && !corrupt_; bits &= bits - 1) {
      const auto leaf =
          root * detail::bits_per_mark + static_cast<std::uint32_t>(std::countr_zero(bits));
      if (leaf < control_.shape().leaves()) drain_leaf(leaf, show, shown);
    }
  }

  template <class Show>
  void drain_leaf(std::uint32_t leaf, Show& show, std::uint32_t& shown) noexcept {
    // [C4] acq_rel -> [P3] <- [P3]: that the root bit is cleared; the state of every key that is marked.
    auto bits = Memory::exchange(control_.leaf(leaf), 0, std::memory_order_acq_rel);
    for (; bits != 0 && !corrupt_; bits &= bits - 1) {
      const auto key =
          leaf * detail::bits_per_mark + static_cast<std::uint32_t>(std::countr_zero(bits));
      if (key < keys()) take(key, show, shown);
    }
  }

  /// Takes the newest buffer of a key and shows it; until then the other one was this side's.
  template <class Show>
  void take(std::uint32_t key, Show& show, std::uint32_t& shown) noexcept {
    // [C1] acquire <- [P2].
    const detail::key_state before{Memory::load(control_.state_of(key), std::memory_order_acquire)};
    if (!before.valid()) return give_up();
    if (before.taken()) return;  // shown already: its mark came late
    const auto last = field(key, before.consumers(), layout::coalesce::buffer_updates);
    set_showing(key + 1);
    // [C2] acq_rel -> [P1] [P2] [P4] <- [P2]: the last access to the other buffer; the newest one.
    const detail::key_state state{Memory::fetch_or(
        control_.state_of(key), detail::key_state::taken_bit, std::memory_order_acq_rel)};
    if (!state.valid() || state.taken()) return give_up();
    const auto updates = field(key, state.newest(), layout::coalesce::buffer_updates) - last;
    show_buffer(key, state.newest(), updates, show, shown);
  }

  /// The key that a dead consumer may have taken without showing it. If it has changed since, it is marked.
  template <class Show>
  void show_again(Show& show, std::uint32_t& shown) noexcept {
    const auto key = std::exchange(again_, 0) - 1;
    // [C7] acquire <- [P2].
    const detail::key_state state{Memory::load(control_.state_of(key), std::memory_order_acquire)};
    if (!state.valid()) return give_up();
    if (state.taken()) show_buffer(key, state.newest(), 1, show, shown);
    set_showing(0);
  }

  template <class Show>
  void show_buffer(std::uint32_t key, std::uint32_t index, std::uint32_t updates, Show& show,
                   std::uint32_t& shown) noexcept {
    const auto size = field(key, index, layout::coalesce::buffer_size);
    const auto after = field(key, index, layout::coalesce::buffer_after);
    const auto* const value = control_.buffer_of(key, index) + layout::coalesce::buffer_value;
    if constexpr (frames) {
      if (size > max_value()) return give_up();
      show(coalesced<T>{key, {value, size}, after, updates});
    } else {
      if (size != sizeof(T)) return give_up();
      std::array<std::byte, sizeof(T)> copy;
      Memory::copy_out(copy.data(), value, sizeof(T));
      show(coalesced<T>{key, std::bit_cast<T>(copy), after, updates});
    }
    ++shown;
  }

  [[nodiscard]] auto field(std::uint32_t key, std::uint32_t index,
                           std::uint32_t offset) const noexcept -> std::uint32_t {
    // relaxed: before publication [P2]
    return Memory::load(detail::word_at(control_.buffer_of(key, index), offset),
                        std::memory_order_relaxed);
  }

  void give_up() noexcept { corrupt_ = true; }

  [[nodiscard]] auto showing_word() const noexcept -> std::uint32_t* {
    return control_.word(layout::coalesce::showing);
  }
  void set_showing(std::uint32_t value) noexcept {
    // relaxed: single writer
    Memory::store(showing_word(), value, std::memory_order_relaxed);
  }
  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.word(layout::coalesce::consumer_statistics);
  }
  void store_counters() noexcept {
    if constexpr (Statistics::enabled) {
      detail::store_statistics<Memory>(statistics_words(), counters_);
    }
  }

  detail::coalesce_control<Memory> control_;
  coalesce_consumer_statistics counters_;
  std::uint32_t again_ = 0;  ///< 1 + a key to show once more
  bool resumed_ = false;
  bool corrupt_ = false;
  detail::held_role<Memory> role_;
};

}  // namespace weir
