// SPDX-License-Identifier: MIT
// Proved, as far as runs go: frames that several threads or processes make from each other, band by band,
// are those that one thread makes; a view is never changed under its reader; killed workers' bands are
// written again. Not provable by running: that each memory order is needed, or that no moment is missed.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/image.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

using weir::image_options;
using weir::status;
using weir::test::chaos_memory;
using weir::test::child_process;
using weir::test::fresh_seed;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t width = 3;
constexpr std::uint32_t height = 23;
constexpr std::uint32_t start_frame = (1U << 31) - 50;

using frame_rows = std::array<std::uint32_t, height>;

auto options_of(bool process_shared) -> image_options {
  return {.shape = {.width = width, .height = height, .element_size = 4},
          .cut = weir::bands(7),
          .process_shared = process_shared,
          .start_frame = start_frame};
}

/// An element of the next frame: the sum of those up to two rows away, and its row.
template <class Rows>
auto next_of(const Rows& row_of, std::uint32_t row) -> std::uint32_t {
  std::uint32_t sum = row + 1;
  const auto first = row < 2 ? 0 : row - 2;
  const auto last = row + 2 < height ? row + 2 : height - 1;
  for (auto y = first; y <= last; ++y) sum = sum * 3 + row_of(y);
  return sum;
}

auto next_frame(const frame_rows& rows) -> frame_rows {
  frame_rows next;
  for (std::uint32_t row = 0; row < height; ++row) {
    next[row] = next_of([&](std::uint32_t y) { return rows[y]; }, row);
  }
  return next;
}

template <class Band>
void write(Band& band) {
  const auto before = band.before(2);
  for (std::uint32_t y = 0; y < band.rows(); ++y) {
    const auto element =
        next_of([&](std::uint32_t row) { return before.row(row)[width - 1]; }, band.part().y + y);
    for (auto& each : band.row(y)) each = element;
  }
}

/// Writes bands until the image has come to frame `last`.
/// Returns  how many; 0 if something went wrong.
template <class Image>
auto work(const Image& image, std::uint32_t last, std::uint64_t seed) -> std::uint32_t {
  seeded_random random{seed};
  auto member = image.join().value();
  std::uint32_t written = 0;
  while (member.frame() != last) {
    if (auto band = member.claim_next(random.below(image.count()))) {
      if (random.once_in(20)) continue;  // gives up
      write(*band);
      if (band->commit() != status::ok) return 0;
      if (band->frame() != last + 1) ++written;  // which it is if the last flip came in between
    } else {
      static_cast<void>(member.wait_for_band());  // or somebody died
    }
  }
  return written;
}

/// Looks at frames, each twice, until the image has come to frame `last`.
/// Returns  how many; 0 if one was not whole, or changed.
template <class Image>
auto look(const Image& image, std::uint32_t last) -> std::uint32_t {
  auto member = image.join().value();
  std::uint32_t frames = 0;
  while (member.frame() != last) {
    auto view = member.view();
    if (!view) continue;
    std::uint32_t sums[2] = {};
    for (auto& sum : sums) {
      for (std::uint32_t y = 0; y < height; ++y) {
        for (const auto element : view->row(y)) {
          if (element != view->row(y)[0]) return 0;
          sum = sum * 5 + element;
        }
      }
    }
    if (sums[0] != sums[1]) return 0;
    ++frames;
  }
  return frames;
}

template <class Image>
auto shows(const Image& image, const frame_rows& rows) -> bool {
  auto member = image.join().value();
  const auto view = member.view().value();
  for (std::uint32_t y = 0; y < height; ++y) {
    for (const auto element : view.row(y)) {
      if (element != rows[y]) return false;
    }
  }
  return true;
}

}  // namespace

TEMPLATE_TEST_CASE("threads_make_the_frames_that_one_thread_makes", "", weir::native_memory,
                   chaos_memory) {
  const weir::test::watchdog watchdog{600};
  const auto seed = fresh_seed("image");
  weir::test::chaos_watch::seed = seed;
  using image_type = weir::image<std::uint32_t, TestType>;
  const auto frames = scaled(std::is_same_v<TestType, chaos_memory> ? 400U : 4000U);
  const auto last = (start_frame + frames) % (1U << 31);
  const guarded_span memory{image_type::bytes_required(options_of(false))};
  const auto image = image_type::format(memory.bytes(), options_of(false)).value();
  std::array<std::uint32_t, 3> written{};
  std::uint32_t looked = 1;
  std::vector<std::thread> threads;
  for (std::uint32_t worker = 0; worker < written.size(); ++worker) {
    threads.emplace_back([&, worker] { written[worker] = work(image, last, seed + worker); });
  }
  threads.emplace_back([&] { looked = look(image, last); });
  frame_rows expected{};
  auto director = image.director().value();
  std::uint32_t late = 0;
  for (std::uint32_t frame = 0; frame < frames; ++frame) {
    late += director.flip_when_written() == status::ok ? 0U : 1U;
    expected = next_frame(expected);
  }
  for (auto& thread : threads) thread.join();
  CHECK(late == 0);
  CHECK(looked != 0);
  CHECK(written[0] + written[1] + written[2] == 7 * frames);
  CHECK(shows(image, expected));
  CHECK(memory.intact());
}

TEST_CASE("killed_workers_cost_no_frame") {
  const weir::test::watchdog watchdog{600};
  const auto seed = fresh_seed("image kills");
  seeded_random random{seed};
  using image_type = weir::image<std::uint32_t>;
  const auto frames = scaled(3000);
  const auto last = (start_frame + frames) % (1U << 31);
  const guarded_span memory{image_type::bytes_required(options_of(true))};
  const auto image = image_type::format(memory.bytes(), options_of(true)).value();
  std::array<std::optional<child_process>, 3> workers;
  const auto spawn = [&](std::optional<child_process>& worker) {
    const auto own_seed = random.next();
    worker.emplace([&, own_seed] {
      const auto here = image_type::attach(memory.bytes()).value();
      return work(here, last, own_seed) == 0 ? 1 : 0;
    });
  };
  for (auto& worker : workers) spawn(worker);
  auto director = image.director().value();
  frame_rows expected{};
  std::uint32_t wrong = 0;
  std::uint32_t kills = 0;
  std::uint32_t bands_again = 0;
  for (std::uint32_t frame = 0; frame < frames;) {
    const auto until = weir::native_memory::now() + std::chrono::milliseconds{2};
    const auto outcome = director.flip_when_written(until);
    if (outcome == status::ok) {
      expected = next_frame(expected);
      ++frame;
    } else if (outcome != status::timed_out && outcome != status::peer_dead) {
      ++wrong;
      break;
    }
    if (frame + 50 < frames && random.once_in(40)) {
      auto& victim = workers[random.below(3)];
      victim->kill_and_reap();
      ++kills;
      spawn(victim);
    }
    bands_again += image.reclaim().things;
  }
  std::uint32_t failed = 0;
  for (auto& worker : workers) {
    const auto code = worker->wait();
    failed += code == 0 || code == 1 ? 0U : 1U;  // 1: it came when the last band was written
  }
  INFO(kills << " kills, " << bands_again << " bands and places taken back");
  CHECK(wrong == 0);
  CHECK(failed == 0);
  CHECK(kills > 0);
  CHECK(shows(image, expected));
  CHECK(memory.intact());
}
