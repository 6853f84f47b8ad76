// SPDX-License-Identifier: MIT
/// Ring for one writer that never waits and any number of readers, each at its own pace.
///
/// Memory       header | writer's line: write position, overwrite end, sync position | park word | closed |
///              data (layout.hpp): records framed as in byte rings, each with its number
/// Invariants   I1  overwrite end and sync position are where records begin, and <= write position
///              I2  every record in [overwrite end, write position) is whole
///              I3  write position + one record - sync position < capacity
/// Edges        P1 -> P2  records    B1 -> B2  what is given up    Y1 -> Y2  where lapped readers go on
///              C1 -> C2  closing    S1 <-> S2  overwriting (table below)
///              the wake-up handshake is wait.hpp's, taking and leaving the role is owner.hpp's
/// Progress     write() and read() wait-free; taking the writing role walks half a ring; wait() as its policy
/// Wrap, ABA    positions and numbers are u64 and do not wrap: 2^64 bytes take centuries.
/// Dead peers   the successor of a dead writer goes on at the write position, with the next number; what
///              the dead one was overwriting is gone, as overwrite end says. Readers leave nothing behind.
/// Not for      readers that must get everything (spsc_ring, one each); one value (latest)
/// Source       Agrona's BroadcastTransmitter and CopyBroadcastReceiver (tail intent, copy, look again);
///              differs in relaxed words and fences, in dense numbers, so that a reader is told how much it
///              lost, and in that a lapped reader goes on half a ring behind, not at the newest record.
///
///   writer                                 reader
///   overwrite end = E          [B1]        write position > p                         [P2]
///   fence(release)             [S1]        words of the record at p
///   words of a record over p               fence(acquire)                             [S2]
///   write position             [P1]        overwrite end > p ?                        [B2]
///   forbidden: the reader has read a word that the writer wrote over p, and finds overwrite end <= p.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/broadcast_control.hpp>
#include <weir/detail/broadcast_reader.hpp>
#include <weir/detail/broadcast_writer.hpp>
#include <weir/detail/header.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace weir {

/// How a broadcast_ring is laid out.
struct broadcast_options {
  /// Bytes of data, a power of two from 256 to 2^31. 0: the largest that fits the span.
  std::uint32_t capacity = 0;
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Writer and readers may be in different processes.
  bool process_shared = false;
  /// The application's number for what the records mean; attach() compares it.
  std::uint32_t type_tag = 0;
  /// First position, a multiple of 8 below 2^63. For tests of the wrap.
  std::uint64_t start_position = 0;
};

/// A view of one ring. Copyable; it does nothing by itself: take the role, or a reader.
template <class T = bytes, memory_policy Memory = native_memory,
          statistics_policy Statistics = counted>
class broadcast_ring {
  static_assert(std::is_same_v<T, bytes>, "weir: a broadcast_ring carries records of bytes");

 public:
  using writer_type = broadcast_writer<Memory, Statistics>;
  template <wait_policy Wait = poll>
  using reader_type = broadcast_reader<Memory, Wait>;

  /// The smallest ring, in bytes: one whose largest record is 16 bytes.
  static constexpr std::uint32_t min_capacity = 256;

  /// Bytes of span that a ring of `capacity` bytes takes.
  [[nodiscard]] static constexpr auto bytes_required(std::uint32_t capacity) noexcept
      -> std::uint64_t {
    return layout::broadcast::data + std::uint64_t{capacity};
  }

  // --- format, attach

  /// Lays a ring out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, or the capacity is not
  ///          a power of two in range, or the start position is out of range, or the options contradict the doorbell.
  /// With a doorbell, readers sleep there; wake protocol and reach are the doorbell's.
  [[nodiscard]] static auto format(std::span<std::byte> span, const broadcast_options& options = {},
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<broadcast_ring> {
    const auto capacity = options.capacity != 0 ? options.capacity : largest_capacity(span.size());
    if (!is_capacity(capacity) || bytes_required(capacity) > span.size() ||
        !detail::is_aligned(span) || options.start_position % record::alignment != 0 ||
        options.start_position >> 63 != 0) {
      return status::bad_layout;
    }
    const auto wake = detail::chosen_wake(options.wake, bell, options.process_shared);
    const auto fields = expected(capacity,
                                 (options.process_shared ? layout::flag_process_shared : 0) |
                                     (bell ? layout::flag_doorbell : 0),
                                 options.type_tag, static_cast<std::uint32_t>(wake));
    if (!detail::fits_doorbell(fields, bell)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), layout::broadcast::data);
    const detail::broadcast_control<Memory> control{span.data(), fields, bell.park_word()};
    control.store_position(options.start_position);
    control.store_overwrite_end(options.start_position);
    control.store_sync(options.start_position);
    detail::publish_header<Memory>(span.data(), fields);
    return broadcast_ring{control};
  }

  /// A view of the ring that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          a ring of another tag, or one that the span does not hold, or one that was formatted with
  ///          a doorbell unlike the one given here.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0,
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<broadcast_ring> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    const bool possible = is_capacity(fields.capacity) &&
                          fields == expected(fields.capacity, fields.flags & own_flags, type_tag,
                                             fields.wake_protocol) &&
                          detail::fits_doorbell(fields, bell);
    if (!possible) return status::bad_layout;
    return broadcast_ring{detail::broadcast_control<Memory>{span.data(), fields, bell.park_word()}};
  }

  // --- roles

  /// Takes the writing role, from a dead owner too.
  /// Returns  a handle; busy: a live owner holds it; unsupported: this process cannot keep the ring's wake
  ///          protocol; corrupt: the shared positions and records are not those of a ring.
  [[nodiscard]] auto writer() const noexcept -> result<writer_type> {
    if (!control_.supports(false)) return status::unsupported;
    auto entry = control_.writer_entry();
    auto token = entry.take();
    if (!token) return token.status();
    writer_type writer{control_, detail::held_role<Memory>{entry, *token}};
    if (const auto outcome = writer.resume(); outcome != status::ok) return outcome;
    return writer;
  }

  /// A reader. There is no role to take, and nobody knows of it.
  /// Returns  a reader; unsupported: the policy sleeps, and nobody would wake it here.
  /// One that begins with `from::newest` counts what it loses from the first record on that it reads.
  template <wait_policy Wait = poll>
  [[nodiscard]] auto reader(from where = from::oldest) const noexcept -> result<reader_type<Wait>> {
    if (Wait::parks && !control_.supports(true)) return status::unsupported;
    return reader_type<Wait>{control_, where};
  }

  /// Sets the word and wakes the readers: whoever waits with it returns `stopped`.
  /// Thread  any.   Progress  wait-free.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    control_.data_bell().ring();
  }

  // --- observers; thread: any, also after the death of the writer

  /// Bytes of data.
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return control_.fields().capacity;
  }
  /// The largest payload of one record, in bytes: an eighth of the ring less 16.
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return control_.fields().max_record;
  }
  [[nodiscard]] auto wake() const noexcept -> wake_protocol { return control_.protocol(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return control_.process_shared(); }
  [[nodiscard]] auto writer_owner() const noexcept -> owner_state {
    return control_.writer_entry().state();
  }
  /// Stays  true.
  [[nodiscard]] auto closed() const noexcept -> bool { return control_.load_closed(); }
  [[nodiscard]] auto statistics() const noexcept -> broadcast_statistics {
    return detail::load_statistics<Memory, broadcast_statistics>(
        control_.word(layout::broadcast::writer_statistics));
  }

 private:
  static constexpr auto own_flags = layout::flag_process_shared | layout::flag_doorbell;

  explicit broadcast_ring(const detail::broadcast_control<Memory>& control) noexcept
      : control_{control} {}

  [[nodiscard]] static constexpr auto is_capacity(std::uint32_t capacity) noexcept -> bool {
    return detail::is_power_of_two(capacity) && capacity >= min_capacity;
  }
  [[nodiscard]] static constexpr auto largest_capacity(std::size_t span_size) noexcept
      -> std::uint32_t {
    if (span_size < bytes_required(min_capacity)) return 0;
    const auto room = std::uint64_t{span_size} - layout::broadcast::data;
    constexpr std::uint64_t most = record::max_capacity;
    return static_cast<std::uint32_t>(std::bit_floor(room < most ? room : most));
  }

  /// The header of such a ring. attach() accepts nothing else.
  [[nodiscard]] static auto expected(std::uint32_t capacity, std::uint32_t flags,
                                     std::uint32_t type_tag, std::uint32_t wake) noexcept
      -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::broadcast),
            .flags = flags,
            .total_size = static_cast<std::uint32_t>(bytes_required(capacity)),
            .capacity = capacity,
            .data_offset = layout::broadcast::data,
            .alignment = record::alignment,
            .max_record = detail::broadcast_max_record(capacity),
            .type_tag = type_tag,
            .wake_protocol = wake};
  }

  detail::broadcast_control<Memory> control_;
};

}  // namespace weir
