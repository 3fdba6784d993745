"""How long does it take to hash a video, and to screen it, against vPDQ and decoding alone?

Against `vpdq` 0.2.5 (built from source: `scripts/vpdq`), and PyAV that decodes and does nothing
else. Clips are drawn and encoded here, one a codec; with the reference material beside the checkout
its chair clip comes first. Answers are compared before anything is timed: as many hashes as vPDQ at
the same setting, each near its own. Contestants take turns; figures are medians, by the clock and
of all processors, which other work disturbs less.

    python benchmarks/video.py [--small] [--receipt FILE] [--into DOCS]

What this does not show: a cold disk, a large list, hours of video, more than two cores.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import lists
import numpy as np
import receipt
import tables
from pictures import MATERIAL, scene
from receipt import Row
from timing import medians

from screener import Policy, Screener
from screener.hashing import pdq
from screener.hashing.hash import Hash
from screener.media.video import frames
from screener.media.video.sampling.settings import Sampling

if importlib.util.find_spec("vpdq"):
    import vpdq
else:
    vpdq = None

CHAIR = MATERIAL / "videos/threatexchange/chair-20-sd-bar.mp4"
CODECS = {
    "H.264": ("libx264", "mp4"),
    "HEVC": ("libx265", "mp4"),
    "VP9": ("libvpx-vp9", "webm"),
    "AV1": ("libsvtav1", "mp4"),
    "MPEG-4": ("mpeg4", "avi"),
}
RATE = 30
NEAR = 10  # bits; the authors of PDQ allow so much between two right implementations
COLUMNS = (
    "hash, seconds",
    "hash, keyframes",
    "hash, all",
    "screen, seconds",
    "PyAV, decode only",
    "vpdq, seconds",
    "vpdq, all",
)


def drawn(folder: Path, name: str, seconds: int, size: tuple[int, int]) -> Path:
    """Return a clip of a camera that moves over four scenes, with a little grain."""
    codec, container = CODECS[name]
    path = folder / f"{name}.{container}"
    rng = np.random.default_rng(20260101)
    width, height = size
    count, step = seconds * RATE, 2
    with av.open(str(path), "w") as file:
        track = file.add_stream(codec, rate=RATE, options={"x265-params": "log-level=none"})
        track.width, track.height, track.pix_fmt = width, height, "yuv420p"
        track.bit_rate = 1_500_000
        track.codec_context.gop_size = 2 * RATE
        for number in range(count):
            part, place = divmod(number, count // 4)
            if place == 0:
                wide = np.asarray(scene(20 + part, (width + step * count // 4, height)))
            shown = wide[:, place * step : place * step + width].astype(np.int16)
            grain = rng.integers(-4, 5, (height, width, 1), np.int16)
            pixels = np.clip(shown + grain, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            file.mux(track.encode(frame))
        file.mux(track.encode(None))
    if codec == "libsvtav1":  # run by root, it leaves this process a real-time one
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path


def hashes(path: Path, mode: str, *, distinct: bool = True) -> list[Hash]:
    """Return one PDQ a sample, of an open file, as our users get it."""
    with path.open("rb") as file:
        opened = frames.open(file, sampling=Sampling(mode=mode, distinct=distinct))
        return [pdq.compute(frame.pixels) for frame in opened.frames()]


def decoded(path: Path) -> int:
    """Decode all frames by PyAV and return their number."""
    with av.open(str(path)) as file:
        track = file.streams.video[0]
        track.thread_type = "AUTO"
        return sum(1 for _ in file.decode(track))


def contestants(folder: Path) -> dict[str, Callable[[Path], Any]]:
    """Return what is timed; screening goes against a list of one."""
    hash_list = lists.made(folder / "known.list", lists.drawn(1, ["pdq"]))
    screener = Screener(
        hash_list, policy=Policy(effort="distance", sampling=Sampling(mode="seconds"))
    )
    made: dict[str, Callable[[Path], Any]] = {
        "hash, seconds": partial(hashes, mode="seconds"),
        "hash, keyframes": partial(hashes, mode="keyframes"),
        "hash, all": partial(hashes, mode="all"),
        "screen, seconds": screener.screen,
        "PyAV, decode only": decoded,
    }
    if vpdq is not None:
        made["vpdq, seconds"] = lambda path: vpdq.computeHash(str(path), seconds_per_hash=1)
        made["vpdq, all"] = lambda path: vpdq.computeHash(str(path), seconds_per_hash=0)
    return made


def compare(path: Path) -> Row | None:
    """Return how near our hashes come to vPDQ's, at one a second and of every frame.

    Stops if the numbers differ or the hashes are far apart.
    """
    if vpdq is None:
        return None
    found = {}
    for mode, seconds in (("seconds", 1), ("all", 0)):
        ours = hashes(path, mode, distinct=False)
        theirs = vpdq.computeHash(str(path), seconds_per_hash=seconds)
        if len(ours) != len(theirs):
            raise SystemExit(f"{path.name}, {mode}: {len(ours)} hashes, vpdq has {len(theirs)}")
        bits = [
            one.distance(Hash.parse("pdq", other.hex))
            for one, other in zip(ours, theirs, strict=True)
            if other.quality >= 50
        ]
        near = sum(distance <= NEAR for distance in bits) / len(bits)
        if max(bits) > 31 or near < 0.95:
            raise SystemExit(f"{path.name}, {mode}: up to {max(bits)} bits, {near:.0%} within 10")
        found[mode] = {"hashes": len(ours), "most_bits": max(bits), "within_10": round(near, 4)}
    return found


def measure(name: str, path: Path, racers: dict[str, Callable[[Path], Any]], rounds: int) -> Row:
    """Return the figures of one clip."""
    answers = compare(path)
    for racer, run in racers.items():
        if not run(path):
            raise SystemExit(f"{racer} found nothing in {path.name}")
    taken = medians({racer: partial(run, path) for racer, run in racers.items()}, rounds)
    wall = {racer: round(one.wall * 1000, 1) for racer, one in taken.items()}
    busy = {racer: round(one.processor * 1000, 1) for racer, one in taken.items()}
    with av.open(str(path)) as file:
        track = file.streams.video[0]
        size = f"{track.width}x{track.height}"
    return {
        "clip": name,
        "size": size,
        "frames": decoded(path),
        "answers": answers,
        "milliseconds": wall,
        "ratios": ratios(wall),
        "processor_milliseconds": busy,
        "processor_ratios": ratios(busy),
    }


def ratios(took: dict[str, float]) -> dict[str, float]:
    """Return times what decoding alone takes, and what vPDQ takes of ours."""
    decoding = took["PyAV, decode only"]
    found = {
        f"{what}_over_decoding": took[f"{what}, seconds"] / decoding for what in ("hash", "screen")
    }
    if "vpdq, all" in took:
        for ours in COLUMNS[:4]:
            theirs = "vpdq, all" if ours == "hash, all" else "vpdq, seconds"
            found[f"vpdq_over_{ours.replace(', ', '_')}"] = took[theirs] / took[ours]
    return {key: round(value, 2) for key, value in found.items()}


def table(rows: list[Row]) -> str:
    """Return the milliseconds, and in brackets the ratio to vPDQ at the same setting."""
    lines = []
    for row in rows:
        cells = [f"{row['clip']}, {row['size']}, {row['frames']} frames"]
        for column in COLUMNS:
            taken = row["milliseconds"].get(column)
            ratio = row["ratios"].get(f"vpdq_over_{column.replace(', ', '_')}")
            text = "–" if taken is None else f"{taken:.0f}"
            cells.append(text + (f" ({ratio:.1f}×)" if ratio else ""))
        lines.append(cells)
    return tables.table(["clip", *COLUMNS], lines)


def main() -> None:
    """Measure, print a table, and write receipt and page."""
    os.environ.setdefault("SVT_LOG", "1")  # the encoder of AV1 is talkative
    parser = receipt.parser(__doc__)
    parser.add_argument("--into", type=Path, help="write the table into benchmarks.md in there")
    arguments = parser.parse_args()
    if vpdq is None:
        print("vpdq is not installed (scripts/vpdq builds it): without it")
    codecs, seconds, size, rounds = list(CODECS), 10, (1280, 720), 5
    if arguments.small:
        codecs, seconds, size, rounds = codecs[:1], 4, (320, 180), 2
    rows = []
    with lists.workplace(None) as folder:
        racers = contestants(folder)
        clips = {"chair": CHAIR} if CHAIR.exists() and not arguments.small else {}
        clips |= {codec: drawn(folder, codec, seconds, size) for codec in codecs}
        for clip, path in clips.items():
            rows.append(measure(clip, path, racers, rounds))
    print(table(rows))
    packages = ["av", "numpy", *(["vpdq"] if vpdq else [])]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))
    if arguments.into:
        tables.replace(arguments.into / "benchmarks.md", "video.py", table(rows))


if __name__ == "__main__":
    main()
