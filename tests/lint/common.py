# SPDX-License-Identifier: MIT
"""What the lint scripts share: the repository's files, C++ without its comments, findings.

Every script is run as `script.py ROOT`; it prints one finding per line and fails if there is any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
HEADERS = ROOT / "include/weir"
NOT_OURS = {".git", "build", "__pycache__"}
BAD_SAMPLES = ROOT / "tests/lint/bad"

_COMMENT_OR_STRING = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | "(?:\\.|[^"\\\n])*" | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+' """,
    re.DOTALL | re.VERBOSE)

_findings: list[str] = []


def files(*suffixes: str) -> list[pathlib.Path]:
    """The repository's files with one of these endings, or all; without the bad samples."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        if path.is_file() and not NOT_OURS & set(inside) and BAD_SAMPLES not in path.parents:
            if not suffixes or path.name.endswith(suffixes):
                found.append(path)
    return found


def headers() -> list[pathlib.Path]:
    return sorted(HEADERS.rglob("*.hpp"))


def code(text: str) -> str:
    """The text with comments and string literals blanked; every character keeps its place."""
    return _COMMENT_OR_STRING.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def balanced(text: str, opening: int) -> int:
    """The offset behind the parenthesis that closes the one at `opening`."""
    depth = 0
    for offset in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[offset], 0)
        if depth == 0:
            return offset + 1
    return len(text)


def finding(path: pathlib.Path, line: int, message: str) -> None:
    text = f"{path.relative_to(ROOT)}:{line}: {message}"
    if text not in _findings:
        _findings.append(text)


def finish() -> None:
    print("\n".join(_findings) if _findings else "no findings")
    sys.exit(1 if _findings else 0)
