// SPDX-License-Identifier: MIT
// A peer that writes what it likes into the words of a ring, at every moment, against one side of it: each
// call stays in the span, ends, and answers with a status. Every choice of two stores among the words and
// values below, every interleaving. Bytes of records may race: a peer that lies may change them any time.
#include "model/scenario.hpp"

#include <weir/latest.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using namespace weir;
using model::model_memory;
using word = std::uint32_t;

constexpr word capacity = 64;
constexpr word record_size = 8;

/// Where a liar writes: words of 32 and of 64 bits.
struct places {
  std::vector<word> narrow, wide;
};

/// Commit words and positions that are almost right, and some that are not.
constexpr std::array<std::uint64_t, 10> forged{
    0, 1, 7, 16, 24, 64, 72, 0x8000'0010, 0xFFFF'FFF0, 0xFFFF'FFFF'FFFF'FFFF};

/// Two stores: anywhere, anything, any time.
void lie(model::run& run, std::span<std::byte> bytes, const places& at) {
  for (int i = 0; i < 2; ++i) {
    auto which =
        static_cast<std::size_t>(run.choose(static_cast<int>(at.narrow.size() + at.wide.size())));
    const auto value = forged[static_cast<std::size_t>(run.choose(forged.size()))];
    if (which < at.narrow.size()) {
      model_memory::store(reinterpret_cast<word*>(bytes.data() + at.narrow[which]),
                          static_cast<word>(value), std::memory_order_relaxed);
    } else {
      which -= at.narrow.size();
      model_memory::store64(reinterpret_cast<std::uint64_t*>(bytes.data() + at.wide[which]), value,
                            std::memory_order_relaxed);
    }
  }
}

[[nodiscard]] auto write_one(auto& producer) -> bool {
  auto claim = producer.try_claim(record_size);
  if (!claim) return false;
  constexpr std::uint64_t value = 5;
  model_memory::copy_in(claim.bytes().data(), &value, record_size);
  return claim.commit().outcome == status::ok;
}

/// Reads what there is; the policy itself judges whether what is read lies in the span.
void read_all(model::run& run, auto& consumer) {
  std::uint32_t bytes_read = 0;
  bool corrupt = false;
  for (int i = 0; i < 2; ++i) {
    std::array<std::byte, capacity> copy{};
    auto record = consumer.try_peek();
    if (!record) {
      corrupt = corrupt || record.status() == status::corrupt;
      run.check(!corrupt || record.status() == status::corrupt, "corrupt stays");
      continue;
    }
    run.check(!corrupt, "corrupt stays");
    run.check(record.bytes().size() <= capacity, "no record is larger than the ring");
    model_memory::copy_out(copy.data(), record.bytes().data(), record.bytes().size());
    bytes_read += static_cast<std::uint32_t>(record.bytes().size());
    run.check(bytes_read <= capacity, "no more comes out than the ring holds");
  }
}

/// A ring of 64 bytes, and where its first record lies.
template <class Ring, class Options>
struct victim {
  victim(model::run& run, std::uint64_t size, const Options& options)
      : bytes{run.bytes(size)}, ring{Ring::format(bytes, options).value()} {}

  std::span<std::byte> bytes;
  Ring ring;
};
using spsc = spsc_ring<bytes, model_memory>;
using mpsc = mpsc_ring<bytes, model_memory>;
[[nodiscard]] auto spsc_victim(model::run& run) {
  return victim<spsc, spsc_options>{run, spsc::bytes_required(capacity), {.capacity = capacity}};
}
[[nodiscard]] auto mpsc_victim(model::run& run) {
  const mpsc_options options{
      .capacity = capacity, .producers = 1, .max_record = record_size, .recoverable = true};
  return victim<mpsc, mpsc_options>{run, mpsc::bytes_required(options), options};
}

void against_a_consumer(model::run& run, auto there, places at) {
  auto producer = run.as(1, [&] { return there.ring.producer().value(); });
  auto consumer = run.as(2, [&] { return there.ring.consumer().value(); });
  const auto first = producer.try_claim(record_size).bytes().data() - there.bytes.data();
  run.check(write_one(producer), "there is room");
  for (const word frame : {0U, 16U}) at.narrow.push_back(static_cast<word>(first) - 8 + frame);
  run.thread("liar", [&] { lie(run, there.bytes, at); });
  run.thread("consumer", [&] { read_all(run, consumer); });
  static_cast<void>(run.go());
}

void against_a_producer(model::run& run, auto there, places at) {
  auto producer = run.as(2, [&] { return there.ring.producer().value(); });
  while (write_one(producer)) {
  }
  run.thread("liar", [&] { lie(run, there.bytes, at); });
  run.thread("producer", [&] {
    for (int i = 0; i < 2; ++i) static_cast<void>(write_one(producer));
  });
  static_cast<void>(run.go());
}

void spsc_consumer(model::run& run) {
  namespace at = layout::spsc;
  against_a_consumer(run, spsc_victim(run), {{at::write_position, at::closed}, {}});
}
void spsc_producer(model::run& run) {
  namespace at = layout::spsc;
  against_a_producer(run, spsc_victim(run), {{at::read_position, at::closed, at::data}, {}});
}
void mpsc_consumer(model::run& run) {
  namespace at = layout::mpsc;
  against_a_consumer(run, mpsc_victim(run), {{at::closed}, {at::claim_position}});
}
void mpsc_producer(model::run& run) {
  namespace at = layout::mpsc;
  against_a_producer(run, mpsc_victim(run),
                     {{at::closed}, {at::read_position, at::claim_position}});
}

void latest_reader(model::run& run) {
  using value_type = latest<std::uint64_t, model_memory>;
  namespace at = layout::latest;
  const auto bytes = run.bytes(value_type::bytes_required());
  const auto view = value_type::format(bytes).value();
  auto writer = run.as(1, [&] { return view.writer().value(); });
  auto reader = run.as(2, [&] { return view.reader().value(); });
  static_cast<void>(writer.write(std::uint64_t{5}));
  const places where{{at::closed, at::version, at::data + at::buffer_value}, {}};
  run.thread("liar", [&] { lie(run, bytes, where); });
  run.thread("reader", [&] {
    for (int i = 0; i < 2; ++i) static_cast<void>(reader.read());
  });
  static_cast<void>(run.go());
}

constexpr model::bounds hostile{.hostile = true};
constexpr model::scenario scenarios[] = {
    {"hostile: no lie leads a consumer of spsc bytes astray", spsc_consumer, hostile},
    {"hostile: no lie leads a producer of spsc bytes astray", spsc_producer, hostile},
    {"hostile: no lie leads a consumer of mpsc bytes astray", mpsc_consumer, hostile},
    {"hostile: no lie leads a producer of mpsc bytes astray", mpsc_producer, hostile},
    {"hostile: no lie leads a reader of latest astray", latest_reader, hostile},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
