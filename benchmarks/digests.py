"""How long does it take to look up digests among ten million?

Values are random SHA-256 digests from a fixed seed; half of the queries are among them. The index
is opened from its file, memory-mapped. Each answer is compared with a Python dictionary's before
anything is timed. What is timed is the best of several runs over the same queries, in batches of
several sizes, on one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from receipt import receipt, write

from screener.index.digests import DigestIndex

BATCHES = (1, 100, 10_000, 100_000)


def check(index, values, queries):
    """The rows of each query are those that a dictionary finds."""
    known = {value.tobytes(): row for row, value in enumerate(values)}
    offsets, rows = index.search(queries)
    for number, query in enumerate(queries):
        found = rows[offsets[number] : offsets[number + 1]].tolist()
        row = known.get(query.tobytes())
        assert found == ([] if row is None else [row])


def timed(index, queries, batch, runs):
    """Microseconds a query, the best of the runs."""
    best = float("inf")
    for _ in range(runs):
        begin = time.perf_counter()
        for start in range(0, len(queries), batch):
            index.search(queries[start : start + batch])
        best = min(best, time.perf_counter() - begin)
    return best / len(queries) * 1e6


def main():
    """Print a table, and write the receipt where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a hundred thousand, for CI")
    parser.add_argument("-o", "--output", type=Path, help="where the receipt goes")
    options = parser.parse_args()
    count = 100_000 if options.small else 10_000_000
    rng = np.random.default_rng(1)
    values = rng.integers(0, 256, (count, 32), np.uint8)
    among = values[rng.integers(0, count, 50_000)]
    queries = rng.permutation(np.concatenate([among, rng.integers(0, 256, (50_000, 32), np.uint8)]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digests.idx"
        DigestIndex.build(values).save(path)
        index = DigestIndex.open(path)
        check(index, values, queries[:20_000])
        rows = []
        for batch in BATCHES:
            some = queries[: 2_000 if batch == 1 else len(queries)]
            took = timed(index, some, batch, 5)
            rows.append({"digests": count, "batch": batch, "microseconds": round(took, 3)})
            print(f"{count} digests, batches of {batch}: {took:.3f} microseconds a look-up")
    if options.output:
        write(options.output, receipt("look-up of digests", rows, ["numpy"]))


if __name__ == "__main__":
    main()
