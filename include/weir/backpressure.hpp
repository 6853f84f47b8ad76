// SPDX-License-Identifier: MIT
/// What a producer does when there is no room.
///
/// A policy is a small value that a producer is made with; its nested `gate` lives in the producer
/// handle and holds what state there is. `reject` is the reference. Two more answers to "no room" are
/// not here because they are other algorithms: overwriting the oldest, and keeping only the latest.
#pragma once

#include <weir/record.hpp>
#include <weir/status.hpp>
#include <weir/wait.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// No room: says `full`, and how much would fit. The reference for the interface of a policy.
struct reject {
  static constexpr bool waits = false;

  class gate {
   public:
    explicit gate(const reject&) noexcept {}

    /// Before the producer looks for room. Returns  ok: look; else the outcome of the attempt.
    template <class Producer>
    [[nodiscard]] auto admit(Producer&, std::uint32_t /*size*/) noexcept -> status {
      return status::ok;
    }

    /// After the producer found no room.
    template <class Producer>
    void refused(Producer&) noexcept {}
  };

  /// Whether a ring can serve this policy: asked once, when the role is taken.
  [[nodiscard]] constexpr auto fits(std::uint32_t /*capacity*/, bool /*byte_ring*/) const noexcept
      -> status {
    return status::ok;
  }
};

/// No room: drops the record and all that follow, until there is clearly room again. Order is never
/// holey at random: a gap is one run of records, and it is counted.
struct drop_newest {
  static constexpr bool waits = false;

  /// Bytes (slots) that must be free before a dropping producer writes again; at most half the capacity.
  /// The record itself must fit in any case.
  std::uint32_t low_water = 0;
  /// Writes a record of type record_type::dropped with the count before the next one. Byte rings only.
  /// Where the report fits and the record behind it does not, another run begins, and reports follow
  /// each other: their counts add up.
  bool report = false;

  class gate {
   public:
    explicit gate(const drop_newest& policy) noexcept
        : low_water_{policy.low_water}, report_{policy.report} {}

    template <class Producer>
    [[nodiscard]] auto admit(Producer& producer, std::uint32_t size) noexcept -> status {
      if (run_ == 0) [[likely]]
        return status::ok;
      return resume(producer, size);
    }

    template <class Producer>
    void refused(Producer& producer) noexcept {
      ++run_;
      producer.count_drop();
    }

   private:
    static constexpr std::uint32_t report_size = sizeof(std::uint64_t);

    template <class Producer>
    [[nodiscard]] auto resume(Producer& producer, std::uint32_t size) noexcept -> status {
      if (size > producer.max_record()) return status::too_large;
      const auto report_room = report_ ? producer.room_for(report_size) : 0;
      const auto needed = std::max(producer.room_for(size) + report_room, low_water_);
      std::uint32_t room = 0;
      if (const auto look = producer.look_for_room(room); look != status::ok) return look;
      const auto outcome = room < needed ? status::full : write_report(producer);
      if (outcome == status::full) refused(producer);
      if (outcome == status::ok) run_ = 0;
      return outcome;
    }

    template <class Producer>
    [[nodiscard]] auto write_report(Producer& producer) noexcept -> status {
      if constexpr (requires { producer.write_reserved(std::span<const std::byte>{}, 0U); }) {
        if (!report_) return status::ok;
        const auto count = std::bit_cast<std::array<std::byte, report_size>>(run_);
        return producer.write_reserved(count, record_type::dropped);
      } else {
        return status::ok;
      }
    }

    std::uint32_t low_water_;
    bool report_;
    std::uint64_t run_ = 0;
  };

  [[nodiscard]] constexpr auto fits(std::uint32_t capacity, bool byte_ring) const noexcept
      -> status {
    if (low_water > capacity / 2) return status::too_large;
    return report && !byte_ring ? status::unsupported : status::ok;
  }
};

/// No room: claim() and write() wait for some, as `Wait` says. The try_ functions still say `full`.
template <wait_policy Wait = park>
struct wait_for_space {
  static constexpr bool waits = true;
  using wait_type = Wait;

  class gate : public reject::gate {
   public:
    explicit gate(const wait_for_space&) noexcept : reject::gate{reject{}} {}
  };

  [[nodiscard]] constexpr auto fits(std::uint32_t /*capacity*/, bool /*byte_ring*/) const noexcept
      -> status {
    return status::ok;
  }
};

/// What every backpressure policy offers.
template <class Backpressure>
concept backpressure_policy =
    std::copyable<Backpressure> && requires(const Backpressure& policy, std::uint32_t capacity) {
      { Backpressure::waits } -> std::convertible_to<bool>;
      { policy.fits(capacity, true) } noexcept -> std::same_as<status>;
      typename Backpressure::gate;
    };

}  // namespace weir
