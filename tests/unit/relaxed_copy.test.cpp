// SPDX-License-Identifier: MIT
#include "support/guarded_span.hpp"
#include "support/memories.hpp"

#include <weir/detail/relaxed_copy.hpp>
#include <weir/memory.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

using weir::native_memory;
using weir::plain_memory;

namespace {

constexpr std::size_t largest = 72;

auto byte_of(std::size_t size, std::size_t index) -> std::byte {
  return static_cast<std::byte>(size * 31 + index * 7 + 1);
}

}  // namespace

TEMPLATE_TEST_CASE("every_size_is_copied_whole_and_nothing_beyond_it_is_touched", "", native_memory,
                   plain_memory, weir::test::count_memory) {
  for (std::size_t size = 0; size <= largest; ++size) {
    const weir::test::guarded_span shared{largest + 8};
    std::ranges::fill(shared.bytes(), std::byte{0xEE});
    std::array<std::byte, largest> from{};
    for (std::size_t index = 0; index < size; ++index) from[index] = byte_of(size, index);
    TestType::copy_in_words(shared.word(0), from.data(), size);

    std::array<std::byte, largest + 1> to;
    to.fill(std::byte{0xAA});
    TestType::copy_out_words(to.data(), shared.word(0), size);

    CAPTURE(size);
    CHECK(std::ranges::equal(std::span{to}.first(size), std::span{from}.first(size)));
    CHECK(std::ranges::all_of(std::span{to}.subspan(size),
                              [](std::byte at) { return at == std::byte{0xAA}; }));
    const auto words = (size + 3) / 4 * 4;
    CHECK(std::ranges::all_of(shared.bytes().subspan(words),
                              [](std::byte at) { return at == std::byte{0xEE}; }));
    CHECK(shared.intact());
  }
}

TEST_CASE("the_bytes_behind_the_tail_in_its_word_are_written_as_0") {
  std::uint32_t shared = 0xFFFF'FFFF;
  const std::uint8_t from[] = {1};
  weir::detail::copy_in_words(&shared, from, sizeof from);
  CHECK(shared == 1);
}
