"""The look-up of many inputs' hashes in a list, one batch for each kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from screener.found import Found
from screener.hashed import Hashed
from screener.hashing.hash import HashKind, kind_named
from screener.lists.hashlist import HashList
from screener.lists.records import Record
from screener.located import Located, Turned, groups_of
from screener.policy import Policy
from screener.queries import Queries
from screener.reach import Reach
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
        holders = one.holders(kind.name, rows)
        for query in np.flatnonzero(np.diff(offsets)).tolist():
            number, located = queries.of(int(numbers[query]))
            for hit in range(int(offsets[query]), int(offsets[query + 1])):
                for record in holders[hit]:
                    allowed = reach.radius(record.state, kind)
                    if int(distances[hit]) > allowed + doubt:
                        continue
                    if doubt:
                        found[number].unsure = True
                    elif reach.counts(record, kind):
                        match = _match(one, record, kind, int(distances[hit]), allowed, located)
                        found[number].add(match, located)


def _match(
    one: HashList,
    record: Record,
    kind: HashKind,
    distance: int,
    radius: int,
    located: Located,
) -> Match:
    return Match(
        list=one.name,
        source=record.source,
        entry=record.entry,
        state=str(record.state),
        kind=kind.name,
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
    )
