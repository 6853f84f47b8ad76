// SPDX-License-Identifier: MIT
#include "support/random.hpp"
#include "support/test_ring.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace layout = weir::layout;
using weir::spsc_options;
using weir::spsc_ring;
using weir::status;
using weir::wake_protocol;
using weir::test::guarded_span;
using weir::test::read_pattern;
using weir::test::write_pattern;
using byte_ring = spsc_ring<weir::bytes>;
using word_ring = spsc_ring<std::uint64_t>;

namespace {

constexpr std::uint32_t tag = 0x1234;

/// A capacity that is one for either kind of ring.
constexpr std::uint32_t capacity = 256;

template <class Ring>
struct formatted {
  guarded_span memory{Ring::bytes_required(capacity)};
  formatted() {
    if (!Ring::format(memory.bytes(), {.capacity = capacity, .type_tag = tag})) FAIL("format");
  }
  [[nodiscard]] auto attach() const -> status { return Ring::attach(memory.bytes(), tag).status(); }
};

}  // namespace

TEMPLATE_TEST_CASE("what_is_formatted_can_be_attached_to", "", byte_ring, word_ring) {
  const guarded_span memory{TestType::bytes_required(capacity)};
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    for (const bool process_shared : {false, true}) {
      auto made = TestType::format(memory.bytes(), {.capacity = capacity,
                                                    .wake = protocol,
                                                    .process_shared = process_shared,
                                                    .type_tag = tag});
      REQUIRE(made);
      auto found = TestType::attach(memory.bytes(), tag);
      REQUIRE(found);
      for (const auto& ring : {*made, *found}) {
        CHECK(ring.capacity() == capacity);
        CHECK(ring.wake() == protocol);
        CHECK(ring.process_shared() == process_shared);
        CHECK_FALSE(ring.closed());
      }
      CHECK(made->max_record() == found->max_record());
    }
  }
  CHECK(memory.intact());
}

TEST_CASE("the_largest_record_is_half_a_ring_less_two_headers_or_one_value") {
  const formatted<byte_ring> bytes;
  CHECK(byte_ring::attach(bytes.memory.bytes(), tag)->max_record() == capacity / 2 - 16);
  const formatted<word_ring> words;
  CHECK(word_ring::attach(words.memory.bytes(), tag)->max_record() == 8);
}

TEMPLATE_TEST_CASE("the_sleeper_pays_for_waking_unless_the_format_says_otherwise", "", byte_ring,
                   word_ring) {
  const guarded_span memory{TestType::bytes_required(capacity)};
  CHECK(TestType::format(memory.bytes(), {.capacity = capacity})->wake() ==
        wake_protocol::asymmetric);
}

TEST_CASE("a_ring_without_a_capacity_takes_the_largest_that_fits") {
  const guarded_span memory{byte_ring::bytes_required(4096) - 1};
  CHECK(byte_ring::format(memory.bytes())->capacity() == 2048);
  CHECK(byte_ring::format(memory.bytes().first(768 + 64))->capacity() == 64);
  CHECK(word_ring::format(memory.bytes().first(768 + 33 * 16))->capacity() == 32);
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("a_span_that_is_misaligned_or_too_small_is_refused", "", byte_ring, word_ring) {
  const guarded_span memory{TestType::bytes_required(capacity) + 64};
  const auto whole = memory.bytes();
  const auto needed = static_cast<std::size_t>(TestType::bytes_required(capacity));
  const auto format = [](auto span, std::uint32_t size) {
    return TestType::format(span, {.capacity = size}).status();
  };
  for (const std::size_t offset : {1U, 4U, 8U, 16U, 32U}) {
    CHECK(format(whole.subspan(offset), capacity) == status::bad_layout);
  }
  CHECK(format(whole.subspan(64), capacity) == status::ok);
  CHECK(format(whole.first(needed), capacity) == status::ok);
  CHECK(format(whole.first(needed - 1), capacity) == status::bad_layout);
  CHECK(format(whole.first(0), capacity) == status::bad_layout);
  CHECK(format(whole.first(768), 0) == status::bad_layout);
  CHECK(format(std::span<std::byte>{}, 0) == status::bad_layout);
  CHECK(memory.intact());
}

TEST_CASE("a_capacity_that_is_no_power_of_two_in_range_is_refused") {
  const guarded_span memory{1 << 20};
  const auto bytes = [&](std::uint32_t size) {
    return byte_ring::format(memory.bytes(), {.capacity = size}).status();
  };
  const auto words = [&](std::uint32_t size) {
    return word_ring::format(memory.bytes(), {.capacity = size}).status();
  };
  for (const std::uint32_t size : {1U, 2U, 8U, 32U, 63U, 65U, 96U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CAPTURE(size);
    CHECK(bytes(size) == status::bad_layout);
  }
  for (const std::uint32_t size : {1U, 3U, 12U, 0x0800'0000U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CAPTURE(size);
    CHECK(words(size) == status::bad_layout);
  }
  CHECK(bytes(64) == status::ok);
  CHECK(words(2) == status::ok);
}

TEST_CASE("a_start_inside_a_header_is_refused_in_byte_rings") {
  const guarded_span memory{2048};
  for (std::uint32_t start = 0; start < 16; ++start) {
    const auto made = byte_ring::format(memory.bytes(), {.start_position = start});
    CHECK(made.status() == (start % 8 == 0 ? status::ok : status::bad_layout));
    CHECK(word_ring::format(memory.bytes(), {.start_position = start}));
  }
}

TEMPLATE_TEST_CASE("a_header_with_one_wrong_bit_is_refused", "", byte_ring, word_ring) {
  const formatted<TestType> there;
  std::uint32_t accepted = 0;
  for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *there.memory.word(offset) ^= 1U << bit;
      const auto outcome = there.attach();
      *there.memory.word(offset) ^= 1U << bit;
      // Two words may say several true things: who shares the ring, and who pays for waking.
      const bool meaningful = (offset == layout::flags && bit == 0) ||
                              (offset == layout::wake_protocol_word && bit < 2);
      const auto expected = meaningful ? status::ok : status::bad_layout;
      if (outcome != expected) FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
      accepted += outcome == status::ok ? 1U : 0U;
    }
  }
  CHECK(accepted == 3);
  CHECK(there.attach() == status::ok);
}

TEMPLATE_TEST_CASE("a_header_of_any_bytes_is_refused_or_describes_a_ring_inside_the_span", "",
                   byte_ring, word_ring) {
  weir::test::seeded_random random{weir::test::fresh_seed("headers")};
  const formatted<TestType> there;
  std::vector<std::uint32_t> original(layout::header_size / 4);
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
      *there.memory.word(4 + 4 * random.below(11)) = nasty();
    }
    if (auto found = TestType::attach(there.memory.bytes(), tag)) {
      const bool inside =
          TestType::bytes_required(found->capacity()) <= there.memory.bytes().size();
      outside += inside ? 0U : 1U;
    }
    for (std::uint32_t word = 0; word < 12; ++word) *there.memory.word(word * 4) = original[word];
  }
  CHECK(outside == 0);
  CHECK(there.memory.intact());
}

TEMPLATE_TEST_CASE("memory_that_nobody_has_formatted_is_not_ready", "", byte_ring, word_ring) {
  const formatted<TestType> there;
  *there.memory.word(layout::magic) = 0;
  CHECK(there.attach() == status::not_ready);
  const guarded_span untouched{4096};
  CHECK(TestType::attach(untouched.bytes()).status() == status::not_ready);
}

TEST_CASE("a_ring_of_another_kind_type_or_tag_is_refused") {
  const formatted<word_ring> words;
  const auto span = words.memory.bytes();
  using three_words = std::array<std::uint32_t, 3>;  // the stride of an u64, another alignment
  CHECK(byte_ring::attach(span, tag).status() == status::bad_layout);
  CHECK(spsc_ring<std::uint32_t>::attach(span, tag).status() == status::bad_layout);
  CHECK(spsc_ring<three_words>::attach(span, tag).status() == status::bad_layout);
  CHECK(word_ring::attach(span).status() == status::bad_layout);
  CHECK(word_ring::attach(span, tag + 1).status() == status::bad_layout);
  CHECK(word_ring::attach(span, tag).status() == status::ok);

  const formatted<byte_ring> bytes;
  CHECK(word_ring::attach(bytes.memory.bytes(), tag).status() == status::bad_layout);
}

TEST_CASE("a_span_that_has_shrunk_is_refused_and_one_that_has_grown_is_not") {
  const guarded_span memory{byte_ring::bytes_required(capacity) + 64};
  REQUIRE(byte_ring::format(memory.bytes(), {.capacity = capacity}));
  CHECK(byte_ring::attach(memory.bytes()));
  const auto shrunk = static_cast<std::size_t>(byte_ring::bytes_required(capacity)) - 8;
  CHECK(byte_ring::attach(memory.bytes().first(shrunk)).status() == status::bad_layout);
}

TEMPLATE_TEST_CASE("formatting_again_forgets_everything", "", byte_ring, word_ring) {
  const guarded_span memory{TestType::bytes_required(capacity)};
  std::ranges::fill(memory.bytes(), std::byte{0xFF});
  auto ring = TestType::format(memory.bytes(), {.capacity = capacity}).value();
  {
    auto producer = ring.producer().value();
    producer.close();
  }
  CHECK(ring.closed());
  ring = TestType::format(memory.bytes(), {.capacity = capacity}).value();
  CHECK_FALSE(ring.closed());
  CHECK(ring.consumer().value().try_peek().status() == status::empty);
  CHECK(ring.statistics().producer.records == 0);
  CHECK(memory.intact());
}

TEST_CASE("the_largest_byte_ring_works_wherever_its_positions_start") {
  if constexpr (sizeof(void*) < 8) return;  // its span does not fit
  constexpr std::uint32_t largest = 0x8000'0000;
  const guarded_span memory{byte_ring::bytes_required(largest)};
  for (const auto start : weir::test::notable_starts) {
    auto ring =
        byte_ring::format(memory.bytes(), {.capacity = largest, .start_position = start}).value();
    auto producer = ring.producer().value();
    auto consumer = ring.consumer().value();
    for (std::uint32_t number = 0; number < 100; ++number) {
      const bool whole = write_pattern(producer, number, number) == status::ok &&
                         read_pattern(consumer, number, number);
      if (!whole) FAIL("start " << start << " record " << number);
    }
    CHECK(producer.try_claim(largest / 2).status() == status::too_large);
  }
  CHECK(memory.intact());
}

TEST_CASE("a_header_that_agrees_with_itself_about_an_impossible_ring_is_refused") {
  const guarded_span memory{4096};
  const auto attach = [&]<class Ring>(const Ring*, const weir::detail::header& fields) {
    weir::detail::publish_header<weir::native_memory>(memory.bytes().data(), fields);
    return Ring::attach(memory.bytes()).status();
  };
  for (const std::uint32_t size : {0U, 1U, 8U, 32U, 64U, 96U, 128U, 192U, 255U}) {
    const auto outcome = attach(static_cast<byte_ring*>(nullptr),
                                {.kind = static_cast<std::uint32_t>(layout::kind::spsc_bytes),
                                 .total_size = layout::spsc::data + size,
                                 .capacity = size,
                                 .data_offset = layout::spsc::data,
                                 .alignment = 8,
                                 .max_record = size / 2 - 16,
                                 .wake_protocol = 2});
    CAPTURE(size);
    CHECK(outcome == (size == 64 || size == 128 ? status::ok : status::bad_layout));
  }
  // With the last two the size in bytes has more than 32 bits; the header says what is left of it.
  for (const std::uint32_t size : {0U, 1U, 2U, 3U, 4U, 6U, 0x1000'0000U, 0x8000'0000U}) {
    const auto outcome = attach(static_cast<word_ring*>(nullptr),
                                {.kind = static_cast<std::uint32_t>(layout::kind::spsc_slots),
                                 .total_size = layout::spsc::data + size * 16,
                                 .capacity = size,
                                 .data_offset = layout::spsc::data,
                                 .stride = 16,
                                 .alignment = 8,
                                 .max_record = 8,
                                 .wake_protocol = 2});
    CAPTURE(size);
    CHECK(outcome == (size == 2 || size == 4 ? status::ok : status::bad_layout));
  }
}
