"""How long does PDQ of decoded pixels take?

Against `pdqhash.compute` and `compute_dihedral`, the published C++, on one thread, with every
kernel that the machine has, each in a process of its own. Bits and qualities are compared before
anything is timed; figures are medians of rounds in which the rivals take turns.

What this does not show: decoding, which takes longer than the hash; pictures that are not in the
cache yet; and several threads, which share the bandwidth of the memory. The rival takes no grey
pictures, so for those it is given three equal channels, made beforehand.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pdqhash
import receipt

from screener import _core
from screener.hashing import pdq

QUESTION = "How long does PDQ of decoded pixels take?"
SEED = 20260102
Pixels = npt.NDArray[np.uint8]
LARGE = [(1004, 1600, 3), (512, 512, 3), (512, 512), (3000, 4000, 3)]
SMALL = [(251, 400, 3), (128, 128)]


def draw(shape: tuple[int, ...]) -> Pixels:
    """Shades with some noise; neither the kernels nor the rival care what a picture shows."""
    rng = np.random.default_rng(SEED)
    y, x = np.mgrid[: shape[0], : shape[1]]
    shades = 110 + 50 * np.sin(x / 40) + 50 * np.cos(y / 60 + x / 90)
    planes = [shades + rng.integers(0, 40, shape[:2]) for _ in range(3)]
    return (planes[0] if len(shape) == 2 else np.dstack(planes)).astype(np.uint8)


def medians(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each; they take turns, so that a slow spell hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            taken[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(times) for name, times in taken.items()}


def check(pixels: Pixels, rgb: Pixels) -> None:
    """Stop unless bits and qualities are the rival's, of the picture and of its turned copies."""
    views = [rgb, np.rot90(rgb), np.rot90(rgb, 2), np.rot90(rgb, 3), rgb[::-1], rgb[:, ::-1]]
    views += [rgb.swapaxes(0, 1), np.rot90(rgb, 2).swapaxes(0, 1)]
    for found, view in zip(pdq.compute_orientations(pixels), views, strict=True):
        vector, quality = pdqhash.compute(np.ascontiguousarray(view))
        if (found.value, found.quality) != (np.packbits(vector).tobytes(), quality):
            raise SystemExit("the hashes differ")
    if pdq.compute(pixels) != pdq.compute_orientations(pixels)[0]:
        raise SystemExit("the hashes differ")


def compare(shape: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """One row of the table: answers compared, then timed."""
    pixels = draw(shape)
    rgb = np.ascontiguousarray(
        pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    )
    check(pixels, rgb)
    taken = medians(
        {
            "screener": lambda: pdq.compute(pixels),
            "pdqhash": lambda: pdqhash.compute(rgb),
            "screener_orientations": lambda: pdq.compute_orientations(pixels),
            "pdqhash_dihedral": lambda: pdqhash.compute_dihedral(rgb),
        },
        rounds,
    )
    return {
        "kernel": _core.KERNEL,
        "height": shape[0],
        "width": shape[1],
        "channels": 3 if len(shape) == 3 else 1,
        "milliseconds": {name: round(each, 4) for name, each in taken.items()},
        "times_pdqhash": round(taken["pdqhash"] / taken["screener"], 1),
        "times_dihedral": round(taken["pdqhash_dihedral"] / taken["screener_orientations"], 1),
    }


def measure(small: bool) -> list[dict[str, Any]]:
    """The rows of this process's kernel."""
    return [
        compare(shape, 3 if small else max(7, 40_000_000 // (shape[0] * shape[1])))
        for shape in (SMALL if small else LARGE)
    ]


def measure_apart(kernel: str, small: bool) -> list[dict[str, Any]]:
    """The rows of a kernel, from a process that has to use it."""
    command = [sys.executable, __file__, "--rows", *(["--small"] if small else [])]
    environment = {**os.environ, "SCREENER_KERNEL": kernel}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def main() -> None:
    """Run, print the table and, if asked, write the receipt."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="small pictures, a few seconds")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--rows", action="store_true", help="this kernel only, as bare JSON")
    arguments = parser.parse_args()
    if arguments.rows:
        print(json.dumps(measure(arguments.small)))
        return
    rows = []
    print("kernel      width  height  channels   screener    pdqhash    (ms)   eight      dihedral")
    for kernel in _core.kernels():
        for row in measure_apart(kernel, arguments.small):
            rows.append(row)
            one, rival, eight, dihedral = row["milliseconds"].values()
            print(
                f"{kernel:9} {row['width']:7} {row['height']:7} {row['channels']:9} "
                f"{one:10.3f} {rival:10.2f} {row['times_pdqhash']:5.1f}x"
                f"{eight:10.3f} {dihedral:10.2f} {row['times_dihedral']:5.1f}x"
            )
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, ("pdqhash", "numpy")))


if __name__ == "__main__":
    main()
