# SPDX-License-Identifier: MIT
"""A lint script must fail on every bad sample made for it: tests/lint/bad/<script>/*.

usage: self_check.py ROOT SCRIPT [ARGUMENT...]

A sample's first two lines say which file of the repository it replaces or adds ("place: PATH") and what
the finding must contain ("expect: TEXT"). Each sample is tried in a copy of the repository.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import common


def fails_as_expected(script: str, arguments: list[str], sample: pathlib.Path) -> bool:
    first, second, *rest = sample.read_text().splitlines(keepends=True)
    place = re.search(r"place: (\S+)", first)[1]
    expected = re.search(r"expect: (.*?)(?: -->)?$", second)[1]
    with tempfile.TemporaryDirectory() as copy:
        root = pathlib.Path(copy) / "weir"
        shutil.copytree(common.ROOT, root, ignore=shutil.ignore_patterns(*common.NOT_OURS))
        (root / place).write_text("".join(rest))
        command = [sys.executable, "-B", common.ROOT / "tests/lint" / script, root, *arguments]
        run = subprocess.run(command, capture_output=True, text=True)
    found = run.returncode == 1 and any(line.startswith(f"{place}:") and expected in line
                                        for line in run.stdout.splitlines())
    print(f"{'found' if found else 'MISSED'}: {sample.relative_to(common.ROOT)} ({expected})")
    if not found:
        print(run.stdout, run.stderr)
    return found


script, arguments = sys.argv[2], sys.argv[3:]
samples = sorted((common.BAD_SAMPLES / pathlib.Path(script).stem).iterdir())
results = [fails_as_expected(script, arguments, sample) for sample in samples]
sys.exit(0 if results and all(results) else 1)
