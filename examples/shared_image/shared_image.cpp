// SPDX-License-Identifier: MIT
/// Workers edit one picture in place, a viewer copies what has changed, and nobody waits for a lock.
///
/// canvas.hpp has the picture of it. The script's changes are dispatched frame by frame; each dispatch
/// takes as many passes over the image as there are filters; the viewer keeps a copy of its own up to date
/// band by band. What --out writes is the viewer's copy, and must be, byte for byte, what --reference
/// makes in one thread without Weir.
#include "../command_line.hpp"
#include "canvas.hpp"
#include "compare.hpp"
#include "crew.hpp"
#include "director.hpp"
#include "picture.hpp"
#include "reference.hpp"
#include "script.hpp"
#include "viewer.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

using namespace shared_image;

auto read_plan(const options& chosen) -> plan {
  if (chosen.script.empty()) return {.changes = 0, .dispatches = {{0, {}}}};
  return script_reader{chosen.script}.read();
}

void save(const options& chosen, const pixels& picture) {
  if (!chosen.out.empty()) save_picture(chosen.out, picture);
}

void print(const char* what, std::uint64_t value, const std::string& more = "") {
  std::printf("%s %llu%s\n", what, static_cast<unsigned long long>(value), more.c_str());
}

struct finished_edit {
  progress done;
  std::uint32_t killed;
  ledger::bytes_read read;
  std::uint64_t bytes_to_viewer;
  double seconds;
};

auto edit(const options& chosen, const plan& todo, const pixels& original) -> finished_edit {
  const canvas_memory memory{chosen};
  const auto shared = canvas::create(memory);
  if (chosen.kill != 0) shared.the_trap().set_for(chosen.kill);
  crew workers{memory, shared, chosen};
  viewer screen{shared};
  const auto begin = std::chrono::steady_clock::now();
  progress done;
  {
    director lead{shared, workers, screen, original, chosen};
    lead.run(todo);
    done = lead.done();
  }
  screen.finish();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  workers.finish();
  if (chosen.kill != 0 && workers.killed() == 0) throw std::runtime_error{"no worker was killed"};
  save(chosen, screen.picture());
  return {done, workers.killed(), shared.reads().sum(), screen.bytes_copied(), taken.count()};
}

void report(const options& chosen, const plan& todo, const finished_edit& edited) {
  const auto& done = edited.done;
  const auto all_rows = std::uint64_t{done.dispatches} * picture_height;
  std::printf("picture %ux%u\n", picture_width, picture_height);
  print("workers", chosen.active_workers(), chosen.processes ? " processes" : " threads");
  print("bands", chosen.bands());
  print("changes", todo.changes);
  print("dispatches", done.dispatches);
  print("passes", done.passes);
  print("workers killed", edited.killed);
  print("bands redone", done.redone);
  print("bytes read in place", edited.read.in_place);
  print("bytes copied between workers", edited.read.copied);
  print("bytes copied to the viewer", edited.bytes_to_viewer,
        edited.bytes_to_viewer == done.dirty_rows * row_bytes ? " = dirty rows only"
                                                              : " more than the dirty rows");
  print("dirty rows", done.dirty_rows, " of " + std::to_string(all_rows));
  std::printf("time %.3f s\n", edited.seconds);
}

auto run(const options& chosen) -> int {
  const auto todo = read_plan(chosen);
  const auto original = load_picture(chosen.picture);
  if (chosen.compare) {
    compare(chosen, original);
  } else if (chosen.reference) {
    save(chosen, render(original, todo.dispatches.back().wanted));
  } else {
    report(chosen, todo, edit(chosen, todo, original));
  }
  return 0;
}

void define(CLI::App& program, options& chosen) {
  constexpr std::uint32_t most = 1'000'000;
  program.add_option("picture", chosen.picture, "PNG, JPEG or other picture; it is scaled")
      ->required();
  auto* threads =
      program.add_option("--workers", chosen.workers, "Bands; and threads, up to 30 of them")
          ->check(CLI::Range(1U, most));
  program
      .add_option_function<std::uint32_t>(
          "--processes",
          [&chosen](std::uint32_t count) {
            chosen.workers = count;
            chosen.processes = true;
          },
          "The same with processes in place of threads")
      ->check(CLI::Range(1U, most))
      ->excludes(threads);
  program.add_option("--kill", chosen.kill, "Process to be killed in the middle of a band, from 1");
  program.add_option("--script", chosen.script, "What is done with the picture, and when");
  auto* out =
      program.add_option("--out", chosen.out, "File for the viewer's picture: .png or .ppm");
  auto* alone = program.add_flag("--reference", chosen.reference,
                                 "Make the picture in one thread, without Weir");
  program.add_flag("--compare", chosen.compare, "Time one dispatch, done in three ways")
      ->excludes(alone)
      ->excludes(out);
  program.add_flag("--realtime", chosen.realtime, "Dispatch at the script's times");
}

/// Throws  if options contradict each other.
void check(const options& chosen) {
  const auto refuse = [](const char* why) { throw std::runtime_error{why}; };
  if (!chosen.out.empty() && !is_ppm(chosen.out) && !chosen.out.ends_with(".png")) {
    refuse("--out: neither .png nor .ppm");
  }
  if (chosen.kill == 0) return;
  if (!chosen.processes || chosen.workers < 2) refuse("--kill: needs two --processes or more");
  if (chosen.kill > chosen.active_workers()) refuse("--kill: there is no such process");
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Edits a picture with several workers in place", program_name};
    program.option_defaults()->always_capture_default();
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    if (end) return *end;
    check(chosen);
    try {
      return run(chosen);
    } catch (const example::child_failure&) {
      return 1;
    }
  });
}
