// SPDX-License-Identifier: MIT
// What the other files do wrong, done right.
#include <weir/weir.hpp>

#include <cstdint>
#include <utility>

struct sample {
  std::uint64_t value;
};

void moved_handles(weir::spsc_ring<weir::bytes> ring) {
  auto producer = ring.producer().value();
  [[maybe_unused]] auto moved_producer = std::move(producer);
  auto consumer = ring.consumer().value();
  [[maybe_unused]] auto moved_consumer = std::move(consumer);
}

auto a_trivially_copyable_record(weir::spsc_ring<sample> ring) -> weir::status {
  auto producer = ring.producer().value();
  return producer.try_write(sample{1});
}

void a_claim_that_may_wait(weir::spsc_ring<weir::bytes> ring) {
  auto producer = ring.producer(weir::wait_for_space<weir::park>{}).value();
  [[maybe_unused]] auto claim = producer.claim(8);
}

void a_wait_policy(weir::spsc_ring<weir::bytes> ring) {
  [[maybe_unused]] auto consumer = ring.consumer<weir::backoff>().value();
}
