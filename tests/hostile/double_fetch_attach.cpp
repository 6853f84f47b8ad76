// SPDX-License-Identifier: MIT
// What attach() reads, and what taking a role does: no word twice.
#include "hostile/double_fetch.hpp"

#include <weir/weir.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>

namespace weir::test {
namespace {

using value = std::array<std::uint32_t, 5>;

/// Formats with the options, then attaches under observation.
template <class Type, class Options>
void attach(fetch_report& report, const char* name, std::uint64_t size, const Options& options) {
  const guarded_span memory{size};
  if (!Type::format(memory.bytes(), options)) std::abort();
  bool attached = false;
  report.check(name, memory, [&] { attached = static_cast<bool>(Type::attach(memory.bytes())); });
  if (!attached) report.fail(name, "did not attach", 0, 0);
}

void attach_rings(fetch_report& report) {
  using spsc = spsc_ring<bytes>;
  using slots = spsc_ring<value>;
  attach<spsc>(report, "attach spsc bytes", spsc::bytes_required(1024),
               spsc_options{.capacity = 1024});
  attach<slots>(report, "attach spsc slots", slots::bytes_required(16),
                spsc_options{.capacity = 16});
  const mpsc_options many{.capacity = 1024, .producers = 3};
  using mpsc = mpsc_ring<bytes>;
  using mpsc_slots = mpsc_ring<value>;
  attach<mpsc>(report, "attach mpsc bytes", mpsc::bytes_required(many), many);
  const mpsc_options few{.capacity = 16, .producers = 3};
  attach<mpsc_slots>(report, "attach mpsc slots", mpsc_slots::bytes_required(few), few);
  using lane = lanes<bytes>;
  attach<lane>(report, "attach lanes", lane::bytes_required(2, 256),
               lanes_options{.lanes = 2, .capacity = 256});
}

void attach_values(fetch_report& report) {
  using broadcast = broadcast_ring<>;
  attach<broadcast>(report, "attach broadcast", broadcast::bytes_required(256),
                    broadcast_options{.capacity = 256});
  attach<latest_bytes>(report, "attach latest", latest_bytes::bytes_required({.size = 24}),
                       latest_options{.size = 24});
  using keyed = coalesce<bytes>;
  attach<keyed>(report, "attach coalesce", keyed::bytes_required(40, 24),
                coalesce_options{.keys = 40, .max_value = 24});
  attach<doorbell<>>(report, "attach doorbell", doorbell<>::bytes_required(), doorbell_options{});
  attach<version_table<>>(report, "attach version table",
                          version_table<>::bytes_required({.slots = 300}),
                          version_table_options{.slots = 300});
}

void attach_buffers(fetch_report& report) {
  const image_options options{
      .shape = {.width = 24, .height = 16}, .cut = {.rows = 4}, .members = 3};
  using picture = image<std::uint8_t>;
  attach<picture>(report, "attach image", picture::bytes_required(options), options);
  static constexpr std::array classes{pool_class{64, 40}, pool_class{256, 5}};
  attach<buffer_pool<>>(report, "attach pool", buffer_pool<>::bytes_required({.classes = classes}),
                        pool_options{.classes = classes});
  using set = regions<std::uint8_t>;
  const regions_options parts{.shape = options.shape, .cut = options.cut, .members = 3};
  const guarded_span memory{set::bytes_required(parts)};
  std::array<std::byte, 24 * 16> buffer{};
  if (!set::format(memory.bytes(), buffer, parts)) std::abort();
  report.check("attach regions", memory, [&] {
    if (!set::attach(memory.bytes(), buffer)) std::abort();
  });
}

}  // namespace

void fetch_attach(fetch_report& report) {
  attach_rings(report);
  attach_values(report);
  attach_buffers(report);
}

}  // namespace weir::test
