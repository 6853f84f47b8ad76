// SPDX-License-Identifier: MIT
/// Counts the loads that a call really makes of each shared word, in the code that the compiler made of it.
///
/// The span's pages cannot be accessed while the call runs. Each access faults; the handler notes address and
/// kind, opens the pages, has the processor trap after this one instruction, and closes them again. So it
/// counts what is executed, whatever the registers are, and nothing of what is only prefetched.
/// Read-modify-writes count as such, not as loads.
///
/// Not for  other systems than Linux on x86-64; several threads; calls that pass the span to the kernel; a
///          load of eight bytes counts for its first four.
#pragma once

#include "support/guarded_span.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace weir::test {

/// One access: where, from the span's first byte, and whether it wrote.
struct shared_access {
  std::int64_t offset;
  bool writes;
};

class load_watch {
 public:
  explicit load_watch(const guarded_span& memory) noexcept
      : first_{memory.bytes().data()}, size_{pages_of(memory.bytes().size())} {}

  /// Runs `call` under observation. Returns  its accesses, in order, until the next observation.
  template <class Call>
  [[nodiscard]] auto accesses_of(Call&& call) -> std::span<const shared_access> {
    watched = *this;
    count = 0;
    const handler faults{SIGSEGV, &on_fault};
    const handler traps{SIGTRAP, &on_trap};
    protect(PROT_NONE);
    call();
    protect(PROT_READ | PROT_WRITE);
    return std::span{accesses}.first(count);
  }

 private:
  static constexpr std::size_t page = 4096;
  static constexpr std::size_t most = 1U << 16;
  static constexpr greg_t trap_flag = 0x100;
  static constexpr greg_t was_write = 2;

  class handler {
   public:
    handler(int number, void (*with)(int, siginfo_t*, void*)) noexcept : number_{number} {
      struct sigaction action{};
      action.sa_sigaction = with;
      action.sa_flags = SA_SIGINFO;
      sigaction(number, &action, &before_);
    }
    handler(const handler&) = delete;
    auto operator=(const handler&) -> handler& = delete;
    ~handler() { sigaction(number_, &before_, nullptr); }

   private:
    int number_;
    struct sigaction before_{};
  };

  load_watch() = default;

  [[nodiscard]] static auto pages_of(std::size_t size) noexcept -> std::size_t {
    return (size + page - 1) / page * page;
  }
  void protect(int access) const noexcept { mprotect(first_, size_, access); }

  static void on_fault(int, siginfo_t* information, void* context) noexcept {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto offset = static_cast<std::byte*>(information->si_addr) - watched.first_;
    if (offset < 0 || offset >= static_cast<std::ptrdiff_t>(watched.size_) || count == most) {
      signal(SIGSEGV, SIG_DFL);  // a real fault: it comes again
      return;
    }
    accesses[count++] = {offset, (registers[REG_ERR] & was_write) != 0};
    watched.protect(PROT_READ | PROT_WRITE);
    registers[REG_EFL] |= trap_flag;
  }
  static void on_trap(int, siginfo_t*, void* context) noexcept {
    watched.protect(PROT_NONE);
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~trap_flag;
  }

  std::byte* first_ = nullptr;
  std::size_t size_ = 0;

  static load_watch watched;
  static std::array<shared_access, most> accesses;
  static std::size_t count;
};

inline load_watch load_watch::watched;
inline std::array<shared_access, load_watch::most> load_watch::accesses;
inline std::size_t load_watch::count = 0;

/// A word that a call may load more than once, and why that is no double fetch.
struct loaded_again {
  std::uint32_t offset;
  std::uint32_t times;
  const char* why;
};

/// The observations of one program, and what was wrong with them.
class fetch_report {
 public:
  /// Runs `call`: each shared word is loaded once, but for those in `again`, and nothing beside the span.
  template <class Call, class... Again>
  void check(const char* name, const guarded_span& memory, Call&& call, Again... again) {
    const std::array<loaded_again, sizeof...(Again)> allowed{again...};
    const auto failures = failures_;
    judge(name, memory, load_watch{memory}.accesses_of(call), allowed);
    if (failures == failures_) ++passed_;
  }

  /// The same for a call that fetches twice: true if that was noticed.
  template <class Call>
  [[nodiscard]] auto notices(const guarded_span& memory, Call&& call) -> bool {
    fetch_report other;
    other.quiet_ = true;
    other.check("control", memory, call);
    return other.failures_ != 0;
  }

  [[nodiscard]] auto failures() const noexcept -> std::uint32_t { return failures_; }
  [[nodiscard]] auto passed() const noexcept -> std::uint32_t { return passed_; }
  [[nodiscard]] auto loads() const noexcept -> std::uint64_t { return loads_; }

  void fail(const char* name, const char* why, std::int64_t offset, std::uint32_t times) {
    ++failures_;
    if (quiet_) return;
    std::fprintf(stderr, "%s: %s: byte %lld of the span, %u times\n", name, why,
                 static_cast<long long>(offset), times);
  }

 private:
  void judge(const char* name, const guarded_span& memory, std::span<const shared_access> accesses,
             std::span<const loaded_again> allowed) {
    const auto size = static_cast<std::int64_t>(memory.bytes().size());
    if (accesses.empty()) fail(name, "nothing was observed", 0, 0);
    for (const auto& access : accesses) {
      if (access.offset >= size) fail(name, "an access beside the span", access.offset, 1);
      if (access.writes) continue;
      ++loads_;
      const auto word = access.offset / 4;
      const auto of_word = [word](const shared_access& other) {
        return !other.writes && other.offset / 4 == word;
      };
      if (&*std::ranges::find_if(accesses, of_word) != &access) continue;  // said already
      const auto times = static_cast<std::uint32_t>(std::ranges::count_if(accesses, of_word));
      const auto known = std::ranges::find_if(
          allowed, [&](const loaded_again& one) { return one.offset / 4 == word; });
      const auto most = known == allowed.end() ? 1 : known->times;
      if (times > most) fail(name, "loaded more than once", word * 4, times);
    }
  }

  std::uint32_t failures_ = 0;
  std::uint32_t passed_ = 0;
  std::uint64_t loads_ = 0;
  bool quiet_ = false;
};

}  // namespace weir::test
