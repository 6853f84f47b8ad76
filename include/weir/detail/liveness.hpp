// SPDX-License-Identifier: MIT
/// Who this process is, and whether another one can ever run again.
///
/// A process is its id and the time it started: ids are reused, the pair is not. "Dead" is proof, never a
/// guess from time: no such process, a zombie without threads, or the same id started at another time.
/// Anything that cannot be found out counts as alive.
///
/// Needs  every process of one memory in one pid namespace and one time namespace, with /proc mounted;
///        without /proc a reused id counts as alive. After execve a process is still the same one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#if defined(__linux__)
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <cerrno>
#else
#error "weir: no proof of death is known for this platform; only Linux is built and tested so far"
#endif

namespace weir::detail {

/// Bits of a process id: Linux allows ids up to 2^22 (PID_MAX_LIMIT).
inline constexpr std::uint32_t owner_id_bits = 22;
inline constexpr std::uint32_t owner_id_limit = 1U << owner_id_bits;

/// What /proc/<id>/stat says about a process.
struct process_facts {
  char state = '\0';             ///< 'Z' zombie, 'X' dead; '\0' nothing could be read
  std::uint64_t threads = 0;     ///< live threads, the dead leader included
  std::uint64_t start_time = 0;  ///< clock ticks since boot
};

/// Parses one line of /proc/<id>/stat. The command name may hold blanks and parentheses, so fields are
/// counted from the last ')'. Source: proc(5), fields 3, 20 and 22.
[[nodiscard]] inline auto parse_process_facts(std::string_view line) noexcept -> process_facts {
  process_facts facts;
  const auto name_end = line.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= line.size()) return facts;
  facts.state = line[name_end + 2];
  std::size_t field = 3;
  for (std::size_t at = name_end + 2; at < line.size(); ++at) {
    if (line[at] != ' ') continue;
    ++field;
    if (field != 20 && field != 22) continue;
    std::uint64_t value = 0;
    for (std::size_t digit = at + 1;
         digit < line.size() && line[digit] >= '0' && line[digit] <= '9'; ++digit) {
      value = value * 10 + static_cast<std::uint64_t>(line[digit] - '0');
    }
    (field == 20 ? facts.threads : facts.start_time) = value;
  }
  return facts;
}

[[nodiscard]] inline auto read_process_facts(std::uint32_t id) noexcept -> process_facts {
  std::array<char, 32> path{};
  constexpr std::string_view prefix = "/proc/";
  std::size_t length = prefix.copy(path.data(), prefix.size());
  std::uint32_t divisor = 1'000'000'000;
  while (divisor > 1 && id / divisor == 0) divisor /= 10;
  for (; divisor != 0; divisor /= 10) {
    path[length++] = static_cast<char>('0' + id / divisor % 10);
  }
  std::string_view{"/stat"}.copy(path.data() + length, 5);
  const int file = open(path.data(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::array<char, 1024> line{};
  const auto got = read(file, line.data(), line.size());
  close(file);
  return got > 0 ? parse_process_facts({line.data(), static_cast<std::size_t>(got)})
                 : process_facts{};
}

/// This process's id, in [1, owner_id_limit).
[[nodiscard]] inline auto current_process() noexcept -> std::uint32_t {
  return static_cast<std::uint32_t>(getpid());
}

/// A start time as it is kept beside an id: owner_id_bits bits of the ticks, never 0. 0: unknown.
[[nodiscard]] inline auto start_stamp(const process_facts& facts) noexcept -> std::uint32_t {
  if (facts.state == '\0') return 0;
  const auto ticks = static_cast<std::uint32_t>(facts.start_time) & (owner_id_limit - 1);
  return ticks == 0 ? 1 : ticks;
}

[[nodiscard]] inline auto process_start(std::uint32_t id) noexcept -> std::uint32_t {
  return start_stamp(read_process_facts(id));
}

/// False only with proof that process `id`, started at `start` (0: unknown), can never run again.
[[nodiscard]] inline auto process_alive(std::uint32_t id, std::uint32_t start) noexcept -> bool {
  if (kill(static_cast<pid_t>(id), 0) != 0 && errno == ESRCH) return false;
  const auto facts = read_process_facts(id);
  if (facts.state == '\0') return true;
  if (facts.state == 'X' || (facts.state == 'Z' && facts.threads <= 1)) return false;
  return start == 0 || start_stamp(facts) == start;
}

}  // namespace weir::detail
