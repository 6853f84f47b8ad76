# SPDX-License-Identifier: MIT
"""ring_cat, two processes, from outside: what it copies, how it ends, what it leaves behind.

usage: ring_cat_test.py PROGRAM [unittest arguments]
"""
import ctypes
import hashlib
import os
import pathlib
import pty
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = sys.argv.pop(1)
WATCHDOG = 10  # seconds in which anything must end that has nothing to copy
COPY_WATCHDOG = 240
SEED = random.SystemRandom().randrange(2**32)
PR_SET_CHILD_SUBREAPER = 36


def wait_until(condition, what):
    """Looks until the condition holds, and returns what it returned."""
    end = time.monotonic() + WATCHDOG
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.001)
    raise AssertionError(f"watchdog: {what}")


def child_of(process):
    path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return wait_until(lambda: [int(word) for word in path.read_text().split()], "no child")[0]


class RingCat(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def tearDown(self):
        # As their subreaper this process inherits whatever ring_cat leaves: living, dead or zombie.
        with self.assertRaises(ChildProcessError, msg="a process is left"):
            os.waitpid(-1, os.WNOHANG)
        self.assertEqual(list(pathlib.Path("/dev/shm").glob("weir-*")), [])

    def start(self, *options, **streams):
        streams.setdefault("stdin", subprocess.PIPE)
        streams.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen([PROGRAM, *options], stderr=subprocess.PIPE, **streams)
        self.addCleanup(process.stderr.close)
        for stream in filter(None, (process.stdin, process.stdout)):
            self.addCleanup(stream.close)
        return process

    def assert_ends(self, process, status, lines, report=None):
        began = time.monotonic()
        self.assertEqual(process.wait(WATCHDOG), status)
        if report:
            print(f"\n{report}: the end came after {time.monotonic() - began:.3f} s")
        complaint = process.stderr.read().decode()
        self.assertEqual(complaint.count("\n"), lines, complaint)
        self.assertTrue(complaint.startswith("ring_cat: ") if lines else complaint == "", complaint)
        return complaint

    def file(self, data):
        path = pathlib.Path(self.directory.name, "input")
        path.write_bytes(data)
        return path.open("rb")


class Copy(RingCat):
    def assert_copies(self, data, *options):
        with self.file(data) as source:
            done = subprocess.run([PROGRAM, *options], stdin=source, capture_output=True,
                                  timeout=COPY_WATCHDOG)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), hashlib.sha256(data).hexdigest())

    def test_an_input_of_any_size_comes_out_unchanged(self):
        for size in (0, 1, 2**20, 2**26):
            for options in ([], ["--ring-size", "4096"]):
                with self.subTest(size=size, options=options):
                    self.assert_copies(os.urandom(size), *options)

    def test_every_policy_copies(self):
        for policy in ("park", "backoff", "spin"):
            with self.subTest(policy=policy):
                self.assert_copies(os.urandom(2**20), "--policy", policy)

    def test_pieces_of_any_size_from_a_pipe_come_out_unchanged(self):
        pieces = random.Random(SEED)
        data = os.urandom(2**22)
        process = self.start("--ring-size", "4096")

        def write():
            at = 0
            while at < len(data):
                size = pieces.choice((1, 7, 100, 4096, 100_000))
                os.write(process.stdin.fileno(), data[at:at + size])
                at += size
            process.stdin.close()

        writer = threading.Thread(target=write)
        writer.start()
        copied = process.stdout.read()
        writer.join()
        self.assert_ends(process, 0, lines=0)
        self.assertEqual(hashlib.sha256(copied).hexdigest(), hashlib.sha256(data).hexdigest())

    def test_what_came_in_goes_out_before_more_comes(self):
        process = self.start()
        for line in (b"first\n", b"second\n"):
            os.write(process.stdin.fileno(), line)
            self.assertEqual(os.read(process.stdout.fileno(), 100), line)
        process.stdin.close()
        self.assert_ends(process, 0, lines=0)

    def test_stats_count_the_bytes(self):
        process = self.start("--stats", stdout=subprocess.DEVNULL)
        os.write(process.stdin.fileno(), b"x" * 1000)
        process.stdin.close()
        self.assertIn("1000 bytes in ", self.assert_ends(process, 0, lines=4))

    def test_a_terminal_shows_how_far_it_is(self):
        terminal, line = pty.openpty()
        with self.file(os.urandom(2**24)) as source:
            process = subprocess.Popen([PROGRAM], stdin=source, stdout=subprocess.DEVNULL, stderr=line)
            os.close(line)
            self.assertEqual(process.wait(WATCHDOG), 0)
        shown = os.read(terminal, 2**16)
        os.close(terminal)
        self.assertIn(b" of 16.8 MB, ", shown)
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)


class Endings(RingCat):
    def test_a_reader_who_has_enough_ends_it_silently(self):
        data = os.urandom(2**22)
        with self.file(data) as source:
            process = self.start(stdin=source)
            self.assertEqual(os.read(process.stdout.fileno(), 100), data[:100])
            process.stdout.close()
            self.assert_ends(process, 0, lines=0, report="closed reading end")

    def test_a_reader_who_has_enough_ends_it_though_the_input_stays_open(self):
        process = self.start()
        os.write(process.stdin.fileno(), b"x" * 100)
        os.read(process.stdout.fileno(), 100)
        process.stdout.close()
        os.write(process.stdin.fileno(), b"x")
        self.assert_ends(process, 0, lines=0)

    def test_killed_writer_while_there_is_no_input(self):
        process = self.start()
        os.kill(child_of(process), signal.SIGKILL)
        self.assert_ends(process, 1, lines=1, report="killed writer, quiet input")

    def test_killed_writer_while_the_ring_is_full(self):
        for policy in ("park", "backoff", "spin"):
            with self.subTest(policy=policy), self.file(os.urandom(2**20)) as source:
                process = self.start("--ring-size", "4096", "--policy", policy, stdin=source)
                child = child_of(process)
                # The output is a pipe that nobody reads: it fills, then the ring does.
                position = lambda: os.lseek(source.fileno(), 0, os.SEEK_CUR)
                wait_until(lambda: position() >= 2**16, "the ring does not fill")
                os.kill(child, signal.SIGKILL)
                self.assert_ends(process, 1, lines=1, report=f"killed writer, full ring, {policy}")

    def test_killed_reader(self):
        for policy in ("park", "backoff", "spin"):
            with self.subTest(policy=policy):
                process = self.start("--policy", policy)
                child = child_of(process)
                os.write(process.stdin.fileno(), b"last words")
                self.assertEqual(os.read(process.stdout.fileno(), 100), b"last words")
                process.kill()
                self.assertEqual(process.wait(WATCHDOG), -signal.SIGKILL)
                began = time.monotonic()
                _, status = wait_until(lambda: (end := os.waitpid(child, os.WNOHANG))[0] and end,
                                       "the child lives on")
                print(f"\nkilled reader, {policy}: the end came after {time.monotonic() - began:.3f} s")
                self.assertEqual(os.waitstatus_to_exitcode(status), 1)
                self.assertEqual(process.stdout.read(), b"")
                complaint = process.stderr.read().decode()
                self.assertRegex(complaint, r"\Aring_cat: [^\n]*died\n\Z")


class Errors(RingCat):
    def test_a_bad_option_is_one_line(self):
        sizes = ("0", "1", "2048", "4097", "-4096", "4096.5", "4k", "4294967296", "")
        bad = [["--ring-size", size] for size in sizes]
        bad += [["--ring-size"], ["--policy", "poll"], ["--policy"], ["--unknown"], ["file"]]
        for options in bad:
            with self.subTest(options=options):
                self.assert_ends(self.start(*options), 1, lines=1)

    def test_help_is_no_error(self):
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=WATCHDOG)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"--ring-size", done.stdout)

    def test_a_full_disk_is_one_line(self):
        with self.file(os.urandom(2**22)) as source, open("/dev/full", "wb") as full:
            complaint = self.assert_ends(self.start(stdin=source, stdout=full), 1, lines=1)
        self.assertEqual(complaint, "ring_cat: standard output: No space left on device\n")

    def test_a_full_disk_ends_it_though_the_input_stays_open(self):
        with open("/dev/full", "wb") as full:
            process = self.start(stdout=full)
            os.write(process.stdin.fileno(), b"x")
            self.assert_ends(process, 1, lines=1)

    def test_a_directory_is_no_input(self):
        directory = os.open(self.directory.name, os.O_RDONLY)
        complaint = self.assert_ends(self.start(stdin=directory), 1, lines=1)
        os.close(directory)
        self.assertEqual(complaint, "ring_cat: standard input: Is a directory\n")

    def test_a_closed_stream_is_one_line(self):
        for number, stream in ((0, "standard input"), (1, "standard output")):
            with self.subTest(stream=stream):
                process = self.start(preexec_fn=lambda closed=number: os.close(closed))
                complaint = self.assert_ends(process, 1, lines=1)
                self.assertEqual(complaint, f"ring_cat: {stream}: Bad file descriptor\n")


if __name__ == "__main__":
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    print(f"seed {SEED}")
    unittest.main(verbosity=2)
