// SPDX-License-Identifier: MIT
/// The machine card: what a number is worth nothing without.
#pragma once

#include "thread_pair.hpp"

#include <ctime>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/utsname.h>
#include <unistd.h>

namespace bench {

using card = std::vector<std::pair<std::string, std::string>>;

/// What CMake knows about this build.
struct build_facts {
  std::string_view commit;
  std::string_view flags;
};

[[nodiscard]] inline auto first_line(const std::string& path) -> std::string {
  std::ifstream file{path};
  std::string line;
  std::getline(file, line);
  return line.empty() ? "unknown" : line;
}

/// The value of a "key : value" line of /proc/cpuinfo.
[[nodiscard]] inline auto cpu_fact(std::string_view key) -> std::string {
  std::ifstream file{"/proc/cpuinfo"};
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with(key) && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

[[nodiscard]] inline auto compiler() -> std::string {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

[[nodiscard]] inline auto today() -> std::string {
  const auto now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

[[nodiscard]] inline auto machine_card(const thread_pair& pair, double usual_bounce,
                                       const build_facts& build) -> card {
  utsname kernel{};
  uname(&kernel);
  const auto virtual_machine = cpu_fact("flags").find(" hypervisor") != std::string::npos;
  const auto [first, second] = pair.cores();
  return {
      {"date", today()},
      {"commit", std::string{build.commit}},
      {"cpu", cpu_fact("model name") + ", family " + cpu_fact("cpu family") + " model " +
                  cpu_fact("model\t")},
      {"virtual", virtual_machine ? "yes" : "no"},
      {"cores", std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + ", pinned to " +
                    std::to_string(first) + " and " + std::to_string(second)},
      {"governor", first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
      {"kernel", std::string{kernel.sysname} + " " + kernel.release},
      {"compiler", compiler()},
      {"flags", std::string{build.flags}},
      {"scheduling", pair.realtime() ? "SCHED_FIFO for each run" : "normal"},
      {"line bounce", std::to_string(static_cast<int>(usual_bounce)) + " ns there and back"},
      {"load average", first_line("/proc/loadavg")},
  };
}

}  // namespace bench
