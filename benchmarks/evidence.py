"""Which partly changed copies do evidence and views find, and at what cost in false matches?

Photos are edited in the ways of `robustness_edits.PARTLY` and `CENTRED`, saved as JPEG 75, and
weighed against the PDQ of every photo, by brute force over integers: the eight orientations of the
copy as it is (effort `evidence`), with each view upright and mirrored (`views`), and with each view
in eight (`all`). The same copies follow mirrored, those of every third photo turned otherwise, and
those of every third photo in a frame. Then drawn pictures that show next to nothing, or text, codes
and charts, are weighed against one another. The index must find the same pairs, and for some of the
copies a Screener with 10⁵ other hashes on its list must give the same verdicts.

Last, rules that ask for more than evidence are tried: a bound on the distance of the hash that has
it, a gap to the second best photo, and more bits for turned copies.

    python benchmarks/evidence.py [--small] [--photos PLACE...] [--receipt FILE] [--into DOCS]

`--into docs` writes the tables into evidence.md, and the plot into docs/plots.

What this does not show: edits made to escape detection; photos other than these, which are small
and few, so that no rate of false matches below the bounds is known; and catalogues of photos that
look alike, of which lists and uploads are full. The first choice of views used every other
photo; the last ones (sizes, order, floors) saw all of them, so that recall of the
"other photos" is nearly, but not strictly, of photos that chose nothing.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else its threads wait for one another

import imagehash
import lists
import numpy as np
import receipt
import robustness
import tables
from matplotlib.figure import Figure
from perception import hashers
from pictures import files_in, plain, plainer, scene, screens
from PIL import Image
from receipt import Row
from robustness_edits import (
    BLACK,
    CENTRED,
    PARTLY,
    Edit,
    centred,
    framed,
    saved,
    thumbnail,
)

from screener import Policy, Screener
from screener.hashing import detail, evidence, pdq, views
from screener.index.hamming import HammingIndex
from screener.reporting.calibration.calibration_page import format_per_million
from screener.reporting.calibration.count import Count
from screener.screening.input.hasher import Hasher
from screener.screening.input.located_hash import OrientedHashes, list_weighed
from screener.screening.policy import Effort

THRESHOLD = 80
TURNED_MORE = 20  # bits that a turned picture needs beside the threshold
SIDES = ("upright", "mirrored", "otherwise")  # what is searched of a view, from effort to effort
ORIENTED = np.array([("upright", "flip_horizontal", one).index(one) for one in pdq.ORIENTATIONS])
THRESHOLDS = range(40, 165, 5)
RADIUS = 31
FLOOR = Policy().floor["pdq"]
LEAST = -(2**14)  # less evidence than any code has
EACH = 40  # pictures drawn of each family
RIVALS = ("plain PDQ", "pHash", "perception pHash")
EFFORTS = tuple(map(str, Effort))
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
    "4:3 to 1:1": "4:3, cropped to a square from the middle",
    "4:3 to 16:9": "4:3, cropped to 16:9 from the middle",
    "3:2 to 1:1": "3:2, cropped to a square from the middle",
    "3:2 to 16:9": "3:2, cropped to 16:9 from the middle",
    "negative": "negative",
    "beyond": "beyond the views: crops of 7 and 10 %, turned 7°, straightened 4°, badge 30 %",
}
FORMS = {"edited": 1, "mirrored": 1, "turned": 3, "framed": 3}  # one photo in so many
GROUPS: dict[str, dict[str, Edit]] = {"none": {"none": lambda picture: picture}} | PARTLY | CENTRED
GROUP = {name: group for group, edits in GROUPS.items() for name in edits}
TURNS = (
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_180,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
)
Bits = np.ndarray  # (n, 256): the listed codes, a bit a column
# (8, n): by listed code the distance; the evidence as it is, upright and turned, and that of views
# by SIDES; the distance and the evidence of the best code of `views`. Evidence is divided by the
# share of a threshold that is enough for its view.
Found = np.ndarray


_HASHER = Hasher(Policy(effort=Effort.ALL, insets=0), (pdq.PDQ,))


def groups_of(file: bytes) -> list[tuple[OrientedHashes, evidence.Queries, evidence.Queries]]:
    """Return the hashes of a picture's regions, with their queries and those of their views."""
    hashed = _HASHER.hash(file)
    return [
        (group, *columns.to_queries(group.values)) for group, columns in list_weighed(hashed.hashes)
    ]


def distances(queries: evidence.Queries, listed: Bits) -> np.ndarray:
    """Return the weighted distance of each query to each listed code."""
    own = np.unpackbits(queries.codes, axis=1).astype(np.float32)
    weights = queries.weights.astype(np.float32)  # sums of them are exact in float32
    found = (weights * own).sum(1)[:, None] + (weights * (1 - 2 * own)) @ listed.T
    return found.astype(np.int64)


def bits_left(queries: evidence.Queries, listed: Bits, shares: np.ndarray | float) -> np.ndarray:
    """Return the evidence of each query for each listed code, in whole bits over the shares."""
    left = queries.ceilings[:, None] - distances(queries, listed)
    whole = left // evidence.SIXTEENTHS
    return np.floor(whole / np.reshape(shares, (-1, 1))).astype(np.int64)


def differing(codes: np.ndarray, listed: Bits) -> np.ndarray:
    """Return in how many bits each code differs from each listed one."""
    bits = np.unpackbits(codes, axis=1).astype(np.float32)
    return (bits.sum(1)[:, None] + listed.sum(1) - 2 * bits @ listed.T).astype(np.int64)


def weighed(file: bytes, listed: Bits) -> Found:
    """Return what is found of each listed code."""
    found = np.full((8, len(listed)), LEAST, np.int16)
    found[0] = found[6] = 256
    for group, as_is, of_views in groups_of(file):
        usable = np.frombuffer(group.find_usable(FLOOR) or b"\1" * 8, np.bool_)
        weighable = np.frombuffer(group.find_weighable(FLOOR), np.bool_)
        away = differing(as_is.codes, listed)
        found[0] = np.minimum(found[0], away[usable].min(axis=0, initial=256))
        left = bits_left(as_is, listed, 1)
        left[~weighable] = LEAST
        found[1] = np.maximum(found[1], left[0])
        found[2] = np.maximum(found[2], left[1:].max(axis=0))
        keep_best(found, left - TURNED_MORE * (ORIENTED > 0)[:, None], away)
        if not len(of_views.ceilings):
            continue
        scores = np.array(detail.pattern_scores([code.tobytes() for code in of_views.codes]))
        shape = group.evidence.shape if group.evidence else ""
        shares = np.repeat([one.enough for one in views.VIEWS_OF[shape]], len(ORIENTED))
        left = bits_left(of_views, listed, shares)
        left[(scores < FLOOR) | ~np.resize(weighable, len(scores))] = LEAST
        sides = np.resize(ORIENTED, len(scores))
        for side in range(len(SIDES)):
            found[3 + side] = np.maximum(found[3 + side], left[sides == side].max(axis=0))
        near = sides < 2
        away = differing(of_views.codes[near], listed)
        keep_best(found, left[near] - TURNED_MORE * sides[near][:, None], away)
    return found


def keep_best(found: Found, left: np.ndarray, away: np.ndarray) -> None:
    """Keep the distance and the evidence of the best query for each listed code."""
    best, columns = left.argmax(axis=0), np.arange(left.shape[1])
    better = left[best, columns] > found[7]
    found[6, better] = away[best, columns][better]
    found[7, better] = left[best, columns][better]


def evidence_of(found: Found, effort: str) -> np.ndarray:
    """Return the most evidence that an effort finds; of turned pictures what is above 20 bits."""
    upright, turned = [found[1]], [found[2]]
    if effort in ("views", "all"):
        upright.append(found[3])
        turned.append(found[4])
    if effort == "all":
        turned.append(found[5])
    return np.maximum(np.maximum.reduce(upright), np.maximum.reduce(turned) - TURNED_MORE)


def matches(found: Found, effort: str) -> np.ndarray:
    """Return which of them match at the default radius and thresholds."""
    near = found[0] <= RADIUS
    return near if effort == "distance" else near | (evidence_of(found, effort) >= THRESHOLD)


def check_search(photos: Sequence[Image.Image], listed: Bits) -> None:
    """Stop unless the index finds what brute force finds, and each code has its ceiling."""
    index = HammingIndex(np.packbits(listed.astype(np.uint8), axis=1))
    for photo in photos:
        for _, _, queries in groups_of(saved(photo, quality=75)):
            apart, budgets = distances(queries, listed), queries.budgets(0)
            offsets, rows, away = index.search_weighted(queries.codes, queries.weights, budgets)
            hits = np.argwhere(apart <= budgets[:, None])
            numbers = np.repeat(np.arange(len(budgets)), np.diff(offsets))
            ours = sorted(zip(numbers.tolist(), rows.tolist(), away.tolist(), strict=True))
            if ours != [(*hit, int(apart[tuple(hit)])) for hit in hits.tolist()]:
                raise SystemExit("the index finds other codes than brute force")


def check_screener(photos: Sequence[Image.Image], others: int) -> None:
    """Stop unless a Screener with so many other hashes listed gives the same verdicts."""
    codes = codes_of(photos)
    with lists.workplace(None) as folder:
        known = {
            shape: lists.made(
                folder / f"photos {shape.replace(':', '-')}.list",
                {"pdq": np.packbits(listed.astype(np.uint8), axis=1)},
            )
            for shape, listed in codes.items()
        }
        drawn = lists.made(folder / "others.list", lists.drawn(others, ("pdq",)))
        screeners = {
            effort: Screener([*known.values(), drawn], policy=Policy(effort=effort, insets=0))
            for effort in EFFORTS
        }
        for number, photo in enumerate(photos):
            for form, name, picture in forms(photo, 3 * number):
                file = saved(picture, quality=75)
                shape = listed_as(name)
                found = weighed(file, codes[shape])
                for effort, screener in screeners.items():
                    result = screener.screen(file)
                    hits = [one for one in result.matches if one.list == known[shape].name]
                    ours = {match.entry for match in hits}
                    theirs = {f"e{at}" for at in np.flatnonzero(matches(found, effort))}
                    if ours != theirs or any(m.list == drawn.name for m in result.matches):
                        raise SystemExit(f"photo {number}, {form}, {name}, {effort}: other matches")


def forms(photo: Image.Image, number: int) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield each edit of a photo as it is, turned, and framed: form, name and picture."""
    turn = TURNS[number // FORMS["turned"] % len(TURNS)]
    for name, group in GROUP.items():
        edited = GROUPS[group][name](photo)
        yield "edited", name, edited
        yield "mirrored", name, edited.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if number % FORMS["turned"] == 0:
            yield "turned", name, edited.transpose(turn)
        if number % FORMS["framed"] == 0:
            yield "framed", name, framed(edited, BLACK, 30, 30)


_listed: dict[str, Bits] = {}  # the photos as they are, "", and cut to the shapes of CENTRED


def share(listed: dict[str, Bits]) -> None:
    """Keep the listed codes for the photos that this process measures."""
    _listed.update(listed)


def listed_as(name: str) -> str:
    """Return the shape in which the photo of an edit is listed."""
    return name.split(" to ")[0] if name in CENTRED else ""


def codes_of(photos: Sequence[Image.Image]) -> dict[str, Bits]:
    """Return the codes of photos by the shape that they are cut to."""
    return {
        shape: bits_of([
            pdq.compute(np.asarray(centred(photo, shape) if shape else photo)).value
            for photo in photos
        ])
        for shape in dict.fromkeys(map(listed_as, GROUP))
    }  # fmt: skip


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
    original = {shape: rival_codes(centred(photo, shape) if shape else photo) for shape in _listed}
    found: dict[tuple[str, str], Found] = {}
    rivals: dict[str, list[str]] = {}
    for form, name, picture in forms(photo, number):
        file = saved(picture, quality=75)
        found[form, name] = weighed(file, _listed[listed_as(name)])
        if form == "edited":
            codes = rival_codes(Image.open(io.BytesIO(file)).convert("RGB"))
            rivals[name] = [
                tool
                for tool in RIVALS
                if robustness.near(
                    codes[tool], original[listed_as(name)][tool][:1], robustness.RADIUS[tool]
                )
            ]
    return {"found": found, "rivals": rivals}


def own(photos: Sequence[Row], form: str, name: str, *, every: int) -> Found:
    """Return what was found of the own codes of every so many photos that have such a copy."""
    numbers = range(0, len(photos), every)
    columns = [
        photos[at]["found"][form, name][:, at]
        for at in numbers
        if (form, name) in photos[at]["found"]
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((8, 0), np.int16)


def recall(photos: Sequence[Row]) -> Iterator[Row]:
    """Yield for each form and edit how many photos are found, and at each threshold."""
    for form in FORMS:
        for name in GROUP:
            found = own(photos, form, name, every=FORMS[form])
            upright = own(photos, "edited", name, every=FORMS[form])
            by_effort = {effort: matches(found, effort) for effort in EFFORTS}
            rivals = Counter(tool for one in photos for tool in one["rivals"].get(name, ()))
            near = by_effort["distance"]
            yield {
                "section": "recall", "form": form, "group": GROUP[name], "edit": name,
                "photos": found.shape[1],
                # The same photos, neither turned nor framed.
                "upright": {one: int(matches(upright, one).sum()) for one in EFFORTS},
                "found": {effort: int(hits.sum()) for effort, hits in by_effort.items()}
                | ({tool: rivals[tool] for tool in RIVALS} if form == "edited" else {}),
                "others": found.shape[1] // 2,
                "found_of_others": {
                    effort: int(hits[1::2].sum()) for effort, hits in by_effort.items()
                },
                "curve": {
                    effort: [
                        int((near | (evidence_of(found, effort) >= one)).sum())
                        for one in THRESHOLDS
                    ]
                    for effort in EFFORTS[1:]
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
        keys = [
            (at, name)
            for at in range(0, len(photos), FORMS[form])
            for name in GROUP
            if (form, name) in photos[at]["found"]
        ]
        every = np.stack([photos[at]["found"][form, name] for at, name in keys], axis=1)
        counted = others[[at for at, _ in keys]]  # (copies, listed), as every but its first axis
        yield counts("false matches", form, every, counted) | {
            "highest": [
                {
                    "photo": names[keys[query][0]], "edit": keys[query][1], "other": names[listed],
                    "distance": int(every[0, query, listed]),
                    **{one: int(evidence_of(every[:, query, listed], one)) for one in EFFORTS[1:]},
                }
                for query, listed in highest(every, counted)
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
            effort: [
                int((beyond & (evidence_of(found, effort) >= one)).sum()) for one in THRESHOLDS
            ]
            for effort in EFFORTS[1:]
        },
    }


def highest(found: np.ndarray, counted: np.ndarray, most: int = 8) -> list[Any]:
    """Return the places of the pairs of most evidence beyond the radius."""
    more = np.where(counted & (found[0] > RADIUS), evidence_of(found, "all"), LEAST)
    order = np.argsort(-more, axis=None, kind="stable")[:most]
    return list(zip(*np.unravel_index(order, more.shape), strict=True))


JOINT = (20, 30, 40, 50, 60, 70, 80, 90, 100)  # thresholds at which joint rules are tried
Rule = Callable[[Found, np.ndarray], np.ndarray]  # of what is found and the gap


def needing(more: int) -> Rule:
    """Return a rule by which turned copies need so many bits more."""
    return lambda found, _: np.maximum(
        np.maximum(found[1], found[3]), np.maximum(found[2], found[4]) - more
    )


# Each returns the evidence of the listed codes, or none for those that a condition excludes.
RULES: dict[str, Rule] = {
    "evidence; turned copies need 20 bits more": lambda found, gap: found[7],
    "turned copies need no more": needing(0),
    "turned copies need 40 bits more": needing(40),
    **{
        f"and at most {most} bits differ": lambda found, gap, most=most: np.where(
            found[6] <= most, found[7], LEAST
        )
        for most in (60, 80, 100)
    },
    **{
        f"and {least} bits more than the second best": lambda found, gap, least=least: np.where(
            gap >= least, found[7], LEAST
        )
        for least in (10, 20, 40)
    },
}


def joint_rules(photos: Sequence[Row], names: Sequence[str]) -> Iterator[Row]:
    """Yield recall and false pairs of each rule at each threshold, at effort `views`.

    The second best is the best entry of another scene than the best one's. Copies are those of all
    edits but what lies beyond the views, upright and mirrored.
    """
    others = unrelated(names)
    found: dict[tuple[str, int], int] = Counter()
    false: dict[tuple[str, int], int] = Counter()
    copies = pairs = 0
    for at, photo in enumerate(photos):
        for (form, name), columns in photo["found"].items():
            if form not in ("edited", "mirrored") or GROUP[name] in ("none", "beyond"):
                continue
            copies, pairs = copies + 1, pairs + int(others[at].sum())
            near, more = columns[0] <= RADIUS, columns[7]
            first = int(more.argmax())
            second = int(more[others[first]].max(initial=LEAST))
            gap = more - np.where(others[first], int(more[first]), second)
            for rule, judge in RULES.items():
                bits = judge(columns, gap)
                for threshold in JOINT:
                    hits = bits >= threshold
                    found[rule, threshold] += bool(hits[at] | near[at])
                    false[rule, threshold] += int((hits & others[at] & ~near).sum())
    for rule in RULES:
        yield {
            "section": "joint", "rule": rule, "copies": copies, "pairs": pairs,
            "thresholds": list(JOINT),
            "found": [found[rule, one] for one in JOINT],
            "false": [false[rule, one] for one in JOINT],
        }  # fmt: skip


def joint_table(rows: Sequence[Row]) -> str:
    """Return what each rule finds, in %, and how many pairs are false, by threshold."""
    lines = [
        [row["rule"]]
        + [
            f"{100 * found / row['copies']:.1f} · {false}"
            for found, false in zip(row["found"], row["false"], strict=True)
        ]
        for row in rows
    ]
    return tables.table(["rule", *(f"{one} bits" for one in JOINT)], lines)


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
    files = [saved(Image.fromarray(pixels), "PNG") for pixels in pictures]
    found = np.stack([weighed(file, listed) for file in files], axis=1)
    families, listed_families = np.array(names), np.array(names)[usable]
    counted = np.arange(len(pictures))[:, None] != np.array(usable)
    yield counts("drawn", "all", found, counted)
    for family in dict.fromkeys(names):
        for other in dict.fromkeys(names):
            chosen = counted & (families == family)[:, None] & (listed_families == other)
            if matches(found, "all")[chosen].any():
                yield counts("drawn", f"{family}, {other}", found, chosen)


def bits_of(values: Sequence[bytes]) -> Bits:
    """Return a row of bits for each hash."""
    rows = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
    return np.unpackbits(rows, axis=1).astype(np.float32)


def pooled(rows: Sequence[Row], key: str, photos: str, tool: str) -> str:
    """Return the share of the photos found over several edits, in %."""
    of = sum(row[photos] for row in rows)
    return f"{100 * sum(row[key].get(tool, 0) for row in rows) / of:.1f}" if of else "–"


def recall_table(rows: Sequence[Row]) -> str:
    """Return the shares found by group of edits, in %."""
    more = ["views, other photos", "mirrored, views", "turned, all (upright)", "framed (unframed)"]
    head = ["edit, then JPEG 75", *RIVALS, *EFFORTS, *more]
    lines = []
    for group, title in TITLES.items():
        by_form = {
            form: [row for row in rows if (row["form"], row["group"]) == (form, group)]
            for form in FORMS
        }
        edited = by_form["edited"]
        found = [pooled(edited, "found", "photos", tool) for tool in (*RIVALS, *EFFORTS)]
        views_at = len(RIVALS) + EFFORTS.index("views")
        found[views_at] = f"**{found[views_at]}**"
        found.append(pooled(edited, "found_of_others", "others", "views"))
        found.append(pooled(by_form["mirrored"], "found", "photos", "views"))
        for form, effort in (("turned", "all"), ("framed", "views")):
            rows_of_form = by_form[form]
            same = pooled(rows_of_form, "upright", "photos", effort)
            found.append(f"{pooled(rows_of_form, 'found', 'photos', effort)} ({same})")
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
    return tables.table(["pairs of", "pairs", "by distance", *EFFORTS[1:]], lines)


def plot(rows: Sequence[Row], false: Sequence[Row], path: Path) -> None:
    """Draw false matches and recall by threshold."""
    figure = Figure(figsize=(9, 9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 2))
    pairs = sum(row["pairs"] for row in false)
    for effort, style in zip(EFFORTS[1:3], ("--", "-"), strict=True):
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
    listed = codes_of(photos)
    check_search(photos[:3], listed[""])
    warnings.simplefilter("ignore")
    check_screener(
        photos[:: len(photos) // 2 if arguments.small else 52], 10**3 if arguments.small else 10**5
    )
    with ProcessPoolExecutor(arguments.jobs, initializer=share, initargs=(listed,)) as pool:
        found = list(pool.map(measured, photos, range(len(photos)), chunksize=4))
    rows, false = list(recall(found)), list(false_matches(found, names))
    blanks = list(drawn(2 if arguments.small else EACH))
    joint = list(joint_rules(found, names))
    text = "\n".join([
        f"Photos: {len(photos)}. Found, in %, at {THRESHOLD} bits:\n", recall_table(rows),
        curve_table(rows, false), false_table([*false, *blanks]),
        "Found, in %, and false pairs of joint rules at effort `views`:\n", joint_table(joint),
        edit_table(rows),
    ])  # fmt: skip
    print(text)
    packages = ("pillow", "pdqhash", "imagehash", "perception", "numpy")
    receipt.write(
        arguments.receipt, receipt.receipt(__doc__, [*rows, *false, *blanks, *joint], packages)
    )
    if arguments.into:
        tables.replace(arguments.into / "evidence.md", "evidence.py", text)
        plot(rows, false, arguments.into / "plots/evidence.svg")


if __name__ == "__main__":
    main()
