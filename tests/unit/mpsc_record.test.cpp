// SPDX-License-Identifier: MIT
#include <weir/detail/mpsc_record.hpp>
#include <weir/record.hpp>

#include <catch2/catch.hpp>

#include <cstdint>

namespace detail = weir::detail;
namespace record = weir::record;
using detail::claim_intent;

TEST_CASE("a_header_word_is_empty_a_record_discarded_or_busy_and_only_one_of_them") {
  for (const std::uint32_t payload : {0U, 1U, 7U, 8U, 4096U, (1U << 29) - 16}) {
    const auto word = record::commit_word(payload);
    CHECK(word != 0);
    CHECK_FALSE(detail::is_busy(word));
    CHECK_FALSE(detail::is_discard(word));
    CHECK(record::payload_of(word) == payload);
  }
  for (const std::uint32_t size : {8U, 16U, 1U << 29, detail::max_mpsc_frame - 8}) {
    const auto word = detail::discard_word(size);
    CHECK(detail::is_discard(word));
    CHECK_FALSE(detail::is_busy(word));
    CHECK(record::size_of(word) == size);
  }
  CHECK_FALSE(detail::is_busy(0));
  CHECK_FALSE(detail::is_discard(0));
}

TEST_CASE("a_busy_word_names_its_slot_and_its_epoch_and_never_passes_for_a_record") {
  for (const std::uint32_t slot : {0U, 1U, 511U, detail::max_producer_slots - 1}) {
    for (const std::uint32_t epoch : {0U, 1U, detail::epoch_mask}) {
      const auto word = detail::busy_word(slot, epoch);
      CHECK(detail::is_busy(word));
      CHECK_FALSE(detail::is_discard(word));
      CHECK(detail::busy_slot(word) == slot);
      CHECK(detail::busy_epoch(word) == epoch);
      CHECK(record::payload_of(word) > detail::max_mpsc_frame);
    }
  }
}

TEST_CASE("an_intent_says_how_far_ahead_it_lies_wherever_positions_stand") {
  for (const std::uint64_t here : {std::uint64_t{0}, std::uint64_t{1} << 31, std::uint64_t{1} << 35,
                                   (std::uint64_t{1} << 35) - 3, std::uint64_t{1} << 60}) {
    const auto intent = claim_intent::of(here + 5, 3);
    CHECK(static_cast<bool>(intent));
    CHECK(intent.length() == 3);
    CHECK(intent.ahead_of(here) == 5);
    CHECK(intent.ahead_of(here + 5) == 0);
    CHECK(intent.ahead_of(here + 6) > std::uint64_t{1} << 34);
    CHECK_FALSE(intent.ends_before(here + 7));
    CHECK(intent.ends_before(here + 8));
    CHECK(intent.ends_before(here + 1000));
  }
  CHECK_FALSE(static_cast<bool>(claim_intent{}));
}

TEST_CASE("an_intent_that_has_won_keeps_its_place_and_its_length") {
  const auto intent = claim_intent::of(12345, (1U << 28) - 1).as_won();
  CHECK(intent.is_won());
  CHECK(intent.length() == (1U << 28) - 1);
  CHECK(intent.ahead_of(12340) == 5);
  CHECK_FALSE(claim_intent::of(12345, 1).is_won());
}

TEST_CASE("stamps_of_one_lap_are_not_those_of_the_next") {
  CHECK(detail::mpsc_stamp_of(0) == 2);
  CHECK((detail::mpsc_stamp_of(7) & detail::discard_bit) == 0);
  CHECK(detail::mpsc_stamp_of((std::uint64_t{1} << 31) - 1) == 0);
  CHECK(detail::mpsc_stamp_of(std::uint64_t{1} << 31) == detail::mpsc_stamp_of(0));
}
