# SPDX-License-Identifier: MIT
"""A header has at most 350 lines, a function in it at most 40."""
import re
from typing import Iterator

import common

HEADER_LINES = 350
FUNCTION_LINES = 40

NO_DECLARATION = re.compile(
    r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*|\b(?:public|protected|private):", re.MULTILINE)
# What may stand before a brace and hold parentheses without being a function's head.
NOT_A_FUNCTION = re.compile(r"\bconcept\b|\brequires\s*\([^()]*\)\s*$")
NOT_A_PARAMETER_LIST = re.compile(r"\balignas\s*\([^()]*\)|\brequires\s*\([^()]*\)")


def functions(text: str) -> Iterator[tuple[int, int]]:
    """First and last offset of every function, by its braces; what is nested counts as part of it."""
    head = 0      # where the declaration being read starts
    scopes = []   # per open brace: function, scope (namespace, class, ...) or other; and its head
    for offset, character in enumerate(text):
        if character == "{":
            declaration = text[head:offset]
            if scopes and scopes[-1][0] != "scope" or NOT_A_FUNCTION.search(declaration):
                kind = "other"
            else:
                kind = "function" if "(" in NOT_A_PARAMETER_LIST.sub("", declaration) else "scope"
            scopes.append((kind, head))
            head = offset + 1
        elif character == "}":
            kind, start = scopes.pop()
            head = offset + 1
            if kind != "function":
                continue
            # In a constructor's initializer list a brace is followed by the next one, or by the body.
            if text[offset + 1:].lstrip()[:1] in (",", "{"):
                head = start
            else:
                yield start + len(text[start:]) - len(text[start:].lstrip()), offset
        elif character == ";":
            head = offset + 1


for path in common.headers():
    source = path.read_text()
    length = source.count("\n")
    if length > HEADER_LINES:
        common.finding(path, length, f"{length} lines; a header has at most {HEADER_LINES}")
    text = NO_DECLARATION.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), common.code(source))
    for start, end in functions(text):
        first = common.line_of(text, start)
        count = common.line_of(text, end) - first + 1
        if count > FUNCTION_LINES:
            common.finding(path, first, f"a function of {count} lines; at most {FUNCTION_LINES}")

common.finish()
