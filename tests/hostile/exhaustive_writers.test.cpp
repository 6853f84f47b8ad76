// SPDX-License-Identifier: MIT
// Every pair of positions that a producer can find, in rings so small that all can be tried.
//
// Proved, for 64 bytes of data: from every published position within two laps, at 0 and where 31 and 32 bits
// end, with every number of bytes in use, each read position that differs in 16 bits, or in one bit above, is
// accepted or refused as it must be, and what is granted then fits. So with a successor's look at both
// positions, and with the claim and read positions of many producers.
// Not provable here: larger rings; what a peer changes between two loads.
#include "hostile/scaled_ring.hpp"

#include <weir/detail/mpsc_claims.hpp>
#include <weir/detail/spsc_byte_writer.hpp>
#include <weir/stats.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <limits>

using weir::plain_memory;
using weir::status;
using weir::test::scaled_mpsc;
using weir::test::scaled_spsc;
using weir::test::scaled_step;
namespace spsc = weir::layout::spsc;
namespace mpsc = weir::layout::mpsc;

namespace {

constexpr std::uint32_t capacity = 64;
using writer_type = weir::detail::spsc_byte_writer<plain_memory, weir::counted>;

auto writer_of(const scaled_spsc& ring) -> writer_type {
  return writer_type{
      weir::detail::spsc_control<plain_memory>{ring.memory.bytes().data(), ring.fields(), nullptr}};
}

/// Calls `attempt` with every difference of 16 bits, and with each bit above alone.
template <class Attempt>
void for_each_difference(Attempt&& attempt) {
  for (std::uint32_t difference = 0; difference < 0x1'0000; difference += scaled_step) {
    attempt(difference - 0x8000);
  }
  for (std::uint32_t difference = 0; difference < 256; ++difference) attempt(difference - 128);
  for (std::uint32_t bit = 16; bit < 32; ++bit) {
    for (std::uint32_t low = 0; low < 256; ++low) attempt((1U << bit) + low - 128);
  }
}

/// A record of `size` bytes fits in front of position `end`, at `at` or, behind padding, in the next lap. A
/// header must fit behind it, in the lap and in what is free.
auto fits(std::uint64_t at, std::uint64_t end, std::uint64_t size) -> bool {
  const auto frame = (size + 8 + 7) / 8 * 8;
  const auto lap_end = at / capacity * capacity + capacity;
  if (at + frame + 8 <= lap_end) return at + frame + 8 <= end;
  return lap_end + frame + 8 <= end;
}

}  // namespace

TEST_CASE(
    "spsc_every_read_position_is_accepted_or_refused_as_it_must_be_and_what_is_granted_fits") {
  const scaled_spsc ring{capacity};
  std::uint64_t wrong = 0;
  for (const auto lap : weir::test::scaled_laps) {
    for (std::uint32_t offset = 0; offset < 2 * capacity; offset += 8) {
      for (std::uint32_t used = 0; used <= capacity - 8; used += 8) {
        const auto read = lap + offset;
        const auto published = read + used;
        for_each_difference([&](std::uint32_t difference) {
          // A record of 8 bytes at each position in use, for the walk that finds the end.
          ring.clear();
          for (std::uint32_t at = 0; at < used; at += 8) ring.data((read + at) % capacity) = 8;
          ring.word(spsc::read_position) = read;
          ring.word(spsc::write_position) = published;
          auto writer = writer_of(ring);
          bool right = writer.resume() == status::ok && writer.position() == published;
          const auto forged = read + difference;
          ring.word(spsc::read_position) = forged;
          const bool possible = difference % 8 == 0 && difference <= used;
          const auto size = difference / 8 % 3 * 8;  // 0, 8, 16
          // In 64 bits nothing wraps: the same distances in a lap far from any end.
          const auto at = 1024 + std::uint64_t{published % capacity};
          const auto end = at - (used - difference) + capacity;
          const auto outcome = writer.make_room(size);
          const auto expected = !possible             ? status::corrupt
                                : fits(at, end, size) ? status::ok
                                                      : status::full;
          right = right && outcome == expected;
          if (outcome == status::ok) {
            const auto first = writer.position() % capacity;
            right = right && first + 8 + size + 8 <= capacity && writer.fits(size);
          }
          wrong += right ? 0U : 1U;
        });
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(ring.memory.intact());
}

namespace {

/// What a ring may hold, a word each 8 bytes, for a successor's walk.
using content = std::array<std::uint32_t, capacity / 8>;
constexpr std::array<content, 6> contents{{{0, 0, 0, 0, 0, 0, 0, 0},
                                           {8, 8, 8, 8, 8, 8, 8, 8},
                                           {8, 8, 8, 8, 8, 8, 8, 0x8000'0008},
                                           {24, 0, 0, 16, 0, 0x8000'0018, 0, 0},
                                           {16, 0, 16, 0, 16, 0, 8, 0x8000'0008},
                                           {0, 24, 0, 0, 8, 1, 0, 0xFFFF'FFFF}}};

/// Where a successor must go on: at the first word of 0 from `from` on, which a ring's last 8 bytes never
/// lie behind. A huge number: the ring is damaged.
auto expected_end(const content& words, std::uint64_t read, std::uint64_t from) -> std::uint64_t {
  constexpr auto damaged = std::numeric_limits<std::uint64_t>::max();
  for (auto at = from; at <= read + capacity - 8;) {
    const auto offset = at % capacity;
    const std::uint64_t word = words[offset / 8];
    if (word == 0) return at;
    const auto size = word % 0x8000'0000 / 8 * 8;
    const auto unused = word % 8;
    const bool padding = word >= 0x8000'0000;
    const bool good = padding ? offset != 0 && unused == 0 && offset + size == capacity
                              : size >= 8 + unused && size - 8 - unused <= capacity / 2 - 16 &&
                                    offset + size + 8 <= capacity;
    if (!good) return damaged;
    at += size;
  }
  return damaged;
}

}  // namespace

TEST_CASE("spsc_a_successor_goes_on_at_the_first_zero_whatever_the_two_positions_say") {
  const scaled_spsc ring{capacity};
  std::uint64_t wrong = 0;
  for (const auto& words : contents) {
    for (const auto lap : weir::test::scaled_laps) {
      for (std::uint32_t offset = 0; offset < capacity; ++offset) {
        for (std::uint32_t index = 0; index < words.size(); ++index) {
          ring.data(8 * index) = words[index];
        }
        for_each_difference([&](std::uint32_t difference) {
          const auto read = lap + offset;
          ring.word(spsc::read_position) = read;
          ring.word(spsc::write_position) = read + difference;
          auto writer = writer_of(ring);
          const auto outcome = writer.resume();
          const auto far = std::uint64_t{1024} + offset;
          const bool aligned = offset % 8 == 0 && (offset + difference) % 8 == 0;
          const auto from = difference <= capacity ? far + difference : far;
          const auto end =
              aligned ? expected_end(words, far, from) : std::numeric_limits<std::uint64_t>::max();
          const bool right = end == std::numeric_limits<std::uint64_t>::max()
                                 ? outcome == status::corrupt
                                 : outcome == status::ok && writer.position() - read == end - far;
          wrong += right ? 0U : 1U;
        });
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(ring.memory.intact());
}

TEST_CASE("mpsc_every_pair_of_positions_is_accepted_or_refused_and_what_is_claimed_is_free") {
  const scaled_mpsc ring{capacity, capacity / 2 - 8};
  const weir::detail::mpsc_control<plain_memory> control{ring.memory.bytes().data(), ring.fields(),
                                                         nullptr};
  constexpr auto closed = std::uint64_t{1} << 63;
  std::uint64_t wrong = 0;
  for (const std::uint64_t lap : {std::uint64_t{0x1'0000}, std::uint64_t{1} << 31,
                                  std::uint64_t{1} << 32, closed - 0x1'0000}) {
    for (std::uint32_t offset = 0; offset < capacity; ++offset) {
      for (std::uint32_t low = 0; low < 0x1'0000; low += scaled_step) {
        const auto claimed = lap + offset;
        const auto read = claimed + 0x8000 - low;
        ring.wide(mpsc::claim_position) = claimed;
        ring.wide(mpsc::read_position) = read;
        weir::detail::mpsc_claims<plain_memory> claims{control, 0};
        const bool possible = claimed % 8 == 0 && read % 8 == 0 && read <= claimed;
        bool right = claims.resume() == (possible ? status::ok : status::corrupt);
        const auto length = 8 + low / 8 % 5 * 8;
        const auto outcome = claims.claim(length);
        const bool free = claimed + length <= read + capacity;
        right = right && outcome == (!possible ? status::corrupt
                                     : free    ? status::ok
                                               : status::full);
        const auto now = ring.wide(mpsc::claim_position);
        right = right && now == (outcome == status::ok ? claimed + length : claimed);
        if (outcome == status::ok) right = right && claims.position() == claimed;
        wrong += right ? 0U : 1U;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(ring.memory.intact());
}

TEST_CASE("mpsc_a_closed_claim_position_is_closed_whatever_else_it_says") {
  const scaled_mpsc ring{capacity, capacity / 2 - 8};
  const weir::detail::mpsc_control<plain_memory> control{ring.memory.bytes().data(), ring.fields(),
                                                         nullptr};
  std::uint64_t wrong = 0;
  for (std::uint64_t low = 0; low < 0x1'0000; ++low) {
    for (const std::uint64_t high : {std::uint64_t{0}, std::uint64_t{0x7FFF'FFFF} << 32}) {
      ring.wide(mpsc::claim_position) = std::uint64_t{1} << 63 | high | low;
      ring.wide(mpsc::read_position) = low * 8;
      weir::detail::mpsc_claims<plain_memory> claims{control, 0};
      wrong += claims.resume() == status::ok && claims.claim(8) == status::closed ? 0U : 1U;
    }
  }
  CHECK(wrong == 0);
}
