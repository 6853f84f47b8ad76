// SPDX-License-Identifier: MIT
/// What stands in front of the consumer of a byte ring where no record does, and making it stale.
#pragma once

#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/detail/mpsc_recovery.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstdint>

namespace weir::detail {

struct claim_diagnosis {
  /// ok: a record, or a discarded one, can be read; peer_dead: this is a dead producer's; pending; empty;
  /// corrupt.
  status outcome = status::ok;
  std::uint32_t length = 0;  ///< bytes of the dead claim
  std::uint32_t word = 0;    ///< its header: busy, or 0
};

template <class Memory>
class mpsc_byte_recovery {
 public:
  mpsc_byte_recovery(const mpsc_control<Memory>& control, const mpsc_byte_area& area) noexcept
      : control_{control}, area_{area} {}

  /// Needs  position: the consumer's; `space`: bytes from there that can be claimed.
  /// Thread  consumer.
  template <class Alive>
  [[nodiscard]] auto diagnose(std::uint64_t position, std::uint32_t space,
                              Alive&& alive) const noexcept -> claim_diagnosis {
    const auto found = survey(control_, position, alive);
    if (found.claimed == 0) return {status::empty};
    if (found.claimed > space / record::alignment) return {status::corrupt};
    // [R3] acquire <- [P3].
    const auto word = Memory::load(area_.header_at(position), std::memory_order_acquire);
    if (is_busy(word)) return diagnose_busy(position, word, found.claimed, alive);
    if (word != 0) return {status::ok};
    if (found.live_here) return {status::pending};
    const auto zeros = zeros_up_to(position, static_cast<std::uint32_t>(found.boundary));
    return {status::peer_dead, zeros * record::alignment, 0};
  }

  /// From here on the dead claim's commit fails. Returns  false: it has succeeded meanwhile.
  [[nodiscard]] auto make_stale(std::uint64_t position, const claim_diagnosis& found) const noexcept
      -> bool {
    if (found.word == 0) return true;
    auto expected = found.word;
    // [R7] acquire <- [P3].
    return Memory::compare_exchange(area_.header_at(position), expected, discard_word(found.length),
                                    std::memory_order_acquire,
                                    // relaxed: failed CAS, nothing read
                                    std::memory_order_relaxed);
  }

 private:
  template <class Alive>
  [[nodiscard]] auto diagnose_busy(std::uint64_t position, std::uint32_t word,
                                   std::uint64_t claimed, Alive&& alive) const noexcept
      -> claim_diagnosis {
    const auto slot = busy_slot(word);
    if (slot >= control_.slots()) return {status::corrupt};
    const auto owner = control_.producer_entry(slot).look(alive);
    const bool same = owner.epoch() == busy_epoch(word);
    if (same && owner.state == owner_state::alive) return {status::pending};
    const auto intent = control_.load_intent(slot);
    const bool open = same && owner.state == owner_state::dead && intent &&
                      intent.ahead_of(position / record::alignment) == 0 && intent.length() != 0 &&
                      intent.length() <= claimed;
    if (open) return {status::peer_dead, intent.length() * record::alignment, word};
    // Committed, and the slot left, since the word was loaded? Otherwise no producer wrote it.
    // [R5] acquire <- [P3].
    const auto now = Memory::load(area_.header_at(position), std::memory_order_acquire);
    return {now == word ? status::corrupt : status::ok};
  }

  /// Units of 0 from the position on, at most `units`: what a dead producer claimed and never touched.
  [[nodiscard]] auto zeros_up_to(std::uint64_t position, std::uint32_t units) const noexcept
      -> std::uint32_t {
    std::uint32_t zeros = 1;
    for (; zeros < units; ++zeros) {
      auto* const header = area_.header_at(position + std::uint64_t{zeros} * record::alignment);
      // [R6] acquire <- [P2] [P3].
      const auto word = Memory::load(header, std::memory_order_acquire);
      if (word != 0) break;
    }
    return zeros;
  }

  mpsc_control<Memory> control_;
  mpsc_byte_area area_;
};

}  // namespace weir::detail
