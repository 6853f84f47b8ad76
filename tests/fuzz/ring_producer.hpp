// SPDX-License-Identifier: MIT
/// The producer of a ring, beside a consumer that writes what it likes.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/rings.hpp"
#include "fuzz/unread.hpp"

#include <weir/backpressure.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::fuzz {

template <class Kind, class Policy>
class producer_run final : watcher {
  using ring_type = typename Kind::ring;
  using producer_type = typename ring_type::template producer_type<Policy>;
  using consumer_type = typename ring_type::template consumer_type<>;

 public:
  producer_run(arena& memory, input& bytes)
      : memory_{memory}, bytes_{bytes}, ring_{Kind::format(memory, bytes, shape_)} {
    here.told = this;
    // A claim position that lies gives away what it likes; else what was given away stays so.
    honest_claims_ = !Kind::many || bytes_.byte() < 0xC0;
    if (Kind::many && honest_claims_) here.truthful = claim_word();
    honestly([&] { take_consumer(); });
    here.lie_in = bytes_.byte();
    take();
  }
  producer_run(const producer_run&) = delete;
  auto operator=(const producer_run&) -> producer_run& = delete;
  ~producer_run() {
    bounded("producer's end", bound(), [&] { producer_.reset(); });
    honestly([&] { consumer_.reset(); });
    here.told = nullptr;
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      attack();
      if (producer_) {
        operate();
      } else {
        take();
      }
    }
  }

 private:
  /// Taking the role walks the ring; each lie may make one more exchange of a claim fail.
  [[nodiscard]] auto bound() const -> std::uint64_t { return most_accesses(shape_) + 8192; }

  template <class Act>
  void honestly(Act&& act) {
    const quiet truth;
    honest_ = true;
    bounded("an honest consumer", 4 * bound(), act);
    honest_ = false;
  }

  void loaded(std::size_t offset, std::uint64_t shown) override {
    if (honest_ || offset != Kind::read_position) return;
    if (taking_) return unread_.begin(Kind::units_of(shown));
    if (shown % Kind::unit != 0) return;
    // Far behind it gives no room, and its lower half would mean something else.
    const auto behind = (*claim_word() & ~detail::claim_closed) - shown;
    if (Kind::many && behind > 0x8000'0000) return;
    unread_.read_up_to(Kind::units_of(shown), Kind::many);
  }
  void stores(std::size_t offset, std::size_t size, std::uint64_t stored) override {
    if (honest_) return;
    if (!Kind::many && offset == layout::spsc::write_position)
      unread_.ends_at(Kind::units_of(stored));
    if (honest_claims_) unread_.written(offset, size);
  }
  [[nodiscard]] auto claim_word() const -> const std::uint64_t* {
    return reinterpret_cast<const std::uint64_t*>(memory_.bytes().data() +
                                                  layout::mpsc::claim_position);
  }

  void take_consumer() {
    auto taken = ring_.consumer();
    if (taken) consumer_.emplace(std::move(taken).value());
  }

  void attack() {
    const auto what = bytes_.byte() & 15;
    switch (what) {
      case 1:
        return memory_.scribble_word(Kind::read_position + (Kind::many ? 4 * bytes_.below(2) : 0));
      case 2:
        return memory_.scribble(shape_.data, shape_.data_end);
      case 3:
        return memory_.scribble(layout::header_size, shape_.data);
      case 4:
        here.dead = bytes_.byte();
        return;
      case 11:  // at the edge of what is possible
        if (Kind::many) return;
        return arena::put(Kind::read_position, (unread_.end() + bytes_.below(4) - 1) * Kind::unit);
      default:
        if (what < 11) honestly([&] { consume(what == 5, what == 6 && bytes_.byte() >= 0xF0); });
    }
  }
  void consume(bool anew, bool close) {
    if (anew) {
      consumer_.reset();
      take_consumer();
    } else if (consumer_ && close) {
      consumer_->close();
    } else if (consumer_) {
      static_cast<void>(consumer_->drain([](const auto&) {}, bytes_.byte()));
    }
  }

  [[nodiscard]] auto policy() -> Policy {
    Policy made{};
    if constexpr (requires { made.low_water; }) {
      made.low_water = bytes_.below(shape_.capacity / 2 + 2);
      made.report = bytes_.flag();
    }
    return made;
  }

  void take() {
    const auto how = policy();
    bounded("producer()", 2 * bound(), [&] {
      producer_.reset();
      taking_ = true;
      auto taken = ring_.producer(how);
      taking_ = false;
      require(taken ||
                  is_one_of(taken.status(), status::unsupported, status::corrupt,
                            Kind::many ? status::full : status::busy) ||
                  (requires { how.low_water; } && taken.status() == status::too_large),
              "producer(): a status that is not documented");
      if (taken) producer_.emplace(std::move(taken).value());
    });
    corrupt_ = false;
  }

  void operate() {
    switch (bytes_.byte() % 12) {
      case 0:
      case 1:
      case 2:
      case 3:
        return bounded("claim()", bound(), [&] { claim(); });
      case 4:
      case 5:
        return bounded("try_write()", bound(), [&] {
          judge(honest_write<Kind>(*producer_, bytes_));
          producer_->flush();
        });
      case 6:
        return bounded("try_write_batch()", bound(), [&] {
          write_batch();
          producer_->flush();
        });
      case 7:
        return bounded("flush()", bound(), [&] { producer_->flush(); });
      case 8:
        return bounded("acknowledge()", bound(), [&] { acknowledge(); });
      case 9:
        if (bytes_.byte() < 0xF0) return;
        return bounded("close()", bound(), [&] { producer_->close(); });
      case 10:
        return bounded("waiting claim()", most_looks * bound(), [&] { wait(); });
      default:
        if (bytes_.byte() < 0x40) take();
    }
  }

  void judge(status outcome, bool too_large = false) {
    if (outcome == status::too_large) return require(Kind::framed || too_large, "too_large");
    require(!corrupt_ || outcome == status::corrupt, "corrupt did not stay");
    if (outcome == status::corrupt) corrupt_ = true;
    require(is_one_of(outcome, status::ok, status::full, status::closed, status::corrupt) ||
                (shape_.recoverable && outcome == status::stale),
            "a claim: a status that is not documented");
  }

  [[nodiscard]] auto make_claim(std::uint32_t& size) {
    if constexpr (Kind::framed) {
      size = bytes_.byte() < 0xF0 ? bytes_.below(ring_.max_record() + 1)
                                  : bytes_.nasty(ring_.max_record());
      return producer_->try_claim(size);
    } else {
      size = sizeof(slot_value);
      return producer_->try_claim();
    }
  }

  void claim() {
    std::uint32_t size = 0;
    auto claimed = make_claim(size);
    if (Kind::framed && size > ring_.max_record()) {
      require(!claimed, "a claim above the limit");
    }
    judge(claimed.status());
    if (claimed) fill(claimed, size);
  }

  template <class Claim>
  void fill(Claim& claimed, std::uint32_t size) {
    const auto inside = claimed.bytes();
    require(inside.size() == size, "a claim of another size");
    require(lies_in(inside, shape_.data, shape_.data_end), "a claim outside the data");
    if (Kind::framed) {
      require(reinterpret_cast<std::uintptr_t>(inside.data()) % 8 == 0,
              "a claim that is not aligned");
    }
    if (honest_claims_) unread_.written(here.offset_of(inside.data()), inside.size());
    std::ranges::fill(inside, std::byte{0x5A});
    const auto how = bytes_.byte();
    if ((how & 0x30) == 0x30) attack();
    if ((how & 0xC0) == 0xC0) {
      std::uint32_t other = 0;
      const auto second = make_claim(other);
      require(!second && (corrupt_ || is_one_of(second.status(), status::busy, status::too_large,
                                                status::corrupt, status::closed)),
              "two claims at a time");
    }
    if ((how & 0x0C) == 0x0C) acknowledge();
    finish(claimed, inside, how & 3);
  }

  template <class Claim>
  void finish(Claim& claimed, std::span<std::byte> inside, std::uint32_t how) {
    if (how == 3) return;  // aborted
    committed done;
    auto size = static_cast<std::uint32_t>(inside.size());
    const bool later = how == 2 && !Kind::many;
    if constexpr (Kind::framed) {
      if (how == 1) size = bytes_.below(size + 1);
      require(claimed.shrink(size) == status::ok, "shrink() refused");
      const auto type = bytes_.byte() << 23;
      if constexpr (!Kind::many) {
        done = later ? claimed.commit_later(type) : claimed.commit(type);
      } else {
        done = claimed.commit(type);
      }
      if (type >= record_type::reserved && done.outcome == status::unsupported) return;
    } else if constexpr (!Kind::many) {
      done = later ? claimed.commit_later(slot_value{}) : claimed.commit();
    } else {
      done = claimed.commit();
    }
    require(is_one_of(done.outcome, status::ok, status::corrupt, status::closed) ||
                (shape_.recoverable && done.outcome == status::stale),
            "commit(): a status that is not documented");
    if (done.outcome == status::ok) note(done.record, inside, size, later);
  }

  void note(const descriptor& named, std::span<std::byte> inside, std::uint32_t size, bool later) {
    require(named.offset == here.offset_of(inside.data()) && named.size == size,
            "commit() names another record");
    unread_.add(committed_of<Kind>(named, later));
  }

  void write_batch() {
    const auto count = bytes_.below(6);
    std::size_t written = 0;
    if constexpr (Kind::framed) {
      static constexpr std::array<std::byte, 64> payload{};
      std::array<std::span<const std::byte>, 6> records;
      for (auto& each : records) each = std::span{payload}.first(bytes_.below(65));
      if (bytes_.flag()) return claim_batch(count);
      written = producer_->try_write_batch(std::span{records}.first(count), bytes_.byte() << 24);
    } else {
      static constexpr std::array<slot_value, 6> values{};
      written = producer_->try_write_batch(std::span{values}.first(count));
    }
    require(written <= count, "more records written than given");
    require(!corrupt_ || written == 0, "corrupt did not stay");
  }

  void claim_batch([[maybe_unused]] std::uint32_t count) {
    if constexpr (Kind::framed && Kind::many) {
      const auto size = bytes_.below(64);
      auto batch = producer_->try_claim_batch(count, size);
      judge(batch.status());
      if (!batch) return;
      require(batch.size() == count, "a batch of another length");
      for (std::uint32_t at = 0; at < count; ++at) {
        require(batch[at].size() == size && lies_in(batch[at], shape_.data, shape_.data_end),
                "a batch outside the data");
        std::ranges::fill(batch[at], std::byte{0xA5});
      }
      if (bytes_.flag()) static_cast<void>(batch.commit());
    }
  }

  void acknowledge() {
    const auto known = unread_.read() * Kind::unit;
    const auto told = bytes_.flag() ? bytes_.nasty(known) : known;
    const auto outcome = producer_->acknowledge(told);
    require(is_one_of(outcome, status::ok, status::stale, status::corrupt),
            "acknowledge(): a status that is not documented");
    if (outcome == status::corrupt) corrupt_ = true;
    if (outcome != status::ok) return;
    unread_.read_up_to((unread_.read() + (told - known) / Kind::unit) & Kind::sequence_mask,
                       Kind::many);
  }

  void wait() {
    if constexpr (Policy::waits) {
      std::uint32_t size = sizeof(slot_value);
      const auto claimed = [&] {
        if constexpr (Kind::framed) {
          size = bytes_.below(ring_.max_record() + 1);
          return producer_->claim(size, soon());
        } else {
          return producer_->claim(soon());
        }
      }();
      const auto outcome = claimed.status();
      if (outcome == status::timed_out) return;
      if (outcome == status::peer_dead && ring_.process_shared()) return;
      require(outcome != status::full, "waiting ended with full");
      judge(outcome);
      require(!claimed || lies_in(claimed.bytes(), shape_.data, shape_.data_end),
              "a claim outside the data");
    }
  }

  arena& memory_;
  input& bytes_;
  ring_shape shape_;
  ring_type ring_;
  std::optional<producer_type> producer_;
  std::optional<consumer_type> consumer_;
  unread_records unread_{Kind::sequence_mask, shape_.units, Kind::unit};
  bool honest_claims_ = true;
  bool honest_ = false;
  bool taking_ = false;
  bool corrupt_ = false;
};

}  // namespace weir::fuzz
