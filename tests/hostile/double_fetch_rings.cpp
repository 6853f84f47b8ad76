// SPDX-License-Identifier: MIT
// What the two sides of the rings read of each other: no word twice, but where the protocol looks again.
#include "hostile/double_fetch.hpp"

#include <weir/weir.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace weir::test {
namespace {

using value = std::array<std::uint32_t, 5>;
using spsc = spsc_ring<bytes>;
using slots = spsc_ring<value>;
using mpsc = mpsc_ring<bytes>;
using mpsc_slots = mpsc_ring<value>;

constexpr std::array<std::byte, 24> content{};
constexpr auto a_hint = "how far to prefetch: clamped anew at each event";
constexpr auto the_path =
    "the first look only says that it is no common case; the second is judged";
constexpr auto a_sleeper = "whether to wake somebody: at each release";
constexpr mpsc_options many{.capacity = 1024, .producers = 3, .recoverable = true};
constexpr mpsc_options few{.capacity = 16, .producers = 3};

void expect(status outcome, status wanted) {
  if (outcome != wanted) {
    std::fprintf(stderr, "a scenario is not what it should be: %.*s\n",
                 static_cast<int>(name(outcome).size()), name(outcome).data());
    std::abort();
  }
}

[[nodiscard]] auto make_spsc(const guarded_span& memory) {
  return spsc::format(memory.bytes(), {.capacity = 1024}).value();
}

void spsc_consumer(fetch_report& report) {
  const guarded_span memory{spsc::bytes_required(1024)};
  auto ring = make_spsc(memory);
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  const auto write = [&](std::uint32_t size) {
    auto claim = producer.try_claim(size);
    return claim.commit(1).record;
  };
  write(24);
  report.check("spsc peek: a record", memory, [&] { consumer.try_peek().release(); });
  report.check("spsc peek: empty", memory,
               [&] { expect(consumer.try_peek().status(), status::empty); });
  for (int index = 0; index < 5; ++index) write(24);
  report.check("spsc drain", memory,
               [&] { static_cast<void>(consumer.drain([](const auto&) {})); });
  write(8);
  const auto named = write(16);
  report.check(
      "spsc redeem", memory, [&] { expect(consumer.redeem(named).status(), status::ok); },
      loaded_again{named.offset - 8, 2, "found, then judged anew where it is delivered"});
  report.check("spsc redeem: forged", memory, [&] {
    expect(consumer.redeem({named.offset, 17, named.sequence}).status(), status::corrupt);
  });
  memory.word(named.offset - 8)[0] = 0x7FFF'FFFF;
  report.check("spsc peek: damage", memory,
               [&] { expect(consumer.try_peek().status(), status::corrupt); });
}

void spsc_padding_and_end(fetch_report& report) {
  const guarded_span memory{spsc::bytes_required(64)};
  auto ring = spsc::format(memory.bytes(), {.capacity = 64}).value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  expect(producer.try_write(std::span{content}.first(16)), status::ok);
  expect(producer.try_write(std::span{content}.first(16)), status::ok);
  consumer.try_peek().release();
  consumer.try_peek().release();
  consumer.flush();
  report.check("spsc claim: wraps", memory,
               [&] { expect(producer.try_write(std::span{content}.first(16)), status::ok); });
  report.check(
      "spsc peek: padding", memory, [&] { expect(consumer.try_peek().status(), status::ok); },
      loaded_again{layout::spsc::write_position, 2, a_hint});
  consumer.try_peek().release();
  producer.close();
  report.check(
      "spsc peek: the end", memory, [&] { expect(consumer.try_peek().status(), status::closed); },
      loaded_again{layout::spsc::data + 24, 2, "looked at once more behind `closed`"});
}

void spsc_producer(fetch_report& report) {
  const guarded_span memory{spsc::bytes_required(1024)};
  auto ring = make_spsc(memory);
  std::optional producer{ring.producer().value()};
  report.check("spsc claim: the limit", memory,
               [&] { expect(producer->try_claim(24).status(), status::ok); });
  while (producer->try_write(content) == status::ok) {
  }
  report.check("spsc claim: full", memory,
               [&] { expect(producer->try_claim(24).status(), status::full); });
  producer.reset();
  report.check("spsc producer(): walks", memory, [&] {
    if (!ring.producer()) std::abort();
  });
  report.check("spsc consumer()", memory, [&] {
    if (!ring.consumer()) std::abort();
  });
}

void spsc_typed(fetch_report& report) {
  const guarded_span memory{slots::bytes_required(16)};
  auto ring = slots::format(memory.bytes(), {.capacity = 16}).value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  report.check("spsc slots claim", memory,
               [&] { expect(producer.try_claim().status(), status::ok); });
  expect(producer.try_write({}), status::ok);
  value out;
  report.check("spsc slots read", memory, [&] { expect(consumer.try_read(out), status::ok); });
  report.check("spsc slots read: empty", memory,
               [&] { expect(consumer.try_read(out), status::empty); });
  descriptor named;
  for (int index = 0; index < 3; ++index) named = producer.try_claim().commit({}).record;
  report.check(
      "spsc slots redeem", memory, [&] { expect(consumer.redeem(named).status(), status::ok); },
      loaded_again{named.offset - 4, 2, "found, then judged anew where it is delivered"});
}

void mpsc_consumer(fetch_report& report) {
  const guarded_span memory{mpsc::bytes_required(many)};
  auto ring = mpsc::format(memory.bytes(), many).value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  const auto write = [&](std::uint32_t size) { return producer.try_claim(size).commit(1).record; };
  write(24);
  report.check("mpsc peek: a record", memory, [&] { consumer.try_peek().release(); });
  report.check("mpsc peek: empty", memory,
               [&] { expect(consumer.try_peek().status(), status::empty); });
  {
    auto aborted = producer.try_claim(24);
  }
  write(8);
  report.check("mpsc peek: discarded", memory, [&] { consumer.try_peek().release(); });
  for (int index = 0; index < 5; ++index) write(24);
  report.check(
      "mpsc drain", memory, [&] { static_cast<void>(consumer.drain([](const auto&) {})); },
      loaded_again{layout::mpsc::space_park, 2, a_sleeper});
  write(8);
  const auto named = write(16);
  report.check(
      "mpsc redeem", memory, [&] { expect(consumer.redeem(named).status(), status::ok); },
      loaded_again{named.offset - 8, 2, "found, then judged anew where it is delivered"});
  memory.word(named.offset - 8)[0] = 0x3FFF'FFF9;
  report.check("mpsc peek: damage", memory,
               [&] { expect(consumer.try_peek().status(), status::corrupt); });
}

/// A claim whose owner, proven dead, will never commit it. Each diagnosis begins anew: by design it asks for
/// intent and owner until one of them proves the other old, and an exchange of the header decides.
void mpsc_recovery(fetch_report& report) {
  const guarded_span memory{mpsc::bytes_required(many)};
  auto ring = mpsc::format(memory.bytes(), many).value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  auto claim = producer.try_claim(24);
  constexpr auto slot = layout::mpsc::producer_slots;
  constexpr auto next = slot + layout::mpsc::slot_size;
  constexpr auto after_next = next + layout::mpsc::slot_size;
  constexpr auto anew = "survey, diagnosis and what is left to forget: each for itself";
  report.check(
      "mpsc recover: pending", memory,
      [&] {
        const auto done = consumer.recover([](auto, auto) { return true; });
        expect(done.outcome, status::pending);
      },
      loaded_again{slot, 2, anew}, loaded_again{slot + layout::mpsc::slot_owner, 3, anew},
      loaded_again{slot + layout::mpsc::slot_start, 3, anew}, loaded_again{next, 2, anew},
      loaded_again{after_next, 2, anew});
  report.check(
      "mpsc recover: dead", memory,
      [&] {
        const auto done = consumer.recover([](auto, auto) { return false; });
        expect(done.outcome, status::empty);
      },
      loaded_again{layout::mpsc::claim_position, 3, anew}, loaded_again{slot, 6, anew},
      loaded_again{slot + layout::mpsc::slot_owner, 6, anew},
      loaded_again{slot + layout::mpsc::slot_start, 3, anew}, loaded_again{next, 3, anew},
      loaded_again{after_next, 3, anew});
  expect(claim.commit().outcome, status::stale);
}

void mpsc_producer(fetch_report& report) {
  const guarded_span memory{mpsc::bytes_required(many)};
  auto ring = mpsc::format(memory.bytes(), many).value();
  auto producer = ring.producer().value();
  report.check("mpsc claim", memory, [&] { expect(producer.try_claim(24).status(), status::ok); });
  while (producer.try_write(content) == status::ok) {
  }
  report.check("mpsc claim: full", memory,
               [&] { expect(producer.try_claim(24).status(), status::full); });
  report.check("mpsc acknowledge", memory, [&] { expect(producer.acknowledge(64), status::ok); });
  report.check("mpsc producer()", memory, [&] {
    if (!ring.producer()) std::abort();
  });
  report.check("mpsc consumer()", memory, [&] {
    if (!ring.consumer()) std::abort();
  });
}

void mpsc_typed(fetch_report& report) {
  const guarded_span memory{mpsc_slots::bytes_required(few)};
  auto ring = mpsc_slots::format(memory.bytes(), few).value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();
  expect(producer.try_write({}), status::ok);
  value out;
  const auto stamp = layout::mpsc::producer_slots + few.producers * layout::mpsc::slot_size;
  report.check(
      "mpsc slots read", memory, [&] { expect(consumer.try_read(out), status::ok); },
      loaded_again{stamp, 2, the_path});
  report.check(
      "mpsc slots read: empty", memory, [&] { expect(consumer.try_read(out), status::empty); },
      loaded_again{stamp + 24, 2, the_path});
  descriptor named;
  for (int index = 0; index < 3; ++index) named = producer.try_claim().commit({}).record;
  report.check(
      "mpsc slots redeem", memory, [&] { expect(consumer.redeem(named).status(), status::ok); },
      loaded_again{named.offset - 4, 2, "found, then judged anew where it is delivered"});
}

void lanes_consumer_peek(fetch_report& report) {
  using type = lanes<bytes>;
  const guarded_span memory{type::bytes_required(2, 256)};
  auto all = type::format(memory.bytes(), {.lanes = 2, .capacity = 256}).value();
  auto producer = all.producer().value();
  auto consumer = all.consumer<poll, 2>().value();
  expect(producer.try_write(content), status::ok);
  report.check("lanes peek", memory, [&] { consumer.try_peek().release(); });
  report.check("lanes peek: empty", memory,
               [&] { expect(consumer.try_peek().status(), status::empty); });
  report.check("lanes producer()", memory, [&] {
    if (!all.producer()) std::abort();
  });
}

}  // namespace

void fetch_rings(fetch_report& report) {
  spsc_consumer(report);
  spsc_padding_and_end(report);
  spsc_producer(report);
  spsc_typed(report);
  mpsc_consumer(report);
  mpsc_recovery(report);
  mpsc_producer(report);
  mpsc_typed(report);
  lanes_consumer_peek(report);
}

}  // namespace weir::test
