// SPDX-License-Identifier: MIT
// Proved: where the kernel has no membarrier, every primitive chooses a protocol that does without, and a role
// that would have to keep `asymmetric` is `unsupported`.
// Not provable here: a kernel that really has none; a memory policy stands in for it.
#include "support/guarded_span.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/coalesce.hpp>
#include <weir/doorbell.hpp>
#include <weir/lanes.hpp>
#include <weir/latest.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/version_table.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

using weir::native_memory;
using weir::status;
using weir::wake_protocol;
using weir::test::guarded_span;

namespace {

struct no_membarrier_memory : native_memory {
  [[nodiscard]] static auto register_for_heavy_fence(bool) noexcept -> bool { return false; }
};
static_assert(weir::memory_policy<no_membarrier_memory>);

/// Formats with every protocol's choice left open, and with `asymmetric` in a process that has it; then the
/// process without it attaches.
template <template <class> class Primitive, class Options>
struct seen_without {
  using there = Primitive<no_membarrier_memory>;
  using elsewhere = Primitive<native_memory>;

  guarded_span memory;
  Options options;

  [[nodiscard]] auto chosen() const -> wake_protocol {
    return there::format(memory.bytes(), options).value().wake();
  }
  [[nodiscard]] auto attached() const -> there {
    auto asymmetric = options;
    asymmetric.wake = wake_protocol::asymmetric;
    static_cast<void>(elsewhere::format(memory.bytes(), asymmetric).value());
    return there::attach(memory.bytes()).value();
  }
};

template <class Memory>
using spsc = weir::spsc_ring<std::uint64_t, Memory>;
template <class Memory>
using mpsc = weir::mpsc_ring<std::uint64_t, Memory>;
template <class Memory>
using broadcast = weir::broadcast_ring<weir::bytes, Memory>;
template <class Memory>
using value = weir::latest<std::uint64_t, Memory>;
template <class Memory>
using keyed = weir::coalesce<std::uint64_t, Memory>;
template <class Memory>
using lanes = weir::lanes<std::uint64_t, Memory>;

}  // namespace

TEST_CASE("without_membarrier_every_primitive_chooses_the_fenced_protocol") {
  CHECK(seen_without<spsc, weir::spsc_options>{guarded_span{4096}, {}}.chosen() ==
        wake_protocol::fenced);
  CHECK(seen_without<mpsc, weir::mpsc_options>{guarded_span{8192}, {.capacity = 8}}.chosen() ==
        wake_protocol::fenced);
  CHECK(seen_without<broadcast, weir::broadcast_options>{guarded_span{8192}, {}}.chosen() ==
        wake_protocol::fenced);
  CHECK(seen_without<value, weir::latest_options>{guarded_span{8192}, {}}.chosen() ==
        wake_protocol::fenced);
  CHECK(seen_without<keyed, weir::coalesce_options>{guarded_span{8192}, {.keys = 2}}.chosen() ==
        wake_protocol::fenced);
  CHECK(seen_without<lanes, weir::lanes_options>{guarded_span{8192}, {.lanes = 2}}.chosen() ==
        wake_protocol::fenced);
}

TEST_CASE("without_membarrier_the_roles_of_an_asymmetric_primitive_are_unsupported") {
  const seen_without<spsc, weir::spsc_options> ring{guarded_span{4096}, {}};
  CHECK(ring.attached().producer().status() == status::unsupported);
  CHECK(ring.attached().consumer<weir::park>().status() == status::unsupported);
  const seen_without<mpsc, weir::mpsc_options> many{guarded_span{8192}, {.capacity = 8}};
  CHECK(many.attached().producer().status() == status::unsupported);
  CHECK(many.attached().consumer<weir::park>().status() == status::unsupported);
  const seen_without<broadcast, weir::broadcast_options> records{guarded_span{8192}, {}};
  CHECK(records.attached().writer().status() == status::unsupported);
  CHECK(records.attached().reader<weir::park>().status() == status::unsupported);
  const seen_without<value, weir::latest_options> newest{guarded_span{8192}, {}};
  CHECK(newest.attached().writer().status() == status::unsupported);
  CHECK(newest.attached().reader<weir::park>().status() == status::unsupported);
  const seen_without<keyed, weir::coalesce_options> keys{guarded_span{8192}, {.keys = 2}};
  CHECK(keys.attached().producer().status() == status::unsupported);
  CHECK(keys.attached().consumer<weir::park>().status() == status::unsupported);
  const seen_without<lanes, weir::lanes_options> bundle{guarded_span{8192}, {.lanes = 2}};
  CHECK(bundle.attached().producer().status() == status::unsupported);
  CHECK(bundle.attached().consumer<weir::park>().status() == status::unsupported);
}

TEST_CASE("without_membarrier_a_version_behind_an_asymmetric_doorbell_cannot_be_changed") {
  const guarded_span bell_memory{weir::doorbell<>::bytes_required()};
  const auto elsewhere =
      weir::doorbell<>::format(bell_memory.bytes(), {.wake = wake_protocol::asymmetric}).value();
  const guarded_span memory{weir::version_table<>::bytes_required({.slots = 2})};
  static_cast<void>(weir::version_table<>::format(memory.bytes(), {.slots = 2}, elsewhere).value());
  const auto bell = weir::doorbell<no_membarrier_memory>::attach(bell_memory.bytes()).value();
  const auto table =
      weir::version_table<no_membarrier_memory>::attach(memory.bytes(), 0, bell).value();
  CHECK(table.slot(0).status() == status::unsupported);
  CHECK(table.slot(2).status() == status::bad_layout);
  CHECK(bell.wait([] { return status::ok; }) == status::unsupported);
  CHECK(bell.wait<weir::poll>([] { return status::ok; }) == status::ok);
}
