// SPDX-License-Identifier: MIT
/// Boost.Lockfree spsc_queue (Debian: libboost-dev). Both indices are read on every operation.
#pragma once

#include <boost/lockfree/policies.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

/// One element per call.
class boost_spsc {
 public:
  explicit boost_spsc(std::uint32_t capacity) : queue_{capacity} {}

  struct writer {
    boost::lockfree::spsc_queue<std::uint64_t>& queue;
    auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t { return queue.push(next); }
    void flush() {}
  };
  struct reader {
    boost::lockfree::spsc_queue<std::uint64_t>& queue;
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      std::uint64_t value;
      if (!queue.pop(value)) return 0;
      use(value);
      return 1;
    }
  };

  auto make_writer() -> writer { return {queue_}; }
  auto make_reader() -> reader { return {queue_}; }

 protected:
  boost::lockfree::spsc_queue<std::uint64_t> queue_;
};

/// Reads everything that is there in one call.
class boost_spsc_consume_all : public boost_spsc {
 public:
  using boost_spsc::boost_spsc;

  struct reader {
    boost::lockfree::spsc_queue<std::uint64_t>& queue;
    template <class Use>
    auto read(Use&& use) -> std::uint64_t {
      return queue.consume_all(use);
    }
  };
  auto make_reader() -> reader { return {queue_}; }
};

/// Writes 64 elements in one call as well.
class boost_spsc_batch : public boost_spsc_consume_all {
 public:
  using boost_spsc_consume_all::boost_spsc_consume_all;

  struct writer {
    boost::lockfree::spsc_queue<std::uint64_t>& queue;
    std::array<std::uint64_t, 64> batch{};
    auto write(std::uint64_t next, std::uint64_t end) -> std::uint64_t {
      const auto count = std::min<std::uint64_t>(batch.size(), end - next);
      for (std::size_t i = 0; i < count; ++i) batch[i] = next + i;
      return queue.push(batch.data(), static_cast<std::size_t>(count));
    }
    void flush() {}
  };
  auto make_writer() -> writer { return {queue_}; }
};

}  // namespace bench
