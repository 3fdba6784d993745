"""How long does each hash take, from pixels and from a JPEG file, and what takes the time?

The classic kinds from pixels, decoded before, against `imagehash`; PDQ and pHash from a path in the
system's cache, by the route of screening, limits and sniffing included, against the ThreatExchange
library and `imagehash`; all on one thread. PDQ from pixels is the question of pdq.py. Then the
stages of that route, each alone. A file's hashes and decoding alone (Pillow, to grey, no array
made) take turns by themselves, since a rival fills the processor's caches with other things.
Answers are compared before anything is timed: from pixels each must be equal; from a file, of which
we decode the luma only, PDQ may move by a few bits. Figures are medians of rounds in turns, in
processor time; ratios are of sums over the pictures: photos of the reference material, or drawn.

    python benchmarks/hashing.py [--small] [--photos 60] [--receipt FILE]

What this does not show: a cold disk; other formats than JPEG; the eight orientations and trimmed
regions that screening adds; several files at once, which scan.py measures.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
import pdqhash
import receipt
from lists import workplace
from pictures import photos, saved
from PIL import Image
from receipt import Row
from tables import table
from threatexchange.signal_type.pdq.signal import PdqSignal
from timing import medians

from screener.hashing import classic, digest, pdq
from screener.hashing.hash import KINDS, Hash
from screener.hashing.shrink import shrunk
from screener.media.image import open_image

DRIFT = 6  # bits that decoding to luma has been seen to move a photo's hash, and some more
GREY = "decoding alone"
SHARE = "file, beside decoding"
THEIRS = {
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "ahash": imagehash.average_hash,
    "whash": imagehash.whash,
}
PACKAGES = ("pillow", "imagehash", "threatexchange", "pdqhash", "numpy")

Pixels = npt.NDArray[np.uint8]
Calls = dict[str, Callable[[], Any]]


def frame(content: bytes) -> Pixels:
    """Return the pixels of a file as screening decodes it."""
    return next(open_image.open(content).frames()).pixels


def theirs(kind: str, picture: Image.Image) -> bytes:
    """Return the value by imagehash."""
    name, side = (kind[:-3], 16) if kind.endswith("256") else (kind, 8)
    return bytes.fromhex(str(THEIRS[name](picture, hash_size=side)))


def from_pixels(rgb: Pixels) -> dict[str, Calls]:
    """Return for each classic kind who makes it of decoded pixels, ours first."""
    picture = Image.fromarray(rgb)
    calls: dict[str, Calls] = {}
    for kind in classic.CLASSIC:
        calls[kind.name] = {
            "screener": lambda kind=kind: classic.compute(rgb, kind),
            "imagehash": lambda kind=kind: theirs(kind.name, picture),
        }
    calls["those four of 64 bits"] = {
        "screener": lambda: classic.compute_orientations(rgb, [KINDS[one] for one in THEIRS]),
        "imagehash": lambda: [theirs(one, picture) for one in THEIRS],
    }
    return calls


def from_file(path: Path) -> dict[tuple[str, str], Calls]:
    """Return who makes hashes of a file, decoding beside ours, and the stages of our route."""
    content = path.read_bytes()
    grey = frame(content)
    ours: Calls = {
        "pdq": lambda: pdq.compute(frame(path.read_bytes())),
        "pdq and three digests": lambda: with_digests(path),
        "phash": lambda: classic.compute(frame(path.read_bytes()), KINDS["phash"]),
    }
    return {
        ("file", "pdq"): {
            "screener": ours["pdq"],
            "threatexchange": lambda: PdqSignal.hash_from_file(path),
        },
        ("file", "phash"): {
            "screener": ours["phash"],
            "imagehash": lambda: theirs("phash", Image.open(path)),
        },
        **{
            (SHARE, kind): {"screener": call, GREY: lambda: to_grey(path)}
            for kind, call in ours.items()
        },
        ("file", "stages"): {
            "read": path.read_bytes,
            GREY: lambda: to_grey(path),
            "decoding alone, to RGB": lambda: np.asarray(Image.open(io.BytesIO(content))),
            "open and decode, as screening does": lambda: frame(content),
            "pdq of it": lambda: pdq.compute(grey),
            "shrink for classic hashes": lambda: shrunk(grey, [(32, 32)], transposed=False),
            "md5, sha1, sha256": lambda: digest.compute(content),
        },
    }


def with_digests(path: Path) -> tuple[Hash, ...]:
    """Return the hashes of a file that screening makes for a list of PDQ."""
    content = path.read_bytes()
    return (*digest.compute(content), pdq.compute(frame(content)))


def to_grey(path: Path) -> None:
    """Decode a file's luma by Pillow."""
    opened = Image.open(io.BytesIO(path.read_bytes()))
    opened.draft("L", opened.size)
    opened.load()


def compare(rgb: Pixels, path: Path) -> None:
    """Stop unless the answers are equal."""
    if pdq.compute(rgb).value != np.packbits(pdqhash.compute(rgb)[0]).tobytes():
        raise SystemExit("our PDQ is not pdqhash's")
    picture = Image.fromarray(rgb)
    for kind in classic.CLASSIC:
        if classic.compute(rgb, kind).value != theirs(kind.name, picture):
            raise SystemExit(f"our {kind.name} is not imagehash's")
    text = PdqSignal.hash_from_file(path)
    if text:  # it has none of a picture with too little detail
        apart = pdq.compute(frame(path.read_bytes())).distance(Hash.parse("pdq", text))
        if apart > DRIFT:
            raise SystemExit(f"{apart} bits from ThreatExchange's PDQ of a file")


def measure(pictures: list[Image.Image], width: int, rounds: int, folder: Path) -> list[Row]:
    """Return the mean milliseconds of all calls at one width."""
    sums: dict[tuple[str, str], dict[str, float]] = {}
    path = folder / "photo.jpg"
    for picture in pictures:
        height = max(1, round(picture.height * width / picture.width))
        sized = picture.resize((width, height), Image.Resampling.LANCZOS)
        path.write_bytes(saved(sized, quality=85))
        rgb = np.asarray(Image.open(path).convert("RGB"))
        compare(rgb, path)
        every = {("pixels", kind): calls for kind, calls in from_pixels(rgb).items()}
        for key, calls in (every | from_file(path)).items():
            total = sums.setdefault(key, dict.fromkeys(calls, 0.0))
            for name, taken in medians(calls, rounds).items():
                total[name] += taken.processor * 1000 / len(pictures)
    return [row_of(width, len(pictures), *key, means) for key, means in sums.items()]


def row_of(width: int, count: int, begin: str, what: str, means: dict[str, float]) -> Row:
    """Return a row of figures, with ratios to ours."""
    row: Row = {"width": width, "pictures": count, "from": begin, "what": what}
    row["milliseconds"] = {name: round(ms, 4) for name, ms in means.items()}
    if "screener" in means:
        ratios = {name: round(ms / means["screener"], 2) for name, ms in means.items()}
        row["times_as_fast"] = {name: ms for name, ms in ratios.items() if name != "screener"}
        if begin == SHARE:
            row["share_of_decoding_rate"] = round(means[GREY] / means["screener"], 3)
    return row


def main() -> None:
    """Measure, print a table, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--photos", type=int, default=60, help="how many photos at most")
    arguments = parser.parse_args()
    pictures = list(photos(most=2 if arguments.small else arguments.photos))
    rounds = 2 if arguments.small else 7
    with workplace(None) as folder:
        widths = (256,) if arguments.small else (512, 1600)
        rows = [row for width in widths for row in measure(pictures, width, rounds, folder)]
    head = ["width", "from", "what", "milliseconds", "times_as_fast", "share_of_decoding_rate"]
    print(table(head, [[row.get(name, "") for name in head] for row in rows]))
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, PACKAGES))


if __name__ == "__main__":
    main()
