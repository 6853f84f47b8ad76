// SPDX-License-Identifier: MIT
/// A table of versions: what it costs to find the few of many that have changed, against looking at all of
/// them; how long a sleeper takes to be awake, with few slots and with many; what a publication costs.
#include "workload.hpp"

#include <weir/version_table.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::uint32_t few = 4;
constexpr std::uint32_t some = 1'000;
constexpr std::uint32_t many = 100'000;
constexpr std::uint32_t changed_slots = 10;

using memory = weir::native_memory;

/// A table in memory of its own, with a reader that has seen everything.
template <class Wait = weir::poll>
class watched_table {
  using table_type = weir::version_table<>;

 public:
  explicit watched_table(std::uint32_t slots)
      : lines_(table_type::bytes_required({.slots = slots}) / sizeof(line) + 1),
        seen_(table_type::seen_words(slots)),
        table{table_type::format(std::as_writable_bytes(std::span{lines_}), {.slots = slots})
                  .value()},
        reader{table.reader<Wait>(seen_).value()} {
    reader.mark_all_seen();
  }

 private:
  struct alignas(weir::cache_line) line {
    std::byte bytes[weir::cache_line];
  };
  std::vector<line> lines_;
  std::vector<std::uint32_t> seen_;

 public:
  table_type table;
  weir::version_reader<memory, Wait> reader;
};

/// The peer: nothing but a word for each slot, and what was seen of it.
class bare_words {
 public:
  explicit bare_words(std::uint32_t slots) : words_(slots), seen_(slots) {}

  void publish(std::uint32_t slot) {
    memory::fetch_add(&words_[slot], 2, std::memory_order_release);
  }
  template <class Found>
  auto changed(Found&& found) -> std::uint32_t {
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot < words_.size(); ++slot) {
      const auto version = memory::load(&words_[slot], std::memory_order_acquire);
      if (version == seen_[slot]) continue;
      seen_[slot] = version;
      ++count;
      found(slot, version);
    }
    return count;
  }

 private:
  std::vector<std::uint32_t> words_;
  std::vector<std::uint32_t> seen_;
};

/// Publishes `news` slots, far apart from each other, and looks for them; over and over.
/// Returns  ns per look.
template <class Publish, class Changed>
auto look_for(bench::context& with, std::uint32_t slots, std::uint32_t news, Publish publish,
              Changed changed) -> double {
  const auto looks = static_cast<std::uint32_t>(with.operations(1'000));
  double spent = 0;
  with.pair.run(
      [&] {
        for (std::uint32_t look = 0; look < looks; ++look) {
          std::uint64_t expected = 0;
          for (std::uint32_t index = 0; index < news; ++index) {
            const auto slot = (look * 7 + index * (slots / news)) % slots;
            publish(slot);
            expected += slot;
          }
          std::uint64_t sum = 0;
          const auto begin = bench::clock::now();
          const auto count = changed([&](std::uint32_t slot, std::uint32_t) { sum += slot; });
          spent += bench::nanoseconds(bench::clock::now() - begin);
          bench::require(count == news && sum == expected, "slots found");
        }
      },
      [] {});
  return spent / looks;
}

void add_looks(bench::suite& suite, std::uint32_t slots, std::uint32_t news) {
  const auto group = "versions: find " + std::to_string(news) + " of " + std::to_string(slots);
  suite.describe(group, "ns per look");
  suite.add(group, "a look at every version", [=](bench::context& with) -> std::vector<double> {
    bare_words all{slots};
    return {look_for(
        with, slots, news, [&](std::uint32_t slot) { all.publish(slot); },
        [&](auto found) { return all.changed(found); })};
  });
  suite.add(group, "changed()", [=](bench::context& with) -> std::vector<double> {
    watched_table<> there{slots};
    return {look_for(
        with, slots, news, [&](std::uint32_t slot) { there.table.slot(slot)->publish(); },
        [&](auto found) { return there.reader.changed(found); })};
  });
  bench::claim sentence{.text = "versions: every version / changed(), " + std::to_string(news) +
                                " of " + std::to_string(slots) + " changed",
                        .group = group,
                        .ones = {"a look at every version"},
                        .others = {"changed()"}};
  if (slots == many && news == changed_slots) {
    sentence.text += ": at least 20";
    sentence.at_least = 20;
  }
  suite.add(sentence);
}

/// Longer than a park spins before it sleeps.
constexpr std::chrono::microseconds long_enough_to_sleep{400};
constexpr std::uint64_t wakes_per_run = 60;

/// Two threads that wake each other through a table each; the one that starts a round trip lets the other
/// fall asleep first. Returns  microseconds there and back.
auto wake_through_tables(bench::context& with, std::uint32_t slots) -> std::vector<double> {
  const auto count = static_cast<std::uint32_t>(with.operations(wakes_per_run));
  watched_table<weir::park> there{slots};
  watched_table<weir::park> back{slots};
  const auto receive = [](auto& reader) {
    std::uint32_t found = 0;
    while (found == 0) {
      [[maybe_unused]] const auto outcome = reader.wait_any();
      found = reader.changed([](std::uint32_t, std::uint32_t) {});
    }
  };
  std::vector<double> sample;
  with.pair.run(
      [&] {
        auto slot = there.table.slot(slots / 2).value();
        for (std::uint32_t round = 0; round < count; ++round) {
          std::this_thread::sleep_for(long_enough_to_sleep);
          const auto begin = bench::clock::now();
          slot.publish();
          receive(back.reader);
          sample.push_back(bench::nanoseconds(bench::clock::now() - begin) / 1000);
        }
      },
      [&] {
        auto slot = back.table.slot(slots / 2).value();
        for (std::uint32_t round = 0; round < count; ++round) {
          receive(there.reader);
          slot.publish();
        }
      });
  bench::require(sample.size() == count, "number of wake-ups");
  return sample;
}

void add_wakes(bench::suite& suite) {
  const std::string group = "versions: wake, there and back";
  const auto name = [](std::uint32_t slots) { return std::to_string(slots) + " slots"; };
  suite.describe(group, "us");
  for (const auto slots : {few, some, many}) {
    suite.add(group, name(slots),
              [=](bench::context& with) { return wake_through_tables(with, slots); });
  }
  suite.add({.text = "versions: wake with 100000 slots / with 4: at most 1.5",
             .group = group,
             .ones = {name(many)},
             .others = {name(few)},
             .at_most = 1.5});
}

/// Returns  ns per publication of a thread, while as many threads as asked for publish slots of their own.
auto publish_slots(bench::context& with, std::uint32_t slots, bool both) -> double {
  const auto count = with.operations(1'000'000);
  watched_table<> there{slots};
  const auto publish = [&](std::uint32_t number) {
    auto slot = there.table.slot(number).value();
    for (std::uint64_t done = 0; done < count; ++done) slot.publish();
  };
  const auto elapsed = with.pair.run([&] { publish(0); },
                                     [&] {
                                       if (both) publish(slots - 1);
                                     });
  bench::require(there.table.version(0) == 2 * count, "version");
  return elapsed / static_cast<double>(count);
}

void add_publications(bench::suite& suite, bool both) {
  const std::string group = both ? "versions: publish, two threads" : "versions: publish";
  suite.describe(group, "ns per publication");
  for (const auto slots : {few, some, many}) {
    suite.add(group, std::to_string(slots) + " slots",
              [=](bench::context& with) -> std::vector<double> {
                return {publish_slots(with, slots, both)};
              });
  }
}

const bench::registration cases{[](bench::suite& suite) {
  add_looks(suite, some, changed_slots);
  add_looks(suite, many, 1);
  add_looks(suite, many, changed_slots);
  add_looks(suite, many, 1'000);
  add_wakes(suite);
  add_publications(suite, false);
  add_publications(suite, true);
}};

}  // namespace
