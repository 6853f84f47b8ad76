// SPDX-License-Identifier: MIT
/// A region that is held, and what its holder sees of the elements around it.
#pragma once

#include <weir/contract.hpp>
#include <weir/detail/region_control.hpp>
#include <weir/detail/region_word.hpp>
#include <weir/partition.hpp>
#include <weir/status.hpp>
#include <weir/version_table.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

namespace detail {

/// Where the buffer begins that a region is written to, and the one that halos are read from.
struct region_planes {
  std::byte* write = nullptr;
  const std::byte* read = nullptr;
};

}  // namespace detail

/// A region's elements and those around them, to be read. Copyable. Coordinates are the whole shape's.
template <class T>
class halo_view {
 public:
  halo_view(const std::byte* first, const geometry& shape, const weir::box& box) noexcept
      : first_{first},
        box_{box},
        row_stride_{shape.row_stride},
        plane_stride_{shape.plane_stride} {}

  /// The region's box and the margin, as far as there are elements.
  [[nodiscard]] auto box() const noexcept -> const weir::box& { return box_; }

  /// The part of row `y` of plane `z` that is in the box: from column box().x on.
  /// Needs  y and z in the box.
  [[nodiscard]] auto row(std::uint32_t y, std::uint32_t z = 0) const noexcept
      -> std::span<const T> {
    WEIR_EXPECTS(box_.contains(box_.x, y, z));
    const auto* const at =
        first_ + std::size_t{z - box_.z} * plane_stride_ + std::size_t{y - box_.y} * row_stride_;
    return {reinterpret_cast<const T*>(at), box_.width};
  }
  /// Needs  column x, row y, plane z in the box.
  [[nodiscard]] auto at(std::uint32_t x, std::uint32_t y, std::uint32_t z = 0) const noexcept
      -> const T& {
    WEIR_EXPECTS(box_.contains(x, y, z));
    return row(y, z)[x - box_.x];
  }

 private:
  const std::byte* first_;
  weir::box box_;
  std::uint32_t row_stride_;
  std::uint32_t plane_stride_;
};

/// A region that this member holds: nobody else writes it. Gives it back when destroyed. Move-only.
///
/// Needs   the member outlives it. In a fork's child it must not be used.
/// Thread  one at a time; hand it over through something that synchronizes, to another member with
///         hand_over().
template <class T, memory_policy Memory>
class region {
 public:
  /// `token`: what claim or adopt gave; `process`: who took it, which is this process.
  region(const detail::region_control<Memory>& control, std::uint32_t index, std::uint32_t token,
         const detail::region_planes& planes, const version_slot<Memory>& slot,
         std::uint32_t process = Memory::self()) noexcept
      : division_{control.division()},
        part_{division_.part(index)},
        first_{planes.write + division_.offset(part_)},
        read_{planes.read},
        slot_{slot},
        hold_{control.word(index), index, token, process} {}
  region(region&&) noexcept = default;
  auto operator=(region&&) -> region& = delete;

  /// False once moved from, given back or handed over; then the functions below must not be called.
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(hold_); }

  [[nodiscard]] auto index() const noexcept -> std::uint32_t { return hold_.index(); }
  /// Where it lies.
  [[nodiscard]] auto part() const noexcept -> const box& { return part_; }

  // --- elements

  [[nodiscard]] auto columns() const noexcept -> std::uint32_t { return part_.width; }
  [[nodiscard]] auto rows() const noexcept -> std::uint32_t { return part_.height; }
  [[nodiscard]] auto planes() const noexcept -> std::uint32_t { return part_.depth; }
  /// Bytes from a row to the next.
  [[nodiscard]] auto stride() const noexcept -> std::uint32_t {
    return division_.shape().row_stride;
  }
  /// Bytes from a plane to the next.
  [[nodiscard]] auto plane_stride() const noexcept -> std::uint32_t {
    return division_.shape().plane_stride;
  }

  /// Row `y` of plane `z`, counted from the region's first. Needs  y < rows(), z < planes().
  [[nodiscard]] auto row(std::uint32_t y, std::uint32_t z = 0) const noexcept -> std::span<T> {
    WEIR_EXPECTS(*this && y < rows() && z < planes());
    auto* const at = first_ + std::size_t{z} * plane_stride() + std::size_t{y} * stride();
    return {reinterpret_cast<T*>(at), columns()};
  }

  /// All of it, if it has no gaps: one row, or whole rows that are packed. Else nothing.
  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> {
    WEIR_EXPECTS(*this);
    const auto row = std::size_t{columns()} * sizeof(T);
    const bool gaps =
        (rows() > 1 && row != stride()) || (planes() > 1 && (row * rows() != plane_stride()));
    if (gaps) return {};
    return {first_, row * rows() * planes()};
  }

  /// The elements up to `margin` away in every direction.
  /// Needs    nobody writes them meanwhile: wait for the neighbors' versions, or use image.hpp.
  /// Returns  a view, good as long as nobody writes there.
  [[nodiscard]] auto halo(std::uint32_t margin) const noexcept -> halo_view<T> {
    return halo(margin, margin, margin);
  }
  /// The same with a margin of its own for each direction.
  [[nodiscard]] auto halo(std::uint32_t margin_x, std::uint32_t margin_y,
                          std::uint32_t margin_z = 0) const noexcept -> halo_view<T> {
    WEIR_EXPECTS(*this);
    const auto around = division_.halo(part_, margin_x, margin_y, margin_z);
    return {read_ + division_.offset(around), division_.shape(), around};
  }

  // --- version; thread: the holder's

  /// From here until end_write() the version is odd: nobody takes what is in the region for whole.
  void begin_write() noexcept {
    WEIR_EXPECTS(*this);
    slot_.begin();
  }
  /// Wakes whoever waits for the version. Needs  begin_write().   Returns  the version.
  auto end_write() noexcept -> std::uint32_t {
    WEIR_EXPECTS(*this);
    return slot_.end();
  }
  /// As end_write(), for versions that mean something.
  /// Needs  begin_write(); an even version, not the one before.
  void end_write_as(std::uint32_t version) noexcept {
    WEIR_EXPECTS(*this);
    slot_.end_as(version);
  }
  /// Odd: it is being written, or its last holder died, or gave it back, between begin and end.
  [[nodiscard]] auto version() const noexcept -> std::uint32_t { return slot_.version(); }

  // --- letting go

  /// What was written is visible to the next holder. What is left odd stays odd.
  /// Returns  ok; stale: it was not held any more: somebody reclaimed it from the living.
  auto give_back() noexcept -> status { return hold_.give_back(); }

  /// Leaves the region on its way to another member, or thread: one of them adopts it by the descriptor.
  /// Until then nobody else can have it, but through reclaim(), or the giver's take_back().
  /// Needs  *this; the descriptor travels by something that synchronizes, as every ring does.
  [[nodiscard]] auto hand_over() noexcept -> region_descriptor {
    WEIR_EXPECTS(*this);
    return hold_.hand_over();
  }

 private:
  partition division_;
  box part_;
  std::byte* first_;
  const std::byte* read_;
  version_slot<Memory> slot_;
  detail::region_hold<Memory> hold_;
};

}  // namespace weir
