"""Which pictures within pictures are found, from what size on, and at what cost?

Chats, posts, galleries, collages, prints and so on are drawn with photos in them, saved as PNG and
as JPEG 60, and screened with and without insets. Each of the photos that a picture may show is on a
list of its own, so that a match of one ends no search for another. Photos that no picture shows,
and drawings without photos, half of which are listed whole and by each of their insets, show how
often a match is false. The finder of insets was made on the kinds of `fixtures/interfaces.py`;
`fixtures/unseen_interfaces.py` draws the third of all kinds that it was not made on.

    python benchmarks/insets.py [--small] [--each N] [--insets N] [--only SECTION...]
        [--receipt FILE] [--into DOCS]

`--each` is how many pictures of each kind, side and format are drawn. `--only` measures some
sections, and takes the others from the receipt that is there. `--into docs` writes the tables into
insets.md, and the plot into docs/plots.

What this does not show: applications as they are, whose bars and letters differ from what is drawn;
photos that an application cuts; prints that are bent or glossy; photos other than these, which are
few.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import insets_page
import lists
import numpy as np
import pdqhash
import receipt
import tables
import timing
from insets_material import (
    LABELS,
    OTHERS,
    SETS,
    SHOWN,
    SIDES,
    Material,
    hostile,
    made_lists,
    material,
    phones,
)
from pictures import saved
from PIL import Image
from receipt import Row
from scan import RECORDS, SIZES, drawn_files, scanned

from screener import Policy, Result, Screener, scan
from screener.hashing import pdq
from screener.hashing.views import ORIENTATIONS_OF
from screener.media import opening
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import list_groups
from screener.screening.policy import Effort

FORMATS: dict[str, dict[str, Any]] = {
    "PNG": {"format": "PNG", "compress_level": 1},
    "JPEG 60": {"format": "JPEG", "quality": 60},
}
EFFORTS = range(len(Effort))
MISSED = len(Effort)  # the stage of a photo that no effort finds
RADIUS = Policy().radius["pdq"]
SECTIONS = ("recall", "false", "time", "rate")
PLACED = 0.8  # of the union of a match's box and its photo's, both share at least so much

Hits = dict[tuple[str, str], int]  # by list and entry the number of the effort that finds it


class Setting(NamedTuple):
    """What every process measures with."""

    material: Material
    screeners: dict[str, Screener]
    sizes: dict[str, int]  # of the lists


_settings: list[Setting] = []


def begin(setting: Setting) -> None:
    """Keep what this process measures with."""
    _settings[:] = [setting]


def hits_of(result: Result) -> Hits:
    """Return which records matched, and at which effort they would first."""
    found: Hits = {}
    for match in result.matches:
        stage = 0 if match.by == "distance" else 1 if match.view is None else 2
        if stage == 2 and match.orientation not in ORIENTATIONS_OF[2]:
            stage = 3
        key = match.list, match.entry
        found[key] = min(stage, found.get(key, MISSED))
    return found


def screened(file: bytes | np.ndarray) -> dict[str, tuple[Result, int]]:
    """Return the Result and the number of insets with insets off and on."""
    found = {}
    for name, screener in _settings[0].screeners.items():
        hashed = screener.hasher.hash(file)
        boxes = {group.box for group in list_groups(hashed.hashes) if group.region == "inset"}
        found[name] = next(screener.decide([hashed])), len(boxes)
    return found


def false_hits(queries: str, own: Sequence[str], hits: Hits) -> Row:
    """Return what a file matched that it does not show, and how many codes it was compared with."""
    row: Row = {"queries": queries, "hits": [], "pairs": {}}
    for name, size in _settings[0].sizes.items():
        if name not in own:
            label = LABELS.get(name, LABELS[OTHERS])
            row["pairs"][label] = row["pairs"].get(label, 0) + size
            row["hits"] += [(label, stage) for key, stage in hits.items() if key[0] == name]
    return row


def overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the intersection of two boxes divided by their union."""
    wide, tall = (min(one[at + 2], other[at + 2]) - max(one[at], other[at]) for at in (0, 1))
    both = max(0, wide) * max(0, tall)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def placed(result: Result, boxes: dict[tuple[str, str], Sequence[int]]) -> list[bool]:
    """Return of each match by an inset whether its box is that of the photo."""
    return [
        overlap(match.box, boxes[match.list, match.entry]) >= PLACED
        for match in result.matches
        if match.region == "inset" and (match.list, match.entry) in boxes
    ]


def measured(task: tuple[str, str, int, int]) -> list[Row]:
    """Return of one drawing in each format what was found of its photos, and what else."""
    group, kind, side, number = task
    setting, random = _settings[0], Random(f"{kind} {side} {number}")
    shown = setting.material.shown
    chosen = [random.randrange(len(shown) // SHOWN) * SHOWN + at for at in range(SHOWN)]
    random.shuffle(chosen)
    drawing = SETS[group][kind]([shown[at].image for at in chosen], side, random)
    boxes = {setting.material.key(chosen[at]): box for at, box in drawing.boxes}
    own = [name for name in setting.sizes if name not in LABELS]
    whole = np.packbits(pdqhash.compute(np.asarray(drawing.image))[0])
    codes = [np.frombuffer(shown[chosen[at]].code, np.uint8) for at in dict(drawing.boxes)]
    plain = sum(int(np.bitwise_count(whole ^ code).sum()) <= RADIUS for code in codes)
    rows = []
    for name, options in FORMATS.items():
        row: Row = {"cell": (group, kind, side, name), "plain PDQ": plain, "false": {}}
        file = saved(drawing.image, **options)
        for way, (result, insets) in screened(file).items():
            hits = hits_of(result)
            row[way] = [hits.get(key, MISSED) for key in boxes]
            row["false"][way] = false_hits(f"drawings, {group}", own, hits)
            row |= {"insets": insets, "placed": placed(result, boxes)}
        rows.append(row)
    return rows


def measured_picture(task: tuple[str, Sequence[str], Image.Image]) -> dict[str, Row]:
    """Return what a picture matches that it does not show, with insets off and on."""
    queries, own, picture = task
    pixels = np.asarray(picture)
    return {
        way: false_hits(queries, own, hits_of(result))
        for way, (result, _) in screened(pixels).items()
    }


def pictures(material: Material) -> Iterator[tuple[str, Sequence[str], Image.Image]]:
    """Yield pictures that are no drawings with photos, and the lists that have them."""
    for at, photo in enumerate(material.shown):
        yield "photos", (material.key(at)[0],), photo.image
    for photo in material.others:
        yield "photos", (OTHERS,), photo.image
    for picture in material.unlisted:
        yield "furniture", (), picture


def recall(found: Iterable[Row]) -> Iterator[Row]:
    """Yield for each kind, side and format how many photos are found at each effort."""
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        cells.setdefault(row["cell"], []).append(row)
    for (group, kind, side, name), some in cells.items():
        pairs = [pair for row in some for pair in zip(row["off"], row["on"], strict=True)]
        boxes = [one for row in some for one in row["placed"]]
        yield {
            "section": "recall", "set": group, "kind": kind, "side": side, "format": name,
            "drawings": len(some), "photos": len(pairs),
            "plain PDQ": sum(row["plain PDQ"] for row in some),
            "off": [sum(off <= at for off, _ in pairs) for at in EFFORTS],
            "on": [sum(on <= at for _, on in pairs) for at in EFFORTS],
            "lost": [sum(off <= at < on for off, on in pairs) for at in EFFORTS],
            "insets": sum(row["insets"] for row in some),
            "boxes": len(boxes), "placed": sum(boxes),
        }  # fmt: skip


def false_matches(found: Iterable[dict[str, Row]]) -> Iterator[Row]:
    """Yield how many pairs of queries and listed codes match falsely at each effort."""
    rows: dict[tuple[str, str, str], Row] = {}
    for by_way in found:
        for way, one in by_way.items():
            for label, pairs in one["pairs"].items():
                row = rows.setdefault((one["queries"], label, way), {
                    "section": "false", "queries": one["queries"], "listed": label,
                    "insets": way, "files": 0, "pairs": 0, "hits": [0] * len(EFFORTS),
                })  # fmt: skip
                row["files"] += 1
                row["pairs"] += pairs
                stages = [stage for name, stage in one["hits"] if name == label]
                row["hits"] = [row["hits"][at] + sum(s <= at for s in stages) for at in EFFORTS]
    yield from rows.values()


def decode(policy: Policy, data: bytes) -> None:
    """Open and decode a file as screening does."""
    opened = opening.open(data, limits=policy.limits, sampling=policy.sampling, seconds=60)
    for _ in opened.frames():
        pass


def times(material: Material, insets: int, *, small: bool) -> Iterator[Row]:
    """Yield milliseconds of decoding, of hashing without insets and of all with them.

    Pictures are hashed as scans do, which need few exact hashes, and exactly, as for a cache.
    """
    named = [("phone screenshot", one) for one in phones(material.shown, 1 if small else 8)]
    files = [(name, saved(picture, "PNG")) for name, picture in (*named, *hostile())]
    for effort in Effort:
        hashers = {
            f"{name}{exact}": Hasher(
                Policy(effort=effort, insets=most), (pdq.PDQ,), sketches=not exact
            )
            for exact in ("", "_exact")
            for name, most in (("off", 0), ("on", insets))
        }
        for what in dict(files):
            if effort is not Effort.EVIDENCE and what != "phone screenshot":
                continue
            taken = []
            for data in (data for name, data in files if name == what):
                calls = {"decoding": partial(decode, Policy(), data)} | {
                    name: partial(hasher.hash, data) for name, hasher in hashers.items()
                }
                medians = timing.medians(calls, 2 if small else 3, warm=True)
                taken.append({name: 1000 * each.processor for name, each in medians.items()})
            ratios = {
                exact: [(one["on" + exact] - one["off" + exact]) / one["decoding"] for one in taken]
                for exact in ("", "_exact")
            }
            yield {
                "section": "time", "picture": what, "effort": str(effort), "files": len(taken),
                **{
                    f"{name}_ms": round(statistics.median(one[name] for one in taken), 2)
                    for name in taken[0]
                },
                "insets_over_decoding": round(statistics.median(ratios[""]), 2),
                "most_over_decoding": round(max(ratios[""]), 2),
                "exact_over_decoding": round(statistics.median(ratios["_exact"]), 2),
            }  # fmt: skip


def rates(folder: Path, insets: int, *, small: bool) -> Iterator[Row]:
    """Yield files a second of a scan with and without insets, which take turns."""
    pixels, grain, count = SIZES["1600×1004"]
    files = drawn_files(folder, pixels, grain, 40 if small else count // 4)
    records = 1000 if small else RECORDS
    hash_list = lists.made(folder / f"known-{records}.list", lists.drawn(records, ("pdq", "md5")))
    speeds: dict[str, list[float]] = {"off": [], "on": []}
    for _ in range(1 if small else 5):
        for name, most in (("off", 0), ("on", insets)):
            screener = Screener(hash_list, policy=Policy(insets=most))
            speeds[name].append(scanned(screener, files, 1, scan)[1])
    shares = [on / off for off, on in zip(*speeds.values(), strict=True)]
    medians = {f"{name}_files_per_s": statistics.median(some) for name, some in speeds.items()}
    yield {
        "section": "rate", "size": "1600×1004", "records": records,
        **{name: round(median, 1) for name, median in medians.items()},
        "share_of_off": round(statistics.median(shares), 3),
    }  # fmt: skip


def measure(arguments: Any, folder: Path) -> Iterator[Row]:
    """Yield the rows of the sections that are asked for."""
    small, insets = arguments.small, arguments.insets
    screened_material = material(small=small)
    codes = screened_material.codes(insets)
    opened = made_lists(folder, codes)
    screeners = {
        name: Screener(opened, policy=Policy(effort=Effort.ALL, insets=most))
        for name, most in (("off", 0), ("on", insets))
    }
    setting = Setting(
        screened_material, screeners, {name: len(some) for name, some in codes.items()}
    )
    begin(setting)
    tasks = [
        (group, kind, side, number)
        for number in range(1 if small else arguments.each)
        for side in (SIDES[2:3] if small else SIDES)
        for group, kinds in SETS.items()
        for kind in kinds
    ]
    with ProcessPoolExecutor(arguments.jobs, initializer=begin, initargs=(setting,)) as pool:
        false: list[dict[str, Row]] = []
        if "recall" in arguments.only:
            found = [row for rows in pool.map(measured, tasks, chunksize=4) for row in rows]
            yield from recall(found)
            false += [row["false"] for row in found]
        if "false" in arguments.only:
            every = pictures(screened_material)
            false += pool.map(measured_picture, every, chunksize=8)
        yield from false_matches(false)
    if "time" in arguments.only:
        yield from times(screened_material, insets, small=small)
    if "rate" in arguments.only:
        yield from rates(folder, insets, small=small)


def kept(path: Path | None, only: Sequence[str]) -> list[Row]:
    """Return the rows of sections that are not measured again, from the receipt."""
    if path is None or not path.exists():
        return []
    rows = json.loads(path.read_text())["rows"]
    return [row for row in rows if source(row) not in only]


def source(row: Row) -> str:
    """Return the section that measures a row: drawings have false matches too."""
    return "recall" if row.get("queries", "").startswith("drawings") else row["section"]


def main() -> None:
    """Measure, print the tables, and write receipt, page and plot."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--insets", type=int, default=Policy().insets)
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep lists and files here")
    parser.add_argument("--into", type=Path, help="write tables and plot into this docs folder")
    arguments = parser.parse_args()
    with lists.workplace(arguments.folder) as folder:
        rows = [*kept(arguments.receipt, arguments.only), *measure(arguments, folder)]
    text = insets_page.text(rows)
    print(text)
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ("pillow", "numpy", "pdqhash")))
    if arguments.into:
        tables.replace(arguments.into / "insets.md", "insets.py", text)
        insets_page.plot(rows, arguments.into / "plots/insets.svg")


if __name__ == "__main__":
    main()
