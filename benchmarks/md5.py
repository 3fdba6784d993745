"""How long does the MD5 of a file take, where several are made at once?

Of files of random bytes from a fixed seed, held in memory, by `digest.compute_batch` and one by one
by hashlib, which is OpenSSL's. Answers are compared before anything is timed; the two take turns,
and the median of the rounds counts. SHA-1 and SHA-256 of the same files stand beside, one by one,
since processors have instructions for these.

    python benchmarks/md5.py [--small] [--receipt FILE]

What this does not show: the reading of the files, and more than one thread.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from receipt import receipt, write

from screener.hashing import digest
from screener.hashing.hash import KINDS

SIZES = (15_000, 60_000, 300_000, 3_000_000)
COUNTS = (1, 2, 4, 8, 16)
ROUNDS = 15

Contents = Sequence[bytes]


def one_by_one(name: str) -> Callable[[Contents], list[bytes]]:
    """A digest of each file, by hashlib."""
    return lambda contents: [
        hashlib.new(name, one, usedforsecurity=False).digest() for one in contents
    ]


def at_once(contents: Contents) -> list[bytes]:
    """The MD5s of all, by us."""
    return [md5.value for (md5,) in digest.compute_batch(contents, [KINDS["md5"]])]


WAYS = {
    "at once": at_once,
    "hashlib": one_by_one("md5"),
    "sha1": one_by_one("sha1"),
    "sha256": one_by_one("sha256"),
}


def medians(contents: Contents, rounds: int) -> dict[str, float]:
    """Gigabytes a second, by way."""
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            begin = time.perf_counter()
            way(contents)
            taken[name].append(time.perf_counter() - begin)
    size = sum(map(len, contents))
    return {name: size / statistics.median(times) / 1e9 for name, times in taken.items()}


def main() -> None:
    """Print a table, and write the receipt where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a part of it, for CI")
    parser.add_argument("--receipt", type=Path, help="where the receipt goes")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    rows = []
    print("| bytes a file | files | at once, GB/s | hashlib | times | SHA-1 | SHA-256 |")
    print("|---|---|---|---|---|---|---|")
    for size in SIZES[: 2 if options.small else None]:
        files = [rng.bytes(size) for _ in range(max(COUNTS))]
        for count in COUNTS:
            contents = files[:count]
            assert at_once(contents) == one_by_one("md5")(contents)
            rates = medians(contents, 3 if options.small else ROUNDS)
            times = rates["at once"] / rates["hashlib"]
            told = {name: round(rate, 2) for name, rate in rates.items()}
            rows.append({"bytes": size, "files": count, "times": round(times, 1), "GB/s": told})
            print(
                f"| {size:,} | {count} | {told['at once']} | {told['hashlib']} | {times:.1f} "
                f"| {told['sha1']} | {told['sha256']} |"
            )
    if options.receipt:
        write(options.receipt, receipt("MD5 of several files at once", rows, ["numpy"]))


if __name__ == "__main__":
    main()
