// SPDX-License-Identifier: MIT
/// A producer of a ring dies. The consumer, and in a ring for many a second producer, go on.
#pragma once

#include "kill/rings.hpp"
#include "support/child_process.hpp"

namespace weir::test::kills {

/// `Operation`: operate(ring, stage), in the child, takes the role and begins and ends the stage.
template <class Kind, class Operation>
class producer_dies : public scenario {
 public:
  explicit producer_dies(const fill& how) : there_{how}, consumer_{there_.ring.consumer().value()} {
    auto producer = there_.ring.producer().value();
    before_ = write_some<Kind>(producer, predecessor, 0, how.records);
    if constexpr (Kind::many) other_.emplace(std::move(producer));
  }

  void operate(stage& here) override { Operation::template run<Kind>(there_.ring, here); }

  void survive(const stage& here, const death& end, verdict& found) override {
    std::uint32_t after = 0;
    // Behind what the dead one may have claimed, if there is room.
    if (other_) after += write_some<Kind>(*other_, successor, 0, 1);
    seen_records seen;
    const auto outcome = read_everything<Kind>(consumer_, seen);
    const bool closed = there_.ring.closed();
    demand_order(seen, found);
    found.moves(outcome == (closed ? status::closed : status::empty), name(outcome));
    found.kept(seen.count[predecessor] == before_, "a record of those who wrote before");
    found.kept(seen.count[successor] == after, "the record of the survivor");
    found.kept(seen.count[victim_itself] >= here.must(), "a record that was published");
    found.whole(seen.count[victim_itself] <= here.may(), "a record that was never published");
    found.outcome(closed ? "closed" : seen.count[victim_itself] != 0 ? "published" : "nothing");
    if (end.how == ending::finished && Operation::closes) {
      found.kept(closed, "the end of the stream");
    }
    if (!closed) go_on(seen, found);
    found.whole(there_.memory.intact(), "bytes beside the ring");
  }

 private:
  /// Everybody who can write does, more than a lap.
  void go_on(seen_records& seen, verdict& found) {
    if (other_) {
      auto third = there_.ring.producer();
      found.moves(static_cast<bool>(third), "no slot for a third producer");
      if (!third) return;
    }
    auto next = there_.ring.producer();
    if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
    for (std::uint32_t number = 0; number < 2 * Kind::capacity / (Kind::frames ? 32 : 1);
         ++number) {
      const auto expected = seen.count[successor] + 1;
      auto& writer = other_ && number % 2 == 0 ? *other_ : *next;
      found.moves(write_some<Kind>(writer, successor, expected - 1, 1) == 1, "no room to write");
      const auto outcome = read_everything<Kind>(consumer_, seen);
      if (!found.moves(outcome == status::empty, name(outcome))) return;
      found.kept(seen.count[successor] == expected, "what the successor wrote");
    }
    demand_order(seen, found);
  }

  using ring_type = typename Kind::ring_type;
  ring_in_place<Kind> there_;
  typename ring_type::template consumer_type<> consumer_;
  std::optional<typename ring_type::template producer_type<>> other_;
  std::uint32_t before_ = 0;
};

inline constexpr auto own = first_number[victim_itself];

struct claim_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto producer = ring.producer().value();
    here.begin();
    const auto claim = Kind::claim(producer, own);
    here.end(claim);
    sleep_until_killed();
  }
};

struct commit_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto producer = ring.producer().value();
    auto claim = Kind::claim(producer, own);
    if (!claim) {  // a full ring: nothing to commit
      here.begin();
      here.end();
      sleep_until_killed();
    }
    here.may_show(1);
    here.begin();
    if (Kind::commit(claim, own) == status::ok) here.must_show(1);
    here.end();
    sleep_until_killed();
  }
};

struct write_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto producer = ring.producer().value();
    here.may_show(1);
    here.begin();
    if (Kind::write(producer, own) == status::ok) here.must_show(1);
    here.end();
    sleep_until_killed();
  }
};

struct abort_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto producer = ring.producer().value();
    {
      std::optional claim{Kind::claim(producer, own)};
      if constexpr (Kind::frames) fill_pattern(claim->bytes(), 9999);
      here.begin();
      claim.reset();
    }
    here.end();
    sleep_until_killed();
  }
};

struct batch_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto producer = ring.producer().value();
    here.may_show(3);
    here.begin();
    const auto written = Kind::write_batch(producer, own);
    here.must_show(written);
    here.end();
    sleep_until_killed();
  }
};

struct close_operation {
  static constexpr bool closes = true;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    auto producer = ring.producer().value();
    here.may_show(1);
    if (Kind::write(producer, own) == status::ok) here.must_show(1);
    here.begin();
    producer.close();
    here.end();
    sleep_until_killed();
  }
};

/// Takes the role and gives it back.
struct role_operation {
  static constexpr bool closes = false;
  template <class Kind, class Ring>
  static void run(const Ring& ring, stage& here) {
    here.begin();
    {
      const auto producer = ring.producer();
    }
    here.end();
    sleep_until_killed();
  }
};

template <class Kind, class Operation>
void add_producer(catalog& all, const char* operation, thoroughness how) {
  add_states<producer_dies<Kind, Operation>>(all, how, Kind::name, operation, fills);
}

template <class Kind>
void add_producers(catalog& all) {
  add_producer<Kind, claim_operation>(all, "claim", central);
  add_producer<Kind, commit_operation>(all, "commit", central);
  add_producer<Kind, write_operation>(all, "write", composed);
  add_producer<Kind, abort_operation>(all, "abort", central);
  add_producer<Kind, batch_operation>(all, "write_batch", composed);
  add_producer<Kind, close_operation>(all, "close", composed);
  add_producer<Kind, role_operation>(all, "take_producer", slow);
}

}  // namespace weir::test::kills
