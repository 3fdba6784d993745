"""Intake: put an unsealed report or withdrawal into the casebook. Nothing in it is trusted."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from screener.hotline.casebook import casebook
from screener.hotline.language.sentence import mark
from screener.hotline.model.addresses import normalise_address
from screener.hotline.model.case import OPEN_STATES, ListMatch
from screener.hotline.model.report import Item, Report, Withdrawal
from screener.hotline.reports.report_json import encode
from screener.hotline.reports.sealed import derive_proof
from screener.lists.store.records import is_empty_digest
from screener.media.source import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.screener import Screener

REPORTED: Final = "reports"  # the source of seeds in the hotline's list
CONFIRMED: Final = "hotline"  # the source of what two persons confirmed

IntakeStatus = Literal["new", "joined", "repeated", "withdrawn", "refused"]


@dataclass(frozen=True)
class IntakeResult:
    """The result for one sealed file, by `status`.

    `new`: it began the case. `joined`: an existing case. `repeated`: imported before. `withdrawn`:
    it takes a report back, which has not come in yet if there is no case. `refused`: nothing
    changed, and `reason` says why.
    """

    file: str
    status: IntakeStatus
    case: str | None = None
    reason: str | None = None
    list_matches: tuple[ListMatch, ...] = ()


@dataclass(frozen=True)
class ReportMatches:
    """What the hashes of a report match: listed records, and entries of the hotline's own list."""

    listed: tuple[ListMatch, ...]
    entries: Counter[str]


def look_up(screener: Screener, report: Report) -> ReportMatches:
    """Look the hashes of a report up. The hotline's own list must be the screener's first.

    Matches that do not identify an entry (`alike`, `uncorroborated`) do not count.
    """
    own = screener.lists[0].name
    entries: Counter[str] = Counter()
    nearest: dict[tuple[str, str, str, str], ListMatch] = {}
    for result in screener.decide([HashedInput(Name(), _queries(item)) for item in report.items]):
        matches = [one for one in (*result.matches, *result.other_hits) if one.identifies]
        entries.update({one.entry for one in matches if one.list == own})
        for one in matches:
            if one.list == own and one.source == REPORTED:
                continue
            key = one.list, one.source, one.entry, one.kind
            match = ListMatch(*key[:3], str(one.state), one.kind, one.distance)
            if key not in nearest or match.distance < nearest[key].distance:
                nearest[key] = match
    return ReportMatches(tuple(nearest.values()), entries)


def _queries(item: Item) -> tuple[LocatedHash, ...]:
    """Return the hashes to look up: for a clip its frames, since its vPDQ is upright only."""
    if not any(one.hash.kind.name == "pdq" for one in item.hashes):
        return item.hashes
    return tuple(one for one in item.hashes if not one.hash.kind.video)


def take_report(
    connection: sqlite3.Connection, report: Report, matches: ReportMatches, *, at: datetime,
    by: str, file: str,
) -> IntakeResult:  # fmt: skip
    """Put a report into the case of its item, or into a new one."""
    content = hashlib.sha256(encode(report)).digest()
    stored = connection.execute(
        "SELECT in_case, content FROM reports WHERE reference = ? OR proof = ?",
        (report.reference, report.proof),
    ).fetchone()
    if stored is not None:
        if stored[1] == content:
            return IntakeResult(file, "repeated", stored[0])
        return IntakeResult(file, "refused", reason=mark("another report has its reference"))
    candidates = _candidate_cases(connection, report, matches)
    joined = next(
        (case for case, state in candidates if _joins(connection, report, case, state)), None
    )
    case = casebook.begin_case(connection, at=at) if joined is None else joined
    number = _store_report(connection, case, report, content, at)
    _store_matches(connection, case, report, matches, [other for other, _ in candidates])
    query = "SELECT 1 FROM reported WHERE report = ? LIMIT 1"
    if connection.execute(query, (report.reference,)).fetchone() is not None:
        entry = f"{case}/report-{number}"
        casebook.set_entry(connection, entry, case, "seed", by, report.reference)
    reason = mark("reported") if joined is None else mark("reported again")
    casebook.record_step(
        connection, case, "received", at=at, by=by, reason=reason, report=report.reference
    )
    query = "SELECT 1 FROM withdrawals WHERE proof = ?"
    if connection.execute(query, (report.proof,)).fetchone() is not None:
        return withdraw(connection, report.proof, at=at, by=by, file=file)
    status: IntakeStatus = "new" if joined is None else "joined"
    return IntakeResult(file, status, case, list_matches=matches.listed)


def _store_matches(
    connection: sqlite3.Connection, case: str, report: Report, matches: ReportMatches,
    candidates: Sequence[str],
) -> None:  # fmt: skip
    pairs = [pair for one in candidates if one != case for pair in ((case, one), (one, case))]
    connection.executemany("INSERT OR IGNORE INTO related VALUES (?, ?)", pairs)
    connection.executemany(
        "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (case, report.reference, m.list, m.source, m.entry, m.state, m.kind, m.distance)
            for m in matches.listed
        ],
    )


def _joins(connection: sqlite3.Connection, report: Report, case: str, state: str) -> bool:
    """Return whether a report belongs into a case.

    Not if the case is closed or not illegal: the page may show something else by now. After the
    first opinion no unseen page joins, since a notice lists all pages of its case as seen; nor does
    a report with an address join a case that only hashes identify.
    """
    outcome, seen = connection.execute(
        "SELECT outcome, seen FROM cases WHERE reference = ?", (case,)
    ).fetchone()
    if state not in OPEN_STATES or outcome == "not_illegal":
        return False
    if state == "received":  # a first opinion counts already
        proposed = "SELECT basis FROM proposals WHERE in_case = ?"
        first = connection.execute(proposed, (case,)).fetchone()
        if first is None:
            return True
        seen = first == ("seen",)
    if not seen:
        return not report.addresses
    list_matches = "SELECT a.page FROM addresses a JOIN reports r ON r.reference = a.report"
    rows = connection.execute(f"{list_matches} WHERE r.in_case = ?", (case,))
    return _pages(report) <= {page for (page,) in rows}


def _pages(report: Report) -> set[str]:
    return {normalise_address(one) for one in report.addresses}


def _candidate_cases(
    connection: sqlite3.Connection, report: Report, matches: ReportMatches
) -> list[tuple[str, str]]:
    """Return the cases of the report's item with their states, those with most matches first."""
    # A page may show many items, so a picture counts more than an address.
    votes: Counter[str] = Counter()
    pages: Counter[str] = Counter()
    for entry, count in matches.entries.items():
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
    ranked = []
    for case in votes.keys() | pages.keys():
        number, state = connection.execute(
            "SELECT number, state FROM cases WHERE reference = ?", (case,)
        ).fetchone()
        ranked.append((-votes[case], -pages[case], number, case, state))
    return [(case, state) for *_, case, state in sorted(ranked)]


def _store_report(
    connection: sqlite3.Connection, case: str, report: Report, content: bytes, at: datetime
) -> int:
    (number,) = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM reports WHERE in_case = ?", (case,)
    ).fetchone()
    connection.execute(
        "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            report.reference, number, case, casebook.format_time(at), content, report.language,
            report.country, report.note, report.status_key, report.proof,
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO addresses VALUES (?, ?, ?)",
        [(report.reference, one, normalise_address(one)) for one in report.addresses],
    )
    hashes = [
        (report.reference, one.kind.name, one.value, one.quality)
        for item in report.items
        for one in item.upright_hashes
        if not is_empty_digest(one)
    ]
    connection.executemany("INSERT OR IGNORE INTO reported VALUES (?, ?, ?, ?)", hashes)
    return int(number)


def take_withdrawal(
    connection: sqlite3.Connection, withdrawal: Withdrawal, *, at: datetime, by: str, file: str
) -> IntakeResult:
    """Withdraw the report that a withdrawal belongs to, or store it until the report comes in."""
    report_proof = derive_proof(withdrawal.token)
    new = connection.execute(
        "INSERT OR IGNORE INTO withdrawals VALUES (?, ?)", (report_proof, casebook.format_time(at))
    ).rowcount
    result = withdraw(connection, report_proof, at=at, by=by, file=file)
    if result.case is None and new:
        casebook.log_step(
            connection, "withdrawal of what is not here", at=casebook.format_time(at), by=by
        )
    return result


def withdraw(
    connection: sqlite3.Connection, report_proof: bytes, *, at: datetime, by: str, file: str
) -> IntakeResult:
    """Erase what a report contained, and withdraw its hashes from the hotline's list.

    A case without another report is withdrawn too, unless an analyst assessed it as illegal: the
    reporter may be the offender. Confirmed hashes and the addresses of an illegal case stay.
    """
    row = connection.execute(
        "SELECT reference, in_case, withdrawn FROM reports WHERE proof = ?", (report_proof,)
    ).fetchone()
    if row is None:
        return IntakeResult(file, "withdrawn")
    report, case, withdrawn = row
    if withdrawn is not None:
        return IntakeResult(file, "repeated", case)
    state, outcome = connection.execute(
        "SELECT state, outcome FROM cases WHERE reference = ?", (case,)
    ).fetchone()
    connection.execute(
        "UPDATE reports SET withdrawn = ?, note = '', country = NULL WHERE reference = ?",
        (casebook.format_time(at), report),
    )
    connection.execute("DELETE FROM reported WHERE report = ?", (report,))
    # If two analysts disagree, a third decides; until then the case stays as they saw it.
    undecided = state == "received" and casebook.has_illegal_opinion(connection, case)
    if not undecided and outcome != "illegal":
        casebook.forget_withdrawn(connection, case)
    connection.execute(
        "UPDATE entries SET state = 'withdrawn', by = ?, written = 0 WHERE report = ?", (by, report)
    )
    left = connection.execute(
        "SELECT 1 FROM reports WHERE in_case = ? AND withdrawn IS NULL LIMIT 1", (case,)
    ).fetchone()
    ends = state == "received" and left is None and not undecided
    casebook.record_step(
        connection, case, "withdrawn", at=at, by=by, report=report,
        reason=mark("its reporter took a report back"), state="withdrawn" if ends else None,
    )  # fmt: skip
    return IntakeResult(file, "withdrawn", case)
