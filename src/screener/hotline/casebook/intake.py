"""Intake: what becomes of a sealed file that came in; nothing of it is trusted."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from screener.hotline.casebook import casebook
from screener.hotline.language.sentence import marked
from screener.hotline.model.addresses import normalised
from screener.hotline.model.case import OPEN, KnownMatch
from screener.hotline.model.report import Item, Report, Withdrawal
from screener.hotline.reports.report_json import encode
from screener.hotline.reports.sealed import proof
from screener.lists.store.records import of_empty_input
from screener.media.source import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.screener import Screener

REPORTED: Final = "reports"  # the source of seeds in the hotline's list
HELD: Final = "hotline"  # the source of what two persons confirmed

Became = Literal["new", "joined", "repeated", "withdrawn", "refused"]


@dataclass(frozen=True)
class Taken:
    """What became of one file: a new case, one that it joined, a report that was there already, a
    withdrawal (without a case where its report has not come in, and will be taken back when it
    does), or nothing (`refused`, and `reason` says why). `known` is what its hashes reach in
    the lists that are looked into.
    """

    file: str
    became: Became
    case: str | None = None
    reason: str | None = None
    known: tuple[KnownMatch, ...] = ()


@dataclass(frozen=True)
class Reached:
    """What the hashes of a report reach: listed records, and entries of the hotline's own list."""

    known: tuple[KnownMatch, ...]
    entries: Counter[str]


def reach(screener: Screener, report: Report) -> Reached:
    """Look a report's hashes up in the hotline's own list, the first of the engine's, and in all
    others. Hits that do not identify an entry, `alike` and `uncorroborated` ones, do not count.
    """
    own = screener.lists[0].name
    entries: Counter[str] = Counter()
    nearest: dict[tuple[str, str, str, str], KnownMatch] = {}
    for result in screener.decide([HashedInput(Name(), _queries(item)) for item in report.items]):
        found = [one for one in (*result.matches, *result.other_hits) if one.identifies]
        entries.update({one.entry for one in found if one.list == own})
        for one in found:
            if one.list == own and one.source == REPORTED:
                continue
            key = one.list, one.source, one.entry, one.kind
            known = KnownMatch(*key[:3], str(one.state), one.kind, one.distance)
            if key not in nearest or known.distance < nearest[key].distance:
                nearest[key] = known
    return Reached(tuple(nearest.values()), entries)


def _queries(item: Item) -> tuple[LocatedHash, ...]:
    """The hashes to look up. Of a clip its frames, each in all orientations, instead of the one
    value that says the same of it upright only.
    """
    if not any(one.hash.kind.name == "pdq" for one in item.hashes):
        return item.hashes
    return tuple(one for one in item.hashes if not one.hash.kind.video)


def take(
    connection: sqlite3.Connection, report: Report, reached: Reached, *, at: datetime, by: str,
    file: str,
) -> Taken:  # fmt: skip
    """Put a report into the case of its item, or into a new one."""
    content = hashlib.sha256(encode(report)).digest()
    have = connection.execute(
        "SELECT in_case, content FROM reports WHERE reference = ? OR proof = ?",
        (report.reference, report.proof),
    ).fetchone()
    if have is not None:
        if have[1] == content:
            return Taken(file, "repeated", have[0])
        return Taken(file, "refused", reason=marked("another report has its reference"))
    near = _near(connection, report, reached)
    chosen = next((case for case, state in near if _joins(connection, report, case, state)), None)
    case = casebook.begin_case(connection, at=at) if chosen is None else chosen
    number = _store(connection, case, report, content, at)
    for other, _ in near:
        if other != case:
            pairs = [(case, other), (other, case)]
            connection.executemany("INSERT OR IGNORE INTO related VALUES (?, ?)", pairs)
    connection.executemany(
        "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (case, report.reference, k.list, k.source, k.entry, k.state, k.kind, k.distance)
            for k in reached.known
        ],
    )
    if _has_hashes(connection, report.reference):
        entry = f"{case}/report-{number}"
        casebook.list_entry(connection, entry, case, "seed", by, report.reference)
    reason = marked("reported") if chosen is None else marked("reported again")
    casebook.note(
        connection, case, "received", at=at, by=by, reason=reason, report=report.reference
    )
    late = connection.execute("SELECT 1 FROM withdrawals WHERE proof = ?", (report.proof,))
    if late.fetchone() is not None:
        return withdraw(connection, report.proof, at=at, by=by, file=file)
    return Taken(file, "new" if chosen is None else "joined", case, known=reached.known)


def _joins(connection: sqlite3.Connection, report: Report, case: str, state: str) -> bool:
    """Whether a report belongs into a case.

    Not into one that is closed, or that somebody held not illegal: there may be something else by
    now. And a notice tells all pages of its case, as seen by those who assessed it: so once
    somebody has said what a case is, no page joins it at which nobody has looked. Of a case that is
    known by its hashes nobody has looked at any page, so that a report with one begins another.
    """
    outcome, seen = connection.execute(
        "SELECT outcome, seen FROM cases WHERE reference = ?", (case,)
    ).fetchone()
    if state not in OPEN or outcome == "not_illegal":
        return False
    if state == "received":  # what one person said of it counts already
        proposed = "SELECT basis FROM proposals WHERE in_case = ?"
        first = connection.execute(proposed, (case,)).fetchone()
        if first is None:
            return True
        seen = first == ("seen",)
    if not seen:
        return not report.addresses
    known = "SELECT a.page FROM addresses a JOIN reports r ON r.reference = a.report"
    rows = connection.execute(f"{known} WHERE r.in_case = ?", (case,))
    return _pages(report) <= {page for (page,) in rows}


def _pages(report: Report) -> set[str]:
    return {normalised(one) for one in report.addresses}


def _near(
    connection: sqlite3.Connection, report: Report, reached: Reached
) -> list[tuple[str, str]]:
    """The cases of the report's item with their states: those that most of it points to first, of
    these the oldest.
    """
    # A page may hold many items, so that a picture says more than an address.
    votes: Counter[str] = Counter()
    pages: Counter[str] = Counter()
    for entry, count in reached.entries.items():
        row = connection.execute("SELECT in_case FROM entries WHERE entry = ?", (entry,)).fetchone()
        if row is not None:
            votes[row[0]] += count
    for page in _pages(report):
        pages.update(
            case
            for (case,) in connection.execute(
                "SELECT DISTINCT r.in_case FROM addresses a JOIN reports r ON r.reference ="
                " a.report WHERE a.page = ?",
                (page,),
            )
        )
    found = []
    for case in votes.keys() | pages.keys():
        number, state = connection.execute(
            "SELECT number, state FROM cases WHERE reference = ?", (case,)
        ).fetchone()
        found.append((-votes[case], -pages[case], number, case, state))
    return [(case, state) for *_, case, state in sorted(found)]


def _store(
    connection: sqlite3.Connection, case: str, report: Report, content: bytes, at: datetime
) -> int:
    (number,) = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM reports WHERE in_case = ?", (case,)
    ).fetchone()
    connection.execute(
        "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            report.reference, number, case, casebook.stamp(at), content, report.language,
            report.country, report.note, report.status_key, report.proof,
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO addresses VALUES (?, ?, ?)",
        [(report.reference, one, normalised(one)) for one in report.addresses],
    )
    hashes = [
        (report.reference, one.kind.name, one.value, one.quality)
        for item in report.items
        for one in item.upright
        if not of_empty_input(one)
    ]
    connection.executemany("INSERT OR IGNORE INTO reported VALUES (?, ?, ?, ?)", hashes)
    return int(number)


def _has_hashes(connection: sqlite3.Connection, report: str) -> bool:
    """Whether a report has a hash that a list takes."""
    held = connection.execute("SELECT 1 FROM reported WHERE report = ? LIMIT 1", (report,))
    return held.fetchone() is not None


def take_withdrawal(
    connection: sqlite3.Connection, shown: Withdrawal, *, at: datetime, by: str, file: str
) -> Taken:
    """Take back the report that a withdrawal is of; one that has not come in yet is taken back when
    it does.
    """
    known_by = proof(shown.shown)
    new = connection.execute(
        "INSERT OR IGNORE INTO withdrawals VALUES (?, ?)", (known_by, casebook.stamp(at))
    ).rowcount
    done = withdraw(connection, known_by, at=at, by=by, file=file)
    if done.case is None and new:
        casebook.log(connection, "withdrawal of what is not here", at=casebook.stamp(at), by=by)
    return done


def withdraw(
    connection: sqlite3.Connection, known_by: bytes, *, at: datetime, by: str, file: str
) -> Taken:
    """Erase what a report said, and withdraw its hashes from the hotline's list.

    A case that no analyst has held illegal and that has no other report is withdrawn with it.
    What one has said is illegal goes on to a second one, and what two have confirmed stays, with
    its addresses: a reporter may be the one who did it, and only analysts take that back.
    """
    row = connection.execute(
        "SELECT reference, in_case, withdrawn FROM reports WHERE proof = ?", (known_by,)
    ).fetchone()
    if row is None:
        return Taken(file, "withdrawn")
    report, case, before = row
    if before is not None:
        return Taken(file, "repeated", case)
    state, outcome = connection.execute(
        "SELECT state, outcome FROM cases WHERE reference = ?", (case,)
    ).fetchone()
    connection.execute(
        "UPDATE reports SET withdrawn = ?, note = '', country = NULL WHERE reference = ?",
        (casebook.stamp(at), report),
    )
    connection.execute("DELETE FROM reported WHERE report = ?", (report,))
    # Until it is found not illegal: what two analysts say otherwise of is for a third to decide.
    seen = state == "received" and casebook.was_held_illegal(connection, case)
    if not seen and outcome != "illegal":  # else it is what was looked at, and told
        casebook.forget_withdrawn(connection, case)
    connection.execute(
        "UPDATE entries SET state = 'withdrawn', by = ?, written = 0 WHERE report = ?", (by, report)
    )
    left = connection.execute(
        "SELECT 1 FROM reports WHERE in_case = ? AND withdrawn IS NULL LIMIT 1", (case,)
    ).fetchone()
    ends = state == "received" and left is None and not seen
    casebook.note(
        connection, case, "withdrawn", at=at, by=by, report=report,
        reason=marked("its reporter took a report back"), state="withdrawn" if ends else None,
    )  # fmt: skip
    return Taken(file, "withdrawn", case)
