"""The records of a generation that an export may hand out."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from screener.hashing.hash import KINDS, Hash
from screener.lists import terms
from screener.lists.exporting.writers.entry import Entry, Listed
from screener.lists.states import State
from screener.lists.store.column_checks import parse_labels
from screener.lists.store.database import is_in_generation_by_id
from screener.lists.store.records import parse_categories
from screener.lists.terms import Terms

_END: tuple[int, Iterator[Any]] = (0, iter(()))  # 0 is no record id


class Entries:
    """The records of a generation that may go to an audience, for repeated iteration.

    In a file of several sources an entry is named `source/entry`, since ids are unique only within
    a source; a slash in a source's name becomes `%2F`.

    Counts of the last iteration:

    `withheld`: records withheld by their own labels, counted by (source, reason).
    `yielded`: the number of yielded records.
    `matching`: the number of yielded records that are confirmed or disputed.
    `strictest`: the terms that satisfy all yielded records, by source.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        generation: int,
        sources: Mapping[str, Terms],
        audience: str,
    ) -> None:
        """Select the records of `sources`, which map to their terms."""
        self._connection = connection
        self._generation = generation
        self._sources = sources
        self._audience = audience
        self._reset_counts()
        times = connection.execute("SELECT number, time FROM generations")
        self._times: dict[int, float] = dict(times.fetchall())

    def __iter__(self) -> Iterator[Entry]:
        """Yield entries in the order of their import, holding one at a time in memory."""
        self._reset_counts()
        hashes = groupby(
            self._query("h.record, h.kind, h.value, h.quality, h.why_not", "CROSS JOIN hashes h"
                      " ON h.record = r.id"), key=itemgetter(0)
        )  # fmt: skip
        record_of_rows, rows = next(hashes, _END)
        for record, source, entry_id, state, categories, labels_json, updated, since in self._query(
            "r.id, r.source, r.entry, r.state, r.categories, r.labels, r.updated, r.since"
        ):
            listed: tuple[Listed, ...] = ()
            if record_of_rows == record:
                listed = tuple(
                    Listed(Hash(KINDS[kind], value, quality), why_not)
                    for _, kind, value, quality, why_not in rows
                )
                record_of_rows, rows = next(hashes, _END)
            labels = parse_labels(labels_json)
            if not self._admit(source, labels):
                continue
            entry = Entry(
                source,
                entry_id if len(self._sources) == 1 else f"{_escape(source)}/{entry_id}",
                State(state),
                listed,
                parse_categories(categories),
                labels,
                updated,
                self._times[since],
            )
            self.matching += entry.matching
            yield entry

    def _query(self, columns: str, joined: str = "") -> sqlite3.Cursor:
        """Select columns of the records, optionally joined to other rows, ordered by id.

        Hashes need a query of their own; a join would repeat the labels of a record for each.
        """
        return self._connection.execute(
            f"SELECT {columns} FROM records r {joined}"
            f" WHERE {is_in_generation_by_id(self._generation)}"
            f" AND r.source IN ({', '.join('?' * len(self._sources))}) ORDER BY r.id",
            tuple(self._sources),
        )

    def _reset_counts(self) -> None:
        self.withheld: Counter[tuple[str, str]] = Counter()
        self.yielded = self.matching = 0
        self.strictest = dict(self._sources)

    def _admit(self, source: str, labels: Mapping[str, str]) -> bool:
        """Count a record, and return whether its own labels allow it for the audience."""
        own_terms = terms.parse_labels(labels)
        if own_terms is not None:
            why_not = terms.narrow(self._sources[source], own_terms).why_not(self._audience)
            if why_not is not None:
                self.withheld[source, why_not] += 1
                return False
            self.strictest[source] = terms.narrow(self.strictest[source], own_terms)
        self.yielded += 1
        return True


def _escape(source: str) -> str:
    return source.replace("%", "%25").replace("/", "%2F")
