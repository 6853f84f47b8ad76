// SPDX-License-Identifier: MIT
/// Weir's queues for many producers, in the shape that many_producers.bench.cpp takes:
///   queue(capacity, producers)    room for at least `capacity` messages in all
///   make_writer().write(next, end) -> messages written, from number `next` on, at most up to `end`
///   make_reader().read(use) -> messages read, each given to `use`
/// Writers are made by the threads that write.
#pragma once

#include "message.hpp"
#include "weir_queues.hpp"

#include <weir/lanes.hpp>
#include <weir/mpsc_ring.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace bench {

// --- how messages are written

template <class Message, class Producer>
struct value_writer {
  Producer producer;
  auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
    return producer.try_write(numbered<Message>(next)) == weir::status::ok;
  }
};

template <class Message, class Producer>
struct values_writer {
  Producer producer;
  batch<Message> next_ones = {};
  auto write(std::uint64_t next, std::uint64_t end) -> std::uint64_t {
    return producer.try_write_batch(next_ones.filled(next, end));
  }
};

template <class Message, class Producer>
struct message_bytes_writer {
  Producer producer;
  auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
    const auto message = numbered<Message>(next);
    return producer.try_write(std::as_bytes(std::span{&message, 1})) == weir::status::ok;
  }
};

/// In place: a batch of records of one size is claimed, filled and published.
template <class Message, class Producer>
struct messages_bytes_writer {
  Producer producer;
  auto write(std::uint64_t next, std::uint64_t end) -> std::uint64_t {
    const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(batch_size, end - next));
    auto claimed = producer.try_claim_batch(count, sizeof(Message));
    for (std::uint32_t i = 0; i < claimed.size(); ++i) {
      const auto message = numbered<Message>(next + i);
      std::memcpy(claimed[i].data(), &message, sizeof message);
    }
    return claimed.commit() == weir::status::ok ? count : 0;
  }
};

// --- how they are read

template <class Message, class Consumer>
struct value_reader {
  Consumer consumer;
  Message message = {};
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    if (consumer.try_read(message) != weir::status::ok) return 0;
    use(message);
    return 1;
  }
};

template <class Message, class Consumer>
struct value_drainer {
  Consumer consumer;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    return consumer.drain(use).records;
  }
};

template <class Message, class Consumer>
struct message_bytes_drainer {
  Consumer consumer;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    return consumer.drain([&](const auto& record) { use(record.bytes); }).records;
  }
};

// --- queues

template <class Message, class Ring, template <class, class> class Writer,
          template <class, class> class Reader>
class weir_queue {
 public:
  auto make_writer() {
    auto producer = ring_.producer().value();
    return Writer<Message, decltype(producer)>{std::move(producer)};
  }
  auto make_reader() {
    auto consumer = ring_.template consumer<streaming>().value();
    return Reader<Message, decltype(consumer)>{std::move(consumer)};
  }

 protected:
  template <class Options>
  weir_queue(std::uint64_t size, const Options& options)
      : memory_{static_cast<std::size_t>(size)},
        ring_{Ring::format(memory_.span(), options).value()} {}

 private:
  region memory_;
  Ring ring_;
};

template <class Message, template <class, class> class Writer, template <class, class> class Reader,
          bool Recoverable = false>
class weir_mpsc : public weir_queue<Message, weir::mpsc_ring<Message>, Writer, Reader> {
  using ring_type = weir::mpsc_ring<Message>;

 public:
  weir_mpsc(std::uint32_t capacity, std::uint32_t producers)
      : weir_mpsc{weir::mpsc_options{
            .capacity = capacity, .producers = producers, .recoverable = Recoverable}} {}

 private:
  explicit weir_mpsc(const weir::mpsc_options& options)
      : weir_queue<Message, ring_type, Writer, Reader>{ring_type::bytes_required(options),
                                                       options} {}
};

template <class Message, template <class, class> class Writer, bool Recoverable = false>
class weir_mpsc_bytes
    : public weir_queue<Message, weir::mpsc_ring<weir::bytes>, Writer, message_bytes_drainer> {
  using ring_type = weir::mpsc_ring<weir::bytes>;

 public:
  weir_mpsc_bytes(std::uint32_t capacity, std::uint32_t producers)
      : weir_mpsc_bytes{weir::mpsc_options{
            .capacity = bytes_for(capacity), .producers = producers, .recoverable = Recoverable}} {}

 private:
  explicit weir_mpsc_bytes(const weir::mpsc_options& options)
      : weir_queue<Message, ring_type, Writer, message_bytes_drainer>{
            ring_type::bytes_required(options), options} {}

  static constexpr auto bytes_for(std::uint32_t messages) -> std::uint32_t {
    constexpr auto frame = static_cast<std::uint32_t>(weir::record::frame_size(sizeof(Message)));
    return std::bit_ceil(messages * frame);
  }
};

template <class Message, template <class, class> class Writer>
class weir_lanes : public weir_queue<Message, weir::lanes<Message>, Writer, value_drainer> {
  using lanes_type = weir::lanes<Message>;

 public:
  weir_lanes(std::uint32_t capacity, std::uint32_t producers)
      : weir_queue<Message, lanes_type, Writer, value_drainer>{
            lanes_type::bytes_required(producers, capacity / producers),
            weir::lanes_options{.lanes = producers, .capacity = capacity / producers}} {}
};

template <class Message>
using weir_mpsc_single = weir_mpsc<Message, value_writer, value_reader>;
template <class Message>
using weir_mpsc_drain = weir_mpsc<Message, value_writer, value_drainer>;
template <class Message>
using weir_mpsc_batch = weir_mpsc<Message, values_writer, value_drainer>;
template <class Message>
using weir_mpsc_recoverable = weir_mpsc<Message, value_writer, value_drainer, true>;
template <class Message>
using weir_mpsc_bytes_drain = weir_mpsc_bytes<Message, message_bytes_writer>;
template <class Message>
using weir_mpsc_bytes_batch = weir_mpsc_bytes<Message, messages_bytes_writer>;
template <class Message>
using weir_mpsc_bytes_recoverable = weir_mpsc_bytes<Message, message_bytes_writer, true>;
template <class Message>
using weir_lanes_single = weir_lanes<Message, value_writer>;
template <class Message>
using weir_lanes_batch = weir_lanes<Message, values_writer>;

}  // namespace bench
