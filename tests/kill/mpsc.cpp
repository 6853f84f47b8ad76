// SPDX-License-Identifier: MIT
#include "kill/consumers.hpp"
#include "kill/producers.hpp"
#include "support/child_process.hpp"
#include "support/memories.hpp"

namespace weir::test::kills {
namespace {

/// Which producer died, and where, before the consumer that recovers its claim dies too.
struct earlier_death {
  const char* name;
  std::uint32_t access = 0;  ///< into its claim, before which it died; 0: after the whole of it
  bool batch = false;
  std::uint32_t behind = 2;  ///< records of others behind the claim
};
constexpr std::array<earlier_death, 8> deaths{{
    {.name = "dead_claim"},
    {.name = "alone", .behind = 0},
    {.name = "dead_batch", .batch = true},
    {.name = "access_2", .access = 2},
    {.name = "access_3", .access = 3},
    {.name = "access_4", .access = 4},
    {.name = "access_5", .access = 5},
    {.name = "access_6", .access = 6},
}};

template <class Kind>
class recoverer_dies : public scenario {
 public:
  explicit recoverer_dies(const earlier_death& how)
      : there_{fill{.name = "", .near_the_end = true}}, producer_{there_.ring.producer().value()} {
    before_ = write_some<Kind>(producer_, predecessor, 0, 1);
    child_process dying{[&] {
      claim_and_die(how);
      return 0;
    }};
    static_cast<void>(dying.wait());
    before_ += write_some<Kind>(producer_, predecessor, before_, how.behind);
  }

  void operate(stage& here) override {
    auto consumer = there_.ring.consumer().value();
    static_cast<void>(consumer.drain([](const auto&) {}, 1));
    consumer.flush();
    here.begin();
    static_cast<void>(consumer.recover());
    here.end();
  }

  void survive(const stage&, const death&, verdict& found) override {
    auto next = there_.ring.consumer();
    if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
    found.outcome(there_.ring.statistics().recovered != 0 ? "skipped" : "not yet");
    seen_records seen;
    seen.begins_anywhere = true;
    const auto outcome = read_everything<Kind>(*next, seen);
    found.moves(outcome == status::empty, name(outcome));
    demand_order(seen, found);
    found.kept(!seen.first || seen.count[predecessor] == before_, "a record behind the claim");
    found.kept(seen.first.value_or(before_) <= 1, "a record behind the claim, skipped with it");
    found.whole(seen.count[victim_itself] == 0, "a record that was never published");
    go_on(*next, found);
    found.whole(there_.memory.intact(), "bytes beside the ring");
  }

 private:
  using ring_type = typename Kind::ring_type;

  void claim_and_die(const earlier_death& how) const {
    const auto ring = Kind::template ring<crash_memory>::attach(there_.memory.bytes()).value();
    auto producer = ring.producer().value();
    crash_memory::die_before_access(how.access);
    if constexpr (Kind::frames) {
      if (how.batch) {
        const auto claim = producer.try_claim_batch(3, 11);
        fill_pattern(claim[1], 9999);
        ::kill(getpid(), SIGKILL);
      }
    }
    const auto claim = Kind::claim(producer, own);
    if constexpr (Kind::frames) fill_pattern(claim.bytes(), 9999);
    ::kill(getpid(), SIGKILL);
  }

  /// More than a lap, from every slot.
  template <class Consumer>
  void go_on(Consumer& consumer, verdict& found) {
    auto second = there_.ring.producer();
    auto third = there_.ring.producer();
    if (!found.moves(second && third, "no slot for another producer")) return;
    seen_records seen;
    for (std::uint32_t number = 0; number < 24; ++number) {
      auto& writer = number % 3 == 0 ? producer_ : number % 3 == 1 ? *second : *third;
      const auto wrote = write_some<Kind>(writer, successor, number, 1);
      if (!found.moves(wrote == 1, "no room to write")) return;
      const auto outcome = read_everything<Kind>(consumer, seen);
      if (!found.moves(outcome == status::empty, name(outcome))) return;
      found.kept(seen.count[successor] == number + 1, "what a producer wrote");
    }
    demand_order(seen, found);
  }

  ring_in_place<Kind> there_;
  typename ring_type::template producer_type<> producer_;
  std::uint32_t before_ = 0;
};

template <class Kind>
void add_recovery(catalog& all) {
  for (const auto& how : deaths) {
    if (how.batch && !Kind::frames) continue;
    const auto usual = central.in(&how == &deaths[0]);
    add<recoverer_dies<Kind>>(all, usual, Kind::name, "recover", how.name, how);
  }
}

}  // namespace

void add_mpsc(catalog& all) {
  add_producers<many_byte_kind>(all);
  add_consumers<many_byte_kind>(all);
  add_recovery<many_byte_kind>(all);
  add_producers<many_typed_kind>(all);
  add_consumers<many_typed_kind>(all);
  add_recovery<many_typed_kind>(all);
}

}  // namespace weir::test::kills
