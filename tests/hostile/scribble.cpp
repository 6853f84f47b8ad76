// SPDX-License-Identifier: MIT
// A second process scribbles over every primitive's span while this one uses it: every call returns, with a
// status that it documents; what it hands out lies in the span; copies end where the caller's buffer does;
// corrupt stays; nobody writes beside the span.
//
//   hostile.scribble [--seconds N] [NAME...]     N seconds for each victim; all, or those whose names begin so
//
// A seed repeats what both processes choose, not when they get to run.
// Not provable here: the bound of a call, but for the watchdog; a store between two chosen instructions.
#include "hostile/victims.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

using weir::test::victim_entry;

auto is_wanted(const char* name, const std::vector<std::string_view>& wanted) -> bool {
  if (wanted.empty()) return true;
  for (const auto prefix : wanted) {
    if (std::string_view{name}.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

int main(int count, char** arguments) {
  double seconds = 1;
  std::vector<std::string_view> wanted;
  for (int index = 1; index < count; ++index) {
    if (std::strcmp(arguments[index], "--seconds") == 0 && index + 1 < count) {
      seconds = std::strtod(arguments[++index], nullptr);
    } else {
      wanted.emplace_back(arguments[index]);
    }
  }
  int ran = 0;
  int failed = 0;
  for (const auto victims :
       {weir::test::ring_victims(), weir::test::value_victims(), weir::test::version_victims(),
        weir::test::buffer_victims(), weir::test::pool_victims()}) {
    for (const victim_entry& victim : victims) {
      if (!is_wanted(victim.name, wanted)) continue;
      ++ran;
      failed += victim.hold_out(seconds) ? 0 : 1;
    }
  }
  if (ran == 0) std::fprintf(stderr, "hostile.scribble: there is no such victim\n");
  return ran != 0 && failed == 0 ? 0 : 1;
}
