"""How long does each hash take, from pixels and from a JPEG file, and what takes the time?

Each kind on one thread, against the packages that make it too: `pdqhash`, `imagehash`,
`perception` and the ThreatExchange library. From pixels, decoded before; and from a path that is
in the system's cache, by the route that screening takes, limits and sniffing included. Then the
stages of that route, each alone. How a file's hashes compare with decoding alone (Pillow, to grey,
of a file that was read, no array made) is measured with these two in turns and nothing else, since
whoever comes after a rival finds the processor's caches filled with other things. The answers are
compared before anything is timed: from pixels every one must be equal; from a file, where we decode
an ordinary JPEG to its luma only, PDQ may move by a few bits (docs/internals/pixels.md).
Medians of rounds in which all take turns, in processor time; ratios are of sums over the pictures.

What this does not show: a cold disk; other formats than JPEG; the eight orientations and trimmed
regions that screening adds; several files at once, which benchmarks/scan.py has. `perception`
makes no pHash of 64 bits that equals imagehash's: it is timed, and not compared.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
import pdqhash
import receipt
from perception import hashers
from PIL import Image
from threatexchange.signal_type.pdq.signal import PdqSignal

from screener.hashing import classic, digest, pdq
from screener.hashing.hash import KINDS, Hash
from screener.hashing.shrink import shrunk
from screener.media.image import open_image

QUESTION = (
    "How long does each hash take, from pixels and from a JPEG file, and what takes the time?"
)
MATERIAL = Path(__file__).resolve().parents[2] / "shared" / "material"
FOLDERS = ("photos-free", "photos-fp-mini", "pdq-reference")
SEED = 20260101
DRIFT = 6  # bits that decoding to luma has been seen to move a photo's hash, and some more
WIDTHS = (512, 1600)
GREY = "decoding alone"
SHARE = "file, beside decoding"

Pixels = npt.NDArray[np.uint8]
Call = Callable[[], Any]


def drawn(number: int) -> Image.Image:
    """A picture that costs about what a photo costs: smooth shapes, edges and some grain."""
    rng = np.random.default_rng([SEED, number])
    rows, columns = np.mgrid[0:1004, 0:1600]
    picture = np.empty((1004, 1600, 3), np.float32)
    for channel in range(3):
        far, near = rng.uniform(60, 300, 2), rng.uniform(5, 30, 2)
        picture[..., channel] = 127 + 70 * np.sin(rows / far[0] + np.cos(columns / far[1]) * 3)
        picture[..., channel] += 20 * np.sign(np.sin(rows / near[0]) * np.cos(columns / near[1]))
    picture += rng.normal(0, 6, (1004, 1600, 1))
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def photos(material: Path, most: int) -> Iterator[Image.Image]:
    """Photos from all over the folders, or drawn pictures where there are none."""
    found = sorted(
        path
        for folder in FOLDERS
        for path in (material / folder).rglob("*")
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    step = max(1, len(found) // most)
    for path in found[::step][:most]:
        yield Image.open(path).convert("RGB")
    for number in range(0 if found else min(most, 6)):
        yield drawn(number)


def as_jpeg(photo: Image.Image, width: int) -> bytes:
    height = max(1, round(photo.height * width / photo.width))
    out = io.BytesIO()
    photo.resize((width, height), Image.Resampling.LANCZOS).save(out, "JPEG", quality=85)
    return out.getvalue()


def frame(content: bytes) -> Pixels:
    """The pixels of a file as screening decodes it, first picture first."""
    return next(open_image.open(content).frames()).pixels


def theirs(kind: str, picture: Image.Image) -> bytes:
    """The value that imagehash gives."""
    name, side = (kind[:-3], 16) if kind.endswith("256") else (kind, 8)
    make = {
        "phash": imagehash.phash,
        "dhash": imagehash.dhash,
        "ahash": imagehash.average_hash,
        "whash": imagehash.whash,
    }[name]
    return bytes.fromhex(str(make(picture, hash_size=side)))


def from_pixels(rgb: Pixels) -> dict[str, dict[str, Call]]:
    """For each kind, who makes it of decoded pixels, ours first."""
    picture = Image.fromarray(rgb)
    grey = np.asarray(picture.convert("L"))
    calls: dict[str, dict[str, Call]] = {
        "pdq": {
            "screener": lambda: pdq.compute(rgb),
            "pdqhash": lambda: pdqhash.compute(rgb),
            "perception": lambda: hashers.PDQHash().compute(rgb, hash_format="vector"),
        },
        "pdq, of grey": {"screener": lambda: pdq.compute(grey)},
        "pdq, eight orientations": {"screener": lambda: pdq.compute_orientations(rgb)},
    }
    for kind in classic.CLASSIC:
        calls[kind.name] = {
            "screener": lambda kind=kind: classic.compute(rgb, kind),
            "imagehash": lambda kind=kind: theirs(kind.name, picture),
        }
    eight = ("phash", "dhash", "ahash", "whash")
    calls["those four of 64 bits"] = {
        "screener": lambda: classic.compute_orientations(rgb, [KINDS[one] for one in eight]),
        "imagehash": lambda: [theirs(one, picture) for one in eight],
    }
    calls["phash"]["perception"] = lambda: hashers.PHash().compute(rgb, hash_format="vector")
    return calls


def from_file(path: Path) -> dict[str, dict[str, Call]]:
    """For some kinds, who makes it of a file, ours first."""
    return {
        "pdq": {
            "screener": lambda: pdq.compute(frame(path.read_bytes())),
            "threatexchange": lambda: PdqSignal.hash_from_file(path),
            "perception": lambda: hashers.PDQHash().compute(str(path)),
        },
        "phash": {
            "screener": lambda: classic.compute(frame(path.read_bytes()), KINDS["phash"]),
            "imagehash": lambda: theirs("phash", Image.open(path)),
            "perception": lambda: hashers.PHash().compute(str(path)),
        },
    }


def beside_decoding(path: Path) -> dict[str, dict[str, Call]]:
    """Ours of a file and decoding alone, to be timed in turns."""
    ours: dict[str, Call] = {
        "pdq": lambda: pdq.compute(frame(path.read_bytes())),
        "pdq and three digests": lambda: with_digests(path),
        "phash": lambda: classic.compute(frame(path.read_bytes()), KINDS["phash"]),
    }
    return {kind: {"screener": call, GREY: lambda: to_grey(path)} for kind, call in ours.items()}


def with_digests(path: Path) -> tuple[Hash, ...]:
    content = path.read_bytes()
    return (*digest.compute(content), pdq.compute(frame(content)))


def stages(path: Path) -> dict[str, Call]:
    """Each step of a file's way to its hashes, alone."""
    content = path.read_bytes()
    grey = frame(content)
    return {
        "read": path.read_bytes,
        GREY: lambda: to_grey(path),
        "decoding alone, to RGB": lambda: np.asarray(Image.open(io.BytesIO(content))),
        "open and decode, as screening does": lambda: frame(content),
        "pdq of it": lambda: pdq.compute(grey),
        "shrink for classic hashes": lambda: shrunk(grey, [(32, 32)], transposed=False),
        "md5, sha1, sha256": lambda: digest.compute(content),
    }


def to_grey(path: Path) -> None:
    opened = Image.open(io.BytesIO(path.read_bytes()))
    opened.draft("L", opened.size)
    opened.load()


def compare(rgb: Pixels, path: Path) -> None:
    """Equal answers, or an error that says which differ."""
    made, wanted = pdq.compute(rgb).value, np.packbits(pdqhash.compute(rgb)[0]).tobytes()
    if made != wanted:
        raise SystemExit("our PDQ is not pdqhash's")
    picture = Image.fromarray(rgb)
    for kind in classic.CLASSIC:
        if classic.compute(rgb, kind).value != theirs(kind.name, picture):
            raise SystemExit(f"our {kind.name} is not imagehash's")
    text = PdqSignal.hash_from_file(path)
    if not text:  # it has none of a picture that shows too little
        return
    apart = pdq.compute(frame(path.read_bytes())).distance(Hash.parse("pdq", text))
    if apart > DRIFT:
        raise SystemExit(f"{apart} bits from ThreatExchange's PDQ of a file")


def timed(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Milliseconds of each, in turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.process_time()
            call()
            taken[name].append((time.process_time() - started) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def measure(
    pictures: list[Image.Image], width: int, rounds: int, only: str | None
) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], dict[str, float]] = {}
    for picture in pictures:
        content = as_jpeg(picture, width)
        with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
            path = Path(file.name)
            path.write_bytes(content)
            rgb = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            compare(rgb, path)
            asked: dict[tuple[str, str], dict[str, Call]] = {}
            if only != "file":
                asked |= {("pixels", kind): calls for kind, calls in from_pixels(rgb).items()}
            if only != "pixels":
                asked |= {("file", kind): calls for kind, calls in from_file(path).items()}
                asked |= {(SHARE, kind): calls for kind, calls in beside_decoding(path).items()}
                asked["file", "stages"] = stages(path)
            for key, calls in asked.items():
                total = sums.setdefault(key, dict.fromkeys(calls, 0.0))
                for name, milliseconds in timed(calls, rounds).items():
                    total[name] += milliseconds / len(pictures)
    rows = []
    for (begin, what), means in sums.items():
        row: dict[str, Any] = {"width": width, "pictures": len(pictures), "from": begin}
        row |= {"what": what, "milliseconds": {name: round(ms, 4) for name, ms in means.items()}}
        if "screener" in means:
            own = means["screener"]
            row["times_as_fast"] = {
                name: round(ms / own, 2) for name, ms in means.items() if name != "screener"
            }
            if begin == SHARE:
                row["share_of_decoding_rate"] = round(means[GREY] / own, 3)
        rows.append(row)
    return rows


def tell(rows: list[dict[str, Any]]) -> str:
    """The table of docs/benchmarks.md."""
    lines = ["| width | from | what | milliseconds | times as fast | of the rate of decoding |"]
    lines.append("|---|---|---|---|---|---|")
    for row in rows:
        times = ", ".join(f"{name} {ms:.3g}" for name, ms in row["milliseconds"].items())
        fast = ", ".join(
            f"{name} {ratio:g}×" for name, ratio in row.get("times_as_fast", {}).items()
        )
        share = row.get("share_of_decoding_rate")
        lines.append(
            f"| {row['width']} | {row['from']} | {row['what']} | {times} | {fast} |"
            f" {'' if share is None else f'{share:.0%}'} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="few pictures and rounds")
    parser.add_argument(
        "--material", type=Path, default=MATERIAL, help="where folders of photos are"
    )
    parser.add_argument("--photos", type=int, default=60, help="how many of them")
    parser.add_argument("--only", choices=("pixels", "file"), help="measure from these only")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    small = arguments.small
    pictures = list(photos(arguments.material, 2 if small else arguments.photos))
    rows = [
        row
        for width in ((256,) if small else WIDTHS)
        for row in measure(pictures, width, 2 if small else 7, arguments.only)
    ]
    print(tell(rows))
    if arguments.receipt:
        packages = ("pillow", "imagehash", "perception", "threatexchange", "pdqhash", "numpy")
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, packages))


if __name__ == "__main__":
    main()
