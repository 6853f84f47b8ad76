// SPDX-License-Identifier: MIT
/// Scenarios: what they are made of, and the program that runs a file's list of them.
///
/// A scenario is a function that is called once per execution. It makes its objects in shared bytes, adds
/// threads, lets them go, and looks at what came out:
///
///   void one_record_arrives(model::run& run) {
///     auto bytes = run.bytes(spsc_ring<...>::bytes_required(64));
///     ... format, attach; whose role it is: run.as(1, [&] { ... })
///     run.thread("producer", [&] { ... });        // thread 1
///     run.thread("consumer", [&] { ... });        // thread 2
///     if (!run.go()) return;                      // the execution was cut short
///     run.check(received == sent, "what arrives is what was sent");
///   }
#pragma once

#include "model/model_memory.hpp"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>
#include <span>
#include <string>
#include <string_view>

namespace weir::model {

/// One execution, as its scenario sees it.
class run {
 public:
  explicit run(explorer& search) : search_{search} {}

  /// Shared zero bytes, aligned to a cache line, out of bounds on either side.
  [[nodiscard]] auto bytes(std::size_t size) -> std::span<std::byte> {
    return search_.shared.grant(size);
  }
  /// A shared object, such as a stop_word.
  template <class T>
  [[nodiscard]] auto object() -> T& {
    return *::new (bytes((sizeof(T) + 3) / 4 * 4).data()) T{};
  }

  /// Adds a thread. Its number is its place in the order of additions, from 1 on.
  void thread(const char*, std::function<void()> body) { search_.add_thread(std::move(body)); }
  /// What thread `number` does before it starts: roles are taken in its name.
  template <class Body>
  auto as(thread_id number, Body&& body) {
    search_.act_as(number);
    struct back {
      explorer& search;
      ~back() { search.act_as(0); }
    } const afterwards{search_};
    return body();
  }
  /// Runs the threads. Returns  false: the execution shows nothing; return at once.
  [[nodiscard]] auto go() -> bool { return search_.go(); }

  /// In threads and after them: what must hold in every execution.
  void check(bool holds, const char* what) {
    if (!holds) search_.fail(std::string{"does not hold: "} + what);
  }
  /// A number below `ways`: each is tried. In threads only.
  [[nodiscard]] auto choose(int ways) -> int {
    return static_cast<int>(search_.choose(static_cast<std::size_t>(ways)));
  }
  [[nodiscard]] auto was_killed(thread_id thread) const -> bool {
    return search_.state_of(thread) == thread_state::killed;
  }
  /// True if the thread came to its end: neither killed nor waiting for ever.
  [[nodiscard]] auto has_ended(thread_id thread) const -> bool {
    return search_.state_of(thread) == thread_state::done;
  }

 private:
  explorer& search_;
};

struct scenario {
  const char* name;  ///< the claim
  void (*body)(run&);
  bounds within{};
  const char* expected_failure = nullptr;  ///< part of it; for tests of the checker itself
};

namespace detail {

alignas(4096) inline std::byte shared_bytes[1 << 16];

[[nodiscard]] inline auto extent_of(const findings& found, const bounds& within) -> std::string {
  std::string text = found.complete ? "complete" : "stopped early";
  if (within.preemptions != unlimited) {
    text = (found.complete ? "bounded: " : "stopped early: ") + std::to_string(within.preemptions) +
           " preemptions";
  }
  if (within.kills != 0) text += ", kills " + std::to_string(within.kills);
  return text;
}

inline void explain(const scenario& which, const findings& found) {
  std::printf("FAILED %s\n  %s, in execution %" PRIu64 ":\n", which.name, found.failure->c_str(),
              found.executions);
  for (std::size_t i = 0; i < found.trace.size(); ++i) {
    if (i == 100 && found.trace.size() > 200) {
      std::printf("  ... %zu steps ...\n", found.trace.size() - 200);
      i = found.trace.size() - 100;
    }
    std::printf("  %s\n", found.trace[i].c_str());
  }
}

/// Runs one scenario, and adds a line to `results`. Returns  whether it went as it should.
inline auto judge(explorer& search, const scenario& which, std::string& results) -> bool {
  const auto start = std::chrono::steady_clock::now();
  const auto found = search.search(
      [&] {
        run one{search};
        which.body(one);
      },
      which.within);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  const bool failed = found.failure.has_value();
  const bool expected = which.expected_failure != nullptr;
  if (failed != expected ||
      (failed && found.failure->find(which.expected_failure) == std::string::npos)) {
    if (failed) explain(which, found);
    if (!failed)
      std::printf("FAILED %s\n  went well, where '%s' was expected\n", which.name,
                  which.expected_failure);
    return false;
  }
  const auto extent = expected ? "fails as it should" : extent_of(found, which.within);
  std::printf("%-74s %10" PRIu64 "  %-28s %6.2f s\n", which.name, found.executions, extent.c_str(),
              spent.count());
  std::fflush(stdout);
  const auto add = [&results](const std::string& column, char end) { results += column + end; };
  add(which.name, '\t'), add(std::to_string(found.executions), '\t');
  add(std::to_string(found.killed), '\t'), add(extent, '\t');
  add(std::to_string(spent.count()), '\n');
  return true;
}

struct options {
  std::string_view only;
  const char* results = nullptr;
  bool list = false;
};
[[nodiscard]] inline auto parse(std::span<char*> arguments) -> std::optional<options> {
  options wanted;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view option = arguments[i];
    const bool has_value = i + 1 < arguments.size();
    if (option == "--list") {
      wanted.list = true;
    } else if (option == "--only" && has_value) {
      wanted.only = arguments[++i];
    } else if (option == "--results" && has_value) {
      wanted.results = arguments[++i];
    } else {
      return {};
    }
  }
  return wanted;
}

}  // namespace detail

/// The main program of a file of scenarios: `[--list] [--only PART-OF-NAME] [--results FILE]`. The file is
/// there only if all went as they should.
/// Returns  0 if each did; 1 at the first that did not; 2: asked for the wrong thing.
inline auto run_all(int argc, char** argv, std::span<const scenario> scenarios) -> int {
  const auto wanted = detail::parse({argv, static_cast<std::size_t>(argc)});
  const auto refused = [](const std::string& why) {
    return std::fprintf(stderr, "%s\n", why.c_str()), 2;
  };
  if (!wanted)
    return refused("usage: " + std::string{argv[0]} +
                   " [--list] [--only PART-OF-NAME] [--results FILE]");
  if (wanted->results != nullptr) std::remove(wanted->results);
  static explorer search{detail::shared_bytes};
  std::string results;
  int ran = 0;
  for (const auto& each : scenarios) {
    if (std::string_view{each.name}.find(wanted->only) == std::string_view::npos) continue;
    ++ran;
    if (wanted->list) {
      std::printf("%s\n", each.name);
    } else if (!detail::judge(search, each, results)) {
      return 1;
    }
  }
  if (ran == 0) return refused("no scenario is called '" + std::string{wanted->only} + "'");
  if (wanted->results == nullptr || wanted->list) return 0;
  std::ofstream file{wanted->results};
  return file << results << std::flush ? 0
                                       : refused("cannot write " + std::string{wanted->results});
}

}  // namespace weir::model
