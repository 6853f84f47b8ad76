// SPDX-License-Identifier: MIT
/// An spsc_ring, and a coalesce, whose sides die between their calls and are succeeded, in an honest memory: what
/// was published comes out in order, at least once; what was withheld does not.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/processes.hpp"
#include "fuzz/rings.hpp"

#include <weir/coalesce.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace weir::fuzz {

/// A role that is taken by one process after the other.
template <class Handle>
struct dynasty {
  mortal<Handle> handle;
  std::uint32_t process = 0;

  /// take() -> result<Handle>. Returns  true: there is a new holder.
  template <class Take>
  auto succeed(processes& all, Take&& take) -> bool {
    process = all.born();
    if (process == 0) return false;
    const as_process self{process};
    auto taken = take();
    require(taken || taken.status() == status::unsupported, "a role cannot be taken from the dead");
    if (taken) handle.emplace(std::move(taken).value());
    return bool{taken};
  }
  void die() {
    processes::kill(process);
    handle.die();
  }
  void end() {
    const as_process self{process};
    handle.end();
  }
};

template <class Kind>
class spsc_deaths {
  using ring_type = typename Kind::ring;

 public:
  explicit spsc_deaths(arena& memory, input& bytes)
      : bytes_{bytes}, ring_{Kind::format(memory, bytes, shape_)} {}

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      bounded("a call", 4 * most_accesses(shape_), [&] {
        if ((what & 1) == 0) {
          produce(what >> 1);
        } else {
          consume(what >> 1);
        }
      });
    }
    bounded("the end", 4 * most_accesses(shape_), [&] {
      producer_.end();
      consumer_.end();
    });
  }

 private:
  void produce(std::uint32_t what) {
    if (!producer_.handle) {
      producer_.succeed(all_, [&] { return ring_.producer(); });
      return;
    }
    const as_process self{producer_.process};
    switch (what & 7) {
      case 0:
        withheld_.clear();
        return producer_.die();
      case 1:
        producer_.end();
        return publish();
      case 2:
        producer_.handle->flush();
        return publish();
      default:
        return write((what & 4) != 0);
    }
  }

  void write(bool withhold) {
    auto claimed = [&] {
      if constexpr (Kind::framed) {
        return producer_.handle->try_claim(4 + bytes_.below(ring_.max_record() - 3));
      } else {
        return producer_.handle->try_claim();
      }
    }();
    if (!claimed) {
      require(claimed.status() == status::full, "a claim: neither ok nor full");
      require(!drained_ || !withheld_.empty(), "full, and nothing is in the ring");
      return publish();  // a full ring hides nothing
    }
    const auto number = ++last_number_;
    std::memcpy(claimed.bytes().data(), &number, sizeof number);
    withheld_.push_back(number);
    if constexpr (Kind::framed) {
      if (withhold) return require(claimed.commit_later().outcome == status::ok, "commit_later()");
    } else {
      if (withhold) {
        return require(claimed.commit_later({number}).outcome == status::ok, "commit_later()");
      }
    }
    require(claimed.commit().outcome == status::ok, "commit()");
    publish();
  }
  void publish() {
    drained_ = drained_ && withheld_.empty();
    published_.insert(published_.end(), withheld_.begin(), withheld_.end());
    withheld_.clear();
  }

  void consume(std::uint32_t what) {
    if (!consumer_.handle) {
      again_ = consumer_.succeed(all_, [&] { return ring_.consumer(); });
      return;
    }
    const as_process self{consumer_.process};
    if ((what & 7) == 0) return consumer_.die();
    if ((what & 7) == 1) return consumer_.end();
    const auto limit = 1 + bytes_.below(5);
    const auto did = consumer_.handle->drain(
        [&](const auto& record) {
          std::uint32_t number = 0;
          if constexpr (Kind::framed) {
            require(record.bytes.size() >= sizeof number, "a record that nobody wrote");
            std::memcpy(&number, record.bytes.data(), sizeof number);
          } else {
            number = record[0];
          }
          came(number);
        },
        limit);
    if (did.outcome == status::ok) return;
    require(did.outcome == status::empty, "drain(): neither ok nor empty");
    require(next_ == published_.size(), "a published record is lost");
    drained_ = true;
  }
  void came(std::uint32_t number) {
    if (again_) {
      const auto at = std::ranges::find(published_, number) - published_.begin();
      require(static_cast<std::size_t>(at) <= next_, "records are lost with their consumer");
      next_ = static_cast<std::size_t>(at);
    }
    again_ = false;
    require(next_ < published_.size() && published_[next_] == number,
            "a record out of order, or never published");
    ++next_;
  }

  input& bytes_;
  ring_shape shape_;
  ring_type ring_;
  processes all_;
  dynasty<typename ring_type::template producer_type<>> producer_;
  dynasty<typename ring_type::template consumer_type<>> consumer_;
  std::vector<std::uint32_t> published_;
  std::vector<std::uint32_t> withheld_;
  std::uint32_t last_number_ = 0;
  std::size_t next_ = 0;  ///< in published_
  bool again_ = false;    ///< a new consumer, to whom records may come that came before
  bool drained_ = true;   ///< all was read and let go of
};

class coalesce_deaths {
  using type = coalesce<weir::bytes, fuzz_memory>;

 public:
  coalesce_deaths(arena& memory, input& bytes)
      : bytes_{bytes},
        keys_{1 + bytes.below(100)},
        last_(keys_),
        pending_(keys_),
        made_{type::format(memory.begin(bytes, type::bytes_required(keys_, 8)),
                           {.keys = keys_, .max_value = 8, .wake = bytes.wake()})
                  .value()} {}

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      bounded("a call", 512 + 32 * keys_, [&] {
        if ((what & 1) == 0) {
          produce(what >> 1);
        } else {
          consume(what >> 1);
        }
      });
    }
    bounded("the end", 512, [&] {
      producer_.end();
      consumer_.end();
    });
  }

 private:
  void produce(std::uint32_t what) {
    if (!producer_.handle) {
      producer_.succeed(all_, [&] { return made_.producer(); });
      return;
    }
    const as_process self{producer_.process};
    if ((what & 15) == 0) return producer_.die();
    if ((what & 15) == 1) return producer_.end();
    const auto key = bytes_.below(keys_);
    const auto number = ++last_number_;
    const auto value = std::as_bytes(std::span{&number, 1});
    require(producer_.handle->update(key, value) == status::ok, "update() refused");
    last_[key] = number;
    pending_[key] = true;
  }
  void consume(std::uint32_t what) {
    if (!consumer_.handle) {
      consumer_.succeed(all_, [&] { return made_.consumer(); });
      return;
    }
    const as_process self{consumer_.process};
    if ((what & 7) == 0) return consumer_.die();
    if ((what & 7) == 1) return consumer_.end();
    const auto did = consumer_.handle->drain([&](const auto& shown) {
      std::uint32_t number = 0;
      require(shown.key < keys_ && shown.value.size() == sizeof number, "a value that nobody set");
      std::memcpy(&number, shown.value.data(), sizeof number);
      require(pending_[shown.key] && last_[shown.key] == number,
              "not the newest value, or once more");
      pending_[shown.key] = false;
    });
    require(did.outcome == status::empty, "drain(): not empty");
    require(std::ranges::find(pending_, true) == pending_.end(), "an update is lost");
  }

  input& bytes_;
  std::uint32_t keys_;
  std::vector<std::uint32_t> last_;
  std::vector<bool> pending_;
  type made_;
  processes all_;
  dynasty<type::producer_type> producer_;
  dynasty<type::consumer_type<>> consumer_;
  std::uint32_t last_number_ = 0;
};

}  // namespace weir::fuzz
