// SPDX-License-Identifier: MIT
/// Writers of single values, and of records that are overwritten, among hostile readers: coalesce, latest,
/// broadcast_ring.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/coalesce.hpp>
#include <weir/latest.hpp>
#include <weir/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::fuzz {

inline constexpr std::array<std::byte, 128> some_bytes{};

/// What the three have in common: a role that is taken, lost and taken again, and a hostile other side.
/// Access: take() -> result<writer>; operate(writer, bytes) -> status.
template <class Writer, class Take, class Operate>
void run_writer(arena& memory, input& bytes, std::uint64_t bound, Take take, Operate operate) {
  here.lie_in = bytes.byte();
  std::optional<Writer> writer;
  bool corrupt = false;
  const auto end = [&] { bounded("a writer's end", bound, [&] { writer.reset(); }); };
  for (std::uint32_t step = 0; step < 256 && bytes.more(); ++step) {
    const auto what = bytes.byte();
    if ((what & 3) == 1) memory.scribble(layout::header_size, memory.bytes().size());
    if (what == 0xFC) here.dead = bytes.byte();
    if (what >= 0xFD) end();
    if (writer) {
      const auto outcome = bounded("a write", bound, [&] { return operate(*writer); });
      require(!corrupt || is_one_of(outcome, status::corrupt, status::too_large),
              "corrupt did not stay");
      corrupt = corrupt || outcome == status::corrupt;
      continue;
    }
    corrupt = false;
    bounded("taking a role", bound, [&] {
      auto taken = take();
      require(
          taken || is_one_of(taken.status(), status::busy, status::unsupported, status::corrupt),
          "taking a role: a status that is not documented");
      if (taken) writer.emplace(std::move(taken).value());
    });
  }
  end();
}

inline void run_coalesce_writer(arena& memory, input& bytes) {
  using type = coalesce<weir::bytes, fuzz_memory>;
  const auto keys = 1 + bytes.below(70);
  const auto size = 1 + bytes.below(24);
  const auto shared = memory.begin(bytes, type::bytes_required(keys, size));
  const auto wake = bytes.wake();
  auto made = type::format(shared, {.keys = keys, .max_value = size, .wake = wake}).value();
  const auto write = [&](type::producer_type& producer) {
    const auto what = bytes.byte();
    if (what == 0xFF) producer.close();
    if (what >= 0xF0) producer.flush();
    const auto key = bytes.below(keys + 1);
    const auto length = bytes.below(size + 2);
    const auto outcome = producer.update(key, std::span{some_bytes}.first(length), bytes.byte());
    const bool possible = key < keys && length <= size;
    require(possible ? is_one_of(outcome, status::ok, status::closed, status::corrupt)
                     : outcome == status::too_large,
            "update(): a status that is not documented");
    return outcome;
  };
  run_writer<type::producer_type>(
      memory, bytes, 512 + 16 * keys, [&] { return made.producer(); }, write);
}

inline void run_latest_writer(arena& memory, input& bytes) {
  using type = latest<weir::bytes, fuzz_memory>;
  const auto flags = bytes.byte();
  const latest_options options{.size = 1 + bytes.below(100),
                               .buffers = 1 + bytes.below(5),
                               .wide_version = (flags & 4) != 0,
                               .wake = static_cast<wake_protocol>(flags & 3),
                               .process_shared = (flags & 8) != 0,
                               .start_version = bytes.start_position(1)};
  const auto shared = memory.begin(bytes, type::bytes_required(options));
  here.heavy_fences = (flags & 16) == 0;
  auto made = type::format(shared, options).value();
  const auto write = [&](type::writer_type& writer) {
    const auto what = bytes.byte();
    if (what == 0xFF) writer.close();
    if (what >= 0xF0) writer.flush();
    const auto length = bytes.below(options.size + 2);
    const auto outcome = writer.write(std::span{some_bytes}.first(length));
    require(length <= options.size ? is_one_of(outcome, status::ok, status::closed)
                                   : outcome == status::too_large,
            "write(): a status that is not documented");
    return outcome;
  };
  run_writer<type::writer_type>(memory, bytes, 512, [&] { return made.writer(); }, write);
}

inline void run_broadcast_writer(arena& memory, input& bytes) {
  using type = broadcast_ring<weir::bytes, fuzz_memory>;
  const auto flags = bytes.byte();
  const auto capacity = 256U << bytes.below(3);
  const auto start = bytes.start_position(8);
  const auto shared = memory.begin(bytes, type::bytes_required(capacity));
  here.heavy_fences = (flags & 16) == 0;
  auto made = type::format(shared, {.capacity = capacity,
                                    .wake = static_cast<wake_protocol>(flags & 3),
                                    .process_shared = (flags & 8) != 0,
                                    .start_position = start})
                  .value();
  const auto write = [&](type::writer_type& writer) {
    const auto what = bytes.byte();
    if (what == 0xFF) writer.close();
    if (what >= 0xF0) writer.flush();
    const auto length = bytes.below(made.max_record() + 2);
    const auto kind = bytes.byte() << 24;
    const auto outcome = writer.write(std::span{some_bytes}.first(length), kind);
    const bool possible = length <= made.max_record() && kind < record_type::reserved;
    require(is_one_of(outcome, possible ? status::ok : status::too_large, status::closed,
                      possible ? status::closed : status::unsupported),
            "write(): a status that is not documented");
    return outcome;
  };
  run_writer<type::writer_type>(
      memory, bytes, 256 + capacity, [&] { return made.writer(); }, write);
}

inline void run_value_writer(arena& memory, input& bytes) {
  switch (bytes.byte() % 3) {
    case 0:
      return run_coalesce_writer(memory, bytes);
    case 1:
      return run_latest_writer(memory, bytes);
    default:
      return run_broadcast_writer(memory, bytes);
  }
}

}  // namespace weir::fuzz
