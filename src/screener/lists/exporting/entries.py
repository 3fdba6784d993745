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
from screener.lists.store.column_checks import texts_of
from screener.lists.store.database import in_order
from screener.lists.store.records import categories_of
from screener.lists.terms import Terms

_NO_MORE: tuple[int, Iterator[Any]] = (0, iter(()))  # no record has that number


class Entries:
    """The records of a generation that may go to an audience; can be iterated repeatedly.

    In a file of several sources an entry is named `source/entry`, since ids are unique only within
    a source; a slash in a source's name becomes `%2F`.

    Counts of the last pass: `withheld` has the records that their own labels withhold, by source
    and reason; `passed` the number yielded, `matching` how many of those are confirmed or disputed;
    `narrowest` the terms that satisfy all yielded records, by source.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        generation: int,
        sources: Mapping[str, Terms],
        audience: str,
    ) -> None:
        """Prepare the records of `sources`, which map to their terms; nothing is read yet."""
        self._connection = connection
        self._generation = generation
        self._sources = sources
        self._audience = audience
        self._reset_counts()
        times = connection.execute("SELECT number, time FROM generations")
        self._times: dict[int, float] = dict(times.fetchall())

    def __iter__(self) -> Iterator[Entry]:
        """Yield entries in the order of their import, with one at a time in memory."""
        self._reset_counts()
        hashes = groupby(
            self._query("h.record, h.kind, h.value, h.quality, h.why_not", "CROSS JOIN hashes h"
                      " ON h.record = r.id"), key=itemgetter(0)
        )  # fmt: skip
        record_of_rows, rows = next(hashes, _NO_MORE)
        for record, source, entry, state, categories, text, updated, since in self._query(
            "r.id, r.source, r.entry, r.state, r.categories, r.labels, r.updated, r.since"
        ):
            listed: tuple[Listed, ...] = ()
            if record_of_rows == record:
                listed = tuple(Listed(Hash(KINDS[k], v, q), why) for _, k, v, q, why in rows)
                record_of_rows, rows = next(hashes, _NO_MORE)
            labels = texts_of(text)
            if not self._passes(source, labels):
                continue
            made = Entry(
                source,
                entry if len(self._sources) == 1 else f"{_escaped(source)}/{entry}",
                State(state),
                listed,
                categories_of(categories),
                labels,
                updated,
                self._times[since],
            )
            self.matching += made.matching
            yield made

    def _query(self, columns: str, joined: str = "") -> sqlite3.Cursor:
        """Query the records in order, or rows joined to them.

        Hashes are queried separately; a join would repeat the labels of a record for each.
        """
        return self._connection.execute(
            f"SELECT {columns} FROM records r {joined} WHERE {in_order(self._generation)}"
            f" AND r.source IN ({', '.join('?' * len(self._sources))}) ORDER BY r.id",
            tuple(self._sources),
        )

    def _reset_counts(self) -> None:
        self.withheld: Counter[tuple[str, str]] = Counter()
        self.passed = self.matching = 0
        self.narrowest = dict(self._sources)

    def _passes(self, source: str, labels: Mapping[str, str]) -> bool:
        """Return whether a record's own labels let it go to the audience, and count it."""
        own_terms = terms.parse_labels(labels)
        if own_terms is not None:
            why_not = terms.narrow(self._sources[source], own_terms).why_not(self._audience)
            if why_not is not None:
                self.withheld[source, why_not] += 1
                return False
            self.narrowest[source] = terms.narrow(self.narrowest[source], own_terms)
        self.passed += 1
        return True


def _escaped(source: str) -> str:
    return source.replace("%", "%25").replace("/", "%2F")
