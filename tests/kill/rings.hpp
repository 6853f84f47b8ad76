// SPDX-License-Identifier: MIT
/// What the scenarios of rings have in common: numbered records of three writers, and one reader's demands.
#pragma once

#include "kill/scenario.hpp"
#include "support/guarded_span.hpp"
#include "support/mpsc_sides.hpp"

#include <weir/lanes.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace weir::test::kills {

/// Numbers of those who wrote before the victim, of the victim, of those who write after its death.
inline constexpr std::array<std::uint32_t, 3> first_number{1000, 4, 2000};
enum author : std::uint32_t { predecessor, victim_itself, successor };

/// How full a ring is, and where it begins.
struct fill {
  const char* name;
  bool near_the_end = false;  ///< the next record does not fit before the end of the data
  std::uint64_t start = 0;    ///< a multiple of the capacity
  std::uint32_t records = 0;  ///< written beforehand; `to_the_brim`: as many as fit
};
inline constexpr std::uint32_t to_the_brim = ~0U;
inline constexpr std::array<fill, 6> fills{{
    {.name = "empty"},
    {.name = "half", .records = 5},
    {.name = "full", .records = to_the_brim},
    {.name = "wrapping", .near_the_end = true, .records = 1},
    {.name = "at_2^31", .near_the_end = true, .start = 0x8000'0000},
    {.name = "at_2^32", .near_the_end = true, .start = 0x1'0000'0000},
}};

/// Where a kind's ring lies, and how it is formatted.
template <class Ring, std::uint32_t Capacity>
struct in_spsc {
  using ring_type = Ring;
  static constexpr std::uint32_t capacity = Capacity;
  static constexpr bool many = false;
  static auto size() { return Ring::bytes_required(Capacity); }
  static auto format(const guarded_span& memory, std::uint64_t start) {
    return Ring::format(memory.bytes(), {.capacity = Capacity,
                                         .process_shared = true,
                                         .start_position = static_cast<std::uint32_t>(start)});
  }
};
template <class Ring, std::uint32_t Capacity>
struct in_mpsc {
  using ring_type = Ring;
  static constexpr std::uint32_t capacity = Capacity;
  static constexpr bool many = true;
  static auto options() -> mpsc_options {
    return {.capacity = Capacity, .producers = 3, .recoverable = true, .process_shared = true};
  }
  static auto size() { return Ring::bytes_required(options()); }
  static auto format(const guarded_span& memory, std::uint64_t start) {
    auto here = options();
    here.start_position = start;
    return Ring::format(memory.bytes(), here);
  }
};
template <class Ring, std::uint32_t Capacity>
struct in_lanes {
  using ring_type = Ring;
  static constexpr std::uint32_t capacity = Capacity;
  static constexpr bool many = false;
  static auto size() { return Ring::bytes_required(2, Capacity); }
  static auto format(const guarded_span& memory, std::uint64_t start) {
    return Ring::format(memory.bytes(), {.lanes = 2,
                                         .capacity = Capacity,
                                         .process_shared = true,
                                         .start_position = static_cast<std::uint32_t>(start)});
  }
};

struct spsc_byte_kind : mpsc_byte_kind, in_spsc<spsc_ring<bytes>, 256> {
  static constexpr const char* name = "spsc_bytes";
};
struct spsc_typed_kind : mpsc_typed_kind, in_spsc<spsc_ring<std::uint64_t>, 8> {
  static constexpr const char* name = "spsc_slots";
};
struct many_byte_kind : mpsc_byte_kind, in_mpsc<mpsc_ring<bytes>, 256> {
  static constexpr const char* name = "mpsc_bytes";
};
struct many_typed_kind : mpsc_typed_kind, in_mpsc<mpsc_ring<std::uint64_t>, 8> {
  static constexpr const char* name = "mpsc_slots";
};
struct lanes_kind : mpsc_byte_kind, in_lanes<lanes<bytes>, 256> {
  static constexpr const char* name = "lanes";
};

/// A ring in guarded memory.
template <class Kind>
struct ring_in_place {
  using ring_type = typename Kind::ring_type;

  explicit ring_in_place(const fill& how)
      : memory{Kind::size()}, ring{Kind::format(memory, start_of(how)).value()} {}

  /// Near the end of the data one record still fits, and the next one does not.
  [[nodiscard]] static auto start_of(const fill& how) -> std::uint64_t {
    if (!how.near_the_end) return how.start;
    return (how.start == 0 ? Kind::capacity : how.start) - (Kind::frames ? 16 : 1);
  }

  guarded_span memory;
  ring_type ring;
};

/// What a reader has seen of each writer.
struct seen_records {
  std::array<std::uint32_t, 3> count{};
  bool whole = true;                   ///< no record that nobody wrote
  bool in_order = true;                ///< none missing in between, none twice
  bool begins_anywhere = false;        ///< the successor of a reader may begin in the middle
  std::optional<std::uint32_t> first;  ///< of the predecessor's records, where it did

  void take(std::uint32_t number) {
    const auto who = number >= first_number[successor]     ? successor
                     : number >= first_number[predecessor] ? predecessor
                                                           : victim_itself;
    whole = whole && number != 0xFFFF'FFFF;
    if (begins_anywhere && !first && who == predecessor) {
      first = number - first_number[who];
      count[who] = *first;
    }
    in_order = in_order && number == first_number[who] + count[who];
    ++count[who];
  }
};

/// Reads, and recovers where the ring can, until nothing is left. Returns  the last outcome.
template <class Kind, class Consumer>
auto read_everything(Consumer& consumer, seen_records& seen) -> status {
  for (int rounds = 0; rounds < 1000; ++rounds) {
    const auto done =
        consumer.drain([&](const auto& record) { seen.take(Kind::number_of(record)); });
    consumer.flush();
    if (done.outcome == status::ok) continue;
    if (done.outcome != status::empty) return done.outcome;
    if constexpr (requires { consumer.recover(); }) {
      const auto skipped = consumer.recover();
      if (skipped.claims != 0) continue;
      if (skipped.outcome != status::ok && skipped.outcome != status::empty) return skipped.outcome;
    }
    return done.outcome;
  }
  return status::busy;  // it goes round and round
}

/// Writes `count` records of a writer, from its record `from` on. Returns  how many.
template <class Kind, class Producer>
auto write_some(Producer& producer, author who, std::uint32_t from, std::uint32_t count)
    -> std::uint32_t {
  for (std::uint32_t done = 0; done < count; ++done) {
    if (Kind::write(producer, first_number[who] + from + done) != status::ok) return done;
  }
  return count;
}

inline void demand_order(const seen_records& seen, verdict& found) {
  found.whole(seen.whole, "a record that nobody wrote");
  found.whole(seen.in_order, "records out of order, missing in between, or twice");
}

}  // namespace weir::test::kills
