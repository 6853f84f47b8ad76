// SPDX-License-Identifier: MIT
/// How long a sleeper takes to be awake: from the commit to the record in its hand, and back.
/// A sample of single wake-ups, because the tail is what one feels.
#include "weir_queues.hpp"
#include "workload.hpp"

#include <chrono>
#include <string>
#include <thread>

namespace {

constexpr std::uint64_t wakes_per_run = 60;
/// Longer than a park spins before it sleeps.
constexpr std::chrono::microseconds long_enough_to_sleep{400};

auto now_ns() -> std::uint64_t {
  const auto now = bench::clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds{now}.count());
}

/// Both sides wait with `Wait`; the one that starts a round trip lets the other fall asleep first.
/// Returns  microseconds, one way or there and back.
template <class Wait>
auto wake_through_rings(bench::context& with, bool there_and_back) -> std::vector<double> {
  const auto count = with.operations(wakes_per_run);
  bench::weir_peek there{4096};
  bench::weir_peek back{4096};
  std::vector<double> sample;
  with.pair.run(
      [&] {
        auto writer = there.make_writer();
        auto reader = back.make_reader<Wait>();
        for (std::uint64_t i = 0; i < count; ++i) {
          std::this_thread::sleep_for(long_enough_to_sleep);
          const auto begin = now_ns();
          writer.write(8, [&](auto to) { bench::fill_words(to, begin); });
          writer.flush();
          std::uint64_t arrived = 0;
          while (arrived == 0) {
            [[maybe_unused]] const auto outcome = reader.consumer.wait();
            reader.read([&](auto from) { arrived = bench::sum_words(from); });
          }
          const auto end = there_and_back ? now_ns() : arrived;
          sample.push_back(static_cast<double>(end - begin) / 1000);
        }
      },
      [&] {
        auto writer = back.make_writer();
        auto reader = there.make_reader<Wait>();
        for (std::uint64_t i = 0; i < count; ++i) {
          while (reader.read([](auto) {}) == 0) {
            [[maybe_unused]] const auto outcome = reader.consumer.wait();
          }
          const auto arrived = now_ns();
          writer.write(8, [&](auto to) { bench::fill_words(to, arrived); });
          writer.flush();
        }
      });
  bench::require(sample.size() == count, "number of wake-ups");
  return sample;
}

/// The same with nothing but a futex per direction: what the kernel takes.
auto wake_through_futexes(bench::context& with, bool there_and_back) -> std::vector<double> {
  using memory = weir::native_memory;
  const auto count = static_cast<std::uint32_t>(with.operations(wakes_per_run));
  struct alignas(weir::false_sharing_span) word {
    std::uint32_t value = 0;
  };
  word there;
  word back;
  std::uint64_t arrived = 0;
  std::vector<double> sample;
  const auto ring = [](word& bell, std::uint32_t round) {
    memory::store(&bell.value, round, std::memory_order_release);
    memory::wake(&bell.value);
  };
  const auto await = [](word& bell, std::uint32_t round) {
    while (memory::load(&bell.value, std::memory_order_acquire) != round) {
      memory::wait(&bell.value, round - 1, weir::no_deadline);
    }
  };
  with.pair.run(
      [&] {
        for (std::uint32_t round = 1; round <= count; ++round) {
          std::this_thread::sleep_for(long_enough_to_sleep);
          const auto begin = now_ns();
          ring(there, round);
          await(back, round);
          const auto end = there_and_back ? now_ns() : arrived;
          sample.push_back(static_cast<double>(end - begin) / 1000);
        }
      },
      [&] {
        for (std::uint32_t round = 1; round <= count; ++round) {
          await(there, round);
          arrived = now_ns();
          ring(back, round);
        }
      });
  return sample;
}

void add_group(bench::suite& suite, const std::string& group, bool there_and_back) {
  suite.describe(group, "us");
  suite.add(group, "bare futex",
            [=](bench::context& with) { return wake_through_futexes(with, there_and_back); });
  suite.add(group, "weir park", [=](bench::context& with) {
    return wake_through_rings<weir::park>(with, there_and_back);
  });
  suite.add(group, "weir backoff (yields, never sleeps)", [=](bench::context& with) {
    return wake_through_rings<weir::backoff>(with, there_and_back);
  });
}

const bench::registration cases{[](bench::suite& suite) {
  add_group(suite, "wake: one way, commit to record in hand", false);
  add_group(suite, "wake: there and back", true);
}};

}  // namespace
