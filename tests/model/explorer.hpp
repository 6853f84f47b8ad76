// SPDX-License-Identifier: MIT
/// Runs a scenario again and again, each time with other choices, until there are none left.
///
/// A choice is which thread goes on, which value a load returns, where a store lies in modification order,
/// who is killed, which sleeper wakes for no reason. The choices of an execution are a path; the next
/// execution repeats all but the last one that has an alternative (depth first, nothing is stored).
///
/// Threads switch before each step that others can tell: an access to a word that several threads touch and
/// one writes, a fence that orders, a wait, a wake. Which words those are is learned: whenever one more turns
/// up, the search starts again from the beginning. Sleep sets (Godefroid 1996) leave out orders of
/// independent steps; they are off where preemptions are bounded.
///
/// A pause waits until something that the thread has read since its last one is overwritten: a spinning
/// thread sees every new value at last. Where nobody can go on, time passes (if the scenario lets it), then
/// those who pause look once more in vain, then it is a deadlock.
#pragma once

#include "model/fibers.hpp"
#include "model/weak_memory.hpp"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <vector>

namespace weir::model {

inline constexpr int unlimited = -1;

/// How far to search, and what may happen besides the threads' own steps.
struct bounds {
  int preemptions = unlimited;   ///< switches away from a thread that could go on
  int kills = 0;                 ///< threads that end before one of their steps
  std::uint32_t killable = ~0U;  ///< bit t: thread t, counted from 1, may be killed
  int spurious_wakes = 0;        ///< sleeps that end for no reason
  bool time_passes = false;      ///< deadlines pass, once nobody can go on
  bool hostile = false;          ///< plain bytes may race: a peer writes where it should not
  bool may_block = false;        ///< threads that wait for ever are an outcome, not a failure
  std::uint32_t steps = 3000;    ///< of one execution; more is a failure (no end in sight)
  std::uint64_t executions = 20'000'000;
};

/// What a search found.
struct findings {
  std::uint64_t executions = 0, cut_short = 0, steps = 0, killed = 0, blocked = 0;
  bool complete = false;  ///< no choice is left, within the bounds
  std::optional<std::string> failure;
  std::vector<std::string> trace;  ///< the failing execution, step by step
};

using place = std::source_location;

class explorer {
 public:
  enum class step_kind : std::uint8_t { local, load, write, fence, light_fence, heavy_fence, any };
  struct step {
    step_kind kind = step_kind::any;
    weak_memory::word_id word = weak_memory::untouched;
  };
  enum class thread_state : std::uint8_t {
    ready,
    pausing,
    sleeping,
    woken,
    timed_out,
    done,
    killed
  };

  /// Runs `scenario` until every choice was made, the bounds are reached or an execution fails.
  auto search(const std::function<void()>& scenario, const bounds& within) -> findings {
    bounds_ = within;
    found_ = {};
    path_.clear();
    sharing_.assign(shared_size_ / 4, {});
    while (true) {
      run_once(scenario);
      if (learned_) {
        path_.clear();
        continue;
      }
      ++found_.executions;
      if (found_.failure) return explained(scenario);
      while (!path_.empty() && path_.back().taken + 1 >= path_.back().ways) path_.pop_back();
      found_.complete = path_.empty();
      if (path_.empty() || found_.executions >= bounds_.executions) return found_;
      ++path_.back().taken;
    }
  }

  // --- What scenarios and the memory policy call.

  /// Where all shared memory lies; zeros before each execution. What is not granted is out of bounds.
  void share(std::span<std::byte> arena) {
    shared_base_ = arena.data(), shared_size_ = arena.size();
  }
  [[nodiscard]] auto grant(std::size_t size) -> std::span<std::byte> {
    const std::span<std::byte> granted{shared_base_ + next_grant_, size};
    next_grant_ += (size + 2 * grant_gap - 1) / grant_gap * grant_gap;
    if (next_grant_ > shared_size_) fail("the scenario needs a larger arena"), std::abort();
    grants_.push_back(granted);
    return granted;
  }
  [[nodiscard]] auto granted(const void* address, std::size_t size) const -> bool {
    const auto* const first = static_cast<const std::byte*>(address);
    return std::ranges::any_of(grants_, [=](std::span<std::byte> each) {
      return first >= each.data() && first + size <= each.data() + each.size();
    });
  }

  auto add_thread(std::function<void()> body) -> int {
    const int id = ++count_;
    fibers_[at(id)].begin(std::move(body), [] { active->thread_ended(); });
    threads_[at(id)] = {};
    return id;
  }

  /// Runs the threads to their ends. Returns  false: this execution ended early and shows nothing.
  auto go() -> bool {
    if (found_.failure) return false;
    running_ = true;
    const int outcome = _setjmp(main_);
    if (outcome == 0) {
      start_next();
    } else if (outcome == started && start_next()) {
      current_ = 0;
      switch_to(pick());
    }
    running_ = false, ended_ = true, current_ = 0;
    return outcome == all_ended && !found_.failure;
  }

  [[nodiscard]] auto running() const noexcept -> bool { return running_; }
  [[nodiscard]] auto ended() const noexcept -> bool { return ended_; }
  [[nodiscard]] auto current() const noexcept -> int { return current_; }
  void act_as(int thread) noexcept { current_ = thread; }
  [[nodiscard]] auto state_of(int thread) const noexcept -> thread_state {
    return threads_[at(thread)].state;
  }
  [[nodiscard]] auto limits() const noexcept -> const bounds& { return bounds_; }

  /// A number below `ways`; every one of them is tried.
  auto choose(int ways) -> int {
    if (ways <= 1 || !running_) return 0;
    if (depth_ == path_.size()) path_.push_back({static_cast<std::uint16_t>(ways), 0});
    return path_[depth_++].taken;
  }

  void fail(std::string why) {
    if (!found_.failure) found_.failure = std::move(why);
    if (running_) end(failed);
  }

  /// Before a step that others can tell: any thread may go on first.
  void reach(step next) {
    if (!running_ || next.kind == step_kind::local) return;
    threads_[at(current_)].pending = next;
    yield_core();
  }

  /// Notes who touches the word. Returns  whether several threads do, and one writes.
  auto is_shared(const void* address, bool writes) -> bool {
    const auto cell =
        static_cast<std::size_t>(static_cast<const std::byte*>(address) - shared_base_) / 4;
    auto& users = sharing_[cell];
    if (users.shared) return true;
    if (++plain_accesses_ > longest_alone) fail("no end in sight: a thread goes round alone");
    users.threads |= static_cast<std::uint8_t>(1U << (running_ ? current_ : 0));
    users.written = users.written || writes;
    if (!users.written || (users.threads & (users.threads - 1)) == 0) return false;
    return must_share(users);
  }
  /// The word is one that others can tell of, whoever uses it.
  void must_share(const void* address) {
    const auto cell =
        static_cast<std::size_t>(static_cast<const std::byte*>(address) - shared_base_) / 4;
    if (!sharing_[cell].shared) must_share(sharing_[cell]);
  }

  void has_read(weak_memory::word_id word) { threads_[at(current_)].looked_at.set(word); }

  void pause() {
    auto& self = threads_[at(current_)];
    self.state = thread_state::pausing;
    reach({step_kind::any});
    for (std::size_t word = 0; word < memory.words(); ++word) {
      if (self.looked_at[word]) memory.catch_up(current_, static_cast<weak_memory::word_id>(word));
    }
    self.looked_at.reset();
  }

  /// Sleeps until woken or, if `until` comes while nobody can go on, timed out. Returns  which.
  auto sleep(weak_memory::word_id word, std::uint64_t until) -> thread_state {
    auto& self = threads_[at(current_)];
    self.state = thread_state::sleeping;
    self.sleeps_on = word;
    self.until = until;
    self.pending = {step_kind::any};
    yield_core();
    return std::exchange(self.state, thread_state::ready);
  }
  void wake_all(weak_memory::word_id word) {
    for (int id = 1; id <= count_; ++id) {
      auto& thread = threads_[at(id)];
      const bool here = thread.state == thread_state::sleeping && thread.sleeps_on == word;
      if (here) thread.state = thread_state::woken;
    }
  }

  /// Nanoseconds; each look takes one.
  [[nodiscard]] auto time() -> std::uint64_t { return ++clock_; }
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  [[nodiscard]] auto tracing() const noexcept -> bool { return tracing_ && running_; }
  /// "b+0x40": the second grant, 64 bytes from its begin.
  [[nodiscard]] auto label_of(const void* address) const -> std::string {
    const auto* const byte = static_cast<const std::byte*>(address);
    for (std::size_t i = 0; i < grants_.size(); ++i) {
      if (byte < grants_[i].data() || byte >= grants_[i].data() + grants_[i].size()) continue;
      char text[32];
      std::snprintf(text, sizeof text, "%c+0x%tx", static_cast<char>('a' + i),
                    byte - grants_[i].data());
      return text;
    }
    return "nowhere";
  }
  void trace(const std::string& what, const place& where) {
    const std::string file = where.file_name();
    found_.trace.push_back("  T" + std::to_string(current_) + "  " +
                           file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line()) +
                           "  " + what);
  }

  weak_memory memory;
  static inline explorer* active = nullptr;

 private:
  enum ending : int { started = 1, all_ended, cut, failed, more_is_shared };

  struct choice {
    std::uint16_t ways, taken;
  };
  struct sharing {
    std::uint8_t threads = 0;
    bool written = false, shared = false;
  };
  auto must_share(sharing& users) -> bool {
    users.shared = learned_ = true;
    if (running_) end(more_is_shared);
    return true;
  }
  struct thread_record {
    thread_state state = thread_state::ready;
    step pending;
    std::bitset<max_words> looked_at;  // since the last pause
    weak_memory::word_id sleeps_on = weak_memory::untouched;
    std::uint64_t until = 0;
    bool asleep = false;  // in the sleep set: going on now was explored elsewhere
  };
  using thread_list = std::array<int, max_threads>;

  [[nodiscard]] static auto at(int thread) noexcept -> std::size_t {
    return static_cast<std::size_t>(thread);
  }

  void run_once(const std::function<void()>& scenario) {
    depth_ = 0, steps_ = 0, plain_accesses_ = 0, preempted_ = 0, killed_ = 0, spurious_ = 0,
    idle_rounds_ = 0, last_ = 0;
    count_ = 0, started_ = 0, current_ = 0, clock_ = 0;
    running_ = ended_ = learned_ = false;
    found_.trace.clear();
    threads_.fill({});
    grants_.clear();
    std::memset(shared_base_, 0, std::exchange(next_grant_, 0));
    memory.restart(shared_base_, shared_size_);
    active = this;
    scenario();
  }

  /// Runs the failing execution once more, and writes down what happens.
  auto explained(const std::function<void()>& scenario) -> findings {
    auto result = std::move(found_);
    found_ = {};
    tracing_ = true;
    run_once(scenario);
    tracing_ = false;
    result.trace = std::move(found_.trace);
    return result;
  }

  [[noreturn]] void end(ending how) { _longjmp(main_, how); }

  /// Brings the next thread to its first step. Returns  true once all are there.
  auto start_next() -> bool {
    if (started_ == count_) return true;
    current_ = ++started_;
    starting_ = true;
    fibers_[at(current_)].jump();
  }
  void thread_ended() {
    threads_[at(current_)].state = thread_state::done;
    yield_core();
  }

  /// Lets whoever is picked go on; returns when this thread is.
  void yield_core() {
    auto& self = fibers_[at(current_)];
    if (std::exchange(starting_, false)) {
      if (_setjmp(self.here) == 0) end(started);
      return;
    }
    const int next = pick();
    if (next == current_ || _setjmp(self.here) != 0) return;
    switch_to(next);
  }
  [[noreturn]] void switch_to(int next) {
    current_ = next;
    fibers_[at(next)].jump();
  }

  [[nodiscard]] auto can_go_on(int id) -> bool {
    const auto& thread = threads_[at(id)];
    if (thread.state != thread_state::pausing) {
      return thread.state == thread_state::ready || thread.state == thread_state::woken ||
             thread.state == thread_state::timed_out;
    }
    for (std::size_t word = 0; word < memory.words(); ++word) {
      if (thread.looked_at[word] && memory.is_behind(id, static_cast<weak_memory::word_id>(word))) {
        return true;
      }
    }
    return false;
  }

  /// Who goes on. Ends the execution if nobody does, or if all that is left was explored elsewhere.
  auto pick() -> int {
    while (true) {
      thread_list able{};
      int count = 0;
      for (int id = 1; id <= count_; ++id) {
        if (can_go_on(id)) able[at(count++)] = id;
      }
      if (count == 0) {
        if (!let_time_pass()) end_here();
        continue;
      }
      if (++steps_ > bounds_.steps) fail("no end in sight: the bound of steps is reached");
      if (const int next = pick_among(able, count); next != 0) return next;
    }
  }

  /// Returns  0: somebody was killed or woken instead.
  auto pick_among(const thread_list& able, int count) -> int {
    thread_list ways{};
    int threads = 0;
    const bool sleep_sets = bounds_.preemptions == unlimited;
    const bool last_can =
        last_ != 0 && can_go_on(last_) && !(sleep_sets && threads_[at(last_)].asleep);
    if (last_can) ways[at(threads++)] = last_;
    for (int i = 0; i < count; ++i) {
      const int id = able[at(i)];
      const bool within = !last_can || sleep_sets || preempted_ < bounds_.preemptions;
      const bool explored = sleep_sets && threads_[at(id)].asleep;
      if (id != last_ && within && !explored) ways[at(threads++)] = id;
    }
    if (threads == 0) end(cut);
    const int chosen = choose(threads + killable() + wakeable());
    if (sleep_sets) fall_asleep(ways, std::min(chosen, threads));
    if (chosen >= threads) {
      disturb(chosen - threads);
      return 0;
    }
    const int next = ways[at(chosen)];
    if (last_can && next != last_) ++preempted_;
    last_ = next;
    auto& thread = threads_[at(next)];
    if (thread.state == thread_state::pausing) thread.state = thread_state::ready;
    for (auto& other : threads_)
      other.asleep = other.asleep && independent(other.pending, thread.pending);
    ++found_.steps;
    return next;
  }
  void fall_asleep(const thread_list& ways, int count) {
    for (int i = 0; i < count; ++i) threads_[at(ways[at(i)])].asleep = true;
  }

  [[nodiscard]] auto killable() const -> int {
    if (killed_ >= bounds_.kills) return 0;
    int count = 0;
    for (int id = 1; id <= count_; ++id) count += may_kill(id) ? 1 : 0;
    return count;
  }
  [[nodiscard]] auto may_kill(int id) const -> bool {
    return threads_[at(id)].state < thread_state::done && (bounds_.killable >> id & 1) != 0;
  }
  [[nodiscard]] auto wakeable() const -> int {
    if (spurious_ >= bounds_.spurious_wakes) return 0;
    int count = 0;
    for (int id = 1; id <= count_; ++id) count += state_of(id) == thread_state::sleeping ? 1 : 0;
    return count;
  }
  /// Kills or wakes the chosen thread. Whoever could tell is out of the sleep set.
  void disturb(int chosen) {
    const int kills = killable();
    const bool kill = chosen < kills;
    int left = kill ? chosen : chosen - kills;
    for (int id = 1; id <= count_; ++id) {
      auto& thread = threads_[at(id)];
      if (kill ? !may_kill(id) : thread.state != thread_state::sleeping) continue;
      if (left-- != 0) continue;
      thread.state = kill ? thread_state::killed : thread_state::woken;
      ++(kill ? killed_ : spurious_);
      found_.killed += kill ? 1 : 0;
      if (tracing_)
        found_.trace.push_back((kill ? "  killed: T" : "  wakes for no reason: T") +
                               std::to_string(id));
      if (last_ == id) last_ = 0;
      thread.asleep = false;
      break;
    }
    for (auto& other : threads_)
      other.asleep = other.asleep && other.pending.kind != step_kind::any;
    if (!kill) return;
    for (auto& other : threads_) {
      if (other.state == thread_state::pausing)
        other.state = thread_state::ready;  // may ask who is alive
    }
  }

  /// Nobody can go on: the next deadline passes, or those who pause look once more.
  auto let_time_pass() -> bool {
    thread_record* next = nullptr;
    for (auto& each : threads_) {
      const bool timed = each.state == thread_state::sleeping && each.until != never;
      if (timed && (next == nullptr || each.until < next->until)) next = &each;
    }
    if (bounds_.time_passes && next != nullptr) {
      clock_ = std::max(clock_, next->until);
      next->state = thread_state::timed_out;
      return true;
    }
    bool again = false;
    for (auto& each : threads_) {
      if (each.state != thread_state::pausing) continue;
      again = true;
      if (idle_rounds_ < longest_idle) each.state = thread_state::ready;
    }
    if (bounds_.time_passes) clock_ += 1'000'000'000;
    return again && idle_rounds_++ < longest_idle;
  }

  [[noreturn]] void end_here() {
    for (int id = 1; id <= count_; ++id) {
      if (state_of(id) >= thread_state::done) continue;
      ++found_.blocked;
      if (bounds_.may_block) break;
      fail(killed_ == 0 ? "deadlock: every thread that is left waits"
                        : "stuck: the survivors of a kill wait for ever");
    }
    end(all_ended);
  }

  /// True if it makes no difference which of the two steps comes first.
  [[nodiscard]] static auto independent(const step& a, const step& b) -> bool {
    using enum step_kind;
    if (a.kind == any || b.kind == any) return false;
    const bool a_orders = a.kind >= fence, b_orders = b.kind >= fence;
    if (a_orders != b_orders) return true;
    if (!a_orders) return a.word != b.word || (a.kind == load && b.kind == load);
    const bool light = a.kind == light_fence || b.kind == light_fence;
    return light && a.kind != heavy_fence && b.kind != heavy_fence;
  }

  static constexpr int longest_idle = 600;
  static constexpr std::uint32_t longest_alone = 1'000'000;
  static constexpr std::size_t grant_gap = 64;  // keeps grants apart, so that overruns are seen

  std::byte* shared_base_ = nullptr;
  std::size_t shared_size_ = 0;
  bounds bounds_;
  findings found_;
  std::vector<choice> path_;
  std::vector<sharing> sharing_;
  std::array<fiber, max_threads> fibers_;
  std::array<thread_record, max_threads> threads_;
  jmp_buf main_;
  std::vector<std::span<std::byte>> grants_;
  std::size_t depth_ = 0, next_grant_ = 0;
  std::uint64_t clock_ = 0;
  std::uint32_t steps_ = 0, plain_accesses_ = 0;
  int count_ = 0, started_ = 0, current_ = 0, last_ = 0;
  int preempted_ = 0, killed_ = 0, spurious_ = 0, idle_rounds_ = 0;
  bool running_ = false, ended_ = false, starting_ = false, learned_ = false, tracing_ = false;
};

}  // namespace weir::model
