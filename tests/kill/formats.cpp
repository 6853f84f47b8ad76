// SPDX-License-Identifier: MIT
/// Whoever lays a primitive out, or attaches to one, dies: what is there is not ready, or whole.
#include "kill/scenario.hpp"
#include "support/guarded_span.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/buffer_pool.hpp>
#include <weir/coalesce.hpp>
#include <weir/image.hpp>
#include <weir/lanes.hpp>
#include <weir/latest.hpp>
#include <weir/mpsc_ring.hpp>
#include <weir/region.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/version_table.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

namespace weir::test::kills {
namespace {

using bytes_span = std::span<std::byte>;
constexpr std::uint32_t number = 0xA1B2'C3D4;

auto number_bytes() -> std::span<const std::byte> { return std::as_bytes(std::span{&number, 1}); }
auto is_number(std::span<const std::byte> found) -> bool {
  return found.size() == sizeof number && std::memcmp(found.data(), &number, sizeof number) == 0;
}

/// One record through a ring of any kind.
template <class Ring>
auto ring_works(const Ring& ring) -> bool {
  auto producer = ring.producer();
  auto consumer = ring.consumer();
  if (!producer || !consumer) return false;
  bool seen = false;
  if constexpr (requires { producer->try_write(number_bytes()); }) {
    if (producer->try_write(number_bytes()) != status::ok) return false;
    static_cast<void>(consumer->drain([&](const auto& view) { seen = is_number(view.bytes); }));
  } else {
    if (producer->try_write(std::uint64_t{number}) != status::ok) return false;
    static_cast<void>(consumer->drain([&](std::uint64_t value) { seen = value == number; }));
  }
  return seen;
}

/// Each subject: its size, format(span, tag), attach(span, tag), works(view).
template <class Ring, std::uint32_t Capacity>
struct spsc_subject {
  static auto size() { return Ring::bytes_required(Capacity); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return Ring::format(at, {.capacity = Capacity, .process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return Ring::attach(at, tag); }
  static auto works(const Ring& ring) { return ring_works(ring); }
};

template <class Ring, std::uint32_t Capacity>
struct mpsc_subject {
  static constexpr mpsc_options options{
      .capacity = Capacity, .producers = 2, .recoverable = true, .process_shared = true};
  static auto size() { return Ring::bytes_required(options); }
  static auto format(bytes_span at, std::uint32_t tag) {
    auto tagged = options;
    tagged.type_tag = tag;
    return Ring::format(at, tagged);
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return Ring::attach(at, tag); }
  static auto works(const Ring& ring) { return ring_works(ring); }
};

struct lanes_subject {
  using view = lanes<bytes>;
  static auto size() { return view::bytes_required(2, 64); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return view::format(at, {.lanes = 2, .capacity = 64, .process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& all) { return ring_works(all); }
};

struct broadcast_subject {
  using view = broadcast_ring<>;
  static auto size() { return view::bytes_required(256); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return view::format(at, {.capacity = 256, .process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& ring) -> bool {
    auto reader = ring.reader(from::newest).value();
    auto writer = ring.writer();
    std::array<std::byte, sizeof number> out{};
    return writer && writer->write(number_bytes()) == status::ok &&
           reader.read(out).outcome == status::ok && is_number(out);
  }
};

struct latest_subject {
  using view = latest<std::uint32_t>;
  static auto size() { return view::bytes_required({}); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return view::format(at, {.process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& value) -> bool {
    auto writer = value.writer();
    auto reader = value.reader().value();
    if (!writer || writer->write(number) != status::ok) return false;
    auto got = reader.read();
    return got && *got == number;
  }
};

struct coalesce_subject {
  using view = coalesce<std::uint32_t>;
  static auto size() { return view::bytes_required(40); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return view::format(at, {.keys = 40, .process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& values) -> bool {
    auto producer = values.producer();
    auto consumer = values.consumer();
    if (!producer || !consumer || producer->update(33, number) != status::ok) return false;
    bool seen = false;
    static_cast<void>(consumer->drain([&](const coalesced<std::uint32_t>& shown) {
      seen = shown.key == 33 && shown.value == number;
    }));
    return seen;
  }
};

struct versions_subject {
  using view = version_table<>;
  static auto size() { return view::bytes_required({.slots = 40}); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return view::format(at, {.slots = 40, .process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& table) -> bool {
    std::array<std::uint32_t, view::seen_words(40)> seen{};
    auto reader = table.reader(seen).value();
    reader.mark_all_seen();
    table.slot(33)->publish();
    std::uint32_t told = 0;
    reader.changed([&](std::uint32_t slot, std::uint32_t) { told += slot == 33 ? 1 : 0; });
    return told == 1;
  }
};

struct pool_subject {
  using view = buffer_pool<>;
  static constexpr std::array<pool_class, 2> classes{{{8, 3}, {40, 6}}};
  static auto size() { return view::bytes_required({.classes = classes}); }
  static auto format(bytes_span at, std::uint32_t tag) {
    return view::format(at, {.classes = classes, .process_shared = true, .type_tag = tag});
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& pool) -> bool {
    auto member = pool.join();
    if (!member) return false;
    auto got = member->allocate(40);
    return got && got->free() == status::ok;
  }
};

constexpr auto shape = geometry_of<std::uint32_t>(4, 6);

struct regions_subject {
  using view = regions<std::uint32_t>;
  static constexpr regions_options options{
      .shape = shape, .cut = bands(6), .members = 3, .process_shared = true};
  static auto control() { return static_cast<std::size_t>(view::bytes_required(options)); }
  static auto size() { return (control() + 63) / 64 * 64 + shape.bytes(); }
  static auto buffer(bytes_span at) { return at.subspan((control() + 63) / 64 * 64); }
  static auto format(bytes_span at, std::uint32_t tag) {
    auto tagged = options;
    tagged.type_tag = tag;
    return view::format(at.first(control()), buffer(at), tagged);
  }
  static auto attach(bytes_span at, std::uint32_t tag) {
    return view::attach(at.first(control()), buffer(at), tag);
  }
  static auto works(const view& set) -> bool {
    auto member = set.join();
    if (!member) return false;
    auto held = member->claim(5);
    return held && held->give_back() == status::ok;
  }
};

struct image_subject {
  using view = image<std::uint32_t>;
  static constexpr image_options options{.shape = {.width = 2, .height = 3, .element_size = 4},
                                         .cut = bands(2),
                                         .members = 3,
                                         .process_shared = true};
  static auto size() { return view::bytes_required(options); }
  static auto format(bytes_span at, std::uint32_t tag) {
    auto tagged = options;
    tagged.type_tag = tag;
    return view::format(at, tagged);
  }
  static auto attach(bytes_span at, std::uint32_t tag) { return view::attach(at, tag); }
  static auto works(const view& frames) -> bool {
    auto member = frames.join();
    auto director = frames.director();
    if (!member || !director) return false;
    for (std::uint32_t index = 0; index < 2; ++index) {
      auto band = member->claim(index);
      if (!band || band->commit() != status::ok) return false;
    }
    return director->flip() == status::ok;
  }
};

// --- scenarios

constexpr std::uint32_t old_tag = 3;
constexpr std::uint32_t new_tag = 7;

/// `Attaches`: the victim attaches; else it formats, over what was there.
template <class Subject, bool Attaches>
class layout_dies : public scenario {
 public:
  layout_dies() { static_cast<void>(Subject::format(memory_.bytes(), old_tag)); }

  void operate(stage& here) override {
    here.begin();
    if constexpr (Attaches) {
      const auto view = Subject::attach(memory_.bytes(), old_tag);
      here.end(view);
    } else {
      const auto view = Subject::format(memory_.bytes(), new_tag);
      here.must_show(1);
      here.end(view);
    }
  }

  void survive(const stage& here, const death&, verdict& found) override {
    const auto newer = Subject::attach(memory_.bytes(), new_tag);
    const auto older = Subject::attach(memory_.bytes(), old_tag);
    found.outcome(newer ? "new" : older ? "old" : name(newer.status()));
    if (newer) {
      found.whole(!Attaches && use(new_tag), "what is formatted does not work");
    } else if (older) {
      found.whole(use(old_tag), "what was there before does not work");
      found.kept(newer.status() == status::bad_layout, name(newer.status()));
    } else {
      found.moves(!Attaches && newer.status() == status::not_ready, name(newer.status()));
    }
    found.kept(newer || here.must() == 0, "what was formatted");
    found.moves(static_cast<bool>(Subject::format(memory_.bytes(), new_tag)), "a second format");
    found.moves(use(new_tag), "what a second format made does not work");
    found.whole(memory_.intact(), "bytes beside the span");
  }

 private:
  auto use(std::uint32_t tag) const -> bool {
    auto view = Subject::attach(memory_.bytes(), tag);
    return view && Subject::works(*view);
  }

  guarded_span memory_{Subject::size()};
};

template <class Subject>
void add_layout(catalog& all, const char* primitive) {
  add<layout_dies<Subject, false>>(all, effort::many, primitive, "format", "over_old");
  add<layout_dies<Subject, true>>(all, effort::many, primitive, "attach", "ready");
}

}  // namespace

void add_formats(catalog& all) {
  add_layout<spsc_subject<spsc_ring<bytes>, 64>>(all, "spsc_bytes");
  add_layout<spsc_subject<spsc_ring<std::uint64_t>, 4>>(all, "spsc_slots");
  add_layout<mpsc_subject<mpsc_ring<bytes>, 64>>(all, "mpsc_bytes");
  add_layout<mpsc_subject<mpsc_ring<std::uint64_t>, 4>>(all, "mpsc_slots");
  add_layout<lanes_subject>(all, "lanes");
  add_layout<broadcast_subject>(all, "broadcast");
  add_layout<latest_subject>(all, "latest");
  add_layout<coalesce_subject>(all, "coalesce");
  add_layout<versions_subject>(all, "versions");
  add_layout<pool_subject>(all, "pool");
  add_layout<regions_subject>(all, "regions");
  add_layout<image_subject>(all, "image");
}

}  // namespace weir::test::kills
