"""How long do `info` and `verify` of a large list take?

    python benchmarks/list_keeping.py [--small] [--list FOLDER] [--against SOURCES] [--receipt FILE]

A list of a million entries, each with a PDQ and an MD5, is imported from a drawn CSV (two thousand
with --small), or the one in FOLDER is used, or made and kept. What `info` says is compared with
counts that are made of all rows in Python, and the list is verified, before anything is timed. Then
both are called in processes of their own, with the list's files in memory, and the median counts;
with --against in turns with the same by other sources of screener, those of an earlier commit, say.

What this does not show: a list whose files are not in memory, or one with a long past.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import receipt

from screener import HashList

QUESTION = "How long do `info` and `verify` of a large list take?"
ENTRIES = 1_000_000
REPEATS = 3
PIECE = 100_000  # rows of a file that are made at once
CALLS = {"info": "known.info()", "verify": "known.verify(seed=1)"}
CHILD = """
import sys, time
from screener import HashList
known = HashList.open(sys.argv[1])
start, busy = time.perf_counter(), time.process_time()
{call}
print(time.perf_counter() - start, time.process_time() - busy)
"""


def write_rows(file: Path, count: int) -> None:
    """A CSV of so many entries, the same each time."""
    rng = np.random.default_rng(1)
    with file.open("w", encoding="ascii") as stream:
        stream.write("id,pdq,md5\n")
        for first in range(0, count, PIECE):
            some = min(PIECE, count - first)
            text = rng.bytes(48 * some).hex()
            stream.writelines(
                f"e{first + n},{text[96 * n : 96 * n + 64]},{text[96 * n + 64 : 96 * n + 96]}\n"
                for n in range(some)
            )


def make(folder: Path, count: int) -> None:
    """A list of so many entries, by one import."""
    with tempfile.TemporaryDirectory(prefix="screener-list-keeping-") as name:
        write_rows(Path(name) / "drawn.csv", count)
        start = time.perf_counter()
        HashList.create(folder).import_file(Path(name) / "drawn.csv", source="bench")
        print(f"made a list of {count:,} in {time.perf_counter() - start:.0f} s", flush=True)


def check(known: HashList) -> int:
    """Compare what `info` says with all rows, and verify the list; how many entries it has."""
    with closing(sqlite3.connect(known.path / "records.sqlite")) as connection:
        held: dict[int, set[str]] = {
            record: set()
            for (record,) in connection.execute("SELECT id FROM records WHERE until IS NULL")
        }
        for record, kind in connection.execute("SELECT record, kind FROM hashes"):
            if record in held:
                held[record].add(kind)
    found = known.info()
    reached = Counter(kind for kinds in held.values() for kind in kinds)
    told = {kind: count for kind, count in found.reached.items() if count}
    if told != dict(reached) or sum(found.states.values()) != len(held):
        raise SystemExit("info does not say what the rows do")
    if known.verify(seed=1).differences:
        raise SystemExit("the list is damaged")
    return len(held)


def timed(call: str, folder: Path, sources: Path | None) -> tuple[float, float]:
    """Seconds by the clock and of the processor that one call takes in a process of its own."""
    environment = dict(os.environ)
    if sources is not None:
        environment["PYTHONPATH"] = str(sources)
    code = CHILD.format(call=CALLS[call])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    wall, busy = map(float, done.stdout.split())
    return wall, busy


def measure(folder: Path, entries: int, against: Path | None) -> list[dict[str, Any]]:
    """The medians of each call, by these sources and in turns by the others."""
    rows = []
    for call in CALLS:
        sides = {"these": None} | ({} if against is None else {"others": against})
        taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
        for _ in range(REPEATS):
            for side, sources in sides.items():
                taken[side].append(timed(call, folder, sources))
        row: dict[str, Any] = {"what": call, "entries": entries}
        for side, times in taken.items():
            name = "" if side == "these" else "others_"
            row[f"{name}s"] = round(statistics.median(wall for wall, _ in times), 4)
            row[f"{name}cpu_s"] = round(statistics.median(busy for _, busy in times), 4)
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a list of 2,000, for CI")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--list", type=Path, help="use, or make and keep, the list in this folder")
    parser.add_argument(
        "--against", type=Path, help="other sources: a folder with `screener` in it"
    )
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="screener-list-keeping-") as name:
        folder = arguments.list or Path(name) / "big.list"
        if not folder.exists():
            make(folder, 2_000 if arguments.small else arguments.entries)
        entries = check(HashList.open(folder))
        rows = measure(folder, entries, arguments.against)
        if arguments.receipt:
            content = receipt.receipt(QUESTION, rows, ["numpy"])
            content["versions"]["sqlite"] = sqlite3.sqlite_version
            receipt.write(arguments.receipt, content)


if __name__ == "__main__":
    main()
