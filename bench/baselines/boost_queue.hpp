// SPDX-License-Identifier: MIT
/// Boost.Lockfree queue (Debian: libboost-dev). A linked list; the nodes are allocated up front and
/// bounded_push() never allocates more.
#pragma once

#include "../message.hpp"

#include <boost/lockfree/queue.hpp>

#include <cstdint>

namespace bench {

template <class Message>
class boost_queue {
 public:
  boost_queue(std::uint32_t capacity, std::uint32_t /*producers*/) : queue_{capacity} {}

  struct writer {
    boost::lockfree::queue<Message>& queue;
    auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
      return queue.bounded_push(numbered<Message>(next));
    }
  };
  struct reader {
    boost::lockfree::queue<Message>& queue;
    Message message = {};
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      if (!queue.pop(message)) return 0;
      use(message);
      return 1;
    }
  };

  auto make_writer() -> writer { return {queue_}; }
  auto make_reader() -> reader { return {queue_}; }

 private:
  boost::lockfree::queue<Message> queue_;
};

}  // namespace bench
