// SPDX-License-Identifier: MIT
// The checker itself: what is wrong is found, what is right is not reported. The outcome sets of small
// programs stand in litmus/.
#include "model/scenario.hpp"

#include <array>
#include <cstdint>

namespace {

using namespace weir;
using model::model_memory;

using word = std::uint32_t;

void pass_message(model::run& run, std::memory_order publish, std::memory_order look) {
  auto& flag = run.object<word>();
  auto& data = run.object<word>();
  word seen = 0;
  run.thread("sender", [&] {
    const word value = 42;
    model_memory::copy_in(&data, &value, sizeof value);
    model_memory::store(&flag, 1, publish);
  });
  run.thread("receiver", [&] {
    if (model_memory::load(&flag, look) == 0) return;
    model_memory::copy_out(&seen, &data, sizeof seen);
    run.check(seen == 42, "what was sent arrives");
  });
  static_cast<void>(run.go());
}
void release_and_acquire(model::run& run) {
  pass_message(run, std::memory_order_release, std::memory_order_acquire);
}
void relaxed_store(model::run& run) {
  pass_message(run, std::memory_order_relaxed, std::memory_order_acquire);
}
void relaxed_load(model::run& run) {
  pass_message(run, std::memory_order_release, std::memory_order_relaxed);
}

template <class FenceA, class FenceB>
void store_buffering(model::run& run, FenceA fence_a, FenceB fence_b) {
  auto& a = run.object<word>();
  auto& b = run.object<word>();
  std::array<word, 2> seen{};
  run.thread("one", [&] {
    model_memory::store(&a, 1, std::memory_order_release);
    fence_a();
    seen[0] = model_memory::load(&b, std::memory_order_acquire);
  });
  run.thread("two", [&] {
    model_memory::store(&b, 1, std::memory_order_release);
    fence_b();
    seen[1] = model_memory::load(&a, std::memory_order_acquire);
  });
  if (run.go()) run.check(seen[0] + seen[1] != 0, "one of the two sees the other");
}
constexpr auto full = [] { model_memory::fence(std::memory_order_seq_cst); };
constexpr auto light = [] { model_memory::light_fence(); };
constexpr auto heavy = [] { model_memory::heavy_fence(true); };
constexpr auto none = [] {};
void two_full_fences(model::run& run) { store_buffering(run, full, full); }
void one_full_fence(model::run& run) { store_buffering(run, full, none); }
void light_and_heavy(model::run& run) { store_buffering(run, light, heavy); }
void light_and_light(model::run& run) { store_buffering(run, light, light); }

void sleep_without_look(model::run& run, bool looks_again) {
  auto& park = run.object<word>();
  auto& data = run.object<word>();
  run.thread("sleeper", [&] {
    model_memory::fetch_or(&park, 1, std::memory_order_acq_rel);
    model_memory::fence(std::memory_order_seq_cst);
    if (looks_again && model_memory::load(&data, std::memory_order_acquire) != 0) return;
    static_cast<void>(model_memory::wait(&park, 1, no_deadline));
  });
  run.thread("waker", [&] {
    model_memory::store(&data, 1, std::memory_order_release);
    model_memory::fence(std::memory_order_seq_cst);
    if (model_memory::load(&park, std::memory_order_relaxed) == 0) return;
    model_memory::fetch_add(&park, 1, std::memory_order_release);
    model_memory::wake(&park);
  });
  static_cast<void>(run.go());
}
void sleeper_looks_again(model::run& run) { sleep_without_look(run, true); }
void sleeper_does_not(model::run& run) { sleep_without_look(run, false); }

void spinning_ends(model::run& run) {
  auto& flag = run.object<word>();
  run.thread("spinner", [&] {
    while (model_memory::load(&flag, std::memory_order_acquire) == 0) model_memory::pause();
  });
  run.thread("setter", [&] { model_memory::store(&flag, 1, std::memory_order_release); });
  static_cast<void>(run.go());
}

void lock_of_the_dead(model::run& run, bool asks) {
  auto& lock = run.object<word>();
  const auto take = [&] {
    word expected = 0;
    while (!model_memory::compare_exchange(&lock, expected, model_memory::self(),
                                           std::memory_order_acquire, std::memory_order_relaxed)) {
      if (asks && expected != 0 && !model_memory::alive(expected, 1)) continue;
      expected = 0;
      model_memory::pause();
    }
    model_memory::store(&lock, 0, std::memory_order_release);
  };
  run.thread("one", take);
  run.thread("two", take);
  static_cast<void>(run.go());
}
void lock_taken_over(model::run& run) { lock_of_the_dead(run, true); }
void lock_kept(model::run& run) { lock_of_the_dead(run, false); }

void overrun(model::run& run) {
  auto bytes = run.bytes(8);
  run.thread("one", [&] { model_memory::clear(bytes.data() + 4, 8); });
  static_cast<void>(run.go());
}

void two_shapes(model::run& run) {
  auto& wide = *reinterpret_cast<std::uint64_t*>(run.bytes(8).data());
  run.thread("one", [&] { model_memory::store64(&wide, 1, std::memory_order_relaxed); });
  run.thread("two", [&] {
    model_memory::store(reinterpret_cast<word*>(&wide), 1, std::memory_order_relaxed);
  });
  static_cast<void>(run.go());
}

/// Both stores, in either order, whatever order the threads ran in: 2+2W.
void stores_need_not_agree(model::run& run) {
  auto& a = run.object<word>();
  auto& b = run.object<word>();
  run.thread("one", [&] {
    model_memory::store(&a, 1, std::memory_order_release);
    model_memory::store(&b, 2, std::memory_order_release);
  });
  run.thread("two", [&] {
    model_memory::store(&b, 1, std::memory_order_release);
    model_memory::store(&a, 2, std::memory_order_release);
  });
  if (run.go()) run.check(a != 1 || b != 1, "the last stores win somewhere");
}

constexpr model::scenario scenarios[] = {
    {"checker: a released message arrives", release_and_acquire},
    {"checker: a relaxed store races", relaxed_store, {}, "data race"},
    {"checker: a relaxed load races", relaxed_load, {}, "data race"},
    {"checker: two full fences keep both from missing the other", two_full_fences},
    {"checker: one full fence does not", one_full_fence, {}, "one of the two"},
    {"checker: a light and a heavy fence do", light_and_heavy},
    {"checker: two light fences do not", light_and_light, {}, "one of the two"},
    {"checker: stores to two words may end in the first of each",
     stores_need_not_agree,
     {},
     "somewhere"},
    {"checker: a sleeper that looks again is woken", sleeper_looks_again},
    {"checker: a sleeper that does not sleeps on", sleeper_does_not, {}, "deadlock"},
    {"checker: a spinner sees the store at last", spinning_ends},
    {"checker: a lock of the dead is taken over", lock_taken_over, {.kills = 1}},
    {"checker: a lock that is not holds up the survivor", lock_kept, {.kills = 1}, "stuck"},
    {"checker: an overrun is out of bounds", overrun, {}, "out of bounds"},
    {"checker: a word has one shape", two_shapes, {}, "two shapes"},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
