// SPDX-License-Identifier: MIT
// Proved: whichever access to shared memory a member or a director dies before, the readable frame stays
// whole, and after reclaim() the survivors write what is missing and flip. Not provable here: a death
// between two machine instructions of one access; no access depends on one.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/watchdog.hpp"

#include <weir/image.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>
#include <optional>

using weir::bands;
using weir::image_options;
using weir::status;
using weir::test::child_process;
using weir::test::crash_memory;
using weir::test::guarded_span;
using weir::test::shared_progress;

namespace {

using pixels = weir::image<std::uint32_t>;
using crashing_pixels = weir::image<std::uint32_t, crash_memory>;

constexpr std::uint32_t height = 5;
constexpr std::uint32_t band_count = 3;

auto options_of(std::uint32_t start_frame) -> image_options {
  return {.shape = {.width = 2, .height = height, .element_size = 4},
          .cut = bands(band_count),
          .members = 3,
          .process_shared = true,
          .start_frame = start_frame};
}

/// What an element of a frame is, from the element above it and below it in the frame before.
auto next_of(std::uint32_t above, std::uint32_t below, std::uint32_t row) -> std::uint32_t {
  return above * 31 + below * 17 + row + 1;
}

template <class Band>
void write(Band& band) {
  const auto before = band.before(1);
  for (std::uint32_t y = 0; y < band.rows(); ++y) {
    const auto row = band.part().y + y;
    const auto above = before.row(row == 0 ? 0 : row - 1)[0];
    const auto below = before.row(row + 1 == height ? row : row + 1)[0];
    for (auto& element : band.row(y)) element = next_of(above, below, row);
  }
}

/// The frames as one thread would make them.
struct reference {
  std::uint32_t rows[height] = {};
  void advance() {
    std::uint32_t next[height];
    for (std::uint32_t row = 0; row < height; ++row) {
      const auto above = rows[row == 0 ? 0 : row - 1];
      next[row] = next_of(above, rows[row + 1 == height ? row : row + 1], row);
    }
    for (std::uint32_t row = 0; row < height; ++row) rows[row] = next[row];
  }
  template <class View>
  [[nodiscard]] auto is(const View& view) const -> bool {
    for (std::uint32_t row = 0; row < height; ++row) {
      for (const auto element : view.row(row)) {
        if (element != rows[row]) return false;
      }
    }
    return true;
  }
};

/// Needs  `readable` is the readable frame. Where a director died in the middle of a flip, a view shows the
/// next one.
auto shows(const pixels& image, const pixels::member_type& member, reference readable) -> bool {
  auto view = member.view();
  if (!view) return false;
  if (view->frame() != image.frame()) readable.advance();
  return readable.is(*view);
}

struct death {
  bool happened = false;
  std::uint32_t wrong = 0;
  std::uint32_t reclaimed = 0;
};

/// A child that does everything, alone, and dies before access `fatal`; then its survivors.
auto die_at(std::uint32_t fatal, std::uint32_t start) -> death {
  death result;
  const guarded_span memory{pixels::bytes_required(options_of(start))};
  const auto image = pixels::format(memory.bytes(), options_of(start)).value();
  child_process child{[&] {
    const auto crashing = crashing_pixels::attach(memory.bytes()).value();
    crash_memory::die_before_access(fatal);
    auto member = crashing.join().value();
    auto director = crashing.director().value();
    for (int frame = 0; frame < 3; ++frame) {
      {
        const auto view = member.view().value();
        {
          auto given_up = member.claim(1).value();
        }
        while (auto band = member.claim_next(2)) {
          write(*band);
          if (band->commit() != status::ok) return 1;
        }
      }
      if (director.flip() != status::ok) return 1;
    }
    return 0;
  }};
  const auto code = child.wait();
  result.happened = code == child_process::killed;
  result.wrong += result.happened || code == 0 ? 0U : 1U;
  result.reclaimed = image.reclaim().things;
  result.wrong += image.reclaim().things == 0 ? 0U : 1U;

  auto first = image.join();
  auto second = image.join();
  auto third = image.join();
  auto director = image.director();
  if (!first || !second || !third || !director) {
    ++result.wrong;
    return result;
  }
  reference expected;
  for (auto frame = start; frame != image.frame(); frame = (frame + 1) % (1U << 31)) {
    expected.advance();
  }
  for (int frame = 0; frame < 3; ++frame) {
    result.wrong += shows(image, *third, expected) ? 0U : 1U;
    for (;;) {
      auto band = first->claim_next();
      auto other = second->claim_next();
      if (!band && !other) break;
      for (auto* each : {&band, &other}) {
        if (!*each) continue;
        write(**each);
        result.wrong += (*each)->commit() == status::ok ? 0U : 1U;
      }
    }
    result.wrong += director->flip() == status::ok ? 0U : 1U;
    expected.advance();
  }
  result.wrong += shows(image, *third, expected) ? 0U : 1U;
  result.wrong += memory.intact() ? 0U : 1U;
  return result;
}

/// For a child: says so once it has a view.
auto view_until_killed(const pixels& image, shared_progress& progress) -> int {
  auto member = image.join().value();
  const auto view = member.view().value();
  progress.set(0, 1);
  weir::test::sleep_until_killed();
}

}  // namespace

TEST_CASE("whoever_works_on_an_image_may_die_before_any_access") {
  const weir::test::watchdog watchdog;
  for (const auto start : {0U, (1U << 31) - 2}) {
    std::uint32_t deaths = 0;
    std::uint32_t wrong = 0;
    std::uint32_t reclaimed = 0;
    for (std::uint32_t fatal = 1; deaths + 1 == fatal; ++fatal) {
      const auto done = die_at(fatal, start);
      deaths += done.happened ? 1U : 0U;
      wrong += done.wrong;
      reclaimed += done.reclaimed;
    }
    CAPTURE(start);
    CHECK(wrong == 0);
    CHECK(deaths > 200);
    CHECK(reclaimed > 100);
  }
}

TEST_CASE("a_view_of_a_dead_member_holds_up_the_flip_until_it_is_reclaimed") {
  const guarded_span memory{pixels::bytes_required(options_of(0))};
  const auto image = pixels::format(memory.bytes(), options_of(0)).value();
  shared_progress progress;
  child_process child{[&] { return view_until_killed(image, progress); }};
  progress.await(0, 1);
  auto member = image.join().value();
  auto director = image.director().value();
  while (auto band = member.claim_next()) REQUIRE(band->commit() == status::ok);
  CHECK(director.flip() == status::busy);
  CHECK(image.reclaim().things == 0);  // it lives
  CHECK(director.flip() == status::busy);
  child.kill_and_reap();
  CHECK(director.flip() == status::busy);
  const auto back = image.reclaim();
  CHECK(back.members == 1);
  CHECK(back.things == 1);
  CHECK(director.flip() == status::ok);
}

TEST_CASE("a_waiting_director_sees_a_dead_view_go") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{pixels::bytes_required(options_of(0))};
  const auto image = pixels::format(memory.bytes(), options_of(0)).value();
  shared_progress progress;
  child_process viewer{[&] { return view_until_killed(image, progress); }};
  progress.await(0, 1);
  child_process waiting{[&] {
    const auto here = pixels::attach(memory.bytes()).value();
    auto member = here.join().value();
    auto director = here.director().value();
    while (auto band = member.claim_next()) {
      if (band->commit() != status::ok) return 1;
    }
    progress.set(1, 1);
    auto outcome = status::peer_dead;
    while (outcome == status::peer_dead) outcome = director.flip_when_written();
    return outcome == status::ok ? 0 : 1;
  }};
  progress.await(1, 1);
  viewer.kill_and_reap();
  CHECK(image.reclaim().things == 1);
  CHECK(waiting.wait() == 0);
  CHECK(image.frame() == 1);
}

TEST_CASE("in_an_image_of_one_process_nobody_asks_who_is_dead") {
  const weir::test::watchdog watchdog;
  auto options = options_of(0);
  options.process_shared = false;
  const guarded_span memory{pixels::bytes_required(options)};
  const auto image = pixels::format(memory.bytes(), options).value();
  child_process child{[&] {
    auto member = image.join().value();
    const auto band = member.claim(0).value();
    kill(getpid(), SIGKILL);
    return 1;
  }};
  REQUIRE(child.wait() == child_process::killed);
  auto director = image.director().value();
  const auto deadline = std::chrono::steady_clock::now() + weir::park::longest_sleep * 5 / 4;
  CHECK(director.flip_when_written(deadline) == status::timed_out);
}

TEST_CASE("those_who_wait_learn_of_a_dead_director_and_of_dead_holders") {
  const weir::test::watchdog watchdog;
  const guarded_span memory{pixels::bytes_required(options_of(0))};
  const auto image = pixels::format(memory.bytes(), options_of(0)).value();
  shared_progress progress;
  child_process child{[&] {
    auto member = image.join().value();
    const auto director = image.director().value();
    const auto band = member.claim(2).value();
    progress.set(0, 1);
    weir::test::sleep_until_killed();
    return 0;
  }};
  progress.await(0, 1);
  auto member = image.join().value();
  CHECK(image.director().status() == status::busy);
  child.kill_and_reap();
  CHECK(member.wait_frame(0) == status::peer_dead);
  auto director = image.director().value();
  for (const std::uint32_t index : {0U, 1U}) REQUIRE(member.claim(index)->commit() == status::ok);
  CHECK(member.wait_for_band() == status::peer_dead);
  CHECK(director.flip_when_written() == status::peer_dead);
  CHECK(image.reclaim().things == 1);
  CHECK(member.wait_for_band() == status::ok);
  REQUIRE(member.claim_next()->commit() == status::ok);
  CHECK(director.flip_when_written() == status::ok);
}

TEST_CASE("a_proof_of_death_can_be_the_applications_own") {
  const guarded_span memory{pixels::bytes_required(options_of(0))};
  const auto image = pixels::format(memory.bytes(), options_of(0)).value();
  const auto nobody_lives = [](std::uint32_t, std::uint32_t) { return false; };
  const auto member = image.join().value();
  const auto director = image.director().value();
  CHECK(image.director().status() == status::busy);
  const auto successor = image.director(nobody_lives);
  CHECK(successor.status() == status::ok);
  CHECK(image.reclaim(nobody_lives).members == 1);
}
