// SPDX-License-Identifier: MIT
#include "kill/consumers.hpp"
#include "kill/producers.hpp"

namespace weir::test::kills {

void add_lanes(catalog& all) {
  add_producer<lanes_kind, role_operation>(all, "join", slow);
  add_producer<lanes_kind, write_operation>(all, "write", composed);
  add_consumer<lanes_kind, drain_operation>(all, "drain", composed);
  add_consumer<lanes_kind, reader_role_operation>(all, "take_consumer", slow);
}

}  // namespace weir::test::kills
