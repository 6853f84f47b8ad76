// SPDX-License-Identifier: MIT
/// The rings between page, collector and frame worker.
///
///                     events                           bytes of events, dropped when there is no room
///       .--------------------------------------.
///       |                                      v
///     page --> to_collector --> collector --> queue --> frame worker
///       ^                                                    |
///       '------------- to_page ------------------------------'
///                     patches                          bytes of patches, the worker waits for room
///
/// `to_collector` and `to_page` stand in for postMessage. On the web `events` and `patches` lie in a
/// SharedArrayBuffer each; with `Memory` = plain_memory all of it lies in plain buffers, for one thread.
#pragma once

#include "../required.hpp"
#include "messages.hpp"

#include <weir/weir.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <vector>

namespace adapter {

using example::require_ok;
using example::required;

/// Drains a ring into what may throw: nothing passes through Weir, which is built without exceptions.
template <class Consumer, class Read>
auto drain(Consumer& consumer, Read read, std::uint32_t limit = weir::no_limit) -> weir::drained {
  std::exception_ptr failure;
  const auto done = consumer.drain(
      [&](const message& one) {
        if (failure) return;
        try {
          read(one);
        } catch (...) {
          failure = std::current_exception();
        }
      },
      limit);
  if (failure) std::rethrow_exception(failure);
  return done;
}

/// Tells a producer how far its reader has read. The producer may have looked for itself since the
/// message was sent: then its news is `stale`.
template <class Producer>
void acknowledge(Producer& producer, std::uint32_t read_position) {
  const auto outcome = producer.acknowledge(read_position);
  if (outcome != weir::status::stale) require_ok(outcome, "a read position in a message");
}

/// A ring in memory of its own.
template <class Ring>
class owned_ring {
 public:
  explicit owned_ring(std::uint32_t capacity)
      : lines_(static_cast<std::size_t>(Ring::bytes_required(capacity) / sizeof(line) + 1)),
        ring_{required(
            Ring::format(std::as_writable_bytes(std::span{lines_}), {.capacity = capacity}),
            "a ring")} {}
  owned_ring(const owned_ring&) = delete;
  auto operator=(const owned_ring&) -> owned_ring& = delete;

  [[nodiscard]] auto operator->() const -> const Ring* { return &ring_; }

 private:
  struct alignas(weir::cache_line) line {
    std::array<std::byte, weir::cache_line> bytes;
  };

  std::vector<line> lines_;
  Ring ring_;
};

template <class Memory>
struct channels {
  using byte_ring = weir::spsc_ring<weir::bytes, Memory>;
  using message_ring = weir::spsc_ring<message, Memory>;

  channels(std::uint32_t event_bytes, std::uint32_t patch_bytes)
      : events{event_bytes},
        patches{patch_bytes},
        to_collector{messages_for(event_bytes, sizeof(pointer_event))},
        queue{messages_for(event_bytes, sizeof(pointer_event))},
        to_page{messages_for(patch_bytes, sizeof(patch_header) + sizeof(operation))} {}

  owned_ring<byte_ring> events;
  owned_ring<byte_ring> patches;
  owned_ring<message_ring> to_collector;
  owned_ring<message_ring> queue;
  owned_ring<message_ring> to_page;

 private:
  /// Slots that are never all taken. A record keeps its room until its message has been read, so a ring
  /// of bytes bounds the messages about it; twice that, because a reader lets go of slots in batches.
  [[nodiscard]] static auto messages_for(std::uint32_t bytes, std::size_t smallest)
      -> std::uint32_t {
    const auto frame = static_cast<std::uint32_t>(weir::record::frame_size(smallest));
    return 2 * std::bit_ceil(bytes / frame + 1);
  }
};

}  // namespace adapter
