// SPDX-License-Identifier: MIT
/// The writing role of latest.
#pragma once

#include <weir/detail/latest_control.hpp>
#include <weir/layout.hpp>
#include <weir/owner.hpp>
#include <weir/record.hpp>
#include <weir/stats.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace weir {

/// What the writer of a latest counts. Wraps: observers take differences.
struct latest_statistics {
  std::uint32_t writes = 0;
};

/// Writes values, each in place of the one before. One per latest; move-only.
///
/// Thread  one at a time; hand it over only through something that synchronizes.
template <class T, class Memory, class Statistics>
class latest_writer {
 public:
  latest_writer(const detail::latest_control<Memory>& control,
                detail::held_role<Memory> role) noexcept
      : control_{control},
        bell_{control.data_bell()},
        rings_{bell_.protocol() > wake_protocol::at_flush},
        closed_{control.load_closed()},
        version_{control.load_version()},
        role_{std::move(role)} {
    counters_ = detail::load_statistics<Memory, latest_statistics>(statistics_words());
  }
  latest_writer(latest_writer&&) noexcept = default;
  auto operator=(latest_writer&&) -> latest_writer& = delete;
  ~latest_writer() {
    if (role_) flush();
  }

  /// Writes a value, and wakes readers that wait for it. Of fewer bytes than size() the rest is 0.
  ///
  /// Returns  ok; too_large: more than size() bytes; closed.
  /// Thread   writer.   Progress  wait-free.
  [[nodiscard]] auto write(std::span<const std::byte> value) noexcept -> status
    requires std::is_same_v<T, bytes>
  {
    if (value.size() > size()) return status::too_large;
    return put(value.data(), value.size());
  }

  /// Writes a value, and wakes readers that wait for it.
  ///
  /// Returns  ok; closed.
  /// Thread   writer.   Progress  wait-free.
  template <class Value = T>
    requires(!std::is_same_v<T, bytes> && std::is_same_v<Value, T>)
  [[nodiscard]] auto write(const Value& value) noexcept -> status {
    return put(&value, sizeof(Value));
  }

  /// Wakes sleeping readers where the protocol is at_flush.
  void flush() noexcept {
    if (bell_.protocol() != wake_protocol::none) bell_.ring_if_awaited();
  }

  /// Says that the newest value is the last one. It can still be read; waiting readers get `closed`.
  void close() noexcept {
    control_.close();
    closed_ = true;
    bell_.ring();
  }

  /// Number of the newest value, as reader's version().
  [[nodiscard]] auto version() const noexcept -> std::uint64_t {
    return control_.number_of(version_);
  }
  /// Bytes of the value.
  [[nodiscard]] auto size() const noexcept -> std::uint32_t { return control_.fields().max_record; }

 private:
  auto put(const void* from, std::size_t given) noexcept -> status {
    if (closed_) return status::closed;
    const auto version = control_.next_of(version_);
    const auto buffer = control_.buffer_of(version);
    control_.begin(buffer, version);
    Memory::copy_in_words(buffer.value(), from, given);
    if constexpr (std::is_same_v<T, bytes>) clear_rest(buffer.value(), given);
    control_.end(buffer, version);
    control_.store_version(version);
    version_ = version;
    if constexpr (Statistics::enabled) {
      ++counters_.writes;
      detail::store_statistics<Memory>(statistics_words(), counters_);
    }
    if (rings_) bell_.ring_if_awaited();
    return status::ok;
  }

  void clear_rest(std::uint32_t* value, std::size_t given) noexcept {
    const auto words = [](std::size_t size) { return (size + 3) / 4; };
    for (auto index = words(given); index < words(size()); ++index) {
      const std::uint32_t zero = 0;
      Memory::copy_in_words(value + index, &zero, sizeof zero);
    }
  }

  [[nodiscard]] auto statistics_words() const noexcept -> std::uint32_t* {
    return control_.word(layout::latest::writer_statistics);
  }

  detail::latest_control<Memory> control_;
  detail::park_bell<Memory> bell_;
  bool rings_;
  bool closed_;
  std::uint64_t version_;
  latest_statistics counters_;
  detail::held_role<Memory> role_;
};

}  // namespace weir
