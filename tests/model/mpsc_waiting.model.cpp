// SPDX-License-Identifier: MIT
// Rings for many producers: who sleeps is woken, what is dropped is counted, and how they close.
//
// Proved   no record, space, close or stop leaves a sleeper asleep, under both fences, with one and two
//          producers or sleepers; drop_newest counts exactly what it drops; every record that was committed
//          is read before `closed`, or counted as discarded by the consumer that closed, or still there.
//          Two threads: every execution; three: up to three preemptions.
// Not here how long it takes; deaths (mpsc_recovery).
#include "model/mpsc_sides.hpp"

#include <optional>

namespace {

using namespace weir;
using namespace weir::model;

using wide_records = byte_records<24>;  // two in the ring
using slots = slot_values<2>;
using waits = wait_for_space<park_now>;

constexpr auto fenced = wake_protocol::fenced;
constexpr auto asymmetric = wake_protocol::asymmetric;

/// The consumer sleeps until there is a record, again and again.
template <class Kind, wake_protocol Wake>
void sleeping_consumer(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1, .wake = Wake});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.template consumer<park_now>().value(); });
  history written, seen;
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      run.check(write<Kind>(producer, value, written) == status::ok, "there is room");
      if (Wake == wake_protocol::at_flush) producer.flush();
    }
  });
  run.thread("consumer", [&] {
    while (seen.count() < 2) {
      run.check(consumer.wait() == status::ok, "a wait ends with a record");
      run.check(read(consumer, seen) == status::ok, "which is still there");
    }
  });
  if (run.go()) check_same(run, written, seen, 0);
}

/// The same with two producers.
template <class Kind, wake_protocol Wake>
void sleeping_consumer_of_two(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .wake = Wake});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.template consumer<park_now>().value(); });
  std::array<history, 2> written;
  history seen;
  run.thread("one", [&] { static_cast<void>(write<Kind>(one, 1, written[0])); });
  run.thread("two", [&] { static_cast<void>(write<Kind>(two, 2, written[1])); });
  run.thread("consumer", [&] {
    while (seen.count() < 2) {
      run.check(consumer.wait() == status::ok, "a wait ends with a record");
      static_cast<void>(read_all(consumer, seen));
    }
  });
  if (!run.go()) return;
  written[0].append(written[1]);
  check_same(run, written[0], seen, 0);
}

/// The ring is full; `Sleepers` producers sleep until there is room.
template <class Kind, wake_protocol Wake, std::size_t Sleepers>
void sleeping_producers(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .wake = Wake});
  history written, seen;
  std::array<history, 2> late;
  auto one = run.as(1, [&] { return ring.producer(waits{}).value(); });
  auto two = run.as(2, [&] { return ring.producer(waits{}).value(); });
  auto consumer = run.as(Sleepers + 1, [&] { return ring.consumer().value(); });
  run.as(1, [&] {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      static_cast<void>(write<Kind>(one, value, written));
    }
  });
  const auto produce = [&](auto& producer, std::size_t who) {
    auto claim = Kind::wait_and_claim(producer, nullptr);
    run.check(claim.status() == status::ok, "a wait ends with room");
    fill(claim.bytes(), 10 + who);
    late[who].add(10 + who, claim.commit().record.sequence);
  };
  run.thread("one", [&] { produce(one, 0); });
  if (Sleepers == 2) run.thread("two", [&] { produce(two, 1); });
  run.thread("consumer", [&] {
    while (seen.count() < 2) static_cast<void>(read(consumer, seen));
    consumer.flush();
  });
  if (!run.go()) return;
  run.check(read_all(consumer, seen) == status::empty, "and then nothing");
  written.append(late[0]), written.append(late[1]);
  check_same(run, written, seen, 0);
}

/// Drops run by run while the consumer reads: each report stands for exactly what is missing before it.
void drops_are_reported(model::run& run) {
  using kind = byte_records<8>;
  constexpr std::uint64_t attempts = 4;
  const auto ring = format<kind>(run, {.producers = 1});
  history before, written;
  auto producer = run.as(
      1, [&] { return ring.producer(drop_newest{.low_water = 16, .report = true}).value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  run.as(1, [&] {
    for (std::uint64_t value = 91; value <= 93; ++value) {
      static_cast<void>(write<kind>(producer, value, before));
    }
  });
  std::uint64_t next = 1, counted = 0;
  const auto take = [&] {
    auto record = consumer.try_peek();
    if (!record) return false;
    const auto value = value_of(record.bytes());
    if (record.type() == record_type::dropped) {
      next += value, counted += value;
    } else if (value < 90) {
      run.check(value == next++, "a record is missing only where a report says so");
    }
    record.release();
    return true;
  };
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= attempts; ++value) {
      static_cast<void>(write<kind>(producer, value, written));
    }
  });
  run.thread("consumer", [&] {
    for (int looks = 0; looks < 3; ++looks) static_cast<void>(take());
  });
  if (!run.go()) return;
  while (take()) {
  }
  run.check(written.count() + producer.dropped() == attempts, "each record is written or dropped");
  run.check(counted <= producer.dropped(), "nothing is reported twice");
  run.check(next + (producer.dropped() - counted) == attempts + 1, "all drops are reported or due");
}

/// Two producers, one of which closes: the consumer reads what was committed, then sees the end.
template <class Kind, wake_protocol Wake, class Wait>
void producer_closes(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .wake = Wake});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.template consumer<Wait>().value(); });
  history written, seen;
  status outcome{}, last{};
  run.thread("closer", [&] { one.close(); });
  run.thread("writer", [&] { outcome = write<Kind>(two, 2, written); });
  run.thread("consumer", [&] {
    while ((last = read_all(consumer, seen)) == status::empty) {
      if constexpr (Wait::parks) {
        static_cast<void>(consumer.wait());
      } else {
        model_memory::pause();
      }
    }
  });
  if (!run.go()) return;
  run.check(last == status::closed, "the consumer sees the end");
  run.check(outcome == status::ok || outcome == status::closed, "a claim is made or too late");
  run.check((outcome == status::ok) == (written.count() == 1),
            "a claim that was made is committed");
  check_same(run, written, seen, 0);
  run.check(write<Kind>(two, 3, written) == status::closed, "behind the end nothing is claimed");
}

/// The consumer reads one record at most, closes and goes, while two producers write.
template <class Kind>
void consumer_closes(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  std::optional consumer{run.as(3, [&] { return ring.consumer().value(); })};
  std::array<history, 2> written;
  history seen;
  run.thread("one", [&] {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      static_cast<void>(write<Kind>(one, value, written[0]));
    }
  });
  run.thread("two", [&] { static_cast<void>(write<Kind>(two, 10, written[1])); });
  run.thread("consumer", [&] {
    consumer->close();
    static_cast<void>(read(*consumer, seen));
    consumer.reset();
  });
  if (!run.go()) return;
  const auto discarded = ring.statistics().discarded;
  auto successor = ring.consumer().value();
  const auto shown = seen.count();
  run.check(read_all(successor, seen) == status::closed, "a successor comes to the end");
  written[0].append(written[1]);
  run.check(seen.count() + discarded == written[0].count(), "what is not read is counted");
  const auto all = written[0].sorted_from(0);
  for (std::size_t i = 0; i < seen.count(); ++i) {
    run.check(seen.value(i) == all.value(i < shown ? i : i + discarded), "all others are read");
  }
}

/// A consumer with nothing to read and a producer without room sleep; a third thread closes both rings.
template <class Kind, wake_protocol Wake>
void sleepers_are_told(model::run& run) {
  const auto full = format<Kind>(run, {.producers = 1, .wake = Wake});
  const auto none = format<Kind>(run, {.producers = 1, .wake = Wake});
  history ignored;
  auto producer = run.as(1, [&] { return full.producer(waits{}).value(); });
  auto consumer = run.as(2, [&] { return none.template consumer<park_now>().value(); });
  auto closer = run.as(3, [&] { return none.producer().value(); });
  auto reader = run.as(3, [&] { return full.consumer().value(); });
  run.as(1, [&] {
    while (write<Kind>(producer, 1, ignored) == status::ok) {
    }
  });
  run.thread("producer", [&] {
    const auto outcome = Kind::wait_and_claim(producer, nullptr).status();
    run.check(outcome == status::closed, "the producer is told");
  });
  run.thread("consumer",
             [&] { run.check(consumer.wait() == status::closed, "the consumer is told"); });
  run.thread("third", [&] { reader.close(), closer.close(); });
  static_cast<void>(run.go());
}

/// A sleeper is told to stop, and sees what was done before.
template <class Kind, wake_protocol Wake, bool Consumer>
void sleeper_is_stopped(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1, .wake = Wake});
  auto& stop = run.object<stop_word>();
  auto& why = run.object<std::uint32_t>();
  history ignored;
  auto producer = run.as(1, [&] { return ring.producer(waits{}).value(); });
  auto consumer = run.as(1, [&] { return ring.template consumer<park_now>().value(); });
  run.as(1, [&] {
    while (!Consumer && write<Kind>(producer, 1, ignored) == status::ok) {
    }
  });
  run.thread("sleeper", [&] {
    const auto outcome = Consumer ? consumer.wait(no_deadline, &stop)
                                  : Kind::wait_and_claim(producer, &stop).status();
    run.check(outcome == status::stopped, "the sleeper is told");
    std::uint32_t seen = 0;
    model_memory::copy_out(&seen, &why, sizeof seen);
    run.check(seen == 7, "and sees what preceded the stop");
  });
  run.thread("stopper", [&] {
    const std::uint32_t reason = 7;
    model_memory::copy_in(&why, &reason, sizeof reason);
    ring.request_stop(stop);
  });
  static_cast<void>(run.go());
}

/// A producer that sleeps is told of the end by another producer.
template <class Kind, wake_protocol Wake>
void producer_is_told_by_producer(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2, .wake = Wake});
  history ignored;
  auto one = run.as(1, [&] { return ring.producer(waits{}).value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  run.as(1, [&] {
    while (write<Kind>(one, 1, ignored) == status::ok) {
    }
  });
  run.thread("sleeper", [&] {
    run.check(Kind::wait_and_claim(one, nullptr).status() == status::closed, "it learns the end");
  });
  run.thread("closer", [&] { two.close(); });
  static_cast<void>(run.go());
}

constexpr bounds three_threads{.preemptions = 3};

constexpr model::scenario scenarios[] = {
    {"mpsc bytes: a sleeping consumer gets every record, fenced",
     sleeping_consumer<wide_records, fenced>},
    {"mpsc bytes: a sleeping consumer gets every record, asymmetric",
     sleeping_consumer<wide_records, asymmetric>},
    {"mpsc bytes: a sleeping consumer gets every record, at flush",
     sleeping_consumer<wide_records, wake_protocol::at_flush>},
    {"mpsc slots: a sleeping consumer gets every record, fenced", sleeping_consumer<slots, fenced>},
    {"mpsc slots: a sleeping consumer gets every record, asymmetric",
     sleeping_consumer<slots, asymmetric>},
    {"mpsc bytes: two producers wake the consumer, fenced",
     sleeping_consumer_of_two<wide_records, fenced>, three_threads},
    {"mpsc bytes: two producers wake the consumer, asymmetric",
     sleeping_consumer_of_two<wide_records, asymmetric>, three_threads},
    {"mpsc slots: two producers wake the consumer, spurious wake-ups",
     sleeping_consumer_of_two<slots, fenced>,
     {.preemptions = 2, .spurious_wakes = 1}},
    {"mpsc bytes: a sleeping producer gets room, fenced",
     sleeping_producers<wide_records, fenced, 1>},
    {"mpsc slots: a sleeping producer gets room, asymmetric",
     sleeping_producers<slots, asymmetric, 1>},
    {"mpsc bytes: two sleeping producers get room, fenced",
     sleeping_producers<wide_records, fenced, 2>, three_threads},
    {"mpsc bytes: two sleeping producers get room, asymmetric",
     sleeping_producers<wide_records, asymmetric, 2>, three_threads},
    {"mpsc slots: two sleeping producers get room, fenced", sleeping_producers<slots, fenced, 2>,
     three_threads},
    {"mpsc bytes: what is dropped is counted and reported", drops_are_reported},
    {"mpsc bytes: what was committed is read before the end",
     producer_closes<wide_records, fenced, poll>, three_threads},
    {"mpsc slots: what was committed is read before the end", producer_closes<slots, fenced, poll>,
     three_threads},
    {"mpsc bytes: a sleeping consumer comes to the end",
     producer_closes<wide_records, fenced, park_now>, three_threads},
    {"mpsc slots: a sleeping consumer comes to the end",
     producer_closes<slots, asymmetric, park_now>, three_threads},
    {"mpsc bytes: a consumer that closes counts what it leaves", consumer_closes<wide_records>,
     three_threads},
    {"mpsc slots: a consumer that closes counts what it leaves", consumer_closes<slots>,
     three_threads},
    {"mpsc bytes: closing ends both sides' sleep", sleepers_are_told<wide_records, fenced>,
     three_threads},
    {"mpsc bytes: a stop ends the consumer's sleep",
     sleeper_is_stopped<wide_records, fenced, true>},
    {"mpsc slots: a stop ends the producer's sleep", sleeper_is_stopped<slots, asymmetric, false>},
    {"mpsc bytes: a producer's close ends another one's sleep",
     producer_is_told_by_producer<wide_records, fenced>},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
