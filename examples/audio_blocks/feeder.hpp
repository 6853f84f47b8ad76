// SPDX-License-Identifier: MIT
/// The thread that reads ahead.
#pragma once

#include "links.hpp"
#include "sound.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace audio_blocks {

class feeder {
 public:
  feeder(const links& shared, const sound& source, std::uint32_t block_frames, const rest& resting)
      : source_{source},
        block_samples_{std::size_t{block_frames} * source.channels},
        resting_{resting},
        played_{shared.played},
        blocks_{required(shared.blocks.producer<weir::wait_for_space<weir::park>>(),
                         "the producer of the blocks")} {}

  /// Writes all blocks, and closes in the end, whatever happens.
  void run() {
    struct ending {
      feeder& over;
      ~ending() { over.blocks_.close(); }
    } const always{*this};
    std::span<const float> left{source_.samples};
    for (std::uint64_t number = 0; !left.empty(); ++number) {
      if (resting_.periods != 0 && number == resting_.start &&
          !played_.reaches(resting_.start + resting_.periods)) {
        return;
      }
      const auto block = left.first(std::min(block_samples_, left.size()));
      left = left.subspan(block.size());
      if (!write(block, left.empty() ? last_block : block_and_more)) return;
    }
  }

 private:
  /// Returns  false: nobody wants it any more.
  [[nodiscard]] auto write(std::span<const float> block, block_type type) -> bool {
    auto claim = blocks_.claim(static_cast<std::uint32_t>(block.size_bytes()));
    if (claim.status() == weir::status::closed) return false;
    require_ok(claim.status(), "the ring of blocks");
    std::memcpy(claim.bytes().data(), block.data(), block.size_bytes());
    require_ok(claim.commit(type).outcome, "the ring of blocks");
    return true;
  }

  const sound& source_;
  std::size_t block_samples_;
  rest resting_;
  played_watch played_;
  block_ring::producer_type<weir::wait_for_space<weir::park>> blocks_;
};

}  // namespace audio_blocks
