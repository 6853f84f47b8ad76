// SPDX-License-Identifier: MIT
/// One line of the log. It says whose it is, which one, and whether it is whole.
///
///   2026-01-31T12:00:00.123456Z p003 g0000012 #0000004711 WARN  from 20 to 200 bytes of text 9f86d081
///   time                        seat generation sequence  level text                         checksum
///
/// Everything but the text has a fixed width.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <system_error>

namespace log_collector {

/// Who wrote a line. A seat is taken by one producer after the other; each is a generation.
struct line_name {
  std::uint32_t seat;
  std::uint32_t generation;
  std::uint32_t sequence;
};

/// Where the parts of a line begin, and how long they are.
struct line_format {
  static constexpr std::size_t seat = sizeof "2026-01-31T12:00:00.123456Z p" - 1;
  static constexpr std::size_t seat_digits = 3;
  static constexpr std::size_t generation = seat + seat_digits + 2;
  static constexpr std::size_t generation_digits = 7;
  static constexpr std::size_t sequence = generation + generation_digits + 2;
  static constexpr std::size_t sequence_digits = 10;
  static constexpr std::size_t text = sequence + sequence_digits + sizeof " WARN  " - 1;
  static constexpr std::size_t checksum_digits = 8;
  /// Blank, checksum, line feed.
  static constexpr std::size_t tail = 1 + checksum_digits + 1;
  static constexpr std::size_t shortest_text = 20;
  static constexpr std::size_t longest_text = 200;
  static constexpr std::size_t longest = text + longest_text + tail;
};

/// FNV-1a (Fowler, Noll and Vo), 32 bits.
[[nodiscard]] inline auto checksum(std::string_view bytes) noexcept -> std::uint32_t {
  std::uint32_t sum = 0x811c9dc5;
  for (const char one : bytes) sum = (sum ^ static_cast<unsigned char>(one)) * 0x01000193;
  return sum;
}

/// The lines of one producer, one after the other.
class line_source {
 public:
  line_source(std::uint32_t seat, std::uint32_t generation, std::uint64_t seed)
      : name_{seat, generation, 0} {
    std::seed_seq all{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                      seat, generation};
    random_.seed(all);
  }

  /// Writes the next line. Needs  line_format::longest bytes. Returns  how many it took.
  [[nodiscard]] auto write(std::span<std::byte> bytes) -> std::uint32_t {
    auto* const line = reinterpret_cast<char*>(bytes.data());
    write_front(line, bytes.size());
    const auto end = line_format::text + write_text(line + line_format::text);
    line[end] = ' ';
    std::array<char, line_format::tail + 1> tail{};
    std::snprintf(tail.data(), tail.size(), "%08x\n", checksum({line, end + 1}));
    std::memcpy(line + end + 1, tail.data(), line_format::tail - 1);
    ++name_.sequence;
    return static_cast<std::uint32_t>(end + line_format::tail);
  }

 private:
  static constexpr std::array<const char*, 4> levels{"DEBUG", "INFO ", "WARN ", "ERROR"};
  static constexpr auto words = std::to_array<std::string_view>(
      {"accepted", "connection", "from",    "10.0.7.19", "port",       "51422",     "request",
       "GET",      "/api/v2",    "took",    "12.4 ms",   "200",        "8812",      "bytes",
       "cache",    "miss",       "session", "replica",   "2",          "retrying",  "upload",
       "part",     "17",         "after",   "timeout",   "attempt",    "5",         "queue",
       "depth",    "1482",       "above",   "slowing",   "checkpoint", "written",   "220 MB",
       "lease",    "of",         "shard",   "renewed",   "until",      "12:45:10",  "user",
       "4711",     "signed in",  "disk",    "sdb",       "at",         "81 %",      "rotating",
       "segment",  "lags",       "by",      "420 ms",    "dropped",    "malformed", "frame",
       "config",   "reloaded",   "keys",    "changed",   "expires",    "in",        "21 days",
       "finished"});

  void write_front(char* line, std::size_t size) {
    using namespace std::chrono;
    const auto now = floor<microseconds>(system_clock::now());
    const auto second = floor<seconds>(now);
    const auto day = floor<days>(second);
    const year_month_day date{day};
    const hh_mm_ss time{second - day};
    std::snprintf(line, size, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ p%03u g%07u #%010u %s ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                  static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()),
                  static_cast<int>((now - second).count()), name_.seat, name_.generation,
                  name_.sequence, levels[random_() % levels.size()]);
  }

  /// Words up to a length that is drawn first; the last one may be cut. Returns  the length.
  [[nodiscard]] auto write_text(char* text) -> std::size_t {
    const auto length = line_format::shortest_text +
                        random_() % (line_format::longest_text - line_format::shortest_text + 1);
    for (std::size_t at = 0; at < length;) {
      const auto word = words[random_() % words.size()];
      at += word.copy(text + at, length - at);
      if (at < length) text[at++] = ' ';
    }
    return length;
  }

  line_name name_;
  std::minstd_rand random_;
};

/// Needs  a line without its line feed. Returns  nothing if it is not one, or its checksum is wrong.
[[nodiscard]] inline auto parse_line(std::string_view line) -> std::optional<line_name> {
  constexpr auto shortest = line_format::text + line_format::shortest_text + line_format::tail - 1;
  if (line.size() < shortest || line.size() >= line_format::longest) return std::nullopt;
  bool whole = true;
  const auto number = [&](std::size_t at, std::size_t digits, int base) {
    std::uint32_t value = 0;
    const auto* end = line.data() + at + digits;
    const auto parsed = std::from_chars(line.data() + at, end, value, base);
    whole = whole && parsed.ec == std::errc{} && parsed.ptr == end;
    return value;
  };
  const auto sum_at = line.size() - line_format::checksum_digits;
  const auto sum = number(sum_at, line_format::checksum_digits, 16);
  const line_name name{number(line_format::seat, line_format::seat_digits, 10),
                       number(line_format::generation, line_format::generation_digits, 10),
                       number(line_format::sequence, line_format::sequence_digits, 10)};
  if (!whole || sum != checksum(line.substr(0, sum_at))) return std::nullopt;
  return name;
}

}  // namespace log_collector
