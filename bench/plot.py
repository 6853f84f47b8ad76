#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws a results file as SVG: one panel per group, one bar per case, whiskers at the quartiles.

usage: plot.py RESULTS.json [FILTER] > plot.svg        (FILTER: only groups whose name contains it)
"""
import json
import math
import sys
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, HEAD = 900, 290, 16, 34
SCALE = WIDTH - LABEL - 130
OURS, PEER, BARE = "#2b6cb0", "#a0aec0", "#4a5568"
STYLE = "text{font:12px sans-serif;fill:#1a202c} .title{font-weight:bold} .small{font-size:10px}"


def color(name):
    if name.startswith(("weir", "park", "never")):
        return OURS
    return BARE if name.startswith("bare") else PEER


def length(value, top):
    """Pixels. Below zero (a cost lost in the noise) is drawn as nothing."""
    return max(0.0, value) / top * SCALE


def text(x, y, content, kind=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}">{escape(content)}</text>'


def bar(case, y, top):
    middle = y + BAR / 2 - 2
    start, end = (LABEL + length(case[key], top) for key in ("q1", "q3"))
    yield text(8, y + BAR - 5, case["name"])
    yield (f'<rect x="{LABEL}" y="{y}" width="{length(case["median"], top):.1f}" '
           f'height="{BAR - 4}" fill="{color(case["name"])}"/>')
    yield (f'<path d="M{start:.1f} {middle}H{end:.1f}M{start:.1f} {y + 2}v{BAR - 8}'
           f'M{end:.1f} {y + 2}v{BAR - 8}" stroke="#1a202c" fill="none"/>')
    yield text(LABEL + 6 + length(max(case["q3"], case["median"]), top), y + BAR - 5,
               f'{case["median"]:.2f}', "small")


def panel(group, y):
    """Returns the panel's elements and the y below it."""
    cases = sorted(group["cases"], key=lambda case: case["median"])
    top = max(max(case["median"], case["q3"]) for case in cases) or 1.0
    top = top if math.isfinite(top) and top > 0 else 1.0
    elements = [text(8, y + 20, f'{group["name"]}  [{group["unit"]}]', "title")]
    y += HEAD
    for case in cases:
        elements += bar(case, y, top)
        y += BAR
    return elements, y


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip())
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    wanted = sys.argv[2] if len(sys.argv) == 3 else ""
    machine = results["machine"]
    elements = [text(8, 20, f'{machine["cpu"]}, {machine["compiler"]}, {machine["flags"]}, '
                            f'commit {machine["commit"]}', "small")]
    y = 26
    for group in results["groups"]:
        if wanted in group["name"]:
            added, y = panel(group, y)
            elements += added
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 12}">'
          f'<style>{STYLE}</style><rect width="100%" height="100%" fill="white"/>')
    print("\n".join(elements))
    print("</svg>")


if __name__ == "__main__":
    main()
