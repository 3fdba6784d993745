"""How many rows of a Parquet file are screened beside the same files in a folder?

Small JPEGs, of some 1.3 kB each, once as files and once as a column of bytes. Names aside the
results are compared before anything is timed. The ways take turns, and the median of the rounds
counts, without each scan's first quarter. `own` is the processor time of the scan's process,
`workers` that of its workers; a busy machine changes the rate, but not these.

    python benchmarks/columns.py [--small] [--rows N] [--rounds N] [--receipt FILE]

What this does not show: larger cells, for which a row's own cost matters less; more than two jobs.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import bucket
import pyarrow
import pyarrow.parquet
import receipt
from receipt import Row

from screener import HashList, Policy, Screener, scan
from screener.scanning.inputs.cells import Column

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "folder": ("files", {}),
    "column": ("images.parquet", {"column": Column("data")}),
    "column and ids": ("images.parquet", {"column": Column("data", "id")}),
}


def write(folder: Path, rows: int) -> Screener:
    """Write files, the table and a list; return its Screener."""
    contents = [bucket.content(number) for number in range(rows)]
    (folder / "files").mkdir()
    for number, content in enumerate(contents):
        (folder / "files" / f"{number:07}.jpg").write_bytes(content)
    ids = [str(number) for number in range(rows)]
    table = pyarrow.table({"id": ids, "data": pyarrow.array(contents, pyarrow.binary())})
    pyarrow.parquet.write_table(table, folder / "images.parquet")
    (folder / "known.csv").write_text(f"id,md5,pdq\nx,{'0' * 32},{'0f' * 32}\n")
    HashList.create(folder / "known.list").import_file(folder / "known.csv")
    return Screener(HashList.open(folder / "known.list"), policy=Policy(effort="distance"))


def run(screener: Screener, folder: Path, way: str, rows: int) -> tuple[list[Any], Row]:
    """Return the results of a scan, and its rate and processor times a row."""
    name, settings = WAYS[way]
    facts, workers, begin, own = [], 0.0, 0.0, 0.0
    quarter = rows // 4
    for number, result in enumerate(scan(screener, folder / name, jobs=2, **settings), start=1):
        facts.append((result.verdict, result.reason, result.bytes, result.media, result.matches))
        workers += result.seconds or 0.0
        if number == quarter:
            begin, own, workers = time.perf_counter(), time.process_time(), 0.0
    count = rows - quarter
    return facts, {
        "rows_per_s": count / (time.perf_counter() - begin),
        "own_us": (time.process_time() - own) / count * 1e6,
        "workers_us": workers / count * 1e6,
    }


def measure(rows: int, rounds: int) -> list[Row]:
    """Return the medians of each way."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        screener = write(folder, rows)
        figures: dict[str, list[Row]] = {way: [] for way in WAYS}
        expected = run(screener, folder, "folder", rows)[0]
        for _ in range(rounds):
            for way, done in figures.items():
                facts, row = run(screener, folder, way, rows)
                assert facts == expected, way
                done.append(row)
    found = []
    for way, done in figures.items():
        row = {key: round(statistics.median(one[key] for one in done), 1) for key in done[0]}
        found.append({"way": way, "rows": rows, "rounds": rounds, **row})
    base = found[0]
    for row in found:
        taken = [one["own_us"] + one["workers_us"] for one in (base, row)]
        row["rate_by_processor_time"] = round(taken[0] / taken[1], 3)
    return found


if __name__ == "__main__":
    parser = receipt.parser(__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    result = measure(*((400, 1) if options.small else (options.rows, options.rounds)))
    for line in result:
        print(json.dumps(line))
    receipt.write(options.receipt, receipt.receipt(__doc__, result, ["pyarrow"]))
