"""Search for many inputs' hashes in a list, in batches of one kind."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from screener.hashing import pdq
from screener.hashing.hash import HashKind, kind_named
from screener.lists.hashlist import HashList
from screener.lists.store.records import Record
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, list_groups
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hits import InputHits
from screener.screening.policy import Policy
from screener.screening.result import Match

Numbers = NDArray[np.int64]

# A PDQ has 128 bits set, unless many coefficients are equal. Bits do not show how those turn.
_MOST_UNEVEN = 31

# Offsets, rows and distances, as `HashList.search` returns them.
SearchResult = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]


class Batch(NamedTuple):
    """Codes (n, size) with `doubt` bits in doubt, their queries, and their derived orientations."""

    doubt: int
    codes: NDArray[np.uint8]
    numbers: Numbers
    turns: Numbers


class Queries:
    """The hashes of one kind: added item by item, then searched as `batches`."""

    def __init__(self, kind: HashKind) -> None:
        self.kind = kind
        self._values: list[bytes] = []
        self._doubts: list[bytes] = []
        self._derivable: list[int] = []  # queries whose other orientations are derived
        self._starts: list[int] = []  # the number of each group's first query
        # The item, the group, and the orientations that are searched if not all are.
        self._groups: list[tuple[int, LocatedHash | OrientedHashes, tuple[int, ...] | None]] = []
        self._count = 0

    def add(
        self,
        item: int,
        group: LocatedHash | OrientedHashes,
        usable: bytes | None = None,
        *,
        derive: bool = False,
    ) -> None:
        """Add hashes of an item, of OrientedHashes only those with a 1 in `usable`."""
        orientations: tuple[int, ...] | None = None
        if isinstance(group, LocatedHash):
            values, doubts = group.hash.value, bytes((group.doubt,))
        elif usable is None:
            values, doubts = group.values, group.doubts
        else:
            orientations = tuple(k for k, is_usable in enumerate(usable) if is_usable)
            size = self.kind.size
            values = b"".join(group.values[size * k : size * (k + 1)] for k in orientations)
            doubts = bytes(group.doubts[k] for k in orientations)
        if derive and self.kind is pdq.PDQ:
            self._derivable.append(self._count)
        self._starts.append(self._count)
        self._groups.append((item, group, orientations))
        self._values.append(values)
        self._doubts.append(doubts)
        self._count += len(doubts)

    @cached_property
    def batches(self) -> list[Batch]:
        """One batch per number of bits in doubt, which widen the search."""
        return list(self._split_batches())

    def _split_batches(self) -> Iterator[Batch]:
        codes = np.frombuffer(b"".join(self._values), np.uint8).reshape(-1, self.kind.size)
        doubts = b"".join(self._doubts)
        for doubt in sorted(set(doubts)):
            numbers = np.flatnonzero(np.frombuffer(doubts, np.uint8) == doubt)
            batch = Batch(doubt, codes[numbers], numbers, np.zeros_like(numbers))
            if self._derivable and not doubt:
                batch = _add_derived(batch, codes, np.array(self._derivable))
            yield batch

    def find_owner(self, batch: Batch, place: int) -> tuple[int, LocatedHash]:
        """Return the item and the hash of a code of a batch."""
        query, turn = int(batch.numbers[place]), int(batch.turns[place])
        index = bisect_right(self._starts, query) - 1
        item, group, orientations = self._groups[index]
        if turn and isinstance(group, LocatedHash):
            hash_ = replace(group.hash, value=batch.codes[place].tobytes())
            return item, group._replace(hash=hash_, orientation=pdq.ORIENTATIONS[turn])
        if isinstance(group, LocatedHash):
            return item, group
        hash_index = query - self._starts[index]
        if orientations is not None:
            hash_index = orientations[hash_index]
        return item, tuple(group.split())[hash_index]


def collect_queries(items: Sequence[HashedInput], policy: Policy) -> list[Queries]:
    """Return the usable hashes of all items, by kind."""
    by_kind: dict[str, Queries] = {}
    criteria = Criteria(policy)
    for number, item in enumerate(items):
        for group in list_groups(item.hashes):
            usable = None
            if isinstance(group, OrientedHashes):
                kind = kind_named(group.kind)
                usable = group.find_usable(policy.floor.get(group.kind, 0))
                has_usable = not policy.digests_only and (usable is None or any(usable))
            else:
                kind, has_usable = group.hash.kind, criteria.is_usable(group)
            if has_usable and (kind.digest or kind.perceptual):
                queries = by_kind.get(kind.name) or by_kind.setdefault(kind.name, Queries(kind))
                queries.add(number, group, usable, derive=item.derive)
    return list(by_kind.values())


def match_hashes(
    hash_list: HashList, queries: Queries, hits: list[InputHits], policy: Policy
) -> None:
    """Search a list for all items' hashes of one kind, and add the hits."""
    kind, criteria = queries.kind, Criteria(policy)
    for batch in queries.batches:
        doubt, find_owner = batch.doubt, partial(queries.find_owner, batch)
        radius = min(criteria.max_radius(hash_list, kind) + doubt, kind.bits)
        result = search_list(hash_list, kind, batch.codes, radius)
        for item, hash_hits in collect_hits(hash_list, kind, criteria, result, find_owner):
            if hash_list.name in hits[item].excluded:
                continue
            if not doubt:
                hits[item].add(hash_hits, hash_hits.located)
            elif hash_hits.has_any_within(doubt):
                hits[item].unsure = True


def _add_derived(batch: Batch, codes: NDArray[np.uint8], derivable: Numbers) -> Batch:
    """Return a batch with the codes of other orientations of the queries with these numbers."""
    turned = pdq.derive_orientations(codes[derivable])
    bits_set = np.bitwise_count(turned).sum(axis=2, dtype=np.int64)
    is_even = abs(bits_set - pdq.PDQ.bits // 2) <= _MOST_UNEVEN
    indices, turns = np.nonzero(is_even[:, :1] & is_even[:, 1:])
    return Batch(
        batch.doubt,
        np.concatenate((batch.codes, turned[indices, turns + 1])),
        np.concatenate((batch.numbers, derivable[indices])),
        np.concatenate((batch.turns, turns + 1)),
    )


def search_list(
    hash_list: HashList, kind: HashKind, codes: NDArray[np.uint8], radius: int, threads: int = 1
) -> SearchResult:
    """Search a list for codes of a kind. The distances of digests are 0."""
    if not kind.digest:
        return hash_list.search(kind.name, codes, radius=radius, threads=threads)
    offsets, rows = hash_list.lookup(kind.name, codes)
    return offsets, rows, np.zeros(len(rows), np.uint16)


def collect_hits(
    hash_list: HashList,
    kind: HashKind,
    criteria: Criteria,
    result: SearchResult,
    find_owner: Callable[[int], tuple[int, LocatedHash]],
) -> Iterator[tuple[int, HashHits]]:
    """Yield the hits of each query that has any, with the number of its item.

    `find_owner` returns a query's item and hash.
    """
    offsets, rows, distances = result
    if not len(rows):
        return
    holders = find_holders(hash_list, kind, rows)
    name = hash_list.name
    for query, (start, end) in enumerate(pairwise(offsets.tolist())):
        if start < end:
            item, located = find_owner(query)
            span = range(start, end)
            yield item, HashHits(name, kind, criteria, located, holders, rows, distances, span)


def find_holders(
    hash_list: HashList, kind: HashKind, rows: Numbers
) -> dict[int, tuple[Record, ...]]:
    """Return the records of each row that a search hit, in one query for all rows."""
    distinct = list(dict.fromkeys(rows.tolist()))
    return dict(zip(distinct, hash_list.holders(kind.name, distinct), strict=True))


@dataclass(slots=True, eq=False)
class HashHits:
    """The hits of one hash of an input in a list.

    Iteration makes a Match for each record. Matches are not stored, since a hash may have a hundred
    thousand records. `rows`, `distances` and `holders` (the records of each row) are those of a
    batch; `span` selects this hash's hits.
    """

    list: str
    kind: HashKind
    criteria: Criteria
    located: LocatedHash
    holders: Mapping[int, tuple[Record, ...]]
    rows: NDArray[np.int64]
    distances: NDArray[np.uint16]
    span: range

    def has_any_within(self, doubt: int) -> bool:
        """Return whether a record is at most `doubt` bits beyond its radius."""
        return any(
            int(self.distances[hit])
            <= self.criteria.radius(self.list, record.state, self.kind) + doubt
            for hit in self.span
            for record in self.holders[int(self.rows[hit])]
        )

    def __iter__(self) -> Iterator[Match]:
        criteria, kind = self.criteria, self.kind
        # InputHits clears this once the hits of all kinds are known.
        uncorroborated = criteria.is_weak(kind)
        shadow = criteria.is_shadow(self.list)
        for hit in self.span:
            distance = int(self.distances[hit])
            for record in self.holders[int(self.rows[hit])]:
                radius = criteria.radius(self.list, record.state, kind)
                if distance <= radius and criteria.is_record_usable(record, kind):
                    yield make_match(
                        self.list,
                        record,
                        self.located,
                        distance=distance,
                        radius=radius,
                        uncorroborated=uncorroborated,
                        shadow=shadow,
                    )


def make_match(
    list_name: str,
    record: Record,
    located: LocatedHash,
    *,
    distance: int | None,
    radius: int | None,
    shadow: bool,
    uncorroborated: bool = False,
    evidence: float | None = None,
    threshold: int | None = None,
    view: str | None = None,
) -> Match:
    """Return the Match of a record and a hash."""
    match = object.__new__(Match)
    # A third of the time of `Match(…)`. A hash may have a hundred thousand records.
    match.__dict__.update(
        list=list_name,
        source=record.source,
        entry=record.entry,
        state=str(record.state),
        kind=located.hash.kind.name,
        distance=distance,
        radius=radius,
        orientation=located.orientation,
        region=located.region,
        part=located.part,
        part_kind=located.part_kind,
        time=located.time,
        category=record.categories,
        source_state=None if record.said is None else str(record.said),
        opinions=record.opinions,
        video=None,
        uncorroborated=uncorroborated,
        evidence=evidence,
        threshold=threshold,
        view=view,
        shadow=shadow,
        box=located.box,
        derived=located.detail is None and located.orientation != "upright",  # not of a file
    )
    return match
