// SPDX-License-Identifier: MIT
/// Whose claim is it that the consumer stands before, and how long is it?
///
/// A producer stores its intent, claims, and (byte rings) marks the header busy before it writes a byte of
/// payload. The survey reads in the other direction: the claim position, then every intent. So a claim
/// that it sees has left its intent, or an intent or a commit word that came later.
///
///   header at the position     who holds it                                        its length
///   busy, slot s               the owner of slot s: no other can have won           intent of s
///   0 (stamp: of last lap)     whoever is alive and intends this position, if any; else it is dead, and died
///                              before it wrote anything: an intent alone may be one of a lost exchange
///
/// In the second case everything from here to the next boundary is a dead producer's: the next intent, the
/// next word that is not 0, or the claim position. An intent names a position at which the claim position
/// stood, and so the start of somebody's claim.
#pragma once

#include <weir/detail/mpsc_control.hpp>
#include <weir/detail/mpsc_record.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>

#include <cstdint>

namespace weir {

/// What recover() did.
struct recovered {
  /// ok: nothing dead is in the way any more; pending: what is in the way belongs to the living; empty:
  /// nothing is claimed; corrupt; unsupported: the ring was not formatted recoverable.
  status outcome = status::ok;
  std::uint32_t claims = 0;  ///< of dead producers, skipped
};

namespace detail {

/// A claim that turns out to be committed is met once. Whoever changes a header again and again is hostile.
inline constexpr std::uint32_t recovery_races = 16;

/// What lies before the consumer, as far as claim position and intents tell. In units of an intent.
struct claim_survey {
  std::uint64_t claimed = 0;        ///< units claimed from the position on
  std::uint64_t boundary = 0;       ///< units to the next intent behind the position, or `claimed`
  std::uint32_t shortest_dead = 0;  ///< shortest length that a dead producer intended here; 0: none
  bool won = false;                 ///< it is the length that a dead producer did claim
  bool live_here = false;           ///< somebody alive intends, or holds, this position
};

/// Needs  position: the consumer's.
/// Returns  corrupt in `claimed` as a huge number if the claim position lies behind the position.
template <class Memory, class Alive>
[[nodiscard]] auto survey(const mpsc_control<Memory>& control, std::uint64_t position,
                          Alive&& alive) noexcept -> claim_survey {
  claim_survey found;
  const auto here = position / control.unit();
  found.claimed = control.load_claim_position() / control.unit() - here;
  found.boundary = found.claimed;
  for (std::uint32_t slot = 0; slot < control.slots(); ++slot) {
    const auto intent = control.load_intent(slot);
    if (!intent) continue;
    const auto ahead = intent.ahead_of(here);
    if (ahead >= found.boundary) continue;
    if (ahead != 0) {
      found.boundary = ahead;
    } else if (control.producer_entry(slot).look(alive).state == owner_state::alive) {
      found.live_here = true;
    } else {
      const auto last = control.load_intent(slot);  // the owner is dead
      if (!last || last.ahead_of(here) != 0 || found.won) continue;
      found.won = last.is_won();
      const bool first = found.shortest_dead == 0;
      if (first || found.won || last.length() < found.shortest_dead) {
        found.shortest_dead = last.length();
      }
    }
  }
  return found;
}

/// Takes back the intents of dead producers that hold no claim any more, so that their slots can be
/// taken: the claim was read or skipped, or was never made.
template <class Memory, class Alive>
void forget_dead_intents(const mpsc_control<Memory>& control, std::uint64_t position,
                         Alive&& alive) noexcept {
  const auto here = position / control.unit();
  for (std::uint32_t slot = 0; slot < control.slots(); ++slot) {
    if (!control.load_intent(slot)) continue;
    if (control.producer_entry(slot).look(alive).state != owner_state::dead) continue;
    const auto intent = control.load_intent(slot);  // its last: the owner is dead
    const auto claimed = control.load_claim_position() / control.unit() - here;
    const bool open = !intent.ends_before(here) && intent.ahead_of(here) < claimed;
    if (intent && !open) control.clear_intent(slot, intent);
  }
}

}  // namespace detail
}  // namespace weir
