// SPDX-License-Identifier: MIT
#include "kill/stepper.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace weir::test::kills {
namespace {

/// Instruction pointer of a stopped child; 0 where this is not known.
auto instruction_of(pid_t child) -> std::uint64_t {
#if defined(__x86_64__)
  user_regs_struct registers{};
  iovec into{&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &into) == 0) return registers.rip;
#elif defined(__aarch64__)
  user_regs_struct registers{};
  iovec into{&registers, sizeof registers};
  if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &into) == 0) return registers.pc;
#else
  static_cast<void>(child);
#endif
  return 0;
}

/// True if the child, which runs, sleeps in the kernel's futex call.
auto sleeps(pid_t child) -> bool {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/syscall", child);
  const int file = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  std::array<char, 32> text{};
  const auto got = read(file, text.data(), text.size() - 1);
  close(file);
  return got > 0 && std::atol(text.data()) == SYS_futex && text[0] != 'r';
}

enum class stop { stopped, asleep, gone };

/// Waits for the child's next stop, or sleep.
auto await_stop(pid_t child, bool may_sleep) -> stop {
  constexpr std::uint32_t patience = 50;  // looks before a sleep is looked for
  int state = 0;
  for (std::uint32_t looks = 0;; ++looks) {
    const auto found = waitpid(child, &state, may_sleep ? WNOHANG : 0);
    if (found == child) return WIFSTOPPED(state) ? stop::stopped : stop::gone;
    if (found < 0 && errno != EINTR) return stop::gone;
    if (looks > patience && sleeps(child)) return stop::asleep;
    sched_yield();
  }
}

/// The traced child of one death. It is killed at the latest with this object.
class victim {
 public:
  victim(scenario& what, stage& here) : what_{what}, here_{here}, id_{fork()} {
    if (id_ < 0) std::abort();
    if (id_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(2);
      what.operate(here);
      _exit(0);
    }
  }
  victim(const victim&) = delete;
  auto operator=(const victim&) -> victim& = delete;
  ~victim() {
    if (gone_) return;
    ::kill(id_, SIGKILL);
    int state = 0;
    waitpid(id_, &state, __WALL);
  }

  auto step() -> stop { return resume(PTRACE_SINGLESTEP); }
  [[nodiscard]] auto instruction() const -> std::uint64_t { return instruction_of(id_); }

  /// To the operation's first instruction.
  auto run_to_begin() -> bool {
    if (await() != stop::stopped) return false;
    while (!here_.begun()) {
      if (step() != stop::stopped) return false;
    }
    return true;
  }

  /// Returns  false: it did not get there.
  auto run_to(const route::landmark& where) -> bool {
    for (std::uint64_t passed = 0; passed <= where.passes; ++passed) {
      if (resume(PTRACE_CONT) != stop::stopped || here_.ended()) return false;
    }
    set_breakpoint(0);
    return instruction() == where.address;
  }

  /// Returns  false: this machine has none. 0: no more.
  auto set_breakpoint(std::uint64_t address) -> bool {
#if defined(__x86_64__)
    constexpr auto first = offsetof(user, u_debugreg);
    constexpr auto control = first + 7 * sizeof(user::u_debugreg[0]);
    constexpr auto execution_at_first = 1;
    if (ptrace(PTRACE_POKEUSER, id_, control, 0) != 0) return false;
    if (address == 0) return true;
    return ptrace(PTRACE_POKEUSER, id_, first, address) == 0 &&
           ptrace(PTRACE_POKEUSER, id_, control, execution_at_first) == 0;
#else
    static_cast<void>(address);
    return false;
#endif
  }

 private:
  auto resume(__ptrace_request how) -> stop {
    if (ptrace(how, id_, nullptr, nullptr) != 0) return stop::gone;
    return await();
  }
  auto await() -> stop {
    for (;;) {
      const auto found = await_stop(id_, what_.may_sleep());
      gone_ = found == stop::gone;
      if (found != stop::asleep || !what_.wake()) return found;
    }
  }

  scenario& what_;
  stage& here_;
  pid_t id_;
  bool gone_ = false;
};

/// Steps `child` until it has executed `point` instructions. `found`: where the walk is written down.
void step_to(victim& child, const stage& here, std::uint64_t point, death& end, route* found) {
  while (end.instructions < point && !here.ended()) {
    end.address = child.instruction();
    if (found != nullptr) found->append(end.address);
    switch (child.step()) {
      case stop::stopped:
        ++end.instructions;
        break;
      case stop::asleep:
        end.how = ending::parked;
        return;
      case stop::gone:
        end.how = ending::broken;
        return;
    }
  }
  end.address = child.instruction();
  end.how = here.ended() ? ending::finished : ending::killed;
}

}  // namespace

auto ptrace_error() noexcept -> int {
  const auto child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    _exit(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : errno);
  }
  int state = 0;
  waitpid(child, &state, 0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : EPERM;
}

void route::append(std::uint64_t address) {
  const auto index = length();
  const bool repeats = index != 0 && addresses_.back() == address;  // a breakpoint stops once
  addresses_.push_back(address);
  const landmark here{index, address, repeats ? 0 : passes_[address]++};
  const auto best = index == 0 ? landmark{} : best_.back();
  const bool nearer = index != 0 && !repeats && address != addresses_[0] &&
                      here.passes < best.passes + (index - best.index);
  best_.push_back(nearer ? here : best);
}

auto walk(scenario& what, stage& here, route& found) -> death {
  here.reset();
  death end;
  victim child{what, here};
  if (child.run_to_begin()) step_to(child, here, ~std::uint64_t{0}, end, &found);
  return end;
}

auto die_at(scenario& what, stage& here, const route& known, std::uint64_t point) -> death {
  here.reset();
  death end;
  victim child{what, here};
  if (!child.run_to_begin()) return end;
  const auto landmark = known.towards(point);
  if (landmark.index != 0 && child.set_breakpoint(landmark.address)) {
    if (child.run_to(landmark)) {
      end.instructions = landmark.index;
    } else {
      point = 0;  // another way than the known one: it dies where it is
    }
  }
  step_to(child, here, point, end, nullptr);
  return end;
}

}  // namespace weir::test::kills
