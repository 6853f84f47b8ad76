// SPDX-License-Identifier: MIT
// Not testable here: a process id that the kernel really reuses; its record is made up instead.
#include "support/child_process.hpp"

#include <weir/detail/liveness.hpp>

#include <catch2/catch.hpp>

#include <sys/resource.h>

#include <array>
#include <string>
#include <string_view>
#include <thread>

using weir::detail::parse_process_facts;
using weir::detail::process_alive;
using weir::detail::process_facts;
using weir::detail::process_start;
using weir::detail::start_stamp;

namespace {

/// A line as proc(5) describes it: 17 threads, started at tick 987654.
auto stat_line(std::string_view name, char state) -> std::string {
  return "4711 (" + std::string{name} + ") " + state +
         " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 0 987654 23 24 25 26 27\n";
}

auto is_as_written(const process_facts& facts, char state) -> bool {
  return facts.state == state && facts.threads == 17 && facts.start_time == 987'654;
}

}  // namespace

TEST_CASE("a_stat_line_is_understood_whatever_the_command_is_called") {
  const std::array<std::string_view, 10> names{"cat", "a b",  ")",     "((",     "x) Z 1 (",
                                               "",    "a)b)", ") S 1", "4711 (", "a\nb"};
  for (const auto name : names) {
    for (const char state : {'R', 'S', 'Z', 'X'}) {
      CAPTURE(name, state);
      CHECK(is_as_written(parse_process_facts(stat_line(name, state)), state));
    }
  }
}

TEST_CASE("a_line_that_is_cut_off_or_empty_says_nothing_false") {
  const auto line = stat_line("cat", 'S');
  for (std::size_t length = 0; length <= line.size(); ++length) {
    const auto facts = parse_process_facts(std::string_view{line}.substr(0, length));
    if (facts.state != '\0' && facts.state != 'S') FAIL("cut to " << length);
    if (facts.threads > 17 || facts.start_time > 987'654) FAIL("cut to " << length);
  }
  for (const char junk : {'/', ':', 'x'}) {  // on either side of the digits
    const auto facts = parse_process_facts(") S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 17" +
                                           std::string(1, junk) + "9 21 987654" + junk + "9");
    CHECK(is_as_written(facts, 'S'));
  }
  CHECK(parse_process_facts(")").state == '\0');
  CHECK(parse_process_facts(") ").state == '\0');
  CHECK(parse_process_facts("no parenthesis at all").state == '\0');
}

TEST_CASE("this_process_is_alive_under_its_own_start_and_under_an_unknown_one") {
  const auto self = weir::detail::current_process();
  CHECK(self == static_cast<std::uint32_t>(getpid()));
  CHECK(self < weir::detail::owner_id_limit);
  const auto start = process_start(self);
  CHECK(start != 0);
  CHECK(start < weir::detail::owner_id_limit);
  CHECK(process_alive(self, start));
  CHECK(process_alive(self, 0));
}

TEST_CASE("the_same_id_with_another_start_is_another_process_and_the_first_is_dead") {
  const auto self = weir::detail::current_process();
  const auto start = process_start(self);
  CHECK_FALSE(process_alive(self, start + 1));
  CHECK_FALSE(process_alive(self, start ^ 0x20'0000));
}

TEST_CASE("a_child_is_alive_until_it_is_killed_and_dead_before_and_after_it_is_reaped") {
  weir::test::child_process child{[]() -> int { weir::test::sleep_until_killed(); }};
  const auto id = child.id();
  const auto start = process_start(id);
  CHECK(process_alive(id, start));
  child.kill_only();
  CHECK_FALSE(process_alive(id, start));
  CHECK_FALSE(process_alive(id, 0));
  child.kill_and_reap();
  CHECK_FALSE(process_alive(id, start));
  CHECK(process_start(id) == 0);
}

TEST_CASE("a_process_whose_main_thread_has_ended_lives_on_in_its_other_threads") {
  weir::test::child_process child{[]() -> int {
    std::thread{[] { weir::test::sleep_until_killed(); }}.detach();
    syscall(SYS_exit, 0);  // ends this thread only
    return 1;
  }};
  const auto id = child.id();
  while (weir::detail::read_process_facts(id).state != 'Z') sched_yield();
  CHECK(process_alive(id, process_start(id)));
  child.kill_and_reap();
  CHECK_FALSE(process_alive(id, 0));
}

TEST_CASE("what_cannot_be_found_out_counts_as_alive") {
  CHECK(start_stamp(process_facts{}) == 0);
  CHECK(process_alive(1, 0));  // not ours to signal, perhaps, but certainly there
}

TEST_CASE("a_process_that_may_not_be_signalled_counts_as_alive") {
  weir::test::child_process child{[] {
    static_cast<void>(!setuid(65534));  // nobody: needed only where the test runs as root
    return process_alive(1, 0) ? 0 : 1;
  }};
  CHECK(child.wait() == 0);
}

TEST_CASE("a_process_that_is_there_and_of_which_nothing_can_be_read_counts_as_alive") {
  weir::test::child_process other{[]() -> int { weir::test::sleep_until_killed(); }};
  const auto start = process_start(other.id());
  weir::test::child_process child{[&] {
    const rlimit no_more_files{0, 0};
    setrlimit(RLIMIT_NOFILE, &no_more_files);
    const bool unknown = process_start(other.id()) == 0;
    return unknown && process_alive(other.id(), start) ? 0 : 1;
  }};
  CHECK(child.wait() == 0);
}

TEST_CASE("a_start_is_kept_in_twenty_two_bits_and_is_never_the_unknown_one") {
  process_facts facts{.state = 'S', .threads = 1, .start_time = 0};
  CHECK(start_stamp(facts) == 1);
  facts.start_time = weir::detail::owner_id_limit;
  CHECK(start_stamp(facts) == 1);
  facts.start_time = weir::detail::owner_id_limit - 1;
  CHECK(start_stamp(facts) == weir::detail::owner_id_limit - 1);
  facts.start_time = 0x1234'5678'9ABC;
  CHECK(start_stamp(facts) == (0x1234'5678'9ABC & (weir::detail::owner_id_limit - 1)));
}
