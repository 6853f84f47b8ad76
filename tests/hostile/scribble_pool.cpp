// SPDX-License-Identifier: MIT
// A pool under fire: one victim is member, holder, receiver and reclaimer in one.
#include "hostile/victims.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/layout.hpp>
#include <weir/layout_buffers.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace weir::test {
namespace {

class pool_victim {
  using type = buffer_pool<scribbled_memory>;
  static constexpr std::array<pool_class, 2> classes{pool_class{64, 40}, pool_class{256, 5}};

 public:
  static constexpr const char* name = "buffer_pool";
  static constexpr auto span_size =
      static_cast<std::uint32_t>(type::bytes_required({.classes = classes}));
  static constexpr std::uint32_t data_offset = layout::pool::marks + 45 * layout::pool::entry_size;

  explicit pool_victim(scene at) : at_{at} {}
  ~pool_victim() { held_.clear(); }
  [[nodiscard]] auto is_over() const noexcept -> bool { return false; }

  void restart() {
    held_.clear();
    member_.reset();
    auto made = type::format(
        at_.span(),
        {.classes = classes,
         .start_generation = at_.random.once_in(4) ? 0xFFFF'FFFEU : at_.random.below(4)});
    at_.seen.saw("format", made.status(), one_of(status::ok));
    if (!made) return;
    pool_.emplace(*made);
    join();
  }
  void step() {
    if (!pool_) return;
    auto& random = at_.random;
    if (random.once_in(64)) attach();
    if (random.once_in(64)) look_round();
    if (random.once_in(128) || !member_) return join();
    if (held_.size() > random.below(4)) return use(held_.back());
    take();
  }

 private:
  void attach() {
    auto found = type::attach(at_.span());
    at_.seen.saw("attach", found.status(), attach_says);
    if (!found) return;
    held_.clear();
    member_.reset();
    pool_.emplace(*found);
  }
  void join() {
    held_.clear();
    member_.reset();
    auto joined = pool_->join();
    at_.seen.saw("join", joined.status(), one_of(status::ok, status::full));
    if (joined) member_.emplace(std::move(joined).value());
  }
  void look_round() {
    const auto done = pool_->reclaim(at_.random.once_in(2) ? reclaim_from::the_dead
                                                           : reclaim_from::all_who_are_gone);
    at_.seen.expect("reclaim", done.members <= type::max_members, "too many members");
    const auto usage = pool_->usage(at_.random.below(pool_->class_count()));
    at_.seen.expect("usage", usage.in_use <= usage.buffers && usage.retired <= usage.buffers,
                    "more than there are");
    const auto shown = pool_->for_each_held([&](const pool_entry& entry) {
      at_.seen.expect("for_each_held", entry.used <= entry.capacity, "more than it holds");
      known_ = entry.handle;
    });
    at_.seen.expect("for_each_held", shown <= pool_->buffers(), "more than there are");
    at_.seen.expect("references", pool_->references(some_handle()) <= type::max_members,
                    "too many holders");
    at_.seen.saw("version", pool_->version(some_handle()).status(),
                 one_of(status::ok, status::stale));
  }
  [[nodiscard]] auto some_handle() -> pool_handle {
    auto& random = at_.random;
    if (random.once_in(2)) return known_;
    return {random.once_in(8) ? random.next() : random.below(pool_->buffers()),
            random.once_in(4) ? random.next() : random.below(6)};
  }
  void take() {
    auto& random = at_.random;
    constexpr auto says = one_of(status::ok, status::stale, status::busy, status::corrupt);
    switch (random.below(8)) {
      case 0:
        return keep("share", member_->share(some_handle()), says);
      case 1:
        return keep("adopt", member_->adopt({some_handle(), random.below(34)}), says);
      case 2:
        return keep("held", member_->held(some_handle()), says);
      case 3:
        at_.seen.saw("discard", member_->discard({some_handle(), random.below(34)}), says);
        return;
      case 4:
        at_.seen.saw("free by name", member_->free(some_handle()), says);
        return;
      default: {
        const auto size = random.once_in(16) ? random.next() : random.below(300);
        return keep("allocate", member_->allocate(size),
                    one_of(status::ok, status::full, status::too_large));
      }
    }
  }
  void keep(const char* call, result<type::buffer_type> got, std::uint32_t says) {
    at_.seen.saw(call, got.status(), says);
    if (!got) return;
    held_.push_back(std::move(got).value());
    known_ = held_.back().handle();
  }
  void use(type::buffer_type& held) {
    auto& random = at_.random;
    const auto bytes = held.bytes();
    at_.seen.inside("bytes", bytes, at_.span().subspan(layout::pool::marks));
    at_.seen.expect("bytes", bytes.size() <= held.capacity() && held.capacity() <= 256,
                    "more than it holds");
    std::ranges::fill(bytes, std::byte{1});
    static_cast<void>(held.metadata(random.below(4)));
    held.set_metadata(random.below(4), random.next());
    static const std::array<std::byte, 300> content{};
    at_.seen.saw("write", held.write(std::span{content}.first(random.below(300))),
                 one_of(status::ok, status::too_large));
    guarded_out out{random.below(300)};
    at_.seen.saw("read", held.read(out.span(), 4).status(),
                 one_of(status::ok, status::torn, status::too_large));
    out.check(at_.seen, "read");
    static_cast<void>(held.references());
    if (random.once_in(8)) static_cast<void>(held.detach());
    if (random.once_in(8)) static_cast<void>(held.hand_over());
    if (random.once_in(2)) {
      at_.seen.saw("free", held.free(), one_of(status::ok, status::stale, status::corrupt));
    }
    held_.pop_back();
  }

  scene at_;
  std::optional<type> pool_;
  std::optional<type::member_type> member_;
  std::vector<type::buffer_type> held_;
  pool_handle known_;
};

}  // namespace

auto pool_victims() -> std::span<const victim_entry> {
  static constexpr victim_entry entries[] = {entry_of<pool_victim>()};
  return entries;
}

}  // namespace weir::test
