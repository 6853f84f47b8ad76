// SPDX-License-Identifier: MIT
// Proved: in these runs, for every size from 1 to 72, no value that a read delivered was torn or older than
// one delivered before, whatever the writer did meanwhile, and however it was killed. Not provable by
// running, least of all on x86: that each memory order is needed, or that no execution goes wrong.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/latest.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

using weir::latest_options;
using weir::status;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::shared_progress;

namespace {

constexpr std::uint32_t most = 72;

/// A value that says what each of its bytes must be: the first word, as much of it as there is, is the
/// number; every other byte follows from that, and differs from that of the neighboring numbers.
void make_value(std::span<std::byte> value, std::uint32_t number) noexcept {
  std::memcpy(value.data(), &number, value.size() < 4 ? value.size() : 4);
  for (std::size_t at = 4; at < value.size(); ++at) {
    value[at] = static_cast<std::byte>((number + at) * 167 + (number >> 8) * 13);
  }
}

/// The number of a value that is whole; of less than 4 bytes its low bits. Of 1 to 3 bytes there is at
/// most one word, which cannot be torn; what can go wrong there is the tail.
[[nodiscard]] auto is_whole(std::span<const std::byte> value, std::uint32_t& number) noexcept
    -> bool {
  number = 0;
  std::memcpy(&number, value.data(), value.size() < 4 ? value.size() : 4);
  std::array<std::byte, most> expected;
  make_value(std::span{expected}.first(value.size()), number);
  return std::memcmp(expected.data(), value.data(), value.size()) == 0;
}

struct tally {
  std::uint64_t reads = 0;
  std::uint64_t torn = 0;       ///< calls that said so
  std::uint64_t retries = 0;    ///< copies that the writer spoiled
  std::uint32_t wrong = 0;      ///< values delivered that were none
  std::uint32_t backwards = 0;  ///< values delivered that were older than one before
};

/// Reads `count` values. Numbers of 4 bytes must not go down.
template <class Reader>
void read_values(Reader& reader, std::uint32_t size, std::uint32_t count, tally& tally) noexcept {
  std::array<std::byte, most> out;
  std::uint32_t last = 0;
  std::uint64_t version = 0;
  while (tally.reads < count) {
    const auto outcome = reader.read(std::span{out}.first(size));
    if (outcome == status::torn) ++tally.torn;
    if (outcome != status::ok) {
      weir::native_memory::yield();
      continue;
    }
    ++tally.reads;
    std::uint32_t number = 0;
    if (!is_whole(std::span{out}.first(size), number)) ++tally.wrong;
    if (size >= 4 && static_cast<std::int32_t>(number - last) < 0) ++tally.backwards;
    if (tally.reads != 1 && ((reader.version() - version) & 0x4000'0000) != 0) ++tally.backwards;
    last = number;
    version = reader.version();
  }
  tally.retries = reader.statistics().retries;
}

/// One writer that never rests, and `readers` threads.
template <class Memory>
auto run(const latest_options& options, std::uint32_t readers, std::uint32_t count) -> tally {
  using type = weir::latest<weir::bytes, Memory>;
  const guarded_span memory{type::bytes_required(options)};
  const auto value = type::format(memory.bytes(), options).value();
  std::atomic<bool> enough{false};
  std::thread writing{[&] {
    auto writer = value.writer().value();
    std::array<std::byte, most> bytes;
    for (std::uint32_t number = 1; !enough.load(); ++number) {
      make_value(std::span{bytes}.first(options.size), number);
      static_cast<void>(writer.write(std::span{bytes}.first(options.size)));
    }
  }};
  std::vector<tally> tallies(readers);
  std::vector<std::thread> reading;
  for (auto& tally : tallies) {
    reading.emplace_back([&] {
      auto reader = value.reader().value();
      read_values(reader, options.size, count / readers, tally);
    });
  }
  for (auto& thread : reading) thread.join();
  enough.store(true);
  writing.join();
  tally sum;
  for (const auto& each : tallies) {
    sum.reads += each.reads;
    sum.torn += each.torn;
    sum.retries += each.retries;
    sum.wrong += each.wrong;
    sum.backwards += each.backwards;
  }
  sum.wrong += memory.intact() ? 0U : 1U;
  return sum;
}

}  // namespace

TEST_CASE("no_value_that_a_read_delivers_is_torn_whatever_its_size") {
  const weir::test::watchdog hang;
  weir::test::chaos_watch::seed = weir::test::fresh_seed("latest sizes");
  tally sum;
  for (std::uint32_t size = 1; size <= most; ++size) {
    for (const std::uint32_t buffers : {2U, 4U}) {
      const latest_options options{.size = size,
                                   .buffers = buffers,
                                   .wide_version = size % 2 == 0,
                                   .start_version = (1ULL << 31) - 1000};
      const auto readers = 1 + size % 2;
      // At full speed, and with a writer that gives its core away in the middle of values.
      const auto done = buffers == 2 ? run<chaos_memory>(options, readers, scaled(70'000))
                                     : run<weir::native_memory>(options, readers, scaled(70'000));
      if (done.wrong + done.backwards != 0) {
        FAIL("size " << size << ": " << done.wrong << " torn, " << done.backwards << " backwards");
      }
      sum.reads += done.reads;
      sum.torn += done.torn;
      sum.retries += done.retries;
    }
  }
  WARN(sum.reads << " reads, " << sum.retries << " copies spoiled, " << sum.torn
                 << " calls gave up");
  CHECK(sum.retries != 0);
  CHECK(sum.reads >= scaled(10'000'000));
}

TEST_CASE("no_value_is_torn_however_the_two_sides_dawdle") {
  const weir::test::watchdog hang;
  weir::test::chaos_watch::seed = weir::test::fresh_seed("latest");
  for (const std::uint32_t size : {3U, 4U, 13U, 40U, 71U}) {
    for (const std::uint32_t buffers : {1U, 2U, 3U}) {
      for (const bool wide : {false, true}) {
        const latest_options options{.size = size, .buffers = buffers, .wide_version = wide};
        const auto done = run<chaos_memory>(options, 2, scaled(10'000));
        CAPTURE(size, buffers, done.torn);
        CHECK(done.wrong == 0);
        CHECK(done.backwards == 0);
      }
    }
  }
}

TEST_CASE("a_reader_that_sleeps_sees_the_last_value_of_every_burst") {
  const weir::test::watchdog hang;
  weir::test::chaos_watch::seed = weir::test::fresh_seed("latest sleepers");
  for (const auto protocol : {weir::wake_protocol::fenced, weir::wake_protocol::asymmetric}) {
    using type = weir::latest<std::uint32_t, chaos_memory>;
    const latest_options options{.wake = protocol, .start_version = (1ULL << 31) - 100};
    const guarded_span memory{type::bytes_required(options)};
    const auto value = type::format(memory.bytes(), options).value();
    // Whoever lost a wake-up would sleep until the watchdog: each value is written only once the one
    // before has been seen by both readers.
    std::array<std::atomic<std::uint32_t>, 2> seen{};
    const auto count = scaled(3'000);
    std::array<std::thread, 2> reading;
    for (std::size_t index = 0; index < 2; ++index) {
      reading[index] = std::thread{[&, index] {
        auto reader = value.reader<weir::park>().value();
        while (reader.wait() == status::ok) {
          if (auto news = reader.try_read_new()) seen[index].store(*news);
        }
      }};
    }
    auto writer = value.writer().value();
    for (std::uint32_t number = 1; number <= count; ++number) {
      static_cast<void>(writer.write(number));
      while (seen[0].load() != number || seen[1].load() != number) std::this_thread::yield();
    }
    writer.close();
    for (auto& thread : reading) thread.join();
    CHECK(seen[0].load() == count);
    CHECK(seen[1].load() == count);
  }
}

TEST_CASE("writers_that_are_killed_at_any_moment_leave_the_last_whole_value") {
  const weir::test::watchdog hang;
  weir::test::seeded_random random{weir::test::fresh_seed("killed writers")};
  for (const std::uint32_t buffers : {1U, 2U, 3U}) {
    using type = weir::latest<weir::bytes, weir::native_memory>;
    constexpr std::uint32_t size = 4000;
    const latest_options options{.size = size, .buffers = buffers, .process_shared = true};
    const guarded_span memory{type::bytes_required(options)};
    const auto value = type::format(memory.bytes(), options).value();
    auto reader = value.reader().value();
    std::vector<std::uint32_t> out(size / 4);
    std::uint32_t newest = 0;
    std::uint32_t torn = 0;
    for (std::uint32_t round = 0; round < scaled(300); ++round) {
      shared_progress progress;  // 0: certainly written
      progress.set(0, newest);
      child_process child{[&] {
        auto writer = value.writer().value();
        std::vector<std::uint32_t> words(size / 4);
        for (auto number = newest + 1;; ++number) {
          for (auto& word : words) word = number;
          static_cast<void>(writer.write(std::as_bytes(std::span{words})));
          progress.set(0, number);
        }
        return 0;
      }};
      while (progress.get(0) - newest <= random.below(20)) weir::native_memory::yield();
      for (auto hints = random.below(2000); hints != 0; --hints) weir::native_memory::pause();
      child.kill_and_reap();
      const auto written = progress.get(0);
      const auto outcome = reader.read(std::as_writable_bytes(std::span{out}));
      bool right = buffers == 1 && outcome == status::torn;
      if (right) ++torn;
      if (outcome == status::ok) {
        right = out[0] == written || out[0] == written + 1;
        for (const auto word : out) right = right && word == out[0];
      }
      if (!right) FAIL("round " << round << ": " << name(outcome) << " " << out[0]);
      newest = written + 1;
    }
    CAPTURE(buffers, torn);
    CHECK((buffers == 1 || torn == 0));
    CHECK(memory.intact());
  }
}
