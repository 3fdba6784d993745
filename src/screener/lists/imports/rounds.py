"""Rounds: the order in which the rows of a file on one entry count."""

from __future__ import annotations

from collections.abc import Iterable

from screener.lists.records import Row, derived_entry, united
from screener.lists.states import State
from screener.lists.times import same


def rounds(rows: Iterable[Row]) -> list[dict[str, Row]]:
    """Rows by entry, so that storing one round after the other is to store them one by one.

    Rows of an entry that follow each other, say so at one time and either all withdraw or none
    does, are united; any other further row of an entry is of a later round.
    """
    first: dict[str, Row] = {}
    found = [first]
    last: dict[str, int] = {}  # the last round that has an entry, where it is not the first
    further: dict[tuple[int, str], list[Row]] = {}  # of a round and an entry, united at the end
    for row in rows:
        entry = row.entry or derived_entry(row.hashes)
        if entry not in first:
            first[entry] = row
            continue
        at = last.get(entry, 0)
        have = found[at][entry]
        if _beside(have, row):
            further.setdefault((at, entry), []).append(row)
            continue
        last[entry] = at + 1
        if len(found) == at + 1:
            found.append({})
        found[at + 1][entry] = row
    for (at, entry), others in further.items():
        found[at][entry] = united(found[at][entry], *others)
    return found


def _beside(first: Row, second: Row) -> bool:
    """Whether two rows of an entry say what they say at one time, and both of a live one or both
    of a withdrawn one.
    """
    alike = (first.state is State.WITHDRAWN) == (second.state is State.WITHDRAWN)
    return alike and same(first.updated, second.updated)
