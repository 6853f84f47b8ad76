# SPDX-License-Identifier: MIT
"""Memory orders: every access through Memory says why its order is right, every label has its partner.

Directly above each access that is not relaxed stands a label, unique in its protocol:
    // [P2] release -> [C1]: what is published.
    // [C1] acquire <- [P2].
    // [P3] fence(seq_cst): what is ordered; pairs with [C4].
and above each relaxed one a reason from a closed list:
    // relaxed: single writer
"""
import collections
import dataclasses
import re

import common

ACCESS = re.compile(r"\bMemory::(?:load|store|exchange|fetch_add|fetch_or|compare_exchange|load64|store64|fetch_or64|cas64|fence)\s*\(")
ORDER = re.compile(r"\bmemory_order(?:_|::)(relaxed|acquire|release|acq_rel|seq_cst)\b")
ENTRY = re.compile(r"\[([A-Z]\d+)\] (fence\()?(acquire|release|acq_rel|seq_cst)\)?|relaxed: (.*)")
REFERENCE = re.compile(r"\[([A-Z]\d+)\]")
LIST = r"\s*((?:\[[A-Z]\d+\][,\s]*)+)"
REASON = re.compile(r"single writer|re-checked by \[([A-Z]\d+)\]|statistics"
                    r"|before publication \[([A-Z]\d+)\]|failed CAS, nothing read")


@dataclasses.dataclass
class Label:
    path: object
    line: int
    order: str
    fence: bool
    targets: set  # labels that this one publishes to
    sources: set  # labels that it takes from


FAMILIES = ["spsc_byte", "spsc_slot", "mpsc_byte", "mpsc_slot", "broadcast", "latest", "lanes",
            "coalesce", "doorbell", "version_table", "region", "buffer_pool", "image"]


def protocols_of(path):
    """A header is a protocol of its own, unless its name begins with that of a family: then it belongs to
    that, as every mpsc_* file that is neither mpsc_byte* nor mpsc_slot* belongs to both of these. The
    formatting in detail/header.hpp belongs to every family."""
    if path.stem == "header":
        return FAMILIES
    exact = [family for family in FAMILIES if path.stem.startswith(family)]
    shared = [family for family in FAMILIES if path.stem.split("_")[0] == family.split("_")[0]]
    return exact or shared or [path.stem]


def named(arrow, text):
    return {name for group in re.findall(arrow + LIST, text) for name in REFERENCE.findall(group)}


def comment_entries(lines, first, last):
    """Labels and reasons in the comment lines of lines[first:last]: (line, match, text), in order."""
    entries = []
    for index in range(first, last):
        text = lines[index].strip()
        if not text.startswith("//"):
            continue
        text = text.lstrip("/ ")
        if match := ENTRY.match(text):
            entries.append([index + 1, match, text])
        elif entries:
            entries[-1][2] += " " + text
    return entries


def comment_start(lines, line):
    """The first line of the comment block directly above `line` (both counted from 0)."""
    while line > 0 and lines[line - 1].strip().startswith("//"):
        line -= 1
    return line


def check_relaxed(path, number, reason, references):
    match = REASON.match(reason)
    if not match:
        common.finding(path, number, f"not a reason for relaxed: {reason}")
    elif label := match[1] or match[2]:
        references.append((path, number, label))


def check_file(path, labels, references):
    source = path.read_text()
    lines, text = source.splitlines(), common.code(source)
    consumed = set()
    for access in ACCESS.finditer(text):
        end = common.balanced(text, access.end() - 1)
        statement = max(text.rfind(mark, 0, access.start()) for mark in ";{}") + 1
        statement += len(text[statement:]) - len(text[statement:].lstrip())
        number = common.line_of(text, access.start())
        first = comment_start(lines, common.line_of(text, statement) - 1)
        entries = comment_entries(lines, first, common.line_of(text, end))
        orders = ORDER.findall(text[access.start():end])
        is_fence = access[0].startswith("Memory::fence")
        if not orders:
            common.finding(path, number, "the order must be written out where the access is")
        for order in orders:
            if order == "seq_cst" and not is_fence:
                common.finding(path, number, "seq_cst is for fences only")
            entry = next((e for e in entries if e[0] not in consumed and bool(e[1][2]) == is_fence
                          and (e[1][3] or "relaxed") == order), None)
            if entry is None:
                kind = "reason" if order == "relaxed" else "label"
                common.finding(path, number, f"no {kind} above this {order} access")
                continue
            consumed.add(entry[0])
            if order == "relaxed":
                check_relaxed(path, entry[0], entry[1][4], references)
            elif entry[1][1] in labels:
                common.finding(path, entry[0], f"[{entry[1][1]}] is defined twice")
            else:
                fence_partners = named("pairs with", entry[2]) if is_fence else set()
                head = entry[2] if is_fence else entry[2].split(":")[0]
                labels[entry[1][1]] = Label(path, entry[0], order, is_fence,
                                            named("->", head) | fence_partners,
                                            named("<-", head) | fence_partners)
    for number, line in enumerate(lines, 1):
        match = line.strip().startswith("//") and ENTRY.match(line.strip().lstrip("/ "))
        if match and match[1] and number not in consumed:
            common.finding(path, number, f"[{match[1]}] stands above no access of that order")


def check_pairs(labels, references):
    for name, label in labels.items():
        if label.order in ("release", "acq_rel") and not (label.targets or label.sources):
            common.finding(label.path, label.line, f"[{name}] names nobody whom it publishes to")
        if label.order == "acquire" and not label.sources:
            common.finding(label.path, label.line, f"[{name}] names nobody whom it acquires from")
        if label.fence and not label.targets:
            common.finding(label.path, label.line, f"[{name}] names no fence that it pairs with")
        for partners, back in ((label.targets, "sources"), (label.sources, "targets")):
            for partner in sorted(partners):
                if partner not in labels:
                    references.append((label.path, label.line, partner))
                elif name not in getattr(labels[partner], back):
                    common.finding(label.path, label.line,
                                   f"[{partner}] does not name [{name}] as its partner")
    for path, number, name in references:
        if name not in labels:
            common.finding(path, number, f"there is no [{name}] in this protocol")


protocols = collections.defaultdict(list)
for header in common.headers():
    if header.name != "memory.hpp":  # defines the policy, takes part in no protocol
        for protocol in protocols_of(header):
            protocols[protocol].append(header)

for paths in protocols.values():
    labels: dict[str, Label] = {}
    references: list[tuple] = []
    for path in paths:
        check_file(path, labels, references)
    check_pairs(labels, references)
    if any(label.fence for label in labels.values()):
        if not any("forbidden:" in path.read_text() for path in paths):
            common.finding(paths[0], 1, "a fence needs its table with the forbidden outcome")

common.finish()
