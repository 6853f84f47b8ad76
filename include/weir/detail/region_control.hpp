// SPDX-License-Identifier: MIT
/// The control block of regions: who holds which part, and all that does not depend on the element's type.
///
/// Memory       header | shape and cuts, constants too | places of members (owner_table.hpp) | a word for each
///              region: 1 + its holder's place (8 bits; 0: free), how often it was taken (24 bits) | a
///              version_table (layout_buffers.hpp)
/// Invariants   I1  a region's word names its holder, or who handed it over and where it waits to be adopted
///              I2  each taking makes another word: giving back, adopting and reclaiming exchange exactly the
///                  word that they were told of, so that one of them wins
///              I3  a place is given to a new member only while no word names it
/// Edges        region_word.hpp
/// Progress     claim, give_back, adopt wait-free; join and reclaim look at each region once for each place
///              that is free, or whose member is gone
/// Dead peers   one exchange takes a region and one gives it back: whoever dies holds it or does not. Its
///              regions stay its own until reclaim(), which tells readers of versions that it had ended and
///              not told of; one that it left odd stays odd until a successor has written the region.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/owner_table.hpp>
#include <weir/detail/region_word.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/partition.hpp>
#include <weir/status.hpp>
#include <weir/version_table.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// What is divided, how, and among how many.
struct regions_options {
  geometry shape = {};
  cuts cut = {};
  /// How many can take part at a time, from 1 to 255: threads, or processes.
  std::uint32_t members = 32;
  /// Of the versions (version_table.hpp).
  wake_choice wake = {};
  /// Members may be in different processes.
  bool process_shared = false;
  /// The application's number for what the elements mean; attach() compares it.
  std::uint32_t type_tag = 0;
};

namespace detail {

/// True if `data` holds the elements of a division, of `size` bytes each, all of them aligned.
[[nodiscard]] inline auto fits_data(const partition& division, std::span<const std::byte> data,
                                    std::size_t size, std::size_t alignment) noexcept -> bool {
  const auto& shape = division.shape();
  const auto address = reinterpret_cast<std::uintptr_t>(data.data());
  return shape.element_size == size && shape.bytes() <= data.size() && address % alignment == 0 &&
         address % division.cut().alignment == 0 &&
         (shape.height == 1 || shape.row_stride % alignment == 0) &&
         (shape.planes == 1 || shape.plane_stride % alignment == 0);
}

/// True if some byte is in both.
[[nodiscard]] inline auto overlap(std::span<const std::byte> a,
                                  std::span<const std::byte> b) noexcept -> bool {
  const auto first = reinterpret_cast<std::uintptr_t>(a.data());
  const auto other = reinterpret_cast<std::uintptr_t>(b.data());
  return first < other ? other - first < a.size() : first - other < b.size();
}

/// A private, immutable description of the regions of one buffer, and addresses of their shared words.
/// Thread  any, unless a function says more.
template <class Memory>
class region_control {
 public:
  /// Bytes of span; 0: there are no such regions.
  [[nodiscard]] static constexpr auto required(const regions_options& options) noexcept
      -> std::uint64_t {
    const auto count = count_of(options.cut);
    const bool possible =
        is_possible(count, options.members) && bool{partition::make(options.shape, options.cut)};
    return possible ? end_of(count, options.members) : 0;
  }

  /// Needs    exclusive access to the span, which outlives every view and handle.
  /// Returns  a description; bad_layout: the span is not 64-byte aligned or too small, or the options are
  ///          impossible; what version_table::format() says.
  [[nodiscard]] static auto lay_out(std::span<std::byte> span, const regions_options& options,
                                    std::uint32_t start_version = 0) noexcept
      -> result<region_control> {
    auto division = partition::make(options.shape, options.cut);
    const auto size = required(options);
    if (!division || size == 0 || size > span.size() || !is_aligned(span) ||
        options.wake == wake_choice{wake_protocol::at_flush}) {
      return status::bad_layout;
    }
    const auto count = division->count();
    const auto table_at = table_offset(count, options.members);
    retract_header<Memory>(span.data());
    clear_control<Memory>(span.data(), table_at);
    auto table = version_table<Memory>::format(
        span.subspan(table_at, static_cast<std::size_t>(table_bytes(count))),
        {.slots = count,
         .wake = options.wake,
         .process_shared = options.process_shared,
         .type_tag = options.type_tag,
         .start_version = start_version});
    if (!table) return table.status();
    store_division(span.data(), *division);
    publish_header<Memory>(span.data(), expected(count, options.members, options.type_tag, *table));
    return region_control{span.data(), options.members, *division, *table};
  }

  /// Returns  a description; not_ready: nobody has finished formatting; bad_layout: something else is there,
  ///          or another tag.
  [[nodiscard]] static auto open(std::span<std::byte> span, std::uint32_t type_tag) noexcept
      -> result<region_control> {
    auto found = load_header<Memory>(span);
    if (!found) return found.status();
    const auto count = found->slots;
    const auto members = found->capacity;
    if (!is_possible(count, members) || found->total_size != end_of(count, members)) {
      return status::bad_layout;
    }
    auto table = version_table<Memory>::attach(
        span.subspan(table_offset(count, members), static_cast<std::size_t>(table_bytes(count))),
        type_tag);
    if (!table || table->slots() != count || table->padded() ||
        *found != expected(count, members, type_tag, *table)) {
      return status::bad_layout;
    }
    auto division = load_division(span.data());
    if (!division || division->count() != count) return status::bad_layout;
    return region_control{span.data(), members, *division, *table};
  }

  [[nodiscard]] auto count() const noexcept -> std::uint32_t { return division_.count(); }
  /// Bytes of the control block.
  [[nodiscard]] auto size() const noexcept -> std::size_t {
    return static_cast<std::size_t>(end_of(count(), members_));
  }
  [[nodiscard]] auto division() const noexcept -> const partition& { return division_; }
  [[nodiscard]] auto table() const noexcept -> const version_table<Memory>& { return table_; }
  [[nodiscard]] auto places() const noexcept -> owner_table<Memory> {
    return {base_ + layout::regions::places, members_};
  }
  /// Needs  index < count().
  [[nodiscard]] auto word(std::uint32_t index) const noexcept -> region_word<Memory> {
    const auto words = layout::regions::places + members_ * layout::place::size;
    return {word_at(base_, words + index * 4)};
  }

  /// also_nothing(place) -> bool: what else a place may hold, it does not.
  /// Returns  a membership; full: no place is free whose member left nothing behind.
  template <class AlsoNothing>
  [[nodiscard]] auto join(AlsoNothing&& also_nothing) const noexcept -> result<membership<Memory>> {
    return places().join(
        [&](std::uint32_t place) { return !is_named(place) && also_nothing(place); });
  }

  /// Needs  index < count().
  [[nodiscard]] auto is_held(std::uint32_t index) const noexcept -> bool {
    return region_word<Memory>::is_held(word(index).load());
  }

  /// Returns  the word of this holding; busy: held, or lost a race; bad_layout: no such region.
  /// Thread   the place's member.
  [[nodiscard]] auto claim(std::uint32_t index, std::uint32_t place) const noexcept
      -> result<std::uint32_t> {
    if (index >= count()) return status::bad_layout;
    const auto region = word(index);
    auto seen = region.guess();
    if (region.is_held(seen) || !region.take(seen, place)) return status::busy;
    return seen;
  }
  /// The first free region from `first` on, round, that is `wanted(index)`, before and after it is taken.
  /// Returns  its number, and the word of this holding; busy: there is none.
  /// Thread   the place's member.
  template <class Wanted>
  [[nodiscard]] auto claim_next(std::uint32_t first, std::uint32_t place,
                                Wanted&& wanted) const noexcept -> result<region_descriptor> {
    auto index = first % count();
    for (auto left = count(); left != 0; --left) {
      if (wanted(index)) {
        if (auto token = claim(index, place)) {
          if (wanted(index)) return region_descriptor{.index = index, .word = *token};
          static_cast<void>(word(index).give_back(*token));
        }
      }
      index = index + 1 == count() ? 0 : index + 1;
    }
    return status::busy;
  }
  /// Returns  ok; stale: `token` is over.
  [[nodiscard]] auto give_back(std::uint32_t index, std::uint32_t token) const noexcept -> status {
    return word(index).give_back(token) ? status::ok : status::stale;
  }
  /// Takes a region from the place that its word names.
  /// Returns  the word of this holding; stale: it has changed hands, or there is no such region.
  /// Thread   the place's member; what brought the descriptor synchronizes, as every ring does.
  [[nodiscard]] auto adopt(const region_descriptor& from, std::uint32_t place) const noexcept
      -> result<std::uint32_t> {
    auto seen = from.word;
    if (from.index >= count() || !region_word<Memory>::is_held(seen) ||
        !word(from.index).take(seen, place)) {
      return status::stale;
    }
    return seen;
  }
  /// Takes a region whose word names the place already.
  /// Returns  the word of this holding; stale: it names another, or there is no such region.
  /// Thread   the place's member.
  [[nodiscard]] auto take_back(std::uint32_t index, std::uint32_t place) const noexcept
      -> result<std::uint32_t> {
    if (index >= count()) return status::stale;
    const auto seen = word(index).load();
    return names(seen, place) ? adopt({.index = index, .word = seen}, place) : status::stale;
  }
  /// Frees the regions of members that are gone: owner_table::reclaim(). also(place) -> number of things:
  /// gives back whatever else the member held.
  template <class Alive, class Also>
  auto reclaim(reclaim_from whose, Alive&& alive, Also&& also) const noexcept -> reclaimed {
    return places().reclaim(whose, alive, [this, &also](std::uint32_t place) {
      std::uint32_t freed = also(place);
      for (std::uint32_t index = 0; index < count(); ++index) {
        const auto seen = word(index).load();
        if (!names(seen, place)) continue;
        // Its holder may have died when the version was whole and readers had not been told. First, as
        // long as the word still has the next reclaimer come here.
        table_.slot(index)->touch();
        freed += word(index).reclaim(seen) ? 1U : 0U;
      }
      return freed;
    });
  }
  /// Who holds a region. Stays dead until reclaim(); a region in transit has its last holder.
  /// Needs  index < count().
  [[nodiscard]] auto owner(std::uint32_t index) const noexcept -> owner_state {
    const auto seen = word(index).load();
    if (!region_word<Memory>::is_held(seen)) return owner_state::free;
    const auto place = region_word<Memory>::holder_of(seen);
    if (place >= members_) return owner_state::alive;
    const auto holder = places().entry(place).state();
    const bool same = word(index).load() == seen;
    return same && holder == owner_state::dead ? owner_state::dead : owner_state::alive;
  }

 private:
  region_control(std::byte* base, std::uint32_t members, const partition& division,
                 const version_table<Memory>& table) noexcept
      : base_{base}, members_{members}, division_{division}, table_{table} {}

  [[nodiscard]] static auto names(std::uint32_t word, std::uint32_t place) noexcept -> bool {
    return region_word<Memory>::is_held(word) && region_word<Memory>::holder_of(word) == place;
  }
  /// True if some word names the place.
  [[nodiscard]] auto is_named(std::uint32_t place) const noexcept -> bool {
    for (std::uint32_t index = 0; index < count(); ++index) {
      if (names(word(index).load(), place)) return true;
    }
    return false;
  }

  // --- layout

  /// 0 if there are too many to count.
  [[nodiscard]] static constexpr auto count_of(const cuts& cut) noexcept -> std::uint32_t {
    std::uint64_t count = cut.columns;
    for (const auto parts : {cut.rows, cut.slabs}) {
      count = count <= layout::regions::max_regions ? count * parts : 0;
    }
    return count <= layout::regions::max_regions ? static_cast<std::uint32_t>(count) : 0;
  }
  [[nodiscard]] static constexpr auto is_possible(std::uint32_t count,
                                                  std::uint32_t members) noexcept -> bool {
    return count >= 1 && count <= layout::regions::max_regions && members >= 1 &&
           members <= layout::regions::max_places;
  }
  [[nodiscard]] static constexpr auto table_offset(std::uint32_t count,
                                                   std::uint32_t members) noexcept
      -> std::uint32_t {
    return align_up(layout::regions::places + members * layout::place::size + count * 4,
                    layout::regions::span);
  }
  [[nodiscard]] static constexpr auto table_bytes(std::uint32_t count) noexcept -> std::uint64_t {
    return version_table<Memory>::bytes_required({.slots = count});
  }
  [[nodiscard]] static constexpr auto end_of(std::uint32_t count, std::uint32_t members) noexcept
      -> std::uint64_t {
    return table_offset(count, members) + table_bytes(count);
  }
  /// The header of such regions. open() accepts nothing else. Needs  is_possible().
  [[nodiscard]] static auto expected(std::uint32_t count, std::uint32_t members, std::uint32_t tag,
                                     const version_table<Memory>& table) noexcept -> header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::regions),
            .flags = table.process_shared() ? layout::flag_process_shared : 0,
            .total_size = static_cast<std::uint32_t>(end_of(count, members)),
            .capacity = members,
            .data_offset = table_offset(count, members),
            .type_tag = tag,
            .wake_protocol = static_cast<std::uint32_t>(table.wake()),
            .slots = count};
  }
  static void store_division(std::byte* base, const partition& division) noexcept {
    const auto put = [base](std::uint32_t offset, std::uint32_t value) {
      // relaxed: before publication [F1]
      Memory::store(word_at(base, offset), value, std::memory_order_relaxed);
    };
    const auto& shape = division.shape();
    put(layout::regions::width, shape.width);
    put(layout::regions::height, shape.height);
    put(layout::regions::planes, shape.planes);
    put(layout::regions::element_size, shape.element_size);
    put(layout::regions::row_stride, shape.row_stride);
    put(layout::regions::plane_stride, shape.plane_stride);
    put(layout::regions::columns, division.cut().columns);
    put(layout::regions::rows, division.cut().rows);
    put(layout::regions::slabs, division.cut().slabs);
    put(layout::regions::cut_alignment, division.cut().alignment);
  }
  [[nodiscard]] static auto load_division(std::byte* base) noexcept -> result<partition> {
    const auto get = [base](std::uint32_t offset) {
      // relaxed: before publication [F1]
      return Memory::load(word_at(base, offset), std::memory_order_relaxed);
    };
    const geometry shape{get(layout::regions::width),      get(layout::regions::height),
                         get(layout::regions::planes),     get(layout::regions::element_size),
                         get(layout::regions::row_stride), get(layout::regions::plane_stride)};
    const cuts cut{get(layout::regions::columns), get(layout::regions::rows),
                   get(layout::regions::slabs), get(layout::regions::cut_alignment)};
    auto division = partition::make(shape, cut);
    if (division && division->shape() != shape) return status::bad_layout;
    return division;
  }

  std::byte* base_ = nullptr;
  std::uint32_t members_ = 0;
  partition division_;
  version_table<Memory> table_;
};

}  // namespace detail
}  // namespace weir
