// SPDX-License-Identifier: MIT
// The header that every primitive begins with: whoever attaches meanwhile finds nothing yet, or all of it.
// Bounds: one that formats, one that attaches, once each; every execution.
#include "model/scenario.hpp"

#include <weir/latest.hpp>
#include <weir/version_table.hpp>

#include <cstdint>

namespace {

using namespace weir;
using model::model_memory;

/// What comes out is what was formatted, or that it is not ready.
void latest_is_attached(model::run& run) {
  using cell = latest<std::uint32_t, model_memory, uncounted>;
  const latest_options options{.buffers = 2, .wake = wake_protocol::fenced, .start_version = 6};
  const auto bytes = run.bytes(cell::bytes_required(options));
  run.thread("formats", [&] {
    run.check(cell::format(bytes, options).status() == status::ok, "it can be formatted");
  });
  run.thread("attaches", [&] {
    auto found = cell::attach(bytes);
    if (found.status() == status::not_ready) return;
    run.check(found.status() == status::ok, "all of the header is there");
    run.check(found->writer().value().version() == 6, "and all that lies behind it");
  });
  static_cast<void>(run.go());
}

void versions_are_attached(model::run& run) {
  using table = version_table<model_memory>;
  const version_table_options options{
      .slots = 1, .wake = wake_protocol::none, .start_version = 6, .start_counter = 8};
  const auto bytes = run.bytes(table::bytes_required(options));
  run.thread("formats", [&] {
    run.check(table::format(bytes, options).status() == status::ok, "it can be formatted");
  });
  run.thread("attaches", [&] {
    auto found = table::attach(bytes);
    if (found.status() == status::not_ready) return;
    run.check(found.status() == status::ok, "all of the header is there");
    run.check(found->version(0) == 6, "and all that lies behind it");
  });
  static_cast<void>(run.go());
}

constexpr model::scenario scenarios[] = {
    {"header: whoever attaches finds all of latest, or nothing yet", latest_is_attached},
    {"header: whoever attaches finds all of version_table, or nothing yet", versions_are_attached},
};

}  // namespace

int main(int argc, char** argv) { return model::run_all(argc, argv, scenarios); }
