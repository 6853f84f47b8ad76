// SPDX-License-Identifier: MIT
/// C++20 memory as a machine of views: which values may a load return?
///
/// Every word has the list of all values stored into it, in modification order. A thread has a view: for
/// each word the oldest entry of that list that it may still read, and for each thread how much of it
/// happened before. A store carries the view that it releases; a load that acquires joins it.
///
/// Covers       relaxed, acquire, release, acq_rel accesses and read-modify-writes, release sequences of
///              read-modify-writes, all fences, light and heavy fences, plain bytes with races, words of
///              32 and 64 bits. A store may take any place in modification order that coherence leaves.
/// Not covered  seq_cst accesses (Weir has none), load buffering (a load that reads a later store of its
///              own future; RC11 forbids it as well), races between bytes of one word of 32 bits.
/// Source       views: promising semantics without promises (Kang et al. 2017); fences: RC11 (Lahav et al.
///              2017). Checked against stored outcome sets, see litmus/.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace weir::model {

inline constexpr int max_threads = 6;  ///< with thread 0, which is all before and after the threads
inline constexpr int max_words = 160;  ///< words touched atomically in one execution

using order = std::memory_order;

[[nodiscard]] constexpr auto acquires(order how) noexcept -> bool {
  return how == order::acquire || how == order::acq_rel || how == order::seq_cst;
}
[[nodiscard]] constexpr auto releases(order how) noexcept -> bool {
  return how == order::release || how == order::acq_rel || how == order::seq_cst;
}

/// What a thread, or the reader of a message, knows.
struct view {
  std::array<std::uint32_t, max_threads> clock{};  ///< how far each thread's past is known
  std::array<std::uint16_t, max_words> floor{};    ///< per word: the oldest message still readable

  void join_floors(const view& other, std::size_t words) noexcept {
    for (std::size_t i = 0; i < words; ++i) floor[i] = std::max(floor[i], other.floor[i]);
  }
  void join(const view& other, std::size_t words) noexcept {
    for (std::size_t i = 0; i < max_threads; ++i) clock[i] = std::max(clock[i], other.clock[i]);
    join_floors(other, words);
  }
};

/// One value in a word's modification order.
struct message {
  std::uint64_t value;
  bool
      by_modify;  ///< stored by a read-modify-write: nothing may come between it and the one before
  view released;
};

/// The view of a thread and what its fences turn into order.
struct thread_view {
  view now;
  view to_acquire;  ///< released by what was read relaxed; an acquire fence joins it
  view at_release;  ///< as of the last release fence; what relaxed stores carry
};

/// Who last touched four plain bytes, for races.
struct footprint {
  std::array<std::uint32_t, max_threads> plain_read{}, plain_write{}, atomic_read{}, atomic_write{};
  bool touched = false;
};

/// The words of one execution. Choices (which message, which place) are the caller's: `choose(n)` answers
/// with a number below n.
class weak_memory {
 public:
  using word_id = std::uint16_t;
  static constexpr word_id untouched = 0xFFFF;

  /// Forgets everything but the bytes. `size` bytes from `base` on are shared.
  void restart(std::byte* base, std::size_t size) {
    base_ = base;
    if (ids_.size() != size / 4) ids_.assign(size / 4, untouched), footprints_.resize(size / 4);
    for (const auto cell : touched_) ids_[cell] = untouched, footprints_[cell] = {};
    touched_.clear();
    for (std::size_t id = 0; id < words_; ++id) history_[id].clear();
    words_ = 0;
    fences_ = light_ = heavy_ = {};
    threads.fill({});
  }

  /// The word at `address`, new or known. `mixed` becomes true if it overlaps a word of another shape.
  auto word_at(const void* address, std::size_t size, bool& mixed) -> word_id {
    const auto cell = cell_of(address);
    auto id = ids_[cell];
    if (id == untouched && (size == 4 || ids_[cell + 1] == untouched) && words_ < max_words) {
      id = static_cast<word_id>(words_++);
      addresses_[id] = static_cast<const std::byte*>(address);
      sizes_[id] = static_cast<std::uint8_t>(size);
      bases_[id] = 0;
      for (std::size_t i = 0; i < size / 4; ++i) ids_[cell + i] = id, touch(cell + i);
      history_[id].push_back({bytes_of(id), false, {}});
      return id;
    }
    mixed = id == untouched || addresses_[id] != address || sizes_[id] != size;
    return id;
  }

  /// A load by thread `me`. Returns the value; `behind` how many newer ones there are.
  template <class Choose>
  auto load(int me, word_id word, order how, Choose&& choose, std::size_t& behind)
      -> std::uint64_t {
    const auto& history = history_[word];
    const auto oldest = readable_from(me, word);
    behind = static_cast<std::size_t>(choose(static_cast<int>(history.size() - oldest)));
    return read(me, word, history.size() - 1 - behind, how);
  }

  /// A store by thread `me`.
  template <class Choose>
  void store(int me, word_id word, std::uint64_t value, order how, Choose&& choose) {
    const auto& history = history_[word];
    std::array<std::uint16_t, 64> places{};
    int count = 0;
    const auto lowest = readable_from(me, word) + 1;
    for (auto place = history.size(); place >= lowest && count < 64; --place) {
      const bool free = place == history.size() || !history[place].by_modify;
      if (free) places[static_cast<std::size_t>(count++)] = static_cast<std::uint16_t>(place);
    }
    insert(me, word, places[static_cast<std::size_t>(choose(count))], value, how, nullptr);
  }

  /// A read-modify-write by thread `me`: wanted(old, result) -> bool says whether it stores `result`.
  /// Returns  what it read; `stored` whether it stored.
  template <class Wanted, class Choose>
  auto modify(int me, word_id word, order success, order failure, Wanted&& wanted, Choose&& choose,
              bool& stored) -> std::uint64_t {
    const auto& history = history_[word];
    std::array<std::uint16_t, 64> sources{};
    int count = 0;
    std::uint64_t result = 0;
    for (auto at = history.size(); at-- > readable_from(me, word) && count < 64;) {
      const bool followed = at + 1 < history.size() && history[at + 1].by_modify;
      if (followed && wanted(history[at].value, result)) continue;
      sources[static_cast<std::size_t>(count++)] = static_cast<std::uint16_t>(at);
    }
    const std::size_t at = sources[static_cast<std::size_t>(choose(count))];
    stored = wanted(history[at].value, result);
    const auto old = read(me, word, at, stored ? success : failure);
    if (!stored) return old;
    const view source = history_[word][at].released;
    insert(me, word, at + 1, result, success, &source);
    return old;
  }

  void fence(int me, order how) {
    auto& self = threads[static_cast<std::size_t>(me)];
    if (acquires(how)) self.now.join(self.to_acquire, words_);
    if (how == order::seq_cst) {
      self.now.join_floors(fences_, words_);
      fences_.join_floors(self.now, words_);
    }
    if (releases(how)) self.at_release = self.now;
  }
  /// A light and a heavy fence order each other as two seq_cst fences do; two light ones nothing.
  void light_fence(int me) {
    auto& self = threads[static_cast<std::size_t>(me)];
    self.now.join_floors(heavy_, words_);
    light_.join_floors(self.now, words_);
  }
  void heavy_fence(int me) {
    auto& self = threads[static_cast<std::size_t>(me)];
    self.now.join_floors(light_, words_);
    self.now.join_floors(heavy_, words_);
    fence(me, order::seq_cst);
    heavy_.join_floors(self.now, words_);
  }

  /// Notes an atomic access. Returns  false: a race with plain bytes.
  [[nodiscard]] auto atomic_access(int me, const void* address, std::size_t size, bool writes)
      -> bool {
    bool ordered = true;
    for (auto cell = cell_of(address), end = cell + size / 4; cell < end; ++cell) {
      auto& prints = footprints_[cell];
      ordered =
          ordered && known(me, prints.plain_write) && (!writes || known(me, prints.plain_read));
      (writes ? prints.atomic_write : prints.atomic_read)[static_cast<std::size_t>(me)] = tick(me);
    }
    return ordered;
  }

  /// Notes an access to plain bytes, before they change. Returns  false: a race.
  [[nodiscard]] auto plain_access(int me, const void* address, std::size_t size, bool writes)
      -> bool {
    bool ordered = true;
    for (auto cell = cell_of(address), end = cell_of(end_of(address, size)); cell < end; ++cell) {
      auto& prints = footprints_[cell];
      touch(cell);
      ordered = ordered && known(me, prints.plain_write) && known(me, prints.atomic_write);
      if (writes)
        ordered = ordered && known(me, prints.plain_read) && known(me, prints.atomic_read);
      (writes ? prints.plain_write : prints.plain_read)[static_cast<std::size_t>(me)] = tick(me);
    }
    return ordered;
  }

  /// After plain bytes changed: for words among them nothing older can be read any more.
  void plain_written(int me, const void* address, std::size_t size) {
    for (auto cell = cell_of(address), end = cell_of(end_of(address, size)); cell < end; ++cell) {
      const auto word = ids_[cell];
      if (word == untouched) continue;
      history_[word].push_back({bytes_of(word), false, {}});
      bases_[word] = static_cast<std::uint16_t>(history_[word].size() - 1);
      threads[static_cast<std::size_t>(me)].now.floor[word] = bases_[word];
    }
  }

  /// The last value in modification order.
  [[nodiscard]] auto newest(word_id word) const -> std::uint64_t {
    return history_[word].back().value;
  }

  /// Whether the thread has not seen the newest value; from now on it sees no older one.
  [[nodiscard]] auto is_behind(int me, word_id word) const -> bool {
    return threads[static_cast<std::size_t>(me)].now.floor[word] + 1U < history_[word].size();
  }
  void catch_up(int me, word_id word) {
    threads[static_cast<std::size_t>(me)].now.floor[word] =
        static_cast<std::uint16_t>(history_[word].size() - 1);
  }

  [[nodiscard]] auto words() const noexcept -> std::size_t { return words_; }

  std::array<thread_view, max_threads> threads;

 private:
  [[nodiscard]] auto cell_of(const void* address) const noexcept -> std::size_t {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - base_) / 4;
  }
  [[nodiscard]] static auto end_of(const void* address, std::size_t size) noexcept -> const void* {
    return static_cast<const std::byte*>(address) + size + 3;
  }
  void touch(std::size_t cell) {
    if (std::exchange(footprints_[cell].touched, true)) return;
    touched_.push_back(static_cast<std::uint32_t>(cell));
  }
  auto tick(int me) -> std::uint32_t {
    return ++threads[static_cast<std::size_t>(me)].now.clock[static_cast<std::size_t>(me)];
  }
  /// True if all of these accesses happened before what `me` does now.
  [[nodiscard]] auto known(int me, const std::array<std::uint32_t, max_threads>& accesses) const
      -> bool {
    const auto& clock = threads[static_cast<std::size_t>(me)].now.clock;
    for (std::size_t i = 0; i < max_threads; ++i) {
      if (accesses[i] > clock[i]) return false;
    }
    return true;
  }
  [[nodiscard]] auto readable_from(int me, word_id word) const -> std::size_t {
    return std::max(threads[static_cast<std::size_t>(me)].now.floor[word], bases_[word]);
  }
  [[nodiscard]] auto bytes_of(word_id word) const -> std::uint64_t {
    std::uint64_t value = 0;
    std::memcpy(&value, addresses_[word], sizes_[word]);
    return value;
  }

  auto read(int me, word_id word, std::size_t at, order how) -> std::uint64_t {
    auto& self = threads[static_cast<std::size_t>(me)];
    const auto& source = history_[word][at];
    self.now.floor[word] = static_cast<std::uint16_t>(at);
    (acquires(how) ? self.now : self.to_acquire).join(source.released, words_);
    return source.value;
  }

  void insert(int me, word_id word, std::size_t at, std::uint64_t value, order how,
              const view* source) {
    auto& history = history_[word];
    if (at < history.size()) make_room(word, at);
    auto& self = threads[static_cast<std::size_t>(me)];
    tick(me);
    self.now.floor[word] = static_cast<std::uint16_t>(at);
    message stored{value, source != nullptr, releases(how) ? self.now : self.at_release};
    stored.released.floor[word] = static_cast<std::uint16_t>(at);
    if (source != nullptr) stored.released.join(*source, words_);
    history.insert(history.begin() + static_cast<std::ptrdiff_t>(at), stored);
    std::memcpy(const_cast<std::byte*>(addresses_[word]), &history.back().value, sizes_[word]);
  }

  /// Every view moves on by one from place `at` of this word's history on.
  void make_room(word_id word, std::size_t at) {
    const auto shift = [word, at](view& seen) {
      if (seen.floor[word] >= at) ++seen.floor[word];
    };
    for (auto* const seen : {&fences_, &light_, &heavy_}) shift(*seen);
    for (auto& thread : threads)
      shift(thread.now), shift(thread.to_acquire), shift(thread.at_release);
    for (std::size_t id = 0; id < words_; ++id) {
      for (auto& each : history_[id]) shift(each.released);
    }
  }

  std::byte* base_ = nullptr;
  std::vector<word_id> ids_;            // per four bytes
  std::vector<footprint> footprints_;   // per four bytes
  std::vector<std::uint32_t> touched_;  // what to clear before the next execution
  std::array<std::vector<message>, max_words> history_;
  std::array<const std::byte*, max_words> addresses_{};
  std::array<std::uint8_t, max_words> sizes_{};
  std::array<std::uint16_t, max_words> bases_{};  // older messages were overwritten by plain bytes
  std::size_t words_ = 0;
  view fences_, light_, heavy_;
};

}  // namespace weir::model
