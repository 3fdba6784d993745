"""The tables and the plot of docs/insets.md, from the rows of a receipt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tables
from matplotlib.figure import Figure
from receipt import Row

from screener.reporting.calibration.calibration_page import format_per_million
from screener.reporting.calibration.count import Count
from screener.screening.policy import Effort

EFFORTS = tuple(map(str, Effort))
VIEWS = EFFORTS.index("views")
TURNED = ("scan", "screen", "print on a table", "laptop")
GRIDS = ("side by side", "contact sheet", "rows of photos", "stacked")
SETS = ("unseen", "development")
FEW = ("no insets, views", *EFFORTS)  # columns of the longer tables
LEAST = 160  # pixels of the shorter side
# What is found, as columns: the key of a row, and which of its numbers.
COLUMNS: dict[str, tuple[str, int | None]] = {
    "plain PDQ": ("plain PDQ", None),
    "no insets": ("off", 0),
    "no insets, views": ("off", VIEWS),
    **{effort: ("on", at) for at, effort in enumerate(EFFORTS)},
}


def is_grid(kind: str) -> bool:
    """Return whether a kind shows whole photos side by side and nothing else."""
    return kind in GRIDS or (kind.startswith("collage") and not is_cut(kind))


def is_cut(kind: str) -> bool:
    """Return whether a kind shows photos that are cut to squares."""
    return kind.endswith("squares")


def is_upright(kind: str) -> bool:
    """Return whether a kind shows whole photos neither turned nor in perspective."""
    return kind not in TURNED and not is_cut(kind)


# Names, kinds and sides of pooled figures.
POOLS: tuple[tuple[str, Callable[[str], bool], Callable[[int], bool]], ...] = (
    (f"upright, from {LEAST} pixels", is_upright, lambda side: side >= LEAST),
    (f"collages and the like, from {LEAST}", is_grid, lambda side: side >= LEAST),
    (f"prints and screens, from {LEAST}", lambda kind: kind in TURNED, lambda s: s >= LEAST),
    (f"squares of photos, from {LEAST}", is_cut, lambda side: side >= LEAST),
    ("upright, 128 pixels", is_upright, lambda side: side == 128),
    ("upright, 96 pixels", is_upright, lambda side: side == 96),
    ("all, 96 pixels", lambda _: True, lambda side: side == 96),
)


def share(rows: Sequence[Row], key: str, at: int | None) -> float:
    """Return the photos found, in %: the mean of the kinds, so that each kind counts alike."""
    shares = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        found = sum(row[key] if at is None else row[key][at] for row in some)
        shares.append(100 * found / max(1, sum(row["photos"] for row in some)))
    return sum(shares) / max(1, len(shares))


def shares(rows: Sequence[Row], columns: Sequence[str] = tuple(COLUMNS)) -> list[str]:
    """Return a table's cells of what is found, with the default effort in bold."""
    cells = [f"{share(rows, *COLUMNS[column]):.1f}" for column in columns]
    return [
        f"**{cell}**" if column == "views" else cell
        for column, cell in zip(columns, cells, strict=True)
    ]


def pooled_table(rows: Sequence[Row]) -> str:
    """Return what is found by set and pool."""
    lines = []
    for group in SETS:
        for name, has_kind, has_side in POOLS:
            some = [
                row
                for row in rows
                if row["set"] == group and has_kind(row["kind"]) and has_side(row["side"])
            ]
            if some:
                photos = sum(row["photos"] for row in some)
                lines.append([group, name, len({r["kind"] for r in some}), photos, *shares(some)])
    return tables.table(["kinds", "photos that are", "kinds", "photos", *COLUMNS], lines)


def smallest(rows: Sequence[Row], percent: float) -> str:
    """Return the shorter side from which on the share found by views is at least so high."""
    least = "–"
    for side in sorted({row["side"] for row in rows}, reverse=True):
        if share([row for row in rows if row["side"] == side], "on", VIEWS) < percent:
            break
        least = str(side)
    return least


def kind_table(rows: Sequence[Row]) -> str:
    """Return what is found of each kind from `LEAST` pixels on, and the smallest sides."""
    lines = []
    for group in SETS:
        for kind in dict.fromkeys(row["kind"] for row in rows if row["set"] == group):
            some = [row for row in rows if row["kind"] == kind]
            insets = sum(row["insets"] for row in some) / sum(row["drawings"] for row in some)
            large = [row for row in some if row["side"] >= LEAST]
            sides = smallest(some, 80), smallest(some, 92)
            lines.append([kind, group, *shares(large, FEW), *sides, f"{insets:.1f}"])
    head = ["kind", "set", *FEW, "80 % from", "92 % from", "insets a picture"]
    return tables.table(head, lines)


def side_table(rows: Sequence[Row]) -> str:
    """Return what is found by side and format, of all kinds."""
    cells = dict.fromkeys((row["side"], row["format"]) for row in rows)
    return tables.table(
        ["shorter side", "format", *FEW],
        [
            [
                side,
                name,
                *shares([r for r in rows if (r["side"], r["format"]) == (side, name)], FEW),
            ]
            for side, name in sorted(cells)
        ],
    )


def false_table(rows: Sequence[Row]) -> str:
    """Return false matches with insets and without."""
    lines = []
    for on in rows:
        if on["insets"] == "on":
            (off,) = (
                row["hits"]
                for row in rows
                if row["insets"] == "off"
                and (row["queries"], row["listed"]) == (on["queries"], on["listed"])
            )
            count = Count.from_hits(on["hits"][VIEWS], on["pairs"])
            hits = " / ".join(map(str, off)), " / ".join(map(str, on["hits"]))
            lines.append([
                on["queries"], on["listed"], on["files"], f"{on['pairs']:,}", *hits,
                format_per_million(count),
            ])  # fmt: skip
    head = ["screened", "listed", "files", "pairs", "no insets", "insets"]
    return tables.table([*head, "in a million, views, 95 % bounds"], lines)


def time_table(rows: Sequence[Row]) -> str:
    """Return what insets cost, beside decoding."""
    lines = [
        [row["picture"], row["effort"], *(row[f"{name}_ms"] for name in ("decoding", "off", "on")),
         *(row[f"{name}_over_decoding"] for name in ("insets", "most", "exact"))]
        for row in rows
    ]  # fmt: skip
    head = ["picture", "effort", "decoding, ms", "no insets, ms", "insets, ms"]
    ratios = ["insets over decoding", "at most", "hashed exactly"]
    return tables.table([*head, *ratios], lines)


def text(rows: Sequence[Row]) -> str:
    """Return all tables."""
    return "\n".join(paragraphs(rows))


def paragraphs(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the tables of the sections that were measured."""
    by_section: dict[str, list[Row]] = {}
    for row in rows:
        by_section.setdefault(row["section"], []).append(row)
    if some := by_section.get("recall"):
        lost = [sum(row["lost"][at] for row in some) for at in range(len(EFFORTS))]
        boxes, placed = (sum(row[key] for row in some) for key in ("boxes", "placed"))
        drawings = sum(row["drawings"] for row in some)
        yield f"Photos found, in %, mean of the kinds; {drawings:,} pictures:\n"
        yield pooled_table(some)
        yield (
            f"Found without insets but not with them, by effort: "
            f"{', '.join(map(str, lost))}. Of {boxes:,} matches by insets {placed:,} have the"
            " photo's box, at an overlap of 80 %.\n"
        )
        yield f"By kind, from {LEAST} pixels on:\n"
        yield kind_table(some)
        yield "By side and format, all kinds:\n"
        yield side_table(some)
    if some := by_section.get("false"):
        yield "False matches (distance / evidence / views / all):\n"
        yield false_table(some)
    if some := by_section.get("time"):
        yield "Time of a picture of some 1080×2400 pixels as PNG, on one thread:\n"
        yield time_table(some)
    for row in by_section.get("rate", ()):
        yield (
            f"A scan of JPEGs of {row['size']} against {tables.count(row['records'])} records keeps"
            f" {row['share_of_off']:.0%} of its rate without insets.\n"
        )


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw what is found by side: a panel for each set, a colour for each pool of kinds."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    recall = [row for row in rows if row["section"] == "recall"]
    for axes, group in zip(figure.subplots(1, 2, sharey=True), SETS, strict=True):
        some = [row for row in recall if row["set"] == group]
        _draw(axes, "C0", "interfaces", [r for r in some if is_interface(r["kind"])])
        _draw(axes, "C1", "collages and the like", [r for r in some if is_grid(r["kind"])])
        _draw(axes, "C2", "prints and screens", [r for r in some if r["kind"] in TURNED])
        axes.set(title=f"{group} kinds", xlabel="shorter side of the photo, pixels", ylim=(-3, 103))
        axes.set_xticks(sorted({row["side"] for row in some}))
        axes.grid(visible=True, linewidth=0.3)
    figure.axes[0].set_ylabel("found, %")
    figure.axes[1].legend(
        loc="center right",
        fontsize="small",
        title="solid: views; dashed: distance; dotted: no insets",
    )
    tables.save(figure, path)


def is_interface(kind: str) -> bool:
    """Return whether a kind shows photos among bars and text."""
    return is_upright(kind) and not is_grid(kind)


def _draw(axes: Any, colour: str, label: str, rows: Sequence[Row]) -> None:
    sides = sorted({row["side"] for row in rows})
    for column, style in (("views", "-"), ("distance", "--"), ("no insets, views", ":")):
        by_side = [[row for row in rows if row["side"] == side] for side in sides]
        values = [share(some, *COLUMNS[column]) for some in by_side]
        axes.plot(sides, values, style, color=colour, label=label if style == "-" else None)
