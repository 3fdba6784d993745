"""How long does it take to hash a video, and to screen it, against vPDQ and decoding alone?

Against `vpdq` 0.2.5 (built from source: `scripts/vpdq`), PyAV and OpenCV that decode and do
nothing else. Clips are drawn and encoded here, one a codec; with the reference material beside the
checkout its chair clip comes first. Answers are compared before anything is timed: as many hashes
as vPDQ at the same setting, each near its own. Contestants take turns; figures are medians, of the
time on the wall and of that of all processors, which other work disturbs less.

    python benchmarks/video.py [--small] [--receipt FILE] [--into DOCS]

What this does not show: a cold disk, a large list, hours of video, more than two cores.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import matplotlib as mpl
import numpy as np
import receipt
from matplotlib.figure import Figure

from screener import HashList, Policy, Screener
from screener.errors import MediaError
from screener.hashing import pdq
from screener.hashing.hash import Hash
from screener.media.video import frames as video
from screener.media.video.sampling.rules import Sampling

QUESTION = "How long does it take to hash a video, and to screen it?"
ROOT = Path(__file__).resolve().parents[1]
CHAIR = ROOT.parent / "shared/material/videos/threatexchange/chair-20-sd-bar.mp4"
CODECS = {
    "H.264": ("libx264", "mp4"),
    "HEVC": ("libx265", "mp4"),
    "VP9": ("libvpx-vp9", "webm"),
    "AV1": ("libsvtav1", "mp4"),
    "MPEG-4": ("mpeg4", "avi"),
}
RATE = 30
NEAR = 10  # bits; the authors of PDQ take so much for two right implementations of one picture
BEGIN, END = "<!-- figures: made by benchmarks/video.py -->\n", "<!-- end of figures -->\n"

Contestant = Callable[[Path], int]


def drawn(folder: Path, name: str, seconds: int, size: tuple[int, int]) -> Path:
    """A clip of a camera that moves over four scenes, with a little grain."""
    spec = importlib.util.spec_from_file_location("draw", ROOT / "fixtures" / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    codec, container = CODECS[name]
    path = folder / f"{name}.{container}"
    rng = np.random.default_rng(20260101)
    width, height = size
    count = seconds * RATE
    with av.open(str(path), "w") as file:
        track = file.add_stream(codec, rate=RATE, options={"x265-params": "log-level=none"})
        track.width, track.height, track.pix_fmt = width, height, "yuv420p"
        track.bit_rate = 1_500_000
        track.codec_context.gop_size = 2 * RATE
        for scene in range(4):
            step = 2
            wide = np.asarray(draw.scene(20 + scene, (width + step * count // 4, height)))
            for number in range(count // 4):
                shown = wide[:, number * step : number * step + width].astype(np.int16)
                grain = rng.integers(-4, 5, (height, width, 1), np.int16)
                pixels = np.clip(shown + grain, 0, 255).astype(np.uint8)
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                frame.pts = scene * (count // 4) + number
                frame.time_base = Fraction(1, RATE)
                file.mux(track.encode(frame))
        file.mux(track.encode(None))
    if codec == "libsvtav1":  # where root runs it, it leaves this process a real-time one
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path


def hashes(path: Path, *, distinct: bool = True, mode: str = "seconds") -> list[Hash]:
    """One PDQ a sample, of an open file, as our users get it."""
    with path.open("rb") as file:
        opened = video.open(file, sampling=Sampling(mode=mode, distinct=distinct))
        return [pdq.compute(frame.pixels) for frame in opened.frames()]


@contextmanager
def by_opencv() -> Any:
    """As where PyAV is not installed."""
    has = video._has_pyav
    video._has_pyav = lambda: False
    try:
        yield
    finally:
        video._has_pyav = has


def ours_by_opencv(path: Path) -> int:
    """None where its FFmpeg has no decoder: its wheels lack one for AV1."""
    try:
        with by_opencv():
            return len(hashes(path))
    except MediaError:
        return 0


def decoded_by_pyav(path: Path) -> int:
    with av.open(str(path)) as file:
        track = file.streams.video[0]
        track.thread_type = "AUTO"
        return sum(1 for _ in file.decode(track))


def decoded_by_opencv(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), 0
    while capture.grab():
        count += 1
    return count


def engines(folder: Path) -> dict[str, Contestant]:
    """Screening as a whole: digests, eight orientations, regions, and a look-up in a small list."""
    (folder / "known.csv").write_text("id,pdq\none," + "0123456789abcdef" * 4 + "\n")
    known = HashList.create(folder / "known.list")
    known.import_file(folder / "known.csv")
    made = {}
    for mode in ("seconds", "keyframes"):
        engine = Screener(known.refresh(), policy=Policy(sampling=Sampling(mode=mode)))
        made[f"screen, {mode}"] = lambda path, engine=engine: len(engine.screen(path).lists)
    return made


def contestants(folder: Path) -> dict[str, Contestant]:
    made: dict[str, Contestant] = {
        "hash, seconds": lambda path: len(hashes(path)),
        "hash, keyframes": lambda path: len(hashes(path, mode="keyframes")),
        "hash, all": lambda path: len(hashes(path, mode="all")),
        "hash, seconds, by OpenCV": ours_by_opencv,
        **engines(folder),
        "PyAV, decode only": decoded_by_pyav,
        "OpenCV, decode only": decoded_by_opencv,
    }
    if importlib.util.find_spec("vpdq"):
        import vpdq

        made["vpdq, seconds"] = lambda path: len(vpdq.computeHash(str(path), seconds_per_hash=1))
        made["vpdq, all"] = lambda path: len(vpdq.computeHash(str(path), seconds_per_hash=0))
    return made


def compare(path: Path) -> dict[str, Any] | None:
    """Ours beside vPDQ's, at one a second and of every frame; an error where they differ."""
    if not importlib.util.find_spec("vpdq"):
        return None
    import vpdq

    told = {}
    for mode, seconds in (("seconds", 1), ("all", 0)):
        ours = hashes(path, distinct=False, mode=mode)
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
        told[mode] = {"hashes": len(ours), "most_bits": max(bits), "within_10": round(near, 4)}
    return told


def measure(name: str, path: Path, racers: dict[str, Contestant], rounds: int) -> dict[str, Any]:
    answers = compare(path)
    times: dict[str, list[float]] = {racer: [] for racer in racers}
    cpu: dict[str, list[float]] = {racer: [] for racer in racers}
    failed = {racer for racer, run in racers.items() if not run(path)}
    for _ in range(rounds):
        for racer, run in racers.items():
            if racer not in failed:
                started, spent = time.perf_counter(), time.process_time()
                run(path)
                times[racer].append((time.perf_counter() - started) * 1000)
                cpu[racer].append((time.process_time() - spent) * 1000)
    with av.open(str(path)) as file:
        track = file.streams.video[0]
        size = f"{track.width}x{track.height}"
        frames = sum(1 for _ in file.decode(track))
    took = medians(times)
    of_processor = medians(cpu)
    return {
        "clip": name,
        "size": size,
        "frames": frames,
        "answers": answers,
        "milliseconds": took,
        "cannot_decode": sorted(failed),
        "ratios": ratios(took),
        "processor_milliseconds": of_processor,
        "processor_ratios": ratios(of_processor),
    }


def medians(times: dict[str, list[float]]) -> dict[str, float]:
    return {racer: round(statistics.median(t), 1) for racer, t in times.items() if t}


def ratios(took: dict[str, float]) -> dict[str, float]:
    """What is promised: times as fast as vPDQ, and times what decoding alone takes."""
    told = {
        "hash_over_decoding": took["hash, seconds"] / took["PyAV, decode only"],
        "screen_over_decoding": took["screen, seconds"] / took["PyAV, decode only"],
    }
    if "vpdq, seconds" in took:
        for ours in ("hash, seconds", "hash, keyframes", "hash, all", "screen, seconds"):
            theirs = "vpdq, all" if ours == "hash, all" else "vpdq, seconds"
            told[f"vpdq_over_{ours.replace(', ', '_')}"] = took[theirs] / took[ours]
    return {key: round(value, 2) for key, value in told.items()}


COLUMNS = (
    "hash, seconds",
    "hash, keyframes",
    "hash, all",
    "screen, seconds",
    "PyAV, decode only",
    "OpenCV, decode only",
    "hash, seconds, by OpenCV",
    "vpdq, seconds",
    "vpdq, all",
)


def table(rows: list[dict[str, Any]]) -> str:
    """The figures in milliseconds, and in brackets the ratio to vPDQ at the same setting."""
    lines = ["| clip | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in rows:
        cells = []
        for column in COLUMNS:
            took = row["milliseconds"].get(column)
            ratio = row["ratios"].get(f"vpdq_over_{column.replace(', ', '_')}")
            text = "–" if took is None else f"{took:.0f}" if took >= 20 else f"{took:.1f}"
            cells.append(text + (f" ({ratio:.1f}×)" if ratio else ""))
        lines.append(
            f"| {row['clip']}, {row['size']}, {row['frames']} frames | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines) + "\n"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Frames a second of each contestant, by clip."""
    mpl.rcParams["svg.hashsalt"] = "screener"
    shown = [c for c in COLUMNS if any(c in row["milliseconds"] for row in rows)]
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    for number, column in enumerate(shown):
        places = [at + (number - len(shown) / 2) * 0.09 for at in range(len(rows))]
        speeds = [
            row["frames"] / row["milliseconds"][column] * 1000
            if column in row["milliseconds"]
            else 0
            for row in rows
        ]
        axes.bar(places, speeds, 0.08, label=column)
    axes.set_xticks(range(len(rows)), [row["clip"] for row in rows])
    axes.set_yscale("log")
    axes.set_ylabel("frames of the clip a second")
    axes.legend(fontsize=7, ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def write_page(rows: list[dict[str, Any]], folder: Path) -> None:
    """The table into the page, between its marks, and the plot beside it."""
    page = folder / "benchmarks.md"
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    page.write_text(before + BEGIN + table(rows) + END + rest.split(END, 1)[1], encoding="utf-8")
    plot(rows, folder / "plots" / "video.svg")


def main() -> None:
    os.environ.setdefault("SVT_LOG", "1")  # the encoder of AV1 is talkative
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="one short clip, for CI")
    parser.add_argument(
        "--codecs", nargs="*", default=list(CODECS), choices=CODECS, help="of these"
    )
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    parser.add_argument("--into", type=Path, help="write the table and the plot into these docs")
    arguments = parser.parse_args()
    names = ["H.264"] if arguments.small else arguments.codecs
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        racers = contestants(folder)
        if not any(racer.startswith("vpdq") for racer in racers):
            print("vpdq is not installed (scripts/vpdq builds it): without it")
        clips = {"chair": CHAIR} if CHAIR.exists() and not arguments.small else {}
        size = (320, 180) if arguments.small else (1280, 720)
        for codec in names:
            clips[codec] = drawn(folder, codec, 4 if arguments.small else 10, size)
        for clip, path in clips.items():
            rows.append(measure(clip, path, racers, 2 if arguments.small else 5))
            print(json.dumps(rows[-1]))
        plot(rows, folder / "video.svg")
    print(table(rows))
    if arguments.receipt:
        packages = ["av", "opencv-python-headless", "numpy"]
        packages += ["vpdq"] if importlib.util.find_spec("vpdq") else []
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, packages))
    if arguments.into:
        write_page(rows, arguments.into)


if __name__ == "__main__":
    main()
