// SPDX-License-Identifier: MIT
/// The memory policy of the model checker: Weir's headers run on it unchanged.
///
/// Before and after the threads (thread 0) it is plain memory; so is what only one thread touches.
#pragma once

#include "model/explorer.hpp"

#include <weir/memory.hpp>

#include <chrono>

namespace weir::model {

inline constexpr std::uint32_t first_process =
    1000;  ///< each thread counts as a process of its own

namespace detail {

inline auto in() -> explorer& { return *explorer::active; }
inline constexpr auto choose = [](std::size_t ways) { return in().choose(ways); };

inline void trace(const std::string& what, const void* address, const place& where) {
  if (in().tracing()) in().trace(what + "  " + in().shared.name_of(address), where);
}
inline auto describe(const char* what, order how, std::uint64_t value) -> std::string {
  constexpr const char* names[] = {"relaxed", "consume", "acquire",
                                   "release", "acq_rel", "seq_cst"};
  return std::string{what} + " " + names[static_cast<int>(how)] + "  " + std::to_string(value);
}
inline void judge(const void* address, std::size_t size, std::size_t alignment) {
  if (!in().shared.granted(address, size)) in().fail("out of bounds, or not shared");
  if (reinterpret_cast<std::uintptr_t>(address) % alignment != 0) in().fail("misaligned access");
}

/// Judges an access, and waits for its turn. Returns  no_word: nobody else uses it, the bytes are enough.
template <class Word>
auto enter(const Word* address, step_kind kind, const place& where) -> word_id {
  const bool writes = kind == step_kind::write;
  judge(address, sizeof *address, sizeof *address);
  if (!in().is_shared(address, writes)) return no_word;
  const auto word = in().memory.word_at(address, sizeof *address);
  if (word == no_word) in().fail("a word is used in two shapes, or there are too many words");
  in().reach({kind, word});
  const bool ordered = in().memory.atomic_access(in().current(), address, sizeof *address, writes);
  if (ordered || in().limits.hostile) return word;
  trace("races with plain bytes", address, where);
  in().fail("data race: an atomic access and plain bytes");
  return word;
}

template <class Word>
auto load(const Word* word, order how, const place& where) -> Word {
  const auto id = enter(word, step_kind::load, where);
  if (id == no_word) return *word;
  std::size_t behind = 0;
  const auto value = in().memory.load(in().current(), id, how, choose, behind);
  in().has_read(id);
  if (in().tracing())
    trace(describe(behind == 0 ? "load" : "load, behind,", how, value), word, where);
  return static_cast<Word>(value);
}

template <class Word>
void store(Word* word, Word value, order how, const place& where) {
  const auto id = enter(word, step_kind::write, where);
  if (id == no_word) return static_cast<void>(*word = value);
  in().memory.store(in().current(), id, value, how, choose);
  if (in().tracing()) trace(describe("store", how, value), word, where);
}

/// wanted(old, result) -> whether `result` is stored. Returns  what was read.
template <class Word, class Wanted>
auto modify(Word* word, order success, order failure, const place& where, Wanted&& wanted) -> Word {
  const auto id = enter(word, step_kind::write, where);
  if (id == no_word) {
    std::uint64_t result = 0;
    const Word old = *word;
    if (wanted(old, result)) *word = static_cast<Word>(result);
    return old;
  }
  const auto [old, stored] =
      in().memory.modify(in().current(), id, success, failure, wanted, choose);
  in().has_read(id);
  if (in().tracing())
    trace(describe(stored ? "modify, was" : "modify fails, is", success, old), word, where);
  return static_cast<Word>(old);
}
template <class Word>
auto update(Word* word, order how, const place& where, auto&& next_of) -> Word {
  return modify(word, how, how, where, [&](std::uint64_t old, std::uint64_t& result) {
    return result = next_of(static_cast<Word>(old)), true;
  });
}
template <class Word>
auto compare_exchange(Word* word, Word& expected, Word desired, order success, order failure,
                      const place& where) -> bool {
  const auto wanted = expected;
  expected = modify(word, success, failure, where, [=](std::uint64_t old, std::uint64_t& result) {
    return result = desired, old == wanted;
  });
  return expected == wanted;
}

/// A fence that others can tell.
template <class Perform>
void fence(step_kind kind, const char* name, const place& where, Perform&& perform) {
  if (!in().running()) return;
  in().reach({kind});
  perform(in().memory, in().current());
  if (in().tracing()) in().trace(name, where);
}

/// An access to plain bytes.
template <class Perform>
void plain(const void* address, std::size_t size, bool writes, const place& where,
           Perform&& perform) {
  if (size == 0) return;
  judge(address, size, 1);
  if (!in().running()) return perform();
  const bool hostile = in().limits.hostile;
  if (hostile) in().reach({});
  for (std::size_t at = 0; !hostile && at < size; at += 4) {
    static_cast<void>(in().is_shared(static_cast<const std::byte*>(address) + at, writes));
  }
  if (!hostile && !in().memory.plain_access(in().current(), address, size, writes)) {
    trace("races: plain bytes", address, where);
    in().fail("data race on plain bytes");
  }
  perform();
  if (writes) in().memory.plain_written(in().current(), address, size);
}

}  // namespace detail

struct model_memory {
  static constexpr bool can_wait = true;
  static constexpr bool prefetches = false;
  using u32 = std::uint32_t;
  using u64 = std::uint64_t;
  using size_t = std::size_t;

  static auto load(const u32* word, order how, place at = place::current()) noexcept -> u32 {
    return detail::load(word, how, at);
  }
  static void store(u32* word, u32 value, order how, place at = place::current()) noexcept {
    detail::store(word, value, how, at);
  }
  static auto exchange(u32* word, u32 value, order how, place at = place::current()) noexcept
      -> u32 {
    return detail::update(word, how, at, [=](u32) { return value; });
  }
  static auto fetch_add(u32* word, u32 value, order how, place at = place::current()) noexcept
      -> u32 {
    return detail::update(word, how, at, [=](u32 old) { return old + value; });
  }
  static auto fetch_or(u32* word, u32 value, order how, place at = place::current()) noexcept
      -> u32 {
    return detail::update(word, how, at, [=](u32 old) { return old | value; });
  }
  static auto compare_exchange(u32* word, u32& expected, u32 desired, order success, order failure,
                               place at = place::current()) noexcept -> bool {
    return detail::compare_exchange(word, expected, desired, success, failure, at);
  }
  static auto load64(const u64* word, order how, place at = place::current()) noexcept -> u64 {
    return detail::load(word, how, at);
  }
  static void store64(u64* word, u64 value, order how, place at = place::current()) noexcept {
    detail::store(word, value, how, at);
  }
  static auto fetch_or64(u64* word, u64 value, order how, place at = place::current()) noexcept
      -> u64 {
    return detail::update(word, how, at, [=](u64 old) { return old | value; });
  }
  static auto cas64(u64* word, u64& expected, u64 desired, order success, order failure,
                    place at = place::current()) noexcept -> bool {
    return detail::compare_exchange(word, expected, desired, success, failure, at);
  }

  static void fence(order how, place at = place::current()) noexcept {
    const auto perform = [=](weak_memory& memory, thread_id me) { memory.fence(me, how); };
    if (how == order::seq_cst) return detail::fence(step_kind::fence, "fence seq_cst", at, perform);
    if (detail::in().running()) perform(detail::in().memory, detail::in().current());
  }
  static void light_fence(place at = place::current()) noexcept {
    detail::fence(step_kind::light_fence, "light fence", at,
                  [](weak_memory& memory, thread_id me) { memory.light_fence(me); });
  }
  static void heavy_fence(bool, place at = place::current()) noexcept {
    detail::fence(step_kind::heavy_fence, "heavy fence", at,
                  [](weak_memory& memory, thread_id me) { memory.heavy_fence(me); });
  }
  static auto register_for_heavy_fence(bool) noexcept -> bool { return true; }

  static void copy_in(void* shared, const void* from, size_t size,
                      place at = place::current()) noexcept {
    detail::plain(shared, size, true, at, [=] { std::memcpy(shared, from, size); });
  }
  static void copy_out(void* to, const void* shared, size_t size,
                       place at = place::current()) noexcept {
    detail::plain(shared, size, false, at, [=] { std::memcpy(to, shared, size); });
  }
  static void clear(void* shared, size_t size, place at = place::current()) noexcept {
    detail::plain(shared, size, true, at, [=] { std::memset(shared, 0, size); });
  }
  static void copy_in_words(u32* shared, const void* from, size_t size,
                            place at = place::current()) noexcept {
    for (size_t done = 0; done < size; done += sizeof *shared, ++shared) {
      u32 word = 0;
      std::memcpy(&word, static_cast<const std::byte*>(from) + done,
                  std::min(size - done, sizeof word));
      detail::store(shared, word, order::relaxed, at);
    }
  }
  static void copy_out_words(void* to, const u32* shared, size_t size,
                             place at = place::current()) noexcept {
    for (size_t done = 0; done < size; done += sizeof *shared, ++shared) {
      const u32 word = detail::load(shared, order::relaxed, at);
      std::memcpy(static_cast<std::byte*>(to) + done, &word, std::min(size - done, sizeof word));
    }
  }

  static void pause() noexcept {
    if (detail::in().running()) detail::in().pause();
  }
  static void yield() noexcept { pause(); }
  static auto wait(const u32* word, u32 expected, deadline until,
                   place at = place::current()) noexcept -> wait_result {
    auto& run = detail::in();
    if (!run.running()) return wait_result::woken;
    const auto id = sleeping_place(word, at);
    if (run.memory.newest(id) != expected) return wait_result::not_equal;
    const auto last =
        until == no_deadline ? explorer::never : u64(until.time_since_epoch().count());
    if (last <= run.time()) return wait_result::timed_out;
    detail::trace("sleeps", word, at);
    const bool late = run.sleep(id, last) == thread_state::timed_out;
    return late ? wait_result::timed_out : wait_result::woken;
  }
  static void wake(const u32* word, place at = place::current()) noexcept {
    if (!detail::in().running()) return;
    const auto id = sleeping_place(word, at);
    detail::trace("wakes", word, at);
    detail::in().wake_all(id);
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
    const thread_id who = process - first_process;
    if (who >= max_threads) return false;
    if (run.running()) run.reach({});
    if (run.state_of(who) != thread_state::killed) return true;
    run.memory.threads[run.current()].now.join(run.memory.threads[who].now, run.memory.words());
    return false;
  }

 private:
  static auto sleeping_place(const u32* word, const place& at) -> word_id {
    detail::in().must_share(word);
    return detail::enter(word, step_kind::write, at);
  }
};

static_assert(memory_policy<model_memory>);

}  // namespace weir::model
