"""Search for records that explain an input's pictures as edited copies, by evidence.

An input that matched a list by distance is not searched for there again, nor are the views of one
that matched as it is. A match of a weak kind ends no search: such kinds are often wrong. Known-good
records are hit by distance alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from screener.hashing.evidence import SIXTEENTHS
from screener.hashing.pdq import ORIENTATIONS, PDQ
from screener.hashing.views import VIEWS
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store.records import Record
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, list_groups
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hash_search import make_match
from screener.screening.matching.hits import InputHits
from screener.screening.policy import Effort, Policy
from screener.screening.result import Match

_STAGES = (Effort.EVIDENCE, Effort.VIEWS)


def find_effort(item: HashedInput, policy: Policy) -> Effort:
    """Return how far an input is compared, by the policy and by what was computed of the input."""
    if policy.effort is Effort.DISTANCE or policy.digests_only:
        return Effort.DISTANCE
    columns = [
        group.evidence
        for group in list_groups(item.hashes)
        if isinstance(group, OrientedHashes) and group.evidence is not None
    ]
    if policy.effort is Effort.VIEWS and any(evidence.view_ceilings for evidence in columns):
        return Effort.VIEWS
    return Effort.EVIDENCE if columns else Effort.DISTANCE


def match_evidence(
    hash_list: HashList, items: Sequence[HashedInput], hits: Sequence[InputHits], policy: Policy
) -> None:
    """Search a list by evidence for all items that did not match it, and add the hits."""
    threshold = policy.evidence_threshold(hash_list.name, PDQ.name)
    if threshold is None or PDQ.name not in hash_list.kinds:
        return
    for stage in _STAGES[: 1 + (policy.effort is Effort.VIEWS)]:
        batch = _Batch(threshold)
        for number, item in enumerate(items):
            groups = [
                group
                for group in list_groups(item.hashes)
                if isinstance(group, OrientedHashes) and group.evidence is not None
            ]
            if groups and not hits[number].unsure and not hits[number].has_match(hash_list.name):
                for group in groups:
                    batch.add(number, group, stage, policy.floor[PDQ.name])
        for number, evidence_hits in batch.search(hash_list, policy):
            hits[number].add(evidence_hits, evidence_hits.located)


class _Batch:
    """The weighted queries of many inputs, which are searched at once."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._codes: list[NDArray[np.uint8]] = []
        self._weights: list[NDArray[np.uint8]] = []
        self._ceilings: list[NDArray[np.int32]] = []
        self._groups: list[tuple[int, OrientedHashes, NDArray[np.int64], Effort]] = []

    def add(self, number: int, group: OrientedHashes, stage: Effort, floor: int) -> None:
        """Add the queries of a stage that can reach the threshold."""
        evidence = group.evidence
        assert evidence is not None
        if stage is Effort.EVIDENCE:
            columns = group.values, evidence.weights, evidence.ceilings
        else:
            columns = evidence.view_codes, evidence.view_weights, evidence.view_ceilings
        ceilings = np.frombuffer(columns[2], np.int32)
        reachable = ceilings >= math.ceil(SIXTEENTHS * self._threshold)
        weighable = np.frombuffer(group.find_weighable(floor), np.bool_)
        reachable &= np.resize(weighable, len(ceilings))
        rows = np.flatnonzero(reachable)
        if rows.size:
            self._codes.append(np.frombuffer(columns[0], np.uint8).reshape(-1, PDQ.size)[rows])
            self._weights.append(np.frombuffer(columns[1], np.uint8).reshape(-1, PDQ.bits)[rows])
            self._ceilings.append(ceilings[rows])
            self._groups.append((number, group, rows, stage))

    def search(self, hash_list: HashList, policy: Policy) -> Iterator[tuple[int, EvidenceHits]]:
        """Yield the hits of each query that has any, with the number of its item."""
        if not self._groups:
            return
        ceilings = np.concatenate(self._ceilings)
        offsets, rows, distances = hash_list.search_weighted(
            PDQ.name,
            np.concatenate(self._codes),
            np.concatenate(self._weights),
            ceilings - math.ceil(SIXTEENTHS * self._threshold),
        )
        if not len(rows):
            return
        distinct = np.unique(rows)
        records = hash_list.holders(PDQ.name, distinct)
        holders = dict(zip(distinct.tolist(), records, strict=True))
        owners = [
            (number, group, int(row), stage)
            for number, group, group_rows, stage in self._groups
            for row in group_rows
        ]
        for query, (start, end) in enumerate(pairwise(offsets.tolist())):
            if start < end:
                number, group, row, stage = owners[query]
                view, orientation = divmod(row, len(ORIENTATIONS))
                evidence = (int(ceilings[query]) - distances[start:end].astype(int)) / SIXTEENTHS
                yield (
                    number,
                    EvidenceHits(
                        hash_list.name,
                        policy,
                        tuple(group.split())[orientation],
                        VIEWS[view].name if stage is Effort.VIEWS else None,
                        self._threshold,
                        holders,
                        list(zip(rows[start:end].tolist(), evidence.tolist(), strict=True)),
                    ),
                )


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
                        shadow=self.policy.shadow_evidence,
                    )
