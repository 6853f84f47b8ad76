// SPDX-License-Identifier: MIT
/// Several producers, one consumer. How long a message takes when all of them write as fast as they can;
/// and, without a consumer beside them, what two producers cost each other and what is left to read.
#include "baselines/atomic_queue.hpp"
#include "baselines/boost_queue.hpp"
#include "baselines/concurrentqueue.hpp"
#include "baselines/tbb_queue.hpp"
#include "message.hpp"
#include "weir_mpsc_queues.hpp"
#include "workload.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <sched.h>

namespace {

using bench::message;

constexpr std::uint64_t messages_per_run = 120'000;

/// Messages that a queue has room for: fewer than a run has, so that producers must wait for the consumer;
/// or all of them, so that nobody ever finds it full, as in a queue without a bound.
constexpr std::uint32_t some = 32'768;
constexpr std::uint32_t all = 131'072;

/// Of the two producers of a fill, and the room for them.
constexpr std::uint64_t messages_per_fill = 60'000;
constexpr std::uint32_t fill_room = 65'536;

/// What a thread does between two looks: a spin hint, and where it shares its core, its turn to another
/// thread after some of them. Real-time threads that only spin would wait for each other for ever.
class patience {
 public:
  explicit patience(bool crowded) : crowded_{crowded} {}
  void lose() {
    bench::with_pause::idle();
    if (!crowded_ || ++lost_ < 200) return;
    sched_yield();
    lost_ = 0;
  }
  void win() { lost_ = 0; }

 private:
  bool crowded_;
  std::uint32_t lost_ = 0;
};

template <class Queue>
void produce(Queue& queue, std::uint64_t first, std::uint64_t count, patience idle) {
  auto writer = queue.make_writer();
  const auto end = first + count;
  for (auto next = first; next != end;) {
    const auto written = writer.write(next, end);
    if (written == 0) {
      idle.lose();
    } else {
      idle.win();
      next += written;
    }
  }
}

/// Returns  the sum of all words.
template <class Queue>
auto consume(Queue& queue, std::uint64_t count, patience idle) -> std::uint64_t {
  auto reader = queue.make_reader();
  std::uint64_t sum = 0;
  std::uint64_t received = 0;
  while (received < count) {
    const auto read = reader.read([&](const auto& from) { sum += bench::sum_of(from); });
    if (read == 0) {
      idle.lose();
    } else {
      idle.win();
      received += read;
    }
  }
  bench::require(received == count, "number of messages");
  return sum;
}

/// Hands messages from `producers` threads to one. The first producer has a core of its own while there
/// is but one; the second shares the consumer's core, the third the first one's, and so on.
/// Returns  ns per message.
template <class Queue, std::size_t Words>
auto pass_messages(bench::context& with, std::uint32_t room, std::uint32_t producers) -> double {
  const auto share = with.operations(messages_per_run) / producers;
  const patience idle{producers > 1 || with.pair.cores()[0] == with.pair.cores()[1]};
  Queue queue{room, producers};
  std::vector<bench::helper> others;
  for (std::uint32_t i = 1; i < producers; ++i) {
    others.push_back({static_cast<int>(i % 2), [&, i] { produce(queue, i * share, share, idle); }});
  }
  std::uint64_t sum = 0;
  const auto elapsed =
      with.pair.run([&] { produce(queue, 0, share, idle); },
                    [&] { sum = consume(queue, share * producers, idle); }, others);
  bench::require(sum == bench::sum_of_records(share * producers, Words), "sum of the messages");
  return elapsed / static_cast<double>(share * producers);
}

enum class part { fill, drain };

/// Two producers, each on its core, write everything at the same time while nobody reads; then one of
/// the threads reads it all.
/// Returns  ns per message of the part that is asked for.
template <class Queue, std::size_t Words>
auto fill_and_drain(bench::context& with, part wanted) -> double {
  const auto share = with.operations(messages_per_fill) / 2;
  const patience idle{with.pair.cores()[0] == with.pair.cores()[1]};
  Queue queue{fill_room, 2};
  std::atomic<int> full{0};
  bench::clock::time_point begin[2];
  bench::clock::time_point end[2];
  const auto fill = [&](int side) {
    begin[side] = bench::clock::now();
    produce(queue, static_cast<std::uint64_t>(side) * share, share, idle);
    end[side] = bench::clock::now();
    ++full;
  };
  std::uint64_t sum = 0;
  double drained = 0;
  with.pair.run([&] { fill(0); },
                [&] {
                  fill(1);
                  for (auto wait = idle; full.load() != 2;) wait.lose();
                  const auto start = bench::clock::now();
                  sum = consume(queue, 2 * share, idle);
                  drained = bench::nanoseconds(bench::clock::now() - start);
                });
  bench::require(sum == bench::sum_of_records(2 * share, Words), "sum of the messages");
  const auto filled = bench::nanoseconds(std::max(end[0], end[1]) - std::min(begin[0], begin[1]));
  return (wanted == part::fill ? filled : drained) / static_cast<double>(2 * share);
}

/// A queue without a bound: it may allocate room for everything up front, whatever the others have.
template <class Queue>
struct growing : Queue {
  growing(std::uint32_t, std::uint32_t producers) : Queue{all, producers} {}
};

/// `add(name, queue)` for every queue; a queue is passed as a std::type_identity.
/// Most: messages per producer in a queue that has one bound for each of them; the others have them in all.
template <std::size_t Words, std::size_t Most, class Add>
void for_each_queue(Add add) {
  using sent = message<Words>;
  add("weir mpsc, try_read", std::type_identity<bench::weir_mpsc_single<sent>>{});
  add("weir mpsc, drain", std::type_identity<bench::weir_mpsc_drain<sent>>{});
  add("weir mpsc batch 16, drain", std::type_identity<bench::weir_mpsc_batch<sent>>{});
  add("weir mpsc recoverable, drain", std::type_identity<bench::weir_mpsc_recoverable<sent>>{});
  add("weir mpsc bytes, drain", std::type_identity<bench::weir_mpsc_bytes_drain<sent>>{});
  add("weir mpsc bytes batch 16, drain", std::type_identity<bench::weir_mpsc_bytes_batch<sent>>{});
  add("weir mpsc bytes recoverable, drain",
      std::type_identity<bench::weir_mpsc_bytes_recoverable<sent>>{});
  add("weir lanes, drain", std::type_identity<bench::weir_lanes_single<sent>>{});
  add("weir lanes batch 16, drain", std::type_identity<bench::weir_lanes_batch<sent>>{});
  using bench::concurrentqueue;
  using bench::concurrentqueue_bulk;
  add("ConcurrentQueue", std::type_identity<concurrentqueue<sent, Most>>{});
  add("ConcurrentQueue bulk 16", std::type_identity<concurrentqueue_bulk<sent, Most>>{});
  add("atomic_queue", std::type_identity<bench::atomic_queue<sent>>{});
  add("oneTBB concurrent_bounded_queue", std::type_identity<bench::tbb_queue<sent>>{});
  add("Boost queue", std::type_identity<bench::boost_queue<sent>>{});
}

/// The same for what does not fit the comparison with equal room, and is only shown.
template <std::size_t Words, class Add>
void for_each_growing_queue(Add add) {
  using sent = message<Words>;
  using bench::unbounded;
  add("ConcurrentQueue unbounded",
      std::type_identity<growing<bench::concurrentqueue<sent, unbounded>>>{});
  add("ConcurrentQueue unbounded, bulk 16",
      std::type_identity<growing<bench::concurrentqueue_bulk<sent, unbounded>>>{});
}

using names = std::vector<std::string>;

/// A ratio of the rows of one group. Without a bound it is only shown.
void add_ratio(bench::suite& suite, const std::string& group, const std::string& what,
               const names& ones, const names& others, std::optional<double> least = {},
               std::optional<double> most = {}) {
  auto text = what + ", " + group.substr(group.find(": ") + 2);
  if (least) text += ": at least " + std::to_string(*least).substr(0, 3);
  if (most) text += ": at most " + std::to_string(*most).substr(0, 3);
  suite.add({.text = text,
             .group = group,
             .ones = ones,
             .others = others,
             .at_least = least,
             .at_most = most});
}

/// `must_lead`: the sentences about other queues are claims.
void add_ratios_to_peers(bench::suite& suite, const std::string& group, bool must_lead) {
  const auto least = must_lead ? std::optional{1.0} : std::nullopt;
  const auto most = must_lead ? std::optional{1.4} : std::nullopt;
  const names singles{"ConcurrentQueue", "atomic_queue", "oneTBB concurrent_bounded_queue",
                      "Boost queue"};
  add_ratio(suite, group, "best peer / mpsc try_read", singles, {"weir mpsc, try_read"}, least);
  add_ratio(suite, group, "best peer / mpsc drain", singles, {"weir mpsc, drain"}, least);
  add_ratio(suite, group, "lanes / ConcurrentQueue bulk",
            {"weir lanes, drain", "weir lanes batch 16, drain"}, {"ConcurrentQueue bulk 16"}, {},
            most);
}

/// How many times faster batches of 16 values are to be than one by one.
template <std::size_t Words>
constexpr double batch_gain = Words == 1 ? 3.0 : 1.8;

/// `least`: for the batches of the typed ring; those of the byte ring are shown.
void add_ratios_of_its_own(bench::suite& suite, const std::string& group,
                           std::optional<double> least) {
  for (const std::string ring : {"mpsc", "mpsc bytes"}) {
    add_ratio(suite, group, ring + " one by one / batches of 16", {"weir " + ring + ", drain"},
              {"weir " + ring + " batch 16, drain"}, ring == "mpsc" ? least : std::nullopt);
    add_ratio(suite, group, ring + " recoverable / not", {"weir " + ring + " recoverable, drain"},
              {"weir " + ring + ", drain"});
  }
}

template <std::size_t Words>
auto group_name(const std::string& what) -> std::string {
  return "many producers: " + what + ", " + std::to_string(8 * Words) + " B";
}

/// For `for_each_queue`: adds the case that `measure<Queue>(with)` is.
template <class Measure>
auto adding(bench::suite& suite, const std::string& group, Measure measure) {
  suite.describe(group, "ns per message");
  return [&suite, group, measure]<class Queue>(const std::string& name, std::type_identity<Queue>) {
    suite.add(group, name, [measure](bench::context& with) -> std::vector<double> {
      return { measure.template operator()<Queue>(with) };
    });
  };
}

template <std::size_t Words, std::uint32_t Producers, std::uint32_t Room>
void add_streams(bench::suite& suite) {
  constexpr bool for_all = Room >= messages_per_run;
  const auto group = group_name<Words>(std::to_string(Producers)) + ", room for " +
                     (for_all ? "all" : std::to_string(Room));
  const auto add = adding(suite, group, []<class Queue>(bench::context& with) {
    return pass_messages<Queue, Words>(with, Room, Producers);
  });
  for_each_queue<Words, Room / (for_all ? 1 : Producers)>(add);
  add_ratios_to_peers(suite, group, true);
  if constexpr (!for_all) {
    for_each_growing_queue<Words>(add);
    add_ratio(suite, group, "unbounded ConcurrentQueue / mpsc drain", {"ConcurrentQueue unbounded"},
              {"weir mpsc, drain"});
    add_ratio(suite, group, "lanes / unbounded ConcurrentQueue bulk",
              {"weir lanes, drain", "weir lanes batch 16, drain"},
              {"ConcurrentQueue unbounded, bulk 16"});
  }
  const bool claimed = Producers == 1 && !for_all;
  add_ratios_of_its_own(suite, group, claimed ? std::optional{batch_gain<Words>} : std::nullopt);
}

template <std::size_t Words>
void add_fill(bench::suite& suite) {
  const auto fill = group_name<Words>("fill by 2");
  for_each_queue<Words, fill_room / 2>(adding(suite, fill, []<class Queue>(bench::context& with) {
    return fill_and_drain<Queue, Words>(with, part::fill);
  }));
  const auto drain = group_name<Words>("drain after it");
  for_each_queue<Words, fill_room / 2>(adding(suite, drain, []<class Queue>(bench::context& with) {
    return fill_and_drain<Queue, Words>(with, part::drain);
  }));
  add_ratios_to_peers(suite, fill, false);
  add_ratios_of_its_own(suite, fill, batch_gain<Words>);
}

template <std::size_t Words>
void add_groups(bench::suite& suite) {
  add_streams<Words, 1, some>(suite);
  add_streams<Words, 2, some>(suite);
  add_streams<Words, 4, some>(suite);
  add_streams<Words, 1, all>(suite);
  add_streams<Words, 2, all>(suite);
  add_streams<Words, 4, all>(suite);
  add_fill<Words>(suite);
}

const bench::registration cases{[](bench::suite& suite) {
  add_groups<1>(suite);
  add_groups<8>(suite);
}};

}  // namespace
