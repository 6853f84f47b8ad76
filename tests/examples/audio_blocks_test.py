# SPDX-License-Identifier: MIT
"""audio_blocks from outside: what it plays, which files it reads, what it says to bad ones.

usage: audio_blocks_test.py PROGRAM [unittest arguments]
"""
import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

PROGRAM = sys.argv.pop(1)
WATCHDOG = 240
REPORT = re.compile(
    r"sound (?P<rate>\d+) Hz, (?P<channels>[12]) channels, (?P<seconds>[\d.]+) s\n"
    r"blocks (?P<blocks>\d+) of (?P<block>\d+) frames\n"
    r"periods (?P<periods>\d+)\n"
    r"underruns (?P<underruns>\d+)\n"
    r"parameter changes (?P<changes>\d+) of (?P<scheduled>\d+)\n"
    r"(?:most blocks in the ring (?P<most>\d+)\n)?"
    r"(?:worst lateness (?P<late>[\d.]+) ms, period [\d.]+ ms\n)?"
    r"peak (?P<peak>\d+\.\d+)\n"
    r"crc32 (?P<crc>[0-9a-f]{8})\n")
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_END = bytes.fromhex("000000001000800000aa00389b71")
FORMATS = [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32)]


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks):
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def format_chunk(kind, bits, channels=2, rate=48000, frame=None, extended=False):
    frame = channels * bits // 8 if frame is None else frame
    content = struct.pack("<HHIIHH", EXTENSIBLE if extended else kind, channels, rate, rate * frame,
                          frame, bits)
    if extended:
        content += struct.pack("<HHIH", 22, bits, 0, kind) + GUID_END
    return chunk(b"fmt ", content)


def as_float(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def stored(kind, bits, values):
    """Bytes of these samples, which are from -1 to 1, and what they must be when they are played."""
    if kind == FLOAT:
        return b"".join(struct.pack("<f", value) for value in values), [*map(as_float, values)]
    half = 1 << (bits - 1)
    numbers = [max(-half, min(half - 1, round(value * half))) for value in values]
    lowest = half if bits == 8 else 0
    data = b"".join((number + lowest).to_bytes(bits // 8, "little", signed=bits > 8)
                    for number in numbers)
    return data, [as_float(number / half) for number in numbers]


def wave(count):
    """Loud and quiet samples, with both ends of the range among them."""
    return [-1.0, 1.0, 0.0] + [math.sin(i * 0.37) * math.sin(i * 0.011) for i in range(count - 3)]


def samples_of(file):
    """The samples of what the program wrote."""
    content = file.read_bytes()
    assert content[:4] == b"RIFF" and content[8:16] == b"WAVEfmt ", content[:16]
    assert struct.unpack_from("<I", content, 4)[0] == len(content) - 8
    assert struct.unpack_from("<H", content, 20)[0] == FLOAT
    place = content.index(b"data") + 8
    assert struct.unpack_from("<I", content, place - 4)[0] == len(content) - place
    return content[place:], struct.unpack(f"<{(len(content) - place) // 4}f", content[place:])


class AudioBlocks(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.folder = pathlib.Path(directory.name)
        self.out = self.folder / "out.wav"

    def file(self, content, name="in.wav"):
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def short(self, frames=5000, channels=2):
        data, played = stored(PCM, 16, wave(frames * channels))
        content = riff(format_chunk(PCM, 16, channels), chunk(b"data", data))
        return self.file(content), played

    def run_it(self, *options):
        return subprocess.run([PROGRAM, *map(str, options)], capture_output=True, timeout=WATCHDOG,
                              text=True)

    def report(self, *options):
        done = self.run_it(*options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = REPORT.fullmatch(done.stdout)
        self.assertTrue(found, done.stdout)
        return found

    def assert_complains(self, *options, about=""):
        done = self.run_it(*options)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("audio_blocks: "), done.stderr)
        self.assertIn(about, done.stderr)


class Play(AudioBlocks):
    def assert_like_reference(self, *options):
        played = self.report(*options, "--out", self.out)
        expected = self.report(*options, "--reference")
        for what in ("periods", "underruns", "changes", "scheduled", "peak", "crc"):
            self.assertEqual(played[what], expected[what], (what, options))
        self.assertEqual(played["changes"], played["scheduled"])
        self.assertEqual(int(played["crc"], 16), zlib.crc32(samples_of(self.out)[0]))
        return played

    def test_the_score_is_played_as_one_thread_plays_it(self):
        played = self.assert_like_reference()
        self.assertEqual((played["underruns"], played["periods"]), ("0", played["blocks"]))
        self.assertGreater(int(played["changes"]), 500)
        self.assertTrue(0.2 < float(played["peak"]) < 1, played["peak"])

    def test_with_blocks_and_rings_and_changes_of_any_size(self):
        sound, _ = self.short()
        for block in (16, 100, 128, 4096):
            for ahead in (1, 2, 64):
                for changes in (0, 20, 1000):
                    with self.subTest(block=block, ahead=ahead, changes=changes):
                        self.assert_like_reference("--in", sound, "--block", block, "--ahead", ahead,
                                                   "--changes", changes)

    def test_a_sound_of_one_frame_is_one_block(self):
        sound, _ = self.short(frames=1, channels=1)
        self.assertEqual(self.assert_like_reference("--in", sound)["periods"], "1")

    def test_ten_runs_play_the_same(self):
        sound, _ = self.short()
        options = ["--in", sound, "--changes", "1000", "--ahead", "1", "--starve", "3"]
        self.assertEqual(len({self.report(*options)["crc"] for _ in range(10)}), 1)

    def test_in_time_it_takes_as_long_as_the_sound_and_loses_nothing(self):
        sound, values = self.short(frames=24000)
        # How late this machine is, nobody can say beforehand. What is played must be right in any case.
        for missed in (0, 20):
            begin = time.monotonic()
            played = self.report("--in", sound, "--realtime", "--starve", missed, "--gain", 100,
                                 "--changes", 0, "--out", self.out)
            self.assertGreaterEqual(time.monotonic() - begin, (24000 + (missed - 1) * 128) / 48000)
            print("\n" + played[0])
            self.assertIsNotNone(played["late"])
            self.assertGreaterEqual(int(played["underruns"]), missed)
            self.assertEqual(int(played["periods"]), int(played["blocks"]) + int(played["underruns"]))
            found = samples_of(self.out)[1]
            periods = [found[i:i + 256] for i in range(0, len(found), 256)]
            silent = [period for period in periods if not any(period)]
            self.assertEqual(len(silent), int(played["underruns"]))
            kept = [sample for period in periods if any(period) for sample in period]
            self.assertEqual(kept[:len(values)], values)


class Starve(AudioBlocks):
    def test_as_many_underruns_as_periods_were_missed_and_silence_there_alone(self):
        sound, values = self.short(frames=64 * 128)
        for missed in (0, 1, 2, 63, 64, 65, 1000):
            for ahead in (1, 32):
                with self.subTest(missed=missed, ahead=ahead):
                    played = self.report("--in", sound, "--changes", 0, "--gain", 100, "--ahead", ahead,
                                         "--starve", missed, "--out", self.out)
                    self.assertEqual(int(played["underruns"]), missed)
                    self.assertEqual(int(played["periods"]), 64 + missed)
                    half = len(values) // 2
                    silence = [0.0] * (missed * 128 * 2)
                    found = list(samples_of(self.out)[1])
                    self.assertEqual(found, values[:half] + silence + values[half:])

    def test_with_effects_it_is_what_one_thread_plays(self):
        sound, _ = self.short(frames=20000)
        for missed in (1, 7, 300):
            options = ["--in", sound, "--changes", 200, "--starve", missed]
            played, expected = self.report(*options), self.report(*options, "--reference")
            self.assertEqual(played["crc"], expected["crc"])
            self.assertEqual(played["underruns"], str(missed))

    def test_two_blocks_are_enough_and_one_is_not(self):
        sound, _ = self.short(frames=129)
        self.assertEqual(self.report("--in", sound, "--starve", 5)["underruns"], "5")
        sound, _ = self.short(frames=128)
        self.assert_complains("--in", sound, "--starve", 5, about="one block")


class Files(AudioBlocks):
    def assert_plays(self, content, values, **report):
        found = self.report("--in", self.file(content), "--changes", 0, "--gain", 100, "--out", self.out)
        for name, value in report.items():
            self.assertEqual(int(found[name]), value)
        played = list(samples_of(self.out)[1])
        self.assertEqual(played[:len(values)], values)
        self.assertEqual(set(played[len(values):]) - {0.0}, set())

    def test_every_format_is_played_exactly(self):
        for kind, bits in FORMATS:
            for channels in (1, 2):
                for rate in (8000, 44100, 192000):
                    for extended in (False, True):
                        with self.subTest(kind=kind, bits=bits, channels=channels, extended=extended):
                            data, values = stored(kind, bits, wave(1000 * channels))
                            header = format_chunk(kind, bits, channels, rate, extended=extended)
                            self.assert_plays(riff(header, chunk(b"data", data)), values, rate=rate,
                                              channels=channels)

    def test_what_it_writes_it_reads(self):
        sound, _ = self.short()
        first = self.report("--in", sound, "--out", self.out)
        again = self.report("--in", self.out, "--changes", 0, "--gain", 100)
        self.assertEqual(first["crc"], again["crc"])

    def test_chunks_that_it_does_not_know_are_passed_over(self):
        data, values = stored(PCM, 16, wave(300))
        other = chunk(b"LIST", b"odd")
        self.assert_plays(riff(other, format_chunk(PCM, 16), other, chunk(b"data", data), other), values)

    def test_a_size_that_was_not_known_is_the_rest_of_the_file(self):
        data, values = stored(PCM, 16, wave(300))
        content = riff(format_chunk(PCM, 16)) + b"data\xff\xff\xff\xff" + data
        self.assert_plays(content, values)

    def test_a_frame_that_is_not_whole_is_left_out(self):
        data, values = stored(PCM, 24, wave(300))
        self.assert_plays(riff(format_chunk(PCM, 24), chunk(b"data", data + b"12345")), values)

    def test_what_is_loud_stays_loud(self):
        values = [as_float(value) for value in (3.5, -7.25, 1e-30, 1e30)]
        data = struct.pack("<4f", *values)
        self.assert_plays(riff(format_chunk(FLOAT, 32), chunk(b"data", data)), values)


class Errors(AudioBlocks):
    def test_a_file_that_is_no_sound_is_one_line(self):
        data = chunk(b"data", bytes(400))
        whole = riff(format_chunk(PCM, 16), data)
        bad_guid = bytearray(riff(format_chunk(PCM, 16, extended=True), data))
        bad_guid[50] ^= 1
        bad = [(b"", "no WAV"), (b"RIFF", "no WAV"), (bytes(100), "no WAV"),
               (b"RIFX" + whole[4:], "no WAV"), (whole.replace(b"WAVE", b"AVI "), "no WAV"),
               (riff(), "no samples"), (riff(format_chunk(PCM, 16)), "no samples"),
               (riff(data), "unknown format"), (riff(chunk(b"fmt ", bytes(15)), data), "damaged"),
               (riff(format_chunk(PCM, 16), chunk(b"data", b"")), "no samples"),
               (riff(format_chunk(PCM, 16), chunk(b"data", b"123")), "no samples"),
               (riff(format_chunk(2, 4, frame=256), data), "kind 2"),
               (riff(format_chunk(7, 8), data), "kind 7"), (riff(format_chunk(PCM, 12), data), "12 bits"),
               (riff(format_chunk(PCM, 0), data), "0 bits"), (riff(format_chunk(PCM, 64), data), "64"),
               (riff(format_chunk(FLOAT, 64), data), "64 bits"),
               (riff(format_chunk(PCM, 16, 0), data), "0 channels"),
               (riff(format_chunk(PCM, 16, 6), data), "6 channels"),
               (riff(format_chunk(PCM, 16, rate=0), data), "rate of 0"),
               (riff(format_chunk(PCM, 16, rate=800000), data), "rate of 800000"),
               (riff(format_chunk(PCM, 16, frame=3), data), "damaged"),
               (riff(format_chunk(EXTENSIBLE, 16), data), "damaged"), (bytes(bad_guid), "kind 0"),
               (riff(format_chunk(FLOAT, 32), chunk(b"data", b"\0\0\xc0\x7f" * 2)), "no number"),
               (riff(format_chunk(FLOAT, 32), chunk(b"data", b"\0\0\x80\xff" * 2)), "no number")]
        for content, about in bad:
            with self.subTest(about=about, content=content[:60]):
                self.assert_complains("--in", self.file(content), about=about)

    def test_a_file_that_ends_anywhere_is_one_line(self):
        data, _ = stored(PCM, 16, wave(100))
        whole = riff(format_chunk(PCM, 16, extended=True), chunk(b"data", data))
        for size in range(len(whole)):
            self.assert_complains("--in", self.file(whole[:size]), about="in.wav: ")

    def test_what_is_no_file_is_one_line(self):
        for path in ("/nowhere", str(self.folder), "/dev/zero", ""):
            for option in ("--in", "--score"):
                if path or option == "--score":
                    self.assert_complains(option, path)
        self.assert_complains("--out", "/nowhere/out.wav", about="cannot be written")

    def test_a_full_disk_is_one_line(self):
        sound, _ = self.short()
        done = self.run_it("--in", sound, "--out", "/dev/full")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "audio_blocks: /dev/full: cannot be written\n")

    def test_a_bad_score_names_its_line(self):
        bad = ["H4:1", "C9:1", "C4", "C4:0", "C4:-1", "C4:x", "C4:65", "C4:nan", "C##4:1", "4:1", ":1",
               "C:1", "R:", "tempo", "tempo fast", "tempo 19", "voice 2 0", "voice 1", "voice 1 -2",
               "R:64 " * 10, "\xff"]
        for words in bad:
            with self.subTest(words=words):
                text = f"# a comment\nvoice 1 0 # another\nR:1 | F#4:1\n{words}\n"
                self.assert_complains("--score", self.file(text.encode(), "bad.score"),
                                      about="bad.score:4: ")
        self.assert_complains("--score", self.file(b"C4:1", "bad.score"), about="before the first voice")
        self.assert_complains("--score", self.file(b"voice 1 0 R:1", "bad.score"), about="no notes")
        self.assert_complains("--score", self.file(b"", "bad.score"), about="no notes")

    def test_a_bad_option_is_one_line(self):
        bad = [["--block", number] for number in ("0", "15", "4097", "x", "")]
        bad += [["--rate", "7999"], ["--rate", "1e9"], ["--ahead", "0"], ["--gain", "-1"]]
        bad += [["--gain", "nan"], ["--changes", "1001"], ["--starve", "-1"], ["--unknown"], ["file"]]
        bad += [["--in", "a", "--score", "b"], ["--in", "a", "--rate", "8000"]]
        bad += [["--realtime", "--reference"]]
        for options in bad:
            with self.subTest(options=options):
                self.assert_complains(*options)

    def test_help_is_no_error(self):
        done = self.run_it("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--starve", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
