// SPDX-License-Identifier: MIT
/// One feed of prices and three readers that cannot slow it down.
///
///   feed --> broadcast_ring --> fast    reads every quote as it comes
///     |            '----------> slow    rests after each quote, is lapped, and is told how many it lost
///     '----> latest ----------> screen  shows the newest quote, frame by frame
///
/// The program fails unless each reader can account for every quote: received + lost = sent, each one
/// received as it was sent, in order, and the last one on the screen.
#include "../aligned_memory.hpp"
#include "../command_line.hpp"
#include "readers.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

using namespace ticker;
using example::aligned_memory;

constexpr auto program_name = "ticker";

struct options {
  std::uint32_t ticks = 1'000'000;
  std::uint32_t rate = 200'000;
  std::uint32_t ring_size = 1U << 19;
  std::uint32_t slow_reader_delay = 20;
  std::uint32_t frame_interval = 16'000;
  std::uint64_t seed = 1;
};

/// Runs a reader in a thread of its own. A reader that fails stops reading; the feed does not notice.
class reader_thread {
 public:
  template <class Reader>
  explicit reader_thread(Reader& reader)
      : thread_{[this, &reader] {
          try {
            reader.run();
          } catch (...) {
            failure_ = std::current_exception();
          }
        }} {}
  reader_thread(const reader_thread&) = delete;
  auto operator=(const reader_thread&) -> reader_thread& = delete;
  ~reader_thread() {
    if (thread_.joinable()) thread_.join();
  }

  /// Throws  what went wrong.
  void join() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::exception_ptr failure_;
  std::thread thread_;
};

/// Sends the quotes, those of a millisecond at once.
class feed {
 public:
  feed(const quote_ring& ring, const quote_value& newest)
      : ring_{required(ring.writer(), "the ring's writer")},
        newest_{required(newest.writer(), "the newest quote's writer")} {}

  /// Closes in the end, whatever happens: the readers wait for nothing else.
  void run(const options& chosen) {
    struct ending {
      feed& over;
      ~ending() { over.close(); }
    } const always{*this};
    walk prices{chosen.seed};
    const auto begin = clock::now();
    auto due = begin;
    for (std::uint64_t sent = 0; sent < chosen.ticks;) {
      due += period;
      auto goal = std::uint64_t{chosen.ticks};
      if (chosen.rate != 0) goal = std::min(goal, ticks_in(due - begin, chosen.rate));
      for (; sent < goal; ++sent) send(prices.next());
      if (chosen.rate != 0) std::this_thread::sleep_until(due);
    }
  }

 private:
  using clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds period{1};

  [[nodiscard]] static auto ticks_in(clock::duration time, std::uint32_t rate) -> std::uint64_t {
    const auto periods = static_cast<std::uint64_t>(time / period);
    return periods * rate / 1000;
  }

  void close() {
    ring_.close();
    newest_.close();
  }

  void send(quote one) {
    one.sent = now();
    require_ok(ring_.write(std::as_bytes(std::span{&one, 1})), "the ring");
    require_ok(newest_.write(one), "the newest quote");
  }

  quote_ring::writer_type ring_;
  quote_value::writer_type newest_;
};

void print_row(const char* name, report& row) {
  std::ranges::sort(row.ages);
  const auto age = [&](std::size_t percent) {
    if (row.ages.empty()) return 0.0;
    const auto index = std::min(row.ages.size() * percent / 100, row.ages.size() - 1);
    return static_cast<double>(row.ages[index]) / 1000;
  };
  std::printf("%-8s %10llu %10llu %8llu %11.1f %11.1f\n", name,
              static_cast<unsigned long long>(row.received),
              static_cast<unsigned long long>(row.lost), static_cast<unsigned long long>(row.gaps),
              age(50), age(99));
}

void require_all(const char* name, const report& row, std::uint64_t sent) {
  if (row.received + row.lost == sent) return;
  throw std::runtime_error{std::string{name} + ": received " + std::to_string(row.received) +
                           " and lost " + std::to_string(row.lost) + " of " + std::to_string(sent)};
}

auto run(const options& chosen) -> int {
  aligned_memory ring_memory{quote_ring::bytes_required(chosen.ring_size)};
  aligned_memory newest_memory{quote_value::bytes_required()};
  const auto ring =
      required(quote_ring::format(ring_memory.bytes(), {.capacity = chosen.ring_size}), "the ring");
  const auto newest = required(quote_value::format(newest_memory.bytes()), "the newest quote");

  ring_reader fast{ring, chosen.seed, std::chrono::microseconds{0}};
  ring_reader slow{ring, chosen.seed, std::chrono::microseconds{chosen.slow_reader_delay}};
  screen shown{newest, chosen.seed, std::chrono::microseconds{chosen.frame_interval}};
  feed source{ring, newest};
  reader_thread fast_thread{fast};
  reader_thread slow_thread{slow};
  reader_thread screen_thread{shown};
  const auto begin = std::chrono::steady_clock::now();
  source.run(chosen);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  fast_thread.join();
  slow_thread.join();
  screen_thread.join();

  std::printf("%s: %u quotes in %.2f s, ring of %u bytes\n", program_name, chosen.ticks,
              taken.count(), chosen.ring_size);
  std::printf("%-8s %10s %10s %8s %11s %11s\n", "reader", "received", "lost", "gaps", "p50 us",
              "p99 us");
  print_row("fast", fast.result());
  print_row("slow", slow.result());
  print_row("screen", shown.result());
  std::fflush(stdout);
  require_all("fast", fast.result(), chosen.ticks);
  require_all("slow", slow.result(), chosen.ticks);
  require_all("screen", shown.result(), chosen.ticks);
  return 0;
}

void define(CLI::App& program, options& chosen) {
  // An eighth of the ring must hold a quote, its number and its framing.
  constexpr std::uint32_t smallest_ring = 1024;
  program.add_option("--ticks", chosen.ticks, "How many quotes are sent")
      ->check(CLI::Range(1U, 100'000'000U));
  program.add_option("--rate", chosen.rate, "Quotes per second; 0: as fast as they can be written")
      ->check(CLI::Range(0U, 100'000'000U));
  program.add_option("--ring-size", chosen.ring_size, "Bytes of data that the ring holds")
      ->check(example::power_of_two_from(smallest_ring));
  program
      .add_option("--slow-reader-delay", chosen.slow_reader_delay,
                  "Microseconds that the slow reader rests after each quote")
      ->check(CLI::Range(0U, 1'000'000U));
  program
      .add_option("--frame-interval", chosen.frame_interval,
                  "Microseconds between the frames of the screen")
      ->check(CLI::Range(0U, 1'000'000U));
  program.add_option("--seed", chosen.seed, "Makes up the prices");
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Broadcasts prices to readers of different speed", program_name};
    program.option_defaults()->always_capture_default();
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    return end ? *end : run(chosen);
  });
}
