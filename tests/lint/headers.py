# SPDX-License-Identifier: MIT
"""Every header compiles alone, without exceptions or RTTI, and without a warning.

usage: headers.py ROOT COMPILER PACKAGE
"""
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

import common

FLAGS = ("-std=c++20 -fsyntax-only -x c++ -fno-exceptions -fno-rtti "
         "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror").split()
compiler, package = sys.argv[2:4]


def check(path: pathlib.Path) -> None:
    include = f"#include <{path.relative_to(common.HEADERS.parent)}>\n"
    run = subprocess.run([compiler, *FLAGS, f"-I{common.HEADERS.parent}", "-"], input=include,
                         capture_output=True, text=True)
    if run.returncode != 0:
        common.finding(path, 1, f"does not compile alone with {compiler}:\n{run.stderr}")


if not shutil.which(compiler):
    sys.exit(f"{compiler} is missing: install the package {package}")
with concurrent.futures.ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
    list(pool.map(check, common.headers()))
common.finish()
