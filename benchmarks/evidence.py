"""Which partly changed copies do evidence and views find, and at what cost in false matches?

Photos are edited in the ways of `robustness_edits.PARTLY`, saved as JPEG 75, and weighed against
the PDQ of every photo, by brute force over integers: the eight orientations of the copy as it is
(effort `evidence`), and those of each view (effort `views`). The same copies follow,
each turned by a quarter or mirrored, and those of every third photo in a frame. Then drawn pictures
that show next to nothing, or text, codes and charts, are weighed against one another. The index
must find the same pairs.

    python benchmarks/evidence.py [--small] [--photos PLACE...] [--receipt FILE] [--into DOCS]

`--into docs` writes the tables into evidence.md, and the plot into docs/plots.

What this does not show: edits made to escape detection; photos other than these, which are small
and few, so that no rate of false matches below the bounds is known; and catalogues of photos that
look alike, of which lists and uploads are full. The first choice of views used every other
photo; the last ones (sizes, order, floors) saw all of them, so that recall of the
"other photos" is nearly, but not strictly, of photos that chose nothing.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import receipt
import robustness
import tables
from matplotlib.figure import Figure
from perception import hashers
from pictures import files_in, plain, plainer, scene, screens
from PIL import Image
from receipt import Row
from robustness_edits import BLACK, PARTLY, Edit, framed, through_jpeg, thumbnail

from screener.hashing import detail, evidence, pdq, views
from screener.index.hamming import HammingIndex
from screener.media.image import trim
from screener.reporting.calibration.calibration_page import format_per_million
from screener.reporting.calibration.count import Count

THRESHOLD = 80
THRESHOLD_TURNED = 100
TURNED = np.arange(8) > 0  # orientations
THRESHOLDS = range(40, 165, 5)
RADIUS = 31
FLOOR, DETAILED = 50, 50  # of PDQ's quality for distance, and of the detail score for evidence
LEAST = -(2**14)  # less evidence than any code has
EACH = 40  # pictures drawn of each family
RIVALS = ("plain PDQ", "pHash", "perception pHash")
EFFORTS = ("distance", "evidence", "views")
TITLES = {
    "none": "saved again",
    "cropped": "cropped: 1–5 % a side, one side 3–12 %, each side up to 6 %",
    "turned": "turned by 1–5°",
    "straightened": "straightened by 2°",
    "captions": "one or two lines of text, caption bar, ticker",
    "badge10": "badge, 10 % of the width",
    "badge20": "badge, 20 % of the width",
    "sticker": "round sticker, 28 % of the shorter side",
    "weak": "JPEG 5, gamma 2, blur 5",
    "beyond": "beyond the views: crops of 7 and 10 %, turned 7°, straightened 4°, badge 30 %",
}
FORMS = {"edited": 1, "turned": 1, "framed": 3}  # one photo in so many
GROUPS: dict[str, dict[str, Edit]] = {"none": {"none": lambda picture: picture}} | PARTLY
GROUP = {name: group for group, edits in GROUPS.items() for name in edits}
TURNS = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)
Bits = np.ndarray  # (n, 256): the listed codes, a bit a column
Found = np.ndarray  # (3, n): by listed code the distance, and the evidence as it is and by views


def looks(pixels: np.ndarray) -> list[tuple[evidence.Look, bool, bool]]:
    """Return looks at the picture and at it without its border.

    With each, whether PDQ's quality lets it be compared by distance, and whether the detail score
    and the samples let it be compared by evidence. A blurred picture has less quality than detail.
    """
    found = []
    for region in (pixels, *trim.find_unframed(pixels)):
        look = evidence.look(np.ascontiguousarray(region), most=pdq.MOST_DOUBT)
        scores = (detail.Detail(region).score(pdq.PDQ), *detail.pattern_scores(look.values))
        detailed = min(scores) >= DETAILED and look.samples.busy >= evidence.BUSY
        found.append((look, min(look.qualities) >= FLOOR, detailed))
    return found


def distances(queries: evidence.Queries, listed: Bits) -> np.ndarray:
    """Return the weighted distance of each query to each listed code."""
    own = np.unpackbits(queries.codes, axis=1).astype(np.float32)
    weights = queries.weights.astype(np.float32)  # sums of them are exact in float32
    found = (weights * own).sum(1)[:, None] + (weights * (1 - 2 * own)) @ listed.T
    return found.astype(np.int64)


def most_evidence(queries: evidence.Queries, turned: np.ndarray, listed: Bits) -> np.ndarray:
    """Return for each listed code the most evidence of a query, in bits, rounded down.

    A query of a turned picture counts from the threshold for those on.
    """
    left = queries.ceilings[:, None] - distances(queries, listed)
    left[turned[:, None] & (left < evidence.SIXTEENTHS * THRESHOLD_TURNED)] = LEAST
    return left.max(axis=0) // evidence.SIXTEENTHS


def detailed_queries(queries: evidence.Queries) -> tuple[evidence.Queries, np.ndarray]:
    """Return the queries whose own codes have the patterns of a detailed picture; which turned."""
    scores = np.array(detail.pattern_scores([code.tobytes() for code in queries.codes]))
    turned = np.resize(TURNED, len(scores))[scores >= DETAILED]
    return evidence.Queries(*(column[scores >= DETAILED] for column in queries)), turned


def weighed(pixels: np.ndarray, listed: Bits) -> Found:
    """Return the least distance and the most evidence of each listed code."""
    found = np.full((3, len(listed)), LEAST, np.int16)
    found[0] = 256
    for look, usable, detailed in looks(pixels):
        as_is = look.coefficients.weigh()
        if usable:
            bits = np.unpackbits(as_is.codes, axis=1).astype(np.float32)
            away = bits.sum(1)[:, None] + listed.sum(1) - 2 * bits @ listed.T
            found[0] = np.minimum(found[0], away.min(axis=0))
        if detailed:
            found[1] = np.maximum(found[1], most_evidence(as_is, TURNED, listed))
            of_views, turned = detailed_queries(views.weigh(look.samples))
            if len(of_views.codes):
                found[2] = np.maximum(found[2], most_evidence(of_views, turned, listed))
    found[2] = np.maximum(found[1], found[2])
    return found


def matches(found: Found, effort: str) -> np.ndarray:
    """Return which of them match at the default radius and threshold."""
    away, as_is, by_views = found
    more = {"distance": LEAST, "evidence": as_is, "views": by_views}[effort]
    return (away <= RADIUS) | (more >= THRESHOLD)


def check_search(photos: Sequence[Image.Image], listed: Bits) -> None:
    """Stop unless the index finds what brute force finds, and each code has its ceiling."""
    index = HammingIndex(np.packbits(listed.astype(np.uint8), axis=1))
    for photo in photos:
        for look, *_ in looks(np.asarray(photo)):
            queries = views.weigh(look.samples)
            apart, budgets = distances(queries, listed), queries.budgets(0)
            offsets, rows, away = index.search_weighted(queries.codes, queries.weights, budgets)
            hits = np.argwhere(apart <= budgets[:, None])
            numbers = np.repeat(np.arange(len(budgets)), np.diff(offsets))
            ours = sorted(zip(numbers.tolist(), rows.tolist(), away.tolist(), strict=True))
            if ours != [(*hit, int(apart[tuple(hit)])) for hit in hits.tolist()]:
                raise SystemExit("the index finds other codes than brute force")


def forms(photo: Image.Image, number: int) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield each edit of a photo as it is, turned, and framed: form, name and picture."""
    turn = TURNS[number % len(TURNS)]
    for name in GROUP:
        edited = GROUPS[GROUP[name]][name](photo)
        yield "edited", name, edited
        if number % FORMS["turned"] == 0:
            yield "turned", name, edited.transpose(turn)
        if number % FORMS["framed"] == 0:
            yield "framed", name, framed(edited, BLACK, 30, 30)


_listed: dict[str, Bits] = {}


def share(listed: Bits) -> None:
    """Keep the listed codes for the photos that this process measures."""
    _listed["bits"] = listed


def rival_codes(picture: Image.Image) -> dict[str, robustness.Codes]:
    """Return the code of a picture by rival; a rival that would not compare it has none."""
    pixels = np.asarray(picture)
    theirs = hashers.PHash(hash_size=16).compute(pixels, hash_format="vector")
    return {
        "plain PDQ": robustness.plain(pixels),
        "pHash": [robustness.number(imagehash.phash(picture).hash)],
        "perception pHash": [] if theirs is None else [robustness.number(theirs)],
    }


def measured(photo: Image.Image, number: int) -> Row:
    """Return what is found of each form of a photo, and by which rivals."""
    original = rival_codes(photo)
    found: dict[tuple[str, str], Found] = {}
    rivals: dict[str, list[str]] = {}
    for form, name, picture in forms(photo, number):
        copy = through_jpeg(picture, 75)
        found[form, name] = weighed(np.asarray(copy), _listed["bits"])
        if form == "edited":
            codes = rival_codes(copy)
            rivals[name] = [
                tool
                for tool in RIVALS
                if robustness.near(codes[tool], original[tool][:1], robustness.RADIUS[tool])
            ]
    return {"found": found, "rivals": rivals}


def own(photos: Sequence[Row], form: str, name: str, *, every: int) -> Found:
    """Return what was found of the own codes of every so many photos: (3, photos)."""
    numbers = range(0, len(photos), every)
    return np.stack([photos[at]["found"][form, name][:, at] for at in numbers], axis=1)


def recall(photos: Sequence[Row]) -> Iterator[Row]:
    """Yield for each form and edit how many photos are found, and at each threshold."""
    for form in FORMS:
        for name in GROUP:
            found = own(photos, form, name, every=FORMS[form])
            upright = own(photos, "edited", name, every=FORMS[form])
            by_effort = {effort: matches(found, effort) for effort in EFFORTS}
            rivals = Counter(tool for one in photos for tool in one["rivals"][name])
            near = by_effort["distance"]
            yield {
                "section": "recall", "form": form, "group": GROUP[name], "edit": name,
                "photos": found.shape[1],
                # The same photos, neither turned nor framed.
                "upright": {"views": int(matches(upright, "views").sum())},
                "found": {effort: int(hits.sum()) for effort, hits in by_effort.items()}
                | ({tool: rivals[tool] for tool in RIVALS} if form == "edited" else {}),
                "others": found.shape[1] // 2,
                "found_of_others": {
                    effort: int(hits[1::2].sum()) for effort, hits in by_effort.items()
                },
                "curve": {
                    effort: [int((near | (more >= one)).sum()) for one in THRESHOLDS]
                    for effort, more in zip(EFFORTS[1:], found[1:], strict=True)
                },
            }  # fmt: skip


def unrelated(names: Sequence[str]) -> np.ndarray:
    """Return which photos show another scene than which."""
    scenes = np.array([re.sub(r"_?(left|right)$", "", name) for name in names])
    return scenes[:, None] != scenes[None]


def false_matches(photos: Sequence[Row], names: Sequence[str]) -> Iterator[Row]:
    """Yield for each form the pairs of unrelated photos that match, and the highest beyond 31."""
    others = unrelated(names)
    for form in FORMS:
        every = np.stack([
            np.stack([one["found"][form, name] for one in photos[:: FORMS[form]]], axis=1)
            for name in GROUP
        ], axis=1)  # fmt: skip  # (3, edits, photos, listed)
        counted = np.broadcast_to(others[:: FORMS[form]], every.shape[1:])
        yield counts("false matches", form, every, counted) | {
            "highest": [
                {
                    "photo": names[query * FORMS[form]], "edit": tuple(GROUP)[edit],
                    "other": names[listed],
                    "distance": int(every[0, edit, query, listed]),
                    "evidence": int(every[1, edit, query, listed]),
                    "views": int(every[2, edit, query, listed]),
                }
                for edit, query, listed in highest(every, counted)
            ]
        }  # fmt: skip


def counts(section: str, what: str, found: np.ndarray, counted: np.ndarray) -> Row:
    """Return how many of the pairs that are counted match, by distance and at each threshold."""
    beyond = counted & (found[0] > RADIUS)
    return {
        "section": section,
        "queries": what,
        "pairs": int(counted.sum()),
        "distance": int((counted & (found[0] <= RADIUS)).sum()),
        "curve": {
            effort: [int((beyond & (more >= one)).sum()) for one in THRESHOLDS]
            for effort, more in zip(EFFORTS[1:], found[1:], strict=True)
        },
    }


def highest(found: np.ndarray, counted: np.ndarray, most: int = 8) -> list[Any]:
    """Return the places of the pairs of most evidence beyond the radius."""
    more = np.where(counted & (found[0] > RADIUS), found[2], LEAST)
    order = np.argsort(-more, axis=None, kind="stable")[:most]
    return list(zip(*np.unravel_index(order, more.shape), strict=True))


def drawn(each: int) -> Iterator[Row]:
    """Yield the pairs of drawn pictures that match, by family of the query and of the other."""
    names, pictures = [], []
    for drawing in (plain, plainer, screens):
        for family in drawing.FAMILIES:
            names += [family] * each
            pictures += [np.ascontiguousarray(drawing.draw(family, seed)) for seed in range(each)]
    hashes = [pdq.compute(pixels) for pixels in pictures]
    usable = [at for at, one in enumerate(hashes) if (one.quality or 0) >= FLOOR]
    listed = bits_of([hashes[at].value for at in usable])
    found = np.stack([weighed(pixels, listed) for pixels in pictures], axis=1)
    families, listed_families = np.array(names), np.array(names)[usable]
    counted = np.arange(len(pictures))[:, None] != np.array(usable)
    yield counts("drawn", "all", found, counted)
    for family in dict.fromkeys(names):
        for other in dict.fromkeys(names):
            chosen = counted & (families == family)[:, None] & (listed_families == other)
            if matches(found, "views")[chosen].any():
                yield counts("drawn", f"{family}, {other}", found, chosen)


def bits_of(values: Sequence[bytes]) -> Bits:
    """Return a row of bits for each hash."""
    rows = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    return np.unpackbits(rows, axis=1).astype(np.float32)


def pooled(rows: Sequence[Row], key: str, photos: str, tool: str) -> str:
    """Return the share of the photos found over several edits, in %."""
    of = sum(row[photos] for row in rows)
    return f"{100 * sum(row[key].get(tool, 0) for row in rows) / max(1, of):.1f}"


def recall_table(rows: Sequence[Row]) -> str:
    """Return the shares found by group of edits, in %."""
    more = ["views, other photos", "turned (upright)", "framed (unframed)"]
    head = ["edit, then JPEG 75", *RIVALS, *EFFORTS, *more]
    lines = []
    for group, title in TITLES.items():
        by_form = {
            form: [row for row in rows if (row["form"], row["group"]) == (form, group)]
            for form in FORMS
        }
        edited = by_form["edited"]
        found = [pooled(edited, "found", "photos", tool) for tool in (*RIVALS, *EFFORTS)]
        found[-1] = f"**{found[-1]}**"
        found.append(pooled(edited, "found_of_others", "others", "views"))
        for form in ("turned", "framed"):
            rows_of_form = by_form[form]
            same = pooled(rows_of_form, "upright", "photos", "views")
            found.append(f"{pooled(rows_of_form, 'found', 'photos', 'views')} ({same})")
        lines.append([title, *found])
    return tables.table(head, lines)


def edit_table(rows: Sequence[Row]) -> str:
    """Return the shares found by edit, in %."""
    lines = [
        [row["edit"], *(pooled([row], "found", "photos", tool) for tool in (*RIVALS, *EFFORTS))]
        for row in rows
        if row["form"] == "edited"
    ]
    return tables.table(["edit", *RIVALS, *EFFORTS], lines)


def curve_table(rows: Sequence[Row], false: Sequence[Row]) -> str:
    """Return recall and false matches by threshold."""
    asked = [
        row for row in rows if row["form"] == "edited" and row["group"] not in ("none", "beyond")
    ]
    photos, pairs = sum(row["photos"] for row in asked), sum(row["pairs"] for row in false)
    lines = []
    for at, threshold in enumerate(THRESHOLDS):
        if threshold % 10:
            continue
        line = [f"**{threshold}**" if threshold == THRESHOLD else threshold]
        for effort in EFFORTS[1:]:
            found = sum(row["curve"][effort][at] for row in asked)
            hits = sum(row["curve"][effort][at] for row in false)
            line += [f"{found / photos:.1%}", format_per_million(Count.from_hits(hits, pairs))]
        lines.append(line)
    head = ["threshold"]
    for effort in EFFORTS[1:]:
        head += [f"found, {effort}", "false, in a million pairs, 95 % bounds"]
    return tables.table(head, lines)


def false_table(rows: Sequence[Row]) -> str:
    """Return the pairs that match at the defaults, and the highest evidence of unrelated ones."""
    at = THRESHOLDS.index(THRESHOLD)
    lines = [
        [
            f"{row['section']}: {row['queries']}", f"{row['pairs']:,}", row["distance"],
            *(row["curve"][effort][at] for effort in EFFORTS[1:]),
        ]
        for row in rows
    ]  # fmt: skip
    return tables.table(["pairs of", "pairs", "by distance", "evidence", "views"], lines)


def plot(rows: Sequence[Row], false: Sequence[Row], path: Path) -> None:
    """Draw false matches and recall by threshold."""
    figure = Figure(figsize=(9, 9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    pairs = sum(row["pairs"] for row in false)
    for effort, style in zip(EFFORTS[1:], ("--", "-"), strict=True):
        hits = [sum(row["curve"][effort][at] for row in false) for at in range(len(THRESHOLDS))]
        bounds = [1e6 * Count.from_hits(one, pairs).high for one in hits]
        above.plot(THRESHOLDS, bounds, style, color="tab:red", label=f"{effort}, upper bound")
        for number, group in enumerate(list(TITLES)[1:-1]):
            chosen = [row for row in rows if (row["form"], row["group"]) == ("edited", group)]
            photos = sum(row["photos"] for row in chosen)
            shares = [
                100 * sum(row["curve"][effort][at] for row in chosen) / photos
                for at in range(len(THRESHOLDS))
            ]
            label = group if effort == "views" else None
            below.plot(THRESHOLDS, shares, style, color=f"C{number}", label=label)
    above.set(yscale="log", ylabel="false matches in a million pairs")
    below.set(xlabel="threshold, bits", ylabel="found, % (dashed: without views)")
    for axes in (above, below):
        axes.axvline(THRESHOLD, color="grey", linewidth=0.5)
        axes.grid(visible=True, linewidth=0.3)
        axes.legend(fontsize="small")
    tables.save(figure, path)


def photos_in(places: Sequence[Path]) -> tuple[list[str], list[Image.Image]]:
    """Return the names and the photos, each distinct one once, of usable quality."""
    found: dict[bytes, tuple[str, Image.Image]] = {}
    for path in files_in(places):
        photo = thumbnail(Image.open(path).convert("RGB"), robustness.SIDE)
        if robustness.plain(np.asarray(photo)):
            found.setdefault(photo.tobytes(), (path.stem, photo))
    names, photos = zip(*found.values(), strict=True) if found else ((), ())
    return list(names), list(photos)


def main() -> None:
    """Measure, print the tables, and write receipt, page and plot."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--photos", type=Path, nargs="*", default=robustness.PLACES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--into", type=Path, help="write tables and plot into this docs folder")
    arguments = parser.parse_args()
    if arguments.small:
        names, photos = zip(
            *((f"drawn {at}", scene(60 + at, (240, 180))) for at in range(4)), strict=True
        )
    else:
        names, photos = photos_in(arguments.photos)
    robustness.check_rivals(np.asarray(photos[0]))
    listed = bits_of([pdq.compute(np.asarray(photo)).value for photo in photos])
    check_search(photos[:3], listed)
    warnings.simplefilter("ignore")
    with ProcessPoolExecutor(arguments.jobs, initializer=share, initargs=(listed,)) as pool:
        found = list(pool.map(measured, photos, range(len(photos)), chunksize=4))
    rows, false = list(recall(found)), list(false_matches(found, names))
    blanks = list(drawn(2 if arguments.small else EACH))
    text = "\n".join([
        f"Photos: {len(photos)}. Found, in %, at {THRESHOLD} bits:\n", recall_table(rows),
        curve_table(rows, false), false_table([*false, *blanks]), edit_table(rows),
    ])  # fmt: skip
    print(text)
    packages = ("pillow", "pdqhash", "imagehash", "perception", "numpy")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, [*rows, *false, *blanks], packages))
    if arguments.into:
        tables.replace(arguments.into / "evidence.md", "evidence.py", text)
        plot(rows, false, arguments.into / "plots/evidence.svg")


if __name__ == "__main__":
    main()
