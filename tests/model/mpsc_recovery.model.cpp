// SPDX-License-Identifier: MIT
// Rings for many producers whose producers die: what they claimed is skipped, and nothing else.
//
// Proved   a producer is killed before any step of one write or batch; two of them one behind the other; the
//          consumer recovers meanwhile or afterwards, and is killed over that. Then: what is read is whole,
//          in the order of the claims, and holds all that was committed; the dead one's place can be taken;
//          the ring holds as much as ever. A living one's record is never skipped.
// Bounds   one record or one batch each; two threads: every execution, three: two preemptions; at most two
//          deaths.
// Not here who takes over a role (mpsc_successor).
#include "model/mpsc_deaths.hpp"

#include <optional>

namespace {

using namespace weir;
using namespace weir::model;

/// Two producers, of which some die; the consumer comes afterwards.
template <class Kind, std::uint64_t Start>
void producers_die(model::run& run) {
  const auto ring =
      format<Kind>(run, {.producers = 3, .recoverable = true, .start_position = Start});
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

/// A producer may die while the consumer, which writes a record of its own, recovers and reads.
template <class Kind>
void recovered_meanwhile(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .recoverable = true});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  std::array<history, 2> written;
  history seen;
  std::uint32_t claims = 0;
  run.thread("dies", [&] { static_cast<void>(write<Kind>(one, 1, written[0])); });
  run.thread("consumer", [&] {
    run.check(write<Kind>(two, 2, written[1]) == status::ok, "the living are not skipped");
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

/// A producer may die over its commit, while another one writes behind it and the consumer recovers.
template <class Kind>
void others_are_spared(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .recoverable = true});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.consumer().value(); });
  auto open = run.as(1, [&] { return Kind::claim(one); });
  history written, seen;
  recovered done;
  run.thread("dies", [&] {
    fill(open.bytes(), 1);
    run.check(open.commit().outcome == status::ok, "the living are not skipped");
    written.add(1, 0);
  });
  run.thread("lives", [&] {
    history mine;
    run.check(write<Kind>(two, 2, mine) == status::ok, "the living are not skipped");
  });
  run.thread("consumer", [&] { done = consumer.recover(); });
  if (!run.go()) return;
  run.check(done.outcome != status::corrupt, "the ring is not damaged");
  run.check(done.outcome != status::empty || done.claims != 0, "something is in the way");
  const auto claims = done.claims + clean_up(run, consumer, seen, by_system);
  run.check(claims + seen.count() == 2 && seen.has(2), "the claim of the dead, or its record");
  run.check(claims == 0 || run.was_killed(1), "only the dead are skipped");
  check_seen(run, written, seen, 0, 2);
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
    run.check(first.recover().outcome != status::corrupt, "the ring is not damaged");
    static_cast<void>(read_all(first, seen));
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

constexpr bounds both_die{.kills = 2};
constexpr bounds first_dies{.kills = 1, .killable = 1U << 1};
constexpr bounds first_of_three{.preemptions = 2, .kills = 1, .killable = 1U << 1};

constexpr model::scenario scenarios[] = {
    {"mpsc bytes: of two producers both may die", producers_die<wide_records, 0>, both_die},
    {"mpsc bytes: of two producers both may die, over the end at 2^31",
     producers_die<wide_records, starts<wide_records>[1]>, both_die},
    {"mpsc bytes: of two producers both may die, over the end at 2^32",
     producers_die<wide_records, starts<wide_records>[2]>, both_die},
    {"mpsc bytes: of two producers both may die, where intents wrap",
     producers_die<wide_records, (std::uint64_t{1} << 38) - 32>, both_die},
    {"mpsc slots: of two producers both may die", producers_die<slots, 0>, both_die},
    {"mpsc slots: of two producers both may die, at 2^31", producers_die<slots, starts<slots>[1]>,
     both_die},
    {"mpsc slots: of two producers both may die, at 2^32", producers_die<slots, starts<slots>[2]>,
     both_die},
    {"mpsc slots: of two producers both may die, where intents wrap",
     producers_die<slots, (std::uint64_t{1} << 35) - 1>, both_die},
    {"mpsc bytes: a batch of the dead is whole or not there", batch_dies<small_records>, both_die},
    {"mpsc slots: a batch of the dead is whole or not there", batch_dies<slot_values<4>>, both_die},
    {"mpsc bytes: a recovery that dies is finished by the next", recovery_dies<wide_records, false>,
     both_die},
    {"mpsc slots: a recovery that dies is finished by the next", recovery_dies<slots, false>,
     both_die},
    {"mpsc slots: a recovery of a batch that dies is finished by the next",
     recovery_dies<slots, true>, both_die},
    {"mpsc bytes: the dead are skipped while others write", recovered_meanwhile<wide_records>,
     first_dies},
    {"mpsc slots: the dead are skipped while others write", recovered_meanwhile<slots>, first_dies},
    {"mpsc slots: who writes beside the dead is spared", others_are_spared<slots>, first_of_three},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
