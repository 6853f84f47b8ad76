// SPDX-License-Identifier: MIT
/// The page's main thread: writes events, applies patches, never waits. It also knows what every patch
/// must say, and throws at the first one that says something else.
#pragma once

#include "channels.hpp"
#include "messages.hpp"
#include "trace.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace adapter {

/// What the page saw.
struct page_report {
  std::uint32_t events = 0;   ///< that happened
  std::uint32_t dropped = 0;  ///< of those, because there was no room
  std::uint32_t patches = 0;
  std::uint32_t frames = 0;  ///< of the worker, that led to a patch
  std::uint64_t patch_bytes = 0;
  std::vector<std::uint64_t> until_drawn;    ///< ns, per event applied: written to patch finished
  std::vector<std::uint64_t> until_applied;  ///< likewise, to patch applied
};

template <class Memory>
class page {
 public:
  page(const channels<Memory>& rings, const trace& input, std::uint32_t events)
      : input_{input},
        last_{events},
        events_{required(rings.events->producer(weir::drop_newest{
                             .low_water = rings.events->capacity() / 4, .report = true}),
                         "the page's events")},
        to_collector_{required(rings.to_collector->producer(), "the page's messages")},
        patches_{required(rings.patches->consumer(), "the page's patches")},
        to_page_{required(rings.to_page->consumer(), "messages to the page")} {
    report_.until_drawn.reserve(events);
    report_.until_applied.reserve(events);
  }

  /// Lets the events happen that are due at `now`, in the time of the recording. Behind the last one,
  /// and when all that was written has come back, the page leaves.
  void dispatch(std::chrono::nanoseconds now) {
    while (report_.events < last_ && input_.time_of(report_.events) <= now) {
      auto [type, event] = input_.at(report_.events);
      ++report_.events;
      if (!write(type, event)) ++report_.dropped;
    }
    if (report_.events == last_ && !left_ && applied() + report_.dropped == last_) leave();
  }

  /// Applies every patch that has come.
  void animation_frame() {
    const auto outcome = drain(to_page_, [this](const message& patch) { apply(patch); }).outcome;
    if (outcome == weir::status::corrupt) throw std::runtime_error{"messages to the page: corrupt"};
    patches_.flush();  // all the room, before turning away: the frame worker may wait for it
    finished_ = outcome == weir::status::closed;
    if (finished_) check_end();
  }

  /// True when the frame worker has closed, and everything was right.
  [[nodiscard]] auto finished() const -> bool { return finished_; }

  /// Ends the workers too, whatever they wait for.
  void close() {
    to_collector_.close();
    patches_.close();
  }

  [[nodiscard]] auto report() const -> const page_report& { return report_; }

 private:
  [[nodiscard]] auto applied() const -> std::uint32_t {
    return static_cast<std::uint32_t>(report_.until_applied.size());
  }

  /// Returns  false if there was no room.
  auto write(event_type type, pointer_event& event) -> bool {
    auto claim = events_.try_claim(sizeof event);
    if (claim.status() == weir::status::full) return false;
    require_ok(claim.status(), "the page's events");
    event.written = adapter::now();
    encode(claim.bytes(), event);
    const auto done = claim.commit(static_cast<std::uint32_t>(type));
    require_ok(to_collector_.try_write({done.record, patches_.read_position()}),
               "the page's messages");
    return true;
  }

  void leave() {
    pointer_event event{};
    event.number = last_;
    if (!write(event_type::leave, event)) throw std::runtime_error{"the empty ring has no room"};
    left_ = true;
    to_collector_.close();
  }

  void apply(const message& sent) {
    acknowledge(events_, sent.read_position);
    auto patch = patches_.redeem(sent.record);
    require_ok(patch.status(), "a patch");
    const auto bytes = patch.bytes();
    const auto header = decode<patch_header>(bytes);
    const auto steps = bytes.subspan(sizeof header);
    if (steps.size() != header.operations * sizeof(operation)) {
      throw std::runtime_error{"a patch is not as long as it says"};
    }
    const auto applied_at = adapter::now();
    for (std::size_t at = 0; at < steps.size(); at += sizeof(operation)) {
      apply(decode<operation>(steps.subspan(at)), header.drawn, applied_at);
    }
    count(header, bytes.size());
    patch.release();
  }

  void apply(const operation& step, std::uint64_t drawn_at, std::uint64_t applied_at) {
    if (step.kind == operation_kind::gap) {
      next_ += step.number;
      reported_ += step.number;
      return;
    }
    if (step.number != next_) {
      throw std::runtime_error{"event " + std::to_string(step.number) + " came in place of event " +
                               std::to_string(next_)};
    }
    auto [type, event] = input_.at(next_++);
    event.written = step.written;
    if (step != draw(type, event)) {
      throw std::runtime_error{"event " + std::to_string(step.number) + " was drawn wrong"};
    }
    report_.until_drawn.push_back(drawn_at - step.written);
    report_.until_applied.push_back(applied_at - step.written);
  }

  void count(const patch_header& header, std::size_t bytes) {
    if (report_.patches == 0 || header.frame != frame_) ++report_.frames;
    frame_ = header.frame;
    ++report_.patches;
    report_.patch_bytes += bytes;
  }

  void check_end() const {
    if (!left_) throw std::runtime_error{"the frame worker ended early"};
    if (next_ != last_ || applied() + reported_ != last_) {
      throw std::runtime_error{"events are missing at the end"};
    }
    if (reported_ != report_.dropped || events_.dropped() != report_.dropped) {
      throw std::runtime_error{std::to_string(reported_) +
                               " events were reported as dropped, but " +
                               std::to_string(report_.dropped) + " were"};
    }
  }

  using byte_ring = typename channels<Memory>::byte_ring;
  using message_ring = typename channels<Memory>::message_ring;

  const trace& input_;
  std::uint32_t last_;  ///< number of events that will happen
  typename byte_ring::template producer_type<weir::drop_newest> events_;
  typename message_ring::template producer_type<> to_collector_;
  typename byte_ring::template consumer_type<> patches_;
  typename message_ring::template consumer_type<> to_page_;

  std::uint32_t next_ = 0;      ///< number of the event whose patch is due
  std::uint32_t reported_ = 0;  ///< events that patches say were dropped
  std::uint32_t frame_ = 0;
  bool left_ = false;
  bool finished_ = false;
  page_report report_;
};

}  // namespace adapter
