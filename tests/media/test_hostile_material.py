"""1,340 hostile, broken and odd files, each decoded in a child process with 1 GiB and a clock.

Some are decompression bombs; they are opened nowhere else.
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

Outcome = dict[str, Any]


def _child() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / "media_child.py"), str(MEMORY), str(CPU)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def _decode_all(paths: list[Path]) -> dict[Path, Outcome]:
    """Return what became of each file; a child that dies costs the file it was decoding."""
    found: dict[Path, Outcome] = {}
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
def outcomes(material: Path) -> list[tuple[dict[str, str], Outcome]]:
    """Return every row of robustness.csv with what became of its file, from two children."""
    with (material / "robustness.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    paths = [material / row["file"] for row in rows]
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(_decode_all, (paths[::2], paths[1::2])))
    found = halves[0] | halves[1]
    return [(row, found[path]) for row, path in zip(rows, paths, strict=True)]


def test_no_file_kills_the_process(outcomes: list[tuple[dict[str, str], Outcome]]) -> None:
    """No crash, no hang, no exception other than MediaError, within 1 GiB."""
    assert [row["file"] for row, outcome in outcomes if outcome["reason"] == "crashed"] == []


def test_what_pillow_opens_gives_pixels(outcomes: list[tuple[dict[str, str], Outcome]]) -> None:
    """A file that Pillow loads yields at least its first frame, and its type is known."""
    loaded = [(row, outcome) for row, outcome in outcomes if row["pillow13_outcome"] == "ok"]
    assert len(loaded) > 800
    assert [
        row["file"] for row, outcome in loaded if not outcome["frames"] or not outcome["media"]
    ] == []


def test_what_pillow_cannot_open_has_a_reason(
    outcomes: list[tuple[dict[str, str], Outcome]],
) -> None:
    """There are no pixels and a reason if nothing opens, and a reason if loading fails.

    HEIFs, which Pillow cannot decode, are tested in test_heif. PNGs that Pillow refuses for texts
    or profiles decode.
    """
    for row, outcome in outcomes:
        if row["file"].endswith(HEIF):
            continue
        if row["file"].endswith(NOTED):
            assert (outcome["frames"], outcome["reason"]) == (1, None), row["file"]
            continue
        if row["pillow13_outcome"] == "open-error" and not row["file"].endswith(IN_PLANES):
            assert outcome["frames"] == 0, row["file"]
        if row["pillow13_outcome"] in ("open-error", "load-error"):
            assert outcome["reason"] in (
                "empty",
                "truncated",
                "undecodable",
                "unsupported",
                "too_large",
            ), row["file"]


def test_no_bomb_is_decoded(outcomes: list[tuple[dict[str, str], Outcome]]) -> None:
    """What Pillow's own limits refuse is too_large, quickly, without a single frame."""
    bombs = [
        (row, outcome)
        for row, outcome in outcomes
        if row["pillow13_outcome"] in ("bomb-error", "too-big-not-loaded")
    ]
    assert len(bombs) >= 19
    for row, outcome in bombs:
        assert (outcome["reason"], outcome["frames"]) == ("too_large", 0), row["file"]
        assert outcome["seconds"] < 2, row["file"]


def test_reasons_fit(outcomes: list[tuple[dict[str, str], Outcome]]) -> None:
    """Empty, cut and foreign files have different reasons."""
    for row, outcome in outcomes:
        name = row["file"].rpartition("/")[2]
        if row["bytes"] == "0":
            assert outcome["reason"] == "empty", name
        elif name.endswith((".jxl", ".pdf", ".mp4", ".zip")):
            assert outcome["reason"] in ("unsupported", None), name
        elif "/truncated/trunc_0" in row["file"]:
            assert outcome["reason"] in ("truncated", "undecodable"), name


def test_pixels_are_those_of_pillow(outcomes: list[tuple[dict[str, str], Outcome]]) -> None:
    """Upright RGB files hash as Pillow decodes them, except planes that it reads wrongly and JPEG's
    luma.
    """
    compared = 0
    for row, outcome in outcomes:
        if (
            row["pillow13_outcome"] != "ok"
            or row["mode"] not in ("RGB", "L")
            or row["exif_orientation"] not in ("", "0", "1")
            or row["frames"] != "1"
            or not outcome["pdq"]
            or outcome["reason"]
            or row["file"].endswith("flower-rgb-planar-16.tif")
            or int(row["pdq_quality"] or 0) < 50
        ):
            continue
        hexed, _ = outcome["pdq"]
        distance = (int(hexed, 16) ^ int(row["pdq_raw_rgb"], 16)).bit_count()
        compared += 1
        assert distance <= (12 if row["format"] in ("JPEG", "MPO") else 0), row["file"]
    assert compared > 200
