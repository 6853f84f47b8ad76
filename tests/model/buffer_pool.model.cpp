// SPDX-License-Identifier: MIT
// Pools, with two or three members, one or two buffers: a buffer has the holders that it says, the next
// holder sees what the last one did, and nothing is lost, whichever step a member dies before. Two threads:
// every execution; three: up to the preemptions that the table of executions names.
#include "model/scenario.hpp"

#include <weir/buffer_pool.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace {

using namespace weir;
using model::model_memory;
using pool_type = buffer_pool<model_memory>;
using member = pool_type::member_type;
using held_buffer = pool_type::buffer_type;
using std::memory_order_acquire;
using std::memory_order_release;
using word = std::uint32_t;

constexpr word size = 8;
constexpr word never_taken = ~0U;

/// A pool of `count` equal buffers, and what the threads tell each other.
struct test_pool {
  test_pool(model::run& run, word count, word start_generation = 0)
      : classes{{{size, count}}},
        options{.classes = classes, .process_shared = true, .start_generation = start_generation},
        bytes{run.bytes(pool_type::bytes_required(options))},
        view{pool_type::format(bytes, options).value()},
        note{run.object<word>()},
        generation{run.object<word>()} {}

  [[nodiscard]] auto join(model::run& run, model::thread_id thread) const -> member {
    return run.as(thread, [this] { return view.join().value(); });
  }
  [[nodiscard]] auto free_buffers(const member& last, word count) const -> bool {
    auto& taker = const_cast<member&>(last);
    std::array<std::optional<held_buffer>, 3> taken;
    for (word i = 0; i < count; ++i) {
      auto found = taker.allocate(size);
      if (!found) return false;
      taken[i].emplace(std::move(found).value());
    }
    return taker.allocate(size).status() == status::full;
  }

  std::array<pool_class, 1> classes;
  pool_options options;
  std::span<std::byte> bytes;
  pool_type view;
  word& note;        // what one thread tells another: a buffer's index and one
  word& generation;  // and its generation
};

void fill(const held_buffer& held, word value) {
  const std::array<word, 2> both{value, value};
  model_memory::copy_in(held.bytes().data(), both.data(), size);
}
[[nodiscard]] auto holds(const held_buffer& held, word value) -> bool {
  std::array<word, 2> both{};
  model_memory::copy_out(both.data(), held.bytes().data(), size);
  return both[0] == value && both[1] == value;
}
auto allocate(member& who) -> held_buffer {
  for (;;) {
    auto found = who.allocate(size);
    if (found) return std::move(found).value();
    model_memory::pause();
  }
}

void tell(test_pool& there, pool_handle handle) {
  model_memory::store(&there.generation, handle.generation, std::memory_order_relaxed);
  model_memory::store(&there.note, handle.index + 1, memory_order_release);
}
/// Waits for what tell() said.
[[nodiscard]] auto told(test_pool& there) -> pool_handle {
  for (;;) {
    const auto index = model_memory::load(&there.note, memory_order_acquire);
    if (index != 0) {
      return {index - 1, model_memory::load(&there.generation, std::memory_order_relaxed)};
    }
    model_memory::pause();
  }
}

/// Members take turns with fewer buffers than there are members: races of their bytes would show.
template <word Members, word Buffers>
void take_turns(model::run& run) {
  test_pool there{run, Buffers};
  std::array<std::optional<member>, Members> members;
  for (word i = 0; i < Members; ++i) members[i].emplace(there.join(run, i + 1));
  for (word i = 0; i < Members; ++i) {
    run.thread("member", [&, i] {
      auto held = allocate(*members[i]);
      fill(held, i);
      run.check(holds(held, i), "nobody else writes a buffer that is held");
      run.check(held.free() == status::ok, "what is held can be freed");
    });
  }
  if (!run.go()) return;
  run.check(there.free_buffers(*members[0], Buffers), "what was freed is found again");
}

/// Three members look once each.
void three_look_once(model::run& run) {
  test_pool there{run, 1};
  std::array members{there.join(run, 1), there.join(run, 2), there.join(run, 3)};
  for (word i = 0; i < 3; ++i) {
    run.thread("member", [&, i] {
      auto held = members[i].allocate(size);
      if (!held) return run.check(held.status() == status::full, "a buffer, or none is free");
      fill(*held, i);
      run.check(held->free() == status::ok, "what is held can be freed");
    });
  }
  if (!run.go()) return;
  run.check(there.free_buffers(members[0], 1), "what was freed is found again");
}

/// The second holder reads; whoever leaves last, the third may write.
void share_and_leave(model::run& run) {
  test_pool there{run, 1};
  auto first = there.join(run, 1);
  auto second = there.join(run, 2);
  run.thread("first", [&] {
    auto held = allocate(first);
    fill(held, 7);
    tell(there, held.handle());
    run.check(held.free() == status::ok, "a holder can leave");
    auto again = allocate(first);
    fill(again, 8);
    run.check(again.handle().generation != held.handle().generation, "each allocation has its own");
    static_cast<void>(again.free());
  });
  run.thread("second", [&] {
    const auto handle = told(there);
    auto shared = second.share(handle);
    if (!shared) return run.check(shared.status() == status::stale, "what is over is stale");
    run.check(holds(*shared, 7), "a sharer sees what the first holder wrote");
    run.check(shared->free() == status::ok, "a sharer can leave");
    run.check(second.free(handle) == status::stale, "once");
  });
  if (!run.go()) return;
  run.check(there.free_buffers(first, 1), "the last one to leave frees the buffer");
}

/// What is handed over is held by one of the two all the time.
void hand_over(model::run& run) {
  test_pool there{run, 1};
  auto giver = there.join(run, 1);
  auto taker = there.join(run, 2);
  run.thread("giver", [&] {
    auto held = allocate(giver);
    fill(held, 7);
    tell(there, held.hand_over().buffer);
    auto next = allocate(giver);
    fill(next, 9);
    run.check(next.free() == status::ok, "the next allocation is its holder's");
  });
  run.thread("taker", [&] {
    const auto handle = told(there);
    auto held = taker.adopt({handle, giver.place()}).value();
    run.check(holds(held, 7), "who adopts sees what the giver wrote");
    fill(held, 8);
    run.check(taker.adopt({handle, giver.place()}).status() != status::ok, "once");
    run.check(held.free() == status::ok, "who adopts frees");
  });
  if (!run.go()) return;
  run.check(there.free_buffers(giver, 1), "nothing is lost on its way");
}

/// Two members adopt the same descriptor.
void adopt_twice(model::run& run) {
  test_pool there{run, 1};
  auto giver = there.join(run, 3);
  auto given = run.as(3, [&] { return giver.allocate(size).value().hand_over(); });
  std::array members{there.join(run, 1), there.join(run, 2)};
  word adopted = 0;
  for (word i = 0; i < 2; ++i) {
    run.thread("taker", [&, i] {
      auto held = members[i].adopt(given);
      if (!held) return run.check(held.status() == status::stale, "the other one has it");
      ++adopted;
      fill(*held, i);
      run.check(held->free() == status::ok, "who adopts frees");
    });
  }
  if (!run.go()) return;
  run.check(adopted == 1, "one of them adopts it");
  run.check(there.free_buffers(members[0], 1), "and frees it once");
}

/// A handle from before does nothing to the next holder.
void stale_handle(model::run& run, word start_generation) {
  test_pool there{run, 1, start_generation};
  auto old = there.join(run, 1);
  auto next = there.join(run, 2);
  run.thread("old", [&] {
    auto held = allocate(old);
    const auto handle = held.detach();
    run.check(old.free(handle) == status::ok, "freed by name");
    run.check(old.free(handle) == status::stale, "once");
    run.check(old.held(handle).status() == status::stale, "and not held any more");
    run.check(old.share(handle).status() == status::stale, "nor shared");
  });
  run.thread("next", [&] {
    auto held = allocate(next);
    fill(held, 3);
    run.check(held.references() == 1, "one holder");
    run.check(held.free() == status::ok, "nobody freed it meanwhile");
  });
  static_cast<void>(run.go());
}
void stale_handle_at_0(model::run& run) { stale_handle(run, 0); }
void stale_handle_at_half(model::run& run) { stale_handle(run, 0x8000'0000 - 1); }
void stale_handle_at_the_end(model::run& run) {
  stale_handle(run, detail::pool_state::last_generation - 2);
}

/// Reads under a version are whole.
void versions(model::run& run) {
  test_pool there{run, 1};
  auto writer = there.join(run, 1);
  auto reader = there.join(run, 2);
  auto held = run.as(1, [&] { return writer.allocate(size).value(); });
  auto shared = run.as(2, [&] { return reader.share(held.handle()).value(); });
  run.thread("writer", [&] {
    const std::array<word, 2> both{5, 5};
    run.check(held.write(std::as_bytes(std::span{both})) == status::ok, "a holder writes");
  });
  run.thread("reader", [&] {
    std::array<word, 2> both{1, 2};
    auto seen = shared.read(std::as_writable_bytes(std::span{both}), 2);
    if (!seen) return run.check(seen.status() == status::torn, "whole or torn");
    run.check(both[0] == both[1], "what is read is whole");
    run.check(*seen == 0 ? both[0] == 0 : both[0] == 5, "and belongs to its version");
  });
  static_cast<void>(run.go());
}

/// What is shown of a buffer that two hold was there before the second one came.
void show(model::run& run) {
  test_pool there{run, 1};
  auto first = there.join(run, 1);
  auto second = there.join(run, 2);
  run.thread("first", [&] { tell(there, allocate(first).detach()); });
  run.thread("second", [&] { static_cast<void>(second.share(told(there)).value().detach()); });
  run.thread("observer", [&] {
    static_cast<void>(there.view.for_each_held([&](const pool_entry& each) {
      const bool both = (each.holders & (each.holders - 1)) != 0;
      run.check(!both || each.used == size, "what the second holder found is shown");
    }));
  });
  static_cast<void>(run.go());
}

/// One of two dies anywhere; the other one, or who comes after, takes back what it held.
void death(model::run& run) {
  test_pool there{run, 2};
  std::array members{there.join(run, 1), there.join(run, 2)};
  for (word i = 0; i < 2; ++i) {
    run.thread("member", [&, i] {
      auto held = allocate(members[i]);
      fill(held, i);
      run.check(holds(held, i), "nobody else writes a buffer that is held");
      static_cast<void>(held.free());
    });
  }
  if (!run.go()) return;
  auto last = there.join(run, 3);
  run.check(there.view.reclaim().members <= 1, "only the dead are reclaimed");
  run.check(there.free_buffers(last, 2), "after reclaim() nothing is lost");
}

/// The same while somebody else reclaims, who may die as well.
void death_while_reclaiming(model::run& run) {
  test_pool there{run, 1};
  auto first = there.join(run, 1);
  auto second = there.join(run, 2);
  run.thread("member", [&] {
    auto found = first.allocate(size);
    if (!found) return;
    auto& held = found.value();
    fill(held, 1);
    static_cast<void>(held.free());
  });
  run.thread("reclaimer", [&] {
    static_cast<void>(there.view.reclaim());
    auto held = second.allocate(size);
    if (!held) return;
    fill(*held, 2);
    run.check(holds(*held, 2), "a buffer of the living is not taken away");
    static_cast<void>(held->free());
  });
  if (!run.go()) return;
  auto last = there.join(run, 3);
  static_cast<void>(there.view.reclaim());
  run.check(there.free_buffers(last, 1), "after reclaim() nothing is lost");
}

constexpr model::scenario scenarios[] = {
    {"pool: what is shown of two holders' buffer is there", show},
    {"pool: two members take turns with one buffer", take_turns<2, 1>},
    {"pool: two members and two buffers", take_turns<2, 2>},
    {"pool: three members and one buffer", three_look_once, {.preemptions = 3}},
    {"pool: the last of two holders frees the buffer", share_and_leave},
    {"pool: a buffer that is handed over is never free", hand_over},
    {"pool: a descriptor is adopted once", adopt_twice},
    {"pool: a stale handle does nothing, from generation 0", stale_handle_at_0},
    {"pool: a stale handle does nothing, across generation 2^31", stale_handle_at_half},
    {"pool: a stale handle does nothing, in the last generations", stale_handle_at_the_end},
    {"pool: what is read under a version is whole", versions},
    {"pool: whichever step a member dies before, nothing is lost", death, {.kills = 1}},
    {"pool: nor if the reclaimer dies", death_while_reclaiming, {.kills = 2}},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
