"""How long do all near pairs of a set of hashes take?

`HammingIndex.pairs(31)`, with the build of the index, beside a loop over imagehash's 256-bit hashes
and beside FAISS's IndexBinaryFlat, asked for the neighbours of all codes at once. One thread each.
Codes are random, and every tenth is another with ten bits changed. Answers are compared before
anything is timed; a rival takes part at the sizes where a run is bearable.

    python benchmarks/pairs.py [--small] [--receipt FILE]

What this does not show: hashing the pictures, sets in which most codes are near each other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations

import faiss
import imagehash
import numpy as np
import receipt
from codes import Codes
from timing import medians

from screener import HammingIndex

RADIUS, CHANGED = 31, 10  # bits
MOST = {"screener": 10**6, "FAISS IndexBinaryFlat": 10**5, "imagehash": 1_000}

Pairs = set[tuple[int, int]]


def drawn(count: int) -> Codes:
    """Return random codes, of which the last tenth are near the first."""
    rng = np.random.default_rng(12)
    codes = rng.integers(0, 256, (count, 32), np.uint8)
    near = codes[: count // 10].copy()
    for code in near:
        for bit in rng.choice(256, CHANGED, replace=False).tolist():
            code[bit // 8] ^= 1 << bit % 8
    codes[count - len(near) :] = near
    return codes


def ours(codes: Codes) -> Pairs:
    """Return the pairs by this library."""
    offsets, rows = HammingIndex.build(codes, threads=1).pairs(RADIUS)
    firsts = np.repeat(np.arange(len(codes)), np.diff(offsets))
    return set(zip(firsts.tolist(), rows.tolist(), strict=True))


def by_faiss(codes: Codes) -> Pairs:
    """Return the pairs by FAISS, whose hits are strictly nearer than its radius."""
    index = faiss.IndexBinaryFlat(256)
    index.add(codes)
    ends, _, rows = index.range_search(codes, RADIUS + 1)
    firsts = np.repeat(np.arange(len(codes)), np.diff(ends.astype(np.int64)))
    later = rows > firsts
    return set(zip(firsts[later].tolist(), rows[later].tolist(), strict=True))


def by_imagehash(codes: Codes) -> Pairs:
    """Return the pairs by a loop, as its users write it."""
    hashes = [
        imagehash.ImageHash(np.unpackbits(code).reshape(16, 16).astype(bool)) for code in codes
    ]
    pairs = combinations(range(len(hashes)), 2)
    return {(i, j) for i, j in pairs if hashes[i] - hashes[j] <= RADIUS}


CONTESTANTS: dict[str, Callable[[Codes], Pairs]] = {
    "screener": ours,
    "FAISS IndexBinaryFlat": by_faiss,
    "imagehash": by_imagehash,
}


def main() -> None:
    """Compare, measure, print and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    faiss.omp_set_num_threads(1)
    rows = []
    for count in (1_000, 5_000) if arguments.small else (1_000, 10**5, 10**6):
        codes = drawn(count)
        asked = {name: ask for name, ask in CONTESTANTS.items() if count <= MOST[name]}
        found = {name: ask(codes) for name, ask in asked.items()}
        if any(pairs != found["screener"] for pairs in found.values()):
            raise SystemExit("wrong answer: the contestants differ")
        calls = {name: partial(ask, codes) for name, ask in asked.items()}
        taken = medians(calls, 1 if arguments.small else 3)
        for name, time in taken.items():
            row = {"codes": count, "by": name, "pairs": len(found[name]), "seconds": time.wall}
            rows.append(row)
            print(f"{count:>9,} {name:24} {time.wall:10.4f} s, {len(found[name]):,} pairs")
    packages = ["faiss-cpu", "imagehash", "numpy"]
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, packages))


if __name__ == "__main__":
    main()
