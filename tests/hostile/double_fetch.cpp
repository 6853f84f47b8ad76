// SPDX-License-Identifier: MIT
// Double fetches: in the code that this compiler made, each validation loads each shared word once.
//
// Proved, for this compiler and these options: the calls below, in the states below, load no word of the span
// twice, but for the words that are named with the reason why a second look is part of the protocol.
// Not provable here: states that no scenario reaches; other compilers, options and processors; a load of eight
// bytes that overlaps one of four.
#include "hostile/double_fetch.hpp"

#include <cstdint>
#include <cstdio>

using weir::test::fetch_report;
using weir::test::guarded_span;

namespace {

/// A validation as one must not write it: the word that is used is not the word that was judged.
[[gnu::noinline]] auto reloads(const volatile std::uint32_t* shared) -> std::uint32_t {
  return *shared < 8 ? *shared : 0;
}

auto finds_planted_ones(fetch_report& report) -> bool {
  const guarded_span memory{4096};
  *memory.word(64) = 3;
  std::uint32_t sum = 0;
  const bool noticed = report.notices(memory, [&] { sum = reloads(memory.word(64)); });
  const bool silent = !report.notices(memory, [&] {
    sum += __atomic_load_n(memory.word(64), __ATOMIC_ACQUIRE);
    sum += __atomic_load_n(memory.word(68), __ATOMIC_ACQUIRE);
  });
  return noticed && silent && sum == 6;
}

}  // namespace

int main() {
  fetch_report report;
  if (!finds_planted_ones(report)) {
    std::fprintf(stderr, "the checker misses a planted double fetch, or sees one that is none\n");
    return 1;
  }
  weir::test::fetch_attach(report);
  weir::test::fetch_rings(report);
  weir::test::fetch_values(report);
  weir::test::fetch_buffers(report);
  std::printf("double fetch: %u validations, %llu loads, %u failures (%s)\n", report.passed(),
              static_cast<unsigned long long>(report.loads()), report.failures(), __VERSION__);
  return report.failures() == 0 && report.passed() != 0 ? 0 : 1;
}
