"""Judge which values of a source are placeholders, at each import."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from screener.lists.store import repeated_values
from screener.lists.store.stored_rows import StoredHash


class Judge:
    """The placeholders of one source, and the values that one import adds and removes."""

    def __init__(self, connection: sqlite3.Connection, source: str, *, is_own: bool) -> None:
        """`is_own`: release the placeholders, since a program added each on purpose."""
        self._is_own = is_own
        self._connection = connection
        self._source = source
        self._judged = repeated_values.read_judgements(connection)
        # Values of `_judged` in this file, and whether this source repeats them.
        self._repeats: dict[repeated_values.Value, bool] = {}
        self._ended_values: set[repeated_values.Value] = set()  # values of ended versions

    def judge(
        self, kind: str, value: bytes, quality: int | None, why_not: str | None
    ) -> str | None:
        """Return why a hash is not compared, after earlier judgements of its value."""
        if (kind, value) not in self._judged:
            return why_not
        if self._judged[kind, value] is None:
            return None
        if (kind, value) not in self._repeats:
            self._repeats[kind, value] = repeated_values.is_placeholder(
                self._connection, self._source, (kind, value)
            )
        return repeated_values.REPEATED if self._repeats[kind, value] else why_not

    def end(self, hashes: Sequence[StoredHash]) -> None:
        """Note the hashes of a version that ends."""
        self._ended_values.update(
            (hash_.kind, hash_.value)
            for hash_ in hashes
            if hash_.why_not == repeated_values.REPEATED
        )

    def finish(self, number: int) -> int:
        """Judge the added and removed values; return the number of placeholders among the added.

        `number`: the new generation, whose shared values are noted.
        """
        new_values = {
            *repeated_values.find_new_placeholders(self._connection, self._source),
            *self._repeats,
        }
        if self._is_own:
            repeated_values.release(self._connection, number, sorted(new_values))
            new_values = set()
        placeholders = repeated_values.judge(
            self._connection, number, self._source, sorted(new_values | self._ended_values)
        )
        return len(new_values.intersection(placeholders))
