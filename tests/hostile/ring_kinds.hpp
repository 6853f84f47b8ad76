// SPDX-License-Identifier: MIT
/// The rings, as a scribbled victim sees them: how large, how made, how their records are written and read.
#pragma once

#include "hostile/verdict.hpp"

#include <weir/lanes.hpp>
#include <weir/layout.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::test {

using scribbled_value = std::array<std::uint32_t, 5>;

inline constexpr std::uint32_t most_capacity = 4096;
inline constexpr std::uint32_t scribbled_producers = 3;

/// Records of bytes: claims and copies.
struct byte_records {
  static constexpr bool frames = true;

  template <class Producer>
  static auto claim(Producer& producer, seeded_random& random) {
    return producer.try_claim(random.once_in(20) ? random.next() : random.below(60));
  }
  template <class Producer>
  static auto write(Producer& producer, seeded_random& random) -> status {
    return producer.try_write(some(random, 60), random.below(4));
  }
  template <class Producer>
  static auto write_waiting(Producer& producer, seeded_random& random) -> status {
    return producer.write(some(random, 60), 0, soon());
  }
  template <class Producer>
  static void write_batch(Producer& producer, seeded_random& random, verdicts& seen) {
    const std::array records{some(random, 40), some(random, 60), some(random, 20)};
    const auto written = producer.try_write_batch(records, random.below(3));
    seen.expect("try_write_batch", written <= records.size(), "a wrong count");
    seen.count();
  }
  template <class Consumer>
  static auto read(Consumer& consumer, guarded_out& out, verdicts& seen) -> status {
    const auto done = consumer.try_read(out.span());
    out.check(seen, "try_read");
    seen.expect("try_read", done.outcome != status::ok || done.size <= out.span().size(),
                "a size beyond the buffer");
    return done.outcome;
  }

 private:
  static auto some(seeded_random& random, std::uint32_t most) -> std::span<const std::byte> {
    static const std::array<std::byte, 64> bytes{std::byte{1}, std::byte{2}};
    return std::span{bytes}.first(random.below(most));
  }
};

/// Values.
struct slot_records {
  static constexpr bool frames = false;

  template <class Producer>
  static auto claim(Producer& producer, seeded_random&) {
    return producer.try_claim();
  }
  template <class Producer>
  static auto write(Producer& producer, seeded_random& random) -> status {
    return producer.try_write({random.next()});
  }
  template <class Producer>
  static auto write_waiting(Producer& producer, seeded_random&) -> status {
    return producer.write({}, soon());
  }
  template <class Producer>
  static void write_batch(Producer& producer, seeded_random& random, verdicts& seen) {
    static const std::array<scribbled_value, 8> values{};
    const auto count = random.below(8);
    const auto written = producer.try_write_batch(std::span{values}.first(count));
    seen.expect("try_write_batch", written <= count, "a wrong count");
    seen.count();
  }
  template <class Consumer>
  static auto read(Consumer& consumer, guarded_out&, verdicts&) -> status {
    scribbled_value out;
    return consumer.try_read(out);
  }
};

/// A capacity from `least` to `most`, both powers of two.
inline auto some_capacity(seeded_random& random, std::uint32_t least, std::uint32_t most)
    -> std::uint32_t {
  auto capacity = least;
  while (capacity < most && !random.once_in(3)) capacity *= 2;
  return capacity;
}

template <class T, class Records, std::uint32_t Most>
struct spsc_victim_kind : Records {
  using ring = spsc_ring<T, scribbled_memory>;
  static constexpr auto span_size = static_cast<std::uint32_t>(ring::bytes_required(Most));
  static constexpr std::uint32_t data_offset = layout::spsc::data;
  static constexpr std::uint32_t most_records = Records::frames ? Most / 8 : Most;
  static constexpr bool sticky = true;

  static auto format(std::span<std::byte> span, seeded_random& random) {
    return ring::format(span, {.capacity = some_capacity(random, Records::frames ? 64 : 2, Most),
                               .process_shared = random.once_in(2),
                               .start_position = random.next() & ~7U});
  }
  static auto bytes_of(const ring& of) -> std::size_t {
    return static_cast<std::size_t>(ring::bytes_required(of.capacity()));
  }
  static auto consumer(const ring& of) { return of.template consumer<short_park>(); }
  static void observe(const ring& of) {
    static_cast<void>(of.statistics());
    static_cast<void>(of.producer_owner());
    static_cast<void>(of.consumer_owner());
  }
};

template <class T, class Records, std::uint32_t Most>
struct mpsc_victim_kind : Records {
  using ring = mpsc_ring<T, scribbled_memory>;
  static constexpr auto options(std::uint32_t capacity) noexcept -> mpsc_options {
    return {.capacity = capacity, .producers = scribbled_producers};
  }
  static constexpr auto span_size = static_cast<std::uint32_t>(ring::bytes_required(options(Most)));
  static constexpr std::uint32_t data_offset =
      layout::mpsc::producer_slots + scribbled_producers * layout::mpsc::slot_size;
  static constexpr std::uint32_t most_records = Records::frames ? Most / 8 : Most;
  static constexpr bool sticky = true;

  static auto format(std::span<std::byte> span, seeded_random& random) {
    auto chosen = options(some_capacity(random, Records::frames ? 64 : 2, Most));
    chosen.recoverable = random.once_in(2);
    chosen.process_shared = random.once_in(2);
    chosen.start_position = (std::uint64_t{random.below(64)} << 32 | random.next()) & ~7ULL;
    return ring::format(span, chosen);
  }
  static auto bytes_of(const ring& of) -> std::size_t {
    return static_cast<std::size_t>(
        ring::bytes_required({.capacity = of.capacity(),
                              .producers = of.producers(),
                              .max_record = Records::frames ? of.max_record() : 0}));
  }
  static auto consumer(const ring& of) { return of.template consumer<short_park>(); }
  static void observe(const ring& of) {
    static_cast<void>(of.statistics());
    static_cast<void>(of.statistics(of.producers() - 1));
    static_cast<void>(of.producer_owner(0));
    static_cast<void>(of.consumer_owner());
  }
};

struct spsc_bytes_kind : spsc_victim_kind<bytes, byte_records, most_capacity> {
  static constexpr const char* reader_name = "spsc_bytes.reader";
  static constexpr const char* writer_name = "spsc_bytes.writer";
};
struct spsc_slots_kind : spsc_victim_kind<scribbled_value, slot_records, 128> {
  static constexpr const char* reader_name = "spsc_slots.reader";
  static constexpr const char* writer_name = "spsc_slots.writer";
};
struct mpsc_bytes_kind : mpsc_victim_kind<bytes, byte_records, most_capacity> {
  static constexpr const char* reader_name = "mpsc_bytes.reader";
  static constexpr const char* writer_name = "mpsc_bytes.writer";
};
struct mpsc_slots_kind : mpsc_victim_kind<scribbled_value, slot_records, 128> {
  static constexpr const char* reader_name = "mpsc_slots.reader";
  static constexpr const char* writer_name = "mpsc_slots.writer";
};

struct lanes_kind : byte_records {
  using ring = lanes<bytes, scribbled_memory>;
  static constexpr std::uint32_t count = 3;
  static constexpr std::uint32_t most = 512;
  static constexpr auto span_size = static_cast<std::uint32_t>(ring::bytes_required(count, most));
  static constexpr std::uint32_t data_offset = layout::lanes::first_lane;
  static constexpr std::uint32_t most_records = count * (most / 8 + 2 * 64);
  static constexpr bool sticky = false;
  static constexpr const char* reader_name = "lanes.reader";
  static constexpr const char* writer_name = "lanes.writer";

  static auto format(std::span<std::byte> span, seeded_random& random) {
    return ring::format(span, {.lanes = 1 + random.below(count),
                               .capacity = some_capacity(random, 64, most),
                               .process_shared = random.once_in(2),
                               .start_position = random.next() & ~7U});
  }
  static auto bytes_of(const ring& of) -> std::size_t {
    return static_cast<std::size_t>(ring::bytes_required(of.lane_count(), of.capacity()));
  }
  static auto consumer(const ring& of) { return of.template consumer<short_park, count>(); }
  static void observe(const ring& of) {
    static_cast<void>(of.statistics());
    static_cast<void>(of.statistics(of.lane_count() - 1));
    static_cast<void>(of.lane(of.lane_count() - 1));
  }
};

}  // namespace weir::test
