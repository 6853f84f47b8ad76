// SPDX-License-Identifier: MIT
/// The control block of image: who may flip, which buffer is read, what its bands are.
///
/// Edges        I4 -> I1  bands of a frame, to its views     I2 -> I3  views, to who flips
///              I3 -> I7  that one buffer is open, to views that find the other closed
///
///   member that commits                    member that waits for a band
///   its band's word = free                 announces itself at the counter of the frames
///   fence                      [I5]        fence                            [I6]
///   frame is the one written ?             the band's word is free ?
///   forbidden: the first finds the frame before it, the second finds the band held, and the flip had moved
///   the counter on before the announcement. (If later, the flip wakes it.)
#pragma once

#include <weir/detail/control_block.hpp>
#include <weir/detail/header.hpp>
#include <weir/detail/region_control.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>
#include <weir/version_table.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Attempts to pin a frame, each of which fails only if another member, or the director, was faster.
inline constexpr std::uint32_t pin_attempts = 64;

/// A private, immutable description of one image, and addresses of its shared words.
template <class Memory>
class image_control : public control_block<Memory> {
  using block = control_block<Memory>;
  using block::base_;
  using block::fields_;

 public:
  using block::word;

  image_control() = default;
  image_control(std::byte* base, const header& fields, const version_table<Memory>& frames,
                const region_control<Memory>& bands) noexcept
      : block{base, fields, layout::image::frames + layout::version_table::root, nullptr},
        frames_{frames},
        bands_{bands} {}

  [[nodiscard]] auto frames() const noexcept -> const version_table<Memory>& { return frames_; }
  [[nodiscard]] auto bands() const noexcept -> const region_control<Memory>& { return bands_; }
  [[nodiscard]] auto director_entry() const noexcept -> owner_entry<Memory> {
    return {word(layout::image::director_owner), word(layout::image::director_start)};
  }

  // --- frames

  /// Number of the frame that can be read, mod 2^31; all that was written to it is visible.
  [[nodiscard]] auto frame() const noexcept -> std::uint32_t { return frames_.version(0) / 2; }

  [[nodiscard]] static constexpr auto following(std::uint32_t frame) noexcept -> std::uint32_t {
    return (frame + 1) & 0x7FFF'FFFF;
  }
  /// The version that a band has once it is written for a frame.
  [[nodiscard]] static constexpr auto version_of(std::uint32_t frame) noexcept -> std::uint32_t {
    return 2 * frame;
  }
  /// The number of the next frame, if a band is not written for it yet. The answer is true from when it was
  /// asked for, and as long as the asker holds the band, until it commits: without this band nobody flips.
  /// Returns  a number; empty: the band is written. Needs  index < the number of bands.
  [[nodiscard]] auto frame_to_write(std::uint32_t index) const noexcept -> result<std::uint32_t> {
    const auto now = frame();
    const auto version = bands_.table().version(index);
    if (is_whole(version) && version != version_of(now)) return status::empty;
    return following(now);
  }
  /// True if every band is written for the next frame.
  [[nodiscard]] auto is_written() const noexcept -> bool {
    const auto written = version_of(frame() + 1);
    for (std::uint32_t index = 0; index < bands_.count(); ++index) {
      if (bands_.table().version(index) != written) return false;
    }
    return true;
  }
  /// First byte of the buffer that a frame lies in.
  [[nodiscard]] auto buffer_of(std::uint32_t frame) const noexcept -> std::byte* {
    return base_ + fields_.data_offset + (frame & 1) * fields_.stride;
  }

  // --- pins: the bits of the members that look at a buffer, or the mark that it is being written

  /// Keeps the newest whole frame from being overwritten, for the member at `place`: the readable one, or the
  /// next, where a flip waits for views of that, or has stopped in the middle. So views drain off the buffer
  /// that the director waits for, and never go back.
  /// Returns  its number; busy: the member has a pin already, or others were faster each time.
  [[nodiscard]] auto pin(std::uint32_t place) const noexcept -> result<std::uint32_t> {
    if (has_view(place)) return status::busy;
    for (std::uint32_t attempt = 0; attempt < pin_attempts; ++attempt) {
      auto side = following(frame()) & 1;
      auto seen = guess_pins(side);
      if (is_being_written(seen)) {
        side ^= 1;
        seen = guess_pins(side);
        if (is_being_written(seen)) continue;  // a flip came in between
      }
      // [I1] acquire <- [I4]: the bands that the director saw when it opened this.
      if (Memory::compare_exchange(pins(side), seen, seen | 1U << place, std::memory_order_acquire,
                                   // relaxed: failed CAS, nothing read
                                   std::memory_order_relaxed)) {
        const auto now = frame();  // from here on the buffer stays what it is
        return (now & 1) == side ? now : following(now);
      }
    }
    return status::busy;
  }

  /// Needs   a pin of that member on that side.
  void unpin(std::uint32_t side, std::uint32_t place) const noexcept {
    // [I2] release -> [I3]: what was read is read.
    Memory::fetch_add(pins(side), 0U - (1U << place), std::memory_order_release);
  }

  /// Takes back the pins of a member that is gone. Returns  how many there were.
  [[nodiscard]] auto unpin_all(std::uint32_t place) const noexcept -> std::uint32_t {
    std::uint32_t count = 0;
    for (const std::uint32_t side : {0U, 1U}) {
      if (!is_pinned(side, place)) continue;
      unpin(side, place);
      ++count;
    }
    return count;
  }
  [[nodiscard]] auto is_pinned(std::uint32_t side, std::uint32_t place) const noexcept -> bool {
    // relaxed: single writer
    return (Memory::load(pins(side), std::memory_order_relaxed) & 1U << place) != 0;
  }

  [[nodiscard]] auto has_view(std::uint32_t place) const noexcept -> bool {
    return is_pinned(0, place) || is_pinned(1, place);
  }

  /// Marks a buffer as being written. Thread  director.
  /// Returns  ok, also if it is marked; busy: somebody looks at it.
  [[nodiscard]] auto close_to_views(std::uint32_t side) const noexcept -> status {
    std::uint32_t nobody = 0;
    // [I3] acq_rel -> [I7] <- [I2]: nobody reads any more; that the other buffer is open.
    const bool closed = Memory::compare_exchange(pins(side), nobody, layout::image::being_written,
                                                 std::memory_order_acq_rel,
                                                 // relaxed: failed CAS, nothing read
                                                 std::memory_order_relaxed);
    return closed || nobody == layout::image::being_written ? status::ok : status::busy;
  }
  /// Takes the mark off, if it is there: a director that died may have done so. Thread  director.
  void open_to_views(std::uint32_t side) const noexcept {
    auto marked = layout::image::being_written;
    // [I4] release -> [I1]: all bands of the frame, which the director has seen.
    static_cast<void>(Memory::compare_exchange(pins(side), marked, 0, std::memory_order_release,
                                               // relaxed: failed CAS, nothing read
                                               std::memory_order_relaxed));
  }

  // --- telling those who wait

  /// Has a waiting director look again: a pin is gone, or a band is free.
  void tell_director() const noexcept { bands_.table().slot(0).value().touch(); }
  /// Has waiting members look again: a band is free that is not written.
  void tell_members() const noexcept { frames_.slot(0).value().touch(); }
  /// The same after commit() has freed a band of a frame that was flipped meanwhile.
  void tell_members_if_flipped(std::uint32_t written) const noexcept {
    // [I5] fence(seq_cst): the band is free before the look at the frame; pairs with [I6].
    Memory::fence(std::memory_order_seq_cst);
    if (frame() == written) tell_members();
  }

  /// True if a band can be claimed. Its word may be free and its frame flipped at once.
  [[nodiscard]] auto has_free_band() const noexcept -> bool {
    // [I6] fence(seq_cst): the announcement before the look at the bands; pairs with [I5].
    Memory::fence(std::memory_order_seq_cst);
    for (std::uint32_t index = 0; index < bands_.count(); ++index) {
      if (frame_to_write(index) && !bands_.is_held(index)) return true;
    }
    return false;
  }

  // --- who is missing, asked by those who have waited for long: ok; peer_dead

  [[nodiscard]] auto director_status() const noexcept -> status {
    return block::status_of(director_entry());
  }
  /// Of those that hold what a flip waits for.
  [[nodiscard]] auto holders_status() const noexcept -> status {
    if (!block::process_shared()) return status::ok;
    for (std::uint32_t index = 0; index < bands_.count(); ++index) {
      if (bands_.owner(index) == owner_state::dead) return status::peer_dead;
    }
    for (std::uint32_t place = 0; place < bands_.places().count(); ++place) {
      if (has_view(place) && bands_.places().entry(place).state() == owner_state::dead) {
        return status::peer_dead;
      }
    }
    return status::ok;
  }

 private:
  [[nodiscard]] auto pins(std::uint32_t side) const noexcept -> std::uint32_t* {
    return word(layout::image::pins + 4 * side);
  }
  [[nodiscard]] auto guess_pins(std::uint32_t side) const noexcept -> std::uint32_t {
    // [I7] acquire <- [I3].
    return Memory::load(pins(side), std::memory_order_acquire);
  }
  [[nodiscard]] static constexpr auto is_being_written(std::uint32_t pinned) noexcept -> bool {
    return (pinned & layout::image::being_written) != 0;
  }

  version_table<Memory> frames_;
  region_control<Memory> bands_;
};

}  // namespace weir::detail
