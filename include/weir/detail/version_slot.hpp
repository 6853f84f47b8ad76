// SPDX-License-Identifier: MIT
/// One version of a version_table: it is changed here, and copies are taken under it.
#pragma once

#include <weir/detail/version_control.hpp>
#include <weir/detail/version_word.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// A version, whose number was checked once. Copyable; outlived by the table's span.
///
/// A value is either one that any thread announces with publish(), or one that a single writer at a time
/// rewrites between begin() and end(), so that readers can tell a torn copy.
template <memory_policy Memory = native_memory>
class version_slot {
 public:
  version_slot() = default;
  /// Needs  slot < the table's slots.
  version_slot(const detail::version_control<Memory>& control, std::uint32_t slot) noexcept
      : control_{control}, version_{control.version(slot)} {
    const auto& shape = control.shape();
    for (std::uint32_t level = 0, index = slot; level < shape.levels; ++level) {
      index /= detail::version_shape::fan_out;
      counters_[level] = control.counter(shape.first[level] + index);
    }
    counters_[shape.levels] = control.root();
  }

  // --- writing

  /// What the version stands for has changed: wakes who waits for it.
  ///
  /// Needs    nobody between begin() and end().
  /// Returns  the new version.
  /// Thread   any.   Progress  wait-free.
  auto publish() noexcept -> std::uint32_t {
    const auto version = version_.advance();
    touch();
    return version;
  }

  /// From here until end() no reader takes what it copied for a value.
  /// Thread   the value's writer, one at a time.   Progress  wait-free.
  void begin() noexcept { version_.begin(); }

  /// The value is whole: wakes who waits for it.
  ///
  /// Needs    begin().
  /// Returns  the new version.
  /// Thread   the value's writer.   Progress  wait-free.
  auto end() noexcept -> std::uint32_t {
    const auto version = version_.end();
    touch();
    return version;
  }

  /// As end(), for versions that mean something.
  /// Needs    begin(); an even version, and one that no reader takes for the one before.
  void end_as(std::uint32_t version) noexcept {
    version_.end_as(version);
    touch();
  }

  /// Has readers look at the version again, whether it has changed or not. It repairs what a writer left
  /// that died after it had changed the version, and before it could tell.
  /// Thread   any.   Progress  wait-free.
  void touch() const noexcept {
    for (std::uint32_t level = 0; level <= control_.shape().levels; ++level) {
      control_.advance(counters_[level]);
    }
    if (control_.has_doorbell() && control_.wakes()) control_.data_bell().ring_if_awaited();
  }

  // --- reading; thread: any

  /// How often the value was published, times 2; odd: it is being written. Wraps.
  [[nodiscard]] auto version() const noexcept -> std::uint32_t { return version_.load(); }

  /// Copies a value that its writer may be rewriting: calls copy() until nobody wrote meanwhile.
  ///
  /// Needs    copy() reads shared words only as Memory::copy_out_words does, and judges nothing; the writer
  ///          writes them as copy_in_words does, and nobody else's bytes lie in them.
  /// Returns  the version of what was copied; torn: it was being written on each of `attempts` looks.
  /// Progress wait-free.
  template <class Copy>
  [[nodiscard]] auto read(Copy&& copy,
                          std::uint32_t attempts = detail::default_read_attempts) const noexcept
      -> result<std::uint32_t> {
    return version_.read(copy, attempts);
  }

  /// As above: copies out.size() bytes that lie in words.
  [[nodiscard]] auto read(std::span<std::byte> out, const std::uint32_t* from,
                          std::uint32_t attempts = detail::default_read_attempts) const noexcept
      -> result<std::uint32_t> {
    return read([&] { Memory::copy_out_words(out.data(), from, out.size()); }, attempts);
  }

 private:
  detail::version_control<Memory> control_;
  detail::version_word<Memory> version_{nullptr};
  /// From the lowest to the root.
  std::array<std::uint32_t*, detail::version_shape::max_levels + 1> counters_{};
};

}  // namespace weir
