// SPDX-License-Identifier: MIT
// What an operation costs, in accesses to shared memory: a regression here is a slower ring everywhere.
// Nanoseconds are for bench/.
#include "support/both_sides.hpp"
#include "support/memories.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

using weir::status;
using weir::wake_protocol;
using weir::test::access_counts;
using weir::test::both_sides;
using weir::test::count_memory;

namespace {

using byte_sides = both_sides<weir::bytes, count_memory>;
using word_sides = both_sides<std::uint64_t, count_memory>;

constexpr std::array<std::byte, 8> eight{};

/// The cheapest of many runs: what it costs where no bookkeeping is due.
template <class Operation>
auto usual_cost(Operation&& operation) -> access_counts {
  access_counts cheapest{.loads = 1'000'000};
  for (int time = 0; time < 16; ++time) {
    const auto cost = count_memory::cost_of(operation);
    if (cost.steps() < cheapest.steps()) cheapest = cost;
  }
  return cheapest;
}

}  // namespace

TEST_CASE("a_write_costs_three_stores_and_a_look_for_sleepers") {
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    byte_sides ring{{.capacity = 4096, .wake = protocol}};
    const auto cost = usual_cost([&] { static_cast<void>(ring.producer.try_write(eight)); });
    const bool fenced = protocol == wake_protocol::fenced;
    const bool asymmetric = protocol == wake_protocol::asymmetric;
    CHECK(cost == access_counts{.loads = fenced || asymmetric ? 1U : 0U,
                                .stores = 3,
                                .fences = fenced ? 1U : 0U,
                                .light_fences = asymmetric ? 1U : 0U,
                                .copies = 1});
  }
}

TEST_CASE("a_typed_write_costs_one_store_and_a_look_for_sleepers") {
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    word_sides ring{{.capacity = 512, .wake = protocol}};
    const auto cost = usual_cost([&] { static_cast<void>(ring.producer.try_write(1)); });
    const bool fenced = protocol == wake_protocol::fenced;
    const bool asymmetric = protocol == wake_protocol::asymmetric;
    CHECK(cost == access_counts{.loads = fenced || asymmetric ? 1U : 0U,
                                .stores = 1,
                                .fences = fenced ? 1U : 0U,
                                .light_fences = asymmetric ? 1U : 0U,
                                .copies = 1});
  }
}

TEST_CASE("a_withheld_record_costs_no_look_for_sleepers") {
  byte_sides ring{{.capacity = 4096, .wake = wake_protocol::fenced}};
  const auto cost = usual_cost([&] { ring.producer.try_claim(8).commit_later(); });
  CHECK(cost.loads == 0);
  CHECK(cost.stores <= 3);
  CHECK(cost.fences == 0);
}

TEST_CASE("a_read_loads_its_record_and_two_words_more_and_stores_nothing") {
  byte_sides ring{{.capacity = 4096}};
  while (ring.producer.try_write(eight) == status::ok) {
  }
  std::array<std::byte, 8> out{};
  const auto cost = usual_cost([&] { static_cast<void>(ring.consumer.try_read(out)); });
  CHECK(cost.loads <= 4);
  CHECK(cost.stores == 0);
  CHECK(cost.modifies == 0);
  CHECK(cost.fences + cost.light_fences + cost.heavy_fences == 0);
  CHECK(cost.copies == 1);
}

TEST_CASE("a_typed_read_loads_one_stamp_and_two_words_more") {
  word_sides ring{{.capacity = 512}};
  while (ring.producer.try_write(1) == status::ok) {
  }
  std::uint64_t value = 0;
  const auto cost = usual_cost([&] { static_cast<void>(ring.consumer.try_read(value)); });
  CHECK(cost.loads <= 3);
  CHECK(cost.stores == 0);
  CHECK(cost.modifies == 0);
  CHECK(cost.fences + cost.light_fences + cost.heavy_fences == 0);
  CHECK(cost.copies == 1);
}

TEST_CASE("a_drain_costs_two_loads_for_each_record_and_little_for_each_kilobyte") {
  byte_sides ring{{.capacity = 65'536}};
  std::uint32_t written = 0;
  while (ring.producer.try_write(eight) == status::ok) ++written;
  const auto cost = count_memory::cost_of([&] {
    const auto done = ring.consumer.drain([](const auto&) {});
    CHECK(done.records == written);
  });
  const auto lines = 65'536 / 64;
  const auto events = 65'536 / 1024;
  CHECK(cost.loads <= 2 * written + lines + 4 * events + 16);
  CHECK(cost.stores <= lines + 2 * events + 16);
  CHECK(cost.modifies == 0);
}

TEST_CASE("bookkeeping_costs_less_than_one_access_for_each_record") {
  byte_sides ring{{.capacity = 65'536}};
  constexpr std::uint32_t rounds = 100'000;
  std::array<std::byte, 8> out{};
  const auto cost = count_memory::cost_of([&] {
    for (std::uint32_t round = 0; round < rounds; ++round) {
      if (ring.producer.try_write(eight) != status::ok) FAIL("round " << round);
      if (round % 100 != 99) continue;
      while (ring.consumer.try_read(out).outcome == status::ok) {
      }
    }
  });
  CHECK(cost.loads <= rounds * (1 + 4 + 1));
  CHECK(cost.stores <= rounds * (3 + 1));
  CHECK(cost.modifies == 0);
  CHECK(cost.wakes == 0);
}

TEST_CASE("a_full_and_an_empty_ring_are_told_with_few_accesses") {
  byte_sides ring{{.capacity = 64}};
  std::array<std::byte, 16> out{};
  const auto empty = usual_cost([&] { static_cast<void>(ring.consumer.try_read(out)); });
  CHECK(empty.loads <= 4);
  CHECK(empty.stores == 0);
  CHECK(empty.modifies == 0);
  while (ring.producer.try_claim(16).commit().outcome == status::ok) {
  }
  const auto full = usual_cost([&] { static_cast<void>(ring.producer.try_claim(16)); });
  CHECK(full.loads <= 4);
  CHECK(full.modifies == 0);
  CHECK(full.wakes == 0);
}

TEST_CASE("who_polls_or_spins_never_lingers_and_who_parks_does_once_after_a_run") {
  const auto pauses_after = [](auto& ring, std::uint32_t records) {
    for (std::uint32_t count = 0; count < records; ++count) {
      REQUIRE(ring.producer.try_write(eight) == status::ok);
    }
    return count_memory::cost_of([&] {
             const auto done = ring.consumer.drain([](const auto&) {});
             CHECK(done.records == records);
           })
        .pauses;
  };
  const weir::spsc_options options{.capacity = 4096};
  both_sides<weir::bytes, count_memory, weir::reject, weir::poll> polling{options};
  both_sides<weir::bytes, count_memory, weir::reject, weir::spin> spinning{options};
  both_sides<weir::bytes, count_memory, weir::reject, weir::park> parking{options};
  CHECK(pauses_after(polling, 100) == 0);
  CHECK(pauses_after(spinning, 100) == 0);
  CHECK(pauses_after(parking, 1) == 0);
  CHECK(pauses_after(parking, 100) > 0);
  CHECK(pauses_after(parking, 1) == 0);
}
