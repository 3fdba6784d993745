"""The look-up of many inputs' hashes in a list, one batch for each kind."""

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
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, groups_of
from screener.screening.matching.criteria import Criteria
from screener.screening.matching.hits import Found
from screener.screening.policy import Policy
from screener.screening.result import Match

Numbers = NDArray[np.int64]


class Batch(NamedTuple):
    """Codes that are searched at once, (n, size), each with so many bits in doubt; `numbers` are
    those of the queries.
    """

    doubt: int
    codes: NDArray[np.uint8]
    numbers: Numbers


class Queries:
    """Filled item by item; then `batches`, and what each query of them is of."""

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
        """Hashes of the item of a number: all of them, or those of Turned for which there is a 1
        in `chosen`.
        """
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
        """All of them, by how many bits are in doubt, since with those they are searched wider."""
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

    def of(self, number: int) -> tuple[int, LocatedHash]:
        """The item, and the hash, of a query."""
        place = bisect_right(self._starts, number) - 1
        item, group, which = self._groups[place]
        if isinstance(group, LocatedHash):
            return item, group
        place = number - self._starts[place]
        return item, tuple(group.each())[place if which is None else which[place]]


Answer = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]


def queries_of(items: Sequence[HashedInput], policy: Policy) -> list[Queries]:
    """The hashes of all items that are compared, by kind."""
    found: dict[str, Queries] = {}
    reach = Criteria(policy)
    for number, item in enumerate(items):
        for group in groups_of(item.hashes):
            chosen = None
            if isinstance(group, OrientedHashes):
                kind = kind_named(group.kind)
                chosen = group.usable(policy.floor.get(group.kind, 0))
                usable = not policy.digests_only and (chosen is None or any(chosen))
            else:
                kind, usable = group.hash.kind, reach.usable(group)
            if usable and (kind.digest or kind.perceptual):
                queries = found.get(kind.name) or found.setdefault(kind.name, Queries(kind))
                queries.add(number, group, chosen)
    return list(found.values())


def look_up(one: HashList, queries: Queries, found: list[Found], policy: Policy) -> None:
    """Search one list for one kind's hashes of all items, in a batch for each number of bits in
    doubt; add to `found`.
    """
    kind, reach = queries.kind, Criteria(policy)
    for doubt, codes, numbers in queries.batches:
        answer = search(one, kind, codes, min(reach.widest(one, kind) + doubt, kind.bits))
        owners = partial(_owner, queries, numbers)
        for number, hits in hits_of(one, kind, reach, answer, owners):
            if not doubt:
                found[number].add(hits, hits.located)
            elif hits.any_within(doubt):
                found[number].unsure = True


def _owner(queries: Queries, numbers: NDArray[np.int64], query: int) -> tuple[int, LocatedHash]:
    return queries.of(int(numbers[query]))


def search(one: HashList, kind: HashKind, codes: NDArray[np.uint8], radius: int) -> Answer:
    """Search a list for codes of a kind; return offsets, rows and distances, 0 for digests."""
    if not kind.digest:
        return one.search(kind.name, codes, radius=radius)
    offsets, rows = one.lookup(kind.name, codes)
    return offsets, rows, np.zeros(len(rows), np.uint16)


def hits_of(
    one: HashList,
    kind: HashKind,
    reach: Criteria,
    answer: Answer,
    owner: Callable[[int], tuple[int, LocatedHash]],
) -> Iterator[tuple[int, Hits]]:
    """Yield what each query reached that reached anything, with the number of its item.

    `owner` returns that number and the hash of a query. Each value is asked for its holders once.
    """
    offsets, rows, distances = answer
    if not len(rows):
        return
    distinct = rows if len(rows) == 1 else np.unique(rows)
    holders = dict(zip(distinct.tolist(), one.holders(kind.name, distinct), strict=True))
    for query, (start, end) in enumerate(pairwise(offsets.tolist())):
        if start < end:
            number, located = owner(query)
            span = range(start, end)
            yield number, Hits(one.name, kind, reach, located, holders, rows, distances, span)


@dataclass(slots=True, eq=False)
class Hits:
    """What one hash of an input reached in a list. Its matches are made whenever they are gone
    through: a hash that a hundred thousand records hold has as many.

    `rows` (of which `holders` has the records) and `distances` are those of all hits of a batch,
    and `span` says which are of this hash.
    """

    list: str
    kind: HashKind
    reach: Criteria
    located: LocatedHash
    holders: Mapping[int, tuple[Record, ...]]
    rows: NDArray[np.int64]
    distances: NDArray[np.uint16]
    span: range

    def any_within(self, doubt: int) -> bool:
        """Whether a record is no more than so many bits beyond its radius."""
        return any(
            int(self.distances[hit]) <= self.reach.radius(record.state, self.kind) + doubt
            for hit in self.span
            for record in self.holders[int(self.rows[hit])]
        )

    def __iter__(self) -> Iterator[Match]:
        """A Match for each record within its radius whose hash counts."""
        for hit in self.span:
            distance = int(self.distances[hit])
            for record in self.holders[int(self.rows[hit])]:
                allowed = self.reach.radius(record.state, self.kind)
                if distance <= allowed and self.reach.counts(record, self.kind):
                    yield self._match(record, distance, allowed)

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
            # Found clears it, once the hits of all kinds are known.
            uncorroborated=self.reach.weak(self.kind),
        )
