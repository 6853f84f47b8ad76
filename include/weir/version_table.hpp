// SPDX-License-Identifier: MIT
/// A version for each of many things, and a cheap way to find and await the few that have changed.
///
/// Memory       header | root counter, wakes | counters, 32 to 1, the highest level first | versions, close
///              together or a cache line apart (layout_buffers.hpp)
/// Invariants   I1  a counter has moved on since a version below it changed, or its publisher has not
///                  returned yet, or has died
///              I2  a reader has looked below a counter after it read the value that it remembers
/// Edges        V1, V5 -> V4  a version     T1, T3 -> T2  counters     V2 <-> V3  overwriting
///              (detail/version_word.hpp)   sleepers and publishers: the table in detail/version_control.hpp
/// Progress     all but waiting wait-free; waiting as its policy says. A publication costs one
///              read-modify-write for the version and each level: at most 6.
/// Wrap, ABA    a reader overlooks a version, or a change below a counter, only if exactly 2^31
///              publications of that version, or below that counter, fall between two of its looks.
/// Dead peers   a publisher that died between version and root leaves a change that nobody is told of:
///              touch() tells. A writer that died between begin() and end() leaves the version odd. If it
///              died between a counter and the waking, sleepers look for themselves within 250 ms.
///              Readers leave nothing behind but a bit that costs the next publication a system call.
/// Not for      every change (spsc_ring, broadcast_ring): of several only the last one is found
/// Source       versions as in sequence locks (Lameter 2005; race-free form: Boehm 2012); sleepers as in
///              eventcounts (Reed and Kanodia 1979), with the count itself for the word slept on, so that
///              no fence is needed; the tree as in combining trees, but summing changes, not clearing bits.
#pragma once

#include <weir/contract.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/version_control.hpp>
#include <weir/detail/version_reader.hpp>
#include <weir/detail/version_slot.hpp>
#include <weir/detail/version_word.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// How a version_table is laid out.
struct version_table_options {
  /// How many versions: from 1 to 2^24.
  std::uint32_t slots = 1;
  /// Versions lie a cache line apart, so that writers of neighbors do not slow each other.
  bool padded = false;
  /// none: nobody sleeps. at_flush is not possible. Else every publication wakes, and without a doorbell
  /// it needs no fence for that: the protocol is then `fenced` whatever was asked for.
  wake_choice wake = {};
  /// Writers and readers may be in different processes.
  bool process_shared = false;
  /// The application's number for what the versions mean; attach() compares it.
  std::uint32_t type_tag = 0;
  /// What every version, and every counter, begins with; even. For tests of the wrap.
  std::uint32_t start_version = 0;
  std::uint32_t start_counter = 0;
};

namespace detail {

struct nobody_dies {
  auto operator()() const noexcept -> status { return status::ok; }
};

}  // namespace detail

/// What the publishers count.
struct version_table_statistics {
  /// Touches, and stops that woke somebody, too; mod 2^31, from half of start_counter on.
  std::uint32_t publications = 0;
  std::uint32_t wakes = 0;  ///< counters that a publication found somebody asleep on
};

/// A view of one version_table. Copyable; it does nothing by itself: take a slot, or a reader.
template <memory_policy Memory = native_memory>
class version_table {
 public:
  using slot_type = version_slot<Memory>;
  template <wait_policy Wait = poll>
  using reader_type = version_reader<Memory, Wait>;

  static constexpr std::uint32_t max_slots = layout::version_table::max_slots;

  /// Bytes of span that it takes. Whether the options are possible, format() says.
  [[nodiscard]] static constexpr auto bytes_required(const version_table_options& options) noexcept
      -> std::uint64_t {
    return detail::version_shape::of(options.slots).data_offset() +
           std::uint64_t{options.slots} * stride_of(options.padded);
  }
  /// Words that a reader of so many versions remembers what it has seen in. Needs  slots <= max_slots.
  [[nodiscard]] static constexpr auto seen_words(std::uint32_t slots) noexcept -> std::size_t {
    return std::size_t{1} + detail::version_shape::of(slots).counters + slots;
  }

  // --- format, attach

  /// Lays a version_table out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view, slot and reader.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, or there are no such
  ///          slots, a start is odd, or the options contradict the doorbell.
  /// With a doorbell, wait_any() sleeps there; wake protocol and reach are the doorbell's.
  [[nodiscard]] static auto format(std::span<std::byte> span, const version_table_options& options,
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<version_table> {
    if (!is_possible(options.slots) || bytes_required(options) > span.size() ||
        !detail::is_aligned(span) || !is_whole(options.start_version) ||
        !is_whole(options.start_counter)) {
      return status::bad_layout;
    }
    const auto flags = (options.process_shared ? layout::flag_process_shared : 0) |
                       (bell ? layout::flag_doorbell : 0);
    const auto wake = static_cast<std::uint32_t>(chosen_wake(options.wake, bell));
    const auto fields =
        expected(options.slots, stride_of(options.padded), flags, options.type_tag, wake);
    if (!is_kept(fields) || !detail::fits_doorbell(fields, bell)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), fields.total_size);
    const detail::version_control<Memory> control{span.data(), fields, bell.park_word()};
    control.start(options.start_version, options.start_counter);
    detail::publish_header<Memory>(span.data(), fields);
    return version_table{control};
  }

  /// A view of the version_table that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          one of another tag, or one that the span does not hold, or one that was formatted with a
  ///          doorbell unlike the one given here.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0,
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<version_table> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    const bool possible =
        is_possible(fields.slots) &&
        fields == expected(fields.slots,
                           stride_of(fields.stride == layout::version_table::padded_stride),
                           fields.flags & own_flags, type_tag, fields.wake_protocol) &&
        is_kept(fields) && detail::fits_doorbell(fields, bell);
    if (!possible) return status::bad_layout;
    return version_table{detail::version_control<Memory>{span.data(), fields, bell.park_word()}};
  }

  // --- slots and readers; nobody knows who has them

  /// One version, to change it or to copy under it.
  /// Returns  a slot; bad_layout: there is none of that number; unsupported: this process cannot keep the
  ///          doorbell's protocol.
  [[nodiscard]] auto slot(std::uint32_t number) const noexcept -> result<slot_type> {
    if (number >= slots()) return status::bad_layout;
    if (control_.has_doorbell() && !control_.supports(false)) return status::unsupported;
    return slot_type{control_, number};
  }

  /// A reader, to which everything is new.
  /// Needs    `seen` outlives it, and nobody else touches it.
  /// Returns  a reader; bad_layout: `seen` has fewer than seen_words(slots()) words; unsupported: the
  ///          policy sleeps, and nobody would wake it here.
  template <wait_policy Wait = poll>
  [[nodiscard]] auto reader(std::span<std::uint32_t> seen) const noexcept
      -> result<reader_type<Wait>> {
    if (seen.size() < seen_words(slots())) return status::bad_layout;
    if (Wait::parks && !control_.supports(true)) return status::unsupported;
    return reader_type<Wait>{control_, seen.data()};
  }

  /// Waits until `look` (-> status: anything but empty or full ends the wait) is content, as `Wait` says;
  /// it is asked again after each publication.
  ///
  /// Returns  what `look` said; timed_out; stopped; would_block (inline mode); what `peer` (-> status) says
  ///          other than ok, which `park` asks four times a second; unsupported: nobody would wake the
  ///          policy's sleep here.
  /// Thread   any.
  template <wait_policy Wait = park, class Look, class Peer = detail::nobody_dies>
  [[nodiscard]] auto wait(Look&& look, deadline until = no_deadline,
                          const stop_word* stop = nullptr, Peer&& peer = {}) const noexcept
      -> status {
    if (Wait::parks && !control_.supports(true)) return status::unsupported;
    struct condition {
      Look& find;
      Peer& ask;
      auto look() noexcept -> status { return find(); }
      auto peer() noexcept -> status { return ask(); }
    } found{look, peer};
    auto bell = control_.data_bell();
    detail::wait_counters counters;
    return detail::await<Wait>(
        detail::wait_request<Memory, condition>{bell, found, until, stop, counters});
  }

  /// Sets the word and wakes the readers: whoever waits with it returns `stopped`.
  /// Thread  any.   Progress  wait-free: looks at every counter.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    control_.ring_everywhere();
  }

  // --- observers; thread: any

  [[nodiscard]] auto slots() const noexcept -> std::uint32_t { return control_.fields().slots; }
  [[nodiscard]] auto padded() const noexcept -> bool {
    return control_.fields().stride == layout::version_table::padded_stride;
  }
  /// How often the slot was published, times 2; odd: its value is being written. Wraps.
  /// Needs  number < slots().
  [[nodiscard]] auto version(std::uint32_t number) const noexcept -> std::uint32_t {
    WEIR_EXPECTS(number < slots());
    return control_.version(number).load();
  }
  [[nodiscard]] auto wake() const noexcept -> wake_protocol { return control_.protocol(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return control_.process_shared(); }
  [[nodiscard]] auto statistics() const noexcept -> version_table_statistics {
    return {control_.load(control_.root()) / 2, control_.load_wakes()};
  }

 private:
  static constexpr auto own_flags = layout::flag_process_shared | layout::flag_doorbell;

  explicit version_table(const detail::version_control<Memory>& control) noexcept
      : control_{control} {}

  [[nodiscard]] static constexpr auto stride_of(bool padded) noexcept -> std::uint32_t {
    return padded ? layout::version_table::padded_stride : layout::version_table::dense_stride;
  }
  [[nodiscard]] static constexpr auto is_possible(std::uint32_t slots) noexcept -> bool {
    return slots >= 1 && slots <= max_slots;
  }
  /// Counters need no fence, so that a table that wakes is `fenced` on every platform.
  [[nodiscard]] static auto chosen_wake(wake_choice asked, const doorbell<Memory>& bell) noexcept
      -> wake_protocol {
    if (bell) return asked ? *asked : bell.protocol();
    return asked && (*asked == wake_protocol::none || *asked == wake_protocol::at_flush)
               ? *asked
               : wake_protocol::fenced;
  }
  /// True for a wake protocol that a table can have.
  [[nodiscard]] static auto is_kept(const detail::header& fields) noexcept -> bool {
    const auto wake = static_cast<wake_protocol>(fields.wake_protocol);
    if ((fields.flags & layout::flag_doorbell) != 0) return wake != wake_protocol::at_flush;
    return wake == wake_protocol::none || wake == wake_protocol::fenced;
  }

  /// The header of such a version_table. attach() accepts nothing else. Needs  is_possible().
  [[nodiscard]] static auto expected(std::uint32_t slots, std::uint32_t stride, std::uint32_t flags,
                                     std::uint32_t type_tag, std::uint32_t wake) noexcept
      -> detail::header {
    const auto data_offset = detail::version_shape::of(slots).data_offset();
    return {.kind = static_cast<std::uint32_t>(layout::kind::version_table),
            .flags = flags,
            .total_size = data_offset + slots * stride,
            .data_offset = data_offset,
            .stride = stride,
            .type_tag = type_tag,
            .wake_protocol = wake,
            .slots = slots};
  }

  detail::version_control<Memory> control_;
};

}  // namespace weir
