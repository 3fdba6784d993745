"""Joining: what a row of a file makes of what is held of its entry.

It stands in its place, or beside it; either way some of what was held may stay.
"""

from __future__ import annotations

import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Mapping, Sequence

from screener.hashing.hash import Hash
from screener.lists import terms
from screener.lists.importing.stored import Met, Stored
from screener.lists.states import State
from screener.lists.store import repeated_values
from screener.lists.store.records import Row, united
from screener.lists.store.searchable_values import Changes
from screener.lists.store.stored_rows import Version, stored_labels, stored_row, version_of


class Judging:
    """The values of one source, as one import brings and takes them."""

    def __init__(
        self, connection: sqlite3.Connection, source: str, settle: Callable[[], None]
    ) -> None:
        """`settle` waits until all that was taken is in the database."""
        self._connection = connection
        self._source = source
        self._settle = settle
        self._judged = repeated_values.judged(connection)
        self._repeats: dict[repeated_values.Value, bool] = {}  # of `_judged`: what this source does
        self._left: set[repeated_values.Value] = set()  # that versions which this import ended held
        self._seen = repeated_values.Seen()

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
                why_not[place] = repeated_values.REPEATED
        return version._replace(why_not=tuple(why_not))

    def _repeated(self, value: repeated_values.Value) -> bool:
        """Whether the source repeated a value before this import came to it."""
        if value not in self._repeats:
            self._settle()
            self._repeats[value] = repeated_values.is_placeholder(
                self._connection, self._source, value
            )
        return self._repeats[value]

    def see(self, hashes: tuple[Hash, ...]) -> None:
        """Note the hashes of a new version."""
        self._seen.add(hashes)

    def leave(self, stored: Sequence[tuple[str, bytes, str | None]]) -> None:
        """Note the hashes of a version that ends: kind, value and why it was not compared."""
        for kind, value, why_not in stored:
            if why_not == repeated_values.REPEATED:
                self._left.add((kind, value))

    def finish(self, number: int, changes: Changes, states: Mapping[str, int]) -> int:
        """Judge anew what the import brought and took; how many values that it brought stand for
        nothing. `states` are how many records are in each.
        """
        shared = self._seen.shared(self._connection, self._source, states)
        held = {*shared, *self._repeats}
        found = repeated_values.judge(
            self._connection, number, changes, self._source, sorted(held | self._left)
        )
        return len(held.intersection(found))


class Joining:
    """The rows of one import and what the list holds: 16 bytes for each version that they make in
    the place of another.
    """

    def __init__(self, connection: sqlite3.Connection, met: Met, judging: Judging) -> None:
        """Begin before the first row."""
        self._connection = connection
        self._met = met
        self._judging = judging
        self._fresh, self._bases = array("q"), array("q")  # see `base_of`

    def base(self, fresh: int, base: int) -> None:
        """Note in the place of which version a new one comes."""
        self._fresh.append(fresh)
        self._bases.append(base)

    def base_of(self, record: int) -> int | None:
        """The version in whose place a version of this import came; None where there was none.

        Rows that are united are of one base, so that it does not matter which of them came first.
        """
        place = bisect_left(self._fresh, record)
        found = place < len(self._fresh) and self._fresh[place] == record
        return self._bases[place] if found else None

    def instead(self, have: Stored, row: Row) -> Version:
        """A row in the place of what is held of its entry. Of a kind of which the row has a value
        that cannot be read, the held values stay: they are the best that is known of it. So do the
        labels that bind the entry, of which the row says nothing: what was said is not taken back
        by a file without such a column, nor by a withdrawal.
        """
        if row.damaged:
            kept = self._held_of_kinds(have.record, row.damaged)
            row = row._replace(hashes=(*row.hashes, *kept))
        labels = stored_labels(self._connection, have.record)
        carried = terms.fields_said(labels) & ~terms.fields_said(row.labels)
        if carried:
            row = row._replace(labels={**row.labels, **terms.of_fields(labels, carried)})
        return self._judging.judge(version_of(row))._replace(carried=carried)

    def beside(self, have: Stored, row: Row) -> Version:
        """What the file said of an entry before, and a further row on it. Of a kind of which the
        row has a value that cannot be read, what was held before the file said it stays as well.
        """
        base = self.base_of(have.record) if row.damaged else None
        if base is not None:
            kept = self._held_of_kinds(base, row.damaged)
            row = row._replace(hashes=(*row.hashes, *kept))
        return self.united(have, row)

    def said(self, have: Stored) -> Row:
        """What the file said of an entry so far, without the labels that it left to it."""
        held = stored_row(self._connection, have.record)
        left = terms.of_fields(held.labels, self._met.carried(have.record))
        labels = {name: text for name, text in held.labels.items() if name not in left}
        return held._replace(labels=labels)

    def united(self, have: Stored, row: Row) -> Version:
        """What is held of an entry and a row on it, together. Labels that this import left to it
        make way for what the row says of the same.
        """
        held, carried = stored_row(self._connection, have.record), self._met.carried(have.record)
        if carried:
            said = terms.fields_said(row.labels)
            away = terms.of_fields(held.labels, carried & said)
            labels = {name: text for name, text in held.labels.items() if name not in away}
            held, carried = held._replace(labels=labels), carried & ~said
        return self._judging.judge(version_of(united(held, row)))._replace(carried=carried)

    def _held_of_kinds(self, record: int, kinds: Container[str]) -> list[Hash]:
        """The hashes of some kinds in a version that does not withdraw its entry."""
        held = stored_row(self._connection, record)
        if held.state is State.WITHDRAWN:
            return []
        return [item for item in held.hashes if item.kind.name in kinds]
