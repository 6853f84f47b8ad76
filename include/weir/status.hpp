// SPDX-License-Identifier: MIT
/// Outcomes: one enumeration for the whole library, with the same numbers in every language.
#pragma once

#include <weir/contract.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace weir {

/// Why an operation ended. The numbers are part of the wire format's contract: append, never renumber.
enum class status : std::uint32_t {
  ok,           ///< done
  full,         ///< no room now; may change at once
  empty,        ///< nothing to read now; may change at once
  closed,       ///< a side has closed: nothing more will come, or nobody will read
  timed_out,    ///< the deadline passed first
  stopped,      ///< the caller's stop word was set
  would_block,  ///< the operation would have to wait, and may not here
  too_large,    ///< more bytes than the record limit, or than the caller's buffer
  stale,        ///< the handle, claim or descriptor refers to something that is over
  torn,         ///< a value was being overwritten on every attempt
  lost,         ///< overwritten before it was read
  pending,      ///< claimed by a live producer, not committed yet
  busy,         ///< somebody else, alive, holds it
  corrupt,      ///< the peer wrote what no peer may write; sticky
  bad_layout,   ///< the span or the options cannot hold, or do not hold, this primitive
  not_ready,    ///< nobody has finished formatting this span
  unsupported,  ///< this side cannot honor what the format asks for
  peer_dead,    ///< the other side has died
};

/// The enumerator's own spelling, for messages. "unknown" for a number that is none.
[[nodiscard]] constexpr auto name(status outcome) noexcept -> std::string_view {
  constexpr std::array<std::string_view, 18> names{
      "ok",          "full",      "empty",      "closed",    "timed_out",   "stopped",
      "would_block", "too_large", "stale",      "torn",      "lost",        "pending",
      "busy",        "corrupt",   "bad_layout", "not_ready", "unsupported", "peer_dead"};
  const auto index = static_cast<std::size_t>(outcome);
  return index < names.size() ? names[index] : "unknown";
}

/// A T, or the status that says why there is none.
template <class T>
class [[nodiscard]] result {
 public:
  constexpr result(T value) noexcept : value_{std::move(value)} {}

  /// Needs  `why` is not ok: an ok result has a value.
  constexpr result(weir::status why) noexcept : status_{why} {
    WEIR_EXPECTS(why != weir::status::ok);
  }

  [[nodiscard]] constexpr explicit operator bool() const noexcept { return value_.has_value(); }
  [[nodiscard]] constexpr auto status() const noexcept -> weir::status { return status_; }

  /// Needs  a value. Without one the program ends here, contract checks or not: there are no exceptions.
  [[nodiscard]] constexpr auto value() & noexcept -> T& { return *checked(); }
  [[nodiscard]] constexpr auto value() && noexcept -> T { return std::move(*checked()); }

  /// Needs  a value.
  [[nodiscard]] constexpr auto operator*() noexcept -> T& { return *value_; }
  [[nodiscard]] constexpr auto operator->() noexcept -> T* { return &*value_; }

 private:
  constexpr auto checked() noexcept -> std::optional<T>& {
    if (!value_) __builtin_trap();
    return value_;
  }

  std::optional<T> value_;
  weir::status status_ = weir::status::ok;
};

}  // namespace weir
