"""What do the tables and plots of docs/benchmarks.md show of a receipt of look-ups?

    python benchmarks/lookup_page.py [--small] [--receipt FILE] [--into DOCS]

Writes the tables into the page and the plots beside it. With `--small` both go to a folder that is
deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import receipt
import tables
from lists import workplace
from matplotlib.figure import Figure
from pictures import ROOT
from receipt import Row
from tables import count, number

Axes = Any
KERNELS = ("avx512", "avx2", "neon", "scalar")  # the best first
RIVALS = {
    "faiss-flat": ("FAISS flat", "tab:red", "s"),
    "faiss-multihash": ("FAISS MultiHash", "tab:orange", "^"),
    "threatexchange": ("ThreatExchange", "tab:brown", "D"),
    "pynear": ("pynear", "tab:purple", "v"),
    "usearch": ("usearch", "tab:pink", "x"),
    "numpy": ("NumPy", "tab:gray", "+"),
}
SHOWN = (0, 31, 52)  # the radii in the table of single queries; the plot shows all
SHOWN_64 = (0, 4, 8, 10)


def of(rows: Sequence[Row], section: str, **more: Any) -> list[Row]:
    """Return the rows of a section, by size and radius."""
    found = [
        row
        for row in rows
        if row["section"] == section and all(row.get(k) == v for k, v in more.items())
    ]
    return sorted(found, key=lambda row: (row.get("codes", 0), row.get("radius", 0)))


def all_tables(every: Sequence[Row]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield title, head and rows of each table; `every` has rows of all kernels."""
    rows = of_the_best(every)
    at_31 = of(rows, "single", radius=31, bits=256)
    head = ["codes", "rival", "one at a time", "in a batch", "times ours"]
    yield "Rivals, one thread", head, [line for row in at_31 for line in rival_lines(row)]

    head = ["codes", "radius", "way", "p50", "p99", "p99.9", "mapped p50", "floor"]
    singles = [row for row in of(rows, "single", bits=256) if row["radius"] in SHOWN]
    lines = [
        [count(row["codes"]), str(row["radius"]), row["way"], *map(number, percentiles(row))]
        for row in singles
    ]
    yield "Single queries", [*head, "FAISS MultiHash"], lines

    head = ["codes", "queries", "way", "one thread", "two threads", "FAISS MultiHash"]
    lines = [
        [
            count(row["codes"]), count(some["queries"]), some["way"],
            number(some["threads_1_us"]), number(some["threads_2_us"]),
            number(row["rivals_us"].get("faiss-multihash")),
        ]
        for row in of(rows, "batch", bits=256, radius=31)
        for some in row["batches"]
    ]  # fmt: skip
    yield "Batches", head, lines

    head = ["codes", "hits a query", "p50", "p99", "slowest in 1,000", "its flat scan", "batch"]
    lines = [
        [
            count(row["codes"]), number(row["hits_a_query"]),
            *(number(row["single_us"]["hugepages"].get(point)) for point in ("p50", "p99")),
            *(number(row[name]) for name in ("p99.9_us", "p99.9_flat_us", "batch_us")),
        ]
        for row in of(rows, "clustered", radius=31)
    ]  # fmt: skip
    yield "Clustered lists", head, lines

    head = ["codes", "radius", "p50", "p99", "batch of 10⁵", "FAISS MultiHash"]
    lines = [
        [
            count(row["codes"]), str(row["radius"]),
            *(number(row["single_us"]["hugepages"].get(point)) for point in ("p50", "p99")),
            number(row["batches"][-1]["threads_1_us"]),
            number(row["rivals_us"].get("faiss-multihash", {}).get("p50")),
        ]
        for row in of(rows, "bits64")
        if row["radius"] in SHOWN_64
    ]  # fmt: skip
    yield "Codes of 64 bits", head, lines

    head = ["codes", "build, s", "FAISS MultiHash, s", "bytes a code", "open, ms", "memory, MiB"]
    lines = [
        [
            count(row["codes"]), number(row["build_s"]),
            number(row["rivals_build_s"].get("faiss-multihash")), number(row["bytes_a_code"]),
            number(row["open_ms"]), f"{row['private_bytes'] / 2**20:.1f}",
        ]
        for row in of(rows, "build")
    ]  # fmt: skip
    yield "Building and opening", head, lines

    head = ["codes", "kernel", "single", "batch of 10⁵"]
    yield "Kernels", head, [line for n in (10**6, 10**7) for line in kernel_lines(every, n)]


def of_the_best(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the best kernel that was measured."""
    best = min((row["kernel"] for row in rows), key=KERNELS.index)
    return [row for row in rows if row["kernel"] == best]


def rival_lines(row: Row) -> Iterator[list[str]]:
    """Yield a line for each rival; the ratio is that of its faster way to our median."""
    ours = row["single_us"]["hugepages"]["p50"]
    for name, (title, *_) in RIVALS.items():
        if name in row["rivals_us"]:
            lone, batch = row["rivals_us"][name]["p50"], row["rivals_batch_us"][name]
            ratio = f"{min(lone, batch) / ours:,.0f}×"
            yield [count(row["codes"]), title, number(lone), number(batch), ratio]


def percentiles(row: Row) -> Iterator[float | None]:
    """Yield our percentiles, in large pages and mapped, the floor, and FAISS's median."""
    for point in ("p50", "p99", "p99.9"):
        yield row["single_us"]["hugepages"].get(point)
    yield row["single_us"]["mapped"]["p50"]
    yield row.get("floor_us")
    yield row["rivals_us"].get("faiss-multihash", {}).get("p50")


def kernel_lines(rows: Sequence[Row], codes: int) -> Iterator[list[str]]:
    """Yield a line for each kernel that was measured with so many codes."""
    for kernel in KERNELS:
        found = {"kernel": kernel, "codes": codes, "radius": 31, "bits": 256}
        for row, batch in zip(of(rows, "single", **found), of(rows, "batch", **found), strict=True):
            by_size = {some["queries"]: some["threads_1_us"] for some in batch["batches"]}
            single = row["single_us"]["hugepages"]["p50"]
            yield [count(codes), kernel, number(single), number(by_size.get(10**5))]


def line(axes: Axes, points: Sequence[tuple[float, Any]], label: str, **style: Any) -> None:
    """Draw a line through the points that have a value."""
    there = [(x, y) for x, y in points if y is not None]
    if there:
        axes.plot(*zip(*there, strict=True), label=label, markersize=4, linewidth=1.3, **style)


def by_codes(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the time at radius 31 by the size of the list."""
    found = of(rows, "single", radius=31, bits=256)
    for name, (title, colour, marker) in RIVALS.items():
        points = [
            (row["codes"], min(row["rivals_us"][name]["p50"], row["rivals_batch_us"][name]))
            for row in found
            if name in row["rivals_us"]
        ]
        line(axes, points, title, color=colour, marker=marker)
    ours = [(row["codes"], row["single_us"]) for row in found]
    for way, label, colour in (
        ("mapped", "mapped", "tab:cyan"),
        ("hugepages", "large pages", "tab:blue"),
    ):
        points = [(codes, times[way]["p50"]) for codes, times in ours]
        line(axes, points, f"screener, {label}", color=colour, marker="o")
    largest = [(row["codes"], row["batches"][-1]) for row in of(rows, "batch", radius=31)]
    points = [(codes, batch["threads_1_us"]) for codes, batch in largest]
    line(axes, points, "screener, largest batch", color="tab:green", marker="o")
    floor = [(row["codes"], row.get("floor_us")) for row in found]
    line(axes, floor, "the same lines, only read", color="black", linestyle=":")
    axes.set(xscale="log", xlabel="codes in the list", title="Radius 31, 256 bits, one thread")


def by_radius(axes: Axes, rows: Sequence[Row]) -> None:
    """Draw the time by radius, with the places where one more table must be searched wider."""
    for row, colour in zip(
        of(rows, "curve"), ("tab:green", "tab:blue", "tab:purple", "tab:red"), strict=False
    ):
        named = f"{count(row['codes'])} codes"
        points = list(zip(row["radii"], row["single_us"], strict=True))
        by_tables = [one for one, way in zip(points, row["way"], strict=True) if way != "flat"]
        line(axes, points, f"{named}, flat", color=colour, linestyle=":")
        line(axes, by_tables, f"{named}, tables", color=colour)
        singles = of(rows, "single", codes=row["codes"], bits=256)
        floors = [(one["radius"], one.get("floor_us")) for one in singles]
        line(axes, floors, f"{named}, lines only read", color=colour, linestyle="", marker="_")
    for radius in (15.5, 31.5, 47.5, 63.5):
        axes.axvline(radius, color="lightgray", linewidth=0.8, zorder=0)
    axes.set(xlabel="radius in bits", title="Single query, 256 bits, large pages")


def main() -> None:
    """Write the tables and the plots."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "docs")
    parser.set_defaults(receipt=ROOT / "benchmarks/receipts/lookup.json")
    arguments = parser.parse_args()
    rows = json.loads(arguments.receipt.read_text())["rows"]
    with workplace(None if arguments.small else arguments.into) as into:
        page = into / "benchmarks.md"
        if arguments.small:
            page.write_bytes((arguments.into / page.name).read_bytes())
        text = "\n".join(
            f"### {title}\n\n{tables.table(head, lines)}" for title, head, lines in all_tables(rows)
        )
        tables.replace(page, "lookup_page.py", text)
        for name, draw in (("by-codes", by_codes), ("by-radius", by_radius)):
            figure = Figure(figsize=(7, 4.2), layout="constrained")
            axes = figure.subplots()
            draw(axes, of_the_best(rows))
            axes.set(yscale="log", ylabel="microseconds a query")
            axes.grid(visible=True, which="major", linewidth=0.3)
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=7)
            tables.save(figure, into / "plots" / f"lookup-{name}.svg")


if __name__ == "__main__":
    main()
