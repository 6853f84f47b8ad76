// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/watchdog.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/coalesce.hpp>
#include <weir/doorbell.hpp>
#include <weir/latest.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

namespace layout = weir::layout;
using weir::doorbell;
using weir::doorbell_options;
using weir::status;
using weir::wake_protocol;
using weir::test::child_process;
using weir::test::guarded_span;
using ring_type = weir::spsc_ring<std::uint64_t>;
using namespace std::chrono_literals;

namespace {

constexpr wake_protocol every_protocol[] = {wake_protocol::none, wake_protocol::at_flush,
                                            wake_protocol::fenced, wake_protocol::asymmetric};

struct bell_in_memory {
  guarded_span memory{doorbell<>::bytes_required()};
  doorbell<> bell;
  explicit bell_in_memory(const doorbell_options& options = {})
      : bell{doorbell<>::format(memory.bytes(), options).value()} {}
  [[nodiscard]] auto attach() const -> status {
    return doorbell<>::attach(memory.bytes()).status();
  }
  void await_sleeper() const {
    while ((__atomic_load_n(bell.park_word(), __ATOMIC_ACQUIRE) & 1) == 0) {
      std::this_thread::yield();
    }
  }
};

struct ring_in_memory {
  guarded_span memory{ring_type::bytes_required(8)};
  ring_type ring;
  explicit ring_in_memory(const doorbell<>& bell, bool process_shared = false)
      : ring{ring_type::format(memory.bytes(), {.capacity = 8, .process_shared = process_shared},
                               bell)
                 .value()} {}
};

}  // namespace

TEST_CASE("a_doorbell_that_is_formatted_can_be_attached_to") {
  for (const auto protocol : every_protocol) {
    for (const bool process_shared : {false, true}) {
      const bell_in_memory there{{.wake = protocol, .process_shared = process_shared}};
      const auto found = doorbell<>::attach(there.memory.bytes()).value();
      for (const auto& bell : {there.bell, found}) {
        CHECK(static_cast<bool>(bell));
        CHECK(bell.protocol() == protocol);
        CHECK(bell.process_shared() == process_shared);
        CHECK(bell.park_word() == there.memory.word(layout::doorbell::park));
      }
      CHECK(there.memory.intact());
    }
  }
  CHECK_FALSE(static_cast<bool>(doorbell<>{}));
}

TEST_CASE("a_span_that_cannot_hold_a_doorbell_is_refused") {
  const guarded_span memory{doorbell<>::bytes_required() + 64};
  const auto whole = memory.bytes();
  const auto needed = static_cast<std::size_t>(doorbell<>::bytes_required());
  CHECK(doorbell<>::format(whole.subspan(64)));
  CHECK(doorbell<>::format(whole.first(needed)));
  CHECK(doorbell<>::format(whole.subspan(32)).status() == status::bad_layout);
  CHECK(doorbell<>::format(whole.first(needed - 1)).status() == status::bad_layout);
  CHECK(doorbell<>::format({}).status() == status::bad_layout);
  CHECK(doorbell<>::attach(whole.first(needed - 1)).status() == status::bad_layout);
  CHECK(doorbell<>::attach({}).status() == status::bad_layout);
  const guarded_span untouched{256};
  CHECK(doorbell<>::attach(untouched.bytes()).status() == status::not_ready);
}

TEST_CASE("a_doorbell_header_with_one_wrong_bit_is_refused") {
  const bell_in_memory there;
  std::uint32_t accepted = 0;
  for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *there.memory.word(offset) ^= 1U << bit;
      const auto outcome = there.attach();
      *there.memory.word(offset) ^= 1U << bit;
      const bool meaningful = (offset == layout::flags && bit == 0) ||
                              (offset == layout::wake_protocol_word && bit < 2);
      const auto expected = meaningful ? status::ok : status::bad_layout;
      if (outcome != expected) FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
      accepted += outcome == status::ok ? 1U : 0U;
    }
  }
  CHECK(accepted == 3);
  CHECK(there.attach() == status::ok);
}

TEST_CASE("a_wait_says_what_its_look_said_or_why_it_ended") {
  const bell_in_memory there;
  const auto empty = [] { return status::empty; };
  CHECK(there.bell.wait([] { return status::closed; }) == status::closed);
  CHECK(there.bell.wait<weir::poll>(empty) == status::empty);
  CHECK(there.bell.wait(empty, std::chrono::steady_clock::now() + 1ms) == status::timed_out);
  weir::stop_word stop;
  there.bell.request_stop(stop);
  CHECK(there.bell.wait(empty, weir::no_deadline, &stop) == status::stopped);
  const bell_in_memory silent{{.wake = wake_protocol::none}};
  CHECK(silent.bell.wait(empty) == status::unsupported);
  CHECK(silent.bell.wait<weir::poll>(empty) == status::empty);
}

TEST_CASE("the_inline_mode_never_sleeps_at_a_doorbell") {
  using plain_bell = doorbell<weir::plain_memory>;
  const guarded_span memory{plain_bell::bytes_required()};
  const auto bell = plain_bell::format(memory.bytes()).value();
  CHECK(bell.wait([] { return status::empty; }) == status::would_block);
}

TEST_CASE("a_consumer_of_three_rings_sleeps_once_and_is_woken_by_each") {
  const weir::test::watchdog watchdog;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    const bell_in_memory there{{.wake = protocol}};
    const std::array<ring_in_memory, 3> rings{
        ring_in_memory{there.bell}, ring_in_memory{there.bell}, ring_in_memory{there.bell}};
    std::vector<ring_type::producer_type<>> producers;
    std::vector<ring_type::consumer_type<weir::park>> consumers;
    for (const auto& each : rings) {
      CHECK(each.ring.wake() == protocol);
      producers.push_back(each.ring.producer().value());
      consumers.push_back(each.ring.consumer<weir::park>().value());
    }
    for (std::uint64_t from = 0; from < 3; ++from) {
      status wrote = status::full;
      std::thread writer{[&] {
        there.await_sleeper();
        wrote = producers[static_cast<std::size_t>(from)].try_write(from);
      }};
      std::uint64_t value = 99;
      const auto outcome = there.bell.wait([&] {
        for (auto& consumer : consumers) {
          if (const auto seen = consumer.try_read(value); seen != status::empty) return seen;
        }
        return status::empty;
      });
      writer.join();
      CHECK((wrote == status::ok && outcome == status::ok && value == from));
    }
    std::thread closer{[&] {
      there.await_sleeper();
      producers[1].close();
    }};
    CHECK(there.bell.wait([&] { return consumers[1].try_peek().status(); }) == status::closed);
    closer.join();
    for (const auto& each : rings) CHECK(*each.memory.word(layout::spsc::data_park) == 0);
  }
}

TEST_CASE("a_consumer_that_waits_on_its_ring_sleeps_at_the_doorbell_too") {
  const weir::test::watchdog watchdog;
  const bell_in_memory there;
  const ring_in_memory own{there.bell};
  auto producer = own.ring.producer().value();
  auto consumer = own.ring.consumer<weir::park>().value();
  std::thread ringer{[&] {
    there.await_sleeper();
    static_cast<void>(producer.try_write(1));
  }};
  CHECK(consumer.wait() == status::ok);
  ringer.join();
}

TEST_CASE("a_ring_is_opened_with_the_doorbell_that_it_was_formatted_with_or_not_at_all") {
  const bell_in_memory fenced{{.wake = wake_protocol::fenced}};
  const bell_in_memory asymmetric{{.wake = wake_protocol::asymmetric}};
  const bell_in_memory shared{{.wake = wake_protocol::fenced, .process_shared = true}};
  const guarded_span memory{ring_type::bytes_required(8)};
  const auto span = memory.bytes();
  REQUIRE(ring_type::format(span, {.capacity = 8}, fenced.bell));
  CHECK(ring_type::attach(span, 0, fenced.bell));
  CHECK(ring_type::attach(span).status() == status::bad_layout);
  CHECK(ring_type::attach(span, 0, asymmetric.bell).status() == status::bad_layout);
  CHECK(ring_type::attach(span, 0, shared.bell).status() == status::bad_layout);

  REQUIRE(ring_type::format(span, {.capacity = 8, .wake = wake_protocol::fenced}));
  CHECK(ring_type::attach(span));
  CHECK(ring_type::attach(span, 0, fenced.bell).status() == status::bad_layout);

  const auto contradicting = [&](const weir::spsc_options& options, const doorbell<>& bell) {
    return ring_type::format(span, options, bell).status();
  };
  CHECK(contradicting({.capacity = 8, .wake = wake_protocol::asymmetric}, fenced.bell) ==
        status::bad_layout);
  CHECK(contradicting({.capacity = 8, .process_shared = true}, fenced.bell) == status::bad_layout);
  CHECK(contradicting({.capacity = 8}, shared.bell) == status::bad_layout);
  CHECK(memory.intact());
}

TEST_CASE("options_that_contradict_the_doorbell_are_refused_by_every_primitive") {
  const bell_in_memory there{{.wake = wake_protocol::fenced}};
  const guarded_span memory{8192};
  const auto bytes = memory.bytes();
  const auto each = [&](wake_protocol wake, bool process_shared) {
    return std::array{
        ring_type::format(bytes, {.wake = wake, .process_shared = process_shared}, there.bell)
            .status(),
        weir::broadcast_ring<>::format(bytes, {.wake = wake, .process_shared = process_shared},
                                       there.bell)
            .status(),
        weir::latest<std::uint64_t>::format(bytes, {.wake = wake, .process_shared = process_shared},
                                            there.bell)
            .status(),
        weir::coalesce<std::uint64_t>::format(
            bytes, {.keys = 2, .wake = wake, .process_shared = process_shared}, there.bell)
            .status(),
        weir::version_table<>::format(
            bytes, {.slots = 2, .wake = wake, .process_shared = process_shared}, there.bell)
            .status()};
  };
  for (const auto outcome : each(wake_protocol::fenced, false)) CHECK(outcome == status::ok);
  for (const auto outcome : each(wake_protocol::asymmetric, false)) {
    CHECK(outcome == status::bad_layout);
  }
  for (const auto outcome : each(wake_protocol::fenced, true)) {
    CHECK(outcome == status::bad_layout);
  }
  CHECK(memory.intact());
}

TEST_CASE("a_doorbell_wakes_across_processes") {
  const weir::test::watchdog watchdog;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    const bell_in_memory there{{.wake = protocol, .process_shared = true}};
    const ring_in_memory first{there.bell, true};
    const ring_in_memory second{there.bell, true};
    child_process child{[&] {
      const auto bell = doorbell<>::attach(there.memory.bytes()).value();
      for (const auto* each : {&second, &first}) {
        const auto ring = ring_type::attach(each->memory.bytes(), 0, bell).value();
        auto producer = ring.producer().value();
        there.await_sleeper();
        if (producer.try_write(each == &first ? 1 : 2) != status::ok) return 1;
      }
      return 0;
    }};
    auto one = first.ring.consumer<weir::park>().value();
    auto two = second.ring.consumer<weir::park>().value();
    // In either order: a sleeper that is rung for announces itself again before it looks.
    std::uint64_t sum = 0;
    for (int records = 0; records < 2; ++records) {
      std::uint64_t value = 0;
      const auto outcome = there.bell.wait([&] {
        if (const auto seen = one.try_read(value); seen != status::empty) return seen;
        return two.try_read(value);
      });
      CHECK(outcome == status::ok);
      sum += value;
    }
    CHECK(sum == 3);
    CHECK(child.wait() == 0);
  }
}
