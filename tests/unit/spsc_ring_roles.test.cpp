// SPDX-License-Identifier: MIT
#include "support/child_process.hpp"
#include "support/test_ring.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace layout = weir::layout;
using weir::owner_state;
using weir::status;
using weir::wake_protocol;
using weir::test::read_pattern;
using weir::test::test_ring;
using weir::test::write_pattern;
using byte_ring = test_ring<weir::bytes>;
using word_ring = test_ring<std::uint64_t>;

TEMPLATE_TEST_CASE("each_role_is_handed_out_once", "", byte_ring, word_ring) {
  const TestType there{{.capacity = 64}};
  auto producer = there.ring.producer();
  auto consumer = there.ring.consumer();
  REQUIRE(producer);
  REQUIRE(consumer);
  CHECK(there.ring.producer().status() == status::busy);
  CHECK(there.ring.consumer().status() == status::busy);
  auto same = TestType::ring_type::attach(there.memory.bytes()).value();
  CHECK(same.producer().status() == status::busy);
  CHECK(same.template consumer<weir::park>().status() == status::busy);
}

TEMPLATE_TEST_CASE("a_role_that_is_let_go_of_can_be_taken_again", "", byte_ring, word_ring) {
  const TestType there{{.capacity = 64}};
  for (int round = 0; round < 3; ++round) {
    CHECK(there.ring.producer_owner() == owner_state::free);
    CHECK(there.ring.consumer_owner() == owner_state::free);
    const auto producer = there.ring.producer();
    const auto consumer = there.ring.consumer();
    CHECK(producer);
    CHECK(consumer);
    CHECK(there.ring.producer_owner() == owner_state::alive);
    CHECK(there.ring.consumer_owner() == owner_state::alive);
  }
}

TEMPLATE_TEST_CASE("a_role_moves_with_its_handle", "", byte_ring, word_ring) {
  const TestType there{{.capacity = 64}};
  {
    auto first = there.ring.producer().value();
    auto second = std::move(first);
    auto reader = there.ring.consumer().value();
    auto other_reader = std::move(reader);
    CHECK(second.capacity() == 64);
    CHECK(other_reader.capacity() == 64);
    CHECK(there.ring.producer().status() == status::busy);
    CHECK(there.ring.consumer().status() == status::busy);
  }
  CHECK(there.ring.producer_owner() == owner_state::free);
  CHECK(there.ring.consumer_owner() == owner_state::free);
}

TEST_CASE("handles_move_and_do_not_copy") {
  using producer_type = byte_ring::ring_type::producer_type<>;
  using consumer_type = byte_ring::ring_type::consumer_type<>;
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<producer_type>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<consumer_type>);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<producer_type>);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<consumer_type>);
  STATIC_REQUIRE_FALSE(std::is_copy_assignable_v<producer_type>);
  STATIC_REQUIRE(std::is_copy_constructible_v<byte_ring::ring_type>);
}

TEST_CASE("a_successor_goes_on_where_the_last_holder_stopped") {
  for (const auto start : weir::test::notable_starts) {
    const byte_ring there{{.capacity = 256, .start_position = start}};
    std::uint32_t read = 0;
    for (std::uint32_t written = 0; written < 50; ++written) {
      {
        auto producer = there.ring.producer().value();
        REQUIRE(write_pattern(producer, written, written % 40) == status::ok);
      }
      if (written % 3 != 2) continue;
      auto consumer = there.ring.consumer().value();
      for (; read <= written; ++read) REQUIRE(read_pattern(consumer, read, read % 40));
    }
    CHECK(there.memory.intact());
  }
}

TEST_CASE("a_role_that_parks_needs_a_ring_that_wakes") {
  const byte_ring there{{.capacity = 64, .wake = wake_protocol::none}};
  CHECK(there.ring.consumer<weir::park>().status() == status::unsupported);
  CHECK(there.ring.producer(weir::wait_for_space<weir::park>{}).status() == status::unsupported);
  CHECK(there.ring.consumer<weir::poll>());
  CHECK(there.ring.consumer<weir::spin>());
  CHECK(there.ring.consumer<weir::backoff>());
  CHECK(there.ring.producer(weir::wait_for_space<weir::spin>{}));
  for (const auto protocol :
       {wake_protocol::at_flush, wake_protocol::fenced, wake_protocol::asymmetric}) {
    const byte_ring waking{{.capacity = 64, .wake = protocol}};
    CHECK(waking.ring.consumer<weir::park>());
    CHECK(waking.ring.producer(weir::wait_for_space<weir::park>{}));
  }
}

TEST_CASE("a_policy_that_a_ring_cannot_serve_is_refused_when_the_role_is_taken") {
  const byte_ring bytes{{.capacity = 64}};
  CHECK(bytes.ring.producer(weir::drop_newest{.low_water = 32}));
  CHECK(bytes.ring.producer(weir::drop_newest{.low_water = 33}).status() == status::too_large);
  CHECK(bytes.ring.producer(weir::drop_newest{.report = true}));
  const word_ring words{{.capacity = 64}};
  CHECK(words.ring.producer(weir::drop_newest{.low_water = 32}));
  CHECK(words.ring.producer(weir::drop_newest{.low_water = 33}).status() == status::too_large);
  CHECK(words.ring.producer(weir::drop_newest{.report = true}).status() == status::unsupported);
  CHECK(words.ring.producer_owner() == owner_state::free);
}

TEMPLATE_TEST_CASE("a_forks_copies_of_the_handles_leave_the_ring_as_it_is", "", byte_ring,
                   word_ring) {
  const TestType there{{.capacity = 256, .process_shared = true}};
  auto producer = there.ring.producer().value();
  auto consumer = there.ring.consumer().value();
  const auto claim = [&] {
    if constexpr (std::is_same_v<TestType, byte_ring>)
      return producer.try_claim(8);
    else
      return producer.try_claim();
  };
  const auto withhold = [](auto open) {
    if constexpr (std::is_same_v<TestType, byte_ring>)
      return open.commit_later().outcome;
    else
      return open.commit_later(7).outcome;
  };
  REQUIRE(claim().commit().outcome == status::ok);
  REQUIRE(claim().commit().outcome == status::ok);
  auto first = consumer.try_peek();
  first.release();  // read, but not let go of
  REQUIRE(withhold(claim()) == status::ok);
  REQUIRE(withhold(claim()) == status::ok);

  const auto bytes = there.memory.bytes();
  const std::vector<std::byte> before{bytes.begin(), bytes.end()};
  weir::test::child_process child{[&] {
    {
      const auto moved_here = std::move(producer);
    }
    {
      const auto moved_here = std::move(consumer);
    }
    return 0;
  }};
  REQUIRE(child.wait() == 0);
  CHECK(std::ranges::equal(before, bytes));
  CHECK(consumer.drain([](const auto&) {}).records == 1);
  producer.flush();
  CHECK(consumer.drain([](const auto&) {}).records == 2);
}

TEST_CASE("positions_that_no_ring_can_have_make_either_role_corrupt_again_and_again") {
  for (const std::uint32_t wrong : {1U, 4U, 7U, 0xFFFF'FFFFU}) {
    const byte_ring there{{.capacity = 64}};
    *there.memory.word(layout::spsc::read_position) = wrong;
    for (int time = 0; time < 2; ++time) {
      CHECK(there.ring.consumer().status() == status::corrupt);
      CHECK(there.ring.producer().status() == status::corrupt);
    }
    CHECK(*there.memory.word(layout::spsc::read_position) == wrong);
    CHECK(there.ring.consumer_owner() == owner_state::free);
  }
}

TEST_CASE("a_hint_that_is_no_position_of_the_ring_does_not_mislead_a_new_producer") {
  const byte_ring there{{.capacity = 64}};
  {
    auto producer = there.ring.producer().value();
    REQUIRE(write_pattern(producer, 0, 8) == status::ok);
  }
  for (const std::uint32_t hint : {0U, 72U, 0x4000'0000U, 0x8000'0000U, 0xFFFF'FFF8U}) {
    *there.memory.word(layout::spsc::write_position) = hint;
    CHECK(there.ring.producer());
    CHECK(*there.memory.word(layout::spsc::write_position) == 16);
  }
  *there.memory.word(layout::spsc::write_position) = 4;
  CHECK(there.ring.producer().status() == status::corrupt);
}

TEST_CASE("who_is_refused_over_impossible_positions_leaves_the_ring_as_it_is") {
  const byte_ring there{{.capacity = 64}};
  for (const auto offset : {layout::spsc::read_position, layout::spsc::write_position,
                            layout::spsc::producer_statistics, layout::spsc::consumer_statistics}) {
    *there.memory.word(offset) = 0x101;
  }
  const auto without_owners = [&] {
    const auto bytes = there.memory.bytes();
    std::vector<std::byte> copy{bytes.begin(), bytes.end()};
    for (const auto owner : {layout::spsc::producer_owner, layout::spsc::consumer_owner}) {
      std::fill_n(copy.begin() + owner, 8, std::byte{0});  // its epoch, and its start
    }
    return copy;
  };
  const auto before = without_owners();
  CHECK(there.ring.producer().status() == status::corrupt);
  CHECK(there.ring.consumer().status() == status::corrupt);
  CHECK(without_owners() == before);
}

namespace {
struct unfenced_memory : weir::native_memory {
  static auto register_for_heavy_fence(bool) noexcept -> bool { return false; }
};
}  // namespace

TEST_CASE("who_cannot_be_fenced_by_others_keeps_no_asymmetric_protocol") {
  using unfenced = test_ring<weir::bytes, unfenced_memory>;
  const unfenced asked{{.capacity = 64, .wake = wake_protocol::asymmetric}};
  CHECK(asked.ring.producer().status() == status::unsupported);
  CHECK(asked.ring.consumer().status() == status::unsupported);
  const unfenced chosen{{.capacity = 64}};
  CHECK(chosen.ring.wake() == wake_protocol::fenced);
  CHECK(chosen.ring.producer());
  CHECK(chosen.ring.consumer<weir::park>());
}

TEST_CASE("a_hint_that_is_no_position_of_a_typed_ring_does_not_mislead_a_new_producer") {
  const word_ring there{{.capacity = 64}};
  {
    auto producer = there.ring.producer().value();
    REQUIRE(producer.try_write(0) == status::ok);
  }
  for (const std::uint32_t hint : {0U, 65U, 0x4000'0000U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    *there.memory.word(layout::spsc::write_position) = hint;
    CHECK(there.ring.producer());
    CHECK(*there.memory.word(layout::spsc::write_position) == 1);
  }
}
