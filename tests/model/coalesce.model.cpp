// SPDX-License-Identifier: MIT
// The newest value of each key (coalesce.hpp).
//
// Proved, for every execution within the bounds: no value is torn, an older one never follows a newer one, the
// last one before a pause is always shown, asleep too; what was written before an update is seen by whoever is
// shown it; bytes that were shown stay until their key is shown again; whoever dies at any step has a
// successor that misses no newest value.
// Bounds: one or two keys, up to four updates, one death of either side.
#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/coalesce.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace {

using namespace weir;
using namespace weir::model;

using word = std::uint32_t;
/// Two words that are alike: a torn value is seen, a race on them too.
using value_type = std::array<word, 2>;
using lane_type = coalesce<value_type, model_memory>;

auto make_lane(run& run, wake_protocol wake, word keys, bool process_shared = false) -> lane_type {
  return lane_type::format(run.bytes(lane_type::bytes_required(keys)),
                           {.keys = keys, .wake = wake, .process_shared = process_shared})
      .value();
}

auto set(auto& producer, word key, word value) -> status {
  return producer.update(key, value_type{value, value});
}

/// What was shown: whole, never older than what was shown before.
struct shown {
  run& one;
  std::array<word, 2> newest{};
  word values = 0;

  void add(const coalesced<value_type>& news) {
    one.check(news.value[0] == news.value[1], "a value is whole");
    one.check(news.value[0] > newest[news.key], "a newer one than before");
    newest[news.key] = news.value[0];
    ++values;
  }
  auto drain(auto& consumer) -> drained {
    return consumer.drain([this](const coalesced<value_type>& news) { add(news); });
  }
};

/// A burst of updates against drains: the last update is shown in the end.
void burst(run& run, word keys, word updates, wake_protocol wake) {
  const auto lane = make_lane(run, wake, keys);
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer().value(); });
  shown news{run};
  run.thread("producer", [&] {
    for (word value = 1; value <= updates; ++value) {
      for (word key = 0; key < keys; ++key) {
        run.check(set(producer, key, value) == status::ok, "never full");
      }
    }
  });
  run.thread("consumer", [&] {
    const auto done = [&] { return news.newest[0] == updates && news.newest[keys - 1] == updates; };
    while (!done()) {
      if (news.drain(consumer).records == 0) model_memory::pause();
    }
    run.check(news.drain(consumer).records == 0, "nothing is shown twice");
  });
  static_cast<void>(run.go());
}
void burst_of_two(run& run) { burst(run, 1, 2, wake_protocol::none); }
void burst_of_three(run& run) { burst(run, 1, 3, wake_protocol::none); }
void burst_of_keys(run& run) { burst(run, 2, 2, wake_protocol::none); }

/// The consumer sleeps in between.
void burst_asleep(run& run, wake_protocol wake) {
  const auto lane = make_lane(run, wake, 1);
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer<park_now>().value(); });
  shown news{run};
  run.thread("producer", [&] {
    for (word value = 1; value <= 2; ++value) static_cast<void>(set(producer, 0, value));
    if (wake == wake_protocol::at_flush) producer.flush();
  });
  run.thread("consumer", [&] {
    while (news.newest[0] != 2) {
      run.check(consumer.wait() == status::ok, "a wait ends with news");
      static_cast<void>(news.drain(consumer));
    }
  });
  static_cast<void>(run.go());
}
void asleep_fenced(run& run) { burst_asleep(run, wake_protocol::fenced); }
void asleep_asymmetric(run& run) { burst_asleep(run, wake_protocol::asymmetric); }
void asleep_at_flush(run& run) { burst_asleep(run, wake_protocol::at_flush); }

/// What the producer wrote elsewhere before an update is there for whoever is shown it.
void beside_a_ring(run& run) {
  const auto lane = make_lane(run, wake_protocol::none, 1);
  auto& other = run.object<word>();
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer().value(); });
  static_cast<void>(run.as(1, [&] { return set(producer, 0, 1); }));
  run.thread("producer", [&] {
    const word before = 5;
    model_memory::copy_in(&other, &before, sizeof before);
    static_cast<void>(set(producer, 0, 2));
  });
  run.thread("consumer", [&] {
    static_cast<void>(consumer.drain([&](const coalesced<value_type>& news) {
      if (news.value[0] != 2) return;
      word seen = 0;
      model_memory::copy_out(&seen, &other, sizeof seen);
      run.check(seen == 5, "what preceded the update is there");
    }));
  });
  static_cast<void>(run.go());
}

/// The bytes of a key stay what they are until it is shown again, also while another key is.
void bytes_stay(run& run) {
  using bytes_lane = coalesce<bytes, model_memory, uncounted>;
  const auto lane = bytes_lane::format(run.bytes(bytes_lane::bytes_required(2, sizeof(word))),
                                       {.keys = 2, .max_value = 4, .wake = wake_protocol::none})
                        .value();
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer().value(); });
  const auto put = [&](word key, word value) {
    run.check(producer.update(key, std::as_bytes(std::span{&value, 1})) == status::ok,
              "never full");
  };
  std::span<const std::byte> second;
  const auto look = [&](const coalesced<bytes>& news) {
    word kept = 1;
    if (!second.empty()) model_memory::copy_out(&kept, second.data(), sizeof kept);
    run.check(kept == 1, "what was shown before stays");
    second = news.key == 1 ? news.value : second;
  };
  for (word value = 1; value <= 2; ++value) {
    run.as(1, [&] { put(0, value), put(1, value); });
    if (value == 1) run.as(2, [&] { static_cast<void>(consumer.drain(look)); });
  }
  run.thread("producer", [&] {
    for (word value = 3; value <= 4; ++value) put(1, value);
  });
  run.thread("consumer", [&] {
    static_cast<void>(consumer.drain([&](const coalesced<bytes>& news) {
      if (news.key == 0) look(news);
    }));
  });
  static_cast<void>(run.go());
}

/// An update before the close is shown before `closed` is said.
void closed(run& run, wake_protocol wake) {
  const auto lane = make_lane(run, wake, 1);
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer<park_now>().value(); });
  shown news{run};
  run.thread("producer", [&] {
    static_cast<void>(set(producer, 0, 1));
    producer.close();
    run.check(set(producer, 0, 2) == status::closed, "and no more after the end");
  });
  run.thread("consumer", [&] {
    while (consumer.wait() == status::ok) static_cast<void>(news.drain(consumer));
    run.check(news.newest[0] == 1, "what preceded the end is shown");
  });
  static_cast<void>(run.go());
}
void closed_fenced(run& run) { closed(run, wake_protocol::fenced); }
void closed_asymmetric(run& run) { closed(run, wake_protocol::asymmetric); }

/// The producer dies at any step of its updates: its successor's updates arrive, and nothing is lost that
/// it had published.
void producer_dies(run& run) {
  const auto lane = make_lane(run, wake_protocol::none, 1, true);
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer().value(); });
  shown news{run};
  word published = 0;
  run.thread("producer", [&] {
    for (word value = 1; value <= 2; ++value) {
      if (set(producer, 0, value) == status::ok) published = value;
    }
  });
  run.thread("consumer", [&] {
    for (int i = 0; i < 2; ++i) static_cast<void>(news.drain(consumer));
  });
  if (!run.go()) return;
  if (run.was_killed(1)) {
    auto heir = lane.producer();
    run.check(static_cast<bool>(heir), "a dead producer's role can be taken");
    if (!heir) return;
    static_cast<void>(news.drain(consumer));
    run.check(news.newest[0] >= published, "what it published is shown");
    run.check(set(*heir, 0, 9) == status::ok, "and its successor goes on");
  }
  static_cast<void>(news.drain(consumer));
  run.check(news.newest[0] == (run.was_killed(1) ? 9U : 2U), "the last one is shown");
}

/// The consumer dies at any step: its successor is shown the newest value, perhaps again.
void consumer_dies(run& run) {
  const auto lane = make_lane(run, wake_protocol::none, 1, true);
  auto producer = run.as(1, [&] { return lane.producer().value(); });
  auto consumer = run.as(2, [&] { return lane.consumer().value(); });
  shown news{run};
  run.thread("producer", [&] {
    for (word value = 1; value <= 2; ++value) {
      run.check(set(producer, 0, value) == status::ok, "never full");
    }
  });
  run.thread("consumer", [&] {
    auto mine = std::move(consumer);
    for (int i = 0; i < 2; ++i) static_cast<void>(news.drain(mine));
  });
  if (!run.go()) return;
  auto heir = lane.consumer();
  run.check(static_cast<bool>(heir), "the role can be taken");
  if (!heir) return;
  shown again{run};
  static_cast<void>(again.drain(*heir));
  run.check(news.newest[0] == 2 || again.newest[0] == 2, "the newest is shown by one of them");
  run.check(run.was_killed(2) || again.values == 0 || again.newest[0] > news.newest[0],
            "whoever leaves has shown what it took");
  run.check(set(producer, 0, 3) == status::ok, "the producer goes on");
  static_cast<void>(again.drain(*heir));
  run.check(again.newest[0] == 3, "and is seen");
}

constexpr bounds few{.preemptions = 4};
constexpr bounds fewest{.preemptions = 2};
constexpr bounds first_dies{.preemptions = 4, .kills = 1, .killable = 1U << 1};
constexpr bounds second_dies{.preemptions = 2, .kills = 1, .killable = 1U << 2};

constexpr scenario scenarios[] = {
    {"coalesce: the last of two updates is shown", burst_of_two},
    {"coalesce: the last of three updates is shown", burst_of_three, few},
    {"coalesce: the last update of each of two keys is shown", burst_of_keys, fewest},
    {"coalesce: the last update is shown asleep, fenced", asleep_fenced, few},
    {"coalesce: the last update is shown asleep, asymmetric", asleep_asymmetric, few},
    {"coalesce: the last update is shown asleep, at flush", asleep_at_flush, few},
    {"coalesce: what preceded an update is there for whoever is shown it", beside_a_ring},
    {"coalesce: the bytes of a key stay until it is shown again", bytes_stay},
    {"coalesce: an update before a close is shown, fenced", closed_fenced, few},
    {"coalesce: an update before a close is shown, asymmetric", closed_asymmetric, few},
    {"coalesce: a dead producer's successor loses nothing", producer_dies, first_dies},
    {"coalesce: a dead consumer's successor is shown the newest", consumer_dies, second_dies},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
