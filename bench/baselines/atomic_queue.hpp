// SPDX-License-Identifier: MIT
/// max0x7ba's atomic_queue (Debian: libatomic-queue-dev): AtomicQueueB, whose slots are atomic words, for
/// messages of one word; AtomicQueueB2, with a state byte beside each slot, for longer ones. B is the
/// faster one where both fit.
#pragma once

#include "../message.hpp"

#include <atomic_queue/atomic_queue.h>

#include <cstdint>
#include <memory>
#include <type_traits>

namespace bench {

template <class Message>
class atomic_queue {
  static constexpr bool one_word = sizeof(Message) == sizeof(std::uint64_t);
  /// In an empty slot; no message is this word.
  static constexpr auto nil = ~std::uint64_t{0};
  using words_type =
      ::atomic_queue::AtomicQueueB<std::uint64_t, std::allocator<std::uint64_t>, nil>;
  using slots_type = ::atomic_queue::AtomicQueueB2<Message>;
  using queue_type = std::conditional_t<one_word, words_type, slots_type>;

 public:
  atomic_queue(std::uint32_t capacity, std::uint32_t /*producers*/) : queue_{capacity} {}

  struct writer {
    queue_type& queue;
    auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
      if constexpr (one_word) {
        return queue.try_push(numbered<Message>(next).words[0]);
      } else {
        return queue.try_push(numbered<Message>(next));
      }
    }
  };
  struct reader {
    queue_type& queue;
    typename queue_type::value_type element = {};
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      if (!queue.try_pop(element)) return 0;
      if constexpr (one_word) {
        use(Message{{element}});
      } else {
        use(element);
      }
      return 1;
    }
  };

  auto make_writer() -> writer { return {queue_}; }
  auto make_reader() -> reader { return {queue_}; }

 private:
  queue_type queue_;
};

}  // namespace bench
