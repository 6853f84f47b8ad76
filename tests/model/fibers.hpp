// SPDX-License-Identifier: MIT
/// Threads of one execution: stacks of their own that run one at a time and switch where told.
///
/// An execution that ends early abandons its fibers: destructors on their stacks do not run, as with a
/// thread that is killed. A fiber starts again at its base, so each stack is set up once.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <functional>
#include <memory>

#include <ucontext.h>

namespace weir::model {

/// `_setjmp` and `_longjmp` switch without system calls; a fortified longjmp would refuse to.
class fiber {
 public:
  static constexpr std::size_t stack_size = 256 << 10;

  /// The next resume() begins with `body`; when that returns, `ended` runs and must not return.
  void begin(std::function<void()> body, void (*ended)()) {
    body_ = std::move(body);
    ended_ = ended;
    at_base_ = true;
  }

  /// Runs this fiber until something resumes another one. `from` is where the caller goes on.
  void resume(jmp_buf& from) {
    if (_setjmp(from) != 0) return;
    jump();
  }
  /// The same, for a caller that never goes on.
  [[noreturn]] void jump() {
    if (!stack_) prepare();
    _longjmp(at_base_ ? base_ : here, 1);
  }

  jmp_buf here;  ///< where this fiber goes on

 private:
  void prepare() {
    stack_ = std::make_unique<std::byte[]>(stack_size);
    ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = stack_.get();
    context.uc_stack.ss_size = stack_size;
    context.uc_link = nullptr;
    starting_ = this;
    makecontext(&context, [] { starting_->run(); }, 0);
    ucontext_t caller;
    return_to_ = &caller;
    swapcontext(&caller, &context);
  }

  [[noreturn]] void run() {
    if (_setjmp(base_) == 0) {
      ucontext_t base;
      swapcontext(&base, return_to_);
    }
    at_base_ = false;
    body_();
    ended_();
    __builtin_unreachable();
  }

  static inline fiber* starting_ = nullptr;
  ucontext_t* return_to_ = nullptr;
  jmp_buf base_;
  std::unique_ptr<std::byte[]> stack_;
  std::function<void()> body_;
  void (*ended_)() = nullptr;
  bool at_base_ = false;
};

}  // namespace weir::model
