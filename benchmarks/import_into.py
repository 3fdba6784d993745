"""How long does an import of a thousand rows into a large list take, and the refresh after it?

    python benchmarks/import_into.py [--small] [--list FOLDER] [--receipt FILE]

A list of ten million random PDQs is made (twenty thousand with --small, which makes the parts
smaller too), or the one in FOLDER is used and stays. Then come imports of a thousand rows each,
with the list's pages in memory and with them dropped, and after each the `refresh` of a reader that
has had the list open all along; then the imports that cost most: one that merges as many values as
a small import ever does, and one that makes a ninth part. Every import is checked before its time
counts: the reader finds what it brought and no more.

What this does not show: rows with several hashes, and several writers.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import codes
import lists
import receipt
from receipt import Row

from screener import HashList
from screener.index import tiers

ROWS = 1_000
REPEATS = 5


class Bench:
    """A list under test, the reader that has it open, and the rows of figures."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.file = folder, work / "rows.csv"
        self.reader = HashList.open(folder)
        self.entries = sum(self.reader.states.values())
        self.seed = [7, self.reader.generation]  # other values than those of earlier runs
        self.rows: list[Row] = []

    def import_rows(self, what: str, count: int, *, cold: bool = False) -> None:
        """Import new rows, refresh the reader, and add a row of both times."""
        values = codes.uniform(count, seed=[*self.seed, self.entries])
        lists.write_csv(self.file, {"pdq": values}, first=self.entries)
        self.entries += count
        if cold:
            drop(self.folder)
        before = parts(self.reader)
        start, busy = time.perf_counter(), time.process_time()
        HashList.open(self.folder).import_file(self.file, source="bench")
        taken, busy = time.perf_counter() - start, time.process_time() - busy
        start = time.perf_counter()
        self.reader, old = self.reader.refresh(), self.reader
        refreshed = time.perf_counter() - start
        some = values[:: max(1, count // 100)]
        for one, hits in ((self.reader, len(some)), (old, 0)):
            offsets, _, distances = one.search("pdq", some, radius=8)
            if not len(distances) == offsets[-1] == hits or distances.any():
                raise SystemExit("an import is not what a reader finds")
        after = parts(self.reader)
        self.rows.append(
            {
                "what": what,
                "rows": count,
                "import_s": round(taken, 3),
                "import_cpu_s": round(busy, 3),
                "load": round(os.getloadavg()[0], 1),  # others at work on the machine, from 1 on
                "refresh_ms": round(refreshed * 1000, 2),
                "parts_before": list(before.values()),
                "parts_after": list(after.values()),
                "values_written": sum(n for name, n in after.items() if name not in before),
            }
        )
        print(self.rows[-1], flush=True)

    def compact(self) -> None:
        """Merge all parts into one."""
        self.reader.compact()
        self.reader = self.reader.refresh()


def parts(one: HashList) -> dict[str, int]:
    """Return the index files of a list and the values in each, oldest first."""
    files = one._generation.segments.get("pdq")
    return {} if files is None else {part.file: part.rows for part in files.indexes}


def drop(folder: Path) -> None:
    """Have the system drop the pages of the list's files that no process maps."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def measure(bench: Bench, few: int) -> None:
    """Measure small imports first, then those that merge."""
    for _ in range(REPEATS):
        bench.import_rows("a small import, in memory", few)
    for _ in range(REPEATS):
        # A mapped page stays, so the reader has to be closed for its pages to be dropped.
        del bench.reader
        drop(bench.folder)
        bench.reader = HashList.open(bench.folder)
        bench.import_rows("a small import, from the disk", few, cold=True)
    bench.compact()
    # Each part is so small beside the next that the last import merges all but the big one.
    for share in (3 / 4, 3 / 32, 3 / 256):
        bench.import_rows("an import on the way", int(tiers.AT_ONCE * share))
    bench.import_rows("a small import at its worst", few)
    bench.compact()
    # Each part is a little smaller than the one before, and so stays by itself.
    for number in range(tiers.MOST - 1):
        bench.import_rows("an import on the way", int(tiers.AT_ONCE * (0.6 - 0.01 * number)))
    bench.import_rows("the import of one part too many", few)


def main() -> None:
    """Make the list, measure, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--list", type=Path, help="use, or make and keep, the list in this folder")
    arguments = parser.parse_args()
    count, few = 10_000_000, ROWS
    if arguments.small:
        count, few, tiers.AT_ONCE, tiers.SMALLEST = 20_000, 100, 1 << 13, 1 << 7
    with lists.workplace(None) as work:
        folder = arguments.list or work / "big.list"
        if not folder.exists():
            lists.made(folder, lists.drawn(count, ["pdq"]))
        bench = Bench(folder, work)
        made = bench.entries
        measure(bench, few)
        content = receipt.receipt(__doc__, bench.rows, ["numpy"]) | {"codes": made}
        receipt.write(arguments.receipt, content)


if __name__ == "__main__":
    main()
