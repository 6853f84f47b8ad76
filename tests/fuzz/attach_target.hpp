// SPDX-License-Identifier: MIT
/// What attach() is tried on, and what it may say.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"

#include <weir/layout.hpp>
#include <weir/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::fuzz {

/// A span that was formatted, and then changed as the input says.
class attach_target {
 public:
  attach_target(arena& memory, input& bytes) : memory_{memory}, bytes_{bytes} {}

  /// Needs  something formatted in the arena. Returns  the span to attach to.
  auto spoil() -> std::span<std::byte> {
    auto shared = memory_.bytes();
    for (auto count = bytes_.byte() & 15; count > 7; --count) {
      const bool header = bytes_.byte() < 0xC0;
      const auto end = header && shared.size() > layout::header_size ? 64 : shared.size();
      memory_.scribble(0, end);
      untouched_ = false;
    }
    const auto how = bytes_.byte();
    if (how >= 0xE0) {
      shared =
          shared.first(shared.size() - bytes_.below(static_cast<std::uint32_t>(shared.size())));
      untouched_ = false;
    } else if (how >= 0xD0) {
      shared = shared.subspan(4 * bytes_.below(16));
      untouched_ = false;
    } else if (how >= 0xC0) {
      for (auto& each : shared.first(64)) each = static_cast<std::byte>(bytes_.byte());
      untouched_ = false;
    }
    here.shared = shared;
    here.lie_in = bytes_.byte();
    untouched_ = untouched_ && here.lie_in == 0;
    return shared;
  }

  /// attach() -> result<View>; use(View&).
  template <class Attach, class Use>
  void judge(Attach attach, Use use) {
    const auto bound = 4096 + here.shared.size();
    auto found = bounded("attach()", bound, attach);
    require(found || is_one_of(found.status(), status::not_ready, status::bad_layout),
            "attach(): a status that is not documented");
    require(found || !untouched_, "attach() refused what format() wrote");
    if (found) bounded("what follows attach()", 64 * bound, [&] { use(*found); });
  }

 private:
  arena& memory_;
  input& bytes_;
  bool untouched_ = true;
};

inline void holds(std::uint64_t required) {
  require(required != 0 && required <= here.shared.size(),
          "attach() accepted more than the span holds");
}

template <class Result>
void is_role(const Result& taken) {
  require(taken || is_one_of(taken.status(), status::busy, status::full, status::unsupported,
                             status::corrupt),
          "taking a role: a status that is not documented");
}

}  // namespace weir::fuzz
