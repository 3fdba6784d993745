"""Which everyday edits does a picture survive, and what does that cost in false matches?

Photos are edited in the ways of `robustness_edits.py` and searched by the hash of the original, at
each tool's own default radius. Then every photo, as it is and edited, is searched among the others.
PDQ, ours and plain, is compared from quality 50, as its authors recommend, and ours from a detail
score of 50 too; a photo whose original has less quality is left out.

    python benchmarks/robustness.py [--small] [--photos PLACE...] [--receipt FILE]
        [--page docs/internals/robustness.md]

`--page` writes the tables into the page, and the plot into docs/plots.

What this does not show: edits made to escape detection; photos other than these, which are small
and few, so that no rate of false matches below the bounds is known; and pairs of photos that look
alike, of which lists and uploads are full.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pdqhash
import receipt
import tables
from matplotlib.figure import Figure
from perception import hashers
from pictures import MATERIAL, PHOTOS, ROOT, files_in, scene
from PIL import Image
from receipt import Row
from robustness_edits import EDITS, EXIF, FRAMES, MORE, TURNS, thumbnail

from screener import Policy
from screener.hashing import pdq
from screener.reporting.calibration.calibration_page import format_per_million
from screener.reporting.calibration.count import Count
from screener.screening.input.hash_item import hash_item

PLACES = (
    *PHOTOS,
    MATERIAL / "pdq-reference/pdqhash-python",
    MATERIAL / "pdq-reference/threatexchange/bridge-mods/aaa-orig.jpg",
    MATERIAL / "pdq-reference/pytx/sample-b.jpg",
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
TOOLS = ("plain PDQ", "screener", "pHash", "perception PDQ", "perception pHash")
STYLES = {
    "screener": ("tab:blue", "o"),
    "perception pHash": ("tab:orange", "v"),
    "pHash": ("tab:green", "s"),
    "plain PDQ": ("tab:red", "x"),
}

Codes = list[int]


def number(bits: Any) -> int:
    """Return a code as an integer."""
    return int.from_bytes(np.packbits(np.asarray(bits, bool).reshape(-1)).tobytes())


def plain(pixels: np.ndarray) -> Codes:
    """Return the PDQ by pdqhash; none below the floor."""
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return [number(bits)] if quality >= FLOOR else []


def eight(pixels: np.ndarray) -> Codes:
    """Return plain PDQ of the picture in its eight orientations, each hashed by itself."""
    turned = [np.rot90(pixels, turn) for turn in range(4)]
    return [code for one in turned for code in (*plain(one), *plain(one[:, ::-1]))]


def hashed(source: Image.Image | bytes) -> dict[str, Codes]:
    """Return the codes of a picture or a file by tool.

    Rivals get the pixels that Pillow decodes. A tool that would not compare the picture has none.
    """
    picture = Image.open(io.BytesIO(source)) if isinstance(source, bytes) else source
    picture = picture.convert("RGB")
    pixels = np.asarray(picture)
    ours = hash_item(
        source if isinstance(source, bytes) else pixels,
        policy=Policy(effort="distance"),
        kinds=[pdq.PDQ],
    )
    usable = [one for one in ours.hashes if min(one.hash.quality, one.detail) >= FLOOR]
    theirs = hashers.PHash(hash_size=16).compute(pixels, hash_format="vector")
    by_pdq = plain(pixels)
    return {
        "screener": [int.from_bytes(one.hash.value) for one in usable],
        "plain PDQ": by_pdq,
        "perception PDQ": by_pdq,
        "pHash": [number(imagehash.phash(picture).hash)],
        "perception pHash": [] if theirs is None else [number(theirs)],
    }


def check_rivals(pixels: np.ndarray) -> None:
    """Stop unless perception's PDQ and ours are pdqhash's."""
    bits, _ = pdqhash.compute(pixels)
    if (hashers.PDQHash().compute(pixels, hash_format="vector") != bits).any():
        raise SystemExit("perception's PDQ is not pdqhash's")
    if int.from_bytes(pdq.compute(pixels).value) != number(bits):
        raise SystemExit("our PDQ is not pdqhash's")


def near(codes: Codes, listed: Codes, radius: int) -> bool:
    """Return whether a code lies within the radius of a listed one."""
    return any((code ^ other).bit_count() <= radius for code in codes for other in listed)


def measured(photo: Image.Image) -> Row:
    """Return of one photo which edits were found, and all codes for the false matches."""
    original = hashed(photo)
    listed = {tool: original[tool][:1] for tool in TOOLS}
    listed["screener"] = [int.from_bytes(pdq.compute(np.asarray(photo)).value)]
    found: dict[str, list[str]] = {}
    edited = []
    for name, edit in (EDITS | MORE).items():
        codes = hashed(edit(photo))
        found[name] = [tool for tool in TOOLS if near(codes[tool], listed[tool], RADIUS[tool])]
        edited.append({tool: codes[tool] for tool in ("plain PDQ", "screener")})
    original["plain PDQ × 8"] = eight(np.asarray(photo))
    return {"listed": listed, "original": original, "found": found, "edited": edited}


def recall(photos: Sequence[Row]) -> Iterator[Row]:
    """Yield for each edit how many photos each tool finds."""
    for name in EDITS | MORE:
        counts = Counter(tool for photo in photos for tool in photo["found"][name])
        yield {
            "section": "recall",
            "edit": name,
            "photos": len(photos),
            "found": {tool: counts[tool] for tool in TOOLS},
        }


def as_bytes(codes: Sequence[int], size: int) -> np.ndarray:
    """Return codes as rows of bytes."""
    data = b"".join(code.to_bytes(size) for code in codes)
    return np.frombuffer(data, np.uint8).reshape(len(codes), size)


def false_matches(photos: Sequence[Row], tool: str, queries: Sequence[Codes], what: str) -> Row:
    """Return how many queries lie within the radius of the listed code of another photo."""
    size, listing = 8 if tool == "pHash" else 32, tool.removesuffix(" × 8")
    owners = np.array([at for at, photo in enumerate(photos) if photo["listed"][listing]])
    codes = as_bytes([photos[at]["listed"][listing][0] for at in owners], size)
    hits, nearest, pairs = set(), size * 8, 0
    for at, query in enumerate(queries):
        others = owners != at % len(photos)
        pairs += int(others.sum())
        if not query:
            continue
        away = (
            np.bitwise_count(as_bytes(query, size)[:, None] ^ codes[None]).sum(axis=2).min(axis=0)
        )
        away = np.where(others, away, size * 8)
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


def all_false_matches(photos: Sequence[Row]) -> Iterator[Row]:
    """Yield the false matches of all tools, and of edited photos by PDQ."""
    for tool in RADIUS:
        yield false_matches(photos, tool, [one["original"][tool] for one in photos], "photos")
    for tool in ("plain PDQ", "screener"):
        edits = zip(*(one["edited"] for one in photos), strict=True)
        queries = [one[tool] for edit in edits for one in edit]
        yield false_matches(photos, tool, queries, "edited photos")


def photos_in(places: Sequence[Path]) -> Iterator[Image.Image]:
    """Yield each distinct photo once, at most SIDE pixels wide and high, of usable detail."""
    seen = set()
    for path in files_in(places):
        picture = thumbnail(Image.open(path).convert("RGB"), SIDE)
        digest = hashlib.sha256(picture.tobytes()).digest()
        if digest not in seen and plain(np.asarray(picture)):
            seen.add(digest)
            yield picture


def recall_table(rows: Sequence[Row]) -> str:
    """Return a table of shares found, in %; edits with equal figures share a row."""
    edits: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        shares = {tool: f"{share(row, tool):.1f}" for tool in TOOLS}
        shares["screener"] = f"**{shares['screener']}**"
        edits.setdefault(tuple(shares.values()), []).append(row["edit"])
    lines = [[" · ".join(names), *shares] for shares, names in edits.items()]
    return tables.table(["edit", *TOOLS], lines)


def share(row: Row, tool: str) -> float:
    return 100 * row["found"][tool] / row["photos"]


def pooled(rows: Sequence[Row], names: Sequence[str], title: str) -> Row:
    """Return several edits as one row."""
    chosen = [row for row in rows if row["edit"] in names]
    found = {tool: sum(row["found"][tool] for row in chosen) for tool in TOOLS}
    return {"edit": title, "photos": sum(row["photos"] for row in chosen), "found": found}


def page(rows: Sequence[Row], false: Sequence[Row]) -> str:
    """Return all tables."""
    claims = [
        pooled(rows, TURNS, "mirrored, flipped, turned by a quarter or a half"),
        pooled(rows, EXIF, "turned by EXIF"),
        pooled(rows, FRAMES, "border or letterbox"),
        pooled(rows, [f"{name}, jpeg75" for name in FRAMES], "the same, then JPEG 75"),
    ]
    worse = [row["edit"] for row in rows if row["found"]["screener"] < row["found"]["plain PDQ"]]
    head = ["tool", "looked for", "radius", "pairs", "false", "in a million, 95 % bounds"]
    lines = [
        [
            row["tool"], row["queries"], row["radius"], f"{row['pairs']:,}", row["hits"],
            format_per_million(Count.from_hits(row["hits"], row["pairs"])),
            f"{row['nearest']} bits",
        ]
        for row in false
    ]  # fmt: skip
    return "\n".join([
        f"Photos: {rows[0]['photos']}. Found, in %:\n",
        recall_table(claims),
        "Edits of these photos at which plain PDQ finds more than screener:"
        f" {', '.join(worse) or 'none'} ([of other photos](#plain-pdq-and-our-floor)).\n",
        "### Each of the 41 edits\n",
        recall_table([row for row in rows if row["edit"] in EDITS]),
        "### More turns and frames\n",
        recall_table([row for row in rows if row["edit"] in MORE]),
        "### False matches\n",
        tables.table([*head, "nearest"], lines),
    ])  # fmt: skip


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw a dot for each edit and tool."""
    figure = Figure(figsize=(7, 10), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    for tool, (colour, marker) in STYLES.items():
        shares = [share(row, tool) for row in rows]
        size = 48 if tool == "screener" else 16
        axes.scatter(shares, places, size, colour, marker, label=tool, zorder=3)
    axes.set_yticks(places, [row["edit"] for row in rows])
    axes.set(xlabel="found, %", xlim=(-3, 103), ylim=(len(rows) - 0.5, -0.5))
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.05), ncols=4, frameon=False)
    tables.save(figure, path)


def main() -> None:
    """Measure, print the tables, and write receipt and page."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--photos", type=Path, nargs="*", default=PLACES, help="files or folders")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--page", type=Path, help="write tables and plot of this page anew")
    arguments = parser.parse_args()
    small = (scene(60 + seed, (240, 180)) for seed in range(6))
    pictures = list(small if arguments.small else photos_in(arguments.photos))
    for picture in pictures[:3]:
        check_rivals(np.asarray(picture))
    warnings.simplefilter("ignore")
    with ProcessPoolExecutor(1 if arguments.small else arguments.jobs) as pool:
        photos = list(pool.map(measured, pictures, chunksize=4))
    rows, false = list(recall(photos)), list(all_false_matches(photos))
    print(page(rows, false))
    packages = ("pillow", "pdqhash", "imagehash", "perception", "numpy")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, [*rows, *false], packages))
    if arguments.page:
        tables.replace(arguments.page, "robustness.py", page(rows, false))
        plot(rows, ROOT / "docs/plots/robustness.svg")


if __name__ == "__main__":
    main()
