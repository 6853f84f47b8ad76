// SPDX-License-Identifier: MIT
/// What the processes share: a ring of lines, a word that ends everything, and a counter per producer.
#pragma once

#include "../required.hpp"
#include "../shared_memory.hpp"
#include "log_line.hpp"

#include <weir/weir.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

namespace log_collector {

using example::fail;
using log_ring = weir::mpsc_ring<weir::bytes>;

inline constexpr auto program_name = "log_collector";
inline constexpr std::uint32_t most_producers = 256;
/// Slots of the ring for each producer: one that was killed keeps its slot until recover().
inline constexpr std::uint32_t slots_per_producer = 4;

struct options {
  std::uint32_t producers = 8;
  std::uint32_t seconds = 10;
  std::uint32_t kill_rate = 5;
  std::uint32_t ring_size = 1U << 24;
  std::uint32_t megabytes = 800;
  std::uint64_t seed = 1;
  std::string out;
};

/// How many lines the present producer of a seat has committed. The producer counts, whoever buries it
/// reads: a line that was committed and not counted yet is the one about which nobody can know.
class commit_counter {
 public:
  void reset() noexcept { store(0); }
  void store(std::uint64_t count) noexcept {
    weir::native_memory::store64(&count_, count, std::memory_order_release);
  }
  [[nodiscard]] auto load() const noexcept -> std::uint64_t {
    return weir::native_memory::load64(&count_, std::memory_order_acquire);
  }

 private:
  alignas(weir::cache_line) std::uint64_t count_ = 0;
};

struct control_block {
  weir::stop_word stop;
  std::array<commit_counter, most_producers> committed;
};

/// The memory, and how much of it there is. A child of fork maps it anew: mappings are not inherited.
class log_memory {
 public:
  explicit log_memory(const options& chosen)
      : ring_options_{.capacity = chosen.ring_size,
                      .producers = chosen.producers * slots_per_producer,
                      .recoverable = true,
                      .process_shared = true},
        size_{sizeof(control_block) +
              static_cast<std::size_t>(log_ring::bytes_required(ring_options_))},
        memory_{example::create_shared_memory("weir-log_collector", size_)} {}

  [[nodiscard]] auto ring_options() const -> const weir::mpsc_options& { return ring_options_; }
  [[nodiscard]] auto map() const -> example::mapping { return {memory_, size_}; }

 private:
  weir::mpsc_options ring_options_;
  std::size_t size_;
  example::descriptor_handle memory_;
};

/// One process's view of it.
class shared_log {
 public:
  /// Lays it out. Before there is any other process.
  static auto create(const log_memory& memory) -> shared_log {
    return {memory, [&](std::span<std::byte> all) {
              std::construct_at(control_in(all));
              return log_ring::format(ring_in(all), memory.ring_options());
            }};
  }
  static auto attach(const log_memory& memory) -> shared_log {
    return {memory, [](std::span<std::byte> all) { return log_ring::attach(ring_in(all)); }};
  }

  [[nodiscard]] auto ring() const -> const log_ring& { return ring_; }
  [[nodiscard]] auto control() const -> control_block& { return *control_in(mapped_.bytes()); }

  /// Takes the role of a producer. The ring may be `full` of dead ones until the collector has looked
  /// after them. Returns  a producer; peer_dead: the collector has died.
  template <weir::backpressure_policy Policy>
  [[nodiscard]] auto producer() const -> weir::result<log_ring::producer_type<Policy>> {
    for (;;) {
      auto taken = ring_.producer<Policy>();
      if (taken.status() != weir::status::full) {
        return example::required(std::move(taken), "a producer of the ring");
      }
      if (ring_.consumer_owner() == weir::owner_state::dead) return weir::status::peer_dead;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

 private:
  template <class Make>
  shared_log(const log_memory& memory, Make make)
      : mapped_{memory.map()}, ring_{example::required(make(mapped_.bytes()), "the ring")} {}

  static auto control_in(std::span<std::byte> all) -> control_block* {
    return reinterpret_cast<control_block*>(all.data());
  }
  static auto ring_in(std::span<std::byte> all) -> std::span<std::byte> {
    return all.subspan(sizeof(control_block));
  }

  example::mapping mapped_;
  log_ring ring_;
};

}  // namespace log_collector
