// SPDX-License-Identifier: MIT
#include "support/memories.hpp"

#include <weir/memory.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

using weir::native_memory;
using weir::plain_memory;

namespace {

constexpr std::array<std::uint32_t, 5> values{0, 1, 0x7FFF'FFFF, 0x8000'0000, 0xFFFF'FFFF};

/// Everything that a sequence of operations can show, as one list.
template <class Memory>
auto trace() -> std::array<std::uint32_t, 400> {
  std::array<std::uint32_t, 400> seen{};
  std::size_t next = 0;
  std::uint32_t word = 0;
  const auto note = [&](std::uint32_t value) { seen.at(next++) = value; };
  for (const auto order : {std::memory_order_relaxed, std::memory_order_release}) {
    for (const auto value : values) {
      Memory::store(&word, value, order);
      note(Memory::load(&word, std::memory_order_acquire));
      for (const auto other : values) {
        note(Memory::exchange(&word, other, std::memory_order_acq_rel));
        note(Memory::fetch_add(&word, value, std::memory_order_acq_rel));
        note(Memory::fetch_or(&word, other, std::memory_order_release));
        auto expected = value;
        note(Memory::compare_exchange(&word, expected, other, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)
                 ? 1
                 : 0);
        note(expected);
        note(word);
      }
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("every_memory_does_the_same_operation_by_operation") {
  const auto native = trace<native_memory>();
  CHECK(native == trace<plain_memory>());
  CHECK(native == trace<weir::test::count_memory>());
  CHECK(native == trace<weir::test::chaos_memory>());
  CHECK(native == trace<weir::test::adversary_memory>());
  CHECK(native == trace<weir::test::crash_memory>());
}

TEMPLATE_TEST_CASE("a_word_of_64_bits_is_touched_whole", "", native_memory, plain_memory,
                   weir::test::count_memory, weir::test::adversary_memory) {
  constexpr std::uint64_t big = 0x8123'4567'89AB'CDEF;
  alignas(8) std::uint64_t word = 0;
  TestType::store64(&word, big, std::memory_order_release);
  CHECK(TestType::load64(&word, std::memory_order_acquire) == big);
  CHECK(TestType::fetch_or64(&word, 0x10, std::memory_order_acq_rel) == big);
  auto expected = big;
  CHECK_FALSE(
      TestType::cas64(&word, expected, 1, std::memory_order_acq_rel, std::memory_order_relaxed));
  CHECK(expected == (big | 0x10));
  CHECK(TestType::cas64(&word, expected, 1, std::memory_order_acq_rel, std::memory_order_relaxed));
  CHECK(word == 1);
}

TEMPLATE_TEST_CASE("a_failed_exchange_tells_what_the_word_holds", "", native_memory, plain_memory) {
  std::uint32_t word = 5;
  std::uint32_t expected = 4;
  CHECK_FALSE(TestType::compare_exchange(&word, expected, 9, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
  CHECK(expected == 5);
  CHECK(word == 5);
  CHECK(TestType::compare_exchange(&word, expected, 9, std::memory_order_acq_rel,
                                   std::memory_order_relaxed));
  CHECK(word == 9);
}

TEMPLATE_TEST_CASE("bytes_are_copied_and_nothing_beside_them", "", native_memory, plain_memory) {
  const std::array<std::uint8_t, 6> from{1, 2, 3, 4, 5, 6};
  std::array<std::uint8_t, 6> shared{9, 9, 9, 9, 9, 9};
  std::array<std::uint8_t, 6> to{};
  TestType::copy_in(shared.data() + 1, from.data(), 4);
  CHECK(shared == std::array<std::uint8_t, 6>{9, 1, 2, 3, 4, 9});
  TestType::copy_out(to.data(), shared.data(), 3);
  CHECK(to == std::array<std::uint8_t, 6>{9, 1, 2, 0, 0, 0});
  TestType::copy_in(shared.data(), from.data(), 0);
  CHECK(shared[0] == 9);
  TestType::clear(shared.data() + 2, 2);
  CHECK(shared == std::array<std::uint8_t, 6>{9, 1, 0, 0, 4, 9});
}

TEMPLATE_TEST_CASE("an_empty_span_needs_no_address", "", native_memory, plain_memory) {
  std::uint32_t word = 7;
  TestType::copy_in(nullptr, &word, 0);
  TestType::copy_in(&word, nullptr, 0);
  TestType::copy_out(nullptr, &word, 0);
  TestType::copy_out(&word, nullptr, 0);
  TestType::clear(nullptr, 0);
  TestType::copy_in_words(&word, nullptr, 0);
  TestType::copy_out_words(nullptr, &word, 0);
  CHECK(word == 7);
}

TEST_CASE("plain_memory_never_sleeps_and_nobody_in_it_dies") {
  std::uint32_t word = 1;
  STATIC_REQUIRE_FALSE(plain_memory::can_wait);
  CHECK(plain_memory::wait(&word, 1, weir::no_deadline) == weir::wait_result::would_block);
  plain_memory::wake(&word);
  plain_memory::fence(std::memory_order_seq_cst);
  plain_memory::light_fence();
  plain_memory::heavy_fence(true);
  plain_memory::pause();
  plain_memory::yield();
  CHECK(plain_memory::register_for_heavy_fence(true));
  CHECK(plain_memory::self() != 0);
  CHECK(plain_memory::alive(plain_memory::self(), plain_memory::start_of(plain_memory::self())));
}

TEMPLATE_TEST_CASE("each_memory_knows_who_it_is_and_what_time_it_is", "", native_memory,
                   plain_memory) {
  const auto self = TestType::self();
  CHECK(TestType::alive(self, TestType::start_of(self)));
  const auto before = TestType::now();
  CHECK(TestType::now() >= before);
  CHECK(before > weir::deadline{});
}

TEST_CASE("the_counting_memory_counts") {
  using weir::test::count_memory;
  std::uint32_t word = 0;
  const auto cost = count_memory::cost_of([&word] {
    count_memory::store(&word, count_memory::load(&word, std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
    static_cast<void>(count_memory::fetch_or(&word, 2, std::memory_order_acq_rel));
    count_memory::light_fence();
  });
  CHECK(cost ==
        weir::test::access_counts{.loads = 1, .stores = 1, .modifies = 1, .light_fences = 1});
  CHECK(word == 3);
}
