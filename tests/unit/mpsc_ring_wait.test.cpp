// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/mpsc_sides.hpp"
#include "support/watchdog.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <thread>

namespace mpsc = weir::layout::mpsc;
using weir::status;
using weir::stop_word;
using weir::wait_for_space;
using weir::wake_protocol;
using weir::test::child_process;
using weir::test::mpsc_sides;
using namespace std::chrono_literals;

namespace {

constexpr wake_protocol waking[] = {wake_protocol::at_flush, wake_protocol::fenced,
                                    wake_protocol::asymmetric};

template <class Wait>
using bytes_waiting = mpsc_sides<weir::bytes, weir::native_memory, wait_for_space<Wait>, Wait>;

template <class Producer>
auto write_pattern(Producer& producer, std::uint32_t number, std::uint32_t size) -> status {
  auto claim = producer.try_claim(size);
  if (!claim) return claim.status();
  weir::test::fill_pattern(claim.bytes(), number);
  return claim.commit(number).outcome;
}

template <class Consumer>
auto read_pattern(Consumer& consumer, std::uint32_t number, std::uint32_t size) -> bool {
  auto record = consumer.try_peek();
  const bool same = record && record.type() == number && record.bytes().size() == size &&
                    weir::test::has_pattern(record.bytes(), number);
  record.release();
  return same;
}

/// Fills a ring of 64 bytes but for 8, which still fit a record without bytes.
template <class Producer>
auto fill(Producer& producer) -> bool {
  return write_pattern(producer, 0, 16) == status::ok &&
         write_pattern(producer, 1, 16) == status::ok &&
         write_pattern(producer, 2, 0) == status::ok;
}

auto after(std::chrono::nanoseconds time) -> weir::deadline {
  return std::chrono::steady_clock::now() + time;
}

/// Waits until somebody has announced on the park word at `offset` that it sleeps.
template <class Sides>
void await_sleeper(const Sides& ring, std::uint32_t offset) {
  while ((__atomic_load_n(&ring.word(offset), __ATOMIC_ACQUIRE) & 1) == 0) {
    std::this_thread::yield();
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a_wait_for_what_is_there_is_over_at_once_in_a_ring_for_many", "", weir::poll,
                   weir::spin, weir::backoff, weir::park) {
  mpsc_sides<weir::bytes, weir::native_memory, weir::reject, TestType> ring{{.capacity = 256}};
  REQUIRE(write_pattern(ring.producers[0], 0, 8) == status::ok);
  CHECK(ring.consumer.wait() == status::ok);
  CHECK(read_pattern(ring.consumer, 0, 8));
}

TEMPLATE_TEST_CASE("a_wait_ends_with_its_deadline_or_its_stop_in_a_ring_for_many", "", weir::spin,
                   weir::backoff, weir::park) {
  const weir::test::watchdog watchdog;
  bytes_waiting<TestType> ring{{.capacity = 64}};
  stop_word stop;
  CHECK(ring.consumer.wait(after(2ms)) == status::timed_out);
  REQUIRE(fill(ring.producers[0]));
  CHECK(ring.producers[0].claim(16, after(2ms)).status() == status::timed_out);
  CHECK(ring.producers[1].write({}, 0, after(-1s)) == status::ok);  // no bytes still fit
  CHECK(ring.producers[0].claim(16, after(-1s)).status() == status::timed_out);
  ring.there.ring.request_stop(stop);
  CHECK(ring.producers[0].claim(16, weir::no_deadline, &stop).status() == status::stopped);
  while (ring.consumer.try_peek()) ring.consumer.try_peek().release();
  CHECK(ring.consumer.wait(weir::no_deadline, &stop) == status::stopped);
}

TEST_CASE("a_claim_that_may_wait_does_not_when_there_is_room_or_never_will_be_in_a_ring_for_many") {
  bytes_waiting<weir::park> ring{{.capacity = 64}};
  CHECK(ring.producers[0].claim(17).status() == status::too_large);
  auto claim = ring.producers[0].claim(16);
  CHECK(claim);
  CHECK(ring.producers[0].claim(8).status() == status::busy);
  CHECK(claim.commit().outcome == status::ok);
  CHECK(ring.producers[0].claim(16).commit().outcome == status::ok);
  CHECK(ring.producers[1].try_claim(16).status() == status::full);
  ring.consumer.close();
  CHECK(ring.producers[0].claim(16).status() == status::closed);
}

TEST_CASE("a_sleeping_consumer_is_woken_by_a_record_a_close_and_a_stop_in_a_ring_for_many") {
  const weir::test::watchdog watchdog;
  for (const auto protocol : waking) {
    for (int what = 0; what < 3; ++what) {
      bytes_waiting<weir::park> ring{{.capacity = 256, .wake = protocol}};
      stop_word stop;
      auto outcome = status::busy;
      std::thread sleeper{[&] { outcome = ring.consumer.wait(weir::no_deadline, &stop); }};
      await_sleeper(ring, mpsc::data_park);
      if (what == 0) {
        static_cast<void>(write_pattern(ring.producers[0], 0, 8));
        if (protocol == wake_protocol::at_flush) ring.producers[0].flush();
      }
      if (what == 1) ring.producers[0].close();
      if (what == 2) ring.there.ring.request_stop(stop);
      sleeper.join();
      CHECK(outcome == (what == 0 ? status::ok : what == 1 ? status::closed : status::stopped));
      CHECK(ring.there.ring.statistics().consumer.late_wakes == 0);
    }
  }
}

TEST_CASE("a_sleeping_producer_is_woken_by_space_a_close_and_a_stop_in_a_ring_for_many") {
  const weir::test::watchdog watchdog;
  for (const auto protocol : waking) {
    for (int what = 0; what < 3; ++what) {
      bytes_waiting<weir::park> ring{{.capacity = 64, .wake = protocol}};
      stop_word stop;
      REQUIRE(fill(ring.producers[0]));
      auto outcome = status::busy;
      std::thread sleeper{
          [&] { outcome = ring.producers[0].claim(8, weir::no_deadline, &stop).status(); }};
      await_sleeper(ring, mpsc::space_park);
      if (what == 0) static_cast<void>(read_pattern(ring.consumer, 0, 16));
      if (what == 1) ring.consumer.close();
      if (what == 2) ring.there.ring.request_stop(stop);
      sleeper.join();
      CHECK(outcome == (what == 0 ? status::ok : what == 1 ? status::closed : status::stopped));
    }
  }
}

TEST_CASE("only_the_flush_wakes_where_the_format_says_so_in_a_ring_for_many") {
  const weir::test::watchdog watchdog;
  bytes_waiting<weir::park> ring{{.capacity = 256, .wake = wake_protocol::at_flush}};
  ring.word(mpsc::data_park) = 1;  // a sleeper
  REQUIRE(write_pattern(ring.producers[0], 0, 8) == status::ok);
  CHECK(ring.word(mpsc::data_park) == 1);
  ring.producers[0].flush();
  CHECK(ring.word(mpsc::data_park) == 2);
}

TEST_CASE("a_ring_where_nobody_sleeps_is_never_rung_but_for_closing_in_a_ring_for_many") {
  mpsc_sides<weir::bytes> ring{{.capacity = 64, .wake = wake_protocol::none}};
  ring.word(mpsc::data_park) = 1;
  ring.word(mpsc::space_park) = 1;
  REQUIRE(write_pattern(ring.producers[0], 0, 16) == status::ok);
  ring.producers[0].flush();
  CHECK(read_pattern(ring.consumer, 0, 16));
  ring.consumer.flush();
  CHECK(ring.word(mpsc::data_park) == 1);
}

TEST_CASE("a_sleeper_is_not_told_of_dead_producers_that_hold_no_claim") {
  const weir::test::watchdog watchdog;
  for (const bool recoverable : {false, true}) {
    const weir::test::mpsc_test_ring<weir::bytes> there{
        {.capacity = 64, .recoverable = recoverable, .process_shared = true}};
    child_process child{[&] {
      auto producer = there.ring.producer().value();
      if (write_pattern(producer, 0, 8) != status::ok) return 1;
      kill(getpid(), SIGKILL);
      return 2;
    }};
    CHECK(child.wait() == child_process::killed);
    auto consumer = there.ring.consumer<weir::park>().value();
    CHECK(consumer.wait() == status::ok);
    CHECK(read_pattern(consumer, 0, 8));
    CHECK(consumer.wait(after(300ms)) == status::timed_out);
  }
}

TEST_CASE("several_sleeping_producers_are_all_woken") {
  const weir::test::watchdog watchdog;
  for (const auto protocol : waking) {
    bytes_waiting<weir::park> ring{{.capacity = 64, .wake = protocol}, 3};
    REQUIRE(fill(ring.producers[0]));
    std::array<status, 3> outcomes{status::busy, status::busy, status::busy};
    std::array<std::thread, 3> sleepers;
    for (std::size_t index = 0; index < 3; ++index) {
      sleepers[index] = std::thread{
          [&, index] { outcomes[index] = ring.producers[index].claim(8).commit().outcome; }};
    }
    await_sleeper(ring, mpsc::space_park);
    std::uint32_t read = 0;
    while (read < 6 && ring.consumer.wait() == status::ok) {
      read += ring.consumer.drain([](const auto&) {}).records;
    }
    for (auto& each : sleepers) each.join();
    CHECK(outcomes == std::array{status::ok, status::ok, status::ok});
  }
}

TEST_CASE("a_producer_that_waits_for_space_learns_that_its_reader_has_died_in_a_ring_for_many") {
  const weir::test::watchdog watchdog;
  const weir::test::mpsc_test_ring<weir::bytes> there{{.capacity = 64, .process_shared = true}};
  child_process child{[&] {
    const auto consumer = there.ring.consumer().value();
    kill(getpid(), SIGKILL);
    return 2;
  }};
  CHECK(child.wait() == child_process::killed);
  auto producer = there.ring.producer(wait_for_space<weir::park>{}).value();
  auto outcome = status::ok;
  for (int count = 0; count < 10 && outcome == status::ok; ++count) {
    outcome = producer.claim(16).commit().outcome;
  }
  CHECK(outcome == status::peer_dead);
}

TEST_CASE("a_typed_ring_waits_like_any_other_in_a_ring_for_many") {
  const weir::test::watchdog watchdog;
  mpsc_sides<std::uint64_t, weir::native_memory, wait_for_space<>, weir::park> ring{
      {.capacity = 2}};
  CHECK(ring.consumer.wait(after(1ms)) == status::timed_out);
  REQUIRE(ring.producers[0].write(1) == status::ok);
  REQUIRE(ring.producers[0].claim().commit(2).outcome == status::ok);
  CHECK(ring.producers[0].write(3, after(1ms)) == status::timed_out);
  CHECK(ring.producers[0].claim(after(1ms)).status() == status::timed_out);
  auto outcome = status::busy;
  std::thread sleeper{[&] { outcome = ring.producers[0].write(3); }};
  await_sleeper(ring, mpsc::space_park);
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  sleeper.join();
  CHECK(outcome == status::ok);
  CHECK(ring.consumer.wait() == status::ok);
}

namespace {

/// Calls every owner dead, once it is asked to.
struct obituary_memory : weir::native_memory {
  static inline bool dead = false;
  static auto alive(std::uint32_t, std::uint32_t) noexcept -> bool { return !dead; }
};

}  // namespace

TEST_CASE("a_sleeper_in_a_ring_of_one_process_does_not_ask_after_its_peers") {
  const weir::test::watchdog watchdog;
  for (const bool process_shared : {false, true}) {
    obituary_memory::dead = false;
    mpsc_sides<weir::bytes, obituary_memory, weir::reject, weir::park> ring{
        {.capacity = 256, .recoverable = true, .process_shared = process_shared}, 1};
    const auto claim = ring.producers[0].try_claim(8);
    REQUIRE(claim);
    obituary_memory::dead = true;
    CHECK(ring.consumer.wait(obituary_memory::now() + weir::park::longest_sleep +
                             std::chrono::milliseconds{50}) ==
          (process_shared ? status::peer_dead : status::timed_out));
    obituary_memory::dead = false;
  }
}
