// SPDX-License-Identifier: MIT
/// What lies between the threads.
///
///   feeder ----> spsc_ring of blocks -----> callback     waits for room, never loses a block
///   conductor -> latest of parameters ----> callback     only the newest ones matter
///   device ----> latest of periods played -> feeder, conductor
///
/// Only the callback is in a hurry. It waits for nobody: without a block it plays silence.
#pragma once

#include "../aligned_memory.hpp"
#include "../required.hpp"
#include "effects.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>

/// Has no padding; a number that is written in two ways (+0, -0) is the same to the callback.
template <>
inline constexpr bool weir::may_travel<audio_blocks::parameters> = true;

namespace audio_blocks {

using example::require_ok;
using example::required;
using block_ring = weir::spsc_ring<weir::bytes>;
using parameter_value = weir::latest<parameters>;
using played_value = weir::latest<std::uint64_t>;

/// Types of records. A block is samples, as many as a period has; the last one may be shorter.
enum block_type : std::uint32_t { block_and_more, last_block };

/// Periods in which the feeder does nothing, although it could.
struct rest {
  std::uint64_t start = 0;
  std::uint64_t periods = 0;

  [[nodiscard]] auto covers(std::uint64_t period) const -> bool {
    return period >= start && period - start < periods;
  }
};

/// The memory of all three, and views of them.
class links {
  example::aligned_memory block_memory_;
  example::aligned_memory settings_memory_{parameter_value::bytes_required()};
  example::aligned_memory played_memory_{played_value::bytes_required()};

 public:
  /// The ring holds at least `ahead` blocks, and more than one.
  links(std::uint32_t block_size, std::uint32_t ahead)
      : block_memory_{block_ring::bytes_required(ring_size(block_size, ahead))},
        blocks{required(
            block_ring::format(block_memory_.bytes(), {.capacity = ring_size(block_size, ahead)}),
            "the ring of blocks")},
        settings{required(parameter_value::format(settings_memory_.bytes()), "the parameters")},
        played{required(played_value::format(played_memory_.bytes()), "the periods played")} {}

  const block_ring blocks;
  const parameter_value settings;
  const played_value played;

 private:
  [[nodiscard]] static auto ring_size(std::uint32_t block_size, std::uint32_t ahead)
      -> std::uint32_t {
    const auto frame = static_cast<std::uint32_t>(weir::record::frame_size(block_size));
    // One more: what is left before the end of the ring may be too short for a block. Three at least: a
    // record takes less than half of the ring.
    return std::bit_ceil(frame * std::max(ahead + 1, 3U));
  }
};

/// Waits for the device's time.
class played_watch {
 public:
  explicit played_watch(const played_value& played)
      : reader_{required(played.reader<weir::park>(), "the periods played")} {}

  /// Waits until that many periods were played. Returns  false: the device has ended before.
  [[nodiscard]] auto reaches(std::uint64_t periods) -> bool {
    while (seen_ < periods) {
      const auto outcome = reader_.wait();
      if (outcome == weir::status::closed) return false;
      require_ok(outcome, "the periods played");
      auto newest = reader_.read();  // torn: there is one still newer
      if (newest) seen_ = *newest;
    }
    return true;
  }

 private:
  played_value::reader_type<weir::park> reader_;
  std::uint64_t seen_ = 0;
};

}  // namespace audio_blocks
