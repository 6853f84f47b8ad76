// SPDX-License-Identifier: MIT
// Proved: in these runs, with every thread yielding and dawdling at random accesses, each producer's records
// come out once, in its order, with their own bytes, and no wake-up is lost; a producer that is killed leaves
// a lane that the next one takes, and nothing that it had published is lost. Not provable by running: that
// no execution at all goes wrong.
#include "stress/traffic.hpp"
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/lanes.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

using weir::lanes;
using weir::lanes_options;
using weir::status;
using weir::wait_for_space;
using weir::wake_protocol;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::fresh_seed;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::shared_progress;
using weir::test::watchdog;

namespace {

constexpr std::uint32_t most_producers = 4;

/// A record: who wrote it, its number, and what follows from both.
using numbered = std::array<std::uint32_t, 4>;
auto value_of(std::uint32_t producer, std::uint32_t number) -> numbered {
  return {producer, number, number * 0x9E37'79B9 ^ producer, ~number};
}

struct typed {
  using element = numbered;
  static constexpr std::uint32_t capacity = 16;
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t who, std::uint32_t number) -> status {
    return producer.write(value_of(who, number));
  }
  static auto who(const numbered& value) -> std::uint32_t { return value[0]; }
  static auto is(const numbered& value, std::uint32_t who, std::uint32_t number) -> bool {
    return value == value_of(who, number);
  }
};

struct framed {
  using element = weir::bytes;
  static constexpr std::uint32_t capacity = 1024;
  static constexpr std::uint32_t largest = 200;
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t who, std::uint32_t number) -> status {
    auto claim = producer.claim(weir::test::pattern_size(number, largest));
    if (!claim) return claim.status();
    weir::test::fill_pattern(claim.bytes(), number * most_producers + who);
    return claim.commit(who).outcome;
  }
  static auto who(const weir::record_view& view) -> std::uint32_t { return view.type; }
  static auto is(const weir::record_view& view, std::uint32_t who, std::uint32_t number) -> bool {
    return view.bytes.size() == weir::test::pattern_size(number, largest) &&
           weir::test::has_pattern(view.bytes, number * most_producers + who);
  }
};

/// What the consumer has seen of each producer.
template <class Kind>
struct oracle {
  std::array<std::uint32_t, most_producers> next{};
  std::uint32_t wrong = 0;
  template <class Record>
  void operator()(const Record& record) noexcept {
    const auto who = Kind::who(record);
    if (who >= most_producers || !Kind::is(record, who, next[who]++)) ++wrong;
  }
};

template <class Kind, class Wait>
void many_to_one(std::uint32_t producers, std::uint32_t lane_count, wake_protocol protocol) {
  using lanes_type = lanes<typename Kind::element, chaos_memory>;
  const auto count = scaled(40'000);
  const guarded_span memory{lanes_type::bytes_required(lane_count, Kind::capacity)};
  const auto view = lanes_type::format(memory.bytes(), {.lanes = lane_count,
                                                        .capacity = Kind::capacity,
                                                        .wake = protocol,
                                                        .start_position = 0U - 4 * Kind::capacity})
                        .value();
  std::array<status, most_producers> outcomes{};
  std::vector<std::thread> threads;
  for (std::uint32_t who = 0; who < producers; ++who) {
    threads.emplace_back([&, who] {
      for (std::uint32_t number = 0; number < count;) {
        auto producer = view.producer(wait_for_space<Wait>{});
        if (!producer) {  // fewer lanes than producers: they take turns
          if (producer.status() != status::full) outcomes[who] = producer.status();
          std::this_thread::yield();
          continue;
        }
        const auto stay = lane_count >= producers ? count : number + 100;
        for (; number < count && number < stay; ++number) {
          const auto outcome = Kind::write(*producer, who, number);
          if (outcome != status::ok) outcomes[who] = outcome;
        }
      }
    });
  }
  oracle<Kind> seen;
  auto consumer = view.template consumer<Wait>().value();
  std::uint64_t total = 0;
  for (std::uint32_t call = 0; total < std::uint64_t{count} * producers; ++call) {
    if (consumer.wait() == status::empty) std::this_thread::yield();
    const auto done = call % 4 == 0 ? consumer.drain(seen, 3) : consumer.drain(seen);
    total += done.records;
    if (done.outcome != status::ok && done.outcome != status::empty) break;
  }
  for (auto& thread : threads) thread.join();
  CAPTURE(producers, lane_count, static_cast<int>(protocol));
  CHECK(seen.wrong == 0);
  for (std::uint32_t who = 0; who < producers; ++who) {
    CHECK(outcomes[who] == status::ok);
    CHECK(seen.next[who] == count);
  }
  CHECK(consumer.drain(seen).records == 0);
  CHECK((protocol == wake_protocol::at_flush || view.statistics().late_wakes == 0));
  CHECK(memory.intact());
}

}  // namespace

TEMPLATE_TEST_CASE("every_record_of_every_thread_arrives_once_in_its_order_and_whole", "",
                   weir::poll, weir::backoff, weir::park) {
  const watchdog hang;
  weir::test::chaos_watch::seed = fresh_seed("lanes");
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    if (TestType::parks && protocol == wake_protocol::none) continue;
    using waiting = std::conditional_t<TestType::blocks, TestType, weir::backoff>;
    many_to_one<typed, waiting>(3, 3, protocol);
    many_to_one<framed, waiting>(3, 4, protocol);
  }
}

TEST_CASE("producers_that_take_turns_at_too_few_lanes_lose_nothing") {
  const watchdog hang;
  weir::test::chaos_watch::seed = fresh_seed("lanes in turn");
  // A lane changes hands, but a producer's records must not overtake each other on the way: one lane.
  many_to_one<typed, weir::park>(3, 1, wake_protocol::asymmetric);
  many_to_one<framed, weir::backoff>(3, 1, wake_protocol::fenced);
}

TEST_CASE("producers_in_other_processes_that_are_killed_lose_nothing_that_they_published") {
  const watchdog hang;
  const auto seed = fresh_seed("killed producers of lanes");
  weir::test::chaos_watch::seed = seed;
  seeded_random random{seed};
  using lanes_type = lanes<numbered, chaos_memory>;
  constexpr std::uint32_t producers = 3;
  const guarded_span memory{lanes_type::bytes_required(producers, 16)};
  const auto view =
      lanes_type::format(
          memory.bytes(),
          {.lanes = producers, .capacity = 16, .process_shared = true, .start_position = 0U - 1000})
          .value();
  auto consumer = view.consumer<weir::park>().value();
  oracle<typed> seen;
  std::uint32_t wrong = 0;
  for (std::uint32_t round = 0; round < scaled(200); ++round) {
    shared_progress published;  // per producer: number after the last one certainly published
    shared_progress ready;
    std::vector<std::unique_ptr<child_process>> children;
    for (std::uint32_t who = 0; who < producers; ++who) {
      published.set(who, seen.next[who]);
      children.push_back(std::make_unique<child_process>([&] {
        auto producer = view.producer(wait_for_space<>{});
        if (!producer) return 1;
        ready.set(who, 1);
        for (auto number = seen.next[who];; ++number) {
          if (typed::write(*producer, who, number) != status::ok) return 1;
          published.set(who, number + 1);
        }
      }));
    }
    for (std::uint32_t who = 0; who < producers; ++who) ready.await(who, 1);
    for (auto calls = random.below(20); calls != 0; --calls) {
      wrong += consumer.wait() == status::ok ? 0U : 1U;
      static_cast<void>(consumer.drain(seen, 1 + random.below(30)));
    }
    for (auto& child : children) child->kill_and_reap();
    auto outcome = status::ok;
    while (outcome == status::ok) outcome = consumer.drain(seen).outcome;
    for (std::uint32_t who = 0; who < producers; ++who) {
      const auto known = published.get(who);
      wrong += seen.next[who] == known || seen.next[who] == known + 1 ? 0U : 1U;
    }
    if (wrong + seen.wrong != 0) FAIL("round " << round);
  }
  CHECK(memory.intact());
}
