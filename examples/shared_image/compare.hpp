// SPDX-License-Identifier: MIT
/// One change of brightness, done in three ways: what does it cost to get the picture to the workers and
/// back?
///
///   messages, transfer   as unshared.hpp has them
///   shared               the workers claim bands of one image: nothing is sent
#pragma once

#include "canvas.hpp"
#include "crew.hpp"
#include "director.hpp"
#include "reference.hpp"
#include "unshared.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace shared_image {

// --- shared

class shared_strategy {
 public:
  static constexpr auto name = "shared";

  explicit shared_strategy(const options& chosen, const pixels& original)
      : memory_{chosen},
        shared_{canvas::create(memory_)},
        crew_{memory_, shared_, chosen},
        role_{required(shared_.image.director(), "the image's director")},
        member_{required(shared_.image.join(), "a member of the image")},
        pool_{required(shared_.pool.join(), "a member of the pool")},
        original_{required(pool_.allocate(picture_bytes), "a buffer for the original")},
        seen_(static_cast<std::size_t>(shared_.shown.seen_words(shared_.image.count()))),
        bands_{
            required(shared_.image.versions().reader<weir::park>(seen_), "a reader of the bands")},
        jobs_{required(shared_.jobs.writer(), "the jobs' writer")} {
    put(original, original_);
  }
  shared_strategy(const shared_strategy&) = delete;
  auto operator=(const shared_strategy&) -> shared_strategy& = delete;
  ~shared_strategy() { jobs_.close(); }

  /// `out` is filled after the time was taken: whoever shows the picture reads it where it is.
  auto run(const pixels&, const parameters& wanted, pixels& out) -> lap {
    bands_.mark_all_seen();
    const auto copied_before = shared_.reads().sum().copied;
    const auto begin = compare_clock::now();
    require_ok(jobs_.write({shared_.image.frame() + 1, original_.handle(), wanted}), "the jobs");
    while (bands_.changed([](std::uint32_t, std::uint32_t) {}) == 0) {
      require_ok(bands_.wait_any(), "the bands");
    }
    const auto first = compare_clock::now() - begin;
    require_ok(role_.flip_when_written(), "the flip");
    const auto all = compare_clock::now() - begin;
    const auto view = required(member_.view(), "a view of the image");
    for (std::uint32_t y = 0; y < picture_height; ++y) {
      std::ranges::copy(view.row(y), row_of(out, y).begin());
    }
    return {first, all, shared_.reads().sum().copied - copied_before};
  }

 private:
  canvas_memory memory_;
  canvas shared_;
  crew crew_;
  shared_picture::director_type role_;
  shared_picture::member_type member_;
  weir::buffer_pool<>::member_type pool_;
  weir::buffer_pool<>::buffer_type original_;
  std::vector<std::uint32_t> seen_;
  weir::version_table<>::reader_type<weir::park> bands_;
  job_value::writer_type jobs_;
};

// --- the table

struct comparison {
  const char* name;
  std::vector<lap> laps;

  void print() {
    const auto median = [&](auto member) {
      std::vector<double> times;
      for (const auto& one : laps) {
        times.push_back(std::chrono::duration<double, std::milli>{one.*member}.count());
      }
      std::ranges::nth_element(times,
                               times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
      return times[times.size() / 2];
    };
    std::printf("%-9s %12.2f %15.2f %13llu\n", name, median(&lap::all), median(&lap::first_band),
                static_cast<unsigned long long>(laps.back().copied));
  }
};

/// Throws  if one of them makes another picture than the reference.
inline void compare(const options& chosen, const pixels& original) {
  constexpr int rounds = 12;
  auto few = chosen;
  few.workers = chosen.active_workers();
  few.processes = false;
  message_strategy messages{few.workers};
  transfer_strategy transfer{few.workers};
  shared_strategy shared{few, original};
  std::array<comparison, 3> found{{{messages.name, {}}, {transfer.name, {}}, {shared.name, {}}}};
  pixels out(picture_bytes);
  for (int round = 0; round < rounds; ++round) {
    parameters wanted;
    wanted.brightness = 5 * (round - rounds / 2);
    const auto expected = render(original, wanted);
    const auto add = [&](comparison& to, auto& strategy) {
      std::ranges::fill(out, std::uint8_t{0});
      const auto one = strategy.run(original, wanted, out);
      if (out != expected) throw std::runtime_error{std::string{to.name} + ": a wrong picture"};
      if (round != 0) to.laps.push_back(one);  // the first warms up
    };
    add(found[0], messages);
    add(found[1], transfer);
    add(found[2], shared);
  }
  std::printf("%-9s %12s %15s %13s\n", "way", "median ms", "first band ms", "bytes copied");
  for (auto& one : found) one.print();
}

}  // namespace shared_image
