// SPDX-License-Identifier: MIT
/// Several processes write log lines into one ring in shared memory, one process writes them to disk, and
/// writers are killed without warning. Nothing else is lost.
///
///   supervisor   starts the others, kills producers at random, starts new ones, checks the files
///   producers    write each line straight into a claim, and wait while there is no room
///   collector    appends each line to its producer's file; where a dead producer's claim stands in the
///                way, lets the ring skip it
///
/// A producer counts its lines, each after its commit returned. In the end every counted line must be on
/// disk, once, in order and whole. One more may be there of each that was killed, for it may have died
/// between the commit and the count.
#include "check.hpp"
#include "supervisor.hpp"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace {

namespace fs = std::filesystem;
using log_collector::options;
using log_collector::program_name;

/// Throws  if files are in the way: whose lines would be checked?
void prepare_folder(const fs::path& folder) {
  fs::create_directories(folder);
  if (!fs::is_empty(folder)) throw std::runtime_error{folder.string() + ": is not empty"};
}

auto supervise(const options& chosen) -> log_collector::outcome {
  log_collector::supervisor work{chosen};
  work.run();
  return work.finish();
}

auto run(const options& chosen) -> int {
  prepare_folder(chosen.out);
  const auto ended = supervise(chosen);
  const auto found = log_collector::check(chosen.out, ended);
  std::uint32_t killed = 0;
  for (const auto& seat : ended.producers) {
    for (const auto& one : seat) killed += one.killed ? 1 : 0;
  }
  std::printf("written %llu\nkilled %u\nrecovered %u\nlost %llu\n",
              static_cast<unsigned long long>(found.written), killed, ended.recovered,
              static_cast<unsigned long long>(found.lost));
  if (!found.problem.empty()) throw std::runtime_error{found.problem};
  return 0;
}

void define(CLI::App& program, options& chosen) {
  program.add_option("--producers", chosen.producers, "Processes that write lines")
      ->check(CLI::Range(1U, log_collector::most_producers));
  program.add_option("--seconds", chosen.seconds, "How long they write")
      ->check(CLI::Range(1U, 3600U));
  program.add_option("--kill-rate", chosen.kill_rate, "How many of them are killed each second")
      ->check(CLI::Range(0U, 1000U));
  program.add_option("--out", chosen.out, "Folder for the files; empty or not there yet")
      ->required();
  program.add_option("--ring-size", chosen.ring_size, "Bytes of data that the ring holds")
      ->check(example::power_of_two_from(4096));
  program.add_option("--megabytes", chosen.megabytes, "What the files take together, at most")
      ->check(CLI::Range(1U, 1'000'000U));
  program.add_option("--seed", chosen.seed, "Makes up texts, and who is killed when");
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Collects the lines of processes that may die at any moment", program_name};
    program.option_defaults()->always_capture_default();
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    if (end) return *end;
    try {
      return run(chosen);
    } catch (const example::child_failure&) {
      return 1;
    }
  });
}
