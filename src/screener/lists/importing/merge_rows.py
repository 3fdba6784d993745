"""Merging: what the rows of one file make of an entry.

The latest row counts. Rows without a time, and rows of one time, are united.
"""

from __future__ import annotations

from collections.abc import Sequence

from screener.lists import terms
from screener.lists.states import State
from screener.lists.store.records import Row, united
from screener.lists.times import is_untimed, parse_past_time


def merged(stored: Row | None, rows: Sequence[Row], *, all_count: bool = False) -> Row:
    """Return the row that an entry is stored as, from what is stored and rows not older than that.

    A row of a later time replaces those before it, as in a file of its own; an earlier one is
    left. `all_count`: the rows are united whatever their times.
    """
    if all_count:
        return _replacing(stored, rows)
    latest: float | None = None
    standing: list[Row] = []
    for row in rows:
        when = None if row.updated is None else parse_past_time(row.updated)
        if when is not None and latest is not None:
            if when < latest:
                continue
            if when > latest:
                stored = _replacing(stored, standing)
                standing = [one for one in standing if is_untimed(one.updated)]
        latest = latest if when is None else when
        standing.append(row)
    return _replacing(stored, standing)


def _replacing(stored: Row | None, rows: Sequence[Row]) -> Row:
    """Return rows as one that replaces what is stored.

    If a value of some kind is unreadable, the stored values of that kind stay. Labels that bind
    the entry stay until a row has another: no file without such a column takes them back.
    """
    row = united(*rows) if len(rows) > 1 else rows[0]
    if stored is None:
        return row
    if row.damaged and stored.state is not State.WITHDRAWN:
        left = [item for item in stored.hashes if item.kind.name in row.damaged]
        row = row._replace(hashes=(*row.hashes, *left))
    carried = terms.find_fields(stored.labels) & ~terms.find_fields(row.labels)
    if carried:
        row = row._replace(labels={**row.labels, **terms.select_labels(stored.labels, carried)})
    return row
