// SPDX-License-Identifier: MIT
/// Processes of one run, which are born and die as the input says.
#pragma once

#include "fuzz/fuzz_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace weir::fuzz {

/// A handle in a process: it ends with its destructor, or, when the process dies, without.
template <class T>
class mortal {
 public:
  mortal() = default;
  mortal(const mortal&) = delete;
  auto operator=(const mortal&) -> mortal& = delete;

  [[nodiscard]] explicit operator bool() const noexcept { return handle_ != nullptr; }
  auto operator*() noexcept -> T& { return *handle_; }
  auto operator->() noexcept -> T* { return handle_; }

  void emplace(T&& from) { handle_ = new (bytes_) T{std::move(from)}; }
  /// Ends in order.
  void end() {
    if (handle_ != nullptr) std::exchange(handle_, nullptr)->~T();
  }
  /// Its process has died.
  void die() { handle_ = nullptr; }

 private:
  alignas(T) std::byte bytes_[sizeof(T)];
  T* handle_ = nullptr;
};

/// Numbers for processes: each lives once.
class processes {
 public:
  static constexpr std::uint32_t most = 30;

  /// Returns  a new process; 0: there were enough.
  [[nodiscard]] auto born() -> std::uint32_t { return last_ < most ? ++last_ : 0; }
  static void kill(std::uint32_t process) { here.dead |= 1U << process; }
  [[nodiscard]] static auto is_dead(std::uint32_t process) -> bool {
    return (here.dead >> process & 1) != 0;
  }

 private:
  std::uint32_t last_ = 0;
};

/// Acts as a process as long as it lives.
class as_process {
 public:
  explicit as_process(std::uint32_t process) : before_{here.self} { here.self = process; }
  as_process(const as_process&) = delete;
  auto operator=(const as_process&) -> as_process& = delete;
  ~as_process() { here.self = before_; }

 private:
  std::uint32_t before_;
};

/// A new process becomes a member of `what`, if there is room for both.
template <class Actor, class Shared>
void join_as_new_process(processes& all, Actor& who, const Shared& what) {
  who.process = all.born();
  if (who.process == 0) return;
  const as_process self{who.process};
  auto taken = what.join();
  require(taken || taken.status() == status::full, "join(): neither a member nor full");
  if (taken) who.member.emplace(std::move(taken).value());
}

}  // namespace weir::fuzz
