// SPDX-License-Identifier: MIT
/// The producer of coalesce.
#pragma once

#include <weir/detail/coalesce_control.hpp>
#include <weir/layout.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// What a producer of coalesce counts. Both wrap.
struct coalesce_producer_statistics {
  std::uint32_t updates = 0;  ///< made
  std::uint32_t coalesced =
      0;  ///< of these, how many took the place of a value that was not shown yet
};

/// Sets values. One per coalesce; move-only.
/// Thread  one at a time; hand it over only through something that synchronizes.
template <class T, class Memory, class Statistics>
class coalesce_producer {
  static constexpr bool frames = std::same_as<T, bytes>;

 public:
  coalesce_producer(const detail::coalesce_control<Memory>& control,
                    detail::held_role<Memory> role) noexcept
      : control_{control}, bell_{control.data_bell()}, role_{std::move(role)} {}
  coalesce_producer(coalesce_producer&&) noexcept = default;
  auto operator=(coalesce_producer&&) -> coalesce_producer& = delete;
  ~coalesce_producer() {
    if (role_ && resumed_) flush();
  }

  /// Second half of taking the role. Not for callers. Returns  ok; corrupt.
  [[nodiscard]] auto resume() noexcept -> status {
    counters_ = detail::load_statistics<Memory, coalesce_producer_statistics>(statistics_words());
    if (const auto outcome = control_.repair(); outcome != status::ok) return outcome;
    if (control_.protocol() != wake_protocol::none)
      bell_.ring_if_awaited();  // for what it repaired
    resumed_ = true;
    return status::ok;
  }

  /// Makes `value` the key's newest: the consumer will see this one, or a newer one, whole.
  ///
  /// `after` comes out with the value: say what this update follows in the stream beside it, such as the
  /// sequence of the last record written.
  /// Returns  ok; too_large: the value is larger than max_value(), or the key is not below keys();
  ///          closed; corrupt, for good. Never full.
  /// Thread   producer.   Progress  wait-free.   Cost  one compare-exchange; a second read-modify-write
  ///          and a look for a sleeper where the consumer has seen the key's last value.
  [[nodiscard]] auto update(std::uint32_t key, std::span<const std::byte> value,
                            std::uint32_t after = 0) noexcept -> status
    requires(frames)
  {
    if (value.size() > max_value()) return status::too_large;
    return put(key, value.data(), static_cast<std::uint32_t>(value.size()), after);
  }
  template <class Value = T>
    requires(!frames && std::same_as<Value, T>)
  [[nodiscard]] auto update(std::uint32_t key, const Value& value, std::uint32_t after = 0) noexcept
      -> status {
    return put(key, &value, static_cast<std::uint32_t>(sizeof(T)), after);
  }

  /// Wakes a sleeping consumer (at_flush: only this does), and refreshes the statistics.
  void flush() noexcept {
    if (control_.protocol() != wake_protocol::none) bell_.ring_if_awaited();
    store_counters();
  }

  /// Ends the stream: the consumer sees what is new and then `closed`; updates get `closed`.
  void close() noexcept {
    store_counters();
    control_.close(layout::closed_by_producer);
    bell_.ring();
  }

  [[nodiscard]] auto keys() const noexcept -> std::uint32_t { return control_.shape().keys; }
  /// The largest value, in bytes.
  [[nodiscard]] auto max_value() const noexcept -> std::uint32_t {
    return control_.shape().max_value;
  }

 private:
  /// Updates that replace unseen ones, between two stores of the statistics.
  static constexpr std::uint32_t updates_per_store = 1024;

  [[nodiscard]] auto put(std::uint32_t key, const void* value, std::uint32_t size,
                         std::uint32_t after) noexcept -> status {
    if (key >= keys()) return status::too_large;
    if (corrupt_) return status::corrupt;
    if (control_.load_closed() != 0) return status::closed;
    // [P1] acquire <- [P2] [C2]: the consumer no longer reads what is now the producer's.
    detail::key_state state{Memory::load(control_.state_of(key), std::memory_order_acquire)};
    if (!state.valid()) return give_up();
    auto* const buffer = control_.buffer_of(key, state.producers());
    fill(buffer, value, size, after, updates_in(key, state) + 1);
    for (int attempt = 0; attempt < 2; ++attempt) {
      // [P2] acq_rel -> [P1] [P4] [C1] [C2] [C7] <- [C2]: the buffer; takes over what the consumer let go of.
      if (Memory::compare_exchange(control_.state_of(key), state.word, state.published().word,
                                   std::memory_order_acq_rel,
                                   // relaxed: re-checked by [P2]
                                   std::memory_order_relaxed)) {
        announce(key, state.taken());
        return status::ok;
      }
      // Only the consumer's taking can have come between, and that changes nothing of what is ours.
      if (!state.valid() || control_.buffer_of(key, state.producers()) != buffer) break;
    }
    return give_up();
  }

  void fill(std::byte* buffer, const void* value, std::uint32_t size, std::uint32_t after,
            std::uint32_t updates) noexcept {
    using detail::word_at;
    Memory::copy_in(buffer + layout::coalesce::buffer_value, value, size);
    // relaxed: before publication [P2]
    Memory::store(word_at(buffer, layout::coalesce::buffer_size), size, std::memory_order_relaxed);
    // relaxed: before publication [P2]
    Memory::store(word_at(buffer, layout::coalesce::buffer_after), after,
                  std::memory_order_relaxed);
    // relaxed: before publication [P2]
    Memory::store(word_at(buffer, layout::coalesce::buffer_updates), updates,
                  std::memory_order_relaxed);
  }

  [[nodiscard]] auto updates_in(std::uint32_t key, detail::key_state state) const noexcept
      -> std::uint32_t {
    auto* const newest = control_.buffer_of(key, state.newest());
    // relaxed: single writer
    return Memory::load(detail::word_at(newest, layout::coalesce::buffer_updates),
                        std::memory_order_relaxed);
  }

  /// A value that nobody has seen is marked already, or its consumer is on the way to it.
  void announce(std::uint32_t key, bool seen) noexcept {
    ++counters_.updates;
    if (!seen) {
      if (++counters_.coalesced % updates_per_store == 0) store_counters();
      return;
    }
    control_.mark(key);
    store_counters();
    const auto protocol = control_.protocol();
    if (protocol == wake_protocol::asymmetric) {
      bell_.ring_if_awaited_asymmetric();
    } else if (protocol == wake_protocol::fenced) {
      bell_.ring_if_awaited();
    }
  }

  auto give_up() noexcept -> status {
    corrupt_ = true;
    return status::corrupt;
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.word(layout::coalesce::producer_statistics);
  }
  void store_counters() noexcept {
    if constexpr (Statistics::enabled) {
      detail::store_statistics<Memory>(statistics_words(), counters_);
    }
  }

  detail::coalesce_control<Memory> control_;
  detail::park_bell<Memory> bell_;
  coalesce_producer_statistics counters_;
  bool resumed_ = false;
  bool corrupt_ = false;
  detail::held_role<Memory> role_;
};

}  // namespace weir
