// SPDX-License-Identifier: MIT
#include <weir/layout.hpp>
#include <weir/version.hpp>

#include <catch2/catch.hpp>

TEST_CASE("the_version_is_one_comparable_integer") {
  STATIC_REQUIRE(weir::version == WEIR_VERSION_MAJOR * 1'000'000L + WEIR_VERSION_MINOR * 1'000L +
                                      WEIR_VERSION_PATCH);
  STATIC_REQUIRE(weir::version >= 1'000);
  STATIC_REQUIRE(WEIR_VERSION_MINOR < 1'000);
  STATIC_REQUIRE(WEIR_VERSION_PATCH < 1'000);
}

TEST_CASE("the_wire_format_has_a_number_of_its_own") {
  STATIC_REQUIRE(weir::wire_format_version == 1);
}
