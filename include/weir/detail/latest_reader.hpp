// SPDX-License-Identifier: MIT
/// A reader of latest: no role, nothing of its own in shared memory.
#pragma once

#include <weir/detail/latest_control.hpp>
#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace weir {

/// What a reader counts, privately.
struct latest_reader_statistics {
  std::uint32_t reads = 0;    ///< values delivered
  std::uint32_t retries = 0;  ///< copies that the writer spoiled
  std::uint32_t torn = 0;     ///< calls that returned torn
  std::uint32_t waits = 0;    ///< sleeps
};

/// Reads the newest value. As many as there are threads; each copy remembers for itself what it has seen.
///
/// Thread  one at a time.
template <class T, class Memory, wait_policy Wait>
class latest_reader {
 public:
  /// Copies before a read gives up, if the caller does not say how many.
  static constexpr std::uint32_t default_attempts = 64;

  explicit latest_reader(const detail::latest_control<Memory>& control) noexcept
      : control_{control} {}

  /// Copies the newest value out, whether this reader has seen it or not.
  ///
  /// Returns  ok; empty: nobody has written yet; torn: overwritten during each of `attempts` copies, or
  ///          one buffer and a writer that died in the middle; too_large: `out` is smaller than size().
  /// Effect   `out` holds the value, or, unless ok, anything.
  /// Progress wait-free.
  [[nodiscard]] auto read(std::span<std::byte> out,
                          std::uint32_t attempts = default_attempts) noexcept -> status
    requires std::is_same_v<T, bytes>
  {
    if (out.size() < size()) return status::too_large;
    return copy_out(out.data(), attempts);
  }

  /// As read(), if there is a value that this reader has not seen.
  /// Returns  as read(); empty: nothing new; closed: nor will there be.
  [[nodiscard]] auto try_read_new(std::span<std::byte> out,
                                  std::uint32_t attempts = default_attempts) noexcept -> status
    requires std::is_same_v<T, bytes>
  {
    if (out.size() < size()) return status::too_large;
    if (const auto news = look(); news != status::ok) return news;
    return copy_out(out.data(), attempts);
  }

  /// The newest value, whether this reader has seen it or not.
  /// Returns  the value; empty, torn as above.
  template <class Value = T>
    requires(!std::is_same_v<Value, bytes>)
  [[nodiscard]] auto read(std::uint32_t attempts = default_attempts) noexcept -> result<Value> {
    std::array<std::byte, sizeof(Value)> copy;
    if (const auto outcome = copy_out(copy.data(), attempts); outcome != status::ok) return outcome;
    return std::bit_cast<Value>(copy);
  }

  /// As read(), if there is a value that this reader has not seen.
  /// Returns  as read(); empty: nothing new; closed: nor will there be.
  template <class Value = T>
    requires(!std::is_same_v<Value, bytes>)
  [[nodiscard]] auto try_read_new(std::uint32_t attempts = default_attempts) noexcept
      -> result<Value> {
    if (const auto news = look(); news != status::ok) return news;
    return read<Value>(attempts);
  }

  /// Waits until there is a value that this reader has not seen, as the policy says.
  ///
  /// Returns  ok; closed; timed_out; stopped; empty (poll); would_block (inline mode); peer_dead: policy
  ///          park, shared by processes, nothing new, and the writer died.
  [[nodiscard]] auto wait(deadline until = no_deadline, const stop_word* stop = nullptr) noexcept
      -> status {
    struct condition {
      latest_reader& reader;
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

  /// Number of the value that this reader read last: how many were written until then, mod 2^31 (wide:
  /// 2^63). 0: none.
  [[nodiscard]] auto version() const noexcept -> std::uint64_t { return control_.number_of(seen_); }
  /// Bytes of the value.
  [[nodiscard]] auto size() const noexcept -> std::uint32_t { return control_.fields().max_record; }
  [[nodiscard]] auto statistics() const noexcept -> const latest_reader_statistics& {
    return counters_;
  }

 private:
  /// Returns  ok: there is something new; empty; closed.
  [[nodiscard]] auto look() noexcept -> status {
    if (is_new()) return status::ok;
    if (!control_.load_closed()) return status::empty;
    return is_new() ? status::ok : status::closed;  // what was written before the closing
  }

  [[nodiscard]] auto is_new() const noexcept -> bool {
    const auto version = control_.load_version();
    return control_.has_value(version) && version != seen_;
  }

  [[nodiscard]] auto copy_out(std::byte* to, std::uint32_t attempts) noexcept -> status {
    for (std::uint32_t attempt = 0; attempt < attempts; ++attempt) {
      const auto version = control_.load_version();
      if (!control_.has_value(version)) return status::empty;
      const auto buffer = control_.buffer_of(version);
      Memory::copy_out_words(to, buffer.value(), size());
      if (control_.held(buffer, version)) [[likely]] {
        seen_ = version;
        ++counters_.reads;
        return status::ok;
      }
      ++counters_.retries;
      Memory::pause();
    }
    ++counters_.torn;
    return status::torn;
  }

  detail::latest_control<Memory> control_;
  std::uint64_t seen_ = 0;  ///< version word of the value read last; even: none
  latest_reader_statistics counters_;
};

}  // namespace weir
