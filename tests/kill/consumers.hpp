// SPDX-License-Identifier: MIT
/// The consumer of a ring dies. Its successor reads on, and the producer writes on.
#pragma once

#include "kill/rings.hpp"
#include "support/child_process.hpp"

namespace weir::test::kills {

/// `Operation`: run(ring, stage), in the child, takes the role and begins and ends the stage.
/// may_show: how many records the dead one may have let go of; must_show: how many it has, for good.
template <class Kind, class Operation>
class consumer_dies : public scenario {
 public:
  explicit consumer_dies(const fill& how) : there_{how}, producer_{there_.ring.producer().value()} {
    const auto records = how.near_the_end ? 3 : how.records;
    before_ = write_some<Kind>(producer_, predecessor, 0, records);
  }

  void operate(stage& here) override { Operation::template run<Kind>(there_.ring, here); }

  void survive(const stage& here, const death& end, verdict& found) override {
    auto next = there_.ring.consumer();
    if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
    seen_records seen;
    seen.begins_anywhere = true;
    const auto outcome = read_everything<Kind>(*next, seen);
    const bool closed = there_.ring.closed();
    demand_order(seen, found);
    found.moves(outcome == (closed ? status::closed : status::empty), name(outcome));
    found.kept(!seen.first || seen.count[predecessor] == before_, "the newest record");
    const auto first = seen.first.value_or(before_);
    found.kept(first <= here.may(), "a record that nobody had let go of");
    found.whole(first >= here.must(), "a record again, after it was let go of");
    found.outcome(closed ? "closed" : first != 0 ? "released" : "all again");
    if (end.how == ending::finished && Operation::closes) found.kept(closed, "the close");
    if (closed) {
      found.moves(Kind::write(producer_, own) == status::closed, "a producer is not told");
    } else {
      go_on(*next, found);
    }
    found.whole(there_.memory.intact(), "bytes beside the ring");
  }

 private:
  static constexpr auto own = first_number[victim_itself];

  /// More than a lap.
  template <class Consumer>
  void go_on(Consumer& consumer, verdict& found) {
    seen_records seen;
    for (std::uint32_t number = 0; number < 2 * Kind::capacity / (Kind::frames ? 32 : 1);
         ++number) {
      const auto wrote = write_some<Kind>(producer_, successor, number, 1);
      if (!found.moves(wrote == 1, "no room to write")) return;
      const auto outcome = read_everything<Kind>(consumer, seen);
      if (!found.moves(outcome == status::empty, name(outcome))) return;
      found.kept(seen.count[successor] == number + 1, "what the producer wrote");
    }
    demand_order(seen, found);
  }

  using ring_type = typename Kind::ring_type;
  ring_in_place<Kind> there_;
  typename ring_type::template producer_type<> producer_;
  std::uint32_t before_ = 0;
};

/// As `fills`, and first the one in which there is most to do.
inline constexpr std::array reader_fills{fills[3], fills[0], fills[1],
                                         fills[2], fills[4], fills[5]};

struct peek_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto consumer = ring.consumer().value();
    here.begin();
    const auto record = consumer.try_peek();
    here.end(record);
    sleep_until_killed();
  }
};

/// Lets go of one record, and says so to the producer.
struct release_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto consumer = ring.consumer().value();
    auto record = consumer.try_peek();
    const bool any = static_cast<bool>(record);
    if (any) here.may_show(1);
    here.begin();
    record.release();
    consumer.flush();
    if (any) here.must_show(1);
    here.end();
    sleep_until_killed();
  }
};

struct drain_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto consumer = ring.consumer().value();
    std::uint32_t shown = 0;
    here.begin();
    static_cast<void>(consumer.drain([&](const auto&) { here.may_show(++shown); }, 4));
    consumer.flush();
    here.must_show(shown);
    here.end();
    sleep_until_killed();
  }
};

struct shut_operation {
  static constexpr bool closes = true;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto consumer = ring.consumer().value();
    here.may_show(1);
    consumer.try_peek().release();
    here.begin();
    consumer.close();
    here.end();
    sleep_until_killed();
  }
};

/// Takes the role and gives it back.
struct reader_role_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    here.begin();
    {
      const auto consumer = ring.consumer();
    }
    here.end();
    sleep_until_killed();
  }
};

template <class Kind, class Operation>
void add_consumer(catalog& all, const char* operation, thoroughness how) {
  add_states<consumer_dies<Kind, Operation>>(all, how, Kind::name, operation, reader_fills);
}

template <class Kind>
void add_consumers(catalog& all) {
  add_consumer<Kind, peek_operation>(all, "peek", central);
  add_consumer<Kind, release_operation>(all, "release", central);
  add_consumer<Kind, drain_operation>(all, "drain", composed);
  add_consumer<Kind, shut_operation>(all, "close_reader", composed);
  add_consumer<Kind, reader_role_operation>(all, "take_consumer", slow);
}

}  // namespace weir::test::kills
