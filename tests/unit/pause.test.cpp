// SPDX-License-Identifier: MIT
// What can be shown is that both exist and come back; that they help is for bench/ to show.
#include <weir/detail/pause.hpp>

#include <catch2/catch.hpp>

TEST_CASE("a_pause_and_a_yield_come_back") {
  int rounds = 0;
  for (; rounds < 1'000; ++rounds) weir::detail::cpu_pause();
  for (; rounds < 1'100; ++rounds) weir::detail::yield_thread();
  CHECK(rounds == 1'100);
}
