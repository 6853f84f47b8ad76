// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"

#include <weir/status.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <csignal>
#include <memory>
#include <string_view>
#include <utility>

using weir::status;

TEST_CASE("every_status_keeps_its_number_and_its_name") {
  constexpr std::array<std::string_view, 18> golden{
      "ok",          "full",      "empty",      "closed",    "timed_out",   "stopped",
      "would_block", "too_large", "stale",      "torn",      "lost",        "pending",
      "busy",        "corrupt",   "bad_layout", "not_ready", "unsupported", "peer_dead"};
  constexpr std::array statuses{status::ok,          status::full,        status::empty,
                                status::closed,      status::timed_out,   status::stopped,
                                status::would_block, status::too_large,   status::stale,
                                status::torn,        status::lost,        status::pending,
                                status::busy,        status::corrupt,     status::bad_layout,
                                status::not_ready,   status::unsupported, status::peer_dead};
  STATIC_REQUIRE(statuses.size() == golden.size());
  for (std::uint32_t number = 0; number < golden.size(); ++number) {
    CAPTURE(number);
    CHECK(static_cast<std::uint32_t>(statuses[number]) == number);
    CHECK(name(statuses[number]) == golden[number]);
  }
}

TEST_CASE("a_number_that_is_no_status_has_a_name_too") {
  CHECK(name(static_cast<status>(18)) == "unknown");
  CHECK(name(static_cast<status>(0xFFFF'FFFF)) == "unknown");
}

TEST_CASE("a_result_holds_a_value_or_says_why_not") {
  weir::result<int> some{7};
  CHECK(some);
  CHECK(some.status() == status::ok);
  CHECK(*some == 7);
  CHECK(some.value() == 7);

  const weir::result<int> none{status::busy};
  CHECK_FALSE(none);
  CHECK(none.status() == status::busy);
}

TEST_CASE("a_result_gives_away_a_value_that_can_only_be_moved") {
  weir::result<std::unique_ptr<int>> some{std::make_unique<int>(7)};
  CHECK(*some.value() == 7);
  CHECK(*some->get() == 7);
  const auto taken = std::move(some).value();
  CHECK(*taken == 7);
}

TEST_CASE("asking_for_a_value_that_is_not_there_ends_the_program") {
  weir::test::child_process child{[] {
    std::signal(SIGILL, SIG_DFL);
    std::signal(SIGTRAP, SIG_DFL);
    weir::result<int> none{status::full};
    return none.value() == 0 ? 0 : 1;
  }};
  CHECK(child.wait() == weir::test::child_process::killed);
}
