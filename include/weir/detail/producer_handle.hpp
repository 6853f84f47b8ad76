// SPDX-License-Identifier: MIT
/// What the producers of byte rings and of typed rings have in common. `Core` is the role behind the handle.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstdint>
#include <utility>

namespace weir::detail {

template <class Core, backpressure_policy Backpressure>
class producer_handle {
 public:
  /// Publishes what commit_later() withheld, and wakes a sleeping consumer.
  /// Thread  producer.   Progress  wait-free.
  void flush() noexcept { core_.flush(); }

  /// Flushes and ends the stream, for every producer: the consumer drains what is there and then sees
  /// `closed`.
  void close() noexcept { core_.close(); }

  /// Takes the consumer's read position from a message: free space is known without a look.
  /// Needs    a message that synchronizes, as every queue and postMessage does.
  /// Returns  ok; stale: older than what this side knows; corrupt, for good: ahead of what was published.
  [[nodiscard]] auto acknowledge(std::uint32_t read_position) noexcept -> status {
    return core_.acknowledge(read_position);
  }

  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return core_.writer().area().capacity;
  }
  /// Records that drop_newest dropped, of those who have held this role, since the ring was formatted;
  /// wraps.
  [[nodiscard]] auto dropped() const noexcept -> std::uint32_t { return core_.dropped(); }

  // What a backpressure gate needs. Not for callers.
  [[nodiscard]] auto look_for_room(std::uint32_t& room) noexcept -> status {
    return core_.look_for_room(room);
  }
  void count_drop() noexcept { core_.count_drop(); }

 protected:
  producer_handle(Core state, const Backpressure& policy) noexcept
      : core_{std::move(state)}, gate_{policy} {}

  /// Makes room for one record, if the policy lets it. `self`: the whole handle.
  template <class Producer>
  [[nodiscard, gnu::always_inline]] inline auto admit(Producer& self, std::uint32_t size) noexcept
      -> status {
    if (const auto outcome = gate_.admit(self, size); outcome != status::ok) return outcome;
    const auto outcome = core_.reserve(size);
    if (outcome == status::full) [[unlikely]]
      gate_.refused(self);
    return outcome;
  }

  /// The same, and waits for room as the policy says.
  template <class Producer>
  [[nodiscard]] auto await_room(Producer& self, std::uint32_t size, deadline until,
                                const stop_word* stop) noexcept -> status {
    const auto outcome = admit(self, size);
    if (outcome != status::full) return outcome;
    return core_.template await_room<typename Backpressure::wait_type>(size, until, stop);
  }

  Core core_;
  [[no_unique_address]] typename Backpressure::gate gate_;
};

}  // namespace weir::detail
