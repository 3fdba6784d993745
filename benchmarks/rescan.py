"""How long does a newer list take over the hashes that a scan has kept?

A cache of drawn hashes (eight PDQs and three digests for each input, as a scan keeps them) against
a list of random ones, of which a thousandth of the cached ones are near; those must be found, and
with --small the answers are compared with those of deciding every input.

    python benchmarks/rescan.py [--small] [--inputs N] [--records N] [--threads N] [--receipt FILE]

What this does not show: a cold disk, lists in which many records are near each other, videos.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import numpy as np
import receipt

from screener import Hash, HashCache, HashList, Screener, rescan
from screener.hashing.hash import KINDS
from screener.media.source import Name
from screener.screening.input.hash_item import Hashed
from screener.screening.input.located_hash import Hashes, Located, OrientedHashes
from screener.screening.result import MediaFacts

QUESTION = "How long does a newer list take over the hashes that a scan has kept?"
BATCH = 8  # as a scan of small files adds them
MEDIA = MediaFacts("image/jpeg", 1600, 1004, 1)
SCORES = bytes((100,)) * 8


def fill(cache: HashCache, engine: Screener, rng: np.random.Generator, inputs: int) -> list[str]:
    """Hashes of so many inputs; the upright PDQs of a thousandth, two bits off."""
    near: list[str] = []
    batch: list[tuple[Hashed, tuple[int, ...]]] = []
    for number in range(inputs):
        values = rng.integers(0, 256, (8, 32), np.uint8)
        pdqs = OrientedHashes("pdq", values.tobytes(), SCORES, SCORES, bytes(8), SCORES)
        digests = [
            Located(Hash(KINDS[kind], rng.bytes(KINDS[kind].size)))
            for kind in ("md5", "sha1", "sha256")
        ]
        if number % 1000 == 7:
            values[0, 0] ^= 3
            near.append(values[0].tobytes().hex())
        name = Name(f"uploads/{number:08}.jpg", None, 361_182, 1_764_000_000_000_000_000)
        batch.append(Hashed(name, Hashes([pdqs, *digests]), MEDIA))
        if len(batch) == BATCH:
            cache.add(batch, engine.hasher)
            batch.clear()
    cache.add(batch, engine.hasher)
    return near


def listed(folder: Path, codes: list[str], rng: np.random.Generator, records: int) -> HashList:
    """A list of random PDQs, and of those given."""
    with (folder / "known.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "pdq", "md5", "sha1", "sha256"])
        for number in range(records):
            code = codes[number] if number < len(codes) else rng.bytes(32).hex()
            writer.writerow([f"e{number}", code, *(rng.bytes(n).hex() for n in (16, 20, 32))])
    known = HashList.create(folder / "known.list")
    known.import_file(folder / "known.csv", source="bench")
    return known.refresh()


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="few inputs, for CI")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    inputs, records = arguments.inputs, arguments.records
    if arguments.small:
        inputs, records = 2_000, 2_000
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = HashList.create(folder / "first.list")
        (folder / "first.csv").write_text(
            f"id,pdq,md5,sha1,sha256\none,{'0f' * 32},{'ab' * 16},{'ab' * 20},{'ab' * 32}\n"
        )
        first.import_file(folder / "first.csv", source="bench")
        with HashCache.open(folder / "hashes.cache") as cache:
            begin = time.perf_counter()
            near = fill(cache, Screener(first.refresh()), rng, inputs)
            filled = time.perf_counter() - begin
            engine = Screener(listed(folder, near, rng, records))
            engine.warm()
            begin, spent = time.perf_counter(), time.process_time()
            found = [one.input for one in rescan(engine, cache, threads=arguments.threads)]
            took, spent = time.perf_counter() - begin, time.process_time() - spent
            if arguments.small:
                every = rescan(engine, cache, every=True)
                if found != [one.input for one in every if one.matches]:
                    raise SystemExit("the rescan disagrees with deciding every input")
        if len(found) != len(near):
            raise SystemExit(f"{len(found)} found of {len(near)}")
    rows = [
        {
            "inputs": inputs, "records": records, "threads": arguments.threads,
            "seconds": round(took, 2), "cpu_seconds": round(spent, 2), "matches": len(found),
            "fill_us_an_input": round(1e6 * filled / inputs, 1),
        }
    ]  # fmt: skip
    for row in rows:
        print(row)
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, []))


if __name__ == "__main__":
    main()
