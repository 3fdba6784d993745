"""Casebook: queries and changes of the database that holds all cases.

The log (`case_log`), the hotline's list (`own_list`) and partners' folders (`notifying`) are
written from it after each commit, and again at the next opening if that was interrupted.
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
from screener.hotline.language.sentence import Sentence, from_json, mark, to_json
from screener.hotline.model.case import (
    Case,
    Event,
    ItemHash,
    ListMatch,
    Outcome,
    Sent,
    State,
    find_state_start,
)
from screener.hotline.reports.status_file import Status
from screener.lists.store.records import is_empty_digest
from screener.lists.terms import Terms

# Recorded in the event of a first opinion, and searched for there: do not change the words.
FIRST_OPINION: Final = mark("held illegal by a first person: {basis}; {hashed}")


def begin_case(connection: sqlite3.Connection, *, at: datetime) -> str:
    """Insert a new case and return its reference, which is random."""
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
    """Record a step of a case among its events and for the log, with its new state if any."""
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
    """Queue a line for the log. It must hold no hash, address or note."""
    connection.execute("INSERT INTO log(facts) VALUES (?)", (json.dumps({"step": step, **facts}),))


def set_entry(
    connection: sqlite3.Connection, entry: str, case: str, state: str, by: str,
    report: str | None = None,
) -> None:  # fmt: skip
    """Queue a record of the hotline's list to be written with a state."""
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
    """Return a case. Raises HotlineError if there is none of that reference."""
    row = connection.execute(
        "SELECT state, received, outcome, basis, seen FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    if row is None:
        raise HotlineError(mark("there is no case {case}"), case=reference)
    state, received, outcome, basis, seen = row

    def column(query: str) -> tuple[Any, ...]:
        return tuple(value for (value,) in connection.execute(query, (reference,)))

    from_reports = " FROM reports WHERE in_case = ? AND withdrawn IS NULL"
    languages = column(f"SELECT language{from_reports} ORDER BY number")
    countries = column(f"SELECT country{from_reports} AND country IS NOT NULL ORDER BY number")
    addresses = column(
        "SELECT a.address FROM addresses a JOIN reports r ON r.reference = a.report"
        " WHERE r.in_case = ? ORDER BY r.number, a.address"
    )
    reports = connection.execute(
        "SELECT reference, received FROM reports WHERE in_case = ? ORDER BY number", (reference,)
    ).fetchall()
    entries = connection.execute(
        "SELECT entry, state FROM entries WHERE in_case = ? ORDER BY entry", (reference,)
    )
    of_case = "SELECT r.reference FROM reports r WHERE r.in_case = ?"
    return Case(
        reference=reference,
        state=state,
        received=parse_time(received),
        reports=tuple(report for report, _ in reports),
        reported=tuple(parse_time(at) for _, at in reports),
        languages=tuple(dict.fromkeys(languages)),
        countries=tuple(dict.fromkeys(countries)),
        addresses=tuple(dict.fromkeys(addresses)),
        hashes=tuple(read_hashes(connection, f"reported WHERE report IN ({of_case})", reference)),
        notes=column(f"SELECT note{from_reports} AND note <> '' ORDER BY number"),
        related=column("SELECT other FROM related WHERE in_case = ? ORDER BY other"),
        entries=tuple(entries),
        list_matches=_list_matches(connection, reference),
        proposed_by=next(iter(column("SELECT by FROM proposals WHERE in_case = ?")), None),
        outcome=outcome,
        basis=None if basis is None else from_json(basis),
        addresses_seen=bool(seen),
        events=_events(connection, reference),
        sent=_sent(connection, reference),
    )


def _list_matches(connection: sqlite3.Connection, reference: str) -> tuple[ListMatch, ...]:
    rows = connection.execute(
        "SELECT list, source, entry, state, kind, min(distance) FROM known"
        " WHERE in_case = ? GROUP BY list, source, entry, kind"
        " ORDER BY min(distance), list, source, entry, kind",
        (reference,),
    )
    return tuple(ListMatch(*row) for row in rows)


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
    """Return the references of all cases, or of those in some states, oldest first."""
    which = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
    rows = connection.execute(f"SELECT reference FROM cases {which} ORDER BY number", states)
    return [reference for (reference,) in rows]


def statuses(connection: sqlite3.Connection, zone: tzinfo) -> list[tuple[bytes, Status]]:
    """Return the status key and status of every report; days are those of `zone`."""
    statuses = []
    began: dict[str, str | None] = {}  # by case, which thousands may have reported
    for key, case, received, state, withdrawn in connection.execute(
        "SELECT r.status_key, r.in_case, r.received, c.state, r.withdrawn FROM reports r"
        " JOIN cases c ON c.reference = r.in_case"
    ).fetchall():
        if case not in began:
            began[case] = _began(connection, case)
        # A state that is older than the report is shown from the report's day on.
        since = withdrawn or max(began[case] or received, received)
        days = [parse_time(at).astimezone(zone).date() for at in (since, received)]
        statuses.append((key, Status("withdrawn" if withdrawn else state, *days)))
    return statuses


def _began(connection: sqlite3.Connection, case: str) -> str | None:
    steps = connection.execute(
        "SELECT state, at FROM events WHERE in_case = ? ORDER BY id", (case,)
    )
    return find_state_start(steps)


def read_hashes(connection: sqlite3.Connection, rows: str, *values: str) -> Iterator[Hash]:
    """Yield the hashes of a table's rows. `rows` is SQL: table and condition."""
    for kind, value, quality in connection.execute(
        f"SELECT kind, value, quality FROM {rows} ORDER BY kind, value", values
    ):
        yield Hash(KINDS[kind], value, quality)


def restart(connection: sqlite3.Connection, reference: str, *, at: datetime) -> None:
    """Move each time of a case after `at` back to `at`. The log keeps the times as recorded."""
    now = format_time(at)
    for table, key, columns in (
        ("cases", "reference", ("received",)),
        ("reports", "in_case", ("received", "withdrawn")),
        ("events", "in_case", ("at",)),
        ("sent", "in_case", ("at", "acknowledged", "removed", "refused")),
    ):
        for column in columns:
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ? AND {column} > ?",
                (now, reference, now),
            )


def has_illegal_opinion(connection: sqlite3.Connection, reference: str) -> bool:
    """Return whether an analyst ever assessed a case as illegal, even if another one disagreed."""
    return any(
        isinstance(event.reason, Sentence)
        and isinstance(what := event.reason.values.get("what"), Sentence)
        and what.message == FIRST_OPINION.message
        for event in _events(connection, reference)
    )


def forget_withdrawn(connection: sqlite3.Connection, reference: str) -> None:
    """Erase the addresses and list matches of the withdrawn reports of a case."""
    withdrawn = "SELECT reference FROM reports WHERE in_case = ? AND withdrawn IS NOT NULL"
    for table in ("addresses", "known"):
        connection.execute(f"DELETE FROM {table} WHERE report IN ({withdrawn})", (reference,))


def delete_proposal(connection: sqlite3.Connection, reference: str) -> None:
    """Delete the first opinion that a case is illegal, with the hashes made for it."""
    for table in ("proposals", "held"):
        connection.execute(f"DELETE FROM {table} WHERE in_case = ?", (reference,))


def set_outcome(connection: sqlite3.Connection, reference: str, outcome: Outcome) -> None:
    """Store the outcome of a case."""
    connection.execute("UPDATE cases SET outcome = ? WHERE reference = ?", (outcome, reference))


def set_basis(connection: sqlite3.Connection, reference: str, basis: str, *, seen: bool) -> None:
    """Store the basis of `illegal`, and whether the addresses were seen."""
    connection.execute(
        "UPDATE cases SET basis = ?, seen = ? WHERE reference = ?",
        (to_json(basis), seen, reference),
    )


def format_time(at: datetime) -> str:
    """Return a time as it is stored: UTC. Raises HotlineError if it has no time zone."""
    if at.tzinfo is None:
        raise HotlineError(mark("a time of a case needs a time zone"))
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def parse_time(text: str) -> datetime:
    """Return a stored time."""
    return datetime.fromisoformat(text)


def _parse_time_or_none(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def store_item_hashes(
    connection: sqlite3.Connection, case: str, hashes: Iterable[ItemHash], *, item: int = 0
) -> None:
    """Store hashes of a case's item.

    A stored hash stays, so the hotline's own come before a list's.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                case, item, each.origin, each.hash.kind.name, each.hash.value, each.hash.quality,
                None if each.terms is None else encode_terms(each.terms),
            )
            for each in hashes
            if not is_empty_digest(each.hash)
        ],
    )  # fmt: skip


def read_item_hashes(connection: sqlite3.Connection, case: str) -> list[ItemHash]:
    """Return the hashes of a case's item."""
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


def read_own_items(connection: sqlite3.Connection, case: str) -> list[list[Hash]]:
    """Return the hotline's own hashes of each file.

    A hash of several files counts for the first only.
    """
    items: dict[int, list[Hash]] = {}
    for number, kind, value, quality in connection.execute(
        "SELECT item, kind, value, quality FROM held WHERE in_case = ? AND terms IS NULL"
        " ORDER BY item",
        (case,),
    ):
        items.setdefault(number, []).append(Hash(KINDS[kind], value, quality))
    return list(items.values())


def encode_terms(terms: Terms) -> str:
    """Return terms as they are stored."""
    return json.dumps(terms.to_dict())
