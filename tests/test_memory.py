"""What one picture takes: at most twice the decoded array and 64 MiB, measured in a process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

CHILD = """
import re, sys
from pathlib import Path
from screener import Policy
from screener.hashed import hash_item
from screener.hashing import pdq

def held(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

data, warm = (Path(name).read_bytes() for name in sys.argv[1:])
hash_item(warm, policy=Policy(), kinds=[pdq.PDQ])
Path("/proc/self/clear_refs").write_text("5")
before = held("VmRSS")
found = hash_item(data, policy=Policy(), kinds=[pdq.PDQ])
assert found.trouble is None and found.hashes
print(held("VmHWM") - before)
"""


def save(picture, path, form):
    """Write the picture in that form, quickly."""
    if form == "HEIC":
        pillow_heif.from_pillow(picture).save(path, quality=20)
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"PNG": {"compress_level": 1}, "JPEG": {}, "TIFF, turned": {"exif": exif}}[form]
        picture.save(path, form.partition(",")[0], **options)


@pytest.mark.parametrize(
    ("form", "mode", "sides", "allowance"),
    [
        ("JPEG", "RGB", (4800, 3600), 64),
        ("PNG", "L", (4800, 3600), 64),
        ("PNG", "RGB", (4800, 3600), 64),
        ("TIFF, turned", "RGB", (4800, 3600), 24),
        # Slow to make: smaller, with an allowance that one more copy would exceed as well.
        ("HEIC", "RGB", (2000, 1500), 4),
    ],
)
def test_one_picture_takes_at_most_two_arrays_and_some(tmp_path, form, mode, sides, allowance):
    """From bytes to hashes, so many MiB beside twice the array; an ordinary JPEG is decoded to
    grey, and held to that.
    """
    few = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    picture = Image.fromarray(few).resize(sides, Image.Resampling.BICUBIC).convert(mode)
    save(picture, tmp_path / "picture", form)
    save(picture.resize((64, 48)), tmp_path / "warm", form)
    command = [sys.executable, "-c", CHILD, str(tmp_path / "picture"), str(tmp_path / "warm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    array = sides[0] * sides[1] * (1 if form == "JPEG" or mode == "L" else 3)
    assert int(done.stdout) <= 2 * array + (allowance << 20)
