# SPDX-License-Identifier: MIT
"""The list of mutants.

Generated: every memory order of include/weir that is not relaxed, weakened step by step; every fence, light
and heavy ones too, removed. Named: named.toml. Which of all these change nothing that anybody could observe,
and why, stands in equivalent.toml; which tests are to kill them, in targets.toml.
"""
import dataclasses
import fnmatch
import pathlib
import re
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lint"))
import common  # noqa: E402
import pairs  # noqa: E402

WEAKER = {"acq_rel": ("acquire", "release", "relaxed"), "acquire": ("relaxed",),
          "release": ("relaxed",)}
HARDWARE_FENCE = re.compile(r"\bMemory::\s*((light|heavy)_fence)\s*\(")
KINDS = (("model/", ".model.cpp"), ("unit/", ".test.cpp"), ("stress/", ".stress.cpp"))
QUICK_STEP = 10


@dataclasses.dataclass
class Mutant:
    id: str
    header: str         # relative to include/weir
    line: int
    start: int
    end: int
    replacement: str
    breaks: str         # the promise
    tests: list
    generated: bool
    equivalent: str = ""  # the proof
    quick: bool = False


class Stale(Exception):
    """The lists do not fit the headers, or each other."""


def source_of(test):
    """The file of a test that is named as model/latest, unit/latest, ..."""
    for prefix, suffix in KINDS:
        if test.startswith(prefix):
            return HERE.parent / (test + suffix)
    raise Stale(f"{test} is no kind of test")


def present(tests):
    """The tests that these names and patterns stand for. Only model programs may be missing."""
    found = []
    for test in tests:
        folder = HERE.parent / test.split("/")[0]
        suffix = source_of(test).name.removeprefix(test.split("/")[1])
        files = sorted(folder.glob(test.split("/")[1] + suffix))
        if not files and folder.name != "model":
            raise Stale(f"there is no {test}")
        found += [f"{folder.name}/{path.name.removesuffix(suffix)}" for path in files]
    return list(dict.fromkeys(found))


def read(name):
    return tomllib.loads((HERE / name).read_text())


RULES = read("targets.toml")["target"]


def targets(header):
    """The tests for a header's orders, and those for its checks, the most likely killer first."""
    for rule in RULES:
        if any(fnmatch.fnmatchcase(header, pattern) for pattern in rule["headers"]):
            return rule.get("orders", []), rule["checks"]
    raise Stale(f"{header}: no rule in targets.toml")


def generated_of(path):
    header = str(path.relative_to(common.HEADERS))
    source = path.read_text()

    def mutant(name, line, start, end, text, breaks, unit_first=False):
        orders, checks = targets(header)
        tests = present(checks + orders if unit_first else orders + checks)
        return Mutant(f"{header} {name}", header, line, start, end, text, breaks, tests, True)

    for access in pairs.accesses(source):
        for order in access.orders:
            if order.entry is None or order.entry.label is None:
                continue
            label, end = f"[{order.entry.label}]", order.start + len(order.name)
            if not access.fence:
                for weaker in WEAKER[order.name]:
                    yield mutant(f"{label} {order.name}->{weaker}", access.line, order.start, end,
                                 weaker, order.entry.text)
                continue
            if order.name == "seq_cst":
                yield mutant(f"{label} fence seq_cst->acq_rel", access.line, order.start, end,
                             "acq_rel", order.entry.text)
            yield mutant(f"{label} fence removed", access.line, access.start, access.end,
                         "static_cast<void>(0)", order.entry.text)
    text = common.code(source)
    for number, match in enumerate(HARDWARE_FENCE.finditer(text), 1):
        end = common.balanced(text, match.end() - 1)
        yield mutant(f"{match[1]} {number} removed", common.line_of(text, match.start()), match.start(),
                     end, "static_cast<void>(0)", "what is said before it is said first", True)


def named(entry):
    header = entry["file"]
    path = common.HEADERS / header
    source = path.read_text()
    pattern = r"\s+".join(map(re.escape, entry["find"].split()))
    places = list(re.finditer(pattern, source))
    mutant = f"{header} {entry['name']}"
    if len(places) != 1:
        raise Stale(f"{mutant}: what it replaces occurs {len(places)} times")
    orders, checks = targets(header)
    tests = entry.get("tests", []) + checks + orders
    return Mutant(mutant, header, common.line_of(source, places[0].start()), places[0].start(),
                  places[0].end(), entry["replace"], entry["breaks"], present(tests), False)


def unlabelled(mutants):
    """Labels and hardware fences of the headers that no mutant stands for."""
    ids = {mutant.id for mutant in mutants}
    for path in headers():
        header = path.relative_to(common.HEADERS)
        source = path.read_text()
        names = [f"[{entry.label}]" for entry in pairs.labels(source)]
        names += [f"{match[1]} {number}" for number, match in
                  enumerate(HARDWARE_FENCE.finditer(common.code(source)), 1)]
        yield from (f"{header} {name}" for name in names
                    if not any(identity.startswith(f"{header} {name} ") for identity in ids))


def headers():
    return [path for path in common.headers() if path.name != "memory.hpp"]


def load(only_named=None):
    """All mutants, or those of another list of named ones. Raises Stale."""
    entries = read(only_named or "named.toml").get("mutant", [])
    mutants = [named(entry) for entry in entries]
    if only_named is None:
        generated = [mutant for path in headers() for mutant in generated_of(path)]
        mutants = generated + mutants
        proofs = {entry["id"]: entry["proof"] for entry in read("equivalent.toml").get("mutant", [])}
        for mutant in mutants:
            mutant.equivalent = proofs.pop(mutant.id, "")
        if proofs:
            raise Stale(f"equivalent.toml: there is no mutant {next(iter(proofs))}")
        if missing := list(unlabelled(mutants)):
            raise Stale(f"no mutant of {missing[0]}")
    for index, mutant in enumerate(mutants):
        mutant.quick = not mutant.equivalent and index % QUICK_STEP == 0
    repeated = {mutant.id for mutant in mutants if sum(m.id == mutant.id for m in mutants) > 1}
    if repeated:
        raise Stale(f"two mutants are called {min(repeated)}")
    if empty := [mutant.id for mutant in mutants if not mutant.tests]:
        raise Stale(f"{empty[0]}: there is no test for it")
    return mutants
