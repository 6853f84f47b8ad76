// SPDX-License-Identifier: MIT
/// Random numbers that can be had again: every run prints its seed, WEIR_TEST_SEED repeats it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace weir::test {

/// The seed of this run, printed with the name of what it seeds.
inline auto fresh_seed(const char* what) -> std::uint64_t {
  std::uint64_t seed = 0;
  if (const char* const given = std::getenv("WEIR_TEST_SEED")) {
    seed = std::strtoull(given, nullptr, 0);
  } else {
    std::random_device device;
    seed = (std::uint64_t{device()} << 32) | device();
  }
  std::fprintf(stderr, "%s: WEIR_TEST_SEED=0x%016llx\n", what,
               static_cast<unsigned long long>(seed));
  return seed;
}

/// splitmix64: one addition and three xor-multiplies. Source: Steele, Lea, Flood 2014.
class seeded_random {
 public:
  explicit constexpr seeded_random(std::uint64_t seed) noexcept : state_{seed} {}

  constexpr auto next() noexcept -> std::uint32_t {
    state_ += 0x9E37'79B9'7F4A'7C15;
    auto mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EB;
    return static_cast<std::uint32_t>((mixed ^ (mixed >> 31)) >> 16);
  }

  /// In [0, limit). Needs  limit != 0.
  constexpr auto below(std::uint32_t limit) noexcept -> std::uint32_t {
    return static_cast<std::uint32_t>(std::uint64_t{next()} * limit >> 32);
  }

  /// True once in `times`, on average.
  constexpr auto once_in(std::uint32_t times) noexcept -> bool { return below(times) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace weir::test
