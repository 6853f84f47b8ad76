// SPDX-License-Identifier: MIT
// Contract checks switched on, with a handler of the test's own.
namespace {
struct broken_contract {
  int count = 0;
  int line = 0;
  const char* expression = "";
};
broken_contract broken;

void on_broken_contract(const char* expression, int line) {
  ++broken.count;
  broken.line = line;
  broken.expression = expression;
}
}  // namespace

#undef WEIR_CONTRACTS
#define WEIR_CONTRACTS 1
#define WEIR_CONTRACT_HANDLER(expression, file, line) on_broken_contract(expression, line)

#include <weir/contract.hpp>
#include <weir/status.hpp>

#include <catch2/catch.hpp>

#include <string_view>

TEST_CASE("a_kept_contract_is_silent") {
  broken = {};
  int evaluated = 0;
  WEIR_EXPECTS(++evaluated == 1);
  CHECK(evaluated == 1);
  CHECK(broken.count == 0);
}

TEST_CASE("a_broken_contract_reports_what_was_promised_and_where") {
  broken = {};
  const int promised = 1;
  WEIR_EXPECTS(promised == 2);
  CHECK(broken.line == __LINE__ - 1);
  CHECK(broken.count == 1);
  CHECK(std::string_view{broken.expression} == "promised == 2");
}

TEST_CASE("a_contract_may_stand_in_a_constant_expression") {
  constexpr auto half = [](int even) {
    WEIR_EXPECTS(even % 2 == 0);
    return even / 2;
  };
  STATIC_REQUIRE(half(8) == 4);
}

TEST_CASE("an_ok_without_a_value_breaks_the_contract_of_result") {
  struct local {};
  broken = {};
  const weir::result<local> nothing{weir::status::ok};
  CHECK(broken.count == 1);
  CHECK_FALSE(nothing);
}
