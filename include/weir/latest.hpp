// SPDX-License-Identifier: MIT
/// The newest value: one writer that never waits, any number of readers that take what is newest.
///
/// Memory       header | writer's line: version | park word | closed | buffers (layout.hpp); each buffer is a
///              sequence word and the value, and value n lies in buffer n mod the number of buffers
/// Invariants   I1  version names a value that is whole; with two buffers or more it stays whole until a
///                  later one is published, so a writer may die anywhere
///              I2  a buffer's sequence names the value in it, or is odd while that is being written
/// Edges        V1, V2 -> V3, V4  a value        V5 -> V6  closing       S1 <-> S2  overwriting (table below)
///              the wake-up handshake is wait.hpp's, taking and leaving the role is owner.hpp's
/// Progress     write() and read() wait-free: a read makes a bounded number of copies. wait() as its policy.
/// Wrap, ABA    values are numbered mod 2^31, or mod 2^63 with wide_version. A torn copy passes for whole
///              only if a multiple of 2^31 writes is made between a read's look at the version and its look
///              at the sequence: over ten seconds at 5 ns a write, in one copy. A reader overlooks news only
///              if exactly as many are made between two of its calls.
/// Dead peers   the successor of a dead writer goes on behind the newest version; what was not published
///              is gone, and its buffer, if its sequence is odd, stays odd until it is whole again. Readers
///              leave nothing behind.
/// Not for      every value (spsc_ring, broadcast_ring); several writers
/// Source       sequence locks (Lameter 2005; race-free form: Boehm 2012); the second buffer as in Linux's
///              seqcount_latch. Differs in that the sequence says which value a buffer holds, so that it is
///              read once, and in that a reader never waits for a writer that stands still.
///
///   writer                                 reader
///   sequence = 2 n - 1                     version is 2 m + 1, of the same buffer     [V3]
///   fence(release)             [S1]        words
///   words of value n                       fence(acquire)                             [S2]
///   sequence = 2 n                         sequence == 2 m ?
///   version = 2 n + 1          [V1]
///   forbidden: the reader has read a word of value n, n later than m, and finds the sequence 2 m.
#pragma once

#include <weir/detail/header.hpp>
#include <weir/detail/latest_control.hpp>
#include <weir/detail/latest_reader.hpp>
#include <weir/detail/latest_writer.hpp>
#include <weir/detail/spsc_slots.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace weir {

/// How a latest is laid out.
struct latest_options {
  /// Bytes of the value. 0: the size of T; needed for bytes.
  std::uint32_t size = 0;
  /// From 1 to 64. With one, a reader gets `torn` while the writer writes, or once it has died doing so.
  /// More than two spare readers repetitions where writes follow each other closely.
  std::uint32_t buffers = 2;
  /// Versions of 64 bits: what the header says of 2^31 writes is then said of 2^63.
  bool wide_version = false;
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Writer and readers may be in different processes.
  bool process_shared = false;
  /// The application's number for what the value means; attach() compares it.
  std::uint32_t type_tag = 0;
  /// How many values count as written before the first one. For tests of the wrap.
  std::uint64_t start_version = 0;
};

/// A view of one latest. Copyable; it does nothing by itself: take the role, or a reader.
///
/// T: `bytes` for a value of any size that format() fixes, or a type as in typed rings (may_travel).
template <class T, memory_policy Memory = native_memory, statistics_policy Statistics = counted>
class latest {
 public:
  using writer_type = latest_writer<T, Memory, Statistics>;
  template <wait_policy Wait = poll>
  using reader_type = latest_reader<T, Memory, Wait>;

  static constexpr std::uint32_t max_buffers = 64;

  /// Bytes of span that it takes. Whether the options are possible, format() says.
  [[nodiscard]] static constexpr auto bytes_required(const latest_options& options = {}) noexcept
      -> std::uint64_t {
    return layout::latest::data + options.buffers * stride_of(size_of(options));
  }

  // --- format, attach

  /// Lays a latest out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, or there are no such
  ///          buffers, or the size is 0 or not that of T, or the options contradict the doorbell.
  /// With a doorbell, readers sleep there; wake protocol and reach are the doorbell's.
  [[nodiscard]] static auto format(std::span<std::byte> span, const latest_options& options = {},
                                   const doorbell<Memory>& bell = {}) noexcept -> result<latest> {
    const auto size = size_of(options);
    if (!is_possible(size, options.buffers) || bytes_required(options) > span.size() ||
        !detail::is_aligned(span)) {
      return status::bad_layout;
    }
    const auto wake = detail::chosen_wake(options.wake, bell, options.process_shared);
    const auto flags = (options.process_shared ? layout::flag_process_shared : 0) |
                       (bell ? layout::flag_doorbell : 0) |
                       (options.wide_version ? layout::flag_wide_version : 0);
    const auto fields =
        expected(size, options.buffers, flags, options.type_tag, static_cast<std::uint32_t>(wake));
    if (!detail::fits_doorbell(fields, bell)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), fields.total_size);
    const detail::latest_control<Memory> control{span.data(), fields, bell.park_word()};
    control.store_version(control.unwritten(options.start_version));
    detail::publish_header<Memory>(span.data(), fields);
    return latest{control};
  }

  /// A view of the latest that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          a value of another size or tag, or one that the span does not hold, or one that was
  ///          formatted with a doorbell unlike the one given here.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0,
                                   const doorbell<Memory>& bell = {}) noexcept -> result<latest> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    const bool possible =
        is_possible(fields.max_record, fields.slots) &&
        fields == expected(fields.max_record, fields.slots, fields.flags & own_flags, type_tag,
                           fields.wake_protocol) &&
        detail::fits_doorbell(fields, bell);
    if (!possible) return status::bad_layout;
    return latest{detail::latest_control<Memory>{span.data(), fields, bell.park_word()}};
  }

  // --- roles

  /// Takes the writing role, from a dead owner too.
  /// Returns  a handle; busy: a live owner holds it; unsupported: this process cannot keep the protocol.
  [[nodiscard]] auto writer() const noexcept -> result<writer_type> {
    if (!control_.supports(false)) return status::unsupported;
    auto entry = control_.writer_entry();
    auto token = entry.take();
    if (!token) return token.status();
    return writer_type{control_, detail::held_role<Memory>{entry, *token}};
  }

  /// A reader. There is no role to take, and nobody knows of it.
  /// Returns  a reader; unsupported: the policy sleeps, and nobody would wake it here.
  template <wait_policy Wait = poll>
  [[nodiscard]] auto reader() const noexcept -> result<reader_type<Wait>> {
    if (Wait::parks && !control_.supports(true)) return status::unsupported;
    return reader_type<Wait>{control_};
  }

  /// Sets the word and wakes the readers: whoever waits with it returns `stopped`.
  /// Thread  any.   Progress  wait-free.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    control_.data_bell().ring();
  }

  // --- observers; thread: any, also after the death of the writer

  /// Bytes of the value.
  [[nodiscard]] auto size() const noexcept -> std::uint32_t { return control_.fields().max_record; }
  [[nodiscard]] auto buffers() const noexcept -> std::uint32_t { return control_.fields().slots; }
  [[nodiscard]] auto wide_version() const noexcept -> bool { return control_.wide(); }
  [[nodiscard]] auto wake() const noexcept -> wake_protocol { return control_.protocol(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return control_.process_shared(); }
  /// Number of the newest value: how many were written, mod 2^31 (wide: 2^63).
  [[nodiscard]] auto version() const noexcept -> std::uint64_t {
    return control_.number_of(control_.load_version());
  }
  [[nodiscard]] auto writer_owner() const noexcept -> owner_state {
    return control_.writer_entry().state();
  }
  /// Stays  true.
  [[nodiscard]] auto closed() const noexcept -> bool { return control_.load_closed(); }
  [[nodiscard]] auto statistics() const noexcept -> latest_statistics {
    return detail::load_statistics<Memory, latest_statistics>(
        control_.word(layout::latest::writer_statistics));
  }

 private:
  static constexpr bool typed = !std::is_same_v<T, bytes>;
  static constexpr auto own_flags =
      layout::flag_process_shared | layout::flag_doorbell | layout::flag_wide_version;

  explicit latest(const detail::latest_control<Memory>& control) noexcept : control_{control} {}

  /// 0 where there is no such value.
  [[nodiscard]] static constexpr auto size_of(const latest_options& options) noexcept
      -> std::uint32_t {
    if constexpr (typed) {
      static_assert(detail::slot_shape<T>::stride != 0);  // T may travel
      return options.size == 0 || options.size == sizeof(T) ? std::uint32_t{sizeof(T)} : 0;
    } else {
      return options.size;
    }
  }
  /// Buffers lie apart, so that a reader of one does not slow the writer of another.
  [[nodiscard]] static constexpr auto stride_of(std::uint32_t size) noexcept -> std::uint64_t {
    const std::uint64_t span = layout::latest::span;
    return (std::uint64_t{size} + layout::latest::buffer_value + span - 1) / span * span;
  }
  [[nodiscard]] static constexpr auto is_possible(std::uint32_t size,
                                                  std::uint32_t buffers) noexcept -> bool {
    if constexpr (typed) {
      if (size != sizeof(T)) return false;
    }
    return size != 0 && buffers >= 1 && buffers <= max_buffers &&
           layout::latest::data + buffers * stride_of(size) <= layout::max_total_size;
  }

  /// The header of such a latest. attach() accepts nothing else. Needs  is_possible().
  [[nodiscard]] static auto expected(std::uint32_t size, std::uint32_t buffers, std::uint32_t flags,
                                     std::uint32_t type_tag, std::uint32_t wake) noexcept
      -> detail::header {
    const auto stride = static_cast<std::uint32_t>(stride_of(size));
    return {.kind = static_cast<std::uint32_t>(layout::kind::latest),
            .flags = flags,
            .total_size = layout::latest::data + buffers * stride,
            .data_offset = layout::latest::data,
            .stride = stride,
            .alignment = record::alignment,
            .max_record = size,
            .type_tag = type_tag,
            .wake_protocol = wake,
            .slots = buffers};
  }

  detail::latest_control<Memory> control_;
};

using latest_bytes = latest<bytes>;

}  // namespace weir
