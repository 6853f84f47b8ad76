// SPDX-License-Identifier: MIT
// Images with one or two bands of one element, whose value is the number of its frame: what a view shows is
// whole and never older, bands are written once a frame, nobody waits for ever, whichever step a director or
// a member dies before. Two threads: every execution; three: up to the preemptions that the table names.
#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/image.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace {

using namespace weir;
using model::model_memory;
using model::park_now;
using word = std::uint32_t;
using image_type = image<word, model_memory>;
using member = image_type::member_type;
using director = image_type::director_type;

struct test_image {
  test_image(model::run& run, word bands_count, wake_protocol wake = wake_protocol::fenced,
             word start_frame = 0)
      : options{.shape = {.width = 1, .height = bands_count, .element_size = 4},
                .cut = bands(bands_count),
                .members = 4,
                .wake = wake,
                .process_shared = true,
                .start_frame = start_frame},
        bytes{run.bytes(image_type::bytes_required(options))},
        view{image_type::format(bytes, options).value()} {}

  [[nodiscard]] auto join(model::run& run, model::thread_id thread) const -> member {
    return run.as(thread, [this] { return view.join().value(); });
  }
  [[nodiscard]] auto direct(model::run& run, model::thread_id thread) const -> director {
    return run.as(thread, [this] { return view.director().value(); });
  }

  image_options options;
  std::span<std::byte> bytes;
  image_type view;
};

/// Writes its frame's number into a band, where the last one stands before.
template <class Band>
void write(model::run& run, Band& band) {
  word before = 0;
  model_memory::copy_out(&before, band.before().row(band.part().y).data(), sizeof before);
  run.check(before == band.frame() - 1, "the frame before is whole");
  const word value = band.frame();
  model_memory::copy_in(band.row(0).data(), &value, sizeof value);
  run.check(band.commit() == status::ok, "a band that is held can be committed");
}

/// Writes a band, as soon as there is one.
void work(model::run& run, const member& who) {
  for (;;) {
    run.check(who.wait_for_band<park_now>() == status::ok, "a wait ends with a band");
    auto band = who.claim_next();
    if (band) return write(run, *band);
  }
}

/// What a view shows is the frame that it says, in every band.
void look(model::run& run, const test_image& there, const member& who, word& newest) {
  auto seen = who.view();
  run.check(seen.status() == status::ok, "there is always a frame to view");
  for (word row = 0; row < there.view.count(); ++row) {
    word value = 0;
    model_memory::copy_out(&value, seen->row(row).data(), sizeof value);
    run.check(value == seen->frame(), "a view shows one frame");
  }
  run.check(seen->frame() >= newest, "and never an older one than before");
  newest = seen->frame();
}

/// One writes, one flips.
template <wake_protocol Wake>
void take_turns(model::run& run) {
  test_image there{run, 1, Wake};
  auto worker = there.join(run, 1);
  auto directs = there.direct(run, 2);
  run.thread("worker", [&] { work(run, worker); });
  run.thread("director", [&] {
    run.check(directs.flip_when_written<park_now>() == status::ok, "a wait ends with a flip");
    run.check(directs.frame() == 1, "frames are counted");
  });
  if (run.go()) run.check(there.view.frame() == 1, "every frame is flipped to");
}

/// Frame numbers wrap at 2^31.
void wrap(model::run& run) {
  constexpr word last = 0x7FFF'FFFF;
  test_image there{run, 1, wake_protocol::fenced, last};
  auto worker = there.join(run, 1);
  auto directs = there.direct(run, 2);
  run.thread("worker", [&] {
    run.check(worker.wait_for_band<park_now>() == status::ok, "a wait ends with a band");
    auto band = worker.claim_next();
    run.check(band.status() == status::ok && band->frame() == 0, "after the last frame comes 0");
    run.check(band->commit() == status::ok, "which can be written");
  });
  run.thread("director", [&] {
    run.check(directs.flip_when_written<park_now>() == status::ok, "and flipped to");
  });
  if (run.go()) run.check(there.view.frame() == 0, "after the last frame comes 0");
}

/// The frame after next is written, into the buffer that a view may show, and flipped to.
void view_while_written(model::run& run) {
  test_image there{run, 1};
  auto worker = there.join(run, 1);
  auto viewer = there.join(run, 2);
  auto directs = there.direct(run, 1);
  const auto produce = [&] {
    auto band = worker.claim(0).value();
    write(run, band);
    return directs.flip();
  };
  run.check(run.as(1, produce) == status::ok, "nobody views it");
  run.thread("worker and director", [&] {
    const auto outcome = produce();
    run.check(outcome == status::ok || outcome == status::busy, "flipped, or viewed");
  });
  run.thread("viewer", [&] {
    word newest = 1;
    look(run, there, viewer, newest);
    look(run, there, viewer, newest);
  });
  static_cast<void>(run.go());
}

/// Two frames, one in each buffer, against a view that may come from before them.
void two_flips(model::run& run) {
  test_image there{run, 1};
  auto worker = there.join(run, 1);
  auto viewer = there.join(run, 2);
  auto directs = there.direct(run, 1);
  run.thread("worker and director", [&] {
    for (int frame = 0; frame < 2; ++frame) {
      auto band = worker.claim(0);
      if (!band) return run.check(band.status() == status::empty, "held up by a view only");
      write(run, *band);
      const auto outcome = directs.flip();
      run.check(outcome == status::ok || outcome == status::busy, "flipped, or viewed");
    }
  });
  run.thread("viewer", [&] {
    word newest = 0;
    look(run, there, viewer, newest);
  });
  static_cast<void>(run.go());
}

/// All three apart.
void three_parts(model::run& run) {
  test_image there{run, 1};
  auto worker = there.join(run, 1);
  auto viewer = there.join(run, 3);
  auto directs = there.direct(run, 2);
  run.thread("worker", [&] {
    auto band = worker.claim(0).value();
    write(run, band);
  });
  run.thread("director", [&] { static_cast<void>(directs.flip()); });
  run.thread("viewer", [&] {
    word newest = 0;
    look(run, there, viewer, newest);
  });
  static_cast<void>(run.go());
}

/// A viewer waits for the next frame.
template <wake_protocol Wake>
void wait_for_frame(model::run& run) {
  test_image there{run, 1, Wake};
  auto worker = there.join(run, 1);
  auto viewer = there.join(run, 2);
  auto directs = there.direct(run, 1);
  run.thread("worker and director", [&] {
    auto band = worker.claim(0).value();
    write(run, band);
    run.check(directs.flip() == status::ok, "nobody views it");
  });
  run.thread("viewer", [&] {
    run.check(viewer.wait_frame<park_now>(0) == status::ok, "a wait ends with a frame");
    word newest = 1;
    look(run, there, viewer, newest);
  });
  static_cast<void>(run.go());
}

/// The last band is committed, the frame flipped, while a second worker waits for a band.
void commit_against_wait(model::run& run) {
  test_image there{run, 1};
  auto first = there.join(run, 1);
  auto second = there.join(run, 2);
  auto directs = there.direct(run, 3);
  run.thread("first", [&] {
    auto band = first.claim(0);
    if (band) write(run, *band);
  });
  run.thread("second", [&] {
    run.check(second.wait_for_band<park_now>() == status::ok, "a wait ends with a band");
  });
  run.thread("director", [&] { static_cast<void>(directs.flip_when_written<park_now>()); });
  static_cast<void>(run.go());
}

/// A band that is given up can be had by whoever waits.
void given_up(model::run& run) {
  test_image there{run, 1};
  auto first = there.join(run, 1);
  auto second = there.join(run, 2);
  auto band = std::optional{run.as(1, [&] { return first.claim(0).value(); })};
  run.thread("first", [&] { band.reset(); });
  run.thread("second", [&] { work(run, second); });
  static_cast<void>(run.go());
}

/// A director dies anywhere; its successor flips, and there is a frame to view all the time.
void death_of_the_director(model::run& run) {
  test_image there{run, 1};
  auto worker = there.join(run, 3);
  auto viewer = there.join(run, 2);
  auto directs = std::optional{there.direct(run, 1)};
  run.as(3, [&] {
    auto band = worker.claim(0).value();
    write(run, band);
  });
  run.thread("director", [&] { static_cast<void>(directs->flip()); });
  run.thread("viewer", [&] {
    word newest = 0;
    look(run, there, viewer, newest);
    look(run, there, viewer, newest);
  });
  if (!run.go() || !run.was_killed(1)) return;
  auto successor = run.as(4, [&] { return there.view.director().value(); });
  if (there.view.frame() == 0) run.check(successor.flip() == status::ok, "the successor flips");
  run.check(there.view.frame() == 1, "once");
  run.as(3, [&] {
    auto band = worker.claim(0).value();
    write(run, band);
  });
  run.check(successor.flip() == status::ok && there.view.frame() == 2, "and goes on");
}

/// A worker or a viewer dies anywhere; the director reclaims what they held.
void death_of_a_member(model::run& run) {
  test_image there{run, 1};
  auto worker = there.join(run, 1);
  auto viewer = there.join(run, 2);
  auto last = there.join(run, 3);
  auto directs = there.direct(run, 4);
  run.thread("worker", [&] {
    auto band = worker.claim(0);
    if (band) write(run, *band);
  });
  run.thread("viewer", [&] {
    word newest = 0;
    look(run, there, viewer, newest);
  });
  if (!run.go()) return;
  static_cast<void>(there.view.reclaim());
  run.as(3, [&] {
    if (auto band = last.claim(0)) write(run, *band);
  });
  run.check(directs.flip() == status::ok,
            "after reclaim() the frame can be written and flipped to");
  word newest = 1;
  run.as(3, [&] { look(run, there, last, newest); });
}

constexpr model::scenario scenarios[] = {
    {"image: a worker and a director take turns, fenced", take_turns<wake_protocol::fenced>},
    {"image: a worker and a director take turns, asymmetric",
     take_turns<wake_protocol::asymmetric>},
    {"image: frame numbers wrap", wrap},
    {"image: what a view shows is whole, while the other buffer is written", view_while_written},
    {"image: a view shows its frame, though two flips came over it", two_flips},
    {"image: so with a director of its own", three_parts, {.preemptions = 3}},
    {"image: a viewer is woken for the next frame, fenced", wait_for_frame<wake_protocol::fenced>},
    {"image: a viewer is woken for the next frame, asymmetric",
     wait_for_frame<wake_protocol::asymmetric>},
    {"image: a worker is woken for the next frame's band", commit_against_wait, {.preemptions = 3}},
    {"image: a band that is given up is had by who waits", given_up},
    {"image: a director that dies leaves a frame to view and a successor to go on",
     death_of_the_director,
     {.kills = 1, .killable = 1U << 1}},
    {"image: a member that dies holds up nobody after reclaim()", death_of_a_member, {.kills = 1}},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
