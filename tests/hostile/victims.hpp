// SPDX-License-Identifier: MIT
/// The list of victims, one translation unit for each kind.
#pragma once

#include "hostile/verdict.hpp"

#include <span>

namespace weir::test {

struct victim_entry {
  const char* name;
  auto (*hold_out)(double seconds) -> bool;
};

template <class Victim>
[[nodiscard]] constexpr auto entry_of() noexcept -> victim_entry {
  return {Victim::name, &hold_out<Victim>};
}

[[nodiscard]] auto ring_victims() -> std::span<const victim_entry>;
[[nodiscard]] auto value_victims() -> std::span<const victim_entry>;
[[nodiscard]] auto version_victims() -> std::span<const victim_entry>;
[[nodiscard]] auto buffer_victims() -> std::span<const victim_entry>;
[[nodiscard]] auto pool_victims() -> std::span<const victim_entry>;

}  // namespace weir::test
