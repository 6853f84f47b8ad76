// SPDX-License-Identifier: MIT
/// Ring for one producer and one consumer, in the caller's bytes.
///
/// Memory       header | producer's line | consumer's line | data park | space park | closed | data
///              (layout.hpp). Byte rings: framed records (record.hpp). Typed rings: stamped slots
///              (detail/spsc_slots.hpp).
/// Invariants   I1  everything in [read_position, end) is published, the end being the first header that
///                  holds 0 (byte rings) or the first slot without its stamp (typed rings)
///              I2  a record never crosses the end of the data; the gap is padding, written before it
///              I3  in a byte ring the header behind the newest record holds 0 before that record is seen
/// Edges        P2, P3, P5 -> C1, C4, C5  records         C2 -> P1  free space
///              P4 -> C3  closing                         P6 -> P7  where a successor begins to look
///              the wake-up handshake is wait.hpp's, taking and leaving roles is owner.hpp's
/// Progress     every operation wait-free, except claim(), write() and wait()
/// Wrap, ABA    positions are u32 and wrap; only their differences count, and those are at most the
///              capacity, at most 2^31. A commit word carries no position: it is read once, where the
///              consumer stands, and zeroed by the producer one record ahead. Stamps: spsc_slots.hpp.
/// Dead peers   the successor of a dead producer walks the commit words to the first 0; what was claimed,
///              or withheld in a batch, was never visible and is gone. The successor of a dead consumer
///              goes on at the published read position: some records come twice (at least once).
/// Not for      several producers; growing
/// Source       Lamport 1983 for the bounded buffer; commit words and pre-zeroed headers as in Aeron's
///              spsc_rb; differs in that nobody shares a tail index, that all bookkeeping is one limit
///              per side, and that both sides prefetch (bench/README.md has what each is worth).
#pragma once

#include <weir/backpressure.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/detail/spsc_kinds.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// How a ring is laid out.
struct spsc_options {
  /// Byte rings: bytes of data, a power of two from 64 to 2^31. Typed rings: slots, a power of two from
  /// 2. 0: the largest that fits the span.
  std::uint32_t capacity = 0;
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Producer and consumer may be in different processes.
  bool process_shared = false;
  /// The application's number for what the records mean; attach() compares it.
  std::uint32_t type_tag = 0;
  /// First position; byte rings: a multiple of 8. For tests of the wrap.
  std::uint32_t start_position = 0;
};

/// A view of one ring. Copyable; it does nothing by itself: take a role.
///
/// T: `bytes` for records of any length, or a trivially copyable type of at most 8-byte alignment.
template <class T, memory_policy Memory = native_memory, statistics_policy Statistics = counted>
class spsc_ring {
  using ring_kind = detail::spsc_kind<T>;

 public:
  template <backpressure_policy Backpressure = reject>
  using producer_type = typename ring_kind::template producer<Memory, Statistics, Backpressure>;
  template <wait_policy Wait = poll>
  using consumer_type = typename ring_kind::template consumer<Memory, Statistics, Wait>;

  // --- layout

  /// Bytes of span that a ring of `capacity` bytes (slots) takes.
  [[nodiscard]] static constexpr auto bytes_required(std::uint32_t capacity) noexcept
      -> std::uint64_t {
    return layout::spsc::data + std::uint64_t{capacity} * ring_kind::unit;
  }

  // --- format, attach

  /// Lays a ring out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, or the capacity is not
  ///          a power of two in range, or the start position does not fit the framing, or the options
  ///          contradict the doorbell.
  /// With a doorbell, the consumer sleeps there; wake protocol and reach are the doorbell's.
  [[nodiscard]] static auto format(std::span<std::byte> span, const spsc_options& options = {},
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<spsc_ring> {
    const auto capacity = options.capacity != 0 ? options.capacity : largest_capacity(span.size());
    if (!is_capacity(capacity) || bytes_required(capacity) > span.size() ||
        !detail::is_aligned(span) || options.start_position % ring_kind::position_step != 0) {
      return status::bad_layout;
    }
    const auto wake = detail::chosen_wake(options.wake, bell, options.process_shared);
    const auto fields = expected(capacity,
                                 (options.process_shared ? layout::flag_process_shared : 0) |
                                     (bell ? layout::flag_doorbell : 0),
                                 options.type_tag, static_cast<std::uint32_t>(wake));
    if (!detail::fits_doorbell(fields, bell)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), layout::spsc::data);
    const detail::spsc_control<Memory> control{span.data(), fields, bell.park_word()};
    control.store_read_position(options.start_position);
    control.store_write_position(options.start_position);
    ring_kind::template prepare<Memory>(control.data(), capacity, options.start_position);
    detail::publish_header<Memory>(span.data(), fields);
    return spsc_ring{control};
  }

  /// A view of the ring that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          a ring of another kind, type, tag or wire format, or one that the span does not hold, or
  ///          one that was formatted with a doorbell unlike the one given here.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0,
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<spsc_ring> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    const bool possible = is_capacity(fields.capacity) &&
                          fields == expected(fields.capacity, fields.flags & own_flags, type_tag,
                                             fields.wake_protocol) &&
                          detail::fits_doorbell(fields, bell);
    if (!possible) return status::bad_layout;
    return spsc_ring{detail::spsc_control<Memory>{span.data(), fields, bell.park_word()}};
  }

  // --- roles

  /// Takes the producing role, from a dead owner too.
  ///
  /// Returns  a handle; busy: a live owner holds it; unsupported: this process cannot keep the ring's
  ///          wake protocol, or the ring cannot serve the policy; too_large: the policy's low-water mark
  ///          is above half the capacity; corrupt: the shared positions are not those of a ring.
  template <backpressure_policy Backpressure = reject>
  [[nodiscard]] auto producer(const Backpressure& policy = {}) const noexcept
      -> result<producer_type<Backpressure>> {
    if (const auto fit = policy.fits(capacity(), ring_kind::frames); fit != status::ok) return fit;
    using core_type = typename ring_kind::template producer_core<Memory, Statistics>;
    constexpr bool parks = [] {
      if constexpr (Backpressure::waits) return Backpressure::wait_type::parks;
      return false;
    }();
    auto core = take<core_type>(control_.producer_entry(), parks);
    if (!core) return core.status();
    return producer_type<Backpressure>{std::move(core).value(), policy};
  }

  /// Takes the consuming role, from a dead owner too.
  /// Returns  a handle; busy, unsupported, corrupt as for producer().
  template <wait_policy Wait = poll>
  [[nodiscard]] auto consumer() const noexcept -> result<consumer_type<Wait>> {
    using core_type = typename ring_kind::template consumer_core<Memory, Statistics>;
    auto core = take<core_type>(control_.consumer_entry(), Wait::parks);
    if (!core) return core.status();
    return consumer_type<Wait>{std::move(core).value()};
  }

  /// Sets the word and wakes both sides: whoever waits with it returns `stopped`.
  /// Thread  any.   Progress  wait-free.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    control_.data_bell().ring();
    control_.space_bell().ring();
  }

  // --- observers; thread: any, also after the death of both sides

  /// Bytes of data (slots).
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return control_.fields().capacity;
  }
  /// The largest payload of one record, in bytes.
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return control_.fields().max_record;
  }
  [[nodiscard]] auto wake() const noexcept -> wake_protocol { return control_.protocol(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return control_.process_shared(); }
  [[nodiscard]] auto producer_owner() const noexcept -> owner_state {
    return control_.producer_entry().state();
  }
  [[nodiscard]] auto consumer_owner() const noexcept -> owner_state {
    return control_.consumer_entry().state();
  }
  /// True once either side has closed. Stays  true.
  [[nodiscard]] auto closed() const noexcept -> bool { return control_.load_closed() != 0; }
  [[nodiscard]] auto statistics() const noexcept -> spsc_statistics {
    return {detail::load_statistics<Memory, producer_statistics>(
                control_.word(layout::spsc::producer_statistics)),
            detail::load_statistics<Memory, consumer_statistics>(
                control_.word(layout::spsc::consumer_statistics))};
  }

 private:
  static constexpr auto own_flags = layout::flag_process_shared | layout::flag_doorbell;

  explicit spsc_ring(const detail::spsc_control<Memory>& control) noexcept : control_{control} {}

  [[nodiscard]] static constexpr auto is_capacity(std::uint32_t capacity) noexcept -> bool {
    return detail::is_power_of_two(capacity) && capacity >= ring_kind::min_capacity &&
           bytes_required(capacity) <= layout::max_total_size;
  }

  [[nodiscard]] static constexpr auto largest_capacity(std::size_t span_size) noexcept
      -> std::uint32_t {
    const auto total = std::uint64_t{span_size} < layout::max_total_size ? std::uint64_t{span_size}
                                                                         : layout::max_total_size;
    if (total < layout::spsc::data) return 0;
    return static_cast<std::uint32_t>(
        std::bit_floor((total - layout::spsc::data) / ring_kind::unit));
  }

  /// The header of such a ring. attach() accepts nothing else.
  [[nodiscard]] static auto expected(std::uint32_t capacity, std::uint32_t flags,
                                     std::uint32_t type_tag, std::uint32_t wake) noexcept
      -> detail::header {
    return {.kind = static_cast<std::uint32_t>(ring_kind::number),
            .flags = flags,
            .total_size = static_cast<std::uint32_t>(bytes_required(capacity)),
            .capacity = capacity,
            .data_offset = layout::spsc::data,
            .stride = ring_kind::stride,
            .alignment = ring_kind::alignment,
            .max_record = ring_kind::max_record(capacity),
            .type_tag = type_tag,
            .wake_protocol = wake};
  }

  template <class Core>
  [[nodiscard]] auto take(detail::owner_entry<Memory> entry, bool parks) const noexcept
      -> result<Core> {
    if (!control_.supports(parks)) return status::unsupported;
    auto token = entry.take();
    if (!token) return token.status();
    Core core{control_, detail::held_role<Memory>{entry, *token}};
    if (const auto outcome = core.resume(); outcome != status::ok) return outcome;
    return core;
  }

  detail::spsc_control<Memory> control_;
};

}  // namespace weir
