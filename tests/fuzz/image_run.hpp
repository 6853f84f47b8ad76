// SPDX-License-Identifier: MIT
/// Bands and views of an image, among members that die between their calls or lie.
#pragma once

#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/processes.hpp"
#include "fuzz/region_runs.hpp"

#include <weir/image.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace weir::fuzz {

class image_run {
  using type = image<element, fuzz_memory>;
  using member_type = type::member_type;

  struct actor {
    std::uint32_t process = 0;
    mortal<member_type> member;
    mortal<member_type::band_type> band;
    mortal<member_type::view_type> view;
  };

 public:
  image_run(arena& memory, input& bytes, bool hostile)
      : memory_{memory}, bytes_{bytes}, hostile_{hostile}, image_{format()} {
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0)
        memory_.scribble(layout::header_size, here.shared.size());
      bounded("a call", most_looks * bound(), [&] {
        if ((what & 3) == 3) {
          direct(what >> 2 & 15);
        } else {
          act(actors_[what & 3], what >> 2 & 15);
        }
      });
    }
    for (auto& each : actors_) end(each);
    bounded("director's end", bound(), [&] { director_.end(); });
  }

 private:
  [[nodiscard]] auto format() -> type {
    const image_options options{.shape = geometry_of<element>(1 + bytes_.below(8), 8),
                                .cut = bands(1 + bytes_.below(8)),
                                .members = 1 + bytes_.below(6),
                                .wake = wake_protocol::fenced,
                                .process_shared = bytes_.flag(),
                                .start_frame = bytes_.flag() ? 0x7FFF'FFFEU : 0U};
    return type::format(memory_.begin(bytes_, type::bytes_required(options)), options).value();
  }
  [[nodiscard]] auto bound() const -> std::uint64_t { return 4096 + 512 * image_.count(); }

  void act(actor& who, std::uint32_t what) {
    if (!who.member) return join(who);
    const as_process self{who.process};
    switch (what) {
      case 0:
        processes::kill(who.process);
        who.band.die();
        who.view.die();
        return who.member.die();
      case 1:
        return end(who);
      case 2:
      case 3:
        who.view.end();
        return view(who);
      case 4:
        return who.view.end();
      case 5:
        return who.band.end();
      case 6:
        return static_cast<void>(who.member->wait_for_band<short_park>(soon()));
      case 7:
        return static_cast<void>(who.member->wait_frame<short_park>(image_.frame(), soon()));
      default:
        return who.band ? commit(who) : claim(who, what);
    }
  }
  void join(actor& who) { join_as_new_process(all_, who, image_); }
  void end(actor& who) {
    if (!who.member) return;
    const as_process self{who.process};
    bounded("a member's end", bound(), [&] {
      who.band.end();
      who.view.end();
      who.member.end();
    });
  }

  void claim(actor& who, std::uint32_t what) {
    auto taken = what < 12 ? who.member->claim_next(bytes_.byte())
                           : who.member->claim(bytes_.below(image_.count() + 1));
    require(taken || is_one_of(taken.status(), status::busy, status::empty, status::bad_layout),
            "claim(): not documented");
    if (!taken) return;
    const auto row = std::as_writable_bytes(taken->row(taken->rows() - 1));
    require(lies_in(row, layout::header_size, here.shared.size()), "a band outside the span");
    std::ranges::fill(row, std::byte{1});
    const auto before = taken->before(1);
    require(lies_in(std::as_bytes(before.row(before.box().y + before.box().height - 1)), 0,
                    here.shared.size()),
            "a halo outside the span");
    for (auto& each : actors_) {
      if (hostile_) break;
      require(!each.view || (each.view->frame() & 1) != (taken->frame() & 1),
              "a band of what is viewed");
      require(!each.band || each.band->index() != taken->index(), "a band has two holders");
    }
    who.band.emplace(std::move(taken).value());
  }
  void commit(actor& who) {
    const auto done = who.band->commit();
    require(is_one_of(done, status::ok, status::stale), "commit(): not documented");
    require(hostile_ || done == status::ok, "commit(): stale, yet held");
    who.band.end();
  }
  void view(actor& who) {
    auto taken = who.member->view();
    require(taken || taken.status() == status::busy, "view(): neither a view nor busy");
    require(hostile_ || taken, "view(): busy, and nobody was faster");
    if (!taken) return;
    require(lies_in(std::as_bytes(taken->row(7)), layout::header_size, here.shared.size()),
            "a view outside the span");
    for (auto& each : actors_) {
      if (hostile_ || !each.band) continue;
      require((taken->frame() & 1) != (each.band->frame() & 1), "a view of what is written");
    }
    who.view.emplace(std::move(taken).value());
  }

  void direct(std::uint32_t what) {
    if (what == 0) {
      const as_process self{processes::most + 1};
      const auto sum = image_.reclaim();
      return require(sum.members <= 6 && sum.things <= 6 * (image_.count() + 2),
                     "more reclaimed than there is");
    }
    if (!director_) {
      directing_ = all_.born();
      const as_process self{directing_};
      if (directing_ == 0) return;
      auto taken = image_.director();
      require(taken || (hostile_ && taken.status() == status::busy), "the director's role is lost");
      if (taken) director_.emplace(std::move(taken).value());
      return;
    }
    const as_process self{directing_};
    if (what == 1) {
      processes::kill(directing_);
      return director_.die();
    }
    const auto frame = image_.frame();
    const auto done =
        what < 12 ? director_->flip() : director_->flip_when_written<short_park>(soon());
    require(is_one_of(done, status::ok, status::pending, status::busy, status::timed_out,
                      status::peer_dead),
            "flip(): not documented");
    require(hostile_ || image_.frame() == (done == status::ok ? (frame + 1) & 0x7FFF'FFFF : frame),
            "flip() does not say what it did");
  }

  arena& memory_;
  input& bytes_;
  bool hostile_;
  type image_;
  processes all_;
  std::array<actor, 3> actors_;
  mortal<image_director<fuzz_memory>> director_;
  std::uint32_t directing_ = 0;
};

}  // namespace weir::fuzz
