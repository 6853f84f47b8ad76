// SPDX-License-Identifier: MIT
#include <weir/stats.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

namespace {

template <class Counters, std::size_t Words>
auto stored(const Counters& counters) -> std::array<std::uint32_t, Words + 2> {
  std::array<std::uint32_t, Words + 2> words{};
  words.fill(0xABAB'ABAB);
  weir::detail::store_statistics<weir::native_memory>(words.data() + 1, counters);
  return words;
}

}  // namespace

TEST_CASE("a_producer_counts_into_seven_words_in_the_order_of_the_fields") {
  const weir::producer_statistics counters{.records = 1,
                                           .bytes = 2,
                                           .drops = 3,
                                           .full = 4,
                                           .waits = 5,
                                           .late_wakes = 6,
                                           .high_water = 7};
  const auto words = stored<weir::producer_statistics, 7>(counters);
  CHECK(words == std::array<std::uint32_t, 9>{0xABAB'ABAB, 1, 2, 3, 4, 5, 6, 7, 0xABAB'ABAB});
  const auto loaded =
      weir::detail::load_statistics<weir::native_memory, weir::producer_statistics>(&words[1]);
  CHECK(loaded.records == 1);
  CHECK(loaded.late_wakes == 6);
  CHECK(loaded.high_water == 7);
}

TEST_CASE("a_consumer_counts_into_four_words_in_the_order_of_the_fields") {
  const weir::consumer_statistics counters{
      .records = 1, .bytes = 2, .waits = 3, .late_wakes = 0xFFFF'FFFF};
  const auto words = stored<weir::consumer_statistics, 4>(counters);
  CHECK(words == std::array<std::uint32_t, 6>{0xABAB'ABAB, 1, 2, 3, 0xFFFF'FFFF, 0xABAB'ABAB});
  const auto loaded =
      weir::detail::load_statistics<weir::plain_memory, weir::consumer_statistics>(&words[1]);
  CHECK(loaded.bytes == 2);
  CHECK(loaded.late_wakes == 0xFFFF'FFFF);
}
