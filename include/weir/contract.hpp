// SPDX-License-Identifier: MIT
/// One contract macro. It guards the caller's own mistakes, never what a peer wrote into shared memory:
/// that is input, and input gets a status.
#pragma once

#include <weir/config.hpp>

/// What a broken contract does. Replaceable; must not return.
#if !defined(WEIR_CONTRACT_HANDLER)
#define WEIR_CONTRACT_HANDLER(expression, file, line) __builtin_trap()
#endif

/// States what the caller promised. Checked when WEIR_CONTRACTS is 1.
#if WEIR_CONTRACTS
#define WEIR_EXPECTS(expression) \
  (static_cast<bool>(expression) ? void() : WEIR_CONTRACT_HANDLER(#expression, __FILE__, __LINE__))
#else
#define WEIR_EXPECTS(expression) static_cast<void>(sizeof(static_cast<bool>(expression)))
#endif
