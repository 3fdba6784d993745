"""Own list: the hotline's hash list, with seeds of reports and items that two people confirmed.

It is written from the casebook after each commit. Writing an entry again does no harm.
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
from screener.hotline.casebook.intake import CONFIRMED, REPORTED
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

FOLDER = "hotline.list"
_MAX_VIDEO_LENGTH = 500_000  # characters of a value; the list's format allows some more
_TEMPORARY = ".entries-"  # files that exist only while they are imported
UnlistedRecord = tuple[str, str]  # a record that cannot be listed, and why
# Unchecked hashes go to nobody.
_UNCHECKED = Terms(tlp="RED", redistribution=False)


@dataclass(frozen=True)
class _PendingRecord:
    entry: str
    state: State
    by: str
    hashes: tuple[Hash, ...]
    terms: frozenset[Terms]  # of the trusted lists that it comes from


def write(folder: Path, own: Terms) -> list[UnlistedRecord]:
    """Bring the hotline's list up to date; `own` are the terms of its own hashes.

    Returns the records that cannot be listed. They stop no other record.
    """
    failed: list[UnlistedRecord] = []
    for source, terms in ((REPORTED, _UNCHECKED), (CONFIRMED, own)):
        with case_database.begin_read(folder) as connection:
            records = _pending_records(connection, source)
        if not records:
            continue
        HashList.open(folder / FOLDER)  # a broken list is an error of its own, of no record
        written, wrong = _import_each(folder, source, records, terms)
        failed += wrong
        with case_database.begin_write(folder) as connection:
            connection.executemany(
                "UPDATE entries SET written = 1 WHERE entry = ?", [(one.entry,) for one in written]
            )
    return failed


def write_terms(folder: Path, own: Terms) -> ScreenerError | None:
    """Bring the sharing level of the hotline's own hashes in its list up to date.

    Other terms that somebody set there stay. Returns the error if it cannot be written.
    """
    path = folder / FOLDER
    try:
        if lists.ask(path, source_terms.read_terms).get(CONFIRMED, Terms()).tlp != own.tlp:
            with transaction.begin(path) as connection:
                stored = source_terms.read_terms(connection).get(CONFIRMED, Terms())
                source_terms.write_terms(
                    connection, CONFIRMED, replace(stored, tlp=own.tlp), by=None
                )
    except ScreenerError as error:
        return error
    return None


def _import_each(
    folder: Path, source: str, records: Sequence[_PendingRecord], terms: Terms
) -> tuple[list[_PendingRecord], list[UnlistedRecord]]:
    """Import records together or, if that fails, one by one.

    Returns those written, and the failures.
    """
    try:
        _import(folder, source, records, terms)
    except (ScreenerError, ValueError) as error:
        if len(records) == 1 or _in_use(folder / FOLDER):
            return [], [(one.entry, _why(error)) for one in records]
        each = [_import_each(folder, source, [one], terms) for one in records]
        return [one for some, _ in each for one in some], [one for _, some in each for one in some]
    return list(records), []


def _why(error: ScreenerError | ValueError) -> str:
    if isinstance(error, HotlineError):
        return mark(error.message, **error.values)
    return str(error).rstrip(".") if isinstance(error, ScreenerError) else type(error).__name__


def _in_use(path: Path) -> bool:
    try:
        with lock_file(path / transaction.LOCK_NAME, seconds=0):
            return False
    except IndexFileError:
        return True


def _pending_records(connection: sqlite3.Connection, source: str) -> list[_PendingRecord]:
    reported = source == REPORTED
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
            for one in casebook.read_item_hashes(connection, case):
                hashes.append(one.hash)
                terms |= set() if one.terms is None else {one.terms}
        records.append(_PendingRecord(entry, State(state), by, tuple(hashes), frozenset(terms)))
    return records


def _import(folder: Path, source: str, records: Sequence[_PendingRecord], terms: Terms) -> None:
    out, tally = io.StringIO(newline=""), Tally()
    neutral_csv.write(out, [_row(source, one) for one in records], tally, Wants())
    file = folder / f"{_TEMPORARY}{secrets.token_hex(8)}.csv"
    try:
        descriptor = open_private(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(out.getvalue())
        imported = HashList.open(folder / FOLDER).import_file(
            file, source=source, format=neutral_csv.NAME, by=records[-1].by, terms=terms
        )
        hash_list = HashList.open(folder / FOLDER)
        for one in records:
            if one.state is not State.WITHDRAWN:
                _release_repeated_values(hash_list, source, one)
    finally:
        with contextlib.suppress(OSError):
            file.unlink()
    missing = [*tally.left_out, *imported.quarantined]
    if missing:
        message = mark("not all of it is in the list ({why})")
        raise HotlineError(message, why="; ".join(missing))


def _release_repeated_values(hash_list: HashList, source: str, record: _PendingRecord) -> None:
    """Make a value searchable that very many records have.

    Elsewhere it would come from a faulty tool; here it is a picture that is reported very often.
    """
    (shown,) = hash_list.show(record.entry, source=source, alone=True)
    excluded: dict[str, set[str | None]] = {}
    for one in shown.hashes:
        if one.why_not is not None:
            excluded.setdefault(one.kind, set()).add(one.why_not)
    for kind, reasons in excluded.items():
        if reasons == {REPEATED}:
            hash_list.release_value(
                record.entry,
                kind,
                source=source,
                by=record.by,
                reason="made by the hotline's own tools",
            )


def _fit_video(one: Hash) -> Hash:
    """Return a hash that fits into a line of the list, of a long video every n-th frame."""
    fitted, step = one, 1
    while one.kind.video and len(fitted.text) > _MAX_VIDEO_LENGTH:
        step *= -(-len(fitted.text) // _MAX_VIDEO_LENGTH)
        fitted = Hash(one.kind, pack_vpdq(islice(vpdq_frames(one.value), 0, None, step)))
    return fitted


def _row(source: str, record: _PendingRecord) -> Entry:
    labels: dict[str, set[str]] = {}
    for terms in record.terms:
        fields = terms.to_dict()
        fields.setdefault("tlp", "AMBER+STRICT")  # without a level it may not be passed on
        for name in LABELS:
            if name in fields:
                value = fields[name]
                text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
                labels.setdefault(name, set()).add(text)
    return Entry(
        source, record.entry, record.state,
        tuple(Listed(_fit_video(one), None) for one in record.hashes), (),
        {name: "\n".join(sorted(values)) for name, values in labels.items()}, None, 0.0,
    )  # fmt: skip


def remove_leftovers(folder: Path) -> None:
    """Remove files that a killed process left; they hold hashes."""
    for path in folder.glob(f"{_TEMPORARY}*.csv"):
        path.unlink(missing_ok=True)
