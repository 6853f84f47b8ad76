// SPDX-License-Identifier: MIT
/// Memory that several processes map, on Linux.
#pragma once

#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace example {

[[noreturn]] inline void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

/// A file descriptor that is closed when it goes. Empty (-1) when moved from.
class descriptor_handle {
 public:
  explicit descriptor_handle(int number) noexcept : number_{number} {}
  descriptor_handle(descriptor_handle&& other) noexcept
      : number_{std::exchange(other.number_, -1)} {}
  auto operator=(descriptor_handle&&) -> descriptor_handle& = delete;
  ~descriptor_handle() {
    if (number_ >= 0) close(number_);
  }

  [[nodiscard]] auto number() const noexcept -> int { return number_; }

 private:
  int number_;
};

/// Memory without a place in any file system: it goes with the last process that uses it, however that
/// process ends. Sealed: nobody can truncate it under the other's feet. `name` shows in /proc/PID/maps.
[[nodiscard]] inline auto create_shared_memory(const char* name, std::size_t size)
    -> descriptor_handle {
  descriptor_handle memory{memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (memory.number() < 0 || ftruncate(memory.number(), static_cast<off_t>(size)) != 0 ||
      fcntl(memory.number(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    fail("shared memory");
  }
  return memory;
}

/// Shared memory, mapped into this process alone: a child of fork does not inherit it.
class mapping {
 public:
  mapping(const descriptor_handle& memory, std::size_t size)
      : start_{mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.number(), 0)},
        size_{size} {
    if (start_ == MAP_FAILED) fail("shared memory");
    if (madvise(start_, size_, MADV_DONTFORK) != 0) fail("shared memory");
  }
  mapping(const mapping&) = delete;
  auto operator=(const mapping&) -> mapping& = delete;
  ~mapping() { munmap(start_, size_); }

  [[nodiscard]] auto bytes() const noexcept -> std::span<std::byte> {
    return {static_cast<std::byte*>(start_), size_};
  }

 private:
  void* start_;
  std::size_t size_;
};

}  // namespace example
