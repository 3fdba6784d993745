"""Late: rows that an import had set aside, taken in when somebody releases them."""

from __future__ import annotations

from collections.abc import Mapping

from screener.lists import terms
from screener.lists.imports.stored import COLUMNS, Stored
from screener.lists.imports.versions import Versions
from screener.lists.records import Row, united_labels
from screener.lists.states import State
from screener.lists.stored_rows import Version, stored_labels, stored_row, version_of
from screener.lists.times import order


class LateVersions(Versions):
    """The records of a source, as rows change them that an earlier import had set aside."""

    def take_late(self, entries: Mapping[str, Row], *, absent_from: int | None) -> None:
        """Take rows that this import had set aside, as it would have taken them.

        From version `absent_from` on, those of the import withdraw what it did not name: no word
        against a row that would have named it. None: it withdrew nothing by its silence.
        """
        stored = self._lookup(list(entries))
        for entry, have in stored.items():
            before = self._before_absence(entry, have, absent_from)
            row = entries[entry]
            if before is not have:
                row = self._held_to(have, before, row)
            version = self._late(before, row)
            if version.fingerprint != have.fingerprint:
                self.counts["changed"] += 1
                self._replace(entry, have, version)
        try:
            self._pending.flush()
            self.take({entry: row for entry, row in entries.items() if entry not in stored})
        finally:
            self.settle()

    def _before_absence(self, entry: str, have: Stored, absent_from: int | None) -> Stored:
        """What was held of an entry before this import withdrew it by not naming it, if it did."""
        own = absent_from is not None and have.import_id == self._import
        if not own or have.said != State.WITHDRAWN or have.record < (absent_from or 0):
            return have
        # Not what ended when `have` came, which a rollback may have taken up again since.
        _, withdrew = self._ages.imported(self._import)
        before = self._connection.execute(
            f"SELECT {COLUMNS} FROM records"
            " WHERE source = ? AND entry = ? AND until = ? AND since < until",
            (self._source, entry, withdrew),
        ).fetchone()
        return have if before is None or have.updated is not None else Stored(*before[1:])

    def _held_to(self, have: Stored, before: Stored, row: Row) -> Row:
        """A row, held to what its entry is held to by now, where a rollback made that less than it
        was `before`.
        """
        bound, was = (
            terms.of_fields(stored_labels(self._connection, one.record), terms.ALL)
            for one in (have, before)
        )
        return row if bound == was else row._replace(labels=united_labels([row.labels, bound]))

    def _late(self, have: Stored, row: Row) -> Version:
        """What becomes of an entry by a row that comes in late: that it is of a later time, or of a
        later import, or else of the same, and no more than the first of these that is known.
        """
        if self._ages.outdated(have, row):
            held = stored_row(self._connection, have.record)
            return self._judging.judge(version_of(held))
        way = order(row.updated, have.updated)
        if way == 1 or (way is None and have.import_id != self._import):
            return self._joining.instead(have, row)
        return self._joining.united(have, row)
