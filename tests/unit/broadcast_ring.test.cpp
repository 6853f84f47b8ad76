// SPDX-License-Identifier: MIT
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/random.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/broadcast_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <utility>

namespace layout = weir::layout;
using weir::broadcast_options;
using weir::broadcast_result;
using weir::broadcast_ring;
using weir::from;
using weir::status;
using weir::wake_protocol;
using weir::test::adversary_memory;
using weir::test::count_memory;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;
using weir::test::pattern_size;

namespace {

using buffer = std::array<std::byte, 4096>;

template <class Writer>
auto write(Writer& writer, std::uint32_t number) -> status {
  buffer bytes;
  const auto record = std::span{bytes}.first(pattern_size(number, writer.max_record()));
  fill_pattern(record, number);
  return writer.write(record, number & 0xFFFF);
}

/// True if the result is record `number`, whole.
auto is_record(const broadcast_result& done, const buffer& out, std::uint32_t number,
               std::uint32_t most) -> bool {
  return done.outcome == status::ok && done.number == number && done.lost == 0 &&
         done.type == (number & 0xFFFF) && done.size == pattern_size(number, most) &&
         has_pattern(std::span{out}.first(done.size), number);
}

/// Reads until something else than records and losses comes; every record must be the next one.
struct account {
  std::uint64_t next = 0;
  std::uint64_t lost = 0;
  std::uint64_t received = 0;
  std::uint32_t wrong = 0;
  status ended = status::ok;

  template <class Reader>
  void read_on(Reader& reader) {
    buffer out;
    for (ended = status::ok; ended == status::ok;) {
      const auto done = reader.read(out);
      if (done.outcome == status::lost) {
        lost += done.lost;
        next += done.lost;
        wrong += done.number == next && done.lost != 0 ? 0U : 1U;
      } else if (done.outcome == status::ok) {
        const auto number = static_cast<std::uint32_t>(next++);
        wrong += is_record(done, out, number, reader.max_record()) ? 0U : 1U;
        ++received;
      } else {
        ended = done.outcome;
      }
    }
  }
};

template <class Memory = weir::native_memory>
struct test_broadcast {
  using type = broadcast_ring<weir::bytes, Memory>;
  explicit test_broadcast(const broadcast_options& options)
      : memory{type::bytes_required(options.capacity)},
        ring{type::format(memory.bytes(), options).value()},
        writer{ring.writer().value()} {}

  guarded_span memory;
  type ring;
  typename type::writer_type writer;
};

/// At 0, below 2^32, below a later multiple of it, and in the middle of a late lap.
constexpr std::array<std::uint64_t, 4> notable_starts{0, (1ULL << 32) - 200, (7ULL << 32) - 8,
                                                      (1ULL << 40) + 8 * 12345};

constexpr std::uint32_t tag = 0x77;

}  // namespace

TEST_CASE("records_come_out_once_in_order_and_whole_for_every_reader") {
  for (const auto start : notable_starts) {
    test_broadcast there{{.capacity = 1024, .start_position = start}};
    auto first = there.ring.reader().value();
    auto second = there.ring.reader(from::newest).value();
    account by_first;
    account by_second;
    for (std::uint32_t number = 0; number < 2000; ++number) {
      if (write(there.writer, number) != status::ok) FAIL("write " << number);
      by_first.read_on(first);
      if (number % 3 == 0) by_second.read_on(second);
    }
    by_second.read_on(second);
    CAPTURE(start);
    for (const auto& account : {by_first, by_second}) {
      CHECK(account.next == 2000);
      CHECK(account.lost == 0);
      CHECK(account.wrong == 0);
      CHECK(account.ended == status::empty);
    }
    CHECK(there.writer.number() == 2000);
    CHECK(there.ring.statistics().records == 2000);
    CHECK(there.memory.intact());
  }
}

TEST_CASE("a_lapped_reader_is_told_exactly_how_much_it_lost_and_goes_on_in_order") {
  weir::test::seeded_random random{weir::test::fresh_seed("laps")};
  for (const std::uint32_t capacity : {256U, 512U, 1024U, 8192U}) {
    for (const auto start : notable_starts) {
      test_broadcast there{{.capacity = capacity, .start_position = start}};
      auto reader = there.ring.reader().value();
      account account;
      std::uint32_t number = 0;
      while (number < 5000) {
        for (auto burst = random.below(100); burst != 0; --burst) {
          if (write(there.writer, number++) != status::ok) FAIL("write " << number);
        }
        account.read_on(reader);
        if (account.next != number) FAIL("after " << number << ": " << account.next);
      }
      CAPTURE(capacity, start);
      CHECK(account.received + account.lost == number);
      CHECK(account.lost != 0);
      CHECK(account.wrong == 0);
      CHECK(reader.statistics().received == account.received);
      CHECK(reader.statistics().lost == account.lost);
      CHECK(there.memory.intact());
    }
  }
}

TEST_CASE("a_lapped_reader_still_gets_what_lies_in_the_last_half_of_a_ring") {
  test_broadcast there{{.capacity = 1024}};
  auto reader = there.ring.reader().value();
  const std::array<std::byte, 48> record{};  // 64 bytes of ring
  for (std::uint32_t number = 0; number < 100; ++number) {
    REQUIRE(there.writer.write(record) == status::ok);
    if (number < 16) continue;
    auto copy = reader;  // stands at record 0
    buffer out;
    const auto told = copy.read(out);
    CHECK(told.outcome == status::lost);
    // The first record of the newest half: 0 to 7 before the newest.
    CHECK(told.number == number / 8 * 8);
    CHECK(told.lost == told.number);
    CHECK(copy.read(out).number == told.number);
  }
}

TEST_CASE("who_joins_late_begins_with_the_oldest_whole_record_or_with_the_next_one") {
  test_broadcast there{{.capacity = 1024}};
  const std::array<std::byte, 48> record{};  // 64 bytes of ring: 16 records
  buffer out;
  for (std::uint64_t number = 0; number < 100; ++number) {
    auto newest = there.ring.reader(from::newest).value();
    CHECK(newest.read(out).outcome == status::empty);
    REQUIRE(there.writer.write(record) == status::ok);
    const auto next = newest.read(out);
    CHECK(next.outcome == status::ok);
    CHECK(next.number == number);
    auto oldest = there.ring.reader(from::oldest).value();
    const auto done = oldest.read(out);
    CHECK(done.outcome == status::ok);
    CHECK(done.number == (number < 16 ? 0 : number - 15));
  }
}

TEST_CASE("who_joins_at_the_oldest_counts_losses_from_there") {
  test_broadcast there{{.capacity = 256}};
  for (std::uint32_t number = 0; number < 40; ++number)
    REQUIRE(write(there.writer, number) == status::ok);
  auto reader = there.ring.reader().value();
  auto copy = reader;
  buffer out;
  const auto first = copy.read(out).number;
  for (std::uint32_t number = 40; number < 80; ++number)
    REQUIRE(write(there.writer, number) == status::ok);
  const auto told = reader.read(out);
  CHECK(told.outcome == status::lost);
  CHECK(told.lost == told.number - first);
}

TEST_CASE("every_size_fits_at_every_offset_and_one_more_is_refused") {
  std::uint32_t wrong = 0;
  for (std::uint64_t start = 0; start < 256; start += 8) {
    for (std::uint32_t size = 0; size <= 16; ++size) {
      test_broadcast there{{.capacity = 256, .start_position = start}};
      auto reader = there.ring.reader().value();
      buffer bytes;
      buffer out;
      for (std::uint32_t number = 0; number < 30; ++number) {
        fill_pattern(std::span{bytes}.first(size), number);
        wrong += there.writer.write(std::span{bytes}.first(size)) == status::ok ? 0U : 1U;
        const auto done = reader.read(out);
        const bool right = done.outcome == status::ok && done.size == size &&
                           done.number == number && has_pattern(std::span{out}.first(size), number);
        wrong += right ? 0U : 1U;
      }
      wrong += there.memory.intact() ? 0U : 1U;
    }
  }
  CHECK(wrong == 0);
  test_broadcast there{{.capacity = 256}};
  CHECK(there.ring.max_record() == 16);
  const buffer bytes{};
  CHECK(there.writer.write(std::span{bytes}.first(17)) == status::too_large);
  CHECK(there.writer.write({}, weir::record_type::reserved) == status::unsupported);
  CHECK(there.ring.statistics().records == 0);
}

TEST_CASE("a_record_that_does_not_fit_the_buffer_stays") {
  test_broadcast there{{.capacity = 1024}};
  auto reader = there.ring.reader().value();
  const std::array<std::byte, 40> record{};
  REQUIRE(there.writer.write(record, 9) == status::ok);
  std::array<std::byte, 40> out{};
  for (int round = 0; round < 3; ++round) {
    const auto done = reader.read(std::span{out}.first(39));
    CHECK(done.outcome == status::too_large);
    CHECK(done.size == 40);
    CHECK(done.type == 9);
  }
  CHECK(reader.read(out).outcome == status::ok);
  CHECK(reader.read(out).outcome == status::empty);
}

TEST_CASE("what_is_overwritten_during_the_copy_is_never_delivered") {
  // The writer writes so many records whenever the reader loads that word of a record.
  static test_broadcast<adversary_memory>* victim;
  static std::uint32_t left, burst, written, in;
  std::uint32_t told = 0;
  std::uint32_t gave_up = 0;
  for (const std::uint32_t records : {1U, 4U, 8U, 20U, 100U}) {
    for (const std::uint32_t word : {0U, 1U, 2U, 3U, 4U, 7U, 15U}) {
      for (const std::uint32_t strikes : {1U, 3U, 1000U}) {
        test_broadcast<adversary_memory> there{{.capacity = 1024}};
        victim = &there;
        written = 0;
        left = 0;
        burst = records;
        in = word;
        buffer bytes{};
        const auto write_one = [] {
          std::array<std::byte, 48> record;
          fill_pattern(record, written);
          static_cast<void>(victim->writer.write(record, written++));
        };
        for (int number = 0; number < 16; ++number) write_one();
        auto reader = there.ring.reader().value();
        static bool inside;
        inside = false;
        weir::test::lying_watch::lie = [](const std::uint32_t* at, std::uint32_t value) noexcept {
          const auto offset =
              reinterpret_cast<const std::byte*>(at) - victim->memory.bytes().data();
          if (inside || left == 0 || offset < std::ptrdiff_t{layout::broadcast::data}) return value;
          if (static_cast<std::uint32_t>(offset) % 64 != in * 4) return value;
          --left;
          inside = true;
          for (std::uint32_t count = 0; count < burst; ++count) {
            std::array<std::byte, 48> record;
            fill_pattern(record, written);
            static_cast<void>(victim->writer.write(record, written++));
          }
          inside = false;
          return value;
        };
        left = strikes;
        std::uint64_t next = 0;
        std::uint32_t wrong = 0;
        std::uint32_t calls = 0;
        for (auto outcome = status::ok; outcome != status::empty && calls < 20; ++calls) {
          if (calls == 10) left = 0;
          const auto done = reader.read(bytes);
          outcome = done.outcome;
          if (outcome == status::lost) {
            ++told;
            next += done.lost;
            wrong += done.number == next ? 0U : 1U;
          } else if (outcome == status::ok) {
            const bool right =
                done.number == next && done.type == next && done.size == 48 &&
                has_pattern(std::span{bytes}.first(48), static_cast<std::uint32_t>(next));
            wrong += right ? 0U : 1U;
            ++next;
          } else {
            gave_up += outcome == status::torn ? 1U : 0U;
            wrong += outcome == status::empty || outcome == status::torn ? 0U : 1U;
          }
        }
        weir::test::lying_watch::lie = nullptr;
        CAPTURE(records, word, strikes);
        CHECK(wrong == 0);
      }
    }
  }
  CHECK(told != 0);
  CHECK(gave_up != 0);
}

TEST_CASE("what_is_formatted_can_be_attached_to_and_nothing_else") {
  const guarded_span memory{broadcast_ring<>::bytes_required(1024)};
  const broadcast_options options{.capacity = 1024, .process_shared = true, .type_tag = tag};
  REQUIRE(broadcast_ring<>::format(memory.bytes(), options));
  auto found = broadcast_ring<>::attach(memory.bytes(), tag);
  REQUIRE(found);
  CHECK(found->capacity() == 1024);
  CHECK(found->max_record() == 1024 / 8 - 16);
  CHECK(found->process_shared());
  CHECK_FALSE(found->closed());
  CHECK(broadcast_ring<>::attach(memory.bytes()).status() == status::bad_layout);
  for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *memory.word(offset) ^= 1U << bit;
      const auto outcome = broadcast_ring<>::attach(memory.bytes(), tag).status();
      *memory.word(offset) ^= 1U << bit;
      const bool meaningful = (offset == layout::flags && bit == 0) ||
                              (offset == layout::wake_protocol_word && bit < 2);
      const auto expected = meaningful ? status::ok : status::bad_layout;
      if (outcome != expected) FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
    }
  }
  *memory.word(layout::magic) = 0;
  CHECK(broadcast_ring<>::attach(memory.bytes(), tag).status() == status::not_ready);
}

TEST_CASE("impossible_options_and_spans_are_refused") {
  const guarded_span memory{4096};
  const auto format = [&](const broadcast_options& options) {
    return broadcast_ring<>::format(memory.bytes(), options).status();
  };
  for (const std::uint32_t capacity : {1U, 64U, 128U, 255U, 257U, 768U, 4096U, 0x8000'0000U}) {
    CHECK(format({.capacity = capacity}) == status::bad_layout);
  }
  CHECK(format({.start_position = 4}) == status::bad_layout);
  CHECK(format({.start_position = 1ULL << 63}) == status::bad_layout);
  CHECK(broadcast_ring<>::format(memory.bytes())->capacity() == 2048);
  CHECK(broadcast_ring<>::format(memory.bytes().first(512 + 255)).status() == status::bad_layout);
  CHECK(broadcast_ring<>::format(memory.bytes().first(512 + 255), {.capacity = 256}).status() ==
        status::bad_layout);
  CHECK(broadcast_ring<>::format(memory.bytes().first(512 + 256))->capacity() == 256);
  CHECK(broadcast_ring<>::format(memory.bytes().subspan(8)).status() == status::bad_layout);
  STATIC_REQUIRE(broadcast_ring<>::bytes_required(256) == 768);
}

TEST_CASE("the_role_exists_once_and_its_successor_goes_on_with_the_next_number") {
  for (const auto start : notable_starts) {
    const guarded_span memory{broadcast_ring<>::bytes_required(512)};
    auto ring = broadcast_ring<>::format(memory.bytes(), {.capacity = 512, .start_position = start})
                    .value();
    auto reader = ring.reader().value();
    account account;
    std::uint32_t number = 0;
    for (std::uint32_t shift = 0; shift < 300; ++shift) {
      auto writer = ring.writer().value();
      if (writer.number() != number) FAIL("successor at " << writer.number());
      if (ring.writer().status() != status::busy) FAIL("twice");
      for (auto more = shift % 5; more != 0; --more) {
        if (write(writer, number++) != status::ok) FAIL("write");
      }
      account.read_on(reader);
    }
    CHECK(account.next == number);
    CHECK(account.wrong == 0);
    CHECK(account.lost == 0);
    CHECK(ring.statistics().records == number);
  }
}

TEST_CASE("after_closing_the_rest_is_read_and_then_closed") {
  test_broadcast there{{.capacity = 1024}};
  auto reader = there.ring.reader<weir::park>().value();
  REQUIRE(write(there.writer, 0) == status::ok);
  there.writer.close();
  CHECK(write(there.writer, 1) == status::closed);
  CHECK(there.ring.closed());
  CHECK(reader.wait() == status::ok);
  account account;
  account.read_on(reader);
  CHECK(account.next == 1);
  CHECK(account.ended == status::closed);
  CHECK(reader.wait() == status::closed);
}

TEMPLATE_TEST_CASE("a_record_a_deadline_a_stop_and_a_close_end_a_wait", "", weir::spin,
                   weir::backoff, weir::park) {
  const weir::test::watchdog hang;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    test_broadcast there{{.capacity = 1024, .wake = protocol}};
    auto reader = there.ring.template reader<TestType>().value();
    buffer out;
    CHECK(reader.wait(std::chrono::steady_clock::now()) == status::timed_out);
    status outcome{};
    const auto wait_while = [&](auto&& other, const weir::stop_word* stop) {
      std::thread doing{other};
      outcome = reader.wait(weir::no_deadline, stop);
      doing.join();
    };
    wait_while([&] { static_cast<void>(write(there.writer, 0)); }, nullptr);
    CHECK(outcome == status::ok);
    CHECK(reader.read(out).outcome == status::ok);
    weir::stop_word stop;
    wait_while([&] { there.ring.request_stop(stop); }, &stop);
    CHECK(outcome == status::stopped);
    wait_while([&] { there.writer.close(); }, nullptr);
    CHECK(outcome == status::closed);
  }
}

TEST_CASE("a_reader_that_polls_looks_once_and_the_inline_mode_never_blocks") {
  test_broadcast polling{{.capacity = 256, .wake = wake_protocol::none}};
  CHECK(polling.ring.reader().value().wait() == status::empty);
  CHECK(polling.ring.reader<weir::park>().status() == status::unsupported);
  test_broadcast<weir::plain_memory> there{{.capacity = 256, .wake = wake_protocol::fenced}};
  auto reader = there.ring.reader<weir::park>().value();
  CHECK(reader.wait() == status::would_block);
  REQUIRE(write(there.writer, 0) == status::ok);
  CHECK(reader.wait() == status::ok);
  account account;
  account.read_on(reader);
  CHECK(account.next == 1);
}

TEST_CASE("with_a_doorbell_readers_sleep_there") {
  const weir::test::watchdog hang;
  const guarded_span bell_memory{weir::doorbell<>::bytes_required()};
  const auto bell = weir::doorbell<>::format(bell_memory.bytes()).value();
  const guarded_span memory{broadcast_ring<>::bytes_required(256)};
  auto ring = broadcast_ring<>::format(memory.bytes(), {}, bell).value();
  CHECK(broadcast_ring<>::attach(memory.bytes()).status() == status::bad_layout);
  auto writer = ring.writer().value();
  auto reader = ring.reader<weir::park>().value();
  status outcome{};
  std::thread sleeping{[&] { outcome = reader.wait(); }};
  const auto awaited = [&] {
    return weir::native_memory::load(bell.park_word(), std::memory_order_relaxed) & 1;
  };
  while (awaited() == 0) std::this_thread::yield();
  CHECK(write(writer, 0) == status::ok);
  sleeping.join();
  CHECK(outcome == status::ok);
}

TEST_CASE("any_bytes_lead_a_reader_and_a_successor_to_a_status_in_a_bounded_number_of_steps") {
  weir::test::seeded_random random{weir::test::fresh_seed("hostile broadcast")};
  std::uint32_t wrong = 0;
  std::array<std::uint32_t, 18> seen{};
  for (std::uint32_t round = 0; round < 20'000; ++round) {
    const auto start = 8 * std::uint64_t{random.below(1000)};
    test_broadcast<count_memory> there{{.capacity = 512, .start_position = start}};
    for (auto count = random.below(60); count != 0; --count) {
      static_cast<void>(write(there.writer, count));
    }
    auto reader = there.ring.reader().value();
    buffer out;
    for (std::uint32_t step = 0; step < 8; ++step) {
      const auto words = (static_cast<std::uint32_t>(there.memory.bytes().size()) - 512) / 4;
      for (auto changes = random.below(5); changes != 0; --changes) {
        auto* const word = random.once_in(3) ? there.memory.word(128 + 4 * random.below(6))
                                             : there.memory.word(512 + 4 * random.below(words));
        switch (random.below(5)) {
          case 0:
            *word = random.next();
            break;
          case 1:
            *word = weir::record::commit_word(random.below(600));
            break;
          case 2:
            *word = weir::record::padding_word(8 * random.below(65));
            break;
          case 3:
            *word += 8 * random.below(64) - 256;
            break;
          default:
            *word = 8 * random.below(300);
        }
      }
      const auto reading = count_memory::cost_of([&] {
        const auto done = reader.read(out);
        ++seen[static_cast<std::size_t>(done.outcome)];
        wrong += done.size <= 512 ? 0U : 1U;
      });
      wrong += reading.steps() <= 16 * 40 ? 0U : 1U;
      const auto writing =
          count_memory::cost_of([&] { static_cast<void>(write(there.writer, round)); });
      wrong += writing.steps() <= 200 ? 0U : 1U;
    }
    {
      const auto gone = std::move(there.writer);
    }
    const auto taking = count_memory::cost_of([&] {
      const auto outcome = there.ring.writer().status();
      wrong += outcome == status::ok || outcome == status::corrupt ? 0U : 1U;
    });
    wrong += taking.steps() <= 400 ? 0U : 1U;
    wrong += there.memory.intact() ? 0U : 1U;
  }
  CHECK(wrong == 0);
  CHECK(seen[static_cast<std::size_t>(status::corrupt)] != 0);
  CHECK(seen[static_cast<std::size_t>(status::ok)] != 0);
  CHECK(seen[static_cast<std::size_t>(status::torn)] != 0);
}

TEST_CASE("a_word_is_a_record_or_padding_that_lies_in_the_ring_or_it_is_damage") {
  weir::test::seeded_random random{weir::test::fresh_seed("judge")};
  weir::detail::header fields{};
  fields.capacity = 256;
  fields.max_record = 16;
  const guarded_span memory{broadcast_ring<>::bytes_required(256)};
  const weir::detail::broadcast_control<weir::native_memory> control{memory.bytes().data(), fields,
                                                                     nullptr};
  std::uint32_t good = 0;
  for (std::uint32_t round = 0; round < 2'000'000; ++round) {
    const std::int64_t offset = 8 * random.below(32);
    const std::int64_t length = 8 * random.below(33);
    const std::uint32_t padding = random.once_in(2) ? 0x8000'0000 : 0;
    const auto word =
        padding | (random.once_in(16) ? random.next() : random.below(300) & ~random.below(8));
    const std::int64_t size = word & 0x7FFF'FFF8;
    const std::int64_t payload = size - 16 - (word & 7);
    const bool inside = size <= 256 - offset && size <= length;
    const bool expected = (word >> 31) != 0
                              ? inside && offset != 0 && size == 256 - offset && (word & 7) == 0
                              : inside && payload >= 0 && payload <= 16;
    const auto position = (1ULL << 40) + static_cast<std::uint64_t>(offset);
    const auto end = position + static_cast<std::uint64_t>(length);
    if (control.judge(word, position, end) != expected) FAIL(word << " at " << offset);
    good += expected ? 1U : 0U;
  }
  CHECK(good > 1000);
}

TEST_CASE("damage_that_a_reader_has_seen_stays") {
  test_broadcast there{{.capacity = 256}};
  auto reader = there.ring.reader().value();
  REQUIRE(write(there.writer, 0) == status::ok);
  *there.memory.word(layout::broadcast::data) = 5;
  buffer out;
  CHECK(reader.read(out).outcome == status::corrupt);
  *there.memory.word(layout::broadcast::data) = weir::record::commit_word(8);
  CHECK(reader.read(out).outcome == status::corrupt);
  CHECK(reader.wait() == status::corrupt);
}

TEST_CASE("a_write_position_that_goes_back_is_damage") {
  test_broadcast there{{.capacity = 256}};
  auto reader = there.ring.reader().value();
  buffer out;
  REQUIRE(write(there.writer, 0) == status::ok);
  REQUIRE(reader.read(out).outcome == status::ok);
  *there.memory.word(layout::broadcast::write_position) = 0;
  CHECK(reader.read(out).outcome == status::corrupt);
}

TEST_CASE("a_position_inside_a_header_is_damage_even_if_what_stands_there_could_be_a_record") {
  test_broadcast there{{.capacity = 256}};
  auto reader = there.ring.reader().value();
  *there.memory.word(layout::broadcast::data + 4) = 16;  // nothing but its number
  *there.memory.word(layout::broadcast::overwrite_end) = 4;
  *there.memory.word(layout::broadcast::sync_position) = 4;
  *there.memory.word(layout::broadcast::write_position) = 24;
  buffer out;
  CHECK(reader.read(out).outcome == status::corrupt);
}

TEST_CASE("a_successor_follows_only_the_words_that_it_has_judged") {
  static const std::uint32_t* watched;
  static std::uint32_t looks;
  test_broadcast<adversary_memory> there{{.capacity = 256}};
  for (std::uint32_t number = 0; number < 3; ++number) {
    REQUIRE(write(there.writer, number) == status::ok);
  }
  {
    const auto gone = std::move(there.writer);
  }
  watched = there.memory.word(layout::broadcast::data);
  looks = 0;
  weir::test::lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    if (word != watched) return value;
    return ++looks == 1 ? value : 0x7FFF'FFF8;  // a record that ends far behind the newest one
  };
  auto successor = there.ring.writer();
  weir::test::lying_watch::lie = nullptr;
  CHECK(looks == 1);
  REQUIRE(successor);
  CHECK(successor->number() == 3);
}

TEST_CASE("writers_that_all_die_before_they_say_where_lapped_readers_go_on_have_successors") {
  const guarded_span memory{broadcast_ring<>::bytes_required(256)};
  auto ring = broadcast_ring<>::format(memory.bytes(), {.capacity = 256}).value();
  auto reader = ring.reader().value();
  auto* const sync = memory.word(layout::broadcast::sync_position);
  const std::array<std::byte, 16> record{};
  buffer out;
  for (std::uint64_t number = 0; number < 100; ++number) {
    auto writer = ring.writer();
    REQUIRE(writer);
    if (writer->number() != number) FAIL("number " << writer->number());
    const auto before = *sync;
    if (writer->write(record) != status::ok) FAIL("write");
    *sync = before;
    if (number % 20 != 19) continue;
    const auto told = reader.read(out);
    CHECK(told.outcome == status::lost);
    while (reader.read(out).outcome == status::ok) {
    }
    CHECK(reader.statistics().received + reader.statistics().lost == number + 1);
  }
}

TEST_CASE("a_header_that_agrees_with_itself_about_an_impossible_capacity_is_refused") {
  const guarded_span memory{4096};
  for (const std::uint32_t capacity : {0U, 64U, 128U, 192U, 256U, 384U, 512U, 768U}) {
    weir::detail::publish_header<weir::native_memory>(
        memory.bytes().data(), {.kind = static_cast<std::uint32_t>(layout::kind::broadcast),
                                .total_size = layout::broadcast::data + capacity,
                                .capacity = capacity,
                                .data_offset = layout::broadcast::data,
                                .alignment = 8,
                                .max_record = capacity / 8 - 16,
                                .wake_protocol = 2});
    const auto outcome = broadcast_ring<>::attach(memory.bytes()).status();
    const bool possible = capacity == 256 || capacity == 512;
    CAPTURE(capacity);
    CHECK(outcome == (possible ? status::ok : status::bad_layout));
  }
}

TEST_CASE("no_writer_goes_on_from_positions_that_no_ring_has_or_into_damage") {
  const guarded_span memory{broadcast_ring<>::bytes_required(256)};
  const auto ring =
      broadcast_ring<>::format(memory.bytes(), {.wake = weir::wake_protocol::fenced}).value();
  {
    auto writer = ring.writer().value();
    const std::array<std::byte, 8> payload{};
    for (int number = 0; number < 50; ++number) REQUIRE(writer.write(payload) == status::ok);
  }
  auto& position = *memory.word(layout::broadcast::write_position);
  auto& overwrite_end = *memory.word(layout::broadcast::overwrite_end);
  auto& sync = *memory.word(layout::broadcast::sync_position);
  auto& park = *memory.word(layout::broadcast::data_park);
  const auto refused_with = [&](std::uint32_t& word, std::uint32_t value) {
    const auto before = std::exchange(word, value);
    park = 1;
    const bool refused = ring.writer().status() == status::corrupt && park == 1;
    word = before;
    return refused;
  };
  for (auto* const word : {&position, &overwrite_end, &sync}) CHECK(refused_with(*word, *word + 4));
  for (auto* const word : {&overwrite_end, &sync}) {
    CHECK(refused_with(*word, position + 8));
    CHECK(refused_with(*word, position - 256 - 8));
  }
  for (const std::uint32_t damage : {0U, 7U, 0x8000'0008U, 0xFFFF'FFFFU}) {
    CHECK(refused_with(*memory.word(layout::broadcast::data + sync % 256), damage));
  }
  CHECK(ring.writer());
  CHECK(park != 1);
}

TEST_CASE("what_may_be_overwritten_is_given_up_before_and_no_more_than_a_lap_is_kept") {
  using weir::test::access_kind;
  using ring_type = broadcast_ring<weir::bytes, weir::test::script_memory>;
  const guarded_span memory{ring_type::bytes_required(256)};
  auto writer = ring_type::format(memory.bytes())->writer().value();
  const auto wide = [&](std::uint32_t offset) {
    return std::uint64_t{*memory.word(offset + 4)} << 32 | *memory.word(offset);
  };
  std::uint32_t wrong = 0;
  const weir::test::scripted watch{[&](const weir::test::access_event& now) {
    if (now.kind != access_kind::store) return;
    const auto end = wide(layout::broadcast::overwrite_end);
    const auto* const data = memory.word(layout::broadcast::data);
    const auto* const at = static_cast<const std::uint32_t*>(now.address);
    wrong += wide(layout::broadcast::sync_position) > wide(layout::broadcast::write_position);
    if (at < data || at >= data + 64) return;
    // The bytes of this word, in the last lap, were given up.
    const auto offset = static_cast<std::uint64_t>(at - data) * 4;
    const auto position = wide(layout::broadcast::write_position);
    auto here = position - position % 256 + offset;
    if (here < position) here += 256;
    wrong += here >= end + 256;
  }};
  const std::array<std::byte, 16> payload{};
  for (std::uint32_t number = 0; number < 300; ++number) {
    REQUIRE(writer.write(std::span{payload}.first(number * 7 % 17)) == status::ok);
    wrong += wide(layout::broadcast::write_position) - wide(layout::broadcast::overwrite_end) > 256;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a_writer_in_a_ring_of_ruins_writes_on") {
  const weir::test::watchdog hang;
  const guarded_span memory{broadcast_ring<>::bytes_required(256)};
  const auto ring = broadcast_ring<>::format(memory.bytes()).value();
  auto writer = ring.writer().value();
  const std::array<std::byte, 8> payload{};
  for (std::uint32_t number = 0; number < 100; ++number) {
    for (std::uint32_t at = 0; at < 256; at += 4) *memory.word(layout::broadcast::data + at) = 0;
    CHECK(writer.write(payload) == status::ok);
  }
  CHECK(memory.intact());
}

TEST_CASE("a_reader_goes_on_with_what_is_whole_and_never_back") {
  const guarded_span memory{broadcast_ring<>::bytes_required(256)};
  const auto ring = broadcast_ring<>::format(memory.bytes()).value();
  auto writer = ring.writer().value();
  auto reader = ring.reader().value();
  const std::array<std::byte, 8> payload{};
  std::array<std::byte, 8> out{};
  const auto write = [&] { REQUIRE(writer.write(payload) == status::ok); };
  auto& position = *memory.word(layout::broadcast::write_position);
  SECTION("positions that are forged for a while") {
    for (int number = 0; number < 3; ++number) {
      write();
      CHECK(reader.read(out).outcome == status::ok);
    }
    const auto before = std::exchange(position, position + 4096);
    CHECK(reader.read(out).outcome == status::torn);
    position = before;
    CHECK(reader.read(out).outcome == status::empty);
  }
  SECTION("a sync position that lies behind") {
    for (int number = 0; number < 50; ++number) write();
    *memory.word(layout::broadcast::sync_position) = 0;
    CHECK(reader.read(out).outcome == status::lost);
    CHECK(reader.read(out).outcome == status::ok);
  }
  SECTION("numbers that go back") {
    for (int number = 0; number < 3; ++number) {
      write();
      CHECK(reader.read(out).outcome == status::ok);
    }
    const auto at = layout::broadcast::data + position;
    write();
    *memory.word(at + 8) = 1;
    CHECK(reader.read(out).outcome == status::corrupt);
    CHECK(reader.read(out).outcome == status::corrupt);
  }
}
