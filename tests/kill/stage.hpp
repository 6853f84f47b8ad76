// SPDX-License-Identifier: MIT
/// Words that the process which is going to die shares with the one that kills it: where the operation
/// begins and ends, and what the survivors may expect of it.
#pragma once

#include "support/guarded_span.hpp"

#include <signal.h>

#include <cstdint>

namespace weir::test::kills {

class stage {
 public:
  // --- in the child

  /// The next instruction is the operation's first. Stops for the tracer.
  void begin() noexcept {
#if defined(__x86_64__)
    set(begun_word, 1);
    asm volatile("int3" ::: "memory");
#else
    raise(SIGSTOP);  // the way out of here is stepped, and not counted
    set(begun_word, 1);
#endif
  }
  /// The operation is over: stops again. What came of it is not optimized away.
  template <class... Results>
  void end(const Results&... results) noexcept {
    (static_cast<void>([&] { asm volatile("" ::"r"(&results) : "memory"); }()), ...);
    set(ended_word, 1);
    raise(SIGSTOP);
  }

  /// From here on up to `count` of the victim's things may be found.
  void may_show(std::uint32_t count) noexcept { set(may_word, count); }
  /// From here on `count` of them must be found.
  void must_show(std::uint32_t count) noexcept { set(must_word, count); }
  /// Anything else that the survivors should know.
  void note(std::uint32_t index, std::uint32_t value) noexcept { set(first_note + index, value); }

  // --- in the parent

  void reset() noexcept {
    for (std::uint32_t index = 0; index < words; ++index) set(index, 0);
  }
  [[nodiscard]] auto begun() const noexcept -> bool { return get(begun_word) != 0; }
  [[nodiscard]] auto ended() const noexcept -> bool { return get(ended_word) != 0; }
  [[nodiscard]] auto may() const noexcept -> std::uint32_t { return get(may_word); }
  [[nodiscard]] auto must() const noexcept -> std::uint32_t { return get(must_word); }
  [[nodiscard]] auto noted(std::uint32_t index) const noexcept -> std::uint32_t {
    return get(first_note + index);
  }

 private:
  static constexpr std::uint32_t begun_word = 0;
  static constexpr std::uint32_t ended_word = 1;
  static constexpr std::uint32_t may_word = 2;
  static constexpr std::uint32_t must_word = 3;
  static constexpr std::uint32_t first_note = 4;
  static constexpr std::uint32_t words = 16;

  /// A line apart from what is tested, and never moved by the compiler.
  void set(std::uint32_t index, std::uint32_t value) noexcept {
    asm volatile("" ::: "memory");
    __atomic_store_n(memory_.word(index * 4), value, __ATOMIC_RELAXED);
    asm volatile("" ::: "memory");
  }
  [[nodiscard]] auto get(std::uint32_t index) const noexcept -> std::uint32_t {
    return __atomic_load_n(memory_.word(index * 4), __ATOMIC_RELAXED);
  }

  guarded_span memory_{words * 4};
};

}  // namespace weir::test::kills
