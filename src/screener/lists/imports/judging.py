"""Judging: whether the hashes that an import brings are compared, by what is known of values.

What a source repeats over many files is found out when all of its rows are in; what was found or
released before is known from the first row on, which spares marking many records one by one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

from screener.hashing.hash import Hash
from screener.lists import placeholders
from screener.lists.searchable import Changes
from screener.lists.stored_rows import Version


class Judging:
    """The values of one source, as one import brings and takes them."""

    def __init__(
        self, connection: sqlite3.Connection, source: str, settle: Callable[[], None]
    ) -> None:
        """`settle` waits until all that was taken is in the database."""
        self._connection = connection
        self._source = source
        self._settle = settle
        self._judged = placeholders.judged(connection)
        self._repeats: dict[placeholders.Value, bool] = {}  # of `_judged`: what this source does
        self._left: set[placeholders.Value] = set()  # that versions which this import ended held
        self._seen = placeholders.Seen()

    def judge(self, version: Version) -> Version:
        """A version, with why its hashes are not compared by what was found or decided before."""
        if not self._judged:
            return version
        why_not = list(version.why_not)
        for place, item in enumerate(version.hashes):
            value = item.kind.name, item.value
            if value not in self._judged:
                continue
            if self._judged[value] is None:
                why_not[place] = None
            elif self._repeated(value):
                why_not[place] = placeholders.REPEATED
        return version._replace(why_not=tuple(why_not))

    def _repeated(self, value: placeholders.Value) -> bool:
        """Whether the source repeated a value before this import came to it."""
        if value not in self._repeats:
            self._settle()
            self._repeats[value] = placeholders.is_placeholder(
                self._connection, self._source, value
            )
        return self._repeats[value]

    def see(self, hashes: tuple[Hash, ...]) -> None:
        """Note the hashes of a new version."""
        self._seen.add(hashes)

    def leave(self, stored: Sequence[tuple[str, bytes, str | None]]) -> None:
        """Note the hashes of a version that ends: kind, value and why it was not compared."""
        for kind, value, why_not in stored:
            if why_not == placeholders.REPEATED:
                self._left.add((kind, value))

    def finish(self, number: int, changes: Changes, states: Mapping[str, int]) -> int:
        """Judge anew what the import brought and took; how many values that it brought stand for
        nothing. `states` are how many records are in each.
        """
        shared = self._seen.shared(self._connection, self._source, states)
        held = {*shared, *self._repeats}
        found = placeholders.judge(
            self._connection, number, changes, self._source, sorted(held | self._left)
        )
        return len(held.intersection(found))
