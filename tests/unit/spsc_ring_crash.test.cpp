// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory of these scripts a process dies before, its successor goes on:
// no record that was published is lost or torn, nothing unpublished appears. Not provable here: a death
// between two machine instructions of one access, or inside a copy; no access depends on one.
#include "support/child_process.hpp"
#include "support/memories.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

using weir::spsc_options;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t capacity = 128;

/// One kind of ring: how its records are numbered, written and read.
struct byte_kind {
  template <class Memory>
  using ring = weir::spsc_ring<weir::bytes, Memory>;
  static auto size_of(std::uint32_t number) -> std::uint32_t { return number * 5 % 30; }

  template <class Producer>
  static auto write(Producer& producer, std::uint32_t number, bool later) -> bool {
    auto claim = producer.try_claim(size_of(number));
    if (!claim) return false;
    weir::test::fill_pattern(claim.bytes(), number);
    return (later ? claim.commit_later(number) : claim.commit(number)).outcome == status::ok;
  }
  template <class Producer>
  static void abandon(Producer& producer) {
    const auto claim = producer.try_claim(20);
    weir::test::fill_pattern(claim.bytes(), 9999);
  }
  /// The number of a record that is what it should be; else a number that none has.
  static auto number_of(const weir::record_view& view) -> std::uint32_t {
    const bool whole =
        view.bytes.size() == size_of(view.type) && weir::test::has_pattern(view.bytes, view.type);
    return whole ? view.type : 0xFFFF'FFFF;
  }
};

struct typed_kind {
  template <class Memory>
  using ring = weir::spsc_ring<std::uint64_t, Memory>;

  static auto value_of(std::uint32_t number) -> std::uint64_t {
    return std::uint64_t{number} << 32 | (number ^ 0x5A5A'5A5A);
  }
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t number, bool later) -> bool {
    auto claim = producer.try_claim();
    if (!claim) return false;
    return (later ? claim.commit_later(value_of(number)) : claim.commit(value_of(number)))
               .outcome == status::ok;
  }
  template <class Producer>
  static void abandon(Producer& producer) {
    const auto claim = producer.try_claim();
    weir::test::fill_pattern(claim.bytes(), 9999);
  }
  static auto number_of(const std::uint64_t& value) -> std::uint32_t {
    const auto number = static_cast<std::uint32_t>(value >> 32);
    return value == value_of(number) ? number : 0xFFFF'FFFF;
  }
};

/// Writes numbered records as long as there is room, in every way there is. `progress` 0: how many are
/// certainly published; 1: how many were begun.
template <class Kind, class Ring>
void produce(const Ring& ring, shared_progress& progress) {
  auto producer = ring.producer().value();
  std::uint32_t number = 0;
  const auto write = [&](bool later) {
    progress.set(1, number + 1);
    if (!Kind::write(producer, number, later)) return false;
    ++number;
    if (!later) progress.set(0, number);
    return true;
  };
  write(false);
  Kind::abandon(producer);
  write(false);
  write(true);
  write(true);
  producer.flush();
  progress.set(0, number);
  write(true);
  write(false);
  while (write(number % 3 != 0)) {
  }
}

/// Reads in every way there is. `progress` 0: how many records it was shown or is about to be.
template <class Kind, class Ring>
void consume(const Ring& ring, shared_progress& progress) {
  auto consumer = ring.consumer().value();
  const auto count = [&progress](const auto&...) { progress.set(0, progress.get(0) + 1); };
  for (int round = 0; round < 3; ++round) {
    count();
    consumer.try_peek().release();
  }
  static_cast<void>(consumer.drain(count, 3));
  count();
  consumer.try_peek().release();
  consumer.flush();
  static_cast<void>(consumer.drain(count));
}

template <class Kind>
auto format(const guarded_span& memory, std::uint32_t start) {
  return Kind::template ring<weir::native_memory>::format(
             memory.bytes(),
             {.capacity = capacity, .process_shared = true, .start_position = start})
      .value();
}

/// Reads all there is; the numbers must go up by one from `first`. Returns  the number after the last.
template <class Kind, class Ring>
auto read_on(const Ring& ring, std::uint32_t first, std::uint32_t& wrong) -> std::uint32_t {
  auto consumer = ring.consumer().value();
  auto expected = first;
  const auto check = [&](const auto& record) {
    wrong += Kind::number_of(record) == expected ? 0U : 1U;
    ++expected;
  };
  auto outcome = status::ok;
  while (outcome == status::ok) outcome = consumer.drain(check).outcome;
  wrong += outcome == status::empty ? 0U : 1U;
  return expected;
}

}  // namespace

TEMPLATE_TEST_CASE("a_producer_may_die_before_any_access", "", byte_kind, typed_kind) {
  const weir::test::watchdog watchdog;
  using crashing_ring = typename TestType::template ring<crash_memory>;
  const guarded_span memory{crashing_ring::bytes_required(capacity)};
  for (const auto start : {0U, 0U - 64}) {
    std::uint32_t wrong = 0;
    std::uint32_t deaths = 0;
    for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
      const auto ring = format<TestType>(memory, start);
      shared_progress progress;
      child_process child{[&] {
        const auto crashing = crashing_ring::attach(memory.bytes()).value();
        crash_memory::die_before_access(fatal);
        produce<TestType>(crashing, progress);
        return 0;
      }};
      if (child.wait() == child_process::killed) ++deaths;

      auto successor = ring.producer();
      if (!successor) {
        ++wrong;
        continue;
      }
      const auto read = read_on<TestType>(ring, 0, wrong);
      wrong += progress.get(0) <= read && read <= progress.get(1) ? 0U : 1U;
      for (std::uint32_t number = 0; number < 3; ++number) {
        wrong += TestType::write(successor.value(), 200 + number, number % 2 == 0) ? 0U : 1U;
      }
      successor.value().flush();
      wrong += read_on<TestType>(ring, 200, wrong) == 203 ? 0U : 1U;
    }
    CHECK(wrong == 0);
    CHECK(deaths > 50);
    CHECK(memory.intact());
  }
}

TEMPLATE_TEST_CASE("a_consumer_may_die_before_any_access", "", byte_kind, typed_kind) {
  const weir::test::watchdog watchdog;
  using crashing_ring = typename TestType::template ring<crash_memory>;
  const guarded_span memory{crashing_ring::bytes_required(capacity)};
  for (const auto start : {0U, 0U - 64}) {
    std::uint32_t wrong = 0;
    std::uint32_t deaths = 0;
    for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
      const auto ring = format<TestType>(memory, start);
      shared_progress progress;
      auto producer = ring.producer().value();
      std::uint32_t written = 0;
      while (written < 60 && TestType::write(producer, written, false)) ++written;
      child_process child{[&] {
        const auto crashing = crashing_ring::attach(memory.bytes()).value();
        crash_memory::die_before_access(fatal);
        consume<TestType>(crashing, progress);
        return 0;
      }};
      if (child.wait() == child_process::killed) ++deaths;

      // What the dead one had not let go of comes again: find out where the successor begins.
      std::uint32_t first = written;
      {
        auto successor = ring.consumer().value();
        static_cast<void>(
            successor.drain([&](const auto& record) { first = TestType::number_of(record); }, 1));
      }
      wrong += first <= progress.get(0) ? 0U : 1U;
      if (first != written) wrong += read_on<TestType>(ring, first + 1, wrong) == written ? 0U : 1U;
      wrong += TestType::write(producer, written, false) ? 0U : 1U;
      wrong += read_on<TestType>(ring, written, wrong) == written + 1 ? 0U : 1U;
    }
    CHECK(wrong == 0);
    CHECK(deaths > 30);
    CHECK(memory.intact());
  }
}

TEMPLATE_TEST_CASE("a_ring_whose_formatting_died_is_not_ready_or_whole", "", byte_kind,
                   typed_kind) {
  using crashing_ring = typename TestType::template ring<crash_memory>;
  using ring = typename TestType::template ring<weir::native_memory>;
  const guarded_span memory{ring::bytes_required(64)};
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    REQUIRE(
        ring::format(memory.bytes(), {.capacity = 64}));  // an old ring, which must not reappear
    child_process child{[&] {
      crash_memory::die_before_access(fatal);
      return crashing_ring::format(memory.bytes(), {.capacity = 64, .type_tag = 7}) ? 0 : 1;
    }};
    const auto end = child.wait();
    if (end == child_process::killed) ++deaths;
    const auto before_anything = fatal == 1;
    const auto outcome = ring::attach(memory.bytes(), 7).status();
    const auto expected = end == 0          ? status::ok
                          : before_anything ? status::bad_layout
                                            : status::not_ready;
    if (outcome != expected) FAIL("died before access " << fatal);
  }
  CHECK(deaths > 150);
}
