// SPDX-License-Identifier: MIT
// Proved: a process may be killed behind any machine instruction of the operations that are listed; those
// who live on get every record and value that was published, whole and once, or a status, and the object
// works on. Not provable here: another compiler's instructions, deaths of several at the same time, other
// states than those that are listed; and memory that a machine without x86's store order would show.
#include "kill/run.hpp"
#include "kill/scenario.hpp"
#include "kill/stepper.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>

namespace {

using weir::test::kills::catalog;
using weir::test::kills::plan;

constexpr const char* usage =
    "usage: kill [--list] [--all] [--only TEXT] [--at POINT]\n"
    "  --list        print the names of the scenarios, primitive.operation.state\n"
    "  --all         every instruction of every scenario; without it, every one of the central\n"
    "                operations in one state each, and a sample of the others\n"
    "  --only TEXT   only scenarios whose name contains TEXT\n"
    "  --at POINT    only this kill point: instructions of the operation that are executed\n";

auto all_scenarios() -> catalog {
  using namespace weir::test::kills;
  catalog all;
  add_spsc(all);
  add_mpsc(all);
  add_broadcast(all);
  add_values(all);
  add_coalesce(all);
  add_formats(all);
  add_regions(all);
  add_image(all);
  add_pool(all);
  add_lanes(all);
  add_waits(all);
  return all;
}

/// Returns  false: not understood.
auto parse(int count, char** arguments, plan& what) -> bool {
  for (int index = 1; index < count; ++index) {
    const std::string_view option{arguments[index]};
    if (option == "--all") {
      what.every_point = true;
    } else if (option == "--list") {
      what.list = true;
    } else if (option == "--only" && index + 1 < count) {
      what.only = arguments[++index];
    } else if (option == "--at" && index + 1 < count) {
      const auto* const text = arguments[++index];
      const auto* const end = text + std::strlen(text);
      std::uint64_t point = 0;
      const auto [stopped, error] = std::from_chars(text, end, point);
      if (error != std::errc{} || stopped != end) return false;
      what.at = point;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  plan what;
  what.program = arguments[0];
  if (!parse(count, arguments, what)) {
    std::fputs(usage, stderr);
    return 2;
  }
  if (const auto error = weir::test::kills::ptrace_error(); error != 0 && !what.list) {
    std::fprintf(stderr,
                 "kill: not tested: this process may not trace its child (%s); allow ptrace: in a "
                 "container --cap-add=SYS_PTRACE, elsewhere sysctl kernel.yama.ptrace_scope=1\n",
                 std::strerror(error));
    return 1;
  }
  return weir::test::kills::run(all_scenarios(), what) ? 0 : 1;
}
