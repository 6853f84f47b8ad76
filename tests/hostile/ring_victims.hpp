// SPDX-License-Identifier: MIT
/// Both sides of a ring under fire. `Kind` says which ring, `reads` which side makes most of the calls.
#pragma once

#include "hostile/ring_kinds.hpp"
#include "hostile/verdict.hpp"

#include <weir/backpressure.hpp>
#include <weir/layout.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::test {

template <class Kind, bool Reads>
class ring_victim {
  using ring_type = typename Kind::ring;
  using policy = std::conditional_t<Reads, drop_newest, wait_for_space<short_park>>;
  using producer_type = typename ring_type::template producer_type<policy>;
  using consumer_type = decltype(Kind::consumer(std::declval<ring_type>()).value());

 public:
  static constexpr const char* name = Reads ? Kind::reader_name : Kind::writer_name;
  static constexpr std::uint32_t span_size = Kind::span_size;
  static constexpr std::uint32_t data_offset = Kind::data_offset;

  explicit ring_victim(scene at) : at_{at} {}
  ~ring_victim() { drop(); }
  ring_victim(const ring_victim&) = delete;
  auto operator=(const ring_victim&) -> ring_victim& = delete;

  [[nodiscard]] auto is_over() const noexcept -> bool {
    return (Reads ? reading_ : writing_).is_over();
  }

  void restart() {
    drop();
    auto made = Kind::format(at_.span(), at_.random);
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (!made) return;
    ring_ = *made;
    take_producer();
    for (auto count = at_.random.below(24); count != 0 && producer_; --count) write();
    take_consumer();
  }

  void step() {
    if (!ring_) return;
    auto& random = at_.random;
    if (random.once_in(32)) return visit();
    if (random.once_in(128)) return random.once_in(2) ? take_producer() : take_consumer();
    if (random.once_in(8) ? !Reads : Reads) {
      if (consumer_) read_somehow();
    } else {
      if (producer_) write_somehow();
    }
  }

 private:
  void drop() {
    claim_.reset();
    producer_.reset();
    consumer_.reset();
    ring_.reset();
  }

  void take_producer() {
    claim_.reset();
    producer_.reset();
    writing_.reset();
    auto taken = ring_->producer(a_policy());
    at_.seen.saw("producer()", taken.status(), role_says | one_of(status::closed));
    if (taken) producer_.emplace(std::move(taken).value());
  }
  void take_consumer() {
    consumer_.reset();
    reading_.reset();
    auto taken = Kind::consumer(*ring_);
    at_.seen.saw("consumer()", taken.status(), role_says);
    if (taken) consumer_.emplace(std::move(taken).value());
  }
  [[nodiscard]] auto a_policy() -> policy {
    if constexpr (Reads) {
      return {.low_water = at_.random.below(ring_->capacity() / 2),
              .report = Kind::frames && at_.random.once_in(2)};
    } else {
      return {};
    }
  }

  /// One who attaches, takes what is free, looks round and leaves.
  void visit() {
    auto found = ring_type::attach(at_.span());
    at_.seen.saw("attach", found.status(), attach_says);
    if (!found) return;
    at_.seen.expect("attach", Kind::bytes_of(*found) <= at_.span().size(), "a ring too large");
    static_cast<void>(found->closed());
    Kind::observe(*found);
    if (at_.random.once_in(2)) {
      auto taken = found->producer();
      at_.seen.saw("visitor's producer()", taken.status(), role_says | one_of(status::closed));
      if (taken) at_.seen.saw("visitor's write", Kind::write(*taken, at_.random), write_says);
    } else {
      auto taken = Kind::consumer(*found);
      at_.seen.saw("visitor's consumer()", taken.status(), role_says | one_of(status::too_large));
      if (taken) look_at(taken->try_peek());
    }
  }

  // --- reading

  static constexpr auto peek_says =
      one_of(status::ok, status::empty, status::closed, status::corrupt);
  static constexpr auto wait_says = peek_says | one_of(status::timed_out, status::peer_dead);

  void read_somehow() {
    auto& random = at_.random;
    switch (random.below(16)) {
      case 0:
      case 1:
        return drain();
      case 2:
        return consumer_->flush();
      case 3:
        if (!random.once_in(32)) return;
        return judge("wait", at_.seen.saw("wait", consumer_->wait(soon()), wait_says));
      case 4:
      case 5:
        return redeem();
      case 6:
        return recover();
      case 7:
      case 8:
      case 9:
      case 10:
        return copy_out();
      case 11:
        if (random.once_in(256)) consumer_->close();
        return;
      default: {
        const auto outcome = look_at(consumer_->try_peek());
        return judge("try_peek", outcome);
      }
    }
  }

  void judge(const char* call, status outcome, bool exempt = false) {
    // A damaged lane is reported once; then it counts as closed.
    reading_.judge(at_.seen, call, outcome, exempt || !Kind::sticky);
  }

  template <class Record>
  auto look_at(Record record) -> status {
    const auto outcome = at_.seen.saw("try_peek", record.status(), peek_says);
    if (!record) return outcome;
    at_.seen.inside("try_peek", record.bytes(), where());
    touch(record.bytes());
    if (!at_.random.once_in(3)) record.release();
    return outcome;
  }
  void copy_out() {
    guarded_out out{at_.random.below(64)};
    const auto outcome = Kind::read(*consumer_, out, at_.seen);
    at_.seen.saw("try_read", outcome, peek_says | one_of(status::too_large));
    judge("try_read", outcome);
  }
  void drain() {
    const auto limit = at_.random.once_in(2) ? no_limit : 1 + at_.random.below(10);
    std::uint32_t shown = 0;
    const auto done = consumer_->drain(
        [&](const auto& record) {
          ++shown;
          if constexpr (requires { record.bytes; }) {
            at_.seen.inside("drain", record.bytes, where());
            touch(record.bytes);
          }
        },
        limit);
    at_.seen.saw("drain", done.outcome, peek_says);
    at_.seen.expect("drain", shown == done.records && shown <= limit, "a wrong count");
    at_.seen.expect("drain", shown <= Kind::most_records, "more than the ring holds");
    judge("drain", done.outcome);
  }
  void redeem() {
    if constexpr (requires { consumer_->read_position(); }) {
      const auto position = consumer_->read_position();
      auto& random = at_.random;
      const auto unit = Kind::frames ? 8U : 1U;
      const auto ahead = 8 * random.below(16);
      const descriptor forged{
          random.once_in(4) ? random.next() : data_offset + 8 + 8 * random.below(512),
          random.once_in(4) ? random.next() : random.below(64),
          random.once_in(4) ? random.next() : (position + ahead) / unit};
      auto found = consumer_->redeem(forged);
      at_.seen.saw("redeem", found.status(), peek_says | one_of(status::stale));
      if (found) at_.seen.inside("redeem", found.bytes(), where());
    }
  }
  void recover() {
    if constexpr (requires { consumer_->recover(); }) {
      const auto done = at_.random.once_in(2)
                            ? consumer_->recover()
                            : consumer_->recover([](auto, auto) { return false; });
      at_.seen.saw(
          "recover", done.outcome,
          one_of(status::ok, status::pending, status::empty, status::unsupported, status::corrupt));
      judge("recover", done.outcome, done.outcome == status::unsupported);
    }
  }

  // --- writing

  static constexpr auto write_says =
      one_of(status::ok, status::full, status::too_large, status::closed, status::corrupt,
             status::busy, status::stale, status::unsupported);

  void write_somehow() {
    auto& random = at_.random;
    if (claim_) return finish_claim();
    switch (random.below(16)) {
      case 0:
      case 1:
        return static_cast<void>(Kind::write_batch(*producer_, random, at_.seen));
      case 2:
        return producer_->flush();
      case 3: {
        const auto forged = random.once_in(4) ? random.next() : random.below(4096) & ~7U;
        const auto outcome = producer_->acknowledge(forged);
        at_.seen.saw("acknowledge", outcome, one_of(status::ok, status::stale, status::corrupt));
        return writing_.judge(at_.seen, "acknowledge", outcome, outcome != status::corrupt);
      }
      case 4:
        if (random.once_in(32)) wait_for_room();
        return;
      case 5:
        if (!random.once_in(512)) return;
        producer_->close();
        return take_producer();
      case 6:
      case 7:
      case 8:
      case 9:
      case 10:
        claim_.emplace(Kind::claim(*producer_, random));
        return check_claim();
      default:
        return write();
    }
  }

  void write() {
    const auto outcome = Kind::write(*producer_, at_.random);
    at_.seen.saw("try_write", outcome, write_says);
    writing_.judge(at_.seen, "try_write", outcome,
                   outcome == status::too_large || outcome == status::stale);
  }
  void check_claim() {
    const auto outcome = at_.seen.saw("try_claim", claim_->status(), write_says);
    writing_.judge(at_.seen, "try_claim", outcome, outcome == status::too_large);
    if (!*claim_) return claim_.reset();
    at_.seen.inside("try_claim", claim_->bytes(), where());
    std::ranges::fill(claim_->bytes(), std::byte{0x5A});
  }
  void finish_claim() {
    if (at_.random.once_in(4)) return claim_.reset();
    at_.seen.inside("claim", claim_->bytes(), where());
    at_.seen.saw("commit", claim_->commit().outcome, write_says);
    claim_.reset();
  }
  void wait_for_room() {
    if constexpr (!Reads) {
      const auto outcome = Kind::write_waiting(*producer_, at_.random);
      at_.seen.saw("write", outcome, write_says | one_of(status::timed_out, status::peer_dead));
      writing_.judge(at_.seen, "write", outcome,
                     outcome == status::too_large || outcome == status::stale);
    }
  }

  // --- oracles

  [[nodiscard]] auto where() const -> std::span<const std::byte> {
    return at_.span().first(Kind::bytes_of(*ring_)).subspan(data_offset);
  }
  /// Reads every byte, as an application would.
  void touch(std::span<const std::byte> bytes) {
    guarded_out out{static_cast<std::uint32_t>(bytes.size())};
    const auto size = std::min(bytes.size(), out.span().size());
    scribbled_memory::copy_out(out.span().data(), bytes.data(), size);
  }

  scene at_;
  std::optional<ring_type> ring_;
  std::optional<producer_type> producer_;
  std::optional<typename producer_type::claim_type> claim_;
  std::optional<consumer_type> consumer_;
  sticky_corrupt reading_;
  sticky_corrupt writing_;
};

}  // namespace weir::test
