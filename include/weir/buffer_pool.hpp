// SPDX-License-Identifier: MIT
/// Handles to blobs: buffers of a few sizes that members allocate, share, hand over and free, and whose
/// handles are refused once they are stale.
///
/// Memory       header | classes: size, count | places: owner, start | marks, a bit per buffer | entries:
///              state, version, used, metadata | buffers (layout_buffers.hpp)
/// Invariants   I1  a buffer's state, {generation: 32, holders: 32}, is the whole truth about it: free while
///                  nobody holds it, and no allocation but the present one has its generation
///              I2  a mark is a hint that its buffer is free. While no call is in progress, and nobody has
///                  died in one, each free buffer is marked
/// Edges        S2 -> S2, S1  all that earlier holders did with the buffer     S3 -> S4  that it is free
///              versions are detail/version_word.hpp's, places owner.hpp's
/// Progress     all operations lock-free: a state or a mark is exchanged again only because another exchange
///              succeeded. A peer that never lets one succeed gets corrupt for an answer. allocate() looks at
///              each buffer at most once. read() wait-free.
///
/// To allocate is one compare-exchange of a state that is free; the mark says where to try. The last holder
/// ends the generation in the same exchange that gives the buffer up, and marks it afterwards. Why I2 holds:
/// a mark is set only after the state was seen, or made, free (S3), and cleared by an exchange after which
/// the state is looked at once more (S4). If the marking comes after the clearing, the mark stands. If it
/// comes before, the clearing reads what it wrote, or a later exchange of the same word, so that the second
/// look sees the state that was free, or a later one: it marks again, or the buffer has been taken since.
///
/// Wrap, ABA    none. Generations do not repeat: the buffer whose generation has reached its last value is
///              retired. A class of n buffers lasts for n (2^32 - 1) allocations.
/// Dead peers   what a dead member holds stays held until reclaim(). A death between the exchange that frees
///              and the marking, or between clearing a mark and the second look, hides a free buffer:
///              reclaim() marks every free buffer. What a dead writer had begun stays odd until it is
///              written again, or the buffer is allocated anew.
/// Descriptors  one that is redeemed twice, or is on its way still after its giver took the buffer back, is
///              refused, unless that giver, or a later member at its place, holds the same allocation once
///              more: then it takes that holding.
/// Not for      growing; objects with constructors; several threads behind one member
/// Source       the generation beside the state is that of slot maps; a bit for each holder, so that a dead
///              one's can be cleared, instead of a count that nobody can correct.
#pragma once

#include <weir/detail/buffer_pool_control.hpp>
#include <weir/detail/buffer_pool_member.hpp>
#include <weir/detail/buffer_pool_shape.hpp>
#include <weir/detail/buffer_pool_slot.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/owner_table.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// How a pool is laid out.
struct pool_options {
  /// From 1 to 16, each larger than the one before; together at most 2^20 buffers.
  std::span<const pool_class> classes;
  /// Of each buffer: a power of two from 8 to 4096. Above 64 the span must be aligned so, too.
  std::uint32_t alignment = 64;
  /// Members may be in different processes.
  bool process_shared = false;
  /// The application's number for what is in the buffers; attach() compares it.
  std::uint32_t type_tag = 0;
  /// That of each buffer's first allocation. For tests of retirement.
  std::uint32_t start_generation = 0;
};

/// The buffers of one class.
struct pool_usage {
  std::uint32_t size = 0;  ///< bytes that each holds
  std::uint32_t buffers = 0;
  std::uint32_t in_use = 0;   ///< held by anybody
  std::uint32_t retired = 0;  ///< given out for the last time
};

/// A buffer that is held, as for_each_held() shows it.
struct pool_entry {
  pool_handle handle;
  std::uint32_t capacity = 0;  ///< bytes that it holds
  std::uint32_t used = 0;      ///< bytes that were asked for
  std::uint32_t holders = 0;   ///< a bit for each place that holds it
  std::uint32_t dead = 0;      ///< those whose member died
  std::uint32_t left = 0;      ///< those whose member left
  std::uint32_t version = 0;
  std::array<std::uint32_t, layout::pool::metadata_words> metadata{};
};

/// A view of one pool. Copyable; it does nothing by itself: join.
template <memory_policy Memory = native_memory>
class buffer_pool {
  using control_type = detail::pool_control<Memory>;
  using shape_type = detail::pool_shape;

 public:
  using member_type = pool_member<Memory>;
  using buffer_type = buffer<Memory>;

  /// Members at a time.
  static constexpr std::uint32_t max_members = layout::pool::max_places;

  /// Bytes of span that it takes. 0: there is no such pool.
  [[nodiscard]] static constexpr auto bytes_required(const pool_options& options) noexcept
      -> std::uint64_t {
    auto shape = shape_type::make(options.classes, options.alignment);
    return shape ? shape->total() : 0;
  }

  // --- format, attach

  /// Lays a pool out in the span, all of it free. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view, member and buffer.
  /// Returns  a view; bad_layout: the span is not aligned or too small, there are no such classes, no such
  ///          alignment, or no generation left.
  [[nodiscard]] static auto format(std::span<std::byte> span, const pool_options& options) noexcept
      -> result<buffer_pool> {
    auto shape = shape_type::make(options.classes, options.alignment);
    if (!shape || shape->total() > span.size() || !control_type::fits(span, options.alignment) ||
        options.start_generation == detail::pool_state::last_generation) {
      return status::bad_layout;
    }
    const auto fields = control_type::expected(
        *shape, options.process_shared ? layout::flag_process_shared : 0, options.type_tag);
    detail::retract_header<Memory>(span.data());
    const control_type control{span.data(), fields, *shape};
    control.lay_out(options.classes, options.start_generation);
    detail::publish_header<Memory>(span.data(), fields);
    return buffer_pool{control};
  }

  /// A view of the pool that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or a
  ///          pool of another tag, or one that the span does not hold.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0) noexcept
      -> result<buffer_pool> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const auto fields = *found;
    auto shape = control_type::load_shape(span, fields.alignment);
    const bool possible =
        shape && control_type::fits(span, fields.alignment) &&
        fields ==
            control_type::expected(*shape, fields.flags & layout::flag_process_shared, type_tag);
    if (!possible) return status::bad_layout;
    return buffer_pool{control_type{span.data(), fields, *shape}};
  }

  // --- members

  /// Takes a place: one for each thread or process that is to hold buffers.
  /// Returns  a member; full: 32 are in use, by members or by what dead or former ones still hold.
  [[nodiscard]] auto join() const noexcept -> result<member_type> {
    auto membership = control_.places().join(
        [this](std::uint32_t place) { return control_.holds_nothing(place); });
    if (!membership) return membership.status();
    return member_type{control_, std::move(membership).value()};
  }

  /// Takes back what members hold that are gone, and finds free buffers that a dying one did not mark. What
  /// the dead share with the living stays with the living.
  ///
  /// alive(id, start) -> bool: false only if that member can never run again.
  /// Effect   handles of what nobody else holds become stale, and so do descriptors of it on their way.
  /// Thread   any, at any time.
  template <class Alive = decltype(&Memory::alive)>
  auto reclaim(reclaim_from whose = reclaim_from::the_dead,
               Alive&& alive = &Memory::alive) const noexcept -> reclaimed {
    return control_.reclaim(whose, alive);
  }

  // --- observers; thread: any. What they say is of a moment.

  [[nodiscard]] auto buffers() const noexcept -> std::uint32_t {
    return control_.shape().buffers();
  }
  [[nodiscard]] auto class_count() const noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(control_.shape().sections().size());
  }
  /// Needs  index < class_count().
  [[nodiscard]] auto size_class(std::uint32_t index) const noexcept -> pool_class {
    WEIR_EXPECTS(index < class_count());
    const auto& section = control_.shape().sections()[index];
    return {section.size, section.count};
  }
  [[nodiscard]] auto alignment() const noexcept -> std::uint32_t {
    return control_.fields().alignment;
  }
  [[nodiscard]] auto process_shared() const noexcept -> bool {
    return (control_.fields().flags & layout::flag_process_shared) != 0;
  }

  /// Needs  index < class_count(). Effect  looks at each buffer of the class.
  [[nodiscard]] auto usage(std::uint32_t index) const noexcept -> pool_usage {
    WEIR_EXPECTS(index < class_count());
    const auto& section = control_.shape().sections()[index];
    pool_usage sum{.size = section.size, .buffers = section.count};
    for (std::uint32_t at = 0; at < section.count; ++at) {
      const auto state = control_.slot(section.first + at).state();
      sum.in_use += state.holders() != 0 ? 1U : 0U;
      sum.retired += state.is_retired() ? 1U : 0U;
    }
    return sum;
  }

  /// How many members hold it. 0: stale.
  [[nodiscard]] auto references(pool_handle handle) const noexcept -> std::uint32_t {
    if (handle.index >= buffers()) return 0;
    const auto state = control_.slot(handle.index).state();
    if (!state.is_allocation(handle.generation)) return 0;
    return static_cast<std::uint32_t>(std::popcount(state.holders()));
  }

  /// The version of its bytes, odd while somebody writes them. Returns  stale.
  [[nodiscard]] auto version(pool_handle handle) const noexcept -> result<std::uint32_t> {
    if (handle.index >= buffers()) return status::stale;
    const auto slot = control_.slot(handle.index);
    const auto version = slot.version().load();
    if (!slot.state().is_allocation(handle.generation)) return status::stale;
    return version;
  }

  /// Calls visit(const pool_entry&) for each buffer that is held: at the end of a program, its leaks.
  /// Returns  how many.
  template <class Visit>
  auto for_each_held(Visit&& visit) const noexcept -> std::uint32_t {
    const auto dead = places_that_are(owner_state::dead);
    const auto left = places_that_are(owner_state::free);
    std::uint32_t count = 0;
    for (std::uint32_t index = 0; index < buffers(); ++index) {
      const auto slot = control_.slot(index);
      const auto state = slot.state();
      if (state.holders() == 0) continue;
      pool_entry entry{.handle = {index, state.generation()},
                       .capacity = slot.capacity,
                       .used = slot.used(),
                       .holders = state.holders(),
                       .dead = state.holders() & dead,
                       .left = state.holders() & left,
                       .version = slot.version().load()};
      for (std::uint32_t word = 0; word < layout::pool::metadata_words; ++word) {
        entry.metadata[word] = slot.metadata(word);
      }
      visit(std::as_const(entry));
      ++count;
    }
    return count;
  }

 private:
  explicit buffer_pool(const control_type& control) noexcept : control_{control} {}

  [[nodiscard]] auto places_that_are(owner_state state) const noexcept -> std::uint32_t {
    std::uint32_t places = 0;
    for (std::uint32_t place = 0; place < max_members; ++place) {
      if (control_.places().entry(place).state() == state) places |= 1U << place;
    }
    return places;
  }

  control_type control_;
};

}  // namespace weir
