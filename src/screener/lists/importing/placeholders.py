"""Judge which values of a source are placeholders, at each import."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

from screener.hashing.hash import Hash
from screener.lists.store import repeated_values
from screener.lists.store.columns import Columns
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version


class PlaceholderJudge:
    """The placeholders of one source, and the values that one import adds and removes."""

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self.changed = False  # whether `finish` changed versions
        self._connection = connection
        self._source = source
        self._judged = repeated_values.read_judgements(connection)
        self._by_kind: dict[str, set[bytes]] = defaultdict(set)
        for kind, value in self._judged:
            self._by_kind[kind].add(value)
        # Values of `_judged` in this file, and whether this source repeats them.
        self._repeats: dict[repeated_values.Value, bool] = {}
        self._ended_values: set[repeated_values.Value] = set()  # values of ended versions
        self._seen = repeated_values.SharedValues()

    def find_judged_values(self, kind: str) -> set[bytes]:
        """Return the values of a kind that were released or that some source repeats."""
        return self._by_kind.get(kind, set())

    def judge(self, version: Version) -> Version:
        """Return a version whose hashes are excluded or released by earlier judgements."""
        if not self._judged:
            return version
        why_not = list(version.why_not)
        for index, hash_ in enumerate(version.hashes):
            value = hash_.kind.name, hash_.value
            if value not in self._judged:
                continue
            if self._judged[value] is None:
                why_not[index] = None
            elif self._is_repeated(value):
                why_not[index] = repeated_values.REPEATED
        return version._replace(why_not=tuple(why_not))

    def _is_repeated(self, value: repeated_values.Value) -> bool:
        """Return whether the source repeated a value when the import first read it."""
        if value not in self._repeats:
            self._repeats[value] = repeated_values.is_placeholder(
                self._connection, self._source, value
            )
        return self._repeats[value]

    def add_hashes(self, hashes: tuple[Hash, ...]) -> None:
        """Note the hashes of a new version."""
        self._seen.add(hashes)

    def add_columns(self, columns: Columns) -> None:
        """Note the hashes of new versions."""
        if len(columns.hashes) > 1:
            for column in columns.hashes:
                self._seen.add_values(column.kind.name, column.values)

    def remove_hashes(self, stored: Sequence[tuple[str, bytes, str | None]]) -> None:
        """Note the hashes (kind, value, exclusion) of a version that ends."""
        for kind, value, why_not in stored:
            if why_not == repeated_values.REPEATED:
                self._ended_values.add((kind, value))

    def finish(
        self,
        number: int,
        changes: Changes,
        states: Mapping[str, int],
        shared: Sequence[repeated_values.Value] | None,
    ) -> int:
        """Judge the added and removed values; return the number of placeholders among the added.

        `number`: the new generation.
        `changes`: collects the changes of searchable values.
        `states`: number of records in each state.
        `shared`: the values that several records have, if known.
        """
        repeated = self._seen.find_placeholders(self._connection, self._source, states, shared)
        new_values = {*repeated, *self._repeats}
        values = sorted(new_values | self._ended_values)
        self.changed |= bool(values)
        placeholders = repeated_values.judge(
            self._connection, number, changes, self._source, values
        )
        return len(new_values.intersection(placeholders))
