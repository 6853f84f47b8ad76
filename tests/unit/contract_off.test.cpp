// SPDX-License-Identifier: MIT
// Contract checks switched off.
#undef WEIR_CONTRACTS
#define WEIR_CONTRACTS 0
#define WEIR_CONTRACT_HANDLER(expression, file, line) static_assert(false, "never used")

#include <weir/contract.hpp>

#include <catch2/catch.hpp>

TEST_CASE("a_contract_that_is_off_does_not_even_look") {
  int evaluated = 0;
  const auto look = [&evaluated] { return ++evaluated == 2; };
  WEIR_EXPECTS(look());
  CHECK(evaluated == 0);
}
