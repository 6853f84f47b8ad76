// SPDX-License-Identifier: MIT
/// How long 8 bytes take there and back, against the least that two cores can do: bare lines.
#include "baselines/boost_spsc.hpp"
#include "baselines/readerwriterqueue.hpp"
#include "weir_queues.hpp"
#include "workload.hpp"

#include <string>

namespace {

constexpr std::uint64_t rounds_per_run = 50'000;

template <class Idle>
auto bounce_bare_lines(bench::context& with) -> std::vector<double> {
  const auto rounds = static_cast<std::uint32_t>(with.operations(rounds_per_run));
  bench::bare_lines lines;
  const auto elapsed =
      with.pair.run([&] { lines.serve<Idle>(rounds); }, [&] { lines.answer<Idle>(rounds); });
  return {elapsed / rounds};
}

template <class Inner>
struct value_writer {
  Inner inner;
  auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
    return inner.write(sizeof next, [&](auto to) { bench::fill_words(to, next); });
  }
};

template <class Inner>
struct value_reader {
  Inner inner;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    return inner.read([&](auto from) { use(bench::sum_words(from)); });
  }
};

/// A byte ring as a queue of 8-byte values.
struct values_in_bytes {
  explicit values_in_bytes(std::uint32_t) : queue{64 * 1024} {}
  auto make_writer() { return value_writer<decltype(queue.make_writer())>{queue.make_writer()}; }
  auto make_reader() {
    return value_reader<decltype(queue.make_reader<bench::prompt>())>{
        queue.make_reader<bench::prompt>()};
  }
  bench::weir_peek queue;
};

template <class Queue, class Idle>
auto bounce(bench::context& with) -> std::vector<double> {
  return {bench::bounce_values<Queue, Idle>(with, rounds_per_run)};
}

constexpr auto group = "latency: 8 bytes there and back";

template <class Idle>
void add_cases(bench::suite& suite, const std::string& how) {
  suite.add(group, "bare lines" + how, bounce_bare_lines<Idle>);
  suite.add(group, "weir u64" + how, bounce<bench::weir_prompt, Idle>);
  suite.add(group, "weir bytes" + how, bounce<values_in_bytes, Idle>);
  suite.add(group, "Boost" + how, bounce<bench::boost_spsc, Idle>);
  suite.add(group, "readerwriterqueue" + how, bounce<bench::readerwriterqueue, Idle>);
}

const bench::registration cases{[](bench::suite& suite) {
  suite.describe(group, "ns per round trip");
  add_cases<bench::with_pause>(suite, "");
  add_cases<bench::without_pause>(suite, ", no pause");
  suite.add({.text = "weir u64 / bare lines, round trip of 8 bytes: at most 1.15",
             .group = group,
             .ones = {"weir u64", "weir u64, no pause"},
             .others = {"bare lines", "bare lines, no pause"},
             .at_most = 1.15});
}};

}  // namespace
