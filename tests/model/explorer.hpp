// SPDX-License-Identifier: MIT
/// Runs a scenario again and again, each time with other choices, until there are none left.
///
/// A choice is which thread goes on, which value a load returns, where a store lies in modification order,
/// who is killed, which sleeper wakes for no reason. The choices of an execution are a path; the next
/// execution repeats all but the last one that has an alternative (depth first, nothing is stored).
///
/// Threads switch before each step that others can tell: an access to a word that several threads touch and
/// one writes, a fence that orders, a wait, a wake. Whenever one more such word turns up, the search starts
/// from the beginning. Sleep sets (Godefroid 1996) leave out orders of independent steps; they are off where
/// preemptions are bounded.
///
/// A pause lasts until something that the thread has read since its last one is overwritten: a spinning
/// thread sees every new value at last. Where nobody can go on, time passes (if the scenario lets it), then
/// those who pause look once more in vain, then it is a deadlock.
#pragma once

#include "model/arena.hpp"
#include "model/bounds.hpp"
#include "model/fibers.hpp"
#include "model/weak_memory.hpp"

#include <bitset>
#include <limits>

namespace weir::model {

class explorer {
 public:
  explicit explorer(std::span<std::byte> bytes) : shared{bytes} {}

  /// Runs `scenario` until every choice was made, the bounds are reached or an execution fails.
  auto search(const std::function<void()>& scenario, const bounds& within) -> findings {
    limits = within;
    found_ = {};
    path_.clear();
    shared.forget_users();
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
      if (path_.empty() || found_.executions >= limits.executions) return found_;
      ++path_.back().taken;
    }
  }

  // --- for scenarios and the memory policy

  void add_thread(std::function<void()> body) {
    fibers_[++count_].begin(std::move(body), [] { active->thread_ended(); });
  }
  /// Runs the threads to their ends. Returns  false: this execution ended early and shows nothing.
  auto go() -> bool {
    if (found_.failure) return false;
    running_ = true;
    const int outcome = _setjmp(main_);
    if (outcome == 0 || outcome == started) {
      if (started_ < count_) start_next();
      current_ = 0;
      switch_to(pick());
    }
    running_ = false, ended_ = true, current_ = 0;
    return outcome == all_ended && !found_.failure;
  }
  [[nodiscard]] auto running() const noexcept -> bool { return running_; }
  [[nodiscard]] auto current() const noexcept -> thread_id { return current_; }
  void act_as(thread_id who) noexcept { current_ = who; }
  [[nodiscard]] auto state_of(thread_id who) const noexcept -> thread_state {
    return threads_[who].state;
  }

  /// A number below `ways`; every one of them is tried.
  auto choose(std::size_t ways) -> std::size_t {
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
    threads_[current_].pending = next;
    yield_core();
  }
  /// Whether others can tell of this access. What is read afterwards is how the threads left it: that
  /// matters where they may be killed.
  auto is_shared(const void* address, bool writes) -> bool {
    if (!running_ && !(ended_ && limits.kills != 0)) return false;
    if (running_ && ++accesses_ > longest_alone) fail("no end in sight: a thread goes round alone");
    const auto seen = shared.note(address, running_ ? current_ : 0, writes);
    learned_ = learned_ || seen == arena::sharing::just_found;
    if (running_ && learned_) end(more_is_shared);
    return running_ && seen == arena::sharing::known;
  }
  /// A word to sleep on is one that others can tell of, whoever has used it so far.
  void must_share(const void* address) {
    for (const thread_id who : {1, 2}) {
      learned_ = learned_ || shared.note(address, who, true) == arena::sharing::just_found;
    }
    if (learned_) end(more_is_shared);
  }
  void has_read(word_id word) { threads_[current_].looked_at.set(word); }

  void pause() {
    auto& self = threads_[current_];
    self.state = thread_state::pausing;
    reach({});
    for (word_id word = 0; word < memory.words(); ++word) {
      if (self.looked_at[word]) memory.catch_up(current_, word);
    }
    self.looked_at.reset();
  }
  /// Sleeps until woken or, if `until` comes while nobody can go on, timed out. Returns  which.
  auto sleep(word_id word, std::uint64_t until) -> thread_state {
    auto& self = threads_[current_];
    self.state = thread_state::sleeping, self.sleeps_on = word, self.until = until;
    reach({});
    return std::exchange(self.state, thread_state::ready);
  }
  void wake_all(word_id word) {
    for (auto& each : threads_) {
      const bool here = each.state == thread_state::sleeping && each.sleeps_on == word;
      if (here) each.state = thread_state::woken;
    }
  }
  /// Nanoseconds; each look takes one.
  [[nodiscard]] auto time() -> std::uint64_t { return ++clock_; }
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  [[nodiscard]] auto tracing() const noexcept -> bool { return tracing_ && running_; }
  void trace(const std::string& what, const place& where) {
    const std::string file = where.file_name();
    found_.trace.push_back("T" + std::to_string(current_) + "  " +
                           file.substr(file.rfind('/') + 1) + ":" + std::to_string(where.line()) +
                           "  " + what);
  }

  arena shared;
  weak_memory memory;
  bounds limits;
  static inline explorer* active = nullptr;

 private:
  enum ending : int { started = 1, all_ended, cut, failed, more_is_shared };
  static constexpr int longest_idle = 600;                   // looks in vain, all threads together
  static constexpr std::uint32_t longest_alone = 1'000'000;  // accesses

  struct choice {
    std::uint16_t ways, taken;
  };
  struct thread_record {
    thread_state state = thread_state::ready;
    step pending;
    std::bitset<max_words> looked_at;  // since the last pause
    word_id sleeps_on = no_word;
    std::uint64_t until = 0;
    bool asleep = false;  // in the sleep set: going on now was explored elsewhere
  };
  struct id_list {
    std::array<thread_id, max_threads> ids;
    std::size_t size = 0;
    void add(thread_id who) { ids[size++] = who; }
  };

  void run_once(const std::function<void()>& scenario) {
    depth_ = count_ = started_ = current_ = last_ = 0;
    clock_ = steps_ = accesses_ = 0;
    preempted_ = killed_ = spurious_ = idle_ = 0;
    running_ = ended_ = starting_ = learned_ = false;
    threads_.fill({});
    shared.restart();
    memory.restart(shared.base(), shared.cells());
    active = this;
    scenario();
  }
  /// Runs the failing execution once more, and writes down what happens.
  auto explained(const std::function<void()>& scenario) -> findings {
    auto result = std::exchange(found_, {});
    tracing_ = true;
    run_once(scenario);
    tracing_ = false;
    result.trace = std::move(found_.trace);
    return result;
  }
  [[noreturn]] void end(ending how) { _longjmp(main_, how); }

  /// Brings the next thread to its first step.
  [[noreturn]] void start_next() {
    starting_ = true;
    switch_to(++started_);
  }
  void thread_ended() {
    if (limits.kills != 0) reach({step_kind::last});  // may be killed yet, with all that it holds
    threads_[current_].state = thread_state::done;
    yield_core();
  }
  /// Lets whoever is picked go on; returns when this thread is.
  void yield_core() {
    auto& here = fibers_[current_].here;
    if (std::exchange(starting_, false)) {
      if (_setjmp(here) == 0) end(started);
    } else if (const auto next = pick(); next != current_ && _setjmp(here) == 0) {
      switch_to(next);
    }
  }
  [[noreturn]] void switch_to(thread_id next) {
    current_ = next;
    fibers_[next].jump();
  }

  [[nodiscard]] auto can_go_on(thread_id who) const -> bool {
    const auto& self = threads_[who];
    if (self.state != thread_state::pausing) {
      return self.state != thread_state::sleeping && self.state < thread_state::done;
    }
    for (word_id word = 0; word < memory.words(); ++word) {
      if (self.looked_at[word] && memory.is_behind(who, word)) return true;
    }
    return false;
  }
  [[nodiscard]] auto all_that(auto&& are) const -> id_list {
    id_list those;
    for (thread_id who = 1; who <= count_; ++who) {
      if (are(who)) those.add(who);
    }
    return those;
  }

  /// Who goes on. Ends the execution if nobody does, or if all that is left was explored elsewhere.
  auto pick() -> thread_id {
    while (true) {
      const auto able = all_that([this](thread_id who) { return can_go_on(who); });
      if (able.size == 0) {
        if (!let_time_pass()) end_here();
        continue;
      }
      if (++steps_ > limits.steps) fail("no end in sight: the bound of steps is reached");
      if (const auto next = pick_among(able); next != 0) return next;
    }
  }
  /// Returns  0: somebody was killed or woken instead.
  auto pick_among(const id_list& able) -> thread_id {
    const bool sleep_sets = limits.preemptions == unlimited;
    const auto open = [&](thread_id who) { return !sleep_sets || !threads_[who].asleep; };
    const bool last_can = last_ != 0 && can_go_on(last_) && open(last_);
    const bool may_preempt = !last_can || sleep_sets || preempted_ < limits.preemptions;
    id_list ways;
    if (last_can) ways.add(last_);
    for (std::size_t i = 0; i < able.size && may_preempt; ++i) {
      if (able.ids[i] != last_ && open(able.ids[i])) ways.add(able.ids[i]);
    }
    if (ways.size == 0) end(cut);
    const auto victims = all_that([this](thread_id who) { return may_kill(who); });
    const auto sleepers = all_that([this](thread_id who) { return may_wake(who); });
    const auto chosen = choose(ways.size + victims.size + sleepers.size);
    for (std::size_t i = 0; i < std::min(chosen, ways.size); ++i)
      threads_[ways.ids[i]].asleep = true;
    if (chosen >= ways.size + victims.size)
      return wake(sleepers.ids[chosen - ways.size - victims.size]), 0;
    if (chosen >= ways.size) return kill(victims.ids[chosen - ways.size]), 0;
    const auto next = ways.ids[chosen];
    preempted_ += last_can && next != last_ ? 1 : 0;
    last_ = next;
    auto& self = threads_[next];
    if (self.state == thread_state::pausing) self.state = thread_state::ready;
    for (auto& each : threads_)
      each.asleep = each.asleep && independent(each.pending, self.pending);
    return next;
  }

  [[nodiscard]] auto may_kill(thread_id who) const -> bool {
    return killed_ < limits.kills && threads_[who].state < thread_state::done &&
           (limits.killable >> who & 1) != 0;
  }
  [[nodiscard]] auto may_wake(thread_id who) const -> bool {
    return spurious_ < limits.spurious_wakes && threads_[who].state == thread_state::sleeping;
  }
  void kill(thread_id who) {
    threads_[who].state = thread_state::killed;
    ++killed_, ++found_.killed;
    if (last_ == who) last_ = 0;
    if (tracing_) found_.trace.push_back("T" + std::to_string(who) + "  killed");
    for (auto& each : threads_) {  // those who pause may ask who is alive
      if (each.state == thread_state::pausing) each.state = thread_state::ready;
    }
    everybody_could_tell(who);
  }
  void wake(thread_id who) {
    threads_[who].state = thread_state::woken;
    ++spurious_;
    if (tracing_) found_.trace.push_back("T" + std::to_string(who) + "  wakes for no reason");
    everybody_could_tell(who);
  }
  void everybody_could_tell(thread_id who) {
    threads_[who].asleep = false;
    for (auto& each : threads_) each.asleep = each.asleep && each.pending.kind != step_kind::any;
  }

  /// Nobody can go on: the next deadline passes, or those who pause look once more.
  auto let_time_pass() -> bool {
    thread_record* next = nullptr;
    bool pausing = false;
    for (auto& each : threads_) {
      const bool timed = each.state == thread_state::sleeping && each.until != never;
      if (timed && (next == nullptr || each.until < next->until)) next = &each;
      pausing = pausing || each.state == thread_state::pausing;
    }
    if (limits.time_passes && next != nullptr) {
      clock_ = std::max(clock_, next->until);
      next->state = thread_state::timed_out;
      return true;
    }
    if (!pausing || idle_++ == longest_idle) return false;
    if (limits.time_passes) clock_ += 1'000'000'000;
    for (auto& each : threads_) {
      if (each.state == thread_state::pausing) each.state = thread_state::ready;
    }
    return true;
  }
  [[noreturn]] void end_here() {
    const auto left =
        all_that([this](thread_id who) { return threads_[who].state < thread_state::done; });
    if (left.size != 0 && !limits.may_block) {
      fail(killed_ == 0 ? "deadlock: every thread that is left waits"
                        : "stuck: the survivors of a kill wait for ever");
    }
    end(all_ended);
  }

  findings found_;
  std::vector<choice> path_;
  std::array<fiber, max_threads> fibers_;
  std::array<thread_record, max_threads> threads_;
  jmp_buf main_;
  std::size_t depth_ = 0, count_ = 0, started_ = 0, current_ = 0, last_ = 0;
  std::uint64_t clock_ = 0;
  std::uint32_t steps_ = 0, accesses_ = 0;
  int preempted_ = 0, killed_ = 0, spurious_ = 0, idle_ = 0;
  bool running_ = false, ended_ = false, starting_ = false, learned_ = false, tracing_ = false;
};

}  // namespace weir::model
