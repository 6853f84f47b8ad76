// SPDX-License-Identifier: MIT
/// A broadcast_ring's two sides in the model: what is written, and what a reader was told of it.
#pragma once

#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/broadcast_ring.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace weir::model {

using word = std::uint32_t;
using number = std::uint64_t;
using ring = broadcast_ring<bytes, model_memory, uncounted>;
using ring_writer = ring::writer_type;

inline constexpr word capacity = 256;
/// Words of a record: with three a frame takes 32 bytes, eight fill the ring; with one 24 bytes, and behind
/// the tenth the ring is padded.
inline constexpr word in_place = 3, padded = 1;

[[nodiscard]] constexpr auto part_of(number which, word index) -> word {
  return static_cast<word>((which + 1) * 0x100 + index);
}

[[nodiscard]] inline auto make(run& one, number start = 0, wake_protocol wake = wake_protocol::none,
                               bool process_shared = false) -> ring {
  return ring::format(one.bytes(ring::bytes_required(capacity)), {.capacity = capacity,
                                                                  .wake = wake,
                                                                  .process_shared = process_shared,
                                                                  .start_position = start})
      .value();
}
[[nodiscard]] inline auto take(run& one, const ring& there, int thread) -> ring_writer {
  return one.as(thread, [&] { return there.writer().value(); });
}

/// Writes the next `count` records.
inline void write(run& one, ring_writer& writer, int count, word words = in_place) {
  for (int i = 0; i < count; ++i) {
    const auto which = writer.number();
    std::array<word, in_place> parts{};
    for (word index = 0; index < words; ++index) parts[index] = part_of(which, index);
    const auto outcome = writer.write(std::as_bytes(std::span{parts}).first(4 * words),
                                      static_cast<word>(which + 7));
    one.check(outcome == status::ok, "a write goes well");
  }
}

/// What a reader was told, one result after the other.
struct account {
  number next = 0;  ///< the record that must come
  number received = 0, lost = 0;
  word words = in_place;
  bool begun = true;  ///< false: any record may be the first
};

/// One read, judged. Returns  its status.
auto read(run& one, auto& reader, account& told) -> status {
  std::array<word, in_place> parts{};
  const auto got = reader.read(std::as_writable_bytes(std::span{parts}));
  const bool told_something = got.outcome == status::ok || got.outcome == status::lost;
  if (told_something && !std::exchange(told.begun, true)) told.next = got.number - got.lost;
  if (got.outcome == status::ok) {
    one.check(got.number == told.next, "records come in order, and none is left out");
    bool whole = got.size == 4 * told.words && got.type == static_cast<word>(got.number + 7);
    for (word index = 0; index < told.words; ++index) {
      whole = whole && parts[index] == part_of(got.number, index);
    }
    one.check(whole, "a record is whole, and the one that its number names");
    ++told.next, ++told.received;
  } else if (got.outcome == status::lost) {
    one.check(got.lost != 0 && got.number == told.next + got.lost,
              "lost is told as many as are skipped");
    told.next += got.lost, told.lost += got.lost;
  } else {
    one.check(got.outcome == status::empty || got.outcome == status::closed,
              "a read of a sound ring finds records, or none");
  }
  return got.outcome;
}
void read(run& one, auto& reader, account& told, int times) {
  for (int i = 0; i < times; ++i) static_cast<void>(read(one, reader, told));
}

/// Reads what is left. Afterwards every record was received or lost.
void settle(run& one, auto& reader, account& told, number written) {
  while (true) {
    const auto outcome = read(one, reader, told);
    if (outcome != status::ok && outcome != status::lost) break;
  }
  one.check(!told.begun || told.next == written, "the last record is read or lost");
  one.check(reader.statistics().received == told.received && reader.statistics().lost == told.lost,
            "what was received and lost is counted");
}

inline constexpr number below_2_31 = 0x8000'0000 - capacity;
inline constexpr number below_2_32 = 0x1'0000'0000 - capacity;

}  // namespace weir::model
