// SPDX-License-Identifier: MIT
/// Who holds a thing that only one may hold, and is that holder alive?
///
/// Memory       two words:   owner  id of the holder (22 bits; 0: nobody) | epoch (10 bits)
///                           start  when the holder started (22 bits)     | the same epoch
///              Taking is one compare-exchange of `owner`, so a taker can die anywhere and never leaves
///              the thing half taken. `start` follows; while its epoch differs from the owner's, the
///              start is unknown and the id alone decides.
/// Edges        O6 -> O1, O2, O5, O7  what the last holder did before it let go    O3 -> O4  its start
/// Progress     wait-free; liveness asks the operating system.
/// Wrap, ABA    a take-over goes wrong only if, between the proof of death and the exchange, exactly
///              1024 k other takings end with the same id alive again.
/// Not for      telling threads of one process apart: a thread that ends without dropping its handle
///              counts as alive as long as its process runs.
#pragma once

#include <weir/memory.hpp>
#include <weir/status.hpp>

#include <cstdint>
#include <utility>

namespace weir {

enum class owner_state : std::uint32_t {
  free,   ///< nobody holds it
  alive,  ///< held, and the holder may still run
  dead,   ///< held by somebody who can never run again
};

namespace detail {

inline constexpr std::uint32_t epoch_bits = 32 - owner_id_bits;
inline constexpr std::uint32_t epoch_mask = (1U << epoch_bits) - 1;

/// Who held an entry at one moment.
struct owner_view {
  owner_state state;
  std::uint32_t word;

  /// Which of the entry's holdings it was.
  [[nodiscard]] auto epoch() const noexcept -> std::uint32_t { return word & epoch_mask; }
};

template <class Memory>
class owner_entry {
 public:
  owner_entry() = default;
  owner_entry(std::uint32_t* owner, std::uint32_t* start) noexcept : owner_{owner}, start_{start} {}

  /// Takes what is free, or what a dead holder left behind.
  /// Returns  the epoch's word, to give back to drop(); busy: held by the living, or lost a race.
  [[nodiscard]] auto take() noexcept -> result<std::uint32_t> {
    // [O1] acquire <- [O2] [O6].
    const auto seen = Memory::load(owner_, std::memory_order_acquire);
    return take({state_of(seen, Memory::alive), seen});
  }

  /// The same, if nobody has taken it since `seen` was looked at.
  [[nodiscard]] auto take(const owner_view& seen) noexcept -> result<std::uint32_t> {
    if (seen.state == owner_state::alive) return status::busy;
    const auto self = Memory::self();
    const auto mine = self << epoch_bits | ((seen.word + 1) & epoch_mask);
    auto expected = seen.word;
    // [O2] acq_rel -> [O1] [O5] [O7] <- [O6]: who holds it; all that the last holder did.
    if (!Memory::compare_exchange(owner_, expected, mine, std::memory_order_acq_rel,
                                  // relaxed: failed CAS, nothing read
                                  std::memory_order_relaxed)) {
      return status::busy;
    }
    // [O3] release -> [O4]: the start belongs to the epoch beside it.
    Memory::store(start_, Memory::start_of(self) << epoch_bits | (mine & epoch_mask),
                  std::memory_order_release);
    return mine;
  }

  /// False in a fork's copy of a handle, which must not be used; its destructor does nothing.
  [[nodiscard]] static auto taken_by_this_process(std::uint32_t mine) noexcept -> bool {
    return mine >> epoch_bits == Memory::self();
  }

  /// Lets go. Needs  taken_by_this_process(mine).
  void drop(std::uint32_t mine) noexcept {
    // [O6] release -> [O1] [O2] [O5] [O7]: all that this holder did.
    static_cast<void>(Memory::compare_exchange(owner_, mine, mine & epoch_mask,
                                               std::memory_order_release,
                                               // relaxed: failed CAS, nothing read
                                               std::memory_order_relaxed));
  }

  /// Stays  dead until a successor takes it. Free and alive may change at once.
  [[nodiscard]] auto state() const noexcept -> owner_state { return look(Memory::alive).state; }

  /// The same, with the epoch of the holding, and with another proof of death:
  /// alive(id, start) -> bool is false only if that holder can never run again.
  template <class Alive>
  [[nodiscard]] auto look(Alive&& alive) const noexcept -> owner_view {
    // [O5] acquire <- [O2] [O6].
    const auto seen = Memory::load(owner_, std::memory_order_acquire);
    const auto verdict = state_of(seen, alive);
    if (verdict != owner_state::dead) return {verdict, seen};
    // A holder that let go and then ended is no dead holder: whoever changed the word was alive.
    // [O7] acquire <- [O2] [O6].
    const auto now = Memory::load(owner_, std::memory_order_acquire);
    return {now == seen ? verdict : owner_state::alive, seen};
  }

 private:
  template <class Alive>
  [[nodiscard]] auto state_of(std::uint32_t owner, Alive&& alive) const noexcept -> owner_state {
    const auto id = owner >> epoch_bits;
    if (id == 0) return owner_state::free;
    // [O4] acquire <- [O3].
    const auto start = Memory::load(start_, std::memory_order_acquire);
    const bool known = (start & epoch_mask) == (owner & epoch_mask);
    return alive(id, known ? start >> epoch_bits : 0) ? owner_state::alive : owner_state::dead;
  }

  std::uint32_t* owner_ = nullptr;
  std::uint32_t* start_ = nullptr;
};

/// A role that is held; lets go when destroyed.
template <class Memory>
class held_role {
 public:
  held_role(const owner_entry<Memory>& entry, std::uint32_t token) noexcept
      : entry_{entry}, token_{token} {}
  held_role(held_role&& other) noexcept
      : entry_{other.entry_}, token_{std::exchange(other.token_, 0)} {}
  auto operator=(held_role&&) -> held_role& = delete;
  ~held_role() {
    if (*this) entry_.drop(token_);
  }

  /// Which of the entry's holdings this is.
  [[nodiscard]] auto epoch() const noexcept -> std::uint32_t { return token_ & epoch_mask; }

  /// False once moved from, and in a fork's copy.
  [[nodiscard]] explicit operator bool() const noexcept {
    return token_ != 0 && entry_.taken_by_this_process(token_);
  }

 private:
  owner_entry<Memory> entry_;
  std::uint32_t token_;
};

}  // namespace detail
}  // namespace weir
