"""The memory that one picture takes: at most twice the decoded array and 64 MiB."""

from __future__ import annotations

import os
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
from screener.screening.input.hash_item import hash_item
from screener.hashing.hash import KINDS

def held(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

data, warm = (Path(name).read_bytes() for name in sys.argv[1:3])
kinds = [KINDS[name] for name in sys.argv[3:]]
hash_item(warm, policy=Policy(), kinds=kinds)
Path("/proc/self/clear_refs").write_text("5")
before = held("VmRSS")
found = hash_item(data, policy=Policy(), kinds=kinds)
assert found.error is None and found.hashes
print(held("VmHWM") - before)
"""


STARVED = """
import re, resource, sys
from pathlib import Path
from screener import Policy
from screener.screening.input.hash_item import hash_item
from screener.hashing.hash import KINDS

data, warm = (Path(name).read_bytes() for name in sys.argv[1:3])
hash_item(warm, policy=Policy(), kinds=[KINDS["pdq"]])
held = 1024 * int(re.search(r"VmData:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
for room in sys.argv[3:]:
    resource.setrlimit(resource.RLIMIT_DATA, (held + int(room), resource.RLIM_INFINITY))
    try:
        found = hash_item(data, policy=Policy(), kinds=[KINDS["pdq"]])
        print(found.error.reason if found.error else "hashed")
    except MemoryError:  # which a worker tells as `too_large`
        print("too_large")
"""


def save(picture, path, form):
    """Write the picture in that format quickly; for several frames, with two turned copies."""
    if form == "HEIC":
        pillow_heif.from_pillow(picture).save(path, quality=20)
        return
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {
        "AVIF": {"speed": 10},
        "JPEG, progressive": {"progressive": True},
        "JPEG2000, tiles": {"tile_size": (256, 256)},
        "PNG": {"compress_level": 1},
        "TIFF, strip": {"compression": "tiff_lzw", "strip_size": 1 << 30},
        "TIFF, turned": {"exif": exif},
        "WEBP": {"method": 0},
        "WEBP, lossless": {"lossless": True, "method": 0, "quality": 0},
    }
    name, _, kind = form.partition(",")
    several = {}
    if kind == " frames":
        turns = [Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT]
        several = {"save_all": True, "append_images": [picture.transpose(one) for one in turns]}
    picture.save(path, name, **options.get(form, options.get(name, {})), **several)


def peak(picture, folder, form, kinds=("pdq",)):
    """Return the peak memory that a process used to hash the picture's file."""
    save(picture, folder / "picture", form)
    save(picture.resize((64, 48)), folder / "warm", form)
    files = [str(folder / "picture"), str(folder / "warm")]
    command = [sys.executable, "-c", CHILD, *files, *kinds]
    # What is freed goes back to the system, as that of larger pictures always does.
    surroundings = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


# What is made of one picture in the process that runs the tests, by the bytes of a pixel.
MODES = {"L": 1, "P": 3, "RGB": 3, "LA": 2, "RGBA": 4, "CMYK": 4}


@pytest.mark.parametrize(
    ("form", "mode", "most"),
    [
        ("JPEG", "L", 1.3),
        ("JPEG", "RGB", 1.3),  # decoded to grey
        ("JPEG, progressive", "RGB", 4.3),  # 3 of them libjpeg's
        ("JPEG", "CMYK", 4.4),
        ("PNG", "L", 1.3),
        ("PNG", "LA", 4.4),
        ("PNG", "RGB", 4.4),
        ("PNG", "RGBA", 4.4),
        ("TIFF, turned", "RGB", 4.4),
        ("WEBP", "RGB", 6.4),
        ("WEBP, lossless", "RGB", 7.4),  # 4 of them libwebp's
        ("AVIF", "RGB", 8.6),  # all but 3 of them libavif's and the plugin's
        ("HEIC", "RGB", 5.4),
        ("JPEG2000, tiles", "RGB", 4.9),
        ("TIFF, frames", "RGB", 4.4),  # one page at a time
        ("MPO, frames", "RGB", 1.3),
        ("PNG, frames", "RGB", 8.7),  # the frame, and what is shown
        ("GIF, frames", "P", 13.3),
        ("AVIF, frames", "RGB", 14.4),
        ("WEBP, frames", "RGB", 17.0),
    ],
)
def test_what_one_picture_takes(tmp_path, form, mode, most):
    """Each format has its limit in bytes a pixel; a further copy of the pixels would exceed it."""
    slow = form.startswith(("AVIF", "HEIC", "JPEG2000")) or form.endswith("frames")
    sides = (2400, 1800) if slow else (4000, 3000)
    few = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    picture = Image.fromarray(few).resize(sides, Image.Resampling.BICUBIC).convert(mode)
    found, count = peak(picture, tmp_path, form), sides[0] * sides[1]
    assert found <= most * count + (4 << 20)
    assert found <= 2 * MODES[mode] * count + (64 << 20)


def test_what_classic_hashes_take_beside_the_picture(tmp_path):
    """They make no grey copy and no transpose of it, except wHash's two squares."""
    few = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    picture = Image.fromarray(few).resize((4000, 3000), Image.Resampling.BICUBIC).convert("L")
    kinds = ("pdq", "phash", "dhash", "ahash", "whash", "phash256", "whash256", "md5")
    found = peak(picture, tmp_path, "PNG", kinds)
    assert found <= 1.2 * 4000 * 3000 + 2 * 2048**2 + (4 << 20)


@pytest.mark.parametrize(
    ("form", "rooms"),
    [
        ("JPEG, progressive", (0.5, 2, 3.5)),
        ("JPEG2000", (3, 8, 12, 17)),
        ("TIFF, strip", (2, 5, 6)),
        ("WEBP", (2, 5)),
        ("AVIF", (1, 4, 7)),
        ("HEIC", (1, 3, 4)),
        ("PNG, frames", (3, 7)),
        ("GIF, frames", (3, 9)),
        ("WEBP, frames", (5, 11)),
        ("AVIF, frames", (2, 9)),
    ],
)
def test_too_little_memory_is_reported_as_such(tmp_path, form, rooms):
    """The reason is `too_large`, although most decoders report a broken file."""
    few = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    picture = Image.fromarray(few).resize((2000, 1500), Image.Resampling.BICUBIC)
    picture = picture.convert("P") if form.startswith("GIF") else picture
    save(picture, tmp_path / "picture", form)
    save(picture.resize((64, 48)), tmp_path / "warm", form)
    files = [str(tmp_path / "picture"), str(tmp_path / "warm")]
    bytes_ = [str(int(room * 2000 * 1500)) for room in rooms]
    command = [sys.executable, "-c", STARVED, *files, *bytes_]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["too_large"] * len(rooms), done.stderr
