// SPDX-License-Identifier: MIT
// The wire format as bytes: what a fixed sequence of operations leaves in memory, compared with the files in
// golden/. With --update it writes them instead; the difference is then a change of the wire format, which
// needs a new wire_format_version, or of what is counted when.
#include "layout/vectors.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

using weir::test::content;

auto read_file(const std::filesystem::path& path) -> content {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// Returns  true if both are the same; says where they differ.
auto same(std::string_view what, const content& expected, const content& found) -> bool {
  if (expected == found) return true;
  const auto shorter = std::min(expected.size(), found.size());
  std::size_t at = 0;
  while (at < shorter && expected[at] == found[at]) ++at;
  std::printf("%.*s: %zu bytes, expected %zu; the first difference is at byte %zu\n",
              static_cast<int>(what.size()), what.data(), found.size(), expected.size(), at);
  return false;
}

}  // namespace

auto main(int argc, char** argv) -> int {
  const bool update = argc == 2 && std::string_view{argv[1]} == "--update";
  const std::filesystem::path folder{WEIR_GOLDEN_DIRECTORY};
  bool all_same = true;
  auto vectors = weir::test::ring_vectors();
  for (const auto& more : {weir::test::value_vectors(), weir::test::buffer_vectors()}) {
    vectors.insert(vectors.end(), more.begin(), more.end());
  }
  for (const auto& each : vectors) {
    if (update) {
      std::ofstream{folder / each.name, std::ios::binary}.write(
          each.native.data(), static_cast<std::streamsize>(each.native.size()));
    }
    all_same &= same(each.name, read_file(folder / each.name), each.native);
    all_same &= same(std::string{each.name} + " in the inline mode", each.native, each.plain);
  }
  std::puts(all_same ? "the wire format is what it was" : "the wire format has changed");
  return all_same ? 0 : 1;
}
