// SPDX-License-Identifier: MIT
// Proved: in these runs, with both threads yielding and dawdling at random accesses, every value that is shown
// is whole, none is older than one shown before it, the newest of each key comes last, update counts add up,
// no wake-up is lost, and the order against a ring is what coalesce.hpp says. Not provable by running: that no
// execution at all goes wrong.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/coalesce.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <thread>
#include <vector>

using weir::coalesce;
using weir::coalesced;
using weir::status;
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

using value_type = std::array<std::uint32_t, 16>;

auto value_of(std::uint32_t key, std::uint32_t number) -> value_type {
  value_type value{};
  for (std::uint32_t index = 0; index < value.size(); ++index) {
    value[index] = (number + index) * 0x9E37'79B9 ^ key;
  }
  value[0] = number;
  return value;
}

/// What a consumer has seen.
struct oracle {
  std::vector<std::uint32_t> newest;
  std::vector<std::uint32_t> counted;
  std::uint32_t wrong = 0;
  explicit oracle(std::uint32_t keys) : newest(keys), counted(keys) {}

  void operator()(const coalesced<value_type>& shown) {
    const auto number = shown.value[0];
    const bool right = shown.key < newest.size() && shown.value == value_of(shown.key, number) &&
                       shown.after == ~number && number > newest[shown.key];
    wrong += right ? 0U : 1U;
    newest[shown.key] = number;
    counted[shown.key] += shown.updates;
    wrong += counted[shown.key] == number ? 0U : 1U;  // a key's numbers count its updates
  }
};

template <class Memory, class Wait>
void race(std::uint32_t keys, wake_protocol protocol, std::uint64_t seed) {
  using view_type = coalesce<value_type, Memory>;
  const auto count = scaled(150'000);
  const guarded_span memory{view_type::bytes_required(keys)};
  const auto view = view_type::format(memory.bytes(), {.keys = keys, .wake = protocol}).value();
  std::vector<std::uint32_t> numbers(keys);
  std::uint32_t refused = 0;
  std::thread writer{[&] {
    seeded_random random{seed};
    auto producer = view.producer().value();
    for (std::uint32_t update = 0; update < count; ++update) {
      const auto key = random.below(random.once_in(4) ? keys : 1 + keys / 8);
      const auto number = ++numbers[key];
      const auto outcome = producer.update(key, value_of(key, number), ~number);
      refused += outcome == status::ok ? 0U : 1U;
      if (protocol == wake_protocol::at_flush && random.once_in(8)) producer.flush();
      if (random.once_in(256)) std::this_thread::yield();
    }
    producer.close();
  }};
  oracle seen{keys};
  auto consumer = view.template consumer<Wait>().value();
  auto outcome = status::empty;
  while (outcome == status::empty) {
    const auto waited = consumer.wait();
    if (waited == status::empty) std::this_thread::yield();
    outcome = consumer.drain([&](const auto& shown) { seen(shown); }).outcome;
  }
  writer.join();
  CAPTURE(keys, static_cast<int>(protocol));
  CHECK(outcome == status::closed);
  CHECK((refused == 0 && seen.wrong == 0));
  CHECK(seen.newest == numbers);
  const auto statistics = view.statistics();
  CHECK(statistics.producer.updates == count);
  CHECK(statistics.producer.updates - statistics.producer.coalesced == statistics.consumer.shown);
  CHECK((protocol == wake_protocol::at_flush || statistics.consumer.late_wakes == 0));
  CHECK(memory.intact());
}

}  // namespace

TEMPLATE_TEST_CASE("a_racing_consumer_sees_whole_values_in_order_and_the_newest_last", "",
                   weir::poll, weir::backoff, weir::park) {
  const watchdog hang;
  const auto seed = fresh_seed("coalesce");
  weir::test::chaos_watch::seed = seed;
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    if (TestType::parks && protocol == wake_protocol::none) continue;
    race<chaos_memory, TestType>(3, protocol, seed);
    race<chaos_memory, TestType>(1500, protocol, seed + 1);
    race<weir::native_memory, TestType>(1, protocol, seed + 2);
  }
}

TEST_CASE("values_and_a_ring_beside_them_keep_the_order_that_is_promised") {
  const watchdog hang;
  weir::test::chaos_watch::seed = fresh_seed("coalesce beside a ring");
  using values_type = coalesce<std::uint64_t, chaos_memory>;
  using ring_type = weir::spsc_ring<std::uint64_t, chaos_memory>;
  constexpr std::uint32_t keys = 3;
  const auto count = std::uint64_t{scaled(60'000)};
  const guarded_span ring_memory{ring_type::bytes_required(64)};
  const auto ring = ring_type::format(ring_memory.bytes(), {.capacity = 64}).value();
  const guarded_span memory{values_type::bytes_required(keys)};
  const auto view = values_type::format(memory.bytes(), {.keys = keys}).value();
  status failed = status::ok;
  std::thread writer{[&] {
    auto events = ring.producer(weir::wait_for_space<weir::backoff>{}).value();
    auto values = view.producer().value();
    // Update n of each key precedes event n, and follows event n - 1, the n th one from 0.
    for (std::uint64_t number = 0; number < count; ++number) {
      for (std::uint32_t key = 0; key < keys; ++key) {
        const auto outcome = values.update(key, number, static_cast<std::uint32_t>(number));
        if (outcome != status::ok) failed = outcome;
      }
      if (const auto outcome = events.write(number); outcome != status::ok) failed = outcome;
    }
    events.close();
  }};
  auto events = ring.consumer().value();
  auto values = view.consumer().value();
  seeded_random random{1};
  std::uint64_t next = 0;  // events read
  std::array<std::uint64_t, keys> newest{};
  std::uint32_t early = 0;
  std::uint32_t late = 0;
  const auto read_events = [&](std::uint32_t limit) {
    return events.drain([&](std::uint64_t number) { next = number + 1; }, limit).outcome;
  };
  const auto read_values = [&] {
    std::uint32_t after = 0;
    static_cast<void>(values.drain([&](const coalesced<std::uint64_t>& shown) {
      newest[shown.key] = shown.value;
      after = shown.after > after ? shown.after : after;
    }));
    return after;
  };
  for (auto outcome = status::empty; outcome != status::closed;) {
    outcome = read_events(1 + random.below(20));
    // Every update made before an event that was read has been seen, or a newer one of its key.
    const auto after = read_values();
    for (const auto value : newest) late += next == 0 || value + 1 >= next ? 0U : 1U;
    // Every event before an update that was shown is there.
    while (next < after && read_events(64) == status::ok) {
    }
    early += after <= next ? 0U : 1U;
  }
  writer.join();
  CHECK(failed == status::ok);
  CHECK((early == 0 && late == 0));
  CHECK(next == count);
}

TEST_CASE("either_side_may_be_killed_at_any_moment_and_the_newest_value_arrives") {
  const watchdog hang;
  const auto seed = fresh_seed("killed sides of coalesce");
  weir::test::chaos_watch::seed = seed;
  seeded_random random{seed};
  using view_type = coalesce<value_type, chaos_memory>;
  constexpr std::uint32_t keys = 5;
  const guarded_span memory{view_type::bytes_required(keys)};
  const auto view =
      view_type::format(memory.bytes(), {.keys = keys, .process_shared = true}).value();
  shared_progress published;  // per key: number of the newest one certainly published
  shared_progress shown;      // per key: number of the newest one shown
  std::uint32_t wrong = 0;
  for (std::uint32_t round = 0; round < scaled(200); ++round) {
    shared_progress state;  // 0, 1: sides ready; 2: something wrong
    child_process writer{[&] {
      auto producer = view.producer().value();
      state.set(0, 1);
      for (std::uint32_t update = 0;; ++update) {
        const auto key = update % keys;
        const auto number = published.get(key) + 1;
        if (producer.update(key, value_of(key, number), ~number) != status::ok) return 1;
        published.set(key, number);
      }
    }};
    child_process reader{[&] {
      auto consumer = view.consumer<weir::backoff>().value();
      state.set(1, 1);
      for (;;) {
        static_cast<void>(consumer.drain([&](const coalesced<value_type>& one) {
          const auto number = one.value[0];
          const bool right = one.value == value_of(one.key, number) && number >= shown.get(one.key);
          if (!right) state.set(2, 1);
          shown.set(one.key, number);
        }));
      }
      return 0;
    }};
    state.await(0, 1);
    state.await(1, 1);
    for (auto more = random.below(2000); more != 0; --more) weir::detail::cpu_pause();
    if (random.once_in(2)) {
      writer.kill_and_reap();
      reader.kill_and_reap();
    } else {
      reader.kill_and_reap();
      writer.kill_and_reap();
    }
    auto producer = view.producer();
    auto consumer = view.consumer();
    wrong += producer && consumer ? state.get(2) : 1U;
    if (consumer) {
      static_cast<void>(consumer->drain([&](const coalesced<value_type>& one) {
        const auto number = one.value[0];
        wrong += one.value == value_of(one.key, number) && number >= shown.get(one.key) ? 0U : 1U;
        shown.set(one.key, number);
      }));
    }
    for (std::uint32_t key = 0; key < keys; ++key) {
      const auto newest = published.get(key);
      wrong += shown.get(key) == newest || shown.get(key) == newest + 1 ? 0U : 1U;
      published.set(key, shown.get(key));  // the one that was published unrecorded counts
    }
    if (wrong != 0) FAIL("round " << round);
  }
  CHECK(memory.intact());
}
