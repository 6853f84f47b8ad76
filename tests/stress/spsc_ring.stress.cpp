// SPDX-License-Identifier: MIT
// Proved: in these runs, with both threads yielding and dawdling at random accesses, every record comes out
// once, in order, with its own bytes, and nothing outside the span is written; under the thread sanitizer
// also that every access to a record is ordered by the ring. Not provable by running, least of all on x86:
// that each memory order is needed, or that no execution at all goes wrong.
#include "stress/traffic.hpp"
#include "support/memories.hpp"
#include "support/scale.hpp"
#include "support/test_ring.hpp"
#include "support/watchdog.hpp"

#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <thread>

using weir::spsc_options;
using weir::status;
using weir::wait_for_space;
using weir::wake_protocol;
using weir::test::account;
using weir::test::byte_traffic;
using weir::test::chaos_memory;
using weir::test::fresh_seed;
using weir::test::scaled;
using weir::test::seeded_random;
using weir::test::test_ring;
using weir::test::typed_traffic;
using weir::test::watchdog;

namespace {

constexpr std::uint32_t endless = 0xFFFF'FFFF;
constexpr std::array every_protocol{wake_protocol::none, wake_protocol::at_flush,
                                    wake_protocol::fenced, wake_protocol::asymmetric};

/// The same run for both kinds of ring.
template <class Traffic, class Wait, class Memory>
struct setting {
  using traffic = Traffic;
  using wait = Wait;
  using memory = Memory;
  using ring = test_ring<typename Traffic::element, Memory>;
};

struct outcome {
  account written;
  account read;
  std::uint32_t late_wakes = 0;
  bool intact = false;

  /// Everything arrived, and the consumer saw the end.
  [[nodiscard]] auto whole(std::uint32_t count) const -> bool {
    return written == account{count, 0, status::ok} && read == account{count, 0, status::closed} &&
           late_wakes == 0 && intact;
  }
};

/// One producer thread, one consumer thread, `count` records.
template <class Setting>
auto run(const spsc_options& options, std::uint32_t count, std::uint64_t seed) -> outcome {
  using wait = typename Setting::wait;
  const typename Setting::ring there{options};
  const typename Setting::traffic traffic{there.ring.max_record()};
  outcome result;
  std::thread consuming{[&] {
    seeded_random random{seed + 1};
    auto consumer = there.ring.template consumer<wait>().value();
    weir::test::consume(traffic, consumer, endless, random, result.read);
  }};
  seeded_random random{seed};
  {
    auto producer = there.ring.producer(wait_for_space<wait>{}).value();
    weir::test::produce(traffic, producer, count, random, result.written);
    producer.close();
  }
  consuming.join();
  const auto [producer, consumer] = there.ring.statistics();
  // Where only a flush rings, a sleeper may well find a record before that.
  if (options.wake != wake_protocol::at_flush) {
    result.late_wakes = producer.late_wakes + consumer.late_wakes;
  }
  result.intact = there.memory.intact();
  return result;
}

/// Every wake protocol that the wait policy can live with, from every start.
template <class Setting>
void run_all(std::uint32_t capacity, std::uint32_t count, const char* what) {
  const watchdog hang;
  const auto seed = fresh_seed(what);
  for (const auto protocol : every_protocol) {
    if (Setting::wait::parks && protocol == wake_protocol::none) continue;
    for (const auto start : {0U, 0x8000'0000U - 2 * capacity, 0U - 2 * capacity}) {
      CAPTURE(static_cast<int>(protocol), start);
      const spsc_options options{.capacity = capacity, .wake = protocol, .start_position = start};
      const auto done = run<Setting>(options, count, seed + start);
      CAPTURE(done.written.next, done.written.wrong, done.read.next, done.read.wrong);
      CAPTURE(done.late_wakes, done.intact, name(done.read.ended));
      CHECK(done.whole(count));
    }
  }
}

template <class Wait, class Memory = chaos_memory>
using byte_setting = setting<byte_traffic, Wait, Memory>;
template <class Wait, class Memory = chaos_memory>
using typed_setting = setting<typed_traffic, Wait, Memory>;

}  // namespace

TEMPLATE_TEST_CASE("every_record_arrives_once_in_order_and_whole", "", weir::poll, weir::spin,
                   weir::backoff, weir::park) {
  run_all<byte_setting<TestType>>(1024, scaled(40'000), "bytes");
}

TEMPLATE_TEST_CASE("every_value_arrives_once_in_order_and_whole", "", weir::poll, weir::spin,
                   weir::backoff, weir::park) {
  run_all<typed_setting<TestType>>(16, scaled(40'000), "values");
}

TEMPLATE_TEST_CASE("the_smallest_rings_pass_everything_on", "", weir::backoff, weir::park) {
  run_all<byte_setting<TestType>>(64, scaled(8'000), "smallest byte ring");
  run_all<typed_setting<TestType>>(2, scaled(8'000), "smallest typed ring");
}

TEMPLATE_TEST_CASE("at_full_speed_everything_arrives_too", "", weir::spin, weir::park) {
  const watchdog hang;
  const auto seed = fresh_seed("full speed");
  // A thread that spins while the other one has no core makes no progress at all.
  const auto count = scaled(TestType::parks ? 1'000'000 : 200'000);
  const spsc_options bytes{.capacity = 65'536, .start_position = 0U - 65'536};
  const spsc_options values{.capacity = 4'096, .start_position = 0U - 65'536};
  using weir::native_memory;
  CHECK(run<byte_setting<TestType, native_memory>>(bytes, count / 4, seed).whole(count / 4));
  CHECK(run<typed_setting<TestType, native_memory>>(values, count, seed).whole(count));
}

namespace {

/// Each side lets go of its role after a while, and another thread takes it.
template <class Traffic>
void hand_over(const char* what) {
  const watchdog hang;
  const auto seed = fresh_seed(what);
  constexpr std::uint32_t shift = 50;
  const auto count = scaled(50'000) / shift * shift;
  const test_ring<typename Traffic::element, chaos_memory> there{
      {.capacity = 512, .start_position = 0U - 4096}};
  const Traffic traffic{there.ring.max_record()};
  account written;
  account read;
  std::uint32_t refused = 0;
  std::thread consuming{[&] {
    while (read.next != count) {
      std::thread{[&] {
        seeded_random random{seed ^ read.next};
        auto consumer = there.ring.template consumer<weir::park>();
        if (!consumer) ++refused;
        if (consumer)
          weir::test::consume(traffic, consumer.value(), read.next + shift, random, read);
      }}.join();
    }
  }};
  while (written.next != count) {
    std::thread{[&] {
      seeded_random random{seed + written.next};
      auto producer = there.ring.producer(wait_for_space<>{}).value();
      weir::test::produce(traffic, producer, written.next + shift, random, written);
    }}.join();
  }
  consuming.join();
  CHECK(refused == 0);
  CHECK(written == account{count, 0, status::ok});
  CHECK(read == account{count, 0, status::ok});
  CHECK(there.memory.intact());
}

}  // namespace

TEST_CASE("roles_go_from_thread_to_thread_while_the_other_side_goes_on") {
  hand_over<byte_traffic>("byte roles");
  hand_over<typed_traffic>("typed roles");
}

TEST_CASE("a_consumer_may_close_at_any_moment_and_the_producer_is_told") {
  const watchdog hang;
  seeded_random random{fresh_seed("closing")};
  for (std::uint32_t round = 0; round < scaled(2'000); ++round) {
    const test_ring<weir::bytes, chaos_memory> there{{.capacity = 256}};
    const byte_traffic traffic{there.ring.max_record()};
    const auto enough = random.below(60);
    account written;
    account read;
    std::thread consuming{[&] {
      seeded_random own{round};
      auto consumer = there.ring.consumer<weir::park>().value();
      weir::test::consume(traffic, consumer, enough, own, read);
      consumer.close();
    }};
    auto producer = there.ring.producer(wait_for_space<>{}).value();
    weir::test::produce(traffic, producer, endless, random, written);
    consuming.join();
    const bool right = written.ended == status::closed && written.wrong == 0 && read.wrong == 0 &&
                       read.next == enough && written.next >= enough && there.memory.intact();
    if (!right) FAIL("round " << round << ": " << name(written.ended));
  }
}
