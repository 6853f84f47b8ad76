// SPDX-License-Identifier: MIT
/// Two ways to have a picture worked on without sharing it, to compare with.
///
///   messages   each worker is sent the whole picture, works on its band, and sends the whole picture back
///   transfer   each worker is given a buffer with its band and the rows around it, and gives it back
#pragma once

#include "../aligned_memory.hpp"
#include "canvas.hpp"
#include "crew.hpp"
#include "filters.hpp"

#include <weir/spsc_ring.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

namespace shared_image {

using compare_clock = std::chrono::steady_clock;

/// One dispatch.
struct lap {
  compare_clock::duration first_band;  ///< until the first band is where it belongs
  compare_clock::duration all;
  std::uint64_t copied;  ///< bytes
};

/// Bytes of pixels that were copied, by whichever thread.
class copy_count {
 public:
  void copy(row from, std::span<std::uint8_t> to) noexcept {
    std::ranges::copy(from, to.begin());
    add(from.size());
  }
  void add(std::size_t bytes) noexcept { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  [[nodiscard]] auto take() noexcept -> std::uint64_t {
    return bytes_.exchange(0, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> bytes_{0};
};

/// Rows of the whole picture, in parts for the workers.
[[nodiscard]] inline auto division_for(std::uint32_t workers) -> weir::partition {
  return required(
      weir::partition::make({.width = row_bytes, .height = picture_height}, weir::bands(workers)),
      "the division");
}

/// A ring and the memory that it lies in.
template <class T>
class owned_ring {
 public:
  explicit owned_ring(std::uint32_t capacity)
      : memory_{weir::spsc_ring<T>::bytes_required(capacity)},
        ring{required(weir::spsc_ring<T>::format(memory_.bytes(), {.capacity = capacity}),
                      "a ring")},
        producer{required(ring.template producer<weir::wait_for_space<weir::park>>(),
                          "a ring's producer")},
        consumer{required(ring.template consumer<weir::park>(), "a ring's consumer")} {}

  /// Returns  false when the ring is closed.
  template <class Try>
  [[nodiscard]] auto read(Try attempt) -> bool {
    for (;;) {
      auto outcome = attempt();
      if (outcome == weir::status::ok) return true;
      if (outcome == weir::status::empty) outcome = consumer.wait();
      if (outcome == weir::status::closed) return false;
      require_ok(outcome, "a ring");
    }
  }

 private:
  example::aligned_memory memory_;
  weir::spsc_ring<T> ring;

 public:
  typename weir::spsc_ring<T>::template producer_type<weir::wait_for_space<weir::park>> producer;
  typename weir::spsc_ring<T>::template consumer_type<weir::park> consumer;
};

// --- messages

class message_strategy {
 public:
  static constexpr auto name = "messages";

  explicit message_strategy(std::uint32_t workers) : division_{division_for(workers)} {
    for (std::uint32_t index = 0; index < workers; ++index) {
      auto& line = links_.emplace_back();
      threads_.push_back(std::make_unique<guarded_thread>(
          [this, &line, part = division_.part(index)] { serve(line, part); }));
    }
  }
  message_strategy(const message_strategy&) = delete;
  auto operator=(const message_strategy&) -> message_strategy& = delete;
  ~message_strategy() {
    for (auto& line : links_) {
      line.down.producer.close();
      line.up.consumer.close();
    }
  }

  auto run(const pixels& original, const parameters& wanted, pixels& out) -> lap {
    const auto begin = compare_clock::now();
    for (auto& line : links_) {
      require_ok(line.down.producer.write(std::as_bytes(std::span{&wanted, 1})), "a message");
      for (std::uint32_t y = 0; y < picture_height; ++y) send(line.down, row_of(original, y));
    }
    compare_clock::duration first{};
    pixels rest(row_bytes);
    for (std::uint32_t index = 0; index < links_.size(); ++index) {
      const auto part = division_.part(index);
      for (std::uint32_t y = 0; y < picture_height; ++y) {
        const bool mine = part.contains(0, y);
        if (!receive(links_[index].up, mine ? row_of(out, y) : std::span{rest})) {
          threads_[index]->check();
          throw std::runtime_error{"a worker has ended"};
        }
        if (index == 0 && y + 1 == part.height) first = compare_clock::now() - begin;
      }
    }
    return {first, compare_clock::now() - begin, copied_.take()};
  }

 private:
  static constexpr std::uint32_t ring_size = 1U << 21;

  using byte_ring = owned_ring<weir::bytes>;
  struct link {
    byte_ring down{ring_size};
    byte_ring up{ring_size};
  };

  void send(byte_ring& ring, row from) {
    require_ok(ring.producer.write(std::as_bytes(from)), "a message");
    copied_.add(from.size());
  }
  [[nodiscard]] auto receive(byte_ring& ring, std::span<std::uint8_t> to) -> bool {
    copied_.add(to.size());
    return ring.read([&] { return ring.consumer.try_read(std::as_writable_bytes(to)).outcome; });
  }

  void serve(link& line, const weir::box& part) {
    pixels own(picture_bytes);
    parameters wanted;
    const auto all = std::as_writable_bytes(std::span{&wanted, 1});
    while (line.down.read([&] { return line.down.consumer.try_read(all).outcome; })) {
      for (std::uint32_t y = 0; y < picture_height; ++y) {
        if (!receive(line.down, row_of(own, y))) return;
      }
      filter pass{wanted, 0};
      for (std::uint32_t y = part.y; y < part.y + part.height; ++y) {
        pass.apply(row_of(own, y), y,
                   [&](std::uint32_t at) { return row_of(std::as_const(own), at); });
      }
      for (std::uint32_t y = 0; y < picture_height; ++y)
        send(line.up, row_of(std::as_const(own), y));
    }
  }

  weir::partition division_;
  copy_count copied_;
  std::deque<link> links_;
  std::vector<std::unique_ptr<guarded_thread>> threads_;
};

// --- transfer

class transfer_strategy {
 public:
  static constexpr auto name = "transfer";

  explicit transfer_strategy(std::uint32_t workers)
      : division_{division_for(workers)},
        classes_{
            {{.size = (picture_height / workers + 1 + 2 * margin) * row_bytes, .count = workers}}},
        memory_{weir::buffer_pool<>::bytes_required({.classes = classes_})},
        pool_{required(weir::buffer_pool<>::format(memory_.bytes(), {.classes = classes_}),
                       "the pool")},
        member_{required(pool_.join(), "a member of the pool")} {
    for (std::uint32_t index = 0; index < workers; ++index) {
      auto& line = links_.emplace_back();
      threads_.push_back(std::make_unique<guarded_thread>([this, &line] { serve(line); }));
    }
  }
  transfer_strategy(const transfer_strategy&) = delete;
  auto operator=(const transfer_strategy&) -> transfer_strategy& = delete;
  ~transfer_strategy() {
    for (auto& line : links_) {
      line.down.producer.close();
      line.up.consumer.close();
    }
  }

  auto run(const pixels& original, const parameters& wanted, pixels& out) -> lap {
    const auto begin = compare_clock::now();
    for (std::uint32_t index = 0; index < links_.size(); ++index) {
      give_away(links_[index], original, wanted, division_.part(index));
    }
    compare_clock::duration first{};
    for (std::uint32_t index = 0; index < links_.size(); ++index) {
      take_back(links_[index], out, division_.part(index));
      if (index == 0) first = compare_clock::now() - begin;
    }
    return {first, compare_clock::now() - begin, copied_.take()};
  }

 private:
  /// Rows around a band that some filter would need: brightness alone needs none, a box of 9x9 four.
  static constexpr std::uint32_t margin = 4;

  struct task {
    parameters wanted;
    std::uint32_t first_row;
    std::uint32_t rows;
    weir::pool_descriptor where;
  };
  using task_ring = owned_ring<task>;
  struct link {
    task_ring down{2};
    task_ring up{2};
  };

  static auto pixels_in(const weir::buffer<weir::native_memory>& buffer)
      -> std::span<std::uint8_t> {
    const auto bytes = buffer.bytes();
    return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  }

  void give_away(link& line, const pixels& original, const parameters& wanted,
                 const weir::box& part) {
    const auto around = division_.halo(part, 0, margin);
    auto buffer = required(member_.allocate(std::uint64_t{around.height} * row_bytes), "a buffer");
    for (std::uint32_t y = 0; y < around.height; ++y) {
      copied_.copy(row_of(original, around.y + y),
                   pixels_in(buffer).subspan(std::size_t{y} * row_bytes, row_bytes));
    }
    require_ok(line.down.producer.write({wanted, around.y, around.height, buffer.hand_over()}),
               "a message");
  }

  void take_back(link& line, pixels& out, const weir::box& part) {
    task done{};
    if (!line.up.read([&] { return line.up.consumer.try_read(done); })) {
      throw std::runtime_error{"a worker has ended"};
    }
    const auto buffer = required(member_.adopt(done.where), "a buffer");
    for (std::uint32_t y = part.y; y < part.y + part.height; ++y) {
      const auto at = std::size_t{y - done.first_row} * row_bytes;
      copied_.copy(pixels_in(buffer).subspan(at, row_bytes), row_of(out, y));
    }
  }

  void serve(link& line) {
    auto member = required(pool_.join(), "a member of the pool");
    task todo{};
    while (line.down.read([&] { return line.down.consumer.try_read(todo); })) {
      auto buffer = required(member.adopt(todo.where), "a buffer");
      filter pass{todo.wanted, 0};
      for (std::uint32_t y = 0; y < todo.rows; ++y) {
        const auto at = pixels_in(buffer).subspan(std::size_t{y} * row_bytes, row_bytes);
        pass.apply(at, y, [&](std::uint32_t) { return row{at}; });
      }
      todo.where = buffer.hand_over();
      require_ok(line.up.producer.write(todo), "a message");
    }
  }

  weir::partition division_;
  std::array<weir::pool_class, 1> classes_;
  example::aligned_memory memory_;
  weir::buffer_pool<> pool_;
  weir::buffer_pool<>::member_type member_;
  copy_count copied_;
  std::deque<link> links_;
  std::vector<std::unique_ptr<guarded_thread>> threads_;
};

}  // namespace shared_image
