// SPDX-License-Identifier: MIT
// Rings of one producer and one consumer.
#include "model/scenario.hpp"

#include <weir/spsc_ring.hpp>

#include <array>
#include <cstdint>

namespace {

using namespace weir;
using model::model_memory;
using byte_ring = spsc_ring<bytes, model_memory>;

/// park without looks in vain, which say nothing in a model.
struct park_now : park_after<0> {
  static constexpr std::uint32_t linger = 0;
};

constexpr std::uint32_t payload = 8;

auto write(auto& producer, std::uint64_t value) -> status {
  auto claim = producer.try_claim(payload);
  if (!claim) return claim.status();
  model_memory::copy_in(claim.bytes().data(), &value, payload);
  return claim.commit().outcome;
}

auto value_of(std::span<const std::byte> bytes) -> std::uint64_t {
  std::uint64_t value = 0;
  model_memory::copy_out(&value, bytes.data(), payload);
  return value;
}

/// Records through a ring that holds four: what is read is what was written, in order.
void through_the_ring(model::run& run, std::uint32_t start, wake_protocol wake,
                      std::uint64_t records) {
  const auto bytes = run.bytes(byte_ring::bytes_required(64));
  const auto ring =
      byte_ring::format(bytes, {.capacity = 64, .wake = wake, .start_position = start}).value();
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<park_now>().value(); });
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= records; ++value) {
      while (write(producer, value) != status::ok) model_memory::pause();
    }
  });
  run.thread("consumer", [&] {
    for (std::uint64_t value = 1; value <= records; ++value) {
      run.check(consumer.wait() == status::ok, "a wait ends with a record");
      auto record = consumer.try_peek();
      run.check(value_of(record.bytes()) == value, "records arrive whole and in order");
      record.release();
    }
  });
  static_cast<void>(run.go());
}
void records_arrive(model::run& run) { through_the_ring(run, 0, wake_protocol::fenced, 2); }
void records_arrive_asymmetric(model::run& run) {
  through_the_ring(run, 0x8000'0000 - 16, wake_protocol::asymmetric, 2);
}

constexpr model::scenario scenarios[] = {
    {"spsc bytes: a sleeping consumer gets every record, fenced", records_arrive},
    {"spsc bytes: a sleeping consumer gets every record, asymmetric", records_arrive_asymmetric},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
