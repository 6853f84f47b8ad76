# SPDX-License-Identifier: MIT
"""Prints how many executions every scenario took: table.py RESULTS NAME...

Each NAME.tsv in the folder RESULTS holds one line per scenario, written by the program model.NAME:
name, executions, kills, extent, seconds. Fails if one is missing, or if they are fewer than 10^7 together.
"""
import pathlib
import sys

AT_LEAST = 10_000_000

folder, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
rows = []
for name in names:
    path = folder / f"{name}.tsv"
    if not path.exists():
        sys.exit(f"{path} is missing: run ctest --preset model first")
    rows += [line.split("\t") for line in path.read_text().splitlines()]

width = max(len(row[0]) for row in rows)
print(f"{'scenario':{width}}  {'executions':>12}  {'kills':>11}  {'seconds':>7}  extent")
for name, executions, kills, extent, seconds in rows:
    print(f"{name:{width}}  {int(executions):12,}  {int(kills):11,}  {float(seconds):7.2f}  {extent}")

executions = sum(int(row[1]) for row in rows)
kills = sum(int(row[2]) for row in rows)
seconds = sum(float(row[4]) for row in rows)
cut = sum(row[3].startswith("stopped early") for row in rows)
print(f"\n{len(rows)} scenarios, {executions:,} executions, {kills:,} kills, {seconds:.0f} s; "
      f"{cut} stopped early")
if executions < AT_LEAST:
    sys.exit(f"fewer than {AT_LEAST:,} executions")
