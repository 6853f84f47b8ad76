// SPDX-License-Identifier: MIT
/// What a record costs a producer that has other work, while the consumer polls an almost empty ring;
/// and what the wake protocols cost while nobody sleeps.
#include "baselines/boost_spsc.hpp"
#include "baselines/readerwriterqueue.hpp"
#include "weir_queues.hpp"
#include "workload.hpp"

#include <atomic>
#include <string>

namespace {

using bench::with_pause;

constexpr std::uint64_t turns_per_run = 200'000;

template <class Queue>
auto cost_of_a_value(bench::context& with, double work_ns) -> std::vector<double> {
  const auto turns = with.operations(turns_per_run);
  Queue queue{1024};
  double cost = 0;
  std::uint64_t received_sum = 0;
  with.pair.run(
      [&] {
        auto writer = queue.make_writer();
        cost =
            bench::cost_beside_thinking(turns, bench::steps_for(work_ns), [&](std::uint64_t turn) {
              while (writer.write(turn, turn + 1) == 0) with_pause::idle();
            });
        writer.flush();
      },
      [&] {
        auto reader = queue.make_reader();
        std::uint64_t sum = 0;
        for (std::uint64_t received = 0; received != turns;) {
          const auto read = reader.read([&](std::uint64_t value) { sum += value; });
          if (read == 0) with_pause::idle();
          received += read;
        }
        received_sum = sum;
      });
  bench::require(received_sum == bench::sum_below(turns), "sum of the values");
  return {cost};
}

/// Asks the consumer's wait policy before it drains, as a consumer does that may sleep. The producer
/// never leaves it alone for as long as it takes to fall asleep.
template <class Wait>
auto cost_of_a_commit(bench::context& with, weir::wake_protocol wake, double work_ns)
    -> std::vector<double> {
  const auto turns = with.operations(turns_per_run);
  bench::weir_byte_drain queue{64 * 1024, {.wake = wake}};
  double cost = 0;
  std::uint64_t received_sum = 0;
  with.pair.run(
      [&] {
        auto writer = queue.make_writer();
        cost =
            bench::cost_beside_thinking(turns, bench::steps_for(work_ns), [&](std::uint64_t turn) {
              while (!writer.write(8, [&](auto to) { bench::fill_words(to, turn); }))
                with_pause::idle();
            });
        writer.flush();
      },
      [&] {
        auto reader = queue.make_reader<Wait>();
        std::uint64_t sum = 0;
        for (std::uint64_t received = 0; received != turns;) {
          if (reader.consumer.wait() != weir::status::ok) continue;
          received += reader.read([&](auto from) { sum += bench::sum_words(from); });
        }
        received_sum = sum;
      });
  bench::require(received_sum == bench::sum_below(turns), "sum of the records");
  return {cost};
}

/// The commits alone: the ring is filled while the consumer is awake but looks elsewhere, then drained.
template <class Wait>
auto cost_of_filling(bench::context& with, weir::wake_protocol wake) -> std::vector<double> {
  constexpr std::uint32_t capacity = 32 * 1024;
  constexpr std::uint32_t records = capacity / 32;
  const auto laps = static_cast<std::uint32_t>(with.operations(400));
  bench::weir_byte_drain queue{capacity, {.wake = wake}};
  std::atomic<std::uint32_t> filled{0};
  std::atomic<std::uint32_t> drained{0};
  double spent = 0;
  with.pair.run(
      [&] {
        auto writer = queue.make_writer();
        for (std::uint32_t lap = 1; lap <= laps; ++lap) {
          const auto begin = bench::clock::now();
          for (std::uint32_t i = 0; i < records; ++i) {
            if (!writer.write(8, [&](auto to) { bench::fill_words(to, i); })) break;
          }
          spent += bench::nanoseconds(bench::clock::now() - begin);
          writer.flush();
          filled.store(lap);
          while (drained.load() != lap) with_pause::idle();
        }
      },
      [&] {
        auto reader = queue.make_reader<Wait>();
        for (std::uint32_t lap = 1; lap <= laps; ++lap) {
          while (filled.load() != lap) with_pause::idle();
          std::uint64_t sum = 0;
          while (reader.read([&](auto from) { sum += bench::sum_words(from); }) != 0) {
          }
          bench::require(sum == bench::sum_below(records), "sum of a lap");
          drained.store(lap);
        }
      });
  return {spent / laps / records};
}

template <class Queue>
void add_queue(bench::suite& suite, const std::string& group, const std::string& name,
               double work_ns) {
  suite.add(group, name,
            [=](bench::context& with) { return cost_of_a_value<Queue>(with, work_ns); });
}

void add_values(bench::suite& suite, const std::string& group, double work_ns) {
  suite.describe(group, "ns more per turn", bench::comparison::difference);
  add_queue<bench::weir_single>(suite, group, "weir u64, try_read", work_ns);
  add_queue<bench::weir_drain>(suite, group, "weir u64, drain", work_ns);
  add_queue<bench::boost_spsc>(suite, group, "Boost", work_ns);
  add_queue<bench::readerwriterqueue>(suite, group, "readerwriterqueue", work_ns);
}

/// What a park does while it is awake, on a ring that nobody can sleep on.
struct awake : weir::spin {
  static constexpr std::uint32_t linger = weir::park::linger;
};

/// `measure(with, wake, Wait{})` for a ring that nobody can sleep on, then for each wake protocol.
template <class Measure>
void add_protocols(bench::suite& suite, const std::string& group, Measure measure) {
  using weir::wake_protocol;
  suite.describe(group, "ns per commit", bench::comparison::difference);
  suite.add(group, "never parks, none",
            [=](bench::context& with) { return measure(with, wake_protocol::none, awake{}); });
  const auto add = [&](const std::string& name, wake_protocol wake) {
    suite.add(group, name, [=](bench::context& with) { return measure(with, wake, weir::park{}); });
  };
  add("park, at_flush", wake_protocol::at_flush);
  add("park, asymmetric", wake_protocol::asymmetric);
  add("park, fenced", wake_protocol::fenced);
  suite.add(
      {.text = "park - never parks, " + group.substr(group.find("commit")) + ": at most 0.5 ns",
       .group = group,
       .ones = {"park, asymmetric"},
       .others = {"never parks, none"},
       .at_most = 0.5});
}

const bench::registration cases{[](bench::suite& suite) {
  add_values(suite, "overhead: u64 beside 25 ns of work", 25);
  add_values(suite, "overhead: u64 beside 125 ns of work", 125);
  add_protocols(suite, "overhead: commit, consumer awake and polling",
                [](bench::context& with, weir::wake_protocol wake, auto wait) {
                  return cost_of_a_commit<decltype(wait)>(with, wake, 25);
                });
  add_protocols(suite, "overhead: commit, consumer awake elsewhere",
                [](bench::context& with, weir::wake_protocol wake, auto wait) {
                  return cost_of_filling<decltype(wait)>(with, wake);
                });
}};

}  // namespace
