"""At which radius do unrelated photos match, and which everyday edits does a radius find again?

    python benchmarks/radius.py [--small] [--photos FOLDER...] [--receipt FILE] [--into DOCS]

Hashes the photos with every perceptual kind, in eight orientations. By kind and radius: how many
ordered pairs of unrelated photos match, with the 95 % bounds of Clopper and Pearson; and how many
photos are found again after edits. Related, and so left out, are pairs of files whose names differ
in `left` and `right`, and files of equal content. Photos that the detail score refuses are left out
by the kind that refuses them, as in a screening. For the weak kinds also: how many of the nearest
pairs of one are among those of another, so that they cannot corroborate each other.

What this does not show: pairs share photos, so that they depend on one another and the true
bounds are wider; a few hundred photos of clothes, goods and places are not the world's. Nothing is
extrapolated beyond what was counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import receipt
import tables
from matplotlib.figure import Figure
from pictures import PHOTOS, distinct, files_in
from PIL import Image
from receipt import Row

from screener import Policy
from screener.hashing.hash import KINDS, HashKind
from screener.media.image import open_image
from screener.reporting.calibration.calibration_page import format_per_million
from screener.reporting.calibration.count import MILLION, Count, compute_bounds
from screener.reporting.calibration.edits import EDITS
from screener.screening.input.hash_item import LocatedHash, hash_item

PERCEPTUAL = [kind for kind in KINDS.values() if kind.perceptual]
WEAK = [kind.name for kind in PERCEPTUAL if kind.weak]
NEAREST = 100  # pairs of a weak kind, and those that are as near as the last of them
COLOURS = ["blue", "orange", "green", "red", "purple", "brown", "pink", "gray", "cyan"]
Codes = dict[str, np.ndarray]  # (8, bits) of each kind that compares a picture


def codes_of(item: Any) -> Codes:
    """Return the hashes that are compared: of the whole picture, with enough detail."""
    found: dict[str, list[LocatedHash]] = {}
    for one in hash_item(item, policy=Policy(effort="distance"), kinds=PERCEPTUAL).hashes:
        scores = [value for value in (one.hash.quality, one.detail) if value is not None]
        if min(scores) >= one.hash.kind.floor and one.region == "full" and one.part == 0:
            found.setdefault(one.hash.kind.name, []).append(one)
    return {
        kind: np.unpackbits(np.array([list(one.hash.value) for one in some], np.uint8), axis=1)
        for kind, some in found.items()
    }


class Photos:
    """The photos, their codes, and names that are equal for files that show one scene."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.codes = [codes_of(path) for path in paths]
        self.scenes = np.array([re.sub(r"_?(left|right)$", "", path.stem) for path in paths])

    def nearest(self, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return which photos a kind compares, the distances of all, and which are unrelated.

        A distance is the least of eight orientations of the one to the other, upright.
        """
        places = np.array([number for number, one in enumerate(self.codes) if kind in one])
        stacked = np.stack([self.codes[number][kind] for number in places]).astype(np.float32)
        upright = stacked[:, 0]
        least = np.full((len(places), len(places)), np.inf, np.float32)
        for turned in stacked.transpose(1, 0, 2):
            both = turned @ upright.T
            least = np.minimum(least, turned.sum(1)[:, None] + upright.sum(1) - 2 * both)
        names = self.scenes[places]
        return places, least.astype(int), names[:, None] != names[None, :]

    def false_matches(self, kind: HashKind) -> Row:
        """Return how many pairs of unrelated photos lie within each radius."""
        places, least, unrelated = self.nearest(kind.name)
        apart = least[unrelated]
        counts = [int((apart <= radius).sum()) for radius in range(kind.bits // 4 + 1)]
        return {"photos": len(places), "pairs": int(apart.size), "within": counts}

    def near_pairs(self, kind: str) -> tuple[int, set[tuple[int, int]]]:
        """Return the nearest pairs of unrelated photos, and the radius within which they lie."""
        places, least, unrelated = self.nearest(kind)
        radius = int(np.sort(least[unrelated])[NEAREST - 1])
        pairs = np.argwhere((least <= radius) & unrelated)
        return radius, {(int(places[one]), int(places[other])) for one, other in pairs}

    def found_again(self, every: int) -> dict[str, dict[str, list[int]]]:
        """Return by kind and edit the distance of each photo's edited form from it."""
        found: dict[str, dict[str, list[int]]] = {kind.name: {} for kind in PERCEPTUAL}
        for path, own in zip(self.paths[::every], self.codes[::every], strict=True):
            (frame, *_) = open_image.open(path.read_bytes(), limits=open_image.Limits()).frames()
            picture = Image.fromarray(np.ascontiguousarray(frame.pixels)).convert("RGB")
            for name, edit in EDITS.items():
                edited = codes_of(edit(picture))
                for kind, bits in own.items():
                    away = KINDS[kind].bits + 1  # refused: not found at any radius
                    if kind in edited:
                        away = int((edited[kind] != bits[0]).sum(axis=1).min())
                    found[kind].setdefault(name, []).append(away)
        return found


def rows_of(photos: Photos, every: int) -> list[Row]:
    """Return the figures of each kind."""
    again = photos.found_again(every)
    near = {kind: photos.near_pairs(kind) for kind in WEAK}
    rows = []
    for kind in PERCEPTUAL:
        radii = range(kind.bits // 4 + 1)
        row: Row = {"kind": kind.name, "bits": kind.bits, "radius": kind.radius}
        row |= photos.false_matches(kind)
        row["edited"] = len(next(iter(again[kind.name].values()), []))
        row["found"] = {
            name: [sum(away <= radius for away in found) for radius in radii]
            for name, found in again[kind.name].items()
        }
        if kind.weak:
            within, mine = near[kind.name]
            also = {other: len(mine & theirs) for other, (_, theirs) in near.items()}
            row["nearest"] = {"within": within, "pairs": len(mine), "also": also}
        rows.append(row)
    return rows


def recall(row: Row, radius: int) -> float:
    """Return the share of edited photos that a radius finds."""
    hits = sum(counts[radius] for counts in row["found"].values())
    return hits / max(1, row["edited"] * len(row["found"]))


def by_radius(rows: Sequence[Row]) -> str:
    """Return the table of false matches and recall."""
    head = ["kind", "radius", "pairs that match", f"for one photo against {MILLION:,} entries"]
    lines = []
    for row in rows:
        step, default = (1 if row["bits"] == 64 else 8), row["radius"]
        radii = {*range(0, row["bits"] // 8 + 1, step * 2), default, row["bits"] // 5}
        for radius in sorted(radii):
            hits, pairs = row["within"][radius], row["pairs"]
            shown = f"**{radius}**" if radius == default else radius
            rate = format_per_million(Count.from_hits(hits, pairs))
            counted = f"{hits} of {pairs:,}"
            lines.append([f"`{row['kind']}`", shown, counted, rate, f"{recall(row, radius):.1%}"])
    return tables.table([*head, "found again after edits"], lines)


def by_edit(rows: Sequence[Row]) -> str:
    """Return the table of recall by edit at the default radii."""
    head = ["edit", *(f"`{row['kind']}` {row['radius']}" for row in rows)]
    lines = []
    for name in rows[0]["found"]:
        shares = [row["found"][name][row["radius"]] / max(1, row["edited"]) for row in rows]
        lines.append([name, *(f"{one:.0%}" for one in shares)])
    return tables.table(head, lines)


def shared_pairs(rows: Sequence[Row]) -> str:
    """Return the table of nearest pairs that weak kinds share."""
    head = ["nearest pairs by", *(f"by `{kind}` too" for kind in WEAK)]
    weak = [row for row in rows if "nearest" in row]
    most = max(row["nearest"]["pairs"] for row in weak)
    lines = []
    for row in weak:
        mine = row["nearest"]
        also = ["" if kind == row["kind"] else mine["also"][kind] for kind in WEAK]
        title = f"`{row['kind']}`: {mine['pairs']} within {mine['within']} bits"
        lines.append([title, *also, f"{mine['pairs'] * most / row['pairs']:.1f}"])
    return tables.table([*head, "if independent, at most"], lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw false matches and recall by radius, as a share of the bits."""
    figure = Figure(figsize=(9, 8), layout="constrained")
    above, below = figure.subplots(2, 1)
    for row, name in zip(rows, COLOURS, strict=False):
        colour, radii = f"tab:{name}", range(len(row["within"]))
        across = [radius / row["bits"] for radius in radii]
        bounds = [compute_bounds(hits, row["pairs"]) for hits in row["within"]]
        above.fill_between(across, *zip(*bounds, strict=True), color=colour, alpha=0.12)
        rates = [hits / row["pairs"] for hits in row["within"]]
        above.plot(across, rates, color=colour, label=row["kind"])
        shares = [recall(row, radius) for radius in radii]
        below.plot(across, shares, color=colour, label=row["kind"])
        default = row["radius"]
        below.plot([default / row["bits"]], [shares[default]], "o", color=colour)
    above.set(yscale="log", ylabel="pairs of unrelated photos that match")
    below.set_ylabel("found again after everyday edits")
    below.set_xlabel("radius, as a share of the bits (a dot: the default)")
    below.legend(ncols=3, fontsize="small")
    tables.save(figure, path)


def main() -> None:
    """Measure, print the tables, and write receipt and page."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", default=PHOTOS, help="folders of photos")
    parser.add_argument("--into", type=Path, help="write tables and plot into this docs folder")
    arguments = parser.parse_args()
    paths = distinct(files_in(arguments.photos))[:: 20 if arguments.small else 1]
    if len(paths) < 2:
        print("no photos: name folders of them with --photos")
        return
    rows = rows_of(Photos(paths), 5 if arguments.small else 1)
    text = (
        f"{rows[0]['photos']} photos by PDQ; the default is in bold.\n\n{by_radius(rows)}\n"
        f"By edit, at the default radius, over {rows[0]['edited']} photos:\n\n{by_edit(rows)}\n"
        f"The {NEAREST} nearest pairs of each weak kind, ties included:\n\n{shared_pairs(rows)}"
    )
    print(text)
    packages = ["numpy", "pillow", "imagehash"]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))
    if arguments.into is not None:
        plot(rows, arguments.into / "plots" / "radius.svg")
        tables.replace(arguments.into / "radius.md", "radius.py", text)


if __name__ == "__main__":
    main()
