// SPDX-License-Identifier: MIT
// Proved: what a member does when others write, commit or flip between two of its accesses; whom a director that
// waits for long asks after; what a fork's copies do; what control blocks made by hand lead to.
// Not provable here: that these interleavings are all there are.
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/image.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

namespace layout = weir::layout;
using weir::bands;
using weir::image_options;
using weir::status;
using weir::test::access_kind;
using weir::test::access_to;
using weir::test::child_process;
using weir::test::guarded_span;
using weir::test::once;
using weir::test::script_memory;
using weir::test::scripted;

namespace {

using pixels = weir::image<std::uint32_t>;
using watched_pixels = weir::image<std::uint32_t, script_memory>;
using band_control = weir::detail::region_control<weir::native_memory>;

constexpr std::uint32_t members = 4;
constexpr std::uint32_t bands_at = weir::detail::align_up(
    layout::image::frames + static_cast<std::uint32_t>(weir::version_table<>::bytes_required({})),
    layout::image::span);

auto options_of(bool process_shared = false) -> image_options {
  return {.shape = {.width = 4, .height = 6, .element_size = 4},
          .cut = bands(2),
          .members = members,
          .process_shared = process_shared};
}

struct test_image {
  guarded_span memory;
  pixels view;
  watched_pixels watched = watched_pixels::attach(memory.bytes()).value();

  explicit test_image(bool process_shared = false)
      : memory{pixels::bytes_required(options_of(process_shared))},
        view{pixels::format(memory.bytes(), options_of(process_shared)).value()} {}

  /// Who holds a band.
  [[nodiscard]] auto word_of(std::uint32_t band) const -> const void* {
    return memory.word(bands_at + layout::regions::places + members * layout::place::size +
                       band * 4);
  }
  [[nodiscard]] auto frame_counter() const -> std::uint32_t {
    return *memory.word(layout::image::frames + layout::version_table::root);
  }
};

}  // namespace

TEST_CASE("a_band_that_another_member_writes_just_before_it_is_claimed_is_given_back") {
  const test_image there;
  auto slow = there.watched.join().value();
  auto fast = there.view.join().value();
  auto committed = status::empty;
  {
    const scripted race{once(1, access_to(access_kind::load, there.word_of(0)),
                             [&] { committed = fast.claim(0).value().commit(); })};
    CHECK(slow.claim(0).status() == status::empty);
  }
  CHECK(committed == status::ok);
  CHECK(there.view.owner(0) == weir::owner_state::free);
  CHECK(slow.claim(1).value().commit() == status::ok);
  CHECK(there.view.director().value().flip() == status::ok);
}

TEST_CASE("a_commit_that_a_flip_overtakes_tells_those_who_wait_for_the_band") {
  const test_image there;
  auto director = there.view.director().value();
  auto slow = there.watched.join().value();
  auto other = there.view.join().value();
  REQUIRE(other.claim(1).value().commit() == status::ok);
  auto band = slow.claim(0).value();
  const auto before = there.frame_counter();
  auto flipped = status::pending;
  auto refused = status::ok;
  {
    // Its version is whole, so that the director need not wait for the word.
    const scripted race{once(1, access_to(access_kind::modify, there.word_of(0)), [&] {
      flipped = director.flip();
      refused = other.claim(0).status();
    })};
    CHECK(band.commit() == status::ok);
  }
  CHECK(flipped == status::ok);
  CHECK(refused == status::busy);
  CHECK(there.frame_counter() - before == 2 * 2);  // the flip, and that the band is free
  CHECK(other.claim(0));
}

TEST_CASE("a_director_that_waits_for_long_asks_after_those_who_hold_it_up") {
  using namespace std::chrono_literals;
  const weir::test::watchdog watchdog;
  const test_image there{true};
  auto director = there.view.director().value();
  const auto wait = [&] {
    return director.flip_when_written(std::chrono::steady_clock::now() + weir::park::longest_sleep +
                                      50ms);
  };
  auto mine = there.view.join().value();
  CHECK(wait() == status::timed_out);  // nobody holds anything
  weir::test::shared_progress progress;
  {
    child_process idle{[&] {
      const auto member = there.view.join().value();
      progress.set(1, 1);
      weir::test::sleep_until_killed();
      return 1;
    }};
    progress.await(1, 1);
    idle.kill_only();
    CHECK(wait() == status::timed_out);  // the dead one held nothing
  }
  REQUIRE(mine.claim(0).value().commit() == status::ok);
  REQUIRE(mine.claim(1).value().commit() == status::ok);
  child_process child{[&] {
    auto member = there.view.join().value();
    const auto view = member.view();
    progress.set(0, view ? 1 : 2);
    weir::test::sleep_until_killed();
    return 1;
  }};
  progress.await(0, 1);
  CHECK(wait() == status::timed_out);  // a view by the living
  child.kill_only();
  CHECK(wait() == status::peer_dead);
  CHECK(there.view.reclaim().things == 1);
  CHECK(wait() == status::ok);
}

TEST_CASE("a_forks_copy_of_a_band_gives_nothing_back") {
  const test_image there{true};
  auto member = there.view.join().value();
  std::optional band{member.claim(0).value()};
  child_process child{[&] {
    band.reset();
    return 0;
  }};
  CHECK(child.wait() == 0);
  CHECK(there.view.owner(0) == weir::owner_state::alive);
  CHECK(band->commit() == status::ok);
}

TEST_CASE("a_band_says_where_it_lies_and_shows_a_margin_of_its_own_in_each_direction") {
  const test_image there;
  auto member = there.view.join().value();
  auto band = member.claim(1).value();
  CHECK((band.rows() == 3 && band.columns() == 4));
  CHECK(band.bytes().size() == 3 * 4 * 4);
  CHECK(band.bytes().data() == reinterpret_cast<const std::byte*>(band.row(0).data()));
  CHECK(band.before(1, 2).box() == weir::box{0, 1, 0, 4, 5, 1});
  CHECK(band.before(1).box() == weir::box{0, 2, 0, 4, 4, 1});
}

TEST_CASE("an_image_whose_second_buffer_would_be_misaligned_is_refused") {
  // Three rows of 128 bytes, cut at 256: the buffers are 384 bytes apart.
  const image_options options{
      .shape = {.width = 32, .height = 3, .element_size = 4}, .cut = bands(2, 256), .members = 1};
  const guarded_span memory{pixels::bytes_required(options) + 256};
  for (std::size_t at = 0; at < 256; at += 64) {  // at one of these the first buffer is aligned
    CHECK(pixels::format(memory.bytes().subspan(at), options).status() == status::bad_layout);
  }
  CHECK(memory.intact());
}

TEST_CASE("an_image_of_more_bytes_than_can_be_counted_is_refused") {
  auto options = options_of();
  options.shape.row_stride = 0x1000'0000;  // two buffers of 1.3 GB
  const guarded_span memory{4096};
  REQUIRE(pixels::bytes_required(options) > layout::max_total_size);
  const std::span<std::byte> huge{memory.bytes().data(), 0xC000'0000};
  CHECK(pixels::format(huge, options).status() == status::bad_layout);
  CHECK(*memory.word(layout::magic) == 0);

  // The same, as somebody else may have written it: everything fits but the whole.
  const test_image there;
  const std::span<std::byte> mapped{there.memory.bytes().data(), 0xC000'0000};
  *there.memory.word(bands_at + layout::regions::row_stride) = 0x1000'0000;
  *there.memory.word(bands_at + layout::regions::plane_stride) = 0x6000'0000;
  CHECK(pixels::attach(mapped).status() == status::bad_layout);
}

TEST_CASE("a_header_that_ends_before_the_bands_begin_is_refused") {
  const test_image there;
  *there.memory.word(layout::total_size) = layout::header_size;
  CHECK(pixels::attach(there.memory.bytes().first(layout::header_size)).status() ==
        status::bad_layout);
  CHECK(pixels::attach(there.memory.bytes().first(bands_at - 1)).status() == status::bad_layout);
}

TEST_CASE("an_image_with_more_members_than_its_pins_have_bits_is_refused") {
  auto more = options_of();
  more.members = 0;
  const weir::regions_options too_many{.shape = more.shape, .cut = more.cut, .members = 32};
  const guarded_span memory{2 * pixels::bytes_required(options_of())};
  static_cast<void>(pixels::format(memory.bytes(), options_of()).value());
  REQUIRE(band_control::lay_out(memory.bytes().subspan(bands_at), too_many));
  CHECK(pixels::attach(memory.bytes()).status() == status::bad_layout);
  // A header that says the same of them, where one more takes no more room.
  auto most = options_of();
  most.cut = bands(3);
  most.members = 31;
  static_cast<void>(pixels::format(memory.bytes(), most).value());
  for (const std::uint32_t asked : {31U, 32U}) {
    const weir::regions_options of_bands{.shape = most.shape, .cut = most.cut, .members = asked};
    REQUIRE(band_control::lay_out(memory.bytes().subspan(bands_at), of_bands));
    *memory.word(layout::capacity) = asked;
    CHECK(pixels::attach(memory.bytes()).status() ==
          (asked == 31 ? status::ok : status::bad_layout));
    CHECK(band_control::required(of_bands) == 908);
  }
}

TEST_CASE("a_forks_copy_of_a_view_ends_nothing") {
  const test_image there{true};
  auto member = there.view.join().value();
  std::optional view{member.view().value()};
  child_process child{[&] {
    view.reset();
    return 0;
  }};
  CHECK(child.wait() == 0);
  CHECK(member.view().status() == status::busy);
  view.reset();
  CHECK(member.view());
}
