// SPDX-License-Identifier: MIT
#include "support/guarded_span.hpp"
#include "support/random.hpp"

#include <weir/coalesce.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace layout = weir::layout;
using weir::coalesce;
using weir::status;
using weir::wake_protocol;
using weir::test::guarded_span;
using byte_values = coalesce<weir::bytes>;
using word_values = coalesce<std::uint64_t>;

namespace {

constexpr std::uint32_t tag = 0x1234;
constexpr std::uint32_t keys = 40;
constexpr std::uint32_t largest = 8;

template <class View>
struct formatted {
  guarded_span memory{View::bytes_required(keys, largest)};
  formatted() {
    if (!View::format(memory.bytes(), {.keys = keys, .max_value = largest, .type_tag = tag})) {
      FAIL("format");
    }
  }
  [[nodiscard]] auto attach() const -> status { return View::attach(memory.bytes(), tag).status(); }
};

}  // namespace

TEMPLATE_TEST_CASE("keys_that_are_formatted_can_be_attached_to", "", byte_values, word_values) {
  const guarded_span memory{TestType::bytes_required(keys, largest)};
  for (const auto protocol : {wake_protocol::none, wake_protocol::at_flush, wake_protocol::fenced,
                              wake_protocol::asymmetric}) {
    for (const bool process_shared : {false, true}) {
      auto made = TestType::format(memory.bytes(), {.keys = keys,
                                                    .max_value = largest,
                                                    .wake = protocol,
                                                    .process_shared = process_shared,
                                                    .type_tag = tag});
      REQUIRE(made);
      auto found = TestType::attach(memory.bytes(), tag);
      REQUIRE(found);
      for (const auto& view : {*made, *found}) {
        CHECK(view.keys() == keys);
        CHECK(view.max_value() == largest);
        CHECK(view.wake() == protocol);
        CHECK(view.process_shared() == process_shared);
        CHECK_FALSE(view.closed());
      }
      const bool parks = protocol != wake_protocol::none;
      CHECK(made->template consumer<weir::park>().status() ==
            (parks ? status::ok : status::unsupported));
    }
  }
  CHECK(memory.intact());
}

TEMPLATE_TEST_CASE("a_span_that_cannot_hold_the_keys_is_refused", "", byte_values, word_values) {
  const guarded_span memory{TestType::bytes_required(keys, largest) + 64};
  const auto needed = static_cast<std::size_t>(TestType::bytes_required(keys, largest));
  const auto whole = memory.bytes();
  const auto format = [](auto span, std::uint32_t count, std::uint32_t size) {
    return TestType::format(span, {.keys = count, .max_value = size}).status();
  };
  CHECK(format(whole.first(needed), keys, largest) == status::ok);
  CHECK(format(whole.subspan(64), keys, largest) == status::ok);
  CHECK(format(whole.subspan(32), keys, largest) == status::bad_layout);
  CHECK(format(whole.first(needed - 1), keys, largest) == status::bad_layout);
  CHECK(format(whole, 0, largest) == status::bad_layout);
  for (const auto huge : {layout::coalesce::max_keys + 1, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CHECK(format(whole, huge, largest) == status::bad_layout);
    CHECK(format(whole, keys, huge) == status::bad_layout);
    CHECK(format(whole, huge, huge) == status::bad_layout);
  }
  CHECK(format(std::span<std::byte>{}, keys, largest) == status::bad_layout);
  CHECK(memory.intact());
}

TEST_CASE("the_value_of_a_type_has_its_size") {
  const guarded_span memory{byte_values::bytes_required(keys, 100)};
  CHECK(word_values::format(memory.bytes(), {.keys = keys})->max_value() == 8);
  CHECK(word_values::format(memory.bytes(), {.keys = keys, .max_value = 9}).status() ==
        status::bad_layout);
  using three_words = std::array<std::uint32_t, 3>;
  CHECK(coalesce<three_words>::attach(memory.bytes()).status() == status::bad_layout);
  CHECK(word_values::attach(memory.bytes(), 1).status() == status::bad_layout);
  CHECK(word_values::attach(memory.bytes()));
  // Without a limit there is room for no bytes: a key can be marked, and nothing said with it.
  auto marks = byte_values::format(memory.bytes(), {.keys = keys}).value();
  CHECK(marks.max_value() == 0);
  auto producer = marks.producer().value();
  CHECK(producer.update(3, {}, 7) == status::ok);
  CHECK(producer.update(3, std::array<std::byte, 1>{}) == status::too_large);
  CHECK(marks.consumer().value().drain([](const auto& one) { CHECK(one.after == 7); }).records ==
        1);
  REQUIRE(word_values::format(memory.bytes(), {.keys = keys}));
  // A value is bytes with a length: whoever does not know the type may read them so.
  CHECK(byte_values::attach(memory.bytes()));
}

TEMPLATE_TEST_CASE("a_coalesce_header_with_one_wrong_bit_is_refused", "", byte_values,
                   word_values) {
  const formatted<TestType> there;
  using shape = weir::detail::coalesce_shape;
  std::uint32_t accepted = 0;
  for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *there.memory.word(offset) ^= 1U << bit;
      const auto outcome = there.attach();
      *there.memory.word(offset) ^= 1U << bit;
      const bool meaningful = (offset == layout::flags && bit == 0) ||
                              (offset == layout::wake_protocol_word && bit < 2);
      // So does a limit that needs the same room, where it is not the size of a type.
      const bool same_room =
          offset == layout::max_record && std::is_same_v<TestType, byte_values> &&
          shape{keys, largest ^ 1U << bit}.total() == shape{keys, largest}.total();
      const auto expected = meaningful || same_room ? status::ok : status::bad_layout;
      if (outcome != expected) FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
      accepted += outcome == status::ok && !same_room ? 1U : 0U;
    }
  }
  CHECK(accepted == 3);
  *there.memory.word(layout::magic) = 0;
  CHECK(there.attach() == status::not_ready);
}

TEMPLATE_TEST_CASE("any_bytes_in_coalesce_lead_to_a_status_inside_the_span", "", byte_values,
                   word_values) {
  weir::test::seeded_random random{weir::test::fresh_seed("coalesce bytes")};
  const formatted<TestType> there;
  const auto view = TestType::attach(there.memory.bytes(), tag).value();
  const auto words = static_cast<std::uint32_t>(there.memory.bytes().size() / 4);
  std::uint32_t most = 0;
  for (int round = 0; round < 20'000; ++round) {
    *there.memory.word(layout::coalesce::producer_owner) = 0;
    *there.memory.word(layout::coalesce::consumer_owner) = 0;
    auto producer = view.producer();
    auto consumer = view.consumer();
    for (std::uint32_t changes = 0; changes < 20; ++changes) {
      // Not the header: attach() has read it. Small numbers are what passes for a state or a size.
      const auto word = 32 + random.below(words - 32);
      *there.memory.word(word * 4) = random.once_in(2) ? random.below(32) : random.next();
    }
    if (producer) {
      const std::array<std::byte, 8> value{};
      if constexpr (std::is_same_v<TestType, byte_values>) {
        static_cast<void>(producer->update(random.below(keys), value));
      } else {
        static_cast<void>(producer->update(random.below(keys), std::uint64_t{1}));
      }
    }
    if (consumer) {
      const auto done = consumer->drain([](const auto&) {});
      most = done.records > most ? done.records : most;
      static_cast<void>(consumer->wait());
    }
    if (!producer || !consumer || round % 16 == 0) {
      REQUIRE(TestType::format(there.memory.bytes(),
                               {.keys = keys, .max_value = largest, .type_tag = tag}));
    }
  }
  CHECK(most <= keys + 1);
  CHECK(there.memory.intact());
}

TEMPLATE_TEST_CASE("marks_of_keys_that_do_not_exist_lead_nowhere", "", byte_values, word_values) {
  const formatted<TestType> there;
  auto consumer = TestType::attach(there.memory.bytes(), tag).value().consumer().value();
  const weir::detail::coalesce_shape shape{keys, largest};
  const auto leaf = [&](std::uint32_t index) {
    return there.memory.word(shape.leaf_offset() + 4 * index);
  };
  REQUIRE(shape.leaves() == 2);
  *leaf(1) = 1U << (keys - 32);  // the key behind the last
  *leaf(2) = 0xFFFF'FFFF;        // not a leaf
  *there.memory.word(layout::coalesce::roots) = 0b110;
  const auto done = consumer.drain([](const auto&) {});
  CHECK(done.outcome == status::empty);
  CHECK(done.records == 0);
  CHECK(*leaf(2) == 0xFFFF'FFFF);
}

TEST_CASE("a_value_longer_than_the_limit_is_damage_for_good") {
  const formatted<byte_values> there;
  const auto view = byte_values::attach(there.memory.bytes(), tag).value();
  auto producer = view.producer().value();
  auto consumer = view.consumer().value();
  REQUIRE(producer.update(0, std::array<std::byte, largest>{}) == status::ok);
  const weir::detail::coalesce_shape shape{keys, largest};
  for (std::uint32_t buffer = 0; buffer < 3; ++buffer) {
    const auto offset = shape.data_offset() + layout::coalesce::key_buffers +
                        buffer * static_cast<std::uint32_t>(shape.buffer_stride());
    *there.memory.word(offset + layout::coalesce::buffer_size) = largest + 1;
  }
  std::uint32_t shown = 0;
  for (int time = 0; time < 2; ++time) {
    CHECK(consumer.drain([&](const auto&) { ++shown; }).outcome == status::corrupt);
  }
  CHECK(shown == 0);
}

TEMPLATE_TEST_CASE("a_mark_that_comes_after_its_key_was_shown_shows_nothing", "", byte_values,
                   word_values) {
  const formatted<TestType> there;
  const auto view = TestType::attach(there.memory.bytes(), tag).value();
  auto producer = view.producer().value();
  auto consumer = view.consumer().value();
  const auto update = [&] {
    if constexpr (std::is_same_v<TestType, byte_values>) {
      return producer.update(3, std::array<std::byte, 8>{});
    } else {
      return producer.update(3, std::uint64_t{1});
    }
  };
  const auto ignore = [](const auto&) {};
  REQUIRE(update() == status::ok);
  REQUIRE(consumer.drain(ignore).records == 1);
  const weir::detail::coalesce_shape shape{keys, largest};
  *there.memory.word(shape.leaf_offset()) = 1U << 3;
  *there.memory.word(layout::coalesce::roots) = 1;
  const auto done = consumer.drain(ignore);
  CHECK(done.outcome == status::empty);
  CHECK(done.records == 0);
  REQUIRE(update() == status::ok);
  CHECK(consumer.drain(ignore).records == 1);
}

TEST_CASE("a_header_that_agrees_with_itself_about_impossible_keys_is_refused") {
  const guarded_span memory{1 << 14};
  const auto attach = [&]<class View>(const View*, std::uint32_t number, std::uint32_t size) {
    const weir::detail::coalesce_shape shape{number, size};
    weir::detail::publish_header<weir::native_memory>(
        memory.bytes().data(), {.kind = static_cast<std::uint32_t>(layout::kind::coalesce),
                                .total_size = static_cast<std::uint32_t>(shape.total()),
                                .data_offset = shape.data_offset(),
                                .stride = static_cast<std::uint32_t>(shape.key_stride()),
                                .alignment = 8,
                                .max_record = size,
                                .wake_protocol = 2,
                                .slots = number});
    // As long as can be said, so that only the numbers are wrong: attaching looks at the header alone.
    const std::span<std::byte> span{memory.bytes().data(), 0xFFFF'FFFF};
    return View::attach(span).status();
  };
  const byte_values* const of_bytes = nullptr;
  const word_values* const of_words = nullptr;
  constexpr auto most = layout::coalesce::max_keys;
  CHECK(attach(of_bytes, 1, 8) == status::ok);
  CHECK(attach(of_bytes, most, 8) == status::ok);
  CHECK(attach(of_bytes, 0, 8) == status::bad_layout);
  CHECK(attach(of_bytes, most + 1, 8) == status::bad_layout);
  CHECK(attach(of_bytes, 1, 0x5555'5555) == status::bad_layout);  // 2^32 bytes more than it says
  CHECK(attach(of_words, 1, 8) == status::ok);
  CHECK(attach(of_words, 1, 16) == status::bad_layout);
  CHECK(attach(of_words, 1, 0) == status::bad_layout);
}

TEMPLATE_TEST_CASE("a_consumer_that_was_showing_a_key_that_does_not_exist_is_corrupt", "",
                   byte_values, word_values) {
  const formatted<TestType> there;
  const auto view = TestType::attach(there.memory.bytes(), tag).value();
  for (const std::uint32_t showing : {0U, 1U, keys, keys + 1, 0x8000'0000U, 0xFFFF'FFFFU}) {
    *there.memory.word(layout::coalesce::showing) = showing;
    const auto outcome = view.consumer().status();
    CHECK(outcome == (showing <= keys ? status::ok : status::corrupt));
  }
}

TEMPLATE_TEST_CASE("a_key_that_was_being_shown_and_is_damaged_now_is_corrupt", "", byte_values,
                   word_values) {
  for (const std::uint32_t state : {0x20U, 0x15U, 0x13U, 3U, 0U}) {
    const formatted<TestType> there;
    const auto view = TestType::attach(there.memory.bytes(), tag).value();
    *there.memory.word(layout::coalesce::showing) = 1 + 7;
    auto consumer = view.consumer().value();
    const weir::detail::coalesce_shape shape{keys, largest};
    *there.memory.word(shape.data_offset() + 7 * static_cast<std::uint32_t>(shape.key_stride())) =
        state;
    CAPTURE(state);
    std::uint32_t shown = 0;
    CHECK(consumer.drain([&](const auto&) { ++shown; }).outcome == status::corrupt);
    CHECK(shown == 0);
    CHECK(consumer.wait() == status::corrupt);
  }
}
