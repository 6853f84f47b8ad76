// SPDX-License-Identifier: MIT
/// The two workers. Two, so that events gather while a frame is made, and the next one takes them all.
///
/// Each has wait() (until there is something to do) and turn() (do what can be done now; false when
/// nothing more will come). In inline mode wait() is not called, and turn() never blocks.
#pragma once

#include "channels.hpp"
#include "messages.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

namespace adapter {

/// Moves the page's messages into the queue of the frame worker.
template <class Memory>
class event_collector {
 public:
  explicit event_collector(const channels<Memory>& rings)
      : inbox_{required(rings.to_collector->template consumer<weir::park>(),
                        "the collector's inbox")},
        queue_{required(rings.queue->producer(), "the queue's producer")} {}

  void wait() { static_cast<void>(inbox_.wait()); }

  auto turn() -> bool {
    const auto pass_on = [this](const message& event) {
      require_ok(queue_.try_write(event), "the queue");
    };
    const auto outcome = drain(inbox_, pass_on).outcome;
    if (outcome == weir::status::ok || outcome == weir::status::empty) return true;
    close();
    if (outcome != weir::status::closed) require_ok(outcome, "the collector's inbox");
    return false;
  }

  void close() { queue_.close(); }

 private:
  using message_ring = typename channels<Memory>::message_ring;
  typename message_ring::template consumer_type<weir::park> inbox_;
  typename message_ring::template producer_type<> queue_;
};

/// Draws: each frame takes all events that are queued, and answers with a patch, or several if they do
/// not fit into one.
template <class Memory>
class frame_worker {
 public:
  explicit frame_worker(const channels<Memory>& rings)
      : queue_{required(rings.queue->template consumer<weir::park>(), "the queue's consumer")},
        events_{required(rings.events->consumer(), "the frame worker's events")},
        patches_{required(rings.patches->producer(weir::wait_for_space<weir::park>{}),
                          "the frame worker's patches")},
        to_page_{required(rings.to_page->producer(), "the frame worker's messages")},
        patch_size_{std::min(largest_patch, rings.patches->max_record())} {}

  void wait() { static_cast<void>(queue_.wait()); }

  auto turn() -> bool {
    const auto outcome = make_frame();
    if (outcome == weir::status::empty || outcome == weir::status::would_block) return true;
    close();
    if (outcome != weir::status::closed) require_ok(outcome, "the frame worker's rings");
    return false;
  }

  void close() {
    patches_.close();
    to_page_.close();
  }

  /// Most events that one frame took.
  [[nodiscard]] auto busiest_frame() const -> std::uint32_t { return busiest_frame_; }

 private:
  static constexpr std::uint32_t largest_patch = 4096;

  /// A patch that grows.
  class canvas {
   public:
    explicit canvas(std::span<std::byte> bytes) : bytes_{bytes} {}

    void add(const operation& step) {
      encode(bytes_.subspan(size()), step);
      ++operations_;
    }
    void finish(std::uint32_t frame) {
      encode(bytes_, patch_header{adapter::now(), frame, operations_});
    }
    [[nodiscard]] auto size() const -> std::uint32_t {
      return static_cast<std::uint32_t>(sizeof(patch_header) + operations_ * sizeof(operation));
    }
    [[nodiscard]] auto empty() const -> bool { return operations_ == 0; }

   private:
    std::span<std::byte> bytes_;
    std::uint32_t operations_ = 0;
  };

  /// Events that surely fit into one patch: each may come with a gap before it.
  [[nodiscard]] auto events_per_patch() const -> std::uint32_t {
    return static_cast<std::uint32_t>((patch_size_ - sizeof(patch_header)) /
                                      (2 * sizeof(operation)));
  }

  /// Returns  empty; closed (by the page, or because nothing more will come); would_block (inline mode):
  ///          the page has to apply patches first; or what is wrong.
  auto make_frame() -> weir::status {
    std::uint32_t events = 0;
    auto outcome = weir::status::ok;
    while (outcome == weir::status::ok) {
      auto claim = patches_.claim(patch_size_);
      if (!claim) {
        outcome = claim.status();
        break;
      }
      canvas patch{claim.bytes()};
      const auto take_one = [&](const message& event) { take(event, patch); };
      const auto drained = drain(queue_, take_one, events_per_patch());
      outcome = drained.outcome;
      events += drained.records;
      if (patch.empty()) continue;
      patch.finish(frame_);
      require_ok(claim.shrink(patch.size()), "a patch");
      require_ok(to_page_.try_write({claim.commit().record, events_.read_position()}),
                 "the frame worker's messages");
    }
    if (events != 0) ++frame_;
    busiest_frame_ = std::max(busiest_frame_, events);
    return outcome;
  }

  void take(const message& sent, canvas& patch) {
    acknowledge(patches_, sent.read_position);
    take_reports(patch);
    auto record = events_.redeem(sent.record);
    require_ok(record.status(), "an event");
    const auto type = static_cast<event_type>(record.type());
    if (type != event_type::leave) patch.add(draw(type, decode<pointer_event>(record.bytes())));
    record.release();
  }

  /// Before the event there may be Weir's own records of how many were dropped. More than one, if the
  /// room that a report found was gone again before the next event.
  void take_reports(canvas& patch) {
    std::uint64_t dropped = 0;
    for (;;) {
      auto record = events_.try_peek();
      if (!record || record.type() != weir::record_type::dropped) break;
      dropped += decode<std::uint64_t>(record.bytes());
      record.release();
    }
    if (dropped == 0) return;
    patch.add({.written = 0,
               .kind = operation_kind::gap,
               .number = static_cast<std::uint32_t>(dropped),
               .x = 0,
               .y = 0,
               .width = 0,
               .color = 0});
  }

  using byte_ring = typename channels<Memory>::byte_ring;
  using message_ring = typename channels<Memory>::message_ring;
  typename message_ring::template consumer_type<weir::park> queue_;
  typename byte_ring::template consumer_type<> events_;
  typename byte_ring::template producer_type<weir::wait_for_space<weir::park>> patches_;
  typename message_ring::template producer_type<> to_page_;
  std::uint32_t patch_size_;
  std::uint32_t frame_ = 0;
  std::uint32_t busiest_frame_ = 0;
};

}  // namespace adapter
