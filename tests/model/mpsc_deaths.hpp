// SPDX-License-Identifier: MIT
/// Rings for many producers after a death: cleaning up, and what must hold then.
#pragma once

#include "model/mpsc_sides.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace weir::model {

using wide_records = byte_records<24>;  // two in the ring
using small_records = byte_records<8>;  // four in the ring
using slots = slot_values<2>;

inline constexpr auto by_system = [](std::uint32_t id, std::uint32_t start) {
  return model_memory::alive(id, start);
};

/// Reads and recovers until nothing is left. Returns  how many claims were skipped.
template <class Consumer, class Alive>
auto clean_up(run& run, Consumer& consumer, history& seen, Alive&& alive) -> std::uint32_t {
  std::uint32_t claims = 0;
  for (int rounds = 0; rounds < 6; ++rounds) {
    run.check(read_all(consumer, seen) == status::empty, "the ring is not damaged");
    const auto done = consumer.recover(alive);
    claims += done.claims;
    if (done.outcome == status::empty) return claims;
    run.check(done.outcome == status::ok, "what is in the way is dead or can be read");
  }
  run.check(false, "the dead are skipped in few rounds");
  return claims;
}

/// The ring is as good as new: `places` can be taken, it holds what it can hold, and gives it out again.
template <class Kind, class Consumer>
void check_works_on(run& run, const typename Kind::ring& ring, Consumer& consumer,
                    std::size_t places) {
  std::array<std::optional<typename Kind::ring::template producer_type<>>, 4> taken;
  std::size_t count = 0;
  for (auto& each : taken) {
    auto producer = ring.producer();
    if (producer) each.emplace(std::move(*producer)), ++count;
  }
  run.check(count == places, "the places of the dead can be taken, and no others");
  if (count == 0) return;
  for (int lap = 0; lap < 2; ++lap) {
    history written, seen;
    while (write<Kind>(*taken[0], 50 + written.count(), written) == status::ok) {
    }
    run.check(written.count() == Kind::records, "the ring holds as much as ever");
    run.check(read_all(consumer, seen) == status::empty && seen == written,
              "and gives it out again");
  }
}

/// What was committed is there, once, whole and in order; what else is there is nobody's invention.
inline void check_seen(run& run, const history& written, const history& seen, std::uint32_t first,
                       std::uint64_t known) {
  run.check(seen == seen.sorted_from(first), "records come in the order of their claims");
  for (std::uint64_t value = 1; value <= known; ++value) {
    run.check(seen.times(value) <= 1, "no record comes twice");
    run.check(!written.has(value) || seen.has(value), "what was committed is read");
  }
  for (std::size_t i = 0; i < seen.count(); ++i) {
    run.check(seen.value(i) >= 1 && seen.value(i) <= known, "what is read is whole");
  }
}

}  // namespace weir::model
