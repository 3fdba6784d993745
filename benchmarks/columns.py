"""How many rows of a Parquet file are screened beside the same files in a folder?

Small JPEGs, of some 1.3 kB each, once as files and once as a column of bytes. The ways take turns.
Names aside, each scan must have the results of the first one, else there are no figures. The median
of the rounds counts, without each scan's first quarter. `own_us` is the processor time a row of the
scan's process, `workers_us` that of its workers, and `rate_by_processor_time` compares their sums:
a busy machine changes `rows_per_s`, but these little.

    python benchmarks/columns.py [--small] [--rows N] [--rounds N] [--receipt FILE]

A million rows take 6 GB in the temporary folder, and some 6 minutes a scan on two quiet cores; a
round has three.

What this does not show: larger cells, for which a row's own cost matters less; more than two jobs.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import bucket
import pyarrow
import pyarrow.parquet
import receipt
from cloud import processor_seconds
from receipt import Row

from screener import HashList, Policy, Screener, scan
from screener.scanning.inputs.cells import Column

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "folder": ("files", {}),
    "column": ("images.parquet", {"column": Column("data")}),
    "column and ids": ("images.parquet", {"column": Column("data", "id")}),
}
GROUP_ROWS = 10_000


def write(folder: Path, rows: int) -> Screener:
    """Write files, the table and a list; return its Screener."""
    (folder / "files").mkdir()
    schema = pyarrow.schema([("id", pyarrow.string()), ("data", pyarrow.binary())])
    with pyarrow.parquet.ParquetWriter(folder / "images.parquet", schema) as writer:
        for begin in range(0, rows, GROUP_ROWS):
            numbers = range(begin, min(begin + GROUP_ROWS, rows))
            contents = [bucket.content(number) for number in numbers]
            for number, content in zip(numbers, contents, strict=True):
                (folder / "files" / f"{number:07}.jpg").write_bytes(content)
            writer.write_table(pyarrow.table([list(map(str, numbers)), contents], schema=schema))
    (folder / "known.csv").write_text(f"id,md5,pdq\nx,{'0' * 32},{'0f' * 32}\n")
    HashList.create(folder / "known.list").import_file(folder / "known.csv")
    return Screener(HashList.open(folder / "known.list"), policy=Policy(effort="distance"))


def workers_seconds() -> float:
    """Return the processor time of all workers, those that ended too."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [child.pid for child in multiprocessing.active_children()]
    return ended.ru_utime + ended.ru_stime + sum(map(processor_seconds, filter(None, running)))


def run(screener: Screener, folder: Path, way: str, rows: int) -> tuple[str, Row]:
    """Return the digest of the results of a scan, and its rate and processor times a row."""
    name, settings = WAYS[way]
    facts, quarter = hashlib.sha256(), rows // 4
    for number, one in enumerate(scan(screener, folder / name, jobs=2, **settings), start=1):
        facts.update(repr((one.verdict, one.reason, one.bytes, one.media, one.matches)).encode())
        if number == quarter:
            begin = time.perf_counter(), time.process_time(), workers_seconds()
        elif number == rows:  # while the workers are there
            end = time.perf_counter(), time.process_time(), workers_seconds()
    seconds, own, workers = (after - before for before, after in zip(begin, end, strict=True))
    count = rows - quarter
    return facts.hexdigest(), {
        "rows_per_s": count / seconds,
        "own_us": own / count * 1e6,
        "workers_us": workers / count * 1e6,
    }


def measure(rows: int, rounds: int) -> list[Row]:
    """Return the medians of each way."""
    figures: dict[str, list[Row]] = {way: [] for way in WAYS}
    found = set()
    with tempfile.TemporaryDirectory() as name:
        screener = write(Path(name), rows)
        for _ in range(rounds):
            for way, done in figures.items():
                facts, row = run(screener, Path(name), way, rows)
                found.add(facts)
                assert len(found) == 1, way
                done.append(row)
    costs = {way: [one["own_us"] + one["workers_us"] for one in figures[way]] for way in WAYS}
    return [
        {
            "way": way,
            "rows": rows,
            "rounds": rounds,
            **{key: round(statistics.median(one[key] for one in done), 1) for key in done[0]},
            "rate_by_processor_time": round(
                statistics.median(
                    folder / own for folder, own in zip(costs["folder"], costs[way], strict=True)
                ),
                3,
            ),
        }
        for way, done in figures.items()
    ]


if __name__ == "__main__":
    parser = receipt.parser(__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    result = measure(*((400, 1) if options.small else (options.rows, options.rounds)))
    for line in result:
        print(json.dumps(line))
    receipt.write(options.receipt, receipt.receipt(__doc__, result, ["pyarrow"]))
