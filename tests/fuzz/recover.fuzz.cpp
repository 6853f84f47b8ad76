// SPDX-License-Identifier: MIT
// Proved of the inputs run: owners that die between their calls, among peers that write what they like, leave
// every take-over and recover() with a status, within a bound, inside the span. Among honest peers nothing that
// was published is lost, nothing that was not appears, order stays, and no place of a table is lost.
// Not provable here: deaths within a call; other inputs; orders of memory (one thread).
#include "fuzz/fuzz_memory.hpp"
#include "fuzz/input.hpp"
#include "fuzz/mpsc_deaths.hpp"
#include "fuzz/processes.hpp"
#include "fuzz/rings.hpp"
#include "fuzz/spsc_deaths.hpp"

#include <weir/detail/owner_table.hpp>
#include <weir/status.hpp>

#include <array>
#include <cstdint>

namespace weir::fuzz {
namespace {

arena memory;

/// A table of places, whose members hold things, die, and leave things behind.
class table_run {
 public:
  table_run(input& bytes, bool hostile)
      : bytes_{bytes}, hostile_{hostile}, count_{1 + bytes.below(most_places)} {
    const auto shared = memory.begin(bytes, std::uint64_t{count_} * layout::place::size);
    table_ = {shared.data(), count_};
    if (hostile_) here.lie_in = bytes_.byte();
  }

  void run() {
    for (std::uint32_t step = 0; step < 256 && bytes_.more(); ++step) {
      const auto what = bytes_.byte();
      if (hostile_ && (what & 0xC0) == 0xC0) memory.scribble(0, memory.bytes().size());
      bounded("a table's call", 64 + 32 * count_, [&] { act(what); });
    }
    for (auto& each : members_) end(each);
  }

 private:
  static constexpr std::uint32_t most_places = 12;
  struct member {
    std::uint32_t process = 0;
    mortal<detail::membership<fuzz_memory>> place;
  };

  void act(std::uint32_t what) {
    auto& who = members_[what >> 2 & 7];
    switch (what & 3) {
      case 0:
        return reclaim((what & 4) != 0);
      case 1:
        if (who.place) things_[who.place->place] = true;
        return;
      case 2:
        if (!who.place) return;
        if ((what & 0x20) != 0) return end(who);
        processes::kill(who.process);
        dead_[who.place->place] = true;
        return who.place.die();
      default:
        if (!who.place) join(who);
    }
  }
  void join(member& who) {
    who.process = all_.born();
    if (who.process == 0) return;
    const as_process self{who.process};
    auto taken = table_.join([this](std::uint32_t place) { return !things_[place]; });
    std::uint32_t used = 0;
    for (std::uint32_t place = 0; place < count_; ++place) {
      used += things_[place] || dead_[place] || holder_of(place) != nullptr ? 1 : 0;
    }
    if (!taken) {
      require(taken.status() == status::full, "join(): neither a place nor full");
      return require(hostile_ || used == count_, "a place is lost");
    }
    require(taken->place < count_, "a place that there is not");
    require(hostile_ || holder_of(taken->place) == nullptr, "a place was given to two");
    require(!things_[taken->place], "a place with something under it was given away");
    who.place.emplace(std::move(taken).value());
  }
  void reclaim(bool all) {
    const as_process self{processes::most + 1};
    const auto whose = all ? reclaim_from::all_who_are_gone : reclaim_from::the_dead;
    const auto sum = table_.reclaim(whose, fuzz_memory::alive, [this](std::uint32_t place) {
      require(place < count_, "a place that there is not");
      require(hostile_ || holder_of(place) == nullptr, "reclaimed from the living");
      const bool had = things_[place];
      things_[place] = dead_[place] = false;
      return had ? 1U : 0U;
    });
    require(sum.members <= count_ && sum.things <= count_, "more reclaimed than there is");
    for (std::uint32_t place = 0; place < count_ && !hostile_; ++place) {
      require(!dead_[place], "a dead member's place was not reclaimed");
    }
  }
  [[nodiscard]] auto holder_of(std::uint32_t place) -> member* {
    for (auto& each : members_) {
      if (each.place && each.place->place == place) return &each;
    }
    return nullptr;
  }
  static void end(member& who) {
    if (!who.place) return;
    const as_process self{who.process};
    bounded("a member's end", 16, [&] { who.place.end(); });
  }

  input& bytes_;
  bool hostile_;
  std::uint32_t count_;
  detail::owner_table<fuzz_memory> table_;
  processes all_;
  std::array<member, 8> members_;
  std::array<bool, most_places> things_{};
  std::array<bool, most_places> dead_{};  ///< its member died, and nobody has reclaimed it
};

}  // namespace
}  // namespace weir::fuzz

extern "C" auto LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) -> int {
  using namespace weir::fuzz;
  input bytes{{data, size}};
  const auto how = bytes.byte();
  const bool hostile = (how & 0x80) != 0;
  switch (how % 8) {
    case 0:
    case 1:
    case 2:
      mpsc_deaths<mpsc_bytes>{memory, bytes, hostile}.run();
      break;
    case 3:
    case 4:
      mpsc_deaths<mpsc_slots>{memory, bytes, hostile}.run();
      break;
    case 5:
      if (hostile) {
        spsc_deaths<spsc_slots>{memory, bytes}.run();
      } else {
        spsc_deaths<spsc_bytes>{memory, bytes}.run();
      }
      break;
    case 6:
      coalesce_deaths{memory, bytes}.run();
      break;
    default:
      table_run{bytes, hostile}.run();
  }
  return 0;
}
