// SPDX-License-Identifier: MIT
/// Runs the two-thread benchmarks: see README.md.
#include "harness.hpp"
#include "report.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

struct options {
  bench::run_settings run;
  std::string json;
  std::vector<int> cores;
  bool normal_scheduling = false;
};

void define(CLI::App& program, options& chosen) {
  program.add_option("--rounds", chosen.run.rounds, "Rounds per group")->check(CLI::Range(1, 1000));
  program.add_option("--filter", chosen.run.filter, "Run only groups whose name contains this");
  program.add_option("--json", chosen.json, "Write the results to this file");
  program.add_option("--cores", chosen.cores, "The two cores to use")->expected(2);
  program.add_flag("--normal-scheduling", chosen.normal_scheduling, "Never use SCHED_FIFO");
  program.add_flag("--smoke", chosen.run.smoke, "One short round: does everything still run?");
}

/// A hang ends here instead of holding two real-time cores for ever.
void give_up(int) {
  constexpr char message[] = "bench: a run hangs\n";
  [[maybe_unused]] const auto written = write(2, message, sizeof message - 1);
  _exit(99);
}

}  // namespace

auto main(int argc, char** argv) -> int {
  CLI::App program{"Weir between two threads, against its peers, interleaved"};
  options chosen;
  define(program, chosen);
  CLI11_PARSE(program, argc, argv);
  if (chosen.run.smoke) chosen.run.rounds = 1;
  std::signal(SIGALRM, give_up);

  auto cores = bench::choose_cores();
  if (chosen.cores.size() == 2) cores = {chosen.cores[0], chosen.cores[1]};
  const bool two_cores = cores[0] != cores[1];
  if (!two_cores && !chosen.run.smoke) {
    std::fprintf(stderr, "bench: needs two cores; --smoke works with one\n");
    return 1;
  }
  // Two real-time threads that spin on one core would wait for each other for ever.
  const bool realtime =
      two_cores && !chosen.run.smoke && !chosen.normal_scheduling && bench::may_run_realtime();

  bench::thread_pair pair{cores, realtime};
  bench::suite all;
  for (const auto add_cases : bench::registration::all()) add_cases(all);
  all.run(pair, chosen.run);

  const auto card =
      bench::machine_card(pair, all.usual_bounce(), {WEIR_BENCH_COMMIT, WEIR_BENCH_FLAGS});
  if (!chosen.run.smoke) {
    bench::print_card(card);
    bench::print_groups(all);
    std::printf("\n");
    bench::print_claims(all);
  }
  if (!chosen.json.empty() && !bench::write_json(chosen.json, card, all)) {
    std::fprintf(stderr, "bench: cannot write %s\n", chosen.json.c_str());
    return 1;
  }
  return 0;
}
