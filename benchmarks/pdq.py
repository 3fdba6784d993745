"""How long does PDQ of decoded pixels take?

Against `pdqhash.compute`, the published C++, on one thread, with every kernel that the machine
has, each in a process of its own: photos, enlarged or shrunk to the size named, or drawn pictures
where no folder of photos is there. Hashes and qualities of all eight orientations are compared
before anything is timed. For each picture the rivals take turns and the median of the rounds
counts, in processor time of the second of two calls in a row; ratios are of the sums over all
pictures.

How often a hash is in doubt, so that the picture is filtered in the reference's order, depends on
what the pictures show; enlarged photos are softer than photos taken at that size.

Then batches of different pictures, by the clock: `pdq.compute_batch` with one thread and with as
many as there are cores, against `pdqhash.compute` in a loop, and in a pool of as many threads.

What this does not show: decoding, which takes longer than the hash; and single pictures that are
not in the cache yet. The rival takes no grey
pictures, so for those it is given three equal channels, made beforehand. Its own call for eight
orientations answers another question: from one DCT it guesses at the hashes of turned pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pdqhash
import receipt
from PIL import Image

import screener._core as _core
from screener.hashing import pdq

QUESTION = "How long does PDQ of decoded pixels take?"
SEED = 20260102
MATERIAL = Path(__file__).resolve().parents[2] / "shared" / "material"
FOLDERS = ("photos-free", "photos-fp-mini", "pdq-reference")
DRAWN = 24
Pixels = npt.NDArray[np.uint8]

SIZES: dict[str, tuple[int | tuple[int, int], str, int]] = {
    "1600 px, RGB": (1600, "RGB", 1),
    "512×512, grey": ((512, 512), "L", 1),
    "512×512, RGB": ((512, 512), "RGB", 1),
    "4000×3000, RGB": ((4000, 3000), "RGB", 16),
}
"""The longer side or both, the mode, and of how many photos one is taken."""
BATCHES = {"1600 px, RGB": 48, "512×512, grey": 192}
"""Of how many different photos a batch is, by their size; with --small, of eight."""
SMALL: dict[str, tuple[int | tuple[int, int], str, int]] = {
    "400 px, RGB": (400, "RGB", 30),
    "128×128, grey": ((128, 128), "L", 30),
}


def draw(seed: int) -> Image.Image:
    """Waves and some noise, as soft as a photo."""
    rng = np.random.default_rng(SEED + seed)
    y, x = np.mgrid[:300, :400]
    planes = np.full((3, 300, 400), 120.0)
    for _ in range(12):
        a, b, c = rng.uniform(-0.2, 0.2, 3)
        planes += rng.uniform(0, 25, (3, 1, 1)) * np.sin(x * a + y * b + 40 * c)
    planes += rng.uniform(-15, 15, planes.shape)
    return Image.fromarray(np.clip(planes, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def pictures(material: Path, every: int) -> Iterator[Image.Image]:
    """The photos of the material, or drawn pictures without it."""
    paths = [
        path
        for folder in FOLDERS
        for path in sorted((material / folder).rglob("*"))
        if path.suffix in (".jpg", ".jpeg", ".png")
    ]
    if not paths:
        yield from (draw(seed) for seed in range(0, DRAWN, min(every, DRAWN // 2)))
    for path in paths[::every]:
        with Image.open(path) as image:
            yield image.convert("RGB")


def sized(image: Image.Image, size: int | tuple[int, int], mode: str) -> Pixels:
    """The pixels at the size asked for."""
    if isinstance(size, int):
        scale = size / max(image.size)
        size = (max(5, round(image.width * scale)), max(5, round(image.height * scale)))
    return np.asarray(image.convert(mode).resize(size, Image.Resampling.BICUBIC))


def turned(rgb: Pixels) -> list[Pixels]:
    """The eight turned copies, in the order of `pdq.ORIENTATIONS`."""
    views = [rgb, np.rot90(rgb), np.rot90(rgb, 2), np.rot90(rgb, 3), rgb[::-1], rgb[:, ::-1]]
    views += [rgb.swapaxes(0, 1), np.rot90(rgb, 2).swapaxes(0, 1)]
    return [np.ascontiguousarray(view) for view in views]


def check(pixels: Pixels, views: list[Pixels]) -> None:
    """Stop unless hashes and qualities are the rival's, of all the turned copies."""
    found = pdq.compute_orientations(pixels)
    for one, view in zip(found, views, strict=True):
        vector, quality = pdqhash.compute(view)
        if (one.value, one.quality) != (np.packbits(vector).tobytes(), quality):
            raise SystemExit("the hashes differ")
    if pdq.compute(pixels) != found[0]:
        raise SystemExit("the hashes differ")


def medians(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of processor time; they take turns, so a slow spell hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            run()  # the rival before it has emptied the caches
            start = time.thread_time()
            run()
            taken[name].append((time.thread_time() - start) * 1e3)
    return {name: statistics.median(times) for name, times in taken.items()}


def compare(pixels: Pixels, rounds: int) -> dict[str, float]:
    """Milliseconds of one picture, after its answers were compared."""
    rgb = np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels
    views = turned(rgb)
    check(pixels, views)
    return medians(
        {
            "screener": lambda: pdq.compute(pixels),
            "in_reference_order": lambda: _core.pdq_exact(pixels),
            "screener_eight": lambda: pdq.compute_orientations(pixels),
            "pdqhash": lambda: pdqhash.compute(views[0]),
        },
        rounds,
    )


def batch(material: Path, name: str, small: bool) -> list[Pixels]:
    """Different pictures of one of SIZES, from all over the material."""
    size, mode, _ = SIZES[name]
    photos = list(pictures(material, 7))[: 8 if small else BATCHES[name]]
    return [sized(one, 400 if small else size, mode) for one in photos]


def compare_batches(material: Path, small: bool) -> list[dict[str, Any]]:
    """Milliseconds a picture by the clock, of batches, after all answers were compared."""
    rows = []
    cores = len(os.sched_getaffinity(0))
    for name in BATCHES:
        given = batch(material, name, small)
        rgb = [p if p.ndim == 3 else np.repeat(p[:, :, None], 3, axis=2) for p in given]
        expected = [(np.packbits(v).tobytes(), q) for v, q in map(pdqhash.compute, rgb)]
        with ThreadPoolExecutor(cores) as pool:
            ways: dict[str, Callable[[], Any]] = {
                "screener, 1": lambda given=given: pdq.compute_batch(given),
                "pdqhash, 1": lambda rgb=rgb: list(map(pdqhash.compute, rgb)),
                f"screener, {cores}": lambda given=given: pdq.compute_batch(given, threads=cores),
                f"pdqhash, {cores}": lambda rgb=rgb, pool=pool: list(
                    pool.map(pdqhash.compute, rgb)
                ),
            }
            for way in ("screener, 1", f"screener, {cores}"):
                if [(one.value, one.quality) for one in ways[way]()] != expected:
                    raise SystemExit("the hashes differ")
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(3 if small else 5):
                for way, run in ways.items():
                    start = time.perf_counter()
                    run()
                    taken[way].append((time.perf_counter() - start) * 1e3 / len(given))
        told = {way: round(statistics.median(times), 4) for way, times in taken.items()}
        ours = told[f"screener, {cores}"]
        rows.append(
            {
                "batch": name.replace("1600 px", "400 px").replace("512×512", "400 px")
                if small
                else name,
                "count": len(given),
                "cores": cores,
                "milliseconds_a_picture": told,
                "times_pdqhash": round(told["pdqhash, 1"] / told["screener, 1"], 1),
                "on_all_cores_times_pdqhash": round(told["pdqhash, 1"] / ours, 1),
                "on_all_cores_times_pdqhash_on_all": round(told[f"pdqhash, {cores}"] / ours, 1),
            }
        )
    return rows


def measure(material: Path, small: bool, every: int) -> list[dict[str, Any]]:
    """The rows of this process's kernel, one for each size."""
    rows = []
    for name, (size, mode, step) in (SMALL if small else SIZES).items():
        sums: dict[str, float] = {}
        count = doubted = 0
        for image in pictures(material, step * every):
            pixels = sized(image, size, mode)
            for key, taken in compare(pixels, 3 if small else 5).items():
                sums[key] = sums.get(key, 0.0) + taken
            count += 1
            doubted += not _core.pdq_doubt(pixels)[2]
        rows.append(
            {
                "kernel": _core.KERNEL,
                "pictures": "photos" if (material / FOLDERS[0]).exists() else "drawn",
                "size": name,
                "count": count,
                "in_doubt": round(doubted / count, 3),
                "mean_milliseconds": {key: round(sums[key] / count, 4) for key in sums},
                "times_pdqhash": round(sums["pdqhash"] / sums["screener"], 1),
                "eight_over_one": round(sums["screener_eight"] / sums["screener"], 2),
            }
        )
    return rows


def measure_apart(kernel: str, arguments: argparse.Namespace, every: int) -> list[dict[str, Any]]:
    """The rows of a kernel, from a process that has to use it."""
    command = [sys.executable, __file__, "--rows", "--every", str(every)]
    command += ["--material", str(arguments.material), *(["--small"] if arguments.small else [])]
    environment = {**os.environ, "SCREENER_KERNEL": kernel}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def main() -> None:
    """Run, print the table and, if asked, write the receipt."""
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="small pictures, a few seconds")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--material", type=Path, default=MATERIAL, help="a folder with photos")
    parser.add_argument("--every", type=int, default=1, help="take one photo of so many")
    parser.add_argument("--rows", action="store_true", help="this kernel only, as bare JSON")
    arguments = parser.parse_args()
    if arguments.rows:
        print(json.dumps(measure(arguments.material, arguments.small, arguments.every)))
        return
    rows = []
    print("kernel    pictures            count  in doubt   screener    pdqhash    (ms)  eight/one")
    for kernel in _core.kernels():
        # The best kernel sees all photos, the others a tenth.
        best = kernel == _core.kernels()[0]
        for row in measure_apart(kernel, arguments, arguments.every * (1 if best else 10)):
            rows.append(row)
            taken = row["mean_milliseconds"]
            print(
                f"{kernel:9} {row['size']:18} {row['count']:6} {row['in_doubt']:9.1%} "
                f"{taken['screener']:10.3f} {taken['pdqhash']:10.2f} {row['times_pdqhash']:6.1f}x"
                f"{row['eight_over_one']:9.2f}"
            )
    for row in compare_batches(arguments.material, arguments.small):
        rows.append(row)
        print(row)
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, ("pdqhash", "numpy")))


if __name__ == "__main__":
    main()
