// SPDX-License-Identifier: MIT
// Proved: which operation rings which bell: each is tried with a sleeper that announced itself, or without, and
// the word that it would sleep on is looked at. Not provable here: that nobody sleeps on past a ring
// (wait_handshake.test.cpp).
#include "support/guarded_span.hpp"
#include "support/mpsc_sides.hpp"
#include "support/test_ring.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/coalesce.hpp>
#include <weir/image.hpp>
#include <weir/lanes.hpp>
#include <weir/latest.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

namespace layout = weir::layout;
using weir::status;
using weir::stop_word;
using weir::wake_protocol;
using weir::test::guarded_span;

namespace {

constexpr std::array<std::byte, 8> eight{};

/// Whether the operation rings the bell of somebody who announced himself at this word.
auto rings(std::uint32_t* word, auto&& operation) -> bool {
  *word = 1;
  operation();
  return (*word & 1) == 0;
}

/// Whether it rings the bell in any case, because it cannot know who is about to sleep.
auto rings_always(std::uint32_t* word, auto&& operation) -> bool {
  *word = 0;
  operation();
  return *word == 2;
}

/// Of a publication: what its protocol promises.
constexpr auto publication_rings(wake_protocol protocol) -> bool {
  return protocol > wake_protocol::at_flush;
}

constexpr std::array protocols{wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                               wake_protocol::asymmetric};

}  // namespace

TEST_CASE("a_ring_of_one_producer_rings_as_its_protocol_says") {
  for (const auto protocol : protocols) {
    const weir::test::test_ring<weir::bytes> there{{.capacity = 256, .wake = protocol}};
    auto* const data = there.memory.word(layout::spsc::data_park);
    auto* const space = there.memory.word(layout::spsc::space_park);
    const bool flush_rings = protocol != wake_protocol::none;
    auto producer = there.ring.producer().value();
    auto consumer = there.ring.consumer().value();
    CAPTURE(static_cast<std::uint32_t>(protocol));
    const auto write = [&] { return producer.try_write(eight); };
    CHECK(rings(data, write) == publication_rings(protocol));
    CHECK(rings(data, [&] { producer.flush(); }) == flush_rings);
    const std::array<std::span<const std::byte>, 2> two{eight, eight};
    CHECK(rings(data, [&] { CHECK(producer.try_write_batch(two) == 2); }) == flush_rings);
    while (write() == status::ok) {
    }
    CHECK(rings(data, write) == flush_rings);  // a full one shows all that there is
    std::array<std::byte, 8> out{};
    static_cast<void>(consumer.try_read(out));
    CHECK(rings(space, [&] { consumer.flush(); }) == flush_rings);
    stop_word stop;
    CHECK(rings_always(data, [&] { there.ring.request_stop(stop); }));
    CHECK(rings_always(space, [&] { there.ring.request_stop(stop); }));
    CHECK(rings_always(space, [&] { consumer.close(); }));
    CHECK(rings_always(data, [&] { producer.close(); }));
  }
}

TEST_CASE("a_ring_of_values_rings_as_its_protocol_says") {
  for (const auto protocol : protocols) {
    const weir::test::test_ring<std::uint64_t> there{{.capacity = 64, .wake = protocol}};
    auto* const data = there.memory.word(layout::spsc::data_park);
    auto* const space = there.memory.word(layout::spsc::space_park);
    const bool flush_rings = protocol != wake_protocol::none;
    auto producer = there.ring.producer().value();
    auto consumer = there.ring.consumer().value();
    CAPTURE(static_cast<std::uint32_t>(protocol));
    const auto write = [&] { return producer.try_write(1); };
    CHECK(rings(data, write) == publication_rings(protocol));
    CHECK(rings(data, [&] { producer.flush(); }) == flush_rings);
    std::uint64_t out = 0;
    static_cast<void>(consumer.try_read(out));
    CHECK(rings(space, [&] { consumer.flush(); }) == flush_rings);
    CHECK(rings_always(space, [&] { consumer.close(); }));
    CHECK(rings_always(data, [&] { producer.close(); }));
  }
}

TEMPLATE_TEST_CASE("a_ring_of_many_producers_rings_as_its_protocol_says", "",
                   weir::test::mpsc_byte_kind, weir::test::mpsc_typed_kind) {
  using element = std::conditional_t<TestType::frames, weir::bytes, std::uint64_t>;
  for (const auto protocol : protocols) {
    weir::test::mpsc_sides<element> ring{{.capacity = 128, .wake = protocol}, 1};
    auto* const data = &ring.word(layout::mpsc::data_park);
    auto* const space = &ring.word(layout::mpsc::space_park);
    const bool publishes = publication_rings(protocol);
    const bool flush_rings = protocol != wake_protocol::none;
    auto& producer = ring.producers[0];
    CAPTURE(static_cast<std::uint32_t>(protocol));
    const auto write = [&] { return TestType::write(producer, 1); };
    CHECK(rings(data, write) == publishes);
    CHECK(rings(data, [&] { const auto dropped = TestType::claim(producer, 1); }) == publishes);
    CHECK(rings(data, [&] { TestType::write_batch(producer, 1); }) == publishes);
    if constexpr (TestType::frames) {
      CHECK(rings(data, [&] { const auto dropped = producer.try_claim_batch(2, 8); }) == publishes);
    }
    CHECK(rings(data, [&] { producer.flush(); }) == flush_rings);
    while (write() == status::ok) {
    }
    CHECK(rings(data, write) == flush_rings);
    CHECK(rings(space, [&] {
            static_cast<void>(ring.consumer.drain([](const auto&) {}, 1));
            ring.consumer.flush();
          }) == flush_rings);
    stop_word stop;
    CHECK(rings_always(data, [&] { ring.there.ring.request_stop(stop); }));
    CHECK(rings_always(space, [&] { ring.there.ring.request_stop(stop); }));
    CHECK(rings_always(data, [&] { producer.close(); }));
    CHECK(rings_always(space, [&] { producer.close(); }));
    CHECK(rings_always(space, [&] { ring.consumer.close(); }));
  }
}

TEMPLATE_TEST_CASE("the_bells_that_the_dead_did_not_ring_are_rung_by_the_next_consumer", "",
                   weir::test::mpsc_byte_kind, weir::test::mpsc_typed_kind) {
  using element = std::conditional_t<TestType::frames, weir::bytes, std::uint64_t>;
  weir::test::mpsc_test_ring<element> there{{.capacity = 128, .wake = wake_protocol::fenced}};
  auto* const space = there.memory.word(layout::mpsc::space_park);
  CHECK(rings(space, [&] { CHECK(there.ring.consumer()); }));
  auto consumer = there.ring.consumer().value();
  // Somebody who closed died before nothing more could be claimed.
  *there.memory.word(layout::mpsc::closed) = layout::closed_by_producer;
  CHECK(rings_always(space, [&] { CHECK(consumer.try_peek().status() == status::closed); }));
  CHECK_FALSE(rings_always(space, [&] { CHECK(consumer.try_peek().status() == status::closed); }));
}

TEST_CASE("a_broadcast_ring_and_a_latest_ring_as_their_protocols_say") {
  for (const auto protocol : protocols) {
    const bool flush_rings = protocol != wake_protocol::none;
    const guarded_span memory{weir::broadcast_ring<>::bytes_required(256)};
    const auto ring = weir::broadcast_ring<>::format(memory.bytes(), {.wake = protocol}).value();
    auto* const park = memory.word(layout::broadcast::data_park);
    auto writer = ring.writer().value();
    CAPTURE(static_cast<std::uint32_t>(protocol));
    CHECK(rings(park, [&] { CHECK(writer.write(eight) == status::ok); }) ==
          publication_rings(protocol));
    CHECK(rings(park, [&] { writer.flush(); }) == flush_rings);
    stop_word stop;
    CHECK(rings_always(park, [&] { ring.request_stop(stop); }));
    CHECK(rings_always(park, [&] { writer.close(); }));

    using number = weir::latest<std::uint32_t>;
    const guarded_span other{number::bytes_required()};
    const auto value = number::format(other.bytes(), {.wake = protocol}).value();
    auto* const sleep = other.word(layout::latest::data_park);
    auto changes = value.writer().value();
    CHECK(rings(sleep, [&] { CHECK(changes.write(1U) == status::ok); }) ==
          publication_rings(protocol));
    CHECK(rings(sleep, [&] { changes.flush(); }) == flush_rings);
    CHECK(rings_always(sleep, [&] { value.request_stop(stop); }));
    CHECK(rings_always(sleep, [&] { changes.close(); }));
  }
}

TEST_CASE("a_doorbell_rings_for_a_stop_and_when_told_to") {
  const guarded_span memory{weir::doorbell<>::bytes_required()};
  const auto bell = weir::doorbell<>::format(memory.bytes()).value();
  stop_word stop;
  CHECK(rings_always(bell.park_word(), [&] { bell.request_stop(stop); }));
  CHECK(rings_always(bell.park_word(), [&] { bell.ring(); }));
}

TEST_CASE("coalesce_rings_as_its_protocol_says_and_for_what_a_dead_producer_left") {
  using keyed = weir::coalesce<std::uint32_t>;
  for (const auto protocol : protocols) {
    const guarded_span memory{keyed::bytes_required(4)};
    const auto view = keyed::format(memory.bytes(), {.keys = 4, .wake = protocol}).value();
    auto* const park = memory.word(layout::coalesce::data_park);
    const bool flush_rings = protocol != wake_protocol::none;
    CAPTURE(static_cast<std::uint32_t>(protocol));
    *park = 1;
    auto producer = view.producer().value();
    CHECK((*park == 2) == flush_rings);
    CHECK(rings(park, [&] { CHECK(producer.update(1, 7U) == status::ok); }) ==
          publication_rings(protocol));
    CHECK_FALSE(rings(park, [&] { CHECK(producer.update(1, 8U) == status::ok); }));  // pending
    CHECK(rings(park, [&] { producer.flush(); }) == flush_rings);
    stop_word stop;
    CHECK(rings_always(park, [&] { view.request_stop(stop); }));
    CHECK(rings_always(park, [&] { producer.close(); }));
  }
}

TEST_CASE("closing_and_stopping_lanes_rings_every_lane_and_the_bell_of_all") {
  using bundle = weir::lanes<std::uint64_t>;
  const guarded_span memory{bundle::bytes_required(2, 4)};
  const auto view = bundle::format(memory.bytes(), {.lanes = 2, .capacity = 4}).value();
  const auto lane_size = (bundle::bytes_required(2, 4) - layout::lanes::first_lane) / 2;
  auto* const bell = view.bell().park_word();
  const auto space = [&](std::uint32_t lane) {
    return memory.word(layout::lanes::first_lane + lane * static_cast<std::uint32_t>(lane_size) +
                       layout::spsc::space_park);
  };
  stop_word stop;
  for (auto* const word : {bell, space(0), space(1)}) {
    CHECK(rings_always(word, [&] { view.request_stop(stop); }));
    CHECK(rings_always(word, [&] { view.close(); }));
  }
}

TEST_CASE("a_publication_of_a_version_rings_every_counter_above_it_and_the_doorbell") {
  const weir::version_table_options options{.slots = 200};
  const guarded_span memory{weir::version_table<>::bytes_required(options)};
  const guarded_span bell_memory{weir::doorbell<>::bytes_required()};
  for (const bool has_bell : {false, true}) {
    const auto bell = weir::doorbell<>::format(bell_memory.bytes()).value();
    const auto table =
        weir::version_table<>::format(memory.bytes(), options, has_bell ? bell : weir::doorbell<>{})
            .value();
    auto slot = table.slot(40).value();
    auto* const root = memory.word(layout::version_table::root);
    auto* const counter = memory.word(layout::version_table::counters + 4);
    const auto tells = [&](auto&& operation) {
      bool all = true;
      for (auto* const word : {root, counter}) {
        const auto before = *word;
        *word |= 1;
        operation();
        all = all && *word == before + 2;
      }
      return all && (!has_bell || rings(bell.park_word(), operation));
    };
    CHECK(tells([&] { slot.publish(); }));
    slot.begin();
    CHECK(tells([&] { slot.end(); }));
    CHECK(tells([&] { slot.end_as(100); }));
    CHECK(tells([&] { slot.touch(); }));
    stop_word stop;
    for (auto* const word : {root, counter}) {
      *word |= 1;
      table.request_stop(stop);
      CHECK((*word & 1) == 0);
    }
    if (has_bell) CHECK(rings_always(bell.park_word(), [&] { table.request_stop(stop); }));
    CHECK(table.statistics().wakes == 8);
  }
}

TEST_CASE("an_image_rings_for_members_and_for_its_director_what_concerns_them") {
  using pixels = weir::image<std::uint32_t>;
  const weir::image_options options{.shape = {.width = 5, .height = 7, .element_size = 4},
                                    .cut = weir::bands(2),
                                    .members = 4,
                                    .wake = wake_protocol::fenced};
  const guarded_span memory{pixels::bytes_required(options)};
  const auto image = pixels::format(memory.bytes(), options).value();
  constexpr auto frames_size =
      static_cast<std::uint32_t>(weir::version_table<>::bytes_required({}));
  constexpr auto bands_at =
      weir::detail::align_up(layout::image::frames + frames_size, layout::image::span);
  auto* const members = memory.word(layout::image::frames + layout::version_table::root);
  auto* const directors = memory.word(bands_at + *memory.word(bands_at + layout::data_offset) +
                                      layout::version_table::root);
  const auto tells = [](std::uint32_t* word, auto&& operation) {
    *word |= 1;
    operation();
    return (*word & 1) == 0;
  };
  auto member = image.join().value();
  auto director = image.director().value();
  CHECK(tells(members, [&] { CHECK(member.claim(0)); }));  // and given up at once
  CHECK(tells(directors, [&] { CHECK(member.view()); }));  // and ended at once
  CHECK_FALSE(tells(members, [&] {
    CHECK(member.claim(0)->commit() == status::ok);
    CHECK(member.claim(1)->commit() == status::ok);
  }));
  CHECK(tells(members, [&] { CHECK(director.flip() == status::ok); }));
  const auto nobody_lives = [](std::uint32_t, std::uint32_t) { return false; };
  const auto nothing_held = [&] { CHECK(image.reclaim(nobody_lives).things == 0); };
  CHECK_FALSE(tells(members, nothing_held));
  CHECK_FALSE(tells(directors, nothing_held));
  for (auto* const word : {members, directors}) {
    auto dead = image.join().value();
    // A band that is reclaimed rings by itself. The dead end no views: this one is never destroyed.
    using view_type = pixels::member_type::view_type;
    alignas(view_type) std::array<std::byte, sizeof(view_type)> grave;
    ::new (grave.data()) view_type{dead.view().value()};
    CHECK(tells(word, [&] { CHECK(image.reclaim(nobody_lives).things == 1); }));
    stop_word stop;
    CHECK(tells(word, [&] { image.request_stop(stop); }));
  }
}
