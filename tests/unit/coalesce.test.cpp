// SPDX-License-Identifier: MIT
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/coalesce.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <thread>
#include <tuple>
#include <vector>

namespace layout = weir::layout;
using weir::coalesce;
using weir::coalesce_options;
using weir::coalesced;
using weir::status;
using weir::wake_protocol;
using weir::test::access_counts;
using weir::test::count_memory;
using weir::test::guarded_span;

namespace {

template <class T, class Memory = weir::native_memory>
struct there {
  using view_type = coalesce<T, Memory>;
  explicit there(const coalesce_options& options, const weir::doorbell<Memory>& bell = {})
      : memory{options.max_value != 0 ? view_type::bytes_required(options.keys, options.max_value)
                                      : view_type::bytes_required(options.keys)},
        view{view_type::format(memory.bytes(), options, bell).value()} {}
  guarded_span memory;
  view_type view;
};
using words = there<std::uint64_t>;

/// Key, value, after, updates.
using shown = std::vector<std::tuple<std::uint32_t, std::uint64_t, std::uint32_t, std::uint32_t>>;

template <class Consumer>
auto drain_all(Consumer& consumer, status expected = status::empty) -> shown {
  shown seen;
  const auto done = consumer.drain([&](const coalesced<std::uint64_t>& value) {
    seen.emplace_back(value.key, value.value, value.after, value.updates);
  });
  if (done.outcome != expected || done.records != seen.size()) seen.emplace_back(~0U, 0, 0, 0);
  return seen;
}

}  // namespace

TEST_CASE("a_drain_shows_each_changed_key_once_with_its_newest_value") {
  const words here{{.keys = 8}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  CHECK(drain_all(consumer).empty());
  REQUIRE(producer.update(5, std::uint64_t{50}, 1) == status::ok);
  REQUIRE(producer.update(2, std::uint64_t{20}, 2) == status::ok);
  REQUIRE(producer.update(5, std::uint64_t{51}, 3) == status::ok);
  CHECK(drain_all(consumer) == shown{{2, 20, 2, 1}, {5, 51, 3, 2}});
  CHECK(drain_all(consumer).empty());
  REQUIRE(producer.update(5, std::uint64_t{52}) == status::ok);
  CHECK(drain_all(consumer) == shown{{5, 52, 0, 1}});
  CHECK(here.memory.intact());
}

TEST_CASE("a_million_updates_of_three_keys_are_three_records") {
  const words here{{.keys = 3}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  constexpr std::uint32_t million = 1'000'000;
  std::uint32_t refused = 0;
  for (std::uint32_t number = 0; number < million; ++number) {
    const auto outcome = producer.update(number % 3, std::uint64_t{number}, number);
    refused += outcome == status::ok ? 0U : 1U;
  }
  CHECK(refused == 0);
  CHECK(drain_all(consumer) == shown{{0, 999'999, 999'999, 333'334},
                                     {1, 999'997, 999'997, 333'333},
                                     {2, 999'998, 999'998, 333'333}});
  producer.flush();
  CHECK(here.view.statistics().producer.updates == million);
  CHECK(here.view.statistics().producer.coalesced == million - 3);
  CHECK(here.view.statistics().consumer.shown == 3);
}

TEST_CASE("every_key_of_thousands_is_found_and_no_other") {
  for (const std::uint32_t keys : {1U, 31U, 32U, 33U, 1023U, 1024U, 1025U, 5000U}) {
    const words here{{.keys = keys}};
    auto producer = here.view.producer().value();
    auto consumer = here.view.consumer().value();
    for (std::uint32_t key = 0; key < keys; key += 7) {
      REQUIRE(producer.update(key, std::uint64_t{key}) == status::ok);
    }
    std::uint32_t expected = 0;
    std::uint32_t wrong = 0;
    const auto done = consumer.drain([&](const coalesced<std::uint64_t>& value) {
      wrong += value.key == expected && value.value == expected ? 0U : 1U;
      expected += 7;
    });
    CHECK(wrong == 0);
    CHECK(done.records == (keys + 6) / 7);
    CHECK(producer.update(keys, std::uint64_t{0}) == status::too_large);
    CHECK(here.memory.intact());
  }
}

TEST_CASE("values_of_bytes_have_any_length_up_to_the_limit_and_stay_until_the_next_one") {
  const there<weir::bytes> here{{.keys = 2, .max_value = 37}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  std::array<std::byte, 38> value{};
  CHECK(producer.update(0, value) == status::too_large);
  std::span<const std::byte> kept;
  for (std::uint32_t size = 0; size <= 37; ++size) {
    weir::test::fill_pattern(std::span{value}.first(size), size);
    REQUIRE(producer.update(size % 2, std::span{value}.first(size), size) == status::ok);
    const auto done = consumer.drain([&](const coalesced<weir::bytes>& one) {
      CHECK(one.key == size % 2);
      CHECK(one.after == size);
      CHECK(reinterpret_cast<std::uintptr_t>(one.value.data()) % 8 == 0);
      kept = one.value;
    });
    REQUIRE(done.records == 1);
    std::array<std::byte, 8> junk{};
    for (int more = 0; more < 3; ++more) {
      REQUIRE(producer.update(size % 2, junk) == status::ok);
      CHECK(kept.size() == size);
      CHECK(weir::test::has_pattern(kept, size));
    }
    CHECK(consumer.drain([](const auto&) {}).records == 1);
  }
  CHECK(here.memory.intact());
}

TEST_CASE("what_changes_while_it_is_shown_is_shown_by_the_next_drain") {
  const words here{{.keys = 4}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  REQUIRE(producer.update(1, std::uint64_t{1}) == status::ok);
  status outcome = status::empty;
  const auto done = consumer.drain([&](const coalesced<std::uint64_t>& value) {
    outcome = producer.update(value.key, value.value + 1);
  });
  CHECK((done.records == 1 && outcome == status::ok));
  CHECK(drain_all(consumer) == shown{{1, 2, 0, 1}});
}

TEST_CASE("an_update_of_a_pending_key_costs_one_read_modify_write_and_wakes_nobody") {
  const there<std::uint64_t, count_memory> here{{.keys = 64, .wake = wake_protocol::asymmetric}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer().value();
  const auto cost = [&] {
    return count_memory::cost_of([&] { static_cast<void>(producer.update(3, std::uint64_t{1})); });
  };
  const auto first = cost();
  const auto second = cost();
  CHECK(first.modifies == 3);
  CHECK(first.light_fences == 1);
  CHECK(second.modifies == 1);
  CHECK(second.light_fences == 0);
  CHECK(second.fences == 0);
  CHECK(consumer.drain([](const auto&) {}).records == 1);
  const auto idle =
      count_memory::cost_of([&] { static_cast<void>(consumer.drain([](const auto&) {})); });
  CHECK(idle == access_counts{.loads = 2});
}

TEST_CASE("each_role_is_held_once_and_can_be_taken_again_without_showing_anything_twice") {
  const words here{{.keys = 4}};
  std::optional producer{here.view.producer().value()};
  std::optional consumer{here.view.consumer().value()};
  CHECK(here.view.producer().status() == status::busy);
  CHECK(here.view.consumer().status() == status::busy);
  REQUIRE(producer->update(1, std::uint64_t{10}) == status::ok);
  CHECK(drain_all(*consumer) == shown{{1, 10, 0, 1}});
  REQUIRE(producer->update(2, std::uint64_t{20}) == status::ok);
  producer.reset();
  consumer.reset();
  CHECK(here.view.producer_owner() == weir::owner_state::free);
  producer.emplace(here.view.producer().value());
  consumer.emplace(here.view.consumer().value());
  REQUIRE(producer->update(2, std::uint64_t{21}) == status::ok);
  CHECK(drain_all(*consumer) == shown{{2, 21, 0, 2}});
  producer->flush();
  CHECK(here.view.statistics().producer.updates == 3);
  CHECK(here.view.statistics().consumer.shown == 2);
}

TEST_CASE("closing_shows_what_is_new_and_then_says_closed") {
  for (const bool by_consumer : {false, true}) {
    const words here{{.keys = 4}};
    auto producer = here.view.producer().value();
    auto consumer = here.view.consumer<weir::spin>().value();
    REQUIRE(producer.update(1, std::uint64_t{10}) == status::ok);
    if (by_consumer) {
      consumer.close();
    } else {
      producer.close();
    }
    CHECK(here.view.closed());
    CHECK(producer.update(1, std::uint64_t{11}) == status::closed);
    CHECK(consumer.wait() == status::ok);
    CHECK(drain_all(consumer, status::closed) == shown{{1, 10, 0, 1}});
    CHECK(drain_all(consumer, status::closed).empty());
    CHECK(consumer.wait() == status::closed);
  }
}

TEST_CASE("a_sleeping_consumer_is_woken_by_an_update_a_close_and_a_stop") {
  using namespace std::chrono_literals;
  const weir::test::watchdog watchdog;
  for (const auto protocol :
       {wake_protocol::at_flush, wake_protocol::fenced, wake_protocol::asymmetric}) {
    const words here{{.keys = 4, .wake = protocol}};
    auto producer = here.view.producer().value();
    auto consumer = here.view.consumer<weir::park>().value();
    CHECK(consumer.wait(std::chrono::steady_clock::now() + 1ms) == status::timed_out);
    const auto sleeper = [&] {
      while ((__atomic_load_n(here.memory.word(layout::coalesce::data_park), __ATOMIC_ACQUIRE) &
              1) == 0) {
        std::this_thread::yield();
      }
    };
    const auto run = [&](auto action) {
      std::thread other{[&, action] {
        sleeper();
        action();
      }};
      return other;
    };
    auto updated = status::full;
    auto writer = run([&] {
      updated = producer.update(2, std::uint64_t{7});
      producer.flush();
    });
    const auto outcome = consumer.wait();
    writer.join();
    CHECK(updated == status::ok);
    CHECK(outcome == status::ok);
    CHECK(drain_all(consumer) == shown{{2, 7, 0, 1}});
    weir::stop_word stop;
    auto stopper = run([&] { here.view.request_stop(stop); });
    CHECK(consumer.wait(weir::no_deadline, &stop) == status::stopped);
    stopper.join();
    auto closer = run([&] { producer.close(); });
    CHECK(consumer.wait() == status::closed);
    closer.join();
    CHECK(here.view.statistics().consumer.waits > 0);
  }
}

TEST_CASE("one_doorbell_wakes_for_a_ring_and_the_values_beside_it") {
  const weir::test::watchdog watchdog;
  using ring_type = weir::spsc_ring<std::uint64_t>;
  const guarded_span bell_memory{weir::doorbell<>::bytes_required()};
  const auto bell = weir::doorbell<>::format(bell_memory.bytes()).value();
  const guarded_span ring_memory{ring_type::bytes_required(8)};
  const auto ring = ring_type::format(ring_memory.bytes(), {.capacity = 8}, bell).value();
  const words here{{.keys = 4}, bell};
  auto events = ring.producer().value();
  auto updates = here.view.producer().value();
  auto event = ring.consumer<weir::park>().value();
  auto moved = here.view.consumer<weir::park>().value();
  for (const bool by_ring : {true, false}) {
    std::thread other{[&] {
      while ((__atomic_load_n(bell.park_word(), __ATOMIC_ACQUIRE) & 1) == 0) {
        std::this_thread::yield();
      }
      static_cast<void>(by_ring ? events.try_write(1) : updates.update(1, std::uint64_t{1}));
    }};
    std::uint64_t value = 0;
    std::uint32_t records = 0;
    const auto outcome = bell.wait([&] {
      if (event.try_read(value) == status::ok) ++records;
      records += moved.drain([](const auto&) {}).records;
      return records != 0 ? status::ok : status::empty;
    });
    other.join();
    CHECK(outcome == status::ok);
    CHECK(records == 1);
  }
  CHECK(coalesce<std::uint64_t>::attach(here.memory.bytes()).status() == status::bad_layout);
  CHECK(coalesce<std::uint64_t>::attach(here.memory.bytes(), 0, bell));
}

TEST_CASE("damage_is_corrupt_for_good_on_either_side") {
  const words here{{.keys = 2}};
  const auto fresh = [&] { return words::view_type::format(here.memory.bytes(), {.keys = 2}); };
  const weir::detail::coalesce_shape shape{2, 8};
  const auto state = [&](std::uint32_t key) {
    return here.memory.word(shape.data_offset() +
                            key * static_cast<std::uint32_t>(shape.key_stride()));
  };
  for (const std::uint32_t wrong : {0U, 3U, 5U, 12U, 0x20U, 0x34U, 0xFFFF'FFFFU}) {
    auto view = fresh().value();
    auto producer = view.producer().value();
    auto consumer = view.consumer().value();
    REQUIRE(producer.update(1, std::uint64_t{1}) == status::ok);
    *state(1) = wrong;
    CHECK(consumer.drain([](const auto&) {}).outcome == status::corrupt);
    CHECK(producer.update(1, std::uint64_t{2}) == status::corrupt);
    *state(1) = weir::detail::first_key_state.word;
    CHECK(consumer.drain([](const auto&) {}).outcome == status::corrupt);
    CHECK(consumer.wait() == status::corrupt);
    CHECK(producer.update(0, std::uint64_t{2}) == status::corrupt);
    *state(1) = wrong;
    {
      const auto dropped = std::tuple{std::move(producer), std::move(consumer)};
    }
    CHECK(view.producer().status() == status::corrupt);
    CHECK(view.consumer().status() == status::corrupt);
  }
  auto view = fresh().value();
  auto producer = view.producer().value();
  auto consumer = view.consumer().value();
  REQUIRE(producer.update(0, std::uint64_t{1}) == status::ok);
  *here.memory.word(shape.data_offset() + layout::coalesce::key_buffers +
                    2 * static_cast<std::uint32_t>(shape.buffer_stride())) = 9;  // its size
  CHECK(consumer.drain([](const auto&) {}).outcome == status::corrupt);
  CHECK(here.memory.intact());
}

TEST_CASE("the_inline_mode_coalesces_too") {
  const there<std::uint64_t, weir::plain_memory> here{{.keys = 4}};
  auto producer = here.view.producer().value();
  auto consumer = here.view.consumer<weir::park>().value();
  CHECK(consumer.wait() == status::would_block);
  REQUIRE(producer.update(1, std::uint64_t{5}) == status::ok);
  CHECK(consumer.wait() == status::ok);
  CHECK(drain_all(consumer) == shown{{1, 5, 0, 1}});
}

TEST_CASE("closed_is_said_once_nothing_is_left_whenever_the_closing_comes") {
  using weir::test::access_kind;
  using view_type = weir::coalesce<std::uint32_t, weir::test::script_memory>;
  for (const bool waits : {false, true}) {
    for (const std::uint32_t look : {1U, 2U}) {
      const weir::test::guarded_span memory{view_type::bytes_required(4)};
      const auto view = view_type::format(memory.bytes(), {.keys = 4}).value();
      auto producer = view.producer().value();
      auto consumer = view.consumer().value();
      const auto* const closed = memory.word(weir::layout::coalesce::closed);
      const auto drain = [&] { return consumer.drain([](const auto&) {}); };
      const weir::test::scripted race{
          weir::test::once(look, weir::test::access_to(access_kind::load, closed), [&] {
            static_cast<void>(producer.update(1, 7U));
            producer.close();
          })};
      const auto outcome = waits ? consumer.wait() : drain().outcome;
      const auto left = drain().records;
      CAPTURE(waits, look);
      CHECK((outcome != status::closed || left == 0));
    }
  }
}
