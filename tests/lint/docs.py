# SPDX-License-Identifier: MIT
"""The documents say what is: their snippet, names, headers, links and versions exist."""
import re
import textwrap

import common

SNIPPET = re.compile(r"<!-- snippet: (\S+) -->\n```cpp\n(.*?)```", re.DOTALL)
REGION = re.compile(r"// snippet-begin\n(.*?)[^\n]*// snippet-end", re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"\bweir::([\w:]+)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
HEADER = re.compile(r"[\w/]+\.hpp")

documents = [path for path in common.files(".md")]
sources = "\n".join(path.read_text() for path in common.headers())
headers = [str(path) for path in common.files(".hpp")]
words = set(re.findall(r"\w+", common.code(sources)))

for document in documents:
    text = document.read_text()
    for span in CODE.finditer(text):
        line = common.line_of(text, span.start())
        for name in NAME.findall(span[1]):
            for part in filter(None, name.split("::")):
                if part not in words:
                    common.finding(document, line, f"weir::{name}: no {part}")
        for header in HEADER.findall(span[1]):
            if not any(path.endswith(f"/{header}") for path in headers):
                common.finding(document, line, f"no header {header}")
    prose = FENCED.sub(lambda block: "\n" * block[0].count("\n"), text)
    for match in LINK.finditer(prose):
        if not (document.parent / match[1]).exists():
            common.finding(document, common.line_of(prose, match.start()), f"no file {match[1]}")

readme = common.ROOT / "README.md"
snippets = SNIPPET.findall(readme.read_text())
if not snippets:
    common.finding(readme, 1, "no snippet")
for source, shown in snippets:
    region = REGION.search((common.ROOT / source).read_text())
    if not region or textwrap.dedent(region[1]) != shown:
        common.finding(readme, 1, f"the snippet differs from the marked region of {source}")

version_header = (common.HEADERS / "version.hpp").read_text()
defines = dict(re.findall(r"#define WEIR_VERSION_(\w+) (\d+)", version_header))
version = ".".join(defines[part] for part in ("MAJOR", "MINOR", "PATCH"))
changelog = common.ROOT / "CHANGELOG.md"
heading = re.search(r"^## .*?(\d+\.\d+\.\d+)", changelog.read_text(), re.MULTILINE)
if not heading or heading[1] != version:
    common.finding(changelog, 1, f"the newest heading must name version {version}")
for wanted in re.findall(r"find_package\(weir ([\d.]+)", readme.read_text()):
    if not (version + ".").startswith(wanted + "."):
        common.finding(readme, 1, f"asks for version {wanted}, but this is {version}")

common.finish()
