// SPDX-License-Identifier: MIT
/// The bytes that the threads of a scenario share, and what is known about them.
///
/// Words that a single thread uses, or that nobody writes, need no model. Which words those are is learned
/// while a scenario is searched, and kept from one execution to the next.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace weir::model {

class arena {
 public:
  explicit arena(std::span<std::byte> bytes) : bytes_{bytes}, users_(bytes.size() / 4) {}

  [[nodiscard]] auto base() const noexcept -> std::byte* { return bytes_.data(); }
  [[nodiscard]] auto cells() const noexcept -> std::size_t { return users_.size(); }
  void forget_users() { std::ranges::fill(users_, users{}); }

  /// Takes all grants back; their bytes are zero again.
  void restart() {
    std::memset(bytes_.data(), 0, std::exchange(used_, 0));
    grants_.clear();
  }
  /// Zero bytes with a gap on either side, so that an overrun is out of bounds.
  [[nodiscard]] auto grant(std::size_t size) -> std::span<std::byte> {
    const auto taken = (size + 2 * gap - 1) / gap * gap;
    if (taken > bytes_.size() - used_)
      std::fputs("the scenario needs a larger arena\n", stderr), std::abort();
    grants_.push_back(bytes_.subspan(std::exchange(used_, used_ + taken), size));
    return grants_.back();
  }
  [[nodiscard]] auto granted(const void* address, std::size_t size) const -> bool {
    const auto* const first = static_cast<const std::byte*>(address);
    return std::ranges::any_of(grants_, [=](std::span<std::byte> each) {
      return first >= each.data() && first + size <= each.data() + each.size();
    });
  }
  /// "b+0x40": 64 bytes into the second grant.
  [[nodiscard]] auto name_of(const void* address) const -> std::string {
    std::size_t at = 0;
    while (at < grants_.size() && !granted_by(grants_[at], address)) ++at;
    if (at == grants_.size()) return "nowhere";
    char text[32];
    const auto offset = static_cast<const std::byte*>(address) - grants_[at].data();
    std::snprintf(text, sizeof text, "%c+0x%tx", static_cast<char>('a' + at), offset);
    return text;
  }

  enum class sharing { no, just_found, known };
  /// Notes that thread `who` touches the word. Returns  whether several do, and one writes.
  auto note(const void* address, std::size_t who, bool writes) -> sharing {
    auto& seen =
        users_[static_cast<std::size_t>(static_cast<const std::byte*>(address) - base()) / 4];
    if (seen.shared) return sharing::known;
    seen.threads |= static_cast<std::uint8_t>(1U << who);
    seen.written = seen.written || writes;
    seen.shared = seen.written && (seen.threads & (seen.threads - 1)) != 0;
    return seen.shared ? sharing::just_found : sharing::no;
  }

 private:
  static constexpr std::size_t gap = 64;

  struct users {
    std::uint8_t threads = 0;
    bool written = false, shared = false;
  };
  [[nodiscard]] static auto granted_by(std::span<std::byte> grant, const void* address) -> bool {
    return address >= grant.data() && address < grant.data() + grant.size();
  }

  std::span<std::byte> bytes_;
  std::vector<users> users_;  // per four bytes
  std::vector<std::span<std::byte>> grants_;
  std::size_t used_ = 0;
};

}  // namespace weir::model
