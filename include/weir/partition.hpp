// SPDX-License-Identifier: MIT
/// A buffer divided into parts that share no byte: pure arithmetic, no memory.
///
/// The buffer is planes of rows of elements, with strides between them; a part is a box of elements. Each
/// direction is cut on its own, in units: the fewest elements, rows or planes whose bytes are a multiple of
/// the alignment. Boundary k of n parts lies at unit floor(k * units / n), the last at the edge.
///
/// Invariants   I1  every element is in exactly one part, and no part is empty
///              I2  every cut is a multiple of the alignment away from the first byte
///              I3  in each direction the sizes of parts differ by at most one unit
/// Progress     constexpr; no loop
/// Not for      parts of chosen sizes; padding between rows belongs to no part
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/status.hpp>

#include <cstdint>

namespace weir {

/// How elements lie in a buffer.
struct geometry {
  static constexpr std::uint64_t max_bytes = 0xFFFF'FFFF;

  std::uint32_t width = 0;  ///< elements in a row
  std::uint32_t height = 1;
  std::uint32_t planes = 1;
  std::uint32_t element_size = 1;  ///< bytes
  std::uint32_t row_stride = 0;    ///< bytes from a row to the next; 0: packed
  std::uint32_t plane_stride = 0;  ///< bytes from a plane to the next; 0: packed

  [[nodiscard]] constexpr auto operator==(const geometry&) const noexcept -> bool = default;

  /// Bytes of a row without padding. This and the following: above max_bytes, just too many.
  [[nodiscard]] constexpr auto row_bytes() const noexcept -> std::uint64_t {
    return capped(std::uint64_t{width} * element_size);
  }
  /// Bytes from a row to the next.
  [[nodiscard]] constexpr auto stride() const noexcept -> std::uint64_t {
    return row_stride != 0 ? row_stride : row_bytes();
  }
  /// Bytes from a plane to the next.
  [[nodiscard]] constexpr auto plane_bytes() const noexcept -> std::uint64_t {
    return plane_stride != 0 ? plane_stride : capped(stride() * height);
  }
  /// Bytes from the first element to the end of the last.
  [[nodiscard]] constexpr auto bytes() const noexcept -> std::uint64_t {
    if (row_bytes() == 0 || height == 0 || planes == 0) return 0;
    return capped((planes - 1) * plane_bytes() + last_plane());
  }
  /// True if there is something, no two elements share a byte, and the bytes can be counted in 32 bits.
  [[nodiscard]] constexpr auto is_possible() const noexcept -> bool {
    return bytes() != 0 && bytes() <= max_bytes && plane_bytes() <= max_bytes &&
           stride() >= row_bytes() && plane_bytes() >= last_plane();
  }

 private:
  [[nodiscard]] static constexpr auto capped(std::uint64_t bytes) noexcept -> std::uint64_t {
    return bytes <= max_bytes ? bytes : max_bytes + 1;
  }
  [[nodiscard]] constexpr auto last_plane() const noexcept -> std::uint64_t {
    return capped((height - 1) * stride() + row_bytes());
  }
};

/// A packed geometry of Ts.
template <class T>
[[nodiscard]] constexpr auto geometry_of(std::uint32_t width, std::uint32_t height = 1,
                                         std::uint32_t planes = 1) noexcept -> geometry {
  return {.width = width, .height = height, .planes = planes, .element_size = sizeof(T)};
}

/// A box of elements: from column x, row y, plane z on. Needs  its far corner below 2^32.
struct box {
  std::uint32_t x = 0;
  std::uint32_t y = 0;
  std::uint32_t z = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint32_t depth = 0;

  [[nodiscard]] constexpr auto operator==(const box&) const noexcept -> bool = default;

  [[nodiscard]] constexpr auto contains(std::uint32_t at_x, std::uint32_t at_y,
                                        std::uint32_t at_z = 0) const noexcept -> bool {
    return at_x >= x && at_x - x < width && at_y >= y && at_y - y < height && at_z >= z &&
           at_z - z < depth;
  }
  [[nodiscard]] constexpr auto contains(const box& other) const noexcept -> bool {
    return other.x >= x && other.x + other.width <= x + width && other.y >= y &&
           other.y + other.height <= y + height && other.z >= z &&
           other.z + other.depth <= z + depth;
  }
  /// True if some element is in both.
  [[nodiscard]] constexpr auto intersects(const box& other) const noexcept -> bool {
    return overlap(x, width, other.x, other.width) && overlap(y, height, other.y, other.height) &&
           overlap(z, depth, other.z, other.depth);
  }

 private:
  [[nodiscard]] static constexpr auto overlap(std::uint32_t a, std::uint32_t length_of_a,
                                              std::uint32_t b, std::uint32_t length_of_b) noexcept
      -> bool {
    return a < b ? b - a < length_of_a && length_of_b != 0
                 : a - b < length_of_b && length_of_a != 0;
  }
};

/// Into how many parts a geometry is cut, and where it may be.
struct cuts {
  std::uint32_t columns = 1;  ///< parts across
  std::uint32_t rows = 1;     ///< parts down
  std::uint32_t slabs = 1;    ///< parts in depth
  /// Bytes; a power of two. With that of a cache line, no two parts share a line.
  std::uint32_t alignment = 1;

  [[nodiscard]] constexpr auto operator==(const cuts&) const noexcept -> bool = default;
};

/// Whole rows, in `count` parts.
[[nodiscard]] constexpr auto bands(std::uint32_t count, std::uint32_t alignment = 1) noexcept
    -> cuts {
  return {.rows = count, .alignment = alignment};
}
[[nodiscard]] constexpr auto tiles(std::uint32_t across, std::uint32_t down,
                                   std::uint32_t alignment = 1) noexcept -> cuts {
  return {.columns = across, .rows = down, .alignment = alignment};
}
/// Ranges of the elements of a row.
[[nodiscard]] constexpr auto ranges(std::uint32_t count, std::uint32_t alignment = 1) noexcept
    -> cuts {
  return {.columns = count, .alignment = alignment};
}
/// Whole planes, in `count` parts.
[[nodiscard]] constexpr auto slabs(std::uint32_t count, std::uint32_t alignment = 1) noexcept
    -> cuts {
  return {.slabs = count, .alignment = alignment};
}

namespace detail {

/// One direction of a partition. Needs  parts from 1 to units().
struct partition_axis {
  std::uint32_t extent = 1;  ///< elements, rows or planes
  std::uint32_t parts = 1;
  std::uint32_t unit = 1;

  [[nodiscard]] constexpr auto units() const noexcept -> std::uint32_t {
    return extent / unit + (extent % unit != 0 ? 1 : 0);
  }
  [[nodiscard]] constexpr auto can_be_cut() const noexcept -> bool {
    return parts != 0 && parts <= units();
  }
  /// Where part `index` begins; where the last one ends.
  [[nodiscard]] constexpr auto boundary(std::uint32_t index) const noexcept -> std::uint32_t {
    if (index >= parts) return extent;
    return static_cast<std::uint32_t>(std::uint64_t{index} * units() / parts) * unit;
  }
  /// The last part that begins at or before `at`: the largest k with floor(k * units / parts) <= at / unit.
  [[nodiscard]] constexpr auto part_of(std::uint32_t at) const noexcept -> std::uint32_t {
    const auto before = (std::uint64_t{at / unit} + 1) * parts - 1;
    return static_cast<std::uint32_t>(before / units());
  }
};

/// The fewest things of `size` bytes whose bytes are a multiple of `alignment`, a power of two.
[[nodiscard]] constexpr auto cut_unit(std::uint32_t size, std::uint32_t alignment) noexcept
    -> std::uint32_t {
  return alignment / smaller(alignment, size & (~size + 1));
}

/// From `margin` before `first` to `margin` behind its end, within `extent`.
struct widened {
  std::uint32_t first;
  std::uint32_t length;

  constexpr widened(std::uint32_t at, std::uint32_t size, std::uint32_t margin,
                    std::uint32_t extent) noexcept
      : first{at - smaller(at, margin)},
        length{at + size + smaller(extent - (at + size), margin) - first} {}
};

}  // namespace detail

/// A geometry and its parts. Copyable; a default-made one has a single element.
class partition {
 public:
  partition() = default;

  /// Returns  a partition; bad_layout: there is nothing to divide, or rows or planes overlap, or there are
  ///          more bytes than 2^32 - 1, or more parts than units, or the alignment is no power of two, or a
  ///          cut across rows (planes) would miss it because their stride is no multiple of it.
  [[nodiscard]] static constexpr auto make(const geometry& shape, const cuts& cut) noexcept
      -> result<partition> {
    if (!shape.is_possible() || !detail::is_power_of_two(cut.alignment)) return status::bad_layout;
    const partition made{shape, cut};
    const auto misses = [&cut](std::uint32_t stride) { return stride % cut.alignment != 0; };
    const bool across_rows = cut.columns > 1 && shape.height > 1;
    const bool across_planes = (cut.columns > 1 || cut.rows > 1) && shape.planes > 1;
    const bool possible = made.x_.can_be_cut() && made.y_.can_be_cut() && made.z_.can_be_cut() &&
                          !(across_rows && misses(made.shape_.row_stride)) &&
                          !(across_planes && misses(made.shape_.plane_stride));
    if (!possible) return status::bad_layout;
    return made;
  }

  [[nodiscard]] constexpr auto count() const noexcept -> std::uint32_t {
    return x_.parts * y_.parts * z_.parts;  // no more than there are elements
  }
  /// With its strides, packed or not.
  [[nodiscard]] constexpr auto shape() const noexcept -> const geometry& { return shape_; }
  [[nodiscard]] constexpr auto cut() const noexcept -> const cuts& { return cut_; }

  /// Parts are numbered from left to right, then down, then in depth. Needs  index < count().
  [[nodiscard]] constexpr auto part(std::uint32_t index) const noexcept -> box {
    WEIR_EXPECTS(index < count());
    const auto column = index % x_.parts;
    const auto row = index / x_.parts % y_.parts;
    const auto slab = index / x_.parts / y_.parts;
    const auto x = x_.boundary(column);
    const auto y = y_.boundary(row);
    const auto z = z_.boundary(slab);
    return {.x = x,
            .y = y,
            .z = z,
            .width = x_.boundary(column + 1) - x,
            .height = y_.boundary(row + 1) - y,
            .depth = z_.boundary(slab + 1) - z};
  }

  /// The number of the part that an element is in. Needs  x, y, z within the shape.
  [[nodiscard]] constexpr auto part_at(std::uint32_t x, std::uint32_t y = 0,
                                       std::uint32_t z = 0) const noexcept -> std::uint32_t {
    WEIR_EXPECTS(x < shape_.width && y < shape_.height && z < shape_.planes);
    return (z_.part_of(z) * y_.parts + y_.part_of(y)) * x_.parts + x_.part_of(x);
  }

  /// The box and a margin around it, as far as there are elements. Needs  a box within the shape.
  [[nodiscard]] constexpr auto halo(const box& of, std::uint32_t margin_x, std::uint32_t margin_y,
                                    std::uint32_t margin_z = 0) const noexcept -> box {
    WEIR_EXPECTS(everything().contains(of));
    const detail::widened x{of.x, of.width, margin_x, shape_.width};
    const detail::widened y{of.y, of.height, margin_y, shape_.height};
    const detail::widened z{of.z, of.depth, margin_z, shape_.planes};
    return {.x = x.first,
            .y = y.first,
            .z = z.first,
            .width = x.length,
            .height = y.length,
            .depth = z.length};
  }
  /// The same margin in every direction.
  [[nodiscard]] constexpr auto halo(const box& of, std::uint32_t margin) const noexcept -> box {
    return halo(of, margin, margin, margin);
  }

  /// Bytes from the buffer's first element to that of the box. Needs  a box within the shape.
  [[nodiscard]] constexpr auto offset(const box& of) const noexcept -> std::uint32_t {
    WEIR_EXPECTS(everything().contains(of));
    return of.z * shape_.plane_stride + of.y * shape_.row_stride + of.x * shape_.element_size;
  }

  /// The box of all elements.
  [[nodiscard]] constexpr auto everything() const noexcept -> box {
    return {.width = shape_.width, .height = shape_.height, .depth = shape_.planes};
  }

 private:
  /// Needs  a possible shape, and a power of two as the alignment.
  constexpr partition(const geometry& shape, const cuts& cut) noexcept
      : shape_{shape.width,
               shape.height,
               shape.planes,
               shape.element_size,
               static_cast<std::uint32_t>(shape.stride()),
               static_cast<std::uint32_t>(shape.plane_bytes())},
        cut_{cut},
        x_{shape.width, cut.columns, detail::cut_unit(shape.element_size, cut.alignment)},
        y_{shape.height, cut.rows, detail::cut_unit(shape_.row_stride, cut.alignment)},
        z_{shape.planes, cut.slabs, detail::cut_unit(shape_.plane_stride, cut.alignment)} {}

  geometry shape_{.width = 1, .row_stride = 1, .plane_stride = 1};
  cuts cut_;
  detail::partition_axis x_;
  detail::partition_axis y_;
  detail::partition_axis z_;
};

}  // namespace weir
