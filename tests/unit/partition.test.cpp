// SPDX-License-Identifier: MIT
// Proved: for every small geometry, stride, alignment and number of parts, that exactly the possible
// partitions are made, and that their parts cover every element once, share no line, and differ by at most a
// unit; for random large ones, that neighbors meet and nothing wraps. Not provable here: that no large one
// differs; the arithmetic has no branch that only they take.
#include "support/child_process.hpp"
#include "support/random.hpp"

#include <weir/partition.hpp>

#include <catch2/catch.hpp>

#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <vector>

using weir::bands;
using weir::box;
using weir::cuts;
using weir::geometry;
using weir::partition;
using weir::ranges;
using weir::status;
using weir::tiles;

namespace {

constexpr auto photo = partition::make({.width = 100, .height = 7}, bands(3)).value();
static_assert(photo.count() == 3);
static_assert(photo.shape().row_stride == 100 && photo.shape().plane_stride == 700);
static_assert(photo.part(0) == box{.width = 100, .height = 2, .depth = 1});
static_assert(photo.part(2) == box{.y = 4, .width = 100, .height = 3, .depth = 1});
static_assert(photo.offset(photo.part(2)) == 400);
static_assert(photo.part_at(99, 3) == 1);
static_assert(photo.halo(photo.part(1), 1) == box{.y = 1, .width = 100, .height = 4, .depth = 1});
static_assert(photo.halo(photo.part(0), 0, 2) == box{.width = 100, .height = 4, .depth = 1});
// 16 rows of 100 bytes are the fewest that are a multiple of 64 bytes.
constexpr auto lines = partition::make({.width = 100, .height = 70}, bands(4, 64)).value();
static_assert(lines.part(1).y == 16 && lines.part(3).height == 22);
static_assert(partition::make({.width = 100, .height = 70}, bands(6, 64)).status() ==
              status::bad_layout);
constexpr auto tiled =
    partition::make(weir::geometry_of<std::uint32_t>(64, 64), tiles(4, 2, 64)).value();
static_assert(tiled.part(5) == box{.x = 16, .y = 32, .width = 16, .height = 32, .depth = 1});
static_assert(tiled.part_at(16, 32) == 5);
static_assert(partition::make({.width = 9}, ranges(2)).value().part(1).x == 4);
static_assert(partition{}.count() == 1 && partition{}.part(0).width == 1);

/// The fewest things of `size` bytes whose bytes are a multiple of `alignment`, by trying.
auto unit_of(std::uint32_t size, std::uint32_t alignment) -> std::uint32_t {
  std::uint32_t unit = 1;
  while (std::uint64_t{unit} * size % alignment != 0) ++unit;
  return unit;
}

auto units_of(std::uint32_t extent, std::uint32_t size, std::uint32_t alignment) -> std::uint32_t {
  const auto unit = unit_of(size, alignment);
  return (extent + unit - 1) / unit;
}

/// Whether a partition is to be had, by the words of the docstring.
auto is_to_be_had(const geometry& shape, const cuts& cut) -> bool {
  const auto row = shape.row_stride != 0 ? shape.row_stride : shape.width * shape.element_size;
  const auto plane = shape.plane_stride != 0 ? shape.plane_stride : row * shape.height;
  if (row < shape.width * shape.element_size) return false;
  if (plane < row * (shape.height - 1) + shape.width * shape.element_size) return false;
  const auto a = cut.alignment;
  if (cut.columns > units_of(shape.width, shape.element_size, a)) return false;
  if (cut.rows > units_of(shape.height, row, a)) return false;
  if (cut.slabs > units_of(shape.planes, plane, a)) return false;
  if (cut.columns > 1 && shape.height > 1 && row % a != 0) return false;
  return (cut.columns == 1 && cut.rows == 1) || shape.planes == 1 || plane % a == 0;
}

/// What is wrong with a partition; elements and lines that parts have been painted on.
class inspector {
 public:
  auto faults(const partition& made) -> std::uint32_t {
    const auto& shape = made.shape();
    const auto elements = std::size_t{shape.width} * shape.height * shape.planes;
    elements_.assign(elements, nobody);
    lines_.assign(static_cast<std::size_t>(shape.bytes() / made.cut().alignment + 1), nobody);
    std::uint32_t wrong = 0;
    for (std::uint32_t index = 0; index < made.count(); ++index) wrong += paint(made, index);
    for (std::size_t at = 0; at < elements; ++at) {
      const auto x = static_cast<std::uint32_t>(at % shape.width);
      const auto y = static_cast<std::uint32_t>(at / shape.width % shape.height);
      const auto z = static_cast<std::uint32_t>(at / shape.width / shape.height);
      if (elements_[at] == nobody || made.part_at(x, y, z) != elements_[at]) ++wrong;
    }
    return wrong + unbalanced(made);
  }

 private:
  static constexpr std::uint32_t nobody = 0xFFFF'FFFF;

  auto paint(const partition& made, std::uint32_t index) -> std::uint32_t {
    const auto& shape = made.shape();
    const auto part = made.part(index);
    std::uint32_t wrong = part.width == 0 || part.height == 0 || part.depth == 0 ? 1 : 0;
    for (auto z = part.z; z < part.z + part.depth; ++z) {
      for (auto y = part.y; y < part.y + part.height; ++y) {
        for (auto x = part.x; x < part.x + part.width; ++x) {
          auto& element = elements_.at((z * shape.height + y) * shape.width + x);
          if (element != nobody) ++wrong;
          element = index;
          const auto first = made.offset({.x = x, .y = y, .z = z});
          for (auto byte = first; byte < first + shape.element_size; ++byte) {
            auto& line = lines_.at(byte / made.cut().alignment);
            if (line != nobody && line != index) ++wrong;
            line = index;
          }
        }
      }
    }
    return wrong;
  }

  [[nodiscard]] static auto unbalanced(const partition& made) -> std::uint32_t {
    const auto& shape = made.shape();
    const auto a = made.cut().alignment;
    box least = made.part(0);
    box most = least;
    for (std::uint32_t index = 1; index < made.count(); ++index) {
      const auto part = made.part(index);
      least.width = std::min(least.width, part.width);
      most.width = std::max(most.width, part.width);
      least.height = std::min(least.height, part.height);
      most.height = std::max(most.height, part.height);
      least.depth = std::min(least.depth, part.depth);
      most.depth = std::max(most.depth, part.depth);
    }
    return (most.width - least.width > unit_of(shape.element_size, a) ? 1U : 0U) +
           (most.height - least.height > unit_of(shape.row_stride, a) ? 1U : 0U) +
           (most.depth - least.depth > unit_of(shape.plane_stride, a) ? 1U : 0U);
  }

  std::vector<std::uint32_t> elements_;
  std::vector<std::uint32_t> lines_;
};

struct tally {
  std::uint32_t made = 0;
  std::uint32_t refused = 0;
  std::uint32_t misjudged = 0;
  std::uint32_t faults = 0;
};

void try_all_cuts(const geometry& shape, inspector& check, tally& sum) {
  for (const std::uint32_t alignment : {1U, 2U, 4U, 8U, 64U}) {
    for (std::uint32_t columns = 1; columns <= shape.width + 1; ++columns) {
      for (std::uint32_t rows = 1; rows <= shape.height + 1; ++rows) {
        for (std::uint32_t slabs = 1; slabs <= shape.planes + 1; ++slabs) {
          const cuts cut{columns, rows, slabs, alignment};
          auto made = partition::make(shape, cut);
          sum.made += made ? 1U : 0U;
          sum.refused += made ? 0U : 1U;
          sum.misjudged += static_cast<bool>(made) == is_to_be_had(shape, cut) ? 0U : 1U;
          if (made) sum.faults += check.faults(*made);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("every_small_partition_covers_each_element_once_and_shares_no_line") {
  inspector check;
  tally sum;
  for (std::uint32_t width = 1; width <= 6; ++width) {
    for (std::uint32_t height = 1; height <= 6; ++height) {
      for (std::uint32_t planes = 1; planes <= 3; ++planes) {
        for (const std::uint32_t size : {1U, 3U, 4U}) {
          for (const std::uint32_t stride : {0U, width * size + 1, 16U}) {
            const auto row = stride != 0 ? stride : width * size;
            for (const std::uint32_t plane : {0U, row * height + 3, 64U}) {
              try_all_cuts({.width = width,
                            .height = height,
                            .planes = planes,
                            .element_size = size,
                            .row_stride = stride,
                            .plane_stride = plane},
                           check, sum);
            }
          }
        }
      }
    }
  }
  CAPTURE(sum.made, sum.refused);
  CHECK(sum.misjudged == 0);
  CHECK(sum.faults == 0);
  CHECK(sum.made > 30'000);
  CHECK(sum.refused > 30'000);
}

TEST_CASE("longer_rows_and_bands_are_cut_evenly_at_the_alignment") {
  inspector check;
  std::uint32_t faults = 0;
  for (std::uint32_t extent = 1; extent <= 200; extent += 7) {
    for (std::uint32_t parts = 1; parts <= extent; ++parts) {
      for (const std::uint32_t alignment : {1U, 16U, 64U}) {
        for (const auto& shape : {geometry{.width = extent, .element_size = 2},
                                  geometry{.width = 24, .height = extent}}) {
          auto made = partition::make(
              shape, shape.height == 1 ? ranges(parts, alignment) : bands(parts, alignment));
          if (made) faults += check.faults(*made);
        }
      }
    }
  }
  CHECK(faults == 0);
}

TEST_CASE("a_halo_is_what_lies_within_the_margin_and_the_shape") {
  std::uint32_t wrong = 0;
  const auto made = partition::make({.width = 9, .height = 8, .planes = 5}, {3, 4, 2, 1}).value();
  const auto near = [](std::uint32_t at, std::uint32_t first, std::uint32_t size,
                       std::uint32_t margin) {
    return at + margin >= first && at < first + size + margin;
  };
  for (std::uint32_t index = 0; index < made.count(); ++index) {
    const auto part = made.part(index);
    for (std::uint32_t mx = 0; mx < 11; ++mx) {
      for (const std::uint32_t my : {0U, 1U, 2U, 9U}) {
        for (const std::uint32_t mz : {0U, 1U, 6U}) {
          const auto around = made.halo(part, mx, my, mz);
          if (!around.contains(part) || !made.everything().contains(around)) ++wrong;
          for (std::uint32_t z = 0; z < 5; ++z) {
            for (std::uint32_t y = 0; y < 8; ++y) {
              for (std::uint32_t x = 0; x < 9; ++x) {
                const bool inside = near(x, part.x, part.width, mx) &&
                                    near(y, part.y, part.height, my) &&
                                    near(z, part.z, part.depth, mz);
                if (around.contains(x, y, z) != inside) ++wrong;
              }
            }
          }
        }
      }
    }
    if (made.halo(part, 2) != made.halo(part, 2, 2, 2)) ++wrong;
    if (made.halo(part, 0xFFFF'FFFF) != made.everything()) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("boxes_intersect_where_they_share_an_element") {
  const auto made = partition::make({.width = 6, .height = 6, .planes = 3}, {3, 2, 3, 1}).value();
  for (std::uint32_t one = 0; one < made.count(); ++one) {
    for (std::uint32_t other = 0; other < made.count(); ++other) {
      if (made.part(one).intersects(made.part(other)) != (one == other)) FAIL(one << ' ' << other);
    }
    CHECK(made.halo(made.part(one), 1, 0).intersects(made.part(one)));
  }
  const box row{.y = 3, .width = 6, .height = 1, .depth = 1};
  CHECK(row.intersects(made.everything()));
  CHECK(row.intersects({.x = 5, .y = 3, .width = 1, .height = 9, .depth = 9}));
  CHECK_FALSE(row.intersects({.x = 5, .y = 4, .width = 1, .height = 9, .depth = 9}));
  CHECK_FALSE(row.intersects({.x = 2, .y = 3, .width = 0, .height = 1, .depth = 1}));
  CHECK_FALSE(box{.x = 2, .y = 3}.intersects(row));
  CHECK_FALSE(row.contains(0, 2));
  CHECK_FALSE(row.contains(6, 3));
  CHECK(row.contains(5, 3));
}

TEST_CASE("a_box_contains_another_if_every_element_of_that_lies_in_it") {
  constexpr std::uint32_t edge = 3;
  std::uint32_t wrong = 0;
  const auto each_range = [](auto&& what) {
    for (std::uint32_t first = 0; first < edge; ++first) {
      for (std::uint32_t end = first + 1; end <= edge; ++end) what(first, end - first);
    }
  };
  const box middle{.x = 1, .y = 1, .z = 1, .width = 1, .height = 1, .depth = 1};
  const box slab{.x = 0, .y = 1, .z = 0, .width = 2, .height = 2, .depth = 3};
  each_range([&](std::uint32_t x, std::uint32_t width) {
    each_range([&](std::uint32_t y, std::uint32_t height) {
      each_range([&](std::uint32_t z, std::uint32_t depth) {
        const box inner{x, y, z, width, height, depth};
        for (const auto& outer : {middle, slab}) {
          bool all = true;
          for (auto at = 0U; at < width * height * depth; ++at) {
            all = all &&
                  outer.contains(x + at % width, y + at / width % height, z + at / width / height);
          }
          wrong += outer.contains(inner) == all ? 0U : 1U;
        }
      });
    });
  });
  CHECK(wrong == 0);
}

TEST_CASE("a_part_or_an_element_that_there_is_not_breaks_a_contract_and_ends_the_program") {
  const auto made = partition::make({.width = 4}, ranges(2)).value();
  const auto ends = [](auto call) {
    weir::test::child_process child{[&] {
      const rlimit no_dump{0, 0};
      setrlimit(RLIMIT_CORE, &no_dump);
      for (const int trap : {SIGILL, SIGTRAP}) {
        signal(trap, SIG_DFL);  // without the test's own report
      }
      static_cast<void>(call());
      return 0;
    }};
    return child.wait() == weir::test::child_process::killed;
  };
  CHECK(ends([&] { return made.part(made.count()); }));
  CHECK(ends([&] { return made.part_at(4); }));
  CHECK_FALSE(ends([&] { return made.part_at(3); }));
}

TEST_CASE("what_cannot_be_divided_is_refused") {
  const auto refuses = [](const geometry& shape, const cuts& cut = {}) {
    return partition::make(shape, cut).status() == status::bad_layout;
  };
  const auto huge = 0xFFFF'FFFFU;
  CHECK(refuses({}));
  CHECK(refuses({.width = 0, .height = 4}));
  CHECK(refuses({.width = 4, .height = 0}));
  CHECK(refuses({.width = 4, .planes = 0}));
  CHECK(refuses({.width = 4, .element_size = 0}));
  CHECK(refuses({.width = 4, .height = 2, .element_size = 0, .row_stride = 4}));
  CHECK(refuses({.width = 0, .height = 2, .planes = 2, .row_stride = 4, .plane_stride = 8}));
  CHECK(refuses({.width = 4, .height = 2, .element_size = 4, .row_stride = 15}));
  CHECK(refuses({.width = 4, .height = 2, .planes = 2, .row_stride = 8, .plane_stride = 11}));
  CHECK_FALSE(refuses({.width = 4, .height = 2, .planes = 2, .row_stride = 8, .plane_stride = 12}));
  CHECK(refuses({.width = 4}, {.columns = 0}));
  CHECK(refuses({.width = 4}, {.rows = 0}));
  CHECK(refuses({.width = 4}, {.slabs = 0}));
  CHECK(refuses({.width = 4}, {.alignment = 0}));
  CHECK(refuses({.width = 4}, {.alignment = 24}));
  CHECK(refuses({.width = 4}, ranges(5)));
  CHECK(refuses({.width = 4}, bands(2)));
  CHECK(refuses({.width = 4}, weir::slabs(2)));
  CHECK(refuses({.width = 4}, ranges(2, 0x8000'0000)));
  CHECK_FALSE(refuses({.width = 4}, ranges(1, 0x8000'0000)));
  // Sizes whose products wrap.
  CHECK(refuses({.width = huge, .height = huge, .planes = huge, .element_size = huge}));
  CHECK(refuses({.width = 0x1'0000, .height = 0x1'0000}));
  CHECK(refuses({.width = 0x8000'0000, .element_size = 2}));
  CHECK(refuses({.width = 1, .height = 2, .row_stride = huge}));
  CHECK(refuses({.width = 1, .height = 2, .row_stride = huge - 1}));  // with its padding
  CHECK(refuses({.width = 1, .planes = 2, .plane_stride = huge}));
  CHECK(refuses(
      {.width = 1, .height = huge, .planes = huge, .row_stride = huge, .plane_stride = huge}));
  CHECK_FALSE(refuses({.width = huge}, ranges(huge)));
  CHECK_FALSE(refuses({.width = 65'535, .height = 65'537}, {65'535, 65'537, 1, 1}));
  CHECK(refuses({.width = 65'535, .height = 65'537}, {65'536, 65'537, 1, 1}));
  CHECK(geometry{.width = huge, .height = huge, .element_size = huge}.bytes() >
        geometry::max_bytes);
}

TEST_CASE("large_partitions_meet_at_their_cuts") {
  weir::test::seeded_random random{weir::test::fresh_seed("large partitions")};
  std::uint32_t made_of_them = 0;
  std::uint32_t wrong = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto size = 1U << random.below(5);
    const geometry shape{.width = 1 + random.next() / size, .element_size = size};
    const auto made =
        partition::make(shape, ranges(1 + random.next() % shape.width, 1U << random.below(8)));
    if (made.status() != status::ok) continue;
    ++made_of_them;
    auto division = made;
    for (int looks = 0; looks < 20; ++looks) {
      const auto index = random.below(division->count());
      const auto part = division->part(index);
      const auto end = part.x + part.width;
      const auto next = index + 1 == division->count() ? shape.width : division->part(index + 1).x;
      wrong += end == next && part.width != 0 ? 0U : 1U;
      wrong += division->part_at(part.x) == index && division->part_at(end - 1) == index ? 0U : 1U;
      wrong += std::uint64_t{part.x} * size % division->cut().alignment == 0 ? 0U : 1U;
      wrong += division->offset(part) == part.x * size ? 0U : 1U;
      wrong += division->halo(part, 5).width >= part.width ? 0U : 1U;
    }
  }
  CHECK(made_of_them > 1000);
  CHECK(wrong == 0);
}

TEST_CASE("bytes_whose_number_wraps_to_a_possible_one_are_refused") {
  // 685 * 25080101 = 2^34 + 1.
  const geometry wraps{.width = 25'080'101, .height = 685, .element_size = 1U << 30};
  CHECK_FALSE(wraps.is_possible());
  CHECK(wraps.bytes() > geometry::max_bytes);
  CHECK(partition::make(wraps, {}).status() == status::bad_layout);
}
