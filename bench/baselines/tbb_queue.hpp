// SPDX-License-Identifier: MIT
/// oneTBB concurrent_bounded_queue (Debian: libtbb-dev). Allocates its pages on the way.
#pragma once

#include "../message.hpp"

#include <tbb/concurrent_queue.h>

#include <cstdint>

namespace bench {

template <class Message>
class tbb_queue {
 public:
  tbb_queue(std::uint32_t capacity, std::uint32_t /*producers*/) { queue_.set_capacity(capacity); }

  struct writer {
    tbb::concurrent_bounded_queue<Message>& queue;
    auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
      return queue.try_push(numbered<Message>(next));
    }
  };
  struct reader {
    tbb::concurrent_bounded_queue<Message>& queue;
    Message message = {};
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      if (!queue.try_pop(message)) return 0;
      use(message);
      return 1;
    }
  };

  auto make_writer() -> writer { return {queue_}; }
  auto make_reader() -> reader { return {queue_}; }

 private:
  tbb::concurrent_bounded_queue<Message> queue_;
};

}  // namespace bench
