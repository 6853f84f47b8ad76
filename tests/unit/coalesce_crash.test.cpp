// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory of these scripts a process dies before, its successor goes on: a
// value that was published is shown by somebody, whole, and no older one after a newer one; keys never stick.
// Not provable here: a death between two machine instructions of one access, or inside a copy.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/coalesce.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <functional>

using weir::coalesce;
using weir::coalesced;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t keys = 40;  // two leaf words
constexpr std::array<std::uint32_t, 3> used{1, 2, 35};

/// A value says its number and what follows from it.
using value_type = std::array<std::uint32_t, 4>;
auto value_of(std::uint32_t number) -> value_type {
  return {number, ~number, number * 0x9E37'79B9, number ^ 0x5555'5555};
}

template <class Memory>
using view_of = coalesce<value_type, Memory>;

auto format(const guarded_span& memory) {
  return view_of<weir::native_memory>::format(memory.bytes(),
                                              {.keys = keys, .process_shared = true})
      .value();
}

/// Rounds of updates; in between, what the other side shows. `progress` k: number of the newest value of
/// used[k] that is certainly published; 4 + k: of the newest that was begun.
template <class Producer, class Between>
void produce(Producer& producer, shared_progress& progress, Between between) {
  for (std::uint32_t number = 1; number < 8; ++number) {
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      progress.set(4 + which, number);
      if (producer.update(used[which], value_of(number), number) == status::ok) {
        progress.set(which, number);
      }
      if (number % 3 == which) between();
    }
  }
  producer.flush();
}

/// What was shown, newest per key; anything out of order or in pieces is wrong.
struct oracle {
  std::array<std::uint32_t, used.size()> newest{};
  std::uint32_t wrong = 0;
  bool again = false;  ///< a value may come twice

  void operator()(const coalesced<value_type>& shown) noexcept {
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      if (used[which] != shown.key) continue;
      const auto number = shown.value[0];
      const bool right = shown.value == value_of(number) && shown.after == number &&
                         (again ? number >= newest[which] : number > newest[which]);
      wrong += right ? 0U : 1U;
      newest[which] = number;
      return;
    }
    ++wrong;
  }
};

}  // namespace

TEST_CASE("a_producer_of_values_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{view_of<crash_memory>::bytes_required(keys)};
  std::uint32_t wrong = 0;
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    const auto view = format(memory);
    shared_progress progress;
    child_process child{[&] {
      const auto crashing = view_of<crash_memory>::attach(memory.bytes()).value();
      auto consumer = view.consumer().value();  // which never dies: it drops its role before
      auto drain = [&] { static_cast<void>(consumer.drain([](const auto&) {})); };
      crash_memory::die_before_access(fatal);
      auto producer = crashing.producer().value();
      produce(producer, progress, drain);
      return 0;
    }};
    if (child.wait() == child_process::killed) ++deaths;
    auto producer = view.producer();
    auto consumer = view.consumer();
    if (!producer || !consumer) {
      ++wrong;
      continue;
    }
    oracle seen;
    seen.again = true;
    wrong += consumer->drain(std::ref(seen)).outcome == status::empty ? 0U : 1U;
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      const auto shown = seen.newest[which];
      // 0: the dead process's own consumer was shown it.
      wrong += shown == 0 || (progress.get(which) <= shown && shown <= progress.get(4 + which))
                   ? 0U
                   : 1U;
    }
    for (std::uint32_t number = 100; number < 103; ++number) {
      for (const auto key : used) {
        wrong += producer->update(key, value_of(number), number) == status::ok ? 0U : 1U;
      }
      wrong += consumer->drain(std::ref(seen)).records == used.size() ? 0U : 1U;
    }
    wrong += seen.wrong;
  }
  CHECK(wrong == 0);
  CHECK(deaths > 150);
  CHECK(memory.intact());
}

TEST_CASE("a_producer_of_values_that_dies_hides_no_value_that_it_published") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{view_of<crash_memory>::bytes_required(keys)};
  std::uint32_t wrong = 0;
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    const auto view = format(memory);
    shared_progress progress;
    auto consumer = view.consumer().value();  // taken before, so that its own look repairs nothing
    child_process child{[&] {
      const auto crashing = view_of<crash_memory>::attach(memory.bytes()).value();
      crash_memory::die_before_access(fatal);
      auto producer = crashing.producer().value();
      produce(producer, progress, [] {});
      return 0;
    }};
    if (child.wait() == child_process::killed) ++deaths;
    oracle seen;
    auto producer = view.producer();  // its look makes visible what had no mark yet
    wrong += producer ? 0U : 1U;
    static_cast<void>(consumer.drain(std::ref(seen)));
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      const auto shown = seen.newest[which];
      wrong += progress.get(which) <= shown && shown <= progress.get(4 + which) ? 0U : 1U;
    }
    // A value without a mark would keep its key's next ones unmarked too.
    for (const auto key : used) {
      wrong += producer && producer->update(key, value_of(100), 100) == status::ok ? 0U : 1U;
    }
    wrong += consumer.drain(std::ref(seen)).records == used.size() ? 0U : 1U;
    wrong += seen.wrong;
  }
  CHECK(wrong == 0);
  CHECK(deaths > 150);
}

TEST_CASE("a_consumer_of_values_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{view_of<crash_memory>::bytes_required(keys)};
  std::uint32_t wrong = 0;
  std::uint32_t deaths = 0;
  std::uint32_t again = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    const auto view = format(memory);
    shared_progress updated;
    shared_progress shown;  // k: number of the newest value of used[k] that was shown
    child_process child{[&] {
      const auto crashing = view_of<crash_memory>::attach(memory.bytes()).value();
      auto producer = view.producer().value();
      crash_memory::die_before_access(fatal);
      auto consumer = crashing.consumer().value();
      produce(producer, updated, [&] {
        static_cast<void>(consumer.drain([&](const coalesced<value_type>& one) {
          for (std::uint32_t which = 0; which < used.size(); ++which) {
            if (used[which] == one.key) shown.set(which, one.value[0]);
          }
        }));
      });
      return 0;
    }};
    if (child.wait() == child_process::killed) ++deaths;
    auto consumer = view.consumer();
    auto producer = view.producer();
    if (!consumer || !producer) {
      ++wrong;
      continue;
    }
    oracle seen;
    seen.again = true;
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      seen.newest[which] = shown.get(which);
    }
    const auto first = consumer->drain(std::ref(seen));
    wrong += first.outcome == status::empty ? 0U : 1U;
    for (std::uint32_t which = 0; which < used.size(); ++which) {
      wrong += updated.get(which) <= seen.newest[which] ? 0U : 1U;  // shown by one or the other
      again += seen.newest[which] == shown.get(which) ? 0U : 1U;
    }
    for (std::uint32_t number = 100; number < 103; ++number) {
      for (const auto key : used) {
        wrong += producer->update(key, value_of(number), number) == status::ok ? 0U : 1U;
      }
      wrong += consumer->drain(std::ref(seen)).records == used.size() ? 0U : 1U;
    }
    wrong += seen.wrong;
  }
  CHECK(wrong == 0);
  CHECK(deaths > 100);
  CHECK(again > 0);
  CHECK(memory.intact());
}

TEST_CASE("keys_whose_formatting_died_are_not_ready_or_whole") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{view_of<crash_memory>::bytes_required(keys)};
  static_cast<void>(format(memory));
  std::uint32_t wrong = 0;
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      return view_of<crash_memory>::format(memory.bytes(), {.keys = keys, .process_shared = true})
                 ? 0
                 : 1;
    }};
    if (child.wait() == child_process::killed) ++deaths;
    auto found = view_of<weir::native_memory>::attach(memory.bytes());
    // Before its first step the old one is whole, after its last step the new one.
    const bool whole = fatal == 1 || deaths != fatal;
    wrong += found.status() == (whole ? status::ok : status::not_ready) ? 0U : 1U;
    if (whole) wrong += found && found->producer() && found->consumer() ? 0U : 1U;
  }
  CHECK(wrong == 0);
  CHECK(deaths > 100);
  CHECK(memory.intact());
}
