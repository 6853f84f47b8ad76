// SPDX-License-Identifier: MIT
/// A reader of broadcast_ring: no role, nothing of its own in shared memory.
#pragma once

#include <weir/detail/broadcast_control.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// Where a new reader begins.
enum class from : std::uint32_t {
  oldest,  ///< with the oldest record that is still whole
  newest,  ///< with the next record that will be published
};

/// What read() did.
struct broadcast_result {
  status outcome;            ///< as read() says
  std::uint32_t size = 0;    ///< of the record, in bytes; with too_large what the buffer must hold
  std::uint32_t type = 0;    ///< of the record
  std::uint64_t number = 0;  ///< of the record; with lost of the one that comes next
  std::uint64_t lost = 0;    ///< with lost: records that this reader will never see
};

/// What a reader counts, privately.
struct broadcast_reader_statistics {
  std::uint64_t received = 0;  ///< records delivered
  std::uint64_t lost = 0;      ///< records that were overwritten first
  std::uint64_t waits = 0;     ///< sleeps
};

/// Reads records in the order in which they were written, as long as the writer does not lap it. As many as
/// there are threads; each copy goes on by itself.
///
/// Thread  one at a time.
template <class Memory, wait_policy Wait>
class broadcast_reader {
 public:
  broadcast_reader(const detail::broadcast_control<Memory>& control, from where) noexcept
      : control_{control} {
    if (where == from::oldest) {
      join_oldest();
    } else {
      const auto sync = control_.load_sync();
      next_ = control_.load_position();
      known_ = next_ == sync;  // nothing was ever written, so the next one is number 0
    }
  }

  /// Copies the next record out. Nobody can change what was copied, and it is never torn.
  ///
  /// Returns  ok; empty; closed: and nothing is left; lost: the writer has lapped this reader, which now
  ///          stands at most about half a ring behind it; too_large: the record stays; torn: overwritten
  ///          during each of some copies, so try again; corrupt, for good.
  /// Effect   unless ok, `out` may hold anything.
  /// Progress wait-free.
  [[nodiscard]] auto read(std::span<std::byte> out) noexcept -> broadcast_result {
    for (std::uint32_t budget = steps_per_read; budget != 0;) {
      detail::broadcast_head head;
      if (const auto outcome = find(head, budget); outcome != status::ok) return {outcome};
      if (const auto gap = head.number() - expected_; known_ && gap != 0) {
        return miss(head.number(), gap);
      }
      known_ = true;
      expected_ = head.number();
      const auto size = head.payload();
      if (size > out.size()) return {status::too_large, size, head.type, head.number()};
      Memory::copy_out_words(out.data(), control_.payload_at(next_), size);
      if (control_.overwritten(next_)) {
        jump();
        continue;
      }
      next_ += record::size_of(head.word);
      ++expected_;
      ++counters_.received;
      return {status::ok, size, head.type, head.number()};
    }
    return {status::torn};
  }

  /// Waits until there is something to read, or to be told, as the policy says.
  ///
  /// Returns  ok; closed; corrupt; timed_out; stopped; empty (poll); would_block (inline mode);
  ///          peer_dead: policy park, shared by processes, empty, and the writer died.
  [[nodiscard]] auto wait(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status {
    struct condition {
      broadcast_reader& reader;
      auto look() noexcept -> status { return reader.look(); }
      auto peer() noexcept -> status { return reader.control_.writer_status(); }
    } news{*this};
    auto bell = control_.data_bell();
    detail::wait_counters counters;
    const auto outcome = detail::await<Wait>(
        detail::wait_request<Memory, condition>{bell, news, until, stop, counters});
    counters_.waits += counters.waits;
    return outcome;
  }

  [[nodiscard]] auto statistics() const noexcept -> const broadcast_reader_statistics& {
    return counters_;
  }
  [[nodiscard]] auto max_record() const noexcept -> std::uint32_t {
    return control_.fields().max_record;
  }

 private:
  /// Looks at records, padding and places that the writer took away meanwhile, in one call.
  static constexpr std::uint32_t steps_per_read = 16;

  void join_oldest() noexcept {
    const auto sync = control_.load_sync();
    next_ = control_.load_overwrite_end();
    detail::broadcast_head head;
    std::uint32_t budget = steps_per_read;
    const auto found = find(head, budget);
    known_ = found == status::ok || (found == status::empty && next_ == sync);
    if (found == status::ok) expected_ = head.number();
  }

  /// Returns  ok: there is something to read, or to be told; empty; closed; corrupt.
  [[nodiscard]] auto look() noexcept -> status {
    if (over_ != status::ok) return over_;
    if (control_.load_position() != next_) return status::ok;
    if (!control_.load_closed()) return status::empty;
    return control_.load_position() != next_ ? status::ok : status::closed;
  }

  /// Finds the next record, past padding and past what was overwritten. Afterwards its head was whole.
  [[nodiscard]] auto find(detail::broadcast_head& head, std::uint32_t& budget) noexcept -> status {
    while (budget != 0) {
      --budget;
      if (const auto news = look(); news != status::ok) return news;
      const auto end = control_.load_position();
      if (end < next_ || next_ % record::alignment != 0) return over_ = status::corrupt;
      const bool there = end - next_ <= control_.fields().capacity && copy_head(head, end);
      if (control_.overwritten(next_) || end - next_ > control_.fields().capacity) {
        jump();
        continue;
      }
      if (!there) return over_ = status::corrupt;
      if (!record::is_padding(head.word)) return status::ok;
      next_ += record::size_of(head.word);
    }
    return status::torn;
  }

  /// Returns  false: no record or padding stands there.
  [[nodiscard]] auto copy_head(detail::broadcast_head& head, std::uint64_t end) const noexcept
      -> bool {
    auto* const there = control_.record_at(next_);
    Memory::copy_out_words(&head, there, record::header_size);
    if (!control_.judge(head.word, next_, end)) return false;
    if (record::is_padding(head.word)) return true;
    constexpr auto framing = record::header_size / sizeof(std::uint32_t);
    Memory::copy_out_words(&head.number_low, there + framing, detail::broadcast_head::number_size);
    return true;
  }

  /// Goes on at a record that is still whole: half a ring behind the writer, where there is time to read.
  void jump() noexcept {
    const auto oldest = control_.load_overwrite_end();
    const auto sync = control_.load_sync();
    const auto target = sync < oldest ? oldest : sync;
    if (target > next_) next_ = target;
  }

  [[nodiscard]] auto miss(std::uint64_t number, std::uint64_t count) noexcept -> broadcast_result {
    if (number < expected_) return {over_ = status::corrupt};
    expected_ = number;
    counters_.lost += count;
    return {status::lost, 0, 0, number, count};
  }

  detail::broadcast_control<Memory> control_;
  std::uint64_t next_ = 0;      ///< position of the next record
  std::uint64_t expected_ = 0;  ///< its number
  bool known_ = false;          ///< expected_ means something
  status over_ = status::ok;
  broadcast_reader_statistics counters_;
};

}  // namespace weir
