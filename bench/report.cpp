// SPDX-License-Identifier: MIT
#include "report.hpp"

#include <cmath>
#include <cstdio>
#include <fstream>
#include <optional>
#include <ostream>
#include <string_view>

namespace bench {
namespace {

auto quoted(std::string_view text) -> std::string {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') result += '\\';
    result += letter;
  }
  return result + '"';
}

/// Widths are for 80 columns.
void print_group(const group& measured) {
  const auto ratios = measured.compare == comparison::ratio;
  std::printf("\n%s [%s]\n", measured.name.c_str(), measured.unit.c_str());
  std::printf("  %-40s %9s %19s %7s\n", "", "median", "quartiles", ratios ? "ratio" : "more");
  for (const auto& row : measured.cases) {
    const auto values = row.values();
    const auto compared = compare(measured.compare, row, measured.cases.front());
    std::printf("  %-40s %9.2f %9.2f %9.2f %7.2f", row.name.c_str(), median(values),
                quantile(values, 0.25), quantile(values, 0.75), compared.value_or(std::nan("")));
    if (!row.sample.empty()) {
      std::printf("  p90 %.0f p99 %.0f max %.0f", quantile(row.sample, 0.9),
                  quantile(row.sample, 0.99), quantile(row.sample, 1));
    }
    if (row.unsettled() != 0)
      std::printf("  unsettled %d of %zu", row.unsettled(), row.runs.size());
    std::printf("\n");
  }
}

void write_case(std::ostream& out, const bench_case& row, const group& of) {
  const auto values = row.values();
  out << "      {\"name\": " << quoted(row.name) << ", \"median\": " << median(values)
      << ", \"q1\": " << quantile(values, 0.25) << ", \"q3\": " << quantile(values, 0.75);
  if (const auto compared = compare(of.compare, row, of.cases.front())) {
    out << (of.compare == comparison::ratio ? ", \"ratio\": " : ", \"more\": ") << *compared;
  }
  if (!row.sample.empty()) {
    out << ", \"p50\": " << quantile(row.sample, 0.5) << ", \"p90\": " << quantile(row.sample, 0.9)
        << ", \"p99\": " << quantile(row.sample, 0.99) << ", \"max\": " << quantile(row.sample, 1);
  }
  out << ", \"repeated\": " << row.repeated << ", \"unsettled\": " << row.unsettled()
      << ", \"runs\": [";
  const char* separator = "";
  for (const auto& run : row.runs) {
    out << separator << run.value;
    separator = ", ";
  }
  out << "]}";
}

/// What a claim's bounds say, and whether they hold. Empty for a ratio that is only shown.
auto verdict(const claim& sentence, double value) -> std::string {
  if (!sentence.at_least && !sentence.at_most) return {};
  const bool low = sentence.at_least && value < *sentence.at_least;
  const bool high = sentence.at_most && value > *sentence.at_most;
  return low || high ? "MISSED" : "holds";
}

/// Nothing if the claim's group was not run, or its cases never settled in the same round.
auto value_of(const claim& sentence, const suite& measured) -> std::optional<double> {
  for (const auto& members : measured.groups()) {
    if (members.name != sentence.group) continue;
    const auto* one = members.best_of(sentence.ones);
    const auto* other = members.best_of(sentence.others);
    require(one != nullptr && other != nullptr, "a claim names a case that does not exist");
    return compare(members.compare, *one, *other);
  }
  return std::nullopt;
}

}  // namespace

void print_card(const card& facts) {
  for (const auto& [key, value] : facts) std::printf("%-13s %s\n", key.c_str(), value.c_str());
}

void print_groups(const suite& measured) {
  for (const auto& members : measured.groups()) print_group(members);
  std::printf("\nratio, more: than the first line of the group; median over the rounds\n");
}

void print_claims(const suite& measured) {
  for (const auto& sentence : measured.claims()) {
    const auto value = value_of(sentence, measured);
    if (!value) continue;
    std::printf("%-72s %6.2f  %s\n", sentence.text.c_str(), *value,
                verdict(sentence, *value).c_str());
  }
}

auto write_json(const std::string& path, const card& facts, const suite& measured) -> bool {
  std::ofstream out{path};
  out << "{\n  \"machine\": {";
  const char* separator = "\n";
  for (const auto& [key, value] : facts) {
    out << separator << "    " << quoted(key) << ": " << quoted(value);
    separator = ",\n";
  }
  out << "\n  },\n  \"groups\": [";
  separator = "\n";
  for (const auto& members : measured.groups()) {
    out << separator << "    {\"name\": " << quoted(members.name)
        << ", \"unit\": " << quoted(members.unit) << ", \"cases\": [\n";
    const char* comma = "";
    for (const auto& row : members.cases) {
      out << comma;
      write_case(out, row, members);
      comma = ",\n";
    }
    out << "\n    ]}";
    separator = ",\n";
  }
  out << "\n  ]\n}\n";
  return out.good();
}

}  // namespace bench
