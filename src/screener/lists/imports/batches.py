"""Batches: the rows of a file, so many at a time that what is held of them has a bound."""

from __future__ import annotations

from collections.abc import Iterator

from screener.lists.formats import Reader
from screener.lists.records import BadRow, Row

_BATCH = 5_000  # entries of which rows are held at once
_HELD = 16 << 20  # bytes of hashes and characters of labels held at once; a TMK has 263 thousand
_ROW = 256  # what a row counts for among them, whatever it has


def batches(reader: Reader) -> Iterator[list[Row | BadRow]]:
    """The rows, as many at a time as have so many entries or so many bytes: the further rows of an
    entry come together, since each batch of them writes all anew that the file said of it before.
    """
    batch: list[Row | BadRow] = []
    entries: set[str | int] = set()  # a row without an id is an entry of its own
    held = 0
    for found in reader:
        batch.append(found)
        held += _ROW
        row = found if isinstance(found, Row) else found.row
        entries.add(len(batch) if row is None or row.entry is None else row.entry)
        if row is not None:
            for item in row.hashes:
                held += len(item.value)
            if row.labels:
                held += sum(map(len, row.labels.values()))
        if len(entries) == _BATCH or held > _HELD:
            yield batch
            batch, entries, held = [], set(), 0
    if batch:
        yield batch
