"""How long does PDQ of decoded pixels take?

Against `pdqhash.compute`, the published C++, on one thread, with the kernel of this process: photos
of the reference material, enlarged or shrunk to the size named, or drawn pictures without it.
Hashes and qualities of all eight orientations are compared before anything is timed. For each
picture the rivals take turns and the median of the rounds counts, in processor time of the second
of two calls in a row; ratios are of the sums over all pictures.

How often a hash is in doubt, so that the picture is filtered in the reference's order, depends on
what the pictures show; enlarged photos are softer than photos taken at that size.

Then batches of different pictures, by the clock: `pdq.compute_batch` with one thread and with as
many as there are cores, against `pdqhash.compute` in a loop, and in a pool of as many threads.

    python benchmarks/pdq.py [--small] [--every 8] [--receipt FILE]
    SCREENER_KERNEL=avx2 python benchmarks/pdq.py --every 80

What this does not show: decoding, which takes longer than the hash; and single pictures that are
not in the cache. The rival takes no grey pictures and gets three equal channels, made beforehand.
Its own call for eight orientations answers another question: from one DCT it guesses at the hashes
of turned pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pdqhash
import receipt
from pictures import photo_files, photos
from PIL import Image
from receipt import Row
from timing import medians

import screener._core as _core
from screener.hashing import pdq

Pixels = npt.NDArray[np.uint8]
Size = int | tuple[int, int]  # the longer side, or both

# Size, mode, and of how many photos one is taken.
SIZES: dict[str, tuple[Size, str, int]] = {
    "1600 px, RGB": (1600, "RGB", 1),
    "512×512, grey": ((512, 512), "L", 1),
    "512×512, RGB": ((512, 512), "RGB", 1),
    "4000×3000, RGB": ((4000, 3000), "RGB", 16),
}
SMALL: dict[str, tuple[Size, str, int]] = {
    "400 px, RGB": (400, "RGB", 1),
    "128×128, grey": ((128, 128), "L", 1),
}


def sized(picture: Image.Image, size: Size, mode: str) -> Pixels:
    """Return the pixels at a size."""
    if isinstance(size, int):
        scale = size / max(picture.size)
        size = (max(5, round(picture.width * scale)), max(5, round(picture.height * scale)))
    return np.asarray(picture.convert(mode).resize(size, Image.Resampling.BICUBIC))


def as_rgb(pixels: Pixels) -> Pixels:
    """Return three equal channels of a grey picture."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def by_the_rival(rgb: Pixels) -> tuple[bytes, int]:
    """Return value and quality by pdqhash."""
    vector, quality = pdqhash.compute(rgb)
    return np.packbits(vector).tobytes(), quality


def check(found: Any, views: list[Pixels]) -> None:
    """Stop unless hashes and qualities are the rival's."""
    if [(one.value, one.quality) for one in found] != [by_the_rival(view) for view in views]:
        raise SystemExit("the hashes differ")


def turned(rgb: Pixels) -> list[Pixels]:
    """Return the eight turned copies, in the order of `pdq.ORIENTATIONS`."""
    views = [rgb, np.rot90(rgb), np.rot90(rgb, 2), np.rot90(rgb, 3), rgb[::-1], rgb[:, ::-1]]
    views += [rgb.swapaxes(0, 1), np.rot90(rgb, 2).swapaxes(0, 1)]
    return [np.ascontiguousarray(view) for view in views]


def single(pixels: Pixels, rounds: int) -> dict[str, float]:
    """Return milliseconds of one picture, after its answers were compared."""
    rgb = as_rgb(pixels)
    eight = pdq.compute_orientations(pixels)
    check(eight, turned(rgb))
    if pdq.compute(pixels) != eight[0]:
        raise SystemExit("the hashes differ")
    calls = {
        "screener": lambda: pdq.compute(pixels),
        "screener_eight": lambda: pdq.compute_orientations(pixels),
        "pdqhash": lambda: pdqhash.compute(rgb),
    }
    taken = medians(calls, rounds, warm=True)
    return {name: one.processor * 1e3 for name, one in taken.items()}


def batch(name: str, arrays: list[Pixels], rounds: int) -> Row:
    """Return milliseconds a picture of a batch, after all answers were compared."""
    cores = len(os.sched_getaffinity(0))
    rgb = [as_rgb(pixels) for pixels in arrays]
    check(pdq.compute_batch(arrays), rgb)
    check(pdq.compute_batch(arrays, threads=cores), rgb)
    with ThreadPoolExecutor(cores) as pool:
        calls: dict[str, Callable[[], Any]] = {
            "screener, 1": lambda: pdq.compute_batch(arrays),
            "pdqhash, 1": lambda: list(map(pdqhash.compute, rgb)),
            f"screener, {cores}": lambda: pdq.compute_batch(arrays, threads=cores),
            f"pdqhash, {cores}": lambda: list(pool.map(pdqhash.compute, rgb)),
        }
        taken = medians(calls, rounds)
    means = {way: round(one.wall * 1e3 / len(arrays), 4) for way, one in taken.items()}
    ours = means[f"screener, {cores}"]
    return {
        "batch": name,
        "count": len(arrays),
        "cores": cores,
        "milliseconds_a_picture": means,
        "times_pdqhash": round(means["pdqhash, 1"] / means["screener, 1"], 1),
        "on_all_cores_times_pdqhash": round(means["pdqhash, 1"] / ours, 1),
        "on_all_cores_times_pdqhash_on_all": round(means[f"pdqhash, {cores}"] / ours, 1),
    }


def size_row(name: str, every: int, rounds: int) -> Row:
    """Return the figures of all pictures at one size."""
    size, mode, step = (SIZES | SMALL)[name]
    times, doubted = [], 0
    for picture in photos(every=step * every):
        pixels = sized(picture, size, mode)
        times.append(single(pixels, rounds))
        doubted += not _core.pdq_doubt(pixels)[2]
    means = {key: sum(one[key] for one in times) / len(times) for key in times[0]}
    return {
        "kernel": _core.KERNEL,
        "pictures": "photos" if photo_files() else "drawn",
        "size": name,
        "count": len(times),
        "in_doubt": round(doubted / len(times), 3),
        "mean_milliseconds": {key: round(mean, 4) for key, mean in means.items()},
        "times_pdqhash": round(means["pdqhash"] / means["screener"], 1),
        "eight_over_one": round(means["screener_eight"] / means["screener"], 2),
    }


def main() -> None:
    """Measure, print the rows, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--every", type=int, default=1, help="take one photo of so many")
    arguments = parser.parse_args()
    sizes, every, rounds, most = SIZES, arguments.every, 5, 48
    if arguments.small:
        sizes, every, rounds, most = SMALL, 40, 3, 8
    rows = [size_row(name, every, rounds) for name in sizes]
    for name in list(sizes)[:2]:
        size, mode, _ = sizes[name]
        arrays = [sized(picture, size, mode) for picture in photos(most=most)]
        rows.append(batch(name, arrays, rounds))
    print(*rows, sep="\n")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ("pdqhash", "numpy")))


if __name__ == "__main__":
    main()
