"""The look-up of many inputs' hashes in a list, one batch for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from screener.hashed import Hashed
from screener.hashing.hash import HashKind, kind_named
from screener.lists.hashlist import HashList
from screener.lists.records import Record
from screener.located import Located, Turned, groups_of
from screener.matching.found import Found
from screener.matching.queries import Queries
from screener.matching.reach import Reach
from screener.policy import Policy
from screener.result import Match

Answer = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]


def queries_of(items: Sequence[Hashed], policy: Policy) -> list[Queries]:
    """The hashes of all items that are compared, by kind."""
    found: dict[str, Queries] = {}
    reach = Reach(policy)
    for number, item in enumerate(items):
        for group in groups_of(item.hashes):
            chosen = None
            if isinstance(group, Turned):
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
    kind, reach = queries.kind, Reach(policy)
    for doubt, codes, numbers in queries.batches:
        answer = search(one, kind, codes, min(reach.widest(one, kind) + doubt, kind.bits))
        owners = partial(_owner, queries, numbers)
        for number, hits in hits_of(one, kind, reach, answer, owners):
            if not doubt:
                found[number].add(hits, hits.located)
            elif hits.any_within(doubt):
                found[number].unsure = True


def _owner(queries: Queries, numbers: NDArray[np.int64], query: int) -> tuple[int, Located]:
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
    reach: Reach,
    answer: Answer,
    owner: Callable[[int], tuple[int, Located]],
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
    reach: Reach
    located: Located
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
            said=None if record.said is None else str(record.said),
            opinions=record.opinions,
            # Found clears it, once the hits of all kinds are known.
            uncorroborated=self.reach.weak(self.kind),
        )
