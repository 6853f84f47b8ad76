// SPDX-License-Identifier: MIT
// Rings for many producers: who is taken for dead, and what comes after whoever is.
//
// Proved   the claim of a living producer is pending and never skipped, also while that leaves and comes
//          again; the late commit of one that was declared dead is stale and changes nothing; a dead one's
//          place is given on once its claim is over; a consumer or a closer is killed before any step, and
//          the successor goes on without losing a record.
// Bounds   one to three records; two threads: every execution, or three preemptions where the scenario says
//          so; one death.
// Not here a producer that is declared dead and writes payload all the same: that is not its to do.
#include "model/mpsc_deaths.hpp"

#include <optional>

namespace {

using namespace weir;
using namespace weir::model;

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

/// A place whose holder dies with a claim open is given on after recover(), not before.
template <class Kind>
void place_of_the_dead(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1, .recoverable = true});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  std::array<history, 2> written;
  history seen;
  run.thread("dies", [&] { static_cast<void>(write<Kind>(one, 1, written[0])); });
  run.thread("successor", [&] {
    for (int looks = 0; looks < 2; ++looks) {
      auto taken = ring.producer();
      if (taken) {
        run.check(run.was_killed(1), "a place is given on");
        run.check(write<Kind>(*taken, 2, written[1]) == status::ok, "whole");
        break;
      }
      run.check(taken.status() == status::full, "or is taken");
      static_cast<void>(read(consumer, seen));
      run.check(consumer.recover().outcome != status::corrupt, "the ring is not damaged");
    }
  });
  if (!run.go()) return;
  clean_up(run, consumer, seen, by_system);
  written[0].append(written[1]);
  check_seen(run, written[0], seen, 0, 2);
  const bool left = run.was_killed(1) && written[1].count() == 0;
  check_works_on<Kind>(run, ring, consumer, left || written[1].count() != 0 ? 1 : 0);
}

/// A consumer dies anywhere while a producer writes: its successor goes on, and nothing is lost.
template <class Kind, std::uint64_t Start>
void consumer_dies(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .start_position = Start});
  history written, seen, again;
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto first = run.as(2, [&] { return ring.consumer().value(); });
  run.as(1, [&] {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      static_cast<void>(write<Kind>(producer, value, written));
    }
  });
  run.thread("producer", [&] { static_cast<void>(write<Kind>(producer, 3, written)); });
  run.thread("consumer", [&] {
    for (int looks = 0; looks < 3; ++looks) static_cast<void>(read(first, seen));
  });
  if (!run.go()) return;
  std::optional consumer{std::move(first)};
  if (run.was_killed(2)) consumer.emplace(ring.consumer().value());
  run.check(read_all(*consumer, again) == status::empty, "the ring is not damaged");
  const auto all = written.sorted_from(first_sequence<Kind>(Start));
  const auto known = all.count() - again.count();
  run.check(known <= seen.count(), "what was not shown is not skipped");
  run.check(run.was_killed(2) || known == seen.count(), "what was shown comes again after a death");
  for (std::size_t i = 0; i < seen.count(); ++i) {
    run.check(seen.value(i) == all.value(i), "the first one reads in order");
  }
  for (std::size_t i = 0; i < again.count(); ++i) {
    run.check(again.value(i) == all.value(known + i), "its successor goes on in order");
  }
  check_works_on<Kind>(run, ring, *consumer, 1);
}

/// Whoever closes dies over it: the ring is closed for all, or for nobody.
template <class Kind>
void closer_dies(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written, seen;
  status last{};
  run.thread("closer", [&] { one.close(); });
  run.thread("other", [&] {
    static_cast<void>(write<Kind>(two, 2, written));
    last = read_all(consumer, seen);
  });
  if (!run.go()) return;
  const bool closed = ring.closed();
  run.check(closed || run.was_killed(1), "it is closed");
  const auto now = read_all(consumer, seen);
  run.check(now == (closed ? status::closed : status::empty), "a ring that is closed ends");
  run.check(last == now || last == status::empty, "and stays so");
  run.check(write<Kind>(two, 3, written) == (closed ? status::closed : status::ok),
            "and nothing is claimed behind its end");
}

constexpr bounds first_dies{.kills = 1, .killable = 1U << 1};
constexpr bounds second_dies{.kills = 1, .killable = 1U << 2};
constexpr bounds place_bounds{.preemptions = 2, .kills = 1, .killable = 1U << 1};

constexpr model::scenario scenarios[] = {
    {"mpsc bytes: a claim of the living is pending", living_is_pending<wide_records, false>},
    {"mpsc bytes: a claim is not its successor's", living_is_pending<wide_records, true>},
    {"mpsc slots: a claim of the living is pending", living_is_pending<slots, false>},
    {"mpsc slots: a claim is not its successor's", living_is_pending<slots, true>},
    {"mpsc bytes: a dead one's place is given on whole", place_of_the_dead<wide_records>,
     place_bounds},
    {"mpsc slots: a dead one's place is given on whole", place_of_the_dead<slots>, place_bounds},
    {"mpsc bytes: a successor of the consumer goes on", consumer_dies<wide_records, 0>,
     second_dies},
    {"mpsc bytes: a successor of the consumer goes on, at 2^32",
     consumer_dies<wide_records, starts<wide_records>[2]>, second_dies},
    {"mpsc slots: a successor of the consumer goes on", consumer_dies<slots, 0>, second_dies},
    {"mpsc slots: a successor of the consumer goes on, at 2^31",
     consumer_dies<slots, starts<slots>[1]>, second_dies},
    {"mpsc bytes: whoever closes may die", closer_dies<wide_records>, first_dies},
    {"mpsc slots: whoever closes may die", closer_dies<slots>, first_dies},
    {"mpsc bytes: a late commit is stale",
     late_commit<wide_records>,
     {.preemptions = 3, .hostile = true}},
    {"mpsc slots: a late commit is stale", late_commit<slots>},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
