// SPDX-License-Identifier: MIT
/// Whoever sleeps dies, before its sleep, in it or after it; and whoever rings a sleeper dies on the way.
/// The sleeper wakes, or asks after its peer, four times a second: nobody sleeps for good.
#include "kill/rings.hpp"
#include "support/child_process.hpp"

#include <weir/backpressure.hpp>

#include <sched.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

namespace weir::test::kills {
namespace {

/// Sleeps soon: as `park`, with fewer looks before.
using sleep_soon = park_after<2>;

constexpr fill empty_ring{.name = "empty"};
constexpr fill full_ring{.name = "full", .records = to_the_brim};

/// `Woken`: a record wakes the sleeper, which dies later; else it dies in its sleep at the latest.
template <class Kind, bool Woken>
class sleeping_reader_dies : public scenario {
 public:
  void operate(stage& here) override {
    auto consumer = there_.ring.template consumer<sleep_soon>().value();
    here.begin();
    static_cast<void>(consumer.wait());
    here.end();
  }
  [[nodiscard]] auto may_sleep() const -> bool override { return true; }
  auto wake() -> bool override {
    if (!Woken) return false;
    written_ += write_some<Kind>(producer_, predecessor, written_, 1);
    return true;
  }

  void survive(const stage&, const death& end, verdict& found) override {
    found.outcome(end.how == ending::parked ? "asleep" : written_ != 0 ? "woken" : "awake");
    const auto before = written_;
    written_ += write_some<Kind>(producer_, predecessor, written_, 2);
    found.moves(written_ == before + 2, "the producer cannot write");
    auto next = there_.ring.template consumer<sleep_soon>();
    if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
    const auto ready = next->wait();
    found.moves(ready == status::ok, name(ready));
    seen_records seen;
    static_cast<void>(read_everything<Kind>(*next, seen));
    demand_order(seen, found);
    found.kept(seen.count[predecessor] == written_, "a record");
    const auto nothing = next->wait(native_memory::now() + std::chrono::milliseconds{1});
    found.moves(nothing == status::timed_out, name(nothing));
  }

 private:
  ring_in_place<Kind> there_{empty_ring};
  typename Kind::ring_type::template producer_type<> producer_{there_.ring.producer().value()};
  std::uint32_t written_ = 0;
};

template <class Kind, bool Woken>
class sleeping_writer_dies : public scenario {
 public:
  sleeping_writer_dies() {
    auto producer = there_.ring.producer().value();
    before_ = write_some<Kind>(producer, predecessor, 0, full_ring.records);
  }

  void operate(stage& here) override {
    auto producer = there_.ring.producer(wait_for_space<sleep_soon>{}).value();
    here.may_show(1);
    here.begin();
    auto claim = [&] {
      if constexpr (Kind::frames) return producer.claim(Kind::size_of(own));
      if constexpr (!Kind::frames) return producer.claim();
    }();
    if (claim && Kind::commit(claim, own) == status::ok) here.must_show(1);
    here.end();
  }
  [[nodiscard]] auto may_sleep() const -> bool override { return true; }
  auto wake() -> bool override {
    if (!Woken) return false;
    static_cast<void>(read_everything<Kind>(consumer_, seen_));
    return true;
  }

  void survive(const stage& here, const death& end, verdict& found) override {
    found.outcome(end.how == ending::parked       ? "asleep"
                  : seen_.count[predecessor] != 0 ? "woken"
                                                  : "awake");
    const auto outcome = read_everything<Kind>(consumer_, seen_);
    found.moves(outcome == status::empty, name(outcome));
    found.kept(seen_.count[predecessor] == before_, "a record of the one before");
    found.kept(seen_.count[victim_itself] >= here.must(), "a record that was published");
    auto next = there_.ring.producer();
    if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
    found.moves(write_some<Kind>(*next, successor, 0, 3) == 3, "no room to write");
    static_cast<void>(read_everything<Kind>(consumer_, seen_));
    found.kept(seen_.count[successor] == 3, "what the successor wrote");
    demand_order(seen_, found);
  }

 private:
  static constexpr auto own = first_number[victim_itself];

  ring_in_place<Kind> there_{full_ring};
  typename Kind::ring_type::template consumer_type<> consumer_{there_.ring.consumer().value()};
  seen_records seen_;
  std::uint32_t before_ = 0;
};

/// A thread of the parent that sleeps until there is a record, reads, and sleeps again.
template <class Kind>
class sleeper {
 public:
  using consumer_type = typename Kind::ring_type::template consumer_type<sleep_soon>;

  /// Returns once it sleeps, or is about to. Ends with a record of the successor; `alone`: with one of the
  /// victim, or with its death.
  sleeper(const ring_in_place<Kind>& there, std::uint32_t park_offset, bool alone)
      : alone_{alone},
        consumer_{there.ring.template consumer<sleep_soon>().value()},
        thread_{[this] { run(); }} {
    const auto* const word = there.memory.word(park_offset);
    while ((__atomic_load_n(word, __ATOMIC_ACQUIRE) & 1) == 0) sched_yield();
  }
  ~sleeper() {
    if (thread_.joinable()) thread_.join();
  }
  void join() { thread_.join(); }

  seen_records seen;
  status outcome = status::ok;
  std::uint32_t peers_dead = 0;

 private:
  void run() {
    while (seen.count[alone_ ? victim_itself : successor] == 0) {
      outcome = consumer_.wait();
      if (outcome == status::peer_dead) {
        ++peers_dead;
        if constexpr (requires { consumer_.recover(); }) static_cast<void>(consumer_.recover());
        if (alone_) return;
      } else if (outcome != status::ok) {
        return;
      }
      static_cast<void>(
          consumer_.drain([&](const auto& record) { seen.take(Kind::number_of(record)); }));
    }
  }

  const bool alone_;
  consumer_type consumer_;
  std::thread thread_;
};

/// `Alone`: nobody rings after the death, so that the sleeper has to find out by itself.
template <class Kind, bool Alone>
class ringer_dies : public scenario {
 public:
  void operate(stage& here) override {
    auto producer = there_.ring.producer().value();
    auto claim = Kind::claim(producer, own);
    here.may_show(1);
    here.begin();
    if (Kind::commit(claim, own) == status::ok) here.must_show(1);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    if (!Alone) {
      auto next = there_.ring.producer();
      if (!found.moves(static_cast<bool>(next), name(next.status()))) return;
      found.moves(write_some<Kind>(*next, successor, 0, 1) == 1, "the successor cannot write");
    }
    sleeper_.join();
    demand_order(sleeper_.seen, found);
    found.kept(sleeper_.seen.count[victim_itself] >= here.must(), "a record that was published");
    found.whole(sleeper_.seen.count[victim_itself] <= 1, "a record twice");
    found.kept(Alone || sleeper_.seen.count[successor] == 1, "what the successor wrote");
    const bool told = sleeper_.seen.count[victim_itself] != 0;
    found.moves(sleeper_.outcome == status::peer_dead ||
                    (sleeper_.outcome == status::ok && (told || !Alone)),
                name(sleeper_.outcome));
    found.outcome(told ? "told" : sleeper_.peers_dead != 0 ? "peer_dead" : "woken by the next");
  }

 private:
  static constexpr auto own = first_number[victim_itself];
  static constexpr auto park_word = Kind::many ? layout::mpsc::data_park : layout::spsc::data_park;

  ring_in_place<Kind> there_{empty_ring};
  sleeper<Kind> sleeper_{there_, park_word, Alone};
};

template <class Kind>
void add_waits_of(catalog& all) {
  add<sleeping_reader_dies<Kind, false>>(all, Kind::many ? effort::many : effort::every, Kind::name,
                                         "wait", "asleep");
  add<sleeping_reader_dies<Kind, true>>(all, effort::few, Kind::name, "wait", "woken");
  add<sleeping_writer_dies<Kind, false>>(all, effort::many, Kind::name, "wait_space", "asleep");
  add<sleeping_writer_dies<Kind, true>>(all, effort::few, Kind::name, "wait_space", "woken");
  // Where a dead claim is in the way, the sleeper asks for it only after a quarter of a second.
  add<ringer_dies<Kind, false>>(all, Kind::many ? effort::few : effort::every, Kind::name, "wake",
                                "successor");
  add<ringer_dies<Kind, true>>(all, effort::few, Kind::name, "wake", "alone");
}

}  // namespace

void add_waits(catalog& all) {
  add_waits_of<spsc_byte_kind>(all);
  add_waits_of<spsc_typed_kind>(all);
  add_waits_of<many_byte_kind>(all);
  add_waits_of<many_typed_kind>(all);
}

}  // namespace weir::test::kills
