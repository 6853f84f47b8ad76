// SPDX-License-Identifier: MIT
// A hostile consumer: whatever it writes into the ring, between the producer's calls and during them, the
// producer ends every call with a status, within a bound, and writes only inside the span.
#include "support/attacker.hpp"
#include "support/both_sides.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace spsc = weir::layout::spsc;
using weir::status;
using weir::test::adversary_memory;
using weir::test::attacker;
using weir::test::guarded_span;
using weir::test::read_pattern;
using weir::test::write_pattern;

namespace {

constexpr std::uint32_t operations = weir::test::scaled(1'000'000);
constexpr std::uint32_t capacity = 256;
constexpr std::uint32_t most_loads = 16;
/// Taking a role may walk the whole ring.
constexpr std::uint32_t most_loads_of_taking = 2 * capacity + 64;

struct byte_kind {
  using ring = weir::spsc_ring<weir::bytes, adversary_memory>;
  template <class Producer>
  static auto claim(Producer& producer, weir::test::seeded_random& random) {
    return producer.try_claim(random.once_in(20) ? random.next() : random.below(120));
  }
  template <class Producer>
  static auto write(Producer& producer, weir::test::seeded_random& random) -> status {
    static const std::array<std::byte, 120> bytes{};
    return producer.try_write(std::span{bytes}.first(random.below(120)));
  }
  template <class Claim>
  static auto later(Claim& claim) -> status {
    return claim.commit_later().outcome;
  }
};

struct typed_kind {
  using value = std::array<std::uint32_t, 5>;
  using ring = weir::spsc_ring<value, adversary_memory>;
  template <class Producer>
  static auto claim(Producer& producer, weir::test::seeded_random&) {
    return producer.try_claim();
  }
  template <class Producer>
  static auto write(Producer& producer, weir::test::seeded_random&) -> status {
    return producer.try_write({});
  }
  template <class Claim>
  static auto later(Claim& claim) -> status {
    return claim.commit_later({}).outcome;
  }
};

template <class Kind>
class victim {
 public:
  using ring_type = typename Kind::ring;
  using producer_type = typename ring_type::template producer_type<weir::drop_newest>;

  explicit victim(std::uint64_t seed)
      : memory_{ring_type::bytes_required(capacity)}, enemy_{memory_, capacity, seed} {
    restart();
  }

  void run() {
    for (std::uint32_t step = 0; step < operations; ++step) {
      auto& random = enemy_.random();
      attack();
      auto outcome = status::ok;
      const auto loads = enemy_.loads_of([&] { outcome = operate(random.below(6)); });
      if (loads > most_loads) ++too_long;
      if (sticky_ && outcome != status::corrupt && outcome != status::too_large) ++revived;
      if (outcome == status::corrupt) sticky_ = true;
      if (random.once_in(100)) retake();
      if (random.once_in(sticky_ ? 10 : 500)) restart();
    }
    producer_.reset();
    intact = memory_.intact();
  }

  std::uint32_t outside = 0;
  std::uint32_t too_long = 0;
  std::uint32_t revived = 0;
  std::uint32_t strange = 0;
  bool intact = false;

 private:
  void restart() {
    producer_.reset();
    enemy_.lie_once_in(0);
    auto& random = enemy_.random();
    const auto start = random.next() & ~7U;
    ring_.emplace(
        ring_type::format(memory_.bytes(), {.capacity = capacity, .start_position = start})
            .value());
    retake();
    enemy_.lie_once_in(random.once_in(3) ? 1 + random.below(20) : 0);
  }

  /// Lets go of the role and takes it again, among the ruins.
  void retake() {
    producer_.reset();
    const bool report = std::is_same_v<Kind, byte_kind> && enemy_.random().once_in(2);
    const auto loads = enemy_.loads_of([&] {
      auto taken = ring_->producer(weir::drop_newest{enemy_.random().below(128), report});
      if (taken) producer_.emplace(std::move(taken).value());
    });
    if (loads > most_loads_of_taking) ++too_long;
    sticky_ = false;
  }

  void attack() {
    auto& random = enemy_.random();
    switch (random.below(8)) {
      case 0:
        return enemy_.scribble_word(spsc::read_position);
      case 1:
        return enemy_.scribble(spsc::data);
      case 2:
        return enemy_.scribble_word(spsc::write_position);
      case 3:
        if (random.once_in(50)) enemy_.scribble_word(spsc::closed);
        return;
      case 4:  // an honest consumer would have read everything
        *memory_.word(spsc::read_position) = *memory_.word(spsc::write_position);
        return;
      default:
        return;
    }
  }

  auto operate(std::uint32_t which) -> status {
    if (!producer_) return sticky_ ? status::corrupt : status::ok;
    auto& random = enemy_.random();
    switch (which) {
      case 0:
      case 1: {
        auto claim = Kind::claim(*producer_, random);
        if (!claim) return sane(claim.status());
        check(claim.bytes());
        if (random.once_in(5)) return status::ok;
        return which == 0 ? claim.commit().outcome : Kind::later(claim);
      }
      case 2:
        return sane(Kind::write(*producer_, random));
      case 3: {
        const auto outcome =
            producer_->acknowledge(enemy_.nasty(*memory_.word(spsc::read_position)));
        if (outcome == status::corrupt) sticky_ = true;
        return sticky_ ? status::corrupt : status::ok;
      }
      default:
        producer_->flush();
        return sticky_ ? status::corrupt : status::ok;
    }
  }

  void check(std::span<std::byte> bytes) {
    const auto data = memory_.bytes().subspan(spsc::data);
    const bool inside =
        bytes.data() >= data.data() && bytes.data() + bytes.size() <= data.data() + data.size();
    outside += inside ? 0U : 1U;
    if (inside) std::ranges::fill(bytes, std::byte{0x5A});
  }

  auto sane(status outcome) -> status {
    const bool known = outcome == status::ok || outcome == status::full ||
                       outcome == status::closed || outcome == status::corrupt ||
                       outcome == status::too_large;
    strange += known ? 0U : 1U;
    return outcome;
  }

  guarded_span memory_;
  attacker enemy_;
  std::optional<ring_type> ring_;
  std::optional<producer_type> producer_;
  bool sticky_ = false;
};

}  // namespace

TEMPLATE_TEST_CASE("no_bytes_of_a_hostile_consumer_lead_the_producer_astray", "", byte_kind,
                   typed_kind) {
  const weir::test::watchdog watchdog;
  victim<TestType> producer{weir::test::fresh_seed("hostile consumer")};
  producer.run();
  CHECK(producer.outside == 0);
  CHECK(producer.too_long == 0);
  CHECK(producer.revived == 0);
  CHECK(producer.strange == 0);
  CHECK(producer.intact);
}

TEST_CASE("a_forged_read_position_is_corrupt_for_good") {
  for (const std::uint32_t start : {0U, 0U - 128, 0x8000'0000U - 128}) {
    for (std::uint32_t which = 0; which < 7; ++which) {
      weir::test::byte_sides ring{{.capacity = 256, .start_position = start}};
      while (write_pattern(ring.producer, 0, 16) == status::ok) {
      }
      const auto written = ring.word(spsc::write_position);
      const std::uint32_t forged[] = {written + 8, written + 256,          start + 4,  start + 12,
                                      start - 8,   written + 0x8000'0000U, written + 4};
      ring.word(spsc::read_position) = forged[which];
      CAPTURE(start, which);
      CHECK(write_pattern(ring.producer, 0, 16) == status::corrupt);
      ring.word(spsc::read_position) = start;
      CHECK(write_pattern(ring.producer, 0, 0) == status::corrupt);
      CHECK(ring.producer.try_claim(8).status() == status::corrupt);
      CHECK(ring.intact());
    }
  }
}

TEST_CASE("a_producer_that_closes_after_damage_still_says_corrupt") {
  weir::test::byte_sides ring{{.capacity = 64}};
  CHECK(ring.producer.acknowledge(64) == status::corrupt);
  ring.producer.close();
  CHECK(ring.producer.try_claim(8).status() == status::corrupt);
  weir::test::both_sides<std::uint32_t> typed{{.capacity = 4}};
  CHECK(typed.producer.acknowledge(5) == status::corrupt);
  typed.producer.close();
  CHECK(typed.producer.try_write(1) == status::corrupt);
}

TEST_CASE("a_read_position_that_goes_back_is_corrupt") {
  weir::test::byte_sides ring{{.capacity = 64}};
  for (std::uint32_t number = 0; number < 8; ++number) {
    REQUIRE(write_pattern(ring.producer, number, 16) == status::ok);
    REQUIRE(read_pattern(ring.consumer, number, 16));
  }
  while (write_pattern(ring.producer, 0, 16) == status::ok) {
  }
  ring.word(spsc::read_position) -= 24;
  CHECK(write_pattern(ring.producer, 0, 16) == status::corrupt);
}

TEST_CASE("a_forged_typed_read_position_is_corrupt_for_good") {
  for (const std::uint32_t forged : {5U, 100U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    weir::test::both_sides<std::uint32_t> ring{{.capacity = 4}};
    while (ring.producer.try_write(1) == status::ok) {
    }
    ring.word(spsc::read_position) = forged;
    CHECK(ring.producer.try_write(1) == status::corrupt);
    ring.word(spsc::read_position) = 4;
    CHECK(ring.producer.try_write(1) == status::corrupt);
  }
}

TEST_CASE("a_position_is_loaded_once_for_each_look") {
  using weir::test::lying_watch;
  static const std::uint32_t* read_position;
  static std::uint32_t loads;
  weir::test::both_sides<weir::bytes, adversary_memory> ring{{.capacity = 64}};
  while (write_pattern(ring.producer, 0, 16) == status::ok) {
  }
  read_position = &ring.word(spsc::read_position);
  loads = 0;
  lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    return word == read_position && loads++ != 0 ? 0xFFFF'FFFFU : value;
  };
  CHECK(write_pattern(ring.producer, 0, 16) == status::full);
  CHECK(loads == 1);
  lying_watch::lie = nullptr;
}

TEST_CASE("taking_the_role_ends_in_a_ring_that_has_no_end") {
  const weir::test::watchdog watchdog;
  namespace record = weir::record;
  const weir::test::test_ring<weir::bytes> there{{.capacity = 256}};
  for (std::uint32_t offset = 0; offset < 224; offset += 32) {
    *there.memory.word(spsc::data + offset) = record::commit_word(24);
  }
  *there.memory.word(spsc::data + 224) = record::commit_word(16);
  *there.memory.word(spsc::data + 248) = record::padding_word(8);
  CHECK(there.ring.producer().status() == status::corrupt);
}

TEST_CASE("taking_the_role_ends_though_every_stamp_that_is_looked_at_says_published") {
  using weir::test::lying_watch;
  const weir::test::watchdog watchdog;
  const weir::test::test_ring<std::uint64_t, adversary_memory> there{{.capacity = 16}};
  static const std::uint32_t* data;
  static std::uint32_t stamps;
  data = there.memory.word(spsc::data);
  stamps = 0;
  lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    return word >= data ? ++stamps : value;
  };
  auto producer = there.ring.producer();
  lying_watch::lie = nullptr;
  REQUIRE(producer);
  CHECK(producer->free_slots() == 0);
  CHECK(stamps == 16);
}

TEST_CASE("a_read_position_behind_what_is_withheld_is_corrupt") {
  weir::test::byte_sides ring{{.capacity = 256}};
  REQUIRE(write_pattern(ring.producer, 0, 8) == status::ok);
  REQUIRE(ring.producer.try_claim(8).commit_later().outcome == status::ok);
  CHECK(ring.producer.acknowledge(16) == status::ok);
  CHECK(ring.producer.acknowledge(32) == status::corrupt);

  weir::test::both_sides<std::uint64_t> typed{{.capacity = 8}};
  REQUIRE(typed.producer.try_write(1) == status::ok);
  REQUIRE(typed.producer.try_claim().commit_later(2).outcome == status::ok);
  CHECK(typed.producer.acknowledge(1) == status::ok);
  CHECK(typed.producer.acknowledge(2) == status::corrupt);
}
