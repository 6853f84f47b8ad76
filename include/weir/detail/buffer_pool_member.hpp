// SPDX-License-Identifier: MIT
/// Who takes part in a buffer_pool, and what it holds.
#pragma once

#include <weir/contract.hpp>
#include <weir/detail/buffer_pool_control.hpp>
#include <weir/detail/buffer_pool_slot.hpp>
#include <weir/detail/owner_table.hpp>
#include <weir/detail/version_word.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/status.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir {

/// The name of one allocation. It stays the name of that one: once that is over, whoever comes with it
/// gets `stale`, whatever the buffer is used for by then. By itself it gives no access.
struct pool_handle {
  /// That of a handle that names nothing.
  static constexpr std::uint32_t none = 0xFFFF'FFFF;

  std::uint32_t index = none;
  std::uint32_t generation = 0;

  [[nodiscard]] auto operator==(const pool_handle&) const noexcept -> bool = default;
};

/// A buffer on its way from a member to another, through a ring or anything else that synchronizes.
struct pool_descriptor {
  pool_handle buffer;
  std::uint32_t from = 0;  ///< place of the member that handed it over

  [[nodiscard]] auto operator==(const pool_descriptor&) const noexcept -> bool = default;
};

/// A buffer that a member holds. Move-only; gives it up when destroyed, where nobody took it away before.
///
/// Needs   the member, and the pool's span, until then. In a fork's copy it must not be used; its destructor
///         does nothing there. To know, it asks the operating system which process this is; free() does not.
/// Thread  one at a time; that of its member.
template <class Memory>
class buffer {
 public:
  static constexpr std::uint32_t metadata_words = layout::pool::metadata_words;

  buffer(const detail::pool_slot<Memory>& slot, pool_handle handle, std::uint32_t place,
         std::uint32_t process) noexcept
      : slot_{slot}, handle_{handle}, used_{slot.used()}, place_{place}, process_{process} {}
  buffer(buffer&& other) noexcept
      : slot_{other.slot_},
        handle_{std::exchange(other.handle_, pool_handle{})},
        used_{std::exchange(other.used_, 0)},
        place_{other.place_},
        process_{other.process_} {}
  auto operator=(buffer&& other) noexcept -> buffer& {
    if (this != &other) {
      give_up();
      slot_ = other.slot_;
      handle_ = std::exchange(other.handle_, pool_handle{});
      used_ = std::exchange(other.used_, 0);
      place_ = other.place_;
      process_ = other.process_;
    }
    return *this;
  }
  ~buffer() { give_up(); }

  /// False once freed, handed over, detached or moved from. Nothing else below has an effect then.
  [[nodiscard]] explicit operator bool() const noexcept { return handle_ != pool_handle{}; }

  [[nodiscard]] auto handle() const noexcept -> pool_handle { return handle_; }
  /// What was asked for. Who may write them when, and who reads meanwhile, the holders settle: with one
  /// holder it is free to; with several, read() and write() are there, or the application's own order.
  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> { return {slot_.data, used_}; }
  /// Bytes that there are. 0 once it is given up.
  [[nodiscard]] auto capacity() const noexcept -> std::uint32_t {
    return *this ? slot_.capacity : 0;
  }
  /// How many hold it, this one among them. 0: it was reclaimed.
  [[nodiscard]] auto references() const noexcept -> std::uint32_t {
    if (!*this) return 0;
    const auto now = slot_.state();
    return now.is_allocation(handle_.generation)
               ? static_cast<std::uint32_t>(std::popcount(now.holders()))
               : 0;
  }

  // --- words of the application's, for what belongs to the bytes; 0 at first

  /// Needs  index < metadata_words.
  [[nodiscard]] auto metadata(std::uint32_t index) const noexcept -> std::uint32_t {
    WEIR_EXPECTS(index < metadata_words);
    return *this ? slot_.metadata(index) : 0;
  }
  /// Between begin_write() and end_write() it belongs to the version, as the bytes do.
  void set_metadata(std::uint32_t index, std::uint32_t value) const noexcept {
    WEIR_EXPECTS(index < metadata_words);
    if (*this) slot_.set_metadata(index, value);
  }

  // --- versions; one holder writes at a time, any number read

  /// The version is odd from here until end_write(), and stays odd if this member dies before.
  void begin_write() const noexcept {
    if (*this) slot_.version().begin();
  }
  /// Needs  begin_write().
  void end_write() const noexcept {
    if (*this) static_cast<void>(slot_.version().end());
  }
  /// Odd: being written. What was written before a version that is even, is visible afterwards.
  [[nodiscard]] auto version() const noexcept -> std::uint32_t {
    return *this ? slot_.version().load() : 0;
  }
  /// After looking at metadata: true if it belonged to the version `seen`, which is even.
  [[nodiscard]] auto is_still(std::uint32_t seen) const noexcept -> bool {
    return *this && slot_.version().still(seen);
  }

  /// Writes the first bytes, as a version of their own. The rest of their last word becomes 0.
  /// Returns  ok; too_large: more than bytes(); stale: given up.   Progress  wait-free.
  [[nodiscard]] auto write(std::span<const std::byte> from) const noexcept -> status {
    if (!*this) return status::stale;
    if (from.size() > used_) return status::too_large;
    begin_write();
    Memory::copy_in_words(words(), from.data(), from.size());
    end_write();
    return status::ok;
  }

  /// Copies the first bytes, all of one version. What is copied is written by write() only.
  /// Returns  the version; torn: being written on every attempt, or its writer died; too_large: more than
  ///          bytes(); stale: given up.
  /// Effect   `out` holds anything, unless ok.   Progress  wait-free.
  [[nodiscard]] auto read(std::span<std::byte> out,
                          std::uint32_t attempts = detail::default_read_attempts) const noexcept
      -> result<std::uint32_t> {
    if (!*this) return status::stale;
    if (out.size() > used_) return status::too_large;
    return slot_.version().read([&] { Memory::copy_out_words(out.data(), words(), out.size()); },
                                attempts);
  }

  // --- giving it up; none of these waits for anybody

  /// Returns  ok; stale: it was given up, or taken away, before.
  auto free() noexcept -> status {
    const auto held = let_go();
    return held == pool_handle{} ? status::stale : slot_.give_back(held.generation, place_);
  }
  /// The member still holds it, by name only: pool_member::held() takes it up again.
  [[nodiscard]] auto detach() noexcept -> pool_handle { return let_go(); }
  /// For whoever adopts it. Until then the member holds it, as far as anybody can see: a descriptor that is
  /// lost can be freed by name, or taken back by adopt().
  [[nodiscard]] auto hand_over() noexcept -> pool_descriptor { return {let_go(), place_}; }

 private:
  auto let_go() noexcept -> pool_handle {
    used_ = 0;
    return std::exchange(handle_, pool_handle{});
  }
  void give_up() noexcept {
    if (*this && process_ == Memory::self()) static_cast<void>(free());
  }
  [[nodiscard]] auto words() const noexcept -> std::uint32_t* {
    return detail::word_at(slot_.data, 0);
  }

  detail::pool_slot<Memory> slot_;
  pool_handle handle_;
  std::uint32_t used_;
  std::uint32_t place_;
  std::uint32_t process_;
};

/// One who takes part: a thread, or a process. Move-only; its place becomes free when it is destroyed, and
/// is given to another once nothing is held under it any more.
///
/// Needs   its buffers are given up before, or detached, or handed over. In a fork's copy it must not be
///         used; its destructor does nothing there.
/// Thread  one at a time.
template <class Memory>
class pool_member {
 public:
  using buffer_type = buffer<Memory>;

  pool_member(const detail::pool_control<Memory>& control,
              detail::membership<Memory> membership) noexcept
      : control_{control}, process_{Memory::self()}, membership_{std::move(membership)} {
    std::size_t at = 0;
    for (const auto& section : control_.shape().sections()) {
      // Members begin apart: at other mark words, where there are enough.
      cursors_[at++] = static_cast<std::uint32_t>(std::uint64_t{section.count} * place() /
                                                  layout::pool::max_places);
    }
  }
  pool_member(pool_member&&) noexcept = default;
  auto operator=(pool_member&&) -> pool_member& = delete;

  [[nodiscard]] auto place() const noexcept -> std::uint32_t { return membership_.place; }

  /// A buffer for `size` bytes, of the smallest class that holds them and has one. Its bytes are anything,
  /// its metadata 0.
  ///
  /// Returns   a buffer; too_large: no class holds so many; full: none is free. A buffer that somebody is
  ///           just giving up, or looking for, may count as not free.
  /// Progress  lock-free; looks at each buffer at most once.
  [[nodiscard]] auto allocate(std::uint64_t size) noexcept -> result<buffer_type> {
    auto found = control_.allocate(size, place(), cursors_);
    if (!found) return found.status();
    return buffer_type{found->slot, {found->index, found->generation}, place(), process_};
  }

  /// Becomes one more holder of what somebody holds.
  ///
  /// Needs     the handle came through something that synchronizes.
  /// Returns   a buffer; stale: that allocation is over; busy: this member holds it already.
  /// Progress  lock-free.
  [[nodiscard]] auto share(pool_handle handle) noexcept -> result<buffer_type> {
    if (!exists(handle)) return status::stale;
    const auto slot = control_.slot(handle.index);
    return held_if(slot.share(handle.generation, place()), slot, handle);
  }

  /// Becomes the holder in place of the one that handed it over.
  ///
  /// Returns   a buffer; stale: adopted before, freed, or reclaimed on its way; busy: this member holds it
  ///           already, and the descriptor is as good as before.
  /// Progress  lock-free.
  [[nodiscard]] auto adopt(const pool_descriptor& descriptor) noexcept -> result<buffer_type> {
    const auto handle = descriptor.buffer;
    if (!exists(handle) || descriptor.from >= layout::pool::max_places) return status::stale;
    const auto slot = control_.slot(handle.index);
    return held_if(slot.move(handle.generation, descriptor.from, place()), slot, handle);
  }

  /// Frees what was handed over, without adopting it. Returns  ok; stale, as above.
  auto discard(const pool_descriptor& descriptor) noexcept -> status {
    const auto handle = descriptor.buffer;
    if (!exists(handle) || descriptor.from >= layout::pool::max_places) return status::stale;
    return control_.slot(handle.index).give_back(handle.generation, descriptor.from);
  }

  /// Takes up again what this member holds by name. Needs  no other buffer of the same handle here.
  /// Returns  a buffer; stale: the member does not hold it.
  [[nodiscard]] auto held(pool_handle handle) noexcept -> result<buffer_type> {
    if (!exists(handle)) return status::stale;
    const auto slot = control_.slot(handle.index);
    const auto now = slot.state();
    const bool here = now.is_allocation(handle.generation) && now.held_by(place());
    return held_if(here ? status::ok : status::stale, slot, handle);
  }

  /// Gives up by name what this member holds.
  /// Returns  ok; stale: it does not hold it, any more.   Progress  lock-free.
  auto free(pool_handle handle) noexcept -> status {
    if (!exists(handle)) return status::stale;
    return control_.slot(handle.index).give_back(handle.generation, place());
  }

 private:
  [[nodiscard]] auto exists(pool_handle handle) const noexcept -> bool {
    return handle.index < control_.shape().buffers();
  }
  [[nodiscard]] auto held_if(status outcome, const detail::pool_slot<Memory>& slot,
                             pool_handle handle) const noexcept -> result<buffer_type> {
    if (outcome != status::ok) return outcome;
    return buffer_type{slot, handle, place(), process_};
  }

  detail::pool_control<Memory> control_;
  detail::pool_cursors cursors_{};
  std::uint32_t process_;
  detail::membership<Memory> membership_;
};

}  // namespace weir
