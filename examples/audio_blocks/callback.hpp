// SPDX-License-Identifier: MIT
/// The part that must not be late. In a browser it is the process() of an AudioWorkletProcessor.
#pragma once

#include "effects.hpp"
#include "links.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace audio_blocks {

/// Made before the device starts; everything that can fail or take memory happens there.
///
/// Thread  the device's.
class audio_callback {
 public:
  /// Needs  parameters are set.
  audio_callback(const links& shared, std::uint32_t channels)
      : blocks_{required(shared.blocks.consumer(), "the consumer of the blocks")},
        settings_{required(shared.settings.reader(), "a reader of the parameters")},
        effects_{channels, required(settings_.read(), "the first parameters")} {}

  /// Fills one period. It never blocks, allocates nothing, takes no lock, and its time is bounded; the most
  /// that it asks of the system is to wake the feeder.
  /// Returns  true: call again.
  [[nodiscard]] auto process(std::span<float> output) noexcept -> bool {
    if (auto newest = settings_.try_read_new()) {
      effects_.set(*newest);
      ++changes_;
    }
    auto block = blocks_.try_peek();
    if (!block) {
      std::ranges::fill(output, 0.0F);
      if (block.status() != weir::status::empty) return false;
      ++underruns_;
      return true;
    }
    const auto size = std::min(block.bytes().size(), output.size_bytes());
    std::memcpy(output.data(), block.bytes().data(), size);
    std::ranges::fill(output.subspan(size / sizeof(float)), 0.0F);
    const bool more = block.type() != last_block;
    block.release();
    effects_.process(output);
    return more;
  }

  /// False if a period that began now would be an underrun.
  [[nodiscard]] auto has_input() noexcept -> bool {
    return !weir::is_pending(blocks_.try_peek().status());
  }

  /// No more periods.
  void end() noexcept { blocks_.close(); }

  [[nodiscard]] auto underruns() const noexcept -> std::uint64_t { return underruns_; }
  /// How many times other parameters were there.
  [[nodiscard]] auto changes() const noexcept -> std::uint64_t { return changes_; }

 private:
  block_ring::consumer_type<weir::poll> blocks_;
  parameter_value::reader_type<weir::poll> settings_;
  effects effects_;
  std::uint64_t underruns_ = 0;
  std::uint64_t changes_ = 0;
};

}  // namespace audio_blocks
