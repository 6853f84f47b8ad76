// SPDX-License-Identifier: MIT
/// A process of its own that writes what it likes over a shared span, as fast as it can.
///
/// It writes in bursts: over the whole span, the front of its control words or of its data, a line, or one
/// word again and again; at full speed or slowly. It keeps what it finds and writes it back later.
#pragma once

#include "support/child_process.hpp"
#include "support/guarded_span.hpp"
#include "support/random.hpp"

#include <weir/detail/pause.hpp>
#include <weir/record.hpp>

#include <array>
#include <cstdint>

namespace weir::test {

inline void dawdle(std::uint32_t hints) noexcept {
  for (; hints != 0; --hints) detail::cpu_pause();
}

class scribbler {
 public:
  /// `data`: offset of what is not control words, which get half of the attention.
  scribbler(const guarded_span& target, std::uint32_t data, std::uint64_t seed)
      : process_{[&] { return pen{target, data, seed, shared_}.write_for_ever(); }} {}

  /// Asks for a quiet moment. Nobody waits for the answer: a few words more may come.
  void set_quiet(bool quiet) noexcept { shared_.set(quiet_word, quiet ? 1 : 0); }

  /// False if it ended: then it has not written what it should, or where it should.
  [[nodiscard]] auto lives() const noexcept -> bool {
    siginfo_t information{};
    const auto id = static_cast<id_t>(process_.id());
    waitid(P_PID, id, &information, WEXITED | WNOHANG | WNOWAIT);
    return information.si_pid == 0;
  }

  /// Words written so far, in thousands.
  [[nodiscard]] auto thousands() const noexcept -> std::uint32_t {
    return shared_.get(thousands_word);
  }

 private:
  static constexpr std::uint32_t quiet_word = 0;
  static constexpr std::uint32_t thousands_word = 32;  // on a line of its own

  /// The other process.
  class pen {
   public:
    pen(const guarded_span& target, std::uint32_t data, std::uint64_t seed,
        shared_progress& shared) noexcept
        : target_{target},
          words_{static_cast<std::uint32_t>(target.bytes().size() / 8 * 2)},
          data_{data / 4},
          random_{seed},
          shared_{shared} {}

    [[noreturn]] auto write_for_ever() noexcept -> int {
      for (;;) {
        burst();
        if (random_.once_in(8)) dawdle(random_.below(1U << random_.below(16)));
        shared_.set(thousands_word, written_ / 1000);
      }
    }

   private:
    struct stretch {
      std::uint32_t first;
      std::uint32_t count;
    };

    void burst() noexcept {
      const auto where = pick();
      const auto pace = random_.once_in(2) ? 0 : random_.below(1U << random_.below(12));
      for (auto left = 1 + random_.below(pace == 0 ? 2048 : 64); left != 0; --left) {
        while (shared_.get(quiet_word) != 0) dawdle(16);
        const auto at = where.first + random_.below(where.count);
        if (random_.once_in(8)) {
          write_wide(at & ~1U);
        } else {
          write(at);
        }
        ++written_;
        dawdle(pace);
      }
    }

    /// Control words or data, and of these the front more often: small rings have nothing else.
    [[nodiscard]] auto pick() noexcept -> stretch {
      const stretch half = random_.once_in(2) ? stretch{0, data_} : stretch{data_, words_ - data_};
      const auto front = 1 + (half.count - 1) / (1U << random_.below(6));
      const auto line = half.first + random_.below(front) / 16 * 16;
      switch (random_.below(6)) {
        case 0:
          return {0, words_};
        case 1:
          return {half.first, front};
        case 2:
          return {line, line + 16 <= words_ ? 16U : 1U};
        default:
          return {half.first + random_.below(front), 1};
      }
    }

    void write(std::uint32_t at) noexcept {
      auto* const word = target_.word(4 * at);
      const auto found = __atomic_load_n(word, __ATOMIC_RELAXED);
      auto& kept = kept_[random_.below(kept_words)];
      const auto value = random_.once_in(8) ? kept : nasty(found);
      if (random_.once_in(4)) kept = found;
      __atomic_store_n(word, value, __ATOMIC_RELAXED);
    }

    void write_wide(std::uint32_t at) noexcept {
      auto* const low = target_.word(4 * at);
      auto* const word = reinterpret_cast<std::uint64_t*>(low);
      const auto found = __atomic_load_n(word, __ATOMIC_RELAXED);
      const auto unit = std::uint64_t{1} << random_.below(64);
      const std::uint64_t values[] = {found + 8,         found - 8,    found + 1,     found - 1,
                                      found ^ unit,      found + unit, unit,          0,
                                      ~std::uint64_t{0}, found << 32,  found & ~7ULL, unit - 8};
      __atomic_store_n(word, values[random_.below(std::size(values))], __ATOMIC_RELAXED);
    }

    /// A word that is likely to hurt: a step away from the one that was there, a plausible header, a power
    /// of two, or anything.
    [[nodiscard]] auto nasty(std::uint32_t found) noexcept -> std::uint32_t {
      const auto size = random_.below(4 * words_);
      switch (random_.below(12)) {
        case 0:
          return random_.next();
        case 1:
          return random_.below(64);
        case 2:
          return (1U << random_.below(32)) - random_.below(16);
        case 3:
          return found + 8 * random_.below(16) - 64;
        case 4:
          return found ^ (1U << random_.below(32));
        case 5:
          return record::commit_word(size);
        case 6:
          return record::padding_word(size & ~7U);
        case 7:
          return 0;
        case 8:
          return random_.once_in(2) ? found + 1 : found - 1;
        case 9:
          return 0xC000'0000 | random_.below(8) << 10 | random_.below(4);  // mpsc: busy
        case 10:
          return random_.below(256) << 8 | random_.below(8);  // an owner, or a holder
        default:
          return found + random_.below(4 * words_) - 2 * words_;
      }
    }

    const guarded_span& target_;
    std::uint32_t words_;
    std::uint32_t data_;
    seeded_random random_;
    shared_progress& shared_;
    std::uint32_t written_ = 0;
    static constexpr std::uint32_t kept_words = 64;
    std::array<std::uint32_t, kept_words> kept_{};
  };

  shared_progress shared_;
  child_process process_;
};

}  // namespace weir::test
