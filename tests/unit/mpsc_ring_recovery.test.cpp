// SPDX-License-Identifier: MIT
// What recover() does with a proof of death that the test gives, and with children that are dead.
#include "support/child_process.hpp"
#include "support/mpsc_sides.hpp"
#include "support/script.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace mpsc = weir::layout::mpsc;
using weir::mpsc_options;
using weir::owner_state;
using weir::status;
using weir::detail::claim_intent;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::is_clean;
using weir::test::mpsc_byte_kind;
using weir::test::mpsc_sides;
using weir::test::mpsc_typed_kind;
using weir::test::shared_progress;

namespace {

constexpr auto nobody_lives = [](std::uint32_t, std::uint32_t) { return false; };
constexpr auto everybody_lives = [](std::uint32_t, std::uint32_t) { return true; };

template <class Kind>
using element = std::conditional_t<Kind::frames, weir::bytes, std::uint64_t>;

/// Reads what is there. Returns  the numbers.
template <class Kind, class Consumer>
auto read_all(Consumer& consumer) -> std::vector<std::uint32_t> {
  std::vector<std::uint32_t> numbers;
  static_cast<void>(
      consumer.drain([&](const auto& record) { numbers.push_back(Kind::number_of(record)); }));
  return numbers;
}

using numbers = std::vector<std::uint32_t>;

/// What the owner of a slot says that it is about to claim, or has claimed.
template <class Ring>
void set_intent(const Ring& ring, std::uint32_t slot, claim_intent intent) {
  const auto at = mpsc::producer_slots + slot * mpsc::slot_size + mpsc::slot_intent;
  ring.word(at) = static_cast<std::uint32_t>(intent.word);
  ring.word(at + 4) = static_cast<std::uint32_t>(intent.word >> 32);
}

}  // namespace

TEMPLATE_TEST_CASE("a_claim_whose_owner_is_declared_dead_is_skipped_and_its_commit_is_stale", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  for (const auto start : weir::test::notable_wide_starts) {
    CAPTURE(start);
    mpsc_sides<element<TestType>> ring{
        {.capacity = 256, .recoverable = true, .start_position = start}};
    auto open = TestType::claim(ring.producers[0], 1);
    REQUIRE(open);
    REQUIRE(TestType::write(ring.producers[1], 2) == status::ok);
    CHECK(read_all<TestType>(ring.consumer).empty());

    const auto done = ring.consumer.recover(nobody_lives);
    CHECK(done.outcome == status::ok);
    CHECK(done.claims == 1);
    CHECK(ring.there.ring.statistics().recovered == 1);
    CHECK(TestType::commit(open, 1) == status::stale);
    CHECK(read_all<TestType>(ring.consumer) == numbers{2});

    for (std::uint32_t number = 3; number < 200; ++number) {
      if (TestType::write(ring.producers[number % 2], number) != status::ok) FAIL(number);
      if (read_all<TestType>(ring.consumer) != numbers{number}) FAIL(number);
    }
    CHECK(ring.intact());
  }
}

TEMPLATE_TEST_CASE("a_commit_that_comes_laps_too_late_is_stale", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{{.capacity = 256, .recoverable = true}};
  auto open = TestType::claim(ring.producers[0], 1);
  REQUIRE(open);
  CHECK(ring.consumer.recover(nobody_lives).claims == 1);
  for (std::uint32_t number = 2; number < 100; ++number) {
    REQUIRE(TestType::write(ring.producers[1], number) == status::ok);
    REQUIRE(read_all<TestType>(ring.consumer) == numbers{number});
  }
  // No payload: those bytes belong to others by now, which is why only the dead may be declared so.
  CHECK(open.commit().outcome == status::stale);
  CHECK(read_all<TestType>(ring.consumer).empty());
  CHECK(TestType::write(ring.producers[0], 100) == status::ok);
  CHECK(read_all<TestType>(ring.consumer) == numbers{100});
}

TEMPLATE_TEST_CASE("an_aborted_claim_that_was_skipped_changes_nothing", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{{.capacity = 256, .recoverable = true}};
  {
    const auto open = TestType::claim(ring.producers[0], 1);
    REQUIRE(TestType::write(ring.producers[1], 2) == status::ok);
    CHECK(ring.consumer.recover(nobody_lives).claims == 1);
  }
  CHECK(read_all<TestType>(ring.consumer) == numbers{2});
  CHECK(TestType::write(ring.producers[0], 3) == status::ok);
  CHECK(read_all<TestType>(ring.consumer) == numbers{3});
}

TEMPLATE_TEST_CASE("what_the_living_claimed_is_pending", "", mpsc_byte_kind, mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{{.capacity = 256, .recoverable = true}};
  CHECK(ring.consumer.recover(nobody_lives).outcome == status::empty);
  CHECK(ring.consumer.recover().outcome == status::empty);
  auto open = TestType::claim(ring.producers[0], 1);
  for (int round = 0; round < 2; ++round) {
    CHECK(ring.consumer.recover().outcome == status::pending);
    CHECK(ring.consumer.recover(everybody_lives).claims == 0);
  }
  CHECK(TestType::commit(open, 1) == status::ok);
  CHECK(ring.consumer.recover(nobody_lives).outcome == status::ok);
  CHECK(read_all<TestType>(ring.consumer) == numbers{1});
  CHECK(ring.there.ring.statistics().recovered == 0);
}

TEMPLATE_TEST_CASE("a_ring_that_was_not_formatted_recoverable_says_so", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{{.capacity = 256}};
  auto open = TestType::claim(ring.producers[0], 1);
  CHECK(ring.consumer.recover(nobody_lives).outcome == status::unsupported);
  CHECK(TestType::commit(open, 1) == status::ok);
  CHECK(read_all<TestType>(ring.consumer) == numbers{1});
}

TEMPLATE_TEST_CASE("a_batch_whose_owner_is_declared_dead_is_skipped_whole", "", mpsc_byte_kind) {
  for (std::uint32_t before = 0; before < 16; ++before) {  // also where it runs over the end
    mpsc_sides<weir::bytes> ring{{.capacity = 128, .recoverable = true}};
    for (std::uint32_t number = 0; number < before; ++number) {
      REQUIRE(ring.producers[1].try_write({}) == status::ok);
    }
    static_cast<void>(ring.consumer.drain([](const auto&) {}));
    auto batch = ring.producers[0].try_claim_batch(5, 16);
    REQUIRE(batch);
    for (std::uint32_t index = 0; index < 5; ++index) {
      std::ranges::fill(batch[index], std::byte{0xEE});
    }
    REQUIRE(ring.producers[1].try_write({}, 7) == status::ok);
    const auto done = ring.consumer.recover(nobody_lives);
    CHECK(done.claims == 1);
    CHECK(batch.commit() == status::stale);
    CHECK(ring.consumer.try_peek().type() == 7);
    static_cast<void>(ring.consumer.drain([](const auto&) {}));
    ring.consumer.flush();
    // The stale commit still wrote the later headers of its batch: whoever is dead writes nothing.
    CHECK(ring.intact());
  }
}

TEST_CASE("a_dead_claim_is_found_between_live_ones") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256, .recoverable = true, .process_shared = true}, 3};
  using kind = mpsc_byte_kind;
  auto first = kind::claim(ring.producers[0], 1);
  child_process dead{[&] {
    auto producer = ring.there.ring.producer().value();
    auto claim = kind::claim(producer, 2);
    weir::test::fill_pattern(claim.bytes(), 0xDEAD);
    kill(getpid(), SIGKILL);
    return 0;
  }};
  static_cast<void>(dead.wait());
  auto last = kind::claim(ring.producers[1], 3);
  REQUIRE(kind::write(ring.producers[2], 4) == status::ok);

  CHECK(ring.consumer.recover().outcome == status::pending);
  CHECK(kind::commit(first, 1) == status::ok);
  CHECK(ring.consumer.recover().outcome == status::ok);
  CHECK(read_all<kind>(ring.consumer) == numbers{1});
  const auto done = ring.consumer.recover();
  CHECK(done.claims == 1);
  CHECK(done.outcome == status::pending);
  CHECK(ring.consumer.recover().claims == 0);
  CHECK(kind::commit(last, 3) == status::ok);
  CHECK(read_all<kind>(ring.consumer) == numbers{3, 4});
  ring.consumer.flush();
  CHECK(is_clean(ring.there.ring, ring.there.memory));
}

TEST_CASE("dead_claims_next_to_each_other_are_skipped_together") {
  using kind = mpsc_byte_kind;
  mpsc_sides<weir::bytes> ring{{.capacity = 256, .recoverable = true, .process_shared = true}, 1};
  for (int count = 0; count < 3; ++count) {
    child_process dead{[&] {
      auto producer = ring.there.ring.producer().value();
      auto claim = kind::claim(producer, 2);
      weir::test::fill_pattern(claim.bytes(), 0xDEAD);
      kill(getpid(), SIGKILL);
      return 0;
    }};
    static_cast<void>(dead.wait());
  }
  REQUIRE(kind::write(ring.producers[0], 4) == status::ok);
  const auto done = ring.consumer.recover();
  CHECK(done.outcome == status::ok);
  CHECK(done.claims == 3);
  CHECK(read_all<kind>(ring.consumer) == numbers{4});
  for (std::uint32_t slot = 1; slot < 4; ++slot) {
    CHECK(ring.there.ring.producer_owner(slot) == owner_state::dead);
  }
  auto successor = ring.there.ring.producer();
  CHECK(successor);
  CHECK(ring.there.ring.producer_owner(1) == owner_state::alive);
}

TEST_CASE("a_dead_owners_slot_is_not_taken_while_its_claim_is_open") {
  using kind = mpsc_byte_kind;
  mpsc_sides<weir::bytes> ring{
      {.capacity = 256, .producers = 1, .recoverable = true, .process_shared = true}, 0};
  child_process dead{[&] {
    auto producer = ring.there.ring.producer().value();
    auto claim = kind::claim(producer, 2);
    kill(getpid(), SIGKILL);
    return 0;
  }};
  static_cast<void>(dead.wait());
  CHECK(ring.there.ring.producer().status() == status::full);
  CHECK(ring.consumer.recover().claims == 1);
  CHECK(ring.there.ring.producer());
}

TEMPLATE_TEST_CASE("a_parked_consumer_is_told_of_a_dead_claim", "", mpsc_byte_kind,
                   mpsc_typed_kind) {
  mpsc_sides<element<TestType>, weir::native_memory, weir::reject, weir::park> ring{
      {.capacity = 256, .recoverable = true, .process_shared = true}, 1};
  child_process dead{[&] {
    auto producer = ring.there.ring.producer().value();
    auto claim = TestType::claim(producer, 2);
    kill(getpid(), SIGKILL);
    return 0;
  }};
  static_cast<void>(dead.wait());
  CHECK(ring.consumer.wait() == status::peer_dead);
  CHECK(ring.consumer.recover().claims == 1);
  REQUIRE(TestType::write(ring.producers[0], 5) == status::ok);
  CHECK(ring.consumer.wait() == status::ok);
  CHECK(read_all<TestType>(ring.consumer) == numbers{5});
}

TEMPLATE_TEST_CASE("a_closed_ring_ends_behind_a_dead_claim_once_that_is_skipped", "",
                   mpsc_byte_kind, mpsc_typed_kind) {
  mpsc_sides<element<TestType>> ring{{.capacity = 256, .recoverable = true}};
  REQUIRE(TestType::write(ring.producers[1], 1) == status::ok);
  auto open = TestType::claim(ring.producers[0], 2);
  ring.producers[1].close();
  CHECK(read_all<TestType>(ring.consumer) == numbers{1});
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(ring.consumer.recover(nobody_lives).claims == 1);
  CHECK(ring.consumer.try_peek().status() == status::closed);
  CHECK(open.commit().outcome == status::stale);
  CHECK(ring.consumer.try_peek().status() == status::closed);
}

TEMPLATE_TEST_CASE("who_takes_a_slot_intends_nothing_yet", "", mpsc_byte_kind, mpsc_typed_kind) {
  weir::test::mpsc_test_ring<element<TestType>> there{{.capacity = 256, .recoverable = true}};
  auto* const intent =
      there.memory.word(weir::layout::mpsc::producer_slots + weir::layout::mpsc::slot_intent);
  intent[0] = 3;  // of somebody who let go of it long ago
  intent[1] = 5;
  const auto producer = there.ring.producer().value();
  CHECK(intent[0] == 0);
  CHECK(intent[1] == 0);
}

TEST_CASE("whose_claim_comes_too_late_for_the_last_slot_or_for_the_closing_intends_nothing") {
  using weir::test::access_kind;
  for (const bool closes : {false, true}) {
    mpsc_sides<std::uint64_t, weir::test::script_memory> ring{{.capacity = 8, .recoverable = true}};
    for (std::uint64_t value = 0; value < 7; ++value) {
      REQUIRE(ring.producers[0].try_write(value) == status::ok);
    }
    {
      const auto* const claims = &ring.word(mpsc::claim_position);
      const weir::test::scripted race{
          weir::test::once(1, weir::test::access_to(access_kind::modify, claims), [&] {
            if (closes) ring.producers[1].close();
            if (!closes) static_cast<void>(ring.producers[1].try_write(7));
          })};
      CHECK(ring.producers[0].try_write(8) == (closes ? status::closed : status::full));
    }
    CHECK(ring.wide(mpsc::producer_slots + mpsc::slot_intent) == 0);
  }
}

namespace {

/// The kinds of accesses, in order, that `operation` makes to these addresses; light fences too.
template <class Operation>
auto accesses_to(std::vector<const void*> addresses, Operation&& operation) {
  using weir::test::access_kind;
  std::vector<std::pair<access_kind, const void*>> seen;
  {
    const weir::test::scripted watch{[&](const weir::test::access_event& now) {
      const bool known = std::ranges::find(addresses, now.address) != addresses.end();
      if (known || now.kind == access_kind::light_fence) seen.emplace_back(now.kind, now.address);
    }};
    operation();
  }
  return seen;
}

}  // namespace

TEST_CASE("a_fence_stands_between_what_a_claim_says_of_itself_and_what_it_writes") {
  using weir::test::access_kind;
  using weir::test::script_memory;
  using list = std::vector<std::pair<access_kind, const void*>>;
  constexpr auto fence = std::pair<access_kind, const void*>{access_kind::light_fence, nullptr};
  const mpsc_options options{
      .capacity = 64, .recoverable = true, .wake = weir::wake_protocol::none};

  mpsc_sides<weir::bytes, script_memory> bytes{options, 1};
  const auto* const header = weir::test::mpsc_data(bytes.there.ring, bytes.there.memory).data();
  const auto claim = accesses_to({header}, [&] { REQUIRE(bytes.producers[0].try_claim(8)); });
  REQUIRE(claim.size() >= 2);
  CHECK(list{claim.begin(), claim.begin() + 2} == list{{access_kind::store, header}, fence});

  mpsc_sides<std::uint64_t, script_memory> words{options, 1};
  const auto* const intent = &words.word(mpsc::producer_slots + mpsc::slot_intent);
  const auto* const second =
      weir::test::mpsc_data(words.there.ring, words.there.memory).data() + 16;
  const auto batch = accesses_to({intent, second}, [&] {
    const std::array<std::uint64_t, 2> values{1, 2};
    CHECK(words.producers[0].try_write_batch(values) == 2);
  });
  const list expected{{access_kind::store, intent},
                      {access_kind::store, intent},  // that it has won
                      fence,
                      {access_kind::store, second},
                      {access_kind::store, intent}};
  CHECK(batch == expected);
}

TEST_CASE("a_dead_owners_slot_is_taken_once_its_last_claim_is_behind_the_consumer") {
  mpsc_sides<weir::bytes> ring{
      {.capacity = 256, .producers = 1, .recoverable = true, .process_shared = true}, 0};
  child_process dead{[&] {
    auto producer = ring.there.ring.producer().value();
    if (producer.try_write({}) != status::ok) return 1;
    kill(getpid(), SIGKILL);
    return 0;
  }};
  REQUIRE(dead.wait() == child_process::killed);
  set_intent(ring, 0, claim_intent::of(0, 1));  // it died before it took that back
  CHECK(ring.there.ring.producer().status() == status::full);
  CHECK(ring.consumer.drain([](const auto&) {}).records == 1);
  ring.consumer.flush();
  CHECK(ring.there.ring.producer());
}

TEST_CASE("of_the_intents_of_several_dead_producers_for_one_position_the_shortest_counts") {
  for (const bool shortest_first : {false, true}) {
    mpsc_sides<std::uint64_t> ring{{.capacity = 8, .recoverable = true}, 3};
    ring.word(mpsc::claim_position) = 1;  // one of them has claimed a slot
    REQUIRE(ring.producers[2].try_write(7) == status::ok);
    set_intent(ring, 0, claim_intent::of(0, shortest_first ? 1 : 3));
    set_intent(ring, 1, claim_intent::of(0, shortest_first ? 3 : 1));
    CHECK(ring.consumer.recover(nobody_lives).claims == 1);
    std::uint64_t value = 0;
    CHECK(ring.consumer.try_read(value) == status::ok);
    CHECK(value == 7);
  }
}

TEST_CASE("a_dead_claim_ends_where_the_next_intent_begins") {
  mpsc_sides<std::uint64_t> ring{{.capacity = 8, .recoverable = true}, 2};
  ring.word(mpsc::claim_position) = 2;
  set_intent(ring, 0, claim_intent::of(0, 3));  // of which it got none, or one
  set_intent(ring, 1, claim_intent::of(1, 1));
  const auto done = ring.consumer.recover(nobody_lives);
  CHECK(done.outcome == status::empty);
  CHECK(done.claims == 2);
}

TEST_CASE("of_a_dead_producer_the_intent_counts_that_it_had_when_it_died") {
  using weir::test::access_kind;
  mpsc_sides<std::uint64_t, weir::test::script_memory> ring{{.capacity = 8, .recoverable = true},
                                                            2};
  ring.word(mpsc::claim_position) = 3;
  set_intent(ring, 0,
             claim_intent::of(0, 3));  // it has claimed three slots, and has not said so yet
  set_intent(ring, 1, claim_intent::of(0, 1));  // it is about to learn that it lost
  auto* const late = &ring.word(mpsc::producer_slots + mpsc::slot_size + mpsc::slot_intent);
  std::uint32_t looks = 0;
  const weir::test::scripted peer{[&](const weir::test::access_event& now) {
    if (now.is(access_kind::load, late) && ++looks == 2) set_intent(ring, 1, {});
  }};
  const auto done = ring.consumer.recover(nobody_lives);
  CHECK(done.outcome == status::empty);
  CHECK(done.claims == 1);
}

TEST_CASE("the_first_slot_of_a_dead_batch_is_discarded_behind_all_others") {
  using weir::test::access_kind;
  using weir::test::script_memory;
  mpsc_sides<std::uint64_t, script_memory> ring{{.capacity = 8, .recoverable = true}, 1};
  ring.word(mpsc::claim_position) = 3;
  ring.word(mpsc::producer_slots + mpsc::slot_intent) = 3;  // three slots, from the first on
  const auto* const data = weir::test::mpsc_data(ring.there.ring, ring.there.memory).data();
  const auto seen = accesses_to({data, data + 16, data + 32},
                                [&] { CHECK(ring.consumer.recover(nobody_lives).claims == 1); });
  std::vector<access_kind> kinds;
  for (const auto& [kind, address] : seen) {
    if (kind != access_kind::load) kinds.push_back(kind);
  }
  const std::vector expected{access_kind::store, access_kind::store, access_kind::light_fence,
                             access_kind::modify};
  REQUIRE(kinds.size() >= 4);
  CHECK(std::vector(kinds.begin(), kinds.begin() + 4) == expected);
}

TEST_CASE("a_busy_word_of_the_slot_behind_the_last_is_corrupt_whatever_lies_there") {
  using weir::detail::busy_word;
  using weir::detail::claim_intent;
  mpsc_sides<weir::bytes> ring{
      {.capacity = 256, .producers = 2, .recoverable = true, .start_position = 128}, 1};
  const auto behind_the_slots = mpsc::producer_slots + 2 * mpsc::slot_size;
  const auto intent = claim_intent::of(128 / 8, 2).word;
  ring.word(mpsc::claim_position) = 128 + 16;
  ring.word(behind_the_slots + mpsc::slot_intent) = static_cast<std::uint32_t>(intent);
  ring.word(behind_the_slots + mpsc::slot_intent + 4) = static_cast<std::uint32_t>(intent >> 32);
  ring.word(behind_the_slots + mpsc::slot_owner) = 5U << weir::detail::epoch_bits | 1;
  ring.word(behind_the_slots + 128) = busy_word(2, 1);
  const auto done = ring.consumer.recover(nobody_lives);
  CHECK(done.outcome == status::corrupt);
  CHECK(done.claims == 0);
}
