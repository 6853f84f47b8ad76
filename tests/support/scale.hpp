// SPDX-License-Identifier: MIT
/// How much of a long test runs: all of it, or a part where a sanitizer makes every step slower.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_THREAD__)
#define WEIR_TEST_SLOWDOWN 10
#elif defined(__SANITIZE_ADDRESS__)
#define WEIR_TEST_SLOWDOWN 4
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEIR_TEST_SLOWDOWN 10
#elif __has_feature(address_sanitizer)
#define WEIR_TEST_SLOWDOWN 4
#endif
#endif
#if !defined(WEIR_TEST_SLOWDOWN)
#define WEIR_TEST_SLOWDOWN 1
#endif

namespace weir::test {

[[nodiscard]] constexpr auto scaled(std::uint32_t count) noexcept -> std::uint32_t {
  return count / WEIR_TEST_SLOWDOWN;
}

}  // namespace weir::test
