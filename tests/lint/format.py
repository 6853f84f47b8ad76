# SPDX-License-Identifier: MIT
"""Every C++ file is formatted as .clang-format says. `format.py ROOT --fix` formats them."""
import subprocess
import sys

import common

mode = ["-i"] if "--fix" in sys.argv else ["--dry-run", "-Werror", "--ferror-limit=1"]
run = subprocess.run(["clang-format-19", "--style=file", *mode, *common.files(".hpp", ".cpp")])
sys.exit(run.returncode)
