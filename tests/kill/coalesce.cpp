// SPDX-License-Identifier: MIT
/// The producer or the consumer of a coalesce dies. The newest value of each key is still shown.
#include "kill/scenario.hpp"
#include "support/guarded_span.hpp"

#include <weir/coalesce.hpp>

#include <array>
#include <cstdint>

namespace weir::test::kills {
namespace {

constexpr std::uint32_t keys = 40;  // two leaf words
constexpr std::array<std::uint32_t, 3> used{1, 2, 35};
using value_type = std::array<std::uint32_t, 4>;
using view_type = coalesce<value_type>;

auto value_of(std::uint32_t number) -> value_type {
  return {number, ~number, number * 0x9E37'79B9, number ^ 0x5555'5555};
}

struct keyed_state {
  const char* name;
  std::uint32_t values = 0;  ///< written to each key beforehand
  bool seen = false;         ///< and shown
};
constexpr std::array<keyed_state, 4> states{{
    {.name = "unseen", .values = 3},
    {.name = "empty"},
    {.name = "seen", .values = 3, .seen = true},
    {.name = "unseen_odd", .values = 2},
}};

/// What a consumer has been shown of each key that is used.
struct shown_values {
  std::array<std::uint32_t, used.size()> newest{};

  template <class Consumer>
  void drain(Consumer& consumer, verdict& found) {
    const auto done = consumer.drain([&](const coalesced<value_type>& shown) {
      bool known = false;
      for (std::uint32_t which = 0; which < used.size(); ++which) {
        if (used[which] != shown.key) continue;
        known = true;
        const auto number = shown.value[0];
        found.whole(
            shown.value == value_of(number) && shown.after == number && number >= newest[which],
            "a value that nobody wrote, or an older one");
        newest[which] = number;
      }
      found.whole(known, "a key that nobody updated");
    });
    found.moves(done.outcome == status::empty, name(done.outcome));
  }
};

class keyed_scenario : public scenario {
 public:
  explicit keyed_scenario(const keyed_state& how) : how_{how} {
    auto producer = view_.producer().value();
    auto consumer = view_.consumer().value();
    for (std::uint32_t number = 1; number <= how.values; ++number) {
      for (const auto key : used) {
        static_cast<void>(producer.update(key, value_of(number), number));
      }
    }
    if (how.seen) static_cast<void>(consumer.drain([](const auto&) {}));
  }

 protected:
  /// Several values for each key, each shown.
  template <class Producer, class Consumer>
  void go_on(Producer& producer, Consumer& consumer, shown_values& shown, verdict& found) {
    for (std::uint32_t number = 100; number < 104; ++number) {
      for (const auto key : used) {
        const auto outcome = producer.update(key, value_of(number), number);
        found.moves(outcome == status::ok, name(outcome));
      }
      shown.drain(consumer, found);
      for (const auto newest : shown.newest) found.kept(newest == number, "a successor's value");
    }
    found.whole(memory_.intact(), "bytes beside the values");
  }

  keyed_state how_;
  guarded_span memory_{view_type::bytes_required(keys)};
  view_type view_{
      view_type::format(memory_.bytes(), {.keys = keys, .process_shared = true}).value()};
};

class updater_dies : public keyed_scenario {
 public:
  using keyed_scenario::keyed_scenario;

  void operate(stage& here) override {
    auto producer = view_.producer().value();
    here.may_show(1);
    here.begin();
    const auto number = how_.values + 1;
    if (producer.update(used[0], value_of(number), number) == status::ok) here.must_show(1);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    auto producer = view_.producer();
    auto consumer = view_.consumer();
    if (!found.moves(producer && consumer, "a role of the dead cannot be taken")) return;
    shown_values shown;
    shown.drain(*consumer, found);
    const auto before = how_.seen ? 0 : how_.values;
    const bool newest = shown.newest[0] == how_.values + 1;
    found.outcome(newest ? "new value" : "old value");
    found.whole(newest || shown.newest[0] == before || shown.newest[0] == how_.values,
                "a value that was never published");
    found.kept(newest || here.must() == 0, "a value that was published");
    found.kept(newest || shown.newest[0] >= before, "the value before");
    for (std::uint32_t which = 1; which < used.size(); ++which) {
      found.kept(shown.newest[which] >= before, "another key's value");
    }
    go_on(*producer, *consumer, shown, found);
  }
};

class shower_dies : public keyed_scenario {
 public:
  using keyed_scenario::keyed_scenario;

  void operate(stage& here) override {
    auto consumer = view_.consumer().value();
    std::uint32_t count = 0;
    here.begin();
    static_cast<void>(consumer.drain([&](const auto&) { here.may_show(++count); }));
    here.must_show(count);
    here.end();
  }

  void survive(const stage& here, const death&, verdict& found) override {
    auto producer = view_.producer();
    auto consumer = view_.consumer();
    if (!found.moves(producer && consumer, "a role of the dead cannot be taken")) return;
    shown_values shown;
    shown.drain(*consumer, found);
    std::uint32_t again = 0;
    const auto before = how_.seen ? 0 : how_.values;
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      again += shown.newest[which] != 0 ? 1 : 0;
      found.kept(which < here.may() || shown.newest[which] >= before, "a value never shown");
    }
    found.whole(here.must() == 0 || again == 0 || how_.seen, "a value again, after the drain");
    found.outcome(again == 0 ? "all shown" : again == used.size() ? "all again" : "some again");
    go_on(*producer, *consumer, shown, found);
  }
};

}  // namespace

void add_coalesce(catalog& all) {
  add_states<updater_dies>(all, central, "coalesce", "update", states);
  add_states<shower_dies>(all, central, "coalesce", "drain", states);
}

}  // namespace weir::test::kills
