# SPDX-License-Identifier: MIT
"""No source is forgotten: CMakeLists.txt installs every header, and builds every .cpp file.

A .cpp file is named in the CMakeLists.txt of its directory or of one above, with or without its ending.
"""
import re

import common

installed = common.ROOT / "CMakeLists.txt"
headers = re.findall(r"^  (include/weir/\S+\.hpp)", installed.read_text(), re.MULTILINE)
for path in common.headers():
    if str(path.relative_to(common.ROOT)) not in headers:
        common.finding(installed, 1, f"does not install {path.name}")

lists = {path.parent: path.read_text() for path in common.files("CMakeLists.txt")}
for path in common.files(".cpp"):
    name = path.name.split(".")[0]
    named = re.compile(rf"(?:^|[\s/]){name}(?:\.[\w.]+)?(?:[\s)]|$)", re.MULTILINE)
    if not any(named.search(lists.get(parent, "")) for parent in path.parents):
        common.finding(path, 1, "no CMakeLists.txt builds this file")

common.finish()
