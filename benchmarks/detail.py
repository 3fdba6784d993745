"""Which pictures does the detail score refuse, and which would match one another without it?

    python benchmarks/detail.py --photos FOLDER... [--each 400] [--receipt FILE]

Draws pictures that say nothing (fixtures/plain.py; with `--other` fixtures/plainer.py, by which no
need was chosen) and hashes them and the photos with every
perceptual kind. By kind: how many photos and drawn pictures are refused at the default floor; how
many pairs of drawn pictures, one of them turned eight ways, lie within the default radius, with
the score and without; and the same at distance 0. The other picture of a pair is as in a list made
elsewhere, without a score. PDQ's own quality is asked of both sides always.

What this does not show: other photos than these, of which other shares may be refused; and
pictures drawn to look alike, which are endless.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import receipt
from PIL import Image

from screener import Policy
from screener.errors import MediaError
from screener.hashing import detail
from screener.hashing.hash import KINDS, HashKind
from screener.lists.store.records import why_not_searchable
from screener.screening.input.hash_item import Located, hash_item

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "fixtures"))

import plain  # noqa: E402
import plainer  # noqa: E402

QUESTION = "Which pictures does the detail score refuse, and which would match without it?"
PERCEPTUAL = [kind for kind in KINDS.values() if kind.perceptual]
FLOOR = 50
Hashes = dict[str, tuple[Located, ...]]


def hashes_of(item: Any) -> tuple[Located, ...]:
    return hash_item(item, policy=Policy(), kinds=PERCEPTUAL).hashes


def score(one: Located) -> int:
    scores = [found for found in (one.hash.quality, one.detail) if found is not None]
    return min(scores)


def photos(folders: list[Path], every: int) -> Hashes:
    """The hashes of the files of folders that are whole pictures, or of every so manieth."""
    found = {}
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    for path in files[::every]:
        try:
            hashed = hash_item(path, policy=Policy(), kinds=PERCEPTUAL)
        except MediaError:
            continue
        if hashed.trouble is None and hashed.hashes:
            found[str(path)] = tuple(one for one in hashed.hashes if one.part == 0)
    return found


def bits_of(hashes: list[Located]) -> np.ndarray:
    values = np.frombuffer(b"".join(one.hash.value for one in hashes), np.uint8)
    return np.unpackbits(values.reshape(len(hashes), -1), axis=1).astype(np.float32)


def pairs(drawn: Hashes, kind: HashKind, radius: int, floor: int) -> int:
    """How many pictures meet how many others, each pair once for each way round."""
    of_kind = [
        (name, one)
        for name, hashes in drawn.items()
        for one in hashes
        if one.hash.kind == kind and (kind.name != "pdq" or (one.hash.quality or 0) >= FLOOR)
    ]
    asked = [(name, one) for name, one in of_kind if score(one) >= floor]
    listed = [(name, one) for name, one in of_kind if one.orientation == "upright"]
    listed = [(name, one) for name, one in listed if why_not_searchable(one.hash) is None]
    if not asked or not listed:
        return 0
    place = {name: number for number, name in enumerate(drawn)}
    columns = np.array([place[name] for name, _ in listed])
    all_bits = bits_of([one for _, one in listed])
    near: set[tuple[int, int]] = set()
    for start in range(0, len(asked), 2000):
        some = asked[start : start + 2000]
        bits = bits_of([one for _, one in some])
        distances = bits.sum(1)[:, None] + all_bits.sum(1) - 2 * bits @ all_bits.T
        rows = np.array([place[name] for name, _ in some])
        for row, column in np.argwhere(distances <= radius):
            if rows[row] != columns[column]:
                near.add((int(rows[row]), int(columns[column])))
    return len(near)


def refused(hashes: Hashes, kind: HashKind) -> int:
    """Of how many pictures the hash of the whole, as it stands, is not compared."""
    return sum(
        score(one) < FLOOR
        for found in hashes.values()
        for one in found
        if one.hash.kind == kind and (one.orientation, one.region) == ("upright", "full")
    )


def compared(hashes: Hashes, kind: HashKind) -> int:
    """Of how many pictures a hash is compared, be it of a part between bars."""
    return sum(
        any(score(one) >= FLOOR for one in found if one.hash.kind == kind)
        for found in hashes.values()
    )


def row(kind: HashKind, ordinary: Hashes, drawn: dict[str, Hashes]) -> dict[str, Any]:
    together = {name: found for family in drawn.values() for name, found in family.items()}
    return {
        "kind": kind.name,
        "radius": kind.radius,
        "photos": len(ordinary),
        "photos_refused": refused(ordinary, kind),
        "drawn": {family: len(found) for family, found in drawn.items()},
        "drawn_refused": {family: refused(found, kind) for family, found in drawn.items()},
        "drawn_compared": {family: compared(found, kind) for family, found in drawn.items()},
        "equal_without": pairs(together, kind, 0, 0),
        "equal_with": pairs(together, kind, 0, FLOOR),
        "matches_without": pairs(together, kind, kind.radius, 0),
        "matches_with": pairs(together, kind, kind.radius, FLOOR),
    }


# Bars above and below, and at the sides: in all, as parts of the photo's own sides.
FRAMES = ((0.25, 0), (1, 0), (2, 0), (0, 0.25), (0, 1), (0, 2))


def framed(folders: list[Path], every: int) -> list[dict[str, Any]]:
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    shown = []
    for path in files[::every]:
        try:
            with Image.open(path) as photo:
                shown.append(np.asarray(photo.convert("L").resize((320, 240))))
        except (OSError, SyntaxError):
            continue
    rows = []
    for high, wide in FRAMES:
        bars = [(round(240 * high / 2),) * 2, (round(320 * wide / 2),) * 2]
        pictures = [np.pad(pixels, bars) for pixels in shown]
        made = [
            hash_item(pixels, policy=Policy(), kinds=[KINDS["pdq"]]).hashes[0]
            for pixels in pictures
        ]
        alone = sum(
            min(detail.Detail(pixels).score(KINDS["pdq"]), *detail.pattern_scores([one.hash.value]))
            < FLOOR
            for pixels, one in zip(pictures, made, strict=True)
        )
        bits = bits_of(made)
        apart = bits.sum(1)[:, None] + bits.sum(1) - 2 * bits @ bits.T
        rows.append(
            {
                "bars": {"above_and_below": high, "at_the_sides": wide},
                "photos": len(made),
                "refused_for_the_bars": alone,
                "refused": sum(score(one) < FLOOR for one in made),
                "nearest_two": int(apart[np.triu_indices(len(made), 1)].min()),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    beside = Path(__file__).resolve().parents[2] / "shared" / "material"
    usual = [beside / name for name in ("photos-free", "photos-fp-mini")]
    parser.add_argument("--photos", type=Path, nargs="*", default=usual, help="folders of photos")
    parser.add_argument("--each", type=int, default=400, help="pictures to draw of each family")
    parser.add_argument("--small", action="store_true", help="draw five, write nothing")
    parser.add_argument("--other", action="store_true", help="draw by fixtures/plainer.py")
    parser.add_argument("--first", type=int, default=0, help="the first seed to draw")
    parser.add_argument("--receipt", type=Path, default=ROOT / "benchmarks/receipts/detail.json")
    given = parser.parse_args()
    each = 5 if given.small else given.each
    drawing = plainer if given.other else plain
    ordinary = photos(given.photos, 20 if given.small else 1)
    drawn = {
        family: {
            f"{family} {n}": hashes_of(drawing.draw(family, n))
            for n in range(given.first, given.first + each)
        }
        for family in drawing.FAMILIES
    }
    rows = [row(kind, ordinary, drawn) for kind in PERCEPTUAL]
    for one in rows:
        print(
            f"{one['kind']:10} photos refused {one['photos_refused']} of {one['photos']}; drawn"
            f" refused {one['drawn_refused']}; equal {one['equal_without']} → {one['equal_with']};"
            f" within {one['radius']}: {one['matches_without']} → {one['matches_with']}"
        )
    if not ordinary:
        print("skipped: photos between bars, since there are none in", *given.photos)
    for one in framed(given.photos, 20 if given.small else 1) if ordinary else []:
        print(one)
        rows.append(one)
    if not given.small:
        made = receipt.receipt(QUESTION, rows, ["numpy", "pillow", "imagehash"])
        receipt.write(given.receipt, made)


if __name__ == "__main__":
    main()
