// SPDX-License-Identifier: MIT
/// Who holds one region: its word, and a handle that gives it back.
///
/// Memory       1 + the holder's place (8 bits; 0: free) | how often the region was taken (24 bits)
/// Edges        R2, R3 -> R1  what the last holder did    R1 -> R4  who holds it
/// Progress     wait-free
/// Wrap, ABA    a descriptor or a token passes for another only if the region is taken exactly k 2^24 times
///              between, the last time by the same place.
/// Dead peers   one exchange takes a region and one gives it back: whoever dies holds it or does not.
#pragma once

#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir {

/// Names a region that was handed over, for one member to adopt. It may travel through any ring.
struct region_descriptor {
  std::uint32_t index = 0;
  std::uint32_t word = 0;  ///< what the region's word must still be

  [[nodiscard]] auto operator==(const region_descriptor&) const noexcept -> bool = default;
};

namespace detail {

/// The word of one region.
template <class Memory>
struct region_word {
  static constexpr std::uint32_t holder_mask = (1U << layout::regions::holder_bits) - 1;

  std::uint32_t* word;

  [[nodiscard]] static constexpr auto is_held(std::uint32_t value) noexcept -> bool {
    return (value & holder_mask) != 0;
  }
  /// Needs  is_held(value). May be no place at all, if a peer wrote that.
  [[nodiscard]] static constexpr auto holder_of(std::uint32_t value) noexcept -> std::uint32_t {
    return (value & holder_mask) - 1;
  }

  [[nodiscard]] auto load() const noexcept -> std::uint32_t {
    // [R4] acquire <- [R1].
    return Memory::load(word, std::memory_order_acquire);
  }
  /// The word as it stands, for take().
  [[nodiscard]] auto guess() const noexcept -> std::uint32_t {
    // relaxed: re-checked by [R1]
    return Memory::load(word, std::memory_order_relaxed);
  }

  /// From a free word, or from one that was handed over, to one that names `place`.
  /// Returns  false: the word is not `seen` any more; else `seen` is the new one.
  [[nodiscard]] auto take(std::uint32_t& seen, std::uint32_t place) const noexcept -> bool {
    const auto mine = (seen | holder_mask) + 1 + (1 + place);
    auto expected = seen;
    // [R1] acq_rel -> [R4] <- [R2] [R3]: who holds it; all that the last holder did.
    if (!Memory::compare_exchange(word, expected, mine, std::memory_order_acq_rel,
                                  // relaxed: failed CAS, nothing read
                                  std::memory_order_relaxed)) {
      return false;
    }
    seen = mine;
    return true;
  }

  /// Returns  false: the word is not `token` any more.
  [[nodiscard]] auto give_back(std::uint32_t token) const noexcept -> bool {
    // [R2] release -> [R1]: all that this holder did.
    return Memory::compare_exchange(word, token, token & ~holder_mask, std::memory_order_release,
                                    // relaxed: failed CAS, nothing read
                                    std::memory_order_relaxed);
  }

  /// The same for a holder that is gone, whose place the caller holds.
  [[nodiscard]] auto reclaim(std::uint32_t seen) const noexcept -> bool {
    // [R3] release -> [R1]: that the holder is gone, and what it did before it left in order.
    return Memory::compare_exchange(word, seen, seen & ~holder_mask, std::memory_order_release,
                                    // relaxed: failed CAS, nothing read
                                    std::memory_order_relaxed);
  }
};

/// A region that is held. Gives it back when destroyed; a fork's copy does nothing.
template <class Memory>
class region_hold {
 public:
  /// `process`: who took it, which is this process.
  region_hold(region_word<Memory> word, std::uint32_t index, std::uint32_t token,
              std::uint32_t process) noexcept
      : word_{word}, index_{index}, token_{token}, process_{process} {}
  region_hold(region_hold&& other) noexcept
      : word_{other.word_},
        index_{other.index_},
        token_{std::exchange(other.token_, 0)},
        process_{other.process_} {}
  auto operator=(region_hold&&) -> region_hold& = delete;
  ~region_hold() {
    if (*this && process_ == Memory::self()) static_cast<void>(give_back());
  }

  /// False once moved from, given back or handed over.
  [[nodiscard]] explicit operator bool() const noexcept { return token_ != 0; }
  [[nodiscard]] auto index() const noexcept -> std::uint32_t { return index_; }

  /// Returns  ok; stale: it is not held any more.
  auto give_back() noexcept -> status {
    if (!*this) return status::stale;
    return word_.give_back(std::exchange(token_, 0)) ? status::ok : status::stale;
  }
  /// Leaves the region in the holder's name, for somebody to adopt.
  [[nodiscard]] auto hand_over() noexcept -> region_descriptor {
    return {.index = index_, .word = std::exchange(token_, 0)};
  }

 private:
  region_word<Memory> word_;
  std::uint32_t index_;
  std::uint32_t token_;
  std::uint32_t process_;
};

}  // namespace detail
}  // namespace weir
