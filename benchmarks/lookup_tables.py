"""The tables of docs/benchmarks.md on look-ups, made of a receipt's rows: no figure by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import lookup_claims

Row = dict[str, Any]
JUMPS = (0, 8, 15, 16, 24, 31, 32, 40, 47, 48, 52, 63, 64, 72, 80)
RIVALS = {
    "faiss-flat": "FAISS flat",
    "faiss-multihash": "FAISS MultiHash",
    "threatexchange": "ThreatExchange",
    "pynear": "pynear",
    "usearch": "usearch",
    "numpy": "NumPy",
}


def all_tables(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown, section by section; a section without rows is left out."""
    best = lookup_claims.Rows(rows).best
    mine = [row for row in rows if row["kernel"] == best]
    yield from _rivals(mine)
    yield from _single(mine)
    yield from _batch(mine)
    yield from _clustered(mine)
    yield from _curve(mine)
    yield from _bits64(mine)
    yield from _build(mine)
    yield from _kernels(rows)
    yield "### What is held to\n"
    yield "\n".join(f"- {line}" for line in lookup_claims.told(rows)) + "\n"


def _of(rows: Sequence[Row], section: str, **more: Any) -> list[Row]:
    found = [
        row
        for row in rows
        if row["section"] == section and all(row.get(k) == v for k, v in more.items())
    ]
    return sorted(found, key=lambda row: (row.get("codes", 0), row.get("radius", 0)))


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]], note: str = "") -> str:
    shown = ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines)]
    return f"### {title}\n\n" + (f"{note}\n\n" if note else "") + "\n".join(shown) + "\n"


def number(value: float | None) -> str:
    """Three digits, or as many as stand before the point; a dash for nothing."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _count(value: float) -> str:
    """10⁶ for a million."""
    digits = str(int(value))
    if digits == "1" + "0" * (len(digits) - 1):
        return lookup_claims.power_of_ten(int(value))
    return f"{int(value):,}"


def _rivals(rows: Sequence[Row]) -> Iterator[str]:
    found = _of(rows, "single", radius=31, bits=256)
    if not found:
        return
    lines = []
    for row in found:
        ours = row["single_us"]["hugepages"]["p50"]
        for name, title in RIVALS.items():
            if name in row["rivals_us"]:
                lone, batch = row["rivals_us"][name]["p50"], row["rivals_batch_us"][name]
                ratio = f"{min(lone, batch) / ours:,.0f}×"
                lines.append([_count(row["codes"]), title, number(lone), number(batch), ratio])
    note = (
        "Microseconds a query at radius 31; the last column is the faster of the two by our median"
        " of single queries in large pages."
    )
    head = ["codes", "rival", "one at a time", "in a batch", "times ours"]
    yield _table("Rivals, one thread", head, lines, note)


def _single(rows: Sequence[Row]) -> Iterator[str]:
    lines = []
    for row in _of(rows, "single", bits=256):
        huge, mapped = row["single_us"]["hugepages"], row["single_us"]["mapped"]
        lines.append(
            [
                _count(row["codes"]),
                str(row["radius"]),
                row["way"],
                f"{huge['queries']:,}",
                *(number(huge.get(point)) for point in ("p50", "p99", "p99.9")),
                *(number(mapped.get(point)) for point in ("p50", "p99")),
                number(row.get("floor_us")),
                number(row["rivals_us"].get("faiss-multihash", {}).get("p50")),
            ]
        )
    if lines:
        head = ["codes", "radius", "way", "queries", "p50", "p99", "p99.9", "mapped p50"]
        head += ["mapped p99", "floor", "FAISS MultiHash"]
        yield _table("Single queries, µs", head, lines)


def _batch(rows: Sequence[Row]) -> Iterator[str]:
    lines = []
    for row in _of(rows, "batch", bits=256):
        for batch in row["batches"]:
            lines.append(
                [
                    _count(row["codes"]),
                    str(row["radius"]),
                    _count(batch["queries"]),
                    batch["way"],
                    number(batch["threads_1_us"]),
                    number(batch["threads_2_us"]),
                    number(row["rivals_us"].get("faiss-multihash")),
                ]
            )
    if lines:
        head = ["codes", "radius", "batch", "way", "one thread", "two", "FAISS MultiHash"]
        # All radii stand in the receipt; a page shows the two that are searched at most.
        some = [line for line in lines if line[1] in ("31", "40")]
        yield _table("Batches, µs a query", head, some or lines)


def _clustered(rows: Sequence[Row]) -> Iterator[str]:
    lines = []
    for row in _of(rows, "clustered"):
        huge = row["single_us"]["hugepages"]
        lines.append(
            [
                _count(row["codes"]),
                str(row["radius"]),
                number(row["hits_a_query"]),
                *(number(huge.get(point)) for point in ("p50", "p99", "p99.9")),
                number(row["p99.9_us"]),
                number(row["p99.9_flat_us"]),
                number(row["flat_us"]),
                number(row["batch_us"]),
            ]
        )
    if lines:
        head = [
            "codes",
            "radius",
            "hits a query",
            "p50",
            "p99",
            "p99.9",
            "slowest in 1,000",
            "its flat",
        ]
        yield _table("Clustered lists, µs", [*head, "flat without hits", "batch"], lines)


def _curve(rows: Sequence[Row]) -> Iterator[str]:
    found = _of(rows, "curve")
    if found:
        lines = [
            [
                _count(row["codes"]),
                *(
                    number(row["single_us"][radius])
                    + (" f" if row["way"][radius] == "flat" else "")
                    for radius in JUMPS
                ),
            ]
            for row in found
        ]
        head = ["codes", *map(str, JUMPS)]
        note = "The median of single queries by radius; `f` where `explain` says flat."
        yield _table("By radius, µs", head, lines, note)


def _bits64(rows: Sequence[Row]) -> Iterator[str]:
    lines = []
    for row in _of(rows, "bits64"):
        huge = row["single_us"]["hugepages"]
        batch = row["batches"][-1]
        lines.append(
            [
                _count(row["codes"]),
                str(row["radius"]),
                row["way"],
                *(number(huge.get(point)) for point in ("p50", "p99")),
                number(row["single_us"]["mapped"]["p50"]),
                f"{number(batch['threads_1_us'])} ({_count(batch['queries'])})",
                number(
                    min(row["rivals_us"]["faiss-flat"]["p50"], row["rivals_batch_us"]["faiss-flat"])
                )
                if "faiss-flat" in row["rivals_us"]
                else "–",
                number(row["rivals_us"].get("faiss-multihash", {}).get("p50")),
            ]
        )
    if lines:
        head = ["codes", "radius", "way", "p50", "p99", "mapped p50", "batch", "FAISS flat"]
        yield _table("64-bit codes, µs", [*head, "FAISS MultiHash"], lines)


def _build(rows: Sequence[Row]) -> Iterator[str]:
    lines = [
        [
            _count(row["codes"]),
            number(row["build_s"]),
            number(row["rivals_build_s"].get("faiss-multihash")),
            number(row["bytes_a_code"]),
            number(row["open_ms"]),
            f"{row['private_bytes'] / 2**20:.1f}",
        ]
        for row in _of(rows, "build")
    ]
    if lines:
        head = ["codes", "build, s", "FAISS MultiHash, s", "bytes a code", "open, ms"]
        yield _table("Building and opening", [*head, "private memory, MiB"], lines)
    for row in _of(rows, "floor"):
        fives = row["line_ns_runs_of_5"]
        best = min(fives, key=fives.get)
        yield (
            f"The memory of that machine, by itself: a stream of {row['stream_gb_s']} GB/s; a"
            f" random cache line in runs of five {fives[best]} ns ({best}), alone"
            f" {min(row['line_ns_runs_of_1'].values())} ns.\n"
        )


def _kernels(rows: Sequence[Row]) -> Iterator[str]:
    lines = []
    for row in _of(rows, "single", radius=31, bits=256):
        batches = _of(rows, "batch", radius=31, bits=256, codes=row["codes"], kernel=row["kernel"])
        largest = batches[0]["batches"][-1] if batches else None
        lines.append(
            [
                _count(row["codes"]),
                row["kernel"],
                number(row["single_us"]["hugepages"]["p50"]),
                f"{number(largest['threads_1_us'])} ({_count(largest['queries'])})"
                if largest
                else "–",
            ]
        )
    if len({line[1] for line in lines}) > 1:
        yield _table("Kernels, µs at radius 31", ["codes", "kernel", "single", "batch"], lines)
