// SPDX-License-Identifier: MIT
/// What the control blocks of all primitives have in common: a header, a word to sleep on, owners.
#pragma once

#include <weir/detail/header.hpp>
#include <weir/layout.hpp>
#include <weir/memory.hpp>
#include <weir/owner.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// A private, immutable description of one primitive, and addresses of its shared words.
template <class Memory>
class control_block {
 public:
  using memory = Memory;

  [[nodiscard]] auto fields() const noexcept -> const header& { return fields_; }
  [[nodiscard]] auto word(std::uint32_t offset) const noexcept -> std::uint32_t* {
    return word_at(base_, offset);
  }
  [[nodiscard]] auto protocol() const noexcept -> wake_protocol {
    return static_cast<wake_protocol>(fields_.wake_protocol);
  }
  [[nodiscard]] auto process_shared() const noexcept -> bool {
    return (fields_.flags & layout::flag_process_shared) != 0;
  }
  /// Bytes behind the control block.
  [[nodiscard]] auto data_bytes() const noexcept -> std::uint32_t {
    return fields_.total_size - fields_.data_offset;
  }
  /// The bell that those sleep on who wait for data.
  [[nodiscard]] auto data_bell() const noexcept -> park_bell<Memory> {
    return {data_park_, protocol(), process_shared()};
  }
  /// Whether a side that sleeps, or wakes sleepers, can keep the wake protocol.
  [[nodiscard]] auto supports(bool parks) const noexcept -> bool {
    return can_keep<Memory>(protocol(), process_shared(), parks);
  }

 protected:
  control_block() = default;
  /// `own_park`: offset of the primitive's own word to sleep on; `park`: the one to use instead, if any.
  control_block(std::byte* base, const header& fields, std::uint32_t own_park,
                std::uint32_t* park) noexcept
      : base_{base},
        data_park_{park != nullptr ? park : word_at(base, own_park)},
        fields_{fields} {}

  [[nodiscard]] auto wide(std::uint32_t offset) const noexcept -> std::uint64_t* {
    return wide_at(base_, offset);
  }
  /// What a sleeper asks besides its own condition: ok; peer_dead.
  [[nodiscard]] auto status_of(const owner_entry<Memory>& peer) const noexcept -> status {
    if (!process_shared()) return status::ok;
    return peer.state() == owner_state::dead ? status::peer_dead : status::ok;
  }
  /// Where the payload of a ring's record or slot begins, from the span's first byte.
  [[nodiscard]] auto payload_behind(std::uint32_t record_offset,
                                    std::uint32_t header) const noexcept -> std::uint32_t {
    return fields_.data_offset + record_offset + (fields_.stride == 0 ? header : fields_.alignment);
  }

  std::byte* base_ = nullptr;
  std::uint32_t* data_park_ = nullptr;
  header fields_;
};

}  // namespace weir::detail
