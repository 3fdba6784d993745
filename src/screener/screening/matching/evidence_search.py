"""Search for records that explain an input's pictures as edited copies, by evidence.

An input that matched a list by distance is not searched for there again, nor are the views of one
that matched as it is. A match of a weak kind ends no search: such kinds are often wrong. Known-good
records are hit by distance alone.

The code of a view needs the patterns of a detailed picture too: filling in turns checkerboards into
codes that other drawings have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.hashing.detail import pattern_scores
from screener.hashing.evidence import SIXTEENTHS, Queries
from screener.hashing.pdq import ORIENTATIONS, PDQ
from screener.hashing.views import ORIENTATIONS_OF, VIEWS_OF, View
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.records import Record
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import (
    INSET,
    EvidenceColumns,
    LocatedHash,
    OrientedHashes,
    list_weighed,
)
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hash_search import find_holders, make_match
from screener.screening.matching.hits import InputHits
from screener.screening.policy import Effort, Policy
from screener.screening.result import Match

# In bits. The evidence of a sketch is nearer to that of the exact hash: bits in doubt have little
# weight.
_SKETCH_MARGIN = 1

_BEYOND = 1024  # in bits; no query has half of so much evidence


def find_threshold(hash_list: HashList, policy: Policy) -> int | None:
    """Return the bits that make an upright hit, or None if there is no search by evidence."""
    if PDQ.name not in hash_list.kinds:
        return None
    return policy.evidence_threshold(hash_list.name, PDQ.name)


def find_thresholds(list_name: str, policy: Policy) -> tuple[int, int]:
    """Return the bits that make an upright and a turned hit; more than there can be if none do."""
    find = partial(policy.evidence_threshold, list_name, PDQ.name)
    return find() or _BEYOND, find(turned=True) or _BEYOND


class Queried(NamedTuple):
    """The view, None for no view, the orientation and the threshold of each query of a group."""

    views: Sequence[View | None]
    turns: NDArray[np.int64]
    thresholds: NDArray[np.int64]


def list_queried(
    thresholds: tuple[int, int], columns: EvidenceColumns, *, with_views: bool
) -> Queried:
    """Return what the queries of a group are, of its views or of the group as it is."""
    if with_views:
        return _list_queried(thresholds, columns.shape, columns.view_orientations)
    return _list_queried(thresholds, None, len(ORIENTATIONS))


@cache
def _list_queried(thresholds: tuple[int, int], shape: str | None, orientations: int) -> Queried:
    views = (None,) if shape is None else VIEWS_OF[shape]
    turns = [ORIENTATIONS.index(name) for name in ORIENTATIONS_OF[orientations]]
    shares = [one.enough if one else 1 for one in views]
    bits = np.outer(shares, [thresholds[turn > 0] for turn in turns])
    return Queried(
        [view for view in views for _ in turns],
        np.tile(turns, len(views)),
        np.ceil(bits).astype(np.int64).ravel(),
    )


def find_effort(item: HashedInput, highest: Effort) -> Effort:
    """Return how far an input is compared, by what was computed of it; at most `highest`.

    Insets do not count: the effort is that of whole pictures.
    """
    if highest is Effort.DISTANCE:
        return Effort.DISTANCE
    weighed = [pair for pair in list_weighed(item.hashes) if pair[0].region != INSET]
    if not weighed:
        return Effort.DISTANCE
    most = min(highest.view_orientations, max(one.view_orientations for _, one in weighed))
    efforts = (Effort.ALL, Effort.VIEWS, Effort.EVIDENCE)
    return next(effort for effort in efforts if effort.view_orientations <= most)


def match_evidence(
    hash_list: HashList,
    items: Sequence[HashedInput],
    hits: Sequence[InputHits],
    policy: Policy,
    *,
    threads: int,
) -> None:
    """Search a list by evidence for all items that did not match it, and add the hits.

    An item of which a sketch has a hit, or nearly, is unsure.
    """
    if find_threshold(hash_list, policy) is None:
        return
    batch = _Batch(find_thresholds(hash_list.name, policy), policy.floor[PDQ.name])
    for number, item in enumerate(items):
        own = hits[number]
        if hash_list.name in own.excluded or own.unsure:
            continue
        weighed = list_weighed(item.hashes)
        if weighed and not own.has_match(hash_list.name):
            for with_views in (False, True) if policy.effort.view_orientations else (False,):
                for group, columns in weighed:
                    batch.add(number, group, columns, with_views=with_views)
    has_match: dict[int, bool] = {}  # of items with hits of views, by evidence as they are
    for number, evidence_hits in batch.search(hash_list, policy, threads):
        if evidence_hits.view is not None:
            if number not in has_match:
                has_match[number] = hits[number].has_match(hash_list.name)
            if has_match[number]:
                continue
        if evidence_hits.located.doubt:
            hits[number].unsure = True
        else:
            hits[number].add(evidence_hits, evidence_hits.located)


class _Batch:
    """The weighted queries of many inputs, which are searched at once.

    A search reads the list once for all of them, so those of views are not searched after those of
    pictures as they are, though they count for nothing if these match.
    """

    def __init__(self, thresholds: tuple[int, int], floor: int) -> None:
        self._thresholds = thresholds
        self._floor = floor
        self._queries: list[Queries] = []
        self._budgets: list[NDArray[np.int32]] = []
        # The number of an item, its group, what the group's queries are, and which are searched.
        self._groups: list[tuple[int, OrientedHashes, Queried, NDArray[np.int64]]] = []

    def add(
        self, number: int, group: OrientedHashes, columns: EvidenceColumns, *, with_views: bool
    ) -> None:
        """Add those queries, of views or of a group as it is, that can reach the threshold."""
        queries = columns.to_queries(group.values)[with_views]
        if not len(queries.ceilings):
            return
        queried = list_queried(self._thresholds, columns, with_views=with_views)
        doubtful = np.frombuffer(group.doubts, np.uint8)[queried.turns] > 0
        budgets = queries.budgets(queried.thresholds)
        budgets += doubtful * np.int32(SIXTEENTHS * _SKETCH_MARGIN)
        weighable = np.frombuffer(group.find_weighable(self._floor), np.bool_)[queried.turns]
        rows = np.flatnonzero((budgets >= 0) & weighable)
        if rows.size:
            codes, weights, ceilings = queries
            self._queries.append(Queries(codes[rows], weights[rows], ceilings[rows]))
            self._budgets.append(budgets[rows])
            self._groups.append((number, group, queried, rows))

    def search(
        self, hash_list: HashList, policy: Policy, threads: int
    ) -> Iterator[tuple[int, EvidenceHits]]:
        """Yield the hits of each query that has any, with the number of its item."""
        if not self._groups:
            return
        queries = Queries(*map(np.concatenate, zip(*self._queries, strict=True)))
        offsets, rows, distances = hash_list.search_weighted(
            PDQ.name,
            queries.codes,
            queries.weights,
            np.concatenate(self._budgets),
            threads=threads,
        )
        if not len(rows):
            return
        holders = find_holders(hash_list, PDQ, rows)
        ends = np.cumsum([len(rows) for *_, rows in self._groups])
        for query in np.flatnonzero(np.diff(offsets)).tolist():
            at = int(np.searchsorted(ends, query, side="right"))
            number, group, queried, kept = self._groups[at]
            row = kept[query - ends[at]]  # counted from the last of the group's
            view = queried.views[row]
            if view is None or self._is_detailed(queries.codes[query]):
                start, end = offsets[query : query + 2].tolist()
                evidence = [
                    queries.evidence(query, int(distance)) for distance in distances[start:end]
                ]
                yield (
                    number,
                    EvidenceHits(
                        hash_list.name,
                        policy,
                        tuple(group.split())[queried.turns[row]],
                        view.name if view else None,
                        int(queried.thresholds[row]),
                        holders,
                        list(zip(rows[start:end].tolist(), evidence, strict=True)),
                    ),
                )

    def _is_detailed(self, code: NDArray[np.uint8]) -> bool:
        """Return whether the code of a view may hit: it needs a pattern score of its own."""
        return pattern_scores([code.tobytes()])[0] >= self._floor


@dataclass(slots=True, eq=False)
class EvidenceHits:
    """The hits of one weighted query in a list: rows with their evidence in bits.

    Iteration makes a Match for each record.
    """

    list_name: str
    policy: Policy
    located: LocatedHash
    view: str | None
    threshold: int
    holders: Mapping[int, tuple[Record, ...]]
    rows: list[tuple[int, float]]

    def __iter__(self) -> Iterator[Match]:
        criteria = Criteria(self.policy)
        for row, evidence in self.rows:
            for record in self.holders[row]:
                is_usable = criteria.is_record_usable(record, PDQ)
                if is_usable and record.state != State.KNOWN_GOOD:
                    yield make_match(
                        self.list_name,
                        record,
                        self.located,
                        distance=None,
                        radius=None,
                        evidence=evidence,
                        threshold=self.threshold,
                        view=self.view,
                        shadow=self.policy.shadow_evidence or criteria.is_shadow(self.list_name),
                    )
