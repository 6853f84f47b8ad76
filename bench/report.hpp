// SPDX-License-Identifier: MIT
/// What the suite measured: a table to read, JSON to keep.
#pragma once

#include "harness.hpp"
#include "machine.hpp"

#include <string>

namespace bench {

void print_card(const card& facts);
void print_groups(const suite& measured);
void print_claims(const suite& measured);

/// Returns  false if the file cannot be written.
[[nodiscard]] auto write_json(const std::string& path, const card& facts, const suite& measured)
    -> bool;

}  // namespace bench
