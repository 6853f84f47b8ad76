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

inline constexpr std::size_t max_threads = 6;  ///< with thread 0, which is all before and after
inline constexpr std::size_t max_words = 160;  ///< shared words touched atomically in one execution

using order = std::memory_order;
using thread_id = std::size_t;
using word_id = std::uint16_t;
inline constexpr word_id no_word = 0xFFFF;

[[nodiscard]] constexpr auto acquires(order how) noexcept -> bool {
  return how == order::acquire || how == order::acq_rel || how == order::seq_cst;
}
[[nodiscard]] constexpr auto releases(order how) noexcept -> bool {
  return how == order::release || how == order::acq_rel || how == order::seq_cst;
}

using clock = std::array<std::uint32_t, max_threads>;

/// What a thread, or the reader of a message, knows.
struct view {
  clock known{};                                 ///< how far each thread's past happened before
  std::array<std::uint16_t, max_words> floor{};  ///< per word: the oldest message still readable

  void join_floors(const view& other, std::size_t words) noexcept {
    for (std::size_t i = 0; i < words; ++i) floor[i] = std::max(floor[i], other.floor[i]);
  }
  void join(const view& other, std::size_t words) noexcept {
    for (std::size_t i = 0; i < max_threads; ++i) known[i] = std::max(known[i], other.known[i]);
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

struct thread_view {
  view now;
  view to_acquire;  ///< released by what was read relaxed; an acquire fence joins it
  view at_release;  ///< as of the last release fence; what relaxed stores carry
};

/// Who last touched four bytes, for races.
struct footprint {
  clock plain_read{}, plain_write{}, atomic_read{}, atomic_write{};
  bool touched = false;
};

/// The words of one execution. Where there is a choice, `choose(n)` answers with a number below n.
class weak_memory {
 public:
  /// Forgets everything but the bytes: `cells` times four from `base` on.
  void restart(std::byte* base, std::size_t cells) {
    base_ = base;
    if (ids_.size() != cells)
      ids_.assign(cells, no_word), footprints_.assign(cells, {}), touched_.clear();
    for (const auto cell : touched_) ids_[cell] = no_word, footprints_[cell] = {};
    touched_.clear();
    for (std::size_t id = 0; id < words_; ++id) history_[id].clear();
    words_ = 0;
    fences_ = light_ = heavy_ = {};
    threads.fill({});
  }

  /// The word at `address`, new or known. Returns  no_word: it overlaps a word of another shape, or there
  /// are too many.
  auto word_at(const void* address, std::size_t size) -> word_id {
    const auto cell = cell_of(address);
    const auto id = ids_[cell];
    if (id != no_word) return addresses_[id] == address && sizes_[id] == size ? id : no_word;
    if (ids_[cell + size / 4 - 1] != no_word || words_ == max_words) return no_word;
    const auto fresh = static_cast<word_id>(words_++);
    addresses_[fresh] = static_cast<const std::byte*>(address);
    sizes_[fresh] = static_cast<std::uint8_t>(size);
    bases_[fresh] = 0;
    for (std::size_t i = 0; i < size / 4; ++i) ids_[cell + i] = fresh, touch(cell + i);
    history_[fresh].push_back({bytes_of(fresh), false, {}});
    return fresh;
  }

  /// A load by thread `me`. `behind`: how many newer values there are than the one returned.
  template <class Choose>
  auto load(thread_id me, word_id word, order how, Choose&& choose, std::size_t& behind)
      -> std::uint64_t {
    const auto last = history_[word].size() - 1;
    behind = choose(last - readable_from(me, word) + 1);
    return read(me, word, last - behind, how);
  }

  template <class Choose>
  void store(thread_id me, word_id word, std::uint64_t value, order how, Choose&& choose) {
    const auto& history = history_[word];
    candidates_.clear();
    for (auto at = history.size(); at > readable_from(me, word); --at) {
      if (at == history.size() || !history[at].by_modify) candidates_.push_back(at);
    }
    insert(me, word, candidates_[choose(candidates_.size())], value, how, nullptr);
  }

  /// A read-modify-write: wanted(old, result) -> whether `result` is stored.
  /// Returns  what was read, and whether it stored.
  template <class Wanted, class Choose>
  auto modify(thread_id me, word_id word, order success, order failure, Wanted&& wanted,
              Choose&& choose) -> std::pair<std::uint64_t, bool> {
    const auto& history = history_[word];
    std::uint64_t result = 0;
    candidates_.clear();
    for (auto at = history.size(); at-- > readable_from(me, word);) {
      const bool followed = at + 1 < history.size() && history[at + 1].by_modify;
      if (!followed || !wanted(history[at].value, result)) candidates_.push_back(at);
    }
    const auto at = candidates_[choose(candidates_.size())];
    const bool stores = wanted(history[at].value, result);
    const auto old = read(me, word, at, stores ? success : failure);
    if (stores) {
      const view source = history[at].released;
      insert(me, word, at + 1, result, success, &source);
    }
    return {old, stores};
  }

  void fence(thread_id me, order how) {
    auto& self = threads[me];
    if (acquires(how)) self.now.join(self.to_acquire, words_);
    if (how == order::seq_cst) {
      self.now.join_floors(fences_, words_);
      fences_.join_floors(self.now, words_);
    }
    if (releases(how)) self.at_release = self.now;
  }
  /// A light and a heavy fence order each other as two seq_cst fences do; two light ones nothing.
  void light_fence(thread_id me) {
    threads[me].now.join_floors(heavy_, words_);
    light_.join_floors(threads[me].now, words_);
  }
  void heavy_fence(thread_id me) {
    threads[me].now.join_floors(light_, words_);
    fence(me, order::seq_cst);
    heavy_.join_floors(threads[me].now, words_);
  }

  /// Notes an atomic access. Returns  false: it races with plain bytes.
  [[nodiscard]] auto atomic_access(thread_id me, const void* address, std::size_t size, bool writes)
      -> bool {
    bool ordered = true;
    for (auto cell = cell_of(address), end = cell + size / 4; cell < end; ++cell) {
      auto& prints = footprints_[cell];
      ordered =
          ordered && knows(me, prints.plain_write) && (!writes || knows(me, prints.plain_read));
      (writes ? prints.atomic_write : prints.atomic_read)[me] = tick(me);
    }
    return ordered;
  }
  /// Notes an access to plain bytes, before they change. Returns  false: a race.
  [[nodiscard]] auto plain_access(thread_id me, const void* address, std::size_t size, bool writes)
      -> bool {
    bool ordered = true;
    for (auto cell = cell_of(address), end = cell_behind(address, size); cell < end; ++cell) {
      auto& prints = footprints_[cell];
      touch(cell);
      ordered = ordered && knows(me, prints.plain_write) && knows(me, prints.atomic_write);
      if (writes)
        ordered = ordered && knows(me, prints.plain_read) && knows(me, prints.atomic_read);
      (writes ? prints.plain_write : prints.plain_read)[me] = tick(me);
    }
    return ordered;
  }
  /// After plain bytes changed: of words among them nothing older can be read any more.
  void plain_written(thread_id me, const void* address, std::size_t size) {
    for (auto cell = cell_of(address), end = cell_behind(address, size); cell < end; ++cell) {
      const auto word = ids_[cell];
      if (word == no_word) continue;
      history_[word].push_back({bytes_of(word), false, {}});
      bases_[word] = threads[me].now.floor[word] = last_of(word);
    }
  }

  /// The last value in modification order.
  [[nodiscard]] auto newest(word_id word) const -> std::uint64_t {
    return history_[word].back().value;
  }
  /// Whether the thread has not seen the newest value; from now on it sees no older one.
  [[nodiscard]] auto is_behind(thread_id me, word_id word) const -> bool {
    return threads[me].now.floor[word] < last_of(word);
  }
  void catch_up(thread_id me, word_id word) { threads[me].now.floor[word] = last_of(word); }

  [[nodiscard]] auto words() const noexcept -> word_id { return static_cast<word_id>(words_); }

  std::array<thread_view, max_threads> threads;

 private:
  [[nodiscard]] auto cell_of(const void* address) const noexcept -> std::size_t {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - base_) / 4;
  }
  [[nodiscard]] auto cell_behind(const void* address, std::size_t size) const noexcept
      -> std::size_t {
    return cell_of(static_cast<const std::byte*>(address) + size + 3);
  }
  void touch(std::size_t cell) {
    if (!std::exchange(footprints_[cell].touched, true)) touched_.push_back(cell);
  }
  auto tick(thread_id me) -> std::uint32_t { return ++threads[me].now.known[me]; }
  /// True if all of these accesses happened before what `me` does now.
  [[nodiscard]] auto knows(thread_id me, const clock& accesses) const -> bool {
    const auto& known = threads[me].now.known;
    for (std::size_t i = 0; i < max_threads; ++i) {
      if (accesses[i] > known[i]) return false;
    }
    return true;
  }
  [[nodiscard]] auto last_of(word_id word) const -> std::uint16_t {
    return static_cast<std::uint16_t>(history_[word].size() - 1);
  }
  [[nodiscard]] auto readable_from(thread_id me, word_id word) const -> std::size_t {
    return std::max(threads[me].now.floor[word], bases_[word]);
  }
  [[nodiscard]] auto bytes_of(word_id word) const -> std::uint64_t {
    std::uint64_t value = 0;
    std::memcpy(&value, addresses_[word], sizes_[word]);
    return value;
  }

  auto read(thread_id me, word_id word, std::size_t at, order how) -> std::uint64_t {
    const auto& source = history_[word][at];
    threads[me].now.floor[word] = static_cast<std::uint16_t>(at);
    (acquires(how) ? threads[me].now : threads[me].to_acquire).join(source.released, words_);
    return source.value;
  }

  void insert(thread_id me, word_id word, std::size_t at, std::uint64_t value, order how,
              const view* source) {
    auto& history = history_[word];
    if (at < history.size()) make_room(word, at);
    tick(me);
    auto& self = threads[me];
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
    for (auto& each : threads) shift(each.now), shift(each.to_acquire), shift(each.at_release);
    for (std::size_t id = 0; id < words_; ++id)
      std::ranges::for_each(history_[id], shift, &message::released);
  }

  std::byte* base_ = nullptr;
  std::vector<word_id> ids_;           // per four bytes
  std::vector<footprint> footprints_;  // per four bytes
  std::vector<std::size_t> touched_;   // what to clear before the next execution
  std::vector<std::size_t> candidates_;
  std::array<std::vector<message>, max_words> history_;
  std::array<const std::byte*, max_words> addresses_{};
  std::array<std::uint8_t, max_words> sizes_{};
  std::array<std::uint16_t, max_words> bases_{};  // older messages were overwritten by plain bytes
  std::size_t words_ = 0;
  view fences_, light_, heavy_;
};

}  // namespace weir::model
