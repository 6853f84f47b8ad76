// SPDX-License-Identifier: MIT
// The inline mode: the same rings over a plain buffer, in one thread, where nothing may block.
#include "support/both_sides.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

using weir::plain_memory;
using weir::status;
using weir::wait_for_space;
using weir::test::both_sides;
using weir::test::read_pattern;
using weir::test::write_pattern;

template <class Wait>
using plain_sides = both_sides<weir::bytes, plain_memory, wait_for_space<Wait>, Wait>;

TEMPLATE_TEST_CASE("whoever_would_wait_is_told_so", "", weir::spin, weir::backoff, weir::park) {
  plain_sides<TestType> ring{{.capacity = 64}};
  CHECK(ring.consumer.wait() == status::would_block);
  REQUIRE(ring.producer.claim(16).commit().outcome == status::ok);
  CHECK(ring.consumer.wait() == status::ok);
  REQUIRE(ring.producer.claim(16).commit().outcome == status::ok);
  CHECK(ring.producer.claim(16).status() == status::would_block);
  CHECK(ring.producer.write({}) == status::ok);
  while (ring.consumer.try_peek()) ring.consumer.try_peek().release();
  ring.producer.close();
  CHECK(ring.consumer.wait() == status::closed);
}

TEST_CASE("polling_the_inline_mode_says_empty_and_full") {
  both_sides<weir::bytes, plain_memory, wait_for_space<weir::poll>, weir::poll> ring{
      {.capacity = 64}};
  CHECK(ring.consumer.wait() == status::empty);
  while (ring.producer.claim(16)) static_cast<void>(write_pattern(ring.producer, 0, 16));
  CHECK(ring.producer.claim(16).status() == status::full);
}

TEST_CASE("the_inline_mode_moves_the_same_records") {
  for (const auto start : weir::test::notable_starts) {
    both_sides<weir::bytes, plain_memory> ring{{.capacity = 256, .start_position = start}};
    std::uint32_t written = 0;
    for (std::uint32_t read = 0; read < 2'000; ++read) {
      while (write_pattern(ring.producer, written, written % 90) == status::ok) ++written;
      if (!read_pattern(ring.consumer, read, read % 90)) FAIL("record " << read);
      if (read % 4 == 0) ring.consumer.flush();
    }
    CHECK(ring.intact());
  }
}

TEST_CASE("the_inline_mode_moves_values_too") {
  both_sides<std::uint32_t, plain_memory, weir::reject, weir::park> ring{{.capacity = 4}};
  for (std::uint32_t value = 0; value < 100; ++value) {
    REQUIRE(ring.producer.try_write(value) == status::ok);
    std::uint32_t seen = 0;
    REQUIRE(ring.consumer.try_read(seen) == status::ok);
    REQUIRE(seen == value);
    REQUIRE(ring.consumer.wait() == status::would_block);
  }
}

TEST_CASE("threads_and_the_inline_mode_read_each_others_rings") {
  const weir::test::guarded_span memory{weir::spsc_ring<weir::bytes>::bytes_required(256)};
  using plain_ring = weir::spsc_ring<weir::bytes, plain_memory>;
  using native_ring = weir::spsc_ring<weir::bytes>;
  {
    auto producer = plain_ring::format(memory.bytes())->producer().value();
    REQUIRE(write_pattern(producer, 1, 50) == status::ok);
  }
  auto consumer = native_ring::attach(memory.bytes())->consumer().value();
  CHECK(read_pattern(consumer, 1, 50));
}

TEST_CASE("roles_are_handed_out_once_in_the_inline_mode_too") {
  const weir::test::test_ring<weir::bytes, plain_memory> there{{.capacity = 64}};
  {
    const auto producer = there.ring.producer();
    CHECK(there.ring.producer().status() == status::busy);
    CHECK(there.ring.producer_owner() == weir::owner_state::alive);
  }
  CHECK(there.ring.producer());
}
