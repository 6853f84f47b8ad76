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
import pairs

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


def check_relaxed(path, number, reason, references):
    match = REASON.match(reason)
    if not match:
        common.finding(path, number, f"not a reason for relaxed: {reason}")
    elif label := match[1] or match[2]:
        references.append((path, number, label))


def check_file(path, labels, references):
    source = path.read_text()
    consumed = set()
    for access in pairs.accesses(source):
        if not access.orders:
            common.finding(path, access.line, "the order must be written out where the access is")
        for order in access.orders:
            if order.name == "seq_cst" and not access.fence:
                common.finding(path, access.line, "seq_cst is for fences only")
            entry = order.entry
            if entry is None:
                kind = "reason" if order.name == "relaxed" else "label"
                common.finding(path, access.line, f"no {kind} above this {order.name} access")
                continue
            consumed.add(entry.line)
            if order.name == "relaxed":
                check_relaxed(path, entry.line, entry.reason, references)
            elif entry.label in labels:
                common.finding(path, entry.line, f"[{entry.label}] is defined twice")
            else:
                fence_partners = named("pairs with", entry.text) if access.fence else set()
                head = entry.text if access.fence else entry.text.split(":")[0]
                labels[entry.label] = Label(path, entry.line, order.name, access.fence,
                                            named("->", head) | fence_partners,
                                            named("<-", head) | fence_partners)
    for entry in pairs.labels(source):
        if entry.line not in consumed:
            common.finding(path, entry.line, f"[{entry.label}] stands above no access of that order")


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
