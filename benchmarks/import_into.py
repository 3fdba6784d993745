"""How long does an import of a thousand rows into a large list take, and the refresh after it?

    python benchmarks/import_into.py [--small] [--list FOLDER] [--receipt FILE]

A list of random 256-bit codes is made (ten million in minutes; twenty thousand with --small, which
also makes the parts smaller), or the one in FOLDER is used and kept. Then imports
of a thousand rows each, with the list's pages in memory and with them dropped from it, and after
each the `refresh` of a reader that has had the list open all along. Then the imports that cost
most: one that merges as many values as a small import ever does, and one that makes a ninth part.
Every import is checked before its time counts: the reader finds what it brought and no more.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import receipt

from screener import HashList
from screener.index import tiers

QUESTION = "How long does an import of a thousand rows into a large list take?"
ROWS = 1_000
REPEATS = 5
PIECE = 500_000  # rows of a file that are made at once


@dataclass
class Bench:
    """A list under test, the reader that has it open, and what was measured."""

    folder: Path
    reader: HashList
    work: Path
    rng: np.random.Generator
    few: int
    made: int
    rows: list[dict[str, Any]]

    def import_rows(self, what: str, count: int, *, cold: bool = False) -> None:
        """Import so many new rows, refresh the reader, note both times."""
        codes = self.rng.integers(0, 256, (count, 32), dtype=np.uint8)
        file = self.work / "rows.csv"
        write_rows(file, codes, self.made)
        self.made += count
        if cold:
            drop(self.folder)
        before = parts(self.reader)
        start, busy = time.perf_counter(), time.process_time()
        HashList.open(self.folder).import_file(file, source="bench")
        taken, busy = time.perf_counter() - start, time.process_time() - busy
        start = time.perf_counter()
        self.reader, old = self.reader.refresh(), self.reader
        refreshed = time.perf_counter() - start
        self._check(codes[:: max(1, count // 100)], old)
        after = parts(self.reader)
        row = {
            "what": what,
            "rows": count,
            "import_s": round(taken, 3),
            "import_cpu_s": round(busy, 3),
            "load": round(os.getloadavg()[0], 1),  # others at work on the machine, from 1 on
            "refresh_ms": round(refreshed * 1000, 2),
            "parts_before": list(before.values()),
            "parts_after": list(after.values()),
            "values_written": sum(size for name, size in after.items() if name not in before),
        }
        self.rows.append(row)
        print(
            f"{what:32}{count:8,} rows {taken:8.3f} s (cpu {busy:6.3f})"
            f"   refresh {refreshed * 1000:6.2f} ms   parts {row['parts_after']}",
            flush=True,
        )

    def _check(self, codes: np.ndarray[Any, Any], old: HashList) -> None:
        """What was imported is found once, at distance 0, and was not there before."""
        for one, hits in ((self.reader, len(codes)), (old, 0)):
            offsets, _, distances = one.search("pdq", codes, radius=8)
            if not len(distances) == offsets[-1] == hits or distances.any():
                raise SystemExit("an import is not what a reader finds")


def parts(one: HashList) -> dict[str, int]:
    """The index files of a list and the values in each, oldest first."""
    files = one._generation.segments.get("pdq")
    return {} if files is None else {part.file: part.rows for part in files.parts}


def write_rows(file: Path, codes: np.ndarray[Any, Any], first: int) -> None:
    """A file of a header and a row for each code; entries are numbered from `first`."""
    with file.open("w", encoding="ascii") as stream:
        stream.write("id,pdq\n")
        size = codes.shape[1] * 2
        text = codes.tobytes().hex()
        for at in range(len(codes)):
            stream.write(f"e{first + at},{text[at * size : (at + 1) * size]}\n")


def make(folder: Path, count: int, work: Path) -> None:
    """A list of so many codes, by one import."""
    file = work / "all.csv"
    rng = np.random.default_rng(1)
    with file.open("w", encoding="ascii") as whole:
        whole.write("id,pdq\n")
        for start in range(0, count, PIECE):
            codes = rng.integers(0, 256, (min(PIECE, count - start), 32), dtype=np.uint8)
            text = codes.tobytes().hex()
            whole.writelines(
                f"e{start + at},{text[at * 64 : at * 64 + 64]}\n" for at in range(len(codes))
            )
    start_time = time.perf_counter()
    HashList.create(folder).import_file(file, source="bench")
    print(f"made a list of {count:,} in {time.perf_counter() - start_time:.0f} s", flush=True)
    file.unlink()


def drop(folder: Path) -> None:
    """Have the system forget the pages of the list's files, as far as no process maps them."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def place(given: Path | None) -> Iterator[tuple[Path, Path]]:
    """The list's folder and one for the files to import."""
    with tempfile.TemporaryDirectory(prefix="screener-import-into-") as name:
        yield (given or Path(name) / "big.list"), Path(name)


def measure(bench: Bench) -> None:
    """Small imports first, then those that merge."""
    for _ in range(REPEATS):
        bench.import_rows("a small import, in memory", bench.few)
    for _ in range(REPEATS):
        # A mapped page stays: the reader has to go for its pages to be dropped.
        bench.reader = None  # type: ignore[assignment]
        drop(bench.folder)
        bench.reader = HashList.open(bench.folder)
        bench.import_rows("a small import, from the disk", bench.few, cold=True)
    compact(bench)
    # Each part so small beside what follows that the last import merges all but the big one.
    for share in (3 / 4, 3 / 32, 3 / 256):
        bench.import_rows("an import on the way", int(tiers.AT_ONCE * share))
    bench.import_rows("a small import at its worst", bench.few)
    compact(bench)
    # Each part a little smaller than the one before, which so stays by itself.
    for number in range(tiers.MOST - 1):
        bench.import_rows("an import on the way", int(tiers.AT_ONCE * (0.6 - 0.01 * number)))
    bench.import_rows("the import of one part too many", bench.few)


def compact(bench: Bench) -> None:
    """All in one part again."""
    bench.reader.compact()
    bench.reader = bench.reader.refresh()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a list of 20,000, for CI")
    parser.add_argument("--list", type=Path, help="use, or make and keep, the list in this folder")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    count, few = 10_000_000, ROWS
    if arguments.small:
        count, few, tiers.AT_ONCE, tiers.SMALLEST = 20_000, 100, 1 << 13, 1 << 7
    with place(arguments.list) as (folder, work):
        if not folder.exists():
            make(folder, count, work)
        reader = HashList.open(folder)
        made = sum(reader._generation.states.values())
        rng = np.random.default_rng([7, reader.generation])
        bench = Bench(folder, reader, work, rng, few, made, [])
        measure(bench)
        if arguments.receipt:
            content = receipt.receipt(QUESTION, bench.rows, ["numpy"])
            content["codes"] = made
            receipt.write(arguments.receipt, content)


if __name__ == "__main__":
    main()
