// SPDX-License-Identifier: MIT
/// What the consumers of byte rings and of typed rings have in common. `Core` is the role behind the handle.
#pragma once

#include <weir/detail/bits.hpp>
#include <weir/detail/outcomes.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstdint>
#include <utility>

namespace weir::detail {

template <class Core, wait_policy Wait>
class consumer_handle {
 public:
  /// Shows every record that is there, in order, to `read`, and lets go of them: to
  /// `read(const record_view&)` in a byte ring, to `read(const T&)` in a typed one. At most `limit`, and
  /// never more than the ring can hold: a fast producer cannot keep it here.
  ///
  /// Thread   consumer; `read` must not use this consumer, nor throw.   Progress  wait-free but for `read`.
  template <class Read>
  [[nodiscard, gnu::always_inline]] inline auto drain(Read&& read,
                                                      std::uint32_t limit = no_limit) noexcept
      -> drained {
    const auto most = smaller(limit, core_.reader().most_records());
    std::uint32_t total = 0;
    const auto outcome = core_.template read<Wait>([&] {
      std::uint32_t shown = 0;
      const auto ended = core_.reader().drain(read, most - total, shown);
      total += shown;
      return ended;
    });
    core_.let_go();
    return {outcome, total};
  }

  /// Skips what dead producers claimed and will never commit, where it stands in the way, and makes their
  /// commits fail with `stale`. Also sets their slots free for new producers.
  ///
  /// `alive(id, start) -> bool` is false only for an owner that can never run again: the commit of one
  /// that does is refused, but the bytes that it writes meanwhile are not. By default the memory's own
  /// proof, on Linux process id and start time.
  /// Returns  what it did; outcome ok, pending, empty, unsupported, corrupt.
  /// Thread   consumer.   Progress  wait-free but for `alive`.
  template <class Alive>
  [[nodiscard]] auto recover(Alive&& alive) noexcept
    requires(Core::recovers)
  {
    return core_.reader().recover(alive);
  }
  [[nodiscard]] auto recover() noexcept
    requires(Core::recovers)
  {
    return recover(Core::memory::alive);
  }

  /// Position of the next record, for a message to the producer (acknowledge). Lets go of what was read.
  [[nodiscard]] auto read_position() noexcept -> std::uint32_t {
    core_.flush();
    return static_cast<std::uint32_t>(core_.reader().position());
  }

  /// Lets go of everything that was read, and wakes a producer that waits for space.
  void flush() noexcept { core_.flush(); }

  /// Ends the stream from this side: claims get `closed`. What is in the ring can still be read.
  void close() noexcept { core_.close(); }

  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return core_.reader().area().capacity;
  }

 protected:
  explicit consumer_handle(Core state) noexcept : core_{std::move(state)} {}

  Core core_;
};

}  // namespace weir::detail
