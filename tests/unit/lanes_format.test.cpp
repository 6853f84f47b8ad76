// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"

#include <weir/lanes.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace layout = weir::layout;
using weir::lanes;
using weir::status;
using weir::wake_protocol;
using weir::test::guarded_span;
using byte_lanes = lanes<weir::bytes>;
using word_lanes = lanes<std::uint64_t>;

namespace {

constexpr std::uint32_t tag = 0x1234;
constexpr std::uint32_t count = 3;
constexpr std::uint32_t capacity = 64;

template <class Lanes>
struct formatted {
  guarded_span memory{Lanes::bytes_required(count, capacity)};
  formatted() {
    if (!Lanes::format(memory.bytes(), {.lanes = count, .capacity = capacity, .type_tag = tag})) {
      FAIL("format");
    }
  }
  [[nodiscard]] auto attach() const -> status {
    return Lanes::attach(memory.bytes(), tag).status();
  }
};

}  // namespace

TEMPLATE_TEST_CASE("lanes_that_are_formatted_can_be_attached_to", "", byte_lanes, word_lanes) {
  const guarded_span memory{TestType::bytes_required(count, capacity)};
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    for (const bool process_shared : {false, true}) {
      auto made = TestType::format(memory.bytes(), {.lanes = count,
                                                    .capacity = capacity,
                                                    .wake = protocol,
                                                    .process_shared = process_shared,
                                                    .type_tag = tag});
      REQUIRE(made);
      auto found = TestType::attach(memory.bytes(), tag);
      REQUIRE(found);
      for (const auto& view : {*made, *found}) {
        CHECK(view.lane_count() == count);
        CHECK(view.capacity() == capacity);
        CHECK(view.wake() == protocol);
        CHECK(view.process_shared() == process_shared);
        CHECK_FALSE(view.closed());
        for (std::uint32_t lane = 0; lane < count; ++lane) {
          CHECK(view.lane(lane)->max_record() == view.max_record());
        }
      }
    }
  }
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("a_span_that_cannot_hold_the_lanes_is_refused", "", byte_lanes, word_lanes) {
  const guarded_span memory{TestType::bytes_required(count, capacity) + 64};
  const auto needed = static_cast<std::size_t>(TestType::bytes_required(count, capacity));
  const auto format = [](auto span, std::uint32_t lanes, std::uint32_t size) {
    return TestType::format(span, {.lanes = lanes, .capacity = size}).status();
  };
  const auto whole = memory.bytes();
  CHECK(format(whole.first(needed), count, capacity) == status::ok);
  CHECK(format(whole.subspan(64), count, capacity) == status::ok);
  CHECK(format(whole.subspan(32), count, capacity) == status::bad_layout);
  CHECK(format(whole.first(needed - 1), count, capacity) == status::bad_layout);
  CHECK(format(whole, 0, capacity) == status::bad_layout);
  CHECK(format(whole, count + 1, capacity) == status::bad_layout);
  for (const auto huge : {0x8000'0000U, 0xFFFF'FFFFU, 0x0200'0000U}) {
    CHECK(format(whole, huge, capacity) == status::bad_layout);
    CHECK(format(whole, huge, 0x8000'0000U) == status::bad_layout);
    CHECK(format(whole, huge, 0) == status::bad_layout);
  }
  CHECK(format(whole, count, capacity - 1) == status::bad_layout);
  CHECK(format(std::span<std::byte>{}, count, 0) == status::bad_layout);
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("a_format_of_lanes_that_is_refused_changes_nothing", "", byte_lanes,
                   word_lanes) {
  const formatted<TestType> there;
  for (const auto impossible : {1U, capacity - 1, capacity / 2 + 1, 0x8000'0000U}) {
    CHECK(
        TestType::format(there.memory.bytes(), {.lanes = count, .capacity = impossible}).status() ==
        status::bad_layout);
  }
  CHECK(there.attach() == status::ok);
}

TEST_CASE("lanes_longer_than_the_wire_format_can_say_are_refused") {
  const formatted<word_lanes> there;
  // As long as can be said: a refusal looks at nothing but the length.
  const std::span<std::byte> span{there.memory.bytes().data(), 0xFFFF'FFFF};
  CHECK(byte_lanes::format(span, {.lanes = 5, .capacity = 1 << 29}).status() == status::bad_layout);
  // 2^13 times a lane of 2^51 bytes and its control block is 2^64 and a few.
  struct megabyte {
    std::array<std::uint64_t, (1 << 17) - 1> words;
  };
  CHECK(lanes<megabyte>::format(span, {.lanes = 1 << 13, .capacity = 0x8000'0000}).status() ==
        status::bad_layout);
  CHECK(there.attach() == status::ok);
}

TEST_CASE("lanes_without_a_capacity_take_the_largest_that_fits") {
  const guarded_span memory{word_lanes::bytes_required(count, capacity)};
  CHECK(word_lanes::format(memory.bytes(), {.lanes = count})->capacity() == capacity);
  CHECK(word_lanes::format(memory.bytes().first(memory.bytes().size() - 1), {.lanes = count})
            ->capacity() == capacity / 2);
}

TEMPLATE_TEST_CASE("a_lanes_header_with_one_wrong_bit_is_refused", "", byte_lanes, word_lanes) {
  const formatted<TestType> there;
  const std::uint32_t first = layout::lanes::first_lane;
  std::uint32_t wrong = 0;
  for (const auto base : {0U, layout::lanes::bell, first}) {
    for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
      for (std::uint32_t bit = 0; bit < 32; ++bit) {
        *there.memory.word(base + offset) ^= 1U << bit;
        const auto outcome = there.attach();
        *there.memory.word(base + offset) ^= 1U << bit;
        // Even a change that a lane alone could have contradicts the other headers.
        const bool unformatted =
            base == 0 && offset == layout::magic && outcome == status::not_ready;
        wrong += outcome == status::bad_layout || unformatted ? 0U : 1U;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(there.attach() == status::ok);
}

TEST_CASE("lanes_of_another_type_or_tag_are_refused") {
  const formatted<word_lanes> words;
  const auto span = words.memory.bytes();
  CHECK(byte_lanes::attach(span, tag).status() == status::bad_layout);
  CHECK(lanes<std::uint32_t>::attach(span, tag).status() == status::bad_layout);
  CHECK(word_lanes::attach(span).status() == status::bad_layout);
  CHECK(weir::spsc_ring<std::uint64_t>::attach(span, tag).status() == status::bad_layout);
  CHECK(word_lanes::attach(span.first(span.size() - 1), tag).status() == status::bad_layout);
  *words.memory.word(layout::magic) = 0;
  CHECK(words.attach() == status::not_ready);
}

TEMPLATE_TEST_CASE("lanes_headers_of_any_bytes_are_refused_or_stay_inside_the_span", "", byte_lanes,
                   word_lanes) {
  weir::test::seeded_random random{weir::test::fresh_seed("lanes headers")};
  const formatted<TestType> there;
  std::vector<std::uint32_t> original(there.memory.bytes().size() / 4);
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
  for (int round = 0; round < 30'000; ++round) {
    for (auto changes = 1 + random.below(4); changes != 0; --changes) {
      *there.memory.word(4 + 4 * random.below(12)) = nasty();
    }
    if (auto found = TestType::attach(there.memory.bytes(), tag)) {
      const bool inside = TestType::bytes_required(found->lane_count(), found->capacity()) <=
                          there.memory.bytes().size();
      outside += inside ? 0U : 1U;
    }
    for (std::uint32_t word = 0; word < 13; ++word) *there.memory.word(word * 4) = original[word];
  }
  CHECK(outside == 0);
  CHECK(there.memory.intact());
}

TEMPLATE_TEST_CASE("any_bytes_behind_the_header_lead_to_a_status", "", byte_lanes, word_lanes) {
  weir::test::seeded_random random{weir::test::fresh_seed("lanes bytes")};
  const formatted<TestType> there;
  const auto view = TestType::attach(there.memory.bytes(), tag).value();
  const auto words = static_cast<std::uint32_t>(there.memory.bytes().size() / 4);
  std::uint32_t most = 0;
  for (int round = 0; round < 3'000; ++round) {
    for (std::uint32_t changes = 0; changes < 40; ++changes) {
      const auto word = random.below(words);
      *there.memory.word(word * 4) = random.once_in(2) ? random.below(256) : random.next();
    }
    // Owners' words could name a process that lives: free them.
    for (std::uint32_t lane = 0; lane < count; ++lane) {
      const auto base = static_cast<std::uint32_t>(
          layout::lanes::first_lane +
          lane * (TestType::bytes_required(2, capacity) - TestType::bytes_required(1, capacity)));
      *there.memory.word(base + layout::spsc::producer_owner) = 0;
      *there.memory.word(base + layout::spsc::consumer_owner) = 0;
    }
    static_cast<void>(view.lane(0).status());
    if (auto producer = view.producer()) static_cast<void>(producer->acknowledge(random.next()));
    auto consumer = view.consumer();
    if (!consumer) continue;
    const auto done = consumer->drain([](const auto&) {});
    most = done.records > most ? done.records : most;
    static_cast<void>(consumer->try_peek().status());
    static_cast<void>(consumer->wait());
  }
  CHECK(most <= count * (capacity + 2 * weir::detail::lane_slice));
  CHECK(there.memory.intact());
}

TEST_CASE("lanes_whose_formatting_died_are_not_ready_or_whole") {
  using crashing = lanes<std::uint64_t, weir::test::crash_memory>;
  constexpr weir::lanes_options options{.lanes = 2, .capacity = 4, .process_shared = true};
  const guarded_span memory{crashing::bytes_required(options.lanes, options.capacity)};
  REQUIRE(word_lanes::format(memory.bytes(), options));
  std::uint32_t wrong = 0;
  std::uint32_t deaths = 0;
  for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
    weir::test::child_process child{[&] {
      weir::test::crash_memory::die_before_access(fatal);
      return crashing::format(memory.bytes(), options) ? 0 : 1;
    }};
    if (child.wait() == weir::test::child_process::killed) ++deaths;
    auto found = word_lanes::attach(memory.bytes());
    // Before its first step the old ones are whole, after its last step the new ones.
    const bool whole = fatal == 1 || deaths != fatal;
    wrong += found.status() == (whole ? status::ok : status::not_ready) ? 0U : 1U;
    if (whole) wrong += found && found->producer() && found->consumer() ? 0U : 1U;
  }
  CHECK(wrong == 0);
  CHECK(deaths > 100);
  CHECK(memory.intact());
}

TEST_CASE("lanes_whose_number_of_bytes_does_not_fit_64_bits_are_refused") {
  using large = lanes<std::array<std::uint64_t, 4>>;
  const guarded_span memory{4096};
  const std::span<std::byte> span{memory.bytes().data(), 0xFFFF'FFFF};
  // So many lanes of so many bytes that their product, in 64 bits, is less than 2^30.
  static_assert(large::bytes_required(1'717'986'857, 1U << 29) < 1U << 30);
  CHECK(large::format(span, {.lanes = 1'717'986'857, .capacity = 1U << 29}).status() ==
        status::bad_layout);
}

TEST_CASE("a_header_of_no_lanes_that_agrees_with_itself_is_refused") {
  const formatted<byte_lanes> there;
  REQUIRE(there.attach() == status::ok);
  *there.memory.word(layout::slots) = 0;
  *there.memory.word(layout::total_size) = layout::lanes::first_lane;
  CHECK(there.attach() == status::bad_layout);
}

TEST_CASE("a_misaligned_span_is_refused_before_anything_is_written") {
  const guarded_span memory{byte_lanes::bytes_required(count, capacity) + 64};
  std::ranges::fill(memory.bytes(), std::byte{0x5A});
  for (const std::size_t offset : {4U, 8U, 32U}) {
    const auto outcome =
        byte_lanes::format(memory.bytes().subspan(offset), {.lanes = count, .capacity = capacity});
    CHECK(outcome.status() == status::bad_layout);
  }
  const auto untouched = [](std::byte byte) { return byte == std::byte{0x5A}; };
  CHECK(std::ranges::all_of(memory.bytes(), untouched));
}

TEST_CASE("nobody_consumes_lanes_one_of_which_has_an_impossible_position") {
  const formatted<byte_lanes> there;
  const auto view = byte_lanes::attach(there.memory.bytes(), tag).value();
  CHECK(view.consumer());
  *there.memory.word(layout::lanes::first_lane + layout::spsc::read_position) = 4;
  CHECK(view.consumer().status() == status::corrupt);
}
