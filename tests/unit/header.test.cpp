// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"

#include <weir/detail/header.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

namespace layout = weir::layout;
using weir::native_memory;
using weir::status;
using weir::detail::header;
using weir::detail::load_header;
using weir::detail::publish_header;

namespace {

constexpr header sample{.kind = 2,
                        .flags = 1,
                        .total_size = 1024,
                        .capacity = 16,
                        .data_offset = 768,
                        .stride = 16,
                        .alignment = 8,
                        .max_record = 8,
                        .type_tag = 77,
                        .wake_protocol = 3,
                        .slots = 5};

struct published {
  weir::test::guarded_span memory{1024};
  published() { publish_header<native_memory>(memory.bytes().data(), sample); }
  [[nodiscard]] auto load() const { return load_header<native_memory>(memory.bytes()); }
};

}  // namespace

TEST_CASE("what_is_published_is_what_is_loaded") {
  const published there;
  auto found = there.load();
  REQUIRE(found);
  CHECK(*found == sample);
  CHECK(there.memory.intact());
}

TEST_CASE("a_span_that_nobody_has_formatted_is_not_ready") {
  const weir::test::guarded_span memory{1024};
  CHECK(load_header<native_memory>(memory.bytes()).status() == status::not_ready);
}

TEST_CASE("a_retracted_header_is_not_ready") {
  const published there;
  weir::detail::retract_header<native_memory>(there.memory.bytes().data());
  CHECK(there.load().status() == status::not_ready);
}

TEST_CASE("a_wrong_magic_or_version_is_a_bad_layout") {
  const published there;
  SECTION("magic") { *there.memory.word(layout::magic) ^= 0x100; }
  SECTION("older") { *there.memory.word(layout::version) = 0; }
  SECTION("newer") { *there.memory.word(layout::version) = 2; }
  CHECK(there.load().status() == status::bad_layout);
}

TEST_CASE("a_flag_that_nobody_knows_is_a_bad_layout") {
  const published there;
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    *there.memory.word(layout::flags) = 1U << bit;
    const bool known = ((layout::known_flags >> bit) & 1) != 0;
    const auto expected = known ? status::ok : status::bad_layout;
    if (there.load().status() != expected) FAIL("flag bit " << bit);
  }
}

TEST_CASE("a_span_shorter_than_what_is_in_it_or_misaligned_is_a_bad_layout") {
  const published there;
  const auto whole = there.memory.bytes();
  const auto load = [](auto span) { return load_header<native_memory>(span).status(); };
  CHECK(load(whole.first(1023)) == status::bad_layout);
  CHECK(load(whole.first(layout::header_size - 1)) == status::bad_layout);
  CHECK(load(whole.first(0)) == status::bad_layout);
  CHECK(load(std::span<std::byte>{}) == status::bad_layout);
  for (const std::size_t offset : {1U, 4U, 32U}) {
    CHECK(load(whole.subspan(offset)) == status::bad_layout);
  }
}

TEST_CASE("a_header_in_the_wrong_place_or_cut_off_is_a_bad_layout") {
  auto small = sample;
  small.total_size = 0;  // nothing else is wrong
  const weir::test::guarded_span memory{1024};
  const auto load = [](auto span) { return load_header<native_memory>(span).status(); };
  for (const std::size_t offset : {0U, 4U, 8U, 32U, 64U}) {
    const auto there = memory.bytes().subspan(offset);
    publish_header<native_memory>(there.data(), small);
    CHECK(load(there) == (offset % 64 == 0 ? status::ok : status::bad_layout));
    CHECK(load(there.first(layout::header_size - 1)) == status::bad_layout);
  }
}

TEST_CASE("a_wake_protocol_that_nobody_knows_is_a_bad_layout") {
  const published there;
  for (const std::uint32_t protocol : {0U, 1U, 2U, 3U, 4U, 5U, 0x8000'0003U, 0xFFFF'FFFFU}) {
    *there.memory.word(layout::wake_protocol_word) = protocol;
    CHECK(there.load().status() == (protocol <= 3 ? status::ok : status::bad_layout));
  }
}

TEST_CASE("what_is_cleared_ends_behind_the_last_word_of_the_control_block") {
  const weir::test::guarded_span memory{1024};
  for (std::uint32_t offset = 0; offset < 1024; offset += 4) *memory.word(offset) = 0xA5A5'A5A5;
  weir::detail::clear_control<native_memory>(memory.bytes().data(), 512);
  for (std::uint32_t offset = 0; offset < 1024; offset += 4) {
    const bool cleared = offset > layout::slots && offset < 512;
    if (*memory.word(offset) != (cleared ? 0 : 0xA5A5'A5A5)) FAIL("offset " << offset);
  }
}

TEST_CASE("the_magic_is_stored_last") {
  using weir::test::crash_memory;
  // However early the formatting process dies, nobody can attach to what it left.
  constexpr std::uint32_t stores = 12;
  for (std::uint32_t number = 1; number <= stores; ++number) {
    const weir::test::guarded_span memory{1024};
    weir::test::child_process child{[&] {
      crash_memory::die_before_access(number);
      publish_header<crash_memory>(memory.bytes().data(), sample);
      return 0;
    }};
    CHECK(child.wait() == weir::test::child_process::killed);
    CHECK(load_header<native_memory>(memory.bytes()).status() == status::not_ready);
  }
}

TEST_CASE("each_word_of_a_header_is_loaded_once") {
  using weir::test::adversary_memory;
  using weir::test::lying_watch;
  static std::uint32_t loads_of[layout::header_size / 4];
  static const std::uint32_t* first_word;
  const published there;
  first_word = there.memory.word(0);
  lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    ++loads_of[word - first_word];
    return value;
  };
  CHECK(load_header<adversary_memory>(there.memory.bytes()));
  lying_watch::lie = nullptr;
  for (std::uint32_t word = 0; word < layout::header_size / 4; ++word) {
    CHECK(loads_of[word] == (word < 13 ? 1 : 0));
  }
}
