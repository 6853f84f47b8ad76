// SPDX-License-Identifier: MIT
// latest: what a reader gets is one whole value, no older than the one before; with two buffers a writer may
// die anywhere; nobody who waits sleeps through the news.
// Bounds: values of two words, up to three writes after a first one, one or two readers, one death.
#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/latest.hpp>

#include <cstdint>
#include <utility>

namespace {

using namespace weir;
using model::model_memory;
using model::park_now;
using word = std::uint32_t;
using number = std::uint64_t;

struct pair {
  word low, inverse;
};
using value_cell = latest<pair, model_memory, uncounted>;
using value_writer = value_cell::writer_type;

/// Versions of 32 bits count to 2^31.
constexpr number mask = 0x7FFF'FFFF;

constexpr auto value_of(number which) -> pair {
  const auto low = static_cast<word>(which & mask);
  return {low, ~low};
}

auto make(model::run& run, const latest_options& options) -> value_cell {
  return value_cell::format(run.bytes(value_cell::bytes_required(options)), options).value();
}
auto take(model::run& run, const value_cell& cell, int thread) -> value_writer {
  return run.as(thread, [&] { return cell.writer().value(); });
}

/// Writes the next `count` values.
void write(model::run& run, value_writer& writer, int count) {
  for (int i = 0; i < count; ++i) {
    run.check(writer.write(value_of(writer.version() + 1)) == status::ok, "a write goes well");
  }
}

/// What was just read is whole, and between `least` and `most` values newer than the one before.
void judge(model::run& run, const pair& got, number version, number before, number least,
           number most) {
  const auto wanted = value_of(version);
  run.check(got.low == wanted.low && got.inverse == wanted.inverse,
            "a value is whole, and the one that its version names");
  const auto newer = (version - before) & mask;
  run.check(newer >= least && newer <= most, "a reader never goes back");
}

/// One read. Returns  what it said.
auto read(model::run& run, auto& reader, word attempts, number most) -> status {
  const bool first = reader.statistics().reads == 0;
  const auto before = reader.version();
  auto got = reader.read(attempts);
  if (!got) return got.status();
  judge(run, *got, reader.version(), first ? reader.version() : before, 0, most);
  return status::ok;
}

// --- one writer, one reader

/// A first value, then `writes` more against two reads.
void overwrite(model::run& run, const latest_options& options, int writes, word attempts) {
  const auto cell = make(run, options);
  auto writer = take(run, cell, 1);
  run.as(1, [&] { write(run, writer, 1); });
  const auto last = (options.start_version + 1 + static_cast<number>(writes)) & mask;
  auto reader = cell.reader().value();
  const auto most = static_cast<number>(writes);
  run.thread("writer", [&] { write(run, writer, writes); });
  run.thread("reader", [&] {
    for (int i = 0; i < 2; ++i) {
      const auto outcome = read(run, reader, attempts, most);
      const bool may_be_torn = static_cast<word>(writes) >= options.buffers;
      run.check(outcome == status::ok || (may_be_torn && outcome == status::torn),
                "a read goes well, or is torn once the writer was in its buffer");
    }
  });
  if (!run.go()) return;
  run.check(read(run, reader, 1, most) == status::ok && (reader.version() & mask) == last,
            "the last value is there");
}
constexpr number below_2_31 = 0x3FFF'FFFE;  // the version word passes 2^31, below 2^32: wraps
constexpr number below_2_32 = 0x7FFF'FFFE;

void two_buffers(model::run& run) { overwrite(run, {.buffers = 2}, 2, 1); }
void two_buffers_2_31(model::run& run) {
  overwrite(run, {.buffers = 2, .start_version = below_2_31}, 2, 1);
}
void two_buffers_2_32(model::run& run) {
  overwrite(run, {.buffers = 2, .start_version = below_2_32}, 2, 1);
}
void two_buffers_lapped(model::run& run) { overwrite(run, {.buffers = 2}, 3, 2); }
void second_copy(model::run& run) { overwrite(run, {.buffers = 2}, 2, 2); }
void never_torn(model::run& run) { overwrite(run, {.buffers = 2}, 1, 1); }
void three_buffers(model::run& run) {
  overwrite(run, {.buffers = 3, .start_version = below_2_32}, 3, 1);
}
void one_buffer(model::run& run) { overwrite(run, {.buffers = 1}, 2, 1); }
void one_buffer_again(model::run& run) { overwrite(run, {.buffers = 1}, 1, 3); }
void one_buffer_2_32(model::run& run) {
  overwrite(run, {.buffers = 1, .start_version = below_2_32}, 2, 1);
}
void wide(model::run& run) { overwrite(run, {.buffers = 2, .wide_version = true}, 2, 1); }
void wide_2_32(model::run& run) {
  overwrite(run, {.buffers = 1, .wide_version = true, .start_version = below_2_32}, 2, 1);
}

/// Whoever knows that a value was written gets that one or a later one.
void no_older_than_known(model::run& run) {
  const auto cell = make(run, {.buffers = 3});
  auto writer = take(run, cell, 1);
  auto reader = cell.reader().value();
  auto& flag = run.object<word>();
  run.thread("writer", [&] {
    write(run, writer, 1);
    model_memory::store(&flag, 1, std::memory_order_release);
    write(run, writer, 1);
  });
  run.thread("reader", [&] {
    const bool known = model_memory::load(&flag, std::memory_order_acquire) != 0;
    const auto outcome = read(run, reader, 1, 2);
    run.check(outcome == status::ok || (!known && outcome == status::empty),
              "empty only before the first value");
    run.check(!known || reader.version() >= 1, "what is known to be written is read");
  });
  static_cast<void>(run.go());
}

// --- waiting

/// Every wait ends with news; the last value comes before the closing does.
void follow(model::run& run, auto& reader, number start, number last) {
  for (auto before = start;; before = reader.version()) {
    const auto outcome = reader.wait();
    if (outcome == status::closed) break;
    run.check(outcome == status::ok, "a wait ends with news, or with the closing");
    auto got = reader.try_read_new();
    run.check(got.status() == status::ok, "what was waited for is there");
    if (got) judge(run, *got, reader.version(), before, 1, 3);
  }
  run.check(reader.version() == last, "the last value is seen before the closing");
  run.check(reader.try_read_new().status() == status::closed, "closed stays");
}
void sleep(model::run& run, wake_protocol wake, int writes) {
  const auto cell = make(run, {.buffers = 2, .wake = wake, .start_version = below_2_32});
  auto writer = take(run, cell, 1);
  const auto last = (below_2_32 + static_cast<number>(writes)) & mask;
  run.thread("writer", [&] {
    write(run, writer, writes);
    writer.close();
    run.check(writer.write(value_of(0)) == status::closed, "nothing after the closing");
  });
  run.thread("reader", [&] {
    auto reader = cell.reader<park_now>().value();
    follow(run, reader, below_2_32, last);
  });
  static_cast<void>(run.go());
}
void sleep_fenced(model::run& run) { sleep(run, wake_protocol::fenced, 1); }
void sleep_asymmetric(model::run& run) { sleep(run, wake_protocol::asymmetric, 1); }
void sleep_again_fenced(model::run& run) { sleep(run, wake_protocol::fenced, 2); }
void sleep_again_asymmetric(model::run& run) { sleep(run, wake_protocol::asymmetric, 2); }

/// One value that a sleeper needs, and nothing afterwards: no closing helps.
void sleep_for_one(model::run& run, wake_protocol wake, int readers) {
  const auto cell = make(run, {.buffers = 2, .wake = wake});
  auto writer = take(run, cell, 1);
  run.thread("writer", [&] {
    write(run, writer, 1);
    if (wake == wake_protocol::at_flush) writer.flush();
  });
  for (int i = 0; i < readers; ++i) {
    run.thread("reader", [&] {
      auto reader = cell.reader<park_now>().value();
      run.check(reader.wait() == status::ok && read(run, reader, 1, 1) == status::ok,
                "the value arrives");
    });
  }
  static_cast<void>(run.go());
}
void one_fenced(model::run& run) { sleep_for_one(run, wake_protocol::fenced, 1); }
void two_fenced(model::run& run) { sleep_for_one(run, wake_protocol::fenced, 2); }
void one_asymmetric(model::run& run) { sleep_for_one(run, wake_protocol::asymmetric, 1); }
void two_asymmetric(model::run& run) { sleep_for_one(run, wake_protocol::asymmetric, 2); }
void one_flushed(model::run& run) { sleep_for_one(run, wake_protocol::at_flush, 1); }

void stop(model::run& run, wake_protocol wake) {
  const auto cell = make(run, {.buffers = 2, .wake = wake});
  auto& stop = run.object<stop_word>();
  auto& reason = run.object<word>();
  run.thread("who stops", [&] {
    const word why = 7;
    model_memory::copy_in(&reason, &why, sizeof why);
    cell.request_stop(stop);
  });
  run.thread("reader", [&] {
    auto reader = cell.reader<park_now>().value();
    run.check(reader.wait(no_deadline, &stop) == status::stopped, "a stop ends the wait");
    word why = 0;
    model_memory::copy_out(&why, &reason, sizeof why);
    run.check(why == 7, "what came before the stop is visible");
  });
  static_cast<void>(run.go());
}
void stop_fenced(model::run& run) { stop(run, wake_protocol::fenced); }
void stop_asymmetric(model::run& run) { stop(run, wake_protocol::asymmetric); }

// --- dead writers

/// Retries until the role is free or its holder dead; then writes `writes` more.
void succeed(model::run& run, const value_cell& cell, int writes) {
  while (true) {
    auto writer = cell.writer();
    if (writer) return write(run, *writer, writes);
    model_memory::pause();
  }
}

/// The writer dies at any step of two writes. Its successor comes afterwards.
void die(model::run& run, const latest_options& options) {
  const auto cell = make(run, options);
  auto writer = take(run, cell, 1);
  run.as(1, [&] { write(run, writer, 1); });
  auto reader = cell.reader().value();
  run.thread("writer", [&] {
    auto mine = std::move(writer);
    write(run, mine, 2);
  });
  run.thread("reader", [&] { static_cast<void>(read(run, reader, 2, 2)); });
  if (!run.go()) return;
  const auto left = read(run, reader, 2, 2);
  run.check(
      left == status::ok || (options.buffers == 1 && run.was_killed(1) && left == status::torn),
      "the last whole value is left; with one buffer it may be torn");
  const auto before = cell.version();
  run.as(2, [&] { succeed(run, cell, 1); });
  run.check(cell.version() == ((before + 1) & mask), "the successor goes on behind it");
  run.check(read(run, reader, 1, 3) == status::ok && reader.version() == cell.version(),
            "a successor's value is whole");
}
void die_two_buffers(model::run& run) { die(run, {.buffers = 2, .start_version = below_2_32}); }
void die_one_buffer(model::run& run) { die(run, {.buffers = 1}); }

/// The successor writes while a reader reads; without a death the role is handed over.
void live_on(model::run& run, word buffers) {
  const auto cell = make(run, {.buffers = buffers});
  auto writer = take(run, cell, 1);
  run.as(1, [&] { write(run, writer, 1); });
  auto reader = cell.reader().value();
  run.thread("writer", [&] {
    auto mine = std::move(writer);
    write(run, mine, 1);
  });
  run.thread("successor", [&] { succeed(run, cell, 1); });
  run.thread("reader", [&] { static_cast<void>(read(run, reader, 1, 2)); });
  if (!run.go()) return;
  run.check(cell.version() == 3 || (run.was_killed(1) && cell.version() == 2),
            "each value has a number of its own");
  run.check(read(run, reader, 1, 2) == status::ok && reader.version() == cell.version(),
            "the successor's value is the last");
}
void live_on_two_buffers(model::run& run) { live_on(run, 2); }
void live_on_one_buffer(model::run& run) { live_on(run, 1); }

/// Who sleeps learns of the death, and first of all that was written before it.
void sleep_by_the_dead(model::run& run, wake_protocol wake) {
  const auto cell = make(run, {.buffers = 2, .wake = wake, .process_shared = true});
  auto writer = take(run, cell, 1);
  run.thread("writer", [&] {
    write(run, writer, 1);
    writer.close();
  });
  run.thread("reader", [&] {
    auto reader = cell.reader<park_now>().value();
    auto outcome = reader.wait();
    if (outcome == status::ok) {
      run.check(read(run, reader, 1, 1) == status::ok, "what was waited for is there");
      outcome = reader.wait();
    }
    run.check(outcome == (run.was_killed(1) && !cell.closed() ? status::peer_dead : status::closed),
              "a dead writer is told of, unless it had closed");
    run.check(reader.version() == cell.version(), "nothing written is left unseen");
  });
  static_cast<void>(run.go());
}
void die_fenced(model::run& run) { sleep_by_the_dead(run, wake_protocol::fenced); }
void die_asymmetric(model::run& run) { sleep_by_the_dead(run, wake_protocol::asymmetric); }

constexpr model::bounds few_switches{.preemptions = 4};
constexpr model::bounds one_death{.kills = 1, .killable = 1U << 1};
constexpr model::bounds death_of_three{.preemptions = 3, .kills = 1, .killable = 1U << 1};
constexpr model::bounds death_and_time{.kills = 1, .killable = 1U << 1, .time_passes = true};

constexpr model::scenario scenarios[] = {
    {"latest: a value is whole, two buffers", two_buffers},
    {"latest: a value is whole, two buffers, versions pass 2^31", two_buffers_2_31},
    {"latest: a value is whole, two buffers, versions wrap", two_buffers_2_32},
    {"latest: a value is whole, two buffers, a lapped reader", two_buffers_lapped},
    {"latest: a second copy is as whole as the first", second_copy},
    {"latest: with two buffers one write spoils no copy", never_torn},
    {"latest: a value is whole, three buffers, versions wrap", three_buffers},
    {"latest: a value is whole or torn, one buffer", one_buffer},
    {"latest: with one buffer the last of the copies is whole or torn", one_buffer_again},
    {"latest: a value is whole or torn, one buffer, versions wrap", one_buffer_2_32},
    {"latest: a value is whole, wide versions", wide},
    {"latest: a value is whole or torn, wide versions pass 2^32", wide_2_32},
    {"latest: what is known to be written is read", no_older_than_known},
    {"latest: a sleeper gets the last value before the closing, fenced", sleep_fenced},
    {"latest: a sleeper gets the last value before the closing, asymmetric", sleep_asymmetric},
    {"latest: a sleeper follows two values to the closing, fenced", sleep_again_fenced,
     few_switches},
    {"latest: a sleeper follows two values to the closing, asymmetric", sleep_again_asymmetric,
     few_switches},
    {"latest: the only value wakes its sleeper, fenced", one_fenced, {.spurious_wakes = 1}},
    {"latest: the only value wakes its sleeper, asymmetric", one_asymmetric, {.spurious_wakes = 1}},
    {"latest: the only value wakes both sleepers, fenced", two_fenced, few_switches},
    {"latest: the only value wakes both sleepers, asymmetric", two_asymmetric, few_switches},
    {"latest: a flush wakes its sleeper", one_flushed, {.spurious_wakes = 1}},
    {"latest: a stop wakes its sleeper, fenced", stop_fenced},
    {"latest: a stop wakes its sleeper, asymmetric", stop_asymmetric},
    {"latest: a death leaves the last whole value, two buffers", die_two_buffers, one_death},
    {"latest: a death leaves a torn value at most, one buffer", die_one_buffer, one_death},
    {"latest: a successor's values are whole, two buffers", live_on_two_buffers, death_of_three},
    {"latest: a successor's values are whole, one buffer", live_on_one_buffer, death_of_three},
    {"latest: a sleeper learns of a death, fenced", die_fenced, death_and_time},
    {"latest: a sleeper learns of a death, asymmetric", die_asymmetric, death_and_time},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
