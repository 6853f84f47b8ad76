// SPDX-License-Identifier: MIT
/// What the operations cost one thread that plays both roles: no line ever moves, so this is the
/// instructions alone. Google Benchmark measures it; what happens between two threads is measured by the
/// other programs here, because it cannot interleave them.
#include "weir_queues.hpp"
#include "workload.hpp"

#include <benchmark/benchmark.h>

namespace {

template <class Memory>
void claim_commit_peek_release(benchmark::State& state) {
  bench::ring_in_memory<weir::bytes, Memory> at{64 * 1024};
  auto producer = at.ring.producer().value();
  auto consumer = at.ring.consumer().value();
  const auto size = static_cast<std::uint32_t>(state.range(0));
  std::uint64_t next = 0;
  for (auto _ : state) {
    auto claim = producer.try_claim(size);
    if (!claim) return state.SkipWithError("no room");
    bench::fill_words(claim.bytes(), ++next);
    claim.commit();
    auto record = consumer.try_peek();
    if (!record) return state.SkipWithError("no record");
    benchmark::DoNotOptimize(bench::sum_words(record.bytes()));
    record.release();
  }
}

template <class Memory>
void write_and_read_bytes(benchmark::State& state) {
  bench::ring_in_memory<weir::bytes, Memory> at{64 * 1024};
  auto producer = at.ring.producer().value();
  auto consumer = at.ring.consumer().value();
  std::vector<std::byte> from(static_cast<std::size_t>(state.range(0)));
  std::vector<std::byte> to(from.size());
  for (auto _ : state) {
    if (producer.try_write(from) != weir::status::ok) return state.SkipWithError("no room");
    const auto read = consumer.try_read(to);
    if (read.outcome != weir::status::ok) return state.SkipWithError("no record");
    benchmark::DoNotOptimize(to.data());
    benchmark::ClobberMemory();
  }
}

template <class Memory>
void write_and_read_value(benchmark::State& state) {
  bench::ring_in_memory<std::uint64_t, Memory> at{4096};
  auto producer = at.ring.producer().value();
  auto consumer = at.ring.consumer().value();
  std::uint64_t next = 0;
  for (auto _ : state) {
    if (producer.try_write(++next) != weir::status::ok) return state.SkipWithError("no room");
    std::uint64_t value = 0;
    if (consumer.try_read(value) != weir::status::ok) return state.SkipWithError("no value");
    benchmark::DoNotOptimize(value);
  }
}

/// A look at an empty ring: what a poll costs that finds nothing.
template <class Memory>
void peek_at_nothing(benchmark::State& state) {
  bench::ring_in_memory<weir::bytes, Memory> at{4096};
  auto consumer = at.ring.consumer().value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(static_cast<bool>(consumer.try_peek()));
  }
}

using weir::native_memory;
using weir::plain_memory;

BENCHMARK_TEMPLATE(claim_commit_peek_release, native_memory)->Arg(8)->Arg(64)->Arg(1024);
BENCHMARK_TEMPLATE(claim_commit_peek_release, plain_memory)->Arg(8)->Arg(64)->Arg(1024);
BENCHMARK_TEMPLATE(write_and_read_bytes, native_memory)->Arg(8)->Arg(64)->Arg(1024);
BENCHMARK_TEMPLATE(write_and_read_bytes, plain_memory)->Arg(8)->Arg(64)->Arg(1024);
BENCHMARK_TEMPLATE(write_and_read_value, native_memory);
BENCHMARK_TEMPLATE(write_and_read_value, plain_memory);
BENCHMARK_TEMPLATE(peek_at_nothing, native_memory);
BENCHMARK_TEMPLATE(peek_at_nothing, plain_memory);

}  // namespace

BENCHMARK_MAIN();
