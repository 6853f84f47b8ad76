// SPDX-License-Identifier: MIT
// Golden vectors of version tables, regions, pools and images.
#include "layout/vectors.hpp"
#include "support/guarded_span.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/image.hpp>
#include <weir/region.hpp>
#include <weir/version_table.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

using weir::wake_protocol;
using weir::test::content;
using weir::test::content_of;
using weir::test::fixed_process;
using weir::test::guarded_span;

template <class Memory>
auto versions() -> content {
  using table_type = weir::version_table<Memory>;
  constexpr weir::version_table_options options{
      .slots = 129,  // the smallest table with counters beside the root
      .wake = wake_protocol::fenced,
      .process_shared = true,
      .type_tag = 0x0123'4567,
      .start_version = 0U - 2,
      .start_counter = 0U - 4};
  const guarded_span memory{table_type::bytes_required(options)};
  auto table = table_type::format(memory.bytes(), options).value();
  for (const std::uint32_t number : {0U, 31U, 32U, 128U}) table.slot(number).value().publish();
  auto slot = table.slot(5).value();
  slot.begin();
  static_cast<void>(slot.end());
  table.slot(6).value().begin();  // as a dead writer would leave it
  return content_of(memory);
}

template <class Memory>
auto padded_versions() -> content {
  using table_type = weir::version_table<Memory>;
  constexpr weir::version_table_options options{
      .slots = 3, .padded = true, .wake = wake_protocol::none};
  const guarded_span memory{table_type::bytes_required(options)};
  auto table = table_type::format(memory.bytes(), options).value();
  table.slot(2).value().publish();
  return content_of(memory);
}

template <class Memory>
auto divided() -> content {
  using regions_type = weir::regions<std::uint16_t, Memory>;
  constexpr weir::regions_options options{
      .shape = {.width = 5, .height = 7, .planes = 2, .element_size = 2, .row_stride = 12},
      .cut = {.rows = 3, .slabs = 2},
      .members = 5,
      .wake = wake_protocol::fenced,
      .process_shared = true,
      .type_tag = 7};
  const guarded_span memory{regions_type::bytes_required(options)};
  const guarded_span elements{256};
  auto set = regions_type::format(memory.bytes(), elements.bytes(), options).value();
  auto first = set.join().value();
  auto second = set.join().value();
  {
    auto done = first.claim(1).value();
    done.begin_write();
    done.end_write();
  }
  auto held = second.claim(1).value();
  held.begin_write();
  const auto descriptor = first.claim(4).value().hand_over();
  const auto adopted = second.adopt(descriptor).value();
  return content_of(memory);
}

template <class Memory>
auto pooled() -> content {
  using pool_type = weir::buffer_pool<Memory>;
  constexpr std::array<weir::pool_class, 2> classes{{{.size = 12, .count = 2}, {40, 33}}};
  const weir::pool_options options{.classes = classes,
                                   .alignment = 8,
                                   .process_shared = true,
                                   .type_tag = 7,
                                   .start_generation = 0xFFFF'FFFE};
  const guarded_span memory{pool_type::bytes_required(options)};
  auto pool = pool_type::format(memory.bytes(), options).value();
  auto first = pool.join().value();
  auto second = pool.join().value();
  static_cast<void>(first.allocate(9).value().free());
  auto held = first.allocate(10).value();
  held.set_metadata(0, 1920);
  held.set_metadata(3, 0xC0DE'C0DE);
  const std::array<std::byte, 10> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  static_cast<void>(held.write(bytes));
  const auto shared = second.share(held.handle()).value();
  const auto moved = second.adopt(first.allocate(40).value().hand_over()).value();
  return content_of(memory);
}

template <class Memory>
auto framed() -> content {
  using image_type = weir::image<std::uint8_t, Memory>;
  constexpr weir::image_options options{.shape = {.width = 6, .height = 5},
                                        .cut = weir::bands(2),
                                        .members = 3,
                                        .wake = wake_protocol::fenced,
                                        .process_shared = true,
                                        .type_tag = 7,
                                        .start_frame = 0x7FFF'FFFF};
  const guarded_span memory{image_type::bytes_required(options)};
  auto image = image_type::format(memory.bytes(), options).value();
  auto member = image.join().value();
  auto director = image.director().value();
  while (auto band = member.claim_next()) {
    for (std::uint32_t y = 0; y < band->rows(); ++y) band->row(y)[y] = 0xEE;
    static_cast<void>(band->commit());
  }
  static_cast<void>(director.flip());
  const auto view = member.view().value();
  const auto band = member.claim(1).value();
  return content_of(memory);
}

}  // namespace

auto weir::test::buffer_vectors() -> std::vector<golden_vector> {
  return {
      {"version_table.bin", versions<fixed_process>(), versions<plain_memory>()},
      {"version_table_padded.bin", padded_versions<fixed_process>(),
       padded_versions<plain_memory>()},
      {"regions.bin", divided<fixed_process>(), divided<plain_memory>()},
      {"buffer_pool.bin", pooled<fixed_process>(), pooled<plain_memory>()},
      {"image.bin", framed<fixed_process>(), framed<plain_memory>()},
  };
}
