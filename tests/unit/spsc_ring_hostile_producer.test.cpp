// SPDX-License-Identifier: MIT
// A hostile producer: whatever it writes into the ring, between the consumer's calls and during them, the
// consumer ends every call with a status, within a bound, inside the span. Not provable here: a producer
// that writes between two machine instructions of one load.
#include "support/attacker.hpp"
#include "support/both_sides.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace record = weir::record;
namespace spsc = weir::layout::spsc;
using weir::status;
using weir::test::adversary_memory;
using weir::test::attacker;
using weir::test::guarded_span;
using weir::test::write_pattern;

namespace {

constexpr std::uint32_t operations = weir::test::scaled(1'000'000);
constexpr std::uint32_t capacity = 256;

struct byte_kind {
  static constexpr std::uint32_t most_records = capacity / record::header_size;
  using ring = weir::spsc_ring<weir::bytes, adversary_memory>;
  template <class Producer>
  static void fill(Producer& producer, weir::test::seeded_random& random) {
    while (write_pattern(producer, 1, random.below(60)) == status::ok) {
    }
  }
  static auto read(ring::consumer_type<>& consumer) -> status {
    std::array<std::byte, 40> out;
    return consumer.try_read(out).outcome;
  }
};

struct typed_kind {
  static constexpr std::uint32_t most_records = capacity;
  using ring = weir::spsc_ring<std::array<std::uint32_t, 5>, adversary_memory>;
  template <class Producer>
  static void fill(Producer& producer, weir::test::seeded_random&) {
    while (producer.try_write({}) == status::ok) {
    }
  }
  static auto read(ring::consumer_type<>& consumer) -> status {
    std::array<std::uint32_t, 5> out;
    return consumer.try_read(out);
  }
};

/// The consumer under attack, and everything that must hold.
template <class Kind>
class victim {
 public:
  using ring_type = typename Kind::ring;
  /// Loads that one call may make: some for each record that the ring can hold.
  static constexpr std::uint32_t most_loads = 16 * Kind::most_records + 64;

  explicit victim(std::uint64_t seed)
      : memory_{ring_type::bytes_required(capacity)}, enemy_{memory_, capacity, seed} {
    restart();
  }

  void run() {
    for (std::uint32_t step = 0; step < operations; ++step) {
      auto& random = enemy_.random();
      attack();
      auto outcome = status::ok;
      const auto loads = enemy_.loads_of([&] { outcome = operate(random.below(7)); });
      if (loads > most_loads) ++too_long;
      if (sticky_ && !redeeming_ && outcome != status::corrupt) ++revived;
      if (outcome == status::corrupt && !redeeming_) sticky_ = true;
      if (random.once_in(sticky_ ? 10 : 300)) restart();
    }
    consumer_.reset();
    intact = memory_.intact();
  }

  std::uint32_t outside = 0;   ///< records that do not lie in the ring
  std::uint32_t too_long = 0;  ///< calls that made too many loads
  std::uint32_t revived = 0;   ///< corrupt rings that became something else
  std::uint32_t strange = 0;   ///< statuses that make no sense
  bool intact = false;

 private:
  void restart() {
    consumer_.reset();
    enemy_.lie_once_in(0);
    auto& random = enemy_.random();
    const auto start = random.next() & ~7U;
    auto ring = ring_type::format(memory_.bytes(), {.capacity = capacity, .start_position = start});
    auto producer = ring->producer().value();
    Kind::fill(producer, random);
    consumer_.emplace(ring->consumer().value());
    sticky_ = false;
    enemy_.lie_once_in(random.once_in(3) ? 1 + random.below(20) : 0);
  }

  void attack() {
    switch (enemy_.random().below(12)) {
      case 0:
        return enemy_.scribble(spsc::data);
      case 1:
        return enemy_.scribble(spsc::write_position);
      case 2:
        return enemy_.scribble_word(spsc::write_position);
      case 3:
        return enemy_.scribble_word(spsc::read_position);
      default:
        return;
    }
  }

  /// One call. Returns  its outcome; ok where it has none.
  auto operate(std::uint32_t which) -> status {
    auto& random = enemy_.random();
    redeeming_ = false;
    switch (which) {
      case 0: {
        auto record = consumer_->try_peek();
        return look_at(record);
      }
      case 1:
        return sane(Kind::read(*consumer_));
      case 2: {
        const auto limit = random.once_in(2) ? weir::no_limit : random.below(10);
        const auto done =
            consumer_->drain([this](const auto& shown) { this->check(shown); }, limit);
        if (done.outcome == status::ok && limit == 0 && sticky_) return status::corrupt;
        return sane(done.outcome);
      }
      case 3: {
        redeeming_ = true;
        const auto position = consumer_->read_position();
        const weir::descriptor forged{enemy_.nasty(spsc::data + 8), enemy_.nasty(8),
                                      enemy_.nasty(position / 8)};
        auto record = consumer_->redeem(forged);
        return look_at(record);
      }
      case 4:
        return sane(consumer_->wait());
      case 5:
        consumer_->flush();
        break;
      default:
        static_cast<void>(consumer_->read_position());
        break;
    }
    return sticky_ ? status::corrupt : status::ok;
  }

  template <class Record>
  auto look_at(Record& record) -> status {
    if (!record) return sane(record.status());
    check(record.bytes());
    if (enemy_.random().once_in(2)) record.release();
    return status::ok;
  }

  void check(std::span<const std::byte> bytes) {
    const auto data = memory_.bytes().subspan(spsc::data);
    const bool inside = bytes.data() >= data.data() && bytes.size() <= data.size() &&
                        bytes.data() + bytes.size() <= data.data() + data.size();
    outside += inside ? 0U : 1U;
  }
  void check(const weir::record_view& view) { check(view.bytes); }
  void check(const std::array<std::uint32_t, 5>&) {}

  auto sane(status outcome) -> status {
    const bool known = outcome == status::ok || outcome == status::empty ||
                       outcome == status::closed || outcome == status::corrupt ||
                       outcome == status::too_large || outcome == status::stale;
    strange += known ? 0U : 1U;
    return outcome;
  }

  guarded_span memory_;
  attacker enemy_;
  std::optional<typename ring_type::template consumer_type<>> consumer_;
  bool sticky_ = false;
  bool redeeming_ = false;
};

}  // namespace

TEMPLATE_TEST_CASE("no_bytes_of_a_hostile_producer_lead_the_consumer_astray", "", byte_kind,
                   typed_kind) {
  const weir::test::watchdog watchdog;
  victim<TestType> consumer{weir::test::fresh_seed("hostile producer")};
  consumer.run();
  CHECK(consumer.outside == 0);
  CHECK(consumer.too_long == 0);
  CHECK(consumer.revived == 0);
  CHECK(consumer.strange == 0);
  CHECK(consumer.intact);
}

TEST_CASE("a_forged_commit_word_is_corrupt_for_good") {
  const std::uint32_t forged[] = {1,
                                  7,
                                  8 | 1,
                                  record::commit_word(capacity / 2 - 15),
                                  record::commit_word(capacity),
                                  0x7FFF'FFF8,
                                  0xFFFF'FFFF,
                                  record::padding_word(8),
                                  record::padding_word(capacity - 8),
                                  record::padding_word(capacity + 8),
                                  record::padding_word(capacity) | 1,
                                  record::padding_bit};
  for (const auto word : forged) {
    for (const std::uint32_t start : {0U, 64U}) {
      weir::test::byte_sides ring{{.capacity = capacity, .start_position = start}};
      REQUIRE(write_pattern(ring.producer, 0, 8) == status::ok);
      ring.word(spsc::data + start) = word;
      CAPTURE(word, start);
      CHECK(ring.consumer.try_peek().status() == status::corrupt);
      ring.word(spsc::data + start) = record::commit_word(8);
      CHECK(ring.consumer.try_peek().status() == status::corrupt);
      CHECK(ring.consumer.drain([](const auto&) {}).outcome == status::corrupt);
      CHECK(ring.consumer.wait() == status::corrupt);
      CHECK(ring.word(spsc::read_position) == start);
    }
  }
}

TEST_CASE("padding_at_the_start_of_the_data_would_come_twice_and_is_corrupt") {
  weir::test::byte_sides ring{{.capacity = capacity}};
  ring.word(spsc::data) = record::padding_word(capacity);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);
}

TEST_CASE("a_forged_stamp_is_corrupt_for_good") {
  for (const std::uint32_t stamp : {0U, 2U, 0x8000'0000U, 0U - capacity, 2U - capacity}) {
    weir::test::both_sides<std::uint32_t> ring{{.capacity = capacity}};
    REQUIRE(ring.producer.try_write(5) == status::ok);
    ring.word(spsc::data) = stamp;
    std::uint32_t value = 0;
    CHECK(ring.consumer.try_read(value) == status::corrupt);
    ring.word(spsc::data) = 1;
    CHECK(ring.consumer.try_read(value) == status::corrupt);
    CHECK(ring.consumer.drain([](const auto&) {}).outcome == status::corrupt);
  }
}

TEST_CASE("a_commit_word_that_changes_between_two_loads_is_used_as_it_was_first_seen") {
  using weir::test::lying_watch;
  static const std::uint32_t* header;
  static std::uint32_t loads;
  weir::test::both_sides<weir::bytes, adversary_memory> ring{{.capacity = capacity}};
  REQUIRE(write_pattern(ring.producer, 0, 20) == status::ok);
  header = &ring.word(spsc::data);
  loads = 0;
  lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    return word == header && loads++ != 0 ? record::commit_word(100) : value;
  };
  auto peeked = ring.consumer.try_peek();
  CHECK(peeked.bytes().size() == 20);
  CHECK(loads == 1);
  peeked.release();
  CHECK(ring.consumer.read_position() == 32);
  lying_watch::lie = nullptr;
}

TEST_CASE("a_record_that_changes_between_search_and_look_is_not_redeemed") {
  using weir::test::lying_watch;
  static const std::uint32_t* header;
  static std::uint32_t loads;
  static std::uint32_t later;
  loads = 0;
  weir::test::both_sides<weir::bytes, adversary_memory> ring{{.capacity = capacity}};
  auto claim = ring.producer.try_claim(20);
  const auto named = claim.commit().record;
  header = &ring.word(spsc::data);
  later = record::commit_word(12);
  const auto change = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    return word == header && loads++ != 0 ? later : value;
  };
  lying_watch::lie = change;
  CHECK(ring.consumer.redeem(named).status() == status::corrupt);
  lying_watch::lie = nullptr;
  CHECK(loads == 2);
  CHECK(ring.consumer.try_peek().status() == status::corrupt);

  weir::test::both_sides<std::uint64_t, adversary_memory> typed{{.capacity = 8}};
  const auto value = typed.producer.try_claim().commit(5).record;
  header = &typed.word(spsc::data);
  loads = 0;
  later = 1U - 8;  // free again
  lying_watch::lie = change;
  CHECK(typed.consumer.redeem(value).status() == status::corrupt);
  lying_watch::lie = nullptr;
  CHECK(loads == 2);
  CHECK(typed.consumer.try_peek().status() == status::corrupt);
}
