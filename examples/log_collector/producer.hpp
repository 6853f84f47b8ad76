// SPDX-License-Identifier: MIT
/// A producer: writes lines into the ring until it is told to stop, or killed.
#pragma once

#include "log_line.hpp"
#include "shared_log.hpp"

#include <chrono>
#include <cstdint>

namespace log_collector {

/// Returns  the exit status. That the collector has died is for the supervisor to say.
inline auto produce(const log_memory& memory, std::uint32_t seat, std::uint32_t generation,
                    std::uint64_t seed) -> int {
  const auto log = shared_log::attach(memory);
  auto& stop = log.control().stop;
  auto& committed = log.control().committed[seat];
  auto taken = log.producer<weir::wait_for_space<weir::park>>();
  if (!taken) return 0;
  line_source source{seat, generation, seed};
  for (std::uint64_t count = 0; !stop.requested();) {
    auto claim = taken->claim(line_format::longest, weir::no_deadline, &stop);
    if (claim.status() == weir::status::stopped || claim.status() == weir::status::peer_dead) break;
    example::require_ok(claim.status(), "room in the ring");
    // How long the line is shows only while it is written: the rest of the claim is given up.
    example::require_ok(claim.shrink(source.write(claim.bytes())), "a claim");
    // `stale` would mean that recover() took a living producer for a dead one.
    example::require_ok(claim.commit(seat).outcome, "a commit");
    committed.store(++count);
  }
  return 0;
}

}  // namespace log_collector
