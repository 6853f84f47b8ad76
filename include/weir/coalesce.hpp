// SPDX-License-Identifier: MIT
/// The newest value of each key, for one producer and one consumer: a burst of updates costs one record per
/// key.
///
/// Memory       header | producer's line | consumer's line | data park | closed | root marks | leaf marks |
///              keys, each a state word and three buffers (layout.hpp)
/// Invariants   I1  of a key's buffers one is the producer's, one the consumer's, and one is free or holds
///                  a value that was not taken; the state word alone says which, at every moment
///              I2  a value that was not taken is marked, or its producer is about to mark it, or a
///                  consumer that has cleared the mark is about to take it
/// Edges        P2 -> C1, C2  a value       C2 -> P1, P2  the buffer that the consumer let go of
///              P3 -> C4, P5 -> C3, C5  marks    C4 -> P3  that the root was cleared before the leaf
///              P6 -> C6  closing           P2, C2 -> P4  what a successor finds
///              the wake-up handshake is wait.hpp's, taking and leaving roles is owner.hpp's
/// Progress     every operation wait-free, except wait()
///
/// The state word names the newest buffer and the other one; the third is the producer's. While `taken` is
/// clear the consumer has the other one. It takes the newest by setting the bit: one fetch_or, whichever
/// buffer is the newest by then. The producer publishes by a compare-exchange that makes its buffer the
/// newest, the consumer's the other, and what remains its own, with the bit clear. That fails only when the
/// consumer has set the bit since the load; the consumer sets it once for each publication, so the second
/// attempt succeeds. No step touches a buffer of the other side, so the copies race with nothing, and a
/// value is never torn.
///
/// Wrap, ABA    only the producer changes which buffer is which, and only it clears the bit: its compare-
///              exchange finds either the word it saw, or that word with the bit. Update counts wrap.
/// Dead peers   each side's buffer follows from the state word, so a successor needs no more than that. A
///              successor marks again what is not taken. A consumer's successor shows once more the key
///              that it died over (at least once); what the dead one was shown stays shown.
/// Beside a ring  update(key, value, after) is published after everything that the producer wrote before.
///              Whoever is shown a value finds in the ring every record that was published before the
///              update, those up to `after` if it names the last one; whoever has read a record and drains
///              here afterwards is shown every update made before that record, or a newer one.
/// Not for      several producers or consumers: one coalesce for each; history
/// Source       triple buffering, with the exchange of Simpson's four-slot and the NBW protocols in mind;
///              differs in that taking is a bit, so that one word always says who has what.
#pragma once

#include <weir/detail/coalesce_consumer.hpp>
#include <weir/detail/coalesce_control.hpp>
#include <weir/detail/coalesce_producer.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/spsc_slots.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
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

/// How a coalesce is laid out.
struct coalesce_options {
  /// Keys are 0 to keys - 1; at most 2^20.
  std::uint32_t keys = 0;
  /// The largest value, in bytes. With a type: its size, or 0.
  std::uint32_t max_value = 0;
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Producer and consumer may be in different processes.
  bool process_shared = false;
  /// The application's number for what keys and values mean; attach() compares it.
  std::uint32_t type_tag = 0;
};

struct coalesce_statistics {
  coalesce_producer_statistics producer;
  coalesce_consumer_statistics consumer;
};

/// A view of one coalesce. Copyable; it does nothing by itself: take a role.
///
/// T: `bytes` for values of any length up to a limit, or a type as in spsc_ring.
template <class T, memory_policy Memory = native_memory, statistics_policy Statistics = counted>
class coalesce {
  using control_type = detail::coalesce_control<Memory>;
  using shape_type = detail::coalesce_shape;

 public:
  using producer_type = coalesce_producer<T, Memory, Statistics>;
  template <wait_policy Wait = poll>
  using consumer_type = coalesce_consumer<T, Memory, Statistics, Wait>;

  // --- layout

  /// Bytes of span that `keys` keys take, with values of up to `max_value` bytes (with a type: its size).
  [[nodiscard]] static constexpr auto bytes_required(
      std::uint32_t keys, std::uint32_t max_value = size_of_value()) noexcept -> std::uint64_t {
    return shape_type{keys, max_value}.total();
  }

  // --- format, attach

  /// Lays it out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, there are no keys or too
  ///          many, max_value is not the type's size, or the options contradict the doorbell.
  /// With a doorbell, the consumer sleeps there; wake protocol and reach are the doorbell's.
  [[nodiscard]] static auto format(std::span<std::byte> span, const coalesce_options& options,
                                   const doorbell<Memory>& bell = {}) noexcept -> result<coalesce> {
    const shape_type shape{options.keys,
                           options.max_value != 0 ? options.max_value : size_of_value()};
    if (!is_possible(shape) || shape.total() > span.size() || !detail::is_aligned(span)) {
      return status::bad_layout;
    }
    const auto wake = detail::chosen_wake(options.wake, bell, options.process_shared);
    const auto fields = expected(shape,
                                 (options.process_shared ? layout::flag_process_shared : 0) |
                                     (bell ? layout::flag_doorbell : 0),
                                 options.type_tag, static_cast<std::uint32_t>(wake));
    if (!detail::fits_doorbell(fields, bell)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), fields.total_size);
    const control_type control{span.data(), fields, bell.park_word()};
    for (std::uint32_t key = 0; key < shape.keys; ++key) {
      // relaxed: before publication [F1]
      Memory::store(control.state_of(key), detail::first_key_state.word, std::memory_order_relaxed);
    }
    detail::publish_header<Memory>(span.data(), fields);
    return coalesce{control};
  }

  /// A view of what somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          one of another type's size, tag or wire format, or one that the span does not hold, or one
  ///          that was formatted with a doorbell unlike the one given here.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0,
                                   const doorbell<Memory>& bell = {}) noexcept -> result<coalesce> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    const shape_type shape{fields.slots, fields.max_record};
    const bool possible =
        is_possible(shape) &&
        fields == expected(shape, fields.flags & own_flags, type_tag, fields.wake_protocol) &&
        detail::fits_doorbell(fields, bell);
    if (!possible) return status::bad_layout;
    return coalesce{control_type{span.data(), fields, bell.park_word()}};
  }

  // --- roles; taking one costs a look at every key

  /// Takes the producing role, from a dead owner too.
  /// Returns  a handle; busy: a live owner holds it; unsupported: this process cannot keep the wake
  ///          protocol; corrupt: a key's state is none.
  [[nodiscard]] auto producer() const noexcept -> result<producer_type> {
    return take<producer_type>(control_.producer_entry(), false);
  }

  /// Takes the consuming role, from a dead owner too.
  /// Returns  a handle; busy, unsupported, corrupt as for producer().
  template <wait_policy Wait = poll>
  [[nodiscard]] auto consumer() const noexcept -> result<consumer_type<Wait>> {
    return take<consumer_type<Wait>>(control_.consumer_entry(), Wait::parks);
  }

  /// Sets the word and wakes the consumer: if it waits with it, it returns `stopped`.
  /// Thread  any.   Progress  wait-free.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    control_.data_bell().ring();
  }

  // --- observers; thread: any, also after the death of both sides

  [[nodiscard]] auto keys() const noexcept -> std::uint32_t { return control_.shape().keys; }
  /// The largest value, in bytes.
  [[nodiscard]] auto max_value() const noexcept -> std::uint32_t {
    return control_.shape().max_value;
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
  [[nodiscard]] auto statistics() const noexcept -> coalesce_statistics {
    return {detail::load_statistics<Memory, coalesce_producer_statistics>(
                control_.word(layout::coalesce::producer_statistics)),
            detail::load_statistics<Memory, coalesce_consumer_statistics>(
                control_.word(layout::coalesce::consumer_statistics))};
  }

 private:
  static constexpr auto own_flags = layout::flag_process_shared | layout::flag_doorbell;

  explicit coalesce(const control_type& control) noexcept : control_{control} {}

  /// 0 for bytes: their limit is an option.
  [[nodiscard]] static constexpr auto size_of_value() noexcept -> std::uint32_t {
    if constexpr (std::same_as<T, bytes>) {
      return 0;
    } else {
      static_assert(detail::slot_shape<T>::stride != 0);  // what it demands of T holds here too
      return static_cast<std::uint32_t>(sizeof(T));
    }
  }
  [[nodiscard]] static constexpr auto is_possible(const shape_type& shape) noexcept -> bool {
    return shape.possible() && (size_of_value() == 0 || shape.max_value == size_of_value());
  }

  /// The header of such a coalesce. attach() accepts nothing else.
  [[nodiscard]] static auto expected(const shape_type& shape, std::uint32_t flags,
                                     std::uint32_t type_tag, std::uint32_t wake) noexcept
      -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::coalesce),
            .flags = flags,
            .total_size = static_cast<std::uint32_t>(shape.total()),
            .data_offset = shape.data_offset(),
            .stride = static_cast<std::uint32_t>(shape.key_stride()),
            .alignment = record::alignment,
            .max_record = shape.max_value,
            .type_tag = type_tag,
            .wake_protocol = wake,
            .slots = shape.keys};
  }

  template <class Role>
  [[nodiscard]] auto take(detail::owner_entry<Memory> entry, bool parks) const noexcept
      -> result<Role> {
    if (!control_.supports(parks)) return status::unsupported;
    auto token = entry.take();
    if (!token) return token.status();
    Role role{control_, detail::held_role<Memory>{entry, *token}};
    if (const auto outcome = role.resume(); outcome != status::ok) return outcome;
    return role;
  }

  control_type control_;
};

}  // namespace weir
