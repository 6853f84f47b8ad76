// SPDX-License-Identifier: MIT
/// A browser adapter without the browser: a page, an event collector and a frame worker, three threads
/// that share what would be two SharedArrayBuffers (channels.hpp has the picture). With --inline the
/// same three run in one thread over plain buffers.
///
/// The page plays recorded drawing as pointer events. It drops events while there is no room for them;
/// the frame worker waits while there is no room for its patches. The program fails unless every event
/// was applied, in order and drawn as it should be, or was reported as dropped where it is missing.
#include "../command_line.hpp"
#include "channels.hpp"
#include "page.hpp"
#include "trace.hpp"
#include "workers.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace adapter;
using clock_type = std::chrono::steady_clock;

constexpr auto program_name = "browser_adapter";

struct options {
  std::uint32_t events = 100'000;
  std::uint64_t seed = 1;
  std::uint32_t event_ring = 1U << 16;
  std::uint32_t patch_ring = 1U << 16;
  std::uint32_t speed = 500;
  std::uint32_t interval = 1000;
  std::string strokes = WEIR_EXAMPLE_STROKES;
  bool one_thread = false;

  [[nodiscard]] auto frame_interval() const { return std::chrono::microseconds{interval}; }
};

struct outcome {
  page_report page;
  std::uint32_t busiest_frame;
};

/// Runs a worker until nothing more comes for it.
class worker_thread {
 public:
  template <class Worker>
  explicit worker_thread(Worker& worker)
      : thread_{[this, &worker] {
          try {
            do worker.wait();
            while (worker.turn());
          } catch (...) {
            failure_ = std::current_exception();
            worker.close();
          }
        }} {}

  /// Returns  what went wrong, if anything.
  [[nodiscard]] auto join() -> std::exception_ptr {
    thread_.join();
    return failure_;
  }

 private:
  std::exception_ptr failure_;
  std::thread thread_;
};

/// The page's event loop, at the pace of the recording or faster.
void show(page<weir::native_memory>& page, const options& chosen) {
  const auto begin = clock_type::now();
  for (auto next_frame = begin; !page.finished();) {
    page.dispatch(chosen.speed * (clock_type::now() - begin));
    page.animation_frame();
    next_frame += chosen.frame_interval();
    std::this_thread::sleep_until(next_frame);
  }
}

auto run_threads(const options& chosen, const trace& input) -> outcome {
  const channels<weir::native_memory> rings{chosen.event_ring, chosen.patch_ring};
  page<weir::native_memory> page{rings, input, chosen.events};
  event_collector<weir::native_memory> collector{rings};
  frame_worker<weir::native_memory> drawer{rings};
  worker_thread collecting{collector};
  worker_thread drawing{drawer};

  std::exception_ptr failure;
  try {
    show(page, chosen);
  } catch (...) {
    failure = std::current_exception();
    page.close();
  }
  // A worker's failure comes first: it ends the page early too.
  for (const auto& what : {collecting.join(), drawing.join(), failure}) {
    if (what) std::rethrow_exception(what);
  }
  return {page.report(), drawer.busiest_frame()};
}

/// The same code in inline mode. Time passes by one frame per turn.
auto run_inline(const options& chosen, const trace& input) -> outcome {
  const channels<weir::plain_memory> rings{chosen.event_ring, chosen.patch_ring};
  page<weir::plain_memory> page{rings, input, chosen.events};
  event_collector<weir::plain_memory> collector{rings};
  frame_worker<weir::plain_memory> drawer{rings};
  for (std::chrono::nanoseconds now{0}; !page.finished(); now += chosen.frame_interval()) {
    page.dispatch(chosen.speed * now);
    collector.turn();
    drawer.turn();
    page.animation_frame();
  }
  return {page.report(), drawer.busiest_frame()};
}

void print_latency(const char* what, std::vector<std::uint64_t> sample) {
  if (sample.empty()) return;
  std::ranges::sort(sample);
  const auto microseconds = [&](std::size_t percent) {
    const auto index = std::min(sample.size() * percent / 100, sample.size() - 1);
    return static_cast<double>(sample[index]) / 1000;
  };
  std::printf("  %-11s p50 %.1f us, p90 %.1f us, p99 %.1f us, max %.1f us\n", what,
              microseconds(50), microseconds(90), microseconds(99), microseconds(100));
}

void print(const outcome& result, double seconds) {
  const auto& page = result.page;
  const auto applied = page.events - page.dropped;
  std::printf("  events      %u in %.2f s: %u applied, %u dropped\n", page.events, seconds, applied,
              page.dropped);
  std::printf("  frames      %u, of %.1f events on average and %u at most\n", page.frames,
              static_cast<double>(applied) / std::max(page.frames, 1U), result.busiest_frame);
  std::printf("  patches     %u, %.1f MB\n", page.patches,
              static_cast<double>(page.patch_bytes) / 1e6);
  print_latency("to drawn", page.until_drawn);
  print_latency("to applied", page.until_applied);
  std::printf(
      "  checked     every event applied in order and drawn right, or reported as dropped\n");
}

auto run(const options& chosen) -> int {
  const trace input{chosen.strokes, chosen.seed};
  const auto begin = clock_type::now();
  const auto result = chosen.one_thread ? run_inline(chosen, input) : run_threads(chosen, input);
  const std::chrono::duration<double> taken = clock_type::now() - begin;
  std::printf("%s: %s, event ring %u bytes, patch ring %u bytes\n", program_name,
              chosen.one_thread ? "one thread" : "three threads", chosen.event_ring,
              chosen.patch_ring);
  print(result, taken.count());
  return 0;
}

void define(CLI::App& program, options& chosen) {
  constexpr std::uint32_t smallest_ring = 256;
  const auto most_events = CLI::Range(0U, 100'000'000U);
  program.add_option("--events", chosen.events, "How many events happen")->check(most_events);
  program.add_option("--seed", chosen.seed, "Turns and moves the curves of the recording");
  program.add_option("--event-ring", chosen.event_ring, "Bytes of data of the event ring")
      ->check(example::power_of_two_from(smallest_ring));
  program.add_option("--patch-ring", chosen.patch_ring, "Bytes of data of the patch ring")
      ->check(example::power_of_two_from(smallest_ring));
  program.add_option("--speed", chosen.speed, "Times faster than it was recorded")
      ->check(CLI::Range(1U, 1'000'000U));
  program.add_option("--frame-interval", chosen.interval, "Microseconds between animation frames")
      ->check(CLI::Range(1U, 1'000'000U));
  program.add_option("--strokes", chosen.strokes, "File with the recording");
  program.add_flag("--inline", chosen.one_thread, "One thread, plain buffers");
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Pointer events to a frame worker, patches back", program_name};
    program.option_defaults()->always_capture_default();
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    return end ? *end : run(chosen);
  });
}
