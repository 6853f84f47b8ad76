# SPDX-License-Identifier: MIT
"""The grammar of the memory orders: accesses through Memory, and the comments that say why their orders
are right (orders.py has the rules). Read by the lint and by the mutation tests, which weaken each order.
"""
import dataclasses
import re
from typing import Optional

import common

ACCESS = re.compile(r"\bMemory::(?:load|store|exchange|fetch_add|fetch_or|compare_exchange|load64|store64|fetch_or64|cas64|fence)\s*\(")
ORDER = re.compile(r"\bmemory_order(?:_|::)(relaxed|acquire|release|acq_rel|seq_cst)\b")
ENTRY = re.compile(r"\[([A-Z]\d+)\] (fence\()?(acquire|release|acq_rel|seq_cst)\)?|relaxed: (.*)")


@dataclasses.dataclass
class Entry:
    line: int
    label: Optional[str]   # none: a reason for relaxed
    fence: bool
    order: str
    reason: Optional[str]
    text: str              # the whole comment


@dataclasses.dataclass
class Order:
    name: str
    start: int             # of the name, in the source
    entry: Optional[Entry]


@dataclasses.dataclass
class Access:
    start: int
    end: int
    line: int
    fence: bool
    orders: list


def comment_start(lines, line):
    """The first line of the comment block directly above `line` (both counted from 0)."""
    while line > 0 and lines[line - 1].strip().startswith("//"):
        line -= 1
    return line


def entries(lines, first, last):
    """Labels and reasons in the comment lines of lines[first:last], in order."""
    found = []
    for index in range(first, last):
        text = lines[index].strip()
        if not text.startswith("//"):
            continue
        text = text.lstrip("/ ")
        if match := ENTRY.match(text):
            found.append(Entry(index + 1, match[1], bool(match[2]), match[3] or "relaxed", match[4],
                               text))
        elif found:
            found[-1].text += " " + text
    return found


def accesses(source):
    """Every access through Memory; each order with the entry that stands above it, if there is one."""
    lines, text = source.splitlines(), common.code(source)
    consumed, found = set(), []
    for match in ACCESS.finditer(text):
        end = common.balanced(text, match.end() - 1)
        statement = max(text.rfind(mark, 0, match.start()) for mark in ";{}") + 1
        statement += len(text[statement:]) - len(text[statement:].lstrip())
        fence = match[0].startswith("Memory::fence")
        access = Access(match.start(), end, common.line_of(text, match.start()), fence, [])
        first = comment_start(lines, common.line_of(text, statement) - 1)
        above = entries(lines, first, common.line_of(text, end))
        for order in ORDER.finditer(text, match.start(), end):
            entry = next((e for e in above if e.line not in consumed and e.fence == fence
                          and e.order == order[1]), None)
            if entry is not None:
                consumed.add(entry.line)
            access.orders.append(Order(order[1], order.start(1), entry))
        found.append(access)
    return found


def labels(source):
    """The entries with a label, wherever they stand."""
    lines = source.splitlines()
    return [entry for index in range(len(lines)) for entry in entries(lines, index, index + 1)
            if entry.label]
