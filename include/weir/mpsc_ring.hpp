// SPDX-License-Identifier: MIT
/// Ring for many producers and one consumer, in the caller's bytes. Records come out in the order in which
/// they were claimed.
///
/// Memory       header | claim position | hint | consumer's line | data park | space park | closed |
///              producer slots | data | room for one largest record (layout.hpp). Byte rings: framed
///              records. Typed rings: stamped slots. What their words say: detail/mpsc_record.hpp.
/// Invariants   I1  [read_position, claim_position) is claimed, and no longer than the capacity
///              I2  byte rings: every byte outside it is 0, and so is every claimed header until its
///                  producer marks it (recoverable rings) or publishes it
///              I3  a slot of the table has one owner, and an owner one claim (or batch) open
/// Edges        P2, P3 -> C1, C4, C5, C8  records          C2 -> P1  free space
///              P4, P6 -> R1, R2          claims, before their intents are looked at
///              P5, P7 -> R1, C3          closing          C6 -> C7  where a successor goes on
///              the wake-up handshake is wait.hpp's, taking and leaving roles is owner.hpp's
/// Progress     a claim is lock-free: it fails only because another one succeeded. Publishing and reading
///              are wait-free. A paused producer hides the records behind its own, no others, and in the
///              end fills the ring.
/// Wrap, ABA    positions are u64 below 2^63, which takes decades to use up: an exchange of the claim
///              position cannot mistake an old value for a new one, as it could with 32 bits, which 4 GiB
///              use up in under a second. A record's sequence is the lower part of its position and wraps;
///              it names a record only together with the consumer's position. Commit words and stamps:
///              read once, where the consumer stands; a stamp comes back after 2^31 slots, and every lap
///              overwrites it. A late commit expects `busy`, its slot and its epoch: 1024 other owners of
///              that slot must pass before it could be taken for another one's.
/// Dead peers   a recoverable ring (format) lets the consumer skip the claim of a producer that is proven
///              dead: recover(). In one that is not, such a claim stops the ring for good. The successor
///              of a dead consumer of byte records goes on behind the last record that was let go of;
///              a typed ring shows again what its predecessor had not released.
/// Not for      several consumers; growing; proving that a thread of a living process is gone
/// Source       claims by exchange, commit words and zeroing by the consumer as in Agrona's
///              ManyToOneRingBuffer; differs in the optimistic exchange, in the room behind the data that
///              stands in for padding, and in intents and epochs, which make skipping a claim safe.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_kinds.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// How a ring for many producers is laid out.
struct mpsc_options {
  /// Byte rings: bytes of data, a power of two from 64 to 2^29. Typed rings: slots, a power of two from
  /// 2 to 2^27. 0: the largest that fits the span.
  std::uint32_t capacity = 0;
  /// Producers at a time, 1 to 1024. Each takes 128 bytes.
  std::uint32_t producers = 16;
  /// Byte rings: the largest payload, at most half the capacity less 8. 0: an eighth of the capacity, + 8.
  std::uint32_t max_record = 0;
  /// A dead producer's claim can be skipped. Costs each record an exchange and two stores.
  bool recoverable = false;
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Producers and consumer may be in different processes.
  bool process_shared = false;
  /// The application's number for what the records mean; attach() compares it.
  std::uint32_t type_tag = 0;
  /// First position; byte rings: a multiple of 8. For tests of the wrap.
  std::uint64_t start_position = 0;
};

/// What an observer sees of the consumer's side.
struct mpsc_statistics {
  consumer_statistics consumer;
  std::uint32_t recovered = 0;  ///< claims of dead producers that were skipped
  std::uint32_t discarded =
      0;  ///< records, up to the first open claim, that a consumer left unread in a ring that it had closed
};

/// A view of one ring. Copyable; it does nothing by itself: take a role.
///
/// T: `bytes` for records of any length, or a trivially copyable type of at most 8-byte alignment.
template <class T, memory_policy Memory = native_memory, statistics_policy Statistics = counted>
class mpsc_ring {
  using ring_kind = detail::mpsc_kind<T>;

 public:
  template <backpressure_policy Backpressure = reject>
  using producer_type = typename ring_kind::template producer<Memory, Statistics, Backpressure>;
  template <wait_policy Wait = poll>
  using consumer_type = typename ring_kind::template consumer<Memory, Statistics, Wait>;

  // --- layout

  /// Bytes of span that a ring takes. Needs  a capacity in the options. 0: no such ring can be.
  [[nodiscard]] static constexpr auto bytes_required(const mpsc_options& options) noexcept
      -> std::uint64_t {
    const auto max_record = ring_kind::max_record(options.capacity, options.max_record);
    const bool possible = detail::is_power_of_two(options.capacity) &&
                          options.capacity >= ring_kind::min_capacity &&
                          options.capacity <= ring_kind::max_capacity && options.producers != 0 &&
                          options.producers <= detail::max_producer_slots && max_record != 0;
    if (!possible) return 0;
    const auto total =
        data_offset(options.producers) + ring_kind::data_bytes(options.capacity, max_record);
    return total <= 0xFFFF'FFFF ? total : 0;
  }

  // --- format, attach

  /// Lays a ring out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, or an option is out of
  ///          its range, or the options contradict the doorbell.
  /// With a doorbell, the consumer sleeps there; wake protocol and reach are the doorbell's.
  [[nodiscard]] static auto format(std::span<std::byte> span, mpsc_options options = {},
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<mpsc_ring> {
    if (options.capacity == 0) options.capacity = largest_capacity(span.size(), options);
    const auto required = bytes_required(options);
    if (required == 0 || required > span.size() || !detail::is_aligned(span) ||
        options.start_position % ring_kind::position_step != 0 ||
        options.start_position >= detail::claim_closed / 2) {
      return status::bad_layout;
    }
    options.wake = detail::chosen_wake(options.wake, bell, options.process_shared);
    const auto fields =
        expected(options, (options.process_shared ? layout::flag_process_shared : 0) |
                              (options.recoverable ? layout::flag_recoverable : 0) |
                              (bell ? layout::flag_doorbell : 0));
    if (!detail::fits_doorbell(fields, bell)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), fields.data_offset);
    const detail::mpsc_control<Memory> control{span.data(), fields, bell.park_word()};
    control.start_at(options.start_position);
    ring_kind::template prepare<Memory>(control, options.start_position);
    detail::publish_header<Memory>(span.data(), fields);
    return mpsc_ring{control};
  }

  /// A view of the ring that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          a ring of another kind, type, tag or wire format, or one that the span does not hold, or
  ///          one that was formatted with a doorbell unlike the one given here.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0,
                                   const doorbell<Memory>& bell = {}) noexcept
      -> result<mpsc_ring> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    const mpsc_options options{.capacity = fields.capacity,
                               .producers = fields.slots,
                               .max_record = fields.max_record,
                               .wake = static_cast<wake_protocol>(fields.wake_protocol),
                               .type_tag = type_tag};
    const bool possible = fields.max_record != 0 && bytes_required(options) != 0 &&
                          fields == expected(options, fields.flags & own_flags) &&
                          detail::fits_doorbell(fields, bell);
    if (!possible) return status::bad_layout;
    return mpsc_ring{detail::mpsc_control<Memory>{span.data(), fields, bell.park_word()}};
  }

  // --- roles

  /// Takes one of the producing roles: a free slot of the table, or a dead owner's that holds no claim.
  ///
  /// Returns  a handle; full: every slot is held by the living, or waits for recover(); unsupported: this
  ///          process cannot keep the ring's wake protocol, or the ring cannot serve the policy;
  ///          too_large: the policy's low-water mark is above half the capacity; corrupt.
  /// Thread   any.   Progress  wait-free.
  template <backpressure_policy Backpressure = reject>
  [[nodiscard]] auto producer(const Backpressure& policy = {}) const noexcept
      -> result<producer_type<Backpressure>> {
    if (const auto fit = policy.fits(capacity(), ring_kind::frames); fit != status::ok) return fit;
    constexpr bool parks = [] {
      if constexpr (Backpressure::waits) return Backpressure::wait_type::parks;
      return false;
    }();
    if (!control_.supports(parks)) return status::unsupported;
    using core_type = typename ring_kind::template producer_core<Memory, Statistics>;
    for (std::uint32_t slot = 0; slot < control_.slots(); ++slot) {
      auto entry = control_.producer_entry(slot);
      const auto owner = entry.look(Memory::alive);
      if (!is_takable(owner.state, slot)) continue;
      auto token = entry.take(owner);
      if (!token) continue;
      core_type core{control_, detail::held_role<Memory>{entry, *token}, slot};
      if (const auto outcome = core.resume(); outcome != status::ok) return outcome;
      return producer_type<Backpressure>{std::move(core), policy};
    }
    return status::full;
  }

  /// Takes the consuming role, from a dead owner too.
  /// Returns  a handle; busy: a live owner holds it; unsupported, corrupt as for producer().
  template <wait_policy Wait = poll>
  [[nodiscard]] auto consumer() const noexcept -> result<consumer_type<Wait>> {
    if (!control_.supports(Wait::parks)) return status::unsupported;
    auto entry = control_.consumer_entry();
    auto token = entry.take();
    if (!token) return token.status();
    using core_type = typename ring_kind::template consumer_core<Memory, Statistics>;
    core_type core{control_, detail::held_role<Memory>{entry, *token}};
    if (const auto outcome = core.resume(); outcome != status::ok) return outcome;
    return consumer_type<Wait>{std::move(core)};
  }

  /// Sets the word and wakes everybody: whoever waits with it returns `stopped`.
  /// Thread  any.   Progress  wait-free.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    control_.data_bell().ring();
    control_.space_bell().ring();
  }

  // --- observers; thread: any, also after the death of all sides

  /// Bytes of data (slots).
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return control_.fields().capacity;
  }
  /// The largest payload of one record, in bytes.
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return control_.fields().max_record;
  }
  /// Producers at a time.
  [[nodiscard]] auto producers() const noexcept -> std::uint32_t { return control_.slots(); }
  [[nodiscard]] auto recoverable() const noexcept -> bool { return control_.recoverable(); }
  [[nodiscard]] auto wake() const noexcept -> wake_protocol { return control_.protocol(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return control_.process_shared(); }
  /// Needs  slot < producers().
  [[nodiscard]] auto producer_owner(std::uint32_t slot) const noexcept -> owner_state {
    return control_.producer_entry(slot).state();
  }
  [[nodiscard]] auto consumer_owner() const noexcept -> owner_state {
    return control_.consumer_entry().state();
  }
  /// True once anybody has closed. Stays  true.
  [[nodiscard]] auto closed() const noexcept -> bool { return control_.load_closed() != 0; }
  [[nodiscard]] auto statistics() const noexcept -> mpsc_statistics {
    return {
        detail::load_statistics<Memory, consumer_statistics>(control_.consumer_statistics_words()),
        control_.load_statistic(layout::mpsc::recovered),
        control_.load_statistic(layout::mpsc::discarded)};
  }
  /// What the owners of one slot counted, one after the other. Needs  slot < producers().
  [[nodiscard]] auto statistics(std::uint32_t slot) const noexcept -> producer_statistics {
    return detail::load_statistics<Memory, producer_statistics>(
        control_.producer_statistics_words(slot));
  }

 private:
  static constexpr auto own_flags =
      layout::flag_process_shared | layout::flag_recoverable | layout::flag_doorbell;

  explicit mpsc_ring(const detail::mpsc_control<Memory>& control) noexcept : control_{control} {}

  [[nodiscard]] static constexpr auto data_offset(std::uint32_t producers) noexcept
      -> std::uint32_t {
    return layout::mpsc::producer_slots + producers * layout::mpsc::slot_size;
  }

  [[nodiscard]] static constexpr auto largest_capacity(std::size_t span_size,
                                                       mpsc_options options) noexcept
      -> std::uint32_t {
    for (options.capacity = ring_kind::max_capacity; options.capacity != 0; options.capacity /= 2) {
      const auto required = bytes_required(options);
      if (required != 0 && required <= span_size) break;
    }
    return options.capacity;
  }

  /// A dead owner's slot is taken only if what it claimed is known to be over.
  [[nodiscard]] auto is_takable(owner_state state, std::uint32_t slot) const noexcept -> bool {
    if (state != owner_state::dead) return state == owner_state::free;
    const auto intent = control_.load_intent(slot);
    return !intent || intent.ends_before(control_.load_read_position() / control_.unit());
  }

  /// The header of such a ring. attach() accepts nothing else.
  [[nodiscard]] static auto expected(const mpsc_options& options, std::uint32_t flag_bits) noexcept
      -> detail::header {
    return {.kind = static_cast<std::uint32_t>(ring_kind::number),
            .flags = flag_bits,
            .total_size = static_cast<std::uint32_t>(bytes_required(options)),
            .capacity = options.capacity,
            .data_offset = data_offset(options.producers),
            .stride = ring_kind::stride,
            .alignment = ring_kind::alignment,
            .max_record = ring_kind::max_record(options.capacity, options.max_record),
            .type_tag = options.type_tag,
            .wake_protocol = static_cast<std::uint32_t>(*options.wake),
            .slots = options.producers};
  }

  detail::mpsc_control<Memory> control_;
};

}  // namespace weir
