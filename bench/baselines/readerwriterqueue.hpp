// SPDX-License-Identifier: MIT
/// moodycamel::ReaderWriterQueue (Debian: libreaderwriterqueue-dev). Linked blocks, allocated up front.
/// Measure it with NDEBUG only: its re-entrancy guards cost twenty times the operation.
#pragma once

#include <readerwriterqueue/readerwriterqueue.h>

#include <cstdint>

namespace bench {

class readerwriterqueue {
 public:
  explicit readerwriterqueue(std::uint32_t capacity) : queue_{capacity} {}

  struct writer {
    moodycamel::ReaderWriterQueue<std::uint64_t>& queue;
    auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
      return queue.try_enqueue(next);
    }
    void flush() {}
  };
  struct reader {
    moodycamel::ReaderWriterQueue<std::uint64_t>& queue;
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      std::uint64_t value;
      if (!queue.try_dequeue(value)) return 0;
      use(value);
      return 1;
    }
  };

  auto make_writer() -> writer { return {queue_}; }
  auto make_reader() -> reader { return {queue_}; }

 private:
  moodycamel::ReaderWriterQueue<std::uint64_t> queue_;
};

}  // namespace bench
