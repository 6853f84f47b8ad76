// SPDX-License-Identifier: MIT
// Proved: what either side does when the other acts, or somebody hostile writes, between two of its accesses, at
// the places where that decides the answer; handles that are used in another order than the usual one.
// Not provable here: that these interleavings are all there are.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/script.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace spsc = weir::layout::spsc;
using weir::status;
using weir::wake_protocol;
using weir::test::access_event;
using weir::test::access_kind;
using weir::test::access_to;
using weir::test::guarded_span;
using weir::test::once;
using weir::test::read_pattern;
using weir::test::script_memory;
using weir::test::scripted;
using weir::test::test_ring;
using weir::test::write_pattern;

namespace {

using byte_ring = weir::spsc_ring<weir::bytes>;
using word_ring = weir::spsc_ring<std::uint64_t>;

/// A ring, its producer, and a consumer between whose accesses somebody acts.
template <class T, class Wait = weir::poll>
struct watched_ring {
  using scripted_type = weir::spsc_ring<T, script_memory>;

  test_ring<T> there;
  typename weir::spsc_ring<T>::template producer_type<> producer = there.ring.producer().value();
  typename scripted_type::template consumer_type<Wait> consumer =
      scripted_type::attach(there.memory.bytes()).value().template consumer<Wait>().value();

  explicit watched_ring(std::uint32_t capacity, wake_protocol wake = wake_protocol::fenced)
      : there{{.capacity = capacity, .wake = wake}} {}

  [[nodiscard]] auto word(std::uint32_t offset) const -> std::uint32_t* {
    return there.memory.word(offset);
  }
};

}  // namespace

TEST_CASE("of_two_looks_at_the_oldest_record_the_second_release_moves_on_no_further") {
  test_ring<weir::bytes> bytes{{.capacity = 256}};
  auto producer = bytes.ring.producer().value();
  auto consumer = bytes.ring.consumer().value();
  for (std::uint32_t number = 0; number < 3; ++number) {
    REQUIRE(write_pattern(producer, number, 8) == status::ok);
  }
  {
    auto first = consumer.try_peek();
    auto again = consumer.try_peek();
    again.release();
    first.release();
  }
  CHECK(read_pattern(consumer, 1, 8));

  test_ring<std::uint64_t> words{{.capacity = 4}};
  auto writer = words.ring.producer().value();
  auto reader = words.ring.consumer().value();
  for (std::uint64_t number = 0; number < 3; ++number) {
    REQUIRE(writer.try_write(number) == status::ok);
  }
  {
    auto first = reader.try_peek();
    auto again = reader.try_peek();
    again.release();
    first.release();
  }
  CHECK(reader.try_peek().value() == 1);
}

TEST_CASE("a_claim_that_is_open_when_its_producer_closes_cannot_be_committed") {
  test_ring<weir::bytes> bytes{{.capacity = 256}};
  {
    auto producer = bytes.ring.producer().value();
    auto claim = producer.try_claim(8);
    REQUIRE(claim);
    producer.close();
    CHECK(claim.commit().outcome == status::closed);
  }
  auto consumer = bytes.ring.consumer().value();
  CHECK(consumer.try_peek().status() == status::closed);

  test_ring<std::uint64_t> words{{.capacity = 4}};
  auto producer = words.ring.producer().value();
  {
    auto claim = producer.try_claim();
    REQUIRE(claim);
    producer.close();
    CHECK(claim.commit(1).outcome == status::closed);
  }
  CHECK(producer.try_write(2) == status::closed);  // the end of the claim opened nothing again
  CHECK(words.ring.consumer().value().try_peek().status() == status::closed);
}

TEST_CASE("a_typed_claim_that_is_over_has_no_bytes") {
  test_ring<std::uint64_t> there{{.capacity = 4}};
  auto producer = there.ring.producer().value();
  auto claim = producer.try_claim();
  CHECK(claim.bytes().size() == sizeof(std::uint64_t));
  CHECK(claim.commit(1).outcome == status::ok);
  CHECK(claim.bytes().empty());
  CHECK(claim.commit(2).outcome == status::stale);
  CHECK(there.ring.consumer().value().try_peek().value() == 1);
}

TEST_CASE("a_write_that_may_wait_does_not_wait_for_what_never_fits") {
  test_ring<weir::bytes> there{{.capacity = 256}};
  auto producer = there.ring.producer(weir::wait_for_space<>{}).value();
  auto consumer = there.ring.consumer().value();
  CHECK(consumer.max_record() == there.ring.max_record());
  std::array<std::byte, 257> record{};
  REQUIRE(producer.max_record() < record.size());
  CHECK(producer.write(std::span{record}.first(producer.max_record() + 1)) == status::too_large);
  CHECK(producer.write(std::span{record}.first(producer.max_record())) == status::ok);
}

TEST_CASE("a_batch_is_published_and_rung_for_as_the_protocol_says") {
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    const test_ring<std::uint64_t, weir::test::count_memory> there{
        {.capacity = 4, .wake = protocol}};
    auto producer = there.ring.producer().value();
    auto consumer = there.ring.consumer().value();
    *there.memory.word(spsc::data_park) |= 1;  // somebody waits
    const std::array<std::uint64_t, 2> values{1, 2};
    const auto cost =
        weir::test::count_memory::cost_of([&] { CHECK(producer.try_write_batch(values) == 2); });
    CHECK(cost.wakes == (protocol == wake_protocol::none ? 0 : 1));
    std::uint64_t value = 0;
    CHECK(consumer.try_read(value) == status::ok);
    CHECK(value == 1);
  }
}

TEST_CASE("a_consumer_lingers_while_its_producer_gets_on_for_four_rounds_and_no_longer") {
  watched_ring<std::uint64_t, weir::backoff> ring{4096};
  std::uint64_t value = 0;
  const auto run = [&] {
    for (std::uint32_t number = 0; number < weir::detail::linger_run; ++number) {
      REQUIRE(ring.producer.try_write(number) == status::ok);
      REQUIRE(ring.consumer.try_read(value) == status::ok);
    }
  };
  const auto hints = std::min(
      weir::backoff::linger, ring.there.ring.capacity() * 16 / weir::detail::bytes_per_linger_hint);
  for (const bool gets_on : {false, true}) {
    run();
    std::uint32_t pauses = 0;
    {
      const scripted busy{[&](const access_event& now) {
        if (now.kind != access_kind::pause) return;
        ++pauses;
        if (gets_on) ++*ring.word(spsc::write_position);  // as each event of a producer does
      }};
      CHECK(ring.consumer.try_read(value) == status::empty);
    }
    CHECK(pauses == hints * (gets_on ? weir::detail::linger_rounds : 1));
  }
}

TEST_CASE("a_record_that_changes_between_being_found_and_being_redeemed_is_corrupt") {
  namespace record = weir::record;
  // Gone, padding before another record, another size.
  for (const std::uint32_t forged : {0U, record::padding_word(16), record::commit_word(4)}) {
    watched_ring<weir::bytes> ring{256};
    auto claim = ring.producer.try_claim(8);
    const auto named = claim.commit(1).record;
    REQUIRE(write_pattern(ring.producer, 2, 8) == status::ok);
    auto* const header = ring.word(spsc::data);
    {
      const scripted race{once(2, access_to(access_kind::load, header), [&] { *header = forged; })};
      CHECK(ring.consumer.redeem(named).status() == status::corrupt);
    }
    CHECK(ring.consumer.try_peek().status() == status::corrupt);
    CHECK(ring.there.memory.intact());
  }
  watched_ring<std::uint64_t> ring{4};
  auto claim = ring.producer.try_claim();
  const auto named = claim.commit(1).record;
  auto* const stamp = ring.word(spsc::data);
  {
    const scripted race{once(2, access_to(access_kind::load, stamp), [&] { *stamp = 0x1234; })};
    CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  }
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("damage_on_the_way_to_a_named_record_is_corrupt_for_good") {
  watched_ring<weir::bytes> bytes{256};
  REQUIRE(write_pattern(bytes.producer, 1, 8) == status::ok);
  auto claim = bytes.producer.try_claim(8);
  const auto named = claim.commit(2).record;
  *bytes.word(spsc::data) = 0x7FFF'FFF9;
  CHECK(bytes.consumer.redeem(named).status() == status::corrupt);
  CHECK(bytes.consumer.try_peek().status() == status::corrupt);

  watched_ring<std::uint64_t> words{4};
  REQUIRE(words.producer.try_write(1) == status::ok);
  auto slot = words.producer.try_claim();
  const auto second = slot.commit(2).record;
  *words.word(spsc::data) = 0x1234;
  CHECK(words.consumer.redeem(second).status() == status::corrupt);
  CHECK(words.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("a_sleeper_goes_on_sleeping_while_its_peer_in_another_process_lives") {
  using namespace std::chrono_literals;
  const weir::test::watchdog watchdog;
  const test_ring<std::uint64_t> there{{.capacity = 4, .process_shared = true}};
  weir::test::shared_progress progress;
  weir::test::child_process child{[&] {
    const auto producer = there.ring.producer();
    progress.set(0, producer ? 1 : 2);
    weir::test::sleep_until_killed();
    return 1;
  }};
  progress.await(0, 1);
  auto consumer = there.ring.consumer<weir::park>().value();
  const auto until = std::chrono::steady_clock::now() + weir::park::longest_sleep + 50ms;
  CHECK(consumer.wait(until) == status::timed_out);
  CHECK(there.ring.statistics().consumer.waits >= 2);
}

TEST_CASE("a_span_larger_than_any_ring_gets_the_largest_ring") {
  if constexpr (sizeof(std::size_t) > 4) {
    const guarded_span memory{byte_ring::bytes_required(256)};
    // Only the control block is written: no memory is needed behind it.
    const std::span<std::byte> huge{memory.bytes().data(), static_cast<std::size_t>(0x1'8000'0000)};
    CHECK(byte_ring::format(huge).value().capacity() == 0x8000'0000);
    CHECK(memory.intact());
  }
}

TEST_CASE("nothing_is_stored_in_bytes_that_the_producer_may_write_again") {
  watched_ring<weir::bytes> ring{4096};
  while (write_pattern(ring.producer, 1, 24) == status::ok) {
  }
  const auto* const data = ring.there.memory.bytes().data() + ring.there.memory.bytes().size() -
                           ring.there.ring.capacity();
  std::uint32_t returned = 0;
  std::uint32_t too_late = 0;
  const scripted watch{[&](const access_event& now) {
    if (now.kind != access_kind::store || now.address < data) return;
    const auto at = static_cast<const std::byte*>(now.address) - data;
    ++returned;
    if (static_cast<std::uint32_t>(at) < *ring.word(spsc::read_position)) ++too_late;
  }};
  std::uint32_t records = 0;
  while (read_pattern(ring.consumer, 1, 24)) {
    if (++records % 8 == 0) ring.consumer.flush();
  }
  CHECK(records > 100);
  CHECK(returned > 50);
  CHECK(too_late == 0);
}
