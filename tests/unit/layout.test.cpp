// SPDX-License-Identifier: MIT
// The numbers of the wire format, written down a second time. layout/golden.cpp has the bytes.
#include <weir/layout.hpp>
#include <weir/record.hpp>
#include <weir/spsc_ring.hpp>
#include <weir/stats.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace layout = weir::layout;
namespace spsc = weir::layout::spsc;

TEST_CASE("the_header_words_stand_where_they_always_stood") {
  STATIC_REQUIRE(layout::magic_value == 0x52494557);
  STATIC_REQUIRE(layout::magic == 0);
  STATIC_REQUIRE(layout::version == 4);
  STATIC_REQUIRE(layout::kind_word == 8);
  STATIC_REQUIRE(layout::flags == 12);
  STATIC_REQUIRE(layout::total_size == 16);
  STATIC_REQUIRE(layout::capacity == 20);
  STATIC_REQUIRE(layout::data_offset == 24);
  STATIC_REQUIRE(layout::stride == 28);
  STATIC_REQUIRE(layout::alignment == 32);
  STATIC_REQUIRE(layout::max_record == 36);
  STATIC_REQUIRE(layout::type_tag == 40);
  STATIC_REQUIRE(layout::wake_protocol_word == 44);
  STATIC_REQUIRE(layout::slots == 48);
  STATIC_REQUIRE(layout::header_size == 128);
}

TEST_CASE("the_control_words_of_a_ring_stand_where_they_always_stood") {
  STATIC_REQUIRE(spsc::write_position == 128);
  STATIC_REQUIRE(spsc::producer_owner == 132);
  STATIC_REQUIRE(spsc::producer_start == 136);
  STATIC_REQUIRE(spsc::producer_statistics == 144);
  STATIC_REQUIRE(spsc::read_position == 256);
  STATIC_REQUIRE(spsc::consumer_owner == 260);
  STATIC_REQUIRE(spsc::consumer_start == 264);
  STATIC_REQUIRE(spsc::consumer_statistics == 272);
  STATIC_REQUIRE(spsc::data_park == 384);
  STATIC_REQUIRE(spsc::space_park == 512);
  STATIC_REQUIRE(spsc::closed == 640);
  STATIC_REQUIRE(spsc::data == 768);
  STATIC_REQUIRE(layout::closed_by_producer == 1);
  STATIC_REQUIRE(layout::closed_by_consumer == 2);
}

TEST_CASE("the_control_words_of_a_ring_for_many_stand_where_they_always_stood") {
  namespace mpsc = layout::mpsc;
  STATIC_REQUIRE(mpsc::claim_position == 128);
  STATIC_REQUIRE(mpsc::hint == 256);
  STATIC_REQUIRE(mpsc::read_position == 384);
  STATIC_REQUIRE(mpsc::consumed_position == 392);
  STATIC_REQUIRE(mpsc::consumer_owner == 400);
  STATIC_REQUIRE(mpsc::consumer_start == 404);
  STATIC_REQUIRE(mpsc::consumer_statistics == 408);
  STATIC_REQUIRE(mpsc::data_park == 512);
  STATIC_REQUIRE(mpsc::space_park == 640);
  STATIC_REQUIRE(mpsc::closed == 768);
  STATIC_REQUIRE(mpsc::producer_slots == 896);
  STATIC_REQUIRE(mpsc::slot_intent == 0);
  STATIC_REQUIRE(mpsc::slot_owner == 8);
  STATIC_REQUIRE(mpsc::slot_start == 12);
  STATIC_REQUIRE(mpsc::slot_statistics == 16);
  STATIC_REQUIRE(mpsc::slot_size == 128);
  STATIC_REQUIRE(layout::doorbell::park == 128);
  STATIC_REQUIRE(layout::doorbell::size == 256);
}

TEST_CASE("the_words_of_lanes_and_coalesce_lie_where_they_always_lay") {
  STATIC_REQUIRE(layout::lanes::bell == 128);
  STATIC_REQUIRE(layout::lanes::statistics == 384);
  STATIC_REQUIRE(layout::lanes::first_lane == 512);
  STATIC_REQUIRE(layout::lanes::lane_alignment == 128);
  namespace coalesce = layout::coalesce;
  STATIC_REQUIRE(coalesce::producer_owner == 128);
  STATIC_REQUIRE(coalesce::producer_start == 132);
  STATIC_REQUIRE(coalesce::producer_statistics == 136);
  STATIC_REQUIRE(coalesce::consumer_owner == 256);
  STATIC_REQUIRE(coalesce::consumer_start == 260);
  STATIC_REQUIRE(coalesce::showing == 264);
  STATIC_REQUIRE(coalesce::consumer_statistics == 268);
  STATIC_REQUIRE(coalesce::data_park == 384);
  STATIC_REQUIRE(coalesce::closed == 512);
  STATIC_REQUIRE(coalesce::roots == 640);
  STATIC_REQUIRE(coalesce::key_state == 0);
  STATIC_REQUIRE(coalesce::key_buffers == 16);
  STATIC_REQUIRE(coalesce::buffer_size == 0);
  STATIC_REQUIRE(coalesce::buffer_after == 4);
  STATIC_REQUIRE(coalesce::buffer_updates == 8);
  STATIC_REQUIRE(coalesce::buffer_value == 16);
  STATIC_REQUIRE(coalesce::max_keys == 1048576);
}

TEST_CASE("the_control_words_of_a_broadcast_ring_stand_where_they_always_stood") {
  namespace broadcast = layout::broadcast;
  STATIC_REQUIRE(broadcast::write_position == 128);
  STATIC_REQUIRE(broadcast::overwrite_end == 136);
  STATIC_REQUIRE(broadcast::sync_position == 144);
  STATIC_REQUIRE(broadcast::writer_owner == 152);
  STATIC_REQUIRE(broadcast::writer_start == 156);
  STATIC_REQUIRE(broadcast::writer_statistics == 160);
  STATIC_REQUIRE(broadcast::data_park == 256);
  STATIC_REQUIRE(broadcast::closed == 384);
  STATIC_REQUIRE(broadcast::data == 512);
}

TEST_CASE("the_control_words_of_a_latest_stand_where_they_always_stood") {
  namespace latest = layout::latest;
  STATIC_REQUIRE(latest::version == 128);
  STATIC_REQUIRE(latest::writer_owner == 136);
  STATIC_REQUIRE(latest::writer_start == 140);
  STATIC_REQUIRE(latest::writer_statistics == 144);
  STATIC_REQUIRE(latest::data_park == 256);
  STATIC_REQUIRE(latest::closed == 384);
  STATIC_REQUIRE(latest::data == 512);
  STATIC_REQUIRE(latest::buffer_sequence == 0);
  STATIC_REQUIRE(latest::buffer_value == 8);
}

TEST_CASE("what_different_sides_write_lies_a_false_sharing_span_apart") {
  constexpr auto span = weir::false_sharing_span;
  constexpr std::uint32_t lines[] = {0,
                                     spsc::producer_line,
                                     spsc::consumer_line,
                                     spsc::data_park,
                                     spsc::space_park,
                                     spsc::closed,
                                     spsc::data};
  for (std::size_t line = 1; line < std::size(lines); ++line) {
    CHECK(lines[line] / span > lines[line - 1] / span);
  }
  STATIC_REQUIRE(spsc::producer_statistics + sizeof(weir::producer_statistics) <=
                 spsc::consumer_line);
  STATIC_REQUIRE(spsc::consumer_statistics + sizeof(weir::consumer_statistics) <= spsc::data_park);
}

TEST_CASE("kinds_flags_and_protocols_keep_their_numbers") {
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::spsc_bytes) == 1);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::spsc_slots) == 2);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::mpsc_bytes) == 3);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::mpsc_slots) == 4);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::broadcast) == 5);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::latest) == 6);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::lanes) == 7);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::coalesce) == 8);
  STATIC_REQUIRE(static_cast<std::uint32_t>(layout::kind::doorbell) == 9);
  STATIC_REQUIRE(layout::flag_process_shared == 1);
  STATIC_REQUIRE(layout::flag_recoverable == 2);
  STATIC_REQUIRE(layout::flag_doorbell == 4);
  STATIC_REQUIRE(layout::flag_wide_version == 8);
  STATIC_REQUIRE(layout::known_flags == 15);
  STATIC_REQUIRE(static_cast<std::uint32_t>(weir::wake_protocol::none) == 0);
  STATIC_REQUIRE(static_cast<std::uint32_t>(weir::wake_protocol::at_flush) == 1);
  STATIC_REQUIRE(static_cast<std::uint32_t>(weir::wake_protocol::fenced) == 2);
  STATIC_REQUIRE(static_cast<std::uint32_t>(weir::wake_protocol::asymmetric) == 3);
}

TEST_CASE("what_travels_through_shared_memory_has_the_same_size_everywhere") {
  STATIC_REQUIRE(sizeof(weir::producer_statistics) == 28);
  STATIC_REQUIRE(sizeof(weir::consumer_statistics) == 16);
  STATIC_REQUIRE(sizeof(weir::descriptor) == 12);
  STATIC_REQUIRE(sizeof(weir::stop_word) == 4);
  STATIC_REQUIRE(std::is_standard_layout_v<weir::descriptor>);
  STATIC_REQUIRE(std::is_trivially_copyable_v<weir::descriptor>);
}

namespace {

struct odd {
  std::uint8_t bytes[3];
};
struct wide {
  std::uint64_t first;
  std::uint32_t second;
  std::uint32_t third;
};

template <class T>
constexpr auto offset_and_stride() -> std::uint64_t {
  return std::uint64_t{weir::detail::slot_shape<T>::value_offset} << 32 |
         weir::detail::slot_shape<T>::stride;
}

}  // namespace

TEST_CASE("a_slot_is_a_stamp_and_a_value_laid_out_alike_on_32_and_64_bits") {
  STATIC_REQUIRE(offset_and_stride<std::uint8_t>() == (4ULL << 32 | 8));
  STATIC_REQUIRE(offset_and_stride<odd>() == (4ULL << 32 | 8));
  STATIC_REQUIRE(offset_and_stride<std::uint32_t>() == (4ULL << 32 | 8));
  STATIC_REQUIRE(offset_and_stride<std::array<std::uint32_t, 2>>() == (8ULL << 32 | 16));
  STATIC_REQUIRE(offset_and_stride<std::uint64_t>() ==
                 (8ULL << 32 | 16));  // also where it is 4-aligned
  STATIC_REQUIRE(offset_and_stride<wide>() == (8ULL << 32 | 24));
}

TEST_CASE("the_bytes_that_a_ring_takes_are_known_at_compile_time") {
  STATIC_REQUIRE(weir::spsc_ring<weir::bytes>::bytes_required(64) == 768 + 64);
  STATIC_REQUIRE(weir::spsc_ring<weir::bytes>::bytes_required(0x8000'0000) == 768 + 0x8000'0000ULL);
  STATIC_REQUIRE(weir::spsc_ring<std::uint32_t>::bytes_required(16) == 768 + 16 * 8);
  STATIC_REQUIRE(layout::max_total_size >=
                 weir::spsc_ring<weir::bytes>::bytes_required(0x8000'0000));
}
