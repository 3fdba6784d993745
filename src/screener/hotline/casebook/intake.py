"""Store unsealed reports and withdrawals in the casebook. Their content is untrusted."""

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
from screener.media.name import Name
from screener.screening.input.hash_item import HashedInput
from screener.screening.input.located_hash import LocatedHash
from screener.screening.screener import Screener

REPORTS_SOURCE: Final = "reports"  # source of the reported items in the hotline's list
CONFIRMED_SOURCE: Final = "hotline"  # source of the items that two people confirmed

IntakeStatus = Literal["new", "joined", "repeated", "withdrawn", "refused"]


@dataclass(frozen=True)
class IntakeResult:
    """The result for one sealed file.

    `status` is one of:

    - `new`: the report began `case`.
    - `joined`: the report was added to an existing case.
    - `repeated`: the report was imported before.
    - `withdrawn`: the file withdraws a report, which has not come in yet if `case` is None.
    - `refused`: nothing changed, for `reason`.
    """

    file: str
    status: IntakeStatus
    case: str | None = None
    reason: str | None = None
    list_matches: tuple[ListMatch, ...] = ()


@dataclass(frozen=True)
class ReportMatches:
    """Matches of a report's hashes: listed records, and entries of the hotline's own list."""

    listed: tuple[ListMatch, ...]
    entries: Counter[str]


def look_up(screener: Screener, report: Report) -> ReportMatches:
    """Look up the hashes of a report. The screener's first list must be the hotline's own.

    Matches that do not identify an entry (`alike`, `uncorroborated`) are ignored.
    """
    own_list_name = screener.lists[0].name
    entries: Counter[str] = Counter()
    nearest: dict[tuple[str, str, str, str], ListMatch] = {}
    for result in screener.decide(
        [HashedInput(Name(), _select_queries(item)) for item in report.items]
    ):
        matches = [match for match in (*result.matches, *result.other_hits) if match.identifies]
        entries.update({match.entry for match in matches if match.list == own_list_name})
        for match in matches:
            if match.list == own_list_name and match.source == REPORTS_SOURCE:
                continue
            key = match.list, match.source, match.entry, match.kind
            # Bare hashes have no evidence, so every hit has a distance.
            list_match = ListMatch(*key[:3], str(match.state), match.kind, match.distance or 0)
            if key not in nearest or list_match.distance < nearest[key].distance:
                nearest[key] = list_match
    return ReportMatches(tuple(nearest.values()), entries)


def _select_queries(item: Item) -> tuple[LocatedHash, ...]:
    """Return the hashes to look up. A clip's vPDQ is omitted, since it is upright only."""
    if not any(located.hash.kind.name == "pdq" for located in item.hashes):
        return item.hashes
    return tuple(located for located in item.hashes if not located.hash.kind.video)


def take_report(
    connection: sqlite3.Connection, report: Report, matches: ReportMatches, *, at: datetime,
    by: str, file: str,
) -> IntakeResult:  # fmt: skip
    """Add a report to the case of its item, or to a new case."""
    content = hashlib.sha256(encode(report)).digest()
    stored = connection.execute(
        "SELECT in_case, content FROM reports WHERE reference = ? OR proof = ?",
        (report.reference, report.proof),
    ).fetchone()
    if stored is not None:
        if stored[1] == content:
            return IntakeResult(file, "repeated", stored[0])
        return IntakeResult(file, "refused", reason=mark("another report has its reference"))
    candidates = _find_candidates(connection, report, matches)
    existing = next(
        (case for case, state in candidates if _belongs_to_case(connection, report, case, state)),
        None,
    )
    case = casebook.begin_case(connection, at=at) if existing is None else existing
    number = _store_report(connection, case, report, content, at)
    _store_matches(connection, case, report, matches, [other for other, _ in candidates])
    query = "SELECT 1 FROM reported WHERE report = ? LIMIT 1"
    if connection.execute(query, (report.reference,)).fetchone() is not None:
        entry = f"{case}/report-{number}"
        casebook.set_entry(connection, entry, case, "seed", by, report.reference)
    reason = mark("reported") if existing is None else mark("reported again")
    casebook.record_step(
        connection, case, "received", at=at, by=by, reason=reason, report=report.reference
    )
    query = "SELECT 1 FROM withdrawals WHERE proof = ?"
    if connection.execute(query, (report.proof,)).fetchone() is not None:
        return withdraw(connection, report.proof, at=at, by=by, file=file)
    status: IntakeStatus = "new" if existing is None else "joined"
    return IntakeResult(file, status, case, list_matches=matches.listed)


def _store_matches(
    connection: sqlite3.Connection, case: str, report: Report, matches: ReportMatches,
    candidates: Sequence[str],
) -> None:  # fmt: skip
    pairs = [
        pair for other in candidates if other != case for pair in ((case, other), (other, case))
    ]
    connection.executemany("INSERT OR IGNORE INTO related VALUES (?, ?)", pairs)
    connection.executemany(
        "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                case,
                report.reference,
                match.list,
                match.source,
                match.entry,
                match.state,
                match.kind,
                match.distance,
            )
            for match in matches.listed
        ],
    )


def _belongs_to_case(connection: sqlite3.Connection, report: Report, case: str, state: str) -> bool:
    """Return whether a report may be added to a case that it matches.

    Closed and not illegal cases are not continued, since the page may have changed. After the first
    opinion, reports with new pages are not added, since notices list all pages of a case as seen;
    nor are reports with addresses added to a case that only hashes identify.
    """
    outcome, seen = connection.execute(
        "SELECT outcome, seen FROM cases WHERE reference = ?", (case,)
    ).fetchone()
    if state not in OPEN_STATES or outcome == "not_illegal":
        return False
    if state == "received":  # there may be a first opinion
        proposed = "SELECT basis FROM proposals WHERE in_case = ?"
        first_basis = connection.execute(proposed, (case,)).fetchone()
        if first_basis is None:
            return True
        seen = first_basis == ("seen",)
    if not seen:
        return not report.addresses
    list_matches = "SELECT a.page FROM addresses a JOIN reports r ON r.reference = a.report"
    rows = connection.execute(f"{list_matches} WHERE r.in_case = ?", (case,))
    return _get_pages(report) <= {page for (page,) in rows}


def _get_pages(report: Report) -> set[str]:
    return {normalise_address(address) for address in report.addresses}


def _find_candidates(
    connection: sqlite3.Connection, report: Report, matches: ReportMatches
) -> list[tuple[str, str]]:
    """Return the cases that a report matches, with their states, most matches first."""
    # A page may show many items, so matching hashes rank above matching addresses.
    votes: Counter[str] = Counter()
    pages: Counter[str] = Counter()
    for entry, count in matches.entries.items():
        row = connection.execute("SELECT in_case FROM entries WHERE entry = ?", (entry,)).fetchone()
        if row is not None:
            votes[row[0]] += count
    for page in _get_pages(report):
        pages.update(
            case
            for (case,) in connection.execute(
                "SELECT DISTINCT r.in_case FROM addresses a JOIN reports r ON r.reference ="
                " a.report WHERE a.page = ?",
                (page,),
            )
        )
    candidates = []
    for case in votes.keys() | pages.keys():
        number, state = connection.execute(
            "SELECT number, state FROM cases WHERE reference = ?", (case,)
        ).fetchone()
        candidates.append((-votes[case], -pages[case], number, case, state))
    return [(case, state) for *_, case, state in sorted(candidates)]


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
        [(report.reference, address, normalise_address(address)) for address in report.addresses],
    )
    hashes = [
        (report.reference, hash_.kind.name, hash_.value, hash_.quality)
        for item in report.items
        for hash_ in item.upright_hashes
        if not is_empty_digest(hash_)
    ]
    connection.executemany("INSERT OR IGNORE INTO reported VALUES (?, ?, ?, ?)", hashes)
    return int(number)


def take_withdrawal(
    connection: sqlite3.Connection, withdrawal: Withdrawal, *, at: datetime, by: str, file: str
) -> IntakeResult:
    """Withdraw a report, or store its withdrawal until the report comes in."""
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
    """Erase the contents of a report, and withdraw its hashes from the hotline's list.

    A case without other reports is withdrawn too, unless an analyst assessed it as illegal, since
    the reporter may be the offender. Confirmed hashes and the addresses of illegal cases stay.
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
    # If two analysts disagree, a third decides; until then the case is not changed.
    is_undecided = state == "received" and casebook.has_illegal_opinion(connection, case)
    if not is_undecided and outcome != "illegal":
        casebook.forget_withdrawn(connection, case)
    connection.execute(
        "UPDATE entries SET state = 'withdrawn', by = ?, written = 0 WHERE report = ?", (by, report)
    )
    remaining = connection.execute(
        "SELECT 1 FROM reports WHERE in_case = ? AND withdrawn IS NULL LIMIT 1", (case,)
    ).fetchone()
    is_withdrawn = state == "received" and remaining is None and not is_undecided
    casebook.record_step(
        connection, case, "withdrawn", at=at, by=by, report=report,
        reason=mark("its reporter took a report back"), state="withdrawn" if is_withdrawn else None,
    )  # fmt: skip
    return IntakeResult(file, "withdrawn", case)
