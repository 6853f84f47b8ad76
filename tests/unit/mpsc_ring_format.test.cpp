// SPDX-License-Identifier: MIT
#include "support/guarded_span.hpp"
#include "support/mpsc_sides.hpp"
#include "support/random.hpp"

#include <weir/doorbell.hpp>
#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace layout = weir::layout;
namespace mpsc = weir::layout::mpsc;
using weir::mpsc_options;
using weir::mpsc_ring;
using weir::status;
using weir::wake_protocol;
using weir::test::guarded_span;
using byte_ring = mpsc_ring<weir::bytes>;
using word_ring = mpsc_ring<std::uint64_t>;

namespace {

constexpr std::uint32_t tag = 0x1234;

/// Options that are some for either kind of ring.
constexpr mpsc_options plain{.capacity = 256, .producers = 3, .type_tag = tag};

constexpr auto with(auto member, auto value) -> mpsc_options {
  auto options = plain;
  options.*member = value;
  return options;
}

template <class Ring>
struct formatted {
  guarded_span memory{Ring::bytes_required(plain)};
  formatted() {
    if (!Ring::format(memory.bytes(), plain)) FAIL("format");
  }
  [[nodiscard]] auto attach() const -> status { return Ring::attach(memory.bytes(), tag).status(); }
};

constexpr auto required_of(std::uint32_t capacity, std::uint32_t producers,
                           std::uint32_t max_record = 0) -> std::uint64_t {
  return byte_ring::bytes_required(
      {.capacity = capacity, .producers = producers, .max_record = max_record});
}

// Control block, a line for each producer, the data, and room for one largest record behind it.
static_assert(required_of(64, 1) == mpsc::producer_slots + 128 + 64 + 24);
static_assert(required_of(1024, 16) == mpsc::producer_slots + 16 * 128 + 1024 + 144);
static_assert(required_of(1024, 1024, 504) == mpsc::producer_slots + 1024 * 128 + 1024 + 512);
static_assert(required_of(64, 0) == 0);
static_assert(required_of(64, 1025) == 0);
static_assert(required_of(32, 1) == 0);
static_assert(required_of(96, 1) == 0);
static_assert(required_of(1U << 29, 1) != 0);
static_assert(required_of(1U << 30, 1) == 0);
static_assert(required_of(64, 1, 24) != 0);
static_assert(required_of(64, 1, 25) == 0);
static_assert(required_of(64, 1, 0xFFFF'FFFF) == 0);
static_assert(word_ring::bytes_required({.capacity = 2, .producers = 1}) ==
              mpsc::producer_slots + 128 + 32);
static_assert(word_ring::bytes_required({.capacity = 1, .producers = 1}) == 0);
static_assert(word_ring::bytes_required({.capacity = 2, .producers = 1, .max_record = 8}) != 0);
static_assert(word_ring::bytes_required({.capacity = 2, .producers = 1, .max_record = 9}) == 0);
static_assert(word_ring::bytes_required({.capacity = 1U << 28, .producers = 1}) == 0);  // too long
static_assert(word_ring::bytes_required({.capacity = 1U << 27, .producers = 1}) != 0);

}  // namespace

TEMPLATE_TEST_CASE("what_is_formatted_can_be_attached_to_in_a_ring_for_many", "", byte_ring,
                   word_ring) {
  const guarded_span memory{TestType::bytes_required(plain)};
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    for (const bool process_shared : {false, true}) {
      for (const bool recoverable : {false, true}) {
        auto options = plain;
        options.wake = protocol;
        options.process_shared = process_shared;
        options.recoverable = recoverable;
        auto made = TestType::format(memory.bytes(), options);
        REQUIRE(made);
        auto found = TestType::attach(memory.bytes(), tag);
        REQUIRE(found);
        for (const auto& ring : {*made, *found}) {
          CHECK(ring.capacity() == 256);
          CHECK(ring.producers() == 3);
          CHECK(ring.recoverable() == recoverable);
          CHECK(ring.wake() == protocol);
          CHECK(ring.process_shared() == process_shared);
          CHECK_FALSE(ring.closed());
        }
        CHECK(made->max_record() == found->max_record());
      }
    }
  }
  CHECK(memory.intact());
}

TEST_CASE("the_largest_record_is_what_the_options_say_or_an_eighth") {
  const guarded_span memory{4096};
  CHECK(byte_ring::format(memory.bytes(), {.capacity = 256})->max_record() == 40);
  for (const std::uint32_t most : {1U, 8U, 33U, 119U, 120U}) {
    CHECK(byte_ring::format(memory.bytes(), {.capacity = 256, .max_record = most})->max_record() ==
          most);
    CHECK(byte_ring::attach(memory.bytes())->max_record() == most);
  }
  for (const std::uint32_t most : {121U, 128U, 256U, 0x8000'0000U, 0xFFFF'FFF8U}) {
    CHECK(byte_ring::format(memory.bytes(), {.capacity = 256, .max_record = most}).status() ==
          status::bad_layout);
  }
  CHECK(word_ring::format(memory.bytes(), {.capacity = 16})->max_record() == 8);
}

TEMPLATE_TEST_CASE("producers_number_from_1_to_1024", "", byte_ring, word_ring) {
  const guarded_span memory{1 << 18};
  const auto outcome = [&](std::uint32_t producers) {
    return TestType::format(memory.bytes(), with(&mpsc_options::producers, producers)).status();
  };
  CHECK(outcome(0) == status::bad_layout);
  CHECK(outcome(1025) == status::bad_layout);
  CHECK(outcome(0xFFFF'FFFF) == status::bad_layout);
  CHECK(outcome(1) == status::ok);
  CHECK(outcome(1024) == status::ok);
  CHECK(TestType::attach(memory.bytes(), tag)->producers() == 1024);
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("every_slot_of_a_full_table_can_be_held", "", byte_ring, word_ring) {
  const auto options = with(&mpsc_options::producers, 1024U);
  const guarded_span memory{TestType::bytes_required(options)};
  auto ring = TestType::format(memory.bytes(), options).value();
  std::vector<typename TestType::template producer_type<>> held;
  for (std::uint32_t slot = 0; slot < 1024; ++slot) held.push_back(ring.producer().value());
  CHECK(ring.producer().status() == status::full);
  held.pop_back();
  CHECK(ring.producer());
  CHECK(memory.intact());
}

TEST_CASE("a_ring_without_a_capacity_takes_the_largest_that_fits_in_a_ring_for_many") {
  const guarded_span memory{byte_ring::bytes_required({.capacity = 4096}) - 1};
  CHECK(byte_ring::format(memory.bytes())->capacity() == 2048);
  CHECK(byte_ring::format(memory.bytes(), {.max_record = 1000})->capacity() == 2048);
  CHECK(byte_ring::format(memory.bytes(), {.max_record = 1600}).status() == status::bad_layout);
  const auto small = static_cast<std::size_t>(word_ring::bytes_required({.capacity = 32}) + 16);
  CHECK(word_ring::format(memory.bytes().first(small))->capacity() == 32);
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("a_span_that_is_misaligned_or_too_small_is_refused_in_a_ring_for_many", "",
                   byte_ring, word_ring) {
  const guarded_span memory{TestType::bytes_required(plain) + 64};
  const auto whole = memory.bytes();
  const auto needed = static_cast<std::size_t>(TestType::bytes_required(plain));
  const auto format = [](auto span, std::uint32_t size) {
    return TestType::format(span, with(&mpsc_options::capacity, size)).status();
  };
  for (const std::size_t offset : {1U, 4U, 8U, 16U, 32U}) {
    CHECK(format(whole.subspan(offset), 256) == status::bad_layout);
  }
  CHECK(format(whole.subspan(64), 256) == status::ok);
  CHECK(format(whole.first(needed), 256) == status::ok);
  CHECK(TestType::attach(whole.first(needed), tag));
  CHECK(TestType::attach(whole.first(needed - 8), tag).status() == status::bad_layout);
  CHECK(format(whole.first(needed - 1), 256) == status::bad_layout);
  CHECK(format(whole.first(0), 256) == status::bad_layout);
  CHECK(format(whole.first(mpsc::producer_slots), 0) == status::bad_layout);
  CHECK(format(std::span<std::byte>{}, 0) == status::bad_layout);
  CHECK(memory.intact());
}

TEST_CASE("a_capacity_that_is_no_power_of_two_in_range_is_refused_in_a_ring_for_many") {
  const guarded_span memory{1 << 20};
  for (const std::uint32_t size :
       {1U, 2U, 8U, 32U, 63U, 65U, 96U, 1U << 30, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CAPTURE(size);
    CHECK(byte_ring::format(memory.bytes(), {.capacity = size}).status() == status::bad_layout);
  }
  for (const std::uint32_t size : {1U, 3U, 12U, 1U << 28, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CAPTURE(size);
    CHECK(word_ring::format(memory.bytes(), {.capacity = size}).status() == status::bad_layout);
  }
  CHECK(byte_ring::format(memory.bytes(), {.capacity = 64}));
  CHECK(word_ring::format(memory.bytes(), {.capacity = 2}));
}

TEST_CASE("a_start_inside_a_header_or_in_the_far_future_is_refused") {
  const guarded_span memory{8192};
  const auto start = [](std::uint64_t position) {
    return with(&mpsc_options::start_position, position);
  };
  for (std::uint32_t position = 0; position < 16; ++position) {
    CHECK(byte_ring::format(memory.bytes(), start(position)).status() ==
          (position % 8 == 0 ? status::ok : status::bad_layout));
    CHECK(word_ring::format(memory.bytes(), start(position)));
  }
  constexpr auto most = std::uint64_t{1} << 62;
  CHECK(byte_ring::format(memory.bytes(), start(most - 8)));
  CHECK(byte_ring::format(memory.bytes(), start(most)).status() == status::bad_layout);
  CHECK(word_ring::format(memory.bytes(), start(~std::uint64_t{0})).status() == status::bad_layout);
}

TEMPLATE_TEST_CASE("a_header_with_one_wrong_bit_is_refused_in_a_ring_for_many", "", byte_ring,
                   word_ring) {
  const formatted<TestType> there;
  std::uint32_t accepted = 0;
  for (std::uint32_t offset = 0; offset < layout::header_size; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *there.memory.word(offset) ^= 1U << bit;
      const auto outcome = there.attach();
      *there.memory.word(offset) ^= 1U << bit;
      // Two words may say several true things: who shares the ring and whether claims are recovered, and who
      // pays for waking. Byte rings: other largest records need as much room behind the data. The rest of
      // the header is not looked at.
      const bool meaningful =
          (offset == layout::flags && bit < 2) ||
          (offset == layout::wake_protocol_word && bit < 2) ||
          (std::is_same_v<TestType, byte_ring> && offset == layout::max_record && bit < 3);
      const bool unused = offset > layout::slots;
      const auto expected = meaningful || unused ? status::ok : status::bad_layout;
      if (outcome != expected && !(meaningful && outcome == status::bad_layout)) {
        FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
      }
      accepted += outcome == status::ok && !unused ? 1U : 0U;
    }
  }
  CHECK(accepted >= 4);
  CHECK(accepted <= 7);
  CHECK(there.attach() == status::ok);
}

TEMPLATE_TEST_CASE(
    "a_header_of_any_bytes_is_refused_or_describes_a_ring_inside_the_span_in_a_ring_for_many", "",
    byte_ring, word_ring) {
  weir::test::seeded_random random{weir::test::fresh_seed("headers")};
  const formatted<TestType> there;
  std::array<std::uint32_t, 13> original{};
  for (std::uint32_t word = 0; word < original.size(); ++word) {
    original[word] = *there.memory.word(word * 4);
  }
  const auto nasty = [&]() -> std::uint32_t {
    switch (random.below(4)) {
      case 0:
        return random.next();
      case 1:
        return 1U << random.below(32);
      case 2:
        return 0U - random.below(1024);
      default:
        return random.below(2048);
    }
  };
  std::uint32_t outside = 0;
  for (int round = 0; round < 100'000; ++round) {
    for (auto changes = 1 + random.below(4); changes != 0; --changes) {
      *there.memory.word(4 + 4 * random.below(12)) = nasty();
    }
    if (auto found = TestType::attach(there.memory.bytes(), tag)) {
      const auto required = TestType::bytes_required({.capacity = found->capacity(),
                                                      .producers = found->producers(),
                                                      .max_record = found->max_record()});
      outside += required != 0 && required <= there.memory.bytes().size() ? 0U : 1U;
    }
    for (std::uint32_t word = 0; word < original.size(); ++word) {
      *there.memory.word(word * 4) = original[word];
    }
  }
  CHECK(outside == 0);
  CHECK(there.memory.intact());
}

TEMPLATE_TEST_CASE("memory_that_nobody_has_formatted_is_not_ready_in_a_ring_for_many", "",
                   byte_ring, word_ring) {
  const formatted<TestType> there;
  *there.memory.word(layout::magic) = 0;
  CHECK(there.attach() == status::not_ready);
  const guarded_span untouched{8192};
  CHECK(TestType::attach(untouched.bytes()).status() == status::not_ready);
}

TEST_CASE("a_ring_of_another_kind_type_or_tag_is_refused_in_a_ring_for_many") {
  const formatted<word_ring> words;
  const auto span = words.memory.bytes();
  using three_words = std::array<std::uint32_t, 3>;  // the stride of an u64, another alignment
  CHECK(byte_ring::attach(span, tag).status() == status::bad_layout);
  CHECK(mpsc_ring<std::uint32_t>::attach(span, tag).status() == status::bad_layout);
  CHECK(mpsc_ring<three_words>::attach(span, tag).status() == status::bad_layout);
  CHECK(word_ring::attach(span).status() == status::bad_layout);
  CHECK(word_ring::attach(span, tag + 1).status() == status::bad_layout);
  CHECK(word_ring::attach(span, tag).status() == status::ok);
  const formatted<byte_ring> bytes;
  CHECK(word_ring::attach(bytes.memory.bytes(), tag).status() == status::bad_layout);
}

TEMPLATE_TEST_CASE("a_ring_with_a_doorbell_is_attached_to_with_that_doorbell", "", byte_ring,
                   word_ring) {
  using bell_type = weir::doorbell<>;
  const guarded_span bells{layout::doorbell::size};
  const guarded_span memory{TestType::bytes_required(plain)};
  auto bell = bell_type::format(bells.bytes()).value();
  REQUIRE(TestType::format(memory.bytes(), plain, bell));
  CHECK(TestType::attach(memory.bytes(), tag).status() == status::bad_layout);
  CHECK(TestType::attach(memory.bytes(), tag, bell));
  CHECK(TestType::format(memory.bytes(), plain));
  CHECK(TestType::attach(memory.bytes(), tag, bell).status() == status::bad_layout);
  auto contradiction = plain;
  contradiction.process_shared = !bell.process_shared();
  CHECK(TestType::format(memory.bytes(), contradiction, bell).status() == status::bad_layout);
}

TEMPLATE_TEST_CASE("formatting_again_forgets_everything_in_a_ring_for_many", "", byte_ring,
                   word_ring) {
  const guarded_span memory{TestType::bytes_required(plain)};
  std::ranges::fill(memory.bytes(), std::byte{0xFF});
  auto ring = TestType::format(memory.bytes(), plain).value();
  CHECK(ring.producer()->try_write({}) == status::ok);
  ring.producer()->close();
  CHECK(ring.closed());
  ring = TestType::format(memory.bytes(), plain).value();
  CHECK_FALSE(ring.closed());
  CHECK(ring.consumer().value().try_peek().status() == status::empty);
  CHECK(ring.statistics().consumer.records == 0);
  for (std::uint32_t slot = 0; slot < 3; ++slot) {
    CHECK(ring.producer_owner(slot) == weir::owner_state::free);
    CHECK(ring.statistics(slot).records == 0);
  }
  CHECK(memory.intact());
}

TEST_CASE(
    "a_header_that_agrees_with_itself_about_an_impossible_ring_is_refused_in_a_ring_for_many") {
  const guarded_span memory{8192};
  const auto attach = [&](std::uint32_t capacity, std::uint32_t producers, std::uint32_t record) {
    const auto data_offset = mpsc::producer_slots + producers * mpsc::slot_size;
    const mpsc_options options{.capacity = capacity, .producers = producers, .max_record = record};
    weir::detail::publish_header<weir::native_memory>(
        memory.bytes().data(),
        {.kind = static_cast<std::uint32_t>(layout::kind::mpsc_bytes),
         .total_size = static_cast<std::uint32_t>(byte_ring::bytes_required(options)),
         .capacity = capacity,
         .data_offset = data_offset,
         .alignment = 8,
         .max_record = record,
         .wake_protocol = 2,
         .slots = producers});
    return byte_ring::attach(memory.bytes()).status();
  };
  CHECK(attach(256, 3, 40) == status::ok);
  CHECK(attach(96, 3, 16) == status::bad_layout);
  CHECK(attach(32, 3, 8) == status::bad_layout);
  CHECK(attach(256, 0, 40) == status::bad_layout);
  CHECK(attach(256, 1025, 40) == status::bad_layout);
  CHECK(attach(1U << 30, 3, 40) == status::bad_layout);
}
