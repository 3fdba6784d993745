"""The rivals of a search within a radius, behind one form of call, one thread each.

A rival takes part at the sizes where a run is bearable and at the radii where it is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import pynear
from codes import Codes, Pairs, as_pairs, brute_force
from threatexchange.signal_type.pdq.pdq_index import PDQIndex
from timing import seconds

MOST_NEIGHBOURS = 100  # for a rival that wants a number of neighbours beside a radius


@dataclass
class Rival:
    """A built index: `ask` is what is timed, of queries that `prepare` put into its form."""

    name: str
    build_s: float
    ask: Callable[[Any, int], Any]
    pairs: Callable[[Any, int], Pairs]
    exact: Callable[[int], bool] = lambda _: True
    prepare: Callable[[Codes], Any] = np.ascontiguousarray


def build(codes: Codes) -> list[Rival]:
    """Return the rivals that take part with these codes, built; print which do not."""
    faiss.omp_set_num_threads(1)
    built = []
    for name, (rival, most_codes, widths) in RIVALS.items():
        if codes.shape[1] not in widths:
            print(f"  left out: {name} has no codes of {codes.shape[1] * 8} bits", flush=True)
        elif len(codes) > most_codes:
            print(f"  left out: {name} is not run above {most_codes:,} codes", flush=True)
        else:
            built.append(rival(codes))
    return built


def _faiss(name: str, index: Any, codes: Codes, most_flips: Callable[[int], int]) -> Rival:
    """Return a FAISS index, whose hits are strictly nearer than its radius."""

    def ask(queries: Codes, radius: int) -> Any:
        if hasattr(index, "nflip"):
            index.nflip = most_flips(radius)
        return index.range_search(queries, radius + 1)

    return Rival(
        name,
        build_s=seconds(lambda: index.add(codes)),
        ask=ask,
        pairs=lambda answer, _: as_pairs(answer[0], answer[2], answer[1]),
        # Beyond three flips it would visit more buckets than there are codes.
        exact=lambda radius: most_flips(radius) <= 3,
    )


def faiss_flat(codes: Codes) -> Rival:
    """Return the index that compares every code."""
    return _faiss("faiss-flat", faiss.IndexBinaryFlat(codes.shape[1] * 8), codes, lambda _: 0)


def faiss_multihash(codes: Codes) -> Rival:
    """Return the multi-index at its best exact settings.

    These are 11 tables of 23 bits, or 3 of 21 for codes of 64 bits, and as many flips as the
    radius needs.
    """
    tables, bits = (11, 23) if codes.shape[1] == 32 else (3, 21)
    index = faiss.IndexBinaryMultiHash(codes.shape[1] * 8, tables, bits)
    return _faiss("faiss-multihash", index, codes, lambda radius: radius // tables)


def threatexchange(codes: Codes) -> Rival:
    """Return the library's own index for PDQ, used as its users do: hex, radius 31."""
    entries = [(code.tobytes().hex(), row) for row, code in enumerate(codes)]
    index: Any = PDQIndex()

    def pairs(answers: list[Any], _: int) -> Pairs:
        found = [
            (number, match.metadata, match.similarity_info.distance)
            for number, answer in enumerate(answers)
            for match in answer
        ]
        return np.array(sorted(found), np.int64).reshape(-1, 3)

    return Rival(
        "threatexchange",
        build_s=seconds(lambda: index.add_all(entries)),
        ask=lambda queries, _: [index.query(query) for query in queries],
        pairs=pairs,
        exact=lambda radius: radius == 31,
        prepare=lambda queries: [query.tobytes().hex() for query in queries],
    )


def pynear_mih(codes: Codes) -> Rival:
    """Return the multi-index of 16-bit pieces, which finds the nearest within the radius."""
    index: Any = pynear.MIHBinaryIndex(codes.shape[1] // 2)

    def pairs(answer: Any, radius: int) -> Pairs:
        rows, distances = answer  # of each query's neighbours, in columns
        queries, places = np.nonzero((rows >= 0) & (distances <= radius))
        found = np.stack([queries, rows[queries, places], distances[queries, places]], axis=1)
        return np.array(sorted(map(tuple, found)), np.int64).reshape(-1, 3)

    return Rival(
        "pynear",
        build_s=seconds(lambda: index.set(codes)),
        ask=lambda queries, radius: index.searchKNN_arrays(queries, MOST_NEIGHBOURS, radius),
        pairs=pairs,
        exact=lambda radius: radius // (codes.shape[1] // 2) <= 1,
    )


def numpy(codes: Codes) -> Rival:
    """Return the plainest way: a population count of the difference to each code."""
    return Rival(
        "numpy",
        build_s=0.0,
        ask=lambda queries, radius: brute_force(codes, queries, radius),
        pairs=lambda answer, _: answer,
    )


# With how many codes at most each is run, and the widths in bytes that it has.
RIVALS: dict[str, tuple[Callable[[Codes], Rival], int, tuple[int, ...]]] = {
    "faiss-flat": (faiss_flat, 10**7, (8, 32)),
    "faiss-multihash": (faiss_multihash, 10**7, (8, 32)),
    "threatexchange": (threatexchange, 10**6, (32,)),
    "pynear": (pynear_mih, 10**6, (32,)),
    "numpy": (numpy, 10**6, (32,)),
}
