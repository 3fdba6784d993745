"""Which pictures does the detail score refuse, and which would match one another without it?

    python benchmarks/detail.py [--small] [--other] [--first SEED] [--receipt FILE]

Draws pictures that show next to nothing (fixtures/plain.py; with `--other` fixtures/plainer.py,
whose pictures chose none of the score's limits), and hashes them and the photos with every
perceptual kind. By kind: the photos and drawn pictures refused at the default floor; the pairs of
drawn pictures, one of them in eight orientations, within the default radius, with the score and
without; and the same at distance 0. The other picture of a pair is as in a list made elsewhere,
without a score. PDQ's own quality is compared on both sides always. Then the photos between black
bars, by PDQ.

What this does not show: other photos than these, of which other shares may be refused; and
pictures drawn to look alike, which are endless.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import receipt
from pictures import PHOTOS, files_in, plain, plainer
from PIL import Image
from receipt import Row

from screener import Policy
from screener.errors import MediaError
from screener.hashing import detail
from screener.hashing.hash import KINDS, HashKind
from screener.lists.store.records import find_exclusion
from screener.screening.input.hash_item import LocatedHash, hash_item

PERCEPTUAL = [kind for kind in KINDS.values() if kind.perceptual]
FLOOR = 50
BY_DISTANCE = Policy(effort="distance")
EACH = 400  # pictures drawn of each family
# Bars above and below, and at the sides: in all, as parts of the photo's own sides.
FRAMES = ((0.25, 0), (1, 0), (2, 0), (0, 0.25), (0, 1), (0, 2))
Hashes = dict[str, tuple[LocatedHash, ...]]


def photos(paths: list[Path]) -> Hashes:
    """Return the hashes of the files that are whole pictures."""
    found = {}
    for path in paths:
        try:
            hashed = hash_item(path, policy=BY_DISTANCE, kinds=PERCEPTUAL)
        except MediaError:
            continue
        if hashed.error is None and hashed.hashes:
            found[str(path)] = tuple(one for one in hashed.hashes if one.part == 0)
    return found


def drawn(drawing: Any, first: int, each: int) -> dict[str, Hashes]:
    """Return the hashes of drawn pictures by family."""
    return {
        family: {
            f"{family} {seed}": hash_item(
                drawing.draw(family, seed), policy=BY_DISTANCE, kinds=PERCEPTUAL
            ).hashes
            for seed in range(first, first + each)
        }
        for family in drawing.FAMILIES
    }


def score(one: LocatedHash) -> int:
    """Return the lower of quality and detail."""
    return min(found for found in (one.hash.quality, one.detail) if found is not None)


def bits_of(hashes: list[LocatedHash]) -> np.ndarray:
    """Return a row of bits for each hash."""
    values = np.frombuffer(b"".join(one.hash.value for one in hashes), np.uint8)
    return np.unpackbits(values.reshape(len(hashes), -1), axis=1).astype(np.float32)


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the Hamming distances of all rows to all others."""
    return some.sum(1)[:, None] + others.sum(1) - 2 * some @ others.T


def pairs(pictures: Hashes, kind: HashKind, radius: int, floor: int) -> int:
    """Return how many pictures hit how many others, each ordered pair once."""
    place = {name: number for number, name in enumerate(pictures)}
    of_kind = [
        (place[name], one)
        for name, hashes in pictures.items()
        for one in hashes
        if one.hash.kind == kind and (kind.name != "pdq" or (one.hash.quality or 0) >= FLOOR)
    ]
    queries = [(owner, one) for owner, one in of_kind if score(one) >= floor]
    listed = [
        (owner, one)
        for owner, one in of_kind
        if one.orientation == "upright" and find_exclusion(one.hash) is None
    ]
    if not queries or not listed:
        return 0
    columns = np.array([owner for owner, _ in listed])
    all_bits = bits_of([one for _, one in listed])
    near: set[tuple[int, int]] = set()
    for start in range(0, len(queries), 2000):
        some = queries[start : start + 2000]
        rows = np.array([owner for owner, _ in some])
        apart = distances(bits_of([one for _, one in some]), all_bits)
        hits = np.argwhere((apart <= radius) & (rows[:, None] != columns))
        near.update((int(rows[row]), int(columns[column])) for row, column in hits)
    return len(near)


def refused(hashes: Hashes, kind: HashKind) -> int:
    """Return of how many pictures the hash of the whole, upright, is not compared."""
    return sum(
        score(one) < FLOOR
        for found in hashes.values()
        for one in found
        if one.hash.kind == kind and (one.orientation, one.region) == ("upright", "full")
    )


def compared(hashes: Hashes, kind: HashKind) -> int:
    """Return of how many pictures a hash is compared, be it of a part between bars."""
    return sum(
        any(score(one) >= FLOOR for one in found if one.hash.kind == kind)
        for found in hashes.values()
    )


def row(kind: HashKind, ordinary: Hashes, families: dict[str, Hashes]) -> Row:
    """Return the figures of one kind."""
    together = {name: found for family in families.values() for name, found in family.items()}
    return {
        "kind": kind.name,
        "radius": kind.radius,
        "photos": len(ordinary),
        "photos_refused": refused(ordinary, kind),
        "drawn": {family: len(found) for family, found in families.items()},
        "drawn_refused": {family: refused(found, kind) for family, found in families.items()},
        "drawn_compared": {family: compared(found, kind) for family, found in families.items()},
        "equal_without": pairs(together, kind, 0, 0),
        "equal_with": pairs(together, kind, 0, FLOOR),
        "matches_without": pairs(together, kind, kind.radius, 0),
        "matches_with": pairs(together, kind, kind.radius, FLOOR),
    }


def between_bars(shown: list[np.ndarray], high: float, wide: float) -> Row:
    """Return how many photos are refused between bars, and how near two come."""
    bars = [(round(240 * high / 2),) * 2, (round(320 * wide / 2),) * 2]
    pictures = [np.pad(pixels, bars) for pixels in shown]
    pdq = KINDS["pdq"]
    made = [hash_item(one, policy=BY_DISTANCE, kinds=[pdq]).hashes[0] for one in pictures]
    alone = [
        min(detail.Detail(pixels).score(pdq), *detail.pattern_scores([one.hash.value]))
        for pixels, one in zip(pictures, made, strict=True)
    ]
    bits = bits_of(made)
    return {
        "bars": {"above_and_below": high, "at_the_sides": wide},
        "photos": len(made),
        "refused_for_the_bars": sum(one < FLOOR for one in alone),
        "refused": sum(score(one) < FLOOR for one in made),
        "nearest_two": int(distances(bits, bits)[np.triu_indices(len(made), 1)].min()),
    }


def main() -> None:
    """Draw, measure, print the figures, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--other", action="store_true", help="draw by fixtures/plainer.py")
    parser.add_argument("--first", type=int, default=0, help="the first seed to draw")
    arguments = parser.parse_args()
    paths = files_in(PHOTOS)[:: 20 if arguments.small else 1]
    drawing = plainer if arguments.other else plain
    families = drawn(drawing, arguments.first, 5 if arguments.small else EACH)
    ordinary = photos(paths)
    rows = [row(kind, ordinary, families) for kind in PERCEPTUAL]
    if paths:
        greys = [Image.open(path).convert("L").resize((320, 240)) for path in paths]
        shown = [np.asarray(grey) for grey in greys]
        rows += [between_bars(shown, high, wide) for high, wide in FRAMES]
    else:
        print("without photos, and without bars, since there is no reference material")
    print(*rows, sep="\n")
    packages = ["numpy", "pillow", "imagehash"]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))


if __name__ == "__main__":
    main()
