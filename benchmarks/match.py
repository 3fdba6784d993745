"""What does a program pay for a look-up, beside the index's own search?

A list of drawn records, each with a random PDQ and a random MD5, imported once. Each call of the
library is compared with the search of the index below it, at radius 31 in the same run: the two
take turns. A look-up of a digest is compared with a PDQ search at radius 0. Queries are distinct:
random ones, which miss, and listed ones with ten bits changed, which hit one record.

    python benchmarks/match.py [--small] [--records N] [--list FOLDER] [--receipt FILE]

`--list` keeps the list for the next run, which makes it if it is not there.

What this does not show: a cold disk, lists in which many records are near each other, several
lists, hits on hashes that very many records hold.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import receipt
from lookup_timing import Lone, batches_in_turn, take_turns
from numpy.typing import NDArray

from screener import Hash, HashList, Screener
from screener.hashing.hash import KINDS

QUESTION = "What does a program pay for a look-up, beside the index's own search?"
RADIUS, CHANGED = 31, 10  # bits
# What each call is compared with, and at most so many times what that takes.
AGAINST = {
    "HashList.search, miss": ("index, miss", 1.5),
    "HashList.search, hit": ("index, hit", 1.5),
    "Screener.match of a PDQ, miss": ("index, miss", 5),
    "Screener.match of a PDQ, hit": ("index, miss", 20),
    "Screener.match of an MD5, miss": ("index, miss", 5),
    "Screener.match of an MD5, hit": ("index, miss", 20),
    "HashList.lookup, miss": ("HashList.search, equal, miss", 1),
    "HashList.lookup, hit": ("HashList.search, equal, hit", 1),
    "Screener.match_many, misses": ("index, batch", 2),
}

Codes = NDArray[np.uint8]


def drawn(records: int) -> dict[str, Codes]:
    """The values of the list, by kind."""
    rng = np.random.default_rng(1)
    return {
        name: rng.integers(0, 256, (records, KINDS[name].size), np.uint8) for name in ("pdq", "md5")
    }


def listed(folder: Path, values: dict[str, Codes]) -> HashList:
    """The list in a folder; made if it is not there."""
    if not folder.exists():
        file = folder.with_suffix(".csv")
        with file.open("w") as stream:
            stream.write("id,pdq,md5\n")
            for number, (pdq, md5) in enumerate(zip(values["pdq"], values["md5"], strict=True)):
                stream.write(f"e{number},{pdq.tobytes().hex()},{md5.tobytes().hex()}\n")
        HashList.create(folder).import_file(file, source="drawn")
        file.unlink()
    return HashList.open(folder)


class Queries:
    """Distinct queries that miss, and that hit one record each: `rows` says which."""

    def __init__(self, values: dict[str, Codes], misses: int, hits: int) -> None:
        rng = np.random.default_rng(2)
        self.rows = rng.permutation(len(values["pdq"]))[:hits]
        self.miss = {
            name: rng.integers(0, 256, (misses, each.shape[1]), np.uint8)
            for name, each in values.items()
        }
        self.listed = {name: each[self.rows] for name, each in values.items()}
        self.near = self.listed["pdq"].copy()
        for code in self.near:
            for bit in rng.choice(256, CHANGED, replace=False).tolist():
                code[bit // 8] ^= 1 << bit % 8


def hashes(kind: str, codes: Codes) -> list[list[Hash]]:
    """Items of one hash each."""
    quality = 100 if kind == "pdq" else None
    return [[Hash(KINDS[kind], code.tobytes(), quality)] for code in codes]


def check(known: HashList, engine: Screener, values: dict[str, Codes], queries: Queries) -> None:
    """Compare the answers of all contestants with brute force and with how the queries were drawn,
    for some of each; and of all that hit, whom they hit.
    """
    snapshot = known.snapshot("pdq")
    entries = [f"e{row}" for row in queries.rows]
    for name, codes in (("pdq", queries.near), ("md5", queries.listed["md5"])):
        for item, entry in zip(hashes(name, codes), entries, strict=True):
            result = engine.match(item)
            expect([match.entry for match in result.matches] == [entry], "a hit is missed")
    for code in np.concatenate([queries.miss["pdq"][:20], queries.near[:20]]):
        distances = np.bitwise_count(values["pdq"] ^ code).sum(axis=1)
        expected = sorted(distances[distances <= RADIUS].tolist())
        for search in (snapshot.parts[0].search, snapshot.search):
            _, rows, found = search(code, radius=RADIUS)
            expect(sorted(found.tolist()) == expected, "a search is not exact")
        _, rows, found = known.search("pdq", code, radius=RADIUS)
        held = {known_code.tobytes() for known_code in snapshot.codes(rows)}
        near = values["pdq"][distances <= RADIUS]
        expect(held == {one.tobytes() for one in near}, "a search hits another value")
    rows_of = {value.tobytes(): row for row, value in enumerate(values["md5"])}
    for code in np.concatenate([queries.miss["md5"][:1_000], queries.listed["md5"][:1_000]]):
        _, rows = known.lookup("md5", code)
        held = [one.tobytes() for one in known.snapshot("md5").codes(rows)]
        expect(held == [code.tobytes()] * (code.tobytes() in rows_of), "a look-up is not exact")
    some = hashes("pdq", np.concatenate([queries.miss["pdq"][:500], queries.near[:500]]))
    verdicts = [engine.match(item).verdict for item in some]
    expect([one.verdict for one in engine.match_many(some)] == verdicts, "a batch differs")
    expect(set(verdicts[:500]) == {"no_match"}, "a miss matches")


def expect(holds: bool, what: str) -> None:
    """Stop if an answer is wrong: no time of it would mean anything."""
    if not holds:
        raise SystemExit(f"wrong answer: {what}")


def measure(known: HashList, engine: Screener, queries: Queries, limit: float) -> dict[str, float]:
    """Microseconds of a call, or of an item of a batch, by contestant: medians."""
    index = known.snapshot("pdq").parts[0]
    miss, near, listed = queries.miss, queries.near, queries.listed

    def search(code: Codes) -> Any:
        return index.search(code, radius=RADIUS)

    def search_list(code: Codes) -> Any:
        return known.search("pdq", code, radius=RADIUS)

    def equal(code: Codes) -> Any:
        return known.search("pdq", code, radius=0)

    def lookup(value: Codes) -> Any:
        return known.lookup("md5", value)

    contestants = {
        "index, miss": Lone(search, list(miss["pdq"])),
        "index, hit": Lone(search, list(near)),
        "HashList.search, miss": Lone(search_list, list(miss["pdq"])),
        "HashList.search, hit": Lone(search_list, list(near)),
        "HashList.search, equal, miss": Lone(equal, list(miss["pdq"])),
        "HashList.search, equal, hit": Lone(equal, list(listed["pdq"])),
        "HashList.lookup, miss": Lone(lookup, list(miss["md5"])),
        "HashList.lookup, hit": Lone(lookup, list(listed["md5"])),
        "Screener.match of a PDQ, miss": Lone(engine.match, hashes("pdq", miss["pdq"])),
        "Screener.match of a PDQ, hit": Lone(engine.match, hashes("pdq", near)),
        "Screener.match of an MD5, miss": Lone(engine.match, hashes("md5", miss["md5"])),
        "Screener.match of an MD5, hit": Lone(engine.match, hashes("md5", listed["md5"])),
    }
    taken = {name: one["p50"] for name, one in take_turns(contestants, limit, rounds=10).items()}
    batch = miss["pdq"][:10_000]
    together = {
        "index, batch": (search, batch),
        "Screener.match_many, misses": (engine.match_many, hashes("pdq", batch)),
    }
    return taken | batches_in_turn(together, rounds=9)


def main() -> None:
    parser = argparse.ArgumentParser(description=QUESTION)
    parser.add_argument("--small", action="store_true", help="a small list, for CI")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--list", type=Path, help="keep the list here, for further runs")
    parser.add_argument("--receipt", type=Path, help="write a JSON receipt here")
    arguments = parser.parse_args()
    records = 20_000 if arguments.small else arguments.records
    values = drawn(records)
    queries = Queries(values, *((2_000, 300) if arguments.small else (40_000, 4_000)))
    with contextlib.ExitStack() as stack:
        folder = arguments.list
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "known.list"
        known = listed(folder, values)
        engine = Screener(known)
        engine.warm()
        check(known, engine, values, queries)
        taken = measure(known, engine, queries, 0.05 if arguments.small else 3.0)
    rows = []
    for name, microseconds in taken.items():
        row: dict[str, Any] = {"records": records, "call": name, "microseconds": microseconds}
        told = ""
        if name in AGAINST:
            against, most = AGAINST[name]
            times = round(microseconds / taken[against], 2)
            row |= {"times": times, "against": against, "at_most": most}
            told = f"{times:7.2f} times {against} (at most {most})"
        rows.append(row)
        print(f"{name:36} {microseconds:9.2f} µs {told}")
    if arguments.receipt:
        receipt.write(arguments.receipt, receipt.receipt(QUESTION, rows, ["numpy"]))


if __name__ == "__main__":
    main()
