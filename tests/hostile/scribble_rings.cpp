// SPDX-License-Identifier: MIT
// Rings under fire.
#include "hostile/ring_victims.hpp"
#include "hostile/victims.hpp"

namespace weir::test {

auto ring_victims() -> std::span<const victim_entry> {
  static constexpr victim_entry entries[] = {entry_of<ring_victim<spsc_bytes_kind, true>>(),
                                             entry_of<ring_victim<spsc_bytes_kind, false>>(),
                                             entry_of<ring_victim<spsc_slots_kind, true>>(),
                                             entry_of<ring_victim<spsc_slots_kind, false>>(),
                                             entry_of<ring_victim<mpsc_bytes_kind, true>>(),
                                             entry_of<ring_victim<mpsc_bytes_kind, false>>(),
                                             entry_of<ring_victim<mpsc_slots_kind, true>>(),
                                             entry_of<ring_victim<mpsc_slots_kind, false>>(),
                                             entry_of<ring_victim<lanes_kind, true>>(),
                                             entry_of<ring_victim<lanes_kind, false>>()};
  return entries;
}

}  // namespace weir::test
