// SPDX-License-Identifier: MIT
/// From Weir's statuses to exceptions, for programs that use them.
#pragma once

#include <weir/status.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace example {

[[noreturn]] inline void fail(const char* what, weir::status why) {
  throw std::runtime_error{what + (": " + std::string{weir::name(why)})};
}

inline void require_ok(weir::status outcome, const char* what) {
  if (outcome != weir::status::ok) fail(what, outcome);
}

/// The value; throws the reason why there is none.
template <class T>
[[nodiscard]] auto required(weir::result<T> found, const char* what) -> T {
  if (!found) fail(what, found.status());
  return std::move(found).value();
}

}  // namespace example
