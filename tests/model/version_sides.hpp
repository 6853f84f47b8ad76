// SPDX-License-Identifier: MIT
/// Tables of versions in the model.
#pragma once

#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/version_table.hpp>

#include <cstdint>

namespace weir::model {

using word = std::uint32_t;
using table = version_table<model_memory>;
using table_slot = table::slot_type;

inline constexpr word below_2_31 = 0x8000'0000 - 2;
inline constexpr word below_2_32 = 0U - 2;

/// Nobody sleeps unless the options say so.
[[nodiscard]] inline auto make(run& one, version_table_options options) -> table {
  if (!options.wake) options.wake = wake_protocol::none;
  return table::format(one.bytes(table::bytes_required(options)), options).value();
}

/// Waits until the first thread has ended or died.
inline void await_end(word& ended) {
  while (model_memory::load(&ended, std::memory_order_acquire) == 0 &&
         model_memory::alive(first_process + 1, 1)) {
    model_memory::pause();
  }
}

}  // namespace weir::model
