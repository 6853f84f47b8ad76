// SPDX-License-Identifier: MIT
/// One operation in one state: who dies in it, and what the survivors then do and demand.
#pragma once

#include "kill/stage.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::test::kills {

/// How a child came to its end.
enum class ending {
  killed,    ///< inside the operation
  parked,    ///< inside it, asleep in the kernel
  finished,  ///< behind it
  broken,  ///< on its own, before or in the operation: the scenario is wrong, or the operation crashed
};

struct death {
  ending how = ending::broken;
  std::uint64_t instructions = 0;  ///< of the operation, that it executed
  std::uint64_t address = 0;       ///< of the next one
};

/// What the survivors of one death found.
class verdict {
 public:
  enum class fault { none, torn, stuck, lost };

  /// A word for the table: how things stand after the death.
  void outcome(std::string_view what) { outcome_ = what; }
  /// The first fault counts. Returns  `right`.
  auto expect(bool right, fault kind, std::string_view otherwise) -> bool {
    if (!right && fault_ == fault::none) {
      fault_ = kind;
      text_ = otherwise;
    }
    return right;
  }
  /// Content that nobody sent, or in the wrong order, or that appeared twice.
  auto whole(bool right, std::string_view otherwise) -> bool {
    return expect(right, fault::torn, otherwise);
  }
  /// A survivor that cannot go on, and gets no status that says why.
  auto moves(bool right, std::string_view otherwise) -> bool {
    return expect(right, fault::stuck, otherwise);
  }
  /// Something that had been published, or is owned by nobody and cannot be had.
  auto kept(bool right, std::string_view otherwise) -> bool {
    return expect(right, fault::lost, otherwise);
  }

  [[nodiscard]] auto kind() const -> fault { return fault_; }
  [[nodiscard]] auto text() const -> const std::string& { return text_; }
  [[nodiscard]] auto name() const -> const std::string& { return outcome_; }

 private:
  fault fault_ = fault::none;
  std::string text_;
  std::string outcome_ = "as before";
};

/// Constructed in the parent for each death anew, in its state.
class scenario {
 public:
  scenario() = default;
  scenario(const scenario&) = delete;
  auto operator=(const scenario&) -> scenario& = delete;
  virtual ~scenario() = default;

  /// In the child: takes its roles, then here.begin(), one operation, here.end().
  virtual void operate(stage& here) = 0;
  /// True: the operation may sleep in the kernel, and the stepper looks for that.
  [[nodiscard]] virtual auto may_sleep() const -> bool { return false; }
  /// In the parent, while the child sleeps in the operation. Returns  false: it is to die there.
  virtual auto wake() -> bool { return false; }
  /// In the parent, once the child is dead.
  virtual void survive(const stage& here, const death& end, verdict& found) = 0;
};

/// How many kill points of an operation a run without --all has.
enum class effort {
  rare,   ///< none
  few,    ///< about six
  many,   ///< about thirty
  every,  ///< each instruction
};
/// Of an operation: in its first state, and in the others.
struct thoroughness {
  effort first;
  effort others;

  [[nodiscard]] constexpr auto in(bool is_first) const -> effort {
    return is_first ? first : others;
  }
};
inline constexpr thoroughness central{effort::every, effort::few};
inline constexpr thoroughness composed{effort::many,
                                       effort::few};             ///< of operations tried elsewhere
inline constexpr thoroughness slow{effort::many, effort::rare};  ///< reads /proc, or clears a lot

struct entry {
  std::string primitive;
  std::string operation;
  std::string state;
  effort usual;
  std::function<std::unique_ptr<scenario>()> make;

  [[nodiscard]] auto name() const -> std::string {
    return primitive + '.' + operation + '.' + state;
  }
};
using catalog = std::vector<entry>;

/// Adds a scenario that is constructed from `arguments`.
template <class Scenario, class... Arguments>
void add(catalog& all, effort usual, std::string primitive, std::string operation,
         std::string state, Arguments... arguments) {
  all.push_back(
      {std::move(primitive), std::move(operation), std::move(state), usual,
       [=]() -> std::unique_ptr<scenario> { return std::make_unique<Scenario>(arguments...); }});
}

/// Adds one for each of the states, which have names.
template <class Scenario, class States>
void add_states(catalog& all, thoroughness how, const char* primitive, const char* operation,
                const States& states) {
  for (const auto& state : states) {
    add<Scenario>(all, how.in(&state == &*states.begin()), primitive, operation, state.name, state);
  }
}

void add_spsc(catalog& all);
void add_mpsc(catalog& all);
void add_lanes(catalog& all);
void add_broadcast(catalog& all);
void add_values(catalog& all);
void add_coalesce(catalog& all);
void add_formats(catalog& all);
void add_waits(catalog& all);
void add_regions(catalog& all);
void add_image(catalog& all);
void add_pool(catalog& all);

}  // namespace weir::test::kills
