# SPDX-License-Identifier: MIT
"""Applies each mutant to a copy of the headers and runs the tests that are to fail then.

usage: run.py ROOT BUILD [--quick] [--only TEXT] [--jobs N] [--list | --check] [--named FILE]

A mutant is killed by the first of its tests that fails, does not end (the limit is ten times what the test
takes without a mutant), or says no at compile time. Every test is run without a mutant before it may judge
one, here or by ctest in the preset model; if it fails then, nothing is judged. Of the tests of an equivalent
mutant only the first is run: if that kills it, it is none. --quick takes every tenth mutant that is not
equivalent, so a tenth of each header's.

The last line is `mutants: N run, K killed, E equivalent, S survived`. The exit is 0 only if something was
run, nothing survived, everything compiled, and nothing that is listed as equivalent was killed.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import mutants as lists
from mutants import common

GCC = "g++"
UNIT_COMPILER = shutil.which("clang++-19") or GCC  # takes half the time for what is not optimized
FLAGS = ["-std=c++20", "-w", "-pthread", "-DWEIR_CONTRACTS=1"]
UNIT = ["-O0", "-DWEIR_TEST_SLOWDOWN=4"]  # compiling these takes longer than running them
MODEL = ["-O1", "-U_FORTIFY_SOURCE"]      # model programs, which run all executions
SHORTEST_LIMIT = 15  # seconds, for a test that is not done


class Unusable(Exception):
    """A test fails without a mutant, or something cannot be built."""


class Toolbox:
    """Compiles and runs tests against some include directory."""

    def __init__(self, build):
        self.build = build
        self.build.mkdir(parents=True, exist_ok=True)
        self.tests = common.ROOT / "tests"
        self.main = build / "catch_main.o"
        self.foreign = build / "foreign.hpp"
        self.timings = build / "baseline.json"
        self.locks = {}
        self.guard = threading.Lock()
        self.known = json.loads(self.timings.read_text()) if self.timings.exists() else {}
        self.state = self.digest()
        self.newest = max(path.stat().st_mtime for path in common.files(".hpp"))

    def digest(self):
        """Of all that a test without a mutant consists of, but for its own file."""
        digest = hashlib.sha256(repr((FLAGS, UNIT, MODEL)).encode())
        for compiler in (GCC, UNIT_COMPILER):
            version = subprocess.run([compiler, "--version"], capture_output=True, check=True)
            digest.update(version.stdout)
        for path in common.files(".hpp"):
            digest.update(str(path).encode() + path.read_bytes())
        return digest.hexdigest()

    def prepare(self):
        """Catch2's main function, and all foreign headers, compiled once."""
        sources = common.headers() + sorted((self.tests / "support").glob("*.hpp"))
        text = "".join(path.read_text() for path in sources)
        included = set(re.findall(r"^#include (<(?!weir)[^>]+>)", text, re.MULTILINE))
        lines = [f"#include {name}\n" for name in ["<catch2/catch.hpp>", *sorted(included)]]
        wanted = f"// {UNIT_COMPILER} {FLAGS + UNIT}\n" + "".join(lines)
        if self.foreign.exists() and self.foreign.read_text() == wanted:
            return
        self.foreign.unlink(missing_ok=True)
        source = self.build / "foreign_source.hpp"
        source.write_text(wanted)
        clang = "clang" in UNIT_COMPILER
        compiled = self.foreign.with_suffix(".hpp.pch" if clang else ".hpp.gch")
        instantiated = ["-fpch-instantiate-templates"] if clang else []
        for what in (["-x", "c++-header", *instantiated, source, "-o", compiled],
                     ["-c", self.tests / "catch_main.cpp", "-o", self.main]):
            subprocess.run([UNIT_COMPILER, *FLAGS, *UNIT, *what], check=True)
        self.foreign.write_text(wanted)

    def compile(self, test, include, program):
        """The compiler's complaints, or None."""
        common_part = [*FLAGS, "-I", include, "-I", self.tests, lists.source_of(test), "-o", program]
        if test.startswith("model/"):
            command = [GCC, *MODEL, *common_part]
        else:
            command = [UNIT_COMPILER, *UNIT, "-include", self.foreign, *common_part, self.main]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stderr if done.returncode else None

    def run(self, test, program, limit):
        """Why the test failed, or None."""
        arguments = [] if test.startswith("model/") else ["--abort"]
        started = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            code = started.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        try:  # the children of a test that was killed, too
            os.killpg(started.pid, 9)
        except ProcessLookupError:
            pass
        started.wait()
        return "hang" if code is None else f"exit {code}" if code else None

    def seconds_in_ctest(self, test):
        """What the test took in the preset model's ctest, if it passed there since its sources changed."""
        programs, name = self.build.parent / "model", test.removeprefix("model/")
        program, results = programs / f"model.{name}", programs / f"results/{name}.tsv"
        if name == test or not program.exists() or not results.exists():
            return None
        changed = max(self.newest, lists.source_of(test).stat().st_mtime)
        if not changed < program.stat().st_mtime < results.stat().st_mtime:
            return None
        return sum(float(line.split("\t")[4]) for line in results.read_text().splitlines())

    def limit(self, test, directory):
        """Seconds that the test may take; runs it without a mutant first, unless ctest did."""
        if (seconds := self.seconds_in_ctest(test)) is not None:
            return max(SHORTEST_LIMIT, 10 * seconds)
        with self.guard:
            lock = self.locks.setdefault(test, threading.Lock())
        with lock:
            source = lists.source_of(test)
            key = hashlib.sha256(self.state.encode() + source.read_bytes()).hexdigest()
            if self.known.get(test, [None])[0] != key:
                program = directory / "unmutated"
                if complaint := self.compile(test, common.ROOT / "include", program):
                    raise Unusable(f"{test} does not compile without a mutant:\n{complaint}")
                begin = time.monotonic()
                if outcome := self.run(test, program, 600):
                    raise Unusable(f"{test} fails without a mutant: {outcome}")
                with self.guard:
                    self.known[test] = [key, time.monotonic() - begin]
                    written = self.timings.with_suffix(f".{os.getpid()}")
                    written.write_text(json.dumps(self.known))
                    written.replace(self.timings)  # at once: others may be reading
            return max(SHORTEST_LIMIT, 10 * self.known[test][1])


def judge(mutant, toolbox, directory):
    """What became of the mutant: (killed, survived, broken; by what)."""
    header = directory / "include/weir" / mutant.header
    original = header.read_text()
    try:
        header.write_text(original[:mutant.start] + mutant.replacement + original[mutant.end:])
        for test in mutant.tests[:1] if mutant.equivalent else mutant.tests:
            limit = toolbox.limit(test, directory)
            if complaint := toolbox.compile(test, directory / "include", directory / "mutated"):
                if "static assertion" in complaint:
                    return "killed", f"{test} (compile time)"
                return "broken", complaint
            if outcome := toolbox.run(test, directory / "mutated", limit):
                return "killed", f"{test} ({outcome})"
        return "survived", ", ".join(mutant.tests)
    finally:
        header.write_text(original)


def apart(chosen, jobs):
    """In an order that seldom has neighbours run at once: they share tests, and would wait for each other."""
    stride = -(-len(chosen) // jobs)
    return [chosen[i] for i in sorted(range(len(chosen)), key=lambda i: i % stride)]


def run_all(chosen, toolbox, jobs):
    """Judges every mutant; prints each verdict. Returns the verdicts: (mutant, outcome, by)."""
    verdicts = []
    with tempfile.TemporaryDirectory() as work:
        directories = queue.Queue()
        for job in range(jobs):
            directory = pathlib.Path(work) / str(job)
            shutil.copytree(common.ROOT / "include", directory / "include")
            directories.put(directory)

        def one(mutant):
            directory, begin = directories.get(), time.monotonic()
            try:
                outcome, by = judge(mutant, toolbox, directory)
            finally:
                directories.put(directory)
            return mutant, outcome, by, time.monotonic() - begin

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            try:
                waiting = [pool.submit(one, mutant) for mutant in apart(chosen, jobs)]
                for done in concurrent.futures.as_completed(waiting):
                    mutant, outcome, by, seconds = done.result()
                    verdicts.append((mutant, outcome, by))
                    print(f"[{len(verdicts):3} of {len(chosen)}] {outcome:8} {seconds:5.1f} s  "
                          f"{mutant.id}: {by.splitlines()[0]}", flush=True)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return verdicts


def report(verdicts):
    """Prints what is wrong, then the sum. Returns whether nothing is."""
    survived = [v for v in verdicts if v[1] == "survived" and not v[0].equivalent]
    equivalent = [v for v in verdicts if v[1] == "survived" and v[0].equivalent]
    killed = [v for v in verdicts if v[1] == "killed"]
    broken = [v for v in verdicts if v[1] == "broken"]
    wrong = [v for v in killed if v[0].equivalent]
    for mutant, _, by in survived:
        print(f"SURVIVED include/weir/{mutant.header}:{mutant.line}: {mutant.id}\n"
              f"  breaks: {mutant.breaks}\n  not noticed by: {by}")
    for mutant, _, by in broken:
        print(f"BROKEN {mutant.id} does not compile:\n{by}")
    for mutant, _, by in wrong:
        print(f"NOT EQUIVALENT {mutant.id}: killed by {by}; its proof: {mutant.equivalent}")
    print(f"mutants: {len(verdicts)} run, {len(killed)} killed, {len(equivalent)} equivalent, "
          f"{len(survived)} survived", flush=True)
    return bool(verdicts) and not survived and not broken and not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="mutants whose id contains this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="print the mutants and their tests")
    parser.add_argument("--check", action="store_true", help="check the lists and run nothing")
    parser.add_argument("--named", type=pathlib.Path, help="another list instead")
    options = parser.parse_args()
    chosen = [mutant for mutant in lists.load(options.named)
              if options.only in mutant.id and (mutant.quick or not options.quick)]
    if options.list or options.check:
        for mutant in chosen if options.list else []:
            print(f"{mutant.id}{' (equivalent)' * bool(mutant.equivalent)}: {' '.join(mutant.tests)}")
        print(f"{len(chosen)} mutants, {sum(m.generated for m in chosen)} of them generated, "
              f"{sum(bool(m.equivalent) for m in chosen)} equivalent")
        return 0 if chosen else 1
    toolbox = Toolbox(options.build.resolve())
    toolbox.prepare()
    return 0 if report(run_all(chosen, toolbox, options.jobs)) else 1


try:
    sys.exit(main())
except (lists.Stale, Unusable) as error:
    print(f"mutants: {error}", file=sys.stderr)
    sys.exit(2)
