# SPDX-License-Identifier: MIT
"""ticker from outside: whether its readers can account for every quote, and what it says to bad options.

usage: ticker_test.py PROGRAM [unittest arguments]
"""
import re
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
WATCHDOG = 240
ROW = re.compile(r"^(fast|slow|screen) +(\d+) +(\d+) +(\d+) +\d+\.\d +\d+\.\d$", re.M)


def run(*options):
    return subprocess.run([PROGRAM, *options], capture_output=True, timeout=WATCHDOG, text=True)


class Run(unittest.TestCase):
    def rows(self, ticks, *options):
        """Returns  by reader: received, lost, gaps."""
        done = run("--ticks", str(ticks), *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = {name: tuple(map(int, numbers)) for name, *numbers in ROW.findall(done.stdout)}
        self.assertEqual(list(rows), ["fast", "slow", "screen"], done.stdout)
        for received, lost, gaps in rows.values():
            self.assertEqual(received + lost, ticks, done.stdout)
            self.assertGreater(received, 0)
            self.assertEqual(lost == 0, gaps == 0)
        return rows

    def test_every_quote_is_received_or_reported_lost(self):
        self.rows(200_000)

    def test_a_reader_that_rests_is_lapped_and_told_so(self):
        rows = self.rows(200_000, "--ring-size", "8192", "--slow-reader-delay", "1000")
        self.assertGreater(rows["slow"][1], 0)

    def test_a_feed_without_a_pace_laps_everybody_and_all_are_told(self):
        for size in (1024, 65536):
            for seed in range(5):
                with self.subTest(size=size, seed=seed):
                    self.rows(200_000, "--rate", "0", "--ring-size", str(size), "--seed", str(seed))

    def test_in_a_ring_that_holds_all_nothing_is_lost(self):
        rows = self.rows(2000, "--ring-size", "131072")
        self.assertEqual((rows["fast"][1], rows["slow"][1]), (0, 0))

    def test_one_quote_is_enough(self):
        rows = self.rows(1)
        self.assertEqual({row[:2] for row in rows.values()}, {(1, 0)})


class Errors(unittest.TestCase):
    def test_a_bad_option_is_one_line(self):
        bad = [["--ticks", number] for number in ("0", "-1", "1.5", "many", "")]
        bad += [["--ring-size", size] for size in ("512", "1025", "4k")]
        bad += [["--slow-reader-delay", "-1"], ["--frame-interval", "x"], ["--unknown"], ["file"]]
        for options in bad:
            with self.subTest(options=options):
                done = run(*options)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertTrue(done.stderr.startswith("ticker: "), done.stderr)

    def test_help_is_no_error(self):
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--slow-reader-delay", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
