// SPDX-License-Identifier: MIT
/// A worker: claims a band of the frame that is being written, reads the frame before, writes its band.
#pragma once

#include "canvas.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <utility>

namespace shared_image {

class worker {
 public:
  /// Workers count from 1.
  worker(const canvas& shared, std::uint32_t number)
      : canvas_{shared},
        number_{number},
        member_{required(shared.image.join(), "a member of the image")},
        pool_{required(shared.pool.join(), "a member of the pool")},
        jobs_{required(shared.jobs.reader<weir::park>(), "a reader of the jobs")} {}

  /// Returns  when no job will come any more.
  void run() {
    for (;;) {
      const auto outcome = jobs_.wait();
      if (outcome == weir::status::closed || outcome == weir::status::peer_dead) return;
      require_ok(outcome, "the jobs");
      const auto next = jobs_.read();
      if (next.status() == weir::status::torn) continue;
      work_on(required(next, "a job"));
    }
  }

 private:
  using band = shared_picture::member_type::band_type;

  /// Returns  when the picture is done, whoever did it, or when no job will come any more.
  void work_on(const job& todo) {
    auto shared = pool_.share(todo.original);
    if (shared.status() == weir::status::stale) return;  // all is done, and the director is gone
    const auto original = required(std::move(shared), "the original");
    for (;;) {
      if (is_done(todo, canvas_.image.frame()) || canvas_.jobs.closed()) return;
      if (canvas_.the_trap().awaits_another_than(number_)) {
        std::this_thread::sleep_for(patience);
        continue;
      }
      auto claimed = member_.claim_next(number_ - 1);
      const auto outcome = claimed.status();
      if (claimed) {
        write(*claimed, todo, original);
      } else if (outcome == weir::status::empty || outcome == weir::status::busy) {
        // Others have what is left. Now and then: is there still somebody who flips?
        static_cast<void>(member_.wait_for_band(std::chrono::steady_clock::now() + patience));
      } else {
        require_ok(outcome, "a band");
      }
    }
  }

  /// rows(y) -> row, of the original.
  [[nodiscard]] static auto row_reader(const weir::buffer<weir::native_memory>& original) {
    const auto bytes = original.bytes();
    const std::size_t stride =
        original.metadata(about_original::width) * original.metadata(about_original::channels);
    return [stride, all = row{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}](
               std::uint32_t y) { return all.subspan(y * stride, stride); };
  }

  /// Gives the band back unwritten if it is one of a later job's.
  void write(band& mine, const job& todo, const weir::buffer<weir::native_memory>& original) {
    if (is_done(todo, mine.frame() - 1)) return;
    const auto number = mine.frame() - todo.first_frame;
    filter pass{todo.wanted, number};
    const auto from = row_reader(original);
    const auto around = mine.before(0, pass.margin());
    for (std::uint32_t y = 0; y < mine.rows(); ++y) {
      if (y == mine.rows() / 2) canvas_.the_trap().step_on(number_);
      const auto at = mine.part().y + y;
      pass.apply(mine.row(y), at, [&](std::uint32_t other) {
        return noted(number == 0 ? from(other) : around.row(other));
      });
    }
    canvas_.reads().note(number_, read_);
    require_ok(mine.commit(), "a band");
  }

  auto noted(row read) -> row {
    (canvas_.holds(read) ? read_.in_place : read_.copied) += read.size();
    return read;
  }

  [[nodiscard]] static auto is_done(const job& todo, std::uint32_t frame) -> bool {
    return weir::has_reached(2 * frame, 2 * todo.last_frame());
  }

  const canvas& canvas_;
  std::uint32_t number_;
  shared_picture::member_type member_;
  weir::buffer_pool<>::member_type pool_;
  job_value::reader_type<weir::park> jobs_;
  ledger::bytes_read read_;
};

}  // namespace shared_image
