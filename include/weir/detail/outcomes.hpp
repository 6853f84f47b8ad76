// SPDX-License-Identifier: MIT
/// What calls on a ring's handles return besides a status. The same for every ring.
#pragma once

#include <weir/record.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace weir {

/// What a commit did.
struct committed {
  status outcome = status::stale;
  descriptor record;  ///< names the record to whoever gets it by another way
};

/// One record, as drain() shows it. Valid until the callback returns.
struct record_view {
  std::span<const std::byte> bytes;
  std::uint32_t type;
  std::uint32_t sequence;
};

/// What try_read() did.
struct read_result {
  status outcome;          ///< ok, empty, closed, corrupt; too_large: the record stays
  std::uint32_t size = 0;  ///< of the record, in bytes; with too_large what the buffer must hold
  std::uint32_t type = 0;
};

/// No limit but the library's own: as many records as the ring can hold.
inline constexpr std::uint32_t no_limit = std::numeric_limits<std::uint32_t>::max();

/// What a drain did.
struct drained {
  status outcome;         ///< why it ended: ok (the limit), empty, closed, corrupt
  std::uint32_t records;  ///< shown
};

}  // namespace weir
