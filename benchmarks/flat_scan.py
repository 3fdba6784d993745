"""How many codes a second does the flat scan compare?

Against `faiss.IndexBinaryFlat` and plain NumPy, one thread each, on uniform codes of 256 bits, one
query in a hundred within the radius of a code. Answers are compared before anything is timed.

    python benchmarks/flat_scan.py [--small] [--receipt FILE]

What this does not show: real codes, which cluster and so let more pairs through the first sieve;
more than one thread; and searches that find much, whose cost is that of their results.
"""

from __future__ import annotations

import faiss
import numpy as np
import receipt
from codes import as_pairs, brute_force, queries_for, uniform
from receipt import Row
from timing import medians

from screener.index.hamming import HammingIndex

RADIUS = 31
CASES = [(count, queries) for count in (10**6, 10**7) for queries in (1, 8, 100, 1000)]
SMALL = [(50_000, 1), (50_000, 100)]


def compare(count: int, queries: int) -> Row:
    """Return one row of the table: answers compared, then timed."""
    codes = uniform(count)
    some = queries_for(codes, queries, radius=RADIUS)
    few = some[:3]
    index = HammingIndex(codes)  # without tables, which would be faster
    flat = faiss.IndexBinaryFlat(256)
    flat.add(codes)

    expected = as_pairs(*index.search(some, radius=RADIUS))
    # FAISS finds what is strictly nearer than its radius.
    limits, distances, rows = flat.range_search(some, RADIUS + 1)
    np.testing.assert_array_equal(as_pairs(limits, rows, distances), expected)
    right = brute_force(codes, few, RADIUS)
    np.testing.assert_array_equal(right, expected[expected[:, 0] < len(few)])
    if not len(expected):
        raise SystemExit("a near code was not found")

    calls = {
        "screener": lambda: index.search(some, radius=RADIUS),
        "faiss": lambda: flat.range_search(some, RADIUS + 1),
        "numpy": lambda: brute_force(codes, few, RADIUS),
    }
    taken = medians(calls, rounds=3 if count * queries > 1e9 else 7)
    asked = {"screener": queries, "faiss": queries, "numpy": len(few)}
    rates = {name: count * asked[name] / one.wall for name, one in taken.items()}
    return {
        "codes": count,
        "queries": queries,
        "radius": RADIUS,
        "hits": len(expected),
        "codes_per_second": {name: round(rate) for name, rate in rates.items()},
        "times_faiss": round(rates["screener"] / rates["faiss"], 2),
        "times_numpy": round(rates["screener"] / rates["numpy"], 1),
    }


def main() -> None:
    """Measure, print a line for each case, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    faiss.omp_set_num_threads(1)
    print("     codes  queries   screener      faiss      numpy   (1e9 codes a second)")
    rows = []
    for count, queries in SMALL if arguments.small else CASES:
        row = compare(count, queries)
        rows.append(row)
        rates = "".join(f"{rate / 1e9:11.3f}" for rate in row["codes_per_second"].values())
        print(f"{count:10} {queries:8}{rates}   {row['times_faiss']:.1f} times faiss")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ("faiss-cpu", "numpy")))


if __name__ == "__main__":
    main()
