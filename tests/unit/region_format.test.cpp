// SPDX-License-Identifier: MIT
// Proved: what format() and attach() refuse, bit by bit; that whatever passes for a division stays inside the
// buffer, and that no bytes in shared words lead out of the spans or into an endless loop. Not provable here:
// what a lying peer does to the elements, all of which it may write.
#include "support/guarded_span.hpp"
#include "support/random.hpp"

#include <weir/region.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

namespace layout = weir::layout;
using weir::bands;
using weir::geometry;
using weir::regions_options;
using weir::status;
using weir::tiles;
using weir::wake_protocol;
using weir::test::guarded_span;
using byte_regions = weir::regions<std::uint8_t>;
using word_regions = weir::regions<std::uint32_t>;

namespace {

constexpr std::uint32_t tag = 0x1234;
constexpr regions_options options{
    .shape = {.width = 60, .height = 21, .planes = 2, .row_stride = 64, .plane_stride = 2048},
    .cut = {.columns = 2, .rows = 3, .slabs = 2, .alignment = 16},
    .members = 3,
    .process_shared = true,
    .type_tag = tag};
constexpr std::uint32_t count = 12;

struct formatted {
  guarded_span control{byte_regions::bytes_required(options)};
  guarded_span buffer{options.shape.bytes()};

  formatted() { format(); }
  void format() const {
    if (!byte_regions::format(control.bytes(), buffer.bytes(), options)) FAIL("format");
  }
  [[nodiscard]] auto attach() const {
    return byte_regions::attach(control.bytes(), buffer.bytes(), tag);
  }
};

/// Writes every element of every region that can be had. Returns  how many elements.
auto write_all(const byte_regions& set) -> std::uint64_t {
  std::uint64_t written = 0;
  const auto member = set.join().value();
  for (std::uint32_t index = 0; index < set.count(); ++index) {
    auto part = member.claim(index);
    if (!part) continue;
    for (std::uint32_t z = 0; z < part->planes(); ++z) {
      for (std::uint32_t y = 0; y < part->rows(); ++y) {
        std::ranges::fill(part->row(y, z), static_cast<std::uint8_t>(index));
        written += part->row(y, z).size();
      }
    }
    std::ranges::fill(part->bytes(), std::byte{1});
    const auto halo = part->halo(3);
    for (std::uint32_t y = 0; y < halo.box().height; ++y) {
      const auto row = halo.row(halo.box().y + y, halo.box().z);
      written += row.front() == 99 && row.back() == 99 ? 1U : 0U;  // read, never so
    }
  }
  return written;
}

}  // namespace

TEST_CASE("regions_that_are_formatted_can_be_attached_to") {
  const formatted there;
  for (const bool process_shared : {false, true}) {
    for (const bool sleeps : {false, true}) {
      auto asked = options;
      asked.process_shared = process_shared;
      if (!sleeps) asked.wake = wake_protocol::none;
      auto made = byte_regions::format(there.control.bytes(), there.buffer.bytes(), asked);
      REQUIRE(made);
      auto found = there.attach();
      REQUIRE(found);
      for (const auto& set : {*made, *found}) {
        CHECK(set.count() == count);
        CHECK(set.members() == 3);
        CHECK(set.process_shared() == process_shared);
        CHECK((set.versions().wake() != wake_protocol::none) == sleeps);
        CHECK(set.part(11) ==
              weir::box{.x = 32, .y = 14, .z = 1, .width = 28, .height = 7, .depth = 1});
      }
    }
  }
  CHECK(write_all(there.attach().value()) == 60 * 21 * 2);
  CHECK(there.control.intact());
  CHECK(there.buffer.intact());
}

TEST_CASE("spans_that_cannot_hold_the_regions_are_refused") {
  const guarded_span control{byte_regions::bytes_required(options) + 64};
  const guarded_span buffer{options.shape.bytes() + 64};
  const auto size = static_cast<std::size_t>(byte_regions::bytes_required(options));
  const auto data_size = static_cast<std::size_t>(options.shape.bytes());
  const auto format = [](std::span<std::byte> span, std::span<std::byte> data) {
    return byte_regions::format(span, data, options).status();
  };
  const auto span = control.bytes();
  const auto data = buffer.bytes();
  CHECK(format(span.first(size), data.first(data_size)) == status::ok);
  CHECK(format(span.subspan(64), data.subspan(64)) == status::ok);
  CHECK(format(span.first(size - 1), data) == status::bad_layout);
  CHECK(format(span.subspan(32), data) == status::bad_layout);
  CHECK(format(span, data.first(data_size - 1)) == status::bad_layout);
  CHECK(format(span, data.subspan(16, data_size)) == status::ok);  // as the cuts ask
  CHECK(format(span, data.subspan(8, data_size)) == status::bad_layout);
  CHECK(format({}, data) == status::bad_layout);
  CHECK(format(span, {}) == status::bad_layout);

  REQUIRE(format(span.first(size), data) == status::ok);
  const auto attach = [&](std::span<std::byte> there, std::span<std::byte> over) {
    return byte_regions::attach(there, over, tag).status();
  };
  CHECK(attach(span.first(size), data.first(data_size)) == status::ok);
  CHECK(attach(span.first(size - 1), data) == status::bad_layout);
  CHECK(attach(span.first(127), data) == status::bad_layout);
  CHECK(attach(span, data.first(data_size - 1)) == status::bad_layout);
  CHECK(attach(span, data.subspan(8)) == status::bad_layout);
  CHECK(byte_regions::attach(span, data).status() == status::bad_layout);
  CHECK(word_regions::attach(span, data, tag).status() == status::bad_layout);
  CHECK(control.intact());
  CHECK(buffer.intact());
}

TEST_CASE("a_buffer_that_overlaps_its_control_block_is_refused") {
  const guarded_span memory{8192};
  const auto all = memory.bytes();
  const regions_options small{.shape = {.width = 1000}};
  const auto size = static_cast<std::size_t>(byte_regions::bytes_required(small));
  const auto format = [&](std::size_t control, std::size_t data) {
    return byte_regions::format(all.subspan(control), all.subspan(data), small).status();
  };
  CHECK(format(0, size) == status::ok);
  CHECK(byte_regions::attach(all, all.subspan(size)).status() == status::ok);
  CHECK(byte_regions::attach(all, all.subspan(size - 64)).status() == status::bad_layout);
  CHECK(byte_regions::attach(all, all).status() == status::bad_layout);
  CHECK(format(0, size - 1) == status::bad_layout);
  CHECK(format(0, 0) == status::bad_layout);
  CHECK(format(1024, 0) == status::ok);
  CHECK(format(960, 0) == status::bad_layout);
  const regions_options touching{.shape = {.width = 961}};  // by its last byte alone
  CHECK(byte_regions::format(all.subspan(960), all, touching).status() == status::bad_layout);
}

TEST_CASE("impossible_options_are_refused") {
  const guarded_span control{1 << 16};
  const guarded_span buffer{1 << 16};
  const auto format = [&](const regions_options& asked) {
    return byte_regions::format(control.bytes(), buffer.bytes(), asked).status();
  };
  const auto with = [](auto change) {
    auto asked = options;
    change(asked);
    return asked;
  };
  CHECK(format(options) == status::ok);
  CHECK(format({}) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.members = 0; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.members = 255; })) == status::ok);
  CHECK(format(with([](auto& asked) { asked.members = 256; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.members = 0xFFFF'FFFF; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.cut.rows = 0; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.cut.rows = 22; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.shape.element_size = 2; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.shape.planes = 0x1'0000; })) == status::bad_layout);
  CHECK(format(with([](auto& asked) { asked.wake = wake_protocol::at_flush; })) ==
        status::bad_layout);
  // A format that is refused leaves what was there.
  CHECK(byte_regions::attach(control.bytes(), buffer.bytes(), tag).status() == status::ok);
  // Too many, although there are as many elements.
  const regions_options many{.shape = {.width = 1 << 21}, .cut = weir::ranges((1 << 20) + 1)};
  CHECK(byte_regions::bytes_required(many) == 0);
  // Too many regions to count.
  for (const auto& cut :
       {tiles(0xFFFF'FFFF, 0xFFFF'FFFF), tiles(0x1'0000, 0x1'0000), tiles(1 << 20, 2),
        bands(0x8000'0000), weir::cuts{.columns = 1 << 20, .slabs = 2}}) {
    const regions_options asked{.shape = {.width = 0xFFFF'FFFF}, .cut = cut};
    CHECK(byte_regions::bytes_required(asked) == 0);
    CHECK(format(asked) == status::bad_layout);
  }
}

TEST_CASE("a_control_block_is_refused_by_itself_as_by_those_who_embed_it") {
  using control_type = weir::detail::region_control<weir::native_memory>;
  const guarded_span memory{control_type::required(options)};
  CHECK(control_type::lay_out(memory.bytes().first(memory.bytes().size() - 1), options).status() ==
        status::bad_layout);
  CHECK(
      control_type::lay_out(memory.bytes(), {.shape = options.shape, .cut = bands(99)}).status() ==
      status::bad_layout);
  CHECK(control_type::lay_out(memory.bytes(), options, 1).status() ==
        status::bad_layout);  // no version is odd at first
  CHECK(control_type::lay_out(memory.bytes(), options, 2));
  CHECK(memory.intact());
}

TEST_CASE("a_region_is_given_back_by_the_word_of_its_holding_and_by_no_other") {
  using control_type = weir::detail::region_control<weir::native_memory>;
  const guarded_span memory{control_type::required(options)};
  const auto control = control_type::lay_out(memory.bytes(), options).value();
  const auto first = control.claim(0, 1).value();
  CHECK(control.give_back(0, first) == status::ok);
  const auto second = control.claim(0, 2).value();
  CHECK(control.give_back(0, first) == status::stale);
  CHECK(control.is_held(0));
  CHECK(control.give_back(0, second) == status::ok);
  CHECK_FALSE(control.is_held(0));
}

TEST_CASE("regions_beside_a_version_table_of_fewer_versions_are_refused") {
  const formatted there;
  const auto table_at = *there.control.word(layout::data_offset);
  REQUIRE(weir::version_table<>::format(there.control.bytes().subspan(table_at),
                                        {.slots = count - 1,
                                         .wake = wake_protocol::fenced,
                                         .process_shared = true,
                                         .type_tag = tag}));
  CHECK(there.attach().status() == status::bad_layout);
}

TEST_CASE("elements_lie_as_their_type_asks") {
  const guarded_span control{4096};
  const guarded_span buffer{4096};
  const auto format = [&](std::uint32_t offset, const geometry& shape) {
    return word_regions::format(control.bytes(), buffer.bytes().subspan(offset), {.shape = shape})
        .status();
  };
  const auto shape = weir::geometry_of<std::uint32_t>(6, 5, 2);
  CHECK(format(0, shape) == status::ok);
  CHECK(format(4, shape) == status::ok);
  CHECK(format(2, shape) == status::bad_layout);
  auto odd = shape;
  odd.row_stride = 26;
  CHECK(format(0, odd) == status::bad_layout);
  odd = shape;
  odd.plane_stride = 122;
  CHECK(format(0, odd) == status::bad_layout);
  odd.planes = 1;  // then it means nothing
  CHECK(format(0, odd) == status::ok);
  CHECK(format(0, {.width = 6, .element_size = 1}) == status::bad_layout);
  CHECK(format(0, {.width = 6, .element_size = 8}) == status::bad_layout);
}

TEST_CASE("a_regions_header_with_one_wrong_bit_is_refused") {
  const formatted there;
  const auto table = layout::regions::places + (3 * 8 + count * 4 + 127) / 128 * 128;
  REQUIRE(*there.control.word(table) == layout::magic_value);
  for (const auto header : {0U, table}) {
    for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
      for (std::uint32_t bit = 0; bit < 32; ++bit) {
        *there.control.word(header + offset) ^= 1U << bit;
        const auto outcome = there.attach().status();
        *there.control.word(header + offset) ^= 1U << bit;
        // Another number of members may need the same room.
        auto other = options;
        other.members ^= 1U << bit;
        const bool same_room =
            header + offset == layout::capacity &&
            byte_regions::bytes_required(other) == byte_regions::bytes_required(options);
        if (outcome != (same_room ? status::ok : status::bad_layout)) {
          FAIL("word " << header + offset << " bit " << bit << ": " << name(outcome));
        }
      }
    }
  }
  CHECK(there.attach());
  *there.control.word(table) = 0;
  CHECK(there.attach().status() == status::bad_layout);
  *there.control.word(0) = 0;
  CHECK(there.attach().status() == status::not_ready);
}

TEST_CASE("whatever_passes_for_a_division_lies_in_the_buffer") {
  weir::test::seeded_random random{weir::test::fresh_seed("division bytes")};
  const formatted there;
  std::uint32_t accepted = 0;
  std::uint32_t wrong = 0;
  const auto judge = [&] {
    auto found = there.attach();
    if (!found) {
      wrong += found.status() == status::bad_layout ? 0U : 1U;
      return;
    }
    ++accepted;
    const auto& shape = found->shape();
    wrong += found->count() == count && shape.bytes() <= options.shape.bytes() ? 0U : 1U;
    const auto elements = std::uint64_t{shape.width} * shape.height * shape.planes;
    wrong += write_all(*found) == elements ? 0U : 1U;
  };
  for (std::uint32_t offset = layout::regions::shape; offset < layout::regions::shape + 40;
       offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *there.control.word(offset) ^= 1U << bit;
      judge();
      *there.control.word(offset) ^= 1U << bit;
    }
  }
  for (int round = 0; round < 100'000; ++round) {
    for (auto changes = 1 + random.below(4); changes != 0; --changes) {
      const auto value = random.once_in(2) ? random.below(70) : 1U << random.below(32);
      *there.control.word(layout::regions::shape + random.below(10) * 4) = value;
    }
    judge();
    if (random.once_in(3)) there.format();
  }
  CHECK(wrong == 0);
  CHECK(accepted > 100);
  CHECK(there.control.intact());
  CHECK(there.buffer.intact());
}

TEST_CASE("any_bytes_in_the_words_of_regions_lead_to_a_status_inside_the_spans") {
  weir::test::seeded_random random{weir::test::fresh_seed("region bytes")};
  const formatted there;
  const auto set = there.attach().value();
  const auto words = static_cast<std::uint32_t>(there.control.bytes().size() / 4);
  std::uint32_t outcomes = 0;  // a bit for each status seen
  const auto note = [&](status outcome) { outcomes |= 1U << static_cast<unsigned>(outcome); };
  for (int round = 0; round < 50'000; ++round) {
    auto member = set.join();
    for (auto changes = random.below(10); changes != 0; --changes) {
      // Not the constants: attach() has read them. Small numbers are what passes for a holder.
      const auto word =
          layout::regions::places / 4 + random.below(words - layout::regions::places / 4);
      *there.control.word(word * 4) = random.once_in(2) ? random.below(1024) : random.next();
    }
    static_cast<void>(set.owner(random.below(count)));
    if (member) {
      auto held = member->claim_next(random.next());
      note(held.status());
      note(member->claim(random.below(count)).status());
      auto adopted = member->adopt({.index = random.below(count + 1), .word = random.below(1024)});
      note(adopted.status());
      if (held) {
        held->begin_write();
        std::ranges::fill(held->row(0), std::uint8_t{1});
        static_cast<void>(held->end_write());
        *there.control.word(layout::regions::places + 24 + random.below(count) * 4) = random.next();
        note(held->give_back());
      }
    }
    static_cast<void>(set.reclaim(random.once_in(2) ? weir::reclaim_from::the_dead
                                                    : weir::reclaim_from::all_who_are_gone));
    if (!member || round % 16 == 0) there.format();
  }
  for (const auto expected : {status::ok, status::busy, status::stale}) {
    CHECK((outcomes & 1U << static_cast<unsigned>(expected)) != 0);
  }
  CHECK(there.control.intact());
  CHECK(there.buffer.intact());
}

TEST_CASE("a_refused_control_block_leaves_a_misaligned_span_alone") {
  using control_type = weir::detail::region_control<weir::native_memory>;
  const guarded_span memory{control_type::required(options) + 64};
  std::ranges::fill(memory.bytes(), std::byte{0xEE});
  CHECK(control_type::lay_out(memory.bytes().subspan(32), options).status() == status::bad_layout);
  CHECK(
      std::ranges::all_of(memory.bytes(), [](std::byte byte) { return byte == std::byte{0xEE}; }));
}

TEST_CASE("a_division_without_its_strides_is_refused") {
  const regions_options packed{.shape = {.width = 100, .height = 10, .planes = 2}};
  const guarded_span control{byte_regions::bytes_required(packed)};
  const guarded_span buffer{packed.shape.bytes()};
  for (const auto stride : {layout::regions::row_stride, layout::regions::plane_stride}) {
    REQUIRE(byte_regions::format(control.bytes(), buffer.bytes(), packed));
    CHECK(byte_regions::attach(control.bytes(), buffer.bytes()));
    *control.word(stride) = 0;
    CHECK(byte_regions::attach(control.bytes(), buffer.bytes()).status() == status::bad_layout);
  }
}

TEST_CASE("a_header_that_agrees_with_itself_about_too_many_regions_is_refused") {
  using control_type = weir::detail::region_control<weir::native_memory>;
  constexpr std::uint32_t most = 1 << 20;
  const guarded_span memory{std::uint64_t{most} * 16};
  for (const std::uint32_t number : {most, most + 1}) {
    REQUIRE(control_type::lay_out(
        memory.bytes(), {.shape = {.width = 2 * most}, .cut = weir::ranges(most), .members = 1}));
    const auto table_at =
        (layout::regions::places + layout::place::size + number * 4 + 127) / 128 * 128;
    const weir::version_table_options versions{.slots = number};
    REQUIRE(weir::version_table<>::format(memory.bytes().subspan(table_at), versions));
    *memory.word(layout::slots) = number;
    *memory.word(layout::data_offset) = table_at;
    *memory.word(layout::total_size) =
        table_at + static_cast<std::uint32_t>(weir::version_table<>::bytes_required(versions));
    *memory.word(layout::regions::columns) = number;
    CHECK(control_type::open(memory.bytes(), 0).status() ==
          (number == most ? status::ok : status::bad_layout));
  }
}
