"""Merge the rows of one file for the same entry.

The latest row counts. Rows without a time, and rows of the same time, are united.
"""

from __future__ import annotations

from collections.abc import Sequence

from screener.lists import terms
from screener.lists.states import State
from screener.lists.store.records import Row, unite_rows
from screener.lists.times import is_untimed, parse_past_time


def merge_rows(stored: Row | None, rows: Sequence[Row], *, all_count: bool = False) -> Row:
    """Return an entry's new row, from its stored row and rows that are not older.

    A row of a later time replaces the rows before it; an earlier row is ignored.

    `all_count`: unite all rows, regardless of their times.
    """
    if all_count:
        return _replace(stored, rows)
    latest_s: float | None = None
    latest_rows: list[Row] = []
    for row in rows:
        time_s = None if row.updated is None else parse_past_time(row.updated)
        if time_s is not None and latest_s is not None:
            if time_s < latest_s:
                continue
            if time_s > latest_s:
                stored = _replace(stored, latest_rows)
                latest_rows = [latest for latest in latest_rows if is_untimed(latest.updated)]
        latest_s = latest_s if time_s is None else time_s
        latest_rows.append(row)
    return _replace(stored, latest_rows)


def _replace(stored: Row | None, rows: Sequence[Row]) -> Row:
    """Return the united rows as the replacement of the stored row.

    If a hash of some kind is unreadable, the stored hashes of that kind stay. Labels that bind the
    entry stay until a row has another one: a file without such a column does not revoke them.
    """
    row = unite_rows(*rows) if len(rows) > 1 else rows[0]
    if stored is None:
        return row
    if row.damaged and stored.state is not State.WITHDRAWN:
        stored_hashes = [hash_ for hash_ in stored.hashes if hash_.kind.name in row.damaged]
        row = row._replace(hashes=(*row.hashes, *stored_hashes))
    carried_fields = terms.find_fields(stored.labels) & ~terms.find_fields(row.labels)
    if carried_fields:
        row = row._replace(
            labels={**row.labels, **terms.select_labels(stored.labels, carried_fields)}
        )
    return row
