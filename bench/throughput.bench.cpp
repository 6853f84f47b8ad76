// SPDX-License-Identifier: MIT
/// How long a value or a record takes on its way when the producer writes as fast as it can.
#include "baselines/boost_spsc.hpp"
#include "baselines/readerwriterqueue.hpp"
#include "weir_queues.hpp"
#include "workload.hpp"

#include <string>

namespace {

using bench::with_pause;
using bench::without_pause;

constexpr std::uint64_t values_per_run = 2'000'000;
constexpr std::uint64_t bytes_per_run = 96'000'000;

template <class Queue, class Idle = with_pause>
void add_typed(bench::suite& suite, const std::string& group, const std::string& name,
               std::uint32_t capacity) {
  suite.add(group, name, [capacity](bench::context& with) {
    return std::vector{bench::pass_values<Queue, Idle>(with, capacity, values_per_run)};
  });
}

void add_typed_group(bench::suite& suite, std::uint32_t capacity) {
  const auto group = "throughput: u64, " + std::to_string(capacity) + " elements";
  suite.describe(group, "ns per element");
  add_typed<bench::weir_drain>(suite, group, "weir try_write, drain", capacity);
  add_typed<bench::weir_single>(suite, group, "weir try_write, try_read", capacity);
  add_typed<bench::weir_single, without_pause>(suite, group, "weir try_write, try_read, no pause",
                                               capacity);
  add_typed<bench::weir_prompt_drain>(suite, group, "weir try_write, drain, never lingers",
                                      capacity);
  add_typed<bench::weir_batch>(suite, group, "weir try_write_batch(64), drain", capacity);
  add_typed<bench::boost_spsc>(suite, group, "Boost push, pop", capacity);
  add_typed<bench::boost_spsc, without_pause>(suite, group, "Boost push, pop, no pause", capacity);
  add_typed<bench::boost_spsc_consume_all>(suite, group, "Boost push, consume_all", capacity);
  add_typed<bench::boost_spsc_batch>(suite, group, "Boost push(64), consume_all", capacity);
  add_typed<bench::readerwriterqueue>(suite, group, "readerwriterqueue", capacity);
  add_typed<bench::readerwriterqueue, without_pause>(suite, group, "readerwriterqueue, no pause",
                                                     capacity);
}

template <class Queue>
void add_records(bench::suite& suite, const std::string& group, const std::string& name,
                 std::uint32_t capacity, std::uint32_t size) {
  const auto records = bytes_per_run / (size + 32);
  suite.add(group, name, [=](bench::context& with) {
    return std::vector{bench::pass_records<Queue, with_pause>(with, capacity, size, records)};
  });
}

void add_byte_group(bench::suite& suite, std::uint32_t capacity, std::uint32_t size) {
  const auto group = "throughput: " + std::to_string(size) + " B records, " +
                     std::to_string(capacity / 1024) + " KiB";
  suite.describe(group, "ns per record");
  add_records<bench::weir_byte_drain>(suite, group, "weir claim, drain", capacity, size);
  add_records<bench::weir_peek>(suite, group, "weir claim, peek", capacity, size);
}

/// Element by element on both sides; the drain reads what is there in one call.
void add_claims(bench::suite& suite) {
  const auto claim = [&](const std::string& text, const std::vector<std::string>& ours,
                         const std::vector<std::string>& theirs, double times) {
    suite.add({.text = text,
               .group = "throughput: u64, 65536 elements",
               .ones = theirs,
               .others = ours,
               .at_least = times});
  };
  const std::vector<std::string> reads{"weir try_write, try_read",
                                       "weir try_write, try_read, no pause"};
  const std::vector<std::string> drains{"weir try_write, drain"};
  const std::vector<std::string> boost{"Boost push, pop", "Boost push, pop, no pause"};
  const std::vector<std::string> moodycamel{"readerwriterqueue", "readerwriterqueue, no pause"};
  claim("Boost / weir try_read, 65536 u64: at least 5", reads, boost, 5);
  claim("Boost / weir drain, 65536 u64: at least 5", drains, boost, 5);
  claim("readerwriterqueue / weir try_read, 65536 u64: at least 3", reads, moodycamel, 3);
  claim("readerwriterqueue / weir drain, 65536 u64: at least 3", drains, moodycamel, 3);
}

const bench::registration cases{[](bench::suite& suite) {
  for (const auto capacity : {1024u, 65536u}) add_typed_group(suite, capacity);
  for (const auto capacity : {64u * 1024, 1024u * 1024}) {
    for (const auto size : {16u, 64u, 256u, 1024u}) add_byte_group(suite, capacity, size);
  }
  add_claims(suite);
}};

}  // namespace
