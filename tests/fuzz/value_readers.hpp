// SPDX-License-Identifier: MIT
/// Readers that nobody knows of: latest, broadcast_ring. Beside an honest writer, and in a hostile memory.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"

#include <weir/broadcast_ring.hpp>
#include <weir/latest.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace weir::fuzz {

/// Bytes that say which record they are.
[[nodiscard]] inline auto pattern_of(std::uint64_t number, std::size_t size)
    -> std::vector<std::byte> {
  std::vector<std::byte> made(size);
  for (auto& each : made) each = static_cast<std::byte>(number = number * 29 + 7);
  return made;
}

class latest_run {
  using type = latest<weir::bytes, fuzz_memory>;

 public:
  latest_run(arena& memory, input& bytes, bool hostile)
      : memory_{memory},
        bytes_{bytes},
        hostile_{hostile},
        latest_{format()},
        reader_{latest_.reader<short_park>().value()} {
    auto taken = latest_.writer();
    if (taken) writer_.emplace(std::move(taken).value());
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0)
        memory_.scribble(layout::header_size, here.shared.size());
      if ((what & 1) == 0) {
        write(what == 0xFE);
      } else {
        bounded("read()", most_looks * bound(), [&] { read(what >> 1 & 7); });
      }
    }
    bounded("the end", bound(), [&] { writer_.reset(); });
  }

 private:
  [[nodiscard]] auto format() -> type {
    const auto flags = bytes_.byte();
    const latest_options options{
        .size = 1 + bytes_.below(60),
        .buffers = 1 + (flags >> 4 & 3),
        .wide_version = (flags & 4) != 0,
        .wake = (flags & 1) != 0 ? wake_protocol::fenced : wake_protocol::at_flush,
        .process_shared = (flags & 8) != 0,
        .start_version = bytes_.start_position(1)};
    return type::format(memory_.begin(bytes_, type::bytes_required(options)), options).value();
  }
  [[nodiscard]] auto bound() const -> std::uint64_t { return 64 * (8 + latest_.size()); }

  void write(bool last) {
    const quiet truth;
    if (!writer_) return;
    bounded("write()", bound(), [&] {
      if (last) writer_->close();
      const auto outcome = writer_->write(pattern_of(++written_, latest_.size()));
      require(is_one_of(outcome, status::ok, status::closed), "write(): not documented");
      if (outcome != status::ok) return void(--written_);
      fresh_ = any_ = true;
    });
    closed_ = closed_ || last;
  }

  void read(std::uint32_t what) {
    std::vector<std::byte> out(latest_.size() - (what == 7 ? 1 : 0));
    if (what == 0) return wait();
    const auto attempts = 1 + bytes_.below(64);
    const bool news = what > 3 && what < 7;
    const auto outcome = news ? reader_.try_read_new(out, attempts) : reader_.read(out, attempts);
    if (what == 7) return require(outcome == status::too_large, "read() into too few bytes");
    require(is_one_of(outcome, status::ok, status::empty, status::torn,
                      news ? status::closed : status::ok),
            "read(): a status that is not documented");
    if (hostile_) return;
    const auto expected = (news ? fresh_ : any_) ? status::ok
                          : news && closed_      ? status::closed
                                                 : status::empty;
    require(outcome == expected, "read() does not say what there is");
    if (outcome != status::ok) return;
    require(out == pattern_of(written_, out.size()), "not the newest value");
    fresh_ = false;
  }
  void wait() {
    const auto outcome = reader_.wait(soon());
    require(is_one_of(outcome, status::ok, status::closed, status::timed_out, status::peer_dead),
            "wait(): a status that is not documented");
    require(hostile_ || (outcome == status::ok) == fresh_, "wait() does not say what there is");
  }

  arena& memory_;
  input& bytes_;
  bool hostile_;
  type latest_;
  type::reader_type<short_park> reader_;
  std::optional<type::writer_type> writer_;
  std::uint64_t written_ = 0;
  bool any_ = false;
  bool fresh_ = false;
  bool closed_ = false;
};

class broadcast_run {
  using type = broadcast_ring<weir::bytes, fuzz_memory>;

 public:
  broadcast_run(arena& memory, input& bytes, bool hostile)
      : memory_{memory},
        bytes_{bytes},
        hostile_{hostile},
        ring_{format()},
        writer_{ring_.writer().value()},
        reader_{ring_.reader().value()} {
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0)
        memory_.scribble(layout::header_size, here.shared.size());
      if ((what & 1) == 0) {
        write();
      } else if (what >= 0xE0) {
        bounded("reader()", bound(), [&] { join(what); });
      } else if (what >= 0xD8) {
        bounded("wait()", most_looks * bound(), [&] { static_cast<void>(reader_->wait()); });
      } else {
        bounded("read()", bound(), [&] { read(what == 1); });
      }
    }
  }

 private:
  [[nodiscard]] auto format() -> type {
    const auto capacity = 256U << bytes_.below(2);
    const auto start = std::uint64_t{bytes_.byte()} << 32 | bytes_.start_position(8);
    const auto shared = memory_.begin(bytes_, type::bytes_required(capacity));
    return type::format(shared, {.capacity = capacity,
                                 .wake = wake_protocol::fenced,
                                 .start_position = start & ~(std::uint64_t{1} << 63)})
        .value();
  }
  [[nodiscard]] auto bound() const -> std::uint64_t { return 256 + 4 * ring_.capacity(); }

  void write() {
    const quiet truth;
    bounded("write()", bound(), [&] {
      const auto size = bytes_.below(ring_.max_record() + 1);
      const auto record = pattern_of(sizes_.size(), size);
      require(writer_.write(record, bytes_.byte()) == status::ok, "write() refused");
      sizes_.push_back(size);
    });
  }

  /// A reader that begins with what is there, or with what will be.
  void join(std::uint32_t what) {
    const auto where = (what & 2) != 0 ? from::oldest : from::newest;
    reader_ = ring_.reader(where).value();
    next_ = sizes_.size();
    known_ = sizes_.empty();  // else what it loses before its first record is not counted
    corrupt_ = false;
  }

  void read(bool no_room) {
    std::array<std::byte, 128> out;
    const auto room = no_room ? 0 : out.size();
    const auto found = reader_->read(std::span{out}.first(room));
    require(is_one_of(found.outcome, status::ok, status::empty, status::lost, status::too_large,
                      status::torn, status::corrupt, status::closed),
            "read(): a status that is not documented");
    require(!corrupt_ || found.outcome == status::corrupt, "corrupt did not stay");
    corrupt_ = found.outcome == status::corrupt;
    require(found.outcome != status::ok || found.size <= room, "more bytes than there is room for");
    require(found.outcome != status::lost || found.lost != 0, "lost nothing");
    if (!hostile_) judge(found, out);
  }

  void judge(const broadcast_result& found, std::span<const std::byte> out) {
    const auto written = sizes_.size();
    if (found.outcome == status::empty)
      return require(!known_ || next_ == written, "a record is missing");
    require(is_one_of(found.outcome, status::ok, status::lost, status::too_large),
            "read() among honest peers");
    require(found.number < written, "a record that nobody wrote");
    if (found.outcome == status::lost) {
      require(!known_ || found.lost == found.number - next_, "lost() miscounted");
      next_ = found.number;
      known_ = true;
      return;
    }
    require(!known_ || found.number == next_, "a record out of order");
    require(found.size == sizes_[found.number], "a record of another size");
    next_ = found.number;
    known_ = true;
    if (found.outcome == status::too_large) return;
    const auto expected = pattern_of(found.number, found.size);
    require(std::equal(expected.begin(), expected.end(), out.begin()), "a record of other bytes");
    ++next_;
  }

  arena& memory_;
  input& bytes_;
  bool hostile_;
  type ring_;
  type::writer_type writer_;
  std::optional<type::reader_type<>> reader_;
  std::vector<std::uint32_t> sizes_;  ///< of the records written
  std::uint64_t next_ = 0;
  bool known_ = true;  ///< next_ is what must come
  bool corrupt_ = false;
};

}  // namespace weir::fuzz
