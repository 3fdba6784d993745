"""The hotline's own hash list: reported items as seeds, and items confirmed by two people.

It is written from the casebook after each commit. Writing an entry twice is harmless.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from screener.errors import HotlineError, IndexFileError, ScreenerError
from screener.hashing.hash import Hash
from screener.hashing.vpdq_value import pack_vpdq, vpdq_frames
from screener.hotline.casebook import case_database, casebook
from screener.hotline.casebook.intake import CONFIRMED_SOURCE, REPORTS_SOURCE
from screener.hotline.language.sentence import mark
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store import database as lists
from screener.lists.store import source_terms, transaction
from screener.lists.store.records import NewRecord
from screener.lists.terms import LABELS, Terms
from screener.system.locks import lock_file

FOLDER_NAME = "hotline.list"
_MAX_VIDEO_LENGTH = 500_000  # characters of a value; the list's format allows a few more
UnlistedRecord = tuple[str, str]  # a record that cannot be listed, and the reason
# Hashes of reporters are unchecked, so they are never passed on.
_UNCHECKED_TERMS = Terms(tlp="RED", redistribution=False)


@dataclass(frozen=True)
class _PendingRecord:
    entry: str
    state: State
    by: str
    hashes: tuple[Hash, ...]
    terms: frozenset[Terms]  # terms of the trusted lists that have its hashes


def write(folder: Path, own_terms: Terms) -> list[UnlistedRecord]:
    """Bring the hotline's list up to date; `own` are the terms of its own hashes.

    Returns the records that cannot be listed. They stop no other record.
    """
    failed: list[UnlistedRecord] = []
    for source, terms in ((REPORTS_SOURCE, _UNCHECKED_TERMS), (CONFIRMED_SOURCE, own_terms)):
        with case_database.begin_read(folder) as connection:
            records = _read_pending(connection, source)
        if not records:
            continue
        HashList.open(folder / FOLDER_NAME)  # raises if the list itself is broken
        written, unlisted = _import_each(folder, source, records, terms)
        failed += unlisted
        with case_database.begin_write(folder) as connection:
            connection.executemany(
                "UPDATE entries SET written = 1 WHERE entry = ?",
                [(record.entry,) for record in written],
            )
    return failed


def write_terms(folder: Path, own_terms: Terms) -> ScreenerError | None:
    """Update the sharing level of the hotline's own hashes in its list.

    Other terms that were set there stay. Returns the error if the list cannot be written, or None.
    """
    path = folder / FOLDER_NAME
    try:
        if (
            lists.ask(path, source_terms.read_terms).get(CONFIRMED_SOURCE, Terms()).tlp
            != own_terms.tlp
        ):
            with transaction.begin(path) as connection:
                stored = source_terms.read_terms(connection).get(CONFIRMED_SOURCE, Terms())
                source_terms.write_terms(
                    connection, CONFIRMED_SOURCE, replace(stored, tlp=own_terms.tlp), by=None
                )
    except ScreenerError as error:
        return error
    return None


def _import_each(
    folder: Path, source: str, records: Sequence[_PendingRecord], terms: Terms
) -> tuple[list[_PendingRecord], list[UnlistedRecord]]:
    """Import records together or, if that fails, one by one.

    Returns the imported records and the failures.
    """
    try:
        _import(folder, source, records, terms)
    except (ScreenerError, ValueError) as error:
        if len(records) == 1 or _is_locked(folder / FOLDER_NAME):
            return [], [(record.entry, _describe_error(error)) for record in records]
        imported: list[_PendingRecord] = []
        failures: list[UnlistedRecord] = []
        for record in records:
            one_imported, one_failed = _import_each(folder, source, [record], terms)
            imported += one_imported
            failures += one_failed
        return imported, failures
    return list(records), []


def _describe_error(error: ScreenerError | ValueError) -> str:
    if isinstance(error, HotlineError):
        return mark(error.message, **error.values)
    return str(error).rstrip(".") if isinstance(error, ScreenerError) else type(error).__name__


def _is_locked(path: Path) -> bool:
    try:
        with lock_file(path / transaction.LOCK_NAME, seconds=0):
            return False
    except IndexFileError:
        return True


def _read_pending(connection: sqlite3.Connection, source: str) -> list[_PendingRecord]:
    reported = source == REPORTS_SOURCE
    rows = connection.execute(
        "SELECT entry, in_case, report, state, by FROM entries WHERE NOT written"
        f" AND report IS {'NOT ' if reported else ''}NULL ORDER BY entry"
    ).fetchall()
    records = []
    for entry, case, report, state, by in rows:
        hashes: list[Hash] = []
        terms: set[Terms] = set()
        if state == State.WITHDRAWN:
            pass
        elif reported:
            hashes += casebook.read_hashes(connection, "reported WHERE report = ?", report)
        else:
            for item_hash in casebook.read_item_hashes(connection, case):
                hashes.append(item_hash.hash)
                terms |= set() if item_hash.terms is None else {item_hash.terms}
        records.append(_PendingRecord(entry, State(state), by, tuple(hashes), frozenset(terms)))
    return records


def _import(folder: Path, source: str, records: Sequence[_PendingRecord], terms: Terms) -> None:
    HashList.open(folder / FOLDER_NAME).add(
        [_to_record(record) for record in records], source=source, by=records[-1].by, terms=terms
    )


def _fit_video(hash_: Hash) -> Hash:
    """Return a hash that fits into a line, with every n-th frame of a long video."""
    fitted, step = hash_, 1
    while hash_.kind.video and len(fitted.text) > _MAX_VIDEO_LENGTH:
        step *= -(-len(fitted.text) // _MAX_VIDEO_LENGTH)
        fitted = Hash(hash_.kind, pack_vpdq(islice(vpdq_frames(hash_.value), 0, None, step)))
    return fitted


def _to_record(record: _PendingRecord) -> NewRecord:
    labels: dict[str, set[str]] = {}
    for terms in record.terms:
        fields = terms.to_dict()
        fields.setdefault("tlp", "AMBER+STRICT")  # without a level they may not be passed on
        for name in LABELS:
            if name in fields:
                value = fields[name]
                text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
                labels.setdefault(name, set()).add(text)
    return NewRecord(
        record.entry,
        [_fit_video(hash_) for hash_ in record.hashes],
        record.state,
        labels={name: "\n".join(sorted(values)) for name, values in labels.items()},
    )
