// SPDX-License-Identifier: MIT
/// The director: turns the plan into jobs, flips the image when a pass is written, and tells the viewer
/// which bands have changed. It touches no pixel.
#pragma once

#include "canvas.hpp"
#include "crew.hpp"
#include "viewer.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

namespace shared_image {

/// The rows of a band that are not black, and which columns of them. Nothing: all is black.
[[nodiscard]] inline auto visible(const rectangle& crop, const weir::box& band)
    -> std::optional<rectangle> {
  const auto top = std::max(crop.y, band.y);
  const auto bottom = std::min(crop.y + crop.height, band.y + band.height);
  if (top >= bottom) return std::nullopt;
  return rectangle{crop.x, top, crop.width, bottom - top};
}

/// True if a band of the picture may look different afterwards.
[[nodiscard]] inline auto is_changed(const parameters& before, const parameters& after,
                                     const weir::box& band) -> bool {
  auto cropped_alike = before;
  cropped_alike.crop = after.crop;
  const auto seen_before = visible(before.crop, band);
  const auto seen_after = visible(after.crop, band);
  if (seen_before != seen_after) return true;
  return seen_after && cropped_alike != after;
}

struct progress {
  std::uint32_t dispatches = 0;
  std::uint32_t passes = 0;
  std::uint32_t redone = 0;      ///< bands that a dead worker held
  std::uint64_t dirty_rows = 0;  ///< of all pictures: rows of bands that the viewer was told of
};

/// The original goes into a buffer of the pool: from here on it is a handle.
inline void put(const pixels& original, weir::buffer<weir::native_memory>& into) {
  std::ranges::copy(std::as_bytes(std::span{original}), into.bytes().begin());
  into.set_metadata(about_original::width, picture_width);
  into.set_metadata(about_original::height, picture_height);
  into.set_metadata(about_original::channels, channels);
}

/// Closes the jobs when it goes: no worker waits for one that will not come.
class director {
 public:
  director(const canvas& shared, crew& workers, const viewer& screen, const pixels& original,
           const options& chosen)
      : canvas_{shared},
        workers_{workers},
        screen_{screen},
        chosen_{chosen},
        role_{required(shared.image.director(), "the image's director")},
        pool_{required(shared.pool.join(), "the director as a member of the pool")},
        original_{required(pool_.allocate(picture_bytes), "a buffer for the original")},
        jobs_{required(shared.jobs.writer(), "the jobs' writer")},
        seen_(static_cast<std::size_t>(shared.shown.seen_words(shared.at.count))),
        taken_{required(shared.shown.reader<weir::park>(seen_), "a reader of the table")} {
    put(original, original_);
    for (std::uint32_t slot = 0; slot < shared.at.taken; ++slot) {
      shown_.push_back(required(shared.shown.slot(slot), "a version of the table"));
    }
  }
  director(const director&) = delete;
  auto operator=(const director&) -> director& = delete;
  ~director() { jobs_.close(); }

  /// Returns  when the viewer has the last picture.
  void run(const plan& todo) {
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& one : todo.dispatches) {
      if (chosen_.realtime) std::this_thread::sleep_until(begin + one.frame * frame_time);
      make(one.wanted);
      show(todo);
    }
    wait_for_viewer();
    if (shown_to_user_) std::fputs("\r\033[K", stderr);
  }

  [[nodiscard]] auto done() const -> const progress& { return done_; }

 private:
  static constexpr std::chrono::milliseconds frame_time{script_reader::frame_milliseconds};

  void make(const parameters& wanted) {
    const job todo{
        .first_frame = canvas_.image.frame() + 1, .original = original_.handle(), .wanted = wanted};
    require_ok(jobs_.write(todo), "the jobs");
    // The workers have begun. What they write becomes readable only once the viewer looks at what was
    // there before: every picture is shown.
    wait_for_viewer();
    for (std::uint32_t pass = 0; pass < pass_count(wanted); ++pass) {
      flip();
      ++done_.passes;
    }
    publish(wanted, todo.last_frame());
    ++done_.dispatches;
  }

  /// What the dead held, others can claim.
  void take_back() {
    done_.redone += canvas_.image.reclaim().things;
    canvas_.pool.reclaim();
  }

  /// Returns  when the viewer looks at the picture that was published last.
  void wait_for_viewer() {
    while (taken_before_ != finished_) {
      const auto outcome = taken_.wait(canvas_.at.taken, taken_before_, soon());
      if (outcome == weir::status::ok) {
        taken_before_ = finished_;
      } else {
        if (outcome != weir::status::timed_out) require_ok(outcome, "the version table");
        screen_.check();
      }
    }
  }

  /// Makes the frame readable that the workers write. The viewer may still be copying the one that will
  /// then be overwritten: the flip waits for both.
  void flip() {
    for (;;) {
      const auto outcome = role_.flip_when_written(soon());
      if (outcome == weir::status::ok) return;
      if (outcome == weir::status::peer_dead) {
        take_back();
      } else if (outcome != weir::status::timed_out) {
        require_ok(outcome, "the flip");
      }
      look_after_others();
    }
  }

  void look_after_others() {
    screen_.check();
    const bool caught = chosen_.kill != 0 && canvas_.the_trap().has_caught();
    if (caught && !std::exchange(sprung_, true)) workers_.kill(chosen_.kill);
    if (!workers_.look_after()) return;
    canvas_.the_trap().release();
    take_back();
  }

  void publish(const parameters& wanted, std::uint32_t frame) {
    const auto bands = canvas_.at.finished;
    for (std::uint32_t index = 0; index < bands; ++index) {
      const auto band = canvas_.image.division().part(index);
      if (before_ && !is_changed(*before_, wanted, band)) continue;
      shown_[index].publish();
      done_.dirty_rows += band.height;
    }
    before_ = wanted;
    finished_ = 2 * frame;
    shown_[bands].begin();
    shown_[bands].end_as(finished_);
  }

  void show(const plan& todo) const {
    if (!shown_to_user_) return;
    std::fprintf(stderr, "\r%s: picture %u of %zu\033[K", program_name, done_.dispatches,
                 todo.dispatches.size());
  }

  [[nodiscard]] static auto soon() -> std::chrono::steady_clock::time_point {
    return std::chrono::steady_clock::now() + patience;
  }

  const canvas& canvas_;
  crew& workers_;
  const viewer& screen_;
  const options& chosen_;
  shared_picture::director_type role_;
  weir::buffer_pool<>::member_type pool_;
  weir::buffer_pool<>::buffer_type original_;
  job_value::writer_type jobs_;
  std::vector<weir::version_slot<>> shown_;  ///< of the bands, and `finished`
  std::vector<std::uint32_t> seen_;
  weir::version_table<>::reader_type<weir::park> taken_;
  std::optional<parameters> before_;
  std::uint32_t finished_ = 0;
  std::uint32_t taken_before_ = 0;
  progress done_;
  bool sprung_ = false;  ///< the trap was
  bool shown_to_user_ = isatty(STDERR_FILENO) != 0;
};

}  // namespace shared_image
