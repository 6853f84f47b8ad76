// SPDX-License-Identifier: MIT
/// moodycamel::ConcurrentQueue (Debian: libconcurrentqueue-dev): a queue per producer, no order between
/// producers. With tokens on both sides, and all blocks allocated up front.
#pragma once

#include "../message.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <cstddef>
#include <cstdint>

namespace bench {

/// No bound.
inline constexpr auto unbounded = moodycamel::details::const_numeric_max<std::size_t>::value;

/// One message per call. Most: messages that a producer can be ahead of the consumer.
template <class Message, std::size_t Most>
class concurrentqueue {
  struct traits : moodycamel::ConcurrentQueueDefaultTraits {
    static constexpr std::size_t MAX_SUBQUEUE_SIZE = Most;
  };

 public:
  using queue_type = moodycamel::ConcurrentQueue<Message, traits>;

  concurrentqueue(std::uint32_t capacity, std::uint32_t producers)
      : queue_{capacity + 4 * queue_type::BLOCK_SIZE * producers} {}

  struct writer {
    queue_type& queue;
    moodycamel::ProducerToken token;
    auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
      return queue.enqueue(token, numbered<Message>(next));
    }
  };
  struct reader {
    queue_type& queue;
    moodycamel::ConsumerToken token;
    Message message = {};
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      if (!queue.try_dequeue(token, message)) return 0;
      use(message);
      return 1;
    }
  };

  auto make_writer() -> writer { return {queue_, moodycamel::ProducerToken{queue_}}; }
  auto make_reader() -> reader { return {queue_, moodycamel::ConsumerToken{queue_}}; }

 protected:
  queue_type queue_;
};

/// Sixteen messages per call, on both sides.
template <class Message, std::size_t Most>
class concurrentqueue_bulk : public concurrentqueue<Message, Most> {
  using base = concurrentqueue<Message, Most>;

 public:
  using base::base;

  struct writer {
    typename base::queue_type& queue;
    moodycamel::ProducerToken token;
    batch<Message> next_ones = {};
    auto write(std::uint64_t next, std::uint64_t end) -> std::uint64_t {
      const auto messages = next_ones.filled(next, end);
      return queue.enqueue_bulk(token, messages.data(), messages.size()) ? messages.size() : 0;
    }
  };
  struct reader {
    typename base::queue_type& queue;
    moodycamel::ConsumerToken token;
    batch<Message> read_ones = {};
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      const auto count = queue.try_dequeue_bulk(token, read_ones.data(), batch_size);
      for (std::size_t i = 0; i < count; ++i) use(read_ones.data()[i]);
      return count;
    }
  };

  auto make_writer() -> writer { return {this->queue_, moodycamel::ProducerToken{this->queue_}}; }
  auto make_reader() -> reader { return {this->queue_, moodycamel::ConsumerToken{this->queue_}}; }
};

}  // namespace bench
