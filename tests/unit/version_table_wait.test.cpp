// SPDX-License-Identifier: MIT
// Proved: whatever access of a sleeper a publication falls before, and whatever access of a publication a
// sleeper announces itself before, nobody is left asleep; in the given number of handshakes between dawdling
// threads likewise. Not provable by running: that no execution on weak memory loses a wake-up.
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/doorbell.hpp>
#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

using weir::native_memory;
using weir::status;
using weir::version_table;
using weir::version_table_options;
using weir::wake_protocol;
using weir::test::access_kind;
using weir::test::guarded_span;
using weir::test::scaled;

namespace {

/// Runs a script before one chosen access of this thread: the first of a kind, and so many after it.
struct script_watch {
  static inline thread_local std::function<void()> script;
  static inline thread_local access_kind first = access_kind::load;
  static inline thread_local std::uint32_t left = 0;  ///< accesses to go, once the first has come
  static inline thread_local bool started = false;
  static inline thread_local std::uint32_t wakes = 0;

  static void arm(access_kind kind, std::uint32_t after, std::function<void()> what) {
    script = std::move(what);
    first = kind;
    left = after;
    started = false;
    wakes = 0;
  }
  static void before(access_kind what, const void*) noexcept {
    if (what == access_kind::wake) ++wakes;
    if (!script) return;
    started = started || what == first;
    if (!started || left-- != 0) return;
    const auto run = std::move(script);
    script = nullptr;
    run();
  }
  static auto loaded(const void*, auto value) noexcept { return value; }
};
/// A sleep that ends by time is one that nobody ended.
struct script_memory : weir::test::watched_memory<script_watch> {
  static inline thread_local std::uint32_t overslept = 0;

  static auto wait(const std::uint32_t* word, std::uint32_t expected, weir::deadline until) noexcept
      -> weir::wait_result {
    const auto result = watched_memory::wait(word, expected, until);
    overslept += result == weir::wait_result::timed_out ? 1U : 0U;
    return result;
  }
};
static_assert(weir::memory_policy<script_memory>);

template <class Memory = native_memory>
struct table_of {
  guarded_span memory;
  version_table<Memory> table;
  std::vector<std::uint32_t> seen;
  std::uint32_t plain =
      0;  ///< what the last slot stands for: not a word that may be shared without order

  explicit table_of(const version_table_options& options, const weir::doorbell<Memory>& bell = {})
      : memory{version_table<Memory>::bytes_required(options)},
        table{version_table<Memory>::format(memory.bytes(), options, bell).value()},
        seen(version_table<Memory>::seen_words(options.slots)) {}
};

auto soon() -> weir::deadline { return native_memory::now() + std::chrono::milliseconds{2}; }

}  // namespace

TEMPLATE_TEST_CASE("a_wait_ends_by_its_time_or_its_stop_word", "", weir::spin, weir::backoff,
                   weir::park) {
  const weir::test::watchdog watchdog;
  for (const std::uint32_t slots : {3U, 300U}) {
    table_of<> there{{.slots = slots}};
    auto reader = there.table.template reader<TestType>(there.seen).value();
    reader.mark_all_seen();
    CHECK(reader.wait_any(soon()) == status::timed_out);
    CHECK(reader.wait(2, 0, soon()) == status::timed_out);
    CHECK(reader.wait_all(2, soon()) == status::timed_out);

    weir::stop_word stop;
    std::array<status, 3> outcome{};
    std::array<std::thread, 3> waiting;
    std::array<std::vector<std::uint32_t>, 3> seen;
    for (std::size_t index = 0; index < 3; ++index) {
      seen[index].resize(there.seen.size());
      waiting[index] = std::thread{[&, index] {
        auto mine = there.table.template reader<TestType>(seen[index]).value();
        mine.mark_all_seen();
        outcome[index] = index == 0   ? mine.wait_any(weir::no_deadline, &stop)
                         : index == 1 ? mine.wait(slots - 1, 0, weir::no_deadline, &stop)
                                      : mine.wait_all(2, weir::no_deadline, &stop);
      }};
    }
    there.table.request_stop(stop);
    for (auto& thread : waiting) thread.join();
    CHECK(outcome[1] == status::stopped);
    CHECK(outcome[2] == status::stopped);
    // A stop that finds a sleeper moves the root on, for another sleeper to look.
    CHECK((outcome[0] == status::stopped || outcome[0] == status::ok));
  }
}

TEST_CASE("poll_looks_once_and_the_inline_mode_never_blocks") {
  table_of<> there{{.slots = 300}};
  auto reader = there.table.reader(there.seen).value();
  CHECK(reader.wait_any() == status::ok);
  reader.mark_all_seen();
  CHECK(reader.wait_any() == status::empty);
  CHECK(reader.wait(0, 0) == status::empty);
  CHECK(reader.wait_all(2) == status::empty);

  table_of<weir::plain_memory> plain{{.slots = 300}};
  auto parking = plain.table.reader<weir::park>(plain.seen).value();
  parking.mark_all_seen();
  CHECK(parking.wait_any() == status::would_block);
  CHECK(parking.wait(0, 0) == status::would_block);
  CHECK(parking.wait_all(2) == status::would_block);
  plain.table.slot(0)->publish();
  CHECK(parking.wait_any() == status::ok);
  CHECK(parking.wait(0, 0) == status::ok);
}

TEST_CASE("where_nobody_may_sleep_nobody_is_woken") {
  using counted_table = version_table<weir::test::count_memory>;
  const version_table_options options{.slots = 3, .wake = wake_protocol::none};
  const guarded_span memory{counted_table::bytes_required(options)};
  const auto table = counted_table::format(memory.bytes(), options).value();
  std::vector<std::uint32_t> seen(counted_table::seen_words(3));
  CHECK(table.reader<weir::park>(seen).status() == status::unsupported);
  CHECK(table.reader<weir::spin>(seen));
  CHECK(table.wait([] { return status::ok; }) == status::unsupported);
  CHECK(table.wait<weir::spin>([] { return status::ok; }) == status::ok);
  *memory.word(weir::layout::version_table::root) |= 1;  // what a peer must not do
  const auto cost = weir::test::count_memory::cost_of([&] { table.slot(0)->publish(); });
  CHECK(cost.modifies == 2);
  CHECK(cost.wakes == 0);
  weir::stop_word stop;
  const auto stopping = weir::test::count_memory::cost_of([&] { table.request_stop(stop); });
  CHECK(stop.requested());
  CHECK(stopping.modifies + stopping.fences + stopping.wakes == 0);
}

TEST_CASE("a_publication_rings_no_doorbell_at_which_nobody_may_sleep") {
  using counted_bell = weir::doorbell<weir::test::count_memory>;
  using counted_table = version_table<weir::test::count_memory>;
  const guarded_span bell_memory{counted_bell::bytes_required()};
  const auto bell =
      counted_bell::format(bell_memory.bytes(), {.wake = wake_protocol::none}).value();
  const guarded_span memory{counted_table::bytes_required({.slots = 3})};
  const auto table = counted_table::format(memory.bytes(), {.slots = 3}, bell).value();
  *bell.park_word() |= 1;
  const auto cost = weir::test::count_memory::cost_of([&] { table.slot(0)->publish(); });
  CHECK(cost.fences + cost.wakes == 0);
  CHECK(table.version(0) == 2);
}

TEST_CASE("a_wait_without_a_peer_to_ask_after_goes_on_until_its_deadline") {
  const weir::test::watchdog watchdog;
  const table_of<> there{{.slots = 3}};
  const auto until =
      native_memory::now() + weir::park::longest_sleep + std::chrono::milliseconds{50};
  CHECK(there.table.wait([] { return status::empty; }, until) == status::timed_out);
  CHECK(native_memory::now() >= until);
}

TEST_CASE("a_publication_before_any_step_of_a_sleeper_ends_its_wait") {
  const weir::test::watchdog watchdog;
  constexpr std::uint32_t steps = 4;  // the announcement, its fence, the second look, the sleep
  for (const std::uint32_t slots : {4U, 300U}) {
    for (std::uint32_t after = 0; after < steps; ++after) {
      for (const auto what : {0, 1, 2}) {
        table_of<script_memory> there{{.slots = slots, .start_counter = 0xFFFF'FFFE}};
        const auto native = version_table<>::attach(there.memory.bytes()).value();
        auto reader = there.table.reader<weir::park>(there.seen).value();
        reader.mark_all_seen();
        std::vector<std::uint32_t> targets(slots, 0);
        targets[slots - 1] = 2;
        script_memory::overslept = 0;
        script_watch::arm(access_kind::modify, after, [&] { native.slot(slots - 1)->publish(); });
        const auto outcome = what == 0   ? reader.wait_any()
                             : what == 1 ? reader.wait(slots - 1, 0)
                                         : reader.wait_all(targets);
        if (outcome != status::ok || script_memory::overslept != 0 || script_watch::script) {
          FAIL(slots << " slots, wait " << what << ", access " << after);
        }
        CHECK(reader.statistics().waits == (after == steps - 1 ? 1U : 0U));
      }
    }
  }
}

TEST_CASE("a_sleeper_that_announces_itself_before_any_step_of_a_publication_is_awake_after_it") {
  for (const std::uint32_t slots : {4U, 300U, 100'000U}) {
    for (const bool on_root : {false, true}) {
      std::uint32_t asleep = 0;
      for (std::uint32_t after = 0;; ++after) {
        table_of<script_memory> there{{.slots = slots}};
        const auto native = version_table<>::attach(there.memory.bytes()).value();
        std::vector<std::uint32_t> seen(there.seen.size());
        auto reader = native.reader<weir::park>(seen).value();
        reader.mark_all_seen();
        const std::uint32_t lowest = slots == 300 ? 9U : 98U + 3124U;
        auto* const root = there.memory.word(weir::layout::version_table::root);
        auto* const counter =
            on_root || slots <= 128
                ? root
                : there.memory.word(weir::layout::version_table::counters + 4 * lowest);
        weir::detail::park_bell<native_memory> bell{counter, wake_protocol::fenced, false};
        std::uint32_t ticket = 0;
        bool saw = false;
        bool announced = false;
        std::uint32_t wakes_before = 0;
        script_watch::arm(access_kind::modify, after, [&] {
          ticket = bell.announce();
          saw = on_root ? reader.has_news() : native.version(slots - 1) != 0;
          wakes_before = script_watch::wakes;
          announced = true;
        });
        there.table.slot(slots - 1)->publish();
        script_watch::script = nullptr;
        if (!announced) break;
        // It sleeps if it saw nothing: then the word has left its ticket, and somebody has been woken since.
        if (!saw && (bell.unchanged(ticket) || script_watch::wakes == wakes_before)) ++asleep;
        if (after > 30) FAIL("the script never ends");
      }
      CHECK(asleep == 0);
    }
  }
}

TEST_CASE("a_table_with_a_doorbell_wakes_those_who_sleep_there") {
  const weir::test::watchdog watchdog;
  for (const auto protocol : {wake_protocol::fenced, wake_protocol::asymmetric}) {
    const guarded_span memory{weir::doorbell<>::bytes_required()};
    const auto bell = weir::doorbell<>::format(memory.bytes(), {.wake = protocol}).value();
    table_of<> first{{.slots = 200}, bell};
    table_of<> second{{.slots = 5}, bell};
    auto one = first.table.reader<weir::park>(first.seen).value();
    auto other = second.table.reader<weir::park>(second.seen).value();
    one.mark_all_seen();
    other.mark_all_seen();
    constexpr std::uint32_t rounds = scaled(2000);
    std::uint32_t announced = 0;  // published by the thread, acknowledged by `answer`
    table_of<> answer{{.slots = 1}};
    std::thread publishing{[&] {
      std::vector<std::uint32_t> words(answer.seen.size());
      auto answers = answer.table.reader<weir::park>(words).value();
      for (std::uint32_t round = 0; round < rounds; ++round) {
        const auto& to = round % 2 == 0 ? first.table : second.table;
        to.slot(round % 5)->publish();
        announced += answers.wait(0, 2 * round) == status::ok ? 1U : 0U;
      }
    }};
    std::uint32_t wrong = 0;
    for (std::uint32_t round = 0; round < rounds; ++round) {
      wrong += bell.wait([&] {
        return one.has_news() || other.has_news() ? status::ok : status::empty;
      }) == status::ok
                   ? 0U
                   : 1U;
      const auto found = one.changed([](auto, auto) {}) + other.changed([](auto, auto) {});
      wrong += found == 1 ? 0U : 1U;
      answer.table.slot(0)->publish();
    }
    publishing.join();
    CHECK(wrong == 0);
    CHECK(announced == rounds);

    // wait_any() sleeps on the bell, wait() on the table's own counter.
    std::thread later{[&] { first.table.slot(3)->publish(); }};
    CHECK(one.wait_any() == status::ok);
    later.join();
    const auto before = first.table.version(4);
    std::thread again{[&] { first.table.slot(4)->publish(); }};
    CHECK(one.wait(4, before) == status::ok);
    again.join();
    weir::stop_word stop;
    CHECK(one.changed([](auto, auto) {}) == 2);
    std::thread stopping{[&] { first.table.request_stop(stop); }};
    CHECK(one.wait_any(weir::no_deadline, &stop) == status::stopped);
    stopping.join();
  }
}

namespace {

constexpr std::uint32_t rounds = scaled(12'000);

/// One of two threads that answer each other: a publication, a wait, by the same slot of two tables.
class player {
 public:
  player(table_of<>& out, table_of<>& in, bool any, std::uint64_t seed)
      : slot_{out.table.slot(out.table.slots() - 1).value()},
        reader_{in.table.reader<weir::park>(in.seen).value()},
        out_value_{out.plain},
        in_value_{in.plain},
        in_{in.table},
        number_{in.table.slots() - 1},
        last_{in.table.version(number_)},
        any_{any},
        random_{seed} {
    reader_.mark_all_seen();
  }

  void play(bool first) {
    for (std::uint32_t round = 0; round < rounds && lost == 0; ++round) {
      if (!first) receive(round + 1);
      dawdle();
      out_value_ = round + 1;
      slot_.publish();
      if (first) receive(round + 1);
    }
    lost += reader_.statistics().late_wakes;
  }

  std::uint32_t lost = 0;  ///< waits that nobody ended, or that ended too early

 private:
  void dawdle() {
    for (auto hints = random_.once_in(4) ? random_.below(3000) : 0; hints != 0; --hints) {
      native_memory::pause();
    }
  }
  void receive(std::uint32_t value) {
    dawdle();
    const auto until = native_memory::now() + std::chrono::seconds{60};
    auto outcome = status::ok;
    if (any_) {
      do {
        outcome = reader_.wait_any(until);
      } while (outcome == status::ok && reader_.changed([](auto, auto) {}) == 0);
    } else {
      outcome = reader_.wait(number_, last_, until);
    }
    last_ += 2;
    lost += outcome == status::ok && in_value_ == value ? 0U : 1U;
    lost += in_.version(number_) == last_ ? 0U : 1U;
  }

  weir::version_slot<> slot_;
  weir::version_reader<native_memory, weir::park> reader_;
  std::uint32_t& out_value_;
  const std::uint32_t& in_value_;
  version_table<> in_;
  std::uint32_t number_;
  std::uint32_t last_;
  bool any_;
  weir::test::seeded_random random_;
};

/// Returns  waits that went wrong.
auto lost_in_ping_pong(std::uint32_t slots, bool any) -> std::uint32_t {
  const auto seed = weir::test::fresh_seed("version table handshakes");
  table_of<> there{{.slots = slots, .start_counter = 0x8000'0000 - rounds}};
  table_of<> back{{.slots = slots, .start_version = 0xFFFF'FFFE - rounds}};
  player one{there, back, any, seed};
  player other{back, there, any, seed + 1};
  std::thread answering{[&] { other.play(false); }};
  one.play(true);
  answering.join();
  return one.lost + other.lost;
}

}  // namespace

TEST_CASE("no_wake_up_is_lost_between_two_threads_that_answer_each_other") {
  const weir::test::watchdog watchdog;
  for (const std::uint32_t slots : {4U, 5000U}) {
    CHECK(lost_in_ping_pong(slots, true) == 0);
    CHECK(lost_in_ping_pong(slots, false) == 0);
  }
}

TEST_CASE("an_announcement_is_answered_once") {
  const guarded_span memory{version_table<>::bytes_required({.slots = 3})};
  const auto table = version_table<>::format(memory.bytes(), {.slots = 3}).value();
  auto slot = table.slot(1).value();
  *memory.word(weir::layout::version_table::root) |= weir::detail::park_waiting;
  for (int publications = 0; publications < 3; ++publications) {
    slot.publish();
    CHECK(table.statistics().wakes == 1);
  }
  CHECK(*memory.word(weir::layout::version_table::root) == 3 * 2);
}

TEST_CASE("a_publication_wakes_in_a_bounded_number_of_steps_whatever_the_counter_does") {
  using weir::test::script_memory;
  const guarded_span memory{version_table<>::bytes_required({.slots = 3})};
  const auto table = version_table<script_memory>::format(memory.bytes(), {.slots = 3}).value();
  auto slot = table.slot(1).value();
  auto* const root = memory.word(weir::layout::version_table::root);
  *root |= weir::detail::park_waiting;
  std::uint32_t steps = 0;
  {
    const weir::test::scripted restless{[&](const weir::test::access_event& now) {
      if (!now.is(access_kind::modify, root) || ++steps > 1000) return;
      *root += 2;
    }};
    slot.publish();
  }
  CHECK(steps <= 1 + weir::detail::ring_attempts);
  CHECK(table.statistics().wakes == 1);
}
