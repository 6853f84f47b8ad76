// SPDX-License-Identifier: MIT
#include "support/memories.hpp"

#include <weir/wait.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

using weir::wake_protocol;
using weir::detail::park_bell;
using weir::test::access_counts;
using weir::test::access_kind;
using weir::test::count_memory;

namespace {

template <class Memory = count_memory>
struct bell_and_word {
  std::uint32_t word = 0;
  park_bell<Memory> bell;
  explicit bell_and_word(wake_protocol protocol) : bell{&word, protocol, false} {}
};

}  // namespace

TEST_CASE("an_announcement_sets_the_bit_and_a_ring_clears_it_with_the_next_ticket") {
  bell_and_word there{wake_protocol::fenced};
  const auto ticket = there.bell.announce();
  CHECK(ticket == 1);
  CHECK(there.word == 1);
  CHECK(there.bell.is_awaited());
  CHECK(there.bell.unchanged(ticket));
  there.bell.ring();
  CHECK(there.word == 2);
  CHECK_FALSE(there.bell.is_awaited());
  CHECK_FALSE(there.bell.unchanged(ticket));
  CHECK(there.bell.announce() == 3);
  CHECK(there.bell.announce() == 3);
}

TEST_CASE("a_ring_moves_the_ticket_on_even_if_nobody_has_announced_itself") {
  bell_and_word there{wake_protocol::fenced};
  there.bell.ring();
  CHECK(there.word == 2);
  there.word = 0xFFFF'FFFE;
  there.bell.ring();
  CHECK(there.word == 0);
  there.word = 0xFFFF'FFFF;
  there.bell.ring();
  CHECK(there.word == 0);
}

TEST_CASE("a_publication_that_nobody_waits_for_costs_one_fence_and_one_load") {
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::at_flush}) {
    bell_and_word there{protocol};
    const auto cost = count_memory::cost_of([&] { there.bell.ring_if_awaited(); });
    CHECK(cost == access_counts{.loads = 1, .fences = 1});
    CHECK(there.word == 0);
  }
  bell_and_word there{wake_protocol::asymmetric};
  const auto cost = count_memory::cost_of([&] { there.bell.ring_if_awaited(); });
  CHECK(cost == access_counts{.loads = 1, .light_fences = 1});
}

TEST_CASE("the_sleeper_pays_for_the_fence_that_the_publisher_does_without") {
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::at_flush}) {
    bell_and_word there{protocol};
    const auto cost = count_memory::cost_of([&] { static_cast<void>(there.bell.announce()); });
    CHECK(cost == access_counts{.modifies = 1, .fences = 1});
  }
  bell_and_word there{wake_protocol::asymmetric};
  const auto cost = count_memory::cost_of([&] { static_cast<void>(there.bell.announce()); });
  CHECK(cost == access_counts{.modifies = 1, .heavy_fences = 1});
}

TEST_CASE("a_publication_that_somebody_waits_for_wakes_once") {
  for (const auto protocol :
       {wake_protocol::at_flush, wake_protocol::fenced, wake_protocol::asymmetric}) {
    bell_and_word there{protocol};
    static_cast<void>(there.bell.announce());
    const auto first = count_memory::cost_of([&] { there.bell.ring_if_awaited(); });
    const auto second = count_memory::cost_of([&] { there.bell.ring_if_awaited(); });
    CHECK(first.wakes == 1);
    CHECK(second.wakes == 0);
  }
}

TEST_CASE("a_bell_knows_its_protocol") {
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    CHECK(bell_and_word<>{protocol}.bell.protocol() == protocol);
  }
}

TEST_CASE("a_sleeper_that_was_rung_for_does_not_sleep") {
  bell_and_word there{wake_protocol::fenced};
  const auto ticket = there.bell.announce();
  there.bell.ring();
  CHECK(there.bell.sleep(ticket, weir::no_deadline) != weir::wait_result::timed_out);
}

namespace {

/// Somebody changes the word before every exchange.
struct restless_watch {
  static inline std::uint32_t exchanges = 0;
  static inline std::uint32_t wakes = 0;

  static void before(access_kind what, const void* word) noexcept {
    if (what == access_kind::modify) {
      ++exchanges;
      ++*static_cast<std::uint32_t*>(const_cast<void*>(word));
    }
    if (what == access_kind::wake) ++wakes;
  }
  static auto loaded(const std::uint32_t*, std::uint32_t value) noexcept -> std::uint32_t {
    return value;
  }
};

}  // namespace

TEST_CASE("a_word_that_somebody_keeps_changing_does_not_hold_the_bell_for_ever") {
  bell_and_word<weir::test::watched_memory<restless_watch>> there{wake_protocol::fenced};
  there.bell.ring();
  CHECK(restless_watch::exchanges == weir::detail::ring_attempts);
  CHECK(restless_watch::wakes == 1);
}
