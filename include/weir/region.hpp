// SPDX-License-Identifier: MIT
/// Regions: the parts of one buffer, each held by one member at a time, who alone writes it.
///
/// Memory       a control block (detail/region_control.hpp); the buffer lies elsewhere, and holds elements only
/// Invariants   I1  no byte of the buffer lies in two regions (partition.hpp)
///              I2  a region is held by one member, or is on its way between two, or is free
/// Edges        detail/region_word.hpp: what a holder did, to the next holder; versions: version_table.hpp
/// Progress     claim(), adopt(), give_back() wait-free; claim_next() one look at each region
/// Wrap, ABA    a descriptor of a region that was taken exactly k 2^24 times since, the last time by the same
///              member's place, passes for a fresh one.
/// Dead peers   what a dead member held or had handed over stays its own until somebody calls reclaim(), which
///              also tells readers of a version that it had ended, but not told of; a region that it was
///              writing is odd until a successor has written it again.
/// Not for      elements that several write at once (coalesce, version_table); a member that lies: whoever
///              may write the buffer may write all of it
///
/// Members are threads or processes. Death is proved for processes only: a thread that ends without
/// giving back leaves its regions held as long as its process runs.
#pragma once

#include <weir/detail/owner_table.hpp>
#include <weir/detail/region_control.hpp>
#include <weir/detail/region_handle.hpp>
#include <weir/detail/region_word.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/partition.hpp>
#include <weir/status.hpp>
#include <weir/version_table.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace weir {

/// One who takes part: claims regions, and adopts those that others hand over. Move-only.
///
/// Needs   it outlives its regions. What it has handed over when it is destroyed can still be adopted, and
///         keeps its place from being given to another member until then, or until
///         reclaim(reclaim_from::all_who_are_gone).
/// Thread  any, several at once too: which of them has a region is up to them.
template <class T, memory_policy Memory = native_memory>
class region_member {
 public:
  using region_type = region<T, Memory>;

  region_member(const detail::region_control<Memory>& control, const detail::region_planes& planes,
                detail::membership<Memory> membership) noexcept
      : control_{control},
        planes_{planes},
        process_{Memory::self()},
        membership_{std::move(membership)} {}
  region_member(region_member&&) noexcept = default;
  auto operator=(region_member&&) -> region_member& = delete;

  /// Its number, from 0: no two members have the same one at a time.
  [[nodiscard]] auto place() const noexcept -> std::uint32_t { return membership_.place; }

  /// Returns  a region; busy: held, or on its way; bad_layout: no such region.
  /// Progress wait-free.
  [[nodiscard]] auto claim(std::uint32_t index) const noexcept -> result<region_type> {
    auto token = control_.claim(index, place());
    if (!token) return token.status();
    return take(index, *token);
  }

  /// The first free region from number `first` on, round. Members that begin at different numbers do not
  /// get in each other's way.
  ///
  /// Returns  a region; busy: none is free.
  /// Progress wait-free: one look at each region.
  [[nodiscard]] auto claim_next(std::uint32_t first = 0) const noexcept -> result<region_type> {
    return claim_next_if([](std::uint32_t) { return true; }, first);
  }
  /// The same among those for which wanted(index) -> bool, which is asked before a region is taken, and
  /// again once it is held: what only a holder changes is then settled.
  ///
  /// Returns  a region; busy: none of them is free.
  /// Progress wait-free but for `wanted`.
  template <class Wanted>
  [[nodiscard]] auto claim_next_if(Wanted&& wanted, std::uint32_t first = 0) const noexcept
      -> result<region_type> {
    auto taken = control_.claim_next(first, place(), wanted);
    if (!taken) return taken.status();
    return take(taken->index, taken->word);
  }

  /// Takes a region that was handed over, by whichever member, this one too.
  ///
  /// Returns  a region; stale: it was adopted or reclaimed before, or there is none of that number.
  /// Progress wait-free.
  [[nodiscard]] auto adopt(const region_descriptor& descriptor) const noexcept
      -> result<region_type> {
    auto token = control_.adopt(descriptor, place());
    if (!token) return token.status();
    return take(descriptor.index, *token);
  }

  /// Takes a region that this member has handed over, although its descriptor is lost: who adopts it later
  /// gets stale.
  ///
  /// Needs    this member has no handle of that region.
  /// Returns  a region; stale: it was adopted or reclaimed, or there is none of that number.
  /// Progress wait-free.
  [[nodiscard]] auto take_back(std::uint32_t index) const noexcept -> result<region_type> {
    auto token = control_.take_back(index, place());
    if (!token) return token.status();
    return take(index, *token);
  }

 private:
  [[nodiscard]] auto take(std::uint32_t index, std::uint32_t token) const noexcept
      -> result<region_type> {
    auto slot = control_.table().slot(index).value();
    return region_type{control_, index, token, planes_, slot, process_};
  }

  detail::region_control<Memory> control_;
  detail::region_planes planes_;
  std::uint32_t process_;
  detail::membership<Memory> membership_;
};

/// A view of the regions of one buffer. Copyable; it does nothing by itself: join.
///
/// T: trivially copyable. For buffers in the shared memory of several processes: without pointers.
template <class T, memory_policy Memory = native_memory>
class regions {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>);

 public:
  using member_type = region_member<T, Memory>;
  using region_type = region<T, Memory>;

  static constexpr std::uint32_t max_regions = layout::regions::max_regions;
  static constexpr std::uint32_t max_members = layout::regions::max_places;

  /// Bytes of span that the control block takes; 0: there are no such regions.
  [[nodiscard]] static constexpr auto bytes_required(const regions_options& options) noexcept
      -> std::uint64_t {
    return detail::region_control<Memory>::required(options);
  }

  // --- format, attach

  /// Lays a control block out in the span. Whatever was there is gone; the buffer is left as it is.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle, as the buffer does.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small, or overlaps the buffer; the
  ///          buffer does not hold the shape, or is not aligned as T or the cuts ask; elements are not of
  ///          T's size, or a stride is no multiple of its alignment; partition::make() refuses the cuts; or
  ///          there are more than max_regions or max_members, or no such wake protocol.
  [[nodiscard]] static auto format(std::span<std::byte> span, std::span<std::byte> buffer,
                                   const regions_options& options) noexcept -> result<regions> {
    auto division = partition::make(options.shape, options.cut);
    const auto size = bytes_required(options);
    if (!division || size > span.size()) return status::bad_layout;
    if (!fits(*division, span.first(static_cast<std::size_t>(size)), buffer)) {
      return status::bad_layout;
    }
    auto control = detail::region_control<Memory>::lay_out(span, options);
    if (!control) return control.status();
    return regions{*control, buffer.data()};
  }

  /// A view of the regions that somebody formatted in the span, over the same buffer.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          elements of another size or tag, or the buffer does not hold the shape, as for format().
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::span<std::byte> buffer,
                                   std::uint32_t type_tag = 0) noexcept -> result<regions> {
    auto control = detail::region_control<Memory>::open(span, type_tag);
    if (!control) return control.status();
    if (!fits(control->division(), span.first(control->size()), buffer)) return status::bad_layout;
    return regions{*control, buffer.data()};
  }

  // --- taking part

  /// Returns  a member; full: there are as many as there can be. reclaim() makes room where some are dead,
  ///          or left something handed over.
  [[nodiscard]] auto join() const noexcept -> result<member_type> {
    auto membership = control_.join([](std::uint32_t) { return true; });
    if (!membership) return membership.status();
    return member_type{control_, planes(), std::move(*membership)};
  }

  /// Frees the regions of dead members, and those that they had handed over and nobody has adopted; of
  /// all who are gone: also what members that left had handed over. Frees their places too.
  ///
  /// `alive(id, start) -> bool` is false only for an owner that can never run again; by default the
  /// memory's own proof, on Linux process id and start time.
  /// Returns  how many members and regions.
  /// Thread   any.   Progress  wait-free but for `alive`: a look at each region for each member that is gone.
  template <class Alive = decltype(&Memory::alive)>
  auto reclaim(reclaim_from whose = reclaim_from::the_dead,
               Alive alive = &Memory::alive) const noexcept -> reclaimed {
    return control_.reclaim(whose, alive, [](std::uint32_t) { return 0U; });
  }

  // --- observers; thread: any

  [[nodiscard]] auto count() const noexcept -> std::uint32_t { return control_.count(); }
  /// Needs  index < count().
  [[nodiscard]] auto part(std::uint32_t index) const noexcept -> box {
    return control_.division().part(index);
  }
  /// The whole division: which part an element is in, boxes with their halos.
  [[nodiscard]] auto division() const noexcept -> const partition& { return control_.division(); }
  [[nodiscard]] auto shape() const noexcept -> const geometry& {
    return control_.division().shape();
  }
  /// One version for each region: to find those that changed, and to wait for some or all.
  [[nodiscard]] auto versions() const noexcept -> version_table<Memory> { return control_.table(); }
  /// Dead: reclaim() frees it. Of a region on its way: its last holder's state. Needs  index < count().
  [[nodiscard]] auto owner(std::uint32_t index) const noexcept -> owner_state {
    return control_.owner(index);
  }
  [[nodiscard]] auto members() const noexcept -> std::uint32_t { return control_.places().count(); }
  [[nodiscard]] auto process_shared() const noexcept -> bool {
    return control_.table().process_shared();
  }

 private:
  regions(const detail::region_control<Memory>& control, std::byte* buffer) noexcept
      : control_{control}, buffer_{buffer} {}

  [[nodiscard]] auto planes() const noexcept -> detail::region_planes { return {buffer_, buffer_}; }

  [[nodiscard]] static auto fits(const partition& division, std::span<const std::byte> control,
                                 std::span<const std::byte> buffer) noexcept -> bool {
    return detail::fits_data(division, buffer, sizeof(T), alignof(T)) &&
           !detail::overlap(control,
                            buffer.first(static_cast<std::size_t>(division.shape().bytes())));
  }

  detail::region_control<Memory> control_;
  std::byte* buffer_;
};

}  // namespace weir
