// SPDX-License-Identifier: MIT
/// One park word for several rings, so that whoever reads them all sleeps once.
///
/// Memory       header | park word (wait.hpp)
/// Edges        none of its own: the handshake is wait.hpp's, between each ring's publications and wait()
/// Progress     wait() as its policy says; everything else wait-free
///
/// A ring that is formatted with a doorbell rings it in place of a park word of its own. Whoever opens
/// such a ring, to write or to read, brings the doorbell along: the two lie in different spans, and the
/// ring holds no address.
#pragma once

#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

struct doorbell_options {
  /// Who pays for waking a sleeper. Unset: asymmetric where the platform has it, else fenced.
  wake_choice wake = {};
  /// Those who ring and those who sleep may be in different processes.
  bool process_shared = false;
};

/// A view of one doorbell. Copyable. A default-made one is none.
template <memory_policy Memory = native_memory>
class doorbell {
 public:
  doorbell() = default;

  [[nodiscard]] static constexpr auto bytes_required() noexcept -> std::uint64_t {
    return layout::doorbell::size;
  }

  /// Needs    exclusive access to the span, which outlives every view.
  /// Returns  a view; bad_layout: the span is not 64-byte aligned, or too small.
  [[nodiscard]] static auto format(std::span<std::byte> span,
                                   const doorbell_options& options = {}) noexcept
      -> result<doorbell> {
    if (span.size() < bytes_required() || !detail::is_aligned(span)) return status::bad_layout;
    const auto wake = detail::chosen_wake<Memory>(options.wake, options.process_shared);
    const auto fields = expected(options.process_shared ? layout::flag_process_shared : 0,
                                 static_cast<std::uint32_t>(wake));
    detail::retract_header<Memory>(span.data());
    detail::clear_control<Memory>(span.data(), layout::doorbell::size);
    detail::publish_header<Memory>(span.data(), fields);
    return doorbell{span.data(), fields};
  }

  /// A view of the doorbell that somebody formatted in the span.
  /// Returns  a view; not_ready; bad_layout.
  /// Thread   any.   Progress  wait-free.
  [[nodiscard]] static auto attach(std::span<std::byte> span) noexcept -> result<doorbell> {
    auto found = detail::load_header<Memory>(span);
    if (!found) return found.status();
    const bool possible =
        *found == expected(found->flags & layout::flag_process_shared, found->wake_protocol);
    if (!possible) return status::bad_layout;
    return doorbell{span.data(), *found};
  }

  [[nodiscard]] explicit operator bool() const noexcept { return park_ != nullptr; }

  /// Waits until `look` (-> status: anything but empty or full ends the wait) is content, as `Wait` says.
  ///
  /// Returns  what `look` said; timed_out; stopped; would_block (inline mode); unsupported: the protocol
  ///          is none, or this process cannot keep it, and the policy sleeps.
  /// Thread   any.
  template <wait_policy Wait = park, class Look>
  [[nodiscard]] auto wait(Look&& look, deadline until = no_deadline,
                          const stop_word* stop = nullptr) const noexcept -> status {
    if (Wait::parks && !detail::can_keep<Memory>(protocol(), process_shared(), true)) {
      return status::unsupported;
    }
    struct condition {
      Look& find;
      auto look() noexcept -> status { return find(); }
      auto peer() noexcept -> status { return status::ok; }
    } found{look};
    auto ringing = bell();
    detail::wait_counters counters;
    return detail::await<Wait>(
        detail::wait_request<Memory, condition>{ringing, found, until, stop, counters});
  }

  /// Sets the word and wakes whoever waits here with it. Thread  any.   Progress  wait-free.
  void request_stop(stop_word& word) const noexcept {
    word.request<Memory>();
    bell().ring();
  }

  /// Wakes whoever sleeps here. Thread  any.   Progress  wait-free.
  void ring() const noexcept { bell().ring(); }

  /// The word that sleepers sleep on: for wait functions of other languages and for event loops.
  [[nodiscard]] auto park_word() const noexcept -> std::uint32_t* { return park_; }
  [[nodiscard]] auto protocol() const noexcept -> wake_protocol { return protocol_; }
  [[nodiscard]] auto process_shared() const noexcept -> bool { return process_shared_; }

 private:
  doorbell(std::byte* base, const detail::header& fields) noexcept
      : park_{detail::word_at(base, layout::doorbell::park)},
        protocol_{static_cast<wake_protocol>(fields.wake_protocol)},
        process_shared_{(fields.flags & layout::flag_process_shared) != 0} {}

  [[nodiscard]] auto bell() const noexcept -> detail::park_bell<Memory> {
    return {park_, protocol_, process_shared_};
  }

  [[nodiscard]] static auto expected(std::uint32_t flags, std::uint32_t wake) noexcept
      -> detail::header {
    return {.kind = static_cast<std::uint32_t>(layout::kind::doorbell),
            .flags = flags,
            .total_size = layout::doorbell::size,
            .wake_protocol = wake};
  }

  std::uint32_t* park_ = nullptr;
  wake_protocol protocol_ = wake_protocol::none;
  bool process_shared_ = false;
};

namespace detail {

/// The wake protocol of a ring that is opened with this doorbell, perhaps none.
template <class Memory>
[[nodiscard]] auto chosen_wake(wake_choice asked, const doorbell<Memory>& bell,
                               bool across_processes) noexcept -> wake_protocol {
  if (!asked && bell) return bell.protocol();
  return chosen_wake<Memory>(asked, across_processes);
}

/// True if a ring's header and the doorbell it is opened with, perhaps none, belong together.
template <class Memory>
[[nodiscard]] auto fits_doorbell(const header& ring, const doorbell<Memory>& bell) noexcept
    -> bool {
  if (((ring.flags & layout::flag_doorbell) != 0) != static_cast<bool>(bell)) return false;
  return !bell || (ring.wake_protocol == static_cast<std::uint32_t>(bell.protocol()) &&
                   ((ring.flags & layout::flag_process_shared) != 0) == bell.process_shared());
}

}  // namespace detail
}  // namespace weir
