"""The look-up of many inputs' hashes in a list, one batch for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
        if kind.digest:
            offsets, rows = one.lookup(kind.name, codes)
            distances = np.zeros(len(rows), np.uint16)
        else:
            radius = min(reach.widest(one, kind) + doubt, kind.bits)
            offsets, rows, distances = one.search(kind.name, codes, radius=radius)
        if not len(rows):
            continue
        distinct, places = np.unique(rows, return_inverse=True)
        holders = one.holders(kind.name, distinct)
        for query in np.flatnonzero(np.diff(offsets)).tolist():
            number, located = queries.of(int(numbers[query]))
            span = range(int(offsets[query]), int(offsets[query + 1]))
            hits = Hits(one.name, kind, reach, located, holders, places, distances, span)
            if not doubt:
                found[number].add(hits, located)
            elif hits.any_within(doubt):
                found[number].unsure = True


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What one hash of an input reached in a list. Its matches are made whenever they are gone
    through: a hash that a hundred thousand records hold has as many.

    `places` (in `holders`, which are the records of each value) and `distances` are those of all
    hits of a batch, and `span` says which are of this hash.
    """

    list: str
    kind: HashKind
    reach: Reach
    located: Located
    holders: Sequence[tuple[Record, ...]]
    places: NDArray[np.int64]
    distances: NDArray[np.uint16]
    span: range

    def any_within(self, doubt: int) -> bool:
        """Whether a record is no more than so many bits beyond its radius."""
        return any(
            int(self.distances[hit]) <= self.reach.radius(record.state, self.kind) + doubt
            for hit in self.span
            for record in self.holders[self.places[hit]]
        )

    def __iter__(self) -> Iterator[Match]:
        """A Match for each record within its radius whose hash counts."""
        for hit in self.span:
            distance = int(self.distances[hit])
            for record in self.holders[self.places[hit]]:
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
