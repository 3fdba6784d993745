"""Notifying: send one notice of a case to each partner, and record the answers."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from screener.errors import HotlineError, ScreenerError
from screener.hotline import partners
from screener.hotline.casebook import case_database, casebook
from screener.hotline.language.sentence import Sentence, mark
from screener.hotline.model.case import Case, State, find_state_start
from screener.hotline.notices import acknowledgements, delivery
from screener.hotline.notices.acknowledgements import EVENT_NAMES, Acknowledgement, UnreadFile
from screener.hotline.notices.notice import make_notice
from screener.hotline.notices.notice_files import render_files
from screener.hotline.partners import Partner, Partners

UndeliveredNotice = tuple[str, str, ScreenerError]  # a notice: its case, its partner, and why


@dataclass(frozen=True)
class Answers:
    """The new answers in partners' folders, and the files that could not be read."""

    new: tuple[tuple[str, str, Acknowledgement], ...]  # partner, case, answer
    unread: tuple[tuple[str, UnreadFile], ...]  # partner, file


def notice_id(case: str, partner: str) -> str:
    """Return the id of the one notice of a case to a partner."""
    text = json.dumps([case, partner]).encode()
    return "N-" + hashlib.blake2b(text, digest_size=10).hexdigest()


def notify(
    connection: sqlite3.Connection, case: Case, directory: Partners, partner: Partner, *, by: str,
    reason: str, at: datetime,
) -> None:  # fmt: skip
    """Record a notice to a partner, to be written after the commit.

    Raises HotlineError if one was sent before, or if it would contain nothing.
    """
    if any(one.partner == partner.id for one in case.sent):
        raise HotlineError(
            mark("{partner} was sent a notice of {case} already"),
            partner=partner.id,
            case=case.reference,
        )
    notice = notice_id(case.reference, partner.id)
    hashes = casebook.read_item_hashes(connection, case.reference)
    # Made before it is recorded, since it may have nothing to contain.
    make_notice(case, partner, hotline=directory.hotline, at=at, notice=notice, hashes=hashes)
    connection.execute(
        "INSERT INTO sent VALUES (?, ?, ?, ?, NULL, NULL, NULL, 0, 0)",
        (notice, case.reference, partner.id, casebook.format_time(at)),
    )
    casebook.record_step(
        connection, case.reference, "notified", at=at, by=by, state="notified", notice=notice,
        partner=partner.id, reason=mark("{partner}: {why}", partner=partner.id, why=reason),
    )  # fmt: skip


def deliver_pending(folder: Path) -> list[UndeliveredNotice]:
    """Deliver the notices that are still due. Returns those that failed.

    The staging of each is recorded before it is renamed to where the partner looks, so it is
    delivered once, however often the process is killed.
    """
    with case_database.begin_read(folder) as connection:
        due = connection.execute(
            "SELECT notice, in_case, partner, staged FROM sent WHERE NOT written ORDER BY notice"
        ).fetchall()
    failed: list[UndeliveredNotice] = []
    for notice, case, partner, staged in due:
        try:
            directory = partners.load(folder / partners.FILE_NAME)
            if not staged:
                _stage(folder, directory, notice, case, partner)
                _mark(folder, notice, "staged")
            delivered = _deliver_or_retract(folder, directory, notice, case, partner)
        except ScreenerError as error:  # the other partners still get theirs
            failed.append((case, partner, error))
            continue
        if delivered:
            _mark(folder, notice, "written")
        else:
            with case_database.begin_write(folder) as connection:
                connection.execute("DELETE FROM sent WHERE notice = ?", (notice,))
    return failed


def _stage(folder: Path, directory: Partners, notice: str, reference: str, partner: str) -> None:
    with case_database.begin_read(folder) as connection:
        case = casebook.load_case(connection, reference)
        hashes = casebook.read_item_hashes(connection, reference)
        query = "SELECT 1 FROM sent WHERE partner = ? AND (staged OR written) LIMIT 1"
        first = connection.execute(query, (partner,)).fetchone() is None
    (at,) = (one.at for one in case.sent if one.partner == partner)
    recipient = directory.get(partner)
    made = make_notice(
        case, recipient, hotline=directory.hotline, at=at, notice=notice, hashes=hashes
    )
    delivery.stage(recipient.folder, notice, reference, render_files(made), first=first)


def _deliver_or_retract(
    folder: Path, directory: Partners, notice: str, reference: str, partner: str
) -> bool:
    """Deliver a staged notice, or remove it if the case ended.

    Returns whether the partner has got it.
    """
    with case_database.begin_read(folder) as connection:
        case = casebook.load_case(connection, reference)
    recipient = directory.get(partner).folder
    if case.outcome == "illegal" and case.state == "notified":
        delivery.deliver(recipient, notice)
        return True
    return not delivery.retract(recipient, notice)


def _mark(folder: Path, notice: str, column: str) -> None:
    with case_database.begin_write(folder) as connection:
        connection.execute(f"UPDATE sent SET {column} = 1 WHERE notice = ?", (notice,))


def acknowledge(
    connection: sqlite3.Connection, directory: Partners, *, by: str, at: datetime
) -> Answers:
    """Record what partners have answered since, each event of a notice once.

    A case is removed once all partners that got a notice say so, and open again if one takes that
    back.
    """
    new: list[tuple[str, str, Acknowledgement]] = []
    unread: list[tuple[str, UnreadFile]] = []
    for partner in directory.partners.values():
        rows = connection.execute(
            "SELECT notice, in_case, at FROM sent WHERE partner = ? AND written", (partner.id,)
        ).fetchall()
        cases = {notice: case for notice, case, _ in rows}
        sent = {notice: casebook.parse_time(time) for notice, _, time in rows}
        answers, invalid = acknowledgements.read_folder(partner, sent=sent, now=at)
        unread += [(partner.id, file) for file in invalid]
        for answer in answers:
            case = cases[answer.notice]
            if _record(connection, partner, case, answer, by=by, at=at):
                new.append((partner.id, case, answer))
    return Answers(tuple(new), tuple(unread))


def _record(
    connection: sqlite3.Connection, partner: Partner, case: str, answer: Acknowledgement, *,
    by: str, at: datetime,
) -> bool:  # fmt: skip
    """Record an answer.

    Returns whether it is new. A partner's latest answer counts, by its own clock.
    """
    time = casebook.format_time(answer.at)
    if not _store_answer(connection, answer, time):
        return False
    # A partner that removed or refused it has also read it.
    connection.execute(
        "UPDATE sent SET acknowledged = coalesce(acknowledged, ?) WHERE notice = ?",
        (time, answer.notice),
    )
    current = casebook.load_case(connection, case)
    state: State | None = None
    if current.state == "notified" and _all_removed(current):
        state = "removed"
    elif current.state == "removed" and _ended_by_answers(current) and not _all_removed(current):
        state = "notified"
    casebook.record_step(
        connection, case, "answered", at=at, by=by, reason=_reason(partner, answer),
        state=state, partner=partner.id, notice=answer.notice,
    )  # fmt: skip
    return True


def _store_answer(connection: sqlite3.Connection, answer: Acknowledgement, time: str) -> bool:
    """Store an answer unless it is old. At one time, a removal counts before a refusal."""
    update = f"UPDATE sent SET {answer.event} = :at"
    new = f"WHERE notice = :notice AND {answer.event} IS NULL"
    if answer.event == "removed":
        query = f"{update}, refused = NULL {new} AND coalesce(refused <= :at, TRUE)"
    elif answer.event == "refused":
        query = f"{update}, removed = NULL {new} AND coalesce(removed < :at, TRUE)"
    else:
        query = f"{update} {new}"
    return bool(connection.execute(query, {"at": time, "notice": answer.notice}).rowcount)


def _all_removed(case: Case) -> bool:
    return bool(case.sent) and all(one.removed is not None for one in case.sent)


def _ended_by_answers(case: Case) -> bool:
    event = find_state_start((event.state, event) for event in case.events)
    return event is not None and isinstance(event.reason, Sentence)


def _reason(partner: Partner, answer: Acknowledgement) -> Sentence:
    values = {"partner": partner.id, "event": EVENT_NAMES[answer.event], "by": answer.by}
    if answer.note:
        return mark("{partner}: {event} ({by}): {note}", note=answer.note, **values)
    return mark("{partner}: {event} ({by})", **values)


def delete_unstaged(connection: sqlite3.Connection, case: str) -> None:
    """Delete the notices of a case that are not staged; `deliver_pending` retracts the others."""
    connection.execute("DELETE FROM sent WHERE in_case = ? AND NOT staged", (case,))
