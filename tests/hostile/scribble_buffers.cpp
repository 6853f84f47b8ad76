// SPDX-License-Identifier: MIT
// Regions and images under fire. Each victim is member, holder and reclaimer in one.
#include "hostile/victims.hpp"

#include <weir/image.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>
#include <weir/region.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace weir::test {
namespace {

inline constexpr geometry scribbled_shape{.width = 24, .height = 16};
inline constexpr cuts scribbled_cut{.columns = 2, .rows = 4};
inline constexpr auto join_says = one_of(status::ok, status::full);
inline constexpr auto wait_says = one_of(status::ok, status::timed_out, status::peer_dead);

/// A row that was handed out: inside, and written, or read, to its end.
template <class T>
void use_row(verdicts& seen, const char* call, std::span<T> row, std::span<const std::byte> where) {
  seen.inside(call, std::as_bytes(row), where);
  if constexpr (!std::is_const_v<T>) std::ranges::fill(row, T{1});
}

[[nodiscard]] auto some_from(seeded_random& random) -> reclaim_from {
  return random.once_in(2) ? reclaim_from::the_dead : reclaim_from::all_who_are_gone;
}

// --- regions

class regions_victim {
  using type = regions<std::uint8_t, scribbled_memory>;
  static constexpr regions_options options{
      .shape = scribbled_shape, .cut = scribbled_cut, .members = 4, .process_shared = true};
  static constexpr auto control_size = static_cast<std::uint32_t>(type::bytes_required(options));
  static constexpr std::uint32_t buffer_size = 24 * 16;

 public:
  static constexpr const char* name = "regions";
  static constexpr std::uint32_t span_size = control_size + buffer_size;
  static constexpr std::uint32_t data_offset = layout::header_size;

  explicit regions_victim(scene at) : at_{at} {}
  [[nodiscard]] auto is_over() const noexcept -> bool { return false; }
  ~regions_victim() { held_.reset(); }

  void restart() {
    held_.reset();
    member_.reset();
    auto made = type::format(control(), buffer(), options);
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (!made) return;
    set_ = *made;
    join();
  }
  void step() {
    if (!set_) return;
    auto& random = at_.random;
    if (random.once_in(32)) attach();
    if (random.once_in(64)) join();
    if (random.once_in(16)) look_round();
    if (!member_) return join();
    if (held_) return use();
    take();
  }

 private:
  [[nodiscard]] auto control() const -> std::span<std::byte> {
    return at_.span().first(control_size);
  }
  [[nodiscard]] auto buffer() const -> std::span<std::byte> {
    return at_.span().subspan(control_size);
  }
  void attach() {
    auto found = type::attach(control(), buffer());
    at_.seen.saw("attach", found.status(), attach_says);
    if (!found) return;
    at_.seen.expect("attach", found->shape().bytes() <= buffer_size, "a shape too large");
    held_.reset();
    member_.reset();
    set_ = *found;
  }
  void join() {
    held_.reset();
    member_.reset();
    auto joined = set_->join();
    at_.seen.saw("join", joined.status(), join_says);
    if (joined) member_.emplace(std::move(joined).value());
  }
  void look_round() {
    const auto done = set_->reclaim(some_from(at_.random));
    at_.seen.expect("reclaim", done.members <= set_->members(), "too many members");
    at_.seen.expect("reclaim", done.things <= set_->members() * set_->count(), "too many regions");
    const auto which = at_.random.below(set_->count());
    static_cast<void>(set_->owner(which));
    static_cast<void>(set_->versions().version(which));
    at_.seen.count();
  }
  void take() {
    auto& random = at_.random;
    const auto index = random.once_in(16) ? random.next() : random.below(set_->count());
    constexpr auto stale_says = one_of(status::ok, status::stale);
    switch (random.below(4)) {
      case 0:
        return keep("claim", member_->claim(index),
                    one_of(status::ok, status::busy, status::bad_layout));
      case 1:
        return keep("claim_next", member_->claim_next(index), one_of(status::ok, status::busy));
      case 2:
        return keep("take_back", member_->take_back(index), stale_says);
      default:
        return keep("adopt", member_->adopt({index, random.once_in(2) ? random.next() : handed_}),
                    stale_says);
    }
  }
  void keep(const char* call, result<type::region_type> got, std::uint32_t says) {
    at_.seen.saw(call, got.status(), says);
    if (got) held_.emplace(std::move(got).value());
  }
  void use() {
    auto& random = at_.random;
    if (random.once_in(2)) held_->begin_write();
    for (std::uint32_t y = 0; y < held_->rows(); ++y) {
      use_row(at_.seen, "row", held_->row(y), buffer());
    }
    const auto around = held_->halo(1);
    for (auto y = around.box().y; y < around.box().y + around.box().height; ++y) {
      use_row(at_.seen, "halo", around.row(y), buffer());
    }
    at_.seen.inside("bytes", held_->bytes().empty() ? buffer() : held_->bytes(), buffer());
    if (random.once_in(2)) static_cast<void>(held_->end_write());
    if (random.once_in(4)) {
      handed_ = held_->hand_over().word;
    } else if (random.once_in(2)) {
      at_.seen.saw("give_back", held_->give_back(), one_of(status::ok, status::stale));
    }
    held_.reset();
  }

  scene at_;
  std::optional<type> set_;
  std::optional<type::member_type> member_;
  std::optional<type::region_type> held_;
  std::uint32_t handed_ = 0;
};

// --- image

class image_victim {
  using type = image<std::uint8_t, scribbled_memory>;
  static constexpr image_options options{
      .shape = scribbled_shape, .cut = scribbled_cut, .members = 4, .process_shared = true};

 public:
  static constexpr const char* name = "image";
  static constexpr auto span_size = static_cast<std::uint32_t>(type::bytes_required(options));
  static constexpr std::uint32_t data_offset = layout::image::director_line;

  explicit image_victim(scene at) : at_{at} {}
  ~image_victim() { drop(); }
  [[nodiscard]] auto is_over() const noexcept -> bool { return false; }

  void restart() {
    drop();
    auto chosen = options;
    chosen.start_frame = at_.random.next() >> 1;
    auto made = type::format(at_.span(), chosen);
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (made) set_ = *made;
    if (made) join();
  }
  void step() {
    if (!set_) return;
    auto& random = at_.random;
    if (random.once_in(32)) attach();
    if (random.once_in(16)) reclaim();
    if (random.once_in(64) || !member_) return join();
    if (band_) return use_band();
    if (view_) return use_view();
    switch (random.below(4)) {
      case 0:
        return direct();
      case 1: {
        auto view = member_->view();
        at_.seen.saw("view", view.status(), one_of(status::ok, status::busy));
        if (view) view_.emplace(std::move(view).value());
        return;
      }
      default:
        return claim();
    }
  }

 private:
  void drop() {
    view_.reset();
    band_.reset();
    member_.reset();
  }
  void attach() {
    auto found = type::attach(at_.span());
    at_.seen.saw("attach", found.status(), attach_says);
    if (!found) return;
    drop();
    set_ = *found;
  }
  void join() {
    drop();
    auto joined = set_->join();
    at_.seen.saw("join", joined.status(), join_says);
    if (joined) member_.emplace(std::move(joined).value());
  }
  void reclaim() {
    const auto done = set_->reclaim();
    at_.seen.expect("reclaim", done.members <= type::max_members, "too many members");
    static_cast<void>(set_->owner(at_.random.below(set_->count())));
    at_.seen.count();
  }
  void claim() {
    auto& random = at_.random;
    if (random.once_in(256)) {
      at_.seen.saw("wait_for_band", member_->wait_for_band<short_park>(soon()), wait_says);
      at_.seen.saw("wait_frame", member_->wait_frame<short_park>(member_->frame(), soon()),
                   wait_says);
    }
    const auto index = random.once_in(16) ? random.next() : random.below(set_->count());
    auto got = random.once_in(2) ? member_->claim(index) : member_->claim_next(index);
    at_.seen.saw("claim", got.status(),
                 one_of(status::ok, status::empty, status::busy, status::bad_layout));
    if (got) band_.emplace(std::move(got).value());
  }
  void direct() {
    auto director = set_->director();
    at_.seen.saw("director()", director.status(), role_says);
    if (!director) return;
    at_.seen.saw("flip", director->flip(), one_of(status::ok, status::pending, status::busy));
    if (!at_.random.once_in(256)) return;
    at_.seen.saw("flip_when_written", director->flip_when_written<short_park>(soon()), wait_says);
  }
  [[nodiscard]] auto buffers() const -> std::span<const std::byte> {
    return at_.span().last(2 * ((24 * 16 + 127) / 128 * 128));
  }
  void use_band() {
    for (std::uint32_t y = 0; y < band_->rows(); ++y) {
      use_row(at_.seen, "row", band_->row(y), buffers());
    }
    const auto around = band_->before(1);
    for (auto y = around.box().y; y < around.box().y + around.box().height; ++y) {
      use_row(at_.seen, "before", around.row(y), buffers());
    }
    if (!at_.random.once_in(8)) {
      at_.seen.saw("commit", band_->commit(), one_of(status::ok, status::stale));
    }
    band_.reset();
  }
  void use_view() {
    for (std::uint32_t y = 0; y < scribbled_shape.height; ++y) {
      use_row(at_.seen, "view", view_->row(y), buffers());
    }
    if (at_.random.once_in(4)) view_.reset();
  }

  scene at_;
  std::optional<type> set_;
  std::optional<type::member_type> member_;
  std::optional<type::member_type::band_type> band_;
  std::optional<type::member_type::view_type> view_;
};

}  // namespace

auto buffer_victims() -> std::span<const victim_entry> {
  static constexpr victim_entry entries[] = {entry_of<regions_victim>(), entry_of<image_victim>()};
  return entries;
}

}  // namespace weir::test
