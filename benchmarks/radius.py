"""At which radius do unrelated photos match, and which everyday edits does a radius find again?

    python benchmarks/radius.py --photos FOLDER... [--receipt FILE] [--into DOCS]

Hashes the photos with every perceptual kind, eight ways round. By kind and radius: how many ordered
pairs of unrelated photos match, the one turned eight ways, with the 95 % bounds of Clopper and
Pearson; and how many photos are found again after edits. Pairs left out as related: files of one
name but for `left` and `right`, and files of equal content. Photos that the detail score refuses
are left out by the kind that refuses them, as a screening does. Of the weak kinds also: how many of
the nearest pairs of one are among those of another, so that they cannot corroborate each other.

What this does not show: pairs share photos, so that they depend on one another and the true
bounds are wider; a few hundred photos of clothes, goods and places are not the world's. Whatever
lies beyond what was counted is extrapolation, and none is made here.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import receipt
from PIL import Image

from screener import Policy
from screener.hashing.hash import KINDS, HashKind
from screener.media.image import open_image
from screener.reporting.calibration.calibrate import MILLION, Count
from screener.reporting.calibration.edits import EDITS
from screener.reporting.calibration.page import in_a_million
from screener.reporting.calibration.recall import share
from screener.screening.input.hash_item import Located, hash_item

ROOT = Path(__file__).resolve().parents[1]
QUESTION = "At which radius do unrelated photos match, and which edits are found again?"
PERCEPTUAL = [kind for kind in KINDS.values() if kind.perceptual]
WEAK = [kind.name for kind in PERCEPTUAL if kind.weak]
NEAREST = 100  # pairs of a weak kind, and those that are as near as the last of them
BEGIN, END = "<!-- figures: made by benchmarks/radius.py -->\n", "<!-- end of figures -->\n"
COLOURS = [f"tab:{name}" for name in (
    "blue", "orange", "green", "red", "purple", "brown", "pink", "gray", "cyan"
)]  # fmt: skip
Codes = dict[str, np.ndarray]


def usable(hashes: tuple[Located, ...]) -> dict[str, list[Located]]:
    """The hashes that are compared, by kind: eight of each."""
    found: dict[str, list[Located]] = {}
    for one in hashes:
        scores = [value for value in (one.hash.quality, one.detail) if value is not None]
        if min(scores) >= one.hash.kind.floor and one.region == "full" and one.part == 0:
            found.setdefault(one.hash.kind.name, []).append(one)
    return found


def bits_of(hashes: list[Located]) -> np.ndarray:
    values = np.frombuffer(b"".join(one.hash.value for one in hashes), np.uint8)
    return np.unpackbits(values.reshape(len(hashes), -1), axis=1)


def codes_of(item: Any) -> Codes:
    """(8, bits) of each kind that compares the picture."""
    hashed = hash_item(item, policy=Policy(), kinds=PERCEPTUAL)
    return {kind: bits_of(some) for kind, some in usable(hashed.hashes).items()}


def decoded(path: Path) -> Image.Image:
    (frame, *_) = open_image.open(path.read_bytes(), limits=open_image.Limits()).frames()
    return Image.fromarray(np.ascontiguousarray(frame.pixels)).convert("RGB")


def scene_of(path: Path) -> str:
    """The same for files that show one scene."""
    return re.sub(r"_?(left|right)$", "", path.stem)


def nearest(codes: list[Codes], kind: str) -> tuple[list[int], np.ndarray]:
    """The photos that the kind compares, and the least distance of eight of each to each other."""
    places = [number for number, one in enumerate(codes) if kind in one]
    stacked = np.stack([codes[number][kind] for number in places]).astype(np.float32)
    upright = stacked[:, 0]
    least = np.full((len(places), len(places)), np.inf, np.float32)
    for turned in stacked.transpose(1, 0, 2):
        both = turned @ upright.T
        least = np.minimum(least, turned.sum(1)[:, None] + upright.sum(1) - 2 * both)
    return places, least.astype(int)


def false_matches(codes: list[Codes], scenes: list[str], kind: HashKind) -> dict[str, Any]:
    places, least = nearest(codes, kind.name)
    names = np.array([scenes[number] for number in places])
    distances = least[names[:, None] != names[None, :]]
    counts = [int((distances <= radius).sum()) for radius in range(kind.bits // 4 + 1)]
    return {"photos": len(places), "pairs": int(distances.size), "within": counts}


def near_pairs(codes: list[Codes], scenes: list[str], kind: str) -> tuple[int, set[Any]]:
    """The radius within which a kind has its nearest pairs of unrelated photos, and those pairs."""
    places, least = nearest(codes, kind)
    names = np.array([scenes[number] for number in places])
    least = np.where(names[:, None] != names[None, :], least, least.max() + 1)
    radius = int(np.sort(least, axis=None)[NEAREST - 1])
    return radius, {(places[one], places[other]) for one, other in np.argwhere(least <= radius)}


def shared(codes: list[Codes], scenes: list[str]) -> dict[str, dict[str, Any]]:
    """By weak kind: how many pairs are its nearest, and how many of them are another's too."""
    pairs = {kind: near_pairs(codes, scenes, kind) for kind in WEAK}
    return {
        kind: {"within": radius, "pairs": len(mine)}
        | {"also": {other: len(mine & theirs) for other, (_, theirs) in pairs.items()}}
        for kind, (radius, mine) in pairs.items()
    }


def found_again(paths: list[Path], codes: list[Codes]) -> dict[str, dict[str, list[int]]]:
    """By kind and edit: the distance of each photo's edited form, eight ways round, from it."""
    found: dict[str, dict[str, list[int]]] = {kind.name: {} for kind in PERCEPTUAL}
    for path, own in zip(paths, codes, strict=True):
        picture = decoded(path)
        for name, edit in EDITS.items():
            edited = codes_of(edit(picture))
            for kind, bits in own.items():
                away = KINDS[kind].bits + 1  # refused: not found at any radius
                if kind in edited:
                    away = int((edited[kind] != bits[0]).sum(axis=1).min())
                found[kind].setdefault(name, []).append(away)
    return found


def rows_of(paths: list[Path], every: int) -> list[dict[str, Any]]:
    codes = [codes_of(path) for path in paths]
    scenes = [scene_of(path) for path in paths]
    again = found_again(paths[::every], codes[::every])
    both = shared(codes, scenes)
    rows = []
    for kind in PERCEPTUAL:
        edits = {
            name: [sum(away <= radius for away in found) for radius in range(kind.bits // 4 + 1)]
            for name, found in again[kind.name].items()
        }
        tried = len(next(iter(again[kind.name].values()), []))
        more = {"edited": tried, "found": edits}
        more |= {"nearest": both[kind.name]} if kind.weak else {}
        rows.append({"kind": kind.name, "bits": kind.bits, "radius": kind.radius}
                    | false_matches(codes, scenes, kind) | more)  # fmt: skip
    return rows


def photos_in(places: list[Path]) -> list[Path]:
    """The files of folders, and files named themselves."""
    found = [
        path for place in places for path in ([place] if place.is_file() else place.rglob("*"))
    ]
    return [path for path in found if path.suffix in (".jpg", ".jpeg", ".png")]


def once(paths: list[Path]) -> list[Path]:
    """The files without those of equal content."""
    seen: dict[bytes, Path] = {}
    for path in paths:
        seen.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return list(seen.values())


def recall(row: dict[str, Any], radius: int) -> tuple[int, int]:
    hits = sum(counts[radius] for counts in row["found"].values())
    return hits, row["edited"] * len(row["found"])


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"| kind | radius | pairs that match | for one photo against {MILLION:,} entries"
        " | found again after edits |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        step = 1 if row["bits"] == 64 else 8
        radii = sorted({*range(0, row["bits"] // 8 + 1, step * 2), row["radius"], row["bits"] // 5})
        for radius in radii:
            hits, pairs = row["within"][radius], row["pairs"]
            rate = in_a_million(Count.of(hits, pairs))
            found, edited = recall(row, radius)
            mark = "**" if radius == row["radius"] else ""
            lines.append(
                f"| `{row['kind']}` | {mark}{radius}{mark} | {hits} of {pairs:,} | {rate}"
                f" | {found / max(1, edited):.1%} |"
            )
    return "\n".join(lines) + "\n"


def by_edit(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0]["found"])
    lines = [
        "| edit | " + " | ".join(f"`{row['kind']}` {row['radius']}" for row in rows) + " |",
        "|---|" + "---|" * len(rows),
    ]
    for name in names:
        shares = [row["found"][name][row["radius"]] / max(1, row["edited"]) for row in rows]
        lines.append(f"| {name} | " + " | ".join(f"{one:.0%}" for one in shares) + " |")
    return "\n".join(lines) + "\n"


def also_by(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| nearest pairs by | " + " | ".join(f"by `{kind}` too" for kind in WEAK)
        + " | if independent, at most |",
        "|---|" + "---|" * (len(WEAK) + 1),
    ]  # fmt: skip
    weak = [row for row in rows if "nearest" in row]
    most = max(row["nearest"]["pairs"] for row in weak)
    for row in weak:
        mine = row["nearest"]
        cells = ["" if kind == row["kind"] else str(mine["also"][kind]) for kind in WEAK]
        chance = mine["pairs"] * most / row["pairs"]
        lines.append(
            f"| `{row['kind']}`: {mine['pairs']} within {mine['within']} bits | "
            + " | ".join(cells) + f" | {chance:.1f} |"
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """False matches and recall by radius, as a share of the bits, drawn by Matplotlib."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "screener"
    figure = Figure(figsize=(9, 8), layout="constrained")
    above, below = figure.subplots(2, 1)
    for row, colour in zip(rows, COLOURS, strict=False):
        radii = range(len(row["within"]))
        across = [radius / row["bits"] for radius in radii]
        bounds = [share(row["within"][radius], row["pairs"]) for radius in radii]
        rates = [row["within"][radius] / row["pairs"] for radius in radii]
        above.fill_between(across, *zip(*bounds, strict=True), color=colour, alpha=0.12)
        above.plot(across, rates, color=colour, label=row["kind"])
        hits = [recall(row, radius) for radius in radii]
        shares = [found / max(1, edited) for found, edited in hits]
        below.plot(across, shares, color=colour, label=row["kind"])
        default = row["radius"]
        below.plot([default / row["bits"]], [shares[default]], "o", color=colour)
    above.set_yscale("log")
    above.set_ylabel("pairs of unrelated photos that match")
    below.set_ylabel("found again after everyday edits")
    below.set_xlabel("radius, as a share of the bits (a dot: the default)")
    below.legend(ncols=3, fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def write_page(page: Path, rows: list[dict[str, Any]]) -> None:
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    figures = (
        f"{rows[0]['photos']} photos by PDQ; the default is in bold.\n\n{table(rows)}\n"
        f"By edit, at the default radius, over {rows[0]['edited']} photos:\n\n{by_edit(rows)}\n"
        f"The {NEAREST} nearest pairs of each weak kind, ties included:\n\n{also_by(rows)}"
    )
    page.write_text(f"{before}{BEGIN}\n{figures}\n{END}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    beside = Path(__file__).resolve().parents[2] / "shared" / "material"
    usual = [beside / name for name in ("photos-free", "photos-fp-mini")]
    parser.add_argument("--photos", type=Path, nargs="+", default=usual, help="folders of photos")
    parser.add_argument("--small", action="store_true", help="some photos, nothing written")
    parser.add_argument("--every", type=int, default=1, help="edit every so manieth photo only")
    parser.add_argument("--receipt", type=Path, default=ROOT / "benchmarks/receipts/radius.json")
    parser.add_argument("--into", type=Path, help="write table and plot into this docs folder")
    given = parser.parse_args()
    paths = once(sorted(photos_in(given.photos)))
    if given.small:
        paths = paths[::20]
    if len(paths) < 2:
        print("no photos: name folders of them with --photos")
        return
    rows = rows_of(paths, 5 if given.small else given.every)
    print(table(rows), by_edit(rows), also_by(rows), sep="\n")
    if given.small:
        return
    receipt.write(given.receipt, receipt.receipt(QUESTION, rows, ["numpy", "pillow", "imagehash"]))
    if given.into is not None:
        plot(rows, given.into / "plots" / "radius.svg")
        write_page(given.into / "radius.md", rows)


if __name__ == "__main__":
    main()
