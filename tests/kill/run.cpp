// SPDX-License-Identifier: MIT
#include "kill/run.hpp"

#include "kill/stage.hpp"
#include "kill/stepper.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace weir::test::kills {
namespace {

/// Beyond it, also an operation that is to be killed at every instruction is sampled.
constexpr std::uint64_t longest_of_every_one = 800;
constexpr std::uint64_t many_points = 30;
constexpr std::uint64_t few_points = 5;

struct sums {
  std::uint64_t points = 0;
  std::uint64_t torn = 0;
  std::uint64_t stuck = 0;
  std::uint64_t lost = 0;
  std::uint64_t broken = 0;
  std::set<std::string> operations;

  [[nodiscard]] auto faults() const -> std::uint64_t { return torn + stuck + lost + broken; }
};

/// Says on a hang which death it is, and ends the program.
class hang_alarm {
 public:
  static void set(const std::string& again) {
    std::snprintf(text.data(), text.size(), "kill: stuck: the survivors hang; run again: %s\n",
                  again.c_str());
    signal(SIGALRM, [](int) {
      static_cast<void>(!write(STDERR_FILENO, text.data(), std::strlen(text.data())));
      _exit(1);
    });
    alarm(seconds);
  }
  static void clear() { alarm(0); }

 private:
  static constexpr unsigned seconds = 120;
  static inline std::array<char, 512> text{};
};

/// Where an instruction lies: module+offset, as addr2line wants it.
auto symbolic(std::uint64_t address) -> std::string {
  std::ifstream maps{"/proc/self/maps"};
  std::map<std::string, std::uint64_t> bases;
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64, &first, &end) != 2) continue;
    const auto slash = line.find_first_of("/[");
    const auto module = slash == std::string::npos ? std::string{} : line.substr(slash);
    const auto base = bases.try_emplace(module, first).first->second;
    if (address < first || address >= end) continue;
    std::ostringstream text;
    text << std::hex << "0x" << address << " (addr2line -Cfie " << module << " 0x" << address - base
         << ')';
    return text.str();
  }
  return "unknown";
}

/// One scenario and its deaths.
class trial {
 public:
  trial(const entry& what, const plan& how, sums& all) : what_{what}, how_{how}, all_{all} {}

  void run() {
    die(nullptr);
    total_ = way_.length();
    for (const auto point : points()) die(&point);
    print();
  }

 private:
  /// Numbers of instructions after which somebody dies.
  [[nodiscard]] auto points() const -> std::set<std::uint64_t> {
    if (how_.at) return {*how_.at};
    std::set<std::uint64_t> chosen;
    const auto spread = [&](std::uint64_t from, std::uint64_t count) {
      const auto stride = std::max<std::uint64_t>(1, (total_ - from) / count);
      for (auto point = from; point < total_; point += stride) chosen.insert(point);
    };
    if (total_ == 0) return chosen;
    const bool short_one = total_ <= longest_of_every_one;
    if (how_.every_point || (what_.usual == effort::every && short_one)) {
      spread(0, total_);
    } else {
      spread(0, what_.usual == effort::few ? few_points : many_points);
    }
    chosen.insert(total_ - 1);
    return chosen;
  }

  /// At a point, or, without one, on the walk through all of the operation.
  void die(const std::uint64_t* point) {
    auto again = how_.program + " --only " + what_.name();
    if (point != nullptr) again += " --at " + std::to_string(*point);
    hang_alarm::set(again);
    const auto scenario = what_.make();
    const auto end =
        point == nullptr ? walk(*scenario, here_, way_) : die_at(*scenario, here_, way_, *point);
    verdict found;
    if (end.how != ending::broken) scenario->survive(here_, end, found);
    hang_alarm::clear();
    ++all_.points;
    ++points_;
    ++outcomes_[found.name()];
    count(end, found, again);
  }

  void count(const death& end, const verdict& found, const std::string& again) {
    const char* kind = nullptr;
    if (end.how == ending::broken) {
      ++all_.broken;
      kind = "broken: the child ended before it was killed";
    }
    switch (found.kind()) {
      case verdict::fault::none:
        break;
      case verdict::fault::torn:
        ++all_.torn, kind = "torn";
        break;
      case verdict::fault::stuck:
        ++all_.stuck, kind = "stuck";
        break;
      case verdict::fault::lost:
        ++all_.lost, kind = "lost";
        break;
    }
    if (kind == nullptr || ++faults_ > faults_shown) return;
    std::printf("kill: %s: %s: %s, after %" PRIu64 " instructions, next at %s\n  run again: %s\n",
                what_.name().c_str(), kind, found.text().c_str(), end.instructions,
                symbolic(end.address).c_str(), again.c_str());
  }

  void print() const {
    std::string text;
    for (const auto& [name, times] : outcomes_) {
      text += (text.empty() ? "" : ", ") + name + ' ' + std::to_string(times);
    }
    std::printf("%-13s %-14s %-10s %5" PRIu64 " instructions %5" PRIu64 " kill points: %s\n",
                what_.primitive.c_str(), what_.operation.c_str(), what_.state.c_str(), total_,
                points_, text.c_str());
    std::fflush(stdout);
  }

  static constexpr std::uint32_t faults_shown = 3;

  const entry& what_;
  const plan& how_;
  sums& all_;
  stage here_;
  route way_;
  std::uint64_t total_ = 0;
  std::uint64_t points_ = 0;
  std::uint32_t faults_ = 0;
  std::map<std::string, std::uint64_t> outcomes_;
};

}  // namespace

auto run(const catalog& all, const plan& what) -> bool {
  sums sum;
  for (const auto& each : all) {
    if (each.name().find(what.only) == std::string::npos) continue;
    if (what.list) {
      std::printf("%s\n", each.name().c_str());
      continue;
    }
    if (each.usual == effort::rare && !what.every_point && what.only.empty()) continue;
    const auto operation = each.primitive + '.' + each.operation;
    sum.operations.insert(operation);
    trial{each, what, sum}.run();
  }
  if (what.list) return true;
  std::printf("kill: %" PRIu64 " points in %zu operations, %" PRIu64 " torn, %" PRIu64
              " stuck, %" PRIu64 " lost\n",
              sum.points, sum.operations.size(), sum.torn, sum.stuck, sum.lost);
  return sum.points != 0 && sum.faults() == 0;
}

}  // namespace weir::test::kills
