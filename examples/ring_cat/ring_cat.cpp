// SPDX-License-Identifier: MIT
/// Standard input to standard output, through a ring that two processes share.
///
///   parent   reads standard input straight into claims of the ring      (the producer)
///   child    writes the ring's records straight to standard output      (the consumer)
///
/// The parent waits for three things, and the child may end during each: input (poll, with the child's
/// pidfd), room in the ring (the wait policy), the child's end (waitpid, which has the last word on how
/// it went). The child learns from the ring that the parent has closed it, or has died.
#include "../command_line.hpp"
#include "../required.hpp"
#include "../shared_memory.hpp"
#include "progress.hpp"

#include <weir/weir.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using example::fail;
using example::require_ok;
using example::required;
using byte_ring = weir::spsc_ring<weir::bytes>;

constexpr auto program_name = "ring_cat";

struct options {
  std::uint32_t ring_size = 1U << 20;
  std::string policy = "park";
  bool stats = false;
};

/// How often a side that waits asks whether the other one still lives. `park` asks by itself; the
/// policies that spin do not.
auto next_look() -> weir::deadline {
  return std::chrono::steady_clock::now() + weir::park::longest_sleep;
}

// --- the child: ring to standard output

/// Returns  false if nobody reads the output any more.
auto write_all(std::span<const std::byte> bytes) -> bool {
  while (!bytes.empty()) {
    const auto written = write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd output{STDOUT_FILENO, POLLOUT, 0};
      poll(&output, 1, -1);
    } else if (errno == EPIPE) {
      return false;
    } else if (errno != EINTR) {
      fail("standard output");
    }
  }
  return true;
}

/// Returns  when the parent has closed the ring and all of it is written, or nobody reads the output.
template <class Consumer>
void write_output(Consumer& consumer, const byte_ring& ring) {
  for (;;) {
    const auto outcome = consumer.wait(next_look());
    if (outcome == weir::status::closed) return;
    if (outcome == weir::status::timed_out) {
      const bool alive = ring.producer_owner() == weir::owner_state::alive;
      if (alive || consumer.try_peek()) continue;
    }
    if (outcome == weir::status::timed_out || outcome == weir::status::peer_dead) {
      throw std::runtime_error{"the process that reads the input died"};
    }
    require_ok(outcome, "the ring");
    while (auto record = consumer.try_peek()) {
      if (!write_all(record.bytes())) return;
      record.release();
    }
  }
}

template <class Wait>
auto run_child(const example::descriptor_handle& memory, std::size_t size) -> int {
  const example::mapping mapped{memory, size};
  const auto ring = required(byte_ring::attach(mapped.bytes()), "the ring");
  auto consumer = required(ring.consumer<Wait>(), "the ring's consumer");
  const auto status = example::guarded(program_name, [&] {
    write_output(consumer, ring);
    // A file system may keep its worst news for the end.
    if (close(STDOUT_FILENO) != 0) fail("standard output");
    return 0;
  });
  consumer.close();
  return status;
}

// --- the parent: standard input to ring

class child_process {
 public:
  explicit child_process(pid_t id)
      : id_{id}, handle_{static_cast<int>(syscall(SYS_pidfd_open, id, 0))} {
    if (handle_.number() < 0) fail("pidfd_open");
  }

  [[nodiscard]] auto has_ended() const -> bool {
    pollfd ended{handle_.number(), POLLIN, 0};
    return poll(&ended, 1, 0) > 0;
  }

  /// Waits until standard input has something, or its end. Returns  false if the child ended first.
  [[nodiscard]] auto outlives_wait_for_input() const -> bool {
    std::array<pollfd, 2> either{{{STDIN_FILENO, POLLIN, 0}, {handle_.number(), POLLIN, 0}}};
    while (poll(either.data(), either.size(), -1) < 0) {
      if (errno != EINTR) fail("poll");
    }
    return either[1].revents == 0;
  }

  /// Waits for the end. Returns  the exit status for the whole program.
  [[nodiscard]] auto join() const -> int {
    int end = 0;
    while (waitpid(id_, &end, 0) < 0) {
      if (errno != EINTR) fail("waitpid");
    }
    if (WIFSIGNALED(end)) {
      const std::string signal{strsignal(WTERMSIG(end))};
      throw std::runtime_error{"the process that writes the output died: " + signal};
    }
    return WEXITSTATUS(end);  // what was wrong, if anything, it has said itself
  }

 private:
  pid_t id_;
  example::descriptor_handle handle_;
};

/// Reads what there is, at least a byte. Returns  how much; 0 at the end of the input.
auto read_some(std::span<std::byte> room, const child_process& child) -> std::uint32_t {
  for (;;) {
    const auto got = read(STDIN_FILENO, room.data(), room.size());
    if (got >= 0) return static_cast<std::uint32_t>(got);
    if (errno != EINTR && errno != EAGAIN) fail("standard input");
    if (!child.outlives_wait_for_input()) return 0;
  }
}

/// Bytes of one read, at most: what a pipe holds. Measured on a file: a half and twice are slower, into
/// a pipe as into nothing; in a ring of 4 KiB the largest record is three times as fast as an eighth.
constexpr std::uint32_t read_size = 64 * 1024;

/// Returns  at the end of the input, or when the child no longer reads: how it ended says why.
template <class Producer>
void read_input(Producer& producer, const child_process& child, ring_cat::progress& progress) {
  const auto size = std::min(read_size, producer.max_record());
  for (;;) {
    auto claim = producer.claim(size, next_look());
    if (!claim) {
      const auto outcome = claim.status();
      if (outcome == weir::status::timed_out && !child.has_ended()) continue;
      if (outcome == weir::status::corrupt) require_ok(outcome, "the ring");
      return;
    }
    if (!child.outlives_wait_for_input()) return;
    const auto got = read_some(claim.bytes(), child);
    if (got == 0) return;
    static_cast<void>(claim.shrink(got));
    claim.commit();
    progress.advance(got);
  }
}

void print_statistics(const byte_ring& ring, const ring_cat::progress& progress) {
  const auto counted = ring.statistics();
  std::fprintf(stderr,
               "ring_cat: %llu bytes in %u records, %.3f s, %.1f MB/s\n"
               "ring_cat: the reader found the ring full %u times, and slept %u times\n"
               "ring_cat: the writer slept %u times\n"
               "ring_cat: at most %u of %u bytes of the ring were in use\n",
               static_cast<unsigned long long>(progress.bytes()), counted.producer.records,
               progress.seconds(), progress.megabytes_per_second(), counted.producer.full,
               counted.producer.waits, counted.consumer.waits, counted.producer.high_water,
               ring.capacity());
}

template <class Wait>
auto run(const options& chosen) -> int {
  const auto size = static_cast<std::size_t>(byte_ring::bytes_required(chosen.ring_size));
  const auto memory = example::create_shared_memory("weir-ring_cat", size);
  const example::mapping mapped{memory, size};
  const auto ring = required(
      byte_ring::format(mapped.bytes(), {.capacity = chosen.ring_size, .process_shared = true}),
      "the ring");
  // Taken before there is a child, so that it never meets a ring without an owner.
  auto producer = required(ring.producer<weir::wait_for_space<Wait>>(), "the ring's producer");

  const auto id = fork();
  if (id < 0) fail("fork");
  // Nothing of the parent's may be destroyed twice, nor its buffers be flushed twice: _exit.
  if (id == 0) {
    _exit(example::guarded(program_name, [&] { return run_child<Wait>(memory, size); }));
  }

  const child_process child{id};
  ring_cat::progress progress{ring_cat::bytes_left(STDIN_FILENO)};
  const auto read_status = example::guarded(program_name, [&] {
    read_input(producer, child, progress);
    return 0;
  });
  producer.close();
  const auto write_status = child.join();
  progress.clear();
  if (chosen.stats) print_statistics(ring, progress);
  return std::max(read_status, write_status);
}

/// Numbers 0 to 2 must be taken, or the next file that is opened becomes standard input or output.
void require_standard_streams() {
  if (fcntl(STDIN_FILENO, F_GETFD) < 0) fail("standard input");
  if (fcntl(STDOUT_FILENO, F_GETFD) < 0) fail("standard output");
  if (fcntl(STDERR_FILENO, F_GETFD) < 0 && open("/dev/null", O_WRONLY) < 0) fail("/dev/null");
}

auto run_with_policy(const options& chosen) -> int {
  require_standard_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a closed reading end is an EPIPE, not a death
  std::signal(SIGCHLD,
              SIG_DFL);  // it may be inherited ignored, and then waitpid has nothing to say
  if (chosen.policy == "spin") return run<weir::spin>(chosen);
  if (chosen.policy == "backoff") return run<weir::backoff>(chosen);
  return run<weir::park>(chosen);
}

void define(CLI::App& program, options& chosen) {
  program.add_option("--ring-size", chosen.ring_size, "Bytes of data that the ring holds")
      ->check(example::power_of_two_from(4096));
  program.add_option("--policy", chosen.policy, "How both sides wait: park, backoff, spin")
      ->check(CLI::IsMember({"park", "backoff", "spin"}));
  program.add_flag("--stats", chosen.stats, "Print what the ring counted, on standard error");
}

}  // namespace

auto main(int argc, char** argv) -> int {
  return example::guarded(program_name, [&] {
    CLI::App program{"Copies standard input to standard output, through shared memory",
                     program_name};
    program.option_defaults()->always_capture_default();
    options chosen;
    define(program, chosen);
    const auto end = example::parse(program, argc, argv);
    return end ? *end : run_with_policy(chosen);
  });
}
