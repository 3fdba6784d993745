"""Lists of random hashes: the files that are imported, and the lists made from them."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import codes
from codes import Codes

from screener import HashList
from screener.hashing.hash import KINDS

PIECE = 100_000  # rows of a file that are made at once


def drawn(records: int, kinds: Sequence[str]) -> dict[str, Codes]:
    """Return random values by kind, the same each time."""
    return {
        kind: codes.uniform(records, size=KINDS[kind].size, seed=[1, number])
        for number, kind in enumerate(kinds, start=1)
    }


def write_csv(path: Path, values: Mapping[str, Codes], *, first: int = 0) -> None:
    """Write a neutral CSV of a row for each value; entries are numbered from `first`."""
    records = len(next(iter(values.values())))
    with path.open("w", encoding="ascii") as stream:
        stream.write(f"id,{','.join(values)}\n")
        for start in range(0, records, PIECE):
            some = [each[start : start + PIECE] for each in values.values()]
            columns = [[code.tobytes().hex() for code in each] for each in some]
            for number, cells in enumerate(zip(*columns, strict=True), start=first + start):
                stream.write(f"e{number},{','.join(cells)}\n")


def made(folder: Path, values: Mapping[str, Codes]) -> HashList:
    """Return the list in a folder, which is made by one import if it is not there."""
    if not folder.exists():
        file = folder.with_suffix(".csv")
        write_csv(file, values)
        start = time.perf_counter()
        HashList.create(folder).import_file(file, source="bench")
        print(f"made {folder.name} in {time.perf_counter() - start:.0f} s", flush=True)
        file.unlink()
    return HashList.open(folder)


@contextlib.contextmanager
def workplace(stays: Path | None) -> Iterator[Path]:
    """Yield the folder if it is given, created if need be; else one that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="screener-bench-") as passing:
        folder = stays or Path(passing)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
