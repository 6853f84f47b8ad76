// SPDX-License-Identifier: MIT
/// What the scenarios of rings for one producer and one consumer share.
#pragma once

#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/spsc_ring.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace weir::model {

using byte_ring = spsc_ring<bytes, model_memory>;

/// In the smallest ring three records of eight bytes fit, and the fourth goes to the start of the data.
inline constexpr std::uint32_t smallest = 64;
inline constexpr std::uint32_t records_that_fit = 3;

[[nodiscard]] inline auto make_byte_ring(run& run, spsc_options options) -> byte_ring {
  if (options.capacity == 0) options.capacity = smallest;
  return byte_ring::format(run.bytes(byte_ring::bytes_required(options.capacity)), options).value();
}

/// Writes one record of eight bytes into a claim, and ends it.
inline auto fill(auto claim, std::uint64_t value, bool later = false) -> committed {
  if (!claim) return {claim.status(), {}};
  model_memory::copy_in(claim.bytes().data(), &value, sizeof value);
  return later ? claim.commit_later() : claim.commit();
}
inline auto put(auto& producer, std::uint64_t value) -> status {
  return fill(producer.try_claim(sizeof value), value).outcome;
}
inline auto put_later(auto& producer, std::uint64_t value) -> status {
  return fill(producer.try_claim(sizeof value), value, true).outcome;
}
/// Writes one record, as soon as there is room.
inline void put_at_last(auto& producer, std::uint64_t value) {
  while (put(producer, value) == status::full) model_memory::pause();
}

[[nodiscard]] inline auto value_of(std::span<const std::byte> bytes) -> std::uint64_t {
  std::uint64_t value = 0;
  if (bytes.size() == sizeof value) model_memory::copy_out(&value, bytes.data(), sizeof value);
  return value;
}

/// Takes the next record; `value`: what it says.
inline auto take(auto& consumer, std::uint64_t& value) -> status {
  auto record = consumer.try_peek();
  if (!record) return record.status();
  value = value_of(record.bytes());
  record.release();
  return status::ok;
}
/// The next record, as soon as there is one. 0: there will be none.
[[nodiscard]] inline auto take_at_last(auto& consumer) -> std::uint64_t {
  std::uint64_t value = 0;
  for (;;) {
    const auto outcome = take(consumer, value);
    if (outcome == status::ok) return value;
    if (outcome != status::empty) return 0;
    model_memory::pause();
  }
}
/// The next record, which it sleeps for. 0: the wait ended otherwise.
[[nodiscard]] inline auto wait_and_take(auto& consumer) -> std::uint64_t {
  std::uint64_t value = 0;
  if (consumer.wait() != status::ok) return 0;
  return take(consumer, value) == status::ok ? value : 0;
}

/// Before the threads: fills a lap and empties it, so that the data holds what was there before.
inline void go_round(auto& producer, auto& consumer, std::uint32_t records = records_that_fit) {
  std::uint64_t value = 0;
  for (std::uint32_t i = 0; i < records; ++i) {
    static_cast<void>(put(producer, 100 + i));
    static_cast<void>(take(consumer, value));
  }
}

/// Everything that is left, once the threads have ended: by a successor of whoever read before.
[[nodiscard]] inline auto rest_of(const byte_ring& ring) -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> values;
  auto consumer = ring.consumer();
  if (!consumer) return {};
  static_cast<void>(consumer->drain(
      [&](const record_view& record) { values.push_back(value_of(record.bytes)); }));
  return values;
}

}  // namespace weir::model
