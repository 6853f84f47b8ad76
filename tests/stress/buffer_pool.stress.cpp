// SPDX-License-Identifier: MIT
// Proved: in these runs no buffer was ever two allocations at a time, none was lost, every stale handle was
// refused, each generation was given out once, and whenever all threads rested, each free buffer was marked.
// Not provable by running, least of all on x86: that each memory order is needed, or that no execution goes
// wrong.
#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/pattern.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"
#include "support/watchdog.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/spsc_ring.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

using weir::pool_class;
using weir::pool_descriptor;
using weir::pool_handle;
using weir::status;
using weir::test::chaos_memory;
using weir::test::guarded_span;
using weir::test::scaled;
using weir::test::seeded_random;

namespace {

constexpr std::uint32_t threads = 4;
constexpr std::array<pool_class, 3> classes{{{16, 30}, {64, 40}, {200, 10}}};
constexpr std::uint32_t buffers = 80;
constexpr std::uint32_t start_generation = 0x7FFF'E000;
constexpr std::uint32_t operations_between_rests = 10'000;

constexpr auto relaxed = std::memory_order_relaxed;

/// What the test knows of each buffer, beside the pool. It orders nothing that the pool must order: so the
/// thread sanitizer sees where the pool does not.
struct reference {
  std::atomic<std::uint32_t> holders{0};  ///< no more than there are
  std::atomic<std::uint32_t> generation{start_generation - 1};
};

struct tally {
  std::uint64_t operations = 0;
  std::uint64_t allocations = 0;
  std::uint64_t full = 0;
  std::uint64_t shared = 0;
  std::uint64_t adopted = 0;
  std::uint64_t taken_back = 0;  ///< freed by the giver before anybody adopted it
  std::uint64_t stale = 0;       ///< stale handles and descriptors that were refused
  std::uint64_t accepted = 0;    ///< and those that were not
  std::uint64_t overlaps = 0;    ///< allocations of what was held, bytes that another has written
  std::uint64_t surprises = 0;   ///< answers that nothing explains

  void add(const tally& other) {
    operations += other.operations;
    allocations += other.allocations;
    full += other.full;
    shared += other.shared;
    adopted += other.adopted;
    taken_back += other.taken_back;
    stale += other.stale;
    accepted += other.accepted;
    overlaps += other.overlaps;
    surprises += other.surprises;
  }
};

using ring_type = weir::spsc_ring<pool_descriptor>;

/// A ring from one thread to the next.
struct way {
  guarded_span memory{ring_type::bytes_required(8)};
  ring_type ring{ring_type::format(memory.bytes(), {.capacity = 8}).value()};
};

template <class Memory>
struct arena {
  using pool_type = weir::buffer_pool<Memory>;
  static constexpr weir::pool_options options{.classes = classes,
                                              .start_generation = start_generation};

  guarded_span memory{pool_type::bytes_required(options)};
  pool_type pool{pool_type::format(memory.bytes(), options).value()};
  std::array<reference, buffers> known;
  std::array<way, threads> ways;
  std::array<std::atomic<std::uint64_t>, 8> board{};  ///< handles for whoever wants to share

  /// Free buffers without a mark. Needs  nobody at work.
  [[nodiscard]] auto hidden() const -> std::uint32_t {
    const auto shape = weir::detail::pool_shape::make(classes, options.alignment).value();
    const weir::detail::pool_control<Memory> control{memory.bytes().data(), {}, shape};
    std::uint32_t count = 0;
    for (std::uint32_t index = 0; index < buffers; ++index) {
      const auto slot = control.slot(index);
      const bool marked =
          (weir::native_memory::load(slot.marks, std::memory_order_acquire) & slot.mark) != 0;
      count += slot.state().is_free() && !marked ? 1U : 0U;
    }
    return count;
  }
};

/// The content of an allocation follows from its name.
auto content_of(pool_handle handle) -> std::uint32_t {
  return handle.generation * 128 + handle.index;
}

template <class Memory>
class worker {
  using buffer_type = weir::buffer<Memory>;
  static constexpr std::uint32_t most = 25;

 public:
  worker(arena<Memory>& arena, std::uint32_t number, std::uint64_t seed)
      : arena_{arena},
        random_{seed},
        member_{arena.pool.join().value()},
        next_{arena.ways[number].ring.producer().value()},
        previous_{arena.ways[(number + threads - 1) % threads].ring.consumer().value()} {
    held_.reserve(most);
  }

  void step() {
    ++sum.operations;
    if (random_.once_in(64))
      Memory::yield();  // few cores: others in the middle of what this one does
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return allocate();
      case 4:
      case 5:
        return give_up_one();
      case 6:
      case 7:
        return hand_over();
      case 8:
      case 9:
        return adopt();
      case 10:
      case 11:
        return share();
      case 12:
        return publish();
      default:
        return try_stale();
    }
  }

  /// Takes what is still on its way, and gives everything up.
  void finish() {
    while (adopt_one()) {
    }
    while (!held_.empty()) give_up(held_.size() - 1);
  }

  tally sum;

 private:
  void allocate() {
    if (held_.size() == most) return give_up_one();
    const auto size = random_.once_in(8) ? random_.below(201) : random_.below(65);
    auto got = member_.allocate(size);
    if (!got) {
      got.status() == status::full ? ++sum.full : ++sum.surprises;
      return give_up_one();
    }
    ++sum.allocations;
    const auto handle = got->handle();
    auto& known = arena_.known[handle.index];
    sum.overlaps += known.holders.fetch_add(1, relaxed) == 0 ? 0U : 1U;
    sum.overlaps += known.generation.exchange(handle.generation, std::memory_order_release) ==
                            handle.generation - 1
                        ? 0U
                        : 1U;
    weir::test::fill_pattern(got->bytes(), content_of(handle));
    held_.push_back(std::move(got).value());
  }

  void check(const buffer_type& buffer) {
    if (!weir::test::has_pattern(buffer.bytes(), content_of(buffer.handle()))) ++sum.overlaps;
  }

  void give_up(std::size_t at) {
    check(held_[at]);
    const auto handle = held_[at].handle();
    arena_.known[handle.index].holders.fetch_sub(1, relaxed);
    if (held_[at].free() != status::ok) ++sum.surprises;
    forget(at);
    remember(handle);
  }
  void give_up_one() {
    if (!held_.empty()) give_up(some_held());
  }

  void hand_over() {
    if (held_.empty()) return;
    const auto at = some_held();
    check(held_[at]);
    auto& holders = arena_.known[held_[at].handle().index].holders;
    holders.fetch_sub(1, relaxed);
    const auto sent = held_[at].hand_over();
    if (next_.try_write(sent) != status::ok) {
      held_[at] = member_.adopt(sent).value();
      holders.fetch_add(1, relaxed);
      return;
    }
    forget(at);
    if (!random_.once_in(4) || member_.free(sent.buffer) != status::ok) return;
    ++sum.taken_back;
    // The descriptor is still on its way, and good again should this member hold the same allocation.
    renounced_[sent.buffer.index] = sent.buffer.generation;
    remember(sent.buffer);
  }

  void adopt() { static_cast<void>(adopt_one()); }
  auto adopt_one() -> bool {
    if (held_.size() == most) give_up_one();
    pool_descriptor arrived;
    if (previous_.try_read(arrived) != status::ok) return false;
    if (renounced(arrived.buffer)) return discard(arrived);
    auto got = member_.adopt(arrived);
    if (got) {
      ++sum.adopted;
      arena_.known[arrived.buffer.index].holders.fetch_add(1, relaxed);
      check(*got);
      // Whoever gave it may have shared it since; this member is no second time its holder.
      const auto again = member_.adopt(arrived).status();
      if (again != status::busy) refuse(again);
      held_.push_back(std::move(got).value());
      return true;
    }
    return discard(arrived);
  }
  auto discard(const pool_descriptor& arrived) -> bool {
    const auto outcome = member_.discard(arrived);
    if (outcome != status::ok && outcome != status::stale) ++sum.surprises;
    return true;
  }

  void publish() {
    if (held_.empty()) return;
    const auto handle = held_[some_held()].handle();
    arena_.board[random_.below(8)].store(std::uint64_t{handle.index} << 32 | handle.generation,
                                         std::memory_order_release);
  }
  void share() {
    if (held_.size() == most) return give_up_one();
    const auto word = arena_.board[random_.below(8)].load(std::memory_order_acquire);
    if (word == 0) return;
    const pool_handle handle{static_cast<std::uint32_t>(word >> 32),
                             static_cast<std::uint32_t>(word)};
    if (renounced(handle)) return;
    auto got = member_.share(handle);
    if (got) {
      ++sum.shared;
      arena_.known[handle.index].holders.fetch_add(1, relaxed);
      check(*got);
      held_.push_back(std::move(got).value());
    } else if (got.status() != status::stale && got.status() != status::busy) {
      ++sum.surprises;
    }
  }

  /// A handle that this worker gave up; the allocation is over unless somebody shared it.
  void try_stale() {
    if (old_.empty()) return;
    const auto handle = old_[random_.below(static_cast<std::uint32_t>(old_.size()))];
    if (arena_.known[handle.index].generation.load(std::memory_order_acquire) == handle.generation)
      return;
    switch (random_.below(6)) {
      case 0:
        return refuse(member_.share(handle).status());
      case 1:
        return refuse(member_.held(handle).status());
      case 2:
        return refuse(member_.free(handle));
      case 3:
        return refuse(member_.adopt({handle, random_.below(threads)}).status());
      case 4:
        return refuse(arena_.pool.version(handle).status());
      default:
        return refuse(arena_.pool.references(handle) == 0 ? status::stale : status::ok);
    }
  }
  void refuse(status outcome) { outcome == status::stale ? ++sum.stale : ++sum.accepted; }

  void forget(std::size_t at) {
    std::swap(held_[at], held_.back());
    held_.pop_back();
  }
  void remember(pool_handle handle) {
    if (old_.size() < 64) {
      old_.push_back(handle);
    } else {
      old_[random_.below(64)] = handle;
    }
  }
  [[nodiscard]] auto renounced(pool_handle handle) const -> bool {
    return renounced_[handle.index] == handle.generation;
  }
  auto some_held() -> std::size_t {
    return random_.below(static_cast<std::uint32_t>(held_.size()));
  }

  arena<Memory>& arena_;
  seeded_random random_;
  weir::pool_member<Memory> member_;
  ring_type::producer_type<> next_;
  ring_type::consumer_type<> previous_;
  std::vector<buffer_type> held_;
  std::vector<pool_handle> old_;
  std::array<std::uint32_t, buffers> renounced_{};  ///< generation of what was taken back
};

template <class Memory>
void run(const char* what, std::uint32_t operations) {
  const weir::test::watchdog watchdog;
  const auto seed = weir::test::fresh_seed(what);
  weir::test::chaos_watch::seed = seed;
  const auto there = std::make_unique<arena<Memory>>();
  std::uint32_t hidden = 0;
  std::barrier rest{threads, [&]() noexcept { hidden += there->hidden(); }};
  std::vector<worker<Memory>> workers;
  for (std::uint32_t number = 0; number < threads; ++number) {
    workers.emplace_back(*there, number, seed + number);
  }
  std::vector<std::thread> running;
  for (auto& each : workers) {
    running.emplace_back([&] {
      for (std::uint32_t step = 1; step <= operations / threads; ++step) {
        each.step();
        if (step % operations_between_rests == 0) rest.arrive_and_wait();
      }
    });
  }
  for (auto& thread : running) thread.join();
  tally sum;
  for (auto& each : workers) {
    each.finish();
    sum.add(each.sum);
  }
  std::uint32_t leaks = there->pool.for_each_held([](const auto&) {});
  std::uint32_t counted = 0;
  for (const auto& each : there->known) counted += each.holders.load(relaxed);
  CHECK(sum.operations == operations / threads * threads);
  CHECK(sum.overlaps == 0);
  CHECK(sum.accepted == 0);
  CHECK(sum.surprises == 0);
  CHECK(hidden == 0);
  CHECK(leaks == 0);
  CHECK(counted == 0);
  CHECK(sum.stale > operations / 50);
  CHECK(sum.adopted * sum.shared * sum.full * sum.taken_back != 0);
  auto member = there->pool.join().value();
  std::uint32_t found = 0;
  while (auto got = member.allocate(1)) {
    static_cast<void>(got->detach());
    ++found;
  }
  CHECK(found == buffers);
  CHECK(there->memory.intact());
  std::fprintf(
      stderr,
      "%s: %llu operations by %u threads (%llu allocations, %llu shared, %llu adopted, "
      "%llu taken back, %llu full), %llu stale handles refused, %llu accepted, "
      "%llu overlaps, %u leaks\n",
      what, static_cast<unsigned long long>(sum.operations), threads,
      static_cast<unsigned long long>(sum.allocations), static_cast<unsigned long long>(sum.shared),
      static_cast<unsigned long long>(sum.adopted), static_cast<unsigned long long>(sum.taken_back),
      static_cast<unsigned long long>(sum.full), static_cast<unsigned long long>(sum.stale),
      static_cast<unsigned long long>(sum.accepted), static_cast<unsigned long long>(sum.overlaps),
      leaks);
}

}  // namespace

TEST_CASE("four_threads_never_share_an_allocation_and_lose_none") {
  run<weir::native_memory>("buffer pool", scaled(10'000'000));
}

TEST_CASE("four_threads_that_dawdle_never_share_an_allocation_and_lose_none") {
  run<chaos_memory>("buffer pool, chaos", scaled(2'000'000));
}

TEST_CASE("what_one_holder_reads_is_read_before_the_next_allocation_is_written") {
  // Nothing but the buffer's state orders the two threads. clang's thread sanitizer sees where it does not;
  // that of g++ 12 takes every exchange for one that orders.
  const weir::test::watchdog watchdog;
  constexpr std::array<pool_class, 1> one{{{64, 1}}};
  const weir::pool_options options{.classes = one};
  const guarded_span memory{weir::buffer_pool<>::bytes_required(options)};
  std::uint32_t wrong = 0;
  for (std::uint32_t round = 1; round <= scaled(2'000); ++round) {
    const auto pool = weir::buffer_pool<>::format(memory.bytes(), options).value();
    auto reader = pool.join().value();
    auto writer = pool.join().value();
    auto first = writer.allocate(64).value();
    weir::test::fill_pattern(first.bytes(), round);
    auto shared = reader.share(first.handle()).value();
    std::atomic<bool> read{false};
    bool right = false;
    bool written = false;
    std::thread reading{[&] {
      right = weir::test::has_pattern(shared.bytes(), round);
      right = shared.free() == status::ok && right;
      read.store(true, relaxed);
    }};
    std::thread writing{[&] {
      while (!read.load(relaxed)) std::this_thread::yield();
      static_cast<void>(first.free());
      auto second = writer.allocate(64);
      written = second.status() == status::ok;
      if (written) weir::test::fill_pattern(second->bytes(), round + 1);
    }};
    reading.join();
    writing.join();
    wrong += right && written ? 0U : 1U;
  }
  CHECK(wrong == 0);
}
