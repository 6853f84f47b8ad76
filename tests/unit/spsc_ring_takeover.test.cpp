// SPDX-License-Identifier: MIT
// Real processes, killed at chosen points. spsc_ring_crash.test.cpp kills at every access of a script.
#include "support/child_process.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

using weir::owner_state;
using weir::status;
using weir::test::child_process;
using weir::test::read_pattern;
using weir::test::test_ring;
using weir::test::write_pattern;
using byte_ring = test_ring<weir::bytes>;
using word_ring = test_ring<std::uint64_t>;

namespace {

/// Runs `body` in a process that is killed at its end, with everything that it holds.
template <class Body>
void run_and_die(Body&& body) {
  child_process child{[&] {
    body([] { kill(getpid(), SIGKILL); });
    return 1;
  }};
  REQUIRE(child.wait() == child_process::killed);
}

/// The values that are in the ring.
auto values_in(const word_ring& there) -> std::vector<std::uint64_t> {
  std::vector<std::uint64_t> values;
  auto consumer = there.ring.consumer().value();
  const auto keep = [&values](const std::uint64_t& value) { values.push_back(value); };
  auto outcome = status::ok;
  while (outcome == status::ok) outcome = consumer.drain(keep).outcome;
  if (outcome != status::empty) values.push_back(0xDEAD);
  return values;
}

}  // namespace

TEST_CASE("a_dead_producers_role_is_taken_over_after_its_last_record") {
  for (const auto start : weir::test::notable_starts) {
    const byte_ring there{{.capacity = 256, .process_shared = true, .start_position = start}};
    run_and_die([&](auto die) {
      auto producer = there.ring.producer().value();
      for (std::uint32_t number = 0; number < 3; ++number) {
        if (write_pattern(producer, number, 20) != status::ok) return;
      }
      die();
    });
    CHECK(there.ring.producer_owner() == owner_state::dead);
    auto producer = there.ring.producer().value();
    CHECK(there.ring.producer_owner() == owner_state::alive);
    REQUIRE(write_pattern(producer, 3, 20) == status::ok);
    auto consumer = there.ring.consumer().value();
    for (std::uint32_t number = 0; number < 4; ++number) CHECK(read_pattern(consumer, number, 20));
    CHECK(consumer.try_peek().status() == status::empty);
    CHECK(there.memory.intact());
  }
}

TEST_CASE("what_a_dead_producer_had_claimed_or_withheld_is_gone") {
  for (const auto start : weir::test::notable_starts) {
    for (const bool batch : {false, true}) {
      const byte_ring there{{.capacity = 256, .process_shared = true, .start_position = start}};
      run_and_die([&](auto die) {
        auto producer = there.ring.producer().value();
        if (write_pattern(producer, 0, 20) != status::ok) return;
        for (std::uint32_t number = 1; batch && number < 4; ++number) {
          auto withheld = producer.try_claim(24);
          weir::test::fill_pattern(withheld.bytes(), number);
          if (withheld.commit_later(number).outcome != status::ok) return;
        }
        auto claim = producer.try_claim(40);
        std::memset(claim.bytes().data(), 0x18, 40);  // what could pass for commit words
        die();
      });
      auto producer = there.ring.producer().value();
      REQUIRE(write_pattern(producer, 50, 8) == status::ok);
      REQUIRE(write_pattern(producer, 51, 30) == status::ok);
      auto consumer = there.ring.consumer().value();
      CHECK(read_pattern(consumer, 0, 20));
      CHECK(read_pattern(consumer, 50, 8));
      CHECK(read_pattern(consumer, 51, 30));
      CHECK(consumer.try_peek().status() == status::empty);
      CHECK(there.memory.intact());
    }
  }
}

TEST_CASE("what_a_dead_producer_had_withheld_in_a_typed_ring_is_gone") {
  for (const auto start : weir::test::notable_starts) {
    for (std::uint32_t withheld = 0; withheld <= 7; ++withheld) {
      const word_ring there{{.capacity = 8, .process_shared = true, .start_position = start}};
      run_and_die([&](auto die) {
        auto producer = there.ring.producer().value();
        if (producer.try_write(1) != status::ok) return;
        for (std::uint32_t count = 0; count < withheld; ++count) {
          if (producer.try_claim().commit_later(100 + count).outcome != status::ok) return;
        }
        die();
      });
      auto producer = there.ring.producer().value();
      REQUIRE(producer.try_write(2) == status::ok);
      CHECK(values_in(there) == std::vector<std::uint64_t>{1, 2});
      REQUIRE(producer.try_write(3) == status::ok);
      REQUIRE(producer.try_write(4) == status::ok);
      CHECK(values_in(there) == std::vector<std::uint64_t>{3, 4});
      CHECK(there.memory.intact());
    }
  }
}

TEST_CASE("a_dead_producer_of_a_full_typed_ring_leaves_it_full") {
  const word_ring there{{.capacity = 4, .process_shared = true}};
  run_and_die([&](auto die) {
    auto producer = there.ring.producer().value();
    while (producer.try_write(1) == status::ok) {
    }
    die();
  });
  auto producer = there.ring.producer().value();
  CHECK(producer.try_write(2) == status::full);
  CHECK(values_in(there).size() == 4);
  CHECK(producer.try_write(2) == status::ok);
}

TEST_CASE("a_dead_consumers_role_is_taken_over_at_the_last_position_it_let_go_of") {
  for (const auto start : weir::test::notable_starts) {
    const byte_ring there{{.capacity = 1024, .process_shared = true, .start_position = start}};
    auto producer = there.ring.producer().value();
    for (std::uint32_t number = 0; number < 10; ++number) {
      REQUIRE(write_pattern(producer, number, 20) == status::ok);
    }
    run_and_die([&](auto die) {
      auto consumer = there.ring.consumer().value();
      for (std::uint32_t number = 0; number < 4; ++number) {
        if (!read_pattern(consumer, number, 20)) return;
        if (number == 1) consumer.flush();
      }
      if (consumer.try_peek()) die();
    });
    CHECK(there.ring.consumer_owner() == owner_state::dead);
    auto consumer = there.ring.consumer().value();
    for (std::uint32_t number = 2; number < 10; ++number) {
      CHECK(read_pattern(consumer, number, 20));  // 2 and 3 come a second time
    }
    CHECK(consumer.try_peek().status() == status::empty);
    CHECK(write_pattern(producer, 10, 20) == status::ok);
    CHECK(read_pattern(consumer, 10, 20));
  }
}

TEST_CASE("a_dead_consumer_of_a_typed_ring_is_succeeded_too") {
  const word_ring there{{.capacity = 8, .process_shared = true}};
  auto producer = there.ring.producer().value();
  for (std::uint64_t value = 0; value < 6; ++value)
    REQUIRE(producer.try_write(value) == status::ok);
  run_and_die([&](auto die) {
    auto consumer = there.ring.consumer().value();
    std::uint64_t value = 0;
    if (consumer.try_read(value) != status::ok) return;
    consumer.flush();
    if (consumer.try_read(value) != status::ok) return;
    die();
  });
  CHECK(values_in(there) == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
}

TEMPLATE_TEST_CASE("a_live_process_keeps_its_roles_whatever_it_does", "", byte_ring, word_ring) {
  const weir::test::watchdog watchdog;
  const TestType there{{.capacity = 64, .process_shared = true}};
  weir::test::shared_progress progress;
  child_process child{[&] {
    auto producer = there.ring.producer();
    auto consumer = there.ring.consumer();
    if (!producer || !consumer) return 1;
    progress.set(0, 1);
    progress.await(0, 2);
    producer.value().close();
    progress.set(0, 3);
    progress.await(0, 4);
    return 0;
  }};
  for (const std::uint32_t step : {1U, 3U}) {
    progress.await(0, step);
    CHECK(there.ring.producer_owner() == owner_state::alive);
    CHECK(there.ring.producer().status() == status::busy);
    CHECK(there.ring.consumer().status() == status::busy);
    progress.set(0, step + 1);
  }
  REQUIRE(child.wait() == 0);
  CHECK(there.ring.producer());
  CHECK(there.ring.consumer());
}

TEST_CASE("successors_may_die_too") {
  const byte_ring there{{.capacity = 512, .process_shared = true, .start_position = 0U - 256}};
  for (std::uint32_t round = 0; round < 20; ++round) {
    run_and_die([&](auto die) {
      auto producer = there.ring.producer().value();
      if (write_pattern(producer, round, 30) != status::ok) return;
      static_cast<void>(producer.try_claim(30).commit_later(99));
      die();
    });
    run_and_die([&](auto die) {
      auto consumer = there.ring.consumer().value();
      for (auto type = consumer.try_peek().type(); type != round; ++type) {
        if (!read_pattern(consumer, type, 30)) return;
      }
      if (consumer.try_peek().type() == round) die();
    });
  }
  auto consumer = there.ring.consumer().value();
  for (auto number = consumer.try_peek().type(); number < 20; ++number) {
    CHECK(read_pattern(consumer, number, 30));
  }
  CHECK(consumer.try_peek().status() == status::empty);
  CHECK(there.memory.intact());
}
