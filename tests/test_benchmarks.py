"""Benchmarks that documents name exist, and tables on their page have the figures of receipts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from screener.cli import bench_contestants

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def receipt(name: str) -> list[dict[str, Any]]:
    """Return the rows of a benchmark's receipt."""
    return json.loads((ROOT / f"benchmarks/receipts/{name}.json").read_text())["rows"]


def table(head: str, page: str = "benchmarks") -> list[list[str]]:
    """Return the cells of the table of a page whose head begins so."""
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8").partition(f"| {head}")[2]
    rows = text.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_benchmarks_and_receipts_that_a_page_names_exist(page):
    """A benchmark that is renamed or dropped is renamed or dropped in the documents too."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"benchmarks/(?:receipts/)?[a-z0-9_]+\.(?:py|json)", text):
        assert (ROOT / name).exists(), name


def test_pdq_table_has_the_figures_of_its_receipt():
    """Photos, milliseconds and ratios of each size."""
    rows = [row for row in receipt("pdq") if row.get("kernel") == "avx512"]
    expected = [
        [
            row["size"],
            str(row["count"]),
            f"{row['in_doubt']:.0%}",
            *(f"{row['mean_milliseconds'][name]:.3g}" for name in ("pdqhash", "screener")),
            f"{row['times_pdqhash']:.0f}×",
            f"{row['eight_over_one']:.1f}",
        ]
        for row in rows
    ]
    assert table("picture | photos") == expected


def test_match_table_has_the_figures_of_its_receipt():
    """Microseconds, and times what the call is compared with."""
    rows = [row for row in receipt("match") if "times" in row]
    assert table("call | compared with") == [
        [row["call"], row["against"], f"{row['microseconds']:.2f}", f"{row['times']:.2f}"]
        for row in rows
    ]


def test_md5_table_has_the_figures_of_its_receipt():
    """Gigabytes a second, by size and number of files."""
    rates = {(row["bytes"], row["files"]): row for row in receipt("md5")}
    for size, hashlib, *several, sha1, sha256 in table("bytes a file"):
        by_count = [rates[int(size.replace(",", "")), count] for count in (2, 4, 8, 16)]
        assert several == [f"{row['GB/s']['at once']} ({row['times']}×)" for row in by_count]
        most = by_count[-1]["GB/s"]
        assert [float(hashlib), float(sha1), float(sha256)] == [
            most[name] for name in ("hashlib", "sha1", "sha256")
        ]


def test_the_landing_page_has_figures_of_the_page_of_benchmarks():
    """The times of single queries and of batches, in docs/start-performance.md."""
    page = (ROOT / "docs/start-performance.md").read_text(encoding="utf-8")
    single = {row[0]: row[2] for row in table("codes | radius | p50") if row[1] == "31"}
    batch = {row[0]: row[3:] for row in table("codes | queries | way") if row[1] == "10⁵"}

    rows = re.findall(r"^\| (10\S+) \| (.+) µs \| (.+) µs \| (.+) µs \|$", page, re.M)

    assert len(rows) == 3
    for codes, one, ours, faiss in rows:
        assert (one, ours, faiss) == (single[codes], batch[codes][0], batch[codes][2])


def test_bench_and_its_page_have_the_same_batches():
    """So that a reader can compare a run with the page."""
    powers = {"10⁴": 10**4, "10⁵": 10**5}
    shown = {powers.get(row[1]) for row in table("codes | queries | way")}
    assert shown == set(bench_contestants.BATCHES)


def test_service_tables_have_the_figures_of_their_receipt():
    """Processor time and ratios of each route, and of screening beside a scan."""
    rows = receipt("service")
    assert [cells[1:] for cells in table("route | processor", "service")] == [
        [
            f"{row['processor_us']:.0f} µs",
            f"{1e6 / row['processor_us']:,.0f}",
            f"{row.get('processor_of_empty', 1):.0%}",
            f"{row['p99_over_p50']:.1f}",
        ]
        for row in rows
        if "query" in row
    ]
    assert [cells[:5] for cells in table("workers | by", "service")] == [
        [
            str(row["jobs"]),
            f"`{row['route']}`",
            f"{row['processor_ms']:.2f} ms",
            f"{row.get('processor_of_scan', 1):.0%}",
            f"{row.get('of_scan', 1):.0%}",
        ]
        for row in rows
        if "jobs" in row
    ]


def test_column_table_has_the_figures_of_its_receipt():
    """Processor time and ratio of each way."""
    assert table("input | the scan", "data") == [
        [
            row["way"],
            f"{row['own_us']:.0f} µs",
            f"{row['workers_us']:.0f} µs",
            f"{row['rate_by_processor_time']:.0%}",
        ]
        for row in receipt("columns")
    ]
