// SPDX-License-Identifier: MIT
/// The picture as it must be: pass after pass over the whole of it, in one thread, in memory of its own.
#pragma once

#include "filters.hpp"
#include "picture.hpp"
#include "script.hpp"

#include <cstdint>
#include <utility>

namespace shared_image {

[[nodiscard]] inline auto render(pixels original, const parameters& wanted) -> pixels {
  pixels from = std::move(original);
  pixels to(from.size());
  for (std::uint32_t number = 0; number < pass_count(wanted); ++number) {
    filter pass{wanted, number};
    for (std::uint32_t y = 0; y < picture_height; ++y) {
      pass.apply(row_of(to, y), y,
                 [&](std::uint32_t at) { return row_of(std::as_const(from), at); });
    }
    std::swap(from, to);
  }
  return from;
}

}  // namespace shared_image
