// SPDX-License-Identifier: MIT
#include "kill/consumers.hpp"
#include "kill/producers.hpp"

namespace weir::test::kills {

void add_spsc(catalog& all) {
  add_producers<spsc_byte_kind>(all);
  add_consumers<spsc_byte_kind>(all);
  add_producers<spsc_typed_kind>(all);
  add_consumers<spsc_typed_kind>(all);
}

}  // namespace weir::test::kills
