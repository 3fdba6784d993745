"""How many rows of a Parquet file are screened beside the same files in a folder?

Small JPEGs, of some 1.3 kB each, once as files and once as a column of bytes. The scans take turns,
so that other work of the machine slows all of them alike. All must have the same results, names
aside, else there are no figures. The first turn does not count. `own_us` is the processor time a
row of the scan's process, `workers_us` that of its workers. `rate` compares times by the clock with
those of the folder, `rate_by_processor_time` the processor times.

    python benchmarks/columns.py [--small] [--rows N] [--receipt FILE]

A million rows take 6 GB in the temporary folder, and some 20 minutes on two quiet cores.

What this does not show: larger cells, for which a row's own cost matters less; more than two jobs.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

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
TURNS = 40


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


class Turns:
    """A scan that goes on for some rows at a time, and what it costs."""

    processes: ClassVar[set[int]] = set()  # of all scans

    def __init__(self, screener: Screener, folder: Path, way: str) -> None:
        name, settings = WAYS[way]
        self.way, self.facts, self.count = way, hashlib.sha256(), 0
        self._results = scan(screener, folder / name, jobs=2, **settings)
        self._workers: set[int] = set()
        self._begin = self.workers = self.own = self.wall = 0.0

    def go_on(self, rows: int, *, counts: bool) -> None:
        """Read the results of some rows; with `counts`, add their cost."""
        wall, own = time.perf_counter(), time.process_time()
        for one in islice(self._results, rows):
            result = one.verdict, one.reason, one.bytes, one.media, one.matches
            self.facts.update(repr(result).encode())
            self.count += counts
        wall, own = time.perf_counter() - wall, time.process_time() - own
        new = {child.pid or 0 for child in multiprocessing.active_children()} - self.processes
        self._workers |= new
        self.processes.update(new)
        workers = sum(map(processor_seconds, self._workers))
        if counts:  # workers go on while other scans have their turns
            self.own, self.wall, self.workers = self.own + own, self.wall + wall, workers
        else:
            self._begin = workers

    def is_over(self) -> bool:
        """Return whether there are no more results."""
        return next(self._results, None) is None

    def costs(self) -> Row:
        """Return the costs of a row."""
        seconds = {"own_us": self.own, "workers_us": self.workers - self._begin, "us": self.wall}
        return {name: value / self.count * 1e6 for name, value in seconds.items()}


def measure(rows: int) -> list[Row]:
    """Return the figures of each way."""
    with tempfile.TemporaryDirectory() as name:
        screener = write(Path(name), rows)
        scans = [Turns(screener, Path(name), way) for way in WAYS]
        for turn in range(TURNS):
            for one in scans[turn % 3 :] + scans[: turn % 3]:
                one.go_on(rows // TURNS, counts=turn > 0)
        assert all(one.is_over() for one in scans)
    assert len({one.facts.hexdigest() for one in scans}) == 1
    costs = [one.costs() for one in scans]
    processor = [one["own_us"] + one["workers_us"] for one in costs]
    return [
        {
            "way": one.way,
            "rows": rows,
            "own_us": round(cost["own_us"], 1),
            "workers_us": round(cost["workers_us"], 1),
            "rate": round(costs[0]["us"] / cost["us"], 3),
            "rate_by_processor_time": round(processor[0] / own, 3),
        }
        for one, cost, own in zip(scans, costs, processor, strict=True)
    ]


if __name__ == "__main__":
    parser = receipt.parser(__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help=f"a multiple of {TURNS}")
    options = parser.parse_args()
    result = measure(400 if options.small else options.rows)
    for line in result:
        print(json.dumps(line))
    receipt.write(options.receipt, receipt.receipt(__doc__, result, ["pyarrow"]))
