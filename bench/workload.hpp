// SPDX-License-Identifier: MIT
/// The work beside the queue, the same for every queue: the producer writes every word of a payload, the
/// consumer adds them all up.
#pragma once

#include "harness.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace bench {

/// Writes first, first + 1, ... into all 64-bit words.
/// Needs  a size that is a multiple of 8.
[[gnu::always_inline]] inline void fill_words(std::span<std::byte> bytes, std::uint64_t first) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof first, ++first) {
    std::memcpy(bytes.data() + at, &first, sizeof first);
  }
}

[[gnu::always_inline]] inline auto sum_words(std::span<const std::byte> bytes) -> std::uint64_t {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof sum) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  return sum;
}

/// 0 + 1 + ... + (count - 1)
constexpr auto sum_below(std::uint64_t count) -> std::uint64_t { return count * (count - 1) / 2; }

/// What `records` records of `words` words sum up to, the i-th one filled from i on.
constexpr auto sum_of_records(std::uint64_t records, std::uint64_t words) -> std::uint64_t {
  return sum_below(records) * words + records * sum_below(words);
}

/// Hands the values 0 .. count-1 from one thread to the other. Returns  ns per value.
template <class Queue, class Idle>
auto pass_values(context& with, std::uint32_t capacity, std::uint64_t values) -> double {
  const auto count = with.operations(values);
  Queue queue{capacity};
  std::uint64_t received_sum = 0;
  const auto elapsed = with.pair.run(
      [&] {
        auto writer = queue.make_writer();
        for (std::uint64_t next = 0; next != count;) {
          const auto written = writer.write(next, count);
          if (written == 0) Idle::idle();
          next += written;
        }
        writer.flush();
      },
      [&] {
        auto reader = queue.make_reader();
        std::uint64_t sum = 0;
        for (std::uint64_t received = 0; received != count;) {
          const auto read = reader.read([&](std::uint64_t value) { sum += value; });
          if (read == 0) Idle::idle();
          received += read;
        }
        received_sum = sum;
      });
  require(received_sum == sum_below(count), "sum of the values");
  return elapsed / static_cast<double>(count);
}

/// Hands records of `size` bytes from one thread to the other. Returns  ns per record.
template <class Queue, class Idle>
auto pass_records(context& with, std::uint32_t capacity, std::uint32_t size, std::uint64_t records)
    -> double {
  const auto count = with.operations(records);
  Queue queue{capacity};
  std::uint64_t received_sum = 0;
  const auto elapsed = with.pair.run(
      [&] {
        auto writer = queue.make_writer();
        for (std::uint64_t next = 0; next != count; ++next) {
          while (!writer.write(size, [&](std::span<std::byte> to) { fill_words(to, next); })) {
            Idle::idle();
          }
        }
        writer.flush();
      },
      [&] {
        auto reader = queue.make_reader();
        std::uint64_t sum = 0;
        for (std::uint64_t received = 0; received != count;) {
          const auto read =
              reader.read([&](std::span<const std::byte> from) { sum += sum_words(from); });
          if (read == 0) Idle::idle();
          received += read;
        }
        received_sum = sum;
      });
  require(received_sum == sum_of_records(count, size / sizeof(std::uint64_t)),
          "sum of the records");
  return elapsed / static_cast<double>(count);
}

/// A value there and the same value back, over two queues. Returns  ns per round trip.
template <class Queue, class Idle>
auto bounce_values(context& with, std::uint64_t rounds) -> double {
  const auto count = with.operations(rounds);
  Queue there{1024};
  Queue back{1024};
  bool in_order = true;
  const auto elapsed = with.pair.run(
      [&] {
        auto writer = there.make_writer();
        auto reader = back.make_reader();
        for (std::uint64_t next = 0; next != count; ++next) {
          while (writer.write(next, next + 1) == 0) Idle::idle();
          while (reader.read([&](std::uint64_t value) { in_order &= value == next; }) == 0) {
            Idle::idle();
          }
        }
      },
      [&] {
        auto writer = back.make_writer();
        auto reader = there.make_reader();
        for (std::uint64_t next = 0; next != count; ++next) {
          std::uint64_t received = 0;
          while (reader.read([&](std::uint64_t value) { received = value; }) == 0) Idle::idle();
          while (writer.write(received, received + 1) == 0) Idle::idle();
        }
      });
  require(in_order, "values of the round trips");
  return elapsed / static_cast<double>(count);
}

/// A chain of dependent multiplications: takes time and nothing else.
[[gnu::always_inline]] inline void think(std::uint64_t& state, std::uint32_t steps) {
  for (std::uint32_t step = 0; step < steps; ++step) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    asm volatile("" : "+r"(state));
  }
}

/// How many steps of think() take `ns` on this core now. Takes some us itself.
inline auto steps_for(double ns) -> std::uint32_t {
  constexpr std::uint32_t trial = 4000;
  std::uint64_t state = 1;
  const auto begin = clock::now();
  think(state, trial);
  return static_cast<std::uint32_t>(ns * trial / nanoseconds(clock::now() - begin) + 0.5);
}

/// What `operation` adds to a loop that also thinks. Returns  ns per turn of the loop.
/// The loop without it comes last: whoever waits for the operations does not fall asleep before them.
template <class Operation>
auto cost_beside_thinking(std::uint64_t turns, std::uint32_t steps, Operation&& operation)
    -> double {
  std::uint64_t state = 1;
  const auto begin = clock::now();
  for (std::uint64_t turn = 0; turn != turns; ++turn) {
    think(state, steps);
    operation(turn);
  }
  const auto middle = clock::now();
  for (std::uint64_t turn = 0; turn != turns; ++turn) think(state, steps);
  return nanoseconds((middle - begin) - (clock::now() - middle)) / static_cast<double>(turns);
}

}  // namespace bench
