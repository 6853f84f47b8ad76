// SPDX-License-Identifier: MIT
/// The consumer of all lanes: of bytes, or of values. `Core` is the role of one lane.
#pragma once

#include <weir/detail/byte_consumer.hpp>
#include <weir/detail/lanes_core.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/detail/slot_consumer.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace weir {

/// Reads the records of every lane: those of one lane in the order in which they were written, those of
/// different lanes in none. One per bundle; move-only, and as large as MaxLanes roles of 270 bytes each.
///
/// There is no redeem(): a descriptor does not name its lane.
/// Thread  one at a time; hand it over only through something that synchronizes.
/// Space that was read goes back as in spsc_ring. Before turning away from lanes that are not empty, call
/// flush().
template <class T, class Core, wait_policy Wait, std::uint32_t MaxLanes>
class lanes_consumer {
  static constexpr bool frames = std::same_as<T, bytes>;
  using memory = typename Core::memory;
  using lanes_type = detail::lanes_core<Core, MaxLanes>;
  using shown_type = std::conditional_t<frames, record_view, T>;

 public:
  using peeked_type = std::conditional_t<frames, byte_record<Core>, slot_record<T, Core>>;

  explicit lanes_consumer(lanes_type state) noexcept : lanes_{std::move(state)} {}

  /// The oldest record of the lane whose turn it is, in place; unless released it stays the answer.
  /// Returns  a record, or empty; closed: every lane is closed and read; corrupt: lane() is damaged, which
  ///          is said once, and then the lane counts as closed.
  /// Thread   consumer.   Progress  wait-free.
  [[nodiscard]] auto try_peek() noexcept -> peeked_type {
    if constexpr (frames) {
      record_view view{{}, 0, 0};
      std::uint32_t frame = 0;
      const auto outcome =
          lanes_.template find<Wait>([&](Core& core) { return core.reader().peek(view, frame); });
      if (outcome != status::ok) return {lanes_.found(), outcome};
      return {lanes_.found(), view, frame};
    } else {
      const auto outcome =
          lanes_.template find<Wait>([](Core& core) { return core.reader().peek(); });
      return {lanes_.found(), outcome};
    }
  }

  /// Copies the record that try_peek() would show out, and releases it. Returns  also too_large.
  [[nodiscard]] auto try_read(std::span<std::byte> out) noexcept -> read_result
    requires(frames)
  {
    auto record = try_peek();
    if (!record) return {record.status()};
    const auto size = static_cast<std::uint32_t>(record.bytes().size());
    if (size > out.size()) return {status::too_large, size, record.type()};
    memory::copy_out(out.data(), record.bytes().data(), size);
    const auto type = record.type();
    record.release();
    return {status::ok, size, type};
  }

  /// Copies the value that try_peek() would show out, and releases its slot.
  /// Thread   consumer.   Progress  wait-free.
  template <class Value>
    requires(!frames && std::same_as<Value, T>)
  [[nodiscard, gnu::always_inline]] inline auto try_read(Value& value) noexcept -> status {
    const auto outcome =
        lanes_.template find<Wait>([&](Core& core) { return core.reader().take(value); });
    if (outcome != status::ok) [[unlikely]]
      return outcome;
    lanes_.found().let_go_if_awaited();
    return status::ok;
  }

  /// Shows what is there, lane by lane, and lets go of it: to `read(record)` or `read(record, lane)`, the
  /// record as in spsc_ring. At most `limit`; of each lane at most detail::lane_slice before the next one
  /// has its turn, and in all no more than it can hold, and two slices.
  ///
  /// Returns  why it ended: ok (a limit), empty, closed, corrupt, as for try_peek(); and how many.
  /// Thread   consumer; `read` must not use this consumer, nor throw.   Progress  wait-free but for `read`.
  template <class Read>
  [[nodiscard, gnu::always_inline]] inline auto drain(Read&& read,
                                                      std::uint32_t limit = no_limit) noexcept
      -> drained {
    return lanes_.template drain<Wait>(
        [&read](const shown_type& record, [[maybe_unused]] std::uint32_t lane) {
          if constexpr (std::invocable<Read&, const shown_type&, std::uint32_t>) {
            read(record, lane);
          } else {
            read(record);
          }
        },
        limit);
  }

  /// Waits until there is something to read, as the policy says.
  ///
  /// Returns  ok; closed; corrupt; timed_out; stopped; empty (poll); would_block (inline mode). A dead
  ///          producer ends no wait: its lane is free for the next one.
  /// Thread   consumer.
  [[nodiscard]] auto wait(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status {
    return lanes_.template await_record<Wait>([this] { return try_peek().status(); }, until, stop);
  }

  /// The lane of the last record that was read, peeked at or shown, or that was found corrupt.
  [[nodiscard]] auto lane() const noexcept -> std::uint32_t { return lanes_.found_in(); }
  [[nodiscard]] auto lanes() const noexcept -> std::uint32_t { return lanes_.lanes(); }

  /// Lets go of everything that was read, and wakes the producers that wait for space.
  void flush() noexcept { lanes_.flush(); }

  /// Ends every lane from this side: claims get `closed`, producer() too.
  void close() noexcept { lanes_.close(); }

 private:
  lanes_type lanes_;
};

}  // namespace weir
