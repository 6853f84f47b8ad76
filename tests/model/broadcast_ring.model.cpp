// SPDX-License-Identifier: MIT
// broadcast_ring: each reader gets whole records in order, or is told how many it lost: what it received and
// what it lost is what was written. A writer may die anywhere.
// Bounds: rings of eight or ten records that are full when the threads start, up to ten writes, one or two
// readers of up to three reads each (what is left is read afterwards), one death.
#include "model/broadcast_sides.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace {

using namespace weir;
using namespace weir::model;
using broadcast_control = weir::detail::broadcast_control<model_memory>;

// --- one writer

struct plan {
  number start = 0;
  int before = 8;  ///< records written before the threads start
  int read = 0;    ///< so many of them are read at once
  int writes = 1;
  int reads = 2;
  word words = in_place;
  int readers = 1;
};

void overwrite(model::run& run, const plan& plan) {
  const auto there = make(run, plan.start);
  auto writer = take(run, there, 1);
  std::array readers{there.reader().value(), there.reader().value()};
  std::array told{account{.words = plan.words}, account{.words = plan.words}};
  const auto count = static_cast<std::size_t>(plan.readers);
  run.as(1, [&] { write(run, writer, plan.read, plan.words); });
  for (std::size_t i = 0; i < count; ++i) read(run, readers[i], told[i], plan.read);
  run.as(1, [&] { write(run, writer, plan.before - plan.read, plan.words); });
  run.thread("writer", [&] { write(run, writer, plan.writes, plan.words); });
  for (std::size_t i = 0; i < count; ++i) {
    run.thread("reader", [&, i] { read(run, readers[i], told[i], plan.reads); });
  }
  if (!run.go()) return;
  const auto written = static_cast<number>(plan.before + plan.writes);
  for (std::size_t i = 0; i < count; ++i) settle(run, readers[i], told[i], written);
}

void over_the_next(model::run& run) { overwrite(run, {}); }
void over_the_next_2_31(model::run& run) { overwrite(run, {.start = below_2_31}); }
void over_the_next_2_32(model::run& run) { overwrite(run, {.start = below_2_32}); }
void over_two(model::run& run) { overwrite(run, {.read = 1, .writes = 2, .reads = 1}); }
void news_only(model::run& run) { overwrite(run, {.before = 0, .writes = 2, .reads = 3}); }
void far_behind(model::run& run) {
  overwrite(run, {.start = below_2_32, .before = 11, .writes = 2, .reads = 1});
}
void over_padding(model::run& run) {
  overwrite(run, {.start = 16, .before = 19, .read = 9, .writes = 2, .reads = 1, .words = padded});
}
void into_padding(model::run& run) {
  overwrite(run, {.start = below_2_31, .before = 10, .read = 9, .words = padded});
}
void two_readers(model::run& run) { overwrite(run, {.before = 0, .writes = 2, .readers = 2}); }

/// A reader that begins while the writer writes.
void join(model::run& run, from where, int writes, int reads) {
  const auto there = make(run);
  auto writer = take(run, there, 1);
  run.as(1, [&] { write(run, writer, 8); });
  auto& flag = run.object<word>();
  run.thread("writer", [&] {
    write(run, writer, writes);
    model_memory::store(&flag, 1, std::memory_order_release);
  });
  account told{.begun = false};
  auto reader = there.reader().value();
  run.thread("reader", [&] {
    const bool all = model_memory::load(&flag, std::memory_order_acquire) != 0;
    reader = there.reader(where).value();
    read(run, reader, told, reads);
    if (where == from::newest) {
      run.check(told.received == 0 || (!all && told.next >= 9), "newest begins with a later one");
    }
  });
  if (!run.go()) return;
  settle(run, reader, told, static_cast<number>(8 + writes));
}
void join_oldest(model::run& run) { join(run, from::oldest, 1, 1); }
void join_newest(model::run& run) { join(run, from::newest, 2, 1); }

auto control_of(std::span<std::byte> bytes) -> broadcast_control {
  return {bytes.data(), weir::detail::load_header<model_memory>(bytes).value(), nullptr};
}

/// The positions alone, over more than a lap: all that is given up, and where lapped readers go on, was
/// published before.
void positions_agree(model::run& run, auto load_from) {
  const auto bytes = run.bytes(ring::bytes_required(capacity));
  const auto there =
      ring::format(bytes, {.capacity = capacity, .wake = wake_protocol::none}).value();
  const auto control = control_of(bytes);
  auto writer = take(run, there, 1);
  run.thread("writer", [&] { write(run, writer, 10); });
  run.thread("reader", [&] {
    const auto from = load_from(control);
    run.check(control.load_position() >= from, "nobody goes on behind what is published");
  });
  static_cast<void>(run.go());
}
void given_up_was_published(model::run& run) {
  positions_agree(run, [](const auto& control) { return control.load_overwrite_end(); });
}
void sync_was_published(model::run& run) {
  positions_agree(run, [](const auto& control) { return control.load_sync(); });
}

// --- dead writers

/// Retries until the role is free or its holder dead; then writes one record.
/// Returns  how many there are then.
auto succeed(model::run& run, const ring& there) -> number {
  while (true) {
    auto writer = there.writer();
    if (writer) {
      write(run, *writer, 1);
      return writer->number();
    }
    run.check(writer.status() == status::busy, "a dead writer leaves a sound ring");
    model_memory::pause();
  }
}

/// The writer dies at any step; its successor comes afterwards, or while a reader reads.
void die(model::run& run, int before, bool at_once, int reads) {
  const auto there = make(run, below_2_32);
  auto writer = take(run, there, 1);
  auto reader = there.reader().value();
  account told;
  run.as(1, [&] { write(run, writer, before); });
  number written = static_cast<number>(before), all = 0;
  run.thread("writer", [&] {
    auto mine = std::move(writer);
    write(run, mine, 1);
    ++written;
  });
  run.thread("reader", [&] { read(run, reader, told, reads); });
  if (at_once) run.thread("successor", [&] { all = succeed(run, there); });
  if (!run.go()) return;
  if (!at_once) run.as(2, [&] { all = succeed(run, there); });
  run.check(all == written + 1 || (run.was_killed(1) && all == written + 2),
            "the successor goes on with the next number");
  settle(run, reader, told, all);
}
void die_before_its_end(model::run& run) { die(run, 8, false, 2); }
void die_and_follow(model::run& run) { die(run, 8, true, 1); }
void die_at_the_sync(model::run& run) { die(run, 12, true, 1); }

/// The writer dies at any step of the first record of a half lap. Whoever succeeds it, even without a write,
/// has lapped readers go on in that half.
void repair_sync(run& run) {
  const auto bytes = run.bytes(ring::bytes_required(capacity));
  const auto there =
      ring::format(bytes, {.capacity = capacity, .wake = wake_protocol::none}).value();
  auto writer = take(run, there, 1);
  run.as(1, [&] { write(run, writer, 12); });
  run.thread("writer", [&] {
    auto mine = std::move(writer);
    write(run, mine, 1);
  });
  run.thread("observer", [&] { static_cast<void>(control_of(bytes).load_sync()); });
  if (!run.go()) return;
  run.as(2, [&] { static_cast<void>(there.writer().value()); });
  const auto control = control_of(bytes);
  const auto newest = control.load_position() - 32;
  run.check((newest ^ control.load_sync()) < capacity / 2,
            "lapped readers go on in the newest half");
}

constexpr bounds one_death{.kills = 1, .killable = 1U << 1};
constexpr bounds death_of_three{.preemptions = 1, .kills = 1, .killable = 1U << 1};

constexpr scenario scenarios[] = {
    {"broadcast: what is being overwritten is whole or lost", over_the_next},
    {"broadcast: what is being overwritten is whole or lost, below 2^31", over_the_next_2_31},
    {"broadcast: what is being overwritten is whole or lost, below 2^32", over_the_next_2_32},
    {"broadcast: the record behind it is too", over_two},
    {"broadcast: new records arrive in order", news_only},
    {"broadcast: a lapped reader goes on at a record that is there", far_behind},
    {"broadcast: what padding overwrites is whole or lost", over_padding},
    {"broadcast: padding is skipped", into_padding},
    {"broadcast: two readers do not disturb each other", two_readers},
    {"broadcast: a late reader begins with a whole record", join_oldest},
    {"broadcast: a late reader begins with the next record", join_newest},
    {"broadcast: what is given up was published", given_up_was_published},
    {"broadcast: where lapped readers go on was published", sync_was_published},
    {"broadcast: a death costs what was not published", die_before_its_end, one_death},
    {"broadcast: a successor writes over what the dead gave up", die_and_follow, death_of_three},
    {"broadcast: a successor has lapped readers go on where they should", repair_sync, one_death},
    {"broadcast: a successor finds where lapped readers go on", die_at_the_sync, death_of_three},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
