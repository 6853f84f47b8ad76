// SPDX-License-Identifier: MIT
// Rings of byte records for one producer and one consumer: records, space, batches, padding.
//
// Proved, for every execution: records arrive whole, in order, once, awake or asleep, for both wake
// protocols, from positions 0 and before 2^31 and 2^32; a batch appears whole; what lay in the ring a lap
// ago is not taken for a record; space is used again only once its reader is done.
// Bounds: rings of 64 and 256 bytes, two to four records of 8 bytes. Closing, waiting for space and dropping
// stand in spsc_close.model.cpp, dead sides in spsc_successor.model.cpp.
#include "model/spsc_sides.hpp"

#include <array>
#include <cstdint>

namespace {

using namespace weir;
using namespace weir::model;

// --- records

/// Records from a fresh ring: what is read is what was written, in order.
void through_the_ring(run& run, spsc_options options, std::uint64_t records) {
  const auto ring = make_byte_ring(run, options);
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<park_now>().value(); });
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= records; ++value) put_at_last(producer, value);
  });
  run.thread("consumer", [&] {
    for (std::uint64_t value = 1; value <= records; ++value) {
      run.check(wait_and_take(consumer) == value, "records arrive whole and in order");
    }
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
void asleep_fenced(run& run) { through_the_ring(run, {.wake = wake_protocol::fenced}, 2); }
void asleep_asymmetric(run& run) {
  through_the_ring(run, {.wake = wake_protocol::asymmetric, .start_position = 0x7FFF'FFF0}, 2);
}
void asleep_wrapping(run& run) {
  through_the_ring(run, {.wake = wake_protocol::asymmetric, .start_position = 0xFFFF'FFF0}, 2);
}
void asleep_thrice(run& run) {
  through_the_ring(run, {.capacity = 256, .wake = wake_protocol::fenced}, 3);
}

/// The same without a bell: the consumer looks on. A ring that has gone round holds old records.
void watched(run& run, std::uint32_t start, std::uint64_t records) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::none, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round(producer, consumer);
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= records; ++value) put_at_last(producer, value);
  });
  run.thread("consumer", [&] {
    for (std::uint64_t value = 1; value <= records; ++value) {
      run.check(take_at_last(consumer) == value, "no record of the lap before");
    }
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
// The three records before take the offsets 0, 16, 32: then padding of 16 bytes, and offset 0.
void second_lap(run& run) { watched(run, 0, 2); }
void second_lap_half(run& run) { watched(run, 0x8000'0000 - 64, 2); }
void second_lap_wrapping(run& run) { watched(run, 0U - 64, 2); }
// From offset 24 on: the next two go to 8 and 24, without padding in between.
void second_lap_shifted(run& run) { watched(run, 24, 2); }

// --- space

/// A full ring: each further record needs space that the consumer has let go of.
void reuse(run& run, std::uint32_t start, std::uint64_t further) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::none, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  for (std::uint64_t value = 1; value <= records_that_fit; ++value) {
    run.check(put(producer, value) == status::ok, "the ring fills");
  }
  run.check(put(producer, 9) == status::full, "and is full");
  run.thread("producer", [&] {
    for (std::uint64_t i = 1; i <= further; ++i) put_at_last(producer, records_that_fit + i);
  });
  run.thread("consumer", [&] {
    for (std::uint64_t value = 1; value <= records_that_fit + further; ++value) {
      run.check(take_at_last(consumer) == value, "nothing is overwritten unread");
    }
  });
  static_cast<void>(run.go());
}
void reuse_one(run& run) { reuse(run, 40, 1); }
void reuse_half(run& run) { reuse(run, 0x8000'0000 - 24, 1); }
void reuse_wrapping(run& run) { reuse(run, 0U - 24, 1); }
void reuse_two(run& run) { reuse(run, 0, 2); }

/// The read position comes by another way, and is all that the producer needs to know.
void acknowledged(run& run) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::none});
  auto& message = run.object<std::uint32_t>();
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  for (std::uint64_t value = 1; value <= records_that_fit; ++value) {
    static_cast<void>(put(producer, value));
  }
  run.thread("producer", [&] {
    std::uint32_t position = 0;
    while ((position = model_memory::load(&message, std::memory_order_acquire)) == 0) {
      model_memory::pause();
    }
    run.check(producer.acknowledge(position) == status::ok, "the position is possible");
    run.check(producer.acknowledge(0) == status::stale, "an older one is not news");
    run.check(put(producer, 4) == status::ok, "there is room");
  });
  run.thread("consumer", [&] {
    std::uint64_t value = 0;
    for (int i = 0; i < 2; ++i) static_cast<void>(take(consumer, value));
    model_memory::store(&message, consumer.read_position(), std::memory_order_release);
    run.check(take(consumer, value) == status::ok && value == 3, "the third");
    run.check(take_at_last(consumer) == 4, "the fourth");
  });
  static_cast<void>(run.go());
}

// --- batches

enum class batch_end : std::uint8_t { flush, commit, full };

/// Two withheld records come out together. The ring has gone round, or padding lies before the batch.
template <wait_policy Wait = park_now>
void batch(run& run, batch_end end, wake_protocol wake, std::uint32_t start) {
  const auto ring = make_byte_ring(run, {.wake = wake, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<Wait>().value(); });
  go_round(producer, consumer, end == batch_end::flush ? records_that_fit : 1);
  run.thread("producer", [&] {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      run.check(put_later(producer, value) == status::ok, "there is room");
    }
    if (end == batch_end::flush) producer.flush();
    if (end == batch_end::commit) run.check(put(producer, 3) == status::ok, "there is room");
    if (end != batch_end::full) return;
    run.check(put_later(producer, 3) == status::ok, "there is room");
    run.check(put(producer, 4) == status::full, "and no more");
  });
  const std::uint64_t records = end == batch_end::flush ? 2 : 3;
  run.thread("consumer", [&] {
    run.check(!Wait::parks || consumer.wait() == status::ok, "a batch wakes");
    std::uint64_t next = 1;
    for (std::uint32_t shown = 0; shown == 0;) {
      shown =
          consumer
              .drain([&](const record_view& record) {
                run.check(value_of(record.bytes) == next++, "records arrive whole and in order");
              })
              .records;
      run.check(shown == 0 || shown >= 2, "a batch appears whole");
      if (shown == 0) model_memory::pause();
    }
    while (next <= records) run.check(take_at_last(consumer) == next++, "then the next");
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
void flushed(run& run) { batch<poll>(run, batch_end::flush, wake_protocol::none, 0); }
void flushed_asymmetric(run& run) {
  batch(run, batch_end::flush, wake_protocol::asymmetric, 0x8000'0000 - 64);
}
void flushed_at_flush(run& run) { batch(run, batch_end::flush, wake_protocol::at_flush, 0); }
void committed_behind(run& run) { batch(run, batch_end::commit, wake_protocol::fenced, 0U - 24); }
void committed_behind_asymmetric(run& run) {
  batch(run, batch_end::commit, wake_protocol::asymmetric, 40);
}
void full_behind(run& run) { batch(run, batch_end::full, wake_protocol::fenced, 40); }

/// The padding that ends a lap is part of the batch around it.
void batch_over_the_end(run& run, std::uint32_t start) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::fenced, .start_position = start});
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer<park_now>().value(); });
  go_round(producer, consumer, 2);
  run.thread("producer", [&] {
    static constexpr std::array<std::uint64_t, 2> values{1, 2};
    const auto records = std::array{std::as_bytes(std::span{values}.first(1)),
                                    std::as_bytes(std::span{values}.last(1))};
    run.check(producer.try_write_batch(records) == 2, "there is room");
  });
  run.thread("consumer", [&] {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      run.check(wait_and_take(consumer) == value, "records arrive whole and in order");
    }
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
void batch_padded(run& run) { batch_over_the_end(run, 0); }
void batch_padded_wrapping(run& run) { batch_over_the_end(run, 0U - 64); }

// --- descriptors

/// A descriptor that may overtake its record: `empty` until the record is there.
void redeemed(run& run, std::uint32_t start) {
  const auto ring = make_byte_ring(run, {.wake = wake_protocol::none, .start_position = start});
  auto& message = run.object<std::uint32_t>();
  auto producer = run.as(1, [&] { return ring.producer().value(); });
  auto consumer = run.as(2, [&] { return ring.consumer().value(); });
  go_round(producer, consumer);
  const auto first = (start + smallest) / record::alignment;  // behind padding
  const descriptor named{layout::spsc::data + 16 + record::header_size, 8, first + 2};
  run.thread("producer", [&] {
    run.check(put(producer, 1) == status::ok, "there is room");
    const auto done = fill(producer.try_claim(8), 2);
    run.check(done.record.offset == named.offset && done.record.sequence == named.sequence,
              "it is named by its place");
    model_memory::store(&message, 1, std::memory_order_relaxed);
  });
  run.thread("consumer", [&] {
    const bool told = model_memory::load(&message, std::memory_order_relaxed) != 0;
    static_cast<void>(told);  // that says nothing of the record
    for (;;) {
      auto found = consumer.redeem(named);
      if (found) {
        run.check(value_of(found.bytes()) == 2, "the record that was named");
        found.release();
        break;
      }
      run.check(found.status() == status::empty, "or not yet");
      model_memory::pause();
    }
    run.check(consumer.redeem(named).status() == status::stale, "once");
    run.check(consumer.try_peek().status() == status::empty, "and nothing else");
  });
  static_cast<void>(run.go());
}
void redeemed_early(run& run) { redeemed(run, 0); }
void redeemed_wrapping(run& run) { redeemed(run, 0U - 64); }

constexpr bounds few{.preemptions = 3};
constexpr bounds fewest{.preemptions = 2};

constexpr scenario scenarios[] = {
    {"spsc bytes: a sleeping consumer gets every record, fenced", asleep_fenced},
    {"spsc bytes: a sleeping consumer gets every record, asymmetric, before 2^31",
     asleep_asymmetric},
    {"spsc bytes: a sleeping consumer gets every record, asymmetric, before 2^32", asleep_wrapping},
    {"spsc bytes: a sleeping consumer gets three records, fenced", asleep_thrice, few},
    {"spsc bytes: what lay there a lap ago is no record", second_lap},
    {"spsc bytes: what lay there a lap ago is no record, before 2^31", second_lap_half},
    {"spsc bytes: what lay there a lap ago is no record, before 2^32", second_lap_wrapping},
    {"spsc bytes: what lay there a lap ago is no record, other offsets", second_lap_shifted},
    {"spsc bytes: space is used again only when it was read", reuse_one},
    {"spsc bytes: space is used again only when it was read, before 2^31", reuse_half},
    {"spsc bytes: space is used again only when it was read, before 2^32", reuse_wrapping},
    {"spsc bytes: space is used again only when it was read, twice", reuse_two, fewest},
    {"spsc bytes: a read position in a message makes room", acknowledged},
    {"spsc bytes: a flushed batch appears whole, no bell", flushed},
    {"spsc bytes: a flushed batch appears whole and wakes, asymmetric", flushed_asymmetric},
    {"spsc bytes: a flushed batch appears whole and wakes, at flush", flushed_at_flush},
    {"spsc bytes: a commit publishes the batch before it, fenced", committed_behind},
    {"spsc bytes: a commit publishes the batch before it, asymmetric", committed_behind_asymmetric},
    {"spsc bytes: a full ring publishes the batch", full_behind},
    {"spsc bytes: padding inside a batch appears with it", batch_padded},
    {"spsc bytes: padding inside a batch appears with it, before 2^32", batch_padded_wrapping},
    {"spsc bytes: a descriptor that overtakes its record waits for it", redeemed_early},
    {"spsc bytes: a descriptor that overtakes its record waits for it, before 2^32",
     redeemed_wrapping},
};

}  // namespace

int main(int argc, char** argv) { return run_all(argc, argv, scenarios); }
