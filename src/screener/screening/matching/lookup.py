"""Look-up of many inputs' hashes in a list, one batch for each kind."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Batch(NamedTuple):
    """Codes (n, size) that are searched at once, each with `doubt` bits in doubt.

    `numbers` are those of the queries.
    """

    doubt: int
    codes: NDArray[np.uint8]
    numbers: Numbers


class Queries:
    """The hashes of one kind: added item by item, then searched as `batches`."""

    def __init__(self, kind: HashKind) -> None:
        self.kind = kind
        self._values: list[bytes] = []
        self._doubts: list[bytes] = []
        self._starts: list[int] = []  # the number of the first query of each group
        self._groups: list[tuple[int, LocatedHash | OrientedHashes, tuple[int, ...] | None]] = []
        self._count = 0

    def add(
        self, item: int, group: LocatedHash | OrientedHashes, chosen: bytes | None = None
    ) -> None:
        """Add the hashes of an item, or of OrientedHashes those with a 1 in `chosen`."""
        which: tuple[int, ...] | None = None
        if isinstance(group, LocatedHash):
            values, doubts = group.hash.value, bytes((group.doubt,))
        elif chosen is None:
            values, doubts = group.values, group.doubts
        else:
            which = tuple(number for number, one in enumerate(chosen) if one)
            size = self.kind.size
            values = b"".join(group.values[size * k : size * (k + 1)] for k in which)
            doubts = bytes(group.doubts[k] for k in which)
        self._starts.append(self._count)
        self._groups.append((item, group, which))
        self._values.append(values)
        self._doubts.append(doubts)
        self._count += len(doubts)

    @cached_property
    def batches(self) -> list[Batch]:
        """One batch for each number of bits in doubt, which widen the search."""
        return list(self._batches())

    def _batches(self) -> Iterator[Batch]:
        codes = np.frombuffer(b"".join(self._values), np.uint8).reshape(-1, self.kind.size)
        doubts = b"".join(self._doubts)
        if not any(doubts):
            yield Batch(0, codes, np.arange(len(codes)))
            return
        column = np.frombuffer(doubts, np.uint8)
        for doubt in sorted(set(doubts)):
            numbers = np.flatnonzero(column == doubt)
            yield Batch(doubt, codes[numbers], numbers)

    def owner(self, number: int) -> tuple[int, LocatedHash]:
        """Return the item and the hash of a query."""
        place = bisect_right(self._starts, number) - 1
        item, group, which = self._groups[place]
        if isinstance(group, LocatedHash):
            return item, group
        place = number - self._starts[place]
        return item, tuple(group.each())[place if which is None else which[place]]


Answer = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]


def queries_of(items: Sequence[HashedInput], policy: Policy) -> list[Queries]:
    """Return the hashes of all items that are compared, by kind."""
    by_kind: dict[str, Queries] = {}
    criteria = Criteria(policy)
    for number, item in enumerate(items):
        for group in list_groups(item.hashes):
            chosen = None
            if isinstance(group, OrientedHashes):
                kind = kind_named(group.kind)
                chosen = group.usable(policy.floor.get(group.kind, 0))
                usable = not policy.digests_only and (chosen is None or any(chosen))
            else:
                kind, usable = group.hash.kind, criteria.is_usable(group)
            if usable and (kind.digest or kind.perceptual):
                queries = by_kind.get(kind.name) or by_kind.setdefault(kind.name, Queries(kind))
                queries.add(number, group, chosen)
    return list(by_kind.values())


def look_up(hash_list: HashList, queries: Queries, hits: list[InputHits], policy: Policy) -> None:
    """Search one list for one kind's hashes of all items; add what they hit to `hits`."""
    kind, criteria = queries.kind, Criteria(policy)
    for doubt, codes, numbers in queries.batches:
        radius = min(criteria.max_radius(hash_list, kind) + doubt, kind.bits)
        answer = search(hash_list, kind, codes, radius)
        owner = partial(_owner, queries, numbers)
        for number, found in hits_of(hash_list, kind, criteria, answer, owner):
            if not doubt:
                hits[number].add(found, found.located)
            elif found.any_within(doubt):
                hits[number].unsure = True


def _owner(queries: Queries, numbers: Numbers, query: int) -> tuple[int, LocatedHash]:
    return queries.owner(int(numbers[query]))


def search(
    hash_list: HashList, kind: HashKind, codes: NDArray[np.uint8], radius: int, threads: int = 1
) -> Answer:
    """Search a list for codes of a kind; return offsets, rows and distances, 0 for digests."""
    if not kind.digest:
        return hash_list.search(kind.name, codes, radius=radius, threads=threads)
    offsets, rows = hash_list.lookup(kind.name, codes)
    return offsets, rows, np.zeros(len(rows), np.uint16)


def hits_of(
    hash_list: HashList,
    kind: HashKind,
    criteria: Criteria,
    answer: Answer,
    owner: Callable[[int], tuple[int, LocatedHash]],
) -> Iterator[tuple[int, HashHits]]:
    """Yield the hits of each query that has any, with the number of its item.

    `owner` returns that number and the hash of a query.
    """
    offsets, rows, distances = answer
    if not len(rows):
        return
    distinct = rows if len(rows) == 1 else np.unique(rows)
    holders = dict(zip(distinct.tolist(), hash_list.holders(kind.name, distinct), strict=True))
    name = hash_list.name
    for query, (start, end) in enumerate(pairwise(offsets.tolist())):
        if start < end:
            number, located = owner(query)
            span = range(start, end)
            yield number, HashHits(name, kind, criteria, located, holders, rows, distances, span)


@dataclass(slots=True, eq=False)
class HashHits:
    """The hits of one hash of an input in a list; iterating makes a Match for each record.

    Matches are not stored, since a hash may have a hundred thousand records. `rows`, `distances`
    and `holders` (the records of each row) are those of a batch; `span` selects this hash's hits.
    """

    list: str
    kind: HashKind
    criteria: Criteria
    located: LocatedHash
    holders: Mapping[int, tuple[Record, ...]]
    rows: NDArray[np.int64]
    distances: NDArray[np.uint16]
    span: range

    def any_within(self, doubt: int) -> bool:
        """Return whether a record is at most `doubt` bits beyond its radius."""
        return any(
            int(self.distances[hit]) <= self.criteria.radius(record.state, self.kind) + doubt
            for hit in self.span
            for record in self.holders[int(self.rows[hit])]
        )

    def __iter__(self) -> Iterator[Match]:
        for hit in self.span:
            distance = int(self.distances[hit])
            for record in self.holders[int(self.rows[hit])]:
                radius = self.criteria.radius(record.state, self.kind)
                if distance <= radius and self.criteria.is_record_usable(record, self.kind):
                    yield self._match(record, distance, radius)

    def _match(self, record: Record, distance: int, radius: int) -> Match:
        located = self.located
        return Match(
            list=self.list,
            source=record.source,
            entry=record.entry,
            state=str(record.state),
            kind=self.kind.name,
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
            # InputHits corrects it once the hits of all kinds are known.
            uncorroborated=self.criteria.is_weak(self.kind),
        )
