// SPDX-License-Identifier: MIT
/// A recoverable mpsc_ring whose producers and consumers die between their calls. With an honest memory every
/// record that was committed comes out, in the order of the claims; with a hostile one every call ends well.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/processes.hpp"
#include "fuzz/rings.hpp"

#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace weir::fuzz {

template <class Kind>
class mpsc_deaths {
  using ring_type = typename Kind::ring;
  using producer_type = typename ring_type::template producer_type<>;
  using claim_type = typename producer_type::claim_type;
  using consumer_type = typename ring_type::template consumer_type<>;

  enum class fate { open, committed, aborted, skipped };
  struct claim_made {
    fate what = fate::open;
    std::uint32_t process = 0;
  };
  struct actor {
    std::uint32_t process = 0;
    mortal<producer_type> producer;
    mortal<claim_type> claim;
    std::size_t claimed = 0;  ///< index in claims_
  };

 public:
  mpsc_deaths(arena& memory, input& bytes, bool hostile)
      : memory_{memory},
        bytes_{bytes},
        hostile_{hostile},
        ring_{Kind::format(memory, bytes, shape_)} {
    if (hostile_) here.lie_in = bytes_.byte();
  }
  mpsc_deaths(const mpsc_deaths&) = delete;
  auto operator=(const mpsc_deaths&) -> mpsc_deaths& = delete;
  ~mpsc_deaths() {
    for (auto& each : actors_) {
      if (each.producer) leave(each);
    }
    const as_process self{reader_};
    bounded("consumer's end", bound(), [&] { consumer_.end(); });
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0) attack();
      if ((what & 3) == 0) {
        consume(what >> 2 & 15);
      } else {
        act(actors_[what >> 2 & 3]);
      }
    }
  }

 private:
  [[nodiscard]] auto bound() const -> std::uint64_t {
    // Each record may be looked at once for each slot, and a lie may have the claim be tried once more.
    return most_accesses(shape_) * (8 + 8 * shape_.slots) + 8192;
  }

  void attack() {
    switch (bytes_.byte() & 3) {
      case 0:
        return memory_.scribble(shape_.data, shape_.data_end);
      case 1:
        return memory_.scribble(layout::mpsc::producer_slots, shape_.data);
      default:
        return memory_.scribble(layout::header_size, layout::mpsc::producer_slots);
    }
  }

  // --- producers

  void act(actor& who) {
    const auto what = bytes_.byte();
    if (!who.producer) return arrive(who);
    const as_process self{who.process};
    if (what % 8 == 0) return die(who);
    if (what % 8 == 1) return leave(who);
    if (who.claim) return finish(who, what % 8 == 2);
    bounded("a claim", bound(), [&] { claim(who); });
    if (what % 8 > 4 && who.claim) finish(who, false);
  }

  void arrive(actor& who) {
    who.process = processes_.born();
    if (who.process == 0) return;
    const as_process self{who.process};
    bounded("producer()", bound(), [&] {
      auto taken = ring_.producer();
      if (taken) return who.producer.emplace(std::move(taken).value());
      require(is_one_of(taken.status(), status::full, status::unsupported, status::corrupt),
              "producer(): a status that is not documented");
      if (hostile_) return;
      require(taken.status() != status::corrupt, "corrupt without a lie");
      require(taken.status() != status::full || held_slots() >= shape_.slots,
              "a slot of the table is lost");
    });
  }
  /// Slots of the living, and of the dead whose claims nobody has skipped yet.
  [[nodiscard]] auto held_slots() const -> std::uint32_t {
    std::uint32_t held = 0;
    for (const auto& each : actors_) held += each.producer ? 1 : 0;
    for (const auto& each : claims_) {
      held += each.what == fate::open && processes::is_dead(each.process) ? 1 : 0;
    }
    return held + unclaimed_dead_;
  }

  void claim(actor& who) {
    std::uint32_t size = 4;
    auto claimed = [&] {
      if constexpr (Kind::framed) {
        size += bytes_.below(40);
        return who.producer->try_claim(size);
      } else {
        return who.producer->try_claim();
      }
    }();
    require(is_one_of(claimed.status(), status::ok, status::full, status::too_large, status::closed,
                      status::corrupt),
            "a claim: a status that is not documented");
    require(hostile_ || claimed.status() != status::corrupt, "corrupt without a lie");
    if (!claimed) return;
    require(lies_in(claimed.bytes(), shape_.data, shape_.data_end), "a claim outside the data");
    const auto number = static_cast<std::uint32_t>(claims_.size());
    std::memcpy(claimed.bytes().data(), &number, sizeof number);
    who.claimed = claims_.size();
    claims_.push_back({.process = who.process});
    who.claim.emplace(std::move(claimed));
  }

  void finish(actor& who, bool abort) {
    bounded("commit()", bound(), [&] {
      const auto done = abort ? committed{status::ok, {}} : who.claim->commit();
      require(is_one_of(done.outcome, status::ok, status::stale),
              "commit(): a status that is not documented");
      const bool over = done.outcome == status::stale;
      require(hostile_ || !over, "a living producer's claim was skipped");
      who.claim.end();
      claims_[who.claimed].what = abort ? fate::aborted : fate::committed;
    });
  }

  void die(actor& who) {
    if (!who.claim) ++unclaimed_dead_;  // its slot may be taken at once, or not: an upper limit
    processes::kill(who.process);
    who.claim.die();
    who.producer.die();
  }
  void leave(actor& who) {
    const as_process self{who.process};
    if (who.claim) finish(who, true);
    bounded("producer's end", bound(), [&] { who.producer.end(); });
  }

  // --- the consumer

  void consume(std::uint32_t what) {
    if (!consumer_) return take();
    const as_process self{reader_};
    switch (what) {
      case 0:
        processes::kill(reader_);
        return consumer_.die();
      case 1:
        return bounded("consumer's end", bound(), [&] { consumer_.end(); });
      case 2:
      case 3:
      case 4:
      case 5:
        return bounded("recover()", bound(), [&] { recover(); });
      case 6:
        return bounded("flush()", bound(), [&] { consumer_->flush(); });
      default:
        return bounded("drain()", bound(), [&] { drain(); });
    }
  }

  void take() {
    reader_ = processes_.born();
    if (reader_ == 0) return;
    const as_process self{reader_};
    bounded("consumer()", bound(), [&] {
      auto taken = ring_.consumer();
      if (taken) return consumer_.emplace(std::move(taken).value());
      require(hostile_ || taken.status() == status::unsupported, "a dead consumer's role is lost");
      require(is_one_of(taken.status(), status::busy, status::unsupported, status::corrupt),
              "consumer(): a status that is not documented");
    });
    again_ = true;
  }

  void recover() {
    const auto did = consumer_->recover();
    if (!shape_.recoverable) return require(did.outcome == status::unsupported, "recovered");
    require(is_one_of(did.outcome, status::ok, status::pending, status::empty, status::corrupt),
            "recover(): a status that is not documented");
    require(did.claims <= shape_.units, "more claims recovered than there can be");
    if (hostile_) return;
    unclaimed_dead_ = 0;
    std::uint32_t skipped = 0;
    auto at = next_;
    while (at < claims_.size() && is_dead_claim(claims_[at])) {
      claims_[at++].what = fate::skipped;
      ++skipped;
    }
    // What a dead consumer had shown, or skipped, may lie in front once more.
    if (again_) return;
    require(did.claims == skipped, "recover() skipped other claims than those of the dead");
    const auto expected = at == claims_.size()             ? status::empty
                          : claims_[at].what == fate::open ? status::pending
                                                           : status::ok;
    require(did.outcome == expected, "recover() says something else than there is");
    next_ = at;
  }
  [[nodiscard]] static auto is_dead_claim(const claim_made& made) -> bool {
    return made.what == fate::open && processes::is_dead(made.process);
  }

  void drain() {
    const auto limit = bytes_.below(5);
    std::uint32_t shown = 0;
    const auto did = consumer_->drain(
        [&](const auto& record) {
          ++shown;
          if constexpr (Kind::framed) {
            require(lies_in(record.bytes, shape_.data, shape_.data_end),
                    "a record outside the data");
            std::uint32_t number = 0;
            if (record.bytes.size() >= sizeof number) {
              std::memcpy(&number, record.bytes.data(), sizeof number);
            }
            came(number);
          } else {
            came(record[0]);
          }
        },
        limit);
    require(did.records == shown && shown <= limit, "drain() miscounted");
    require(hostile_ || did.outcome != status::corrupt, "corrupt without a lie");
    if (hostile_ || limit == 0 || did.outcome != status::empty || again_) return;
    skip_what_is_over();
    require(next_ == claims_.size() || claims_[next_].what == fate::open, "a record is lost");
  }

  void skip_what_is_over() {
    while (next_ < claims_.size() &&
           (claims_[next_].what == fate::aborted || claims_[next_].what == fate::skipped)) {
      ++next_;
    }
  }
  void came(std::uint32_t number) {
    if (hostile_) return;
    require(number < claims_.size() && claims_[number].what == fate::committed,
            "a record that nobody committed");
    if (again_) {
      require(number <= first_committed_from(next_), "records are lost with their consumer");
      next_ = number;
    }
    again_ = false;
    skip_what_is_over();
    require(number == next_, "a record out of order");
    ++next_;
  }
  [[nodiscard]] auto first_committed_from(std::size_t at) const -> std::size_t {
    while (at < claims_.size() && claims_[at].what != fate::committed) ++at;
    return at;
  }

  arena& memory_;
  input& bytes_;
  bool hostile_;
  ring_shape shape_;
  ring_type ring_;
  processes processes_;
  std::array<actor, 4> actors_;
  std::vector<claim_made> claims_;
  std::size_t next_ = 0;  ///< first claim that the consumer has not got behind
  std::uint32_t unclaimed_dead_ = 0;
  std::uint32_t reader_ = 1;
  mortal<consumer_type> consumer_;
  bool again_ = false;  ///< a new consumer, to whom records may come that came before
};

}  // namespace weir::fuzz
