// SPDX-License-Identifier: MIT
/// Weir's rings in the shape that the two-thread benchmarks take:
///   typed queue  make_writer().write(next, end) -> values written, from `next` on, at most up to `end`
///                make_reader().read(use) -> values read, each given to `use`
///   byte queue   make_writer().write(size, fill) -> bool; make_reader().read(use) -> records read
#pragma once

#include <weir/weir.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

namespace bench {

/// Consumers that stream linger for a moment when they catch up; those of round trips must not.
using streaming = weir::park;
using prompt = weir::spin;

/// Bytes of a shared region: page-aligned, and every page touched before the clock starts.
class region {
 public:
  explicit region(std::size_t size)
      : size_{(size + page - 1) / page * page},
        bytes_{static_cast<std::byte*>(std::aligned_alloc(page, size_))} {
    std::memset(bytes_.get(), 0, size_);
  }
  [[nodiscard]] auto span() const -> std::span<std::byte> { return {bytes_.get(), size_}; }

 private:
  static constexpr std::size_t page = 4096;
  struct release {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::size_t size_;
  std::unique_ptr<std::byte, release> bytes_;
};

/// A ring and the memory it lives in.
template <class T, class Memory = weir::native_memory>
struct ring_in_memory {
  using ring_type = weir::spsc_ring<T, Memory>;

  explicit ring_in_memory(std::uint32_t capacity, weir::spsc_options options = {})
      : memory{static_cast<std::size_t>(ring_type::bytes_required(capacity))},
        ring{ring_type::format(memory.span(), with_capacity(options, capacity)).value()} {}

  static auto with_capacity(weir::spsc_options options, std::uint32_t capacity)
      -> weir::spsc_options {
    options.capacity = capacity;
    return options;
  }

  region memory;
  ring_type ring;
};

// --- typed rings -----------------------------------------------------------------------------------

using typed_ring = weir::spsc_ring<std::uint64_t>;

template <class Producer>
struct single_writer {
  Producer producer;
  auto write(std::uint64_t next, std::uint64_t) -> std::uint64_t {
    return producer.try_write(next) == weir::status::ok;
  }
  void flush() { producer.flush(); }
};

template <class Producer>
struct batch_writer {
  Producer producer;
  std::array<std::uint64_t, 64> batch{};
  auto write(std::uint64_t next, std::uint64_t end) -> std::uint64_t {
    const auto count = std::min<std::uint64_t>(batch.size(), end - next);
    for (std::size_t i = 0; i < count; ++i) batch[i] = next + i;
    return producer.try_write_batch(std::span{batch}.first(static_cast<std::size_t>(count)));
  }
  void flush() { producer.flush(); }
};

template <class Consumer>
struct single_reader {
  Consumer consumer;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    std::uint64_t value;
    if (consumer.try_read(value) != weir::status::ok) return 0;
    use(value);
    return 1;
  }
};

template <class Consumer>
struct drain_reader {
  Consumer consumer;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    return consumer.drain(use).records;
  }
};

/// One of the ways to use a typed ring.
template <template <class> class Writer, template <class> class Reader, class Wait = streaming>
class weir_typed {
 public:
  explicit weir_typed(std::uint32_t capacity) : at_{capacity} {}

  auto make_writer() {
    auto producer = at_.ring.producer().value();
    return Writer<decltype(producer)>{std::move(producer)};
  }
  auto make_reader() {
    auto consumer = at_.ring.template consumer<Wait>().value();
    return Reader<decltype(consumer)>{std::move(consumer)};
  }

 private:
  ring_in_memory<std::uint64_t> at_;
};

using weir_single = weir_typed<single_writer, single_reader>;
using weir_prompt = weir_typed<single_writer, single_reader, prompt>;
using weir_drain = weir_typed<single_writer, drain_reader>;
using weir_prompt_drain = weir_typed<single_writer, drain_reader, prompt>;
using weir_batch = weir_typed<batch_writer, drain_reader>;

// --- byte rings ------------------------------------------------------------------------------------

template <class Producer>
struct record_writer {
  Producer producer;
  template <class Fill>
  auto write(std::uint32_t size, Fill&& fill) -> bool {
    auto claim = producer.try_claim(size);
    if (!claim) return false;
    fill(claim.bytes());
    claim.commit();
    return true;
  }
  void flush() { producer.flush(); }
};

template <class Consumer>
struct record_peeker {
  Consumer consumer;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    auto record = consumer.try_peek();
    if (!record) return 0;
    use(record.bytes());
    record.release();
    return 1;
  }
};

template <class Consumer>
struct record_drainer {
  Consumer consumer;
  template <class Use>
  auto read(Use&& use) -> std::uint64_t {
    return consumer.drain([&](const auto& record) { use(record.bytes); }).records;
  }
};

template <template <class> class Reader>
class weir_bytes {
 public:
  explicit weir_bytes(std::uint32_t capacity, weir::spsc_options options = {})
      : at_{capacity, options} {}

  auto make_writer() {
    auto producer = at_.ring.producer().value();
    return record_writer<decltype(producer)>{std::move(producer)};
  }
  template <class Wait = streaming>
  auto make_reader() {
    auto consumer = at_.ring.template consumer<Wait>().value();
    return Reader<decltype(consumer)>{std::move(consumer)};
  }

 private:
  ring_in_memory<weir::bytes> at_;
};

using weir_peek = weir_bytes<record_peeker>;
using weir_byte_drain = weir_bytes<record_drainer>;

}  // namespace bench
