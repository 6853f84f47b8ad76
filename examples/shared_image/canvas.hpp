// SPDX-License-Identifier: MIT
/// What director, workers and viewer share. All of it lies in one piece of memory:
///
///   buffer_pool     the original, which nobody changes
///   image           the picture that is worked on: two buffers, cut into bands
///   version_table   for each band how often what is seen of it has changed, and two more: see slots
///   latest<job>     what is to be done
///
///   director --job--> workers        claim band after band, read the frame before, write the next one
///      '-----shown--> viewer         copies the bands that have changed, and nothing else
#pragma once

#include "../required.hpp"
#include "../shared_memory.hpp"
#include "filters.hpp"
#include "picture.hpp"
#include "script.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/cache_line.hpp>
#include <weir/image.hpp>
#include <weir/latest.hpp>
#include <weir/memory.hpp>
#include <weir/partition.hpp>
#include <weir/status.hpp>
#include <weir/version_table.hpp>
#include <weir/wait.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>

namespace shared_image {

using example::fail;
using example::require_ok;
using example::required;

inline constexpr auto program_name = "shared_image";

/// At most so many work at the same time: the viewer and they are the image's members.
inline constexpr std::uint32_t most_workers = 30;
/// How long a wait may take before somebody asks what has become of the others.
inline constexpr std::chrono::milliseconds patience{5};

struct options {
  std::string picture;
  std::string script;
  std::string out;
  std::uint32_t workers = 4;
  bool processes = false;  ///< the workers are processes
  std::uint32_t kill = 0;  ///< number of the worker to be killed, from 1; 0: none
  bool reference = false;
  bool compare = false;
  bool realtime = false;

  [[nodiscard]] auto bands() const -> std::uint32_t { return std::min(workers, picture_height); }
  [[nodiscard]] auto active_workers() const -> std::uint32_t {
    return std::min(workers, most_workers);
  }
};

/// The passes that make the frames from first_frame on. It travels.
struct job {
  std::uint32_t first_frame;
  weir::pool_handle original;
  parameters wanted;

  /// Number of the frame that is the picture.
  [[nodiscard]] auto last_frame() const -> std::uint32_t {
    return first_frame + pass_count(wanted) - 1;
  }
};

/// What is said of the original beside its bytes: places of the pool's metadata.
struct about_original {
  static constexpr std::uint32_t width = 0;
  static constexpr std::uint32_t height = 1;
  static constexpr std::uint32_t channels = 2;
};

/// Of the table: one for each band, and then these.
struct slots {
  std::uint32_t finished;  ///< twice the number of the newest frame that is a whole picture
  std::uint32_t taken;     ///< twice the number of the frame that the viewer began to copy last
  std::uint32_t count;

  explicit constexpr slots(std::uint32_t bands)
      : finished{bands}, taken{bands + 1}, count{bands + 2} {}
};

/// Catches one worker in the middle of a band, so that it can be killed there.
class trap {
 public:
  /// Before the workers start. Workers count from 1.
  void set_for(std::uint32_t worker) noexcept { store(chosen_, worker); }

  /// Whoever was to be caught is gone: nobody need wait.
  void release() noexcept { store(chosen_, 0); }

  /// True while others must wait, lest they take all the work.
  [[nodiscard]] auto awaits_another_than(std::uint32_t worker) const noexcept -> bool {
    const auto chosen = load(chosen_);
    return chosen != 0 && chosen != worker && !has_caught();
  }

  /// Returns  unless the trap is set for that worker.
  void step_on(std::uint32_t worker) noexcept {
    if (load(chosen_) != worker) return;
    store(caught_, 1);
    for (;;) std::this_thread::sleep_for(std::chrono::hours{1});
  }

  [[nodiscard]] auto has_caught() const noexcept -> bool { return load(caught_) != 0; }

 private:
  using memory = weir::native_memory;
  static auto load(const std::uint32_t& word) noexcept -> std::uint32_t {
    return memory::load(&word, std::memory_order_acquire);
  }
  static void store(std::uint32_t& word, std::uint32_t value) noexcept {
    memory::store(&word, value, std::memory_order_release);
  }

  std::uint32_t chosen_ = 0;
  std::uint32_t caught_ = 0;
};

/// Where the rows lay that the workers have read. Each notes its own; what a killed one noted stays.
class ledger {
 public:
  struct bytes_read {
    std::uint64_t in_place = 0;  ///< in the memory that all of them map
    std::uint64_t copied = 0;    ///< elsewhere: somebody had copied them for the worker
  };

  /// Workers count from 1.
  void note(std::uint32_t worker, const bytes_read& all) noexcept {
    auto& to = entries_[worker - 1].words;
    memory::store64(&to.in_place, all.in_place, std::memory_order_relaxed);
    memory::store64(&to.copied, all.copied, std::memory_order_relaxed);
  }
  [[nodiscard]] auto sum() const noexcept -> bytes_read {
    bytes_read all;
    for (const auto& [words] : entries_) {
      all.in_place += memory::load64(&words.in_place, std::memory_order_relaxed);
      all.copied += memory::load64(&words.copied, std::memory_order_relaxed);
    }
    return all;
  }

 private:
  using memory = weir::native_memory;
  struct alignas(weir::cache_line) entry {
    bytes_read words;
  };
  std::array<entry, most_workers> entries_{};
};

/// What the example itself wants to know, beside what it shows.
struct notes {
  trap catcher;
  ledger reads;
};

using job_value = weir::latest<job>;
using shared_picture = weir::image<std::uint8_t>;

/// The memory, and where in it everything lies. A child of fork maps it anew.
class canvas_memory {
 public:
  explicit canvas_memory(const options& chosen)
      : bands_{chosen.bands()},
        image_options_{.shape = {.width = row_bytes, .height = picture_height},
                       .cut = weir::bands(bands_),
                       .process_shared = chosen.processes},
        pool_class_{{{.size = picture_bytes, .count = 1}}},
        shared_{chosen.processes} {
    jobs_ = reserve(sizeof(notes));
    pool_ = reserve(job_value::bytes_required());
    image_ = reserve(weir::buffer_pool<>::bytes_required(pool_options()));
    shown_ = reserve(shared_picture::bytes_required(image_options()));
    reserve(weir::version_table<>::bytes_required(shown_options()));
    memory_.emplace(example::create_shared_memory("weir-shared_image", size_));
  }

  [[nodiscard]] auto map() const -> example::mapping { return {*memory_, size_}; }
  [[nodiscard]] auto bands() const -> std::uint32_t { return bands_; }

  [[nodiscard]] auto job_options() const -> weir::latest_options {
    return {.process_shared = shared_};
  }
  [[nodiscard]] auto pool_options() const -> weir::pool_options {
    return {.classes = pool_class_, .process_shared = shared_};
  }
  [[nodiscard]] auto image_options() const -> const weir::image_options& { return image_options_; }
  [[nodiscard]] auto shown_options() const -> weir::version_table_options {
    return {.slots = slots{bands_}.count, .process_shared = shared_};
  }

  [[nodiscard]] static auto notes_in(std::span<std::byte> all) -> notes* {
    return reinterpret_cast<notes*>(all.data());
  }
  [[nodiscard]] auto jobs_in(std::span<std::byte> all) const { return all.subspan(jobs_); }
  [[nodiscard]] auto pool_in(std::span<std::byte> all) const { return all.subspan(pool_); }
  [[nodiscard]] auto image_in(std::span<std::byte> all) const { return all.subspan(image_); }
  [[nodiscard]] auto shown_in(std::span<std::byte> all) const { return all.subspan(shown_); }

 private:
  /// Returns  where the next thing begins.
  auto reserve(std::uint64_t bytes) -> std::size_t {
    constexpr std::size_t page = 4096;
    size_ += (static_cast<std::size_t>(bytes) + page - 1) / page * page;
    return size_;
  }

  std::uint32_t bands_;
  weir::image_options image_options_;
  std::array<weir::pool_class, 1> pool_class_;
  bool shared_;
  std::size_t size_ = 0;
  std::size_t jobs_ = 0;
  std::size_t pool_ = 0;
  std::size_t image_ = 0;
  std::size_t shown_ = 0;
  std::optional<example::descriptor_handle> memory_;
};

/// One process's view of it all.
class canvas {
 public:
  /// Lays everything out. Before there is anybody else.
  static auto create(const canvas_memory& memory) -> canvas {
    auto mapped = memory.map();
    const auto all = mapped.bytes();
    std::construct_at(memory.notes_in(all));
    static_cast<void>(
        required(job_value::format(memory.jobs_in(all), memory.job_options()), "the jobs"));
    static_cast<void>(required(
        weir::buffer_pool<>::format(memory.pool_in(all), memory.pool_options()), "the pool"));
    static_cast<void>(required(shared_picture::format(memory.image_in(all), memory.image_options()),
                               "the image"));
    static_cast<void>(
        required(weir::version_table<>::format(memory.shown_in(all), memory.shown_options()),
                 "the version table"));
    return canvas{memory};
  }

  /// Of what another process laid out.
  explicit canvas(const canvas_memory& memory)
      : mapped_{memory.map()},
        notes_{memory.notes_in(mapped_.bytes())},
        jobs{required(job_value::attach(memory.jobs_in(mapped_.bytes())), "the jobs")},
        pool{required(weir::buffer_pool<>::attach(memory.pool_in(mapped_.bytes())), "the pool")},
        image{required(shared_picture::attach(memory.image_in(mapped_.bytes())), "the image")},
        shown{required(weir::version_table<>::attach(memory.shown_in(mapped_.bytes())),
                       "the version table")},
        at{memory.bands()} {}

  [[nodiscard]] auto the_trap() const -> trap& { return notes_->catcher; }
  [[nodiscard]] auto reads() const -> ledger& { return notes_->reads; }
  /// True if a row lies in the memory that all map.
  [[nodiscard]] auto holds(row bytes) const -> bool {
    const auto all = mapped_.bytes();
    const auto* const first = reinterpret_cast<const std::byte*>(bytes.data());
    const std::less_equal<> before;
    return before(all.data(), first) && before(first + bytes.size(), all.data() + all.size());
  }

 private:
  example::mapping mapped_;
  notes* notes_;

 public:
  job_value jobs;
  weir::buffer_pool<> pool;
  shared_picture image;
  weir::version_table<> shown;
  slots at;
};

}  // namespace shared_image
