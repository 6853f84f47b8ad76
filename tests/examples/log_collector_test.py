# SPDX-License-Identifier: MIT
"""log_collector, many processes, from outside: what it keeps, how it ends, what it leaves behind.

usage: log_collector_test.py PROGRAM [unittest arguments]
"""
import ctypes
import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = sys.argv.pop(1)
WATCHDOG = 30  # seconds in which anything must end that has nothing to write
RUN_WATCHDOG = 240
PR_SET_CHILD_SUBREAPER = 36
RESULT = re.compile(r"written (\d+)\nkilled (\d+)\nrecovered (\d+)\nlost (\d+)\n")
LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z p(\d{3}) g(\d{7}) #(\d{10}) "
                  rb"(?:DEBUG|INFO |WARN |ERROR) .{20,200} ([0-9a-f]{8})")


def wait_until(condition, what):
    """Looks until the condition holds, and returns what it returned."""
    end = time.monotonic() + WATCHDOG
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.001)
    raise AssertionError(f"watchdog: {what}")


def children_of(process):
    path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in path.read_text().split()]


def checksum(line):
    """FNV-1a of 32 bits."""
    value = 0x811C9DC5
    for byte in line:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


class LogCollector(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.out = pathlib.Path(directory.name, "logs")

    def tearDown(self):
        # As their subreaper this process inherits whatever is left: living, dead or zombie.
        with self.assertRaises(ChildProcessError, msg="a process is left"):
            os.waitpid(-1, os.WNOHANG)
        self.assertEqual(list(pathlib.Path("/dev/shm").glob("weir-*")), [])

    def start(self, *options, megabytes=100, **more):
        bound = ["--megabytes", str(megabytes)] if megabytes else []
        process = subprocess.Popen([PROGRAM, "--out", str(self.out), *bound, *options],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def start_long(self, *options, producers=4, **more):
        """One that has written something, and its children: the collector comes first."""
        process = self.start("--producers", str(producers), "--seconds", "3600", "--kill-rate", "0",
                             *options, megabytes=100_000, **more)
        children = wait_until(
            lambda: len(found := children_of(process)) == producers + 1 and found, "no children")
        wait_until(lambda: sum(file.stat().st_size for file in self.out.glob("*")), "no lines")
        return process, children

    def assert_ends(self, process, status, lines):
        self.assertEqual(process.wait(WATCHDOG), status)
        complaint = process.stderr.read().decode()
        self.assertEqual(complaint.count("\n"), lines, complaint)
        self.assertTrue(complaint.startswith("log_collector: ") if lines else complaint == "",
                        complaint)
        return complaint

    def assert_keeps(self, process):
        """Returns  written, killed, recovered."""
        out, complaint = process.communicate(timeout=RUN_WATCHDOG)
        self.assertEqual((process.returncode, complaint), (0, b""))
        result = RESULT.fullmatch(out.decode())
        self.assertTrue(result, out)
        written, killed, recovered, lost = map(int, result.groups())
        print(f"\nwritten {written}, killed {killed}, recovered {recovered}")
        self.assertEqual(lost, 0)
        self.assertLessEqual(recovered, killed)
        self.assert_on_disk(written)
        return written, killed, recovered

    def assert_on_disk(self, written):
        lines = 0
        for file in self.out.iterdir():
            expected = None
            for number, line in enumerate(file.read_bytes().splitlines()):
                found = LINE.fullmatch(line)
                self.assertTrue(found, line)
                seat, generation, sequence = map(int, found.groups()[:3])
                self.assertEqual(f"producer-{seat:03}.log", file.name)
                if expected is None or generation > expected[0]:
                    expected = (generation, 0)
                self.assertEqual((generation, sequence), expected, file)
                expected = (generation, sequence + 1)
                if number % 100 == 0:
                    self.assertEqual(int(found[4], 16), checksum(line[:-8]), line)
                lines += 1
        self.assertEqual(lines, written)


class Run(LogCollector):
    def test_of_killed_producers_only_the_open_claim_is_missing(self):
        written, killed, _ = self.assert_keeps(
            self.start("--producers", "8", "--seconds", "3", "--kill-rate", "20"))
        self.assertGreater(written, 0)
        self.assertGreater(killed, 0)

    def test_the_same_with_a_ring_that_is_always_full(self):
        _, killed, _ = self.assert_keeps(
            self.start("--seconds", "2", "--kill-rate", "100", "--ring-size", "4096"))
        self.assertGreater(killed, 0)

    def test_the_same_with_one_producer_at_a_time(self):
        self.assert_keeps(self.start("--producers", "1", "--seconds", "1", "--kill-rate", "30"))

    def test_without_kills_every_line_is_there(self):
        self.out.mkdir()
        _, killed, recovered = self.assert_keeps(
            self.start("--producers", "3", "--seconds", "1", "--kill-rate", "0"))
        self.assertEqual((killed, recovered), (0, 0))
        self.assertEqual(len(list(self.out.iterdir())), 3)

    def test_the_files_stay_below_their_bound(self):
        self.assert_keeps(self.start("--seconds", "1", "--ring-size", "65536", megabytes=5))
        size = sum(file.stat().st_size for file in self.out.iterdir())
        # What one drain took, at most a ring of the longest lines, and what the ring still held come on top.
        self.assertLess(size, 5_000_000 + 3 * 65536)


class Endings(LogCollector):
    def test_an_interrupt_ends_it_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name):
                process, _ = self.start_long()
                process.send_signal(number)
                self.assert_keeps(process)
                for file in self.out.iterdir():
                    file.unlink()

    def test_an_interrupt_from_the_terminal_reaches_all_and_ends_it_in_order(self):
        process, _ = self.start_long(start_new_session=True)
        os.killpg(process.pid, signal.SIGINT)
        self.assert_keeps(process)

    def test_when_the_supervisor_is_killed_the_others_end(self):
        process, children = self.start_long()
        process.kill()
        self.assertEqual(process.wait(WATCHDOG), -signal.SIGKILL)
        for child in children:
            _, status = wait_until(lambda: (end := os.waitpid(child, os.WNOHANG))[0] and end,
                                   "a child lives on")
            # 1: it had only just been forked, and found its parent gone.
            self.assertIn(os.waitstatus_to_exitcode(status), (-signal.SIGKILL, 1))

    def test_when_the_collector_is_killed_it_ends_with_one_line(self):
        process, children = self.start_long()
        os.kill(children[0], signal.SIGKILL)
        self.assertEqual(self.assert_ends(process, 1, lines=1),
                         "log_collector: the collector died: Killed\n")

    def test_when_somebody_else_kills_a_producer_it_ends_with_one_line(self):
        process, children = self.start_long()
        os.kill(children[-1], signal.SIGKILL)
        self.assertEqual(self.assert_ends(process, 1, lines=1),
                         "log_collector: a producer died: Killed\n")

    def test_a_full_disk_is_one_line(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

        # Shared memory is a file too.
        process = self.start("--producers", "2", "--seconds", "3600", "--ring-size", "65536",
                             megabytes=1_000_000, preexec_fn=limit)
        complaint = self.assert_ends(process, 1, lines=1)
        self.assertRegex(complaint, r"producer-00\d\.log: File too large\n\Z")

    def test_a_terminal_shows_how_far_it_is(self):
        terminal, line = pty.openpty()
        process = subprocess.Popen([PROGRAM, "--out", str(self.out), "--seconds", "1", "--megabytes",
                                    "10"], stdout=subprocess.DEVNULL, stderr=line)
        os.close(line)
        self.assertEqual(process.wait(WATCHDOG), 0)
        shown = os.read(terminal, 2**16)
        os.close(terminal)
        self.assertRegex(shown, rb"of 1 s, \d+ lines, \d+ producers killed")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)


class Errors(LogCollector):
    def test_a_bad_option_is_one_line(self):
        bad = [["--producers", number] for number in ("0", "257", "-1", "8.5", "many", "")]
        bad += [["--seconds", number] for number in ("0", "3601", "nan")]
        bad += [["--kill-rate", number] for number in ("-1", "1001")]
        bad += [["--ring-size", size] for size in ("2048", "4097")]
        bad += [["--megabytes", "0"], ["--seed", "x"], ["--unknown"], ["file"]]
        for options in bad:
            with self.subTest(options=options):
                self.assert_ends(self.start(*options, megabytes=None), 1, lines=1)
                self.assertFalse(self.out.exists())

    def test_no_folder_is_one_line(self):
        done = subprocess.run([PROGRAM], capture_output=True, timeout=WATCHDOG)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count(b"\n")), (1, b"", 1))

    def test_help_is_no_error(self):
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=WATCHDOG)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"--kill-rate", done.stdout)

    def test_a_folder_with_something_in_it_is_one_line_and_stays_as_it_is(self):
        self.out.mkdir()
        (self.out / "note").write_text("keep me")
        complaint = self.assert_ends(self.start(), 1, lines=1)
        self.assertEqual(complaint, f"log_collector: {self.out}: is not empty\n")
        self.assertEqual([file.name for file in self.out.iterdir()], ["note"])

    def test_what_is_no_folder_is_one_line(self):
        self.out.write_text("a file")
        self.assert_ends(self.start(), 1, lines=1)
        self.assertEqual(self.out.read_text(), "a file")
        self.out = pathlib.Path("/dev/null/logs")
        self.assert_ends(self.start(), 1, lines=1)


if __name__ == "__main__":
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    unittest.main(verbosity=2)
