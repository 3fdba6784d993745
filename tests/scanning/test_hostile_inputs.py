"""Hostile, broken and odd files: one Result each, in bounded time and memory, and an end."""

import csv
import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from paths import PROGRAMS
from PIL import Image

from screener import HashList
from screener.media.files.limits import Limits

SCRIPT = PROGRAMS / "scan_and_measure.py"

# What bare Pillow, in a process of its own, told of each file when the material was gathered.
OPENED = "ok"

# Loads every frame of the files named with nothing but Pillow, and says how each fared.
BARE_PILLOW = """
import resource, sys
from PIL import Image, ImageSequence
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for name in sys.argv[1:]:
    try:
        with Image.open(name) as image:
            for frame in ImageSequence.Iterator(image):
                frame.load()
        print("whole")
    except Exception:
        print("broken")
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A list that holds two kinds, and matches nothing."""
    known = HashList.create(tmp_path_factory.mktemp("lists") / "known.list")
    rows = tmp_path_factory.mktemp("rows") / "known.csv"
    rows.write_text("id,pdq,md5\none," + "0123456789abcdef" * 4 + "," + "ab" * 16 + "\n")
    known.import_file(rows)
    return known.refresh()


def scanned(known, path, jobs):
    """A file, or all of a folder, in one scan: result lines, peak memory, and processors' seconds.

    Each file has as long as usual, which is plenty, since what else the machine does counts.
    """
    call = [sys.executable, str(SCRIPT), str(known.path), str(path), str(jobs)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    # Nothing else: what decoders print of a file stays in the workers.
    peak, seconds = done.stderr.split()
    return lines, int(peak), float(seconds)


@pytest.fixture(scope="module")
def outcome(known, material):
    """What a scan of material/robustness with two workers tells, and their peak memory."""
    return scanned(known, material / "robustness", 2)[:2]


@pytest.fixture(scope="module")
def recorded(material):
    """The rows of robustness.csv by file."""
    with (material / "robustness.csv").open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def name_of(line, material):
    """The name by which robustness.csv knows the file of a result line."""
    return os.path.relpath(line["input"], material)


def test_every_file_yields_exactly_one_result(outcome, material):
    """As many lines as files, none twice."""
    lines, _ = outcome
    files = [path for path in (material / "robustness").rglob("*") if path.is_file()]

    assert Counter(line["input"] for line in lines) == Counter(map(str, files))


def test_one_worker_tells_what_two_do(outcome, known, material):
    """To the last field but the times, in the same order. Of a file that needs just about the
    memory that a worker has, it hangs on what the worker did before whether that is what it lacks.
    """
    told = []
    for lines in (outcome[0], scanned(known, material / "robustness", 1)[0]):
        told.append([{key: value for key, value in line.items() if key != "seconds"}
                     for line in lines])  # fmt: skip
        for line in told[-1]:
            line["lists"][0].pop("age_s")
            if line["reason"] in ("truncated", "too_large"):
                line |= {"reason": "not whole", "detail": None, "media": None}

    assert told[1] == told[0]


def test_no_file_takes_ten_seconds_and_no_worker_a_gibibyte(outcome, known):
    """No processor is at one for so long, whatever else it does meanwhile; the workers' peak is the
    system's own figure.
    """
    lines, peak = outcome

    assert [line["input"] for line in lines if line["reason"] == "timeout"] == []
    slow = [line["input"] for line in lines if line["seconds"] >= 10]
    assert [name for name in slow if scanned(known, name, 1)[2] >= 10] == []
    assert peak < 1 << 30


def test_what_pillow_opens_gets_hashes(outcome, recorded, material):
    """A file that shows a picture is compared, or has too little detail to be.

    Where it is not, bare Pillow cannot load all of it either: what was recorded as opened there
    includes files that it was told to read on in, past their damage. Or else there is something
    that Pillow does not come to, such as an archive behind the picture, or fills in without a word.
    """
    lines, _ = outcome
    missed = {
        line["input"]
        for line in lines
        if recorded[name_of(line, material)]["pillow13_outcome"] == OPENED
        and line["reason"] not in (None, "too_little_detail")
        and not (line["reason"] == "too_large" and line["media"]["frames"] > Limits().frames)
    }
    assert len(missed) < 0.04 * len(lines)

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BARE_PILLOW, *missed],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    whole = [
        name for name, told in zip(missed, done.stdout.split(), strict=True) if told == "whole"
    ]
    odd = [
        name
        for name in whole
        if not goes_on(Path(name).read_bytes()) and not zipfile.is_zipfile(name)
    ]
    assert [name for name in odd if not is_not_as_shown(Path(name).read_bytes())] == []


def is_not_as_shown(data):
    """Whether a file may lack what Pillow makes up: checksums of a PNG that are of other data, fine
    scans of a progressive JPEG, or rows of a JPEG, the last of which is of one colour then. Or it
    is a PNG of more frames than it says before its pixels, which Pillow does not come to. Or it is
    a PSD, whose layers may differ from the composite.
    """
    if data.startswith(b"8BPS"):
        return bool(Image.open(io.BytesIO(data)).layers)
    if data.startswith(b"\x89PNG"):
        told = data.partition(b"IDAT")[0].partition(b"acTL")[2][:4]
        if data.count(b"fcTL") > int.from_bytes(told, "big"):
            return True
        places = [found.start() for found in re.finditer(b"IDAT", data)]
        ends = [at + 4 + int.from_bytes(data[at - 4 : at], "big") for at in places]
        sums = [int.from_bytes(data[end : end + 4], "big") for end in ends]
        return sums != [zlib.crc32(data[at:end]) for at, end in zip(places, ends, strict=True)]
    frame = re.search(rb"\xff\xc2\0[\x0b\x11\x14]\x08....(.)", data, re.DOTALL)
    if frame is not None:
        heads = re.findall(rb"\xff\xda\0.([\x01-\x04])(.{11})", data, re.DOTALL)
        told = Counter()
        for (count,), rest in heads:
            first, last, bits = rest[2 * count : 2 * count + 3]
            if not bits & 15:
                told.update(
                    {(rest[2 * n], k) for n in range(count) for k in range(first, last + 1)}
                )
        return len(told) != 64 * frame[1][0]
    return np.ptp(np.asarray(Image.open(io.BytesIO(data)).convert("L"))[-1]) == 0


def goes_on(data):
    """Whether a file has what Pillow does not come to: a GIF no end, a TIFF directories within its
    first one, or that one no end.
    """
    if data[:3] == b"GIF":
        return not data.rstrip(b"\0").endswith(b";")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return False
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, place)
    tags = [struct.unpack_from(f"{order}H", data, place + 2 + 12 * n)[0] for n in range(count)]
    return 330 in tags or place + 2 + 12 * count + 4 > len(data)


def test_what_pillow_cannot_open_is_unscreened_with_a_reason_of_its_kind(
    outcome, recorded, material
):
    """`crashed` is for files that kill bare Pillow; empty files are `empty`; bombs too large."""
    lines, _ = outcome
    reasons = {name_of(line, material): line["reason"] for line in lines}

    for name, reason in reasons.items():
        told = recorded[name]["pillow13_outcome"]
        if reason == "crashed":
            assert "crash" in told or "signal" in told, name
        if recorded[name]["bytes"] == "0":
            assert reason == "empty", name
