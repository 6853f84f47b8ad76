// SPDX-License-Identifier: MIT
#include <weir/cache_line.hpp>

#include <catch2/catch.hpp>

TEST_CASE("distances_are_fixed_by_the_wire_format_and_not_by_the_compiler") {
  STATIC_REQUIRE(weir::cache_line == 64);
  STATIC_REQUIRE(weir::false_sharing_span == 128);
  STATIC_REQUIRE(weir::false_sharing_span % weir::cache_line == 0);
}
