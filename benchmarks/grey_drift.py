"""How far does decoding a JPEG straight to grey move its PDQ?

Every JPEG under a folder that takes the grey route is decoded twice, to grey and to RGB, and
both are hashed with `pdqhash`. The figures are bits of 256, for all pictures and for those of
quality 50 and more, which are the ones that are compared at all.

For the classic kinds the same, over the pictures that their detail score lets be compared.

What this does not show: files that are cut short; and whether a match near
the radius changes, which a drift of d bits can do only for pairs within d bits of the radius.
"""

from __future__ import annotations

import argparse
import collections
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pdqhash
import receipt

from screener.errors import MediaError
from screener.hashing import classic
from screener.hashing.hash import KINDS
from screener.media.image import open_image, pillow, pixels

QUESTION = "How far does decoding a JPEG straight to grey move its PDQ?"
Row = tuple[str, int, int, int, dict[str, int]]
PIXELS = 50_000_000  # larger pictures are left out, to bound the time and the memory


def pdq(picture: pixels.Pixels) -> tuple[np.ndarray, int]:
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    bits, quality = pdqhash.compute(np.ascontiguousarray(picture))
    return bits, int(quality)


def both_ways(data: bytes) -> tuple[pixels.Pixels, pixels.Pixels] | None:
    """The picture by our route and in full RGB; None where ours is not the grey one."""
    limits = open_image.Limits(pixels=PIXELS, frames=1)
    try:
        frames = list(open_image.open(data, limits=limits).frames())
        full = pillow.open_image(data)
        if not frames or not pillow.luma_only(full):
            return None
        return frames[0].pixels, pixels.upright(full)
    except (MediaError, OSError):
        return None


def classic_drift(full: pixels.Pixels, grey: pixels.Pixels) -> dict[str, int]:
    """By classic kind, the bits between the two; of kinds that compare the picture."""
    one, other = (classic.compute_orientations(each, classic.CLASSIC) for each in (full, grey))
    return {
        kind: hashes[0].distance(other[kind][0])
        for kind, hashes in one.items()
        if (hashes[0].quality or 0) >= hashes[0].kind.floor
    }


def classic_summary(kind: str, rows: list[dict[str, int]]) -> dict[str, Any]:
    drifts = [row[kind] for row in rows if kind in row]
    return {
        "kind": kind,
        "count": len(drifts),
        "not_zero": sum(drift > 0 for drift in drifts),
        "mean": round(statistics.fmean(drifts), 3) if drifts else None,
        "max": max(drifts, default=None),
        "beyond_radius": sum(drift > KINDS[kind].radius for drift in drifts),
    }


def measured(folder: Path, every: int) -> Iterator[Row]:
    """File, bits of drift, quality in RGB, quality in grey, bits of drift of classic kinds."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in paths[::every]:
        with path.open("rb") as file:
            if file.read(3) != b"\xff\xd8\xff":
                continue
        pair = both_ways(path.read_bytes())
        if pair is not None:
            (grey, grey_quality), (full, full_quality) = pdq(pair[0]), pdq(pair[1])
            drift = int((grey != full).sum())
            name = str(path.relative_to(folder))
            classics = classic_drift(pair[1], pair[0])
            yield name, drift, full_quality, grey_quality, classics


def summary(name: str, rows: list[Row]) -> dict[str, Any]:
    drifts = [row[1] for row in rows]
    return {
        "pictures": name,
        "count": len(rows),
        "not_zero": sum(drift > 0 for drift in drifts),
        "median": statistics.median(drifts),
        "mean": round(statistics.fmean(drifts), 3),
        "max": max(drifts),
        "drifts": dict(sorted(collections.Counter(drifts).items())),
        "quality_changed": sum(full != grey for _, _, full, grey, _ in rows),
        "quality_changed_by_at_most": max(abs(full - grey) for _, _, full, grey, _ in rows),
    }


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared" / "material"
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("folder", type=Path, nargs="?", default=beside, help="a folder of JPEGs")
    parser.add_argument("--small", action="store_true", help="every ninth file, a few seconds")
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    rows = list(measured(arguments.folder, 9 if arguments.small else 1))
    if not rows:
        print(f"no JPEG that takes the grey route under {arguments.folder}")
        return
    parts = {
        "all": rows,
        "quality 50 and more": [row for row in rows if row[2] >= 50],
        "photos of quality 50 and more": [
            row for row in rows if row[2] >= 50 and not row[0].startswith("robustness")
        ],
    }
    found = [summary(name, part) for name, part in parts.items() if part]
    photos = [row[4] for row in parts["photos of quality 50 and more"]]
    found += [classic_summary(kind.name, photos) for kind in classic.CLASSIC if photos]
    for line in found:
        print(line)
    for name, drift, quality, *_ in sorted(rows, key=lambda row: -row[1])[:10]:
        print(f"{drift:4d} bits at quality {quality:3d}: {name}")
    if arguments.receipt:
        packages = ("pillow", "pdqhash", "numpy")
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, found, packages))


if __name__ == "__main__":
    main()
