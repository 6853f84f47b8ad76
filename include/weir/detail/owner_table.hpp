// SPDX-License-Identifier: MIT
/// Who takes part: a table of places, each an owner entry (owner.hpp).
///
/// A place is named in words that say who holds what. So it is given to a new member only when nothing is
/// held under it any more: what a member left behind keeps its place out of use until that is given back.
#pragma once

#include <weir/detail/header.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace weir {

/// Whose holdings reclaim() takes back.
enum class reclaim_from : std::uint32_t {
  the_dead,         ///< members that can never run again
  all_who_are_gone  ///< and members that left: what they handed over and nobody adopted
};

/// What reclaim() took back.
struct reclaimed {
  std::uint32_t members = 0;  ///< whose places are free again
  std::uint32_t things = 0;   ///< regions, or holdings of buffers
};

namespace detail {

/// A place that is held. Lets go when destroyed.
template <class Memory>
struct membership {
  std::uint32_t place;
  held_role<Memory> role;
};

template <class Memory>
class owner_table {
 public:
  owner_table() = default;
  owner_table(std::byte* first, std::uint32_t count) noexcept : first_{first}, count_{count} {}

  [[nodiscard]] auto count() const noexcept -> std::uint32_t { return count_; }

  [[nodiscard]] auto entry(std::uint32_t place) const noexcept -> owner_entry<Memory> {
    auto* words = first_ + std::size_t{place} * layout::place::size;
    return {word_at(words, layout::place::owner), word_at(words, layout::place::start)};
  }

  /// Takes a free place under which nothing is held: holds_nothing(place) -> bool.
  ///
  /// Returns  a membership; full: every place is taken, or has something held under it.
  /// Only a place's member adds holdings, so that the second answer, given once the place is held, stays
  /// true; the first one spares places that are in use. full may be momentary: a reclaim() at the same time
  /// holds free places too.
  template <class HoldsNothing>
  [[nodiscard]] auto join(HoldsNothing&& holds_nothing) const noexcept
      -> result<membership<Memory>> {
    for (std::uint32_t place = 0; place < count_; ++place) {
      auto candidate = entry(place);
      const auto seen = candidate.look(Memory::alive);
      if (seen.state != owner_state::free || !holds_nothing(place)) continue;
      auto token = candidate.take(seen);
      if (!token) continue;
      membership<Memory> joined{place, held_role<Memory>{candidate, *token}};
      if (holds_nothing(place)) return joined;
    }
    return status::full;
  }

  /// Calls give_back(place) -> number of things, for each place whose member is gone; the place is held
  /// meanwhile, so that whoever dies in here leaves a dead member's place again.
  /// alive(id, start) -> bool: false only if that member can never run again.
  template <class Alive, class GiveBack>
  auto reclaim(reclaim_from whose, Alive&& alive, GiveBack&& give_back) const noexcept
      -> reclaimed {
    reclaimed sum;
    for (std::uint32_t place = 0; place < count_; ++place) {
      auto candidate = entry(place);
      const auto seen = candidate.look(alive);
      const bool gone =
          seen.state == owner_state::dead ||
          (seen.state == owner_state::free && whose == reclaim_from::all_who_are_gone);
      if (!gone) continue;
      auto token = candidate.take(seen);
      if (!token) continue;
      const held_role<Memory> meanwhile{candidate, *token};
      sum.things += give_back(place);
      if (seen.state == owner_state::dead) ++sum.members;
    }
    return sum;
  }

 private:
  std::byte* first_ = nullptr;
  std::uint32_t count_ = 0;
};

}  // namespace detail
}  // namespace weir
