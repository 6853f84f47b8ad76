// SPDX-License-Identifier: MIT
/// A memory whose other side is an input: it decides what loads show, who is alive and how sleeps end. Every
/// access must lie in the shared bytes, and a call may make so many accesses and no more.
#pragma once

#include "fuzz/input.hpp"
#include "support/guarded_span.hpp"

#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

namespace weir::fuzz {

/// What a run of a fuzzer found. Ends the program.
[[noreturn, gnu::noinline]] inline void fail(const char* what, const char* during = "") {
  std::fprintf(stderr, "fuzz: %s%s%s\n", what, *during != '\0' ? " during " : "", during);
  std::abort();
}
inline void require(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    fail(what);
}

/// Told of accesses to shared bytes; offsets from the first byte of the span.
struct watcher {
  virtual void loaded(std::size_t /*offset*/, std::uint64_t /*shown*/) {}
  virtual void stores(std::size_t /*offset*/, std::size_t /*size*/, std::uint64_t /*value*/) {}

 protected:
  ~watcher() = default;
};

/// Of the one run in progress.
struct world {
  input* bytes = nullptr;
  std::span<std::byte> shared;
  const void* own_word = nullptr;  ///< a stop word of the caller's, beside the shared bytes
  const void* truthful = nullptr;  ///< a shared word that nobody lies about
  watcher* told = nullptr;
  std::uint32_t lie_in = 0;  ///< loads until the next lie; 0: no more lies
  std::uint64_t steps = 0;
  std::uint64_t most_steps = 0;
  const char* call = "";
  std::uint32_t self = 1;    ///< the process that runs
  std::uint32_t dead = 0;    ///< a bit for each process that can never run again
  std::int64_t clock = 0;    ///< milliseconds
  bool heavy_fences = true;  ///< this process can keep the asymmetric protocol

  void count(std::uint64_t cost) {
    steps += cost;
    if (steps > most_steps) [[unlikely]]
      fail("unbounded: too many steps", call);
  }
  void enter(const void* at, std::size_t size, std::size_t alignment) {
    count(1);
    if (at == own_word) return;
    const auto first = reinterpret_cast<std::uintptr_t>(shared.data());
    const auto from = reinterpret_cast<std::uintptr_t>(at);
    const bool inside =
        from >= first && from - first <= shared.size() && size <= shared.size() - (from - first);
    if (!inside && size != 0) fail("out of bounds", call);
    if (from % alignment != 0) fail("misaligned", call);
  }
  [[nodiscard]] auto offset_of(const void* at) const -> std::size_t {
    return static_cast<std::size_t>(static_cast<const std::byte*>(at) - shared.data());
  }
  [[nodiscard]] auto lies() -> bool {
    if (lie_in == 0 || --lie_in != 0) return false;
    lie_in = bytes->byte();
    return true;
  }

  /// What a load shows of a word that holds `real`.
  template <class Word>
  auto shown(const Word* word, Word real) -> Word {
    if (word == own_word) return real;
    if (word != truthful && lies()) {
      const auto stays = bytes->flag();
      real = bytes->nasty(real);
      if (stays) std::memcpy(const_cast<Word*>(word), &real, sizeof real);
    }
    if (told != nullptr) told->loaded(offset_of(word), real);
    return real;
  }
  /// Before a read-modify-write: the word may have changed since it was last looked at.
  template <class Word>
  void disturb(Word* word) {
    enter(word, sizeof *word, sizeof *word);
    if (word == truthful || !lies()) return;
    const auto now = bytes->nasty(*word);
    std::memcpy(word, &now, sizeof now);
  }
  void about_to_store(const void* at, std::size_t size, std::uint64_t value) {
    if (told != nullptr && at != own_word) told->stores(offset_of(at), size, value);
  }
};

inline world here;

/// Runs one call: at most `bound` accesses.
template <class Call>
auto bounded(const char* name, std::uint64_t bound, Call&& call) -> decltype(auto) {
  here.steps = 0;
  here.most_steps = bound;
  here.call = name;
  return call();
}

/// No lies as long as it lives: what an honest peer does.
class quiet {
 public:
  quiet() : lie_in_{here.lie_in} { here.lie_in = 0; }
  quiet(const quiet&) = delete;
  auto operator=(const quiet&) -> quiet& = delete;
  ~quiet() { here.lie_in = lie_in_; }

 private:
  std::uint32_t lie_in_;
};

struct fuzz_memory {
  static constexpr bool can_wait = true;
  static constexpr bool prefetches = true;

  static auto load(const std::uint32_t* word, std::memory_order) noexcept -> std::uint32_t {
    here.enter(word, 4, 4);
    return here.shown(word, *word);
  }
  static void store(std::uint32_t* word, std::uint32_t value, std::memory_order) noexcept {
    here.enter(word, 4, 4);
    here.about_to_store(word, 4, value);
    *word = value;
  }
  static auto exchange(std::uint32_t* word, std::uint32_t value, std::memory_order) noexcept
      -> std::uint32_t {
    here.disturb(word);
    const auto before = *word;
    here.about_to_store(word, 4, value);
    *word = value;
    return before;
  }
  static auto fetch_add(std::uint32_t* word, std::uint32_t value, std::memory_order) noexcept
      -> std::uint32_t {
    here.disturb(word);
    const auto before = *word;
    *word = before + value;
    return before;
  }
  static auto fetch_or(std::uint32_t* word, std::uint32_t value, std::memory_order) noexcept
      -> std::uint32_t {
    here.disturb(word);
    const auto before = *word;
    *word = before | value;
    return before;
  }
  static auto compare_exchange(std::uint32_t* word, std::uint32_t& expected, std::uint32_t desired,
                               std::memory_order, std::memory_order) noexcept -> bool {
    return replace(word, expected, desired);
  }
  static auto load64(const std::uint64_t* word, std::memory_order) noexcept -> std::uint64_t {
    here.enter(word, 8, 8);
    return here.shown(word, *word);
  }
  static void store64(std::uint64_t* word, std::uint64_t value, std::memory_order) noexcept {
    here.enter(word, 8, 8);
    here.about_to_store(word, 8, value);
    *word = value;
  }
  static auto fetch_or64(std::uint64_t* word, std::uint64_t value, std::memory_order) noexcept
      -> std::uint64_t {
    here.disturb(word);
    const auto before = *word;
    *word = before | value;
    return before;
  }
  static auto cas64(std::uint64_t* word, std::uint64_t& expected, std::uint64_t desired,
                    std::memory_order, std::memory_order) noexcept -> bool {
    return replace(word, expected, desired);
  }

  static void fence(std::memory_order) noexcept {}
  static void light_fence() noexcept {}
  static void heavy_fence(bool) noexcept {}
  [[nodiscard]] static auto register_for_heavy_fence(bool) noexcept -> bool {
    return here.heavy_fences;
  }

  static void copy_in(void* shared, const void* from, std::size_t size) noexcept {
    here.enter(shared, size, 1);
    here.about_to_store(shared, size, 0);
    if (size != 0) std::memcpy(shared, from, size);
  }
  /// The other side may be writing these bytes, too.
  static void copy_out(void* to, const void* shared, std::size_t size) noexcept {
    here.enter(shared, size, 1);
    if (size == 0) return;
    std::memcpy(to, shared, size);
    if (here.lies()) static_cast<std::uint8_t*>(to)[here.bytes->byte() % size] ^= 0xFF;
  }
  static void clear(void* shared, std::size_t size) noexcept {
    here.enter(shared, size, 1);
    here.about_to_store(shared, size, 0);
    if (size != 0) std::memset(shared, 0, size);
  }
  static void copy_in_words(std::uint32_t* shared, const void* from, std::size_t size) noexcept {
    for (const auto* source = static_cast<const std::byte*>(from); size != 0;) {
      std::uint32_t word = 0;
      const auto part = size < sizeof word ? size : sizeof word;
      std::memcpy(&word, source, part);
      store(shared++, word, std::memory_order_relaxed);
      source += part;
      size -= part;
    }
  }
  static void copy_out_words(void* to, const std::uint32_t* shared, std::size_t size) noexcept {
    for (auto* target = static_cast<std::byte*>(to); size != 0;) {
      const auto word = load(shared++, std::memory_order_relaxed);
      const auto part = size < sizeof word ? size : sizeof word;
      std::memcpy(target, &word, part);
      target += part;
      size -= part;
    }
  }

  static void pause() noexcept {}
  static void yield() noexcept { here.count(1); }
  /// Returns at once; time passes, so that whoever has a deadline reaches it.
  static auto wait(const std::uint32_t* word, std::uint32_t, deadline) noexcept -> wait_result {
    here.enter(word, 4, 4);
    const auto how = static_cast<wait_result>(here.bytes->below(3));
    here.clock += how == wait_result::timed_out ? 250 : 10;
    return how;
  }
  static void wake(const std::uint32_t* word) noexcept { here.enter(word, 4, 4); }
  [[nodiscard]] static auto now() noexcept -> deadline {
    return deadline{std::chrono::milliseconds{++here.clock}};
  }

  [[nodiscard]] static auto self() noexcept -> std::uint32_t { return here.self; }
  [[nodiscard]] static auto start_of(std::uint32_t id) noexcept -> std::uint32_t { return id + 1; }
  [[nodiscard]] static auto alive(std::uint32_t id, std::uint32_t) noexcept -> bool {
    return (here.dead >> (id & 31) & 1) == 0;
  }

 private:
  template <class Word>
  static auto replace(Word* word, Word& expected, Word desired) noexcept -> bool {
    here.disturb(word);
    const bool equal = *word == expected;
    expected = *word;
    if (!equal) return false;
    here.about_to_store(word, sizeof *word, desired);
    *word = desired;
    return true;
  }
};
static_assert(memory_policy<fuzz_memory>);

/// A deadline that a wait which looks again and again reaches soon.
[[nodiscard]] inline auto soon() -> deadline {
  return fuzz_memory::now() + std::chrono::milliseconds{40};
}
/// The longest wait until then: looks, before the first sleep and between sleeps.
inline constexpr std::uint32_t most_looks = 128;
/// Sleeps after few looks, so that inputs get there.
using short_park = park_after<2>;

/// The shared bytes of a fuzzer, the same in every run. Their end is the end of what may be accessed.
class arena {
 public:
  static constexpr std::size_t size = 24576;

  /// Begins a run over the last `wanted` bytes, which are all 0, `skew` bytes before they should begin.
  auto begin(input& bytes, std::uint64_t wanted, std::size_t skew = 0) -> std::span<std::byte> {
    const auto all = memory_.bytes();
    const auto room = (static_cast<std::size_t>(wanted) + 63) / 64 * 64 + skew;
    require(room <= all.size(), "the arena is too small");
    const auto shared = all.last(room).first(static_cast<std::size_t>(wanted));
    std::memset(shared.data(), 0, room);
    here = {};
    here.bytes = &bytes;
    here.shared = shared;
    here.most_steps = size * 8;
    return shared;
  }
  [[nodiscard]] auto bytes() const -> std::span<std::byte> { return here.shared; }

  /// Writes a nasty word somewhere in [first, end).
  void scribble(std::size_t first, std::size_t end) {
    const auto words = static_cast<std::uint32_t>((end - first) / 4);
    if (words != 0) scribble_word(first + 4 * std::size_t{here.bytes->below(words)});
  }
  static void put(std::size_t offset, std::uint32_t value) {
    std::memcpy(here.shared.data() + offset, &value, sizeof value);
  }
  void scribble_word(std::size_t offset) {
    auto* const word = here.shared.data() + offset;
    const auto* const spared = static_cast<const std::byte*>(here.truthful);
    if (spared != nullptr && word >= spared && word < spared + 8) return;
    std::uint32_t value = 0;
    std::memcpy(&value, word, sizeof value);
    value = here.bytes->nasty(value);
    std::memcpy(word, &value, sizeof value);
  }

 private:
  test::guarded_span memory_{size};
};

/// True if the bytes lie in [first, end) of the shared bytes, or there are none, as where a call has failed.
[[nodiscard]] inline auto lies_in(std::span<const std::byte> bytes, std::size_t first,
                                  std::size_t end) -> bool {
  if (bytes.data() == nullptr) return bytes.empty();
  const auto from = reinterpret_cast<std::uintptr_t>(bytes.data());
  const auto base = reinterpret_cast<std::uintptr_t>(here.shared.data());
  return from >= base + first && from - base <= end && bytes.size() <= end - (from - base);
}

/// True if `outcome` is one of those that a call is documented to return.
template <class... Allowed>
[[nodiscard]] auto is_one_of(status outcome, Allowed... allowed) -> bool {
  return ((outcome == allowed) || ...);
}

}  // namespace weir::fuzz
