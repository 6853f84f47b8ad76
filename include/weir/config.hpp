// SPDX-License-Identifier: MIT
/// What a build may choose. Every macro has a default here; define it on the command line to change it,
/// for all translation units of a program alike.
#pragma once

/// Contract checks (contract.hpp): 1 on, 0 off. Default: on unless NDEBUG is defined.
#if !defined(WEIR_CONTRACTS)
#if defined(NDEBUG)
#define WEIR_CONTRACTS 0
#else
#define WEIR_CONTRACTS 1
#endif
#endif

/// How a thread sleeps on a word (detail/futex.hpp): the platform's futex where there is one.
/// WEIR_FORCE_STD_ATOMIC_WAIT and WEIR_FORCE_SLEEP_POLL_WAIT choose a fallback instead; both work
/// inside one process only, because nothing in them can wake another one.
#if defined(WEIR_FORCE_STD_ATOMIC_WAIT) && defined(WEIR_FORCE_SLEEP_POLL_WAIT)
#error "define at most one of WEIR_FORCE_STD_ATOMIC_WAIT and WEIR_FORCE_SLEEP_POLL_WAIT"
#endif
