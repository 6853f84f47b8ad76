// SPDX-License-Identifier: MIT
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/random.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/latest.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace layout = weir::layout;
using weir::latest;
using weir::latest_bytes;
using weir::latest_options;
using weir::status;
using weir::wake_protocol;
using weir::test::count_memory;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;

namespace {

/// A latest of bytes in guarded memory, its writer and one reader.
template <class Memory = weir::native_memory, class Wait = weir::poll>
struct test_latest {
  using type = latest<weir::bytes, Memory>;
  explicit test_latest(const latest_options& options)
      : memory{type::bytes_required(options)},
        value{type::format(memory.bytes(), options).value()},
        writer{value.writer().value()},
        reader{value.template reader<Wait>().value()} {}

  auto write(std::uint32_t number) -> status {
    std::vector<std::byte> bytes(value.size());
    fill_pattern(bytes, number);
    return writer.write(bytes);
  }
  /// True if `reader` reads value `number`.
  auto reads(std::uint32_t number) -> bool {
    std::vector<std::byte> bytes(value.size());
    return reader.read(bytes) == status::ok && has_pattern(bytes, number);
  }

  guarded_span memory;
  type value;
  typename type::writer_type writer;
  typename type::template reader_type<Wait> reader;
};

constexpr std::uint32_t tag = 0x77;

template <class T>
constexpr auto size_for() -> std::uint32_t {
  return std::is_same_v<T, weir::bytes> ? 24 : 0;
}

/// Where versions wrap, or seem to: low, below 2^31, below 2^32, below 2^63.
constexpr std::array<std::uint64_t, 5> notable_versions{0, (1ULL << 30) - 3, (1ULL << 31) - 3,
                                                        (1ULL << 32) - 3, (1ULL << 63) - 3};

}  // namespace

TEST_CASE("a_value_is_empty_until_it_is_written_and_then_the_newest") {
  test_latest there{{.size = 20}};
  std::array<std::byte, 20> out{};
  CHECK(there.reader.read(out) == status::empty);
  CHECK(there.reader.try_read_new(out) == status::empty);
  CHECK(there.reader.version() == 0);
  for (std::uint32_t number = 1; number < 10; ++number) {
    REQUIRE(there.write(number) == status::ok);
    CHECK(there.writer.version() == number);
    CHECK(there.value.version() == number);
    if (number % 3 == 0) continue;
    CHECK(there.reader.try_read_new(out) == status::ok);
    CHECK(has_pattern(out, number));
    CHECK(there.reader.version() == number);
    CHECK(there.reader.try_read_new(out) == status::empty);
    CHECK(there.reads(number));
  }
  CHECK(there.value.statistics().writes == 9);
  CHECK(there.memory.intact());
}

TEST_CASE("readers_remember_what_they_have_seen_each_for_itself") {
  test_latest there{{.size = 8}};
  auto other = there.value.reader().value();
  std::array<std::byte, 8> out{};
  REQUIRE(there.write(1) == status::ok);
  CHECK(there.reader.try_read_new(out) == status::ok);
  CHECK(other.try_read_new(out) == status::ok);
  CHECK(there.value.reader().value().try_read_new(out) == status::ok);
  CHECK(other.try_read_new(out) == status::empty);
}

TEST_CASE("every_size_and_number_of_buffers_delivers_every_byte") {
  std::uint32_t wrong = 0;
  for (const std::uint32_t buffers : {1U, 2U, 3U, 5U, 8U, 64U}) {
    for (std::uint32_t size = 1; size <= 72; ++size) {
      for (const bool wide : {false, true}) {
        test_latest there{{.size = size, .buffers = buffers, .wide_version = wide}};
        for (std::uint32_t number = 0; number < 2 * buffers + 2; ++number) {
          wrong += there.write(number) == status::ok && there.reads(number) ? 0U : 1U;
        }
        wrong += there.memory.intact() ? 0U : 1U;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a_shorter_value_is_followed_by_zeros_and_a_longer_one_is_refused") {
  for (std::uint32_t size = 1; size <= 20; ++size) {
    test_latest there{{.size = size}};
    for (std::uint32_t given = 0; given <= size; ++given) {
      std::array<std::byte, 20> in{};
      in.fill(std::byte{0xEE});
      std::array<std::byte, 20> out{};
      REQUIRE(there.writer.write(std::span{in}.first(size)) == status::ok);
      REQUIRE(there.writer.write(std::span{in}.first(size)) == status::ok);
      REQUIRE(there.writer.write(std::span{in}.first(given)) == status::ok);
      REQUIRE(there.reader.read(out) == status::ok);
      for (std::uint32_t at = 0; at < size; ++at) {
        if (out[at] != (at < given ? std::byte{0xEE} : std::byte{0})) FAIL(size << " " << at);
      }
    }
    const std::array<std::byte, 24> longer{};
    const auto before = there.value.version();
    CHECK(there.writer.write(std::span{longer}.first(size + 1)) == status::too_large);
    CHECK(there.value.version() == before);
    std::array<std::byte, 20> out{};
    CHECK(there.reader.read(std::span{out}.first(size - 1)) == status::too_large);
    CHECK(there.reader.try_read_new(std::span{out}.first(size - 1)) == status::too_large);
  }
}

TEST_CASE("values_of_a_type_travel_too") {
  using three = std::array<std::uint8_t, 3>;
  const guarded_span memory{latest<three>::bytes_required()};
  auto value = latest<three>::format(memory.bytes()).value();
  auto writer = value.writer().value();
  auto reader = value.reader().value();
  CHECK(reader.read().status() == status::empty);
  CHECK(writer.write(three{1, 2, 3}) == status::ok);
  CHECK(*reader.read() == three{1, 2, 3});
  CHECK(reader.try_read_new().status() == status::empty);
  CHECK(writer.write(three{4, 5, 6}) == status::ok);
  CHECK(*reader.try_read_new() == three{4, 5, 6});
  CHECK(value.size() == 3);
  CHECK(memory.intact());

  const guarded_span other{latest<double>::bytes_required()};
  auto number = latest<double>::format(other.bytes()).value();
  CHECK(number.writer().value().write(0.5) == status::ok);
  CHECK(*number.reader().value().read() == 0.5);
}

TEST_CASE("versions_may_wrap_anywhere") {
  std::uint32_t wrong = 0;
  for (const auto start : notable_versions) {
    for (const std::uint32_t buffers : {1U, 2U, 3U, 7U}) {
      for (const bool wide : {false, true}) {
        test_latest there{
            {.size = 12, .buffers = buffers, .wide_version = wide, .start_version = start}};
        std::array<std::byte, 12> out{};
        wrong += there.reader.read(out) == status::empty ? 0U : 1U;
        for (std::uint32_t number = 1; number < 8; ++number) {
          wrong += there.write(number) == status::ok && there.reads(number) ? 0U : 1U;
          wrong += there.reader.try_read_new(out) == status::empty ? 0U : 1U;
          const auto count = (start + number) & ((1ULL << (wide ? 63 : 31)) - 1);
          wrong += there.value.version() == count ? 0U : 1U;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("the_newest_value_is_never_in_the_buffer_that_is_written_next") {
  for (const std::uint64_t start : {0ULL, (1ULL << 31) - 70}) {
    for (std::uint32_t buffers = 2; buffers <= 64; ++buffers) {
      test_latest there{{.size = 4, .buffers = buffers, .start_version = start}};
      weir::detail::header fields{.max_record = 4, .slots = buffers};
      fields.stride = 128;
      const weir::detail::latest_control<weir::native_memory> control{there.memory.bytes().data(),
                                                                      fields, nullptr};
      auto version = control.unwritten(start);
      for (std::uint32_t write = 0; write < 140; ++write) {
        const auto next = control.next_of(version);
        const bool apart = control.buffer_of(version).base != control.buffer_of(next).base;
        if (!apart) FAIL(buffers << " buffers, version " << version);
        version = next;
      }
    }
  }
}

TEST_CASE("a_read_costs_three_loads_a_fence_and_its_words_and_a_write_stores_once_each") {
  for (const auto protocol : {wake_protocol::none, wake_protocol::asymmetric}) {
    test_latest<count_memory> there{{.size = 8, .wake = protocol}};
    std::array<std::byte, 8> bytes{};
    const auto write = count_memory::cost_of([&] { static_cast<void>(there.writer.write(bytes)); });
    CHECK(write.stores == 2 + 2 + 1 + 1);  // sequence twice, words, version, statistics
    CHECK(write.loads == (protocol == wake_protocol::none ? 0 : 1));
    CHECK(write.fences == 1);
    CHECK(write.modifies == 0);
    const auto read = count_memory::cost_of([&] { static_cast<void>(there.reader.read(bytes)); });
    CHECK(read.loads == 1 + 2 + 1);
    CHECK(read.fences == 1);
    CHECK(read.stores + read.modifies == 0);
  }
}

TEMPLATE_TEST_CASE("what_is_formatted_can_be_attached_to", "", weir::bytes, std::uint64_t) {
  for (const bool wide : {false, true}) {
    for (const bool process_shared : {false, true}) {
      const latest_options options{.size = size_for<TestType>(),
                                   .buffers = 3,
                                   .wide_version = wide,
                                   .process_shared = process_shared,
                                   .type_tag = tag};
      const guarded_span memory{latest<TestType>::bytes_required(options)};
      auto made = latest<TestType>::format(memory.bytes(), options);
      auto found = latest<TestType>::attach(memory.bytes(), tag);
      REQUIRE(made);
      REQUIRE(found);
      for (const auto& value : {*made, *found}) {
        CHECK(value.size() == (size_for<TestType>() != 0 ? 24 : 8));
        CHECK(value.buffers() == 3);
        CHECK(value.wide_version() == wide);
        CHECK(value.process_shared() == process_shared);
        CHECK(value.wake() == wake_protocol::asymmetric);
        CHECK_FALSE(value.closed());
      }
    }
  }
}

TEST_CASE("impossible_options_and_spans_are_refused") {
  const guarded_span memory{1 << 16};
  const auto bytes = [&](const latest_options& options) {
    return latest_bytes::format(memory.bytes(), options).status();
  };
  CHECK(bytes({}) == status::bad_layout);
  CHECK(bytes({.size = 8, .buffers = 0}) == status::bad_layout);
  CHECK(bytes({.size = 8, .buffers = 65}) == status::bad_layout);
  CHECK(bytes({.size = 8, .buffers = 0xFFFF'FFFF}) == status::bad_layout);
  CHECK(bytes({.size = 0xFFFF'FFFF}) == status::bad_layout);
  CHECK(bytes({.size = 0xFFFF'FF80, .buffers = 64}) == status::bad_layout);
  CHECK(bytes({.size = 1 << 16}) == status::bad_layout);
  CHECK(bytes({.size = 8, .buffers = 64}) == status::ok);
  using number = latest<std::uint32_t>;
  CHECK(number::format(memory.bytes(), {.size = 4}).status() == status::ok);
  CHECK(number::format(memory.bytes(), {.size = 8}).status() == status::bad_layout);
  const auto needed = static_cast<std::size_t>(number::bytes_required());
  CHECK(number::format(memory.bytes().first(needed)).status() == status::ok);
  CHECK(number::format(memory.bytes().first(needed - 1)).status() == status::bad_layout);
  CHECK(number::attach(memory.bytes().first(needed - 1)).status() == status::bad_layout);
  CHECK(number::format(memory.bytes().subspan(8)).status() == status::bad_layout);
  STATIC_REQUIRE(number::bytes_required() == 512 + 2 * 128);
  STATIC_REQUIRE(latest_bytes::bytes_required({.size = 121, .buffers = 3}) == 512 + 3 * 256);
  STATIC_REQUIRE(latest_bytes::bytes_required({.size = 120, .buffers = 1}) == 512 + 128);
}

TEMPLATE_TEST_CASE("a_header_with_one_wrong_bit_is_refused", "", weir::bytes, std::uint64_t) {
  const latest_options options{.size = size_for<TestType>(), .type_tag = tag};
  const guarded_span memory{latest<TestType>::bytes_required(options)};
  REQUIRE(latest<TestType>::format(memory.bytes(), options));
  for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *memory.word(offset) ^= 1U << bit;
      const auto outcome = latest<TestType>::attach(memory.bytes(), tag).status();
      *memory.word(offset) ^= 1U << bit;
      // Who shares it, how wide its versions are, who pays for waking; bytes of another size.
      const bool meaningful =
          (offset == layout::flags && (bit == 0 || bit == 3)) ||
          (offset == layout::wake_protocol_word && bit < 2) ||
          (offset == layout::max_record && bit < 7 && size_for<TestType>() != 0);
      const auto expected = meaningful ? status::ok : status::bad_layout;
      // Of the sizes with one bit changed, those above 120 bytes need another stride.
      if (outcome != expected) FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
    }
  }
  *memory.word(layout::magic) = 0;
  CHECK(latest<TestType>::attach(memory.bytes(), tag).status() == status::not_ready);
}

TEST_CASE("a_value_of_another_size_kind_or_tag_is_refused_and_bytes_may_look_at_any_type") {
  const guarded_span memory{4096};
  REQUIRE(latest<std::uint64_t>::format(memory.bytes(), {.type_tag = tag}));
  CHECK(latest<std::uint64_t>::attach(memory.bytes(), tag));
  CHECK(latest<std::uint64_t>::attach(memory.bytes()).status() == status::bad_layout);
  CHECK(latest<std::uint32_t>::attach(memory.bytes(), tag).status() == status::bad_layout);
  CHECK(latest_bytes::attach(memory.bytes(), tag)->size() == 8);
  REQUIRE(weir::doorbell<>::format(memory.bytes()));
  CHECK(latest_bytes::attach(memory.bytes()).status() == status::bad_layout);
}

TEST_CASE("any_bytes_lead_a_reader_to_a_status_in_a_bounded_number_of_steps") {
  weir::test::seeded_random random{weir::test::fresh_seed("hostile latest")};
  std::uint32_t wrong = 0;
  for (std::uint32_t round = 0; round < 5'000; ++round) {
    test_latest<count_memory> there{{.size = 1 + random.below(40),
                                     .buffers = 1 + random.below(5),
                                     .wide_version = random.once_in(2)}};
    static_cast<void>(there.write(round));
    const auto words = (static_cast<std::uint32_t>(there.memory.bytes().size()) - 128) / 4;
    for (auto changes = random.below(6); changes != 0; --changes) {
      auto* const word = there.memory.word(128 + 4 * random.below(words));
      *word = random.once_in(2) ? random.next() : 0U - random.below(8);
    }
    *there.memory.word(layout::latest::version) = random.next();
    std::array<std::byte, 40> out{};
    const auto cost = count_memory::cost_of([&] {
      const auto outcome = there.reader.read(out, 8);
      const bool possible =
          outcome == status::ok || outcome == status::empty || outcome == status::torn;
      wrong += possible ? 0U : 1U;
    });
    wrong += cost.steps() <= 8 * (2 + 10) ? 0U : 1U;
    wrong += there.writer.write(std::span{out}.first(there.value.size())) == status::ok ? 0U : 1U;
    wrong += there.memory.intact() ? 0U : 1U;
  }
  CHECK(wrong == 0);
}

TEST_CASE("the_role_exists_once_and_can_be_taken_again") {
  test_latest there{{.size = 8}};
  CHECK(there.value.writer().status() == status::busy);
  REQUIRE(there.write(1) == status::ok);
  {
    const auto gone = std::move(there.writer);
  }
  CHECK(there.value.writer_owner() == weir::owner_state::free);
  auto next = there.value.writer().value();
  CHECK(next.version() == 1);
  std::array<std::byte, 8> value{};
  fill_pattern(value, 2);
  CHECK(next.write(value) == status::ok);
  CHECK(there.reads(2));
  CHECK(there.value.statistics().writes == 2);
}

TEST_CASE("a_writer_that_stands_still_in_the_middle_of_a_value_makes_one_buffer_torn_and_two_not") {
  for (const std::uint32_t buffers : {1U, 2U, 3U}) {
    for (const bool wide : {false, true}) {
      test_latest there{{.size = 12, .buffers = buffers, .wide_version = wide}};
      for (std::uint32_t number = 1; number < 8; ++number) {
        REQUIRE(there.write(number) == status::ok);
        // The state after begin() and one word of the next value.
        const auto index = (number + 1) % buffers;
        const auto buffer = layout::latest::data + index * 128;
        const auto before = *there.memory.word(buffer);
        const auto word = *there.memory.word(buffer + 8);
        *there.memory.word(buffer) = 2 * (number + 1) - 1;
        *there.memory.word(buffer + 8) = 0xDDDD'DDDD;
        std::array<std::byte, 12> out{};
        const auto outcome = there.reader.read(out, 5);
        CHECK(outcome == (buffers == 1 ? status::torn : status::ok));
        if (buffers != 1) CHECK(has_pattern(out, number));
        *there.memory.word(buffer) = before;
        *there.memory.word(buffer + 8) = word;
      }
      const auto& counted = there.reader.statistics();
      CHECK(counted.torn == (buffers == 1 ? 7 : 0));
      CHECK(counted.retries == (buffers == 1 ? 35 : 0));
      CHECK(counted.reads == (buffers == 1 ? 0 : 7));
    }
  }
}

TEST_CASE("a_value_that_was_overwritten_during_the_copy_is_read_again") {
  // The writer overwrites everything whenever the reader has copied the first word.
  static std::uint32_t strikes;
  static test_latest<weir::test::adversary_memory>* victim;
  test_latest<weir::test::adversary_memory> there{{.size = 64}};
  victim = &there;
  REQUIRE(there.write(1) == status::ok);
  weir::test::lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    const auto offset = reinterpret_cast<const std::byte*>(word) - victim->memory.bytes().data();
    if (strikes != 0 && offset >= std::ptrdiff_t{layout::latest::data} && offset % 128 == 12) {
      --strikes;
      std::array<std::byte, 64> next{};
      for (std::uint32_t number = 0; number < 2; ++number) {
        fill_pattern(next, 100 + number);
        static_cast<void>(victim->writer.write(next));
      }
    }
    return value;
  };
  std::array<std::byte, 64> out{};
  strikes = 5;
  CHECK(there.reader.read(out, 6) == status::ok);
  CHECK(has_pattern(out, 101));
  CHECK(there.reader.statistics().retries == 5);
  strikes = 100;
  CHECK(there.reader.read(out, 6) == status::torn);
  CHECK(strikes == 94);
  weir::test::lying_watch::lie = nullptr;
}

TEST_CASE("closing_leaves_the_last_value_readable") {
  test_latest there{{.size = 8}};
  std::array<std::byte, 8> out{};
  REQUIRE(there.write(1) == status::ok);
  there.writer.close();
  CHECK(there.value.closed());
  CHECK(there.write(2) == status::closed);
  CHECK(there.reader.wait() == status::ok);
  CHECK(there.reader.try_read_new(out) == status::ok);
  CHECK(there.reader.try_read_new(out) == status::closed);
  CHECK(there.reader.wait() == status::closed);
  CHECK(there.reads(1));
}

TEMPLATE_TEST_CASE("news_a_deadline_a_stop_and_a_close_end_a_wait", "", weir::spin, weir::backoff,
                   weir::park) {
  const weir::test::watchdog hang;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    test_latest<weir::native_memory, TestType> there{{.size = 8, .wake = protocol}};
    std::array<std::byte, 8> out{};
    CHECK(there.reader.wait(std::chrono::steady_clock::now()) == status::timed_out);
    status outcome{};
    std::thread{[&] {
      std::thread writing{[&] { static_cast<void>(there.write(1)); }};
      outcome = there.reader.wait();
      writing.join();
    }}.join();
    CHECK(outcome == status::ok);
    REQUIRE(there.reader.try_read_new(out) == status::ok);
    weir::stop_word stop;
    std::thread{[&] {
      std::thread stopping{[&] { there.value.request_stop(stop); }};
      outcome = there.reader.wait(weir::no_deadline, &stop);
      stopping.join();
    }}.join();
    CHECK(outcome == status::stopped);
    std::thread{[&] {
      std::thread closing{[&] { there.writer.close(); }};
      outcome = there.reader.wait();
      closing.join();
    }}.join();
    CHECK(outcome == status::closed);
  }
}

TEST_CASE("a_value_written_just_before_the_closing_is_news_before_closed_is_said") {
  using weir::test::script_memory;
  test_latest<script_memory> there{{.size = 8}};
  auto wrote = status::empty;
  {
    const weir::test::scripted race{
        weir::test::once(1,
                         weir::test::access_to(weir::test::access_kind::load,
                                               there.memory.word(layout::latest::closed)),
                         [&] {
                           wrote = there.write(3);
                           there.writer.close();
                         })};
    CHECK(there.reader.wait() == status::ok);
  }
  CHECK(wrote == status::ok);
  CHECK(there.reads(3));
  CHECK(there.reader.wait() == status::closed);
}

TEST_CASE("a_reader_that_polls_looks_once_and_the_inline_mode_never_blocks") {
  test_latest polling{{.size = 8}};
  CHECK(polling.reader.wait() == status::empty);
  test_latest<weir::plain_memory, weir::park> there{{.size = 8, .wake = wake_protocol::fenced}};
  CHECK(there.reader.wait() == status::would_block);
  REQUIRE(there.write(3) == status::ok);
  CHECK(there.reader.wait() == status::ok);
  CHECK(there.reads(3));
}

TEST_CASE("who_would_never_be_woken_gets_no_reader") {
  test_latest there{{.size = 8, .wake = wake_protocol::none}};
  CHECK(there.value.reader<weir::park>().status() == status::unsupported);
  CHECK(there.value.reader<weir::backoff>());
}

TEST_CASE("with_a_doorbell_readers_sleep_there") {
  const weir::test::watchdog hang;
  const guarded_span bell_memory{weir::doorbell<>::bytes_required()};
  const auto bell = weir::doorbell<>::format(bell_memory.bytes()).value();
  const guarded_span memory{latest<std::uint32_t>::bytes_required()};
  auto value = latest<std::uint32_t>::format(memory.bytes(), {}, bell).value();
  CHECK(latest<std::uint32_t>::attach(memory.bytes()).status() == status::bad_layout);
  CHECK(latest<std::uint32_t>::attach(memory.bytes(), 0, bell));
  auto writer = value.writer().value();
  auto reader = value.reader<weir::park>().value();
  status outcome{};
  std::thread sleeping{[&] { outcome = reader.wait(); }};
  const auto awaited = [&] {
    return weir::native_memory::load(bell.park_word(), std::memory_order_relaxed) & 1;
  };
  while (awaited() == 0) std::this_thread::yield();
  CHECK(writer.write(7U) == status::ok);
  sleeping.join();
  CHECK(outcome == status::ok);
}

namespace {
struct asking_memory : weir::native_memory {
  static inline thread_local std::uint32_t asked = 0;
  static auto alive(std::uint32_t id, std::uint32_t start) noexcept -> bool {
    ++asked;
    return native_memory::alive(id, start);
  }
};
}  // namespace

TEST_CASE("a_reader_asks_the_system_after_a_writer_of_another_process_alone") {
  for (const bool process_shared : {false, true}) {
    test_latest<asking_memory, weir::park> there{{.size = 8, .process_shared = process_shared}};
    asking_memory::asked = 0;
    const auto until = weir::native_memory::now() + 2 * weir::park::longest_sleep;
    CHECK(there.reader.wait(until) == status::timed_out);
    CHECK((asking_memory::asked != 0) == process_shared);
  }
}

TEST_CASE("a_header_that_agrees_with_itself_about_an_impossible_value_is_refused") {
  const guarded_span memory{1 << 14};
  const auto attach = [&](std::uint32_t size, std::uint32_t buffers, std::uint32_t stride) {
    weir::detail::publish_header<weir::native_memory>(
        memory.bytes().data(), {.kind = static_cast<std::uint32_t>(layout::kind::latest),
                                .total_size = layout::latest::data + buffers * stride,
                                .data_offset = layout::latest::data,
                                .stride = stride,
                                .alignment = 8,
                                .max_record = size,
                                .wake_protocol = 2,
                                .slots = buffers});
    return latest_bytes::attach(memory.bytes()).status();
  };
  CHECK(attach(8, 1, 128) == status::ok);
  CHECK(attach(8, 64, 128) == status::ok);
  CHECK(attach(8, 65, 128) == status::bad_layout);
  CHECK(attach(8, 0, 128) == status::bad_layout);
  CHECK(attach(0, 1, 128) == status::bad_layout);
  CHECK(attach((1U << 30) - 8, 4, 1U << 30) == status::bad_layout);  // 2^32 bytes more than it says
  CHECK(latest<std::uint32_t>::attach(memory.bytes()).status() == status::bad_layout);
  CHECK(attach(8, 1, 128) == status::ok);
  CHECK(latest<std::uint32_t>::attach(memory.bytes()).status() == status::bad_layout);
  CHECK(latest<std::uint64_t>::attach(memory.bytes()).status() == status::ok);
}

TEST_CASE("the_successor_of_a_writer_that_closed_writes_nothing_more") {
  const guarded_span memory{latest<std::uint32_t>::bytes_required()};
  auto value = latest<std::uint32_t>::format(memory.bytes()).value();
  {
    auto writer = value.writer().value();
    CHECK(writer.write(1U) == status::ok);
    writer.close();
  }
  auto successor = value.writer().value();
  CHECK(successor.write(2U) == status::closed);
  CHECK(value.version() == 1);
}

TEST_CASE("nothing_is_new_before_the_first_value_whatever_its_number") {
  for (const auto start : notable_versions) {
    test_latest there{{.size = 20, .start_version = start}};
    std::array<std::byte, 20> out{};
    CHECK(there.reader.wait() == status::empty);
    CHECK(there.reader.try_read_new(out) == status::empty);
    REQUIRE(there.write(1) == status::ok);
    CHECK(there.reader.wait() == status::ok);
  }
}
