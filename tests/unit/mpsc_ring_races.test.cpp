// SPDX-License-Identifier: MIT
// Proved: what either side does when the other commits, or somebody hostile writes, between two of its accesses,
// at the places where that decides the answer; what recovery makes of words that the dead can leave.
// Not provable here: that these interleavings are all there are.
#include "support/mpsc_sides.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <optional>
#include <span>
#include <type_traits>

namespace mpsc = weir::layout::mpsc;
namespace record = weir::record;
using weir::mpsc_options;
using weir::status;
using weir::detail::claim_closed;
using weir::detail::claim_intent;
using weir::test::access_event;
using weir::test::access_kind;
using weir::test::access_to;
using weir::test::guarded_span;
using weir::test::mpsc_byte_kind;
using weir::test::mpsc_test_ring;
using weir::test::mpsc_typed_kind;
using weir::test::once;
using weir::test::script_memory;
using weir::test::scripted;

namespace {

constexpr auto nobody_lives = [](std::uint32_t, std::uint32_t) { return false; };

template <class Kind>
using element = std::conditional_t<Kind::frames, weir::bytes, std::uint64_t>;

/// A ring, its producers, and a consumer between whose accesses somebody acts.
template <class T, class Wait = weir::poll>
struct watched_ring {
  using type = weir::mpsc_ring<T>;
  using scripted_type = weir::mpsc_ring<T, script_memory>;

  mpsc_test_ring<T> there;
  std::deque<typename type::template producer_type<>> producers;
  typename scripted_type::template consumer_type<Wait> consumer =
      scripted_type::attach(there.memory.bytes()).value().template consumer<Wait>().value();

  explicit watched_ring(const mpsc_options& options, std::uint32_t count = 2) : there{options} {
    for (; count != 0; --count) producers.push_back(there.ring.producer().value());
  }
  ~watched_ring() { CHECK(there.memory.intact()); }
  watched_ring(const watched_ring&) = delete;
  auto operator=(const watched_ring&) -> watched_ring& = delete;

  [[nodiscard]] auto word(std::uint32_t offset) const -> std::uint32_t* {
    return there.memory.word(offset);
  }
  void set_wide(std::uint32_t offset, std::uint64_t value) const {
    *word(offset) = static_cast<std::uint32_t>(value);
    *word(offset + 4) = static_cast<std::uint32_t>(value >> 32);
  }
  void set_intent(std::uint32_t slot, claim_intent intent) const {
    set_wide(mpsc::producer_slots + slot * mpsc::slot_size + mpsc::slot_intent, intent.word);
  }
  /// Header of the record, or the slot, at position 0.
  [[nodiscard]] auto first() const -> std::uint32_t* {
    return word(mpsc::producer_slots + there.ring.producers() * mpsc::slot_size);
  }
};

constexpr mpsc_options recoverable{.capacity = 256, .producers = 3, .recoverable = true};

}  // namespace

TEMPLATE_TEST_CASE("a_commit_that_comes_before_its_claim_is_made_stale_is_read", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  watched_ring<element<TestType>> ring{recoverable};
  auto open = TestType::claim(ring.producers[0], 1);
  REQUIRE(open);
  auto committed = status::empty;
  {
    const scripted race{once(1, access_to(access_kind::modify, ring.first()),
                             [&] { committed = TestType::commit(open, 1); })};
    const auto done = ring.consumer.recover(nobody_lives);
    CHECK((done.outcome == status::ok && done.claims == 0));
  }
  CHECK(committed == status::ok);
  std::uint32_t number = 0;
  CHECK(ring.consumer.drain([&](const auto& one) { number = TestType::number_of(one); }).records ==
        1);
  CHECK(number == 1);
}

TEST_CASE("a_commit_just_before_the_slot_is_looked_at_again_is_read_too") {
  watched_ring<std::uint64_t> ring{recoverable};
  auto open = ring.producers[0].try_claim();
  REQUIRE(open);
  {
    // Looks at the stamp: to diagnose it, and before it is exchanged.
    const scripted race{once(2, access_to(access_kind::load, ring.first()),
                             [&] { static_cast<void>(open.commit(7)); })};
    CHECK(ring.consumer.recover(nobody_lives).outcome == status::ok);
  }
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 7);
}

TEMPLATE_TEST_CASE("a_header_that_changes_again_and_again_does_not_hold_a_recovery", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  watched_ring<element<TestType>> ring{recoverable};
  auto open = TestType::claim(ring.producers[0], 1);
  REQUIRE(open);
  const auto claimed = *ring.first();
  std::uint32_t exchanges = 0;
  {
    const scripted enemy{[&](const access_event& now) {
      if (now.is(access_kind::load, ring.first())) *ring.first() = claimed;
      if (!now.is(access_kind::modify, ring.first())) return;
      ++exchanges;
      *ring.first() = 0x7777'7777;
    }};
    CHECK(ring.consumer.recover(nobody_lives).outcome == status::corrupt);
  }
  CHECK(exchanges == weir::detail::recovery_races + 1);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
  *ring.first() = claimed;
}

TEST_CASE("of_several_dead_who_meant_to_claim_here_the_shortest_is_skipped_first") {
  watched_ring<std::uint64_t> ring{recoverable};
  // One of the two made the claim of its length and stamped nothing; the other lost the exchange.
  ring.set_intent(0, claim_intent::of(0, 3));
  ring.set_intent(1, claim_intent::of(0, 2));
  ring.set_wide(mpsc::claim_position, 3);
  const auto done = ring.consumer.recover(nobody_lives);
  CHECK(done.outcome == status::empty);
  CHECK(done.claims == 2);  // what is left of the three is found dead in its turn
  auto late = ring.there.ring.producer().value();
  REQUIRE(late.try_write(5) == status::ok);
  std::uint64_t value = 0;
  CHECK(ring.consumer.try_read(value) == status::ok);
  CHECK(value == 5);
}

TEST_CASE("a_dead_claim_that_was_said_to_be_won_has_its_own_length_whatever_others_meant") {
  for (const bool winner_first : {false, true}) {
    watched_ring<std::uint64_t> ring{recoverable};
    ring.set_intent(winner_first ? 0 : 1, claim_intent::of(0, 4).as_won());
    ring.set_intent(winner_first ? 1 : 0, claim_intent::of(0, 1));
    ring.set_wide(mpsc::claim_position, 4);
    const auto done = ring.consumer.recover(nobody_lives);
    CHECK(done.outcome == status::empty);
    CHECK(done.claims == 1);
  }
}

TEST_CASE("a_busy_word_of_a_dead_producer_that_intends_nothing_is_corrupt") {
  watched_ring<weir::bytes> ring{recoverable};
  const auto open = ring.producers[0].try_claim(8);
  REQUIRE(open);
  ring.set_intent(0, {});
  CHECK(ring.consumer.recover(nobody_lives).outcome == status::corrupt);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("a_parked_consumer_of_values_is_told_of_nobody_who_is_not_in_its_way") {
  using namespace std::chrono_literals;
  const weir::test::watchdog watchdog;
  for (const bool can_recover : {false, true}) {
    watched_ring<std::uint64_t, weir::park> ring{
        {.capacity = 8, .recoverable = can_recover, .process_shared = true}};
    const auto until = std::chrono::steady_clock::now() + weir::park::longest_sleep + 50ms;
    CHECK(ring.consumer.wait(until) == status::timed_out);
  }
}

TEST_CASE("a_descriptor_of_a_value_that_is_not_there_yet_was_skipped_or_is_damaged_says_so") {
  watched_ring<std::uint64_t> ring{{.capacity = 8}};
  auto open = ring.producers[0].try_claim();
  REQUIRE(open);
  auto second = ring.producers[1].try_claim();
  const auto named = second.commit(2).record;
  CHECK(ring.consumer.redeem(named).status() == status::empty);  // behind an open claim
  constexpr auto stride = weir::detail::slot_shape<std::uint64_t>::stride;
  const weir::descriptor first{named.offset - stride, named.size, named.sequence - 1};
  CHECK(ring.consumer.redeem(first).status() == status::empty);
  {
    const auto gone = std::move(open);
  }
  CHECK(ring.consumer.redeem(first).status() == status::corrupt);  // aborted: no record
  *ring.first() = 0x7777'7777;
  CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("damage_before_a_named_record_of_a_ring_for_many_is_corrupt_for_good") {
  watched_ring<weir::bytes> ring{{.capacity = 256}};
  REQUIRE(mpsc_byte_kind::write(ring.producers[0], 1) == status::ok);
  auto claim = ring.producers[1].try_claim(8);
  const auto named = claim.commit(2).record;
  *ring.first() = record::commit_word(0x1000);
  CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
  CHECK(ring.consumer.max_record() == ring.there.ring.max_record());
}

TEST_CASE("a_record_that_is_discarded_between_being_found_and_being_redeemed_is_corrupt") {
  watched_ring<weir::bytes> ring{{.capacity = 256}};
  auto claim = ring.producers[0].try_claim(8);
  const auto named = claim.commit(1).record;
  REQUIRE(mpsc_byte_kind::write(ring.producers[1], 2) == status::ok);  // in its place, it seems
  {
    const scripted enemy{once(2, access_to(access_kind::load, ring.first()),
                              [&] { *ring.first() = weir::detail::discard_word(16); })};
    CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  }
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("stamps_of_the_next_lap_behind_a_ring_of_discarded_slots_are_corrupt") {
  constexpr std::uint32_t capacity = 8;
  watched_ring<std::uint64_t> ring{{.capacity = capacity}};
  for (std::uint32_t count = 0; count < capacity; ++count) {
    const auto aborted = ring.producers[0].try_claim();
    REQUIRE(aborted);
  }
  {
    // The slot of the first position, met again before anything was let go of.
    const scripted enemy{once(2, access_to(access_kind::load, ring.first()),
                              [&] { *ring.first() = weir::detail::mpsc_stamp_of(capacity); })};
    CHECK(ring.consumer.try_peek().status() == status::corrupt);
  }
}

TEMPLATE_TEST_CASE("a_consumer_that_closes_leaves_a_whole_ring_behind_and_counts_it", "",
                   weir::bytes, std::uint64_t) {
  mpsc_test_ring<TestType> there{{.capacity = 256}};
  auto producer = there.ring.producer().value();
  std::uint32_t written = 0;
  for (bool more = true; more; written += more ? 1U : 0U) {
    if constexpr (std::is_same_v<TestType, weir::bytes>) {
      more = producer.try_write({}) == status::ok;
    } else {
      more = producer.try_write(written) == status::ok;
    }
  }
  there.ring.consumer().value().close();
  CHECK(there.ring.statistics().discarded == written);
}

TEST_CASE("a_claim_that_is_never_ended_is_given_up_with_its_producers_role") {
  mpsc_test_ring<weir::bytes> there{{.capacity = 256}};
  auto consumer = there.ring.consumer().value();
  using producer_type = decltype(there.ring)::producer_type<>;
  std::optional<producer_type> producer{there.ring.producer().value()};
  auto other = there.ring.producer().value();
  // Its destructor never runs: somebody has let go of the memory that it lay in.
  alignas(producer_type::claim_type) std::byte lost[sizeof(producer_type::claim_type)];
  REQUIRE(*::new (lost) producer_type::claim_type{producer->try_claim(8)});
  REQUIRE(mpsc_byte_kind::write(other, 2) == status::ok);
  CHECK(consumer.try_peek().status() == status::empty);
  producer.reset();
  std::uint32_t number = 0;
  CHECK(consumer.drain([&](const auto& one) { number = mpsc_byte_kind::number_of(one); }).records ==
        1);
  CHECK(number == 2);
}

TEMPLATE_TEST_CASE("a_producers_role_that_is_corrupt_leaves_the_rings_sleepers_alone", "",
                   weir::bytes, std::uint64_t) {
  mpsc_test_ring<TestType> there{{.capacity = 256, .wake = weir::wake_protocol::fenced}};
  *there.memory.word(mpsc::data_park) |= 1;  // somebody waits
  const auto asleep = *there.memory.word(mpsc::data_park);
  *there.memory.word(mpsc::read_position) = 8;  // beyond all that was claimed
  CHECK(there.ring.producer().status() == status::corrupt);
  CHECK(*there.memory.word(mpsc::data_park) == asleep);
  *there.memory.word(mpsc::read_position) = 0;
  CHECK(there.ring.producer().status() == status::ok);
}

TEMPLATE_TEST_CASE("a_consumer_of_many_producers_lingers_while_they_get_on", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  watched_ring<element<TestType>, weir::backoff> ring{{.capacity = 4096}};
  std::uint32_t shown = 0;
  const auto take_one = [&] {
    return ring.consumer.drain([&](const auto&) { ++shown; }, 1).outcome;
  };
  for (std::uint32_t number = 0; number < weir::detail::linger_run; ++number) {
    REQUIRE(TestType::write(ring.producers[0], number) == status::ok);
    REQUIRE(take_one() == status::ok);
  }
  auto late = status::empty;
  const scripted race{once(
      1, [](const access_event& now) { return now.kind == access_kind::pause; },
      [&] { late = TestType::write(ring.producers[1], 99); })};
  CHECK(take_one() == status::ok);
  CHECK(late == status::ok);
  CHECK(shown == weir::detail::linger_run + 1);
  CHECK(ring.producers[1].capacity() == ring.there.ring.capacity());
}

TEST_CASE("a_moved_batch_is_the_batch") {
  mpsc_test_ring<weir::bytes> there{{.capacity = 256}};
  auto consumer = there.ring.consumer().value();
  auto producer = there.ring.producer().value();
  auto batch = producer.try_claim_batch(2, 8);
  REQUIRE(batch);
  auto moved = std::move(batch);
  CHECK(batch.status() == status::stale);
  CHECK(batch.size() == 0);
  CHECK(moved.size() == 2);
  CHECK(batch.commit() == status::stale);
  for (std::uint32_t index = 0; index < 2; ++index) {
    weir::test::fill_pattern(moved[index], 1 + index);
  }
  CHECK(moved.commit(1) == status::ok);
  CHECK(consumer.drain([](const auto&) {}).records == 2);
}

TEST_CASE("a_dropping_producer_claims_no_batch_before_there_is_room_again") {
  mpsc_test_ring<weir::bytes> there{{.capacity = 256}};
  auto consumer = there.ring.consumer().value();
  auto producer = there.ring.producer(weir::drop_newest{.low_water = 128}).value();
  while (producer.try_write({}) == status::ok) {
  }
  CHECK(producer.try_claim_batch(2, 8).status() == status::full);
  CHECK(consumer.drain([](const auto&) {}).records != 0);
  CHECK(producer.try_claim_batch(2, 8).status() == status::ok);
}

TEST_CASE("forged_positions_beyond_all_that_can_be_counted_end_in_a_status") {
  const std::uint64_t beyond = claim_closed - 16;
  watched_ring<weir::bytes> ring{{.capacity = 256}, 0};
  ring.set_wide(mpsc::claim_position, beyond);
  ring.set_wide(mpsc::read_position, beyond);
  auto producer = ring.there.ring.producer().value();
  auto outcome = status::ok;
  for (std::uint32_t claims = 0; outcome == status::ok && claims < 100; ++claims) {
    outcome = producer.try_write({});
  }
  CHECK(outcome == status::closed);

  mpsc_test_ring<weir::bytes> there{{.capacity = 256}};
  for (const auto offset : {mpsc::read_position, mpsc::consumed_position}) {
    *there.memory.word(offset + 4) = 0x8000'0000;
  }
  CHECK(there.ring.consumer().status() == status::corrupt);
}

TEST_CASE("a_ring_of_more_bytes_than_can_be_counted_needs_no_bytes") {
  using wide = std::array<std::uint64_t, 16>;
  CHECK(weir::mpsc_ring<wide>::bytes_required({.capacity = weir::detail::max_mpsc_slots}) == 0);
  CHECK(weir::mpsc_ring<wide>::bytes_required({.capacity = 1U << 20}) > 128U << 20);
}
