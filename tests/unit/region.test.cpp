// SPDX-License-Identifier: MIT
// Proved: on one thread, what each function does and returns, where every element of a region lies, and what
// each costs. Not provable here: that two threads never hold one region (stress/region), or deaths.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/script.hpp"

#include <weir/region.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

namespace layout = weir::layout;
using weir::bands;
using weir::box;
using weir::cuts;
using weir::geometry;
using weir::owner_state;
using weir::reclaim_from;
using weir::region_descriptor;
using weir::regions_options;
using weir::status;
using weir::test::count_memory;
using weir::test::guarded_span;

namespace {

template <class T, class Memory = weir::native_memory>
struct divided {
  using set_type = weir::regions<T, Memory>;

  explicit divided(const regions_options& options)
      : control{set_type::bytes_required(options)},
        buffer{options.shape.bytes()},
        set{set_type::format(control.bytes(), buffer.bytes(), options).value()} {}

  [[nodiscard]] auto intact() const -> bool { return control.intact() && buffer.intact(); }
  /// The word of a region.
  [[nodiscard]] auto word(std::uint32_t index) const -> std::uint32_t* {
    return control.word(layout::regions::places + set.members() * layout::place::size + index * 4);
  }

  guarded_span control;
  guarded_span buffer;
  set_type set;
};

constexpr regions_options four_bands{.shape = {.width = 10, .height = 8}, .cut = bands(4)};

static_assert(sizeof(region_descriptor) == 8);
static_assert(std::has_unique_object_representations_v<region_descriptor>);
static_assert(!std::is_copy_constructible_v<weir::region<std::uint8_t, weir::native_memory>>);
static_assert(!std::is_copy_constructible_v<weir::region_member<std::uint8_t>>);
static_assert(weir::regions<int>::bytes_required(four_bands) % 4 == 0);

}  // namespace

TEMPLATE_TEST_CASE("a_region_is_held_by_one_until_it_is_given_back", "", weir::native_memory,
                   weir::plain_memory) {
  const divided<std::uint8_t, TestType> there{four_bands};
  const auto one = there.set.join().value();
  const auto other = there.set.join().value();
  CHECK(one.place() != other.place());
  CHECK(there.set.owner(1) == owner_state::free);
  {
    auto held = one.claim(1).value();
    CHECK(held);
    CHECK(held.index() == 1);
    CHECK(held.part() == box{.y = 2, .width = 10, .height = 2, .depth = 1});
    CHECK(there.set.owner(1) == owner_state::alive);
    CHECK(other.claim(1).status() == status::busy);
    CHECK(one.claim(1).status() == status::busy);
    CHECK(other.claim(0));
  }
  CHECK(there.set.owner(1) == owner_state::free);
  auto again = other.claim(1).value();
  CHECK(again.give_back() == status::ok);
  CHECK_FALSE(again);
  CHECK(again.give_back() == status::stale);
  CHECK(one.claim(1));
  for (const auto index : {4U, 5U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CHECK(one.claim(index).status() == status::bad_layout);
  }
  CHECK(there.intact());
}

TEST_CASE("a_region_that_was_moved_from_gives_nothing_back") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  auto first = member.claim(0).value();
  {
    const auto second = std::move(first);
    CHECK_FALSE(first);
    CHECK(second);
    CHECK(first.give_back() == status::stale);
    CHECK(member.claim(0).status() == status::busy);
  }
  CHECK(member.claim(0));
}

TEST_CASE("the_next_free_region_is_found_round_from_anywhere") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  using held = std::optional<weir::region<std::uint8_t, weir::native_memory>>;
  std::array<held, 4> all;
  for (const auto expected : {2U, 3U, 0U, 1U}) {
    all[expected].emplace(member.claim_next(2).value());
    CHECK(all[expected]->index() == expected);
  }
  CHECK(member.claim_next().status() == status::busy);
  all[3].reset();
  CHECK(member.claim_next(0)->index() == 3);
  CHECK(member.claim_next(3)->index() == 3);
  CHECK(member.claim_next(0xFFFF'FFFF)->index() == 3);
}

TEST_CASE("only_wanted_regions_are_taken_and_they_are_asked_about_again_once_held") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  CHECK(member.claim_next_if([](std::uint32_t index) { return index == 2; })->index() == 2);
  CHECK(member.claim_next_if([](std::uint32_t) { return false; }).status() == status::busy);
  // Wanted until somebody else has been at it: between the two questions each becomes unwanted.
  std::array<int, 4> asked{};
  const auto once = [&](std::uint32_t index) { return ++asked[index] == 1; };
  CHECK(member.claim_next_if(once).status() == status::busy);
  CHECK(asked == std::array{2, 2, 2, 2});
  for (std::uint32_t index = 0; index < 4; ++index) CHECK(member.claim(index));
  // Those whose version is behind: a worker that takes what is left of a frame.
  for (std::uint32_t done = 0; done < 4; ++done) {
    auto part = member.claim_next_if(
        [&](std::uint32_t index) { return there.set.versions().version(index) == 0; });
    REQUIRE(part);
    CHECK(part->index() == done);
    part->begin_write();
    CHECK(part->end_write() == 2);
  }
}

TEMPLATE_TEST_CASE("a_region_that_was_handed_over_is_adopted_once", "", weir::native_memory,
                   weir::plain_memory) {
  const divided<std::uint8_t, TestType> there{four_bands};
  const auto giver = there.set.join().value();
  const auto taker = there.set.join().value();
  auto held = giver.claim(3).value();
  held.row(1)[9] = 77;
  const auto descriptor = held.hand_over();
  CHECK_FALSE(held);
  CHECK(held.give_back() == status::stale);
  CHECK(there.set.owner(3) == owner_state::alive);
  CHECK(taker.claim(3).status() == status::busy);
  CHECK(giver.claim(3).status() == status::busy);
  {
    auto adopted = taker.adopt(descriptor).value();
    CHECK(adopted.index() == 3);
    CHECK(adopted.row(1)[9] == 77);
    CHECK(giver.adopt(descriptor).status() == status::stale);
    CHECK(taker.adopt(descriptor).status() == status::stale);
    // There and back.
    auto returned = giver.adopt(adopted.hand_over()).value();
    CHECK(returned.give_back() == status::ok);
  }
  CHECK(giver.adopt(descriptor).status() == status::stale);
  // A ring that had no room: the giver takes its own region back.
  auto own = giver.claim(3).value();
  CHECK(giver.adopt(own.hand_over())->give_back() == status::ok);
}

TEST_CASE("a_region_whose_descriptor_is_lost_is_taken_back_by_its_giver") {
  const divided<std::uint8_t, weir::native_memory> there{four_bands};
  const auto giver = there.set.join().value();
  const auto other = there.set.join().value();
  CHECK(giver.take_back(2).status() == status::stale);  // nobody's
  CHECK(giver.take_back(4).status() == status::stale);  // there is none
  const auto lost = giver.claim(2)->hand_over();
  CHECK(other.take_back(2).status() == status::stale);
  auto again = giver.take_back(2).value();
  CHECK(again.index() == 2);
  CHECK(other.adopt(lost).status() == status::stale);  // it was not lost after all
  CHECK(again.give_back() == status::ok);
  const auto adopted = other.adopt(giver.claim(2)->hand_over()).value();
  CHECK(giver.take_back(2).status() == status::stale);
}

TEST_CASE("a_descriptor_that_names_no_region_on_its_way_is_stale") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  const auto refuses = [&](std::uint32_t index, std::uint32_t word) {
    return member.adopt({.index = index, .word = word}).status() == status::stale;
  };
  CHECK(refuses(0, 0));  // free, as the word says
  CHECK(refuses(0, 1));
  CHECK(refuses(4, 0x101));
  CHECK(refuses(0xFFFF'FFFF, 0x101));
  *there.word(4) = 0x101;  // behind the last region, where nothing is
  CHECK(refuses(4, 0x101));
  const auto held = member.claim(0).value();
  const auto word = *there.word(0);
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    if (!refuses(0, word ^ 1U << bit)) FAIL("bit " << bit);
  }
  CHECK(refuses(1, word));
  CHECK(refuses(0, word & ~0xFFU));
}

TEST_CASE("the_count_of_takings_wraps") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  const auto other = there.set.join().value();
  for (const auto takings : {0x007F'FFFEU, 0x00FF'FFFEU}) {
    *there.word(0) = takings << 8;
    region_descriptor before;
    for (std::uint32_t taking = 1; taking <= 4; taking += 2) {
      auto held = member.claim(0).value();
      CHECK(*there.word(0) == ((takings + taking) << 8 | (1 + member.place())));
      CHECK(other.adopt(before).status() == status::stale);
      before = held.hand_over();
      CHECK(member.adopt(before)->give_back() == status::ok);
    }
  }
  CHECK(there.intact());
}

TEST_CASE("there_are_as_many_members_as_were_asked_for") {
  for (const std::uint32_t count : {1U, 2U, 255U}) {
    auto options = four_bands;
    options.members = count;
    const divided<std::uint8_t> there{options};
    CHECK(there.set.members() == count);
    std::vector<weir::region_member<std::uint8_t>> members;
    for (std::uint32_t place = 0; place < count; ++place) {
      members.push_back(there.set.join().value());
      CHECK(members.back().place() == place);
    }
    CHECK(there.set.join().status() == status::full);
    auto held = members.back().claim(0).value();
    CHECK((*there.word(0) & 0xFF) == count);
    CHECK(held.give_back() == status::ok);
    members.pop_back();
    CHECK(there.set.join()->place() == count - 1);
    CHECK(there.intact());
  }
}

TEST_CASE("a_member_that_leaves_while_its_region_is_on_its_way_keeps_its_place") {
  auto options = four_bands;
  options.members = 2;
  const divided<std::uint8_t> there{options};
  const auto stays = there.set.join().value();
  const auto leave_behind = [&](std::uint32_t index) {
    const auto leaves = there.set.join().value();
    CHECK(leaves.place() == 1);
    return leaves.claim(index).value().hand_over();
  };
  const auto adopted = leave_behind(2);
  CHECK(there.set.join().status() == status::full);
  CHECK(there.set.owner(2) == owner_state::alive);
  CHECK(there.set.reclaim().things == 0);
  CHECK(stays.adopt(adopted));
  CHECK(there.set.join());

  const auto lost = leave_behind(3);
  const auto done = there.set.reclaim(reclaim_from::all_who_are_gone);
  CHECK(done.things == 1);
  CHECK(done.members == 0);
  CHECK(stays.adopt(lost).status() == status::stale);
  CHECK(there.set.owner(3) == owner_state::free);
  CHECK(there.set.join());
}

TEST_CASE("reclaim_frees_what_the_dead_hold_and_leaves_the_living_alone") {
  const divided<std::uint8_t> there{four_bands};
  auto member = std::optional{there.set.join().value()};
  auto held = member->claim(0).value();
  auto second = member->claim(2).value();
  second.begin_write();
  CHECK(there.set.reclaim(reclaim_from::all_who_are_gone).things == 0);
  // A proof of death that is none: what the holder does from now on is refused where it can be seen.
  const auto nobody = [](std::uint32_t, std::uint32_t) { return false; };
  const auto done = there.set.reclaim(reclaim_from::the_dead, nobody);
  CHECK(done.members == 1);
  CHECK(done.things == 2);
  CHECK(held.give_back() == status::stale);
  const auto successor = there.set.join().value();
  {
    auto torn = successor.claim(2).value();
    CHECK(torn.version() == 1);
    torn.begin_write();
    CHECK(torn.version() == 3);
    CHECK(torn.end_write() == 4);
    CHECK(second.give_back() == status::stale);
    CHECK(there.set.owner(2) == owner_state::alive);
  }
}

TEST_CASE("a_region_that_is_reclaimed_while_its_dead_holder_is_looked_at_is_not_called_dead") {
  using watched_set = weir::regions<std::uint32_t, weir::test::script_memory>;
  const divided<std::uint32_t> there{{.shape = weir::geometry_of<std::uint32_t>(4, 2),
                                      .cut = bands(2),
                                      .members = 2,
                                      .process_shared = true}};
  const auto watched = watched_set::attach(there.control.bytes(), there.buffer.bytes()).value();
  weir::test::shared_progress progress;
  weir::test::child_process child{[&] {
    const auto member = there.set.join().value();
    const auto held = member.claim(0);
    progress.set(0, held ? 1 : 2);
    weir::test::sleep_until_killed();
    return 1;
  }};
  progress.await(0, 1);
  child.kill_only();
  CHECK(watched.owner(0) == owner_state::dead);
  {
    // The second look at the word comes after the one at its holder.
    const weir::test::scripted race{
        weir::test::once(2, weir::test::access_to(weir::test::access_kind::load, there.word(0)),
                         [&] { static_cast<void>(there.set.reclaim()); })};
    CHECK(watched.owner(0) == owner_state::alive);
  }
  CHECK(watched.owner(0) == owner_state::free);
}

TEST_CASE("a_forked_copy_gives_nothing_back") {
  auto options = four_bands;
  options.process_shared = true;
  const divided<std::uint8_t> there{options};
  auto member = std::optional{there.set.join().value()};
  auto held = std::optional{member->claim(0).value()};
  weir::test::child_process child{[&] {
    held.reset();
    member.reset();
    return 0;
  }};
  CHECK(child.wait() == 0);
  CHECK(there.set.owner(0) == owner_state::alive);
  CHECK(there.set.join()->place() == 1);
  CHECK(held->give_back() == status::ok);
}

namespace {

/// Writes its number into each element of each region by row(), and by bytes() where there are no gaps.
template <class T>
void fill_and_compare(const geometry& shape, const cuts& cut, bool gapless) {
  const divided<T> there{{.shape = shape, .cut = cut}};
  const auto member = there.set.join().value();
  std::uint32_t wrong = 0;
  for (std::uint32_t index = 0; index < there.set.count(); ++index) {
    auto part = member.claim(index).value();
    const auto box = there.set.part(index);
    wrong += part.part() == box && part.rows() == box.height && part.columns() == box.width &&
                     part.planes() == box.depth
                 ? 0U
                 : 1U;
    for (std::uint32_t z = 0; z < part.planes(); ++z) {
      for (std::uint32_t y = 0; y < part.rows(); ++y) {
        wrong += part.row(y, z).size() == part.columns() ? 0U : 1U;
        for (auto& element : part.row(y, z)) element = static_cast<T>(index + 1);
      }
    }
    const auto whole = part.bytes();
    const auto size = std::size_t{box.width} * box.height * box.depth * sizeof(T);
    wrong += whole.size() == (gapless ? size : 0) ? 0U : 1U;
    wrong += !gapless || whole.data() == reinterpret_cast<std::byte*>(part.row(0).data()) ? 0U : 1U;
  }
  const auto& full = there.set.shape();
  std::vector<std::byte> expected(static_cast<std::size_t>(full.bytes()));
  for (std::uint32_t z = 0; z < full.planes; ++z) {
    for (std::uint32_t y = 0; y < full.height; ++y) {
      for (std::uint32_t x = 0; x < full.width; ++x) {
        const auto number = static_cast<T>(there.set.division().part_at(x, y, z) + 1);
        std::memcpy(&expected[std::size_t{z} * full.plane_stride +
                              std::size_t{y} * full.row_stride + x * sizeof(T)],
                    &number, sizeof number);
      }
    }
  }
  CHECK(std::ranges::equal(expected, there.buffer.bytes()));
  CHECK(wrong == 0);
  CHECK(there.intact());
}

}  // namespace

TEMPLATE_TEST_CASE("the_rows_of_all_regions_are_all_elements_and_no_padding", "", std::uint8_t,
                   std::uint32_t, double) {
  const auto packed = weir::geometry_of<TestType>(24, 20);
  fill_and_compare<TestType>(packed, bands(6), true);
  fill_and_compare<TestType>(packed, weir::tiles(3, 4), false);
  fill_and_compare<TestType>(packed, weir::tiles(3, 20), true);
  fill_and_compare<TestType>(weir::geometry_of<TestType>(1000), weir::ranges(7, 64), true);
  auto padded = packed;
  padded.row_stride = 256;
  fill_and_compare<TestType>(padded, bands(6), false);
  fill_and_compare<TestType>(padded, bands(20), true);
  fill_and_compare<TestType>(padded, weir::tiles(2, 3, 64 / 8), false);
  const auto deep = weir::geometry_of<TestType>(8, 6, 5);
  fill_and_compare<TestType>(deep, weir::slabs(3), true);
  fill_and_compare<TestType>(deep, bands(2), false);
  fill_and_compare<TestType>(deep, {.columns = 2, .rows = 3, .slabs = 5}, false);
  auto apart = deep;
  apart.plane_stride = 1024;
  fill_and_compare<TestType>(apart, weir::slabs(2), false);
  fill_and_compare<TestType>(apart, weir::slabs(5), true);
}

TEST_CASE("a_halo_shows_the_neighbors_by_the_coordinates_of_the_shape") {
  auto shape = weir::geometry_of<std::uint16_t>(9, 8, 3);
  shape.row_stride = 24;
  const divided<std::uint16_t> there{
      {.shape = shape, .cut = {.columns = 3, .rows = 2, .slabs = 3}}};
  const auto member = there.set.join().value();
  const auto value = [](std::uint32_t x, std::uint32_t y, std::uint32_t z) {
    return static_cast<std::uint16_t>(x + 16 * y + 256 * z);
  };
  for (std::uint32_t index = 0; index < there.set.count(); ++index) {
    const auto part = member.claim(index).value();
    const auto at = part.part();
    for (std::uint32_t z = 0; z < at.depth; ++z) {
      for (std::uint32_t y = 0; y < at.height; ++y) {
        for (std::uint32_t x = 0; x < at.width; ++x) {
          part.row(y, z)[x] = value(at.x + x, at.y + y, at.z + z);
        }
      }
    }
  }
  std::uint32_t wrong = 0;
  for (std::uint32_t index = 0; index < there.set.count(); ++index) {
    const auto part = member.claim(index).value();
    for (const auto& halo : {part.halo(0), part.halo(1), part.halo(2, 1), part.halo(9)}) {
      const auto around = halo.box();
      wrong += around.contains(part.part()) ? 0U : 1U;
      for (auto z = around.z; z < around.z + around.depth; ++z) {
        for (auto y = around.y; y < around.y + around.height; ++y) {
          wrong += halo.row(y, z).size() == around.width ? 0U : 1U;
          for (auto x = around.x; x < around.x + around.width; ++x) {
            wrong += halo.at(x, y, z) == value(x, y, z) ? 0U : 1U;
          }
        }
      }
    }
    wrong += part.halo(0).box() == part.part() ? 0U : 1U;
    wrong += part.halo(2, 1).box().depth == part.planes() ? 0U : 1U;
  }
  CHECK(wrong == 0);
  CHECK(there.intact());
}

TEST_CASE("versions_say_which_regions_were_written_and_wake_who_waits") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  const auto versions = there.set.versions();
  CHECK(versions.slots() == 4);
  std::vector<std::uint32_t> seen(versions.seen_words(4));
  auto reader = versions.reader<weir::park>(seen).value();
  reader.mark_all_seen();
  for (const auto index : {3U, 1U}) {
    auto part = member.claim(index).value();
    CHECK(part.version() == 0);
    part.begin_write();
    CHECK(versions.version(index) == 1);
    CHECK(part.end_write() == 2);
    CHECK(versions.version(index) == 2);
  }
  std::uint32_t changed = 0;
  CHECK(reader.changed([&](std::uint32_t index, std::uint32_t version) {
    changed |= 1U << index;
    CHECK(version == 2);
  }) == 2);
  CHECK(changed == 0b1010);
  auto part = member.claim(0).value();
  part.begin_write();
  part.end_write_as(10);
  CHECK(versions.version(0) == 10);
}

TEST_CASE("views_agree_on_what_is_divided") {
  const divided<float> there{{.shape = weir::geometry_of<float>(31, 17),
                              .cut = weir::tiles(3, 5),
                              .process_shared = true,
                              .type_tag = 9}};
  const auto found =
      weir::regions<float>::attach(there.control.bytes(), there.buffer.bytes(), 9).value();
  CHECK(found.count() == 15);
  CHECK(found.shape() == there.set.shape());
  CHECK(found.shape().row_stride == 124);
  CHECK(found.division().cut() == there.set.division().cut());
  CHECK(found.process_shared());
  const auto member = found.join().value();
  const auto held = member.claim(7).value();
  CHECK(there.set.owner(7) == owner_state::alive);
  CHECK(there.set.join()->claim(7).status() == status::busy);
}

TEST_CASE("taking_a_region_costs_one_exchange_and_giving_it_back_another") {
  using weir::test::access_counts;
  const divided<std::uint8_t, count_memory> there{four_bands};
  const auto member = there.set.join().value();
  const auto claim = [&] { return member.claim(0).value(); };
  CHECK(count_memory::cost_of([&] { const auto held = claim(); }) ==
        access_counts{.loads = 1, .modifies = 2});
  region_descriptor descriptor;
  CHECK(count_memory::cost_of([&] { descriptor = claim().hand_over(); }) ==
        access_counts{.loads = 1, .modifies = 1});
  CHECK(count_memory::cost_of([&] { CHECK_FALSE(member.claim(0)); }) == access_counts{.loads = 1});
  CHECK(count_memory::cost_of([&] { const auto held = member.adopt(descriptor).value(); }) ==
        access_counts{.modifies = 2});
}

TEST_CASE("no_region_beyond_the_last_is_taken_back") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  std::uint32_t stale = 0;
  for (std::uint32_t index = 4; index < 4096; ++index) {
    stale += member.take_back(index).status() == status::stale ? 1U : 0U;  // in memory or not
  }
  CHECK(stale == 4092);
}

TEST_CASE("a_region_is_given_back_once_where_the_count_of_takings_wraps_too") {
  const divided<std::uint8_t> there{four_bands};
  const auto member = there.set.join().value();
  *there.word(0) = 0xFFFF'FF00;
  auto held = member.claim(0).value();
  CHECK(held.give_back() == status::ok);
  CHECK(*there.word(0) == 0);
  CHECK(held.give_back() == status::stale);
}
