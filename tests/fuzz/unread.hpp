// SPDX-License-Identifier: MIT
/// What a producer has committed and does not know to be read: nobody may write there.
#pragma once

#include "fuzz/fuzz_memory.hpp"

#include <weir/record.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::fuzz {

struct committed_record {
  std::uint32_t first;  ///< position in units, as its descriptor says; wraps
  std::uint32_t units;
  std::size_t from;  ///< offset of its first byte in the span
  std::size_t end;
  bool withheld;  ///< its first word is still to be written, to publish it
};

/// Of the record, or slot, that commit() named.
template <class Kind>
[[nodiscard]] auto committed_of(const descriptor& named, bool withheld) -> committed_record {
  constexpr std::uint32_t header = Kind::framed ? record::header_size : 4;
  const auto frame = static_cast<std::uint32_t>(record::frame_size(named.size));
  return {.first = named.sequence & Kind::sequence_mask,
          .units = Kind::framed ? frame / Kind::unit : 1,
          .from = named.offset - header,
          .end = named.offset + named.size,
          .withheld = withheld};
}

class unread_records {
 public:
  /// Positions wrap behind `mask`; a lap has `lap` units, a power of two, of `unit` bytes.
  unread_records(std::uint32_t mask, std::uint32_t lap, std::uint32_t unit) noexcept
      : mask_{mask}, lap_{lap}, unit_{unit} {}

  /// A producer begins. It knows that everything before `position` is read.
  void begin(std::uint32_t position) {
    records_.clear();
    read_ = position;
    end_known_ = false;
  }
  [[nodiscard]] auto read() const -> std::uint32_t { return read_; }
  /// Where the next record goes, unless padding comes first.
  [[nodiscard]] auto end() const -> std::uint32_t { return end_; }

  void add(const committed_record& record) {
    std::erase_if(records_, [this](const auto& each) { return is_read(each); });
    records_.push_back(record);
    ends_at(record.first + record.units);
  }
  /// Everything before `position` is written.
  void ends_at(std::uint32_t position) {
    end_ = position;
    end_known_ = true;
  }

  /// The producer was shown a read position. One that it must not believe changes nothing.
  /// `checked`: it cannot be beyond what was written.
  void read_up_to(std::uint32_t position, bool checked) {
    const auto by = (position - read_) & mask_;
    const auto most = checked || !end_known_ ? mask_ / 2 : (end_ - read_) & mask_;
    const bool behind_padding = position % lap_ == 0 && ((position - end_) & mask_) < lap_;
    if (by <= most || behind_padding) read_ = position;
  }

  /// Bytes from `offset` on are about to be written.
  void written(std::size_t offset, std::size_t size) {
    for (auto& each : records_) {
      if (is_read(each)) continue;
      // A position within the record says that its first part is read.
      const auto part = (read_ - each.first) & mask_;
      const auto from = part < each.units ? each.from + std::size_t{part} * unit_ : each.from;
      if (offset >= each.end || offset + size <= from) continue;
      if (each.withheld && offset == each.from && size == 4) {
        each.withheld = false;
        continue;
      }
      fail("unread data was overwritten", here.call);
    }
  }

 private:
  [[nodiscard]] auto is_read(const committed_record& record) const -> bool {
    const auto left = (record.first + record.units - read_) & mask_;
    return left == 0 || left > mask_ / 2;
  }

  std::vector<committed_record> records_;
  std::uint32_t mask_;
  std::uint32_t lap_;
  std::uint32_t unit_;
  std::uint32_t read_ = 0;
  std::uint32_t end_ = 0;
  bool end_known_ = false;
};

}  // namespace weir::fuzz
