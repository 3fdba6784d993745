"""Draws the plots of docs/benchmarks.md and writes its tables, from the receipt of look-ups.

    python benchmarks/plots.py [--receipt FILE] [--into DOCS]

With `--small` everything goes to a folder that is thrown away, to show that it can be done. What
this does not show: anything that is not in the receipt.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lookup_claims
import lookup_tables
import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]
Axes = Any
STYLES = {
    "faiss-flat": ("FAISS flat", "tab:red", "s"),
    "faiss-multihash": ("FAISS MultiHash", "tab:orange", "^"),
    "threatexchange": ("ThreatExchange", "tab:brown", "D"),
    "pynear": ("pynear", "tab:purple", "v"),
    "usearch": ("usearch exact", "tab:pink", "x"),
    "numpy": ("NumPy", "tab:gray", "+"),
}
BEGIN, END = "<!-- figures: made by benchmarks/plots.py -->\n", "<!-- end of figures -->\n"


def of(rows: Sequence[Row], section: str, **more: Any) -> list[Row]:
    """The rows of a section, by size and radius."""
    found = [
        row
        for row in rows
        if row["section"] == section and all(row.get(k) == v for k, v in more.items())
    ]
    return sorted(found, key=lambda row: (row.get("codes", 0), row.get("radius", 0)))


def line(
    axes: Axes, points: Sequence[tuple[float, float | None]], label: str, **style: Any
) -> None:
    """A line through the points that have a value."""
    there = [(x, y) for x, y in points if y is not None]
    if there:
        axes.plot(*zip(*there, strict=True), label=label, markersize=4, linewidth=1.3, **style)


def by_codes(axes: Axes, rows: Sequence[Row]) -> None:
    """Time by the size of the list, radius 31."""
    found = of(rows, "single", radius=31, bits=256)
    for name, (title, colour, marker) in STYLES.items():
        points = [
            (row["codes"], min(row["rivals_us"][name]["p50"], row["rivals_batch_us"][name]))
            for row in found
            if name in row["rivals_us"]
        ]
        line(axes, points, title, color=colour, marker=marker)
    mine = [(row["codes"], row["single_us"]) for row in found]
    line(
        axes,
        [(n, us["mapped"]["p50"]) for n, us in mine],
        "screener, mapped",
        color="tab:cyan",
        marker="o",
    )
    line(
        axes,
        [(n, us["hugepages"]["p50"]) for n, us in mine],
        "screener, large pages",
        color="tab:blue",
        marker="o",
    )
    batches = [
        (row["codes"], row["batches"][-1]["threads_1_us"]) for row in of(rows, "batch", radius=31)
    ]
    line(axes, batches, "screener, largest batch", color="tab:green", marker="o")
    floor = [(row["codes"], row.get("floor_us")) for row in found]
    line(axes, floor, "the same lines, only read", color="black", linestyle=":")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="codes in the list",
        title="Radius 31, 256 bits, one thread",
    )


def by_radius(axes: Axes, rows: Sequence[Row]) -> None:
    """Time by radius, with the places where one table more must be searched wider."""
    for row, colour in zip(
        of(rows, "curve"), ("tab:green", "tab:blue", "tab:purple", "tab:red"), strict=False
    ):
        named = f"{lookup_claims.power_of_ten(row['codes'])} codes"
        points = list(zip(row["radii"], row["single_us"], strict=True))
        tables = [(r, us) for (r, us), way in zip(points, row["way"], strict=True) if way != "flat"]
        line(axes, points, f"{named}, flat", color=colour, linestyle=":")
        line(axes, tables, f"{named}, tables", color=colour)
        floors = [
            (r["radius"], r.get("floor_us"))
            for r in of(rows, "single", codes=row["codes"], bits=256)
        ]
        line(axes, floors, f"{named}, lines only read", color=colour, linestyle="", marker="_")
    for radius in (15.5, 31.5, 47.5, 63.5):
        axes.axvline(radius, color="lightgray", linewidth=0.8, zorder=0)
    axes.set(yscale="log", xlabel="radius in bits", title="Single query, 256 bits, large pages")


def by_batch(axes: Axes, rows: Sequence[Row]) -> None:
    """Time a query by the size of the batch, radius 31."""
    for row, colour in zip(
        of(rows, "batch", radius=31, bits=256),
        ("tab:green", "tab:blue", "tab:purple"),
        strict=False,
    ):
        named = f"{lookup_claims.power_of_ten(row['codes'])} codes"
        sizes = [batch["queries"] for batch in row["batches"]]
        for threads, style in ((1, "-"), (2, "--")):
            times = [batch[f"threads_{threads}_us"] for batch in row["batches"]]
            label = f"{named}, {threads} thread{'s' * (threads > 1)}"
            line(
                axes,
                list(zip(sizes, times, strict=True)),
                label,
                color=colour,
                linestyle=style,
                marker="o",
            )
        faiss = row["rivals_us"].get("faiss-multihash")
        line(
            axes,
            [(n, faiss) for n in sizes],
            f"{named}, FAISS MultiHash",
            color=colour,
            linestyle=":",
        )
        single = of(rows, "single", radius=31, codes=row["codes"], bits=256)
        floor = single[0].get("floor_us") if single else None
        line(
            axes,
            [(n, floor) for n in sizes],
            f"{named}, a single query's lines",
            color=colour,
            linestyle=(0, (1, 6)),
        )
    axes.set(xscale="log", yscale="log", xlabel="queries in the batch", title="Radius 31, 256 bits")


def by_radius_64(axes: Axes, rows: Sequence[Row]) -> None:
    """64-bit codes: time by radius."""
    colours = ("tab:green", "tab:blue", "tab:purple")
    for codes, colour in zip(
        sorted({row["codes"] for row in of(rows, "bits64")}), colours, strict=False
    ):
        found = of(rows, "bits64", codes=codes)
        named = f"{lookup_claims.power_of_ten(codes)} codes"
        ours = [(row["radius"], row["single_us"]["hugepages"]["p50"]) for row in found]
        line(axes, ours, named, color=colour, marker="o")
        for name, style in (("faiss-flat", ":"), ("faiss-multihash", "--")):
            points = [
                (r["radius"], r["rivals_us"][name]["p50"]) for r in found if name in r["rivals_us"]
            ]
            line(axes, points, f"{named}, {STYLES[name][0]}", color=colour, linestyle=style)
    axes.set(yscale="log", xlabel="radius in bits", title="Single query, 64 bits, large pages")


PLOTS: dict[str, Callable[[Axes, Sequence[Row]], None]] = {
    "lookup-by-codes": by_codes,
    "lookup-by-radius": by_radius,
    "lookup-by-batch": by_batch,
    "lookup-64-bits": by_radius_64,
}


def draw(rows: Sequence[Row], folder: Path) -> None:
    """All plots as SVG, the same bytes for the same rows."""
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "screener", "font.size": 9}
    folder.mkdir(parents=True, exist_ok=True)
    for name, plot in PLOTS.items():
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.subplots()
        plot(axes, rows)
        axes.set_ylabel("microseconds a query")
        axes.grid(visible=True, which="major", linewidth=0.3)
        if axes.lines:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=7)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def write_tables(rows: Sequence[Row], page: Path) -> None:
    """Put the tables between the page's two marks."""
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    tables = "\n".join(lookup_tables.all_tables(rows))
    page.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description="Draw the plots and write the tables.")
    parser.add_argument("--small", action="store_true", help="into a folder that is thrown away")
    parser.add_argument("--receipt", type=Path, default=ROOT / "benchmarks/receipts/lookup.json")
    parser.add_argument("--into", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    rows = json.loads(arguments.receipt.read_text())["rows"]
    best = lookup_claims.Rows(rows).best
    with tempfile.TemporaryDirectory() as thrown_away:
        into = arguments.into
        if arguments.small:
            page = (into / "benchmarks.md").read_bytes()
            into = Path(thrown_away)
            (into / "benchmarks.md").write_bytes(page)
        draw([row for row in rows if row["kernel"] == best], into / "plots")
        write_tables(rows, into / "benchmarks.md")
        print(f"{len(PLOTS)} plots and the tables of {len(rows)} rows")


if __name__ == "__main__":
    main()
