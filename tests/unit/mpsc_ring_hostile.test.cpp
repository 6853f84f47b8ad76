// SPDX-License-Identifier: MIT
// Hostile peers: whatever they write into the ring, between a side's calls and during them, it ends every call
// with a status, within a bound, inside the span. Not provable here: a peer that writes between two machine
// instructions of one load.
#include "support/attacker.hpp"
#include "support/mpsc_sides.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace mpsc = weir::layout::mpsc;
namespace record = weir::record;
using weir::mpsc_options;
using weir::status;
using weir::test::attacker;
using weir::test::guarded_span;
using weir::test::mpsc_sides;

namespace {

constexpr std::uint32_t operations = weir::test::scaled(600'000);
constexpr std::uint32_t capacity = 256;
constexpr std::uint32_t slots = 4;

/// Lies, and makes every third owner a dead one.
struct hostile_memory : weir::test::adversary_memory {
  static auto self() noexcept -> std::uint32_t { return 1; }
  static auto start_of(std::uint32_t) noexcept -> std::uint32_t { return 1; }
  static auto alive(std::uint32_t id, std::uint32_t) noexcept -> bool { return id % 3 != 0; }
};

using value = std::array<std::uint32_t, 5>;

struct byte_kind {
  using ring = weir::mpsc_ring<weir::bytes, hostile_memory>;
  static constexpr std::uint32_t most_records = capacity / record::header_size;
  static constexpr std::uint32_t unit = 8;

  template <class Producer>
  static auto claim(Producer& producer, weir::test::seeded_random& random) {
    return producer.try_claim(random.once_in(20) ? random.next() : random.below(60));
  }
  template <class Producer>
  static auto write(Producer& producer, weir::test::seeded_random& random) -> status {
    static const std::array<std::byte, 120> bytes{};
    return producer.try_write(std::span{bytes}.first(random.below(60)));
  }
  template <class Producer>
  static void write_batch(Producer& producer, weir::test::seeded_random& random) {
    static const std::array<std::byte, 60> bytes{};
    const std::array<std::span<const std::byte>, 3> records{
        std::span{bytes}.first(random.below(60)), std::span{bytes}.first(random.below(60)),
        std::span{bytes}};
    static_cast<void>(producer.try_write_batch(records));
  }
  static auto read(ring::consumer_type<>& consumer) -> status {
    std::array<std::byte, 40> out;
    return consumer.try_read(out).outcome;
  }
};

struct typed_kind {
  using ring = weir::mpsc_ring<value, hostile_memory>;
  static constexpr std::uint32_t most_records = capacity;
  static constexpr std::uint32_t unit = 1;

  template <class Producer>
  static auto claim(Producer& producer, weir::test::seeded_random&) {
    return producer.try_claim();
  }
  template <class Producer>
  static auto write(Producer& producer, weir::test::seeded_random&) -> status {
    return producer.try_write({});
  }
  template <class Producer>
  static void write_batch(Producer& producer, weir::test::seeded_random& random) {
    static const std::array<value, 300> values{};
    static_cast<void>(producer.try_write_batch(std::span{values}.first(random.below(300))));
  }
  static auto read(ring::consumer_type<>& consumer) -> status {
    value out;
    return consumer.try_read(out);
  }
};

/// One side under attack, and everything that must hold.
template <class Kind>
class victim {
 public:
  using ring_type = typename Kind::ring;
  using producer_type = typename ring_type::template producer_type<weir::drop_newest>;
  using honest_type = typename ring_type::template producer_type<>;
  /// Loads that one call may make: some for each record that the ring can hold, and, where claims are
  /// skipped, for each slot of the table besides.
  static constexpr std::uint32_t most_loads = (16 + 8 * slots) * Kind::most_records + 256;

  explicit victim(std::uint64_t seed)
      : memory_{ring_type::bytes_required({.capacity = capacity, .producers = slots})},
        enemy_{memory_, capacity, seed} {}

  void attack_the_consumer() {
    for (std::uint32_t step = 0; step < operations; ++step) {
      auto& random = enemy_.random();
      if (step == 0 || random.once_in(sticky_ ? 10 : 300)) restart(false);
      attack();
      auto outcome = status::ok;
      exempt_ = false;
      const auto which = random.below(9);
      const auto loads = enemy_.loads_of([&] { outcome = consume(which); });
      if (loads > most_loads) ++too_long;
      judge(outcome);
      if (random.once_in(100)) retake();
    }
    finish();
  }

  void attack_the_producer() {
    for (std::uint32_t step = 0; step < operations; ++step) {
      auto& random = enemy_.random();
      if (step == 0 || random.once_in(sticky_ ? 10 : 300)) restart(true);
      attack();
      auto outcome = status::ok;
      exempt_ = false;
      const auto which = random.below(7);
      const auto loads = enemy_.loads_of([&] { outcome = produce(which); });
      if (loads > 256) ++too_long;
      judge(outcome);
      if (random.once_in(100)) retake();
    }
    finish();
  }

  std::uint32_t outside = 0;   ///< records and claims that do not lie in the ring
  std::uint32_t too_long = 0;  ///< calls that made too many loads
  std::uint32_t revived = 0;   ///< corrupt rings that became something else
  std::uint32_t strange = 0;   ///< statuses that make no sense
  bool intact = false;

 private:
  void finish() {
    open_.reset();
    honest_.reset();
    consumer_.reset();
    producer_.reset();
    enemy_.lie_once_in(0);
    intact = memory_.intact();
  }

  void judge(status outcome) {
    if (exempt_) return;
    if (sticky_ && outcome != status::corrupt) ++revived;
    if (outcome == status::corrupt) sticky_ = true;
  }

  void restart(bool producing) {
    open_.reset();
    honest_.reset();
    consumer_.reset();
    producer_.reset();
    enemy_.lie_once_in(0);
    auto& random = enemy_.random();
    const auto start = (std::uint64_t{random.below(64)} << 32 | random.next()) & ~7ULL;
    ring_.emplace(ring_type::format(memory_.bytes(), {.capacity = capacity,
                                                      .producers = slots,
                                                      .recoverable = random.once_in(2),
                                                      .start_position = start})
                      .value());
    auto& honest = honest_.emplace(ring_->producer().value());
    for (auto count = random.below(40); count != 0; --count) {
      static_cast<void>(Kind::write(honest, random));
    }
    if (random.once_in(2)) open_.emplace(Kind::claim(honest, random));
    if (producing) {
      take_producer();
    } else {
      consumer_.emplace(ring_->consumer().value());
    }
    sticky_ = false;
    enemy_.lie_once_in(random.once_in(3) ? 1 + random.below(20) : 0);
  }

  void take_producer() {
    auto taken = ring_->producer(weir::drop_newest{enemy_.random().below(128)});
    if (taken) producer_.emplace(std::move(taken).value());
  }

  /// Lets go of the role and takes it again, among the ruins.
  void retake() {
    if (producer_) {
      producer_.reset();
      take_producer();
    } else if (consumer_) {
      consumer_.reset();
      auto taken = ring_->consumer();
      if (taken) consumer_.emplace(std::move(taken).value());
    }
    sticky_ = false;
  }

  void attack() {
    auto& random = enemy_.random();
    static constexpr std::uint32_t words[] = {
        mpsc::claim_position,
        mpsc::claim_position + 4,
        mpsc::read_position,
        mpsc::read_position + 4,
        mpsc::consumed_position,
        mpsc::consumed_position + 4,
        mpsc::hint,
        mpsc::producer_slots,
        mpsc::producer_slots + 4,
        mpsc::closed,
        mpsc::producer_slots + 128 + mpsc::slot_owner,
    };
    switch (random.below(12)) {
      case 0:
      case 1:
        return enemy_.scribble(mpsc::producer_slots + slots * mpsc::slot_size);
      case 2:
        return enemy_.scribble_word(words[random.below(std::size(words))]);
      case 3:
        if (random.once_in(10)) enemy_.scribble(mpsc::claim_position);
        return;
      case 4: {  // a claim that a dead producer holds: busy where the consumer will come
        const auto slot = random.below(slots + 1);
        const auto at = *memory_.word(mpsc::read_position);
        const auto offset = mpsc::producer_slots + slots * mpsc::slot_size + at % capacity;
        if (Kind::unit == 8)
          *memory_.word(offset & ~7U) = 0xC000'0000 | slot << 10 | random.below(3);
        *memory_.word(mpsc::producer_slots + slot % slots * mpsc::slot_size) =
            (at / Kind::unit) << 29 | enemy_.nasty(2);
        return;
      }
      default:
        return;
    }
  }

  /// One call of the consumer. Returns  its outcome; `exempt_` where that says nothing about the ring.
  auto consume(std::uint32_t which) -> status {
    exempt_ = !consumer_;
    if (!consumer_) return status::ok;
    auto& random = enemy_.random();
    switch (which) {
      case 0: {
        auto peeked = consumer_->try_peek();
        return look_at(peeked);
      }
      case 1:
        return sane(Kind::read(*consumer_));
      case 2: {
        const auto limit = random.once_in(2) ? weir::no_limit : random.below(10);
        const auto done =
            consumer_->drain([this](const auto& shown) { this->check(shown); }, limit);
        exempt_ = limit == 0;
        return sane(done.outcome);
      }
      case 3: {
        exempt_ = true;
        const auto position = consumer_->read_position();
        const auto data = mpsc::producer_slots + slots * mpsc::slot_size;
        const weir::descriptor forged{enemy_.nasty(data + 8), enemy_.nasty(8),
                                      enemy_.nasty(position / Kind::unit)};
        auto peeked = consumer_->redeem(forged);
        return look_at(peeked);
      }
      case 4:
        return sane(consumer_->wait());
      case 5:
      case 6: {
        const auto done = which == 5 ? consumer_->recover()
                                     : consumer_->recover([](auto, auto) { return false; });
        exempt_ = done.outcome == status::unsupported;
        return sane(done.outcome);
      }
      default:
        exempt_ = true;
        consumer_->flush();
        return status::ok;
    }
  }

  auto produce(std::uint32_t which) -> status {
    exempt_ = !producer_;
    if (!producer_) return status::ok;
    auto& random = enemy_.random();
    switch (which) {
      case 0:
      case 1:
      case 2: {
        auto claim = Kind::claim(*producer_, random);
        exempt_ = claim.status() == status::too_large;
        if (!claim) return sane(claim.status());
        check_claim(claim.bytes());
        if (random.once_in(5)) return status::ok;
        const auto done = claim.commit().outcome;
        if (done == status::stale) return status::ok;
        return sane(done);
      }
      case 3: {
        const auto outcome = Kind::write(*producer_, random);
        exempt_ = outcome == status::too_large || outcome == status::stale;
        return sane(outcome);
      }
      case 4:
        exempt_ = true;
        Kind::write_batch(*producer_, random);
        return status::ok;
      case 5: {
        const auto outcome =
            producer_->acknowledge(enemy_.nasty(*memory_.word(mpsc::read_position)));
        exempt_ = outcome != status::corrupt;
        return outcome;
      }
      default:
        exempt_ = true;
        producer_->flush();
        return status::ok;
    }
  }

  template <class Record>
  auto look_at(Record& peeked) -> status {
    if (!peeked) return sane(peeked.status());
    check(peeked.bytes());
    if (enemy_.random().once_in(2)) peeked.release();
    return status::ok;
  }

  [[nodiscard]] auto is_inside(std::span<const std::byte> bytes) const -> bool {
    const auto data = memory_.bytes().subspan(mpsc::producer_slots + slots * mpsc::slot_size);
    return bytes.data() >= data.data() && bytes.size() <= data.size() &&
           bytes.data() + bytes.size() <= data.data() + data.size();
  }
  void check(std::span<const std::byte> bytes) { outside += is_inside(bytes) ? 0U : 1U; }
  void check(const weir::record_view& view) { check(view.bytes); }
  void check(const value&) {}
  void check_claim(std::span<std::byte> bytes) {
    check(bytes);
    if (is_inside(bytes)) std::ranges::fill(bytes, std::byte{0x5A});
  }

  auto sane(status outcome) -> status {
    static constexpr status known[] = {status::ok,      status::empty,   status::full,
                                       status::closed,  status::corrupt, status::too_large,
                                       status::pending, status::stale,   status::unsupported};
    strange += std::ranges::find(known, outcome) == std::end(known) ? 1U : 0U;
    return outcome;
  }

  guarded_span memory_;
  attacker enemy_;
  std::optional<ring_type> ring_;
  std::optional<honest_type> honest_;
  std::optional<typename honest_type::claim_type> open_;  ///< the honest one's
  std::optional<typename ring_type::template consumer_type<>> consumer_;
  std::optional<producer_type> producer_;
  bool sticky_ = false;
  bool exempt_ = false;
};

}  // namespace

TEMPLATE_TEST_CASE("no_bytes_of_hostile_producers_lead_the_consumer_astray", "", byte_kind,
                   typed_kind) {
  const weir::test::watchdog watchdog;
  victim<TestType> consumer{weir::test::fresh_seed("hostile producers")};
  consumer.attack_the_consumer();
  CHECK(consumer.outside == 0);
  CHECK(consumer.too_long == 0);
  CHECK(consumer.revived == 0);
  CHECK(consumer.strange == 0);
  CHECK(consumer.intact);
}

TEMPLATE_TEST_CASE("no_bytes_of_a_hostile_consumer_lead_a_producer_astray", "", byte_kind,
                   typed_kind) {
  const weir::test::watchdog watchdog;
  victim<TestType> producer{weir::test::fresh_seed("hostile consumer")};
  producer.attack_the_producer();
  CHECK(producer.outside == 0);
  CHECK(producer.too_long == 0);
  CHECK(producer.revived == 0);
  CHECK(producer.strange == 0);
  CHECK(producer.intact);
}

TEST_CASE("forged_positions_are_corrupt_for_a_producer_for_good") {
  for (const auto start : weir::test::notable_wide_starts) {
    for (std::uint32_t which = 0; which < 5; ++which) {
      mpsc_sides<weir::bytes> ring{{.capacity = 256, .start_position = start + 256}, 1};
      auto& producer = ring.producers[0];
      while (producer.try_write({}) == status::ok) {
      }
      const auto claimed = ring.wide(mpsc::claim_position);
      const std::uint64_t forged[] = {claimed + 8, claimed + 4, start + 4, claimed << 20 | 8,
                                      ~std::uint64_t{7}};
      auto* const word = reinterpret_cast<std::uint64_t*>(&ring.word(mpsc::read_position));
      const auto honest = *word;
      *word = forged[which];
      CAPTURE(start, which);
      CHECK(producer.try_write({}) == status::corrupt);
      *word = honest + 64;
      CHECK(producer.try_write({}) == status::corrupt);
      CHECK(producer.try_claim(8).status() == status::corrupt);
      CHECK(producer.try_claim_batch(2, 8).status() == status::corrupt);
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("a_forged_commit_word_is_corrupt_for_the_consumer_for_good") {
  for (const std::uint32_t forged :
       {1U, 4U, 7U, 9U + 64, 56U, 64U, 256U, 0x7FFF'FFF8U, 0x8000'0000U, 0x8000'0001U, 0x8000'0009U,
        0x8000'0108U, 0xBFFF'FFF8U}) {
    mpsc_sides<weir::bytes> ring{{.capacity = 256}, 1};
    REQUIRE(ring.producers[0].try_write({}) == status::ok);
    auto* const header =
        reinterpret_cast<std::uint32_t*>(mpsc_data(ring.there.ring, ring.there.memory).data());
    *header = forged;
    CAPTURE(forged);
    CHECK(ring.consumer.try_peek().status() == status::corrupt);
    *header = 8;
    CHECK(ring.consumer.try_peek().status() == status::corrupt);
    CHECK(ring.consumer.drain([](const auto&) {}).outcome == status::corrupt);
    CHECK(ring.consumer.wait() == status::corrupt);
    CHECK(ring.intact());
  }
}

TEST_CASE("a_forged_stamp_is_corrupt_for_the_consumer_for_good") {
  for (const std::uint32_t forged : {4U, 5U, 100U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    mpsc_sides<std::uint64_t> ring{{.capacity = 8}, 1};
    REQUIRE(ring.producers[0].try_write(1) == status::ok);
    ring.word(mpsc::producer_slots + 16 * mpsc::slot_size) = forged;
    std::uint64_t out = 0;
    CAPTURE(forged);
    CHECK(ring.consumer.try_read(out) == status::corrupt);
    ring.word(mpsc::producer_slots + 16 * mpsc::slot_size) = 2;
    CHECK(ring.consumer.try_read(out) == status::corrupt);
    CHECK(ring.consumer.try_peek().status() == status::corrupt);
  }
}

TEST_CASE("a_busy_word_that_no_producer_wrote_is_corrupt_when_it_is_looked_into") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256, .producers = 4, .recoverable = true}, 1};
  auto claim = ring.producers[0].try_claim(8);
  auto* const header =
      reinterpret_cast<std::uint32_t*>(mpsc_data(ring.there.ring, ring.there.memory).data());
  *header = 0xC000'0000 | 5 << 10;
  CHECK(ring.consumer.try_peek().status() == status::empty);
  CHECK(ring.consumer.recover().outcome == status::corrupt);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
  CHECK(claim.commit().outcome == status::stale);
}

TEST_CASE("only_the_busy_word_of_the_slots_present_owner_is_waited_for") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256, .producers = 4, .recoverable = true}, 1};
  const auto claim = ring.producers[0].try_claim(8);
  CHECK(ring.consumer.recover().outcome == status::pending);
  ++ring.word(mpsc::producer_slots + mpsc::slot_owner);  // the epoch
  CHECK(ring.consumer.recover().outcome == status::corrupt);
}

TEST_CASE("a_busy_word_of_a_slot_that_nobody_holds_skips_nothing") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256, .producers = 4, .recoverable = true}, 1};
  const auto claim = ring.producers[0].try_claim(8);
  ring.word(mpsc::producer_slots + mpsc::slot_owner) &= weir::detail::epoch_mask;
  const auto done = ring.consumer.recover([](auto, auto) { return false; });
  CHECK(done.outcome == status::corrupt);
  CHECK(done.claims == 0);
}

TEST_CASE("an_intent_for_another_position_skips_nothing") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256, .producers = 4, .recoverable = true}, 1};
  const auto claim = ring.producers[0].try_claim(8);
  auto* const intent =
      reinterpret_cast<std::uint64_t*>(&ring.word(mpsc::producer_slots + mpsc::slot_intent));
  *intent = weir::detail::claim_intent::of(1, 1).word;
  const auto done = ring.consumer.recover([](auto, auto) { return false; });
  CHECK(done.outcome == status::corrupt);
  CHECK(done.claims == 0);
}

TEST_CASE("an_intent_of_no_length_skips_nothing") {
  mpsc_sides<weir::bytes> ring{
      {.capacity = 256, .producers = 4, .recoverable = true, .start_position = 64}, 1};
  auto claim = ring.producers[0].try_claim(8);
  auto* const intent =
      reinterpret_cast<std::uint64_t*>(&ring.word(mpsc::producer_slots + mpsc::slot_intent));
  *intent &= ~std::uint64_t{0x0FFF'FFFF};
  const auto done = ring.consumer.recover([](auto, auto) { return false; });
  CHECK(done.outcome == status::corrupt);
  CHECK(done.claims == 0);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("no_consumer_goes_on_from_positions_that_no_ring_for_many_has") {
  namespace mpsc = weir::layout::mpsc;
  weir::test::mpsc_test_ring<weir::bytes> there{{.capacity = 256, .producers = 1}};
  const auto taken_from = [&](std::uint64_t read, std::uint64_t consumed) {
    const auto put = [&](std::uint32_t offset, std::uint64_t value) {
      *there.memory.word(offset) = static_cast<std::uint32_t>(value);
      *there.memory.word(offset + 4) = static_cast<std::uint32_t>(value >> 32);
    };
    put(mpsc::read_position, read);
    put(mpsc::consumed_position, consumed);
    return there.ring.consumer().status();
  };
  constexpr auto end = std::uint64_t{1} << 63;
  CHECK(taken_from(0, 256) == status::ok);
  CHECK(taken_from(0, 264) == status::corrupt);
  CHECK(taken_from(4, 8) == status::corrupt);
  CHECK(taken_from(0, 4) == status::corrupt);
  CHECK(taken_from(8, 0) == status::corrupt);
  CHECK(taken_from(end - 8, end - 8) == status::ok);
  CHECK(taken_from(end - 8, end) == status::corrupt);
  CHECK(taken_from(end, end) == status::corrupt);

  weir::test::mpsc_test_ring<std::uint64_t> typed{{.capacity = 8, .producers = 1}};
  *typed.memory.word(mpsc::read_position + 4) = 0x8000'0000;
  CHECK(typed.ring.consumer().status() == status::corrupt);
}

TEST_CASE("a_producer_that_found_damage_near_the_last_position_claims_nothing_more") {
  weir::test::mpsc_test_ring<weir::bytes> there{{.capacity = 256, .producers = 1}};
  for (const auto offset : {mpsc::claim_position, mpsc::read_position}) {
    *there.memory.word(offset) = 0U - 64;
    *there.memory.word(offset + 4) = 0x7FFF'FFFF;
  }
  auto producer = there.ring.producer().value();
  CHECK(producer.acknowledge(0U - 60) == status::corrupt);
  CHECK(producer.try_write({}) == status::corrupt);
  CHECK(producer.try_claim(8).status() == status::corrupt);
  CHECK(*there.memory.word(mpsc::claim_position) == 0U - 64);
}

TEST_CASE("no_producer_begins_at_positions_that_no_ring_for_many_has") {
  weir::test::mpsc_test_ring<weir::bytes> there{{.capacity = 256, .producers = 1}};
  *there.memory.word(mpsc::read_position) = 8;
  CHECK(there.ring.producer().status() == status::corrupt);
  CHECK(there.ring.producer_owner(0) == weir::owner_state::free);
  *there.memory.word(mpsc::read_position) = 0;
  *there.memory.word(mpsc::claim_position) = 4;
  CHECK(there.ring.producer().status() == status::corrupt);
  *there.memory.word(mpsc::claim_position) = 0;
  CHECK(there.ring.producer());
}

TEST_CASE("a_claim_position_that_others_moved_into_a_header_is_corrupt") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256}, 1};
  ring.word(mpsc::claim_position) = 4;
  CHECK(ring.producers[0].try_write({}) == status::corrupt);
  CHECK(ring.word(mpsc::claim_position) == 4);
}

TEST_CASE("there_is_no_room_where_others_have_claimed_more_than_there_is") {
  mpsc_sides<weir::bytes> ring{{.capacity = 256}, 1};
  ring.word(mpsc::claim_position) = 1024;
  CHECK(ring.producers[0].try_write({}) == status::full);
  CHECK(ring.producers[0].free_bytes() == 0);
}

TEST_CASE("a_consumer_that_closes_comes_to_an_end_whatever_it_finds_to_leave") {
  const weir::test::watchdog watchdog;
  mpsc_sides<weir::bytes, weir::test::adversary_memory> ring{{.capacity = 256}, 1};
  {
    auto consumer = std::move(ring.consumer);
    consumer.close();
    weir::test::lying_watch::lie = [](const std::uint32_t*, std::uint32_t value) noexcept {
      return value == 0 ? record::commit_word(0) : value;
    };
  }
  weir::test::lying_watch::lie = nullptr;
  CHECK(ring.intact());
}

TEST_CASE("an_intent_longer_than_what_is_claimed_skips_nothing") {
  mpsc_sides<weir::bytes> ring{
      {.capacity = 256, .producers = 4, .recoverable = true, .start_position = 64}, 1};
  auto claim = ring.producers[0].try_claim(8);
  auto* const intent =
      reinterpret_cast<std::uint64_t*>(&ring.word(mpsc::producer_slots + mpsc::slot_intent));
  ++*intent;
  const auto done = ring.consumer.recover([](auto, auto) { return false; });
  CHECK(done.outcome == status::corrupt);
  CHECK(done.claims == 0);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}
