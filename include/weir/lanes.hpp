// SPDX-License-Identifier: MIT
/// Many producers without an order among them: a ring for each, and one consumer of all.
///
/// Memory       header | doorbell | statistics | lane 0 | lane 1 | …, each lane a whole spsc_ring that was
///              formatted with the doorbell
/// Invariants   I1  those of spsc_ring, per lane
///              I2  after format() nothing geometric is read from shared memory but through a check
///                  against this side's copy: a lane lies where the bundle's header put it
/// Edges        none of its own: spsc_ring's per lane, and the handshake of wait.hpp on the doorbell
/// Progress     as spsc_ring's; a consumer's call looks at each lane at most once more than it has records
/// Wrap, ABA    as spsc_ring's
/// Ending       a producer that goes away gives its lane back. Its close() ends the lane, for good. The
///              consumer says `closed` when every lane is closed and read: by the producers, or all at
///              once by close() here or by the consumer.
/// Dead peers   the lane of a dead producer is a free one; what it published is read. The successor of a
///              dead consumer goes on where each lane says; some records come twice.
/// Not for      an order across producers, or across the lanes that one producer has held: mpsc_ring
/// Source       a queue per producer under one consumer, as in moodycamel's ConcurrentQueue; differs in
///              that lanes are bounded, lie in the caller's bytes, and are taken by role.
#pragma once

#include <weir/backpressure.hpp>
#include <weir/detail/bits.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/lanes_consumer.hpp>
#include <weir/detail/lanes_core.hpp>
#include <weir/detail/spsc_control.hpp>
#include <weir/detail/spsc_kinds.hpp>
#include <weir/doorbell.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// How a bundle of lanes is laid out.
struct lanes_options {
  /// How many producers there can be at a time; from 1.
  std::uint32_t lanes = 0;
  /// Of each lane, as in spsc_options. 0: the largest that fits the span.
  std::uint32_t capacity = 0;
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Producers and consumer may be in different processes.
  bool process_shared = false;
  /// The application's number for what the records mean; attach() compares it.
  std::uint32_t type_tag = 0;
  /// First position of every lane; byte lanes: a multiple of 8. For tests of the wrap.
  std::uint32_t start_position = 0;
};

/// A view of one bundle of lanes. Copyable; it does nothing by itself: take a role.
///
/// T: as in spsc_ring.
template <class T, memory_policy Memory = native_memory, statistics_policy Statistics = counted>
class lanes {
  using ring_kind = detail::spsc_kind<T>;
  using core_type = typename ring_kind::template consumer_core<Memory, Statistics>;

 public:
  using ring_type = spsc_ring<T, Memory, Statistics>;
  template <backpressure_policy Backpressure = reject>
  using producer_type = typename ring_type::template producer_type<Backpressure>;
  template <wait_policy Wait = poll, std::uint32_t MaxLanes = 64>
  using consumer_type = lanes_consumer<T, core_type, Wait, MaxLanes>;

  // --- layout

  /// Bytes of span that `lanes` lanes of `capacity` bytes (slots) take.
  [[nodiscard]] static constexpr auto bytes_required(std::uint32_t lanes,
                                                     std::uint32_t capacity) noexcept
      -> std::uint64_t {
    return layout::lanes::first_lane + lanes * lane_size(capacity);
  }

  // --- format, attach

  /// Lays the lanes out in the span. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, there are no lanes, or a
  ///          lane of this capacity and start position cannot be.
  [[nodiscard]] static auto format(std::span<std::byte> span, const lanes_options& options) noexcept
      -> result<lanes> {
    const auto count = options.lanes;
    const auto capacity =
        options.capacity != 0 ? options.capacity : largest_capacity(span.size(), count);
    if (!is_possible(count, capacity) || bytes_required(count, capacity) > span.size() ||
        !detail::is_aligned(span)) {
      return status::bad_layout;
    }
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), layout::lanes::first_lane);
    auto bell =
        doorbell<Memory>::format(span.subspan(layout::lanes::bell),
                                 {.wake = options.wake, .process_shared = options.process_shared});
    if (!bell) return bell.status();
    const auto fields =
        expected(count, capacity, options.process_shared ? layout::flag_process_shared : 0,
                 options.type_tag, static_cast<std::uint32_t>(bell->protocol()));
    const lanes view{span.data(), fields, *bell};
    for (std::uint32_t lane = 0; lane < count; ++lane) {
      const auto ring = ring_type::format(view.lane_span(lane),
                                          {.capacity = capacity,
                                           .wake = bell->protocol(),
                                           .process_shared = options.process_shared,
                                           .type_tag = options.type_tag,
                                           .start_position = options.start_position},
                                          *bell);
      if (!ring) return ring.status();
    }
    detail::publish_header<Memory>(span.data(), fields);
    return view;
  }

  /// A view of the lanes that somebody formatted in the span. Every lane is looked at.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          lanes of another type, tag or wire format, or more than the span holds.
  /// Thread   any.   Progress  wait-free, in as many steps as there are lanes.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0) noexcept
      -> result<lanes> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    if (!is_possible(fields.slots, fields.capacity) ||
        fields != expected(fields.slots, fields.capacity,
                           fields.flags & layout::flag_process_shared, type_tag,
                           fields.wake_protocol)) {
      return status::bad_layout;
    }
    auto bell = doorbell<Memory>::attach(span.subspan(layout::lanes::bell, layout::doorbell::size));
    if (!bell || static_cast<std::uint32_t>(bell->protocol()) != fields.wake_protocol ||
        bell->process_shared() != (fields.flags != 0)) {
      return status::bad_layout;
    }
    const lanes view{span.data(), fields, *bell};
    for (std::uint32_t lane = 0; lane < fields.slots; ++lane) {
      if (!view.lane(lane)) return status::bad_layout;
    }
    return view;
  }

  // --- roles

  /// Takes the producing role of a lane that nobody alive holds.
  ///
  /// Returns  a handle, as spsc_ring's; full: every lane that is not closed is held; closed: every lane
  ///          is closed; unsupported, too_large, as spsc_ring's; corrupt: only damaged lanes are left.
  /// Cost     a look at each lane up to the one that is free, and a question to the operating system for
  ///          each of these that is held.
  template <backpressure_policy Backpressure = reject>
  [[nodiscard]] auto producer(const Backpressure& policy = {}) const noexcept
      -> result<producer_type<Backpressure>> {
    auto why = status::closed;
    for (std::uint32_t number = 0; number < lane_count(); ++number) {
      auto ring = lane(number);
      if (!ring) {
        if (why == status::closed) why = status::corrupt;
        continue;
      }
      if (ring->closed()) continue;
      auto taken = ring->producer(policy);
      if (taken) return taken;
      if (taken.status() == status::busy) {
        why = status::full;
      } else if (taken.status() != status::corrupt) {
        return taken.status();
      } else if (why == status::closed) {
        why = status::corrupt;
      }
    }
    return why;
  }

  /// Takes the consuming role of every lane, from dead owners too.
  ///
  /// Returns  a handle; busy: a live owner holds one; too_large: there are more than MaxLanes lanes;
  ///          unsupported, corrupt, as spsc_ring's. Unless it is a handle, nothing is taken.
  template <wait_policy Wait = poll, std::uint32_t MaxLanes = 64>
  [[nodiscard]] auto consumer() const noexcept -> result<consumer_type<Wait, MaxLanes>> {
    if (lane_count() > MaxLanes) return status::too_large;
    if (!detail::can_keep<Memory>(wake(), process_shared(), Wait::parks)) {
      return status::unsupported;
    }
    detail::lanes_core<core_type, MaxLanes> all{bell_, statistics_words()};
    for (std::uint32_t number = 0; number < lane_count(); ++number) {
      const auto control = control_of(number);
      auto entry = control.consumer_entry();
      auto token = entry.take();
      if (!token) return token.status();
      core_type core{control, detail::held_role<Memory>{entry, *token}};
      if (const auto outcome = core.resume(); outcome != status::ok) return outcome;
      all.adopt(std::move(core));
    }
    return consumer_type<Wait, MaxLanes>{std::move(all)};
  }

  // --- for everybody; thread: any

  /// Ends every lane, as the consumer's close() does: claims get `closed` from each producer's next event
  /// on, producer() at once, and the consumer when it has read what is there. To lose nothing that a
  /// producer may still publish, let each producer close its handle instead.
  void close() const noexcept {
    for (std::uint32_t number = 0; number < lane_count(); ++number) {
      const auto control = control_of(number);
      control.close(layout::closed_by_consumer);
      control.space_bell().ring();
    }
    bell_.ring();
  }

  /// Sets the word and wakes everybody: whoever waits with it returns `stopped`.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    for (std::uint32_t number = 0; number < lane_count(); ++number) {
      control_of(number).space_bell().ring();
    }
    bell_.ring();
  }

  /// One lane as a ring of its own: to take a certain lane, or to look at it.
  /// Returns  a view; too_large: there is no such lane; corrupt: its header is no longer what it was.
  [[nodiscard]] auto lane(std::uint32_t number) const noexcept -> result<ring_type> {
    if (number >= lane_count()) return status::too_large;
    auto ring = ring_type::attach(lane_span(number), fields_.type_tag, bell_);
    if (!ring || ring->capacity() != capacity()) return status::corrupt;
    return ring;
  }

  /// What the consumer sleeps on: other rings may be formatted with it.
  [[nodiscard]] auto bell() const noexcept -> const doorbell<Memory>& { return bell_; }

  // --- observers; thread: any

  [[nodiscard]] auto lane_count() const noexcept -> std::uint32_t { return fields_.slots; }
  /// Bytes of data (slots) of each lane.
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t { return fields_.capacity; }
  /// The largest payload of one record, in bytes.
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t { return fields_.max_record; }
  [[nodiscard]] auto wake() const noexcept -> wake_protocol { return bell_.protocol(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return bell_.process_shared(); }
  /// True once every lane is closed. Stays  true.
  [[nodiscard]] auto closed() const noexcept -> bool {
    for (std::uint32_t number = 0; number < lane_count(); ++number) {
      if (control_of(number).load_closed() == 0) return false;
    }
    return true;
  }
  /// Of one lane. The consumer's waits stand in statistics(). Needs  lane < lane_count().
  [[nodiscard]] auto statistics(std::uint32_t lane) const noexcept -> spsc_statistics {
    const auto control = control_of(lane);
    return {detail::load_statistics<Memory, producer_statistics>(
                control.word(layout::spsc::producer_statistics)),
            detail::load_statistics<Memory, consumer_statistics>(
                control.word(layout::spsc::consumer_statistics))};
  }
  [[nodiscard]] auto statistics() const noexcept -> lanes_statistics {
    return detail::load_statistics<Memory, lanes_statistics>(statistics_words());
  }

 private:
  lanes(std::byte* base, const detail::header& fields, const doorbell<Memory>& bell) noexcept
      : base_{base}, fields_{fields}, bell_{bell} {}

  [[nodiscard]] static constexpr auto lane_size(std::uint32_t capacity) noexcept -> std::uint64_t {
    constexpr std::uint64_t mask = layout::lanes::lane_alignment - 1;
    return (ring_type::bytes_required(capacity) + mask) & ~mask;
  }

  [[nodiscard]] static constexpr auto is_possible(std::uint32_t count,
                                                  std::uint32_t capacity) noexcept -> bool {
    return count != 0 && detail::is_power_of_two(capacity) && capacity >= ring_kind::min_capacity &&
           lane_size(capacity) <= layout::max_total_size &&  // so that the product does not wrap
           bytes_required(count, capacity) <= layout::max_total_size;
  }

  [[nodiscard]] static constexpr auto largest_capacity(std::size_t span_size,
                                                       std::uint32_t count) noexcept
      -> std::uint32_t {
    auto capacity = ring_kind::min_capacity;
    if (count == 0) return 0;
    while (is_possible(count, capacity * 2) && bytes_required(count, capacity * 2) <= span_size) {
      capacity *= 2;
    }
    return capacity;
  }

  /// The header of such lanes. attach() accepts nothing else.
  [[nodiscard]] static auto expected(std::uint32_t count, std::uint32_t capacity,
                                     std::uint32_t flags, std::uint32_t type_tag,
                                     std::uint32_t wake) noexcept -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::lanes),
            .flags = flags,
            .total_size = static_cast<std::uint32_t>(bytes_required(count, capacity)),
            .capacity = capacity,
            .data_offset = layout::lanes::first_lane,
            .stride = ring_kind::stride,
            .alignment = ring_kind::alignment,
            .max_record = ring_kind::max_record(capacity),
            .type_tag = type_tag,
            .wake_protocol = wake,
            .slots = count};
  }

  [[nodiscard]] auto lane_span(std::uint32_t number) const noexcept -> std::span<std::byte> {
    const auto size = static_cast<std::size_t>(lane_size(capacity()));
    return {base_ + layout::lanes::first_lane + number * size, size};
  }

  /// A lane's control block, from this side's copy of the constants alone.
  [[nodiscard]] auto control_of(std::uint32_t number) const noexcept
      -> detail::spsc_control<Memory> {
    auto fields = fields_;
    fields.kind = static_cast<std::uint32_t>(ring_kind::number);
    fields.flags |= layout::flag_doorbell;
    fields.total_size = static_cast<std::uint32_t>(ring_type::bytes_required(capacity()));
    fields.data_offset = layout::spsc::data;
    fields.slots = 0;
    return {lane_span(number).data(), fields, bell_.park_word()};
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return detail::word_at(base_, layout::lanes::statistics);
  }

  std::byte* base_;
  detail::header fields_;
  doorbell<Memory> bell_;
};

}  // namespace weir
