"""Records: what one source said of one item; and rows, by which a file says so."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import field as field_of  # where a class has a `field` of its own
from functools import lru_cache, reduce
from itertools import chain
from operator import lt
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from screener.arguments import integer_within
from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.states import Opinion, State
from screener.lists.store.column_checks import pairs_of, texts_of
from screener.lists.store.database import ended_since, of_generation
from screener.lists.times import find_later, is_untimed

_ORDER = {name: place for place, name in enumerate(KINDS)}
EMPTY_INPUT = {name: hashlib.new(name).digest() for name in ("md5", "sha1", "sha256")}
LOW_INFORMATION = "low information"  # why a hash of blank pictures is not compared
# What `record_of` makes a record of, of a version that is named `r`.
COLUMNS = (
    "r.source, r.entry, r.state, r.said, r.categories, r.labels, r.updated, r.since,"
    " EXISTS (SELECT 1 FROM opinions o WHERE o.source = r.source AND o.entry = r.entry)"
)

_Said = TypeVar("_Said")


@dataclass(frozen=True, slots=True)
class Category:
    """A category and the scheme that it belongs to; categories of two schemes do not compare."""

    scheme: str
    code: str


@dataclass(frozen=True)
class Record:
    """What one source said of one item, as a hit on one of its hashes shows it.

    `labels` are the columns of the source that have no meaning here, unchanged. `updated` is the
    source's own time, as it wrote it. `quality` (0–100) is that of the hash that was hit, None if
    the source recorded none. `generation` is the one that brought this version. `state` is the one
    in effect; `opinions` are our own, and where there are any, `said` is the state by the source
    alone.
    """

    source: str
    entry: str
    state: State
    categories: tuple[Category, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    updated: str | None = None
    quality: int | None = None
    generation: int = 0
    said: State | None = None
    opinions: tuple[Opinion, ...] = ()


class Row(NamedTuple):
    """What one row of a file says; `entry` is None if the file names none. `damaged` are the
    kinds of which it has a value that cannot be read, which is set aside by itself.
    """

    line: int
    entry: str | None
    state: State
    hashes: tuple[Hash, ...]
    categories: tuple[Category, ...] = ()
    labels: Mapping[str, str] = MappingProxyType({})
    updated: str | None = None
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was set aside: where it starts, which field, and why; its text never says more.

    `row` is what can be read of it, where that is of use by itself: it is kept with the list, and
    taken in when somebody releases it.
    """

    line: int
    field: str | None
    reason: str
    row: Row | None = field_of(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        """Return the trouble, in words."""
        return self.reason if self.field is None else f"{self.field}: {self.reason}"


def derived_entry(hashes: Iterable[Hash]) -> str:
    """Return the entry id of a row that names none: the same for the same hashes, and not a hash.

    It does not depend on the order of the columns, so that a file may be imported again.
    """
    digest = hashlib.sha256()
    for item in distinct(tuple(hashes)):
        digest.update(item.kind.name.encode() + b"\0" + item.value)
    return "row-" + digest.hexdigest()[:16]


def of_empty_input(item: Hash) -> bool:
    """Return whether a digest is that of no bytes at all, which says nothing of any picture."""
    return EMPTY_INPUT.get(item.kind.name) == item.value


def why_not_searchable(item: Hash) -> str | None:
    """Return why a hash is kept but never compared; None if it is compared.

    A perceptual hash with fewer than one bit in sixteen set, or unset, is that of a blank picture
    and would meet innocent files; a video is compared if one of its frames can be. Quality of
    pictures is not judged here: the policy's floor is.
    """
    kind = item.kind
    if kind.video:
        return None if item.codes else LOW_INFORMATION
    if not kind.perceptual:
        return None if kind.digest else "opaque"
    weight = int.from_bytes(item.value).bit_count()
    least = fewest_bits(kind)
    return None if least <= weight <= kind.bits - least else LOW_INFORMATION


def fewest_bits(kind: HashKind) -> int:
    """Return how many bits of a hash must be set, and as many unset, for it to be compared."""
    return kind.bits // 16 if kind.perceptual else 0


def united(*rows: Row) -> Row:
    """Rows of one file on the same entry as one: nothing that any of them says is lost.

    The state that weighs most counts: see `_WEIGHT`. A label with different values keeps them all,
    one a line. The latest `updated` stands, but that of a withdrawal is its own.
    """
    withdrawals = [row for row in rows if row.state is State.WITHDRAWN]
    times = dict.fromkeys(row.updated for row in rows)
    return rows[0]._replace(
        state=max((row.state for row in rows), key=_WEIGHT.index),
        hashes=tuple(chain.from_iterable(row.hashes for row in rows)),
        categories=_each_once(row.categories for row in rows),
        labels=united_labels(row.labels for row in rows),
        updated=_withdrawn_at(withdrawals) if withdrawals else reduce(find_later, times),
        damaged=_each_once(row.damaged for row in rows),
    )


def united_labels(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the labels of rows as those of one: see `united`."""
    lines: dict[str, list[str]] = {}
    known: dict[str, set[str]] = {}
    for labels in several:
        for name, value in labels.items():
            # Line by line, since each may have several already.
            said = value.split("\n")
            have = lines.get(name)
            if have is None or have == [""]:
                lines[name], known[name] = said, set(said)
            else:
                have += [line for line in said if line not in known[name]]
                known[name].update(said)
    return {name: "\n".join(of_label) for name, of_label in lines.items()}


def _withdrawn_at(withdrawals: Iterable[Row]) -> str | None:
    """Return the time of the latest of some withdrawals: of one without a time, if there is one,
    since it counts as of its import.
    """
    times = [row.updated for row in withdrawals]
    without = list(filter(is_untimed, times))
    return max(without, key=lambda said: said or "") if without else reduce(find_later, times)


def _each_once(several: Iterable[tuple[_Said, ...]]) -> tuple[_Said, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(several)))


# What a source says of one entry in several rows of a file: the state that weighs most counts. A
# withdrawal is honoured whatever else is said; a state that makes no match never outweighs, nor
# two of them together make, one that does.
_WEIGHT = (State.KNOWN_GOOD, State.SEED, State.CONFIRMED, State.DISPUTED, State.WITHDRAWN)


def _usability(item: Hash) -> int:
    return 101 if item.quality is None else item.quality


def distinct(hashes: tuple[Hash, ...]) -> tuple[Hash, ...]:
    """Return each hash once, by kind and value: without a quality, which is always compared, if
    one of them is, or else with the best quality.
    """
    places = [_ORDER[item.kind.name] for item in hashes]
    if all(map(lt, places, places[1:])):  # one of each kind, in order: as most rows are
        return hashes
    distinct: dict[tuple[int, bytes], Hash] = {}
    for item in hashes:
        key = _ORDER[item.kind.name], item.value
        have = distinct.get(key)
        if have is None or _usability(item) > _usability(have):
            distinct[key] = item
    return tuple(distinct[key] for key in sorted(distinct))


def has_records(connection: sqlite3.Connection, source: str) -> bool:
    """Return whether the newest generation has a record of a source, withdrawn or not."""
    held = "SELECT 1 FROM records WHERE source = ? AND until IS NULL LIMIT 1"
    return connection.execute(held, (source,)).fetchone() is not None


def of_entry(
    connection: sqlite3.Connection, entry: str, source: str | None, generation: int
) -> list[int]:
    """Return the numbers of the records of an entry in a generation: that of a source, or those of
    all, by source. ListError if there is none.

    Those of the newest generation have an index by source and entry, so each source is asked for
    the entry; beside them there is what ended since, if that generation is an older one.
    """
    rows = connection.execute(
        "WITH RECURSIVE sources(source) AS ("
        " SELECT min(source) FROM records WHERE until IS NULL UNION ALL"
        " SELECT (SELECT min(r.source) FROM records r WHERE r.until IS NULL"
        " AND r.source > s.source) FROM sources s WHERE s.source IS NOT NULL)"
        " SELECT r.id, r.source FROM sources s CROSS JOIN records r ON r.source = s.source"
        " AND r.entry = :entry AND r.until IS NULL AND r.since <= :generation"
        " UNION ALL SELECT r.id, r.source FROM records r"
        f" WHERE {ended_since(generation)} AND r.since <= :generation AND r.entry = :entry"
        " ORDER BY 2",
        {"entry": entry, "generation": generation},
    )
    found = [record for record, of in rows if source in (None, of)]
    if not found:
        raise ListError(f"the list has no entry {entry!r}" + (f" of {source}" if source else ""))
    return found


def opinions_at(
    connection: sqlite3.Connection, generation: int
) -> dict[tuple[str, str], tuple[Opinion, ...]]:
    """Return all our own opinions in a generation, by source and entry, oldest first."""
    found: dict[tuple[str, str], tuple[Opinion, ...]] = {}
    for source, entry, *facts in connection.execute(
        f"SELECT source, entry, {_OPINION} FROM opinions o"
        f" WHERE {of_generation(generation, 'o')} ORDER BY id"
    ):
        found[source, entry] = (*found.get((source, entry), ()), _opinion(*facts))
    return found


def opinions_of(
    connection: sqlite3.Connection, generation: int, source: str, entry: str
) -> tuple[Opinion, ...]:
    """Our own opinions of an entry in a generation, oldest first."""
    found = connection.execute(
        f"SELECT {_OPINION} FROM opinions o WHERE source = ? AND entry = ?"
        f" AND {of_generation(generation, 'o')} ORDER BY id",
        (source, entry),
    )
    return tuple([_opinion(*facts) for facts in found])


_OPINION = "who, state, reason, time"


def _opinion(who: str, state: str, reason: str, time: float) -> Opinion:
    return Opinion(who, State(state), reason, time)


@lru_cache(maxsize=1024)
def categories_of(text: str) -> tuple[Category, ...]:
    """Return the categories in the form that is stored."""
    return tuple(Category(scheme, code) for scheme, code in pairs_of(text))


def record_of(
    connection: sqlite3.Connection,
    facts: Sequence[Any],
    generation: int,
    *,
    quality: int | None = None,
) -> Record:
    """Return the record that a row of the database with `COLUMNS` is of, with our opinions of it
    in a generation.
    """
    source, entry, state, said, categories, labels, updated, since, judged = facts
    # A quality below all floors, say, would have it pass unseen.
    if quality is not None and integer_within(quality, 0, 100) is None:
        raise ValueError("no quality")
    if not (type(source) is type(entry) is str and type(updated) in (str, type(None))):
        raise TypeError("no text")
    opinions = opinions_of(connection, generation, source, entry) if judged else ()
    return Record(
        source, entry, State(state), categories_of(categories), texts_of(labels), updated,
        quality, since, State(said) if opinions else None, opinions,
    )  # fmt: skip
