# SPDX-License-Identifier: MIT
"""The runner must say so when a mutant survives, when nothing was run, and when a list is wrong.

usage: self_check.py ROOT BUILD
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT, BUILD = map(pathlib.Path, sys.argv[1:3])
KILLED = """
[[mutant]]
file = 'detail/bits.hpp'
name = 'planted_killed'
find = 'position - first <= length'
replace = 'position - first < length'
breaks = 'a range has its last position'
"""
SURVIVES = """
[[mutant]]
file = 'detail/bits.hpp'
name = 'planted_survivor'
find = 'position - first <= length'
replace = 'length >= position - first'
breaks = 'nothing'
"""
BROKEN = KILLED.replace("first < length", "no_such_name")
STALE = KILLED.replace("find = 'position", "find = 'no such text position")
SUM = "mutants: {} run, {} killed, 0 equivalent, {} survived"


def check(what, text, expected_exit, last_line, *options):
    """Whether the runner ends a run of this list as it must."""
    with tempfile.TemporaryDirectory() as work:
        listed = pathlib.Path(work) / "listed.toml"
        listed.write_text(text)
        command = [sys.executable, "-B", pathlib.Path(__file__).with_name("run.py"), ROOT, BUILD,
                   "--named", listed, *options]
        run = subprocess.run(command, capture_output=True, text=True)
    lines = (run.stdout + run.stderr).splitlines() or [""]
    as_expected = run.returncode == expected_exit and last_line in lines[-1]
    print(f"{'found' if as_expected else 'MISSED'}: {what}: exit {run.returncode}, {lines[-1]}")
    return as_expected


results = [
    check("all are killed", KILLED, 0, SUM.format(1, 1, 0)),
    check("one survives", KILLED + SURVIVES, 1, SUM.format(2, 1, 1)),
    check("one does not compile", BROKEN, 1, SUM.format(1, 0, 0)),
    check("nothing is run", "", 1, SUM.format(0, 0, 0)),
    check("nothing is chosen", KILLED, 1, SUM.format(0, 0, 0), "--only", "no such mutant"),
    check("nothing is listed", "", 1, "0 mutants", "--check"),
    check("what is replaced is not there", STALE, 2, "occurs 0 times"),
    check("a name is given twice", KILLED + KILLED, 2, "two mutants are called"),
]
sys.exit(0 if all(results) else 1)
