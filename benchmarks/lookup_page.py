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

from screener.cli.bench_contestants import BATCHES

Axes = Any
KERNELS = ("avx512", "avx2", "neon", "scalar")  # the best first
RIVALS = {
    "faiss-flat": "FAISS flat",
    "faiss-multihash": "FAISS MultiHash",
    "threatexchange": "ThreatExchange",
    "pynear": "pynear",
    "numpy": "NumPy",
}
OURS = "single_us/hugepages"  # where rows have the figures of single queries
# What tables show; the receipt has the rest.
SHOWN = (0, 31, 52)  # radii
SHOWN_64 = (0, 8)


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
    singles = of(rows, "single", bits=256)
    batches = list(each_batch(of(rows, "batch", bits=256)))
    yield table(
        "Rivals, one thread",
        "Microseconds a query at radius 31; the ratio is of the faster way to our single queries.",
        (line for row in singles if row["radius"] == 31 for line in rival_rows(row)),
        {
            "codes": "codes", "rival": "rival", "one at a time": "lone", "in a batch": "batch",
            "times ours": "times",
        },
    )  # fmt: skip
    yield table(
        "Single queries",
        "Microseconds in large pages; *mapped* is the median of the mapped file.",
        (row for row in singles if row["radius"] in SHOWN),
        {
            "codes": "codes", "radius": "radius", "p50": f"{OURS}/p50", "p99": f"{OURS}/p99",
            "p99.9": f"{OURS}/p99.9", "mapped": "single_us/mapped/p50", "floor": "floor_us",
            "FAISS MultiHash": "rivals_us/faiss-multihash/p50",
        },
    )  # fmt: skip
    yield table(
        "Batches",
        "Microseconds a query at radius 31.",
        (row for row in batches if row["radius"] == 31 and row["queries"] in BATCHES),
        {
            "codes": "codes", "queries": "queries", "way": "way", "one thread": "threads_1_us",
            "two threads": "threads_2_us", "FAISS MultiHash": "rivals_us/faiss-multihash",
        },
    )  # fmt: skip
    flat = (row for row in batches if row["radius"] == 63 and row["way"] == "flat")
    yield table(
        "Flat scans",
        "Microseconds a query in a batch of 1,000 at radius 63, which no table makes faster.",
        (row for row in flat if row["queries"] == 1000),
        {"codes": "codes", "one thread": "threads_1_us", "FAISS flat": "rivals_us/faiss-flat"},
    )
    yield table(
        "Clustered lists",
        "Microseconds at radius 31; *its flat scan* is that of the same slowest query.",
        of(rows, "clustered", radius=31),
        {
            "codes": "codes", "hits a query": "hits_a_query", "p50": f"{OURS}/p50",
            "p99": f"{OURS}/p99", "slowest in 1,000": "p99.9_us", "its flat scan": "p99.9_flat_us",
            "in a batch": "batch_us",
        },
    )  # fmt: skip
    yield table(
        "Codes of 64 bits",
        "Microseconds a query.",
        (row for row in each_batch(of(rows, "bits64")) if row["radius"] in SHOWN_64),
        {
            "codes": "codes", "radius": "radius", "p50": f"{OURS}/p50", "p99": f"{OURS}/p99",
            "batch of 10⁵": "threads_1_us", "FAISS MultiHash": "rivals_us/faiss-multihash/p50",
        },
    )  # fmt: skip
    weighted = of(rows, "weighted", bits=256)
    yield table(
        "By weight",
        "Microseconds a query at 80 bits of evidence, weights of photos, one thread, beside radius "
        "40 in the same run; batches of 10⁴ by processor time. The machine had other work, so that "
        "only the ratios say something.",
        weighted,
        {
            "codes": "codes", "single": "single_us/weighted/p50",
            "radius 40": "single_us/radius/p50", "times": "times_radius/single",
            "in a batch": "batch_us/weighted", "radius 40 in a batch": "batch_us/radius",
            "times in a batch": "times_radius/batch", "flat scan": "flat_us",
        },
    )  # fmt: skip
    yield table(
        "Views of pictures",
        "Microseconds of processor time a query of the 200 of each picture, one thread, by the way "
        "that is planned and by each.",
        (row | some for row in weighted for some in row["views"]),
        {
            "codes": "codes", "pictures in a batch": "pictures", "way": "way",
            "planned": "views_us/planned", "flat": "views_us/flat", "lookup": "views_us/lookup",
            "join": "views_us/join",
        },
    )  # fmt: skip
    yield table(
        "Building and opening",
        "*Memory* is what a process that has the file open takes for itself alone.",
        (row | {"mib": row["private_bytes"] / 2**20} for row in of(rows, "build")),
        {
            "codes": "codes", "build, s": "build_s",
            "FAISS MultiHash, s": "rivals_build_s/faiss-multihash", "bytes a code": "bytes_a_code",
            "open, ms": "open_ms", "memory, MiB": "mib",
        },
    )  # fmt: skip
    yield table(
        "Kernels",
        "Microseconds a query at radius 31.",
        (row for codes in (10**6, 10**7) for row in kernel_rows(every, codes)),
        {
            "codes": "codes", "kernel": "kernel", "single": f"{OURS}/p50",
            "batch of 10⁵": "threads_1_us",
        },
    )  # fmt: skip


def table(title: str, caption: str, rows: Iterable[Row], columns: dict[str, str]) -> str:
    """Return a table with its heading; a column is named by the path to its values."""
    lines = [[cell(row, path) for path in columns.values()] for row in rows]
    return f"### {title}\n\n{caption}\n\n{tables.table(list(columns), lines)}"


def cell(row: Row, path: str) -> str:
    """Return the value at the end of a path, in digits that people read."""
    value: Any = row
    for name in path.split("/"):
        value = None if value is None else value.get(name)
    if path in ("codes", "queries"):
        return count(value)
    return str(value) if isinstance(value, str | int) else number(value)


def of_the_best(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the best kernel that was measured."""
    best = min((row["kernel"] for row in rows), key=KERNELS.index)
    return [row for row in rows if row["kernel"] == best]


def each_batch(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield a row for each size of batch."""
    for row in rows:
        yield from (row | batch for batch in row["batches"])


def rival_rows(row: Row) -> Iterator[Row]:
    """Yield a row for each rival."""
    ours = row["single_us"]["hugepages"]["p50"]
    for name, title in RIVALS.items():
        if name in row["rivals_us"]:
            lone, batch = row["rivals_us"][name]["p50"], row["rivals_batch_us"][name]
            found = {"codes": row["codes"], "rival": title, "lone": lone, "batch": batch}
            yield found | {"times": f"{min(lone, batch) / ours:,.0f}×"}


def kernel_rows(rows: Sequence[Row], codes: int) -> Iterator[Row]:
    """Yield a row for each kernel that was measured, the best first."""
    for kernel in KERNELS:
        wanted = {"kernel": kernel, "codes": codes, "radius": 31, "bits": 256}
        for batch in each_batch(of(rows, "batch", **wanted)):
            if batch["queries"] == 10**5:
                yield from (row | batch for row in of(rows, "single", **wanted))


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
