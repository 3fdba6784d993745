"""Send partners one notice per case, and record their answers."""

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

UndeliveredNotice = tuple[str, str, ScreenerError]  # case, partner and error of a notice


@dataclass(frozen=True)
class Answers:
    """New answers in the partners' folders, and unreadable files."""

    new: tuple[tuple[str, str, Acknowledgement], ...]  # partner, case, answer
    unread: tuple[tuple[str, UnreadFile], ...]  # partner, file


def make_notice_id(case: str, partner: str) -> str:
    """Return the id of the only notice of a case to a partner."""
    text = json.dumps([case, partner]).encode()
    return "N-" + hashlib.blake2b(text, digest_size=10).hexdigest()


def notify(
    connection: sqlite3.Connection, case: Case, directory: Partners, partner: Partner, *, by: str,
    reason: str, at: datetime,
) -> None:  # fmt: skip
    """Record a notice to a partner; `deliver_pending` writes it after the commit.

    Raises HotlineError if one was sent before, or if it would be empty.
    """
    if any(sent.partner == partner.id for sent in case.sent):
        raise HotlineError(
            mark("{partner} was sent a notice of {case} already"),
            partner=partner.id,
            case=case.reference,
        )
    notice = make_notice_id(case.reference, partner.id)
    hashes = casebook.read_item_hashes(connection, case.reference)
    # Raises before anything is recorded if the notice would be empty.
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
    """Deliver the pending notices. Returns those that failed.

    Staging is recorded before the notice is renamed to its final name, so it is delivered exactly
    once even if the process is killed.
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
                _stage_notice(folder, directory, notice, case, partner)
                _set_flag(folder, notice, "staged")
            delivered = _deliver_or_retract(folder, directory, notice, case, partner)
        except ScreenerError as error:  # continue with the other partners
            failed.append((case, partner, error))
            continue
        if delivered:
            _set_flag(folder, notice, "written")
        else:
            with case_database.begin_write(folder) as connection:
                connection.execute("DELETE FROM sent WHERE notice = ?", (notice,))
    return failed


def _stage_notice(
    folder: Path, directory: Partners, notice: str, reference: str, partner: str
) -> None:
    with case_database.begin_read(folder) as connection:
        case = casebook.load_case(connection, reference)
        hashes = casebook.read_item_hashes(connection, reference)
        query = "SELECT 1 FROM sent WHERE partner = ? AND (staged OR written) LIMIT 1"
        is_first_notice = connection.execute(query, (partner,)).fetchone() is None
    (at,) = (sent.at for sent in case.sent if sent.partner == partner)
    recipient = directory.get(partner)
    notice_value = make_notice(
        case, recipient, hotline=directory.hotline, at=at, notice=notice, hashes=hashes
    )
    delivery.stage(
        recipient.folder, notice, reference, render_files(notice_value), first=is_first_notice
    )


def _deliver_or_retract(
    folder: Path, directory: Partners, notice: str, reference: str, partner: str
) -> bool:
    """Deliver a staged notice, or remove it if the case ended.

    Returns whether the partner has received it.
    """
    with case_database.begin_read(folder) as connection:
        case = casebook.load_case(connection, reference)
    recipient = directory.get(partner).folder
    if case.outcome == "illegal" and case.state == "notified":
        delivery.deliver(recipient, notice)
        return True
    return not delivery.retract(recipient, notice)


def _set_flag(folder: Path, notice: str, column: str) -> None:
    with case_database.begin_write(folder) as connection:
        connection.execute(f"UPDATE sent SET {column} = 1 WHERE notice = ?", (notice,))


def acknowledge(
    connection: sqlite3.Connection, directory: Partners, *, by: str, at: datetime
) -> Answers:
    """Record the partners' new answers, each event of a notice once.

    A case becomes `removed` when all partners with a notice report the removal. It becomes
    `notified` again if one takes that back.
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
            if _record_answer(connection, partner, case, answer, by=by, at=at):
                new.append((partner.id, case, answer))
    return Answers(tuple(new), tuple(unread))


def _record_answer(
    connection: sqlite3.Connection, partner: Partner, case: str, answer: Acknowledgement, *,
    by: str, at: datetime,
) -> bool:  # fmt: skip
    """Record an answer. Returns whether it is new.

    The latest answer by the partner's own clock counts.
    """
    time = casebook.format_time(answer.at)
    if not _store_answer(connection, answer, time):
        return False
    # A partner that removed or refused the item has also read the notice.
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
        connection, case, "answered", at=at, by=by, reason=_describe_answer(partner, answer),
        state=state, partner=partner.id, notice=answer.notice,
    )  # fmt: skip
    return True


def _store_answer(connection: sqlite3.Connection, answer: Acknowledgement, time: str) -> bool:
    """Store an answer if it is new. At equal times, a removal counts before a refusal."""
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
    return bool(case.sent) and all(sent.removed is not None for sent in case.sent)


def _ended_by_answers(case: Case) -> bool:
    event = find_state_start((event.state, event) for event in case.events)
    return event is not None and isinstance(event.reason, Sentence)


def _describe_answer(partner: Partner, answer: Acknowledgement) -> Sentence:
    values = {"partner": partner.id, "event": EVENT_NAMES[answer.event], "by": answer.by}
    if answer.note:
        return mark("{partner}: {event} ({by}): {note}", note=answer.note, **values)
    return mark("{partner}: {event} ({by})", **values)


def delete_unstaged(connection: sqlite3.Connection, case: str) -> None:
    """Delete a case's unstaged notices; `deliver_pending` retracts the staged ones."""
    connection.execute("DELETE FROM sent WHERE in_case = ? AND NOT staged", (case,))
