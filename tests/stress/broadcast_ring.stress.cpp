// SPDX-License-Identifier: MIT
// Proved: in these runs, with readers that keep up, readers that are lapped and readers that join late, in
// threads and in processes, every record that a read delivered was whole and the next one of those that it
// had not been told of as lost; at the end, received and lost add up to written. Not provable by running,
// least of all on x86: that each memory order is needed, or that no execution goes wrong.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/broadcast_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <thread>

using weir::broadcast_options;
using weir::from;
using weir::status;
using weir::wake_protocol;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;
using weir::test::pattern_size;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::shared_progress;

namespace {

/// Types below those that are reserved.
constexpr std::uint32_t type_limit = 0x7FFF'FFFF;

template <class Writer>
[[nodiscard]] auto write(Writer& writer, std::uint64_t number) noexcept -> bool {
  std::array<std::byte, 8192> bytes;
  const auto low = static_cast<std::uint32_t>(number);
  const auto record = std::span{bytes}.first(pattern_size(low, writer.max_record()));
  fill_pattern(record, low);
  return writer.number() == number && writer.write(record, low & type_limit) == status::ok;
}

/// What one reader saw; asserted on by the main thread.
struct account {
  std::uint64_t received = 0;
  std::uint64_t lost = 0;
  std::uint64_t next = 0;
  std::uint32_t torn = 0;
  std::uint32_t wrong = 0;
  status ended = status::ok;
};

/// Reads until something ends the waiting, or record `end` would be next. `dawdle`: pauses once in so many
/// records; 0: never.
template <class Reader>
void read_on(Reader& reader, std::uint64_t end, std::uint32_t dawdle, seeded_random& random,
             account& account) noexcept {
  std::array<std::byte, 8192> out;
  while (account.next < end) {
    account.ended = reader.wait();
    if (account.ended == status::empty) weir::native_memory::yield();
    if (account.ended == status::empty) continue;
    if (account.ended != status::ok) return;
    if (dawdle != 0 && random.once_in(dawdle)) {
      for (auto hints = random.below(20'000); hints != 0; --hints) weir::native_memory::pause();
      weir::native_memory::yield();
    }
    const auto done = reader.read(out);
    if (done.outcome == status::lost) {
      account.lost += done.lost;
      account.next += done.lost;
      account.wrong += done.number == account.next && done.lost != 0 ? 0U : 1U;
    } else if (done.outcome == status::ok) {
      const auto low = static_cast<std::uint32_t>(account.next);
      const bool right = done.number == account.next && done.type == (low & type_limit) &&
                         done.size == pattern_size(low, reader.max_record()) &&
                         has_pattern(std::span{out}.first(done.size), low);
      account.wrong += right ? 0U : 1U;
      ++account.received;
      ++account.next;
    } else if (done.outcome == status::torn) {
      ++account.torn;
    } else if (done.outcome != status::empty && done.outcome != status::closed) {
      ++account.wrong;
      account.ended = done.outcome;
      return;
    }
  }
  account.ended = status::ok;
}

constexpr std::uint64_t endless = ~std::uint64_t{0};
constexpr std::array<std::uint32_t, 3> paces{0, 64, 4};

[[nodiscard]] auto complete(const account& account, std::uint64_t written) -> bool {
  return account.wrong == 0 && account.next == written && account.ended == status::closed &&
         account.received + account.lost == written;
}

/// One writer, one reader for each pace. The writer rests once in `rest` records.
template <class Memory, class Wait>
void run(const broadcast_options& options, std::uint32_t count, std::uint32_t rest,
         std::uint64_t seed) {
  using type = weir::broadcast_ring<weir::bytes, Memory>;
  const guarded_span memory{type::bytes_required(options.capacity)};
  const auto ring = type::format(memory.bytes(), options).value();
  std::array<account, paces.size()> accounts;
  std::array<std::thread, paces.size()> reading;
  for (std::size_t index = 0; index < paces.size(); ++index) {
    auto reader = ring.template reader<Wait>().value();
    reading[index] = std::thread{[&accounts, index, seed, reader]() mutable {
      seeded_random random{seed + index};
      read_on(reader, endless, paces[index], random, accounts[index]);
    }};
  }
  auto writer = ring.writer().value();
  seeded_random random{seed};
  std::uint32_t failed = 0;
  for (std::uint64_t number = 0; number < count; ++number) {
    failed += write(writer, number) ? 0U : 1U;
    if (random.once_in(rest)) weir::native_memory::yield();
  }
  writer.close();
  for (auto& thread : reading) thread.join();
  CHECK(failed == 0);
  for (const auto& account : accounts) {
    CAPTURE(account.received, account.lost, account.torn, account.wrong, account.next, count);
    CHECK(complete(account, count));
  }
  CHECK(memory.intact());
}

}  // namespace

TEMPLATE_TEST_CASE("received_and_lost_add_up_to_written_for_every_reader", "", weir::poll,
                   weir::backoff, weir::park) {
  const weir::test::watchdog hang;
  const auto seed = weir::test::fresh_seed("broadcast");
  weir::test::chaos_watch::seed = seed;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    for (const std::uint32_t capacity : {256U, 4096U}) {
      for (const std::uint64_t start : {(1ULL << 32) - 800, (9ULL << 32) + 8 * 7777}) {
        CAPTURE(static_cast<int>(protocol), capacity, start);
        const broadcast_options options{
            .capacity = capacity, .wake = protocol, .start_position = start};
        run<chaos_memory, TestType>(options, scaled(20'000), 8, seed + start);
      }
    }
  }
}

TEST_CASE("at_full_speed_nothing_torn_is_delivered_either") {
  const weir::test::watchdog hang;
  const auto seed = weir::test::fresh_seed("full speed");
  for (const std::uint32_t capacity : {256U, 65'536U}) {
    const broadcast_options options{.capacity = capacity, .start_position = (1ULL << 32) - 65'536};
    run<weir::native_memory, weir::backoff>(options, scaled(400'000), 1000, seed);
  }
}

TEST_CASE("who_joins_late_sees_an_unbroken_rest") {
  const weir::test::watchdog hang;
  weir::test::chaos_watch::seed = weir::test::fresh_seed("late joiners");
  using type = weir::broadcast_ring<weir::bytes, chaos_memory>;
  const guarded_span memory{type::bytes_required(1024)};
  const auto ring = type::format(memory.bytes(), {.capacity = 1024}).value();
  const auto count = scaled(100'000);
  std::uint32_t failed = 0;
  std::thread writing{[&] {
    auto writer = ring.writer().value();
    for (std::uint64_t number = 0; number < count; ++number)
      failed += write(writer, number) ? 0U : 1U;
    writer.close();
  }};
  std::uint32_t wrong = 0;
  std::uint32_t joined = 0;
  std::array<std::byte, 1024> out;
  for (bool open = true; open; ++joined) {
    auto reader = ring.reader(joined % 2 == 0 ? from::oldest : from::newest).value();
    // The number of the first record is anybody's guess; from there on there is no gap untold.
    std::uint64_t next = 0;
    bool known = false;
    for (std::uint32_t more = 0; more < 20 && open; ++more) {
      const auto done = reader.read(out);
      if (done.outcome == status::closed) open = false;
      if (done.outcome == status::lost) {
        if (known && done.number != next + done.lost) ++wrong;
        next = done.number;
        known = true;
      }
      if (done.outcome != status::ok) continue;
      const auto low = static_cast<std::uint32_t>(done.number);
      const bool right = (!known || done.number == next) &&
                         done.size == pattern_size(low, ring.max_record()) &&
                         has_pattern(std::span{out}.first(done.size), low);
      wrong += right ? 0U : 1U;
      next = done.number + 1;
      known = true;
    }
  }
  writing.join();
  CHECK(failed == 0);
  CHECK(wrong == 0);
  CHECK(joined > 1);
  CHECK(memory.intact());
}

TEST_CASE("readers_in_other_processes_account_for_every_record_too") {
  const weir::test::watchdog hang;
  const auto seed = weir::test::fresh_seed("broadcast to processes");
  using type = weir::broadcast_ring<weir::bytes, chaos_memory>;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    const auto count = scaled(30'000);
    const guarded_span memory{type::bytes_required(2048)};
    const auto ring =
        type::format(memory.bytes(), {.capacity = 2048, .wake = protocol, .process_shared = true})
            .value();
    shared_progress progress;
    const auto body = [&](std::uint32_t index) {
      weir::test::chaos_watch::seed = seed + index;
      seeded_random random{seed + index};
      auto reader = ring.reader<weir::park>().value();
      progress.set(index, 1);
      account account;
      read_on(reader, endless, paces[index], random, account);
      return complete(account, count) ? 0 : 1;
    };
    child_process first{[&] { return body(0); }};
    child_process second{[&] { return body(1); }};
    child_process third{[&] { return body(2); }};
    auto writer = ring.writer().value();
    for (std::uint32_t index = 0; index < 3; ++index) progress.await(index, 1);
    std::uint32_t failed = 0;
    for (std::uint64_t number = 0; number < count; ++number)
      failed += write(writer, number) ? 0U : 1U;
    writer.close();
    CHECK(failed == 0);
    CHECK(first.wait() == 0);
    CHECK(second.wait() == 0);
    CHECK(third.wait() == 0);
    CHECK(memory.intact());
  }
}

TEST_CASE("writers_that_are_killed_at_any_moment_lose_nothing_that_they_published") {
  const weir::test::watchdog hang;
  const auto seed = weir::test::fresh_seed("killed broadcasters");
  weir::test::chaos_watch::seed = seed;
  seeded_random random{seed};
  using type = weir::broadcast_ring<weir::bytes, chaos_memory>;
  const guarded_span memory{type::bytes_required(1024)};
  const auto ring =
      type::format(memory.bytes(), {.capacity = 1024, .process_shared = true}).value();
  auto reader = ring.reader<weir::poll>().value();
  account account;
  for (std::uint32_t round = 0; round < scaled(300); ++round) {
    shared_progress progress;  // 0: records certainly published, after all rounds
    progress.set(0, static_cast<std::uint32_t>(account.next));
    child_process child{[&] {
      auto taken = ring.writer();
      if (!taken) return 1;
      for (auto number = taken.value().number();; ++number) {
        if (!write(taken.value(), number)) return 1;
        progress.set(0, static_cast<std::uint32_t>(number + 1));
      }
      return 0;
    }};
    const auto enough = account.next + 1 + random.below(60);
    while (progress.get(0) < enough) {
      read_on(reader, account.next + 1, 0, random, account);
      if (account.wrong != 0) FAIL("round " << round);
    }
    child.kill_and_reap();
    const auto published = progress.get(0);
    // All that is left. A record that was not published is not there.
    auto ended = status::ok;
    while (ended != status::empty) {
      ended = reader.wait();
      if (ended == status::ok) read_on(reader, account.next + 1, 0, random, account);
    }
    const bool right = account.wrong == 0 && account.next >= published &&
                       account.next <= published + 1 &&
                       account.received + account.lost == account.next;
    if (!right) FAIL("round " << round << ": read up to " << account.next << " of " << published);
  }
  CHECK(memory.intact());
}
