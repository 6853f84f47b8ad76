// SPDX-License-Identifier: MIT
#include <weir/detail/bits.hpp>

#include <catch2/catch.hpp>

#include <bit>
#include <cstdint>

using weir::detail::align_up;
using weir::detail::is_power_of_two;
using weir::detail::larger;
using weir::detail::smaller;
using weir::detail::within;

TEST_CASE("a_power_of_two_has_one_bit") {
  for (std::uint32_t value = 0; value < 70'000; ++value) {
    if (is_power_of_two(value) != std::has_single_bit(value)) FAIL("at " << value);
  }
  for (int shift = 0; shift < 32; ++shift) {
    const auto power = std::uint32_t{1} << shift;
    CHECK(is_power_of_two(power));
    CHECK(is_power_of_two(power + 1) == (power == 1));
    CHECK(is_power_of_two(power - 1) == std::has_single_bit(power - 1));
  }
}

TEST_CASE("align_up_finds_the_next_multiple_and_wraps") {
  for (const std::uint32_t alignment : {1U, 2U, 8U, 64U}) {
    for (std::uint32_t value = 0; value < 1'000; ++value) {
      const auto expected = (value + alignment - 1) / alignment * alignment;
      if (align_up(value, alignment) != expected) FAIL(value << " to " << alignment);
    }
  }
  STATIC_REQUIRE(align_up(0xFFFF'FFF9, 8) == 0);
  STATIC_REQUIRE(align_up(0xFFFF'FFF8, 8) == 0xFFFF'FFF8);
}

TEST_CASE("within_is_a_closed_range_wherever_it_wraps") {
  for (const std::uint32_t first : {0U, 5U, 0x7FFF'FFFCU, 0x8000'0000U, 0xFFFF'FFFCU}) {
    CAPTURE(first);
    CHECK(within(first, first, 0));
    CHECK(within(first + 8, first, 8));
    CHECK(within(first + 3, first, 8));
    CHECK_FALSE(within(first + 9, first, 8));
    CHECK_FALSE(within(first - 1, first, 8));
    CHECK_FALSE(within(first + 0x8000'0000U, first, 8));
    CHECK(within(first + 0x8000'0000U, first, 0x8000'0000U));
  }
}

TEST_CASE("smaller_and_larger_compare_as_unsigned") {
  STATIC_REQUIRE(smaller(1, 2) == 1);
  STATIC_REQUIRE(larger(1, 2) == 2);
  STATIC_REQUIRE(smaller(0x8000'0000, 1) == 1);
  STATIC_REQUIRE(larger(0x8000'0000, 1) == 0x8000'0000);
  STATIC_REQUIRE(smaller(3, 3) == 3);
}
