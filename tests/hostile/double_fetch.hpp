// SPDX-License-Identifier: MIT
/// The validations that are looked at, one function for each group.
#pragma once

#include "hostile/load_watch.hpp"

namespace weir::test {

void fetch_attach(fetch_report& report);
void fetch_rings(fetch_report& report);
void fetch_values(fetch_report& report);
void fetch_buffers(fetch_report& report);

}  // namespace weir::test
