// SPDX-License-Identifier: MIT
// Proved: this machine has both kinds of membarrier, and the asymmetric pair forbids that both sides of a
// store-load handshake read the old value, in as many rounds as are run here. Not provable by running: that
// no execution at all allows it, on every processor; that needs a model.
#include "support/child_process.hpp"
#include "support/random.hpp"
#include "support/watchdog.hpp"

#include <weir/memory.hpp>

#include <catch2/catch.hpp>

#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

using weir::native_memory;

TEST_CASE("this_process_can_register_for_heavy_fences_as_often_as_it_likes") {
  for (int time = 0; time < 3; ++time) {
    CHECK(weir::detail::register_for_heavy_fence(false));
    CHECK(weir::detail::register_for_heavy_fence(true));
  }
}

TEST_CASE("a_heavy_fence_without_registration_is_refused_by_the_kernel_and_harmless") {
  weir::test::child_process child{[] {
    weir::detail::heavy_fence(false);
    weir::detail::heavy_fence(true);
    return 0;
  }};
  CHECK(child.wait() == 0);
}

namespace {

/// Store buffering: each side stores its word, fences, and loads the other's. Both reading 0 is what a
/// fence forbids. Returns  how often it happened.
template <class FirstFence, class SecondFence>
auto both_missed(std::uint32_t rounds, FirstFence first, SecondFence second) -> std::uint32_t {
  struct alignas(128) line {
    std::uint32_t word = 0;
  };
  std::array<line, 2> words;
  std::array<line, 2> seen;
  std::array<std::atomic<std::uint32_t>, 2> arrived{};
  const auto meet = [&arrived](std::size_t mine, std::uint32_t round) {
    arrived[mine].store(round, std::memory_order_release);
    while (arrived[1 - mine].load(std::memory_order_acquire) < round) std::this_thread::yield();
  };
  const auto side = [&](std::size_t mine, auto fence, auto&& between) {
    for (std::uint32_t round = 1; round <= rounds; ++round) {
      meet(mine, 3 * round);
      native_memory::store(&words[mine].word, round, std::memory_order_relaxed);
      fence();
      seen[mine].word = native_memory::load(&words[1 - mine].word, std::memory_order_relaxed);
      meet(mine, 3 * round + 1);
      between(round);
      meet(mine, 3 * round + 2);
    }
  };
  std::uint32_t missed = 0;
  std::thread other{[&] { side(1, second, [](std::uint32_t) {}); }};
  side(0, first, [&](std::uint32_t round) {
    missed += seen[0].word < round && seen[1].word < round ? 1U : 0U;
  });
  other.join();
  return missed;
}

constexpr std::uint32_t rounds = 20'000;

}  // namespace

TEST_CASE("two_full_fences_never_let_both_sides_miss_each_other") {
  const weir::test::watchdog watchdog;
  const auto full = [] { native_memory::fence(std::memory_order_seq_cst); };
  CHECK(both_missed(rounds, full, full) == 0);
}

TEST_CASE("a_light_and_a_heavy_fence_never_let_both_sides_miss_each_other") {
  const weir::test::watchdog watchdog;
  for (const bool across_processes : {false, true}) {
    REQUIRE(native_memory::register_for_heavy_fence(across_processes));
    const auto missed = both_missed(
        rounds, [] { native_memory::light_fence(); },
        [across_processes] { native_memory::heavy_fence(across_processes); });
    CHECK(missed == 0);
  }
}

namespace {

/// From here on this process ends with 42 where it asks for that membarrier. False: it may not say so.
auto end_at_membarrier(int command) -> bool {
  signal(SIGSYS, [](int) { _exit(42); });
  const auto wanted = static_cast<std::uint32_t>(command);
  std::array filter{
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 3, SYS_membarrier},
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, wanted},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRAP},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace

TEST_CASE("a_heavy_fence_asks_the_kernel_for_the_barrier_of_its_reach") {
  constexpr std::array commands{MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_GLOBAL_EXPEDITED};
  for (const bool across_processes : {false, true}) {
    for (const auto command : commands) {
      weir::test::child_process child{[&] {
        if (!end_at_membarrier(command)) return 1;
        weir::detail::heavy_fence(across_processes);
        return 0;
      }};
      const auto ended = child.wait();
      if (ended == 1) return;  // no filters here
      CHECK(ended == (command == commands[across_processes ? 1 : 0] ? 42 : 0));
    }
  }
}
