// SPDX-License-Identifier: MIT
// Proved: in these runs, with the threads yielding and dawdling at random accesses, no region is held twice: of
// elements that are no atomics no update is lost and none is seen in part, and the thread sanitizer finds no
// race; nothing that is handed over is lost, or adopted twice; members that come and go take no region along.
// Not provable by running: that no execution at all goes wrong.
#include "stress/region_rings.hpp"
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/region.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using weir::reclaim_from;
using weir::region_descriptor;
using weir::regions_options;
using weir::status;
using weir::test::chaos_memory;
using weir::test::fresh_seed;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t workers = 4;
constexpr std::uint32_t count = 12;
// A place each, and one for whatever can be on its way from a member that has left.
constexpr regions_options options{.shape = weir::geometry_of<std::uint32_t>(16, 36),
                                  .cut = weir::tiles(2, 6, 8),
                                  .members = workers + count};

template <class Memory>
struct workshop : weir::test::regions_and_rings<Memory, workers> {
  /// The count of takings begins a little below where it wraps.
  workshop() : weir::test::regions_and_rings<Memory, workers>{options} {
    const auto words = weir::layout::regions::places + this->set.members() * 8;
    for (std::uint32_t index = 0; index < count; ++index) {
      *this->control.word(words + index * 4) = 0xFFFF'0000;
    }
  }
};

struct tally {
  std::uint32_t wrong = 0;
  std::array<std::uint32_t, count> updates{};
  std::uint32_t handed_over = 0;
  std::uint32_t adopted = 0;
  std::uint32_t joined = 0;
};

/// Reads and rewrites a region: every element is the number of updates so far, and something that follows
/// from that and from where it is.
template <class Region>
void update(Region& part, seeded_random& random, tally& sum) noexcept {
  const auto number = part.row(0)[0];
  const auto box = part.part();
  const bool writes_version = random.once_in(2);
  if (writes_version) part.begin_write();
  for (std::uint32_t y = 0; y < part.rows(); ++y) {
    const auto row = part.row(y);
    for (std::uint32_t x = 0; x < part.columns(); ++x) {
      const auto place = (box.y + y) * 16 + box.x + x;
      const auto salt = x + y == 0 ? 0 : place * 0x9E37'79B9;
      const bool fresh = number == 0 && row[x] == 0;
      if (!fresh && row[x] != (number ^ salt)) ++sum.wrong;
      row[x] = (number + 1) ^ salt;
    }
  }
  if (writes_version && part.end_write() % 2 != 0) ++sum.wrong;
  ++sum.updates[part.index()];
}

template <class Memory>
class worker {
  using set_type = typename workshop<Memory>::set_type;
  using ring_type = typename workshop<Memory>::ring_type;

 public:
  worker(const workshop<Memory>& there, std::uint32_t number, std::uint64_t seed)
      : set_{there.set},
        random_{seed + number},
        to_{there.rings[number].producer().value()},
        from_{there.rings[(number + 1) % workers].consumer().value()} {}

  void work(std::uint32_t rounds) noexcept {
    for (std::uint32_t round = 0; round < rounds; ++round) {
      if (!member_) join();
      if (!member_) continue;
      take_one();
      adopt();
      if (random_.once_in(64)) member_.reset();
      if (random_.once_in(256)) static_cast<void>(set_.reclaim());
    }
  }
  /// Adopts what is still on its way.
  void finish() noexcept {
    if (!member_) join();
    adopt();
    member_.reset();
  }

  tally sum;

 private:
  void join() noexcept {
    auto member = set_.join();
    if (!member) {
      ++sum.wrong;
      return;
    }
    member_.emplace(std::move(*member));
    ++sum.joined;
  }

  void take_one() noexcept {
    auto part = random_.once_in(2) ? member_->claim(random_.below(count))
                                   : member_->claim_next(random_.below(count));
    if (!part) {
      if (part.status() != status::busy) ++sum.wrong;
      return;
    }
    update(*part, random_, sum);
    if (random_.once_in(3)) send(*part);
  }
  template <class Region>
  void send(Region& part) noexcept {
    const auto descriptor = part.hand_over();
    if (to_.try_write(descriptor) == status::ok) {
      ++sum.handed_over;
      return;
    }
    auto own = member_->adopt(descriptor);
    if (!own || own->give_back() != status::ok) ++sum.wrong;
    if (random_.once_in(16)) weir::native_memory::yield();
  }
  void adopt() noexcept {
    static_cast<void>(from_.drain([this](const region_descriptor& descriptor) {
      auto part = member_->adopt(descriptor);
      if (!part || member_->adopt(descriptor).status() != status::stale) {
        ++sum.wrong;
        return;
      }
      ++sum.adopted;
      update(*part, random_, sum);
      if (part->give_back() != status::ok) ++sum.wrong;
    }));
  }

  set_type set_;
  seeded_random random_;
  typename ring_type::template producer_type<> to_;
  typename ring_type::template consumer_type<> from_;
  std::optional<typename set_type::member_type> member_;
};

template <class Memory>
void toil(const char* what, std::uint32_t rounds) {
  const weir::test::watchdog watchdog;
  const auto seed = fresh_seed(what);
  weir::test::chaos_watch::seed = seed;
  const workshop<Memory> there;
  std::vector<std::unique_ptr<worker<Memory>>> all;
  for (std::uint32_t number = 0; number < workers; ++number) {
    all.push_back(std::make_unique<worker<Memory>>(there, number, seed));
  }
  std::vector<std::thread> threads;
  for (auto& one : all) threads.emplace_back([&one, rounds] { one->work(rounds); });
  for (auto& thread : threads) thread.join();
  for (auto& one : all) one->finish();

  tally sum;
  for (const auto& one : all) {
    sum.wrong += one->sum.wrong;
    sum.handed_over += one->sum.handed_over;
    sum.adopted += one->sum.adopted;
    sum.joined += one->sum.joined;
    for (std::uint32_t index = 0; index < count; ++index) {
      sum.updates[index] += one->sum.updates[index];
    }
  }
  CHECK(sum.wrong == 0);
  CHECK(sum.adopted == sum.handed_over);
  CHECK(sum.adopted > 100);
  CHECK(there.set.reclaim(reclaim_from::all_who_are_gone).things == 0);
  const auto member = there.set.join().value();
  std::uint64_t updates = 0;
  for (std::uint32_t index = 0; index < count; ++index) {
    const auto part = member.claim(index).value();
    CHECK(part.row(0)[0] == sum.updates[index]);
    CHECK(part.version() % 2 == 0);
    updates += sum.updates[index];
  }
  CHECK(there.control.intact());
  CHECK(there.buffer.intact());
  std::fprintf(stderr, "%s: %llu updates, %u handed over, %u joined\n", what,
               static_cast<unsigned long long>(updates), sum.handed_over, sum.joined);
}

}  // namespace

TEST_CASE("no_region_is_held_by_two_threads") {
  toil<weir::native_memory>("regions", scaled(1'000'000));
  toil<chaos_memory>("regions, chaos", scaled(200'000));
}

TEST_CASE("each_region_of_a_frame_is_written_once_whoever_takes_it") {
  // Workers take what is behind; a frame is over when all versions have reached it.
  const weir::test::watchdog watchdog;
  const workshop<chaos_memory> there;
  weir::test::chaos_watch::seed = fresh_seed("frames of regions");
  const auto frames = scaled(20'000);
  std::array<std::uint32_t, workers> wrong{};
  std::array<std::uint32_t, workers> written{};
  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < workers; ++number) {
    threads.emplace_back([&, number] {
      const auto versions = there.set.versions();
      const auto member = there.set.join().value();
      for (std::uint32_t frame = 1; frame <= frames; ++frame) {
        const auto is_behind = [&](std::uint32_t index) {
          return !weir::has_reached(versions.version(index), 2 * frame);
        };
        for (;;) {
          auto part = member.claim_next_if(is_behind, number * 3);
          if (!part) break;
          part->begin_write();
          for (std::uint32_t y = 0; y < part->rows(); ++y) {
            for (auto& element : part->row(y)) wrong[number] += element++ == frame - 1 ? 0U : 1U;
          }
          wrong[number] += part->end_write() == 2 * frame ? 0U : 1U;
          ++written[number];
        }
        for (std::uint32_t index = 0; index < count; ++index) {
          while (is_behind(index)) weir::native_memory::yield();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::uint32_t total = 0;
  for (std::uint32_t number = 0; number < workers; ++number) {
    CHECK(wrong[number] == 0);
    total += written[number];
  }
  CHECK(total == count * frames);
}
