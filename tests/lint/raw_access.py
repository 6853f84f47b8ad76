# SPDX-License-Identifier: MIT
"""Shared words are touched through the Memory policy only: no atomics or volatile anywhere else."""
import re

import common

MAY = {"memory.hpp", "detail/fence.hpp", "detail/futex.hpp", "detail/relaxed_copy.hpp"}
RAW = re.compile(r"std::atomic\w*|\batomic_ref\b|__atomic_\w+|__sync_\w+|(?<!asm )\bvolatile\b")

for path in common.headers():
    if str(path.relative_to(common.HEADERS)) in MAY:
        continue
    text = common.code(path.read_text())
    for match in RAW.finditer(text):
        line = common.line_of(text, match.start())
        common.finding(path, line, f"{match[0]} outside the Memory policy")

common.finish()
