# SPDX-License-Identifier: MIT
"""Writes Weir as one header: weir.hpp with every include of a weir header replaced by its text.

usage: single_header.py INCLUDE_DIR OUTPUT
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r"#include <(weir/[\w/]+\.hpp)>")
ONCE_PER_FILE = ("// SPDX-License-Identifier", "#pragma once")


def expand(root: pathlib.Path, name: str, seen: set[str]) -> list[str]:
    """The lines of header `name`, with the headers it includes in place, each once."""
    seen.add(name)
    lines = []
    for line in (root / name).read_text().splitlines():
        if include := INCLUDE.match(line):
            if include[1] not in seen:
                lines += expand(root, include[1], seen)
        elif not line.startswith(ONCE_PER_FILE):
            lines.append(line)
    return lines


def main() -> None:
    root, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = "\n".join(expand(root, "weir/weir.hpp", set()))
    head = ("// SPDX-License-Identifier: MIT\n"
            "// Generated from weir/weir.hpp and all that it includes.\n"
            "#pragma once\n")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(head + re.sub(r"\n{3,}", "\n\n", text) + "\n")


main()
