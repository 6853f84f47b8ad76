// SPDX-License-Identifier: MIT
// Rings for many producers whose producers die: what they claimed is skipped, and nothing else.
//
// Proved   a producer is killed before any step of one write, batch or close; two of them one behind the
//          other; the consumer recovers meanwhile or afterwards, and is killed over that. Then: what is read
//          is whole, in the order of the claims, and holds all that was committed; the dead one's place can
//          be taken; the ring holds as much as ever. A claim of the living is never skipped.
// Bounds   one or two records each; two threads: every execution, three: up to three preemptions; at most
//          two deaths.
// Not here a producer that is declared dead and writes payload all the same: that is not its to do.
#include "model/mpsc_sides.hpp"

#include <optional>

namespace {

using namespace weir;
using namespace weir::model;

using wide_records = byte_records<24>;   // two in the ring
using small_records = byte_records<8>;   // four in the ring
using slots = slot_values<2>;

constexpr auto by_system = [](std::uint32_t id, std::uint32_t start) {
  return model_memory::alive(id, start);
};

/// Reads and recovers until nothing is left. Returns  how many claims were skipped.
template <class Consumer, class Alive>
auto clean_up(model::run& run, Consumer& consumer, history& seen, Alive&& alive) -> std::uint32_t {
  std::uint32_t claims = 0;
  for (int rounds = 0; rounds < 6; ++rounds) {
    run.check(read_all(consumer, seen) == status::empty, "the ring is not damaged");
    const auto done = consumer.recover(alive);
    claims += done.claims;
    if (done.outcome == status::empty) return claims;
    run.check(done.outcome == status::ok, "what is in the way is dead or can be read");
  }
  run.check(false, "the dead are skipped in few rounds");
  return claims;
}

/// The ring is as good as new: `places` can be taken, it holds what it can hold, and gives it out again.
template <class Kind, class Consumer>
void check_works_on(model::run& run, const typename Kind::ring& ring, Consumer& consumer,
                    std::size_t places) {
  std::array<std::optional<typename Kind::ring::template producer_type<>>, 4> taken;
  std::size_t count = 0;
  for (auto& each : taken) {
    auto producer = ring.producer();
    if (producer) each.emplace(std::move(*producer)), ++count;
  }
  run.check(count == places, "the places of the dead can be taken, and no others");
  if (count == 0) return;
  for (int lap = 0; lap < 2; ++lap) {
    history written, seen;
    while (write<Kind>(*taken[0], 50 + written.count(), written) == status::ok) {
    }
    run.check(written.count() == Kind::records, "the ring holds as much as ever");
    run.check(read_all(consumer, seen) == status::empty && seen == written,
              "and gives it out again");
  }
}

/// What was committed is there, once, whole and in order; what else is there is nobody's invention.
void check_seen(model::run& run, const history& written, const history& seen, std::uint32_t first,
                std::uint64_t known) {
  run.check(seen == seen.sorted_from(first), "records come in the order of their claims");
  for (std::uint64_t value = 1; value <= known; ++value) {
    run.check(seen.times(value) <= 1, "no record comes twice");
    run.check(!written.has(value) || seen.has(value), "what was committed is read");
  }
  for (std::size_t i = 0; i < seen.count(); ++i) {
    run.check(seen.value(i) >= 1 && seen.value(i) <= known, "what is read is whole");
  }
}

/// Two producers, of which some die; the consumer comes afterwards.
template <class Kind, std::uint64_t Start>
void producers_die(model::run& run) {
  const auto ring = format<Kind>(
      run, {.producers = 3, .recoverable = true, .start_position = Start});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  std::array<history, 2> written;
  history seen;
  run.thread("one", [&] { static_cast<void>(write<Kind>(one, 1, written[0])); });
  run.thread("two", [&] { static_cast<void>(write<Kind>(two, 2, written[1])); });
  if (!run.go()) return;
  auto consumer = ring.consumer().value();
  const auto claims = clean_up(run, consumer, seen, by_system);
  written[0].append(written[1]);
  check_seen(run, written[0], seen, first_sequence<Kind>(Start), 2);
  const std::uint32_t dead = (run.was_killed(1) ? 1 : 0) + (run.was_killed(2) ? 1 : 0);
  run.check(claims <= dead && ring.statistics().recovered == claims, "only the dead are skipped");
  check_works_on<Kind>(run, ring, consumer, dead + 1);
}

/// A producer may die while the consumer reads and recovers; another one lives and is not touched.
template <class Kind>
void recovered_meanwhile(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .recoverable = true});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.consumer().value(); });
  std::array<history, 2> written;
  history seen;
  std::uint32_t claims = 0;
  run.thread("dies", [&] { static_cast<void>(write<Kind>(one, 1, written[0])); });
  run.thread("lives", [&] {
    run.check(write<Kind>(two, 2, written[1]) == status::ok, "the living are not skipped");
  });
  run.thread("consumer", [&] {
    const auto done = consumer.recover();
    run.check(done.outcome != status::corrupt, "the ring is not damaged");
    claims += done.claims;
    static_cast<void>(read(consumer, seen));
  });
  if (!run.go()) return;
  claims += clean_up(run, consumer, seen, by_system);
  run.check(claims <= (run.was_killed(1) ? 1U : 0U), "only the dead are skipped");
  written[0].append(written[1]);
  check_seen(run, written[0], seen, 0, 2);
}

/// A producer dies, and then perhaps the consumer that recovers; a successor finishes both.
template <class Kind, bool Batch>
void recovery_dies(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .recoverable = true});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto first = run.as(2, [&] { return ring.consumer().value(); });
  history written, seen, again;
  run.thread("producer", [&] {
    if (Batch) {
      if (Kind::write_two(producer, 1) == 2) written.add(1, 0), written.add(2, Kind::sequences);
    } else {
      static_cast<void>(write<Kind>(producer, 1, written));
    }
  });
  run.thread("consumer", [&] {
    for (int looks = 0; looks < 2; ++looks) {
      static_cast<void>(read_all(first, seen));
      const auto done = first.recover();
      run.check(done.outcome != status::corrupt, "the ring is not damaged");
    }
  });
  if (!run.go()) return;
  std::optional consumer{std::move(first)};
  if (run.was_killed(2)) consumer.emplace(ring.consumer().value());
  clean_up(run, *consumer, again, by_system);
  run.check(!run.has_ended(2) || again.count() == 0 || !seen.has(again.value(0)), "nothing twice");
  if (Batch) {
    for (const auto& each : {seen, again}) {
      run.check(run.was_killed(2) || each.has(1) == each.has(2), "a batch is whole");
    }
    run.check(again.has(1) <= again.has(2), "and its end is never missing");
  }
  auto all = seen;
  for (std::size_t i = 0; i < again.count(); ++i) {
    if (!seen.has(again.value(i))) all.add(again.value(i), again.sequence(i));
  }
  if (Batch) run.check(all.has(1) == all.has(2), "a batch is shown whole or not at all");
  check_seen(run, written, all, 0, 2);
  check_works_on<Kind>(run, ring, *consumer, run.was_killed(1) ? 2 : 1);
}

/// A batch of a producer that dies, behind or in front of another one's record.
template <class Kind>
void batch_dies(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 3, .recoverable = true});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  history written, seen;
  bool whole = false;
  run.thread("batch", [&] { whole = Kind::write_two(one, 1) == 2; });
  run.thread("other", [&] { static_cast<void>(write<Kind>(two, 3, written)); });
  if (!run.go()) return;
  auto consumer = ring.consumer().value();
  clean_up(run, consumer, seen, by_system);
  run.check(seen.has(1) == seen.has(2) && (!whole || seen.has(1)), "a batch is whole or not there");
  check_seen(run, written, seen, 0, 3);
  check_works_on<Kind>(run, ring, consumer,
                       1U + (run.was_killed(1) ? 1 : 0) + (run.was_killed(2) ? 1 : 0));
}

/// The consumer asks whether the claims of a living producer are dead, while that writes, leaves and
/// comes again.
template <class Kind, bool Again>
void living_is_pending(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1, .recoverable = true});
  std::optional producer{run.as(1, [&] { return ring.producer().value(); })};
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written, seen;
  run.thread("producer", [&] {
    run.check(write<Kind>(*producer, 1, written) == status::ok, "its commit is not stale");
    if (!Again) return;
    producer.reset();
    producer.emplace(ring.producer().value());
    run.check(write<Kind>(*producer, 2, written) == status::ok, "nor is that of its successor");
  });
  run.thread("consumer", [&] {
    const auto done = consumer.recover();
    run.check(done.claims == 0, "a living one's claim is not skipped");
    run.check(done.outcome == status::ok || done.outcome == status::empty ||
                  done.outcome == status::pending,
              "it is pending, or over");
  });
  if (!run.go()) return;
  static_cast<void>(read_all(consumer, seen));
  check_same(run, written, seen, 0);
}

/// Its embedder says that a producer is gone, and it commits all the same: read, or skipped and stale,
/// also where another one has claimed the same place by then.
template <class Kind>
void late_commit(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .recoverable = true});
  auto& gone = *reinterpret_cast<std::uint32_t*>(run.bytes(4).data());
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written, other, seen;
  std::uint32_t claims = 0;
  const auto proof = [&](std::uint32_t id, std::uint32_t) {
    return id != first_process + 1 || model_memory::load(&gone, std::memory_order_acquire) == 0;
  };
  run.thread("late", [&] {
    auto claim = Kind::claim(one);
    if (!claim) return;
    fill(claim.bytes(), 1);
    model_memory::store(&gone, 1, std::memory_order_release);
    const auto done = claim.commit();
    run.check(done.outcome == status::ok || done.outcome == status::stale, "it is told");
    if (done.outcome == status::ok) written.add(1, done.record.sequence);
  });
  run.thread("consumer", [&] {
    claims += consumer.recover(proof).claims;
    static_cast<void>(read_all(consumer, seen));
    for (std::uint64_t value = 2; value <= 4; ++value) {
      static_cast<void>(write<Kind>(two, value, other));
      static_cast<void>(read_all(consumer, seen));
    }
  });
  if (!run.go()) return;
  claims += clean_up(run, consumer, seen, proof);
  const bool tried = claims != 0 || written.has(1);
  run.check(!tried || claims == (written.has(1) ? 0U : 1U),
            "the commit is stale, or nothing was skipped");
  written.append(other);
  check_same(run, written, seen, 0);
}

/// One place, one after the other: whoever finds it taken, or waiting for recover(), tries again.
template <class Kind>
void place_changes_hands(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1, .recoverable = true});
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  std::array<history, 2> written;
  history seen;
  run.thread("one", [&] {
    auto taken = ring.producer();
    if (taken) static_cast<void>(write<Kind>(*taken, 1, written[0]));
  });
  run.thread("two", [&] {
    for (;;) {
      auto taken = ring.producer();
      if (taken) {
        run.check(write<Kind>(*taken, 2, written[1]) == status::ok, "a place is whole");
        break;
      }
      run.check(taken.status() == status::full, "a place is taken or not");
      static_cast<void>(read(consumer, seen));
      run.check(consumer.recover().outcome != status::corrupt, "the ring is not damaged");
      model_memory::pause();
    }
  });
  if (!run.go()) return;
  clean_up(run, consumer, seen, by_system);
  written[0].append(written[1]);
  check_seen(run, written[0], seen, 0, 2);
  run.check(seen.has(2), "the second one's record is there");
  check_works_on<Kind>(run, ring, consumer, 1);
}

constexpr bounds one_dies{.kills = 1};
constexpr bounds both_die{.kills = 2};
constexpr bounds first_of_three{.preemptions = 3, .kills = 1, .killable = 1U << 1};

constexpr model::scenario scenarios[] = {
    {"mpsc bytes: of two producers both may die", producers_die<wide_records, 0>, both_die},
    {"mpsc bytes: of two producers both may die, over the end at 2^31",
     producers_die<wide_records, starts<wide_records>[1]>, both_die},
    {"mpsc bytes: of two producers both may die, over the end at 2^32",
     producers_die<wide_records, starts<wide_records>[2]>, both_die},
    {"mpsc bytes: of two producers both may die, where intents wrap",
     producers_die<wide_records, (std::uint64_t{1} << 38) - 32>, both_die},
    {"mpsc slots: of two producers both may die", producers_die<slots, 0>, both_die},
    {"mpsc slots: of two producers both may die, at 2^31",
     producers_die<slots, starts<slots>[1]>, both_die},
    {"mpsc slots: of two producers both may die, at 2^32",
     producers_die<slots, starts<slots>[2]>, both_die},
    {"mpsc slots: of two producers both may die, where intents wrap",
     producers_die<slots, (std::uint64_t{1} << 35) - 1>, both_die},
    {"mpsc bytes: a batch of the dead is whole or not there", batch_dies<small_records>, both_die},
    {"mpsc slots: a batch of the dead is whole or not there", batch_dies<slot_values<4>>, both_die},
    {"mpsc bytes: a claim of the living is pending", living_is_pending<wide_records, false>},
    {"mpsc bytes: a claim is not its successor's", living_is_pending<wide_records, true>},
    {"mpsc slots: a claim of the living is pending", living_is_pending<slots, false>},
    {"mpsc slots: a claim is not its successor's", living_is_pending<slots, true>},
    {"mpsc bytes: a place changes hands", place_changes_hands<wide_records>,
     {.preemptions = 3, .kills = 1, .killable = 1U << 1}},
    {"mpsc slots: a place changes hands", place_changes_hands<slots>,
     {.preemptions = 3, .kills = 1, .killable = 1U << 1}},
    {"mpsc bytes: a recovery that dies is finished by the next", recovery_dies<wide_records, false>,
     both_die},
    {"mpsc slots: a recovery that dies is finished by the next", recovery_dies<slots, false>,
     both_die},
    {"mpsc slots: a recovery of a batch that dies is finished by the next",
     recovery_dies<slots, true>, both_die},
    {"mpsc bytes: the dead are skipped while others write", recovered_meanwhile<wide_records>,
     first_of_three},
    {"mpsc slots: the dead are skipped while others write", recovered_meanwhile<slots>,
     first_of_three},
    {"mpsc bytes: a late commit is stale", late_commit<wide_records>, {.hostile = true}},
    {"mpsc slots: a late commit is stale", late_commit<slots>},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
