"""Records (the statement of a source about an item) and the rows of files."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import field as field_of  # for a class with an attribute `field`
from functools import lru_cache, reduce
from itertools import chain
from operator import lt
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from screener.arguments import integer_within
from screener.errors import ListError
from screener.hashing.hash import KINDS, Hash, HashKind
from screener.lists.states import Opinion, State
from screener.lists.store.column_checks import parse_labels, parse_pairs
from screener.lists.store.database import has_ended_since, is_in_generation
from screener.lists.times import find_later, is_untimed

_KIND_ORDER = {name: index for index, name in enumerate(KINDS)}
EMPTY_INPUT = {name: hashlib.new(name).digest() for name in ("md5", "sha1", "sha256")}
LOW_INFORMATION = "low information"  # why hashes of blank pictures are not compared
# The columns of a version `r` that `build_record` needs.
RECORD_COLUMNS = (
    "r.source, r.entry, r.state, r.said, r.categories, r.labels, r.updated, r.since,"
    " EXISTS (SELECT 1 FROM opinions o WHERE o.source = r.source AND o.entry = r.entry)"
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Category:
    """A category and the scheme that it belongs to; categories of two schemes do not compare."""

    scheme: str
    code: str


@dataclass(frozen=True)
class Record:
    """The statement of one source about one item.

    `state`: the state in effect.
    `labels`: the source's other columns, unchanged.
    `updated`: the source's own time, as written.
    `quality`: the quality (0–100) of the hash that was hit, or None if the source recorded none.
    `generation`: the generation that added this version.
    `said`: the state that the source states, or None without opinions.
    `opinions`: your own opinions, oldest first.
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


@dataclass(frozen=True)
class NewRecord:
    """A record to add to a list: see `HashList.add`.

    Parameters:
        entry: The source's id of the item.
        hashes: Its hashes; none for a withdrawal.
        state: The state; `withdrawn` withdraws the entry.
        categories: Its categories.
        labels: Further facts, stored unchanged.
        updated: The source's own time in ISO 8601, if it has one.
    """

    entry: str
    hashes: Sequence[Hash] = ()
    state: State | str = State.CONFIRMED
    categories: Sequence[Category] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    updated: str | None = None


class Row(NamedTuple):
    """The statement of one row of a file.

    `entry` is None if the file names none. `damaged` are the kinds with an unreadable value, which
    is quarantined without the rest of the row.
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
    """A quarantined row: its first line, the bad field and the reason, without any values.

    `row` is the readable part, if it is of use. The list stores it, and imports it when it is
    released.
    """

    line: int
    field: str | None
    reason: str
    row: Row | None = field_of(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        """Return the field and the reason."""
        return self.reason if self.field is None else f"{self.field}: {self.reason}"


def derive_entry(hashes: Iterable[Hash]) -> str:
    """Return an entry id, which is not a hash, for a row that names none.

    It is the same for the same hashes in any order, so that a file can be imported again.
    """
    digest = hashlib.sha256()
    for hash_ in remove_duplicates(tuple(hashes)):
        digest.update(hash_.kind.name.encode() + b"\0" + hash_.value)
    return "row-" + digest.hexdigest()[:16]


def is_empty_digest(hash_: Hash) -> bool:
    """Return whether a hash is the digest of no bytes, which identifies no picture."""
    return EMPTY_INPUT.get(hash_.kind.name) == hash_.value


def find_exclusion(hash_: Hash) -> str | None:
    """Return why a hash is stored but never compared, or None if it is compared.

    A perceptual hash with fewer than one bit in sixteen set, or unset, is the hash of a blank
    picture and would match innocent files. A video is compared if one of its frames is. The quality
    of pictures is left to the policy's floor.
    """
    kind = hash_.kind
    if kind.video:
        return None if hash_.codes else LOW_INFORMATION
    if not kind.perceptual:
        return None if kind.digest else "opaque"
    weight = int.from_bytes(hash_.value).bit_count()
    least = get_min_bits(kind)
    return None if least <= weight <= kind.bits - least else LOW_INFORMATION


def get_min_bits(kind: HashKind) -> int:
    """Return the minimum number of set and of unset bits of a compared hash."""
    return kind.bits // 16 if kind.perceptual else 0


def unite_rows(*rows: Row) -> Row:
    """Unite the rows of a file for the same entry into one.

    The state with the largest weight counts: see `_STATES_BY_WEIGHT`. A label has one line per
    distinct value. The latest `updated` counts, but a withdrawal has the time of the withdrawals.
    """
    withdrawals = [row for row in rows if row.state is State.WITHDRAWN]
    times = dict.fromkeys(row.updated for row in rows)
    return rows[0]._replace(
        state=max((row.state for row in rows), key=_STATES_BY_WEIGHT.index),
        hashes=tuple(chain.from_iterable(row.hashes for row in rows)),
        categories=_unite_distinct(row.categories for row in rows),
        labels=unite_labels(row.labels for row in rows),
        updated=_find_withdrawal_time(withdrawals) if withdrawals else reduce(find_later, times),
        damaged=_unite_distinct(row.damaged for row in rows),
    )


def unite_labels(labels_of_rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the united labels of several rows: see `unite_rows`."""
    lines: dict[str, list[str]] = {}
    seen: dict[str, set[str]] = {}
    for labels in labels_of_rows:
        for name, value in labels.items():
            new_lines = value.split("\n")  # the label may be united already
            united_lines = lines.get(name)
            if united_lines is None or united_lines == [""]:
                lines[name], seen[name] = new_lines, set(new_lines)
            else:
                united_lines += [line for line in new_lines if line not in seen[name]]
                seen[name].update(new_lines)
    return {name: "\n".join(united_lines) for name, united_lines in lines.items()}


def _find_withdrawal_time(withdrawals: Iterable[Row]) -> str | None:
    """Return the latest time; a withdrawal without a time is the latest, as of its import."""
    times = [row.updated for row in withdrawals]
    without_time = list(filter(is_untimed, times))
    if without_time:
        return max(without_time, key=lambda text: text or "")
    return reduce(find_later, times)


def _unite_distinct(tuples: Iterable[tuple[_T, ...]]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(tuples)))


# If several rows of a file state different states for an entry, the last of these counts. A
# withdrawal always counts; a state that makes no match never outweighs one that does.
_STATES_BY_WEIGHT = (State.KNOWN_GOOD, State.SEED, State.CONFIRMED, State.DISPUTED, State.WITHDRAWN)


def _rank_quality(hash_: Hash) -> int:
    return 101 if hash_.quality is None else hash_.quality  # without a quality: always compared


def remove_duplicates(hashes: tuple[Hash, ...]) -> tuple[Hash, ...]:
    """Return the hashes sorted and unique by kind and value.

    Of equal hashes, one without a quality is kept, or else the one with the best quality.
    """
    order = [_KIND_ORDER[hash_.kind.name] for hash_ in hashes]
    if all(map(lt, order, order[1:])):  # most rows: one hash per kind, in order
        return hashes
    distinct: dict[tuple[int, bytes], Hash] = {}
    for hash_ in hashes:
        key = _KIND_ORDER[hash_.kind.name], hash_.value
        previous = distinct.get(key)
        if previous is None or _rank_quality(hash_) > _rank_quality(previous):
            distinct[key] = hash_
    return tuple(distinct[key] for key in sorted(distinct))


def has_records(connection: sqlite3.Connection, source: str) -> bool:
    """Return whether the newest generation has a record of a source, withdrawn or not."""
    query = "SELECT 1 FROM records WHERE source = ? AND until IS NULL LIMIT 1"
    return connection.execute(query, (source,)).fetchone() is not None


def find_records(
    connection: sqlite3.Connection, entry: str, source: str | None, generation: int
) -> list[int]:
    """Return the ids of the records of an entry in a generation, sorted by source.

    Raises ListError if `source`, or without one the list, has no such entry.
    """
    # Current records are found by their index on source and entry, one source at a time. An older
    # generation also has records that ended since.
    rows = connection.execute(
        "WITH RECURSIVE sources(source) AS ("
        " SELECT min(source) FROM records WHERE until IS NULL UNION ALL"
        " SELECT (SELECT min(r.source) FROM records r WHERE r.until IS NULL"
        " AND r.source > s.source) FROM sources s WHERE s.source IS NOT NULL)"
        " SELECT r.id, r.source FROM sources s CROSS JOIN records r ON r.source = s.source"
        " AND r.entry = :entry AND r.until IS NULL AND r.since <= :generation"
        " UNION ALL SELECT r.id, r.source FROM records r"
        f" WHERE {has_ended_since(generation)} AND r.since <= :generation AND r.entry = :entry"
        " ORDER BY 2",
        {"entry": entry, "generation": generation},
    )
    records = [record for record, record_source in rows if source in (None, record_source)]
    if not records:
        raise ListError(f"the list has no entry {entry!r}" + (f" of {source}" if source else ""))
    return records


def read_all_opinions(
    connection: sqlite3.Connection, generation: int
) -> dict[tuple[str, str], tuple[Opinion, ...]]:
    """Return all opinions in a generation by source and entry, oldest first."""
    opinions: dict[tuple[str, str], tuple[Opinion, ...]] = {}
    for source, entry, *columns in connection.execute(
        f"SELECT source, entry, {_OPINION_COLUMNS} FROM opinions o"
        f" WHERE {is_in_generation(generation, 'o')} ORDER BY id"
    ):
        opinions[source, entry] = (*opinions.get((source, entry), ()), _to_opinion(*columns))
    return opinions


def read_opinions(
    connection: sqlite3.Connection, generation: int, source: str, entry: str
) -> tuple[Opinion, ...]:
    """Return the opinions of an entry in a generation, oldest first."""
    rows = connection.execute(
        f"SELECT {_OPINION_COLUMNS} FROM opinions o WHERE source = ? AND entry = ?"
        f" AND {is_in_generation(generation, 'o')} ORDER BY id",
        (source, entry),
    )
    return tuple([_to_opinion(*row) for row in rows])


_OPINION_COLUMNS = "who, state, reason, time"


def _to_opinion(who: str, state: str, reason: str, time: float) -> Opinion:
    return Opinion(who, State(state), reason, time)


@lru_cache(maxsize=1024)
def parse_categories(text: str) -> tuple[Category, ...]:
    """Return categories from their stored JSON."""
    return tuple(Category(scheme, code) for scheme, code in parse_pairs(text))


def build_record(
    connection: sqlite3.Connection,
    row: Sequence[Any],
    generation: int,
    *,
    quality: int | None = None,
) -> Record:
    """Return the record of a database row with `RECORD_COLUMNS`, with its opinions.

    Raises ValueError or TypeError if the row is damaged.
    """
    source, entry, state, said, categories, labels, updated, since, has_opinions = row
    # A damaged quality below all floors would suppress the match.
    if quality is not None and integer_within(quality, 0, 100) is None:
        raise ValueError("no quality")
    if not (type(source) is type(entry) is str and type(updated) in (str, type(None))):
        raise TypeError("no text")
    opinions = read_opinions(connection, generation, source, entry) if has_opinions else ()
    record = object.__new__(Record)
    # Half the time of `Record(…)`. Each hit of a search has one.
    record.__dict__.update(
        source=source,
        entry=entry,
        state=State(state),
        categories=parse_categories(categories),
        labels=parse_labels(labels),
        updated=updated,
        quality=quality,
        generation=since,
        said=State(said) if opinions else None,
        opinions=opinions,
    )
    return record
