"""What do the tables and the plot of docs/benchmarks.md show of a receipt of look-ups?

    python benchmarks/lookup_page.py [--small] [--receipt FILE] [--into DOCS]

Writes the tables into the page and the plot beside it. With `--small` both go to a folder that is
deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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
    "faiss-flat": "FAISS flat",
    "faiss-multihash": "FAISS MultiHash",
    "threatexchange": "ThreatExchange",
    "pynear": "pynear",
    "numpy": "NumPy",
}
# What tables show; the receipt has the rest.
SHOWN = (0, 31, 52)  # radii
SHOWN_64 = (0, 8)
SHOWN_BATCHES = (10**2, 10**4, 10**6)


def of(rows: Sequence[Row], section: str, **more: Any) -> list[Row]:
    """Return the rows of a section, by size and radius."""
    found = [
        row
        for row in rows
        if row["section"] == section and all(row.get(k) == v for k, v in more.items())
    ]
    return sorted(found, key=lambda row: (row.get("codes", 0), row.get("radius", 0)))


def all_tables(every: Sequence[Row]) -> Iterator[str]:
    """Yield each table with its heading; `every` has rows of all kernels."""
    rows = of_the_best(every)
    yield section(
        "Rivals, one thread",
        "Microseconds a query at radius 31; the ratio is of the faster way to our single queries.",
        ["codes", "rival", "one at a time", "in a batch", "times ours"],
        (line for row in of(rows, "single", radius=31, bits=256) for line in rival_lines(row)),
    )
    yield section(
        "Single queries",
        "Microseconds in large pages; *mapped* is the median of the mapped file.",
        ["codes", "radius", "p50", "p99", "p99.9", "mapped", "floor", "FAISS MultiHash"],
        (
            [count(row["codes"]), row["radius"], *percentiles(row)]
            for row in of(rows, "single", bits=256)
            if row["radius"] in SHOWN
        ),
    )
    yield section(
        "Batches",
        "Microseconds a query at radius 31.",
        ["codes", "queries", "way", "one thread", "two threads", "FAISS MultiHash"],
        (
            [
                count(row["codes"]), count(some["queries"]), some["way"],
                *(number(some[f"threads_{threads}_us"]) for threads in (1, 2)),
                number(row["rivals_us"].get("faiss-multihash")),
            ]
            for row in of(rows, "batch", bits=256, radius=31)
            for some in row["batches"]
            if some["queries"] in SHOWN_BATCHES
        ),
    )  # fmt: skip
    yield section(
        "Flat scans",
        "Microseconds a query in a batch of 1,000 at radius 63, which no table makes faster.",
        ["codes", "one thread", "FAISS flat"],
        (
            [
                count(row["codes"]),
                number(some["threads_1_us"]),
                number(row["rivals_us"]["faiss-flat"]),
            ]
            for row in of(rows, "batch", bits=256, radius=63)
            for some in row["batches"]
            if (some["queries"], some["way"]) == (1000, "flat")
        ),
    )
    yield section(
        "Clustered lists",
        "Microseconds at radius 31; *its flat scan* is that of the same slowest query.",
        ["codes", "hits a query", "p50", "p99", "slowest in 1,000", "its flat scan", "in a batch"],
        (
            [
                count(row["codes"]), number(row["hits_a_query"]),
                *(number(row["single_us"]["hugepages"].get(point)) for point in ("p50", "p99")),
                *(number(row[name]) for name in ("p99.9_us", "p99.9_flat_us", "batch_us")),
            ]
            for row in of(rows, "clustered", radius=31)
        ),
    )  # fmt: skip
    yield section(
        "Codes of 64 bits",
        "Microseconds a query.",
        ["codes", "radius", "p50", "p99", "batch of 10⁵", "FAISS MultiHash"],
        (
            [
                count(row["codes"]), row["radius"],
                *(number(row["single_us"]["hugepages"].get(point)) for point in ("p50", "p99")),
                number(row["batches"][-1]["threads_1_us"]),
                number(row["rivals_us"].get("faiss-multihash", {}).get("p50")),
            ]
            for row in of(rows, "bits64")
            if row["radius"] in SHOWN_64
        ),
    )  # fmt: skip
    yield section(
        "Building and opening",
        "*Memory* is what a process that has the file open takes for itself alone.",
        ["codes", "build, s", "FAISS MultiHash, s", "bytes a code", "open, ms", "memory, MiB"],
        (
            [
                count(row["codes"]), number(row["build_s"]),
                number(row["rivals_build_s"].get("faiss-multihash")), number(row["bytes_a_code"]),
                number(row["open_ms"]), f"{row['private_bytes'] / 2**20:.1f}",
            ]
            for row in of(rows, "build")
        ),
    )  # fmt: skip
    yield section(
        "Kernels",
        "Microseconds a query at radius 31.",
        ["codes", "kernel", "single", "batch of 10⁵"],
        (line for codes in (10**6, 10**7) for line in kernel_lines(every, codes)),
    )


def section(title: str, caption: str, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a table with its heading."""
    return f"### {title}\n\n{caption}\n\n{tables.table(head, lines)}"


def of_the_best(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the best kernel that was measured."""
    best = min((row["kernel"] for row in rows), key=KERNELS.index)
    return [row for row in rows if row["kernel"] == best]


def rival_lines(row: Row) -> Iterator[list[str]]:
    """Yield a line for each rival; the ratio is that of its faster way to our median."""
    ours = row["single_us"]["hugepages"]["p50"]
    for name, title in RIVALS.items():
        if name in row["rivals_us"]:
            lone, batch = row["rivals_us"][name]["p50"], row["rivals_batch_us"][name]
            ratio = f"{min(lone, batch) / ours:,.0f}×"
            yield [count(row["codes"]), title, number(lone), number(batch), ratio]


def percentiles(row: Row) -> Iterator[str]:
    """Yield our percentiles, in large pages and mapped, the floor, and FAISS's median."""
    for point in ("p50", "p99", "p99.9"):
        yield number(row["single_us"]["hugepages"].get(point))
    yield number(row["single_us"]["mapped"]["p50"])
    yield number(row.get("floor_us"))
    yield number(row["rivals_us"].get("faiss-multihash", {}).get("p50"))


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


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw the time by radius, with the places where one more table must be searched wider."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
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
    axes.set(xlabel="radius in bits", ylabel="microseconds a query", yscale="log")
    axes.set_title("Single query, 256 bits, large pages")
    axes.grid(visible=True, which="major", linewidth=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=7)
    tables.save(figure, path)


def main() -> None:
    """Write the tables and the plot."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "docs")
    parser.set_defaults(receipt=ROOT / "benchmarks/receipts/lookup.json")
    arguments = parser.parse_args()
    rows = json.loads(arguments.receipt.read_text())["rows"]
    with workplace(None if arguments.small else arguments.into) as into:
        page = into / "benchmarks.md"
        if arguments.small:
            page.write_bytes((arguments.into / page.name).read_bytes())
        tables.replace(page, "lookup_page.py", "\n".join(all_tables(rows)))
        plot(of_the_best(rows), into / "plots" / "lookup-by-radius.svg")


if __name__ == "__main__":
    main()
