// SPDX-License-Identifier: MIT
/// Regions of a buffer, among members that die between their calls or lie.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/processes.hpp"

#include <weir/region.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace weir::fuzz {

using element = std::uint32_t;

class regions_run {
  using type = regions<element, fuzz_memory>;
  using region_type = type::region_type;

  struct actor {
    std::uint32_t process = 0;
    mortal<type::member_type> member;
    mortal<region_type> held;
  };

 public:
  regions_run(arena& memory, input& bytes, bool hostile)
      : memory_{memory},
        bytes_{bytes},
        hostile_{hostile},
        regions_{format()},
        on_its_way_(regions_.count()) {
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0)
        memory_.scribble(layout::header_size, here.shared.size());
      bounded("a member's call", bound(), [&] { act(actors_[what & 3], what >> 2 & 15); });
    }
    for (auto& each : actors_) end(each);
  }

 private:
  [[nodiscard]] auto format() -> type {
    const regions_options options{.shape = geometry_of<element>(1 + bytes_.below(8), 16),
                                  .cut = tiles(1, 1 + bytes_.below(16)),
                                  .members = 1 + bytes_.below(6)};
    const auto shared = memory_.begin(bytes_, type::bytes_required(options));
    return type::format(shared, std::as_writable_bytes(std::span{elements_}), options).value();
  }
  [[nodiscard]] auto bound() const -> std::uint64_t {
    return 1024 + 128 * std::uint64_t{regions_.count()} * (1 + regions_.members());
  }

  void act(actor& who, std::uint32_t what) {
    if (what == 0) return reclaim(bytes_.flag());
    if (!who.member) return join(who);
    const as_process self{who.process};
    if (what == 1) return die(who);
    if (what == 2) return end(who);
    if (!who.held) return take(who, what);
    switch (what) {
      case 3:
      case 4:
        check(*who.held);
        who.held->begin_write();
        if (bytes_.flag()) static_cast<void>(who.held->end_write());
        return;
      case 5:
      case 6: {
        const auto index = who.held->index();
        last_ = who.held->hand_over();
        on_its_way_[index] = true;
        return who.held.end();
      }
      default: {
        const auto done = who.held->give_back();
        require(is_one_of(done, status::ok, status::stale), "give_back(): not documented");
        require(hostile_ || done == status::ok, "give_back(): stale, yet held");
        return who.held.end();
      }
    }
  }

  void join(actor& who) { join_as_new_process(all_, who, regions_); }
  void die(actor& who) {
    processes::kill(who.process);
    who.held.die();
    who.member.die();
  }
  void end(actor& who) {
    if (!who.member) return;
    const as_process self{who.process};
    bounded("a member's end", bound(), [&] {
      who.held.end();
      who.member.end();
    });
  }

  void take(actor& who, std::uint32_t what) {
    auto taken = [&]() -> result<region_type> {
      switch (what & 3) {
        case 0:
          return who.member->adopt(hostile_ && bytes_.flag() ? descriptor_of_nothing() : last_);
        case 1:
          return who.member->take_back(bytes_.below(regions_.count() + 1));
        case 2:
          return who.member->claim(bytes_.below(regions_.count() + 1));
        default:
          return who.member->claim_next(bytes_.byte());
      }
    }();
    require(taken || is_one_of(taken.status(), status::busy, status::stale, status::bad_layout),
            "taking a region: not documented");
    if (!taken) return;
    require(taken->index() < regions_.count(), "a region that there is not");
    if (!hostile_) {
      const bool adopted = (what & 3) < 2;
      require(on_its_way_[taken->index()] == adopted, "a region that was on its way, or was not");
      for (auto& each : actors_) {
        require(!each.held || each.held->index() != taken->index(), "a region has two holders");
      }
    }
    on_its_way_[taken->index()] = false;
    check(*taken);
    who.held.emplace(std::move(taken).value());
  }
  [[nodiscard]] auto descriptor_of_nothing() -> region_descriptor {
    return {bytes_.nasty(0U), bytes_.nasty(last_.word)};
  }
  void check(const region_type& held) const {
    const auto row = held.row(held.rows() - 1);
    const auto* const first = elements_.data();
    require(row.data() >= first && row.data() + row.size() <= first + elements_.size(),
            "a region outside the buffer");
  }

  void reclaim(bool all) {
    const as_process self{processes::most + 1};
    const auto sum =
        regions_.reclaim(all ? reclaim_from::all_who_are_gone : reclaim_from::the_dead);
    require(sum.members <= regions_.members() &&
                sum.things <= std::uint64_t{regions_.count()} * regions_.members(),
            "more reclaimed than there is");
    for (std::uint32_t index = 0; index < regions_.count() && !hostile_; ++index) {
      const auto owner = regions_.owner(index);
      require(owner != owner_state::dead, "a dead member holds a region still");
      if (owner == owner_state::free) on_its_way_[index] = false;
    }
  }

  arena& memory_;
  input& bytes_;
  bool hostile_;
  std::array<element, 128> elements_{};
  type regions_;
  std::vector<bool> on_its_way_;
  processes all_;
  std::array<actor, 4> actors_;
  region_descriptor last_;
};

}  // namespace weir::fuzz
