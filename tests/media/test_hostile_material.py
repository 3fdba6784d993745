"""1,340 hostile, broken and odd files, each decoded in a child process with 1 GiB and a clock.

There are decompression bombs among them: they are opened nowhere else.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from paths import PROGRAMS

MEMORY = 1 << 30  # bytes of address space a child may have
CPU = 120  # seconds a child may compute
HEIF = (".heic", ".heif")
NOTED = ("cicp_pq.png", "issue_430.png", "png_decompression_dos.png", "png_ztxt_200MB.png")
IN_PLANES = "tiff_overflow_rows_per_strip.tif"  # Pillow opens no such planes, and we do
PATIENCE = 60  # seconds for one file

Told = dict[str, Any]


def _child() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / "media_child.py"), str(MEMORY), str(CPU)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def _decode_all(paths: list[Path]) -> dict[Path, Told]:
    """What became of each file; a child that dies costs the file that it was at."""
    found: dict[Path, Told] = {}
    remaining = list(paths)
    while remaining:
        child = _child()
        assert child.stdin is not None
        assert child.stdout is not None
        with child:
            while remaining:
                path = remaining.pop(0)
                clock = threading.Timer(PATIENCE, child.kill)
                clock.start()
                child.stdin.write(f"{path}\n")
                child.stdin.flush()
                line = child.stdout.readline()
                clock.cancel()
                if not line:
                    found[path] = {"reason": "crashed", "frames": 0, "code": child.wait()}
                    break
                found[path] = json.loads(line)
    return found


@pytest.fixture(scope="module")
def outcomes(material: Path) -> list[tuple[dict[str, str], Told]]:
    """Every row of robustness.csv with what became of its file, from two children at once."""
    with (material / "robustness.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    paths = [material / row["file"] for row in rows]
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(_decode_all, (paths[::2], paths[1::2])))
    found = halves[0] | halves[1]
    return [(row, found[path]) for row, path in zip(rows, paths, strict=True)]


def test_no_file_kills_the_process(outcomes: list[tuple[dict[str, str], Told]]) -> None:
    """No crash, no hang, no exception other than MediaError, inside 1 GiB."""
    assert [row["file"] for row, told in outcomes if told["reason"] == "crashed"] == []


def test_what_pillow_opens_gives_pixels(outcomes: list[tuple[dict[str, str], Told]]) -> None:
    """A file that Pillow loads gives at least its first frame, and its type is known."""
    loaded = [(row, told) for row, told in outcomes if row["pillow13_outcome"] == "ok"]
    assert len(loaded) > 800
    assert [row["file"] for row, told in loaded if not told["frames"] or not told["media"]] == []


def test_what_pillow_cannot_open_has_a_reason(
    outcomes: list[tuple[dict[str, str], Told]],
) -> None:
    """No pixels and a reason where nothing opens; a reason where loading fails. HEIF files, for
    which Pillow has no decoder and we have, are those of test_heif, and PNGs that it refuses for
    their texts or profiles come whole.
    """
    for row, told in outcomes:
        if row["file"].endswith(HEIF):
            continue
        if row["file"].endswith(NOTED):
            assert (told["frames"], told["reason"]) == (1, None), row["file"]
            continue
        if row["pillow13_outcome"] == "open-error" and not row["file"].endswith(IN_PLANES):
            assert told["frames"] == 0, row["file"]
        if row["pillow13_outcome"] in ("open-error", "load-error"):
            assert told["reason"] in (
                "empty",
                "truncated",
                "undecodable",
                "unsupported",
                "too_large",
            ), row["file"]


def test_no_bomb_is_decoded(outcomes: list[tuple[dict[str, str], Told]]) -> None:
    """What Pillow's own limits refuse is too_large, quickly, without a single frame."""
    bombs = [
        (row, told)
        for row, told in outcomes
        if row["pillow13_outcome"] in ("bomb-error", "too-big-not-loaded")
    ]
    assert len(bombs) >= 19
    for row, told in bombs:
        assert (told["reason"], told["frames"]) == ("too_large", 0), row["file"]
        assert told["seconds"] < 2, row["file"]


def test_reasons_fit(outcomes: list[tuple[dict[str, str], Told]]) -> None:
    """Empty, cut and foreign files are told apart."""
    for row, told in outcomes:
        name = row["file"].rpartition("/")[2]
        if row["bytes"] == "0":
            assert told["reason"] == "empty", name
        elif name.endswith((".jxl", ".pdf", ".mp4", ".zip")):
            assert told["reason"] in ("unsupported", None), name
        elif "/truncated/trunc_0" in row["file"]:
            assert told["reason"] in ("truncated", "undecodable"), name


def test_pixels_are_those_of_pillow(outcomes: list[tuple[dict[str, str], Told]]) -> None:
    """Upright RGB files hash as Pillow's plain decode does, but for planes that it reads wrong;
    JPEG within the drift of its luma.
    """
    compared = 0
    for row, told in outcomes:
        if (
            row["pillow13_outcome"] != "ok"
            or row["mode"] not in ("RGB", "L")
            or row["exif_orientation"] not in ("", "0", "1")
            or row["frames"] != "1"
            or not told["pdq"]
            or told["reason"]
            or row["file"].endswith("flower-rgb-planar-16.tif")
            or int(row["pdq_quality"] or 0) < 50
        ):
            continue
        hexed, _ = told["pdq"]
        distance = (int(hexed, 16) ^ int(row["pdq_raw_rgb"], 16)).bit_count()
        compared += 1
        assert distance <= (12 if row["format"] in ("JPEG", "MPO") else 0), row["file"]
    assert compared > 200
