// SPDX-License-Identifier: MIT
/// The two kinds of rings for many producers, written and read alike, and what happened to them.
#pragma once

#include "model/policies.hpp"
#include "model/scenario.hpp"

#include <weir/mpsc_ring.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::model {

/// Payload bytes are touched as what they are: plain. Every eight of them hold the value.
inline void fill(std::span<std::byte> bytes, std::uint64_t value) {
  for (std::size_t at = 0; at < bytes.size(); at += sizeof value) {
    model_memory::copy_in(bytes.data() + at, &value, sizeof value);
  }
}

/// Returns  0: the bytes are not one whole value.
[[nodiscard]] inline auto value_of(std::span<const std::byte> bytes) -> std::uint64_t {
  std::uint64_t value = 0, part = 0;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof value) {
    model_memory::copy_out(&part, bytes.data() + at, sizeof part);
    if (at != 0 && part != value) return 0;
    value = part;
  }
  return value;
}

/// Byte records of one size in a ring of 64 bytes.
template <std::uint32_t Payload, statistics_policy Statistics = uncounted>
struct byte_records {
  using ring = mpsc_ring<bytes, model_memory, Statistics>;
  static constexpr std::uint32_t capacity = 64;
  static constexpr std::uint32_t frame = Payload + 8;
  static constexpr std::uint32_t records = capacity / frame;  ///< that the ring holds
  static constexpr std::uint32_t max_record = Payload;
  static constexpr std::uint32_t sequences = frame / 8;  ///< from one record to the next
  static constexpr std::uint32_t before_wrap = 16;

  [[nodiscard]] static auto claim(auto& producer) { return producer.try_claim(Payload); }
  [[nodiscard]] static auto wait_and_claim(auto& producer, const stop_word* stop) {
    return producer.claim(Payload, no_deadline, stop);
  }
  /// Both or none, in one publication, if there is room for both.
  [[nodiscard]] static auto write_two(auto& producer, std::uint64_t first) -> std::size_t {
    std::array<std::uint64_t, Payload / 8> one, two;
    one.fill(first), two.fill(first + 1);
    const std::array<std::span<const std::byte>, 2> both{std::as_bytes(std::span{one}),
                                                         std::as_bytes(std::span{two})};
    return producer.try_write_batch(both);
  }
};

/// Values in a ring of two or more slots.
template <std::uint32_t Capacity, statistics_policy Statistics = uncounted>
struct slot_values {
  using ring = mpsc_ring<std::uint64_t, model_memory, Statistics>;
  static constexpr std::uint32_t capacity = Capacity;
  static constexpr std::uint32_t frame = 1;
  static constexpr std::uint32_t records = Capacity;
  static constexpr std::uint32_t max_record = 0;
  static constexpr std::uint32_t sequences = 1;
  static constexpr std::uint32_t before_wrap = 1;

  [[nodiscard]] static auto claim(auto& producer) { return producer.try_claim(); }
  [[nodiscard]] static auto wait_and_claim(auto& producer, const stop_word* stop) {
    return producer.claim(no_deadline, stop);
  }
  [[nodiscard]] static auto write_two(auto& producer, std::uint64_t first) -> std::size_t {
    const std::array<std::uint64_t, 2> both{first, first + 1};
    return producer.try_write_batch(both);
  }
};

/// A ring of the kind. Capacity and record size are the kind's.
template <class Kind>
[[nodiscard]] auto format(run& run, mpsc_options options) -> typename Kind::ring {
  options.capacity = Kind::capacity;
  options.max_record = Kind::max_record;
  return Kind::ring::format(run.bytes(Kind::ring::bytes_required(options)), options).value();
}

/// Values with their sequences, as written or as read.
class history {
 public:
  void add(std::uint64_t value, std::uint32_t sequence) { all_[count_++] = {value, sequence}; }
  [[nodiscard]] auto count() const -> std::size_t { return count_; }
  [[nodiscard]] auto value(std::size_t at) const -> std::uint64_t { return all_[at].value; }
  [[nodiscard]] auto has(std::uint64_t value) const -> bool {
    return std::any_of(all_.begin(), all_.begin() + count_,
                       [=](const entry& each) { return each.value == value; });
  }
  [[nodiscard]] auto sequence(std::size_t at) const -> std::uint32_t { return all_[at].sequence; }
  [[nodiscard]] auto times(std::uint64_t value) const -> std::ptrdiff_t {
    return std::count_if(all_.begin(), all_.begin() + count_,
                         [=](const entry& each) { return each.value == value; });
  }
  void append(const history& other) {
    std::copy_n(other.all_.begin(), other.count_, all_.begin() + count_);
    count_ = static_cast<std::uint8_t>(count_ + other.count_);
  }
  /// In the order of their claims, counted from the ring's first sequence on.
  [[nodiscard]] auto sorted_from(std::uint32_t start) const -> history {
    auto copy = *this;
    std::sort(copy.all_.begin(), copy.all_.begin() + count_, [=](const entry& a, const entry& b) {
      return a.sequence - start < b.sequence - start;
    });
    return copy;
  }
  [[nodiscard]] auto operator==(const history&) const -> bool = default;

 private:
  struct entry {
    std::uint64_t value = 0;
    std::uint32_t sequence = 0;
    [[nodiscard]] auto operator==(const entry&) const -> bool = default;
  };
  std::array<entry, 12> all_{};
  std::uint8_t count_ = 0;
};

/// Three places to start: the first lap, and just below where 32 bits of a position wrap. There the
/// second record of a ring of bytes begins, or the first one runs over the end of the data.
template <class Kind>
constexpr std::uint64_t starts[] = {0, 0x8000'0000 - Kind::before_wrap,
                                    0x1'0000'0000 - Kind::before_wrap};

template <class Kind>
[[nodiscard]] constexpr auto first_sequence(std::uint64_t start) -> std::uint32_t {
  return static_cast<std::uint32_t>(start / (Kind::frame / Kind::sequences));
}

/// Every record that was written was read, once, whole, and in the order of the claims.
inline void check_same(run& run, const history& written, const history& seen, std::uint32_t first) {
  run.check(seen == written.sorted_from(first), "what is read is what was written, as claimed");
}

/// One attempt to write. What arrives is noted.
template <class Kind>
auto write(auto& producer, std::uint64_t value, history& written) -> status {
  auto claim = Kind::claim(producer);
  if (!claim) return claim.status();
  fill(claim.bytes(), value);
  const auto done = claim.commit();
  if (done.outcome == status::ok) written.add(value, done.record.sequence);
  return done.outcome;
}

/// Writes as soon as there is room.
template <class Kind>
void write_soon(auto& producer, std::uint64_t value, history& written) {
  while (write<Kind>(producer, value, written) == status::full) model_memory::pause();
}

/// One attempt to read.
auto read(auto& consumer, history& seen) -> status {
  auto record = consumer.try_peek();
  if (!record) return record.status();
  seen.add(value_of(record.bytes()), record.sequence());
  record.release();
  return status::ok;
}

/// Reads until something else than a record comes.
auto read_all(auto& consumer, history& seen) -> status {
  for (;;) {
    if (const auto outcome = read(consumer, seen); outcome != status::ok) return outcome;
  }
}

}  // namespace weir::model
