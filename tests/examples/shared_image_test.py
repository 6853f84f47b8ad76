# SPDX-License-Identifier: MIT
"""shared_image from outside: whether the picture is the reference's, whoever made it, and what was copied.

usage: shared_image_test.py PROGRAM DATA [unittest arguments]
"""
import contextlib
import os
import pathlib
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

PROGRAM = sys.argv.pop(1)
DATA = pathlib.Path(sys.argv.pop(1))
WATCHDOG = 800
# Where a sanitizer makes every pass slower, fewer of them do.
FEW = "WEIR_TEST_FEW" in os.environ
WIDTH, HEIGHT = 1920, 1080
ROW_BYTES = WIDTH * 4
REPORT = re.compile(
    rf"picture {WIDTH}x{HEIGHT}\nworkers (?P<workers>\d+) (?:threads|processes)\n"
    r"bands (?P<bands>\d+)\nchanges (?P<changes>\d+)\ndispatches (?P<dispatches>\d+)\n"
    r"passes (?P<passes>\d+)\nworkers killed (?P<killed>\d+)\nbands redone (?P<redone>\d+)\n"
    r"bytes read in place (?P<in_place>\d+)\nbytes copied between workers 0\n"
    r"bytes copied to the viewer (?P<bytes>\d+) = dirty rows only\n"
    r"dirty rows (?P<dirty>\d+) of (?P<rows>\d+)\ntime \d+\.\d{3} s\n")
# Few passes, for many runs; what it leaves is a picture that every filter has touched.
SCRIPT = "0 brightness 10\n5 contrast 130\n20 blur3 1\n40 crop 300 50 700 200\n60 blur9 1\n"


def ppm(pixels, width=WIDTH, height=HEIGHT):
    return b"P6\n%d %d\n255\n" % (width, height) + pixels


def png(rows, width):
    """A PNG of RGB rows."""
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
            chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) +
            chunk(b"IEND", b""))


class SharedImage(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = pathlib.Path(directory.name)
        self.picture = DATA / "astronaut.png"
        self.script = self.folder / "script"
        self.script.write_text(SCRIPT)
        self.out = self.folder / "out.ppm"

    def command(self, *options):
        return [PROGRAM, str(self.picture), "--script", str(self.script), "--out", str(self.out),
                *options]

    def run_it(self, *options):
        return subprocess.run(self.command(*options), capture_output=True, timeout=WATCHDOG,
                              text=True)

    def edit(self, *options):
        """Returns  the report's numbers, and the picture."""
        self.out.unlink(missing_ok=True)
        done = self.run_it(*options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = REPORT.fullmatch(done.stdout)
        self.assertTrue(found, done.stdout)
        numbers = {name: int(value) for name, value in found.groupdict().items()}
        self.assertEqual(numbers["bytes"], numbers["dirty"] * ROW_BYTES)
        self.assertEqual(numbers["rows"], numbers["dispatches"] * HEIGHT)
        self.assertGreaterEqual(numbers["in_place"], numbers["passes"] * HEIGHT * ROW_BYTES)
        return numbers, self.out.read_bytes()

    def reference(self):
        self.out.unlink(missing_ok=True)
        done = self.run_it("--reference")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        return self.out.read_bytes()


class Run(SharedImage):
    def test_workers_and_processes_make_the_reference_byte_for_byte(self):
        self.out = self.folder / "out.png"
        if not FEW:
            self.script = DATA / "edit.script"
        expected = self.reference()
        for options in (["--workers", "4"], ["--processes", "4"]):
            with self.subTest(options=options):
                numbers, picture = self.edit(*options)
                self.assertTrue(picture == expected, "another picture")
                self.assertEqual((numbers["workers"], numbers["bands"]), (4, 4))
                self.assertLess(numbers["dispatches"], numbers["changes"])
                self.assertLess(numbers["dirty"], numbers["rows"])
                self.assertEqual((numbers["killed"], numbers["redone"]), (0, 0))

    def test_any_number_of_workers_makes_the_same_picture(self):
        expected = self.reference()
        for count in (3, 64) if FEW else (1, 2, 3, 7, 64, 2000):
            with self.subTest(workers=count):
                numbers, picture = self.edit("--workers", str(count))
                self.assertTrue(picture == expected, "another picture")
                self.assertEqual(numbers["workers"], min(count, 30))
                self.assertEqual(numbers["bands"], min(count, HEIGHT))

    def test_so_does_any_number_of_processes(self):
        expected = self.reference()
        for count in (3,) if FEW else (1, 3, 40):
            with self.subTest(processes=count):
                _, picture = self.edit("--processes", str(count))
                self.assertTrue(picture == expected, "another picture")


class Dispatches(SharedImage):
    def test_changes_of_one_frame_are_one_dispatch(self):
        self.script.write_text("0 brightness 1\n15 brightness 2\n15 contrast 90\n"
                               "16 brightness 3\n31 brightness 4\n32 contrast 110\n")
        numbers, _ = self.edit()
        self.assertEqual((numbers["changes"], numbers["dispatches"], numbers["passes"]), (6, 3, 3))

    def test_changes_that_leave_everything_as_it_was_are_none(self):
        self.script.write_text("0 brightness 7\n20 brightness 9\n21 brightness 7\n40 crop off\n")
        numbers, _ = self.edit()
        self.assertEqual((numbers["changes"], numbers["dispatches"]), (4, 1))

    def test_rows_that_stay_black_are_not_copied(self):
        # Of four bands of 270 rows: all; all, for the crop; then the first two, which show something.
        self.script.write_text("0 brightness 1\n16 crop 0 100 1920 300\n32 brightness 2\n")
        numbers, picture = self.edit("--workers", "4")
        self.assertEqual(numbers["dirty"], 1080 + 1080 + 540)
        self.assertTrue(picture == self.reference(), "another picture")

    def test_a_band_in_which_a_crop_leaves_the_same_is_not_copied(self):
        self.script.write_text("0 crop 0 0 1920 500\n16 crop 0 0 1920 600\n")
        numbers, picture = self.edit("--workers", "4")  # the first band shows what it did, the last none
        self.assertEqual(numbers["dirty"], 1080 + 2 * 270)
        self.assertTrue(picture == self.reference(), "another picture")

    def test_in_real_time_it_takes_the_time_of_the_script(self):
        self.script.write_text("0 brightness 1\n480 brightness 2\n")
        begin = time.monotonic()
        self.edit("--realtime")
        self.assertGreaterEqual(time.monotonic() - begin, 0.48)

    def test_the_three_ways_are_compared(self):
        done = subprocess.run([PROGRAM, str(self.picture), "--compare", "--workers", "3"],
                              capture_output=True, timeout=WATCHDOG, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        copied = dict(re.findall(r"^(messages|transfer|shared) +[\d.]+ +[\d.]+ +(\d+)$",
                                 done.stdout, re.M))
        whole = ROW_BYTES * HEIGHT
        # There and back, into a ring and out of it; of three bands four rows around, at each cut twice.
        self.assertEqual(copied, {"messages": str(3 * 4 * whole),
                                  "transfer": str(2 * whole + 4 * 4 * ROW_BYTES), "shared": "0"})


class Pictures(SharedImage):
    """The reference itself, by arithmetic of this file, and what pictures are taken."""

    def filtered(self, pixels, script):
        self.picture = self.folder / "in.ppm"
        self.picture.write_bytes(ppm(pixels))
        self.script.write_text(script)
        found = self.reference()
        self.assertTrue(found.startswith(ppm(b"")))
        return found[len(ppm(b"")):]

    def test_brightness_and_contrast_map_each_value(self):
        ramp = bytes(i % 256 for i in range(WIDTH * HEIGHT * 3))
        for brightness, contrast in ((0, 100), (30, 100), (-30, 100), (100, 0), (-17, 237)):
            with self.subTest(brightness=brightness, contrast=contrast):
                table = bytes(
                    max(0, min(255, ((old - 128) * contrast + 12800 + 255 * brightness) // 100))
                    for old in range(256))
                found = self.filtered(ramp, f"0 brightness {brightness}\n0 contrast {contrast}\n")
                self.assertTrue(found == ramp.translate(table), "another picture")

    def test_a_box_spreads_a_point_and_goes_on_beyond_the_edges(self):
        def at(x, y):
            return 3 * (y * WIDTH + x)

        pixels = bytearray(WIDTH * HEIGHT * 3)
        for x, y in ((500, 400), (0, 0), (WIDTH - 1, HEIGHT - 1)):
            pixels[at(x, y):at(x, y) + 3] = bytes((255, 90, 8))
        for name, radius in (("blur3", 1), ("blur9", 4)):
            with self.subTest(filter=name):
                area = (2 * radius + 1) ** 2
                expected = bytearray(len(pixels))

                def put(x, y, times):
                    expected[at(x, y):at(x, y) + 3] = bytes(
                        (value * times + area // 2) // area for value in (255, 90, 8))

                for dy in range(-radius, radius + 1):
                    for dx in range(-radius, radius + 1):
                        put(500 + dx, 400 + dy, 1)
                for dy in range(radius + 1):
                    for dx in range(radius + 1):  # how often the clamped window meets the corner
                        times = (radius + 1 - dx) * (radius + 1 - dy)
                        put(dx, dy, times)
                        put(WIDTH - 1 - dx, HEIGHT - 1 - dy, times)
                found = self.filtered(bytes(pixels), f"0 {name} 1\n")
                self.assertTrue(found == bytes(expected), "another picture")

    def test_a_crop_blackens_the_rest(self):
        pixels = os.urandom(WIDTH * HEIGHT * 3)
        x, y, width, height = 13, 7, 1000, 900
        rows = [bytes(3 * WIDTH)] * HEIGHT
        for line in range(y, y + height):
            begin = 3 * (line * WIDTH + x)
            rows[line] = (bytes(3 * x) + pixels[begin:begin + 3 * width] +
                          bytes(3 * (WIDTH - x - width)))
        found = self.filtered(pixels, f"0 crop {x} {y} {width} {height}\n")
        self.assertTrue(found == b"".join(rows), "another picture")

    def test_small_pictures_and_photographs_are_scaled(self):
        tiny = self.folder / "tiny.png"
        tiny.write_bytes(png([bytes((200, 100, 50)) * 3] * 2, 3))
        for picture in (tiny, DATA / "hubble_deep_field.jpg"):
            with self.subTest(picture=picture.name):
                self.picture = picture
                _, found = self.edit()
                self.assertTrue(found == self.reference(), "another picture")

    def test_without_a_script_the_picture_is_shown_as_it_is(self):
        pixels = os.urandom(WIDTH * HEIGHT * 3)
        self.picture = self.folder / "in.ppm"
        self.picture.write_bytes(ppm(pixels))
        done = subprocess.run([PROGRAM, str(self.picture), "--out", str(self.out)],
                              capture_output=True, timeout=WATCHDOG, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(self.out.read_bytes() == ppm(pixels), "another picture")


class Kills(SharedImage):
    def test_the_band_of_a_killed_worker_is_done_by_another(self):
        expected = self.reference()
        for processes, kill in ((4, 4),) if FEW else ((4, 1), (4, 4), (2, 2), (30, 17)):
            with self.subTest(processes=processes, kill=kill):
                numbers, picture = self.edit("--processes", str(processes), "--kill", str(kill))
                self.assertTrue(picture == expected, "another picture")
                self.assertEqual((numbers["killed"], numbers["redone"]), (1, 1))

    def test_whenever_a_worker_is_killed_the_picture_is_the_same(self):
        seed = random.randrange(2**32)
        print(f"\nseed {seed}")
        chance = random.Random(seed)
        self.write_long(16)
        expected = self.reference()
        for _ in range(2 if FEW else 5):
            process, children = self.start_long()
            time.sleep(chance.uniform(0, 0.1))
            with contextlib.suppress(ProcessLookupError):  # it may be through already
                os.kill(chance.choice(children), signal.SIGKILL)
            out, complaint = process.communicate(timeout=WATCHDOG)
            self.assertEqual((process.returncode, complaint), (0, ""))
            self.assertTrue(REPORT.fullmatch(out), out)
            self.assertTrue(self.out.read_bytes() == expected, "another picture")

    def write_long(self, dispatches):
        self.script.write_text("".join(f"{16 * i} blur3 {i % 2}\n" for i in range(dispatches)))

    def start_long(self):
        process = subprocess.Popen(self.command("--processes", "3"), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        path = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        end = time.monotonic() + WATCHDOG
        while len(children := [int(word) for word in path.read_text().split()]) < 3:
            self.assertLess(time.monotonic(), end, "watchdog: no children")
            time.sleep(0.001)
        return process, children

    def test_when_every_worker_is_killed_it_ends_with_one_line(self):
        self.write_long(20_000)
        process, children = self.start_long()
        for child in children:
            os.kill(child, signal.SIGKILL)
        self.assertEqual(process.wait(WATCHDOG), 1)
        self.assertEqual(process.stderr.read(), "shared_image: every worker was killed\n")

    def test_when_the_director_is_killed_the_workers_end(self):
        self.write_long(20_000)
        process, children = self.start_long()
        process.kill()
        process.wait(WATCHDOG)
        end = time.monotonic() + WATCHDOG
        # Whoever inherits them may not bury them: a zombie is dead enough.
        for child in children:
            stat = pathlib.Path(f"/proc/{child}/stat")
            while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
                self.assertLess(time.monotonic(), end, "watchdog: a worker lives on")
                time.sleep(0.001)


class Errors(SharedImage):
    def assert_refused(self, done, complaint="shared_image: .*"):
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"\A{complaint}\n\Z")
        self.assertFalse(self.out.exists())

    def test_a_bad_option_is_one_line(self):
        bad = [["--workers", number] for number in ("0", "-1", "1.5", "many", "")]
        bad += [["--processes", "0"], ["--workers", "2", "--processes", "2"]]
        bad += [["--kill", "1"], ["--processes", "1", "--kill", "1"]]
        bad += [["--processes", "4", "--kill", "5"], ["--kill", "-1"]]
        bad += [["--reference", "--compare"], ["--compare"], ["--unknown"], ["second.png"]]
        for options in bad:
            with self.subTest(options=options):
                self.assert_refused(self.run_it(*options))

    def test_a_bad_line_of_the_script_is_named(self):
        for line in ("brightness 3", "1", "1 brightness", "1 brightness x", "1 brightness 101",
                     "1 contrast -1", "1 blur3 9", "1 blur9 1 2", "1 sharpen 3", "-1 blur3 1",
                     "1 crop 1 2 3", "1 crop 0 0 0 5", "1 crop 1000 0 921 5", "1 crop 0 1080 1 1",
                     "1e3 blur3 1", "99999999999999999999 blur3 1"):
            with self.subTest(line=line):
                self.script.write_text(f"# a comment\n\n{line}\n")
                self.assert_refused(self.run_it(), f"shared_image: {self.script}:3: .*")

    def test_times_go_forward(self):
        self.script.write_text("20 blur3 1\n19 blur3 2\n")
        self.assert_refused(self.run_it(), f"shared_image: {self.script}:2: earlier .*")

    def test_files_that_cannot_be_read_are_one_line(self):
        self.script = self.folder / "none"
        self.assert_refused(self.run_it(), f"shared_image: {self.script}: cannot be read")
        self.script = self.folder
        self.assert_refused(self.run_it())

    def test_what_is_no_picture_is_one_line(self):
        whole = (DATA / "astronaut.png").read_bytes()
        broken = {"none": None, "empty": b"", "text": b"no picture", "cut": whole[:5000],
                  "huge": png([], 2**24)}
        for name, content in broken.items():
            with self.subTest(picture=name):
                self.picture = self.folder / name
                if content is not None:
                    self.picture.write_bytes(content)
                self.assert_refused(self.run_it(), f"shared_image: {self.picture}: .+")

    def test_a_place_that_cannot_be_written_is_one_line(self):
        self.out = self.folder / "none" / "out.png"
        self.assert_refused(self.run_it(), f"shared_image: {self.out}: cannot be written")
        self.out = self.folder / "out.gif"
        self.assert_refused(self.run_it(), "shared_image: --out: neither .png nor .ppm")

    def test_help_is_no_error(self):
        done = subprocess.run([PROGRAM, "--help"], capture_output=True, timeout=WATCHDOG, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--processes", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
