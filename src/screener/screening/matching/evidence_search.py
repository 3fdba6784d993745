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
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from screener.hashing.detail import pattern_scores
from screener.hashing.evidence import SIXTEENTHS, Queries
from screener.hashing.pdq import ORIENTATIONS, PDQ
from screener.hashing.views import VIEWS
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.records import Record
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import INSET, LocatedHash, OrientedHashes, list_weighed
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hash_search import find_holders, make_match
from screener.screening.matching.hits import InputHits
from screener.screening.policy import Effort, Policy
from screener.screening.result import Match

# In bits. The evidence of a sketch is nearer to that of the exact hash: bits in doubt have little
# weight.
_SKETCH_MARGIN = 1

_BEYOND = 8 * PDQ.code_size + 1  # in bits; no query has so much evidence


def find_threshold(hash_list: HashList, policy: Policy) -> int | None:
    """Return the bits that make an upright hit, or None if there is no search by evidence."""
    if PDQ.name not in hash_list.kinds:
        return None
    return policy.evidence_threshold(hash_list.name, PDQ.name)


def list_thresholds(list_name: str, policy: Policy) -> NDArray[np.int64]:
    """Return the bits that make a hit in each orientation; more than there can be if none do."""
    upright, turned = (
        policy.evidence_threshold(list_name, PDQ.name, turned=turned) or _BEYOND
        for turned in (False, True)
    )
    return np.array([upright] + [turned] * (len(ORIENTATIONS) - 1))


def find_effort(item: HashedInput, highest: Effort) -> Effort:
    """Return how far an input is compared, by what was computed of it; at most `highest`.

    Insets do not count: the effort is that of whole pictures.
    """
    if highest is Effort.DISTANCE:
        return Effort.DISTANCE
    weighed = [pair for pair in list_weighed(item.hashes) if pair[0].region != INSET]
    if highest is Effort.VIEWS and any(columns.view_ceilings for _, columns in weighed):
        return Effort.VIEWS
    return Effort.EVIDENCE if weighed else Effort.DISTANCE


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
    thresholds = list_thresholds(hash_list.name, policy)
    for with_views in (False, True) if policy.effort is Effort.VIEWS else (False,):
        batch = _Batch(thresholds, with_views)
        for number, item in enumerate(items):
            if hash_list.name in hits[number].excluded:
                continue
            weighed = list_weighed(item.hashes)
            if weighed and not hits[number].unsure and not hits[number].has_match(hash_list.name):
                for group, columns in weighed:
                    queries = columns.to_queries(group.values)[with_views]
                    batch.add(number, group, queries, policy.floor[PDQ.name])
        for number, evidence_hits in batch.search(hash_list, policy, threads):
            if evidence_hits.located.doubt:
                hits[number].unsure = True
            else:
                hits[number].add(evidence_hits, evidence_hits.located)


class _Batch:
    """The weighted queries of many inputs, of views or as they are, which are searched at once."""

    def __init__(self, thresholds: NDArray[np.int64], with_views: bool) -> None:
        self._thresholds = thresholds
        self._with_views = with_views
        self._queries: list[Queries] = []
        self._budgets: list[NDArray[np.int32]] = []
        self._groups: list[tuple[int, OrientedHashes, NDArray[np.int64]]] = []

    def add(self, number: int, group: OrientedHashes, queries: Queries, floor: int) -> None:
        """Add those of a group's queries that can reach the threshold."""
        doubtful = np.frombuffer(group.doubts, np.uint8) > 0
        budgets = queries.budgets(np.resize(self._thresholds, len(queries.ceilings)))
        budgets += np.resize(doubtful, len(budgets)) * np.int32(SIXTEENTHS * _SKETCH_MARGIN)
        weighable = np.frombuffer(group.find_weighable(floor), np.bool_)
        rows = np.flatnonzero((budgets >= 0) & np.resize(weighable, len(budgets)))
        if rows.size:
            codes, weights, ceilings = queries
            self._queries.append(Queries(codes[rows], weights[rows], ceilings[rows]))
            self._budgets.append(budgets[rows])
            self._groups.append((number, group, rows))

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
        owners = [
            (number, group, int(row))
            for number, group, group_rows in self._groups
            for row in group_rows
        ]
        for query, (start, end) in enumerate(pairwise(offsets.tolist())):
            if start < end and self._is_detailed(queries.codes[query], policy):
                number, group, row = owners[query]
                view, orientation = divmod(row, len(ORIENTATIONS))
                evidence = [
                    queries.evidence(query, int(distance)) for distance in distances[start:end]
                ]
                yield (
                    number,
                    EvidenceHits(
                        hash_list.name,
                        policy,
                        tuple(group.split())[orientation],
                        VIEWS[view].name if self._with_views else None,
                        int(self._thresholds[orientation]),
                        holders,
                        list(zip(rows[start:end].tolist(), evidence, strict=True)),
                    ),
                )

    def _is_detailed(self, code: NDArray[np.uint8], policy: Policy) -> bool:
        """Return whether a code may hit: that of a view needs a pattern score of its own."""
        if not self._with_views:
            return True  # `add` has checked the picture's score, which includes this one
        return pattern_scores([code.tobytes()])[0] >= policy.floor[PDQ.name]


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
