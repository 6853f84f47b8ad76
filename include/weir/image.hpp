// SPDX-License-Identifier: MIT
/// An image in two buffers: workers write the bands of the next frame and read the frame before.
///
/// Memory       header | director's line | pins | a version_table with the number of the readable frame |
///              a regions with the bands, their holders and versions | two buffers (layout_buffers.hpp)
/// Invariants   I1  frame n is readable, in buffer n mod 2, and nobody writes there; frame n + 1 is written in
///                  the other buffer, whose pins say so until all its bands are written
///              I2  a band's version is 2 n until it is written for frame n + 1, and 2 n + 2 from then on; it is
///                  odd while somebody writes it, and stays odd where a writer died or gave up
///              I3  whoever holds a band that is not written for frame n + 1 keeps n the readable frame
/// Edges        views and the director: detail/image_control.hpp; frames and bands: those of version_word.hpp
///              and version_table.hpp; holders: region.hpp; the role: owner.hpp
/// Progress     claim, commit, view, flip wait-free, in proportion to the bands. Waits as their policy says.
///              A view that stays, and a band that stays, hold up the next flip.
/// Wrap, ABA    frames are numbered mod 2^31, their versions mod 2^32.
/// Dead peers   reclaim() gives back what dead members held: a band is written anew by whoever claims it, a
///              view no longer counts. A dead director's successor finishes its flip.
/// Not for      readers that cannot keep up with the frames: let them copy rows out of a view, or use latest.
/// Source       double buffering with the hand-over of halo exchanges; the pins are reader bits as in left-right.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/image_control.hpp>
#include <weir/detail/image_member.hpp>
#include <weir/detail/owner_table.hpp>
#include <weir/detail/region_control.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/partition.hpp>
#include <weir/region.hpp>
#include <weir/status.hpp>
#include <weir/version_table.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace weir {

/// How an image is laid out.
struct image_options {
  /// Of each of the two buffers.
  geometry shape;
  /// Into what members claim: `bands`, here and below, even if they are tiles.
  cuts cut;
  /// How many can take part at a time, from 1 to 31: threads, or processes.
  std::uint32_t members = 31;
  /// Of those who wait for frames and for bands (version_table.hpp).
  wake_choice wake = {};
  /// Members may be in different processes.
  bool process_shared = false;
  /// The application's number for what the elements mean; attach() compares it.
  std::uint32_t type_tag = 0;
  /// Number of the frame that can be read at first; less than 2^31. For tests of the wrap.
  std::uint32_t start_frame = 0;
};

/// A view of one image. Copyable; it does nothing by itself: join, or take the director's role.
///
/// T: trivially copyable. For images in the shared memory of several processes: without pointers.
template <class T, memory_policy Memory = native_memory>
class image {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>);

 public:
  using member_type = image_member<T, Memory>;
  using director_type = image_director<Memory>;

  static constexpr std::uint32_t max_members = layout::image::max_places;

  /// Bytes of span that it takes; 0: there is no such image.
  [[nodiscard]] static constexpr auto bytes_required(const image_options& options) noexcept
      -> std::uint64_t {
    const auto bands_size = detail::region_control<Memory>::required(bands_of(options));
    if (bands_size == 0 || options.members > max_members) return 0;
    return extent::of(bands_size, options.shape).end;
  }

  // --- format, attach

  /// Lays an image out in the span: the readable frame is all zeros. Whatever was there is gone.
  ///
  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned or too small; partition::make() refuses
  ///          the shape or the cuts; elements are not of T's size, or something in the buffers would not be
  ///          aligned as T or the cuts ask; or there are no such members, wake protocol or first frame.
  [[nodiscard]] static auto format(std::span<std::byte> span, const image_options& options) noexcept
      -> result<image> {
    auto division = partition::make(options.shape, options.cut);
    const auto size = bytes_required(options);
    if (!division || size == 0 || size > span.size() || size > layout::max_total_size ||
        !detail::is_aligned(span) || options.start_frame >= 1U << 31) {
      return status::bad_layout;
    }
    const auto where =
        extent::of(detail::region_control<Memory>::required(bands_of(options)), options.shape);
    if (!fits(*division, span, where)) return status::bad_layout;
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), static_cast<std::uint32_t>(where.buffers_at));
    Memory::clear(where.buffer(span, 0).data(), static_cast<std::size_t>(2 * where.stride));
    const auto start = detail::image_control<Memory>::version_of(options.start_frame);
    auto frames = frames_type::format(where.frames(span), {.wake = options.wake,
                                                           .process_shared = options.process_shared,
                                                           .type_tag = options.type_tag,
                                                           .start_version = start});
    auto bands =
        detail::region_control<Memory>::lay_out(where.bands(span), bands_of(options), start);
    if (!frames || !bands) return status::bad_layout;
    const auto fields = expected(where, *bands, options.type_tag);
    const detail::image_control<Memory> control{span.data(), fields, *frames, *bands};
    static_cast<void>(control.close_to_views((options.start_frame + 1) & 1));
    detail::publish_header<Memory>(span.data(), fields);
    return image{control};
  }

  /// A view of the image that somebody formatted in the span.
  ///
  /// Returns  a view; not_ready: nobody has finished formatting; bad_layout: something else is there, or
  ///          elements of another size or tag, or more than the span holds.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span, std::uint32_t type_tag = 0) noexcept
      -> result<image> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    if (span.size() < extent::bands_at) return status::bad_layout;
    auto frames = frames_type::attach(extent{}.frames(span), type_tag);
    auto bands = detail::region_control<Memory>::open(span.subspan(extent::bands_at), type_tag);
    if (!frames || !bands) return status::bad_layout;
    const auto& division = bands->division();
    const auto where = extent::of(bands->size(), division.shape());
    if (where.end > layout::max_total_size || bands->places().count() > max_members ||
        frames->wake() != bands->table().wake() ||
        frames->process_shared() != bands->table().process_shared() ||
        *found != expected(where, *bands, type_tag) || !fits(division, span, where)) {
      return status::bad_layout;
    }
    return image{detail::image_control<Memory>{span.data(), *found, *frames, *bands}};
  }

  // --- taking part

  /// Returns  a member; full: there are as many as there can be. reclaim() makes room where some are dead.
  [[nodiscard]] auto join() const noexcept -> result<member_type> {
    auto membership =
        control_.bands().join([this](std::uint32_t place) { return !control_.has_view(place); });
    if (!membership) return membership.status();
    return member_type{control_, std::move(*membership)};
  }

  /// Takes the director's role, from a dead owner too: `alive` as for reclaim().
  /// Returns  a handle; busy: a live owner holds it.
  template <class Alive>
  [[nodiscard]] auto director(Alive&& alive) const noexcept -> result<director_type> {
    auto entry = control_.director_entry();
    auto token = entry.take(entry.look(alive));
    if (!token) return token.status();
    return director_type{control_, detail::held_role<Memory>{entry, *token}};
  }
  [[nodiscard]] auto director() const noexcept -> result<director_type> {
    return director(Memory::alive);
  }

  /// Frees what dead members held: bands, to be written anew, and views.
  ///
  /// `alive(id, start) -> bool` is false only for an owner that can never run again; by default the
  /// memory's own proof, on Linux process id and start time.
  /// Returns  how many members, and how many bands and views.
  /// Thread   any.   Progress  wait-free but for `alive`: a look at each band for each dead member.
  template <class Alive = decltype(&Memory::alive)>
  auto reclaim(Alive&& alive = &Memory::alive) const noexcept -> reclaimed {
    const auto sum =
        control_.bands().reclaim(reclaim_from::the_dead, alive,
                                 [this](std::uint32_t place) { return control_.unpin_all(place); });
    if (sum.things != 0) {
      control_.tell_director();
      control_.tell_members();
    }
    return sum;
  }

  /// Sets the word and wakes everybody: whoever waits with it returns `stopped`.
  /// Thread  any.   Progress  wait-free: looks at every counter of the versions.
  void request_stop(stop_word& word) const noexcept {
    control_.frames().request_stop(word);
    control_.bands().table().request_stop(word);
  }

  // --- observers; thread: any

  /// Number of the readable frame, mod 2^31.
  [[nodiscard]] auto frame() const noexcept -> std::uint32_t { return control_.frame(); }
  /// How many bands there are.
  [[nodiscard]] auto count() const noexcept -> std::uint32_t { return control_.bands().count(); }
  /// Where they lie, and the shape that they are cut from.
  [[nodiscard]] auto division() const noexcept -> const partition& {
    return control_.bands().division();
  }
  /// A version for each band: twice the number of the frame that it was written for, or odd.
  [[nodiscard]] auto versions() const noexcept -> version_table<Memory> {
    return control_.bands().table();
  }
  /// Dead: reclaim() frees it. Needs  index < count().
  [[nodiscard]] auto owner(std::uint32_t index) const noexcept -> owner_state {
    return control_.bands().owner(index);
  }
  [[nodiscard]] auto director_owner() const noexcept -> owner_state {
    return control_.director_entry().state();
  }

 private:
  using frames_type = version_table<Memory>;

  /// What lies where, in bytes from the span's first.
  struct extent {
    static constexpr std::uint64_t frames_size = frames_type::bytes_required({});
    static constexpr std::uint32_t bands_at = detail::align_up(
        layout::image::frames + static_cast<std::uint32_t>(frames_size), layout::image::span);

    std::uint64_t bands_size = 0;
    std::uint64_t buffers_at = 0;
    std::uint64_t stride = 0;  ///< from a buffer to the next
    std::uint64_t end = 0;

    [[nodiscard]] static constexpr auto of(std::uint64_t bands_size, const geometry& shape) noexcept
        -> extent {
      const auto aligned = [](std::uint64_t size) {
        return (size + layout::image::span - 1) / layout::image::span * layout::image::span;
      };
      const auto buffers_at = aligned(bands_at + bands_size);
      const auto stride = aligned(shape.bytes());
      return {bands_size, buffers_at, stride, buffers_at + 2 * stride};
    }

    [[nodiscard]] auto frames(std::span<std::byte> span) const noexcept -> std::span<std::byte> {
      return span.subspan(layout::image::frames, static_cast<std::size_t>(frames_size));
    }
    [[nodiscard]] auto bands(std::span<std::byte> span) const noexcept -> std::span<std::byte> {
      return span.subspan(bands_at, static_cast<std::size_t>(bands_size));
    }
    [[nodiscard]] auto buffer(std::span<std::byte> span, std::uint32_t side) const noexcept
        -> std::span<std::byte> {
      return span.subspan(static_cast<std::size_t>(buffers_at + side * stride),
                          static_cast<std::size_t>(stride));
    }
  };

  explicit image(const detail::image_control<Memory>& control) noexcept : control_{control} {}

  [[nodiscard]] static constexpr auto bands_of(const image_options& options) noexcept
      -> regions_options {
    return {.shape = options.shape,
            .cut = options.cut,
            .members = options.members,
            .wake = options.wake,
            .process_shared = options.process_shared,
            .type_tag = options.type_tag};
  }
  /// Needs  the span holds all of it.
  [[nodiscard]] static auto fits(const partition& division, std::span<std::byte> span,
                                 const extent& where) noexcept -> bool {
    return detail::fits_data(division, where.buffer(span, 0), sizeof(T), alignof(T)) &&
           detail::fits_data(division, where.buffer(span, 1), sizeof(T), alignof(T));
  }

  /// The header of such an image. attach() accepts nothing else.
  [[nodiscard]] static auto expected(const extent& where,
                                     const detail::region_control<Memory>& bands,
                                     std::uint32_t type_tag) noexcept -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::image),
            .flags = bands.table().process_shared() ? layout::flag_process_shared : 0,
            .total_size = static_cast<std::uint32_t>(where.end),
            .capacity = bands.places().count(),
            .data_offset = static_cast<std::uint32_t>(where.buffers_at),
            .stride = static_cast<std::uint32_t>(where.stride),
            .type_tag = type_tag,
            .wake_protocol = static_cast<std::uint32_t>(bands.table().wake()),
            .slots = bands.count()};
  }

  detail::image_control<Memory> control_;
};

}  // namespace weir
