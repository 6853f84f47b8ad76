# SPDX-License-Identifier: MIT
"""Preprocessor branches: no platform falls through a group in silence.

An #else has content; a group that asks for a platform has an #else; one with #elif has #error in it.
"""
import re

import common

DIRECTIVE = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif|error)\b(.*)")
PLATFORM = re.compile(r"\b(__linux__|__APPLE__|_WIN32|__wasm__|__EMSCRIPTEN__"
                      r"|__x86_64__|__i386__|__aarch64__|__arm__)\b")

for path in common.headers():
    groups: list[dict] = []  # the open #if groups, outermost first
    for number, line in enumerate(common.code(path.read_text()).splitlines(), 1):
        match = DIRECTIVE.match(line)
        directive = match[1] if match else None
        if directive in ("if", "ifdef", "ifndef"):
            groups.append({"platform": bool(PLATFORM.search(match[2])), "elif": False, "else": None,
                           "content": False, "error": False})
        elif directive == "elif":
            groups[-1]["elif"] = True
            groups[-1]["platform"] |= bool(PLATFORM.search(match[2]))
        elif directive == "else":
            groups[-1] |= {"else": number, "content": False, "error": False}
        elif directive == "endif":
            group = groups.pop()
            if group["else"] and not group["content"]:
                common.finding(path, group["else"], "this #else does nothing")
            elif group["platform"] and not group["else"]:
                common.finding(path, number, "this group asks for a platform and has no #else")
            elif group["platform"] and group["elif"] and not group["error"]:
                common.finding(path, group["else"], "the last #else must be #error")
        elif groups and line.strip():
            for group in groups:
                group["content"] = True
            groups[-1]["error"] |= directive == "error"

common.finish()
