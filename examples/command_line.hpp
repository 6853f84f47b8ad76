// SPDX-License-Identifier: MIT
/// What the examples share: options in, one line of complaint out.
#pragma once

#include <CLI/CLI.hpp>

#include <bit>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <system_error>

#include <unistd.h>

namespace example {

/// One line on standard error, in place of a progress line that may stand there.
inline void complain(const char* program, const char* what) noexcept {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  std::fprintf(stderr, "%s%s: %s\n", terminal ? "\r\033[K" : "", program, what);
}

/// Runs `body` (-> exit status). What it throws becomes a complaint and the exit status 1.
template <class Body>
[[nodiscard]] auto guarded(const char* program, Body&& body) noexcept -> int {
  try {
    return body();
  } catch (const std::exception& failure) {
    complain(program, failure.what());
    return 1;
  }
}

/// Returns  nothing: go on; else the exit status to end with.
[[nodiscard]] inline auto parse(CLI::App& program, int argc, char** argv) -> std::optional<int> {
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    if (stop.get_exit_code() == 0) return program.exit(stop);  // --help
    complain(program.get_name().c_str(), stop.what());
    return 1;
  }
  return std::nullopt;
}

/// The sizes that a ring can have, at least `smallest`.
[[nodiscard]] inline auto power_of_two_from(std::uint32_t smallest) -> CLI::Validator {
  constexpr std::uint32_t largest = 1U << 31;
  const auto problem =
      "must be a power of two from " + std::to_string(smallest) + " to " + std::to_string(largest);
  return CLI::Validator{[=](const std::string& text) -> std::string {
                          std::uint32_t value = 0;
                          const auto* end = text.data() + text.size();
                          const auto parsed = std::from_chars(text.data(), end, value);
                          const bool good = parsed.ec == std::errc{} && parsed.ptr == end &&
                                            std::has_single_bit(value) && value >= smallest;
                          return good ? "" : problem;
                        },
                        "BYTES"};
}

}  // namespace example
