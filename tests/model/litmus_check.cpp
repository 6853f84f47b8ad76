// SPDX-License-Identifier: MIT
/// Does the model checker permit exactly the outcomes that the C++20 memory model permits?
///
/// litmus_check PROGRAMS OUTCOMES: runs every program of the first file and compares the set of its outcomes
/// with the set that the second file gives. Last line: `N of N identical`. The files' form: litmus/README.md.
#include "model/model_memory.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using weir::model::model_memory;
using weir::model::order;

/// What the registers held at the end: (thread, register) -> value.
using outcome = std::map<std::pair<int, int>, std::uint32_t>;
using outcomes = std::set<outcome>;

struct operation {
  char kind;
  std::size_t location;
  std::uint32_t value;
  order how;
  int target;
};
using program = std::vector<std::vector<operation>>;

constexpr std::size_t locations = 16;

[[nodiscard]] auto order_of(char letter, bool fence) -> order {
  switch (letter) {
    case 'x':
      return order::relaxed;
    case 'a':
      return order::acquire;
    case 'r':
      return order::release;
    case 'q':
      return order::acq_rel;
    case 's':
      if (fence) return order::seq_cst;
      throw std::invalid_argument{"seq_cst is for fences only"};
    default:
      throw std::invalid_argument{std::string{"no order is called "} + letter};
  }
}

[[nodiscard]] auto parse_operation(const std::string& line) -> operation {
  std::istringstream words{line};
  char kind = 0, how = 0;
  std::string rest;
  operation parsed{};
  if (!(words >> kind >> parsed.location >> parsed.value >> how >> parsed.target) ||
      words >> rest) {
    throw std::invalid_argument{"not an operation"};
  }
  if (std::string{"WRUF"}.find(kind) == std::string::npos)
    throw std::invalid_argument{"no such operation"};
  if (parsed.location >= locations)
    throw std::invalid_argument{"more locations than there is room for"};
  parsed.kind = kind;
  parsed.how = order_of(how, kind == 'F');
  return parsed;
}

/// Takes one line. `name` is the program that is open, if any.
void parse_line(const std::string& line, std::string& name,
                std::map<std::string, program>& programs) {
  if (line.starts_with("P ") && name.empty() && line.size() > 2) {
    name = line.substr(2);
    if (!programs.emplace(name, program{}).second)
      throw std::invalid_argument{"there are two of that name"};
    return;
  }
  if (name.empty()) throw std::invalid_argument{"no program is open"};
  auto& open = programs[name];
  if (line == "T") {
    open.emplace_back();
    if (open.size() >= weir::model::max_threads) throw std::invalid_argument{"too many threads"};
  } else if (line == "E") {
    if (open.empty()) throw std::invalid_argument{"a program without threads"};
    name.clear();
  } else {
    if (open.empty()) throw std::invalid_argument{"an operation outside a thread"};
    open.back().push_back(parse_operation(line));
  }
}

[[nodiscard]] auto parse_outcome(const std::string& text) -> outcome {
  outcome parsed;
  std::istringstream parts{text};
  for (std::string part; std::getline(parts, part, ';');) {
    if (part.find_first_not_of(' ') == std::string::npos) continue;
    int thread = 0, target = 0, end = 0;
    std::uint32_t value = 0;
    if (std::sscanf(part.c_str(), " %d:r%d=%u %n", &thread, &target, &value, &end) != 3 ||
        static_cast<std::size_t>(end) != part.size()) {
      throw std::invalid_argument{"not thread:rN=value: " + part};
    }
    parsed[{thread, target}] = value;
  }
  return parsed;
}

/// `name | outcome | outcome ...`; an empty outcome is that of a program without registers.
void parse_outcomes(const std::string& line, std::map<std::string, outcomes>& expected) {
  std::istringstream parts{line};
  std::string name;
  std::getline(parts, name, '|');
  name.erase(name.find_last_not_of(' ') + 1);
  auto [entry, fresh] = expected.try_emplace(name);
  if (name.empty() || !fresh) throw std::invalid_argument{"no name, or one that was there already"};
  for (std::string part; std::getline(parts, part, '|');) entry->second.insert(parse_outcome(part));
  if (entry->second.empty()) throw std::invalid_argument{"no outcomes"};
}

/// Reads a file line by line; an error names file and line.
template <class Take>
void read_lines(const std::string& path, Take&& take) {
  std::ifstream file{path};
  if (!file) throw std::runtime_error{path + ": cannot be read"};
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty()) continue;
    try {
      take(line);
    } catch (const std::invalid_argument& error) {
      throw std::runtime_error{path + ":" + std::to_string(number) + ": " + error.what()};
    }
  }
}

void perform(const operation& what, int thread, std::uint32_t* words, outcome& registers) {
  switch (what.kind) {
    case 'W':
      model_memory::store(words + what.location, what.value, what.how);
      break;
    case 'R':
      registers[{thread, what.target}] = model_memory::load(words + what.location, what.how);
      break;
    case 'U':
      registers[{thread, what.target}] =
          model_memory::fetch_add(words + what.location, what.value, what.how);
      break;
    default:
      model_memory::fence(what.how);
  }
}

/// Every outcome of the program.
[[nodiscard]] auto explore(const program& threads) -> outcomes {
  alignas(64) static std::byte shared_bytes[256];
  static weir::model::explorer search{shared_bytes};
  outcomes seen;
  const auto found = search.search(
      [&] {
        auto* const words =
            reinterpret_cast<std::uint32_t*>(search.shared.grant(locations * 4).data());
        outcome registers;
        for (int id = 0; id < static_cast<int>(threads.size()); ++id) {
          search.add_thread([&, id] {
            for (const auto& each : threads[static_cast<std::size_t>(id)])
              perform(each, id, words, registers);
          });
        }
        if (search.go()) seen.insert(registers);
      },
      {});
  if (found.failure) throw std::runtime_error{*found.failure};
  if (!found.complete) throw std::runtime_error{"the search did not end"};
  return seen;
}

[[nodiscard]] auto text_of(const outcome& which) -> std::string {
  std::string text;
  for (const auto& [at, value] : which) {
    text += (text.empty() ? "" : "; ") + std::to_string(at.first) + ":r" +
            std::to_string(at.second) + "=" + std::to_string(value);
  }
  return text;
}

void report(const std::string& name, const outcomes& ours, const outcomes& theirs) {
  for (const auto& each : ours) {
    if (!theirs.contains(each))
      std::cout << name << ": not permitted, and found: " << text_of(each) << '\n';
  }
  for (const auto& each : theirs) {
    if (!ours.contains(each))
      std::cout << name << ": permitted, and not found: " << text_of(each) << '\n';
  }
}

auto compare(const std::map<std::string, program>& programs,
             const std::map<std::string, outcomes>& expected) -> int {
  std::set<std::string> names;
  for (const auto& [name, unused] : programs) names.insert(name);
  for (const auto& [name, unused] : expected) names.insert(name);
  std::size_t identical = 0;
  for (const auto& name : names) {
    if (!programs.contains(name) || !expected.contains(name)) {
      std::cout << name << ": " << (programs.contains(name) ? "no outcomes" : "no program") << '\n';
      continue;
    }
    const auto found = explore(programs.at(name));
    report(name, found, expected.at(name));
    identical += found == expected.at(name) ? 1 : 0;
  }
  std::cout << identical << " of " << names.size() << " identical\n";
  return names.empty() || identical != names.size() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::runtime_error{"usage: litmus_check PROGRAMS OUTCOMES"};
  std::map<std::string, program> programs;
  std::map<std::string, outcomes> expected;
  std::string open;
  read_lines(argv[1], [&](const std::string& line) { parse_line(line, open, programs); });
  if (!open.empty())
    throw std::runtime_error{std::string{argv[1]} + ": program " + open + " has no end"};
  read_lines(argv[2], [&](const std::string& line) { parse_outcomes(line, expected); });
  return compare(programs, expected);
} catch (const std::exception& error) {
  std::cerr << "litmus_check: " << error.what() << '\n';
  return 2;
}
