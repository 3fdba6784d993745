"""How long does it take from a JPEG file to its PDQ?

Against `PdqSignal.hash_from_file` of the ThreatExchange Python library, one thread each, from a
path on disk that is in the system's cache. Our route is the one that screening takes, limits
and sniffing included; beside it stands ours with the JPEG decoded to full RGB. The hashes are
compared before anything is timed (docs/pixels.md says why they may differ by a few bits);
figures are medians of rounds in which the rivals take turns.

What this does not show: a cold disk; other formats; the eight orientations, digests and the
search that screening adds; and several files at once.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import receipt
from PIL import Image
from threatexchange.signal_type.pdq.signal import PdqSignal

from screener.hashing import pdq
from screener.hashing.hash import Hash
from screener.media import image

QUESTION = "How long does it take from a JPEG file to its PDQ?"
SEED = 20260101
DRIFT = 4  # bits that decoding to grey has been seen to move a photo's hash

Route = Callable[[Path], Hash]


def drawn(width: int, height: int) -> bytes:
    """A JPEG that costs about what a photo costs: smooth shapes, edges and some grain."""
    rng = np.random.default_rng(SEED)
    rows, columns = np.mgrid[0:height, 0:width]
    picture = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        far, near = rng.uniform(60, 300, 2), rng.uniform(5, 30, 2)
        picture[..., channel] = 127 + 70 * np.sin(rows / far[0] + np.cos(columns / far[1]) * 3)
        picture[..., channel] += 20 * np.sign(np.sin(rows / near[0]) * np.cos(columns / near[1]))
    picture += rng.normal(0, 6, (height, width, 1))
    out = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=85)
    return out.getvalue()


def ours(path: Path) -> Hash:
    (frame,) = image.open(path.read_bytes()).frames()
    return pdq.compute(frame.pixels)


def ours_in_rgb(path: Path) -> Hash:
    (frame,) = image.open(Image.open(path)).frames()
    return pdq.compute(frame.pixels)


def threatexchange(path: Path) -> Hash:
    return Hash.parse("pdq", PdqSignal.hash_from_file(path))


ROUTES: dict[str, Route] = {
    "screener": ours,
    "screener, full RGB": ours_in_rgb,
    "threatexchange": threatexchange,
}


def compare(path: Path) -> dict[str, int]:
    """Bits between each route and ThreatExchange's; an error where they are too many."""
    theirs = threatexchange(path)
    distances = {name: route(path).distance(theirs) for name, route in ROUTES.items()}
    if distances["screener, full RGB"] or distances["screener"] > DRIFT:
        raise SystemExit(f"{path.name}: the answers differ: {distances}")
    return distances


def measure(path: Path, rounds: int) -> dict[str, Any]:
    distances = compare(path)
    times: dict[str, list[float]] = {name: [] for name in ROUTES}
    for _ in range(rounds):
        for name, route in ROUTES.items():
            started = time.perf_counter()
            route(path)
            times[name].append((time.perf_counter() - started) * 1000)
    medians = {name: round(statistics.median(taken), 2) for name, taken in times.items()}
    with Image.open(path) as opened:
        size = "x".join(map(str, opened.size))
    return {
        "file": path.name,
        "size": size,
        "bytes": path.stat().st_size,
        "milliseconds": medians,
        "times_as_fast": round(medians["threatexchange"] / medians["screener"], 2),
        "bits_from_threatexchange": distances,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("photo", type=Path, nargs="*", help="JPEG files (default: drawn ones)")
    parser.add_argument("--small", action="store_true", help="few rounds, a few seconds")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    rounds = 5 if arguments.small else 31
    with tempfile.TemporaryDirectory() as folder:
        photos = list(arguments.photo)
        for width, height in () if photos else ((512, 512), (1600, 1004), (4000, 3000)):
            photos.append(Path(folder) / f"drawn-{width}x{height}.jpg")
            photos[-1].write_bytes(drawn(width, height))
        rows = [measure(photo, rounds) for photo in photos]
    for row in rows:
        print(row)
    if arguments.receipt:
        packages = ("pillow", "threatexchange", "pdqhash", "numpy")
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, packages))


if __name__ == "__main__":
    main()
