// SPDX-License-Identifier: MIT
/// The consumer of many lanes, and that of a coalesce, among hostile producers.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"

#include <weir/coalesce.hpp>
#include <weir/lanes.hpp>
#include <weir/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::fuzz {

class lanes_run final : watcher {
  using type = lanes<weir::bytes, fuzz_memory>;
  static constexpr std::uint32_t most = 4;
  static constexpr std::uint32_t sequences = 0xFFFF'FFFF / 8;

 public:
  lanes_run(arena& memory, input& bytes) : memory_{memory}, bytes_{bytes}, lanes_{format()} {
    released_.fill(start_ / 8);
    next_ = released_;
    for (auto& each : producers_) {
      auto taken = lanes_.producer();
      if (taken) each.emplace(std::move(taken).value());
    }
    here.told = this;
    here.lie_in = bytes_.byte();
    bounded("consumer()", bound(), [&] {
      taking_ = true;
      auto taken = lanes_.consumer<short_park, most>();
      taking_ = false;
      require(
          taken || is_one_of(taken.status(), status::busy, status::unsupported, status::corrupt),
          "consumer(): a status that is not documented");
      if (taken) consumer_.emplace(std::move(taken).value());
    });
  }
  lanes_run(const lanes_run&) = delete;
  auto operator=(const lanes_run&) -> lanes_run& = delete;
  ~lanes_run() {
    bounded("the end", bound(), [&] {
      consumer_.reset();
      for (auto& each : producers_) each.reset();
    });
    here.told = nullptr;
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && consumer_ && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      switch (what & 3) {
        case 0:
          produce();
          break;
        case 1:
          memory_.scribble(layout::header_size, here.shared.size());
          break;
        default:
          bounded("a consumer's call", (what >> 2 & 7) == 7 ? most_looks * bound() : bound(),
                  [&] { consume(what >> 2 & 7); });
      }
    }
  }

 private:
  [[nodiscard]] auto format() -> type {
    const auto flags = bytes_.byte();
    count_ = 1 + (flags >> 4 & 3);
    capacity_ = 64U << (flags >> 6 & 1);
    start_ = bytes_.start_position(8);
    const auto size = type::bytes_required(count_, capacity_);
    lane_size_ = static_cast<std::size_t>((size - layout::lanes::first_lane) / count_);
    const auto shared = memory_.begin(bytes_, size);
    here.heavy_fences = (flags & 8) == 0;
    return type::format(shared, {.lanes = count_,
                                 .capacity = capacity_,
                                 .wake = static_cast<wake_protocol>(flags & 3),
                                 .process_shared = (flags & 4) != 0,
                                 .start_position = start_})
        .value();
  }
  [[nodiscard]] auto bound() const -> std::uint64_t {
    return 1024 + 16 * std::uint64_t{count_} * capacity_;
  }
  [[nodiscard]] auto data_of(std::uint32_t lane) const -> std::size_t {
    return layout::lanes::first_lane + lane * lane_size_ + layout::spsc::data;
  }

  void loaded(std::size_t offset, std::uint64_t shown) override {
    if (!taking_ || !is_read_position(offset)) return;
    released_[lane_of(offset)] = next_[lane_of(offset)] = static_cast<std::uint32_t>(shown) / 8;
  }
  void stores(std::size_t offset, std::size_t, std::uint64_t stored) override {
    if (is_read_position(offset))
      released_[lane_of(offset)] = static_cast<std::uint32_t>(stored) / 8;
  }
  [[nodiscard]] auto lane_of(std::size_t offset) const -> std::size_t {
    return (offset - layout::lanes::first_lane) / lane_size_;
  }
  [[nodiscard]] auto is_read_position(std::size_t offset) const -> bool {
    return offset >= layout::lanes::first_lane &&
           (offset - layout::lanes::first_lane) % lane_size_ == layout::spsc::read_position;
  }

  void produce() {
    const quiet truth;
    auto& producer = producers_[bytes_.byte() & 3];
    if (!producer) return;
    static constexpr std::array<std::byte, 40> payload{};
    bounded("an honest producer", bound(), [&] {
      static_cast<void>(producer->try_write(std::span{payload}.first(bytes_.below(40))));
      if (bytes_.byte() > 0xFC) producer->close();
    });
  }

  void consume(std::uint32_t what) {
    switch (what) {
      case 0:
      case 1: {
        auto record = consumer_->try_peek();
        judge(record.status());
        if (!record) return;
        check(record.bytes(), record.sequence(), consumer_->lane());
        if (what == 0) return;
        record.release();
        next_[consumer_->lane()] = end_;
        return;
      }
      case 2: {
        std::array<std::byte, 32> out;
        const auto found = consumer_->try_read(out);
        if (found.outcome != status::too_large) judge(found.outcome);
        require(found.outcome != status::ok || found.size <= out.size(),
                "more bytes than there is room for");
        return;
      }
      case 7:
        return wait();
      case 6:
        return bytes_.byte() > 0xFC ? consumer_->close() : consumer_->flush();
      default:
        return drain();
    }
  }

  /// Damage of a lane is told once.
  void judge(status outcome) {
    require(is_one_of(outcome, status::ok, status::empty, status::closed, status::corrupt),
            "a look at the lanes: a status that is not documented");
    if (outcome != status::corrupt) return;
    const auto lane = consumer_->lane();
    require(lane < count_ && !damaged_[lane], "a lane's damage was told twice");
    damaged_[lane] = true;
  }
  void check(std::span<const std::byte> shown, std::uint32_t sequence, std::uint32_t lane) {
    require(lane < count_ && lies_in(shown, data_of(lane), data_of(lane) + capacity_),
            "a record outside the lane");
    require(shown.size() <= lanes_.max_record(), "a record above the limit");
    const auto units = static_cast<std::uint32_t>(record::frame_size(shown.size()) / 8);
    require(((sequence - next_[lane]) & sequences) <= sequences / 2, "a record came twice");
    require(((sequence - released_[lane]) & sequences) + units <= capacity_ / 8,
            "more than a lane can hold");
    end_ = sequence + units;
  }

  void drain() {
    const auto limit = bytes_.flag() ? no_limit : 1 + bytes_.below(8);
    std::uint32_t shown = 0;
    const auto did = consumer_->drain(
        [&](const auto& record, std::uint32_t lane) {
          ++shown;
          check(record.bytes, record.sequence, lane);
          next_[lane] = end_;
        },
        limit);
    judge(did.outcome);
    require(did.records == shown && shown <= limit, "drain() miscounted");
    require(shown <= count_ * (capacity_ / 8 + 512), "drain() showed more than there can be");
  }
  void wait() {
    const auto outcome = consumer_->wait(soon());
    if (outcome != status::timed_out) judge(outcome);
  }

  arena& memory_;
  input& bytes_;
  std::uint32_t count_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t start_ = 0;
  std::size_t lane_size_ = 0;
  type lanes_;
  std::array<std::optional<type::producer_type<>>, most> producers_;
  std::optional<type::consumer_type<short_park, most>> consumer_;
  std::array<std::uint32_t, most> released_{};
  std::array<std::uint32_t, most> next_{};
  std::array<bool, most> damaged_{};
  std::uint32_t end_ = 0;
  bool taking_ = false;
};

class coalesce_run {
  using type = coalesce<weir::bytes, fuzz_memory>;

 public:
  coalesce_run(arena& memory, input& bytes)
      : memory_{memory},
        bytes_{bytes},
        keys_{1 + bytes.below(100)},
        size_{1 + bytes.below(24)},
        made_{type::format(memory.begin(bytes, type::bytes_required(keys_, size_)),
                           {.keys = keys_, .max_value = size_, .wake = wake_protocol::fenced})
                  .value()} {
    auto taken = made_.producer();
    if (taken) producer_.emplace(std::move(taken).value());
    here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if ((what & 3) == 0) memory_.scribble(layout::header_size, here.shared.size());
      if ((what & 3) == 1) produce();
      if ((what & 3) > 1)
        bounded("a consumer's call", most_looks * bound(), [&] { consume(what >> 2); });
    }
    bounded("the end", bound(), [&] {
      consumer_.reset();
      producer_.reset();
    });
  }

 private:
  [[nodiscard]] auto bound() const -> std::uint64_t { return 512 + 32 * std::uint64_t{keys_}; }

  void produce() {
    const quiet truth;
    static constexpr std::array<std::byte, 24> value{};
    bounded("an honest producer", bound(), [&] {
      if (!producer_) return;
      static_cast<void>(
          producer_->update(bytes_.below(keys_), std::span{value}.first(bytes_.below(size_ + 1))));
      if (bytes_.byte() > 0xFC) producer_->close();
    });
  }

  void consume(std::uint32_t what) {
    if (!consumer_ || what == 0) return take();
    if (what < 4) {
      const auto outcome = consumer_->wait(soon());
      require(is_one_of(outcome, status::ok, status::closed, status::corrupt, status::timed_out),
              "wait(): a status that is not documented");
      return require(!corrupt_ || outcome == status::corrupt, "corrupt did not stay");
    }
    std::uint32_t shown = 0;
    const auto did = consumer_->drain([&](const auto& value) {
      ++shown;
      require(value.key < keys_, "a key that there is not");
      require(lies_in(value.value, layout::coalesce::roots, here.shared.size()),
              "a value outside the span");
      require(value.value.size() <= size_, "a value above the limit");
    });
    require(is_one_of(did.outcome, status::empty, status::closed, status::corrupt),
            "drain(): not documented");
    require(!corrupt_ || did.outcome == status::corrupt, "corrupt did not stay");
    require(did.records == shown && shown <= keys_ + 1, "drain() showed more than there can be");
    corrupt_ = did.outcome == status::corrupt;
  }
  void take() {
    consumer_.reset();
    corrupt_ = false;
    auto taken = made_.consumer<short_park>();
    require(taken || is_one_of(taken.status(), status::busy, status::corrupt),
            "consumer(): not documented");
    if (taken) consumer_.emplace(std::move(taken).value());
  }

  arena& memory_;
  input& bytes_;
  std::uint32_t keys_;
  std::uint32_t size_;
  type made_;
  std::optional<type::producer_type> producer_;
  std::optional<type::consumer_type<short_park>> consumer_;
  bool corrupt_ = false;
};

}  // namespace weir::fuzz
