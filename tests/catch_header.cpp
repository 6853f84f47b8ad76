// SPDX-License-Identifier: MIT
// No test: what the tests' precompiled header belongs to.
