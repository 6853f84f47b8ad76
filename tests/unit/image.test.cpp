// SPDX-License-Identifier: MIT
// Proved: what members, the director and views of one image may and may not do, and what attach refuses.
// Not provable here: that it holds between threads (stress/image) and where one of them dies (unit/image_crash).
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/watchdog.hpp"

#include <weir/image.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

using weir::bands;
using weir::image_options;
using weir::owner_state;
using weir::status;
using weir::wake_protocol;
using weir::test::guarded_span;

namespace {

using pixels = weir::image<std::uint32_t>;

constexpr std::uint32_t width = 5;
constexpr std::uint32_t height = 7;
constexpr std::uint32_t band_count = 3;

auto options_of(std::uint32_t start_frame = 0, wake_protocol wake = wake_protocol::fenced)
    -> image_options {
  return {.shape = {.width = width, .height = height, .element_size = 4},
          .cut = bands(band_count),
          .members = 4,
          .wake = wake,
          .type_tag = 9,
          .start_frame = start_frame};
}

/// Where the regions begin, after a version_table with one version.
constexpr std::uint32_t bands_at = weir::detail::align_up(
    weir::layout::image::frames +
        static_cast<std::uint32_t>(weir::version_table<>::bytes_required({})),
    weir::layout::image::span);

struct test_image {
  explicit test_image(std::uint32_t start_frame = 0)
      : memory{pixels::bytes_required(options_of())},
        view{pixels::format(memory.bytes(), options_of(start_frame)).value()} {}
  guarded_span memory;
  pixels view;
};

/// Each element of a band becomes 1000 * frame + its row.
void fill(weir::image_band<std::uint32_t, weir::native_memory>& band) {
  for (std::uint32_t y = 0; y < band.rows(); ++y) {
    for (auto& element : band.row(y)) element = 1000 * band.frame() + band.part().y + y;
  }
}

/// Returns  how many bands it wrote.
auto write_all(pixels::member_type& member) -> std::uint32_t {
  std::uint32_t written = 0;
  while (auto band = member.claim_next()) {
    fill(*band);
    if (band->commit() == status::ok) ++written;
  }
  return written;
}

auto shows(const pixels::member_type::view_type& view, std::uint32_t frame) -> bool {
  for (std::uint32_t y = 0; y < height; ++y) {
    for (const auto element : view.row(y)) {
      if (element != (frame == 0 ? 0 : 1000 * frame + y)) return false;
    }
  }
  return view.frame() == frame;
}

}  // namespace

TEST_CASE("a_frame_is_readable_once_every_band_is_written_and_it_was_flipped") {
  test_image there;
  auto member = there.view.join().value();
  auto director = there.view.director().value();
  CHECK(shows(member.view().value(), 0));
  for (std::uint32_t frame = 1; frame < 6; ++frame) {
    for (std::uint32_t index = 0; index < band_count; ++index) {
      CHECK(director.flip() == status::pending);
      auto band = member.claim(index).value();
      CHECK(band.index() == index);
      CHECK(band.frame() == frame);
      CHECK(band.part() == there.view.division().part(index));
      fill(band);
      REQUIRE(band.commit() == status::ok);
      CHECK_FALSE(band);
      CHECK(shows(member.view().value(), frame - 1));
    }
    REQUIRE(director.flip() == status::ok);
    CHECK(director.frame() == frame);
    CHECK(shows(member.view().value(), frame));
  }
}

TEST_CASE("a_band_is_held_by_one_and_written_once_for_a_frame") {
  test_image there;
  auto first = there.view.join().value();
  auto second = there.view.join().value();
  auto director = there.view.director().value();
  auto band = first.claim(1).value();
  CHECK(there.view.owner(1) == owner_state::alive);
  CHECK(second.claim(1).status() == status::busy);
  CHECK(second.claim(band_count).status() == status::bad_layout);
  CHECK(second.claim_next(1)->index() == 2);
  fill(band);
  REQUIRE(band.commit() == status::ok);
  CHECK(there.view.owner(1) == owner_state::free);
  const auto bytes = there.memory.bytes();
  const std::vector<std::byte> before{bytes.begin(), bytes.end()};
  CHECK(second.claim(1).status() == status::empty);
  CHECK(std::ranges::equal(bytes, before));  // not even for a moment
  CHECK(write_all(second) == 2);
  CHECK(second.claim_next().status() == status::empty);
  REQUIRE(director.flip() == status::ok);
  CHECK(second.claim(1));
}

TEST_CASE("a_band_that_is_not_committed_is_claimed_and_written_again") {
  test_image there;
  auto member = there.view.join().value();
  auto director = there.view.director().value();
  for (int times = 0; times < 3; ++times) {
    auto given_up = member.claim(0).value();
    given_up.row(0)[0] = 77;
    CHECK_FALSE(weir::is_whole(there.view.versions().version(0)));
  }
  CHECK_FALSE(weir::is_whole(there.view.versions().version(0)));
  CHECK(director.flip() == status::pending);
  CHECK(write_all(member) == band_count);
  CHECK(there.view.versions().version(0) == 2);
  REQUIRE(director.flip() == status::ok);
  CHECK(shows(member.view().value(), 1));
}

TEST_CASE("a_band_reads_the_frame_before_beyond_its_edges") {
  test_image there;
  auto member = there.view.join().value();
  auto director = there.view.director().value();
  REQUIRE(write_all(member) == band_count);
  REQUIRE(director.flip() == status::ok);
  for (std::uint32_t index = 0; index < band_count; ++index) {
    auto band = member.claim(index).value();
    const auto around = band.before(1);
    CHECK(around.box() == there.view.division().halo(band.part(), 1));
    for (auto y = around.box().y; y < around.box().y + around.box().height; ++y) {
      for (const auto element : around.row(y)) CHECK(element == 1000 + y);
    }
    fill(band);
    REQUIRE(band.commit() == status::ok);
  }
}

TEST_CASE("a_view_keeps_its_frame_and_holds_up_only_the_flip_that_would_overwrite_it") {
  test_image there;
  auto worker = there.view.join().value();
  auto viewer = there.view.join().value();
  auto director = there.view.director().value();
  REQUIRE(write_all(worker) == band_count);
  REQUIRE(director.flip() == status::ok);
  {
    auto view = viewer.view().value();
    CHECK(viewer.view().status() == status::busy);
    const auto other = worker.view().value();
    CHECK(write_all(worker) == band_count);
    CHECK(director.flip() == status::busy);
    CHECK(shows(view, 1));
    const auto moved = std::move(view);
    CHECK(shows(moved, 1));
  }
  CHECK(director.flip() == status::ok);
  CHECK(shows(viewer.view().value(), 2));
}

TEST_CASE("views_that_follow_each_other_do_not_hold_up_the_director") {
  test_image there;
  auto worker = there.view.join().value();
  auto first = there.view.join().value();
  auto second = there.view.join().value();
  auto director = there.view.director().value();
  std::optional<pixels::member_type::view_type> older{first.view().value()};
  REQUIRE(write_all(worker) == band_count);
  CHECK(director.flip() == status::busy);
  // From here on new views are of the next frame, whole as it is, and never of the one before again.
  std::optional<pixels::member_type::view_type> newer{second.view().value()};
  CHECK(shows(*newer, 1));
  CHECK(worker.frame() == 0);
  CHECK(director.flip() == status::busy);
  older.reset();
  older.emplace(first.view().value());
  CHECK(shows(*older, 1));
  CHECK(director.flip() == status::ok);
  CHECK(write_all(worker) == band_count);
  CHECK(director.flip() == status::busy);
}

TEST_CASE("a_band_that_is_given_up_or_reclaimed_or_committed_late_can_be_waited_for") {
  const weir::test::watchdog watchdog;
  test_image there;
  auto first = there.view.join().value();
  auto second = there.view.join().value();
  auto director = there.view.director().value();
  const auto soon = [] { return weir::native_memory::now() + std::chrono::milliseconds{5}; };
  CHECK(second.wait_for_band() == status::ok);
  std::optional<pixels::member_type::band_type> held{first.claim(1).value()};
  CHECK(write_all(second) == 2);
  CHECK(second.claim_next().status() == status::busy);
  CHECK(second.wait_for_band<weir::poll>() == status::empty);
  CHECK(second.wait_for_band(soon()) == status::timed_out);
  const auto root_before = there.view.versions().statistics().publications;
  held.reset();
  CHECK(second.wait_for_band() == status::ok);
  CHECK(there.view.versions().statistics().publications ==
        root_before);  // that is not how it is told
  CHECK(write_all(second) == 1);
  CHECK(second.claim_next().status() == status::empty);
  CHECK(second.wait_for_band<weir::poll>() == status::empty);
  REQUIRE(director.flip() == status::ok);
  CHECK(second.wait_for_band() == status::ok);
}

TEST_CASE("there_is_one_director") {
  test_image there;
  {
    const auto director = there.view.director().value();
    CHECK(there.view.director().status() == status::busy);
    CHECK(there.view.director_owner() == owner_state::alive);
  }
  CHECK(there.view.director());
}

TEST_CASE("as_many_join_as_there_are_places") {
  test_image there;
  std::vector<pixels::member_type> members;
  for (std::uint32_t place = 0; place < 4; ++place) {
    members.push_back(there.view.join().value());
    CHECK(members.back().place() == place);
  }
  CHECK(there.view.join().status() == status::full);
  members.pop_back();
  CHECK(there.view.join().value().place() == 3);
}

TEST_CASE("frame_numbers_may_wrap") {
  constexpr std::uint32_t frames = 1U << 31;
  for (const auto start : {frames - 2, (1U << 30) - 2}) {
    test_image there{start};
    auto member = there.view.join().value();
    auto director = there.view.director().value();
    for (std::uint32_t step = 0; step < 5; ++step) {
      CHECK(member.frame() == (start + step) % frames);
      {
        auto given_up = member.claim(2).value();
      }
      REQUIRE(write_all(member) == band_count);
      REQUIRE(director.flip() == status::ok);
    }
  }
}

TEST_CASE("waits_for_frames_end_with_a_flip_a_deadline_or_a_stop") {
  const weir::test::watchdog watchdog;
  test_image there;
  auto member = there.view.join().value();
  auto director = there.view.director().value();
  const auto soon = [] { return weir::native_memory::now() + std::chrono::milliseconds{5}; };
  CHECK(member.wait_frame<weir::poll>(0) == status::empty);
  CHECK(member.wait_frame(0, soon()) == status::timed_out);
  CHECK(member.wait_frame(1) == status::ok);
  CHECK(director.flip_when_written<weir::poll>() == status::empty);
  CHECK(director.flip_when_written(soon()) == status::timed_out);
  weir::stop_word stop;
  there.view.request_stop(stop);
  CHECK(member.wait_frame(0, weir::no_deadline, &stop) == status::stopped);
  CHECK(director.flip_when_written(weir::no_deadline, &stop) == status::stopped);
  REQUIRE(write_all(member) == band_count);
  CHECK(director.flip_when_written() == status::ok);
  CHECK(member.wait_frame(0) == status::ok);
}

TEST_CASE("without_a_wake_protocol_nobody_can_sleep") {
  const guarded_span memory{pixels::bytes_required(options_of())};
  const auto image = pixels::format(memory.bytes(), options_of(0, wake_protocol::none)).value();
  auto member = image.join().value();
  auto director = image.director().value();
  CHECK(member.wait_frame(0) == status::unsupported);
  CHECK(director.flip_when_written() == status::unsupported);
  CHECK(member.wait_frame<weir::poll>(0) == status::empty);
  REQUIRE(write_all(member) == band_count);
  CHECK(director.flip_when_written<weir::spin>() == status::ok);
}

TEST_CASE("tiles_and_planes_are_bands_too") {
  const image_options options{.shape = {.width = 6, .height = 4, .planes = 3, .element_size = 4},
                              .cut = {.columns = 2, .rows = 2, .slabs = 3},
                              .type_tag = 9};
  const guarded_span memory{pixels::bytes_required(options)};
  const auto image = pixels::format(memory.bytes(), options).value();
  auto member = image.join().value();
  auto director = image.director().value();
  CHECK(write_all(member) == 12);
  REQUIRE(director.flip() == status::ok);
  const auto view = member.view().value();
  for (std::uint32_t z = 0; z < 3; ++z) {
    for (std::uint32_t y = 0; y < 4; ++y) {
      for (const auto element : view.row(y, z)) CHECK(element == 1000 + y);
    }
  }
}

TEST_CASE("the_inline_mode_runs_the_same_code_and_never_blocks") {
  using plain_pixels = weir::image<std::uint32_t, weir::plain_memory>;
  const guarded_span memory{plain_pixels::bytes_required(options_of())};
  const auto image = plain_pixels::format(memory.bytes(), options_of()).value();
  auto member = image.join().value();
  auto director = image.director().value();
  CHECK(director.flip_when_written() == status::would_block);
  while (auto band = member.claim_next()) REQUIRE(band->commit() == status::ok);
  CHECK(director.flip_when_written() == status::ok);
  CHECK(member.view().value().frame() == 1);
}

TEST_CASE("an_image_that_is_formatted_can_be_attached_to") {
  test_image there;
  auto member = there.view.join().value();
  REQUIRE(write_all(member) == band_count);
  const auto found = pixels::attach(there.memory.bytes(), 9).value();
  CHECK(found.count() == band_count);
  CHECK(found.division().shape() == there.view.division().shape());
  REQUIRE(found.director().value().flip() == status::ok);
  CHECK(shows(found.join().value().view().value(), 1));
  CHECK(there.view.frame() == 1);
}

TEST_CASE("format_refuses_what_is_no_image") {
  const guarded_span memory{2 * pixels::bytes_required(options_of())};
  const auto says = [&](const image_options& options) {
    return pixels::format(memory.bytes(), options).status();
  };
  CHECK(says(options_of()) == status::ok);
  auto options = options_of();
  options.members = 32;
  CHECK(says(options) == status::bad_layout);
  options.members = 0;
  CHECK(says(options) == status::bad_layout);
  options = options_of();
  options.shape.element_size = 8;  // not T's
  CHECK(says(options) == status::bad_layout);
  options = options_of();
  options.cut = bands(height + 1);
  CHECK(says(options) == status::bad_layout);
  options = options_of();
  options.shape.row_stride = 4 * width + 2;  // rows of misaligned elements
  CHECK(says(options) == status::bad_layout);
  CHECK(says(options_of(1U << 31)) == status::bad_layout);
  CHECK(says(options_of(0, wake_protocol::at_flush)) == status::bad_layout);
  const auto size = static_cast<std::size_t>(pixels::bytes_required(options_of()));
  CHECK(pixels::format(memory.bytes().first(size - 1), options_of()).status() ==
        status::bad_layout);
  CHECK(pixels::format(memory.bytes().first(size), options_of()).status() == status::ok);
  CHECK(pixels::format(memory.bytes().subspan(4), options_of()).status() == status::bad_layout);
  CHECK(pixels::attach(memory.bytes(), 9));  // it has not touched anything
}

TEST_CASE("attach_refuses_every_other_control_block_bit_by_bit") {
  test_image there;
  const auto bytes = there.memory.bytes();
  using others = weir::image<std::uint64_t>;
  CHECK(others::attach(bytes, 9).status() == status::bad_layout);
  CHECK(pixels::attach(bytes, 8).status() == status::bad_layout);
  CHECK(pixels::attach(bytes.first(bytes.size() - 200), 9).status() == status::bad_layout);
  CHECK(pixels::attach(bytes.first(300), 9).status() == status::bad_layout);
  // The constants of the image's header, and of those that it embeds.
  for (const std::uint32_t part : {0U, weir::layout::image::frames, bands_at}) {
    for (std::uint32_t bit = 0; bit < 52 * 8; ++bit) {
      auto& byte = bytes[part + bit / 8];
      const auto before = byte;
      byte ^= std::byte{1} << bit % 8;
      const auto said = pixels::attach(bytes, 9).status();
      INFO("byte " << part + bit / 8 << " bit " << bit % 8);
      CHECK((said == status::bad_layout || said == status::not_ready));
      byte = before;
    }
  }
  CHECK(pixels::attach(bytes, 9));
}

TEST_CASE("an_image_longer_than_the_wire_format_can_say_is_refused") {
  const test_image there;
  // As long as can be said: attaching looks at the control block alone.
  const std::span<std::byte> span{there.memory.bytes().data(), 0xFFFF'FFFF};
  const auto buffers_at = *there.memory.word(weir::layout::data_offset);
  const auto attach_with = [&](std::uint32_t row_stride) {
    auto shape = options_of().shape;
    shape.row_stride = row_stride;
    shape.plane_stride = height * row_stride;
    const auto stride = (shape.bytes() + 127) / 128 * 128;
    *there.memory.word(bands_at + weir::layout::regions::row_stride) = row_stride;
    *there.memory.word(bands_at + weir::layout::regions::plane_stride) = shape.plane_stride;
    *there.memory.word(weir::layout::stride) = static_cast<std::uint32_t>(stride);
    *there.memory.word(weir::layout::total_size) =
        static_cast<std::uint32_t>(buffers_at + 2 * stride);
    return pixels::attach(span, 9).status();
  };
  CHECK(attach_with(0x0A00'0000) == status::ok);
  CHECK(attach_with(0x0B00'0000) == status::bad_layout);
}

TEST_CASE("nothing_is_read_behind_a_span_that_cannot_hold_an_image") {
  using weir::test::lying_watch;
  static const std::uint32_t* end;
  static std::uint32_t beyond;
  const test_image there;
  *there.memory.word(weir::layout::total_size) = weir::layout::header_size;
  end = there.memory.word(weir::layout::header_size);
  beyond = 0;
  lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    beyond += word < end ? 0U : 1U;
    return value;
  };
  const auto span = there.memory.bytes().first(weir::layout::header_size);
  using watched = weir::image<std::uint32_t, weir::test::adversary_memory>;
  const auto outcome = watched::attach(span, 9).status();
  lying_watch::lie = nullptr;
  CHECK(outcome == status::bad_layout);
  CHECK(beyond == 0);
}

TEST_CASE("no_bytes_in_the_control_block_lead_outside_the_span_or_into_a_long_loop") {
  const weir::test::watchdog watchdog;
  const auto seed = weir::test::fresh_seed("image hostile");
  weir::test::seeded_random random{seed};
  test_image there;
  const auto bytes = there.memory.bytes();
  std::vector<std::byte> good{bytes.begin(), bytes.end()};
  const auto words = (good.size() - 2 * width * height * 4) / 4;
  for (int round = 0; round < 3000; ++round) {
    std::memcpy(bytes.data(), good.data(), good.size());
    auto member = there.view.join().value();
    auto director = there.view.director().value();
    std::optional<pixels::member_type::view_type> view;
    for (int step = 0; step < 12; ++step) {
      const auto at = 4 * (weir::layout::header_size / 4 +
                           random.below(static_cast<std::uint32_t>(words) - 32));
      const std::uint32_t value = random.once_in(2) ? random.below(64) : random.below(0xFFFF'FFFF);
      std::memcpy(bytes.data() + at, &value, sizeof value);
      if (auto band = member.claim_next(random.below(5))) {
        fill(*band);
        static_cast<void>(band->before(2).row(band->part().y)[0]);
        if (random.once_in(2)) static_cast<void>(band->commit());
      }
      static_cast<void>(director.flip());
      static_cast<void>(there.view.owner(random.below(band_count)));
      if (auto found = member.view()) static_cast<void>(found->row(height - 1)[width - 1]);
      static_cast<void>(there.view.reclaim());
      static_cast<void>(pixels::attach(bytes, 9).status());
    }
  }
  CHECK(there.memory.intact());
}

TEST_CASE("an_image_whose_frames_wake_or_reach_others_than_its_bands_is_refused") {
  const test_image there;
  const auto frames = there.memory.bytes().subspan(
      weir::layout::image::frames,
      static_cast<std::size_t>(weir::version_table<>::bytes_required({})));
  const auto attach_with = [&](const weir::version_table_options& options) {
    if (!weir::version_table<>::format(frames, options)) FAIL("format");
    return pixels::attach(there.memory.bytes(), 9).status();
  };
  CHECK(attach_with({.wake = wake_protocol::fenced, .type_tag = 9}) == status::ok);
  CHECK(attach_with({.wake = wake_protocol::none, .type_tag = 9}) == status::bad_layout);
  CHECK(attach_with({.wake = wake_protocol::fenced, .process_shared = true, .type_tag = 9}) ==
        status::bad_layout);
  CHECK(attach_with({.wake = wake_protocol::fenced, .type_tag = 8}) == status::bad_layout);
}

TEST_CASE("a_member_has_one_view_which_moves_and_ends_once") {
  const test_image there;
  auto member = there.view.join().value();
  const auto pins = [&] {
    return *there.memory.word(weir::layout::image::pins) |
           *there.memory.word(weir::layout::image::pins + 4);
  };
  const auto unpinned = pins();
  {
    auto view = member.view().value();
    CHECK(member.view().status() == status::busy);
    const auto moved = std::move(view);
    CHECK(pins() == (unpinned | 1U << member.place()));
    CHECK(member.view().status() == status::busy);
  }
  CHECK(pins() == unpinned);
  CHECK(member.view());
  CHECK(member.claim(band_count).status() == status::bad_layout);
  CHECK(member.claim(0xFFFF'FFFF).status() == status::bad_layout);
}

TEST_CASE("a_place_whose_view_outlives_its_member_is_given_to_nobody") {
  const test_image there;
  std::optional<pixels::member_type::view_type> view;
  std::uint32_t place = 0;
  {
    auto member = there.view.join().value();
    place = member.place();
    view.emplace(member.view().value());
  }
  CHECK(there.view.join()->place() != place);
  view.reset();
  CHECK(there.view.join()->place() == place);
}

TEST_CASE("the_frame_behind_the_last_number_is_number_0") {
  test_image there{0x7FFF'FFFF};
  auto member = there.view.join().value();
  auto director = there.view.director().value();
  CHECK(member.claim(0)->frame() == 0);
  CHECK(write_all(member) == band_count);
  CHECK(director.flip() == status::ok);
  CHECK(there.view.frame() == 0);
  CHECK(member.view()->frame() == 0);
}
