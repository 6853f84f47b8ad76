// SPDX-License-Identifier: MIT
// Who holds a role (owner.hpp), and the header that comes before all roles (detail/header.hpp).
//
// Proved, for every execution: at most one holds a role, whoever takes it sees all that the last holder did,
// whether that one let go or died at any step; a holder that let go and then ended is not called dead; a
// half-made take-over is taken over; who attaches while another formats sees nothing, or everything.
// Bounds: three takers or two takers and one observer, one or two deaths.
#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/detail/header.hpp>
#include <weir/doorbell.hpp>
#include <weir/owner.hpp>
#include <weir/spsc_ring.hpp>

#include <cstdint>
#include <optional>

namespace {

using namespace weir;
using model::model_memory;

using word = std::uint32_t;
using entry_type = detail::owner_entry<model_memory>;
using role_type = detail::held_role<model_memory>;

/// An entry, and what only its holder may touch.
struct thing {
  word& owner;
  word& start;
  word& data;

  explicit thing(model::run& run, word epoch = 0)
      : owner{run.object<word>()}, start{run.object<word>()}, data{run.object<word>()} {
    owner = epoch;
  }
  [[nodiscard]] auto entry() const -> entry_type { return {&owner, &start}; }

  /// As its holder: counts. What another did before and is not ordered is a race.
  void use() const {
    word count = 0;
    model_memory::copy_out(&count, &data, sizeof count);
    ++count;
    model_memory::copy_in(&data, &count, sizeof count);
  }
};

auto take(entry_type entry) -> std::optional<role_type> {
  auto token = entry.take();
  if (!token) return {};
  return std::optional<role_type>{std::in_place, entry, *token};
}

auto take_at_last(entry_type entry) -> std::optional<role_type> {
  for (;;) {
    if (auto role = take(entry)) return role;
    model_memory::pause();
  }
}

// --- taking and letting go

/// Each takes, uses, lets go: nobody meanwhile, and nothing undone.
void in_turn(model::run& run, int takers, word epoch) {
  const thing one{run, epoch};
  for (int i = 0; i < takers; ++i) {
    run.thread("taker", [&] {
      const auto role = take_at_last(one.entry());
      one.use();
    });
  }
  if (!run.go()) return;
  run.check(one.data == static_cast<word>(takers), "each had it once");
  run.check(one.entry().state() == owner_state::free, "and nobody has it now");
}
void two_in_turn(model::run& run) { in_turn(run, 2, 0); }
void two_in_turn_wrapping(model::run& run) { in_turn(run, 2, detail::epoch_mask); }
void three_in_turn(model::run& run) { in_turn(run, 3, detail::epoch_mask - 1); }

/// Whoever is refused was refused because another has it.
void one_attempt(model::run& run) {
  const thing one{run};
  int held = 0;
  for (int i = 0; i < 3; ++i) {
    run.thread("taker", [&] {
      const auto token = one.entry().take();
      run.check(token || token.status() == status::busy, "taken, or busy");
      if (token) ++held, one.use();
    });
  }
  if (run.go()) run.check(held == 1, "exactly one gets it");
}

// --- deaths

/// Somebody dies at any step, holding it or not: the others get it, and see what the dead one did.
void outlived(model::run& run, int takers, word epoch) {
  const thing one{run, epoch};
  for (int i = 0; i < takers; ++i) {
    run.thread("taker", [&] {
      const auto role = take_at_last(one.entry());
      one.use();
    });
  }
  if (!run.go()) return;
  word dead = 0;
  for (int i = 1; i <= takers; ++i) {
    if (run.was_killed(i)) ++dead;
    run.check(run.was_killed(i) || run.has_ended(i), "the survivors get it");
  }
  run.check(one.data + dead >= static_cast<word>(takers), "each survivor had it");
  run.check(one.data <= static_cast<word>(takers), "nobody twice");
  const auto state = one.entry().state();
  run.check(state != owner_state::alive && (state == owner_state::free || dead != 0),
            "what is left is free, or a dead one's");
  run.check(take(one.entry()).has_value(), "and can be taken");
}
void outlived_by_one(model::run& run) { outlived(run, 2, 0); }
void outlived_by_one_wrapping(model::run& run) { outlived(run, 2, detail::epoch_mask); }
void outlived_by_two(model::run& run) { outlived(run, 3, 0); }

/// An observer says dead only of a holder that died; ended is not dead.
void observed(model::run& run) {
  const thing one{run};
  run.thread("holder", [&] {
    auto role = take(one.entry());
    run.check(role.has_value(), "it is free");
    one.use();
  });
  owner_state seen = owner_state::free;
  run.thread("observer", [&] {
    seen = one.entry().state();
    if (seen == owner_state::dead) one.use();
  });
  if (!run.go()) return;
  if (seen == owner_state::dead) {
    run.check(run.was_killed(1), "dead is who was killed");
    run.check((one.owner >> detail::epoch_bits) != 0, "and who had not let go");
  }
}

/// Whoever finds it free sees all that its last holder did.
void free_again(model::run& run) {
  const thing one{run};
  auto held = run.as(1, [&] { return take(one.entry()); });
  run.thread("holder", [&] {
    one.use();
    held.reset();
  });
  run.thread("observer", [&] {
    if (one.entry().state() == owner_state::free) one.use();
  });
  static_cast<void>(run.go());
}

/// take(view): only if nobody has held it since the look.
void after_a_look(model::run& run) {
  const thing one{run};
  auto& never = run.object<word>();
  static_cast<void>(run.as(1, [&] { return one.entry().take().value(); }));
  run.thread("holder", [&] {
    one.use();
    static_cast<void>(model_memory::wait(&never, 0, no_deadline));
  });
  int heirs = 0;
  const auto heir = [&] {
    const auto seen = one.entry().look(model_memory::alive);
    if (seen.state == owner_state::alive || !one.entry().take(seen)) return;
    ++heirs, one.use();
  };
  run.thread("heir", heir);
  run.thread("heir", heir);
  if (!run.go()) return;
  run.check(heirs <= (run.was_killed(1) ? 1 : 0), "one heir, of a dead holder only");
}

/// A look that found it free is void once another had it: no two holdings have the same number.
void free_at_a_look(model::run& run) {
  const thing one{run, detail::epoch_mask};
  std::optional<word> holder, late;
  run.thread("holder", [&] {
    if (auto role = take(one.entry())) holder = role->epoch(), one.use();
  });
  run.thread("late", [&] {
    const auto seen = one.entry().look(model_memory::alive);
    if (seen.state != owner_state::free) return;
    auto token = one.entry().take(seen);
    if (token) late = *token & detail::epoch_mask, one.use();
  });
  if (!run.go()) return;
  run.check(holder || late, "one gets it");
  run.check(!holder || !late || holder != late, "holdings have different numbers");
}

/// Processes that started at different times: ids are not enough to tell them apart.
struct dated_memory : model_memory {
  static auto start_of(word process) noexcept -> word { return process * 2; }
};
/// The start that is asked about belongs to the id beside it, or is unknown.
void starts_of_two(model::run& run) {
  const thing one{run};
  const detail::owner_entry<dated_memory> entry{&one.owner, &one.start};
  const auto once = [entry] {
    auto mine = entry;
    auto token = mine.take();
    if (token) mine.drop(*token);
  };
  run.thread("first", once);
  run.thread("second", once);
  run.thread("observer", [&run, entry] {
    static_cast<void>(entry.look([&run](word process, word start) {
      run.check(start == 0 || start == process * 2, "a start of another is not believed");
      return true;
    }));
  });
  static_cast<void>(run.go());
}

constexpr model::bounds one_dies{.kills = 1};
constexpr model::bounds two_die{.preemptions = 1, .kills = 2, .killable = 1U << 1 | 1U << 2};
constexpr model::bounds holder_dies{.kills = 1, .killable = 1U << 1, .may_block = true};
constexpr model::bounds maker_only{.preemptions = 0, .kills = 1, .killable = 1U << 1};
constexpr model::bounds first_dies{.kills = 1, .killable = 1U << 1};

// --- formatting and attaching

using ring_type = spsc_ring<word, model_memory>;

/// Whoever attaches while another formats: not ready, or all of it, down to the stamps behind.
void attached_while_formatted(model::run& run) {
  const auto bytes = run.bytes(ring_type::bytes_required(2));
  run.thread("maker", [&] {
    const auto made = ring_type::format(
        bytes, {.capacity = 2, .wake = wake_protocol::fenced, .type_tag = 7, .start_position = 5});
    run.check(static_cast<bool>(made), "it can be laid out");
  });
  run.thread("guest", [&] {
    auto ring = ring_type::attach(bytes, 7);
    if (!ring) return run.check(ring.status() == status::not_ready, "not ready");
    auto consumer = ring->consumer();
    run.check(static_cast<bool>(consumer), "its roles can be taken");
    run.check(consumer->try_peek().status() == status::empty, "what is behind the header is there");
  });
  static_cast<void>(run.go());
}

void doorbell_while_formatted(model::run& run) {
  const auto bytes = run.bytes(doorbell<model_memory>::bytes_required());
  run.thread("maker", [&] {
    static_cast<void>(
        doorbell<model_memory>::format(bytes, {.wake = wake_protocol::asymmetric}).value());
  });
  run.thread("guest", [&] {
    auto bell = doorbell<model_memory>::attach(bytes);
    while (!bell) {
      run.check(bell.status() == status::not_ready, "not ready");
      model_memory::pause();
      bell = doorbell<model_memory>::attach(bytes);
    }
    run.check(bell->protocol() == wake_protocol::asymmetric, "as it was laid out");
  });
  static_cast<void>(run.go());
}
/// Died while it formatted: never ready, or ready and whole.
void maker_dies(model::run& run) {
  const auto bytes = run.bytes(ring_type::bytes_required(2));
  run.thread("maker", [&] {
    static_cast<void>(ring_type::format(bytes, {.capacity = 2, .wake = wake_protocol::fenced}));
  });
  run.thread("guest", [&] {
    auto ring = ring_type::attach(bytes);
    if (!ring) return run.check(ring.status() == status::not_ready, "not ready");
    run.check(static_cast<bool>(ring->producer()), "its roles can be taken");
  });
  if (!run.go()) return;
  auto ring = ring_type::attach(bytes);
  run.check(ring || (run.was_killed(1) && ring.status() == status::not_ready), "as it was left");
}

/// Died while it laid out a ring over another: the old one untouched, none, or the new one.
void maker_dies_over_another(model::run& run) {
  const auto bytes = run.bytes(ring_type::bytes_required(2));
  auto made = ring_type::format(
      bytes, {.capacity = 2, .wake = wake_protocol::none, .type_tag = 1, .start_position = 5});
  static_cast<void>(made->producer()->try_write(9));
  auto& began = run.object<word>();
  run.thread("maker", [&] {
    model_memory::store(&began, 1, std::memory_order_relaxed);
    static_cast<void>(ring_type::format(
        bytes, {.capacity = 2, .wake = wake_protocol::none, .type_tag = 2, .start_position = 7}));
  });
  run.thread("watcher", [&] {  // so that there are steps to die at
    static_cast<void>(model_memory::load(&began, std::memory_order_relaxed));
    for (const word offset : {layout::magic, layout::type_tag, layout::spsc::write_position,
                              layout::spsc::read_position, layout::spsc::closed, layout::spsc::data,
                              layout::spsc::data + 8}) {
      static_cast<void>(
          model_memory::load(detail::word_at(bytes.data(), offset), std::memory_order_relaxed));
    }
  });
  if (!run.go()) return;
  auto old_ring = ring_type::attach(bytes, 1);
  auto new_ring = ring_type::attach(bytes, 2);
  run.check(run.was_killed(1) || new_ring, "who lives is done");
  word value = 0;
  if (old_ring) {
    run.check(old_ring->consumer()->try_read(value) == status::ok && value == 9, "untouched");
  } else if (new_ring) {
    run.check(new_ring->producer()->try_write(8) == status::ok, "it can be written");
    run.check(new_ring->consumer()->try_read(value) == status::ok && value == 8, "and read");
  } else {
    run.check(ring_type::attach(bytes, 1).status() == status::not_ready, "or none");
  }
}

constexpr model::scenario scenarios[] = {
    {"owner: two take turns", two_in_turn},
    {"owner: two take turns, the epoch wraps", two_in_turn_wrapping},
    {"owner: three take turns", three_in_turn, {.preemptions = 4}},
    {"owner: of three attempts at once one succeeds", one_attempt},
    {"owner: whoever dies at any step is outlived", outlived_by_one, one_dies},
    {"owner: whoever dies at any step is outlived, the epoch wraps", outlived_by_one_wrapping,
     one_dies},
    {"owner: two that die at any steps are outlived", outlived_by_two, two_die},
    {"owner: a holder that let go and ended is not dead", observed, one_dies},
    {"owner: a holder that let go is seen to have done all", free_again},
    {"owner: one heir at most after a look", after_a_look, holder_dies},
    {"owner: a free role that was held since the look is not taken", free_at_a_look},
    {"owner: a start is believed only beside its own holding", starts_of_two},
    {"header: whoever attaches meanwhile sees nothing or everything", attached_while_formatted},
    {"header: a doorbell that is not ready becomes so", doorbell_while_formatted},
    {"header: a maker that dies leaves nothing or everything", maker_dies, first_dies},
    {"header: a maker that dies over an old ring leaves it, none, or the new one",
     maker_dies_over_another, maker_only},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
