// SPDX-License-Identifier: MIT
// Proved: a pool is attached to only where format() laid that pool out, and whatever a peer writes into the
// shared words afterwards, each call ends, inside the span, with a status. Not here: peers that write while
// a call runs change what it answers, and no test meets every moment.
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/script.hpp"
#include "support/watchdog.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/latest.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace layout = weir::layout;
namespace pool = weir::layout::pool;
using weir::pool_class;
using weir::pool_descriptor;
using weir::pool_handle;
using weir::pool_options;
using weir::reclaim_from;
using weir::status;
using weir::test::adversary_memory;
using weir::test::guarded_span;
using weir::test::lying_watch;
using weir::test::seeded_random;

namespace {

using pool_type = weir::buffer_pool<>;
using shape_type = weir::detail::pool_shape;

constexpr std::uint32_t tag = 0x1234;
constexpr std::array<pool_class, 3> classes{{{10, 3}, {60, 40}, {1000, 2}}};
constexpr pool_options plain{.classes = classes, .type_tag = tag};

struct formatted {
  guarded_span memory{pool_type::bytes_required(plain)};
  formatted() { format(); }
  void format() const {
    if (!pool_type::format(memory.bytes(), plain)) FAIL("format");
  }
  [[nodiscard]] auto attach() const -> status {
    return pool_type::attach(memory.bytes(), tag).status();
  }
};

/// True if somebody who finds these classes finds everything else in the header as it was.
auto same_header(std::span<const pool_class> found) -> bool {
  auto there = shape_type::make(classes, 64);
  auto other = shape_type::make(found, 64);
  return other && other->total() == there->total() && other->buffers() == there->buffers() &&
         other->largest() == there->largest() && other->data_offset() == there->data_offset();
}

}  // namespace

TEST_CASE("a_pool_that_is_formatted_can_be_attached_to") {
  const guarded_span memory{pool_type::bytes_required(plain)};
  for (const bool process_shared : {false, true}) {
    auto made = pool_type::format(
        memory.bytes(), {.classes = classes, .process_shared = process_shared, .type_tag = tag});
    REQUIRE(made);
    auto found = pool_type::attach(memory.bytes(), tag);
    REQUIRE(found);
    for (const auto& view : {*made, *found}) {
      CHECK(view.buffers() == 45);
      REQUIRE(view.class_count() == 3);
      for (std::uint32_t index = 0; index < 3; ++index) {
        CHECK(view.size_class(index) == classes[index]);
      }
      CHECK(view.alignment() == 64);
      CHECK(view.process_shared() == process_shared);
    }
  }
  CHECK(memory.intact());
}

TEST_CASE("two_views_of_a_pool_are_of_the_same_buffers") {
  const formatted there;
  const auto one = pool_type::attach(there.memory.bytes(), tag).value();
  const auto two = pool_type::attach(there.memory.bytes(), tag).value();
  auto giver = one.join().value();
  auto taker = two.join().value();
  auto given = giver.allocate(60).value();
  auto* const data = given.bytes().data();
  CHECK(taker.adopt(given.hand_over())->bytes().data() == data);
}

TEST_CASE("a_span_that_cannot_hold_the_pool_is_refused") {
  const auto needed = static_cast<std::size_t>(pool_type::bytes_required(plain));
  const guarded_span memory{needed + 64};
  const auto whole = memory.bytes();
  const auto format = [](auto span) { return pool_type::format(span, plain).status(); };
  CHECK(format(whole.first(needed)) == status::ok);
  CHECK(format(whole.subspan(64)) == status::ok);
  CHECK(format(whole.subspan(32)) == status::bad_layout);
  CHECK(pool_type::format(whole.subspan(8), {.classes = classes, .alignment = 8}).status() ==
        status::bad_layout);
  CHECK(format(whole.first(needed - 1)) == status::bad_layout);
  CHECK(format(std::span<std::byte>{}) == status::bad_layout);
  REQUIRE(format(whole) == status::ok);
  for (const std::size_t size : {needed - 1, std::size_t{600}, std::size_t{128}, std::size_t{0}}) {
    CHECK(pool_type::attach(whole.first(size), tag).status() == status::bad_layout);
  }
  CHECK(memory.intact());
}

TEST_CASE("a_pool_with_a_hole_in_its_list_of_classes_is_refused") {
  const formatted there;
  for (const std::uint32_t part : {pool::class_size, pool::class_count}) {
    auto* const last = there.memory.word(pool::classes + 2 * pool::class_stride + part);
    last[pool::class_stride / 4] = std::exchange(*last, 0);
  }
  CHECK(there.attach() == status::bad_layout);
}

TEST_CASE("nothing_is_read_behind_a_span_that_cannot_hold_a_list_of_classes") {
  static const std::uint32_t* end;
  static std::uint32_t beyond;
  const formatted there;
  *there.memory.word(layout::total_size) = layout::header_size;
  end = there.memory.word(layout::header_size);
  beyond = 0;
  lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
    beyond += word < end ? 0U : 1U;
    return value;
  };
  const auto outcome = weir::buffer_pool<adversary_memory>::attach(
                           there.memory.bytes().first(layout::header_size), tag)
                           .status();
  lying_watch::lie = nullptr;
  CHECK(outcome == status::bad_layout);
  CHECK(beyond == 0);
}

TEST_CASE("options_that_make_no_pool_are_refused") {
  const guarded_span memory{1U << 20};
  const auto refused = [&](std::span<const pool_class> those, std::uint32_t alignment = 64,
                           std::uint32_t generation = 0) {
    const pool_options options{
        .classes = those, .alignment = alignment, .start_generation = generation};
    return pool_type::format(memory.bytes(), options).status() == status::bad_layout;
  };
  using list = std::vector<pool_class>;
  CHECK_FALSE(refused(list{{1, 1}}));
  CHECK_FALSE(refused(list{{1, 1}}, 8));
  CHECK_FALSE(refused(list{{1, 1}}, 64, 0xFFFF'FFFE));
  CHECK(refused(list{{1, 1}}, 64, 0xFFFF'FFFF));
  CHECK(refused(list{}));
  CHECK(refused(list{{0, 1}}));
  CHECK(refused(list{{1, 0}}));
  CHECK(refused(list{{2, 1}, {2, 1}}));
  CHECK(refused(list{{2, 1}, {1, 1}}));
  CHECK(refused(list{{1, 1}, {2, 0}, {3, 1}}));
  for (const std::uint32_t alignment : {0U, 1U, 4U, 24U, 8192U, 0x8000'0000U}) {
    CHECK(refused(list{{1, 1}}, alignment));
    CHECK(pool_type::bytes_required({.classes = list{{1, 1}}, .alignment = alignment}) == 0);
  }
  list many;
  for (std::uint32_t size = 1; size <= 16; ++size) many.push_back({size, 1});
  CHECK_FALSE(refused(many));
  many.push_back({17, 1});
  CHECK(refused(many));
  for (const auto huge : {(1U << 20) + 1, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CHECK(pool_type::bytes_required({.classes = list{{8, huge}}}) == 0);
    CHECK(pool_type::bytes_required({.classes = list{{1, 5}, {8, huge}}}) == 0);
    CHECK(pool_type::bytes_required({.classes = list{{huge, huge}}}) == 0);
    CHECK(refused(list{{huge, 1}}));
  }
  CHECK(pool_type::bytes_required({.classes = list{{8, 1U << 20}}, .alignment = 8}) != 0);
  CHECK(pool_type::bytes_required({.classes = list{{0xFFFF'FFFF, 1}}}) == 0);
  CHECK(memory.intact());
}

TEST_CASE("a_pool_header_with_one_wrong_bit_is_refused") {
  const formatted there;
  std::uint32_t accepted = 0;
  for (std::uint32_t offset = 0; offset < layout::slots + 4; offset += 4) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      *there.memory.word(offset) ^= 1U << bit;
      const auto outcome = there.attach();
      *there.memory.word(offset) ^= 1U << bit;
      const bool meaningful = offset == layout::flags && bit == 0;
      if (outcome != (meaningful ? status::ok : status::bad_layout)) {
        FAIL("word " << offset << " bit " << bit << ": " << name(outcome));
      }
      accepted += outcome == status::ok ? 1U : 0U;
    }
  }
  CHECK(accepted == 1);
  *there.memory.word(layout::magic) = 0;
  CHECK(there.attach() == status::not_ready);
}

TEST_CASE("classes_that_do_not_belong_to_the_header_are_refused") {
  const formatted there;
  std::uint32_t accepted = 0;
  for (std::uint32_t word = 0; word < 2 * pool::max_classes; ++word) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      std::array<pool_class, pool::max_classes> found{};
      std::ranges::copy(classes, found.begin());
      (word % 2 == 0 ? found[word / 2].size : found[word / 2].count) ^= 1U << bit;
      // A class of another size that takes the same room is as good; the other classes end at zeros.
      const bool same = word < 6 && same_header(std::span{found}.first(3));
      *there.memory.word(pool::classes + 4 * word) ^= 1U << bit;
      const auto outcome = there.attach();
      *there.memory.word(pool::classes + 4 * word) ^= 1U << bit;
      if (outcome != (same ? status::ok : status::bad_layout)) {
        FAIL("word " << word << " bit " << bit << ": " << name(outcome));
      }
      accepted += same ? 1U : 0U;
    }
  }
  CHECK(accepted > 4);
  CHECK(accepted < 20);
  CHECK(there.attach() == status::ok);
}

TEST_CASE("a_pool_that_is_copied_to_where_its_buffers_would_be_misaligned_is_refused") {
  const pool_options wide{.classes = classes, .alignment = 256};
  const auto size = static_cast<std::size_t>(pool_type::bytes_required(wide));
  const guarded_span memory{2 * size + 512};
  const auto address = reinterpret_cast<std::uintptr_t>(memory.bytes().data());
  const auto first = static_cast<std::size_t>(-address % 256);
  const auto from = memory.bytes().subspan(first, size);
  const auto to = memory.bytes().subspan(first + (size + 255) / 256 * 256 - 192, size);
  REQUIRE(pool_type::format(from, wide));
  CHECK(pool_type::attach(from));
  std::ranges::copy(from, to.begin());
  CHECK(pool_type::attach(to).status() == status::bad_layout);
}

TEST_CASE("a_header_that_ends_before_the_marks_begin_is_refused") {
  const formatted there;
  *there.memory.word(layout::total_size) = layout::header_size;
  CHECK(pool_type::attach(there.memory.bytes().first(layout::header_size), tag).status() ==
        status::bad_layout);
  CHECK(there.attach() == status::bad_layout);
}

TEST_CASE("what_is_no_pool_is_refused") {
  const formatted there;
  CHECK(pool_type::attach(there.memory.bytes(), tag + 1).status() == status::bad_layout);
  CHECK(pool_type::attach(there.memory.bytes().subspan(32), tag).status() == status::bad_layout);
  CHECK(weir::latest_bytes::attach(there.memory.bytes(), tag).status() == status::bad_layout);
  const guarded_span empty{4096};
  CHECK(pool_type::attach(empty.bytes()).status() == status::not_ready);
  REQUIRE(weir::latest_bytes::format(empty.bytes(), {.size = 8}));
  CHECK(pool_type::attach(empty.bytes()).status() == status::bad_layout);
}

namespace {

/// A member's calls on a pool whose words are anything, and what they touched.
template <class Memory>
class caller {
 public:
  caller(const formatted& there, seeded_random& random)
      : memory_{there.memory},
        random_{random},
        view_{weir::buffer_pool<Memory>::attach(there.memory.bytes(), tag).value()} {}

  [[nodiscard]] auto outside() const -> std::uint32_t { return outside_; }

  void call_everything() {
    auto member = view_.join();
    if (member) use(*member);
    static_cast<void>(view_.references(some_handle()));
    static_cast<void>(view_.version(some_handle()));
    static_cast<void>(view_.usage(random_.below(3)));
    static_cast<void>(view_.for_each_held([this](const weir::pool_entry& entry) {
      outside_ += entry.handle.index < 45 && entry.used <= entry.capacity ? 0U : 1U;
    }));
    if (random_.once_in(8)) static_cast<void>(view_.reclaim(reclaim_from::all_who_are_gone));
  }

 private:
  using buffer_type = weir::buffer<Memory>;

  void use(weir::pool_member<Memory>& member) {
    for (std::uint32_t count = 0; count < 4; ++count) {
      touch(member.allocate(random_.below(1100)));
      touch(member.share(some_handle()));
      touch(member.held(some_handle()));
      touch(member.adopt({some_handle(), random_.below(40)}));
      static_cast<void>(member.discard({some_handle(), random_.below(40)}));
      static_cast<void>(member.free(some_handle()));
    }
  }
  void touch(weir::result<buffer_type> got) {
    if (!got) return;
    const auto bytes = got->bytes();
    const auto whole = memory_.bytes();
    const auto data = whole.data() + shape_type::make(classes, 64)->data_offset();
    if (bytes.data() < data || bytes.data() + bytes.size() > whole.data() + whole.size()) {
      ++outside_;
      return;
    }
    std::ranges::fill(bytes, std::byte{0x5A});
    static_cast<void>(got->write(bytes));
    std::array<std::byte, 1000> out;
    static_cast<void>(got->read(std::span{out}.first(bytes.size()), 2));
    static_cast<void>(got->references());
    got->set_metadata(3, got->metadata(2));
    if (random_.once_in(2)) static_cast<void>(got->detach());
  }
  /// Mostly of a generation that may be.
  auto some_handle() -> pool_handle {
    const auto index = random_.once_in(8) ? random_.next() : random_.below(45);
    if (index >= 45 || random_.once_in(8)) return {index, random_.next()};
    return {index, *memory_.word(shape_type::make(classes, 64)->entry_of(index) + 4)};
  }

  const guarded_span& memory_;
  seeded_random& random_;
  weir::buffer_pool<Memory> view_;
  std::uint32_t outside_ = 0;
};

}  // namespace

TEST_CASE("any_bytes_in_a_pool_lead_to_a_status_inside_the_span") {
  const weir::test::watchdog watchdog;
  seeded_random random{weir::test::fresh_seed("buffer pool bytes")};
  const formatted there;
  caller<weir::native_memory> calls{there, random};
  const auto words = shape_type::make(classes, 64)->data_offset() / 4;
  for (std::uint32_t round = 0; round < weir::test::scaled(8'000); ++round) {
    for (std::uint32_t changes = 0; changes < 30; ++changes) {
      // Not the header, nor the classes: attach() has read them.
      const auto from = pool::places / 4;
      const auto value = random.once_in(4)   ? 0xFFFF'FFFF
                         : random.once_in(2) ? random.below(64)
                                             : random.next();
      *there.memory.word((from + random.below(words - from)) * 4) = value;
    }
    // Places that look taken would end the calls before they began.
    if (random.once_in(2)) {
      std::fill_n(there.memory.word(pool::places), pool::max_places * 2, 0U);
    }
    calls.call_everything();
    if (round % 16 == 0) there.format();
  }
  CHECK(calls.outside() == 0);
  CHECK(there.memory.intact());
}

TEST_CASE("a_peer_whose_words_change_at_every_look_stops_nobody") {
  const weir::test::watchdog watchdog;
  static seeded_random lies{0};
  lies = seeded_random{weir::test::fresh_seed("buffer pool lies")};
  seeded_random random{weir::test::fresh_seed("buffer pool calls")};
  const formatted there;
  caller<adversary_memory> calls{there, random};
  lying_watch::lie = [](const std::uint32_t*, std::uint32_t value) noexcept -> std::uint32_t {
    if (!lies.once_in(6)) return value;
    return lies.once_in(2) ? lies.next() : lies.below(64);
  };
  for (std::uint32_t round = 0; round < weir::test::scaled(3'000); ++round) {
    calls.call_everything();
    if (round % 16 == 0) there.format();
  }
  lying_watch::lie = nullptr;
  CHECK(calls.outside() == 0);
  CHECK(there.memory.intact());
}

TEST_CASE("a_buffer_that_is_freed_while_its_mark_is_cleared_is_found") {
  using weir::test::access_kind;
  using pool_of_script = weir::buffer_pool<weir::test::script_memory>;
  const std::array<pool_class, 1> one{{{8, 1}}};
  const guarded_span memory{pool_of_script::bytes_required({.classes = one})};
  const auto view = pool_of_script::format(memory.bytes(), {.classes = one}).value();
  auto holder = view.join().value();
  auto seeker = view.join().value();
  auto held = holder.allocate(8).value();
  auto* const marks = memory.word(pool::marks);
  *marks = 1;  // an old one
  {
    const weir::test::scripted peer{[&](const weir::test::access_event& now) {
      if (held && now.is(access_kind::modify, marks)) static_cast<void>(held.free());
    }};
    CHECK(seeker.allocate(8).status() == status::full);
    CHECK_FALSE(held);
  }
  CHECK(seeker.allocate(8));
}

TEST_CASE("words_that_somebody_changes_at_every_exchange_hold_nobody_up") {
  using weir::test::access_kind;
  using pool_of_script = weir::buffer_pool<weir::test::script_memory>;
  const std::array<weir::pool_class, 1> eight_buffers{{{64, 8}}};
  const guarded_span memory{pool_of_script::bytes_required({.classes = eight_buffers})};
  const auto view = pool_of_script::format(memory.bytes(), {.classes = eight_buffers}).value();
  auto member = view.join().value();
  auto* const marks = memory.word(weir::layout::pool::marks);
  auto* const first = memory.word((weir::layout::pool::marks + 4 + 63) / 64 * 64);
  const weir::test::scripted peer{[&](const weir::test::access_event& now) {
    if (now.is(access_kind::modify, marks)) *marks ^= 0x8000'0000;
    if (now.is(access_kind::modify, first)) ++first[1];  // its generation
  }};
  CHECK(member.allocate(1));
}
