# SPDX-License-Identifier: MIT
"""Every source has its SPDX line; no file names a place outside the repository."""
import re

import common

SOURCES = (".hpp", ".cpp", ".py", ".sh", ".cmake", ".cmake.in", "CMakeLists.txt", "floors.txt",
           ".ci/run", ".clang-format", ".clang-tidy")
BINARY = (".png", ".jpg", ".bin")
SPDX = "SPDX-License-Identifier: MIT"

ELSEWHERE = re.compile(r"(?<![\w./])/(?:home|root|work|mnt|Users)/[\w.]")
UPWARDS = re.compile(r"(?<![\w./])(?:\.\./)+[\w./-]*")

for path in common.files():
    if path.name.endswith(BINARY) or "corpus" in path.parts:
        continue
    text = path.read_text()
    if str(path).endswith(SOURCES) and SPDX not in "".join(text.splitlines(True)[:2]):
        common.finding(path, 1, f"the first line (the second, after #!) must say {SPDX}")
    if text and not text.endswith("\n"):
        common.finding(path, common.line_of(text, len(text)), "no newline at the end")
    for match in ELSEWHERE.finditer(text):
        common.finding(path, common.line_of(text, match.start()), f"a path of one machine: {match[0]}")
    for match in UPWARDS.finditer(text):
        target = (path.parent / match[0]).resolve()
        if not target.is_relative_to(common.ROOT) or not target.exists():
            line = common.line_of(text, match.start())
            common.finding(path, line, f"{match[0]} is not in the repository")

common.finish()
