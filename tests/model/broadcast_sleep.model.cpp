// SPDX-License-Identifier: MIT
// broadcast_ring: nobody who waits sleeps through a record, the closing, a stop or the writer's death.
// Bounds: one or two records, one or two sleepers, one death, one sleep that ends for no reason.
#include "model/broadcast_sides.hpp"

#include <cstdint>

namespace {

using namespace weir;
using namespace weir::model;

void sleep(model::run& run, wake_protocol wake, int writes, int readers) {
  const auto there = make(run, below_2_32, wake);
  auto writer = take(run, there, 1);
  run.thread("writer", [&] {
    write(run, writer, writes);
    writer.close();
  });
  for (int i = 0; i < readers; ++i) {
    run.thread("reader", [&] {
      auto reader = there.reader<park_now>().value();
      account told;
      while (reader.wait() == status::ok) {
        run.check(read(run, reader, told) == status::ok, "what was waited for is there");
      }
      run.check(told.received == static_cast<number>(writes), "every record precedes the closing");
      run.check(read(run, reader, told) == status::closed, "and nothing follows it");
    });
  }
  static_cast<void>(run.go());
}
void sleep_fenced(model::run& run) { sleep(run, wake_protocol::fenced, 1, 1); }
void sleep_asymmetric(model::run& run) { sleep(run, wake_protocol::asymmetric, 1, 1); }
void sleep_again_fenced(model::run& run) { sleep(run, wake_protocol::fenced, 2, 1); }
void sleep_again_asymmetric(model::run& run) { sleep(run, wake_protocol::asymmetric, 2, 1); }

/// The only record, and no closing that would help.
void sleep_for_one(model::run& run, wake_protocol wake, int readers) {
  const auto there = make(run, 0, wake);
  auto writer = take(run, there, 1);
  run.thread("writer", [&] {
    write(run, writer, 1);
    if (wake == wake_protocol::at_flush) writer.flush();
  });
  for (int i = 0; i < readers; ++i) {
    run.thread("reader", [&] {
      auto reader = there.reader<park_now>().value();
      account told;
      run.check(reader.wait() == status::ok && read(run, reader, told) == status::ok,
                "the record arrives");
    });
  }
  static_cast<void>(run.go());
}
void one_fenced(model::run& run) { sleep_for_one(run, wake_protocol::fenced, 1); }
void one_asymmetric(model::run& run) { sleep_for_one(run, wake_protocol::asymmetric, 1); }
void one_flushed(model::run& run) { sleep_for_one(run, wake_protocol::at_flush, 1); }
void two_fenced(model::run& run) { sleep_for_one(run, wake_protocol::fenced, 2); }
void two_asymmetric(model::run& run) { sleep_for_one(run, wake_protocol::asymmetric, 2); }

void stop(model::run& run, wake_protocol wake) {
  const auto there = make(run, 0, wake);
  auto& stop = run.object<stop_word>();
  run.thread("who stops", [&] { there.request_stop(stop); });
  run.thread("reader", [&] {
    auto reader = there.reader<park_now>().value();
    run.check(reader.wait(no_deadline, &stop) == status::stopped, "a stop ends the wait");
  });
  static_cast<void>(run.go());
}
void stop_fenced(model::run& run) { stop(run, wake_protocol::fenced); }
void stop_asymmetric(model::run& run) { stop(run, wake_protocol::asymmetric); }

/// Who sleeps learns of the death, and first of all that was written before it.
void sleep_by_the_dead(model::run& run, wake_protocol wake) {
  const auto there = make(run, 0, wake, true);
  auto writer = take(run, there, 1);
  account told;
  auto reader = there.reader<park_now>().value();
  status last = status::ok;
  run.thread("writer", [&] {
    write(run, writer, 1);
    writer.close();
  });
  run.thread("reader", [&] {
    while ((last = reader.wait()) == status::ok) static_cast<void>(read(run, reader, told));
  });
  if (!run.go()) return;
  const bool closed = there.closed();
  run.check(last == (closed ? status::closed : status::peer_dead), "a wait ends with the truth");
  const auto received = told.received;
  settle(run, reader, told, received);
}
void die_fenced(model::run& run) { sleep_by_the_dead(run, wake_protocol::fenced); }
void die_asymmetric(model::run& run) { sleep_by_the_dead(run, wake_protocol::asymmetric); }

constexpr bounds few_switches{.preemptions = 3};
constexpr bounds death_and_time{.kills = 1, .killable = 1U << 1, .time_passes = true};

constexpr scenario scenarios[] = {
    {"broadcast: a sleeper gets all before the closing, fenced", sleep_fenced},
    {"broadcast: a sleeper gets all before the closing, asymmetric", sleep_asymmetric},
    {"broadcast: a sleeper gets both records, fenced", sleep_again_fenced, few_switches},
    {"broadcast: a sleeper gets both records, asymmetric", sleep_again_asymmetric, few_switches},
    {"broadcast: the only record wakes its sleeper, fenced", one_fenced, {.spurious_wakes = 1}},
    {"broadcast: the only record wakes its sleeper, asymmetric",
     one_asymmetric,
     {.spurious_wakes = 1}},
    {"broadcast: a flush wakes its sleeper", one_flushed, {.spurious_wakes = 1}},
    {"broadcast: the only record wakes both sleepers, fenced", two_fenced, few_switches},
    {"broadcast: the only record wakes both sleepers, asymmetric", two_asymmetric, few_switches},
    {"broadcast: a stop wakes its sleeper, fenced", stop_fenced},
    {"broadcast: a stop wakes its sleeper, asymmetric", stop_asymmetric},
    {"broadcast: a sleeper learns of a death, fenced", die_fenced, death_and_time},
    {"broadcast: a sleeper learns of a death, asymmetric", die_asymmetric, death_and_time},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
