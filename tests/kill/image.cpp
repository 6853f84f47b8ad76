// SPDX-License-Identifier: MIT
/// A member or the director of an image dies. The readable frame stays whole, and the next ones are made.
#include "kill/scenario.hpp"
#include "support/guarded_span.hpp"

#include <weir/image.hpp>

#include <array>
#include <cstdint>

namespace weir::test::kills {
namespace {

using image_type = image<std::uint32_t>;
constexpr std::uint32_t height = 5;
constexpr std::uint32_t band_count = 3;

struct image_state {
  const char* name;
  std::uint32_t start = 0;
  std::uint32_t written = 1;  ///< bands of the next frame that others have committed
};
constexpr std::array<image_state, 3> states{
    {{.name = "half"}, {.name = "begun", .written = 0}, {.name = "at_2^31", .start = 0x7FFF'FFFF}}};

auto options_of(const image_state& how) -> image_options {
  return {.shape = {.width = 2, .height = height, .element_size = 4},
          .cut = bands(band_count),
          .members = 3,
          .process_shared = true,
          .start_frame = how.start};
}

/// What each element of a frame is, so that a mixture of two frames is seen.
auto element_of(std::uint32_t frame, std::uint32_t row) -> std::uint32_t {
  return (frame + 1) * 1000 + row;
}

template <class Band>
void write(Band& band) {
  for (std::uint32_t y = 0; y < band.rows(); ++y) {
    for (auto& element : band.row(y)) element = element_of(band.frame(), band.part().y + y);
  }
}

class image_scenario : public scenario {
 public:
  explicit image_scenario(const image_state& how)
      : how_{how},
        memory_{image_type::bytes_required(options_of(how))},
        image_{image_type::format(memory_.bytes(), options_of(how)).value()},
        survivor_{image_.join().value()} {}

  void survive(const stage& here, const death&, verdict& found) override {
    const auto flipped = image_.frame() != how_.start;
    found.outcome(flipped ? "flipped" : "not flipped");
    found.kept(flipped || here.must() == 0, "the flip");
    check_view(found);
    const auto back = image_.reclaim();
    if (!flipped && back.things != 0) found.outcome("band held");
    found.moves(image_.reclaim().things == 0, "a second reclaim finds more");
    auto second = image_.join();
    auto third = image_.join();
    auto director = image_.director();
    if (!found.moves(second && third && director, "a place or role of the dead is taken")) return;
    for (int frame = 0; frame < 3; ++frame) {
      commit_all(survivor_, *second, found);
      const auto outcome = director->flip();
      if (!found.moves(outcome == status::ok, name(outcome))) return;
      check_view(found);
    }
    found.whole(memory_.intact(), "bytes beside the image");
  }

 protected:
  /// Returns  how many bands it wrote.
  template <class Member>
  static auto commit_some(const Member& member, std::uint32_t most) -> std::uint32_t {
    for (std::uint32_t done = 0; done < most; ++done) {
      auto band = member.claim_next();
      if (!band) return done;
      write(*band);
      static_cast<void>(band->commit());
    }
    return most;
  }

  image_state how_;
  guarded_span memory_;
  image_type image_;
  image_type::member_type survivor_;

 private:
  template <class Member>
  static void commit_all(const Member& one, const Member& other, verdict& found) {
    const auto did = commit_some(other, 1) + commit_some(one, band_count);
    found.kept(did <= band_count, "a band is written twice");
  }

  /// Frames are all of one number; the first one is zeros.
  void check_view(verdict& found) {
    auto view = survivor_.view();
    if (!found.moves(static_cast<bool>(view), name(view.status()))) return;
    const bool first = view->frame() == how_.start;
    for (std::uint32_t row = 0; row < height; ++row) {
      for (const auto element : view->row(row)) {
        found.whole(element == (first ? 0 : element_of(view->frame(), row)), "a mixed frame");
      }
    }
  }
};

class painter_dies : public image_scenario {
 public:
  explicit painter_dies(const image_state& how) : image_scenario{how} {
    commit_some(survivor_, how.written);
  }
  void operate(stage& here) override {
    const auto member = image_.join().value();
    here.begin();
    auto band = member.claim_next();
    write(*band);
    static_cast<void>(band->commit());
    here.end();
  }
};

class director_dies : public image_scenario {
 public:
  explicit director_dies(const image_state& how) : image_scenario{how} {
    commit_some(survivor_, band_count);
  }
  void operate(stage& here) override {
    auto director = image_.director().value();
    here.begin();
    if (director.flip() == status::ok) here.must_show(1);
    here.end();
  }
};

/// Dies with a view, or while it takes or drops one.
class viewer_dies : public image_scenario {
 public:
  explicit viewer_dies(const image_state& how) : image_scenario{how} {
    commit_some(survivor_, how.written);
  }
  void operate(stage& here) override {
    const auto member = image_.join().value();
    here.begin();
    {
      const auto view = member.view();
    }
    here.end();
  }
};

}  // namespace

void add_image(catalog& all) {
  add_states<painter_dies>(all, central, "image", "commit", states);
  add_states<director_dies>(all, central, "image", "flip", states);
  add_states<viewer_dies>(all, central, "image", "view", states);
}

}  // namespace weir::test::kills
