// SPDX-License-Identifier: MIT
/// Runs a fuzz target over every file of a directory, or over the files named: replay <directory or file>...
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int;
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace {

std::string current;

void name_the_input() { std::fprintf(stderr, "fuzz-replay: failed on %s\n", current.c_str()); }

void on_abort(int) {
  name_the_input();
  std::_Exit(1);
}

auto inputs_of(int count, char** names) -> std::vector<std::string> {
  std::vector<std::string> files;
  for (int at = 1; at < count; ++at) {
    if (!std::filesystem::is_directory(names[at])) {
      files.emplace_back(names[at]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator{names[at]}) {
      files.push_back(entry.path().string());
    }
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

auto main(int count, char** names) -> int {
  std::signal(SIGABRT, on_abort);
  std::signal(SIGILL, on_abort);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(name_the_input);
  const auto files = inputs_of(count, names);
  for (const auto& name : files) {
    current = name;
    std::ifstream file{name, std::ios::binary};
    if (!file) {
      std::fprintf(stderr, "fuzz-replay: cannot read %s\n", name.c_str());
      return 1;
    }
    const std::vector<char> bytes{std::istreambuf_iterator<char>{file}, {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  std::printf("fuzz-replay: %zu inputs, all clean\n", files.size());
  if (!files.empty()) return 0;
  std::fprintf(stderr, "fuzz-replay: no inputs\n");
  return 1;
}
