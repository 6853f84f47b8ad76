// SPDX-License-Identifier: MIT
/// What the producers of one ring write in a stress test: records that say whose they are, of sizes and contents
/// that follow from that.
#pragma once

#include "support/pattern.hpp"

#include <weir/mpsc_ring.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace weir::test {

/// Says whose a record is, and which of that writer's.
struct label {
  std::uint32_t owner;
  std::uint32_t number;
};

/// How labeled records of any length, and labeled values, are written and read.
struct labeled_bytes {
  template <class Memory>
  using ring = mpsc_ring<bytes, Memory>;
  using record_type = bytes;
  static constexpr std::uint32_t largest = 200;

  /// Of the payload behind the label.
  static inline std::uint32_t most = largest;

  static auto mix(label what) -> std::uint32_t { return what.owner * 0x9E37'79B9 + what.number; }
  static void fill(std::span<std::byte> bytes, label what) {
    std::memcpy(bytes.data(), &what, sizeof what);
    fill_pattern(bytes.subspan(sizeof what), mix(what));
  }
  static auto size_of(label what) -> std::uint32_t {
    return static_cast<std::uint32_t>(sizeof what) + pattern_size(mix(what), most);
  }
  template <class Producer>
  static auto claim(Producer& producer, label what) {
    if constexpr (requires { producer.claim(0U); })
      return producer.claim(size_of(what));
    else
      return producer.try_claim(size_of(what));
  }
  template <class Claim>
  static auto commit(Claim& claim, label what) -> status {
    fill(claim.bytes(), what);
    return claim.commit(what.number & 0xFFFF).outcome;
  }
  template <class Producer>
  static auto write_batch(Producer& producer, label what) -> std::uint32_t {
    std::array<std::array<std::byte, largest + 8>, 3> content;
    std::array<std::span<const std::byte>, 3> records;
    for (std::uint32_t index = 0; index < 3; ++index) {
      const label one{what.owner, what.number + index};
      const auto part = std::span{content[index]}.first(size_of(one));
      fill(part, one);
      records[index] = part;
    }
    return static_cast<std::uint32_t>(producer.try_write_batch(records, 1));
  }
  static auto label_of(const record_view& view, label& what) -> bool {
    if (view.bytes.size() < sizeof what) return false;
    std::memcpy(&what, view.bytes.data(), sizeof what);
    return view.bytes.size() == size_of(what) &&
           has_pattern(view.bytes.subspan(sizeof what), mix(what));
  }
};

struct labeled_values {
  using record_type = std::array<std::uint32_t, 4>;
  template <class Memory>
  using ring = mpsc_ring<record_type, Memory>;

  static auto value_of(label what) -> record_type {
    return {what.owner, what.number, ~what.owner, what.number * 0x9E37'79B9};
  }
  template <class Producer>
  static auto claim(Producer& producer, label) {
    if constexpr (requires { producer.claim(); })
      return producer.claim();
    else
      return producer.try_claim();
  }
  template <class Claim>
  static auto commit(Claim& claim, label what) -> status {
    return claim.commit(value_of(what)).outcome;
  }
  template <class Producer>
  static auto write_batch(Producer& producer, label what) -> std::uint32_t {
    const std::array values{value_of(what), value_of({what.owner, what.number + 1}),
                            value_of({what.owner, what.number + 2})};
    return static_cast<std::uint32_t>(producer.try_write_batch(values));
  }
  static auto label_of(const record_type& value, label& what) -> bool {
    what = {value[0], value[1]};
    return value == value_of(what);
  }
};

}  // namespace weir::test
