// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/doorbell.hpp>
#include <weir/eventfd_bridge.hpp>
#include <weir/lanes.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

using weir::doorbell;
using weir::eventfd_bridge;
using weir::status;
using weir::stop_word;
using weir::wake_protocol;
using weir::test::guarded_span;
using namespace std::chrono_literals;

namespace {

/// An epoll loop with one descriptor in it.
class loop {
 public:
  explicit loop(int fd, std::uint32_t events = EPOLLIN) : epoll_{epoll_create1(EPOLL_CLOEXEC)} {
    epoll_event event{};
    event.events = events;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) FAIL("epoll_ctl");
  }
  loop(const loop&) = delete;
  auto operator=(const loop&) -> loop& = delete;
  ~loop() { close(epoll_); }
  [[nodiscard]] auto woken(int milliseconds = -1) const -> bool {
    epoll_event event{};
    return epoll_wait(epoll_, &event, 1, milliseconds) == 1;
  }

 private:
  int epoll_;
};

struct bell_in_memory {
  guarded_span memory{doorbell<>::bytes_required()};
  doorbell<> bell;
  explicit bell_in_memory(const weir::doorbell_options& options = {})
      : bell{doorbell<>::format(memory.bytes(), options).value()} {}
};

/// A thread that forwards until it is stopped.
class forwarder {
 public:
  forwarder(const eventfd_bridge& bridge, const doorbell<>& bell)
      : bell_{bell}, thread_{[this, &bridge] { outcome_ = bridge.forward(bell_, &stop_); }} {}
  forwarder(const forwarder&) = delete;
  auto operator=(const forwarder&) -> forwarder& = delete;
  ~forwarder() {
    if (thread_.joinable()) static_cast<void>(end());
  }
  auto end() -> status {
    bell_.request_stop(stop_);
    thread_.join();
    return outcome_;
  }

 private:
  doorbell<> bell_;
  stop_word stop_;
  status outcome_ = status::ok;
  std::thread thread_;
};

}  // namespace

TEST_CASE("each_ring_of_the_bell_makes_the_descriptor_readable_once") {
  const weir::test::watchdog watchdog;
  const bell_in_memory there;
  const auto bridge = eventfd_bridge::make().value();
  const loop events{bridge.fd()};
  CHECK_FALSE(events.woken(0));
  forwarder forwards{bridge, there.bell};
  for (int round = 0; round < 20; ++round) {  // the first signal comes without a ring
    CHECK(events.woken());
    bridge.acknowledge();
    CHECK_FALSE(events.woken(0));
    // Ring when the forwarder has announced itself, as a publisher would.
    while ((__atomic_load_n(there.bell.park_word(), __ATOMIC_ACQUIRE) & 1) == 0) {
      std::this_thread::yield();
    }
    there.bell.ring();
  }
  CHECK(forwards.end() == status::stopped);
}

TEST_CASE("a_forwarder_stops_though_nobody_acknowledges") {
  const weir::test::watchdog watchdog;
  const bell_in_memory there;
  const auto bridge = eventfd_bridge::make().value();
  const loop events{bridge.fd()};
  forwarder forwards{bridge, there.bell};
  CHECK(events.woken());
  there.bell.ring();
  CHECK(forwards.end() == status::stopped);
  CHECK(events.woken(0));
}

TEST_CASE("a_forwarder_goes_on_waiting_for_a_loop_that_is_slow_to_acknowledge") {
  const weir::test::watchdog watchdog;
  const bell_in_memory there;
  const auto bridge = eventfd_bridge::make().value();
  const loop events{bridge.fd()};
  forwarder forwards{bridge, there.bell};
  CHECK(events.woken());
  there.bell.ring();  // the forwarder waits until the first signal is acknowledged
  const auto slow = std::chrono::steady_clock::now() + 120ms;  // over two of its looks
  while (std::chrono::steady_clock::now() < slow) CHECK(events.woken(10));
  bridge.acknowledge();
  CHECK(events.woken());  // the ring was not forgotten
  CHECK(forwards.end() == status::stopped);
}

TEST_CASE("without_a_descriptor_to_be_had_there_is_no_bridge") {
  weir::test::child_process child{[] {
    const rlimit no_more_files{0, 0};
    setrlimit(RLIMIT_NOFILE, &no_more_files);
    return eventfd_bridge::make().status() == status::unsupported ? 0 : 1;
  }};
  CHECK(child.wait() == 0);
}

TEST_CASE("forwarding_ends_at_its_deadline_and_is_refused_where_nobody_rings") {
  const bell_in_memory there;
  auto bridge = eventfd_bridge::make().value();
  const auto until = std::chrono::steady_clock::now() + 5ms;
  CHECK(bridge.forward(there.bell, nullptr, until) == status::timed_out);
  const bell_in_memory silent{{.wake = wake_protocol::none}};
  CHECK(bridge.forward(silent.bell, nullptr) == status::unsupported);
  const auto moved = std::move(bridge);
  CHECK(moved.fd() >= 0);
  CHECK(bridge.fd() == -1);
}

TEST_CASE("an_epoll_loop_reads_every_record_of_a_ring_with_either_trigger") {
  const weir::test::watchdog watchdog;
  using ring_type = weir::spsc_ring<std::uint64_t>;
  const auto count = std::uint64_t{weir::test::scaled(20'000)};
  for (const std::uint32_t trigger : {std::uint32_t{EPOLLIN}, EPOLLIN | EPOLLET}) {
    for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
      const bell_in_memory there{{.wake = protocol}};
      const guarded_span memory{ring_type::bytes_required(16)};
      const auto ring = ring_type::format(memory.bytes(), {.capacity = 16}, there.bell).value();
      const auto bridge = eventfd_bridge::make().value();
      const loop events{bridge.fd(), trigger};
      forwarder forwards{bridge, there.bell};
      status failed = status::ok;
      std::thread writer{[&] {
        auto producer = ring.producer(weir::wait_for_space<>{}).value();
        for (std::uint64_t value = 0; value < count; ++value) {
          if (const auto outcome = producer.write(value); outcome != status::ok) failed = outcome;
          if (value % 1000 == 999) std::this_thread::yield();
        }
        producer.close();
      }};
      auto consumer = ring.consumer().value();
      std::uint64_t next = 0;
      std::uint32_t wrong = 0;
      for (auto outcome = status::empty; outcome == status::empty;) {
        wrong += events.woken() ? 0U : 1U;
        bridge.acknowledge();
        do {
          outcome = consumer.drain([&](std::uint64_t value) { wrong += value != next++; }).outcome;
        } while (outcome == status::ok);
        consumer.flush();
        if (outcome != status::empty) CHECK(outcome == status::closed);
      }
      writer.join();
      CHECK((failed == status::ok && wrong == 0 && next == count));
      CHECK(forwards.end() == status::stopped);
    }
  }
}

TEST_CASE("an_epoll_loop_hears_of_lanes_in_other_processes") {
  const weir::test::watchdog watchdog;
  using lanes_type = weir::lanes<std::uint64_t>;
  const guarded_span memory{lanes_type::bytes_required(2, 8)};
  const auto view =
      lanes_type::format(memory.bytes(), {.lanes = 2, .capacity = 8, .process_shared = true})
          .value();
  constexpr std::uint64_t count = 500;
  const auto write = [&] {
    auto producer = view.producer(weir::wait_for_space<>{});
    if (!producer) return 1;
    for (std::uint64_t value = 0; value < count; ++value) {
      if (producer->write(value) != status::ok) return 1;
    }
    producer->close();
    return 0;
  };
  weir::test::child_process first{write};
  weir::test::child_process second{write};
  auto consumer = view.consumer().value();
  const auto bridge = eventfd_bridge::make().value();
  const loop events{bridge.fd()};
  forwarder forwards{bridge, view.bell()};
  std::uint64_t records = 0;
  for (auto outcome = status::empty; outcome != status::closed;) {
    if (!events.woken()) break;
    bridge.acknowledge();
    do {
      const auto done = consumer.drain([](std::uint64_t) {});
      outcome = done.outcome;
      records += done.records;
    } while (outcome == status::ok);
  }
  CHECK(records == 2 * count);
  CHECK(first.wait() == 0);
  CHECK(second.wait() == 0);
}
