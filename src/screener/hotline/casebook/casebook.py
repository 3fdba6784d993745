"""Casebook: queries and changes of the database of all cases.

After each commit, the log (`case_log`), the hotline's list (`own_list`) and the partners' folders
(`notifying`) are written from it. If that is interrupted, the next opening completes it.
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

# Events with this message are searched for in stored cases, so its words must not change.
FIRST_OPINION: Final = mark("held illegal by a first person: {basis}; {hashed}")


def begin_case(connection: sqlite3.Connection, *, at: datetime) -> str:
    """Insert a new case and return its random reference."""
    reference = "C-" + b32encode(secrets.token_bytes(5)).decode()
    connection.execute(
        "INSERT INTO cases SELECT ?, coalesce(max(number), 0) + 1, 'received', ?, NULL, NULL, 0"
        " FROM cases",
        (reference, format_time(at)),
    )
    return reference


def record_step(
    connection: sqlite3.Connection, reference: str, step: str, *, at: datetime, by: str,
    reason: str, state: State | None = None, **fields: Any,
) -> None:  # fmt: skip
    """Record a step of a case as an event and for the log.

    `state` is the new state, or None if it does not change.
    """
    if state is not None:
        connection.execute("UPDATE cases SET state = ? WHERE reference = ?", (state, reference))
    (present_state,) = connection.execute(
        "SELECT state FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    connection.execute(
        "INSERT INTO events(in_case, state, at, by, reason) VALUES (?, ?, ?, ?, ?)",
        (reference, present_state, format_time(at), by, to_json(reason)),
    )
    log_step(
        connection,
        step,
        case=reference,
        state=present_state,
        at=format_time(at),
        by=by,
        reason=reason,
        **fields,
    )


def log_step(connection: sqlite3.Connection, step: str, **fields: Any) -> None:
    """Queue a line for the log. It must not contain hashes, addresses or notes."""
    connection.execute("INSERT INTO log(facts) VALUES (?)", (json.dumps({"step": step, **fields}),))


def set_entry(
    connection: sqlite3.Connection, entry: str, case: str, state: str, by: str,
    report: str | None = None,
) -> None:  # fmt: skip
    """Store a record for the hotline's list, to be written after the commit."""
    connection.execute(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, 0)", (entry, case, report, state, by)
    )


def withdraw_entries(connection: sqlite3.Connection, case: str, by: str) -> None:
    """Mark all records of a case as withdrawn."""
    connection.execute(
        "UPDATE entries SET state = 'withdrawn', by = ?, written = 0"
        " WHERE in_case = ? AND state <> 'withdrawn'",
        (by, case),
    )


def load_case(connection: sqlite3.Connection, reference: str) -> Case:
    """Return a case. Raises HotlineError if there is none with this reference."""
    row = connection.execute(
        "SELECT state, received, outcome, basis, seen FROM cases WHERE reference = ?", (reference,)
    ).fetchone()
    if row is None:
        raise HotlineError(mark("there is no case {case}"), case=reference)
    state, received, outcome, basis, seen = row

    def select_values(query: str) -> tuple[Any, ...]:
        return tuple(value for (value,) in connection.execute(query, (reference,)))

    from_reports = " FROM reports WHERE in_case = ? AND withdrawn IS NULL"
    languages = select_values(f"SELECT language{from_reports} ORDER BY number")
    countries = select_values(
        f"SELECT country{from_reports} AND country IS NOT NULL ORDER BY number"
    )
    addresses = select_values(
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
        notes=select_values(f"SELECT note{from_reports} AND note <> '' ORDER BY number"),
        related=select_values("SELECT other FROM related WHERE in_case = ? ORDER BY other"),
        entries=tuple(entries),
        list_matches=_read_list_matches(connection, reference),
        proposed_by=next(iter(select_values("SELECT by FROM proposals WHERE in_case = ?")), None),
        outcome=outcome,
        basis=None if basis is None else from_json(basis),
        addresses_seen=bool(seen),
        events=_read_events(connection, reference),
        sent=_read_sent(connection, reference),
    )


def _read_list_matches(connection: sqlite3.Connection, reference: str) -> tuple[ListMatch, ...]:
    rows = connection.execute(
        "SELECT list, source, entry, state, kind, min(distance) FROM known"
        " WHERE in_case = ? GROUP BY list, source, entry, kind"
        " ORDER BY min(distance), list, source, entry, kind",
        (reference,),
    )
    return tuple(ListMatch(*row) for row in rows)


def _read_events(connection: sqlite3.Connection, reference: str) -> tuple[Event, ...]:
    rows = connection.execute(
        "SELECT state, at, by, reason FROM events WHERE in_case = ? ORDER BY id", (reference,)
    )
    return tuple(
        Event(state, parse_time(at), by, from_json(reason)) for state, at, by, reason in rows
    )


def _read_sent(connection: sqlite3.Connection, reference: str) -> tuple[Sent, ...]:
    rows = connection.execute(
        "SELECT notice, partner, at, acknowledged, removed, refused FROM sent"
        " WHERE in_case = ? ORDER BY at, partner",
        (reference,),
    )
    return tuple(
        Sent(notice, partner, parse_time(at), *map(_parse_time_or_none, answers))
        for notice, partner, at, *answers in rows
    )


def list_references(connection: sqlite3.Connection, states: Sequence[State] = ()) -> list[str]:
    """Return the references of all cases, or of those in the states, oldest first."""
    condition = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
    rows = connection.execute(f"SELECT reference FROM cases {condition} ORDER BY number", states)
    return [reference for (reference,) in rows]


def read_statuses(connection: sqlite3.Connection, zone: tzinfo) -> list[tuple[bytes, Status]]:
    """Return the status key and status of every report, with days in a time zone."""
    statuses = []
    state_times: dict[str, str | None] = {}  # by case, since a case may have thousands of reports
    for key, case, received, state, withdrawn in connection.execute(
        "SELECT r.status_key, r.in_case, r.received, c.state, r.withdrawn FROM reports r"
        " JOIN cases c ON c.reference = r.in_case"
    ).fetchall():
        if case not in state_times:
            state_times[case] = _find_state_time(connection, case)
        # If the state is older than the report, it dates from the report.
        since = withdrawn or max(state_times[case] or received, received)
        days = [parse_time(at).astimezone(zone).date() for at in (since, received)]
        statuses.append((key, Status("withdrawn" if withdrawn else state, *days)))
    return statuses


def _find_state_time(connection: sqlite3.Connection, case: str) -> str | None:
    steps = connection.execute(
        "SELECT state, at FROM events WHERE in_case = ? ORDER BY id", (case,)
    )
    return find_state_start(steps)


def read_hashes(connection: sqlite3.Connection, rows: str, *values: str) -> Iterator[Hash]:
    """Yield hashes. `rows` is SQL: a table and a condition with placeholders for `values`."""
    for kind, value, quality in connection.execute(
        f"SELECT kind, value, quality FROM {rows} ORDER BY kind, value", values
    ):
        yield Hash(KINDS[kind], value, quality)


def restart(connection: sqlite3.Connection, reference: str, *, at: datetime) -> None:
    """Replace all times of a case that are later than `at` by `at`. The log is unchanged."""
    time = format_time(at)
    for table, key, columns in (
        ("cases", "reference", ("received",)),
        ("reports", "in_case", ("received", "withdrawn")),
        ("events", "in_case", ("at",)),
        ("sent", "in_case", ("at", "acknowledged", "removed", "refused")),
    ):
        for select_values in columns:
            connection.execute(
                f"UPDATE {table} SET {select_values} = ? WHERE {key} = ? AND {select_values} > ?",
                (time, reference, time),
            )


def has_illegal_opinion(connection: sqlite3.Connection, reference: str) -> bool:
    """Return whether an analyst ever assessed a case as illegal, even if another disagreed."""
    return any(
        isinstance(event.reason, Sentence)
        and isinstance(summary := event.reason.values.get("what"), Sentence)
        and summary.message == FIRST_OPINION.message
        for event in _read_events(connection, reference)
    )


def forget_withdrawn(connection: sqlite3.Connection, reference: str) -> None:
    """Delete the addresses and list matches of a case's withdrawn reports."""
    withdrawn = "SELECT reference FROM reports WHERE in_case = ? AND withdrawn IS NOT NULL"
    for table in ("addresses", "known"):
        connection.execute(f"DELETE FROM {table} WHERE report IN ({withdrawn})", (reference,))


def delete_proposal(connection: sqlite3.Connection, reference: str) -> None:
    """Delete the first opinion that a case is illegal, with its hashes."""
    for table in ("proposals", "held"):
        connection.execute(f"DELETE FROM {table} WHERE in_case = ?", (reference,))


def set_outcome(connection: sqlite3.Connection, reference: str, outcome: Outcome) -> None:
    """Store the outcome of a case."""
    connection.execute("UPDATE cases SET outcome = ? WHERE reference = ?", (outcome, reference))


def set_basis(connection: sqlite3.Connection, reference: str, basis: str, *, seen: bool) -> None:
    """Store the basis of `illegal`, and whether analysts saw the addresses."""
    connection.execute(
        "UPDATE cases SET basis = ?, seen = ? WHERE reference = ?",
        (to_json(basis), seen, reference),
    )


def format_time(at: datetime) -> str:
    """Return the stored form of a time, in UTC. Raises HotlineError if it has no time zone."""
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

    Hashes that are stored already stay, so store the hotline's own before those of lists.
    """
    connection.executemany(
        "INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                case, item, item_hash.origin, item_hash.hash.kind.name, item_hash.hash.value,
                item_hash.hash.quality,
                None if item_hash.terms is None else encode_terms(item_hash.terms),
            )
            for item_hash in hashes
            if not is_empty_digest(item_hash.hash)
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
    """Return the hotline's own hashes, grouped by file.

    A hash of several files belongs to the first one only.
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
    """Return the stored form of terms."""
    return json.dumps(terms.to_dict())
