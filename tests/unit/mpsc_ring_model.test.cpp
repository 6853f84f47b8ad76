// SPDX-License-Identifier: MIT
// Random operations of several producers and a consumer on a ring and on a std::deque, which must agree step
// by step, in one thread. What fits is computed here a second time, from the framing alone.
#include "support/mpsc_sides.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

#include <weir/mpsc_ring.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace mpsc = weir::layout::mpsc;
namespace record = weir::record;
using weir::status;
using weir::test::fill_pattern;
using weir::test::has_pattern;
using weir::test::mpsc_sides;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t steps = weir::test::scaled(600'000) / 6;
constexpr std::uint32_t producers = 3;

enum class state { open, committed, discarded };

/// One record that was claimed, in the order of the claims.
struct entry {
  state now;
  std::uint32_t owner;
  std::uint32_t number;
  std::uint32_t size;
  std::uint32_t frame;  ///< bytes (slots) of ring
};

/// Bytes of any length.
struct byte_kind {
  using element = weir::bytes;
  static constexpr bool batches = true;
  static auto frame(std::uint32_t size) -> std::uint32_t {
    return static_cast<std::uint32_t>(record::frame_size(size));
  }
  template <class Ring>
  static auto size(const Ring& ring, seeded_random& random) -> std::uint32_t {
    const auto most = ring.max_record();
    return random.once_in(10) ? most - random.below(3)
                              : random.below(most / (1 + random.below(8)) + 1);
  }
  template <class Producer>
  static auto claim(Producer& producer, std::uint32_t size) {
    return producer.try_claim(size);
  }
  template <class Claim>
  static auto commit(Claim& claim, std::uint32_t number) -> status {
    fill_pattern(claim.bytes(), number);
    return claim.commit(number & 0xFFFF).outcome;
  }
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t size, std::uint32_t number) -> status {
    std::array<std::byte, 2048> bytes;
    const auto part = std::span{bytes}.first(size);
    fill_pattern(part, number);
    return producer.try_write(part, number & 0xFFFF);
  }
  template <class Producer>
  static auto write_batch(Producer& producer, std::span<const entry> entries) -> std::size_t {
    std::vector<std::vector<std::byte>> content;
    std::vector<std::span<const std::byte>> records;
    for (const auto& each : entries) {
      fill_pattern(content.emplace_back(each.size), each.number);
    }
    records.insert(records.end(), content.begin(), content.end());
    return producer.try_write_batch(records, entries[0].number & 0xFFFF);
  }
  static auto is(const weir::record_view& view, const entry& expected) -> bool {
    return view.bytes.size() == expected.size && has_pattern(view.bytes, expected.number);
  }
  template <class Record>
  static auto peeked_is(const Record& peeked, const entry& expected) -> bool {
    return is({peeked.bytes(), 0, 0}, expected);
  }
  template <class Consumer>
  static auto read(Consumer& consumer, const entry* expected, bool& right) -> status {
    std::array<std::byte, 2048> out;
    const auto done = consumer.try_read(out);
    right = done.outcome != status::ok ||
            (expected != nullptr && is({std::span{out}.first(done.size), 0, 0}, *expected));
    return done.outcome;
  }
};

struct typed_kind {
  using element = std::array<std::uint32_t, 3>;
  static constexpr bool batches = false;
  static auto value_of(std::uint32_t number) -> element { return {number, ~number, number * 7}; }
  static auto frame(std::uint32_t) -> std::uint32_t { return 1; }
  template <class Ring>
  static auto size(const Ring&, seeded_random&) -> std::uint32_t {
    return 1;
  }
  template <class Producer>
  static auto claim(Producer& producer, std::uint32_t) {
    return producer.try_claim();
  }
  template <class Claim>
  static auto commit(Claim& claim, std::uint32_t number) -> status {
    return claim.commit(value_of(number)).outcome;
  }
  template <class Producer>
  static auto write(Producer& producer, std::uint32_t, std::uint32_t number) -> status {
    return producer.try_write(value_of(number));
  }
  template <class Producer>
  static auto write_batch(Producer& producer, std::span<const entry> entries) -> std::size_t {
    std::vector<element> values;
    for (const auto& each : entries) values.push_back(value_of(each.number));
    return producer.try_write_batch(values);
  }
  static auto is(const element& value, const entry& expected) -> bool {
    return value == value_of(expected.number);
  }
  template <class Record>
  static auto peeked_is(const Record& peeked, const entry& expected) -> bool {
    return is(peeked.value(), expected);
  }
  template <class Consumer>
  static auto read(Consumer& consumer, const entry* expected, bool& right) -> status {
    element value{};
    const auto outcome = consumer.try_read(value);
    right = outcome != status::ok || (expected != nullptr && is(value, *expected));
    return outcome;
  }
};

template <class Kind>
class run {
  using sides = mpsc_sides<typename Kind::element>;
  using producer_type = typename sides::ring_type::template producer_type<>;
  using claim_type = typename producer_type::claim_type;

 public:
  run(const weir::mpsc_options& options, std::uint64_t seed)
      : ring_{options, 0}, position_{options.start_position}, random_{seed} {
    for (auto& each : writers_) each.producer.emplace(ring_.there.ring.producer().value());
    claimed_ = position_;
  }

  /// Returns  steps in which ring and model disagreed.
  auto operator()() -> std::uint32_t {
    std::uint32_t wrong = 0;
    for (std::uint32_t step = 0; step < steps && wrong == 0; ++step) {
      const auto operation = random_.below(16);
      if (agrees(operation)) continue;
      UNSCOPED_INFO("operation " << operation << " of step " << step);
      ++wrong;
    }
    for (auto& each : writers_) each.claim.reset();
    return wrong + (ring_.intact() ? 0U : 1U);
  }

 private:
  struct seat {
    std::optional<producer_type> producer;
    std::optional<claim_type> claim;
    std::uint32_t size = 0;  ///< of the open claim
  };

  auto agrees(std::uint32_t operation) -> bool {
    const auto which = random_.below(producers);
    auto& writer = writers_[which];
    switch (operation) {
      case 0:
      case 1:
        return write(writer, which);
      case 2:
      case 3:
        return open(writer, which);
      case 4:
      case 5:
      case 6:
        return finish(writer, which);
      case 7:
        return write_batch(writer, which);
      case 8:
        return claim_batch(writer, which);
      case 9:
        return peek();
      case 10:
        return read();
      case 11:
      case 12:
        return drain();
      case 13:
        return flush();
      case 14:
        return recover();
      default:
        return random_.once_in(4) ? retake(writer) : true;
    }
  }

  [[nodiscard]] auto room() const -> std::uint64_t {
    return ring_.wide(mpsc::read_position) + ring_.there.ring.capacity() - claimed_;
  }

  void push(state now, std::uint32_t owner, std::uint32_t size, std::uint32_t frame) {
    entries_.push_back({now, owner, next_, size, frame});
    next_ += now == state::discarded ? 0U : 1U;
    claimed_ += frame;
  }

  auto write(seat& writer, std::uint32_t which) -> bool {
    const auto size = Kind::size(ring_.there.ring, random_);
    const bool fits = Kind::frame(size) <= room();
    const auto outcome = Kind::write(*writer.producer, size, next_);
    if (writer.claim) return outcome == status::busy;
    if (fits) push(state::committed, which, size, Kind::frame(size));
    return outcome == (fits ? status::ok : status::full);
  }

  auto open(seat& writer, std::uint32_t which) -> bool {
    const auto size = Kind::size(ring_.there.ring, random_);
    const bool fits = Kind::frame(size) <= room();
    if (writer.claim) return Kind::claim(*writer.producer, size).status() == status::busy;
    auto claim = Kind::claim(*writer.producer, size);
    if (!fits) return claim.status() == status::full;
    if (!claim) return false;
    writer.size = size;
    writer.claim.emplace(std::move(claim));
    push(state::open, which, size, Kind::frame(size));
    return true;
  }

  auto entry_of(std::uint32_t which) -> std::deque<entry>::iterator {
    return std::find_if(entries_.begin(), entries_.end(), [&](const entry& each) {
      return each.owner == which && each.now == state::open;
    });
  }

  auto finish(seat& writer, std::uint32_t which) -> bool {
    if (!writer.claim) return true;
    auto found = entry_of(which);
    if (random_.once_in(3)) {
      writer.claim.reset();
      found->now = state::discarded;
      return true;
    }
    if constexpr (Kind::batches) {
      if (random_.once_in(3)) {
        found->size = random_.below(writer.size + 1);
        if (writer.claim->shrink(found->size) != status::ok) return false;
        const auto rest = found->frame - Kind::frame(found->size);
        found->frame -= rest;
        const auto number = found->number;
        if (rest != 0) entries_.insert(found + 1, {state::discarded, which, 0, 0, rest});
        found = entry_of(which);
        if (found->number != number) return false;
      }
    }
    found->now = state::committed;
    const bool committed = Kind::commit(*writer.claim, found->number) == status::ok;
    writer.claim.reset();
    return committed;
  }

  auto write_batch(seat& writer, std::uint32_t which) -> bool {
    std::vector<entry> batch;
    for (auto count = 1 + random_.below(6); count != 0; --count) {
      const auto size = Kind::size(ring_.there.ring, random_);
      batch.push_back({state::committed, which, next_ + static_cast<std::uint32_t>(batch.size()),
                       size, Kind::frame(size)});
    }
    std::uint64_t length = 0;
    std::size_t fitting = 0;
    if (!writer.claim) {
      while (fitting < batch.size() && length + batch[fitting].frame <= room()) {
        length += batch[fitting++].frame;
      }
    }
    const auto written = Kind::write_batch(*writer.producer, batch);
    for (std::size_t index = 0; index < fitting; ++index) {
      push(state::committed, which, batch[index].size, batch[index].frame);
    }
    return written == fitting;
  }

  auto claim_batch(seat& writer, std::uint32_t which) -> bool {
    if constexpr (Kind::batches) {
      const auto size = Kind::size(ring_.there.ring, random_);
      const auto count = 1 + random_.below(6);
      const auto length = std::uint64_t{count} * Kind::frame(size);
      const bool possible = length <= ring_.there.ring.capacity();
      const bool fits = length <= room();
      auto batch = writer.producer->try_claim_batch(count, size);
      if (writer.claim) return batch.status() == status::busy;
      if (!possible) return batch.status() == status::too_large;
      if (!fits) return batch.status() == status::full;
      if (!batch || batch.size() != count) return false;
      const bool keep = !random_.once_in(4);
      for (std::uint32_t index = 0; index < count; ++index) {
        fill_pattern(batch[index], keep ? next_ : 0xDEAD);
        push(keep ? state::committed : state::discarded, which, size, Kind::frame(size));
      }
      return !keep || batch.commit(5) == status::ok;
    }
    return true;
  }

  /// Drops what the consumer passes unseen.
  void pass() {
    while (!entries_.empty() && entries_.front().now == state::discarded) pop();
  }
  void pop() {
    position_ += entries_.front().frame;
    entries_.pop_front();
  }
  auto oldest() -> const entry* {
    pass();
    const bool there = !entries_.empty() && entries_.front().now == state::committed;
    return there ? &entries_.front() : nullptr;
  }
  /// After a call that found nothing everything is released.
  auto is_released() -> bool {
    pass();
    return ring_.wide(mpsc::read_position) == position_;
  }

  auto peek() -> bool {
    const auto* const expected = oldest();
    auto peeked = ring_.consumer.try_peek();
    if (!peeked) return expected == nullptr && peeked.status() == status::empty && is_released();
    if (expected == nullptr || !Kind::peeked_is(peeked, *expected)) return false;
    if (random_.once_in(3)) return true;
    peeked.release();
    pop();
    return true;
  }

  auto read() -> bool {
    const auto* const expected = oldest();
    bool right = false;
    const auto outcome = Kind::read(ring_.consumer, expected, right);
    if (outcome != status::ok) {
      return outcome == status::empty && expected == nullptr && is_released();
    }
    if (right) pop();
    return right;
  }

  auto drain() -> bool {
    const auto limit = random_.once_in(2) ? weir::no_limit : random_.below(8);
    bool right = true;
    std::uint32_t shown = 0;
    const auto done = ring_.consumer.drain(
        [&](const auto& shown_record) {
          const auto* const expected = oldest();
          right = right && expected != nullptr && Kind::is(shown_record, *expected);
          if (expected != nullptr) pop();
          ++shown;
        },
        limit);
    right = right && done.records == shown && shown <= limit;
    const auto most = ring_.there.ring.capacity() / Kind::frame(0);
    if (done.outcome == status::ok) return right && shown == std::min(limit, most);
    return right && done.outcome == status::empty && oldest() == nullptr && is_released();
  }

  auto flush() -> bool {
    ring_.consumer.flush();
    for (auto& each : writers_) each.producer->flush();
    return ring_.wide(mpsc::claim_position) == claimed_;
  }

  /// With everybody alive, or with everybody dead who has the oldest claims open.
  auto recover() -> bool {
    if (!ring_.there.ring.recoverable()) {
      return ring_.consumer.recover().outcome == status::unsupported;
    }
    // recover() does not pass what was discarded, and may stand before or behind it.
    const auto at = ring_.wide(mpsc::read_position);
    if (!random_.once_in(4)) {
      const auto done = ring_.consumer.recover();
      const bool unread = oldest() != nullptr || !entries_.empty();
      return done.claims == 0 && at <= claimed_ &&
             (done.outcome == status::ok || (done.outcome == status::pending && unread) ||
              (done.outcome == status::empty && entries_.empty()));
    }
    static_cast<void>(ring_.consumer.try_peek());
    pass();
    std::uint32_t skipped = 0;
    for (; !entries_.empty() && entries_.front().now == state::open; ++skipped) {
      writers_[entries_.front().owner].size = 0xFFFF'FFFF;  // dead
      pop();
    }
    const auto expected = entries_.empty() ? status::empty : status::ok;
    const auto done = ring_.consumer.recover([](auto, auto) { return false; });
    bool right = done.outcome == expected && done.claims == skipped;
    for (auto& each : writers_) {
      if (!each.claim || each.size != 0xFFFF'FFFF) continue;
      if (random_.once_in(2)) right = right && each.claim->commit().outcome == status::stale;
      each.claim.reset();
    }
    return right;
  }

  auto retake(seat& writer) -> bool {
    if (writer.claim) return true;
    writer.producer.reset();
    writer.producer.emplace(ring_.there.ring.producer().value());
    return true;
  }

  sides ring_;
  std::uint64_t position_ = 0;  ///< the consumer's, as far as it may have got
  std::uint64_t claimed_ = 0;
  std::array<seat, producers> writers_;
  std::deque<entry> entries_;
  seeded_random random_;
  std::uint32_t next_ = 1;
};

}  // namespace

TEST_CASE("a_byte_ring_for_many_does_what_a_deque_does") {
  const auto seed = weir::test::fresh_seed("byte model");
  std::uint64_t which = 0;
  for (const std::uint32_t capacity : {64U, 512U, 4096U}) {
    for (const auto start : {std::uint64_t{0}, std::uint64_t{0x8'0000'0000} - 8 * 1024}) {
      for (const bool recoverable : {false, true}) {
        CAPTURE(capacity, start, recoverable);
        CHECK(run<byte_kind>{{.capacity = capacity,
                              .producers = producers,
                              .max_record = capacity == 512 ? capacity / 2 - 8 : 0,
                              .recoverable = recoverable,
                              .start_position = start},
                             seed + which++}() == 0);
      }
    }
  }
}

TEST_CASE("a_typed_ring_for_many_does_what_a_deque_does") {
  const auto seed = weir::test::fresh_seed("typed model");
  std::uint64_t which = 0;
  for (const std::uint32_t capacity : {2U, 8U, 128U}) {
    for (const auto start : {std::uint64_t{0}, std::uint64_t{0x1'0000'0000} - 1024}) {
      for (const bool recoverable : {false, true}) {
        CAPTURE(capacity, start, recoverable);
        CHECK(run<typed_kind>{{.capacity = capacity,
                               .producers = producers,
                               .recoverable = recoverable,
                               .start_position = start},
                              seed + which++}() == 0);
      }
    }
  }
}
