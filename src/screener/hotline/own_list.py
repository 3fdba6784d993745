"""Own list: the hotline's list of hashes, written after the commit of the casebook from what that
says: seeds of reports, and what two persons confirmed. A record is known by its entry, so that it
can be written again without harm.
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
from screener.hotline.casebook import casebook, database
from screener.hotline.casebook.intake import HELD, REPORTED
from screener.hotline.language.sentence import marked
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
_LONGEST_VIDEO = 500_000  # characters of a value; a cell of the list's format takes some more
_FRESH = ".entries-"  # files that go with the import of what they hold
Unlisted = tuple[str, str]  # a record that cannot be listed, and why
# What nobody has checked goes to nobody.
_UNCHECKED = Terms(tlp="RED", redistribution=False)


@dataclass(frozen=True)
class _Due:
    """A record of the list that is to be written, and what it is to say."""

    entry: str
    state: State
    by: str
    hashes: tuple[Hash, ...]
    terms: frozenset[Terms]  # of trusted lists, which bind it too


def write(folder: Path, own: Terms) -> list[Unlisted]:
    """Bring the hotline's list to what the casebook says; `own` are the terms of its own hashes.

    What cannot be listed is told, and keeps nothing else from it: anybody may have sent it.
    """
    failed: list[Unlisted] = []
    for source, terms in ((REPORTED, _UNCHECKED), (HELD, own)):
        with database.reading(folder) as connection:
            due = _due(connection, source)
        if not due:
            continue
        HashList.open(folder / FOLDER)  # one that is broken is not for want of a record
        written, wrong = _import_each(folder, source, due, terms)
        failed += wrong
        with database.writing(folder) as connection:
            connection.executemany(
                "UPDATE entries SET written = 1 WHERE entry = ?", [(one.entry,) for one in written]
            )
    return failed


def write_terms(folder: Path, own: Terms) -> ScreenerError | None:
    """Have the hotline's list say how far the hotline's own hashes may go now, also where nothing
    new is listed; why it cannot. What else somebody has set of them there stays.
    """
    path = folder / FOLDER
    try:
        if lists.ask(path, source_terms.stored).get(HELD, Terms()).tlp != own.tlp:
            with transaction.transaction(path) as connection:
                kept = source_terms.stored(connection).get(HELD, Terms())
                source_terms.keep(connection, HELD, replace(kept, tlp=own.tlp), by=None)
    except ScreenerError as error:
        return error
    return None


def _import_each(
    folder: Path, source: str, due: Sequence[_Due], terms: Terms
) -> tuple[list[_Due], list[Unlisted]]:
    """Import records together, or, where that fails, one by one: those that were, and the rest.

    Where somebody else is at work in the list, it is for no record's sake: none is waited for.
    """
    try:
        _import(folder, source, due, terms)
    except (ScreenerError, ValueError) as error:
        if len(due) == 1 or _in_use(folder / FOLDER):
            return [], [(one.entry, _why(error)) for one in due]
        each = [_import_each(folder, source, [one], terms) for one in due]
        return [one for some, _ in each for one in some], [one for _, some in each for one in some]
    return list(due), []


def _why(error: ScreenerError | ValueError) -> str:
    """What went wrong, to stand in a sentence."""
    if isinstance(error, HotlineError):
        return marked(error.message, **error.values)
    return str(error).rstrip(".") if isinstance(error, ScreenerError) else type(error).__name__


def _in_use(path: Path) -> bool:
    """Whether somebody writes into a list now."""
    try:
        with lock_file(path / transaction.LOCK, seconds=0):
            return False
    except IndexFileError:
        return True


def _due(connection: sqlite3.Connection, source: str) -> list[_Due]:
    reported = source == REPORTED
    rows = connection.execute(
        "SELECT entry, in_case, report, state, by FROM entries WHERE NOT written"
        f" AND report IS {'NOT ' if reported else ''}NULL ORDER BY entry"
    ).fetchall()
    due = []
    for entry, case, report, state, by in rows:
        hashes: list[Hash] = []
        terms: set[Terms] = set()
        if state == State.WITHDRAWN:
            pass
        elif reported:
            hashes += casebook.hashes_of(connection, "reported WHERE report = ?", report)
        else:
            for one in casebook.held(connection, case):
                hashes.append(one.hash)
                terms |= set() if one.terms is None else {one.terms}
        due.append(_Due(entry, State(state), by, tuple(hashes), frozenset(terms)))
    return due


def _import(folder: Path, source: str, due: Sequence[_Due], terms: Terms) -> None:
    """Import records; HotlineError where the list has no place for some of what they hold, once it
    has the rest.
    """
    out, tally = io.StringIO(newline=""), Tally()
    neutral_csv.write(out, [_row(source, one) for one in due], tally, Wants())
    fresh = folder / f"{_FRESH}{secrets.token_hex(8)}.csv"
    try:
        descriptor = open_private(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(out.getvalue())
        done = HashList.open(folder / FOLDER).import_file(
            fresh, source=source, format=neutral_csv.NAME, by=due[-1].by, terms=terms
        )
        known = HashList.open(folder / FOLDER)
        for one in due:
            if one.state is not State.WITHDRAWN:
                _keep_searched(known, source, one)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
    lacking = [*tally.left_out, *done.quarantined]
    if lacking:
        message = marked("not all of it is in the list ({why})")
        raise HotlineError(message, why="; ".join(lacking))


def _keep_searched(known: HashList, source: str, due: _Due) -> None:
    """Have a value searched that stands in very many records. In a list from elsewhere it would be
    what a tool writes that could not compute; here each was made by ours, of what shows enough: a
    picture that is reported, or uploaded anew, a hundred times is still that picture.
    """
    (shown,) = known.show(due.entry, source=source, alone=True)
    left: dict[str, set[str | None]] = {}
    for one in shown.hashes:
        if one.why_not is not None:
            left.setdefault(one.kind, set()).add(one.why_not)
    for kind, reasons in left.items():
        if reasons == {REPEATED}:
            known.release_value(
                due.entry, kind, source=source, by=due.by, reason="made by the hotline's own tools"
            )


def _fitting(one: Hash) -> Hash:
    """A hash as a line of the list has a place for it: of a video of hours every so many frames,
    evenly over all of it. One that is too long would be left out, and nothing of the video match.
    """
    fitting, step = one, 1
    # More than once only where the frames that are left are the longer ones.
    while one.kind.video and len(fitting.text) > _LONGEST_VIDEO:
        step *= -(-len(fitting.text) // _LONGEST_VIDEO)
        fitting = Hash(one.kind, pack_vpdq(islice(vpdq_frames(one.value), 0, None, step)))
    return fitting


def _row(source: str, due: _Due) -> Entry:
    """A record as it is imported; the narrowest terms of its hashes are its labels."""
    labels: dict[str, set[str]] = {}
    for terms in due.terms:
        said = terms.to_dict()
        # A source that does not say that it may go on does not let it.
        said.setdefault("tlp", "AMBER+STRICT")
        for name in LABELS:
            if name in said:
                value = said[name]
                told = ("yes" if value else "no") if isinstance(value, bool) else str(value)
                labels.setdefault(name, set()).add(told)
    return Entry(
        source, due.entry, due.state, tuple(Listed(_fitting(one), None) for one in due.hashes), (),
        {name: "\n".join(sorted(values)) for name, values in labels.items()}, None, 0.0,
    )  # fmt: skip


def sweep(folder: Path) -> None:
    """Remove files that a killed writer left: they hold hashes."""
    for path in folder.glob(f"{_FRESH}*.csv"):
        path.unlink(missing_ok=True)
