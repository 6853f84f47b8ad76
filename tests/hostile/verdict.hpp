// SPDX-License-Identifier: MIT
/// What a victim's calls answered, and what must not have happened.
#pragma once

#include "hostile/scribbler.hpp"
#include "support/guarded_span.hpp"
#include "support/random.hpp"
#include "support/watchdog.hpp"

#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>

namespace weir::test {

/// Real words; made-up processes, every third of which is dead.
struct scribbled_memory : native_memory {
  [[nodiscard]] static auto self() noexcept -> std::uint32_t { return 1; }
  [[nodiscard]] static auto start_of(std::uint32_t) noexcept -> std::uint32_t { return 1; }
  [[nodiscard]] static auto alive(std::uint32_t id, std::uint32_t) noexcept -> bool {
    return id % 3 != 0;
  }
};
static_assert(memory_policy<scribbled_memory>);

/// The statuses that a call documents, a bit each.
template <class... Status>
[[nodiscard]] constexpr auto one_of(Status... outcomes) noexcept -> std::uint32_t {
  return ((1U << static_cast<std::uint32_t>(outcomes)) | ...);
}
inline constexpr auto attach_says = one_of(status::ok, status::not_ready, status::bad_layout);
inline constexpr auto role_says =
    one_of(status::ok, status::busy, status::full, status::unsupported, status::corrupt);

/// A wait that may sleep, briefly.
using short_park = park_after<16>;
[[nodiscard]] inline auto soon() noexcept -> deadline {
  return native_memory::now() + std::chrono::microseconds{50};
}

class verdicts {
 public:
  explicit verdicts(const char* name) noexcept : name_{name} {}

  /// Counts the outcome of a call. Returns  it.
  auto saw(const char* call, status outcome, std::uint32_t documented) noexcept -> status {
    const auto number = static_cast<std::uint32_t>(outcome);
    ++calls_;
    if (number >= seen_.size()) {
      fail(call, "a status that there is not");
      return outcome;
    }
    ++seen_[number];
    if ((documented & 1U << number) == 0) {
      const auto said = weir::name(outcome);
      std::snprintf(text_.data(), text_.size(), "undocumented status %.*s",
                    static_cast<int>(said.size()), said.data());
      fail(call, text_.data());
    }
    return outcome;
  }

  /// Bytes that a call handed out lie where they may.
  void inside(const char* call, std::span<const std::byte> bytes,
              std::span<const std::byte> where) noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(bytes.data());
    const auto start = reinterpret_cast<std::uintptr_t>(where.data());
    const bool fits = first >= start && bytes.size() <= where.size() &&
                      first - start <= where.size() - bytes.size();
    if (!fits) fail(call, "bytes outside the span");
  }

  void expect(const char* call, bool holds, const char* otherwise) noexcept {
    if (!holds) fail(call, otherwise);
  }

  void count() noexcept { ++calls_; }
  void fail(const char* call, const char* why) noexcept {
    if (failures_++ < 10) std::fprintf(stderr, "%s: %s: %s\n", name_, call, why);
  }
  [[nodiscard]] auto failures() const noexcept -> std::uint64_t { return failures_; }

  void print(std::uint32_t thousands_written) const {
    std::printf("%-22s %9llu calls, %7u k hostile words:", name_,
                static_cast<unsigned long long>(calls_), thousands_written);
    for (std::uint32_t number = 0; number < seen_.size(); ++number) {
      if (seen_[number] == 0) continue;
      const auto said = weir::name(static_cast<status>(number));
      std::printf(" %.*s %llu", static_cast<int>(said.size()), said.data(),
                  static_cast<unsigned long long>(seen_[number]));
    }
    std::printf("\n");
  }

 private:
  const char* name_;
  std::uint64_t calls_ = 0;
  std::uint64_t failures_ = 0;
  std::array<std::uint64_t, 18> seen_{};
  std::array<char, 64> text_{};
};

/// What every victim has: the span under attack, random choices, verdicts.
struct scene {
  const guarded_span& memory;
  seeded_random random;
  verdicts& seen;

  [[nodiscard]] auto span() const noexcept -> std::span<std::byte> { return memory.bytes(); }
};

/// A handle's own stickiness: once corrupt, for good.
class sticky_corrupt {
 public:
  /// `exempt`: the outcome says nothing about the handle.
  void judge(verdicts& seen, const char* call, status outcome, bool exempt = false) noexcept {
    if (exempt) return;
    seen.expect(call, !corrupt_ || outcome == status::corrupt, "corrupt did not stay");
    corrupt_ = corrupt_ || outcome == status::corrupt;
    if (corrupt_) ++since_;
  }
  /// Enough was seen of it.
  [[nodiscard]] auto is_over() const noexcept -> bool { return since_ > 6; }
  void reset() noexcept { *this = {}; }

 private:
  bool corrupt_ = false;
  std::uint32_t since_ = 0;
};

/// A buffer of the caller's, for calls that copy out: nothing behind the size that was asked for changes.
class guarded_out {
 public:
  explicit guarded_out(std::uint32_t size) noexcept : size_{std::min(size, most)} {
    bytes_.fill(mark);
  }
  [[nodiscard]] auto span() noexcept -> std::span<std::byte> {
    return std::span{bytes_}.first(size_);
  }
  void check(verdicts& seen, const char* call) const noexcept {
    const bool kept = std::all_of(bytes_.begin() + size_, bytes_.end(),
                                  [](std::byte byte) { return byte == mark; });
    seen.expect(call, kept, "wrote behind the caller's buffer");
  }
  static constexpr std::uint32_t most = 512;

 private:
  static constexpr std::byte mark{0xC3};
  std::uint32_t size_;
  std::array<std::byte, most + 64> bytes_;
};

/// Lets a victim live under fire for a while. Returns  true if it stood the test.
///
/// Victim: name, span_size, data_offset; made of a scene; restart(), step(), is_over().
template <class Victim>
auto hold_out(double seconds) -> bool {
  const watchdog limit{static_cast<unsigned>(seconds) + 200};
  const auto seed = fresh_seed(Victim::name);
  const guarded_span memory{Victim::span_size};
  verdicts seen{Victim::name};
  {
    scribbler peer{memory, Victim::data_offset, seed};
    Victim victim{scene{memory, seeded_random{seed + 1}, seen}};
    seeded_random random{seed + 2};
    const auto until = native_memory::now() + std::chrono::duration_cast<deadline::duration>(
                                                  std::chrono::duration<double>{seconds});
    while (native_memory::now() < until) {
      peer.set_quiet(true);
      victim.restart();
      peer.set_quiet(false);
      for (auto steps = random.below(1U << random.below(12)); steps != 0; --steps) {
        if (random.once_in(16)) dawdle(random.below(1U << random.below(10)));  // the other's turn
        victim.step();
        if (victim.is_over()) break;
      }
    }
    seen.print(peer.thousands());
    seen.expect("the other process", peer.lives(), "it ended before its time");
  }
  seen.expect("the span", memory.intact(), "somebody wrote beside it");
  std::fflush(stdout);
  return seen.failures() == 0;
}

}  // namespace weir::test
