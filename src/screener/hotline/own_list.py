"""The hotline's own hash list: reported items as seeds, and items confirmed by two people.

It is written from the casebook after each commit. Writing an entry twice is harmless.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
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
from screener.lists.exporting.writers import neutral_csv
from screener.lists.exporting.writers.entry import Entry, Listed, Tally, Wants
from screener.lists.hashlist import HashList
from screener.lists.states import State
from screener.lists.store import database as lists
from screener.lists.store import source_terms, transaction
from screener.lists.store.repeated_values import REPEATED
from screener.lists.terms import LABELS, Terms
from screener.system.files import open_private
from screener.system.locks import lock_file

FOLDER_NAME = "hotline.list"
_MAX_VIDEO_LENGTH = 500_000  # characters of a value; the list's format allows a few more
_TEMPORARY_PREFIX = ".entries-"  # name prefix of files to import
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
    out, tally = io.StringIO(newline=""), Tally()
    neutral_csv.write(out, [_to_entry(source, record) for record in records], tally, Wants())
    file = folder / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}.csv"
    try:
        descriptor = open_private(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(out.getvalue())
        imported = HashList.open(folder / FOLDER_NAME).import_file(
            file, source=source, format=neutral_csv.NAME, by=records[-1].by, terms=terms
        )
        hash_list = HashList.open(folder / FOLDER_NAME)
        for record in records:
            if record.state is not State.WITHDRAWN:
                _release_repeated_values(hash_list, source, record)
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
    left_out = [*tally.left_out, *imported.quarantined]
    if left_out:
        message = mark("not all of it is in the list ({why})")
        raise HotlineError(message, why="; ".join(left_out))


def _release_repeated_values(hash_list: HashList, source: str, record: _PendingRecord) -> None:
    """Make values searchable although very many records have them.

    Usually a faulty tool repeats a value; in this list it is a picture that is often reported.
    """
    (shown,) = hash_list.show(record.entry, source=source, alone=True)
    reasons_by_kind: dict[str, set[str | None]] = {}
    for shown_hash in shown.hashes:
        if shown_hash.why_not is not None:
            reasons_by_kind.setdefault(shown_hash.kind, set()).add(shown_hash.why_not)
    for kind, reasons in reasons_by_kind.items():
        if reasons == {REPEATED}:
            hash_list.release_value(
                record.entry,
                kind,
                source=source,
                by=record.by,
                reason="made by the hotline's own tools",
            )


def _fit_video(hash_: Hash) -> Hash:
    """Return a hash that fits into a line, with every n-th frame of a long video."""
    fitted, step = hash_, 1
    while hash_.kind.video and len(fitted.text) > _MAX_VIDEO_LENGTH:
        step *= -(-len(fitted.text) // _MAX_VIDEO_LENGTH)
        fitted = Hash(hash_.kind, pack_vpdq(islice(vpdq_frames(hash_.value), 0, None, step)))
    return fitted


def _to_entry(source: str, record: _PendingRecord) -> Entry:
    labels: dict[str, set[str]] = {}
    for terms in record.terms:
        fields = terms.to_dict()
        fields.setdefault("tlp", "AMBER+STRICT")  # without a level they may not be passed on
        for name in LABELS:
            if name in fields:
                value = fields[name]
                text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
                labels.setdefault(name, set()).add(text)
    return Entry(
        source, record.entry, record.state,
        tuple(Listed(_fit_video(hash_), None) for hash_ in record.hashes), (),
        {name: "\n".join(sorted(values)) for name, values in labels.items()}, None, 0.0,
    )  # fmt: skip


def remove_leftovers(folder: Path) -> None:
    """Remove files with hashes that a killed process left."""
    for path in folder.glob(f"{_TEMPORARY_PREFIX}*.csv"):
        path.unlink(missing_ok=True)
