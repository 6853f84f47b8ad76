// SPDX-License-Identifier: MIT
// What members of regions, images and pools load: no word twice, but where the protocol looks again.
#include "hostile/double_fetch.hpp"

#include <weir/weir.hpp>

#include <array>
#include <cstdint>
#include <optional>

namespace weir::test {
namespace {

constexpr geometry shape{.width = 24, .height = 16};
constexpr cuts cut{.rows = 4};

/// Observes a call whose result must be there; its end, which gives things back, is not observed.
template <class Call, class... Again>
void check_made(fetch_report& report, const char* name, const guarded_span& memory, Call&& call,
                Again... again) {
  std::optional<decltype(call())> made;
  report.check(name, memory, [&] { made.emplace(call()); }, again...);
  if (!*made) report.fail(name, "was refused", 0, 0);
}
/// The same for one that must be refused.
template <class Call>
void check_refused(fetch_report& report, const char* name, const guarded_span& memory,
                   Call&& call) {
  bool refused = false;
  report.check(name, memory, [&] { refused = !call(); });
  if (!refused) report.fail(name, "was not refused", 0, 0);
}

constexpr auto sure = "asked before the place, or the band, is taken, and once it is";

void region_words(fetch_report& report) {
  using type = regions<std::uint8_t>;
  const regions_options options{.shape = shape, .cut = cut, .members = 3};
  const guarded_span memory{type::bytes_required(options)};
  static std::array<std::byte, 24 * 16> buffer;
  auto set = type::format(memory.bytes(), buffer, options).value();
  constexpr auto word = layout::regions::places + 3 * layout::place::size;
  check_made(
      report, "regions join", memory, [&] { return set.join(); }, loaded_again{word, 2, sure},
      loaded_again{word + 4, 2, sure}, loaded_again{word + 8, 2, sure},
      loaded_again{word + 12, 2, sure});
  auto member = set.join().value();
  check_made(report, "region claim", memory, [&] { return member.claim(1); });
  check_made(report, "region claim next", memory, [&] { return member.claim_next(2); });
  auto held = member.claim(0).value();
  check_refused(report, "region claim: busy", memory, [&] { return member.claim(0); });
  report.check(
      "region owner", memory, [&] { static_cast<void>(set.owner(0)); },
      loaded_again{word, 2, "the holder's state was asked for in between"});
  const auto handed = held.hand_over();
  check_made(report, "region adopt", memory, [&] { return member.adopt(handed); });
  check_refused(report, "region adopt: stale", memory, [&] { return member.adopt(handed); });
}

void image_words(fetch_report& report) {
  using type = image<std::uint8_t>;
  const image_options options{.shape = shape, .cut = cut, .members = 3};
  const guarded_span memory{type::bytes_required(options)};
  auto picture = type::format(memory.bytes(), options).value();
  auto member = picture.join().value();
  auto director = picture.director().value();
  const auto of_frames =
      layout::image::frames + *memory.word(layout::image::frames + layout::data_offset);
  report.check("image flip: pending", memory, [&] { static_cast<void>(director.flip()); });
  constexpr auto has_none = "the member has no view; then the exchange decides";
  check_made(
      report, "image view", memory, [&] { return member.view(); },
      loaded_again{layout::image::pins, 2, has_none},
      loaded_again{layout::image::pins + 4, 2, has_none},
      loaded_again{of_frames, 2, "which buffer, and behind the pin what it holds"});
  const auto bands =
      layout::image::frames + *memory.word(layout::image::frames + layout::total_size);
  const auto bands_at =
      (bands + layout::image::span - 1) / layout::image::span * layout::image::span;
  const auto versions = bands_at + *memory.word(bands_at + layout::data_offset);
  const auto of_band = versions + *memory.word(versions + layout::data_offset) + 4;
  check_made(
      report, "image claim", memory, [&] { return member.claim(1); },
      loaded_again{of_frames, 2, sure}, loaded_again{of_band, 3, "as above, and to make it odd"});
}

void pool_words(fetch_report& report) {
  using type = buffer_pool<>;
  static constexpr std::array classes{pool_class{64, 40}, pool_class{256, 5}};
  const guarded_span memory{type::bytes_required({.classes = classes})};
  auto pool = type::format(memory.bytes(), {.classes = classes}).value();
  auto member = pool.join().value();
  auto other = pool.join().value();
  // Entries begin at the first cache line behind three words of marks.
  constexpr auto entry = layout::pool::marks + static_cast<std::uint32_t>(cache_line);
  check_made(
      report, "pool allocate", memory, [&] { return member.allocate(24); },
      loaded_again{layout::pool::marks, 2, "a hint, and the word that the mark is taken from"},
      loaded_again{entry, 2, "before the exchange, and behind the cleared mark [S4]"});
  auto held = member.allocate(24).value();
  const auto handle = held.handle();
  const auto state = entry + handle.index * layout::pool::entry_size;
  report.check("pool references", memory, [&] { static_cast<void>(pool.references(handle)); });
  check_made(report, "pool version", memory, [&] { return pool.version(handle); });
  check_made(report, "pool share", memory, [&] { return other.share(handle); });
  check_refused(report, "pool share: stale", memory,
                [&] { return other.share({handle.index, handle.generation + 1}); });
  check_refused(report, "pool held: by another", memory, [&] { return other.held(handle); });
  std::array<std::byte, 24> out;
  check_made(
      report, "pool read", memory, [&] { return held.read(out); },
      loaded_again{state + layout::pool::entry_version, 2, "before the copy, and behind it [V3]"});
  const auto sent = held.hand_over();
  check_made(report, "pool adopt", memory, [&] { return other.adopt(sent); });
  check_refused(report, "pool adopt: stale", memory, [&] { return other.adopt(sent); });
  report.check("pool free: stale", memory, [&] { static_cast<void>(member.free(handle)); });
}

}  // namespace

void fetch_buffers(fetch_report& report) {
  region_words(report);
  image_words(report);
  pool_words(report);
}

}  // namespace weir::test
