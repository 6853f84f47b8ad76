// SPDX-License-Identifier: MIT
/// A memory policy that lets a test act between two accesses of the code under test, as another thread might.
#pragma once

#include "support/memories.hpp"

#include <cstdint>
#include <functional>
#include <utility>

namespace weir::test {

/// One access, as a script sees it: before it is made.
struct access_event {
  access_kind kind;
  const void* address;

  [[nodiscard]] auto is(access_kind what, const void* where) const noexcept -> bool {
    return kind == what && address == where;
  }
};

/// What happens before every access of this thread; what it does itself is not told of.
struct script_watch {
  static inline thread_local std::function<void(const access_event&)> script;

  static void before(access_kind kind, const void* address) noexcept {
    if (!script) return;
    const auto running = std::exchange(script, nullptr);
    running({kind, address});
    if (!script) script = running;
  }
  static auto loaded(const void*, auto value) noexcept { return value; }
};
struct script_memory : watched_memory<script_watch> {};
static_assert(memory_policy<script_memory>);

/// Runs `script` before each access as long as this lives.
class scripted {
 public:
  explicit scripted(std::function<void(const access_event&)> script) {
    script_watch::script = std::move(script);
  }
  ~scripted() { script_watch::script = nullptr; }
  scripted(const scripted&) = delete;
  auto operator=(const scripted&) -> scripted& = delete;
};

/// Runs `action` once, before the access number `which` (from 1) that `chosen` picks.
template <class Chosen, class Action>
[[nodiscard]] auto once(std::uint32_t which, Chosen chosen, Action action) {
  return [=, left = which](const access_event& now) mutable {
    if (left != 0 && chosen(now) && --left == 0) action();
  };
}

/// Picks the accesses of one kind to one address.
[[nodiscard]] inline auto access_to(access_kind kind, const void* address) {
  return [=](const access_event& now) { return now.is(kind, address); };
}

}  // namespace weir::test
