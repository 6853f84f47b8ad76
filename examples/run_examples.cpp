// SPDX-License-Identifier: MIT
/// Runs the examples on real input, checks what comes out of them, and prints one table.
///
/// Everything in the table is checked: what ring_cat copied by sha256sum, of the input and of the copy;
/// browser_adapter, log_collector and ticker by themselves, event by event; what audio_blocks played, and
/// what shared_image shows, by what one thread makes. One that fails is named in the table, and the status
/// is 1.
#include "command_line.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/wait.h>

namespace {

namespace fs = std::filesystem;

constexpr auto program_name = "run_examples";

struct options {
  fs::path programs;
  fs::path data;
  fs::path work;
  std::vector<fs::path> large;
};

// --- other programs

struct finished_run {
  std::string output;
  int status;
  double seconds;
};

auto quoted(const std::string& word) -> std::string {
  std::string inside;
  for (const char one : word) inside += one == '\'' ? R"('\'')" : std::string{one};
  return "'" + inside + "'";
}

/// Runs a command of the shell. Its standard output is returned, its standard error passes through.
auto run(const std::string& command) -> finished_run {
  std::printf("$ %s\n", command.c_str());
  std::fflush(stdout);
  const auto begin = std::chrono::steady_clock::now();
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error{"cannot run " + command};
  std::string output;
  for (int one = std::fgetc(pipe); one != EOF; one = std::fgetc(pipe)) {
    output += static_cast<char>(one);
  }
  const int end = pclose(pipe);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return {output, WIFEXITED(end) ? WEXITSTATUS(end) : -1, taken.count()};
}

auto sha256_of(const fs::path& file) -> std::string {
  const auto sum = run("sha256sum < " + quoted(file));
  if (sum.status != 0 || sum.output.size() < 64) throw std::runtime_error{"sha256sum failed"};
  return sum.output.substr(0, 64);
}

// --- the table

class table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// `problem` is empty, or takes the place of the result.
  void add_checked(std::vector<std::string> row, std::size_t result, const std::string& problem) {
    if (!problem.empty()) {
      row[result] = "FAILED: " + problem;
      ++failures_;
    }
    add(std::move(row));
  }

  [[nodiscard]] auto failures() const -> int { return failures_; }

  void print() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
      }
      std::printf("%s\n", line.substr(0, line.find_last_not_of(' ') + 1).c_str());
    }
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  int failures_ = 0;
};

constexpr std::size_t result_column = 3;

auto text(const char* format, double value) -> std::string {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

// --- the examples

void show_hello_ring(table& shown, const options& chosen) {
  const auto done = run(quoted(chosen.programs / "hello_ring"));
  const auto problem = done.status != 0 || done.output != "hello\n" ? "printed " + done.output : "";
  shown.add_checked(
      {"hello_ring", "a word", "5 B", "read what was written", text("%.3f s", done.seconds), "-"},
      result_column, problem);
}

void show_ring_cat(table& shown, const options& chosen, const fs::path& input,
                   const std::string& sum, std::uint32_t ring_size) {
  const auto copy = chosen.work / "copy";
  const auto ring_option = "--ring-size " + std::to_string(ring_size);
  const auto done = run(quoted(chosen.programs / "ring_cat") + " " + ring_option + " < " +
                        quoted(input) + " > " + quoted(copy));
  std::string problem;
  if (done.status != 0) problem = "status " + std::to_string(done.status);
  if (problem.empty() && sha256_of(copy) != sum) problem = "the copy differs";
  const auto megabytes = static_cast<double>(fs::file_size(input)) / 1e6;
  // The time of a small input is that of starting two processes.
  const auto rate = megabytes < 10 ? "-" : text("%.0f MB/s", megabytes / done.seconds);
  shown.add_checked({"ring_cat " + ring_option, input.filename(), text("%.1f MB", megabytes),
                     "sha256 " + sum.substr(0, 12) + " equal", text("%.3f s", done.seconds), rate},
                    result_column, problem);
  fs::remove(copy);
}

void show_browser_adapter(table& shown, const options& chosen, const std::string& arguments) {
  constexpr std::uint32_t events = 100'000;
  const auto done = run(quoted(chosen.programs / "browser_adapter") + " --events " +
                        std::to_string(events) + arguments);
  std::printf("%s", done.output.c_str());
  std::uint32_t applied = 0;
  std::uint32_t dropped = 0;
  const auto place = done.output.find(" s: ");
  const bool counted =
      place != std::string::npos &&
      std::sscanf(done.output.c_str() + place, " s: %u applied, %u", &applied, &dropped) == 2;
  std::string problem;
  if (done.status != 0) problem = "status " + std::to_string(done.status);
  if (problem.empty() && (!counted || applied + dropped != events)) problem = "events are missing";
  shown.add_checked(
      {"browser_adapter" + arguments, "pen_strokes.txt", std::to_string(events) + " events",
       std::to_string(applied) + " applied in order, " + std::to_string(dropped) + " dropped",
       text("%.3f s", done.seconds), text("%.0f events/s", events / done.seconds)},
      result_column, problem);
}

void show_log_collector(table& shown, const options& chosen) {
  const auto folder = chosen.work / "logs";
  fs::remove_all(folder);
  const std::string arguments = " --producers 8 --seconds 3 --kill-rate 5";
  const auto done = run(quoted(chosen.programs / "log_collector") + arguments +
                        " --megabytes 240 --out " + quoted(folder));
  std::printf("%s", done.output.c_str());
  unsigned long long written = 0;
  unsigned long long lost = 0;
  unsigned killed = 0;
  unsigned recovered = 0;
  const bool counted =
      std::sscanf(done.output.c_str(), "written %llu killed %u recovered %u lost %llu", &written,
                  &killed, &recovered, &lost) == 4;
  std::string problem;
  if (done.status != 0) problem = "status " + std::to_string(done.status);
  if (problem.empty() && (!counted || written == 0 || lost != 0)) problem = "lines are missing";
  shown.add_checked({"log_collector" + arguments, "made up", std::to_string(written) + " lines",
                     std::to_string(killed) + " killed, " + std::to_string(recovered) +
                         " recovered, " + std::to_string(lost) + " lost",
                     text("%.3f s", done.seconds), "-"},
                    result_column, problem);
  fs::remove_all(folder);
}

void show_ticker(table& shown, const options& chosen) {
  constexpr unsigned ticks = 300'000;
  const auto done = run(quoted(chosen.programs / "ticker") + " --ticks " + std::to_string(ticks));
  std::printf("%s", done.output.c_str());
  std::string result;
  std::string problem;
  if (done.status != 0) problem = "status " + std::to_string(done.status);
  for (const auto* reader : {"fast", "slow"}) {
    unsigned received = 0;
    unsigned lost = 0;
    const auto place = done.output.find(std::string{"\n"} + reader);
    const bool counted =
        place != std::string::npos &&
        std::sscanf(done.output.c_str() + place, " %*s %u %u", &received, &lost) == 2;
    if (problem.empty() && (!counted || received + lost != ticks)) problem = "ticks are missing";
    result += (result.empty() ? "" : ", ") + std::string{reader} + " lost " + std::to_string(lost);
  }
  shown.add_checked({"ticker", "made up", std::to_string(ticks) + " ticks", result,
                     text("%.3f s", done.seconds), "-"},
                    result_column, problem);
}

/// The word behind those at the beginning of a line; empty if there is none.
auto value_of(const std::string& output, const std::string& name) -> std::string {
  const auto line = ("\n" + output).find("\n" + name + " ");
  if (line == std::string::npos) return {};
  const auto begin = line + name.size() + 1;
  return output.substr(begin, output.find_first_of(" \n", begin) - begin);
}

void show_audio_blocks(table& shown, const options& chosen) {
  const auto command = quoted(chosen.programs / "audio_blocks");
  const auto done = run(command);
  const auto reference = run(command + " --reference");
  std::printf("%s", done.output.c_str());
  const auto sum = value_of(done.output, "crc32");
  std::string problem;
  if (done.status != 0) problem = "status " + std::to_string(done.status);
  if (problem.empty() && value_of(done.output, "underruns") != "0") problem = "underruns";
  if (problem.empty() && (sum.empty() || sum != value_of(reference.output, "crc32"))) {
    problem = "not what one thread plays";
  }
  shown.add_checked(
      {"audio_blocks", "ode_to_joy.score", value_of(done.output, "blocks") + " blocks",
       "0 underruns, crc32 " + sum + " equal", text("%.3f s", done.seconds), "-"},
      result_column, problem);
}

/// `how`: the workers.
void show_shared_image(table& shown, const options& chosen, const std::string& picture,
                       const std::string& how) {
  const auto out = chosen.work / "picture.png";
  const auto command = quoted(chosen.programs / "shared_image") + " " +
                       quoted(chosen.data / picture) + " --script " +
                       quoted(chosen.data / "edit.script") + " --out " + quoted(out);
  std::string problem;
  if (run(command + " --reference").status != 0) problem = "no reference";
  const auto sum = problem.empty() ? sha256_of(out) : "";
  fs::remove(out);
  const auto done = run(command + how);
  std::printf("%s", done.output.c_str());
  if (done.status != 0) problem = "status " + std::to_string(done.status);
  if (problem.empty() && value_of(done.output, "bytes copied between workers") != "0") {
    problem = "workers copied";
  }
  if (problem.empty() && done.output.find("= dirty rows only\n") == std::string::npos) {
    problem = "the viewer copied too much";
  }
  if (problem.empty() && sha256_of(out) != sum) problem = "not what one thread makes";
  const auto redone = value_of(done.output, "bands redone");
  shown.add_checked(
      {"shared_image" + how, picture, value_of(done.output, "passes") + " passes",
       "sha256 " + sum.substr(0, 12) + " equal" + (redone == "0" ? "" : ", " + redone + " redone"),
       text("%.3f s", done.seconds), "-"},
      result_column, problem);
  fs::remove(out);
}

/// How a picture gets to the workers and back: the program's own table.
void show_ways(table& shown, const options& chosen) {
  const auto done = run(quoted(chosen.programs / "shared_image") + " " +
                        quoted(chosen.data / "astronaut.png") + " --compare");
  std::printf("%s", done.output.c_str());
  const auto problem = done.status != 0 ? "status " + std::to_string(done.status) : "";
  shown.add_checked({"shared_image --compare", "astronaut.png", "8.3 MB",
                     "3 ways make the same picture", text("%.3f s", done.seconds), "-"},
                    result_column, problem);
}

/// Programs of the compiler, one after the other until there are 100 MB of them.
auto make_large_file(const options& chosen) -> fs::path {
  constexpr std::uintmax_t wanted = 100'000'000;
  const auto path = chosen.work / "compiler_programs";
  std::ofstream file{path, std::ios::binary};
  std::uintmax_t size = 0;
  for (std::size_t next = 0; size < wanted; ++next) {
    const auto& part = chosen.large[next % chosen.large.size()];
    file << std::ifstream{part, std::ios::binary}.rdbuf();
    if (!file || fs::file_size(part) == 0) throw std::runtime_error{"cannot copy " + part.string()};
    size += fs::file_size(part);
  }
  return path;
}

auto run_all(const options& chosen) -> int {
  fs::create_directories(chosen.work);
  table shown;
  shown.add({"program", "input", "size", "result, checked", "time", "throughput"});
  show_hello_ring(shown, chosen);
  const auto large = make_large_file(chosen);
  for (const auto& input :
       {chosen.data / "astronaut.png", chosen.data / "hubble_deep_field.jpg", large}) {
    const auto sum = sha256_of(input);
    for (const std::uint32_t ring_size : {4096U, 1U << 20}) {
      show_ring_cat(shown, chosen, input, sum, ring_size);
    }
  }
  fs::remove(large);
  for (const auto* arguments : {"", " --event-ring 1024", " --inline"}) {
    show_browser_adapter(shown, chosen, arguments);
  }
  show_log_collector(shown, chosen);
  show_ticker(shown, chosen);
  show_audio_blocks(shown, chosen);
  show_shared_image(shown, chosen, "astronaut.png", " --workers 4");
  show_shared_image(shown, chosen, "hubble_deep_field.jpg", " --processes 4 --kill 1");
  show_ways(shown, chosen);
  std::printf("\n");
  shown.print();
  std::fflush(stdout);
  if (shown.failures() == 0) return 0;
  throw std::runtime_error{std::to_string(shown.failures()) + " of these failed"};
}

void define(CLI::App& program, options& chosen) {
  program.add_option("--programs", chosen.programs, "Folder of the examples' programs")->required();
  program.add_option("--data", chosen.data, "Folder of the examples' data")->required();
  program.add_option("--work", chosen.work, "Folder for temporary files")->required();
  program.add_option("--large", chosen.large, "Files to make a large one from")->required();
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Runs the examples on real input", program_name};
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    return end ? *end : run_all(chosen);
  });
}
