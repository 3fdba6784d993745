"""Which everyday edits does a picture survive, and what does that cost in false matches?

Photos are edited in the ways of `robustness_edits.py` and looked for by the hash of the original,
at each tool's own default radius. Then every photo, as it is and edited, is looked for among the
others. PDQ, ours and plain, is compared from quality 50, as its authors recommend, and ours from
a detail score of 50 too; a photo whose original has less quality is left out.

    python benchmarks/robustness.py [--photos PLACE …] [--receipt FILE]
        [--page docs/internals/robustness.md]

What this does not show: edits made to escape detection; photos other than these, which are small
and few, so that no rate of false matches below the bounds can be told; and pairs of photos that
look alike, of which lists and uploads are full.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import itertools
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pdqhash
import receipt
import robustness_page
from perception import hashers
from PIL import Image
from robustness_edits import EDITS, MORE

from screener import Policy
from screener.hashing import pdq
from screener.screening.input.hash_item import hash_item

QUESTION = "Which everyday edits does a picture survive, and what does it cost?"
ROOT = Path(__file__).resolve().parents[1]
MATERIAL = ROOT.parent / "shared" / "material"
PHOTOS = (
    "photos-free",
    "photos-fp-mini",
    "pdq-reference/pdqhash-python",
    "pdq-reference/threatexchange/bridge-mods/aaa-orig.jpg",
    "pdq-reference/pytx/sample-b.jpg",
)
SIDE = 512  # photos are at most so large
FLOOR = Policy().floor["pdq"]
# Bits: the policy's; the field's usual one; those that perception's documentation recommends,
# "below 0.2" of 256.
RADIUS = {
    "plain PDQ": 31,
    "plain PDQ × 8": 31,
    "screener": Policy().radius["pdq"],
    "pHash": 8,
    "perception PDQ": 51,
    "perception pHash": 51,
}
RECALLED = ("plain PDQ", "screener", "pHash", "perception PDQ", "perception pHash")

Codes = list[int]


@dataclass
class Hashed:
    """The codes of one picture, by tool; a tool that would not compare it has none."""

    codes: dict[str, Codes] = field(default_factory=dict)
    trimmed: Codes = field(default_factory=list)


def number(bits: np.ndarray) -> int:
    return int.from_bytes(np.packbits(np.asarray(bits, bool).reshape(-1)).tobytes())


def plain(pixels: np.ndarray) -> Codes:
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return [number(bits)] if quality >= FLOOR else []


def eight(pixels: np.ndarray) -> Codes:
    """Plain PDQ of the picture in its eight orientations, each hashed by itself."""
    turned = [np.rot90(pixels, turn) for turn in range(4)]
    return [code for one in turned for code in (*plain(one), *plain(one[:, ::-1]))]


def hashed(source: Image.Image | bytes, *, rivals: bool = True) -> Hashed:
    """A picture or a file by every tool; rivals get the pixels that Pillow decodes."""
    picture = Image.open(io.BytesIO(source)) if isinstance(source, bytes) else source
    picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    made = Hashed()
    ours = hash_item(
        source if isinstance(source, bytes) else pixels, policy=Policy(), kinds=[pdq.PDQ]
    )
    usable = [one for one in ours.hashes if min(one.hash.quality, one.detail) >= FLOOR]
    made.codes["screener"] = [int.from_bytes(one.hash.value) for one in usable]
    made.trimmed = [int.from_bytes(one.hash.value) for one in usable if one.region == "trimmed"]
    made.codes["plain PDQ"] = plain(pixels)
    made.codes["perception PDQ"] = made.codes["plain PDQ"]
    if rivals:
        made.codes["pHash"] = [number(imagehash.phash(picture).hash)]
        found = hashers.PHash(hash_size=16).compute(pixels, hash_format="vector")
        made.codes["perception pHash"] = [] if found is None else [number(found)]
    return made


def check_rivals(pixels: np.ndarray) -> None:
    """Answers are compared first: perception's PDQ is pdqhash's, ours equals it."""
    bits, _ = pdqhash.compute(pixels)
    if (hashers.PDQHash().compute(pixels, hash_format="vector") != bits).any():
        raise SystemExit("perception's PDQ is not pdqhash's")
    if int.from_bytes(pdq.compute(pixels).value) != number(bits):
        raise SystemExit("our PDQ is not pdqhash's")


def near(codes: Codes, listed: Codes, radius: int) -> bool:
    return any((code ^ other).bit_count() <= radius for code in codes for other in listed)


def measured(photo: Image.Image) -> dict[str, Any]:
    """One photo: what of its edits was found, and all codes for the false matches."""
    original = hashed(photo)
    listed = {name: original.codes[name][:1] for name in RECALLED}
    listed["screener"] = [int.from_bytes(pdq.compute(np.asarray(photo)).value)]
    found: dict[str, list[str]] = {}
    by_trimmed, edited = [], []
    for name, edit in (EDITS | MORE).items():
        made = hashed(edit(photo))
        found[name] = [
            tool for tool in RECALLED if near(made.codes[tool], listed[tool], RADIUS[tool])
        ]
        if near(made.trimmed, listed["screener"], RADIUS["screener"]):
            by_trimmed.append(name)
        edited.append({tool: made.codes[tool] for tool in ("plain PDQ", "screener")})
    original.codes["plain PDQ × 8"] = eight(np.asarray(photo))
    return {
        "listed": listed,
        "original": original.codes,
        "found": found,
        "trimmed": by_trimmed,
        "edited": edited,
    }


def recall(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for name in EDITS | MORE:
        counts = Counter(tool for row in rows for tool in row["found"][name])
        yield {
            "section": "recall",
            "edit": name,
            "photos": len(rows),
            "found": {tool: counts[tool] for tool in RECALLED},
            "found_trimmed": sum(name in row["trimmed"] for row in rows),
        }


def words(codes: Sequence[int], size: int) -> np.ndarray:
    """Codes as rows of bytes."""
    data = b"".join(code.to_bytes(size) for code in codes)
    return np.frombuffer(data, np.uint8).reshape(len(codes), size)


def false_matches(
    rows: Sequence[dict[str, Any]], tool: str, queries: Sequence[Codes], what: str
) -> dict[str, Any]:
    """How many queries lie within the radius of the listed code of another photo."""
    listing = tool.removesuffix(" × 8")
    size = 8 if tool == "pHash" else 32
    owners = np.array([at for at, row in enumerate(rows) if row["listed"][listing]])
    codes = words([rows[at]["listed"][listing][0] for at in owners], size)
    hits, nearest, pairs = set(), size * 8, 0
    for at, query in enumerate(queries):
        owner = at % len(rows)
        pairs += int((owners != owner).sum())
        if not query:
            continue
        away = np.bitwise_count(words(query, size)[:, None] ^ codes[None]).sum(axis=2).min(axis=0)
        away = np.where(owners == owner, size * 8, away)
        nearest = min(nearest, int(away.min()))
        hits |= {(at, int(owners[hit])) for hit in np.flatnonzero(away <= RADIUS[tool])}
    return {
        "section": "false matches",
        "tool": tool,
        "queries": what,
        "radius": RADIUS[tool],
        "pairs": pairs,
        "hits": len(hits),
        "nearest": nearest,
    }


def all_false_matches(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for tool in RADIUS:
        yield false_matches(rows, tool, [row["original"][tool] for row in rows], "photos")
    for tool in ("plain PDQ", "screener"):
        edits = zip(*(row["edited"] for row in rows), strict=True)
        queries = [one[tool] for edit in edits for one in edit]
        yield false_matches(rows, tool, queries, "edited photos")


def photos(places: Sequence[Path]) -> Iterator[Image.Image]:
    """Each distinct photo once, at most SIDE pixels wide and high, of usable detail."""
    seen = set()
    for path in itertools.chain.from_iterable(
        sorted(place.iterdir()) if place.is_dir() else [place] for place in places
    ):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp"):
            continue
        picture = Image.open(path).convert("RGB")
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
        digest = hashlib.sha256(picture.tobytes()).digest()
        if digest not in seen and plain(np.asarray(picture)):
            seen.add(digest)
            yield picture


def drawn(count: int) -> Iterator[Image.Image]:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "fixtures" / "draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return (module.scene(60 + seed, (240, 180)) for seed in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument(
        "--photos", type=Path, nargs="*", help="distinct photos, or folders of them"
    )
    parser.add_argument("--small", action="store_true", help="six drawn pictures, in seconds")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--receipt", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--page", type=Path, help="write tables and plot of this page anew")
    arguments = parser.parse_args()
    places = arguments.photos or [MATERIAL / name for name in PHOTOS]
    pictures = list(drawn(6) if arguments.small else photos(places))
    for picture in pictures[:3]:
        check_rivals(np.asarray(picture))
    warnings.simplefilter("ignore")
    with ProcessPoolExecutor(1 if arguments.small else arguments.jobs) as pool:
        rows = list(pool.map(measured, pictures, chunksize=4))
    figures = [*recall(rows), *all_false_matches(rows)]
    robustness_page.tell(figures)
    packages = ("pillow", "pdqhash", "imagehash", "perception", "numpy")
    content = receipt.receipt(QUESTION, figures, packages)
    if arguments.receipt:
        receipt.write(arguments.receipt, content)
    if arguments.page:
        robustness_page.write(figures, arguments.page)


if __name__ == "__main__":
    main()
