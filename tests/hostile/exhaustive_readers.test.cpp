// SPDX-License-Identifier: MIT
// Every header word that a consumer can meet, in rings so small that all can be tried.
//
// Proved, for capacities of 64 to 256 bytes: at every offset, behind every record (discarded record) that can
// come before, and with every distance to the end of what is published, each word of 16 bits, and of 32 bits
// as for_each_word() says, gets the verdict that the framing in layout.hpp, record.hpp and mpsc_record.hpp
// gives it; what is delivered lies where its header says. The oracles are written from those texts, in 64
// bits and without the library's arithmetic.
// Not provable here: larger rings (unit.spsc_byte_walk samples the largest), two changes of one word.
#include "hostile/scaled_ring.hpp"

#include <weir/detail/broadcast_control.hpp>
#include <weir/detail/mpsc_byte_reader.hpp>
#include <weir/detail/spsc_byte_reader.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

using weir::plain_memory;
using weir::record_view;
using weir::status;
using weir::test::for_each_word;
using weir::test::scaled_mpsc;
using weir::test::scaled_spsc;
using weir::test::scaled_step;

namespace {

using spsc_reader = weir::detail::spsc_byte_reader<plain_memory>;
using mpsc_reader = weir::detail::mpsc_byte_reader<plain_memory>;

/// What a consumer must say, and where the record is.
struct verdict {
  status outcome;
  std::uint64_t offset = 0;
  std::uint64_t payload = 0;

  [[nodiscard]] auto operator==(const verdict&) const noexcept -> bool = default;
};

/// A record's parts: the word's bits 3..30 are its size with the header, bits 0..2 what of that is unused.
struct parts {
  explicit parts(std::uint64_t word)
      : top{(word >> 31) == 1}, size{word % 0x8000'0000 / 8 * 8}, unused{word % 8} {}
  /// Header and unused bytes fit in the size.
  [[nodiscard]] auto holds_itself() const -> bool { return size >= 8 + unused; }

  bool top;
  std::uint64_t size;
  std::uint64_t unused;
};

/// One producer: padding runs to the end and is never met at the start; a header follows every record.
auto expected_spsc(const scaled_spsc& ring, std::uint64_t offset) -> verdict {
  const std::uint64_t word = ring.data(static_cast<std::uint32_t>(offset));
  if (word == 0) return {status::empty};
  const parts found{word};
  if (found.top) {
    if (offset == 0 || found.unused != 0 || offset + found.size != ring.capacity) {
      return {status::corrupt};
    }
    return expected_spsc(ring, 0);
  }
  const auto limit = ring.capacity / 2 - 16;
  if (!found.holds_itself() || found.size - 8 - found.unused > limit ||
      offset + found.size + 8 > ring.capacity) {
    return {status::corrupt};
  }
  return {status::ok, offset, found.size - 8 - found.unused};
}

template <class Reader, class Ring>
auto seen_by(Reader& reader, const Ring& ring, std::uint32_t data) -> verdict {
  record_view view{{}, 0, 0};
  std::uint32_t frame = 0;
  const auto outcome = reader.peek(view, frame);
  if (outcome != status::ok) return {outcome};
  const auto* const first = ring.memory.bytes().data() + data;
  const auto at = static_cast<std::uint64_t>(view.bytes.data() - first) - 8;
  return {outcome, at, view.bytes.size()};
}

auto seen_by(spsc_reader& reader, const scaled_spsc& ring) -> verdict {
  return seen_by(reader, ring, weir::layout::spsc::data);
}
auto seen_by(mpsc_reader& reader, const scaled_mpsc& ring) -> verdict {
  return seen_by(reader, ring, scaled_mpsc::data_offset);
}

/// A consumer that stands at `position`, where `word` does, perhaps with another word where padding leads.
auto spsc_at(const scaled_spsc& ring, std::uint32_t position) -> spsc_reader {
  ring.word(weir::layout::spsc::read_position) = position;
  spsc_reader reader{
      weir::detail::spsc_control<plain_memory>{ring.memory.bytes().data(), ring.fields(), nullptr}};
  static_cast<void>(reader.resume());
  return reader;
}

}  // namespace

TEST_CASE("spsc_every_word_at_every_offset_is_judged_as_the_framing_says") {
  for (const std::uint32_t capacity : {64U, 128U, 256U}) {
    const scaled_spsc ring{capacity};
    std::uint64_t wrong = 0;
    for (const auto lap : weir::test::scaled_laps) {
      for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
        for_each_word([&](std::uint32_t word) {
          ring.data(0) = weir::record::commit_word(3);  // where padding leads
          ring.data(offset) = word;
          auto reader = spsc_at(ring, lap + offset);
          const auto expected = expected_spsc(ring, offset);
          wrong += seen_by(reader, ring) == expected ? 0U : 1U;
          if (expected.outcome == status::corrupt) {
            ring.data(offset) = weir::record::commit_word(0);
            wrong += seen_by(reader, ring).outcome == status::corrupt ? 0U : 1U;
          }
        });
        ring.clear();
      }
    }
    CHECK(wrong == 0);
    CHECK(ring.memory.intact());
  }
}

TEST_CASE("spsc_every_word_behind_every_record_and_behind_padding_is_judged_the_same") {
  constexpr std::uint32_t capacity = 128;
  const scaled_spsc ring{capacity};
  std::uint64_t wrong = 0;
  const auto behind = [&](std::uint32_t offset, std::uint32_t first, std::uint32_t word) {
    ring.data(offset) = first;
    auto reader = spsc_at(ring, offset);
    const auto parts_of_first = parts{first};
    const auto next = (offset + parts_of_first.size) % capacity;
    ring.data(static_cast<std::uint32_t>(next)) = word;
    if (!parts_of_first.top) {
      if (seen_by(reader, ring) != expected_spsc(ring, offset)) ++wrong;
      reader.skip(static_cast<std::uint32_t>(parts_of_first.size));
    }
    const auto expected = expected_spsc(ring, parts_of_first.top ? offset : next);
    wrong += seen_by(reader, ring) == expected ? 0U : 1U;
    ring.data(static_cast<std::uint32_t>(next)) = 0;
    ring.data(offset) = 0;
  };
  for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
    for (std::uint32_t payload = 0; payload <= weir::record::max_payload(capacity); payload += 8) {
      const auto first = weir::record::commit_word(payload);
      if (offset + parts{first}.size + 8 > capacity) break;
      for (std::uint32_t word = 0; word < 0x1'0000; word += scaled_step) {
        behind(offset, first, word);
      }
    }
    if (offset == 0) continue;
    const auto padding = weir::record::padding_word(capacity - offset);
    for_each_word([&](std::uint32_t word) { behind(offset, padding, word); });
  }
  CHECK(wrong == 0);
  CHECK(ring.memory.intact());
}

namespace {

/// Many producers: a word of 0, or with both top bits, is nobody's yet. The top bit alone: discarded. A record
/// may run over the end of the data, and nothing reaches beyond what the ring holds of unreleased bytes.
/// `taken`: bytes in front of the position that are not released.
auto expected_mpsc(const scaled_mpsc& ring, std::uint64_t position, std::uint64_t taken)
    -> verdict {
  // What the consumer went over is cleared from an eighth of the ring on, and reads as 0.
  if (taken >= ring.capacity) return {status::empty};
  const std::uint64_t word = ring.data(position);
  if (word == 0 || word >= 0xC000'0000) return {status::empty};
  const parts found{word};
  if (taken + found.size > ring.capacity) return {status::corrupt};
  if (found.top) {
    if (found.unused != 0 || found.size == 0) return {status::corrupt};
    return expected_mpsc(ring, position + found.size, taken + found.size);
  }
  if (!found.holds_itself() || found.size - 8 - found.unused > ring.max_record) {
    return {status::corrupt};
  }
  return {status::ok, position % ring.capacity, found.size - 8 - found.unused};
}

auto mpsc_at(const scaled_mpsc& ring, std::uint64_t position) -> mpsc_reader {
  ring.wide(weir::layout::mpsc::read_position) = position;
  ring.wide(weir::layout::mpsc::consumed_position) = position;
  mpsc_reader reader{
      weir::detail::mpsc_control<plain_memory>{ring.memory.bytes().data(), ring.fields(), nullptr}};
  static_cast<void>(reader.resume());
  return reader;
}

}  // namespace

TEST_CASE("mpsc_every_word_behind_every_discarded_one_is_judged_as_the_framing_says") {
  for (const std::uint32_t capacity : {64U, 128U}) {
    const scaled_mpsc ring{capacity, capacity / 2 - 8};
    std::uint64_t wrong = 0;
    for (const std::uint64_t lap : {0ULL, 0x1'0000'0000ULL - 64, 1ULL << 40}) {
      for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
        for (std::uint32_t discarded = 0; discarded <= capacity; discarded += 8) {
          if (lap != 0 && discarded % 24 != 0) continue;
          const auto attempt = [&](std::uint32_t word) {
            const auto start = lap + offset;
            ring.data(start + discarded) = word;
            if (discarded != 0) ring.data(start) = weir::detail::discard_word(discarded);
            const auto expected = expected_mpsc(ring, start, 0);
            auto reader = mpsc_at(ring, start);
            wrong += seen_by(reader, ring) == expected ? 0U : 1U;
            ring.clear();
          };
          if (discarded == 0) {
            for_each_word(attempt);
          } else {
            for (std::uint32_t low = 0; low < 0x1'0000; low += low < 0x800 ? 1 : 7 * scaled_step) {
              attempt(low);
              attempt(low | 0x8000'0000);
            }
          }
        }
      }
    }
    CHECK(wrong == 0);
    CHECK(ring.memory.intact());
  }
}

TEST_CASE("mpsc_every_word_behind_every_record_of_a_ring_of_small_records_is_judged_the_same") {
  const scaled_mpsc ring{512, 16};
  std::uint64_t wrong = 0;
  for (const std::uint64_t start : {0ULL, 8ULL, 256ULL, 488ULL, 504ULL, 0x1'0000'0000ULL - 8}) {
    for (const std::uint32_t payload : {0U, 5U, 16U}) {
      const auto first = weir::record::commit_word(payload);
      const auto size = parts{first}.size;
      for_each_word([&](std::uint32_t word) {
        ring.data(start) = first;
        ring.data(start + size) = word;
        auto reader = mpsc_at(ring, start);
        const bool right = seen_by(reader, ring) == expected_mpsc(ring, start, 0);
        reader.skip(static_cast<std::uint32_t>(size));
        const auto expected = expected_mpsc(ring, start + size, size);
        wrong += right && seen_by(reader, ring) == expected ? 0U : 1U;
        ring.data(start + size) = 0;
      });
      ring.clear();
    }
  }
  CHECK(wrong == 0);
  CHECK(ring.memory.intact());
}

TEST_CASE("broadcast_every_word_at_every_offset_with_every_end_is_judged_as_the_framing_says") {
  constexpr std::uint32_t capacity = 256;
  constexpr std::uint32_t max_record = weir::detail::broadcast_max_record(capacity);
  const weir::test::guarded_span memory{weir::layout::broadcast::data + capacity};
  const weir::detail::broadcast_control<plain_memory> control{
      memory.bytes().data(), {.capacity = capacity, .max_record = max_record}, nullptr};
  std::uint64_t wrong = 0;
  for (std::uint32_t offset = 0; offset < capacity; offset += 8) {
    const auto rest = capacity - offset;
    for (std::uint64_t published = 0; published <= capacity; published += 8) {
      const auto attempt = [&](std::uint32_t word) {
        const parts found{word};
        // Eight bytes more than a record's header: the number.
        const bool record = !found.top && found.size >= 16 + found.unused &&
                            found.size - 16 - found.unused <= max_record && found.size <= rest;
        const bool padding = found.top && found.unused == 0 && offset != 0 && found.size == rest;
        const bool expected = (record || padding) && found.size <= published;
        const auto position = (std::uint64_t{1} << 32) - capacity + offset;
        wrong += control.judge(word, position, position + published) == expected ? 0U : 1U;
      };
      if (published % 64 == 0) {
        for_each_word(attempt);
      } else {
        for (std::uint32_t low = 0; low < 0x1000; low += scaled_step) {
          attempt(low);
          attempt(low | 0x8000'0000);
        }
      }
    }
  }
  CHECK(wrong == 0);
}
