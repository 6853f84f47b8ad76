// SPDX-License-Identifier: MIT
/// The viewer: has a frame of its own, and brings it up to date with the bands that have changed.
#pragma once

#include "canvas.hpp"
#include "crew.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace shared_image {

class viewer {
 public:
  explicit viewer(const canvas& shared)
      : canvas_{shared},
        member_{required(shared.image.join(), "the viewer as a member of the image")},
        taken_{required(shared.shown.slot(shared.at.taken), "a version of the table")},
        seen_(static_cast<std::size_t>(shared.shown.seen_words(shared.at.count))),
        changes_{required(shared.shown.reader<weir::park>(seen_), "a reader of the table")},
        thread_{[this] { run(); }} {}
  viewer(const viewer&) = delete;
  auto operator=(const viewer&) -> viewer& = delete;
  ~viewer() { canvas_.shown.request_stop(stop_); }

  /// Throws  what went wrong.
  void check() const { thread_.check(); }

  /// Returns  when what it has begun to copy is copied. Throws  what went wrong.
  void finish() {
    canvas_.shown.request_stop(stop_);
    thread_.join();
  }

  // --- after finish()

  [[nodiscard]] auto picture() const -> const pixels& { return picture_; }
  [[nodiscard]] auto bytes_copied() const -> std::uint64_t { return bytes_copied_; }

 private:
  void run() {
    std::uint32_t finished = 0;
    for (;;) {
      const auto outcome = changes_.wait(canvas_.at.finished, finished, weir::no_deadline, &stop_);
      if (outcome == weir::status::stopped) return;
      require_ok(outcome, "the version table");
      finished = canvas_.shown.version(canvas_.at.finished);
      show(finished);
    }
  }

  void show(std::uint32_t finished) {
    std::vector<std::uint32_t> dirty;
    // The bands were published before the version that was waited for: none is missed.
    changes_.changed([&](std::uint32_t slot, std::uint32_t) {
      if (slot < canvas_.at.finished) dirty.push_back(slot);
    });
    const auto view = required(member_.view(), "a view of the image");
    if (2 * view.frame() != finished) throw std::runtime_error{"an unfinished frame is seen"};
    // From here on the director may go on: it cannot write into what is being looked at.
    taken_.begin();
    taken_.end_as(finished);
    for (const auto band : dirty) copy(view, canvas_.image.division().part(band));
  }

  void copy(const shared_picture::member_type::view_type& view, const weir::box& band) {
    for (std::uint32_t y = band.y; y < band.y + band.height; ++y) {
      const row from = view.row(y);
      std::ranges::copy(from, row_of(picture_, y).begin());
      bytes_copied_ += from.size();
    }
  }

  const canvas& canvas_;
  shared_picture::member_type member_;
  weir::version_slot<> taken_;
  std::vector<std::uint32_t> seen_;
  weir::version_table<>::reader_type<weir::park> changes_;
  weir::stop_word stop_;
  pixels picture_ = pixels(picture_bytes);
  std::uint64_t bytes_copied_ = 0;
  guarded_thread thread_;
};

}  // namespace shared_image
