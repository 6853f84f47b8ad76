# SPDX-License-Identifier: MIT
"""Every header includes Weir's headers of strictly lower floors only; floors.txt has each one's floor."""
import re

import common

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:<weir/(\S+)\.hpp>|"([^"]*)")', re.MULTILINE)

table = common.ROOT / "tests/lint/floors.txt"
height: dict[str, int] = {}
floor: dict[str, str] = {}
for number, line in enumerate(table.read_text().splitlines(), 1):
    if line.startswith("#"):
        continue
    floor_name, *stems = line.split()
    for stem in stems:
        if stem in height:
            common.finding(table, number, f"{stem} is listed twice")
        if not (common.HEADERS / f"{stem}.hpp").is_file():
            common.finding(table, number, f"{stem}.hpp does not exist")
        height[stem], floor[stem] = number, floor_name

for path in common.headers():
    stem = str(path.relative_to(common.HEADERS).with_suffix(""))
    if stem not in height:
        common.finding(path, 1, "has no floor in tests/lint/floors.txt")
        continue
    text = path.read_text()
    for include in INCLUDE.finditer(text):
        target, quoted = include.groups()
        line = common.line_of(text, include.end())
        if quoted:
            common.finding(path, line, f"include it as <weir/...>: {quoted}")
        elif target not in height:
            common.finding(path, line, f"{target} has no floor")
        elif height[target] >= height[stem]:
            common.finding(path, line, f"{stem} ({floor[stem]}) must not include "
                                       f"{target} ({floor[target]})")

common.finish()
