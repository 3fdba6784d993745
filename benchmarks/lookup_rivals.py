"""The rivals in the benchmark of look-ups, behind one form of call, one thread each.

A rival takes part at the sizes where a run is bearable and the radii where it is exact; it is
left out, and said to be, where its answers differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import pynear
from flat_scan import as_pairs, search_numpy
from threatexchange.signal_type.pdq.pdq_index import PDQIndex
from usearch.index import MetricKind
from usearch.index import search as usearch_search

Codes = npt.NDArray[np.uint8]
Pairs = npt.NDArray[np.int64]
MOST_NEIGHBOURS = 100  # asked of rivals that want a number of neighbours, not a radius


@dataclass
class Rival:
    """A built index: `ask` is what is timed, of queries that `prepare` put into its form."""

    name: str
    prepare: Callable[[Codes], Any]
    ask: Callable[[Any, int], Any]
    pairs: Callable[[Any, int], Pairs]
    exact: Callable[[int], bool]
    build_s: float


# Up to how many codes each is asked, and the widths it knows.
MOST_CODES = {
    "faiss-flat": 10**7,
    "faiss-multihash": 10**7,
    "threatexchange": 10**6,
    "pynear": 10**6,
    "usearch": 10**5,
    "numpy": 10**6,
}
WIDTHS = {"threatexchange": {32}}


def build(codes: Codes, names: list[str]) -> tuple[list[Rival], list[str]]:
    """Those that take part with these codes, built; and a sentence on each that does not."""
    faiss.omp_set_num_threads(1)
    built, omitted = [], []
    for name in names:
        if codes.shape[1] not in WIDTHS.get(name, {codes.shape[1]}):
            omitted.append(f"{name} has no codes of {codes.shape[1] * 8} bits")
        elif len(codes) > MOST_CODES[name]:
            omitted.append(f"{name} is not run above {MOST_CODES[name]:,} codes")
        else:
            built.append(BUILDERS[name](codes))
    return built, omitted


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _faiss(name: str, index: Any, codes: Codes, most_flips: Callable[[int], int]) -> Rival:
    """FAISS finds what is strictly nearer than its radius."""

    def ask(queries: Codes, radius: int) -> Any:
        if hasattr(index, "nflip"):
            index.nflip = most_flips(radius)
        return index.range_search(queries, radius + 1)

    return Rival(
        name,
        prepare=np.ascontiguousarray,
        ask=ask,
        pairs=lambda answer, _: as_pairs(answer[0], answer[2], answer[1]),
        # Beyond three flips it would visit more buckets than there are codes.
        exact=lambda radius: most_flips(radius) <= 3,
        build_s=_seconds(lambda: index.add(codes)),
    )


def faiss_flat(codes: Codes) -> Rival:
    """Every code compared."""
    return _faiss("faiss-flat", faiss.IndexBinaryFlat(codes.shape[1] * 8), codes, lambda _: 0)


def faiss_multihash(codes: Codes) -> Rival:
    """Its best exact settings: 11 tables of 23 bits, or 3 of 21 for codes of 64 bits, and as
    many flips as the radius needs.
    """
    tables, bits = (11, 23) if codes.shape[1] == 32 else (3, 21)
    index = faiss.IndexBinaryMultiHash(codes.shape[1] * 8, tables, bits)
    return _faiss("faiss-multihash", index, codes, lambda radius: radius // tables)


def threatexchange(codes: Codes) -> Rival:
    """The library's own index for PDQ, asked as its users ask it: hex in, radius fixed at 31."""
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
        prepare=lambda queries: [query.tobytes().hex() for query in queries],
        ask=lambda queries, _: [index.query(query) for query in queries],
        pairs=pairs,
        exact=lambda radius: radius == 31,
        build_s=_seconds(lambda: index.add_all(entries)),
    )


def pynear_mih(codes: Codes) -> Rival:
    """Its multi-index of 16-bit pieces; it gives the nearest so many within the radius."""
    index: Any = pynear.MIHBinaryIndex(codes.shape[1] // 2)
    return Rival(
        "pynear",
        prepare=np.ascontiguousarray,
        ask=lambda queries, radius: index.searchKNN_arrays(queries, MOST_NEIGHBOURS, radius),
        pairs=lambda answer, radius: _nearest_pairs(*answer, radius),
        exact=lambda radius: radius // (codes.shape[1] // 2) <= 1,
        build_s=_seconds(lambda: index.set(codes)),
    )


def usearch(codes: Codes) -> Rival:
    """Its exact search, which keeps the nearest so many of all codes."""

    def ask(queries: Codes, _: int) -> Any:
        return usearch_search(
            codes, queries, MOST_NEIGHBOURS, MetricKind.Hamming, exact=True, threads=1
        )

    def pairs(answer: Any, radius: int) -> Pairs:
        return _nearest_pairs(
            np.atleast_2d(answer.keys).astype(np.int64), np.atleast_2d(answer.distances), radius
        )

    return Rival("usearch", np.ascontiguousarray, ask, pairs, lambda _: True, build_s=0.0)


def _nearest_pairs(rows: Any, distances: Any, radius: int) -> Pairs:
    """Neighbours (q, k) as sorted (query, row, distance), those beyond the radius left out."""
    queries, places = np.nonzero((rows >= 0) & (distances <= radius))
    found = np.stack([queries, rows[queries, places], distances[queries, places]], axis=1)
    return np.array(sorted(map(tuple, found.astype(np.int64))), np.int64).reshape(-1, 3)


def plain_numpy(codes: Codes) -> Rival:
    """A population count of the difference to each code."""
    return Rival(
        "numpy",
        prepare=np.ascontiguousarray,
        ask=lambda queries, radius: search_in_pieces(codes, queries, radius),
        pairs=lambda answer, _: answer,
        exact=lambda _: True,
        build_s=0.0,
    )


def search_in_pieces(codes: Codes, queries: Codes, radius: int) -> Pairs:
    """Brute force by NumPy, a million codes at a time: a temporary array as large as the list
    would not fit beside a large one.
    """
    found = []
    for first in range(0, max(1, len(codes)), 10**6):
        pairs = search_numpy(codes[first : first + 10**6], queries, radius)
        pairs[:, 1] += first
        found.append(pairs)
    whole = np.concatenate(found)
    return whole[np.lexsort((whole[:, 1], whole[:, 0]))]


BUILDERS = {
    "faiss-flat": faiss_flat,
    "faiss-multihash": faiss_multihash,
    "threatexchange": threatexchange,
    "pynear": pynear_mih,
    "usearch": usearch,
    "numpy": plain_numpy,
}
