"""How long does a newer list take over the hashes that a scan has stored?

A cache of random hashes (eight PDQs and three digests for each input, as a scan stores them)
against a list of random ones. A thousandth of the cached ones are near listed ones; those must be
found, and with --small the answers are compared with those of deciding every input.

    python benchmarks/rescan.py [--small] [--receipt FILE]

What this does not show: a cold disk, lists in which many records are near each other, videos.
"""

from __future__ import annotations

import time

import lists
import numpy as np
import receipt
from codes import Codes

from screener import Hash, HashCache, Screener, rescan
from screener.hashing.hash import KINDS
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import Hashes, LocatedHash, OrientedHashes
from screener.screening.result import MediaFacts

DIGESTS = ("md5", "sha1", "sha256")
BATCH = 8  # inputs that are added at once, as a scan of small files does
THREADS = 2
MEDIA = MediaFacts("image/jpeg", 1600, 1004, 1)
SCORES = bytes((100,)) * 8


def fill(cache: HashCache, screener: Screener, inputs: int) -> Codes:
    """Add the hashes of random inputs; return the upright PDQs of a thousandth, two bits off."""
    rng = np.random.default_rng(1)
    near = []
    batch: list[tuple[HashedInput, tuple[int, ...]]] = []
    for number in range(inputs):
        values = rng.integers(0, 256, (8, 32), np.uint8)
        pdqs = OrientedHashes("pdq", values.tobytes(), SCORES, SCORES, bytes(8), SCORES)
        digests = [LocatedHash(Hash(KINDS[kind], rng.bytes(KINDS[kind].size))) for kind in DIGESTS]
        if number % 1000 == 7:
            values[0, 0] ^= 3
            near.append(values[0])
        name = Name(f"uploads/{number:08}.jpg", None, 361_182, 1_764_000_000_000_000_000)
        batch.append(HashedInput(name, Hashes([pdqs, *digests]), MEDIA))
        if len(batch) == BATCH:
            cache.add(batch, screener.hasher)
            batch.clear()
    cache.add(batch, screener.hasher)
    return np.array(near)


def main() -> None:
    """Fill a cache, decide it by a list, check what was found, and write the receipt."""
    arguments = receipt.parser(__doc__).parse_args()
    inputs = records = 2_000 if arguments.small else 1_000_000
    values = lists.drawn(records, ("pdq", *DIGESTS))
    with lists.workplace(None) as folder:
        first = {kind: some[:1] ^ 0xFF for kind, some in values.items()}
        by_first = Screener(lists.made(folder / "first.list", first))
        with HashCache.open(folder / "hashes.cache") as cache:
            begin = time.perf_counter()
            near = fill(cache, by_first, inputs)
            filled = time.perf_counter() - begin
            values["pdq"][: len(near)] = near
            screener = Screener(lists.made(folder / "known.list", values))
            screener.warm()
            begin, spent = time.perf_counter(), time.process_time()
            found = [one.input for one in rescan(screener, cache, threads=THREADS)]
            taken, spent = time.perf_counter() - begin, time.process_time() - spent
            if arguments.small:
                every = rescan(screener, cache, every=True)
                if found != [one.input for one in every if one.matches]:
                    raise SystemExit("the rescan disagrees with deciding every input")
        if len(found) != len(near):
            raise SystemExit(f"{len(found)} found of {len(near)}")
    row = {
        "inputs": inputs,
        "records": records,
        "threads": THREADS,
        "seconds": round(taken, 2),
        "cpu_seconds": round(spent, 2),
        "matches": len(found),
        "fill_us_an_input": round(1e6 * filled / inputs, 1),
    }
    print(row)
    receipt.write(arguments.receipt, receipt.receipt(__doc__, [row], []))


if __name__ == "__main__":
    main()
