"""Casebook: the database of a hotline, in which all that is known of its cases stands.

It is the truth. What follows from it outside is written after its commit, from what it says, and
again on the next opening where that was interrupted: lines of the log (`case_log`), records of the
hotline's list (`own_list`), and notices in the folders of partners (`notifying`).
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from base64 import b32encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from screener.errors import HotlineError
from screener.hashing.hash import KINDS, Hash
from screener.hotline.arguments import check
from screener.hotline.language.sentence import Sentence, from_json, marked, to_json
from screener.hotline.model.case import (
    Case,
    Event,
    ItemHash,
    ListMatch,
    Outcome,
    Sent,
    State,
    latest_run,
)
from screener.hotline.reports.status_file import Status
from screener.lists.store.records import of_empty_input
from screener.lists.terms import Terms

# What the event of a first opinion says, by which it is known again: so it stays as it is recorded.
FIRST_OPINION: Final = marked("held illegal by a first person: {basis}; {hashed}")


def begin_case(connection: sqlite3.Connection, *, at: datetime) -> str:
    """A new case that was received; its reference, which says nothing."""
    reference = "C-" + b32encode(secrets.token_bytes(5)).decode()
    connection.execute(
        "INSERT INTO cases SELECT ?, coalesce(max(number), 0) + 1, 'received', ?, NULL, NULL, 0"
        " FROM cases",
        (reference, format_time(at)),
    )
    return reference


def record_step(
    connection: sqlite3.Connection, reference: str, step: str, *, at: datetime, by: str,
    reason: str, state: State | None = None, **facts: Any,
) -> None:  # fmt: skip
    """Record a step of a case, in its events and for the log; `state` where it takes another."""
    if state is not None:
        connection.execute("UPDATE cases SET state = ? WHERE reference = ?", (state, reference))
    (now,) = connection.execute(
        "SELECT state FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    connection.execute(
        "INSERT INTO events(in_case, state, at, by, reason) VALUES (?, ?, ?, ?, ?)",
        (reference, now, format_time(at), by, to_json(reason)),
    )
    log_step(
        connection,
        step,
        case=reference,
        state=now,
        at=format_time(at),
        by=by,
        reason=reason,
        **facts,
    )


def log_step(connection: sqlite3.Connection, step: str, **facts: Any) -> None:
    """Have a line written to the log after the commit; no hash, no address, no note in it."""
    connection.execute("INSERT INTO log(facts) VALUES (?)", (json.dumps({"step": step, **facts}),))


def set_entry(
    connection: sqlite3.Connection, entry: str, case: str, state: str, by: str,
    report: str | None = None,
) -> None:  # fmt: skip
    """Have a record of the hotline's list say something from the commit on."""
    connection.execute(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, 0)", (entry, case, report, state, by)
    )


def withdraw_entries(connection: sqlite3.Connection, case: str, by: str) -> None:
    """Withdraw all records of a case."""
    connection.execute(
        "UPDATE entries SET state = 'withdrawn', by = ?, written = 0"
        " WHERE in_case = ? AND state <> 'withdrawn'",
        (by, case),
    )


def load_case(connection: sqlite3.Connection, reference: str) -> Case:
    """A case as it stands; HotlineError where there is none of that reference."""
    row = connection.execute(
        "SELECT state, received, outcome, basis, seen FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    if row is None:
        raise HotlineError(marked("there is no case {case}"), case=reference)
    state, received, outcome, basis, seen = row

    def column(question: str) -> tuple[Any, ...]:
        return tuple(one for (one,) in connection.execute(question, (reference,)))

    from_reports = " FROM reports WHERE in_case = ? AND withdrawn IS NULL"
    languages = column(f"SELECT language{from_reports} ORDER BY number")
    countries = column(f"SELECT country{from_reports} AND country IS NOT NULL ORDER BY number")
    addresses = column(
        "SELECT a.address FROM addresses a JOIN reports r ON r.reference = a.report"
        " WHERE r.in_case = ? ORDER BY r.number, a.address"
    )
    came = connection.execute(
        "SELECT reference, received FROM reports WHERE in_case = ? ORDER BY number", (reference,)
    ).fetchall()
    listed = connection.execute(
        "SELECT entry, state FROM entries WHERE in_case = ? ORDER BY entry", (reference,)
    )
    ours = "SELECT r.reference FROM reports r WHERE r.in_case = ?"
    return Case(
        reference=reference,
        state=state,
        received=parse_time(received),
        reports=tuple(one for one, _ in came),
        reported=tuple(parse_time(at) for _, at in came),
        languages=tuple(dict.fromkeys(languages)),
        countries=tuple(dict.fromkeys(countries)),
        addresses=tuple(dict.fromkeys(addresses)),
        hashes=tuple(hashes_of(connection, f"reported WHERE report IN ({ours})", reference)),
        notes=column(f"SELECT note{from_reports} AND note <> '' ORDER BY number"),
        related=column("SELECT other FROM related WHERE in_case = ? ORDER BY other"),
        entries=tuple(listed),
        known=_known(connection, reference),
        proposed=next(iter(column("SELECT by FROM proposals WHERE in_case = ?")), None),
        outcome=outcome,
        basis=None if basis is None else from_json(basis),
        seen=bool(seen),
        events=_events(connection, reference),
        sent=_sent(connection, reference),
    )


def _known(connection: sqlite3.Connection, reference: str) -> tuple[ListMatch, ...]:
    rows = connection.execute(
        "SELECT list, source, entry, state, kind, min(distance) FROM known"
        " WHERE in_case = ? GROUP BY list, source, entry, kind"
        " ORDER BY min(distance), list, source, entry, kind",
        (reference,),
    )
    return tuple(ListMatch(*one) for one in rows)


def _events(connection: sqlite3.Connection, reference: str) -> tuple[Event, ...]:
    rows = connection.execute(
        "SELECT state, at, by, reason FROM events WHERE in_case = ? ORDER BY id", (reference,)
    )
    return tuple(
        Event(state, parse_time(at), by, from_json(reason)) for state, at, by, reason in rows
    )


def _sent(connection: sqlite3.Connection, reference: str) -> tuple[Sent, ...]:
    rows = connection.execute(
        "SELECT notice, partner, at, acknowledged, removed, refused FROM sent"
        " WHERE in_case = ? ORDER BY at, partner",
        (reference,),
    )
    return tuple(
        Sent(notice, partner, parse_time(at), *map(_parse_time_or_none, answers))
        for notice, partner, at, *answers in rows
    )


def references(connection: sqlite3.Connection, states: Sequence[State] = ()) -> list[str]:
    """All cases, or those in some states, in the order in which they came."""
    which = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
    rows = connection.execute(f"SELECT reference FROM cases {which} ORDER BY number", states)
    return [one for (one,) in rows]


def statuses(connection: sqlite3.Connection, zone: tzinfo) -> list[tuple[bytes, Status]]:
    """How every report stands, by the key that its reporter derives; days are those of a zone."""
    found = []
    began: dict[str, str | None] = {}  # of a case, that thousands may have reported
    for key, case, received, state, withdrawn in connection.execute(
        "SELECT r.status_key, r.in_case, r.received, c.state, r.withdrawn FROM reports r"
        " JOIN cases c ON c.reference = r.in_case"
    ).fetchall():
        if case not in began:
            began[case] = _began(connection, case)
        # Whoever reports what is in its state already hears of no day before the report.
        since = withdrawn or max(began[case] or received, received)
        days = [parse_time(one).astimezone(zone).date() for one in (since, received)]
        found.append((key, Status("withdrawn" if withdrawn else state, *days)))
    return found


def _began(connection: sqlite3.Connection, case: str) -> str | None:
    """Since when a case is in its state; None where nothing says so."""
    steps = connection.execute(
        "SELECT state, at FROM events WHERE in_case = ? ORDER BY id", (case,)
    )
    return latest_run(steps)


def hashes_of(connection: sqlite3.Connection, rows: str, *values: str) -> Iterator[Hash]:
    """The hashes of the rows of a table; `rows` is SQL of ours."""
    for kind, value, quality in connection.execute(
        f"SELECT kind, value, quality FROM {rows} ORDER BY kind, value", values
    ):
        yield Hash(KINDS[kind], value, quality)


def restart(connection: sqlite3.Connection, reference: str, *, at: datetime) -> None:
    """Move each time of a case that lies behind `at` to `at`: a clock that was ahead told them. The
    log keeps what it was told.
    """
    now = format_time(at)
    for table, of, columns in (
        ("cases", "reference", ("received",)),
        ("reports", "in_case", ("received", "withdrawn")),
        ("events", "in_case", ("at",)),
        ("sent", "in_case", ("at", "acknowledged", "removed", "refused")),
    ):
        for column in columns:
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {of} = ? AND {column} > ?",
                (now, reference, now),
            )


def was_called_illegal(connection: sqlite3.Connection, reference: str) -> bool:
    """Whether an analyst has held a case to be illegal, also where another one set that aside."""
    return any(
        isinstance(event.reason, Sentence)
        and isinstance(what := event.reason.values.get("what"), Sentence)
        and what.message == FIRST_OPINION.message
        for event in _events(connection, reference)
    )


def forget_withdrawn(connection: sqlite3.Connection, reference: str) -> None:
    """Erase the addresses of those reports of a case that were taken back, and what they reached in
    lists.
    """
    withdrawn = "SELECT reference FROM reports WHERE in_case = ? AND withdrawn IS NOT NULL"
    for table in ("addresses", "known"):
        connection.execute(f"DELETE FROM {table} WHERE report IN ({withdrawn})", (reference,))


def drop_proposal(connection: sqlite3.Connection, reference: str) -> None:
    """Have nobody hold a case to be illegal, with what was hashed for it."""
    for table in ("proposals", "held"):
        connection.execute(f"DELETE FROM {table} WHERE in_case = ?", (reference,))


def set_outcome(connection: sqlite3.Connection, reference: str, outcome: Outcome) -> None:
    """Have a case be of this outcome."""
    connection.execute("UPDATE cases SET outcome = ? WHERE reference = ?", (outcome, reference))


def set_basis(connection: sqlite3.Connection, reference: str, basis: str, *, seen: bool) -> None:
    """Have a case say on what it was held illegal, and whether that was seen."""
    connection.execute(
        "UPDATE cases SET basis = ?, seen = ? WHERE reference = ?",
        (to_json(basis), seen, reference),
    )


def format_time(at: datetime) -> str:
    """A time as it is kept: UTC; HotlineError for one that says no zone, TypeError for a day."""
    check("a time", at, datetime)
    if at.tzinfo is None:
        raise HotlineError(marked("a time of a case says its zone"))
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def parse_time(text: str) -> datetime:
    """A time that is kept."""
    return datetime.fromisoformat(text)


def _parse_time_or_none(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def store_item_hashes(
    connection: sqlite3.Connection, case: str, hashes: Iterable[ItemHash], *, item: int = 0
) -> None:
    """Keep hashes of a case's item. Those that were kept first stay: the hotline's own say more
    than a list's.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                case, item, one.origin, one.hash.kind.name, one.hash.value, one.hash.quality,
                None if one.terms is None else terms_to_json(one.terms),
            )
            for one in hashes
            if not of_empty_input(one.hash)
        ],
    )  # fmt: skip


def item_hashes(connection: sqlite3.Connection, case: str) -> list[ItemHash]:
    """What the hotline holds of a case's item."""
    return [
        ItemHash(
            Hash(KINDS[kind], value, quality),
            origin,
            None if terms is None else Terms(**json.loads(terms)),
        )
        for kind, value, quality, origin, terms in connection.execute(
            "SELECT kind, value, quality, origin, terms FROM held WHERE in_case = ?"
            " ORDER BY kind, value",
            (case,),
        )
    ]


def own_items(connection: sqlite3.Connection, case: str) -> list[list[Hash]]:
    """What the hotline made itself of each file of a case's item; a hash that several have is of
    the first of them.
    """
    found: dict[int, list[Hash]] = {}
    for number, kind, value, quality in connection.execute(
        "SELECT item, kind, value, quality FROM held WHERE in_case = ? AND terms IS NULL"
        " ORDER BY item",
        (case,),
    ):
        found.setdefault(number, []).append(Hash(KINDS[kind], value, quality))
    return list(found.values())


def terms_to_json(terms: Terms) -> str:
    """Terms as they are kept."""
    return json.dumps(terms.to_dict())
