// SPDX-License-Identifier: MIT
// Rings for many producers, without deaths: claims, records, space that comes round, sleeping, closing.
//
// Proved   for one or two producers with up to two records each, and a consumer, in rings of two to four
//          records: each record is read once, whole, in the order of the claims; space is reused only
//          after it was given back and cleared; nobody sleeps on; what is committed before the end is
//          read or counted. Two threads: every execution; three: up to three or four preemptions.
// Not here deaths (mpsc_recovery), longer runs, several laps (tests/stress).
#include "model/mpsc_sides.hpp"

namespace {

using namespace weir;
using namespace weir::model;

using wide_records = byte_records<24>;  // two in the ring
using small_records = byte_records<8>;  // four in the ring
using long_records = byte_records<16>;  // of 24 bytes: the third one runs over the end
using slots = slot_values<2>;

/// Each of two producers writes, nobody reads meanwhile.
template <class Kind, std::size_t Start>
void two_producers(model::run& run) {
  constexpr auto start = starts<Kind>[Start];
  const auto ring = format<Kind>(run, {.producers = 2, .start_position = start});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  std::array<history, 2> written;
  std::array<int, 2> full{};
  const auto produce = [&](auto& producer, std::size_t who) {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      const auto outcome = write<Kind>(producer, 10 * (who + 1) + value, written[who]);
      full[who] += outcome == status::full ? 1 : 0;
    }
  };
  run.thread("one", [&] { produce(one, 0); });
  run.thread("two", [&] { produce(two, 1); });
  if (!run.go()) return;
  auto consumer = ring.consumer().value();
  history seen;
  run.check(read_all(consumer, seen) == status::empty, "behind the last record the ring is empty");
  run.check(seen.count() + static_cast<std::size_t>(full[0] + full[1]) == 4 &&
                seen.count() == std::min<std::size_t>(Kind::records, 4),
            "a claim fails only where the ring is full");
  written[0].append(written[1]);
  check_same(run, written[0], seen, first_sequence<Kind>(start));
}

/// One producer writes more than the ring holds, while the consumer reads.
template <class Kind, std::size_t Start, std::uint64_t Records>
void round_and_round(model::run& run) {
  constexpr auto start = starts<Kind>[Start];
  const auto ring = format<Kind>(run, {.producers = 1, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written, seen;
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= Records; ++value) {
      write_soon<Kind>(producer, value, written);
    }
  });
  run.thread("consumer", [&] {
    while (seen.count() < Records) {
      if (read(consumer, seen) == status::empty) model_memory::pause();
    }
  });
  if (run.go()) check_same(run, written, seen, first_sequence<Kind>(start));
}

/// The same by drain(), which shows all that is there.
template <class Kind>
void drained(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written;
  std::uint64_t next = 1;
  const auto show = [&](const auto& record) {
    if constexpr (requires { record.bytes; }) {
      run.check(value_of(record.bytes) == next++, "records come whole and in order");
    } else {
      run.check(record == next++, "values come whole and in order");
    }
  };
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= 3; ++value) write_soon<Kind>(producer, value, written);
  });
  run.thread("consumer", [&] {
    while (next <= 3) {
      if (consumer.drain(show).records == 0) model_memory::pause();
    }
  });
  static_cast<void>(run.go());
}

/// The same by try_read(), which copies values out.
template <class Kind>
void taken(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written;
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= 3; ++value) write_soon<Kind>(producer, value, written);
  });
  run.thread("consumer", [&] {
    for (std::uint64_t next = 1, value = 0; next <= 3;) {
      if (consumer.try_read(value) != status::ok) {
        model_memory::pause();
      } else {
        run.check(value == next++, "values come whole and in order");
      }
    }
  });
  static_cast<void>(run.go());
}

/// A descriptor comes by another way, which need not synchronize: its record is found behind another
/// producer's.
template <class Kind>
void redeemed(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2});
  auto& sent = *reinterpret_cast<std::uint32_t*>(run.bytes(4).data());
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.consumer().value(); });
  history ignored;
  descriptor named;
  run.thread("one", [&] { static_cast<void>(write<Kind>(one, 1, ignored)); });
  run.thread("two", [&] {
    auto claim = Kind::claim(two);
    fill(claim.bytes(), 2);
    named = claim.commit().record;
    model_memory::store(&sent, 1, std::memory_order_relaxed);
  });
  run.thread("consumer", [&] {
    while (model_memory::load(&sent, std::memory_order_relaxed) == 0) model_memory::pause();
    auto record = consumer.redeem(named);
    if (record.status() == status::empty) return;  // it is not seen yet, or the one before it
    run.check(record.status() == status::ok && value_of(record.bytes()) == 2, "the one it names");
  });
  static_cast<void>(run.go());
}

/// A descriptor names the second of a batch, of which only the first one is published by itself.
template <class Kind>
void redeemed_of_batch(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  descriptor named;
  run.as(1, [&] {  // a lap before, to learn where the second one lies
    for (int i = 0; i < 2; ++i) named = Kind::claim(producer).commit().record;
  });
  history ignored;
  run.as(2, [&] { static_cast<void>(read_all(consumer, ignored)); });
  named.sequence += 2 * Kind::sequences;
  run.thread("producer", [&] { run.check(Kind::write_two(producer, 10) == 2, "a batch fits"); });
  run.thread("consumer", [&] {
    auto record = consumer.redeem(named);
    if (record.status() == status::empty) return;
    run.check(record.status() == status::ok && value_of(record.bytes()) == 11, "the one it names");
  });
  static_cast<void>(run.go());
}

/// Two producers and the consumer, all at once.
template <class Kind, std::size_t Start>
void two_producers_and_consumer(model::run& run) {
  constexpr auto start = starts<Kind>[Start];
  const auto ring = format<Kind>(run, {.producers = 2, .start_position = start});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.consumer().value(); });
  std::array<history, 2> written;
  history seen;
  run.thread("one", [&] { write_soon<Kind>(one, 1, written[0]); });
  run.thread("two", [&] {
    for (std::uint64_t value = 2; value <= 3; ++value) write_soon<Kind>(two, value, written[1]);
  });
  run.thread("consumer", [&] {
    while (seen.count() < 3) {
      if (read(consumer, seen) == status::empty) model_memory::pause();
    }
  });
  if (!run.go()) return;
  written[0].append(written[1]);
  check_same(run, written[0], seen, first_sequence<Kind>(start));
}

/// A claim is given up, and one shrinks: the consumer sees neither what was given up nor a gap.
template <class Kind>
void given_up(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 1});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history written, seen;
  run.thread("producer", [&] {
    {
      auto open = Kind::claim(producer);
      fill(open.bytes(), 99);
    }
    write_soon<Kind>(producer, 1, written);
    static_cast<void>(Kind::claim(producer));
    write_soon<Kind>(producer, 2, written);
  });
  run.thread("consumer", [&] {
    while (seen.count() < 2) {
      if (read(consumer, seen) == status::empty) model_memory::pause();
    }
  });
  if (!run.go()) return;
  check_same(run, written, seen, 0);
}

/// A claim of 16 bytes that runs over the end ends up with 8, in front of it: nothing is left beyond.
void shrunk_at_the_end(model::run& run) {
  const auto ring = format<long_records>(run, {.producers = 1, .start_position = 48});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  history seen;
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= 3;) {
      auto claim = long_records::claim(producer);
      if (!claim) {
        model_memory::pause();
        continue;
      }
      fill(claim.bytes(), value++);
      static_cast<void>(claim.shrink(8));
      run.check(claim.commit().outcome == status::ok, "a claim is committed");
    }
  });
  run.thread("consumer", [&] {
    while (seen.count() < 3) {
      if (read(consumer, seen) == status::empty) model_memory::pause();
    }
  });
  if (!run.go()) return;
  for (std::size_t i = 0; i < 3; ++i) run.check(seen.value(i) == i + 1, "values come in order");
}

/// A batch beside another producer: shown whole, and nothing in between.
template <class Kind>
void batch(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  auto consumer = run.as(3, [&] { return ring.consumer().value(); });
  history written, seen;
  run.thread("batch", [&] { run.check(Kind::write_two(one, 10) == 2, "a batch fits"); });
  run.thread("other", [&] { write_soon<Kind>(two, 1, written); });
  run.thread("consumer", [&] {
    while (seen.count() < 3) {
      const auto before = seen.count();
      if (read(consumer, seen) == status::empty) model_memory::pause();
      if (seen.count() != before && seen.value(before) == 10) {
        run.check(read(consumer, seen) == status::ok && seen.value(before + 1) == 11,
                  "a batch is shown whole");
      }
    }
  });
  if (!run.go()) return;
  run.check(seen.has(1) && seen.has(10) && seen.has(11), "every record is read");
}

/// Two producers, one place left: one of them gets it, and the other one learns that there is none.
template <class Kind>
void last_place(model::run& run) {
  const auto ring = format<Kind>(run, {.producers = 2});
  auto one = run.as(1, [&] { return ring.producer().value(); });
  auto two = run.as(2, [&] { return ring.producer().value(); });
  history before;
  for (std::uint64_t value = 1; value < Kind::records; ++value) {
    static_cast<void>(write<Kind>(one, value, before));
  }
  std::array<history, 2> written;
  std::array<status, 2> outcome{};
  run.thread("one", [&] { outcome[0] = write<Kind>(one, 10, written[0]); });
  run.thread("two", [&] { outcome[1] = write<Kind>(two, 20, written[1]); });
  if (!run.go()) return;
  run.check((outcome[0] == status::ok && outcome[1] == status::full) ||
                (outcome[0] == status::full && outcome[1] == status::ok),
            "one gets the last place");
  auto consumer = ring.consumer().value();
  history seen;
  run.check(read_all(consumer, seen) == status::empty && seen.count() == Kind::records,
            "nothing is overwritten");
  before.append(written[0]), before.append(written[1]);
  check_same(run, before, seen, 0);
}

constexpr bounds three_threads{.preemptions = 3};

constexpr model::scenario scenarios[] = {
    {"mpsc bytes: two producers alone, none overwrites", two_producers<small_records, 0>},
    {"mpsc bytes: two producers alone, at 2^31", two_producers<small_records, 1>},
    {"mpsc bytes: two producers alone, at 2^32", two_producers<small_records, 2>},
    {"mpsc bytes: two producers fill the ring", two_producers<wide_records, 0>},
    {"mpsc slots: two producers fill the ring", two_producers<slots, 0>},
    {"mpsc slots: two producers fill the ring, at 2^31", two_producers<slots, 1>},
    {"mpsc slots: two producers fill the ring, at 2^32", two_producers<slots, 2>},
    {"mpsc bytes: one gets the last place", last_place<wide_records>},
    {"mpsc slots: one gets the last place", last_place<slots>},
    {"mpsc bytes: space is reused once it is clear", round_and_round<wide_records, 0, 3>},
    {"mpsc bytes: records run over the end, at 2^31", round_and_round<long_records, 1, 3>},
    {"mpsc bytes: records run over the end, at 2^32", round_and_round<long_records, 2, 3>},
    {"mpsc slots: slots are reused once they were read", round_and_round<slots, 0, 3>},
    {"mpsc slots: slots are reused, at 2^31", round_and_round<slots, 1, 3>},
    {"mpsc slots: slots are reused, at 2^32", round_and_round<slots, 2, 3>},
    {"mpsc bytes: a drain shows every record", drained<wide_records>},
    {"mpsc slots: a drain shows every value", drained<slots>},
    {"mpsc slots: every value is taken", taken<slots>},
    {"mpsc slots: every value is taken, without bookkeeping", taken<slot_values<16>>},
    {"mpsc bytes: a descriptor finds its record", redeemed<wide_records>, three_threads},
    {"mpsc slots: a descriptor finds its value", redeemed<slots>, three_threads},
    {"mpsc bytes: a descriptor finds the second of a batch", redeemed_of_batch<wide_records>},
    {"mpsc slots: a descriptor finds the second of a batch", redeemed_of_batch<slots>},
    {"mpsc bytes: what is given up is skipped", given_up<wide_records>},
    {"mpsc slots: what is given up is skipped", given_up<slots>},
    {"mpsc bytes: a claim shrinks in front of the end", shrunk_at_the_end},
    {"mpsc bytes: two producers and the consumer", two_producers_and_consumer<wide_records, 0>,
     three_threads},
    {"mpsc bytes: two producers and the consumer, at 2^31",
     two_producers_and_consumer<wide_records, 1>, three_threads},
    {"mpsc slots: two producers and the consumer", two_producers_and_consumer<slots, 0>,
     three_threads},
    {"mpsc slots: two producers and the consumer, at 2^32", two_producers_and_consumer<slots, 2>,
     three_threads},
    {"mpsc bytes: a batch is shown whole", batch<small_records>, three_threads},
    {"mpsc slots: a batch is shown whole", batch<slot_values<4>>, three_threads},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
