"""How long does it take to look up digests among ten million?

Values are random SHA-256 digests, and half of the queries are among them. The index is opened from
its file, memory-mapped. Answers are compared with a Python dictionary's before anything is timed;
a figure is the best of five runs over the same queries, on one thread.

    python benchmarks/digests.py [--small] [--receipt FILE]

What this does not show: a cold disk, and other kinds of digests.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import receipt
from codes import Codes, uniform
from lists import workplace
from timing import seconds

from screener.index.digests import DigestIndex

BATCHES = (1, 100, 10_000, 100_000)


def check(index: DigestIndex, values: Codes, queries: Codes) -> None:
    """Stop unless the rows of each query are those that a dictionary finds."""
    listed = {value.tobytes(): row for row, value in enumerate(values)}
    offsets, rows = index.search(queries)
    for number, query in enumerate(queries):
        found = rows[offsets[number] : offsets[number + 1]].tolist()
        row = listed.get(query.tobytes())
        if found != ([] if row is None else [row]):
            raise SystemExit("a look-up is not exact")


def look_up(index: DigestIndex, queries: Codes, batch: int) -> None:
    """Look up all queries in batches."""
    for start in range(0, len(queries), batch):
        index.search(queries[start : start + batch])


def main() -> None:
    """Measure, print a line for each size of batch, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    count = 100_000 if arguments.small else 10_000_000
    values, rng = uniform(count), np.random.default_rng(1)
    listed = values[rng.integers(0, count, 50_000)]
    queries = rng.permutation(np.concatenate([listed, uniform(50_000, seed=2)]))
    rows = []
    with workplace(None) as folder:
        DigestIndex.build(values).save(folder / "digests.idx")
        index = DigestIndex.open(folder / "digests.idx")
        check(index, values, queries[:20_000])
        for batch in BATCHES:
            some = queries[: 2_000 if batch == 1 else len(queries)]
            best = min(seconds(partial(look_up, index, some, batch)) for _ in range(5))
            microseconds = round(best / len(some) * 1e6, 3)
            rows.append({"digests": count, "batch": batch, "microseconds": microseconds})
            print(f"{count} digests, batches of {batch}: {microseconds} microseconds a look-up")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["numpy"]))


if __name__ == "__main__":
    main()
