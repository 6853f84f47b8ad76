// SPDX-License-Identifier: MIT
/// Threads of one execution: stacks of their own that run one at a time and switch where told.
///
/// An execution that ends early abandons its fibers: destructors on their stacks do not run, as with a
/// thread that is killed. A fiber starts again at its base, so each stack is set up once. `_setjmp` and
/// `_longjmp` switch without system calls.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include <ucontext.h>

namespace weir::model {

class fiber {
 public:
  static constexpr std::size_t stack_size = 256 << 10;

  /// The next jump() begins with `body`; when that returns, `ended` runs and must not return.
  void begin(std::function<void()> body, void (*ended)()) {
    body_ = std::move(body), ended_ = ended, at_base_ = true;
  }

  /// Runs this fiber until something jumps elsewhere. The caller goes on where it called _setjmp.
  [[noreturn]] void jump() {
    if (!stack_) prepare();
    _longjmp(at_base_ ? base_ : here, 1);
  }

  jmp_buf here;  ///< where this fiber goes on

 private:
  void prepare() {
    stack_ = std::make_unique<std::byte[]>(stack_size);
    ucontext_t context, caller;
    getcontext(&context);
    context.uc_stack.ss_sp = stack_.get();
    context.uc_stack.ss_size = stack_size;
    context.uc_link = nullptr;
    starting_ = this, return_to_ = &caller;
    makecontext(&context, [] { starting_->run(); }, 0);
    swapcontext(&caller, &context);
  }

  [[noreturn]] void run() {
    if (_setjmp(base_) == 0) setcontext(return_to_);
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
