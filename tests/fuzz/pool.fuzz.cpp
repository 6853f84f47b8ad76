// SPDX-License-Identifier: MIT
// Proved of the inputs run: whatever peers write into a buffer_pool, into regions or an image, members end every
// call with a status that is documented for it, within a bound, inside the span, and what they are given lies in
// it. Among honest peers, who may die between their calls, nothing has two holders that should have one, handles
// that are over are refused, nothing is lost after reclaim(), and no band is written that somebody views.
// Not provable here: deaths within a call; other inputs; orders of memory (one thread).
#include "fuzz/fuzz_memory.hpp"
#include "fuzz/image_run.hpp"
#include "fuzz/input.hpp"
#include "fuzz/processes.hpp"
#include "fuzz/region_runs.hpp"

#include <weir/buffer_pool.hpp>
#include <weir/status.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weir::fuzz {
namespace {

arena memory;

class pool_run {
  using type = buffer_pool<fuzz_memory>;
  using buffer_type = type::buffer_type;

  /// What is true of a buffer, in an honest memory.
  struct truth {
    std::uint32_t generation = 0;
    std::uint32_t holders = 0;  ///< a bit for each place
    std::uint32_t size = 0;     ///< asked for
  };
  struct actor {
    std::uint32_t process = 0;
    mortal<type::member_type> member;
    std::vector<pool_handle> names;  ///< handles that it knows; some are over
  };

 public:
  pool_run(input& bytes, bool hostile)
      : bytes_{bytes}, hostile_{hostile}, pool_{format()}, truth_(pool_.buffers()) {
    for (auto& each : truth_) each.generation = start_generation_;
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0)
        memory.scribble(layout::header_size, here.shared.size());
      bounded("a member's call", bound(), [&] { act(actors_[what & 3], what >> 2 & 15); });
    }
    for (auto& each : actors_) {
      const as_process self{each.process};
      bounded("a member's end", bound(), [&] { each.member.end(); });
    }
  }

 private:
  [[nodiscard]] auto format() -> type {
    const std::array<pool_class, 3> classes{pool_class{1 + bytes_.below(40), 1 + bytes_.below(40)},
                                            pool_class{41 + bytes_.below(40), 1 + bytes_.below(4)},
                                            pool_class{100, 1 + bytes_.below(3)}};
    const auto flags = bytes_.byte();
    start_generation_ = (flags & 1) != 0 ? 0xFFFF'FFFC : 0;
    const pool_options options{.classes = std::span{classes}.first(1 + (flags >> 1) % 3),
                               .alignment = 8U << (flags >> 4 & 3),
                               .process_shared = (flags & 8) != 0,
                               .start_generation = start_generation_};
    return type::format(memory.begin(bytes_, type::bytes_required(options)), options).value();
  }
  /// A lie may make one more exchange fail.
  [[nodiscard]] auto bound() const -> std::uint64_t { return 8192 + 300 * truth_.size(); }

  void act(actor& who, std::uint32_t what) {
    if (what == 0) return reclaim(bytes_.flag());
    if (!who.member) return join(who);
    const as_process self{who.process};
    switch (what) {
      case 1:
        if (bytes_.byte() < 0x80) return;
        places_of_dead_ |= 1U << who.member->place();
        processes::kill(who.process);
        return who.member.die();
      case 2:
        if (bytes_.byte() < 0xC0) return;
        return who.member.end();
      case 3:
      case 4:
      case 5:
      case 6:
        return allocate(who);
      case 7:
      case 8:
        return share(who);
      case 9:
        return adopt(who);
      case 10:
        return look(some_name());
      case 11:
        return use(who);
      default:
        return free(who);
    }
  }

  void join(actor& who) {
    who.process = all_.born();
    if (who.process == 0) return;
    const as_process self{who.process};
    auto taken = pool_.join();
    require(taken || taken.status() == status::full, "join(): neither a member nor full");
    if (!taken) return;
    require(taken->place() < type::max_members, "a place that there is not");
    if (!hostile_) {
      for (const auto& each : truth_) {
        require((each.holders >> taken->place() & 1) == 0,
                "a place was given away under which there is something");
      }
    }
    who.member.emplace(std::move(taken).value());
  }

  /// Something that somebody was given once, or made up.
  [[nodiscard]] auto some_name() -> pool_handle {
    auto& names = actors_[bytes_.byte() & 3].names;
    if (!names.empty()) {
      auto name = names[bytes_.byte() % names.size()];
      if (bytes_.byte() > 0xE0) name.generation = bytes_.nasty(name.generation);
      return name;
    }
    return {bytes_.nasty(0U), bytes_.byte()};
  }
  [[nodiscard]] auto truth_of(pool_handle name) -> truth* {
    if (name.index >= truth_.size()) return nullptr;
    auto& found = truth_[name.index];
    return found.holders != 0 && found.generation == name.generation ? &found : nullptr;
  }

  /// A buffer that a call gave; kept by name only, so that it stays held.
  void keep(actor& who, buffer_type&& given) {
    require(lies_in(given.bytes(), layout::header_size, here.shared.size()),
            "a buffer outside the span");
    require(given.bytes().size() <= given.capacity(), "more bytes than the buffer has");
    const auto name = given.handle();
    require(name.index < truth_.size(), "a buffer that there is not");
    if (!hostile_) {
      require(given.bytes().size() == truth_[name.index].size, "a buffer of another size");
      require(given.references() ==
                  static_cast<std::uint32_t>(std::popcount(truth_[name.index].holders)),
              "references() miscounted");
    }
    require(name == given.detach(), "detach() names another buffer");
    who.names.push_back(name);
  }

  void allocate(actor& who) {
    const auto size = bytes_.below(104);
    auto given = who.member->allocate(size);
    require(given || is_one_of(given.status(), status::full, status::too_large),
            "allocate(): not documented");
    const auto place = who.member->place();
    if (!given) {
      const auto largest = pool_.size_class(pool_.class_count() - 1).size;
      require((given.status() == status::too_large) == (size > largest), "too_large");
      return require(hostile_ || !is_any_free(size), "full, and something is free");
    }
    if (!hostile_) {
      auto& found = truth_[given->handle().index];
      require(found.holders == 0 && found.generation == given->handle().generation,
              "allocated what somebody holds");
      for (std::uint32_t word = 0; word < buffer_type::metadata_words; ++word) {
        require(given->metadata(word) == 0, "metadata of the allocation before");
      }
      found.holders = 1U << place;
      found.size = size;
    }
    keep(who, std::move(*given));
  }
  [[nodiscard]] auto is_any_free(std::uint32_t size) const -> bool {
    std::uint32_t index = 0;
    for (std::uint32_t at = 0; at < pool_.class_count(); ++at) {
      const auto section = pool_.size_class(at);
      for (std::uint32_t count = 0; count < section.count; ++count, ++index) {
        const auto& each = truth_[index];
        if (section.size >= size && each.holders == 0 && each.generation != 0xFFFF'FFFF)
          return true;
      }
    }
    return false;
  }

  void share(actor& who) {
    const auto name = some_name();
    auto* const found = truth_of(name);
    const auto mine = 1U << who.member->place();
    auto given = who.member->share(name);
    require(given || is_one_of(given.status(), status::stale, status::busy, status::corrupt),
            "share(): not documented");
    if (!hostile_) {
      const auto expected = found == nullptr               ? status::stale
                            : (found->holders & mine) != 0 ? status::busy
                                                           : status::ok;
      require(given.status() == expected, "share() does not say what there is");
      if (given) found->holders |= mine;
    }
    if (given) keep(who, std::move(*given));
  }

  void adopt(actor& who) {
    const auto name = some_name();
    const pool_descriptor from{name, bytes_.byte() & 3};
    auto* const found = truth_of(name);
    const auto mine = 1U << who.member->place();
    const auto theirs = 1U << from.from;
    if (bytes_.byte() > 0xC0) return discard(who, from);
    auto given = who.member->adopt(from);
    require(given || is_one_of(given.status(), status::stale, status::busy, status::corrupt),
            "adopt(): not documented");
    if (!hostile_) {
      const bool there = found != nullptr && (found->holders & theirs) != 0;
      const bool twice = there && mine != theirs && (found->holders & mine) != 0;
      require(given.status() == (twice   ? status::busy
                                 : there ? status::ok
                                         : status::stale),
              "adopt() does not say what there is");
      if (given) found->holders = (found->holders & ~theirs) | mine;
    }
    if (given) keep(who, std::move(*given));
  }
  void discard(actor& who, const pool_descriptor& from) {
    gave_up(who.member->discard(from), from.buffer, from.from);
  }
  void free(actor& who) {
    const auto name = some_name();
    gave_up(who.member->free(name), name, who.member->place());
  }
  void gave_up(status outcome, pool_handle name, std::uint32_t place) {
    require(is_one_of(outcome, status::ok, status::stale, status::corrupt),
            "free(): not documented");
    if (hostile_) return;
    auto* const found = truth_of(name);
    const bool there = found != nullptr && (found->holders >> place & 1) != 0;
    require(outcome == (there ? status::ok : status::stale), "free() does not say what there is");
    if (there) drop(*found, place);
  }
  static void drop(truth& found, std::uint32_t place) {
    found.holders &= ~(1U << place);
    if (found.holders == 0 && found.generation != 0xFFFF'FFFF) ++found.generation;
  }

  void look(pool_handle name) {
    auto* const found = truth_of(name);
    const auto count = pool_.references(name);
    require(hostile_ || count == (found == nullptr
                                      ? 0U
                                      : static_cast<std::uint32_t>(std::popcount(found->holders))),
            "references() miscounted");
    const auto version = pool_.version(name);
    require(hostile_ || bool{version} == (found != nullptr),
            "version() does not say what there is");
    std::uint32_t held = 0;
    for (const auto& each : truth_) held += each.holders != 0 ? 1 : 0;
    const auto shown = pool_.for_each_held([](const pool_entry&) {});
    require(shown <= truth_.size() && (hostile_ || shown == held), "for_each_held() miscounted");
  }

  /// Writes and reads through what a member holds.
  void use(actor& who) {
    const auto name = some_name();
    auto given = who.member->held(name);
    require(given || given.status() == status::stale, "held(): not documented");
    auto* const found = truth_of(name);
    const bool there = found != nullptr && (found->holders >> who.member->place() & 1) != 0;
    require(hostile_ || bool{given} == there, "held() does not say what there is");
    if (!given) return;
    const std::array<std::byte, 104> from{std::byte{7}};
    const auto size = given->bytes().size();
    require(given->write(std::span{from}.first(size)) == status::ok, "write() refused");
    require(given->write(std::span{from}.first(size + 1)) == status::too_large,
            "write() beyond the buffer");
    std::array<std::byte, 104> out;
    const auto read = given->read(std::span{out}.first(size), 4);
    require(hostile_ ||
                (read && std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size),
                                    from.begin())),
            "read() something else");
    given->set_metadata(bytes_.below(4), 1);
    static_cast<void>(given->detach());
  }

  void reclaim(bool all) {
    const as_process self{processes::most + 1};
    const auto sum = pool_.reclaim(all ? reclaim_from::all_who_are_gone : reclaim_from::the_dead);
    require(sum.members <= type::max_members && sum.things <= 32 * truth_.size(),
            "more reclaimed than there is");
    if (hostile_) return;
    for (std::uint32_t place = 0; place < type::max_members; ++place) {
      const auto lives = std::ranges::any_of(
          actors_, [place](auto& each) { return each.member && each.member->place() == place; });
      if (lives || (!all && !died(place))) continue;
      for (auto& each : truth_) {
        if ((each.holders >> place & 1) != 0) drop(each, place);
      }
      places_of_dead_ &= ~(1U << place);
    }
  }
  [[nodiscard]] auto died(std::uint32_t place) const -> bool {
    return (places_of_dead_ >> place & 1) != 0;
  }

  input& bytes_;
  bool hostile_;
  std::uint32_t start_generation_ = 0;
  type pool_;
  std::vector<truth> truth_;
  processes all_;
  std::array<actor, 4> actors_;
  std::uint32_t places_of_dead_ = 0;
};

}  // namespace
}  // namespace weir::fuzz

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  using namespace weir::fuzz;
  input bytes{{data, size}};
  const auto how = bytes.byte();
  const bool hostile = (how & 0x80) != 0;
  switch (how % 4) {
    case 0:
    case 1:
      pool_run{bytes, hostile}.run();
      break;
    case 2:
      regions_run{memory, bytes, hostile}.run();
      break;
    default:
      image_run{memory, bytes, hostile}.run();
  }
  return 0;
}
