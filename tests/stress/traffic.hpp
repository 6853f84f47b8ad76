// SPDX-License-Identifier: MIT
/// What both sides of a stress test do: a producer that writes numbered records of sizes and contents that
/// follow from the number, in every way there is, and a consumer that knows what must come next.
#pragma once

#include "support/pattern.hpp"
#include "support/random.hpp"

#include <weir/spsc_ring.hpp>

#include <sched.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace weir::test {

/// The value of a typed ring: its number, and what follows from it.
using numbered = std::array<std::uint32_t, 6>;

[[nodiscard]] constexpr auto value_of(std::uint32_t number) noexcept -> numbered {
  return {number, ~number, number * 0x9E37'79B9, number ^ 0x5555'5555, 7, number + 1};
}

/// How a ring of bytes and a ring of values are written and read. `most` limits the size of a record.
struct byte_traffic {
  using element = bytes;
  std::uint32_t most = 0;

  [[nodiscard]] auto size_of(std::uint32_t number) const noexcept -> std::uint32_t {
    return pattern_size(number, most);
  }
  template <class Producer>
  [[nodiscard]] auto claim(Producer& producer, std::uint32_t number) const noexcept {
    if constexpr (requires { producer.claim(0U); })
      return producer.claim(size_of(number));
    else
      return producer.try_claim(size_of(number));
  }
  template <class Claim>
  [[nodiscard]] auto commit(Claim& claim, std::uint32_t number, bool later) const noexcept
      -> status {
    fill_pattern(claim.bytes(), number);
    return (later ? claim.commit_later(number & 0xFFFF) : claim.commit(number & 0xFFFF)).outcome;
  }
  [[nodiscard]] auto is(std::span<const std::byte> bytes, std::uint32_t type,
                        std::uint32_t number) const noexcept -> bool {
    return type == (number & 0xFFFF) && bytes.size() == size_of(number) &&
           has_pattern(bytes, number);
  }
  [[nodiscard]] auto is(const record_view& view, std::uint32_t number) const noexcept -> bool {
    return is(view.bytes, view.type, number);
  }
  template <class Record>
  [[nodiscard]] auto peeked_is(const Record& peeked, std::uint32_t number) const noexcept -> bool {
    return is(peeked.bytes(), peeked.type(), number);
  }
  template <class Consumer>
  auto read(Consumer& consumer, std::uint32_t number, bool& right) const noexcept -> status {
    std::array<std::byte, 4096> out;
    const auto done = consumer.try_read(out);
    right = done.outcome != status::ok || is(std::span{out}.first(done.size), done.type, number);
    return done.outcome;
  }
};

struct typed_traffic {
  using element = numbered;
  std::uint32_t most = 0;

  template <class Producer>
  [[nodiscard]] auto claim(Producer& producer, std::uint32_t) const noexcept {
    if constexpr (requires { producer.claim(); })
      return producer.claim();
    else
      return producer.try_claim();
  }
  template <class Claim>
  [[nodiscard]] auto commit(Claim& claim, std::uint32_t number, bool later) const noexcept
      -> status {
    return (later ? claim.commit_later(value_of(number)) : claim.commit(value_of(number))).outcome;
  }
  [[nodiscard]] auto is(const numbered& value, std::uint32_t number) const noexcept -> bool {
    return value == value_of(number);
  }
  template <class Record>
  [[nodiscard]] auto peeked_is(const Record& peeked, std::uint32_t number) const noexcept -> bool {
    return peeked.value() == value_of(number);
  }
  template <class Consumer>
  auto read(Consumer& consumer, std::uint32_t number, bool& right) const noexcept -> status {
    numbered value{};
    const auto outcome = consumer.try_read(value);
    right = outcome != status::ok || value == value_of(number);
    return outcome;
  }
};

/// What one side has done; asserted on by the main thread.
struct account {
  std::uint32_t next = 0;   ///< number of the next record
  std::uint32_t wrong = 0;  ///< records that were not what they should be, and calls that failed
  status ended = status::ok;

  [[nodiscard]] auto operator==(const account&) const noexcept -> bool = default;
};

/// Writes records up to number `end`. Waits as the producer's policy says, else yields.
template <class Traffic, class Producer>
void produce(const Traffic& traffic, Producer& producer, std::uint32_t end, seeded_random& random,
             account& account) noexcept {
  while (account.next != end) {
    auto claim = traffic.claim(producer, account.next);
    if (!claim) {
      account.ended = claim.status();
      if (account.ended != status::full) return;
      sched_yield();
      continue;
    }
    if (random.once_in(16)) continue;  // destruction aborts
    const auto outcome = traffic.commit(claim, account.next, random.once_in(3));
    account.wrong += outcome == status::ok ? 0U : 1U;
    ++account.next;
    if (random.once_in(8)) producer.flush();
  }
  account.ended = status::ok;
}

/// Reads until something other than a record comes of a wait, or record `end` would be next.
template <class Traffic, class Consumer>
void consume(const Traffic& traffic, Consumer& consumer, std::uint32_t end, seeded_random& random,
             account& account) noexcept {
  const auto check = [&](bool right) {
    account.wrong += right ? 0U : 1U;
    ++account.next;
  };
  while (account.next != end) {
    account.ended = consumer.wait();
    if (account.ended == status::empty) sched_yield();
    if (account.ended == status::empty) continue;
    if (account.ended != status::ok) return;
    const auto left = end - account.next;
    switch (random.below(4)) {
      case 0: {
        auto peeked = consumer.try_peek();
        if (random.once_in(4)) break;
        check(peeked && traffic.peeked_is(peeked, account.next));
        peeked.release();
        break;
      }
      case 1: {
        bool right = true;
        if (traffic.read(consumer, account.next, right) == status::ok) check(right);
        break;
      }
      default: {
        const auto limit = random.once_in(2) ? left : 1 + random.below(left < 5 ? left : 5);
        const auto done = consumer.drain(
            [&](const auto& record) { check(traffic.is(record, account.next)); }, limit);
        if (done.outcome == status::corrupt) ++account.wrong;
        break;
      }
    }
  }
  account.ended = status::ok;
}

}  // namespace weir::test
