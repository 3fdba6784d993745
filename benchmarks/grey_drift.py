"""How far does decoding a JPEG straight to grey move its hashes?

Every JPEG under a folder whose luma alone is decoded is decoded to grey and to RGB. PDQ is that of
`pdqhash`, in bits of 256, for all pictures, and for those of quality 50 and more, which are
compared; the classic kinds are over the photos that their detail score lets be compared.

    python benchmarks/grey_drift.py [--small] [--folder FOLDER] [--receipt FILE]

What this does not show: files that are cut short; and whether a match near the radius changes,
which a drift of d bits can do only for pairs within d bits of the radius.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pdqhash
import receipt
from pictures import MATERIAL
from receipt import Row

from screener.errors import MediaError
from screener.hashing import classic
from screener.hashing.hash import KINDS
from screener.media.image import open_image, pillow, pixels

PIXELS = 50_000_000  # larger pictures are left out, to bound the time and the memory


@dataclass
class Drift:
    """One JPEG: bits between grey and RGB by PDQ and by classic kind, and both qualities."""

    file: str
    bits: int
    quality: int
    grey_quality: int
    classic: dict[str, int]


def pdq(picture: pixels.Pixels) -> tuple[np.ndarray, int]:
    """Return the bits and the quality by the reference."""
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    bits, quality = pdqhash.compute(np.ascontiguousarray(picture))
    return bits, int(quality)


def both_ways(data: bytes) -> tuple[pixels.Pixels, pixels.Pixels] | None:
    """Return the picture decoded to grey and to RGB; None if we do not decode it to grey."""
    limits = open_image.Limits(pixels=PIXELS, frames=1)
    try:
        frames = list(open_image.open(data, limits=limits).frames())
        full = pillow.open_image(data)
        if not frames or not pillow.is_luma_first(full):
            return None
        return frames[0].pixels, pixels.to_upright(full).white
    except (MediaError, OSError):
        return None


def grey_drifts(folder: Path, every: int) -> Iterator[Drift]:
    """Yield the drift of every so manieth file that is such a JPEG."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file())[::every]:
        data = path.read_bytes()
        pair = both_ways(data) if data.startswith(b"\xff\xd8\xff") else None
        if pair is not None:
            (grey, grey_quality), (full, quality) = pdq(pair[0]), pdq(pair[1])
            ours, theirs = (classic.compute_orientations(one, classic.CLASSIC) for one in pair)
            by_kind = {
                kind: one.distance(ours[kind][0])
                for kind, (one, *_) in theirs.items()
                if (one.quality or 0) >= one.kind.floor
            }
            name = path.relative_to(folder).as_posix()
            yield Drift(name, int((grey != full).sum()), quality, grey_quality, by_kind)


def summary(name: str, drifts: list[Drift]) -> Row:
    """Return how far PDQ moves."""
    bits = [one.bits for one in drifts]
    quality = [abs(one.quality - one.grey_quality) for one in drifts]
    return {
        "pictures": name,
        "count": len(drifts),
        "not_zero": sum(drift > 0 for drift in bits),
        "median": statistics.median(bits),
        "mean": round(statistics.fmean(bits), 3),
        "max": max(bits),
        "drifts": dict(sorted(Counter(bits).items())),
        "quality_changed": sum(change > 0 for change in quality),
        "quality_changed_by_at_most": max(quality),
    }


def classic_summary(kind: str, drifts: list[Drift]) -> Row:
    """Return how far a classic kind moves."""
    bits = [one.classic[kind] for one in drifts if kind in one.classic]
    return {
        "kind": kind,
        "count": len(bits),
        "not_zero": sum(drift > 0 for drift in bits),
        "mean": round(statistics.fmean(bits), 3) if bits else None,
        "max": max(bits, default=None),
        "beyond_radius": sum(drift > KINDS[kind].radius for drift in bits),
    }


def main() -> None:
    """Measure, print the figures, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--folder", type=Path, default=MATERIAL, help="a folder of JPEGs")
    arguments = parser.parse_args()
    drifts = list(grey_drifts(arguments.folder, 9 if arguments.small else 1))
    usable = [one for one in drifts if one.quality >= 50]
    photos = [one for one in usable if not one.file.startswith("robustness")]
    parts = {"all": drifts, "quality 50 and more": usable, "photos of quality 50 and more": photos}
    rows = [summary(name, part) for name, part in parts.items() if part]
    rows += [classic_summary(kind.name, photos) for kind in classic.CLASSIC if photos]
    print(*rows or ["no JPEGs: name a folder of them with --folder"], sep="\n")
    packages = ("pillow", "pdqhash", "numpy")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))


if __name__ == "__main__":
    main()
