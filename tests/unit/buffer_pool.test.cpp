// SPDX-License-Identifier: MIT
// Proved: what each operation of a pool does and answers, in one thread. Not here: random sequences
// (buffer_pool_model), deaths (buffer_pool_crash), threads and processes (stress/buffer_pool*).
#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace pool = weir::layout::pool;
using weir::pool_class;
using weir::pool_descriptor;
using weir::pool_handle;
using weir::pool_options;
using weir::reclaim_from;
using weir::status;
using weir::test::child_process;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;

namespace {

using pool_type = weir::buffer_pool<>;

constexpr std::array<pool_class, 3> classes{{{10, 3}, {64, 40}, {1000, 2}}};
constexpr pool_options plain{.classes = classes};

static_assert(sizeof(pool_handle) == 8 && sizeof(pool_descriptor) == 12);
static_assert(std::has_unique_object_representations_v<pool_descriptor>);
static_assert(pool_type::bytes_required(plain) % 64 == 0);
static_assert(pool_type::bytes_required({}) == 0);

struct test_pool {
  explicit test_pool(const pool_options& options = plain)
      : memory{pool_type::bytes_required(options)},
        view{pool_type::format(memory.bytes(), options).value()} {}

  guarded_span memory;
  pool_type view;

  [[nodiscard]] auto in_use() const -> std::uint32_t {
    std::uint32_t sum = 0;
    for (std::uint32_t index = 0; index < view.class_count(); ++index) {
      sum += view.usage(index).in_use;
    }
    return sum;
  }
};

/// True if nobody accepts the handle.
template <class Member>
auto is_stale(const pool_type& view, Member& member, pool_handle handle) -> bool {
  return view.references(handle) == 0 && view.version(handle).status() == status::stale &&
         member.share(handle).status() == status::stale &&
         member.held(handle).status() == status::stale && member.free(handle) == status::stale &&
         member.adopt({handle, member.place()}).status() == status::stale &&
         member.discard({handle, member.place()}) == status::stale;
}

}  // namespace

TEST_CASE("an_allocation_has_the_size_asked_for_in_the_smallest_class_that_has_room") {
  const test_pool there;
  auto member = there.view.join().value();
  std::vector<weir::buffer<weir::native_memory>> held;
  const auto capacity_of_next = [&](std::uint32_t size) {
    auto got = member.allocate(size);
    if (!got) return std::uint32_t{0};
    CHECK(got->bytes().size() == size);
    const auto capacity = got->capacity();
    held.push_back(std::move(got).value());
    return capacity;
  };
  for (const auto size : {0U, 1U, 10U}) CHECK(capacity_of_next(size) == 10);
  CHECK(capacity_of_next(5) == 64);
  for (auto count = 0; count < 39; ++count) CHECK(capacity_of_next(11 + 1) == 64);
  CHECK(capacity_of_next(1) == 1000);
  CHECK(capacity_of_next(1000) == 1000);
  CHECK(member.allocate(1).status() == status::full);
  CHECK(member.allocate(1000).status() == status::full);
  CHECK(member.allocate(1001).status() == status::too_large);
  CHECK(member.allocate(1ULL << 32).status() == status::too_large);
  CHECK(there.in_use() == 45);
  held.clear();
  CHECK(there.in_use() == 0);
  CHECK(capacity_of_next(10) == 10);
}

TEST_CASE("buffers_lie_apart_aligned_and_inside_the_span") {
  for (const std::uint32_t alignment : {8U, 16U, 64U}) {
    const test_pool there{{.classes = classes, .alignment = alignment}};
    CHECK(there.view.alignment() == alignment);
    auto member = there.view.join().value();
    std::vector<weir::buffer<weir::native_memory>> held;
    std::uint32_t number = 0;
    for (const auto& each : classes) {
      for (std::uint32_t count = 0; count < each.count; ++count) {
        held.push_back(member.allocate(each.size).value());
        const auto bytes = held.back().bytes();
        CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0);
        CHECK(bytes.data() >= there.memory.bytes().data());
        CHECK(bytes.data() + bytes.size() <=
              there.memory.bytes().data() + there.memory.bytes().size());
        fill_pattern(bytes, ++number);
      }
    }
    number = 0;
    for (const auto& each : held) CHECK(has_pattern(each.bytes(), ++number));
    CHECK(number == there.view.buffers());
    held.clear();
    CHECK(there.memory.intact());
  }
}

TEST_CASE("an_alignment_beyond_a_cache_line_needs_a_span_aligned_so") {
  const pool_options options{.classes = classes, .alignment = 4096};
  const guarded_span memory{pool_type::bytes_required(options) + 4096};
  const auto at = [&](std::size_t offset) {
    return pool_type::format(memory.bytes().subspan(offset), options).status();
  };
  CHECK(at(0) == status::ok);  // a page of its own
  CHECK(at(64) == status::bad_layout);
  auto member = pool_type::format(memory.bytes(), options)->join().value();
  CHECK(reinterpret_cast<std::uintptr_t>(member.allocate(1)->bytes().data()) % 4096 == 0);
}

TEST_CASE("the_handle_of_what_was_freed_is_stale_whatever_becomes_of_the_buffer") {
  const test_pool there;
  auto member = there.view.join().value();
  auto first = member.allocate(1000).value();
  const auto old = first.handle();
  CHECK(there.view.references(old) == 1);
  CHECK(first.free() == status::ok);
  CHECK_FALSE(first);
  CHECK(first.free() == status::stale);
  CHECK(is_stale(there.view, member, old));
  auto second = member.allocate(1000).value();
  auto third = member.allocate(1000).value();
  CHECK((second.handle().index == old.index || third.handle().index == old.index));
  CHECK(is_stale(there.view, member, old));
  CHECK(there.view.references(second.handle()) == 1);
  for (const pool_handle none :
       {pool_handle{}, pool_handle{there.view.buffers(), 0}, pool_handle{pool_handle::none, 1},
        pool_handle{old.index, 7}, pool_handle{old.index, 0xFFFF'FFFF}}) {
    CHECK(is_stale(there.view, member, none));
  }
  CHECK(member.adopt({second.handle(), 32}).status() == status::stale);
  CHECK(member.adopt({second.handle(), 0xFFFF'FFFF}).status() == status::stale);
  CHECK(member.discard({second.handle(), 33}) == status::stale);
}

TEST_CASE("the_bytes_of_a_buffer_are_not_taken_for_an_entry_whatever_they_look_like") {
  // An entry behind the last would lie in the first buffer.
  constexpr std::array<pool_class, 1> one{{{64, 1}}};
  const auto shape = weir::detail::pool_shape::make(one, 64).value();
  REQUIRE(shape.entry_of(1) == shape.data_offset());
  const test_pool there{{.classes = one}};
  auto member = there.view.join().value();
  const auto buffer = member.allocate(64).value();
  constexpr std::array<std::uint32_t, 2> held_by_all{0xFFFF'FFFF, 5};
  std::memcpy(buffer.bytes().data(), held_by_all.data(), sizeof held_by_all);
  CHECK(is_stale(there.view, member, {1, 5}));
}

TEST_CASE("what_several_share_is_free_once_the_last_of_them_gives_it_up") {
  const test_pool there;
  auto one = there.view.join().value();
  auto two = there.view.join().value();
  auto three = there.view.join().value();
  auto first = one.allocate(20).value();
  const auto handle = first.handle();
  auto second = two.share(handle).value();
  CHECK(second.bytes().data() == first.bytes().data());
  CHECK(second.bytes().size() == 20);
  CHECK(two.share(handle).status() == status::busy);
  CHECK(one.share(handle).status() == status::busy);
  CHECK(first.references() == 2);
  CHECK(first.free() == status::ok);
  CHECK(one.free(handle) == status::stale);
  CHECK(second.references() == 1);
  auto third = three.share(handle).value();
  CHECK(second.free() == status::ok);
  CHECK(there.in_use() == 1);
  CHECK(third.free() == status::ok);
  CHECK(there.in_use() == 0);
  CHECK(is_stale(there.view, one, handle));
}

TEST_CASE("a_buffer_travels_through_a_ring_and_changes_its_holder") {
  const test_pool there;
  auto giver = there.view.join().value();
  auto taker = there.view.join().value();
  using ring_type = weir::spsc_ring<pool_descriptor>;
  const guarded_span memory{ring_type::bytes_required(8)};
  const auto ring = ring_type::format(memory.bytes(), {.capacity = 8}).value();
  auto producer = ring.producer().value();
  auto consumer = ring.consumer().value();

  auto given = giver.allocate(33).value();
  const auto handle = given.handle();
  const auto* const data = given.bytes().data();
  fill_pattern(given.bytes(), 5);
  REQUIRE(producer.try_write(given.hand_over()) == status::ok);
  CHECK_FALSE(given);
  CHECK(given.bytes().empty());
  CHECK(there.view.references(handle) == 1);
  pool_descriptor arrived;
  REQUIRE(consumer.try_read(arrived) == status::ok);
  auto adopted = taker.adopt(arrived).value();
  CHECK(adopted.handle() == handle);
  CHECK(adopted.bytes().data() == data);
  CHECK(has_pattern(adopted.bytes(), 5));
  CHECK(adopted.bytes().size() == 33);
  CHECK(giver.free(handle) == status::stale);
  CHECK(giver.adopt(arrived).status() == status::stale);
  CHECK(taker.adopt(arrived).status() == status::stale);
  CHECK(there.view.references(handle) == 1);
}

TEST_CASE("what_is_on_its_way_can_be_taken_back_freed_or_discarded_once") {
  const test_pool there;
  auto giver = there.view.join().value();
  auto taker = there.view.join().value();
  const auto send = [&] { return giver.allocate(1)->hand_over(); };

  const auto back = send();
  CHECK(giver.adopt(back));  // and given up at once
  CHECK(taker.adopt(back).status() == status::stale);

  const auto freed = send();
  CHECK(giver.free(freed.buffer) == status::ok);
  CHECK(taker.adopt(freed).status() == status::stale);

  const auto unwanted = send();
  CHECK(taker.discard(unwanted) == status::ok);
  CHECK(taker.discard(unwanted) == status::stale);
  CHECK(there.in_use() == 0);
}

TEST_CASE("whoever_shares_what_is_on_its_way_cannot_adopt_it_too") {
  const test_pool there;
  auto giver = there.view.join().value();
  auto taker = there.view.join().value();
  const auto way = giver.allocate(1)->hand_over();
  auto shared = taker.share(way.buffer).value();
  CHECK(taker.adopt(way).status() == status::busy);
  CHECK(there.view.references(way.buffer) == 2);
  CHECK(shared.free() == status::ok);
  CHECK(taker.adopt(way)->references() == 1);
  CHECK(there.in_use() == 0);
}

TEST_CASE("a_member_holds_by_name_what_it_has_detached") {
  const test_pool there;
  auto member = there.view.join().value();
  auto other = there.view.join().value();
  auto made = member.allocate(7).value();
  fill_pattern(made.bytes(), 1);
  const auto handle = made.detach();
  CHECK_FALSE(made);
  CHECK(made.handle() == pool_handle{});
  CHECK(made.free() == status::stale);
  CHECK(there.view.references(handle) == 1);
  CHECK(other.held(handle).status() == status::stale);
  CHECK(other.free(handle) == status::stale);
  {
    auto again = member.held(handle).value();
    CHECK(has_pattern(again.bytes(), 1));
    CHECK(again.bytes().size() == 7);
    CHECK(again.detach() == handle);
  }
  CHECK(member.free(handle) == status::ok);
  CHECK(member.free(handle) == status::stale);
}

TEST_CASE("a_buffer_that_is_assigned_to_gives_up_what_it_was") {
  const test_pool there;
  auto member = there.view.join().value();
  auto one = member.allocate(1).value();
  auto two = member.allocate(2).value();
  const auto first = one.handle();
  const auto second = two.handle();
  one = std::move(two);
  CHECK(one.handle() == second);
  CHECK(there.view.references(first) == 0);
  CHECK(there.view.references(second) == 1);
  auto& self = one;
  one = std::move(self);
  CHECK(one.bytes().size() == 2);
  {
    const auto moved = std::move(one);
    CHECK(moved.references() == 1);
  }
  CHECK(there.in_use() == 0);
}

TEST_CASE("a_buffer_that_was_given_up_does_nothing") {
  const test_pool there;
  auto member = there.view.join().value();
  auto empty = member.allocate(8).value();
  const auto handle = empty.detach();
  empty.begin_write();
  empty.end_write();
  empty.set_metadata(0, 1);
  std::array<std::byte, 4> some{};
  CHECK(empty.write(some) == status::stale);
  CHECK(empty.read(some).status() == status::stale);
  CHECK(empty.capacity() == 0);
  CHECK(empty.version() == 0);
  CHECK(empty.references() == 0);
  CHECK(empty.metadata(0) == 0);
  CHECK_FALSE(empty.is_still(0));
  auto held = member.held(handle).value();
  CHECK(held.version() == 0);
  CHECK(held.metadata(0) == 0);
}

TEST_CASE("versions_say_what_was_written_and_that_somebody_writes") {
  const test_pool there;
  auto member = there.view.join().value();
  auto other = there.view.join().value();
  auto writer = member.allocate(63).value();
  auto reader = other.share(writer.handle()).value();
  const auto handle = writer.handle();
  std::array<std::byte, 63> in{};
  std::array<std::byte, 63> out{};
  for (std::uint32_t number = 1; number < 5; ++number) {
    fill_pattern(in, number);
    CHECK(writer.write(in) == status::ok);
    CHECK(*there.view.version(handle) == 2 * number);
    CHECK(*reader.read(out) == 2 * number);
    CHECK(has_pattern(out, number));
  }
  writer.begin_write();
  CHECK(reader.version() == 9);
  CHECK(reader.read(out, 3).status() == status::torn);
  writer.set_metadata(1, 77);
  writer.end_write();
  const auto seen = reader.version();
  CHECK(seen == 10);
  CHECK(reader.metadata(1) == 77);
  CHECK(reader.is_still(seen));
  CHECK_FALSE(reader.is_still(8));
  CHECK(reader.read(std::span{out}.first(0)));
  std::array<std::byte, 64> large{};
  CHECK(writer.write(large) == status::too_large);
  CHECK(reader.read(large).status() == status::too_large);
  CHECK(writer.version() == 10);
}

TEST_CASE("the_last_word_of_what_is_written_belongs_to_the_buffer") {
  const test_pool there{{.classes = classes, .alignment = 8}};
  auto member = there.view.join().value();
  std::vector<weir::buffer<weir::native_memory>> small;
  for (std::uint32_t count = 0; count < 3; ++count) small.push_back(member.allocate(10).value());
  std::array<std::byte, 10> in{};
  for (std::uint32_t number = 0; number < 3; ++number) {
    fill_pattern(in, number + 1);
    CHECK(small[number].write(in) == status::ok);
  }
  for (std::uint32_t number = 0; number < 3; ++number) {
    CHECK(has_pattern(small[number].bytes(), number + 1));
  }
}

TEST_CASE("a_new_allocation_says_nothing_of_the_one_before") {
  const test_pool there{{.classes = std::span{classes}.first(1)}};
  auto member = there.view.join().value();
  for (auto count = 0; count < 9; ++count) {
    auto made = member.allocate(4).value();
    CHECK(weir::is_whole(made.version()));
    for (std::uint32_t index = 0; index < made.metadata_words; ++index) {
      CHECK(made.metadata(index) == 0);
      made.set_metadata(index, index + 1);
    }
    made.begin_write();  // and never ended
  }
}

TEST_CASE("a_buffer_is_held_through_its_last_generation_and_retired_after_it") {
  using state = weir::detail::pool_state;
  constexpr auto held = state::of(state::last_generation, 1U << 3);
  STATIC_REQUIRE_FALSE(held.is_retired());
  STATIC_REQUIRE(held.without(3).word == state::of(state::last_generation, 0).word);
  STATIC_REQUIRE(held.without(3).is_retired());
}

TEST_CASE("a_search_begins_at_the_last_find_and_not_at_the_first_buffer") {
  constexpr std::array<pool_class, 1> four{{{8, 4}}};
  const test_pool there{{.classes = four}};
  auto member = there.view.join().value();
  auto first = member.allocate(8).value();
  const auto second = member.allocate(8).value();
  CHECK(first.handle().index == 0);
  CHECK(first.free() == status::ok);
  CHECK(member.allocate(8)->handle().index == 2);
}

TEST_CASE("reclaim_marks_what_is_free_and_nothing_that_is_held") {
  constexpr std::array<pool_class, 1> four{{{8, 4}}};
  const test_pool there{{.classes = four}};
  auto* const marks = there.memory.word(weir::layout::pool::marks);
  auto member = there.view.join().value();
  const auto first = member.allocate(8).value();
  const auto second = member.allocate(8).value();
  *marks = 0;  // those who freed the others died before they could
  CHECK(there.view.reclaim().things == 0);
  CHECK(*marks == 0b1100);
}

TEST_CASE("a_buffer_that_was_reclaimed_has_no_references_whoever_holds_it_now") {
  constexpr std::array<pool_class, 1> one{{{8, 1}}};
  const test_pool there{{.classes = one}};
  auto gone = there.view.join().value();
  const auto lost = gone.allocate(8).value();
  CHECK(lost.references() == 1);
  const auto nobody_lives = [](std::uint32_t, std::uint32_t) { return false; };
  CHECK(there.view.reclaim(reclaim_from::the_dead, nobody_lives).things == 1);
  auto member = there.view.join().value();
  const auto found = member.allocate(8).value();
  CHECK(found.references() == 1);
  CHECK(lost.references() == 0);
}

TEST_CASE("a_buffer_whose_last_generation_is_over_is_retired") {
  constexpr std::array<pool_class, 1> two{{{8, 2}}};
  const test_pool there{{.classes = two, .start_generation = 0xFFFF'FFFC}};
  auto member = there.view.join().value();
  auto other = there.view.join().value();
  for (std::uint32_t count = 0; count < 6; ++count) {
    auto made = member.allocate(8);
    if (!made) FAIL("allocation " << count);
    const auto handle = made->handle();
    auto shared = other.share(handle);
    CHECK(made->free() == status::ok);
    CHECK(shared->free() == status::ok);
    CHECK(is_stale(there.view, member, handle));
    CHECK(is_stale(there.view, member, {handle.index, 0xFFFF'FFFF}));
  }
  CHECK(*there.memory.word(weir::layout::pool::marks) == 0);  // nobody will look at them again
  CHECK(member.allocate(8).status() == status::full);
  CHECK(there.view.reclaim().things == 0);
  CHECK(member.allocate(8).status() == status::full);
  CHECK(there.view.usage(0).retired == 2);
  CHECK(there.view.usage(0).in_use == 0);
}

TEST_CASE("the_report_names_each_buffer_that_is_held_and_who_holds_it") {
  const test_pool there;
  auto one = there.view.join().value();
  std::optional two{there.view.join().value()};
  CHECK(there.view.for_each_held([](const auto&) { FAIL("nothing is held"); }) == 0);
  auto kept = one.allocate(12).value();
  kept.set_metadata(3, 44);
  kept.begin_write();
  kept.end_write();
  auto shared = two->share(kept.handle()).value();
  const auto leaked = two->allocate(1000)->detach();
  const auto second_bit = 1U << two->place();
  static_cast<void>(shared.free());
  two.reset();
  std::vector<weir::pool_entry> report;
  CHECK(there.view.for_each_held([&](const auto& entry) { report.push_back(entry); }) == 2);
  REQUIRE(report.size() == 2);
  CHECK(report[0].handle == kept.handle());
  CHECK(report[0].capacity == 64);
  CHECK(report[0].used == 12);
  CHECK(report[0].holders == 1U << one.place());
  CHECK(report[0].dead + report[0].left == 0);
  CHECK(report[0].version == 2);
  CHECK(report[0].metadata == std::array<std::uint32_t, 4>{0, 0, 0, 44});
  CHECK(report[1].handle == leaked);
  CHECK(report[1].holders == second_bit);
  CHECK(report[1].left == second_bit);
  CHECK(report[1].dead == 0);
  CHECK(there.view.usage(1).in_use == 1);
  CHECK(there.view.usage(2).in_use == 1);
  CHECK(there.view.usage(2).size == 1000);
  CHECK(there.view.usage(2).buffers == 2);
}

TEST_CASE("a_place_is_given_to_nobody_while_something_is_held_under_it") {
  const test_pool there;
  auto adopter = there.view.join().value();
  std::optional leaving{there.view.join().value()};
  const auto place = leaving->place();
  const auto way = leaving->allocate(5)->hand_over();
  leaving.reset();
  CHECK(there.view.join()->place() != place);
  CHECK(adopter.adopt(way)->bytes().size() == 5);
  CHECK(there.view.join()->place() == place);
}

TEST_CASE("what_a_member_left_on_its_way_can_be_taken_back") {
  const test_pool there;
  auto adopter = there.view.join().value();
  std::optional leaving{there.view.join().value()};
  const auto place = leaving->place();
  const auto way = leaving->allocate(5)->hand_over();
  leaving.reset();
  CHECK(there.view.reclaim().things == 0);
  const auto done = there.view.reclaim(reclaim_from::all_who_are_gone);
  CHECK(done.things == 1);
  CHECK(done.members == 0);
  CHECK(adopter.adopt(way).status() == status::stale);
  CHECK(there.view.join()->place() == place);
  CHECK(there.in_use() == 0);
}

TEST_CASE("thirty_two_members_have_places_and_the_next_has_none") {
  constexpr std::array<pool_class, 1> many{{{8, 100}}};
  const test_pool there{{.classes = many}};
  std::vector<weir::pool_member<weir::native_memory>> members;
  std::set<std::uint32_t> places;
  for (std::uint32_t count = 0; count < pool_type::max_members; ++count) {
    members.push_back(there.view.join().value());
    places.insert(members.back().place());
  }
  CHECK(places.size() == 32);
  CHECK(there.view.join().status() == status::full);
  auto first = members[0].allocate(1).value();
  std::vector<weir::buffer<weir::native_memory>> held;
  for (std::uint32_t index = 1; index < 32; ++index) {
    held.push_back(members[index].share(first.handle()).value());
  }
  CHECK(first.references() == 32);
  CHECK(first.free() == status::ok);
  while (held.size() > 1) held.pop_back();
  CHECK(held[0].references() == 1);
}

TEST_CASE("the_copies_in_a_fork_give_nothing_up") {
  const test_pool there{{.classes = classes, .process_shared = true}};
  CHECK(there.view.process_shared());
  std::optional member{there.view.join().value()};
  std::optional made{member->allocate(3).value()};
  const auto handle = made->handle();
  child_process child{[&] {
    made.reset();
    member.reset();
    return 0;
  }};
  CHECK(child.wait() == 0);
  CHECK(there.view.references(handle) == 1);
  CHECK(made->references() == 1);
}

TEST_CASE("a_pool_works_in_a_plain_buffer") {
  using inline_pool = weir::buffer_pool<weir::plain_memory>;
  const guarded_span memory{inline_pool::bytes_required(plain)};
  const auto view = inline_pool::format(memory.bytes(), plain).value();
  auto member = view.join().value();
  auto made = member.allocate(100).value();
  std::array<std::byte, 100> bytes{};
  fill_pattern(bytes, 3);
  CHECK(made.write(bytes) == status::ok);
  auto other = view.join().value();
  auto adopted = other.adopt(made.hand_over()).value();
  CHECK(adopted.read(bytes));
  CHECK(has_pattern(bytes, 3));
  CHECK(view.reclaim().members == 0);
  CHECK(adopted.references() == 1);
}

TEST_CASE("an_allocation_costs_two_exchanges_and_so_does_giving_it_up") {
  using weir::test::count_memory;
  using counted_pool = weir::buffer_pool<count_memory>;
  constexpr std::array<pool_class, 1> many{{{8, 1000}}};
  const guarded_span memory{counted_pool::bytes_required({.classes = many})};
  const auto view = counted_pool::format(memory.bytes(), {.classes = many}).value();
  auto member = view.join().value();
  auto other = view.join().value();
  std::optional<weir::buffer<count_memory>> made;
  auto cost = count_memory::cost_of([&] { made.emplace(member.allocate(8).value()); });
  CHECK(cost.modifies == 2);
  CHECK(cost.loads <= 6);
  CHECK(cost.fences == 0);
  pool_descriptor way;
  cost = count_memory::cost_of([&] { way = made->hand_over(); });
  CHECK(cost.steps() == 0);
  cost = count_memory::cost_of([&] { made.emplace(other.adopt(way).value()); });
  CHECK(cost.modifies == 1);
  cost = count_memory::cost_of([&] { static_cast<void>(made->free()); });
  CHECK(cost.modifies == 2);
}

TEST_CASE("a_descriptor_that_comes_from_no_place_is_stale_and_frees_nothing") {
  const test_pool there;
  auto giver = there.view.join().value();
  auto taker = there.view.join().value();
  const auto sent = giver.allocate(1)->hand_over();
  for (const std::uint32_t from : {32U, 33U, 63U, 64U, 0x8000'0000U, 0xFFFF'FFFFU}) {
    CHECK(taker.adopt({sent.buffer, from}).status() == status::stale);
    CHECK(taker.discard({sent.buffer, from}) == status::stale);
  }
  CHECK(there.in_use() == 1);
  CHECK(taker.adopt(sent));
}
