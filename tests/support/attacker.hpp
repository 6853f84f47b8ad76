// SPDX-License-Identifier: MIT
/// The other side of a ring as an enemy: writes what it likes, between calls and during them.
#pragma once

#include "support/guarded_span.hpp"
#include "support/memories.hpp"
#include "support/random.hpp"

#include <weir/layout.hpp>
#include <weir/record.hpp>

#include <cstdint>

namespace weir::test {

class attacker {
 public:
  /// `capacity` and `data_end` are what the ring's format says.
  attacker(const guarded_span& memory, std::uint32_t capacity, std::uint64_t seed) noexcept
      : memory_{&memory}, capacity_{capacity}, random_{seed} {}

  [[nodiscard]] auto random() noexcept -> seeded_random& { return random_; }

  /// A word that is likely to hurt: small, near a power of two, near the real value, framed, or anything.
  [[nodiscard]] auto nasty(std::uint32_t real) noexcept -> std::uint32_t {
    switch (random_.below(9)) {
      case 0:
        return random_.next();
      case 1:
        return random_.below(64);
      case 2:
        return (1U << random_.below(32)) - random_.below(16);
      case 3:
        return real + 8 * random_.below(16) - 64;
      case 4:
        return real ^ (1U << random_.below(32));
      case 5:
        return record::commit_word(random_.below(capacity_));
      case 6:
        return record::padding_word(8 * random_.below(capacity_ / 8 + 1));
      case 7:
        return 0;
      default:
        return real + random_.below(2 * capacity_) - capacity_;
    }
  }

  /// Writes nasty words over the span from `first` on.
  void scribble(std::uint32_t first) noexcept {
    const auto words = (static_cast<std::uint32_t>(memory_->bytes().size()) - first) / 4;
    for (auto count = 1 + random_.below(4); count != 0; --count) {
      auto* const word = memory_->word(first + 4 * random_.below(words));
      *word = nasty(*word);
    }
  }

  /// Writes one nasty word.
  void scribble_word(std::uint32_t offset) noexcept {
    *memory_->word(offset) = nasty(*memory_->word(offset));
  }

  /// From now on, one load in `rate` shows something else than what is there; 0: none.
  void lie_once_in(std::uint32_t rate) noexcept {
    liar = this;
    rate_ = rate;
    lying_watch::lie = [](const std::uint32_t* word, std::uint32_t value) noexcept {
      ++liar->loads_;
      const bool inside = reinterpret_cast<const std::byte*>(word) >= liar->memory_->bytes().data();
      if (liar->rate_ == 0 || !inside || !liar->random_.once_in(liar->rate_)) return value;
      return liar->nasty(value);
    };
  }

  /// Runs `call`. Returns  how many loads of shared words it made.
  template <class Call>
  auto loads_of(Call&& call) -> std::uint32_t {
    loads_ = 0;
    call();
    return loads_;
  }

  ~attacker() { lying_watch::lie = nullptr; }
  attacker(const attacker&) = delete;
  auto operator=(const attacker&) -> attacker& = delete;

 private:
  static inline attacker* liar = nullptr;

  const guarded_span* memory_;
  std::uint32_t capacity_;
  seeded_random random_;
  std::uint32_t rate_ = 0;
  std::uint32_t loads_ = 0;
};

}  // namespace weir::test
