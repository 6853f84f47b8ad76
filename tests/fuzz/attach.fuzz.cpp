// SPDX-License-Identifier: MIT
// Proved of the inputs run: whatever lies in a span, and however it changes under the reader, attach() of every
// kind ends with a view, not_ready or bad_layout, within a bound, and touches nothing beyond the span; what is
// done with such a view stays within the span, too. What format() wrote and nobody changed is accepted.
// Not provable here: other inputs; spans of more than 24 KiB.
#include "fuzz/attach_target.hpp"
#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/rings.hpp"

#include <weir/weir.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace weir::fuzz {
namespace {

arena memory;

/// One record in, whatever is there out.
template <class Kind, class Ring>
void use_ring(Ring& ring, input& bytes) {
  static_cast<void>(ring.statistics());
  static_cast<void>(ring.closed());
  auto producer = ring.producer();
  is_role(producer);
  if (producer) {
    auto claimed = [&] {
      if constexpr (Kind::framed) return producer->try_claim(bytes.byte());
      if constexpr (!Kind::framed) return producer->try_claim();
    }();
    require(lies_in(claimed.bytes(), 0, here.shared.size()), "a claim outside the span");
    claimed.commit();
  }
  auto consumer = ring.consumer();
  is_role(consumer);
  if (!consumer) return;
  static_cast<void>(consumer->drain([](const auto& record) {
    if constexpr (Kind::framed) {
      require(lies_in(record.bytes, 0, here.shared.size()), "a record outside the span");
    }
  }));
}

template <class Kind>
void try_ring(input& bytes) {
  using ring = typename Kind::ring;
  ring_shape shape;
  static_cast<void>(Kind::format(memory, bytes, shape));
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return ring::attach(span); },
                [&](ring& found) {
                  if constexpr (Kind::many) {
                    holds(ring::bytes_required({.capacity = found.capacity(),
                                                .producers = found.producers(),
                                                .max_record = found.max_record()}));
                  } else {
                    holds(ring::bytes_required(found.capacity()));
                  }
                  use_ring<Kind>(found, bytes);
                });
}

/// A ring, or a table, beside the doorbell that it was formatted with.
void try_doorbell(input& bytes) {
  using bell_type = doorbell<fuzz_memory>;
  using ring = spsc_bytes::ring;
  constexpr auto front = static_cast<std::size_t>(bell_type::bytes_required());
  const auto shared = memory.begin(bytes, front + ring::bytes_required(64));
  const auto wake = bytes.wake();
  const auto bell =
      bell_type::format(shared, {.wake = wake, .process_shared = bytes.flag()}).value();
  static_cast<void>(ring::format(shared.subspan(front),
                                 {.capacity = 64, .process_shared = bell.process_shared()}, bell)
                        .value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return bell_type::attach(span); },
                [&](bell_type& found) {
                  holds(front);
                  found.ring();
                  const auto look = [] { return status::empty; };
                  static_cast<void>(found.wait<short_park>(look, soon()));
                  if (span.size() < front) return;
                  auto beside = ring::attach(span.subspan(front), 0, found);
                  if (beside) use_ring<spsc_bytes>(*beside, bytes);
                });
}

void try_lanes(input& bytes) {
  using type = lanes<weir::bytes, fuzz_memory>;
  const auto count = 1 + bytes.below(4);
  const auto shared = memory.begin(bytes, type::bytes_required(count, 64));
  static_cast<void>(
      type::format(shared, {.lanes = count, .capacity = 64, .wake = bytes.wake()}).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  holds(type::bytes_required(found.lane_count(), found.capacity()));
                  auto producer = found.producer();
                  if (producer.status() != status::closed) is_role(producer);
                  auto consumer = found.consumer();
                  is_role(consumer);
                  if (consumer) static_cast<void>(consumer->drain([](const auto&) {}));
                  static_cast<void>(found.lane(bytes.byte()));
                  found.close();
                });
}

void try_coalesce(input& bytes) {
  using type = coalesce<weir::bytes, fuzz_memory>;
  const auto keys = 1 + bytes.below(70);
  const auto size = 1 + bytes.below(40);
  const auto shared = memory.begin(bytes, type::bytes_required(keys, size));
  static_cast<void>(
      type::format(shared, {.keys = keys, .max_value = size, .wake = bytes.wake()}).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  holds(type::bytes_required(found.keys(), found.max_value()));
                  auto producer = found.producer();
                  is_role(producer);
                  if (producer) static_cast<void>(producer->update(bytes.byte(), {}));
                  auto consumer = found.consumer();
                  is_role(consumer);
                  if (!consumer) return;
                  static_cast<void>(consumer->drain([&](const auto& shown) {
                    require(lies_in(shown.value, 0, span.size()), "a value outside the span");
                  }));
                });
}

void try_broadcast(input& bytes) {
  using type = broadcast_ring<weir::bytes, fuzz_memory>;
  const auto shared = memory.begin(bytes, type::bytes_required(256));
  static_cast<void>(type::format(shared, {.capacity = 256, .wake = bytes.wake()}).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  holds(type::bytes_required(found.capacity()));
                  auto writer = found.writer();
                  is_role(writer);
                  if (writer) static_cast<void>(writer->write({}));
                  std::array<std::byte, 64> out;
                  static_cast<void>(found.reader().value().read(out));
                });
}

template <class T>
void try_latest(input& bytes) {
  using type = latest<T, fuzz_memory>;
  const auto flags = bytes.byte();
  constexpr bool typed = !std::is_same_v<T, weir::bytes>;
  const latest_options options{.size = typed ? 0 : 1 + bytes.below(100),
                               .buffers = 1 + (flags >> 3 & 7),
                               .wide_version = (flags & 4) != 0,
                               .wake = static_cast<wake_protocol>(flags & 3)};
  const auto shared = memory.begin(bytes, type::bytes_required(options));
  static_cast<void>(type::format(shared, options).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  holds(type::bytes_required({.size = found.size(), .buffers = found.buffers()}));
                  auto writer = found.writer();
                  is_role(writer);
                  auto reader = found.reader().value();
                  if constexpr (typed) {
                    if (writer) static_cast<void>(writer->write(T{}));
                    static_cast<void>(reader.read());
                  } else {
                    if (writer) static_cast<void>(writer->write({}));
                    std::vector<std::byte> out(found.size());
                    static_cast<void>(reader.read(out));
                  }
                });
}

void try_version_table(input& bytes) {
  using type = version_table<fuzz_memory>;
  const version_table_options options{.slots = 1 + bytes.below(600), .padded = bytes.byte() > 0xF0};
  const auto size = type::bytes_required(options);
  if (size > arena::size) return;
  const auto shared = memory.begin(bytes, size);
  static_cast<void>(type::format(shared, options).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  holds(type::bytes_required({.slots = found.slots(), .padded = found.padded()}));
                  std::vector<std::uint32_t> seen(type::seen_words(found.slots()));
                  found.slot(found.slots() - 1).value().publish();
                  auto reader = found.reader(seen).value();
                  const auto changes =
                      reader.changed([&](std::uint32_t slot, std::uint32_t version) {
                        require(slot < found.slots() && version % 2 == 0, "a version that is none");
                      });
                  require(changes <= found.slots(), "more changes than versions");
                });
}

void try_regions(input& bytes) {
  using type = regions<std::uint32_t, fuzz_memory>;
  static std::array<std::uint32_t, 256> elements;
  const auto buffer = std::as_writable_bytes(std::span{elements});
  const regions_options options{.shape = geometry_of<std::uint32_t>(1 + bytes.below(16), 16),
                                .cut = bands(1 + bytes.below(16)),
                                .members = 1 + bytes.below(255)};
  const auto shared = memory.begin(bytes, type::bytes_required(options));
  static_cast<void>(type::format(shared, buffer, options).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span, buffer); },
                [&](type& found) {
                  require(found.shape().bytes() <= buffer.size(), "a shape larger than the buffer");
                  auto member = found.join();
                  is_role(member);
                  if (!member) return;
                  auto taken = member->claim_next(bytes.byte());
                  if (taken) {
                    for (auto& each : taken->row(taken->rows() - 1)) each = 1;
                  }
                });
}

void try_image(input& bytes) {
  using type = image<std::uint32_t, fuzz_memory>;
  const image_options options{.shape = geometry_of<std::uint32_t>(1 + bytes.below(16), 16),
                              .cut = bands(1 + bytes.below(16)),
                              .members = 1 + bytes.below(31)};
  const auto shared = memory.begin(bytes, type::bytes_required(options));
  static_cast<void>(type::format(shared, options).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  auto member = found.join();
                  is_role(member);
                  if (!member) return;
                  auto band = member->claim_next(bytes.byte());
                  if (!band) return;
                  const auto row = std::as_bytes(band->row(band->rows() - 1));
                  require(lies_in(row, 0, span.size()), "a band outside the span");
                  band->commit();
                });
}

void try_pool(input& bytes) {
  using type = buffer_pool<fuzz_memory>;
  const std::array<pool_class, 2> classes{pool_class{1 + bytes.below(64), 1 + bytes.below(40)},
                                          pool_class{65 + bytes.below(64), 1 + bytes.below(8)}};
  const pool_options options{.classes = classes, .alignment = 8U << bytes.below(4)};
  const auto shared = memory.begin(bytes, type::bytes_required(options));
  static_cast<void>(type::format(shared, options).value());
  attach_target changed{memory, bytes};
  const auto span = changed.spoil();
  changed.judge([&] { return type::attach(span); },
                [&](type& found) {
                  for (std::uint32_t at = 0; at < found.class_count(); ++at) {
                    static_cast<void>(found.usage(at));
                  }
                  auto member = found.join();
                  is_role(member);
                  if (!member) return;
                  auto held = member->allocate(bytes.byte());
                  if (held)
                    require(lies_in(held->bytes(), 0, span.size()), "a buffer outside the span");
                });
}

}  // namespace
}  // namespace weir::fuzz

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  using namespace weir::fuzz;
  input bytes{{data, size}};
  constexpr void (*trials[])(input&) = {try_ring<spsc_bytes>,
                                        try_ring<spsc_slots>,
                                        try_ring<mpsc_bytes>,
                                        try_ring<mpsc_slots>,
                                        try_doorbell,
                                        try_lanes,
                                        try_coalesce,
                                        try_broadcast,
                                        try_latest<slot_value>,
                                        try_latest<weir::bytes>,
                                        try_version_table,
                                        try_regions,
                                        try_image,
                                        try_pool};
  do {
    trials[bytes.byte() % std::size(trials)](bytes);
  } while (bytes.more());
  return 0;
}
