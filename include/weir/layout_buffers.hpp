// SPDX-License-Identifier: MIT
/// The wire format of what lies beside rings: version tables, regions, pools, images (layout.hpp has the
/// header that each of them begins with, and the rules for every word).
#pragma once

#include <weir/cache_line.hpp>
#include <weir/layout.hpp>

#include <cstdint>

namespace weir::layout {

/// Who takes part in regions, pools and images: a table of places, two words each (owner.hpp).
namespace place {

inline constexpr std::uint32_t owner = 0;
inline constexpr std::uint32_t start = 4;
inline constexpr std::uint32_t size = 8;

}  // namespace place

/// The control block of version_table, after the header, whose `slots` is the number of versions; then the
/// counters, those of the highest level first; then the versions, at the next multiple of the span.
///
/// A counter of the lowest level stands for 32 versions, one of the next for 32 of those, up to the level
/// that has at most 128, for which the root stands. 128 versions or fewer have the root alone.
namespace version_table {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);
inline constexpr std::uint32_t fan_out = 32;
inline constexpr std::uint32_t widest_top = 128;

/// Counter of all publications: bit 0: somebody waits for it to change; bits 1..31: how many.
inline constexpr std::uint32_t root = header_size;
/// Publications that woke somebody.
inline constexpr std::uint32_t wakes = root + 4;
inline constexpr std::uint32_t counters = root + span;

/// Bytes from a version to the next.
inline constexpr std::uint32_t dense_stride = 4;
inline constexpr std::uint32_t padded_stride = static_cast<std::uint32_t>(cache_line);
inline constexpr std::uint32_t max_slots = 1U << 24;

}  // namespace version_table

/// The control block of regions, after the header, whose `slots` is the number of regions and whose
/// `capacity` is the number of places; then the places; then a word for each region; then, at the next
/// multiple of the span, a whole version_table with one version for each region.
namespace regions {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

// What is divided, and how: constants like those of the header.
inline constexpr std::uint32_t shape = header_size;
inline constexpr std::uint32_t width = shape;       ///< elements in a row
inline constexpr std::uint32_t height = shape + 4;  ///< rows in a plane
inline constexpr std::uint32_t planes = shape + 8;
inline constexpr std::uint32_t element_size = shape + 12;   ///< bytes
inline constexpr std::uint32_t row_stride = shape + 16;     ///< bytes from a row to the next
inline constexpr std::uint32_t plane_stride = shape + 20;   ///< bytes from a plane to the next
inline constexpr std::uint32_t columns = shape + 24;        ///< parts across
inline constexpr std::uint32_t rows = shape + 28;           ///< parts down
inline constexpr std::uint32_t slabs = shape + 32;          ///< parts in depth
inline constexpr std::uint32_t cut_alignment = shape + 36;  ///< bytes
inline constexpr std::uint32_t places = shape + span;

inline constexpr std::uint32_t max_places = 255;
inline constexpr std::uint32_t max_regions = 1U << 20;

// A region's word: 1 + the holder's place (bits 0..7; 0: free), and the number of times that it has
// changed hands (bits 8..31).
inline constexpr std::uint32_t holder_bits = 8;

}  // namespace regions

/// The control block of buffer_pool, after the header, whose `slots` is the number of buffers; then the
/// marks of free buffers, a bit each, those of each class beginning with a new word; then, at the next
/// multiple of a cache line, the entries of the buffers; then, at the next multiple of the alignment or the
/// span, whichever is larger, the buffers.
namespace pool {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

inline constexpr std::uint32_t max_classes = 16;
inline constexpr std::uint32_t max_places = 32;  // one bit each in a buffer's state
inline constexpr std::uint32_t max_buffers = 1U << 20;

/// Sizes and counts of the classes, from the smallest on; a count of 0 ends them.
inline constexpr std::uint32_t classes = header_size;
inline constexpr std::uint32_t class_size = 0;   ///< bytes that a buffer holds
inline constexpr std::uint32_t class_count = 4;  ///< buffers of that size
inline constexpr std::uint32_t class_stride = 8;

inline constexpr std::uint32_t places = classes + max_classes * class_stride;
inline constexpr std::uint32_t marks = places + max_places * place::size;

// In the entry of each buffer.
/// u64: the generation (bits 32..63), and a bit for each place that holds the buffer.
inline constexpr std::uint32_t entry_state = 0;
inline constexpr std::uint32_t entry_version = 8;
inline constexpr std::uint32_t entry_used = 12;      ///< bytes asked for
inline constexpr std::uint32_t entry_metadata = 16;  ///< four words of the application's
inline constexpr std::uint32_t metadata_words = 4;
inline constexpr std::uint32_t entry_size = static_cast<std::uint32_t>(cache_line);

}  // namespace pool

/// The control block of image, after the header, whose `slots` is the number of bands and whose `capacity`
/// is the number of places; then a whole version_table with one version, twice the number of the frame that
/// can be read; then a whole regions; then, at multiples of the span, the two buffers. Frame n lies in buffer
/// n mod 2.
namespace image {

inline constexpr std::uint32_t span = static_cast<std::uint32_t>(false_sharing_span);

inline constexpr std::uint32_t director_line = header_size;
inline constexpr std::uint32_t director_owner = director_line;
inline constexpr std::uint32_t director_start = director_line + 4;

/// For each buffer: which places view it (bits 0..30), and whether it is being written (bit 31).
inline constexpr std::uint32_t pins = director_line + span;
inline constexpr std::uint32_t being_written = 1U << 31;
inline constexpr std::uint32_t max_places = 31;
inline constexpr std::uint32_t frames = pins + span;

}  // namespace image
}  // namespace weir::layout
