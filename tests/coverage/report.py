# SPDX-License-Identifier: MIT
"""How much of include/weir the tests reach, and what they do not, with the reason.

    report.py ROOT BUILD --programs FILE

FILE names one instrumented program per line; the profiles lie in BUILD/profiles. All instantiations
of all programs are taken together: a line counts as run if any of them ran it, an outcome of a
condition as taken if any of them took it. A function that no program compiled counts as not run.
Not counted: lines without a word of code, what the preprocessor or `if constexpr` removes in every
program, conditions that the compiler knows.

What may be missing stands in tests/coverage/missing.txt, which says how to write an entry. The report
fails if a line or an outcome is missing without an entry, if an entry has nothing left to excuse, and
below 98 % of the outcomes, excused or not. A line that is excused does not count.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from typing import Any, Iterator, NamedTuple

LEAST_BRANCHES = 98.0
MISSING = "tests/coverage/missing.txt"

# Kinds of regions in what llvm-cov exports.
SKIPPED, GAP = 2, 3

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
LITERAL = re.compile(r""""(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'""")


class Item(NamedTuple):
    """Something that the tests should reach: a line (`run`) or an outcome (`true`, `false`)."""
    header: str
    line: int
    column: int
    outcome: str
    text: str


class Entry(NamedTuple):
    """A paragraph of missing.txt."""
    header: str
    outcome: str
    text: str
    reason: str
    line: int
    seldom: bool


class Header:
    """One header, and what was seen of it in all programs."""

    def __init__(self, path: pathlib.Path) -> None:
        self.lines = path.read_text().splitlines()
        self.runs: dict[int, int] = {}
        self.branches: dict[tuple[int, int, int, int], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, regions: list[list[int]], branches: list[list[int]]) -> None:
        for line, count in line_counts(regions, self.lines):
            self.runs[line] = max(self.runs.get(line, 0), count)
        for branch in branches:
            taken = self.branches[branch[0], branch[1], branch[2], branch[3]]
            taken[0] += branch[4]
            taken[1] += branch[5]

    def add_uncompiled(self) -> None:
        """Functions in which no program has a region: templates that nobody instantiated."""
        for first, last in functions("\n".join(self.lines)):
            if not any(line in self.runs for line in range(first, last + 1)):
                self.runs[first] = 0

    def text(self, first: int, start: int, last: int, end: int) -> str:
        part = self.lines[first - 1:last]
        part[-1] = part[-1][:end - 1]
        part[0] = part[0][start - 1:]
        return " ".join(" ".join(part).split())

    def code_lines(self) -> dict[int, int]:
        return {line: count for line, count in self.runs.items()
                if re.search(r"\w", COMMENT.sub("", self.lines[line - 1]))}

    def missing(self, name: str) -> list[Item]:
        found = [Item(name, line, 0, "run", self.lines[line - 1].strip())
                 for line, count in self.code_lines().items() if count == 0]
        for (first, start, last, end), taken in self.branches.items():
            text = self.text(first, start, last, end)
            for outcome, count in zip(("true", "false"), taken):
                if count == 0:
                    found.append(Item(name, first, start, outcome, text))
        return sorted(found)


def line_counts(regions: list[list[int]], lines: list[str]) -> Iterator[tuple[int, int]]:
    """The lines of one function, and how often each ran.

    That is how often its first character ran, or a region that starts in it, whichever is more.
    """
    regions = sorted(regions, key=lambda region: (region[0], region[1], -region[2], -region[3]))
    for line in range(regions[0][0], max(region[2] for region in regions) + 1):
        first = (line, len(lines[line - 1]) - len(lines[line - 1].lstrip()) + 1)
        around = [r for r in regions if (r[0], r[1]) <= first < (r[2], r[3])]
        counts = [r[4] for r in regions if r[0] == line and r[7] not in (SKIPPED, GAP)]
        if around and around[-1][7] != SKIPPED:
            counts.append(around[-1][4])
        if counts:
            yield line, max(counts)


def functions(source: str) -> Iterator[tuple[int, int]]:
    """First and last line of every function body; what is nested in one is a part of it."""
    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    text = LITERAL.sub(blank, COMMENT.sub(blank, source))
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.MULTILINE)
    head = 0      # where the declaration being read starts
    scopes = []   # per open brace: its kind, its offset, the head before it
    for offset, character in enumerate(text):
        if character == "{":
            declaration = re.sub(r"\b(?:alignas|requires)\s*\([^()]*\)", "", text[head:offset])
            kind = "scope"
            if (scopes and scopes[-1][0] != "scope" or re.search(r"\bconcept\b|=\s*$", declaration)
                    or declaration.count("(") != declaration.count(")")):
                kind = "other"
            elif "(" in declaration:
                kind = "function"
            scopes.append((kind, offset, head))
            head = head if kind == "other" else offset + 1
        elif character == "}":
            kind, start, before = scopes.pop()
            # In an initializer list a brace is followed by the next one, or by the body.
            if kind == "function" and text[offset + 1:].lstrip()[:1] in (",", "{"):
                kind = "other"
            if kind == "function":
                yield text.count("\n", 0, start) + 1, text.count("\n", 0, offset) + 1
            head = before if kind == "other" else offset + 1
        elif character == ";":
            head = offset + 1


def tool(*command: str) -> bytes:
    # What it warns of, mismatched data, are functions that this program never calls and another does.
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"coverage: {' '.join(command)}: {done.stderr.decode()}")
    return done.stdout


def export(program: str, profile: str) -> list[dict[str, Any]]:
    """The functions of one program."""
    out = tool("llvm-cov-19", "export", "-skip-expansions", "-instr-profile", profile, program)
    return json.loads(out)["data"][0]["functions"]


def collect(root: pathlib.Path, programs: list[str], profile: str) -> dict[str, Header]:
    folder = root / "include/weir"
    headers = {str(path): Header(path) for path in sorted(folder.rglob("*.hpp"))}
    for program in programs:
        for record in export(program, profile):
            for index, name in enumerate(record["filenames"]):
                regions = [region for region in record["regions"] if region[5] == index]
                if name in headers and regions:
                    headers[name].add(regions, [b for b in record["branches"] if b[6] == index])
    for header in headers.values():
        header.add_uncompiled()
    return {str(pathlib.Path(name).relative_to(folder)): header for name, header in headers.items()}


def entries(path: pathlib.Path) -> list[Entry]:
    """The paragraphs of missing.txt, which says what they look like; `#` is a comment."""
    found: list[Entry] = []
    fresh = True
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            continue
        head = re.fullmatch(r"(\S+) (never|seldom) (run|true|false): (.+)", line)
        if not line.strip():
            fresh = True
        elif fresh and head:
            found.append(Entry(head[1], head[3], head[4], "", number, head[2] == "seldom"))
            fresh = False
        elif found and not fresh:
            found[-1] = found[-1]._replace(reason=f"{found[-1].reason} {line.strip()}".strip())
        else:
            sys.exit(f"coverage: {path.name}:{number}: neither an entry nor its reason")
    for entry in found:
        if not entry.reason:
            sys.exit(f"coverage: {path.name}:{entry.line}: no reason")
    return found


def excuses(known: list[Entry], missing: list[Item]) -> dict[Item, Entry]:
    """An entry excuses one item: what is missing twice needs two."""
    left = list(known)
    found = {}
    for item in missing:
        entry = next((e for e in left if (e.header, e.outcome, e.text) ==
                      (item.header, item.outcome, item.text)), None)
        if entry:
            left.remove(entry)
            found[item] = entry
    return found


def percent(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:6.2f}" if whole else "   n/a"


def print_table(headers: dict[str, Header]) -> tuple[int, int, int, int]:
    print(f"{'header':34}{'lines':>7}{'run':>7}{'%':>8}{'outcomes':>11}{'taken':>7}{'%':>8}")
    totals = [0, 0, 0, 0]
    for name, header in headers.items():
        code = header.code_lines()
        row = [len(code), sum(count > 0 for count in code.values()), 2 * len(header.branches),
               sum(count > 0 for taken in header.branches.values() for count in taken)]
        totals = [total + cell for total, cell in zip(totals, row)]
        if row[0]:
            print_row(name, row)
    print_row("all", totals)
    return totals[0], totals[1], totals[2], totals[3]


def print_row(name: str, row: list[int]) -> None:
    print(f"{name:34}{row[0]:7}{row[1]:7}{percent(row[1], row[0]):>8}"
          f"{row[2]:11}{row[3]:7}{percent(row[3], row[2]):>8}")


def main() -> int:
    options = argparse.ArgumentParser(description="Coverage of include/weir.")
    options.add_argument("root", type=pathlib.Path)
    options.add_argument("build", type=pathlib.Path)
    options.add_argument("--programs", type=pathlib.Path, required=True)
    chosen = options.parse_args()
    root = chosen.root.resolve()
    raw = sorted(str(path) for path in (chosen.build / "profiles").glob("*.profraw"))
    programs = [line for line in chosen.programs.read_text().split() if os.path.exists(line)]
    if not raw or not programs or not shutil.which("llvm-cov-19"):
        sys.exit("coverage: no profiles, no programs or no llvm-cov-19; build and run ctest first")
    (chosen.build / "profiles.txt").write_text("\n".join(raw) + "\n")
    profile = str(chosen.build / "all.profdata")
    tool("llvm-profdata-19", "merge", "-o", profile, "-f", str(chosen.build / "profiles.txt"))

    print(f"{len(programs)} programs, {len(raw)} profiles\n")
    headers = collect(root, programs, profile)
    lines, lines_run, outcomes, taken = print_table(headers)

    known = entries(root / MISSING)
    missing = [item for name, header in headers.items() for item in header.missing(name)]
    excused = excuses(known, missing)
    print(f"\nMissing: {lines - lines_run} lines, {outcomes - taken} outcomes")
    for item in missing:
        reason = excused[item].reason if item in excused else "NO REASON"
        print(f"{item.header}:{item.line}: never {item.outcome}: {item.text}\n    {reason}")
    stale = [entry for entry in known if entry not in excused.values() and not entry.seldom]
    for entry in stale:
        print(f"{MISSING}:{entry.line}: nothing is missing here: {entry.text}")

    share = 100.0 * taken / outcomes if outcomes else 0.0
    excused_lines = sum(item.outcome == "run" for item in excused)
    print(f"\ncoverage: {lines_run} of {lines - excused_lines} lines ({excused_lines} excused), "
          f"{taken} of {outcomes} outcomes ({share:.2f} %, {len(excused) - excused_lines} excused); "
          f"{len(missing) - len(excused)} missing without a reason, {len(stale)} stale entries")
    passed = len(excused) == len(missing) and not stale and share >= LEAST_BRANCHES
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
