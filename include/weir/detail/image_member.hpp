// SPDX-License-Identifier: MIT
/// Who works on an image: members, with a band of the next frame or a view of the readable one, and the director.
#pragma once

#include <weir/contract.hpp>
#include <weir/detail/image_control.hpp>
#include <weir/detail/owner_table.hpp>
#include <weir/detail/region_control.hpp>
#include <weir/detail/region_handle.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/partition.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// A band of the next frame, for its holder to write. Without commit() it stays unwritten, for others to
/// claim. Move-only.
///
/// Needs   the member outlives it. In a fork's child it must not be used.
/// Thread  one at a time.
template <class T, memory_policy Memory>
class image_band {
 public:
  /// Needs  `region` is held, and not written for the frame. From here on its version is odd.
  image_band(const detail::image_control<Memory>& control, region<T, Memory> region,
             std::uint32_t frame) noexcept
      : control_{control}, region_{std::move(region)}, frame_{frame}, process_{Memory::self()} {
    region_.begin_write();
  }
  image_band(image_band&&) noexcept = default;
  auto operator=(image_band&&) -> image_band& = delete;
  ~image_band() {
    if (!*this || process_ != Memory::self()) return;
    static_cast<void>(region_.give_back());
    control_.tell_members();
  }

  /// False once moved from or committed; then the functions below must not be called.
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(region_); }

  [[nodiscard]] auto index() const noexcept -> std::uint32_t { return region_.index(); }
  /// Number of the frame that it will be a part of.
  [[nodiscard]] auto frame() const noexcept -> std::uint32_t { return frame_; }
  /// Where it lies.
  [[nodiscard]] auto part() const noexcept -> const box& { return region_.part(); }
  [[nodiscard]] auto rows() const noexcept -> std::uint32_t { return region_.rows(); }
  [[nodiscard]] auto columns() const noexcept -> std::uint32_t { return region_.columns(); }

  /// Row `y` of plane `z`, counted from the band's first: what the last frame but one left there.
  /// Needs  y < rows(), z < planes of the band.
  [[nodiscard]] auto row(std::uint32_t y, std::uint32_t z = 0) const noexcept -> std::span<T> {
    return region_.row(y, z);
  }
  /// The whole band, if it has no gaps: whole rows that are packed. Else nothing.
  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> { return region_.bytes(); }

  /// The frame before, where the band lies and up to `margin` away; good until commit().
  [[nodiscard]] auto before(std::uint32_t margin = 0) const noexcept -> halo_view<T> {
    return region_.halo(margin);
  }
  [[nodiscard]] auto before(std::uint32_t margin_x, std::uint32_t margin_y,
                            std::uint32_t margin_z = 0) const noexcept -> halo_view<T> {
    return region_.halo(margin_x, margin_y, margin_z);
  }

  /// The band is written: wakes the director. Needs  *this.
  /// Returns  ok; stale: it was not held any more: somebody reclaimed it from the living.
  auto commit() noexcept -> status {
    WEIR_EXPECTS(*this);
    region_.end_write_as(detail::image_control<Memory>::version_of(frame_));
    const auto held = region_.give_back();
    control_.tell_members_if_flipped(frame_);
    return held;
  }

 private:
  detail::image_control<Memory> control_;
  region<T, Memory> region_;
  std::uint32_t frame_;
  std::uint32_t process_;
};

/// A whole frame, kept as it is while this lives. Move-only.
///
/// Needs   the member outlives it. In a fork's child it must not be used.
/// Thread  one at a time.
template <class T, memory_policy Memory>
class image_view {
 public:
  /// Needs  that member's pin of that frame.
  image_view(const detail::image_control<Memory>& control, std::uint32_t place,
             std::uint32_t frame) noexcept
      : control_{control}, place_{place}, frame_{frame}, process_{Memory::self()} {}
  image_view(image_view&& other) noexcept
      : control_{other.control_},
        place_{other.place_},
        frame_{other.frame_},
        process_{std::exchange(other.process_, 0)} {}
  auto operator=(image_view&&) -> image_view& = delete;
  ~image_view() {
    if (process_ != Memory::self()) return;
    control_.unpin(frame_ & 1, place_);
    control_.tell_director();
  }

  /// Number of the frame, mod 2^31.
  [[nodiscard]] auto frame() const noexcept -> std::uint32_t { return frame_; }
  /// Its rows, all of them, by the image's coordinates.
  [[nodiscard]] auto elements() const noexcept -> halo_view<T> {
    const auto& shape = control_.bands().division().shape();
    return {control_.buffer_of(frame_), shape, {0, 0, 0, shape.width, shape.height, shape.planes}};
  }
  /// Row `y` of plane `z`. Needs  y < height, z < planes of the image.
  [[nodiscard]] auto row(std::uint32_t y, std::uint32_t z = 0) const noexcept
      -> std::span<const T> {
    return elements().row(y, z);
  }

 private:
  detail::image_control<Memory> control_;
  std::uint32_t place_;
  std::uint32_t frame_;
  std::uint32_t process_;
};

/// One who takes part: claims bands, and looks at frames. Move-only.
///
/// Needs   it outlives its bands and its view.
/// Thread  any, several at once too, but for view(): one at a time.
template <class T, memory_policy Memory>
class image_member {
 public:
  using band_type = image_band<T, Memory>;
  using view_type = image_view<T, Memory>;

  image_member(const detail::image_control<Memory>& control,
               detail::membership<Memory> membership) noexcept
      : control_{control}, membership_{std::move(membership)} {}
  image_member(image_member&&) noexcept = default;
  auto operator=(image_member&&) -> image_member& = delete;

  /// Its number, from 0: no two members have the same one at a time.
  [[nodiscard]] auto place() const noexcept -> std::uint32_t { return membership_.place; }

  /// A band of the next frame.
  ///
  /// Returns  a band; empty: it is written, and waits for the flip; busy: somebody holds it; bad_layout: no
  ///          such band.
  /// Progress wait-free.
  [[nodiscard]] auto claim(std::uint32_t index) const noexcept -> result<band_type> {
    const auto& bands = control_.bands();
    if (index >= bands.count()) return status::bad_layout;
    if (auto frame = control_.frame_to_write(index); !frame) return frame.status();
    auto token = bands.claim(index, place());
    if (!token) return token.status();
    return take({.index = index, .word = *token});
  }

  /// The first band from `first` on, round, that is neither held nor written. Members that begin at
  /// different numbers do not get in each other's way.
  ///
  /// Returns  a band; empty: all are written, and wait for the flip; busy: others hold those that are not.
  /// Progress wait-free: two looks at each band.
  [[nodiscard]] auto claim_next(std::uint32_t first = 0) const noexcept -> result<band_type> {
    auto taken = control_.bands().claim_next(first, place(), [this](std::uint32_t index) {
      return bool{control_.frame_to_write(index)};
    });
    if (!taken) return control_.is_written() ? status::empty : status::busy;
    return take(*taken);
  }

  /// Waits until a band can be claimed: after a flip, or when somebody has given one up, or reclaim() did.
  /// Another member may still be faster.
  ///
  /// Returns  ok; timed_out; stopped; empty (poll); would_block (inline mode); peer_dead: policy park, shared
  ///          by processes, nothing to do, and a holder or the director died; unsupported: the policy
  ///          sleeps, and nobody would wake it here.
  template <wait_policy Wait = park>
  [[nodiscard]] auto wait_for_band(deadline until = no_deadline,
                                   const stop_word* stop = nullptr) const noexcept -> status {
    return control_.frames().template wait<Wait>(
        [this] { return control_.has_free_band() ? status::ok : status::empty; }, until, stop,
        [this] {
          const auto holders = control_.holders_status();
          return holders == status::ok ? control_.director_status() : holders;
        });
  }

  /// The newest frame that is whole, which nobody overwrites as long as the view lives: the readable one,
  /// or, while a flip waits for views of that, the next one. The director can flip to it, but not on.
  ///
  /// Returns  a view; busy: this member has one already, or others were faster at each of 64 attempts.
  /// Progress wait-free.
  [[nodiscard]] auto view() const noexcept -> result<view_type> {
    auto frame = control_.pin(place());
    if (!frame) return frame.status();
    return view_type{control_, place(), *frame};
  }

  /// Number of the readable frame, mod 2^31.
  [[nodiscard]] auto frame() const noexcept -> std::uint32_t { return control_.frame(); }

  /// Waits until the readable frame is another than `seen`.
  ///
  /// Returns  ok; timed_out; stopped; empty (poll); would_block (inline mode); peer_dead: policy park, shared
  ///          by processes, and the director died; unsupported: the policy sleeps, and nobody would wake it
  ///          here.
  template <wait_policy Wait = park>
  [[nodiscard]] auto wait_frame(std::uint32_t seen, deadline until = no_deadline,
                                const stop_word* stop = nullptr) const noexcept -> status {
    return control_.frames().template wait<Wait>(
        [&] { return control_.frame() != seen ? status::ok : status::empty; }, until, stop,
        [this] { return control_.director_status(); });
  }

 private:
  /// Needs  the band is held by this member.
  [[nodiscard]] auto take(const region_descriptor& taken) const noexcept -> result<band_type> {
    const auto& bands = control_.bands();
    // Only the holder changes the version, and while it is behind, nobody flips.
    auto frame = control_.frame_to_write(taken.index);
    if (!frame) {
      static_cast<void>(bands.give_back(taken.index, taken.word));
      return frame.status();
    }
    region<T, Memory> held{bands,
                           taken.index,
                           taken.word,
                           {control_.buffer_of(*frame), control_.buffer_of(*frame - 1)},
                           bands.table().slot(taken.index).value()};
    return band_type{control_, std::move(held), *frame};
  }

  detail::image_control<Memory> control_;
  detail::membership<Memory> membership_;
};

/// Decides when the next frame can be read. One per image; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
template <class Memory>
class image_director {
 public:
  image_director(const detail::image_control<Memory>& control,
                 detail::held_role<Memory> role) noexcept
      : control_{control}, role_{std::move(role)} {}

  /// Makes the frame readable that was written, and the other buffer the one to be written: whoever
  /// waits for it wakes.
  ///
  /// Returns  ok; pending: a band is not written; busy: somebody views the readable frame, whose buffer
  ///          would be written next. From then on new views are of the next one.
  /// Progress wait-free: one look at each band.
  [[nodiscard]] auto flip() noexcept -> status {
    if (!control_.is_written()) return status::pending;
    const auto frame = control_.frame();
    control_.open_to_views((frame + 1) & 1);  // first, so that there is always one to view
    if (const auto free = control_.close_to_views(frame & 1); free != status::ok) return free;
    control_.frames().slot(0).value().publish();
    return status::ok;
  }

  /// Waits until every band is written and nobody views the other buffer, and flips.
  ///
  /// Returns  ok; timed_out; stopped; empty (poll: not yet); would_block (inline mode); peer_dead: policy
  ///          park, shared by processes, and a member died with a band or a view: reclaim(), and wait again;
  ///          unsupported: the policy sleeps, and nobody would wake it here.
  template <wait_policy Wait = park>
  [[nodiscard]] auto flip_when_written(deadline until = no_deadline,
                                       const stop_word* stop = nullptr) noexcept -> status {
    return control_.bands().table().template wait<Wait>(
        [this] { return flip() == status::ok ? status::ok : status::empty; }, until, stop,
        [this] { return control_.holders_status(); });
  }

  /// Number of the readable frame, mod 2^31.
  [[nodiscard]] auto frame() const noexcept -> std::uint32_t { return control_.frame(); }

 private:
  detail::image_control<Memory> control_;
  detail::held_role<Memory> role_;
};

}  // namespace weir
