// SPDX-License-Identifier: MIT
/// The memory policy of the model checker: Weir's headers run on it unchanged.
///
/// Before and after the threads (thread 0) it is plain memory. What only one thread touches stays plain.
#pragma once

#include "model/explorer.hpp"

#include <weir/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace weir::model {

inline constexpr std::uint32_t first_process =
    1000;  ///< each thread counts as a process of its own

namespace detail {

inline auto in() -> explorer& { return *explorer::active; }
inline constexpr auto choose = [](int ways) { return in().choose(ways); };

[[nodiscard]] inline auto name_of(order how) -> const char* {
  constexpr const char* names[] = {"relaxed", "consume", "acquire",
                                   "release", "acq_rel", "seq_cst"};
  return names[static_cast<std::size_t>(how)];
}

/// Judges an access; to words that several threads use it waits for its turn.
/// Returns  the word, or untouched: nobody else uses it, the bytes are enough.
inline auto enter(const void* address, std::size_t size, explorer::step_kind kind,
                  const place& where) -> weak_memory::word_id {
  auto& run = in();
  const bool writes = kind != explorer::step_kind::load;
  if (!run.granted(address, size)) run.fail("out of bounds, or not shared");
  if (reinterpret_cast<std::uintptr_t>(address) % size != 0) run.fail("misaligned access");
  // What is read afterwards is how the threads left it: that matters only where they may be killed.
  const bool counts = run.running() || (run.ended() && run.limits().kills != 0);
  if (!counts || !run.is_shared(address, writes) || !run.running()) return weak_memory::untouched;
  bool mixed = false;
  const auto word = run.memory.word_at(address, size, mixed);
  if (mixed) run.fail("a word is used in two shapes, or there are too many words");
  run.reach({kind, word});
  const bool ordered = run.memory.atomic_access(run.current(), address, size, writes);
  if (!ordered && !run.limits().hostile) {
    if (run.tracing()) run.trace("races with plain bytes", where);
    run.fail("data race: an atomic access and plain bytes");
  }
  return word;
}

inline void trace(const char* what, const void* address, order how, std::uint64_t value,
                  std::size_t behind, const place& where) {
  auto& run = in();
  if (!run.tracing()) return;
  run.trace(std::string{what} + " " + name_of(how) + "  " + run.label_of(address) + "  " +
                std::to_string(value) +
                (behind == 0 ? "" : "  (" + std::to_string(behind) + " behind)"),
            where);
}

template <class Word>
auto load(const Word* word, order how, const place& where) -> Word {
  const auto id = enter(word, sizeof *word, explorer::step_kind::load, where);
  if (id == weak_memory::untouched) return *word;
  std::size_t behind = 0;
  const auto value = in().memory.load(in().current(), id, how, choose, behind);
  in().has_read(id);
  trace("load", word, how, value, behind, where);
  return static_cast<Word>(value);
}

template <class Word>
void store(Word* word, Word value, order how, const place& where) {
  const auto id = enter(word, sizeof *word, explorer::step_kind::write, where);
  if (id == weak_memory::untouched) return static_cast<void>(*word = value);
  in().memory.store(in().current(), id, value, how, choose);
  trace("store", word, how, value, 0, where);
}

/// wanted(old, result) -> whether `result` is stored. Returns  what was read.
template <class Word, class Wanted>
auto modify(Word* word, order success, order failure, const place& where, Wanted&& wanted) -> Word {
  const auto id = enter(word, sizeof *word, explorer::step_kind::write, where);
  std::uint64_t result = 0;
  if (id == weak_memory::untouched) {
    const Word old = *word;
    if (wanted(old, result)) *word = static_cast<Word>(result);
    return old;
  }
  bool stored = false;
  const auto old = in().memory.modify(in().current(), id, success, failure, wanted, choose, stored);
  in().has_read(id);
  trace(stored ? "modify, read" : "modify fails, read", word, stored ? success : failure, old, 0,
        where);
  return static_cast<Word>(old);
}

template <class Word>
auto compare_exchange(Word* word, Word& expected, Word desired, order success, order failure,
                      const place& where) -> bool {
  const Word wanted = expected;
  expected = modify(word, success, failure, where, [=](std::uint64_t old, std::uint64_t& result) {
    result = desired;
    return old == wanted;
  });
  return expected == wanted;
}

/// Plain bytes, before they are touched.
inline void plain(const void* address, std::size_t size, bool writes, const place& where) {
  auto& run = in();
  if (size == 0) return;
  if (!run.granted(address, size)) run.fail("out of bounds, or not shared");
  if (!run.running()) return;
  if (run.limits().hostile) return run.reach({});
  const auto* const first = static_cast<const std::byte*>(address);
  for (std::size_t at = 0; at < size; at += 4) static_cast<void>(run.is_shared(first + at, writes));
  if (run.memory.plain_access(run.current(), address, size, writes)) return;
  if (run.tracing()) run.trace(std::string{"races: plain bytes  "} + run.label_of(address), where);
  run.fail("data race on plain bytes");
}

}  // namespace detail

struct model_memory {
  static constexpr bool can_wait = true;
  static constexpr bool prefetches = false;
  using u32 = std::uint32_t;
  using u64 = std::uint64_t;

  static auto load(const u32* word, order how, place where = place::current()) noexcept -> u32 {
    return detail::load(word, how, where);
  }
  static void store(u32* word, u32 value, order how, place where = place::current()) noexcept {
    detail::store(word, value, how, where);
  }
  static auto exchange(u32* word, u32 value, order how, place where = place::current()) noexcept
      -> u32 {
    return detail::modify(word, how, how, where,
                          [=](u64, u64& result) { return result = value, true; });
  }
  static auto fetch_add(u32* word, u32 value, order how, place where = place::current()) noexcept
      -> u32 {
    return detail::modify(word, how, how, where,
                          [=](u64 old, u64& result) { return result = u32(old) + value, true; });
  }
  static auto fetch_or(u32* word, u32 value, order how, place where = place::current()) noexcept
      -> u32 {
    return detail::modify(word, how, how, where,
                          [=](u64 old, u64& result) { return result = old | value, true; });
  }
  static auto compare_exchange(u32* word, u32& expected, u32 desired, order success, order failure,
                               place where = place::current()) noexcept -> bool {
    return detail::compare_exchange(word, expected, desired, success, failure, where);
  }
  static auto load64(const u64* word, order how, place where = place::current()) noexcept -> u64 {
    return detail::load(word, how, where);
  }
  static void store64(u64* word, u64 value, order how, place where = place::current()) noexcept {
    detail::store(word, value, how, where);
  }
  static auto fetch_or64(u64* word, u64 value, order how, place where = place::current()) noexcept
      -> u64 {
    return detail::modify(word, how, how, where,
                          [=](u64 old, u64& result) { return result = old | value, true; });
  }
  static auto cas64(u64* word, u64& expected, u64 desired, order success, order failure,
                    place where = place::current()) noexcept -> bool {
    return detail::compare_exchange(word, expected, desired, success, failure, where);
  }

  static void fence(order how, place where = place::current()) noexcept {
    if (!detail::in().running()) return;
    if (how == order::seq_cst) detail::in().reach({explorer::step_kind::fence});
    detail::in().memory.fence(detail::in().current(), how);
    if (detail::in().tracing())
      detail::in().trace(std::string{"fence "} + detail::name_of(how), where);
  }
  static void light_fence(place where = place::current()) noexcept {
    if (!detail::in().running()) return;
    detail::in().reach({explorer::step_kind::light_fence});
    detail::in().memory.light_fence(detail::in().current());
    if (detail::in().tracing()) detail::in().trace("light fence", where);
  }
  static void heavy_fence(bool, place where = place::current()) noexcept {
    if (!detail::in().running()) return;
    detail::in().reach({explorer::step_kind::heavy_fence});
    detail::in().memory.heavy_fence(detail::in().current());
    if (detail::in().tracing()) detail::in().trace("heavy fence", where);
  }
  static auto register_for_heavy_fence(bool) noexcept -> bool { return true; }

  static void copy_in(void* shared, const void* from, std::size_t size,
                      place where = place::current()) noexcept {
    detail::plain(shared, size, true, where);
    if (size != 0) std::memcpy(shared, from, size);
    wrote(shared, size);
  }
  static void copy_out(void* to, const void* shared, std::size_t size,
                       place where = place::current()) noexcept {
    detail::plain(shared, size, false, where);
    if (size != 0) std::memcpy(to, shared, size);
  }
  static void clear(void* shared, std::size_t size, place where = place::current()) noexcept {
    detail::plain(shared, size, true, where);
    if (size != 0) std::memset(shared, 0, size);
    wrote(shared, size);
  }
  static void copy_in_words(u32* shared, const void* from, std::size_t size,
                            place where = place::current()) noexcept {
    for (const auto* bytes = static_cast<const std::byte*>(from); size != 0; ++shared) {
      const auto part = std::min(size, sizeof *shared);
      u32 word = 0;
      std::memcpy(&word, bytes, part);
      detail::store(shared, word, order::relaxed, where);
      bytes += part, size -= part;
    }
  }
  static void copy_out_words(void* to, const u32* shared, std::size_t size,
                             place where = place::current()) noexcept {
    for (auto* bytes = static_cast<std::byte*>(to); size != 0; ++shared) {
      const auto part = std::min(size, sizeof *shared);
      const u32 word = detail::load(shared, order::relaxed, where);
      std::memcpy(bytes, &word, part);
      bytes += part, size -= part;
    }
  }

  static void pause() noexcept {
    if (detail::in().running()) detail::in().pause();
  }
  static void yield() noexcept { pause(); }

  static auto wait(const u32* word, u32 expected, deadline until,
                   place where = place::current()) noexcept -> wait_result {
    auto& run = detail::in();
    if (!run.running()) return wait_result::woken;
    run.must_share(word);
    const auto id = detail::enter(word, sizeof *word, explorer::step_kind::write, where);
    if (run.memory.newest(id) != expected) return wait_result::not_equal;
    const auto last =
        until == no_deadline ? explorer::never : u64(until.time_since_epoch().count());
    if (last <= run.time()) return wait_result::timed_out;
    if (run.tracing()) run.trace("sleeps on  " + run.label_of(word), where);
    return run.sleep(id, last) == explorer::thread_state::timed_out ? wait_result::timed_out
                                                                    : wait_result::woken;
  }
  static void wake(const u32* word, place where = place::current()) noexcept {
    if (!detail::in().running()) return;
    detail::in().must_share(word);
    detail::in().wake_all(detail::enter(word, sizeof *word, explorer::step_kind::write, where));
    if (detail::in().tracing()) detail::in().trace("wakes  " + detail::in().label_of(word), where);
  }
  static auto now() noexcept -> deadline {
    return deadline{std::chrono::nanoseconds{detail::in().time()}};
  }

  static auto self() noexcept -> u32 {
    return first_process + static_cast<u32>(detail::in().current());
  }
  static auto start_of(u32) noexcept -> u32 { return 1; }
  /// Whoever learns of a death sees all that the dead did: the kernel's word orders it.
  static auto alive(u32 process, u32) noexcept -> bool {
    auto& run = detail::in();
    const auto thread = static_cast<std::size_t>(process - first_process);
    if (thread >= max_threads) return false;
    if (run.running()) run.reach({});
    if (run.state_of(static_cast<int>(thread)) != explorer::thread_state::killed) return true;
    const auto me = static_cast<std::size_t>(run.current());
    run.memory.threads[me].now.join(run.memory.threads[thread].now, run.memory.words());
    return false;
  }

 private:
  static void wrote(const void* shared, std::size_t size) {
    auto& run = detail::in();
    if (run.running() && size != 0) run.memory.plain_written(run.current(), shared, size);
  }
};

static_assert(memory_policy<model_memory>);

}  // namespace weir::model
