# SPDX-License-Identifier: MIT
"""Runs fuzzers for some time each, two at a time, on copies of their corpora; prints what each of them did.

run.py --programs DIR --corpora DIR [--seconds N] [--jobs N] TARGET...

Programs are DIR/fuzz.TARGET. What a fuzzer finds stays in DIR/found/TARGET-*; the exit status is not 0 then.
New inputs that reach more stay in DIR/grown/TARGET.
"""
import argparse
import concurrent.futures
import dataclasses
import pathlib
import re
import shutil
import subprocess
import sys


@dataclasses.dataclass
class Outcome:
    target: str
    seeds: int
    executions: int
    per_second: int
    edges: int
    problem: str


def number(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def problem_of(status: int, log: str, executions: int, program: pathlib.Path) -> str:
    said = re.search(r"^(fuzz: .*|==\d+==\s*ERROR: .*|.*runtime error: .*)$", log, re.MULTILINE)
    unit = re.search(r"Test unit written to (\S+)", log)
    if status == 0:
        return "" if executions else "nothing was executed"
    parts = [said[1] if said else f"exit status {status}"]
    if unit:
        parts.append(f"again: {program} {unit[1]}")
    return "; ".join(parts)


def run(target: str, arguments: argparse.Namespace) -> Outcome:
    program = arguments.programs / f"fuzz.{target}"
    seeds = arguments.corpora / target
    grown = arguments.programs / "grown" / target
    shutil.rmtree(grown, ignore_errors=True)
    shutil.copytree(seeds, grown)
    found = arguments.programs / "found"
    found.mkdir(exist_ok=True)
    print(f"{target}: {len(list(seeds.iterdir()))} seeds, {arguments.seconds} s\n", end="", flush=True)
    command = [program, f"-max_total_time={arguments.seconds}", "-timeout=10", "-max_len=768",
               "-len_control=10", "-print_final_stats=1", f"-artifact_prefix={found}/{target}-",
               grown]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                              timeout=arguments.seconds + 120, check=False)
        status, log = done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        status, log = -1, "fuzz: the fuzzer did not end\n"
    (found / f"{target}.log").write_text(log)
    executions = number(r"stat::number_of_executed_units: (\d+)", log)
    outcome = Outcome(target, len(list(seeds.iterdir())), executions,
                      number(r"stat::average_exec_per_sec: +(\d+)", log),
                      number(r" cov: (\d+)", log),
                      problem_of(status, log, executions, program))
    print(f"{target}: {outcome.executions} executions, {outcome.per_second} per second, "
          f"{outcome.problem or 'clean'}\n", end="", flush=True)
    return outcome


def table(outcomes: list[Outcome]) -> None:
    print(f"\n{'fuzzer':<16}{'seeds':>7}{'executions':>12}{'per second':>12}{'edges':>8}  outcome")
    for each in outcomes:
        print(f"{each.target:<16}{each.seeds:>7}{each.executions:>12}{each.per_second:>12}"
              f"{each.edges:>8}  {'FAILED: ' + each.problem if each.problem else 'clean'}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--corpora", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        outcomes = list(pool.map(lambda target: run(target, arguments), arguments.targets))
    table(outcomes)
    failed = [each.target for each in outcomes if each.problem]
    total = sum(each.executions for each in outcomes)
    print(f"fuzz: {len(outcomes)} fuzzers, {total} executions, "
          f"{len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
