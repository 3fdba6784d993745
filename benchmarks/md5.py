"""How long does the MD5 of a file take if several are made at once?

Of files of random bytes, in memory, by `digest.compute_batch`, and one by one by hashlib, which is
OpenSSL's; beside them SHA-1 and SHA-256 by hashlib, since processors have instructions for these.
Answers are compared before anything is timed; figures are medians of rounds in turns.

    python benchmarks/md5.py [--small] [--receipt FILE]

What this does not show: the reading of the files, and more than one thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import receipt
from tables import table
from timing import medians

from screener.hashing import digest
from screener.hashing.hash import KINDS

SIZES = (15_000, 60_000, 300_000, 3_000_000)
COUNTS = (1, 2, 4, 8, 16)

Contents = Sequence[bytes]


def at_once(contents: Contents) -> list[bytes]:
    """Return the MD5s of all, by us."""
    return [md5.value for (md5,) in digest.compute_batch(contents, [KINDS["md5"]])]


def one_by_one(name: str, contents: Contents) -> list[bytes]:
    """Return a digest of each, by hashlib."""
    return [hashlib.new(name, one, usedforsecurity=False).digest() for one in contents]


WAYS: dict[str, Callable[[Contents], list[bytes]]] = {
    "at once": at_once,
    "hashlib": partial(one_by_one, "md5"),
    "sha1": partial(one_by_one, "sha1"),
    "sha256": partial(one_by_one, "sha256"),
}


def main() -> None:
    """Measure, print a table, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    rng = np.random.default_rng(1)
    rows = []
    for size in SIZES[: 2 if arguments.small else None]:
        files = [rng.bytes(size) for _ in range(max(COUNTS))]
        for count in COUNTS:
            contents = files[:count]
            if at_once(contents) != one_by_one("md5", contents):
                raise SystemExit("our MD5s are not hashlib's")
            calls = {name: partial(way, contents) for name, way in WAYS.items()}
            taken = medians(calls, 3 if arguments.small else 15)
            rates = {name: size * count / one.wall / 1e9 for name, one in taken.items()}
            times = round(rates["at once"] / rates["hashlib"], 1)
            rates = {name: round(rate, 2) for name, rate in rates.items()}
            rows.append({"bytes": size, "files": count, "times": times, "GB/s": rates})
    head = ["bytes a file", "files", "times", *(f"{name}, GB/s" for name in WAYS)]
    print(table(head, [[r["bytes"], r["files"], r["times"], *r["GB/s"].values()] for r in rows]))
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["numpy"]))


if __name__ == "__main__":
    main()
