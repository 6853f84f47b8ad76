// SPDX-License-Identifier: MIT
// Proved: in random sequences of all operations by several members in one thread, a pool and a reference
// model agree on every answer, step by step, up to the last generation of every buffer. Not here: two
// operations at a time (stress/buffer_pool).
#include "support/guarded_span.hpp"
#include "support/pattern.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

#include <weir/buffer_pool.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

using weir::pool_class;
using weir::pool_descriptor;
using weir::pool_handle;
using weir::reclaim_from;
using weir::status;
using weir::test::fill_pattern;
using weir::test::guarded_span;
using weir::test::has_pattern;
using weir::test::seeded_random;

namespace {

using pool_type = weir::buffer_pool<>;
using member_type = weir::pool_member<weir::native_memory>;

constexpr std::array<pool_class, 3> classes{{{16, 3}, {40, 35}, {200, 2}}};
constexpr std::uint32_t seats = 4;
constexpr std::uint32_t last_generation = 0xFFFF'FFFF;

/// What one buffer must be.
struct expectation {
  std::uint32_t generation = 0;
  std::uint32_t holders = 0;
  std::uint32_t capacity = 0;
  std::uint32_t used = 0;
  std::uint32_t version = 0;
  std::uint32_t content = 0;  ///< number of its pattern; 0: never written
  std::uint32_t metadata = 0;

  [[nodiscard]] auto free() const -> bool { return holders == 0 && generation != last_generation; }
};

class run {
 public:
  run(std::uint64_t seed, std::uint32_t start_generation)
      : memory_{pool_type::bytes_required({.classes = classes})},
        view_{pool_type::format(memory_.bytes(),
                                {.classes = classes, .start_generation = start_generation})
                  .value()},
        random_{seed} {
    for (const auto& each : classes) {
      for (std::uint32_t count = 0; count < each.count; ++count) {
        buffers_.push_back({.generation = start_generation, .capacity = each.size});
      }
    }
  }

  /// Returns  true if pool and model agreed in each step.
  auto operator()(std::uint32_t steps) -> bool {
    for (std::uint32_t step = 0; step < steps; ++step) {
      const auto operation = random_.below(18);
      if (agrees(operation)) continue;
      UNSCOPED_INFO("operation " << operation << " of step " << step);
      return false;
    }
    return report_agrees() && memory_.intact();
  }

  [[nodiscard]] auto retired() const -> std::uint32_t {
    std::uint32_t sum = 0;
    for (std::uint32_t index = 0; index < classes.size(); ++index) {
      sum += view_.usage(index).retired;
    }
    return sum;
  }

 private:
  auto agrees(std::uint32_t operation) -> bool {
    auto& seat = seats_[random_.below(seats)];
    if (!seat) return join(seat);
    switch (operation) {
      case 0:
      case 1:
      case 2:
      case 3:
        return allocate(*seat);
      case 4:
      case 5:
        return share(*seat);
      case 6:
      case 7:
      case 8:
        return free(*seat);
      case 9:
      case 10:
        return hand_over(*seat);
      case 11:
      case 12:
        return adopt(*seat);
      case 13:
        return discard(*seat);
      case 14:
      case 15:
        return touch(*seat);
      case 16:
        return random_.once_in(16) ? leave(seat) : observe();
      default:
        return random_.once_in(16) ? reclaim() && report_agrees() : observe();
    }
  }

  auto join(std::optional<member_type>& seat) -> bool {
    auto in_use = taken_;
    for (const auto& each : buffers_) in_use |= each.holders;
    const auto expected = static_cast<std::uint32_t>(std::countr_one(in_use));
    auto joined = view_.join();
    if (expected == pool_type::max_members) return joined.status() == status::full && reclaim();
    if (!joined || joined->place() != expected) return false;
    taken_ |= 1U << expected;
    seat.emplace(std::move(joined).value());
    return true;
  }

  auto leave(std::optional<member_type>& seat) -> bool {
    taken_ &= ~(1U << seat->place());
    seat.reset();
    return true;
  }

  auto allocate(member_type& member) -> bool {
    const auto size = random_.once_in(4) ? random_.below(210) : random_.below(45);
    auto expected = size > 200 ? status::too_large : status::full;
    std::uint32_t capacity = 0;
    for (const auto& each : buffers_) {
      if (!each.free() || each.capacity < size) continue;
      expected = status::ok;
      capacity = each.capacity;
      break;
    }
    auto got = member.allocate(size);
    if (got.status() != expected) return false;
    if (!got) return true;
    const auto handle = got->handle();
    auto& buffer = buffers_[handle.index];
    const bool right = buffer.free() && buffer.generation == handle.generation &&
                       got->capacity() == capacity && got->bytes().size() == size &&
                       got->metadata(0) == 0 && got->version() == (buffer.version + 1) / 2 * 2;
    buffer.holders = bit(member);
    buffer.used = size;
    buffer.version = got->version();
    buffer.content = 0;
    buffer.metadata = 0;
    handles_.push_back(got->detach());
    return right;
  }

  auto share(member_type& member) -> bool {
    const auto handle = some_handle();
    auto* const buffer = allocation(handle);
    const auto expected = buffer == nullptr                      ? status::stale
                          : (buffer->holders & bit(member)) != 0 ? status::busy
                                                                 : status::ok;
    auto got = member.share(handle);
    if (got.status() != expected) return false;
    if (!got) return true;
    buffer->holders |= bit(member);
    return got->bytes().size() == buffer->used && got->detach() == handle;
  }

  auto free(member_type& member) -> bool {
    const auto handle = some_handle();
    auto* const buffer = allocation(handle);
    const bool held = buffer != nullptr && (buffer->holders & bit(member)) != 0;
    if (held) give_up(*buffer, bit(member));
    if (random_.once_in(2)) {
      return member.free(handle) == (held ? status::ok : status::stale);
    }
    auto got = member.held(handle);
    if (got.status() != (held ? status::ok : status::stale)) return false;
    return !got || random_.once_in(2) || got->free() == status::ok;  // or by its destructor
  }

  auto hand_over(member_type& member) -> bool {
    const auto handle = some_handle();
    auto* const buffer = allocation(handle);
    const bool held = buffer != nullptr && (buffer->holders & bit(member)) != 0;
    auto got = member.held(handle);
    if (got.status() != (held ? status::ok : status::stale)) return false;
    if (held) descriptors_.push_back(got->hand_over());
    return !held || descriptors_.back() == pool_descriptor{handle, member.place()};
  }

  auto adopt(member_type& member) -> bool {
    if (descriptors_.empty()) return true;
    const auto way = some_descriptor();
    auto* const buffer = allocation(way.buffer);
    const auto from = 1U << way.from;
    const bool there = buffer != nullptr && (buffer->holders & from) != 0;
    const bool already = there && from != bit(member) && (buffer->holders & bit(member)) != 0;
    auto got = member.adopt(way);
    if (got.status() != (already ? status::busy : there ? status::ok : status::stale)) return false;
    if (!got) return true;
    buffer->holders = (buffer->holders & ~from) | bit(member);
    return got->detach() == way.buffer;
  }

  auto discard(member_type& member) -> bool {
    if (descriptors_.empty()) return true;
    const auto way = some_descriptor();
    auto* const buffer = allocation(way.buffer);
    const bool there = buffer != nullptr && (buffer->holders & 1U << way.from) != 0;
    if (there) give_up(*buffer, 1U << way.from);
    return member.discard(way) == (there ? status::ok : status::stale);
  }

  /// Reads what is there, writes something else.
  auto touch(member_type& member) -> bool {
    const auto handle = some_handle();
    auto got = member.held(handle);
    auto* const buffer = allocation(handle);
    if (!got) return buffer == nullptr || (buffer->holders & bit(member)) == 0;
    std::vector<std::byte> bytes(buffer->used);
    const auto whole = buffer->version % 2 == 0;
    auto read = got->read(bytes, 2);
    bool right = read.status() == (whole ? status::ok : status::torn) &&
                 (!whole || *read == buffer->version) && got->metadata(0) == buffer->metadata;
    if (whole && buffer->content != 0) right = right && has_pattern(bytes, buffer->content);
    if (random_.once_in(8)) {
      got->begin_write();
      buffer->version += whole ? 1 : 2;
    } else {
      fill_pattern(bytes, ++writes_);
      got->set_metadata(0, writes_);
      right = right && got->write(bytes) == status::ok;
      buffer->version += whole ? 2 : 3;
      buffer->content = writes_;
      buffer->metadata = writes_;
    }
    right = right && got->version() == buffer->version;
    static_cast<void>(got->detach());
    return right;
  }

  auto observe() -> bool {
    const auto handle = some_handle();
    const auto* const buffer = allocation(handle);
    auto version = view_.version(handle);
    if (buffer == nullptr) {
      return view_.references(handle) == 0 && version.status() == status::stale;
    }
    return view_.references(handle) == static_cast<std::uint32_t>(std::popcount(buffer->holders)) &&
           version && *version == buffer->version;
  }

  auto reclaim() -> bool {
    const bool all = random_.once_in(2);
    std::uint32_t expected = 0;
    for (auto& each : buffers_) {
      const auto gone = each.holders & ~taken_;
      if (!all || gone == 0) continue;
      expected += static_cast<std::uint32_t>(std::popcount(gone));
      give_up(each, gone);
    }
    const auto done = view_.reclaim(all ? reclaim_from::all_who_are_gone : reclaim_from::the_dead);
    return done.members == 0 && done.things == expected;
  }

  auto report_agrees() -> bool {
    bool right = true;
    std::uint32_t held = 0;
    const auto count = view_.for_each_held([&](const weir::pool_entry& entry) {
      const auto& buffer = buffers_[entry.handle.index];
      right = right && entry.handle.generation == buffer.generation &&
              entry.holders == buffer.holders && entry.dead == 0 &&
              entry.left == (buffer.holders & ~taken_) && entry.version == buffer.version &&
              entry.used == buffer.used && entry.capacity == buffer.capacity &&
              entry.metadata[0] == buffer.metadata;
    });
    for (const auto& each : buffers_) held += each.holders != 0 ? 1U : 0U;
    return right && count == held;
  }

  static void give_up(expectation& buffer, std::uint32_t bits) {
    buffer.holders &= ~bits;
    if (buffer.holders == 0) ++buffer.generation;
  }
  static auto bit(const member_type& member) -> std::uint32_t { return 1U << member.place(); }
  auto allocation(pool_handle handle) -> expectation* {
    if (handle.index >= buffers_.size()) return nullptr;
    auto& buffer = buffers_[handle.index];
    return buffer.holders != 0 && buffer.generation == handle.generation ? &buffer : nullptr;
  }
  /// Mostly of one that was made lately; sometimes of one that never was.
  auto some_handle() -> pool_handle {
    if (handles_.empty() || random_.once_in(50)) {
      return {random_.below(50), last_generation - random_.below(50)};
    }
    const auto all = static_cast<std::uint32_t>(handles_.size());
    return handles_[all - 1 - random_.below(random_.once_in(4) ? all : std::min(all, 60U))];
  }
  auto some_descriptor() -> pool_descriptor {
    const auto all = static_cast<std::uint32_t>(descriptors_.size());
    return descriptors_[all - 1 - random_.below(random_.once_in(4) ? all : std::min(all, 10U))];
  }

  guarded_span memory_;
  pool_type view_;
  seeded_random random_;
  std::vector<expectation> buffers_;
  std::array<std::optional<member_type>, seats> seats_;
  std::uint32_t taken_ = 0;  ///< places that a member has
  std::vector<pool_handle> handles_;
  std::vector<pool_descriptor> descriptors_;
  std::uint32_t writes_ = 0;
};

}  // namespace

TEST_CASE("a_pool_and_its_model_agree_on_every_answer") {
  const auto seed = weir::test::fresh_seed("buffer pool model");
  for (std::uint32_t round = 0; round < 4; ++round) {
    CHECK(run{seed + round, round * 0x4000'0000}(weir::test::scaled(200'000)));
  }
}

TEST_CASE("a_pool_and_its_model_agree_until_every_buffer_is_retired") {
  const auto seed = weir::test::fresh_seed("buffer pool retirement");
  for (std::uint32_t round = 0; round < 4; ++round) {
    run each{seed + round, last_generation - 1 - 2 * round};
    CHECK(each(50'000));  // several times what it takes
    CHECK(each.retired() == 40);
  }
}
