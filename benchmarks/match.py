"""What does a program pay for a look-up, beside the index's own search?

A list of random records, each with a PDQ and an MD5, imported once. Each call of the library is
compared with the search of the index below it, at radius 31 in the same run: the two take turns. A
look-up of a digest is compared with a PDQ search at radius 0. Queries are distinct: random ones,
which miss, and listed ones with ten bits changed, which hit one record. Answers are compared with
brute force before anything is timed.

    python benchmarks/match.py [--small] [--list FOLDER] [--receipt FILE]

`--list` names a list that stays for the next run, which makes it if it is not there.

What this does not show: a cold disk, lists in which many records are near each other, several
lists, hits on hashes that very many records have.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import lists
import numpy as np
import receipt
from codes import Codes
from timing import Single, microseconds_a_query, percentiles

from screener import Hash, HashList, Screener
from screener.hashing.hash import KINDS

RADIUS, CHANGED = 31, 10  # bits
# The contestant that each call is compared with.
AGAINST = {
    "HashList.search, miss": "index, miss",
    "HashList.search, hit": "index, hit",
    "HashList.lookup, miss": "HashList.search, equal, miss",
    "HashList.lookup, hit": "HashList.search, equal, hit",
    "Screener.match of a PDQ, miss": "index, miss",
    "Screener.match of a PDQ, hit": "index, miss",
    "Screener.match of an MD5, miss": "index, miss",
    "Screener.match of an MD5, hit": "index, miss",
    "Screener.match_many, misses": "index, batch",
}


class Queries:
    """Distinct queries that miss, and queries that hit one record each: `rows` are theirs."""

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
    """Return items of one hash each."""
    quality = 100 if kind == "pdq" else None
    return [[Hash(KINDS[kind], code.tobytes(), quality)] for code in codes]


def check(
    hash_list: HashList, screener: Screener, values: dict[str, Codes], queries: Queries
) -> None:
    """Compare the answers of all contestants with brute force and with how queries were drawn."""
    snapshot = hash_list.snapshot("pdq")
    entries = [f"e{row}" for row in queries.rows]
    for name, codes in (("pdq", queries.near), ("md5", queries.listed["md5"])):
        for item, entry in zip(hashes(name, codes), entries, strict=True):
            result = screener.match(item)
            expect([match.entry for match in result.matches] == [entry], "a hit is missed")
    for code in np.concatenate([queries.miss["pdq"][:20], queries.near[:20]]):
        distances = np.bitwise_count(values["pdq"] ^ code).sum(axis=1)
        expected = sorted(distances[distances <= RADIUS].tolist())
        for search in (snapshot.parts[0].search, snapshot.search):
            _, rows, found = search(code, radius=RADIUS)
            expect(sorted(found.tolist()) == expected, "a search is not exact")
        _, rows, found = hash_list.search("pdq", code, radius=RADIUS)
        hit = {value.tobytes() for value in snapshot.codes(rows)}
        near = values["pdq"][distances <= RADIUS]
        expect(hit == {one.tobytes() for one in near}, "a search hits another value")
    listed = {value.tobytes() for value in values["md5"]}
    for code in np.concatenate([queries.miss["md5"][:1_000], queries.listed["md5"][:1_000]]):
        _, rows = hash_list.lookup("md5", code)
        found = [one.tobytes() for one in hash_list.snapshot("md5").codes(rows)]
        expect(found == [code.tobytes()] * (code.tobytes() in listed), "a look-up is not exact")
    some = hashes("pdq", np.concatenate([queries.miss["pdq"][:500], queries.near[:500]]))
    verdicts = [screener.match(item).verdict for item in some]
    expect([one.verdict for one in screener.match_many(some)] == verdicts, "a batch differs")
    expect(set(verdicts[:500]) == {"no_match"}, "a miss matches")


def expect(holds: bool, what: str) -> None:
    """Stop if an answer is wrong: its time would mean nothing."""
    if not holds:
        raise SystemExit(f"wrong answer: {what}")


def measure(
    hash_list: HashList, screener: Screener, queries: Queries, limit: float
) -> dict[str, float]:
    """Return median microseconds of a call, or of an item of a batch, by contestant."""
    miss, near, listed = queries.miss, queries.near, queries.listed
    index = partial(hash_list.snapshot("pdq").parts[0].search, radius=RADIUS)
    search = partial(hash_list.search, "pdq", radius=RADIUS)
    equal = partial(hash_list.search, "pdq", radius=0)
    lookup = partial(hash_list.lookup, "md5")
    match = screener.match
    contestants: dict[str, tuple[Any, Any]] = {
        "index, miss": (index, miss["pdq"]),
        "index, hit": (index, near),
        "HashList.search, miss": (search, miss["pdq"]),
        "HashList.search, hit": (search, near),
        "HashList.search, equal, miss": (equal, miss["pdq"]),
        "HashList.search, equal, hit": (equal, listed["pdq"]),
        "HashList.lookup, miss": (lookup, miss["md5"]),
        "HashList.lookup, hit": (lookup, listed["md5"]),
        "Screener.match of a PDQ, miss": (match, hashes("pdq", miss["pdq"])),
        "Screener.match of a PDQ, hit": (match, hashes("pdq", near)),
        "Screener.match of an MD5, miss": (match, hashes("md5", miss["md5"])),
        "Screener.match of an MD5, hit": (match, hashes("md5", listed["md5"])),
    }
    singles = {name: Single(ask, list(some)) for name, (ask, some) in contestants.items()}
    taken = {name: one["p50"] for name, one in percentiles(singles, limit, rounds=10).items()}
    batch = miss["pdq"][:10_000]
    together = {
        "index, batch": (index, batch),
        "Screener.match_many, misses": (screener.match_many, hashes("pdq", batch)),
    }
    return taken | microseconds_a_query(together, rounds=9)


def main() -> None:
    """Measure, print a line for each call, and write the receipt."""
    parser = receipt.parser(__doc__)
    parser.add_argument("--list", type=Path, help="a list that stays for further runs")
    arguments = parser.parse_args()
    records, misses, hits, limit = 1_000_000, 40_000, 4_000, 3.0
    if arguments.small:
        records, misses, hits, limit = 20_000, 2_000, 300, 0.05
    values = lists.drawn(records, ("pdq", "md5"))
    queries = Queries(values, misses, hits)
    with lists.workplace(arguments.list and arguments.list.parent) as folder:
        hash_list = lists.made(arguments.list or folder / "known.list", values)
        screener = Screener(hash_list)
        screener.warm()
        check(hash_list, screener, values, queries)
        taken = measure(hash_list, screener, queries, limit)
    rows = []
    for name, microseconds in taken.items():
        row: dict[str, Any] = {"records": records, "call": name, "microseconds": microseconds}
        if name in AGAINST:
            against = AGAINST[name]
            row |= {"times": round(microseconds / taken[against], 2), "against": against}
        rows.append(row)
        print(*row.values(), sep="  ")
    receipt.write(arguments.receipt, receipt.receipt(__doc__, rows, ["numpy"]))


if __name__ == "__main__":
    main()
