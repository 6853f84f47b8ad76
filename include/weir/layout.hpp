// SPDX-License-Identifier: MIT
/// The wire format: where every shared word lies. The one source of these numbers, with
/// layout_buffers.hpp for what lies beside rings.
///
/// Every primitive begins with a header of constants, written by format() and never again:
///
///   byte   0        4         8      12      16           20         24            28
///          +--------+---------+------+-------+------------+----------+-------------+--------+
///          | magic  | version | kind | flags | total_size | capacity | data_offset | stride |
///          +--------+---------+------+-------+------------+----------+-------------+--------+
///          32          36           40         44              48      52 … 127
///          +-----------+------------+----------+---------------+-------+------+
///          | alignment | max_record | type_tag | wake_protocol | slots | zero |
///          +-----------+------------+----------+---------------+-------+------+
///
/// All words are little-endian u32, naturally aligned, and only ever touched as whole 32-bit words. The
/// few that are marked u64 are 8-aligned, and only ever touched as whole 64-bit words.
/// No pointer, no size_t, no bool: a 32-bit process, a 64-bit process and JavaScript read the same bytes.
#pragma once

#include <weir/cache_line.hpp>

#include <bit>
#include <cstdint>

namespace weir {

static_assert(std::endian::native == std::endian::little,
              "the wire format is little-endian; this port would have to swap every shared word");

/// Changes when bytes laid out by an older version can no longer be attached to.
inline constexpr std::uint32_t wire_format_version = 1;

/// What a publication does about a peer that may be asleep. Fixed by format(), kept in the header.
enum class wake_protocol : std::uint32_t {
  none,        ///< nobody may sleep on this ring
  at_flush,    ///< sleepers are woken by flush(), close() and a full ring, not by each publication
  fenced,      ///< each publication pays for a full fence
  asymmetric,  ///< the sleeper pays for the fence (detail/fence.hpp)
};

namespace layout {

/// The bytes 'W' 'E' 'I' 'R'. Stored last by format(), so that a half-made header is no header.
inline constexpr std::uint32_t magic_value = 0x52494557;

/// What lies in the span. Numbers are never reused.
enum class kind : std::uint32_t {
  spsc_bytes = 1,
  spsc_slots = 2,
  mpsc_bytes = 3,
  mpsc_slots = 4,
  broadcast = 5,
  latest = 6,
  lanes = 7,
  coalesce = 8,
  doorbell = 9,
  version_table = 10,
  regions = 11,
  buffer_pool = 12,
  image = 13,
};

/// Flag bits of the header. A bit that a kind does not know is refused by its attach().
inline constexpr std::uint32_t flag_process_shared = 1U << 0;
/// mpsc: producers leave word of what they claim, so that a dead one's claim can be skipped.
inline constexpr std::uint32_t flag_recoverable = 1U << 1;
/// Sleepers of this ring sleep on a doorbell that lies elsewhere.
inline constexpr std::uint32_t flag_doorbell = 1U << 2;
/// latest: the version is a u64.
inline constexpr std::uint32_t flag_wide_version = 1U << 3;
inline constexpr std::uint32_t known_flags =
    flag_process_shared | flag_recoverable | flag_doorbell | flag_wide_version;

inline constexpr std::uint32_t magic = 0;
inline constexpr std::uint32_t version = 4;
inline constexpr std::uint32_t kind_word = 8;
inline constexpr std::uint32_t flags = 12;
/// Bytes from the span's first to the primitive's last.
inline constexpr std::uint32_t total_size = 16;
/// Bytes (byte rings) or slots (typed rings); a power of two.
inline constexpr std::uint32_t capacity = 20;
inline constexpr std::uint32_t data_offset = 24;
/// Bytes from one slot to the next; 0 in byte rings.
inline constexpr std::uint32_t stride = 28;
/// Alignment of a payload, in bytes.
inline constexpr std::uint32_t alignment = 32;
/// The largest payload of one record, in bytes.
inline constexpr std::uint32_t max_record = 36;
/// The application's own number for what the records mean.
inline constexpr std::uint32_t type_tag = 40;
inline constexpr std::uint32_t wake_protocol_word = 44;
/// How many of what the kind repeats: producer slots, buffers, lanes, keys. 0 where nothing is.
inline constexpr std::uint32_t slots = 48;
inline constexpr std::uint32_t header_size = 128;

/// The largest total_size: data of 2^31 bytes behind the control block.
inline constexpr std::uint64_t max_total_size = 0x8000'0000ULL + 1024;

/// Bits of a ring's word `closed`.
inline constexpr std::uint32_t closed_by_producer = 1U << 0;
inline constexpr std::uint32_t closed_by_consumer = 1U << 1;

/// The control block of spsc_ring, after the header. One line per writer; what both sides write seldom
/// and read often has lines of its own.
namespace spsc {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

// The producer's line.
inline constexpr std::uint32_t producer_line = header_size;
/// Position up to which everything is published, refreshed once per event: a hint, never the truth.
/// Exact while nobody holds the role. Written by the producer; read by the consumer, to prefetch.
inline constexpr std::uint32_t write_position = producer_line;
inline constexpr std::uint32_t producer_owner = producer_line + 4;
inline constexpr std::uint32_t producer_start = producer_line + 8;
inline constexpr std::uint32_t producer_statistics = producer_line + 16;

// The consumer's line.
inline constexpr std::uint32_t consumer_line = producer_line + span;
/// Position below which everything may be overwritten. Written by the consumer, read by the producer.
inline constexpr std::uint32_t read_position = consumer_line;
inline constexpr std::uint32_t consumer_owner = consumer_line + 4;
inline constexpr std::uint32_t consumer_start = consumer_line + 8;
inline constexpr std::uint32_t consumer_statistics = consumer_line + 16;

/// Park word of the consumer, which waits for records (wait.hpp).
inline constexpr std::uint32_t data_park = consumer_line + span;
/// Park word of the producer, which waits for space.
inline constexpr std::uint32_t space_park = data_park + span;
/// Bits closed_by_producer and closed_by_consumer; set once.
inline constexpr std::uint32_t closed = space_park + span;
inline constexpr std::uint32_t data = closed + span;

}  // namespace spsc

/// The control block of mpsc_ring, after the header; then the producer slots, then the data. Byte rings
/// have room for one largest record behind the data: a record never wraps, it runs on.
namespace mpsc {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

/// u64: position up to which everything is claimed; its highest bit says that the ring is closed.
inline constexpr std::uint32_t claim_position = header_size;
/// A claim position of some moment: a hint for prefetching. Written by whoever crosses a step.
inline constexpr std::uint32_t hint = claim_position + span;

// The consumer's line.
inline constexpr std::uint32_t consumer_line = hint + span;
/// u64: position below which everything may be claimed again. Written by the consumer.
inline constexpr std::uint32_t read_position = consumer_line;
/// u64: position below which everything was read; what lies between the two is being cleared.
inline constexpr std::uint32_t consumed_position = consumer_line + 8;
inline constexpr std::uint32_t consumer_owner = consumer_line + 16;
inline constexpr std::uint32_t consumer_start = consumer_line + 20;
inline constexpr std::uint32_t consumer_statistics = consumer_line + 24;
/// Claims of dead producers that recover() skipped; records that a consumer left behind when it closed.
inline constexpr std::uint32_t recovered = consumer_line + 40;
inline constexpr std::uint32_t discarded = consumer_line + 44;

/// Park word of the consumer, which waits for records (wait.hpp).
inline constexpr std::uint32_t data_park = consumer_line + span;
/// Park word of the producers, which wait for space.
inline constexpr std::uint32_t space_park = data_park + span;
/// Bits closed_by_producer and closed_by_consumer; set once, before the claim position's bit.
inline constexpr std::uint32_t closed = space_park + span;
/// One line per producer.
inline constexpr std::uint32_t producer_slots = closed + span;

// In each producer slot.
/// u64: position and size of the claim that the producer makes or holds; 0: none.
inline constexpr std::uint32_t slot_intent = 0;
inline constexpr std::uint32_t slot_owner = 8;
inline constexpr std::uint32_t slot_start = 12;
inline constexpr std::uint32_t slot_statistics = 16;
inline constexpr std::uint32_t slot_size = span;

}  // namespace mpsc

/// The control block of broadcast_ring, after the header.
namespace broadcast {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

// The writer's line.
inline constexpr std::uint32_t writer_line = header_size;
/// u64: position up to which everything is published.
inline constexpr std::uint32_t write_position = writer_line;
/// u64: position below which everything may be overwritten; that of a record, or of padding.
inline constexpr std::uint32_t overwrite_end = writer_line + 8;
/// u64: position of the first record of the newest half lap, where lapped readers go on.
inline constexpr std::uint32_t sync_position = writer_line + 16;
inline constexpr std::uint32_t writer_owner = writer_line + 24;
inline constexpr std::uint32_t writer_start = writer_line + 28;
inline constexpr std::uint32_t writer_statistics = writer_line + 32;

/// Park word of the readers, which wait for records (wait.hpp).
inline constexpr std::uint32_t data_park = writer_line + span;
/// Bit closed_by_producer; set once.
inline constexpr std::uint32_t closed = data_park + span;
inline constexpr std::uint32_t data = closed + span;

}  // namespace broadcast

/// The control block of latest, after the header; then the buffers.
namespace latest {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

// The writer's line.
inline constexpr std::uint32_t writer_line = header_size;
/// u32, with flag_wide_version u64: 2 n + 1 once value n is whole; even: nobody has written yet.
inline constexpr std::uint32_t version = writer_line;
inline constexpr std::uint32_t writer_owner = writer_line + 8;
inline constexpr std::uint32_t writer_start = writer_line + 12;
inline constexpr std::uint32_t writer_statistics = writer_line + 16;

/// Park word of the readers, which wait for news (wait.hpp).
inline constexpr std::uint32_t data_park = writer_line + span;
/// Bit closed_by_producer; set once.
inline constexpr std::uint32_t closed = data_park + span;
/// Buffers, a multiple of the span apart. Value n lies in buffer n mod slots.
inline constexpr std::uint32_t data = closed + span;

// In each buffer.
/// u32, with flag_wide_version u64: 2 n while value n is here and whole, 2 n - 1 while it is written.
inline constexpr std::uint32_t buffer_sequence = 0;
inline constexpr std::uint32_t buffer_value = 8;

}  // namespace latest

/// The whole of a doorbell, after the header.
namespace doorbell {

inline constexpr std::uint32_t park = header_size;
inline constexpr std::uint32_t size = park + static_cast<std::uint32_t>(false_sharing_span);

}  // namespace doorbell

/// The front of a bundle of lanes, after the header; then the lanes, each a whole spsc_ring that was
/// formatted with the bundle's doorbell, a false-sharing span apart.
namespace lanes {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

/// A whole doorbell: the consumer of all lanes sleeps there.
inline constexpr std::uint32_t bell = header_size;
inline constexpr std::uint32_t statistics = bell + doorbell::size;
inline constexpr std::uint32_t first_lane = statistics + span;
inline constexpr std::uint32_t lane_alignment = span;

}  // namespace lanes

/// The control block of coalesce, after the header; then the marks (a root bit for each leaf word, a leaf
/// bit for each key), then the keys.
namespace coalesce {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

// The producer's line.
inline constexpr std::uint32_t producer_line = header_size;
inline constexpr std::uint32_t producer_owner = producer_line;
inline constexpr std::uint32_t producer_start = producer_line + 4;
inline constexpr std::uint32_t producer_statistics = producer_line + 8;

// The consumer's line.
inline constexpr std::uint32_t consumer_line = producer_line + span;
inline constexpr std::uint32_t consumer_owner = consumer_line;
inline constexpr std::uint32_t consumer_start = consumer_line + 4;
/// 1 + the key that the consumer is showing; 0: none.
inline constexpr std::uint32_t showing = consumer_line + 8;
inline constexpr std::uint32_t consumer_statistics = consumer_line + 12;

/// Park word of the consumer, which waits for updates (wait.hpp).
inline constexpr std::uint32_t data_park = consumer_line + span;
/// Bits closed_by_producer and closed_by_consumer; set once.
inline constexpr std::uint32_t closed = data_park + span;
/// Root words; the leaf words begin at the next multiple of the span, and so do the keys.
inline constexpr std::uint32_t roots = closed + span;

// In each key, whose size is a multiple of a cache line.
/// Buffer of the newest value (bits 0, 1), the other buffer that is not the producer's (bits 2, 3), and
/// taken (bit 4): the consumer has the newest; else it has the other.
inline constexpr std::uint32_t key_state = 0;
inline constexpr std::uint32_t key_buffers = 16;

// In each of a key's three buffers.
inline constexpr std::uint32_t buffer_size = 0;     ///< of the value, in bytes
inline constexpr std::uint32_t buffer_after = 4;    ///< what the producer passed in
inline constexpr std::uint32_t buffer_updates = 8;  ///< of this key so far; wraps
inline constexpr std::uint32_t buffer_value = 16;

inline constexpr std::uint32_t max_keys = 1U << 20;

}  // namespace coalesce
}  // namespace layout
}  // namespace weir
